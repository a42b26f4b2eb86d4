"""The study of the priming number: curves by definition, the plan, verdicts both ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from saffu.counts import cooccurrence, priming_number
from saffu.explicit.smoothing import Backoff, smooth
from saffu.explicit.solution import explicit_solution
from saffu.explicit.temper import tempered_weights
from saffu.loss import cross_entropy
from saffu.positions import Samples
from saffu_lab.records.results import Line
from saffu_lab.replication.priming import tasks as priming
from saffu_lab.replication.priming.curves import Part, Terms, sentence_bags, terms_of
from saffu_lab.study.sources import Sources
from spec_tests.support.studies import whole_in_parts


def _part(seed: int, samples: int = 43) -> Part:
    """Features of unequal norms, and labels that depend on them."""
    random = np.random.default_rng(seed)
    features = random.gamma(0.7, size=(samples, 7))
    labels = (features[:, :3] + 0.3 * random.normal(size=(samples, 3))).argmax(axis=1)
    return Part(features, labels, None)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.2, 30.0), st.floats(0.1, 3.0))
def test_logits_are_those_of_the_explicit_solution(seed: int, k: float, lam: float) -> None:
    """λ s + (1/K) t = h U for the weights of the formula, whatever K and λ."""
    train, other = _part(seed), _part(seed + 1, 17)
    state = cooccurrence(train.features, np.eye(3)[train.labels])
    terms, mean = terms_of(train, 3, 0.7, other)
    assert mean == pytest.approx(priming_number(train.features))
    weights = explicit_solution(state, Backoff(0.7), priming=k).weights
    np.testing.assert_allclose(terms.logits(1.0, 1 / k), other.features @ weights, atol=1e-9)
    tempered = tempered_weights(smooth(state.counts, Backoff(0.7)), lam, k)
    np.testing.assert_allclose(terms.logits(lam, 1 / k), other.features @ tempered, atol=1e-9)


def test_sparse_features_are_features() -> None:
    train, other = _part(1), _part(2, 11)
    thin = [part._replace(features=sparse.csr_array(part.features)) for part in (train, other)]
    dense, _ = terms_of(train, 3, 0.7, other)
    found, _ = terms_of(thin[0], 3, 0.7, thin[1])
    np.testing.assert_allclose(found.evidence, dense.evidence)
    np.testing.assert_allclose(found.prior, dense.prior)


@pytest.mark.parametrize("free", ["kappa", "lambda", "both"])
def test_fits_are_minima(free: str) -> None:
    """The slope of the loss is zero in what was free, by central differences."""
    terms, mean = terms_of(_part(5), 3, 0.7, _part(6, 101))
    found = terms.fit(free, 1.0, 1 / mean)

    def loss(lam: float, kappa: float) -> float:
        return float(cross_entropy(terms.logits(lam, kappa), np.eye(3)[terms.labels]))

    step = 1e-5
    slopes = {
        "lambda": (loss(found[0] + step, found[1]) - loss(found[0] - step, found[1])) / step,
        "kappa": (loss(found[0], found[1] + step) - loss(found[0], found[1] - step)) / step,
    }
    for name in ("kappa", "lambda"):
        if free in (name, "both"):
            assert abs(slopes[name]) < 1e-6
        else:
            assert found[name == "kappa"] == (1 / mean if name == "kappa" else 1.0)
    start = (1.0, 1 / mean)
    assert terms.judged(*found)[0] <= terms.judged(*start)[0]


def test_judged_is_loss_and_accuracy() -> None:
    evidence = np.array([[2.0, 0.0], [0.0, 1.0], [3.0, 0.0]])
    terms = Terms(evidence, np.zeros((3, 2)), np.array([0, 1, 1]))
    nats, right = terms.judged(1.0, 0.0)
    expected = np.log1p(np.exp(-2)) + np.log1p(np.exp(-1)) + np.log1p(np.exp(3))
    assert nats == pytest.approx(expected / 3)
    assert right == pytest.approx(2 / 3)


@settings(deadline=None)
@given(st.lists(st.integers(2, 6), min_size=1, max_size=19), st.integers(0, 10**6))
def test_bags_hold_the_sentence_so_far(inner: list[int], seed: int) -> None:
    cut = int(np.random.default_rng(seed).integers(0, len(inner) + 1))
    documents = [[0, *part, 1] for part in (inner[:cut], inner[cut:])]
    tokens = np.concatenate([d[:-1] for d in documents])
    offsets = np.concatenate([np.arange(len(d) - 1) for d in documents])
    targets = np.concatenate([d[1:] for d in documents])
    found = sentence_bags(Samples(tokens, targets, offsets), 7, np.array([3, 5])).toarray()
    row = 0
    for document in documents:
        for t in range(1, len(document)):
            begin = max([i for i in range(t) if document[i] in (3, 5)], default=0)
            np.testing.assert_array_equal(found[row], np.bincount(document[begin:t], minlength=7))
            row += 1


def _text(folder: Path) -> Path:
    """Paragraphs of sentences about little."""
    random = np.random.default_rng(3)
    words = [f"word{i}" for i in range(70)]
    weights = 1 / np.arange(1, 71)
    paragraphs = []
    for _ in range(130):
        drawn = random.choice(words, size=29, p=weights / weights.sum())
        paragraphs.append(" ".join(f"{w}." if i % 7 == 6 else w for i, w in enumerate(drawn)))
    path = folder / "text.txt"
    path.write_text("\n\n".join(paragraphs), encoding="utf-8")
    return path


def test_whole_plan_stopped_and_resumed(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    pytest.importorskip("matplotlib")
    sources = Sources(text=(str(_text(tmp_path)),), tiny=True, cache=str(tmp_path))
    lines = whole_in_parts(priming, sources, tmp_path / "priming.jsonl", 4)
    tests = [at for at, line in enumerate(lines) if line["do"] == "test"]
    assert len(tests) == 5
    for at in tests:
        same = {name: lines[at][name] for name in ("data", "scale")}
        later = [x for x in lines[at + 1 :] if all(x[n] == v for n, v in same.items())]
        assert not later
    for line in lines:
        if line["do"] == "sweep" and "failed" not in line:
            ways = {name: way["nats"] for name, way in line["ways"].items()}
            slack = 1e-5 * ways["mean"]
            assert ways["both"] <= min(ways["best"], ways["tempered"]) + slack
            assert max(ways["best"], ways["tempered"]) <= ways["mean"] + slack
    chapter = priming.chapter(lines)
    assert "sentence so far" in chapter.text
    for draw in chapter.pictures.values():
        assert len(draw().axes) >= 5


def _lines(nats: Mapping[str, float], right: Mapping[str, int]) -> list[Line]:
    """A study of one data set, with these results."""
    common = {"study": "priming", "data": "digits", "scale": 1.0, "images": "x"}
    way = {"lambda": 1.0, "kappa": 0.1, "nats": 0.3, "accuracy": 0.5}
    sweep = {
        **common,
        "do": "sweep",
        "strength": 1.0,
        "mean_norm": 10.0,
        "norms": [9.0, 10.0, 11.0],
        "ways": dict.fromkeys(nats, way),
        "curve": [[5.0, 0.4, 0.5, 0.3], [10.0, 0.3, 0.5, 0.2], [20.0, 0.5, 0.5]],
    }
    names: Sequence[str] = list(nats)
    pairs = {
        f"{a}|{b}": {
            "nats": nats[a] - nats[b],
            "low": nats[a] - nats[b] - 0.01,
            "high": nats[a] - nats[b] + 0.01,
        }
        for i, a in enumerate(names)
        for b in names[i + 1 :]
    }
    rows = {
        name: {"right": right[name], "nats": n, "low": n - 0.1, "high": n + 0.1}
        for name, n in nats.items()
    }
    chosen = {name: {"lambda": 1.0, "kappa": 0.1, "strength": 1.0} for name in nats}
    test = {**common, "do": "test", "chosen": chosen, "tested": 1000, "rows": rows, "pairs": pairs}
    return [sweep, test]


def _verdicts(lines: Sequence[Line]) -> list[str]:
    return [claim.verdict for claim in priming.chapter(lines).claims]


def test_verdicts_follow_the_lines() -> None:
    right = dict.fromkeys(priming.WAYS, 900)
    good = {"mean": 0.502, "unit": 0.9, "best": 0.5, "tempered": 0.301, "both": 0.3}
    assert _verdicts(_lines(good, right)) == ["holds"] * 3
    bad = {"mean": 0.52, "unit": 0.9, "best": 0.5, "tempered": 0.515, "both": 0.3}
    assert _verdicts(_lines(bad, right)) == ["does not hold"] * 3
    less = right | {"mean": 880}
    assert _verdicts(_lines(good, less)) == ["does not hold", "holds", "holds"]
    two = [*_lines(good, right), *({**x, "scale": 0.1} for x in _lines(bad, right))]
    assert _verdicts(two) == ["holds with conditions"] * 3
    assert "worse on: scikit-learn's digits, pixels × 0.1" in priming.chapter(two).text


def test_nothing_measured_is_said() -> None:
    chapter = priming.chapter([])
    assert {claim.verdict for claim in chapter.claims} == {"not measured"}
    assert "saffu replicate priming" in chapter.text
