"""The study of one softmax layer: the problem by definition, the plan, verdicts both ways."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from saffu.direct import log_shares
from saffu.explicit.smoothing import Backoff, smooth
from saffu.explicit.solution import explicit_weights
from saffu.loss import cross_entropy
from saffu.types import Array
from saffu_lab.one_layer.convex_problem import (
    OneHot,
    Problem,
    centred,
    evidence,
    minimise,
    sample_nats,
    scale_iteratively,
    slot_counts,
)
from saffu_lab.records.results import Line
from saffu_lab.replication.single_layer import tasks as single_layer
from saffu_lab.replication.single_layer.chapter import NAMES, Way, leaves, way
from saffu_lab.replication.single_layer.setting import cosine, rms, tempered
from saffu_lab.study.sources import Sources
from spec_tests.support.studies import whole_in_parts

SIZE = 7


def _problem(seed: int, radius: int, strength: float, samples: int = 103) -> Problem:
    """A text of tokens that follow one another, as one-hot slots."""
    random = np.random.default_rng(seed)
    tokens = random.integers(0, SIZE, samples + radius)
    tokens[1:] = np.where(random.random(tokens.shape[0] - 1) < 0.5, tokens[:-1], tokens[1:])
    columns = [tokens[radius - 1 - k : samples + radius - 1 - k] for k in range(radius)]
    indices = np.stack(columns, axis=1) + SIZE * np.arange(radius)
    border = np.arange(0, samples * radius + 1, radius)
    shape = (samples, radius * SIZE)
    features = sparse.csr_array((np.ones(samples * radius), indices.ravel(), border), shape=shape)
    text = OneHot(features, tokens[radius:], np.array([0]))
    prior = log_shares(np.bincount(text.targets, minlength=SIZE))
    counts = np.concatenate([c.toarray() for c in slot_counts(text, SIZE)])
    return Problem(text, prior, strength, counts)


def _by_definition(problem: Problem, weights: Array) -> float:
    """P(α), with the imagined samples written out."""
    h = np.concatenate([problem.text.features.toarray(), np.eye(weights.shape[0])])
    q = np.exp(problem.prior)
    imagined = np.tile(problem.strength * q, (weights.shape[0], 1))
    targets = np.concatenate([np.eye(SIZE)[problem.text.targets], imagined])
    loss = float(cross_entropy(h @ weights + problem.prior, targets))
    return float(loss * h.shape[0] / problem.samples)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 3), st.floats(0.1, 20.0))
def test_value_and_slope(seed: int, radius: int, strength: float) -> None:
    problem = _problem(seed, radius, strength)
    random = np.random.default_rng(seed)
    u, v = random.normal(size=(2, radius * SIZE, SIZE))
    value, slope = problem.value_and_slope(u)
    assert value == pytest.approx(_by_definition(problem, u))
    step = 1e-6
    ahead, behind = (_by_definition(problem, u + sign * step * v) for sign in (1, -1))
    assert np.vdot(slope, v) == pytest.approx((ahead - behind) / (2 * step), rel=1e-5, abs=1e-7)
    np.testing.assert_allclose(slope.sum(axis=1), 0, atol=1e-12)  # softmax sees no row shift


@pytest.mark.parametrize("strength", [0.3, 11.0])
def test_one_token_is_solved_exactly(strength: float) -> None:
    """For r = 1 the explicit solution has no slope, and descent from zeros ends in it."""
    problem = _problem(5, 1, strength)
    q = np.exp(problem.prior)
    explicit = centred(evidence(slot_counts(problem.text, SIZE), q, Backoff(strength)))
    value, slope = problem.value_and_slope(explicit)
    assert np.linalg.norm(slope) < 1e-14
    found = minimise(problem, np.zeros_like(explicit))
    assert found.length <= 1e-8
    assert found.values[-1] == pytest.approx(value, abs=1e-12)
    np.testing.assert_allclose(centred(found.weights), explicit, atol=1e-5)
    weights = explicit_weights(smooth(problem.counts, Backoff(strength)), 1.0)
    np.testing.assert_allclose(centred(weights - problem.prior), explicit, atol=1e-12)


@pytest.mark.parametrize("radius", [2, 3])
def test_one_optimum_from_every_start(radius: int) -> None:
    problem = _problem(3, radius, 2.0)
    random = np.random.default_rng(1).normal(size=problem.counts.shape)
    ends = [minimise(problem, start) for start in (np.zeros_like(random), random)]
    for end in ends:
        assert end.length <= 1e-8
        assert np.all(np.diff(end.values) <= 1e-12)
    difference = centred(ends[0].weights) - centred(ends[1].weights)
    assert np.abs(difference).max() < 1e-4


def test_units_are_the_curvature_for_one_token() -> None:
    """At the explicit solution the second derivative in U[d,i] is units² (1 − p)."""
    problem = _problem(2, 1, 3.0)
    explicit = evidence(slot_counts(problem.text, SIZE), np.exp(problem.prior), Backoff(3.0))
    p = np.exp(explicit + problem.prior)
    p /= p.sum(axis=1, keepdims=True)
    step = 1e-4
    for d, i in ((0, 0), (2, 5), (6, 3)):
        nudge = np.zeros_like(explicit)
        nudge[d, i] = step
        slopes = [problem.value_and_slope(explicit + s * nudge)[1][d, i] for s in (1, -1)]
        expected = problem.units()[d, i] ** 2 * (1 - p[d, i])
        assert (slopes[0] - slopes[1]) / (2 * step) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("radius", [1, 3])
def test_scaling_never_rises_and_nears_the_optimum(radius: int) -> None:
    problem = _problem(4, radius, 2.0)
    start = np.zeros_like(problem.counts)
    course = scale_iteratively(problem, start, 300, radius)
    assert np.all(np.diff(course.values) <= 1e-13)
    best = minimise(problem, start).values[-1]
    assert course.values[-1] - best < 0.01 * (course.values[0] - best)


def test_counts_are_those_of_the_samples() -> None:
    problem = _problem(6, 3, 1.0)
    expected = problem.text.features.toarray().T @ np.eye(SIZE)[problem.text.targets]
    np.testing.assert_array_equal(problem.counts, expected)


def test_nats_of_samples() -> None:
    problem = _problem(8, 2, 1.0)
    u = np.random.default_rng(0).normal(size=problem.counts.shape)
    nats = sample_nats(u, problem.prior, problem.text)
    logits = problem.text.features.toarray() @ u + problem.prior
    expected = float(cross_entropy(logits, np.eye(SIZE)[problem.text.targets]))
    assert nats.mean() == pytest.approx(expected)


def test_distance_and_tempers() -> None:
    u = np.arange(12.0).reshape(4, 3)
    found = tempered(u, [2.0, 0.5])
    np.testing.assert_array_equal(found, np.concatenate([2 * u[:2], u[2:] / 2]))
    assert rms(u) == pytest.approx(np.linalg.norm(u) / np.sqrt(12))
    assert cosine(u, 3 * u) == pytest.approx(1)
    assert cosine(u, np.zeros_like(u)) == 0


def test_a_way_is_judged_at_the_best_epoch() -> None:
    assert Way(4.0, 1.0, 0.9).covered == 0.75
    history = [[0, 3.0, [2.0, 0.1]], [1, 2.0, [1.5, 0.6]], [2, 2.5, [0.1, 0.9]]]
    run = {"marks": ["slots"], "history": history}
    assert way(run, "slots") == Way(2.0, 1.5, 0.6)
    assert not leaves(run, "slots")
    assert leaves({**run, "history": [*history, [3, 2.6, [0.2, 0.9]]]}, "slots")


def _text(folder: Path) -> Path:
    random = np.random.default_rng(3)
    words = [f"word{i}" for i in range(70)]
    weights = 1 / np.arange(1, 71)
    drawn = random.choice(words, size=(130, 29), p=weights / weights.sum())
    path = folder / "text.txt"
    path.write_text("\n\n".join(" ".join(row) for row in drawn), encoding="utf-8")
    return path


def test_whole_plan_stopped_and_resumed(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    sources = Sources(text=(str(_text(tmp_path)),), tiny=True, cache=str(tmp_path / "models"))

    def lose_the_weights() -> None:  # they are made again
        for file in (tmp_path / "models").glob("*"):
            file.unlink()

    path = tmp_path / "lines.jsonl"
    lines = whole_in_parts(single_layer, sources, path, 6, between=lose_the_weights)
    tests = [at for at, line in enumerate(lines) if line["do"] == "test"]
    assert [lines[at]["radius"] for at in tests] == [1, 3]
    for at in tests:
        assert not [x for x in lines[at + 1 :] if x["radius"] == lines[at]["radius"]]
        assert set(lines[at]["nats"]) == set(NAMES)
    chapter = single_layer.chapter(lines)
    assert all(name in chapter.text for name in NAMES.values())
    assert chapter.claims[0].verdict == "holds"  # whatever the text: it is a theorem
    for draw in chapter.pictures.values():
        assert draw().axes


def _lines(warm: float, explicit: float, drift: float, slope: float) -> list[Line]:
    """A study of one radius.

    Parameters: nats of Adam from explicit starts, of explicit solutions and of no other; the
    distance to the explicit solution that is left of 1; the slope at the explicit solution.
    """
    common = {"study": "single-layer", "radius": 1, "vocabulary": 7, "targets": 100, "seed": 1}
    nats = dict.fromkeys(NAMES, 3.0)
    nats |= dict.fromkeys(("explicit", "tempered", "slots", "discounted"), explicit)
    nats |= {"Adam from explicit": warm, "Adam from slots": warm, "optimum": warm}
    starts = {f"Adam from {s}": {"start": s, "rate": 0.1} for s in single_layer.STARTS}
    test = {
        **common,
        "do": "test",
        "nats": {row: [30 * n, 50 * n, 20 * n] for row, n in nats.items()},
        "targets_tested": [30, 50, 20],
        "made": starts,
    }
    solution = {"objective": 2.0, "slope_length": slope}
    names = ("same α, λ = 1", "explicit", "tempered", "slots", "unigram")
    descent = {
        **common,
        "do": "descend",
        "by": "lbfgs",
        "keep": True,
        "start": "explicit",
        "strength": 1.0,
        "values": [2.1, 2.0],
        "most": 60,
        "iterations": 3,
        "slope_length": 1e-9,
        "validation_nats": 3.0,
        "explicit": dict.fromkeys(names, solution),
    }
    others = [
        {**descent, "by": "scaling"},
        {**descent, "keep": False, "start": "zeros"},
    ]
    trains = []
    for key in starts.values():
        cold = key["start"] in ("zeros", "random")
        first, last = (4.0, 3.0) if cold else (explicit, warm)
        ends = [[1.0, 0.0]] * 3, [[drift, 1 - drift]] * 3
        course = [[0, first, *ends[0]], [1, 3.5 if cold else last, *ends[1]], [2, last, *ends[1]]]
        marks = ["explicit", "slots", "optimum"]
        trains.append({**common, "do": "train", **key, "marks": marks, "history": course})
    return [descent, *others, *trains, test]


def _verdicts(lines: Sequence[Line]) -> list[str]:
    return [claim.verdict for claim in single_layer.chapter(lines).claims]


def test_verdicts_follow_the_lines() -> None:
    assert _verdicts(_lines(2.9, 2.92, 0.2, 1e-15)) == ["holds"] * 7
    assert _verdicts(_lines(3.1, 3.5, 0.95, 1e-3)) == ["does not hold"] * 7


def test_nothing_measured_is_said() -> None:
    chapter = single_layer.chapter([])
    assert {claim.verdict for claim in chapter.claims} == {"not measured"}
    assert "saffu replicate single-layer" in chapter.text
