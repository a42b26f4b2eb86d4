"""Refining an explicit layer: what is counted, where it stands still, and that it is the best."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from saffu.batch import plan
from saffu.configuration import Configuration
from saffu.contexts import RadialContext
from saffu.data.corpus import Corpus
from saffu.data.tokenisers import Words
from saffu.data.vocabulary import Vocabulary
from saffu.explicit.hidden import hidden_targets
from saffu.explicit.smoothing import Backoff
from saffu.explicit.smoothing import smooth as smoothed
from saffu.model import model_forward, model_gradient, model_loss
from saffu.parameters import LayerParameters, Parameters
from saffu.positions import Samples, make_samples
from saffu_lab.models import refined_layer as module
from saffu_lab.models.refined_layer import add_up, read_refined, refined, step, trial_refined
from saffu_lab.study.sources import Sources
from saffu_lab.study.task import digest
from saffu_lab.study.texts import texts
from spec_tests.support.studies import little_text

SHAPE = Configuration(13, (RadialContext(3),), bits=7, label_bits=5)


@pytest.fixture
def model() -> Parameters:
    random = np.random.default_rng(3)
    layer = LayerParameters(random.normal(size=(3, 3)), random.normal(size=(21, 5)))
    output = random.normal(size=(5, 13))
    return Parameters(random.dirichlet(np.ones(7), 13), ((layer,),), output)


@pytest.fixture
def chunk() -> Samples:
    random = np.random.default_rng(5)
    texts = [[0, *random.integers(2, 13, n), 1] for n in (11, 17, 4, 23)]
    return make_samples([np.array(text) for text in texts])


def test_a_pass_adds_up_what_its_names_say(
    model: Parameters, chunk: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROWS", 19)  # several blocks, the last one smaller
    seen = add_up(model, SHAPE, chunk, units=True)
    state = model_forward(model, plan(chunk, SHAPE), SHAPE.layer)
    h, s = state.hidden, state.towers[0][0].features
    p = np.exp(state.logits) / np.exp(state.logits).sum(axis=1, keepdims=True)
    y = np.eye(13)[chunk.targets]
    np.testing.assert_allclose(seen.counted, h.T @ y, rtol=1e-12)
    np.testing.assert_allclose(seen.expected, h.T @ p, rtol=1e-12)
    t = hidden_targets(h, (y - p) @ model.output.T)
    np.testing.assert_allclose(seen.wanted, s.T @ t, rtol=1e-10)
    np.testing.assert_allclose(seen.given, s.T @ h, rtol=1e-12)
    assert seen.norm == pytest.approx(s.sum(axis=1).mean())
    without = add_up(model, SHAPE, chunk, units=False)
    np.testing.assert_array_equal(without.expected, seen.expected)
    assert not without.wanted.any()


def test_hidden_targets_point_where_the_gradient_does(model: Parameters, chunk: Samples) -> None:
    """Before clipping, Sᵀ(T − H) is M times the negative gradient in U; here little is clipped."""
    calm = model._replace(output=0.05 * model.output)
    seen = add_up(calm, SHAPE, chunk, units=True)
    gradient = model_gradient(calm, plan(chunk, SHAPE), SHAPE.layer).towers[0][0].features
    down = -chunk.targets.shape[0] * gradient
    np.testing.assert_allclose(seen.wanted - seen.given, down, rtol=1e-9, atol=1e-12)


def test_steps_of_the_output_layer_lead_to_its_optimum(model: Parameters, chunk: Samples) -> None:
    now, losses = model, []
    batch = plan(chunk, SHAPE)
    for _ in range(300):
        losses.append(model_loss(now, batch, SHAPE.layer))
        now = step(now, add_up(now, SHAPE, chunk, units=False), Backoff(1e-9), units=False)
    assert np.diff(losses).max() <= 1e-12
    seen = add_up(now, SHAPE, chunk, units=False)
    before = add_up(model, SHAPE, chunk, units=False)
    np.testing.assert_array_equal(now.towers[0][0].features, model.towers[0][0].features)
    assert np.abs(seen.expected - seen.counted).max() < 0.1 * (
        np.abs(before.expected - before.counted).max()
    )


def test_smoothed_shares_are_where_the_output_layer_stands_still(
    model: Parameters, chunk: Samples
) -> None:
    seen = add_up(model, SHAPE, chunk, units=False)
    full = smoothed(seen.counted, Backoff(3.0))
    there = seen._replace(expected=7.0 * full)
    np.testing.assert_allclose(
        step(model, there, Backoff(3.0), units=False).output, model.output, atol=1e-12
    )


def test_both_layers_together_lower_the_loss(model: Parameters, chunk: Samples) -> None:
    seen = add_up(model, SHAPE, chunk, units=True)
    batch = plan(chunk, SHAPE)
    start = model_loss(model, batch, SHAPE.layer)
    both = step(model, seen, Backoff(0.1), units=True)
    assert model_loss(both, batch, SHAPE.layer) < start
    alone = both._replace(output=model.output)
    assert model_loss(alone, batch, SHAPE.layer) < start


def test_the_best_on_the_way_is_kept_and_steps_end_soon_after(
    model: Parameters, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = iter([4.0, 3.0, 3.5, 3.2, 1.0])
    moved: list[Parameters] = []

    def move(now: Parameters, *_: object, **__: object) -> Parameters:
        moved.append(now._replace(output=now.output + 1))
        return moved[-1]

    monkeypatch.setattr(module, "by_document", lambda *_: (np.array([next(said)]), np.array([1])))
    monkeypatch.setattr(module, "add_up", lambda *_, **__: None)
    monkeypatch.setattr(module, "step", move)
    nothing = make_samples([np.array([0, 1])])
    corpus = Corpus.in_memory(["a b"], Words(), Vocabulary.from_counts({"a": 1}, documents=1))
    best, losses = refined(*(model, SHAPE, nothing, corpus, Backoff(1.0)), steps=20, units=True)
    assert losses == [4.0, 3.0, 3.5, 3.2]
    assert best is moved[0]


def test_a_lost_model_is_made_again(tmp_path: Path) -> None:
    base = {"vocabulary": 13, "contexts": "radial:3", "bits": 7, "label_bits": 5}
    with little_text():
        sources = Sources(text=("prose",), tiny=True, cache=str(tmp_path))
        key = {
            "row": "explicit refined", "targets": 900, "seed": 1, "text": "x",
            "recipe": {"base": base, "steps": 2, "units": True},
        }  # fmt: skip
        trial = trial_refined(key, sources)
        first = read_refined(key, sources)
        same = {name: key[name] for name in ("row", "recipe", "targets", "seed", "text")}
        (tmp_path / f"{digest(same)}.saffu").unlink()
        assert read_refined(key, sources) == first
        assert trial["losses"][-1] > 0
        assert sum(first["targets_tested"]) == texts(sources, 13, 1).test.targets
