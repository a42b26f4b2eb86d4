"""Fronts, effects and rank correlations, by their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from saffu.errors import BadOption
from saffu_lab.roadmap.analysis import (
    bootstrap,
    effects_coding,
    levels_of,
    main_effects,
    pareto_front,
    rank_correlation,
)

POINTS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=23)


@given(points=POINTS)
def test_the_front_has_what_nothing_dominates(points: list[tuple[int, int]]) -> None:
    costs, losses = np.array(points, dtype=np.float64).T
    front = pareto_front(costs, losses)
    for i, (cost, loss) in enumerate(points):
        dominated = any(c <= cost and n <= loss and (c < cost or n < loss) for c, n in points)
        assert (i in front) is not dominated
    assert len(set(front)) == len(front)
    assert list(costs[front]) == sorted(costs[front])


@given(st.integers(2, 7))
def test_effects_coding_adds_up_to_zero_over_the_values(size: int) -> None:
    coded = effects_coding(np.arange(size), size)
    assert coded.shape == (size, size - 1)
    assert np.array_equal(coded.sum(axis=0), np.zeros(size - 1))
    assert np.linalg.matrix_rank(np.column_stack([np.ones(size), coded])) == size


def made(seed: int, models: int = 61, noise: float = 0.1) -> tuple[list[dict[str, object]], ...]:
    random = np.random.default_rng(seed)
    bits, kinds = [32, 64, 128], ["cat", "sum"]
    points: list[dict[str, object]] = [
        {"bits": bits[random.integers(3)], "kind": kinds[random.integers(2)], "one": 5}
        for _ in range(models)
    ]
    worth = {32: 0.5, 64: -0.1, 128: -0.4, "cat": -0.2, "sum": 0.2}
    logs = [4.0 + worth[p["bits"]] + worth[p["kind"]] + noise * random.normal() for p in points]
    return points, logs  # type: ignore[return-value]


def test_exact_effects_are_found_exactly() -> None:
    points, logs = made(1, noise=0.0)
    found = main_effects(points, np.array(logs))
    assert found is not None
    assert found.mean == pytest.approx(4.0)
    assert found.explained == pytest.approx(1.0)
    values = {(e.factor, e.value): e.nats.mean for e in found.effects}
    assert values == pytest.approx(
        {
            ("bits", 32): 0.5,
            ("bits", 64): -0.1,
            ("bits", 128): -0.4,
            ("kind", "cat"): -0.2,
            ("kind", "sum"): 0.2,
        }
    )
    assert found.spans == pytest.approx({"bits": 0.9, "kind": 0.4})
    assert list(found.spans) == ["bits", "kind"]
    counts = {(e.factor, e.value): e.models for e in found.effects}
    assert counts["kind", "cat"] == sum(p["kind"] == "cat" for p in points)


def test_effects_are_least_squares() -> None:
    points, logs = made(2)
    target = np.array(logs)
    found = main_effects(points, target)
    assert found is not None
    values = {(e.factor, e.value): e.nats.mean for e in found.effects}
    fitted = np.array(
        [found.mean + values["bits", p["bits"]] + values["kind", p["kind"]] for p in points]
    )
    left = target - fitted
    for factor, value in values:  # residuals are orthogonal to every indicator
        own = np.array([p[factor] == value for p in points])
        assert left[own].sum() == pytest.approx(0, abs=1e-9)
    for factor in ("bits", "kind"):
        assert sum(e.nats.mean for e in found.effects if e.factor == factor) == pytest.approx(0)
    share = 1 - np.square(left).sum() / np.square(target - target.mean()).sum()
    assert found.explained == pytest.approx(share)


def test_one_factor_of_two_values_is_students_test() -> None:
    random = np.random.default_rng(7)
    a, b = random.normal(0.3, 1, 11), random.normal(0, 1, 13)
    points = [{"f": "a"}] * 11 + [{"f": "b"}] * 13
    found = main_effects(points, np.concatenate([a, b]))
    assert found is not None
    first = found.effects[0].nats
    expected = stats.ttest_ind(a, b).confidence_interval(0.95)
    assert first.mean == pytest.approx((a.mean() - b.mean()) / 2)
    assert (first.low, first.high) == pytest.approx((expected.low / 2, expected.high / 2))


def test_intervals_of_effects_cover_the_truth_as_often_as_they_say() -> None:
    truth = {("bits", 32): 0.5, ("bits", 64): -0.1, ("bits", 128): -0.4, ("kind", "cat"): -0.2}
    inside = []
    for seed in range(150):
        points, logs = made(seed, models=37, noise=0.3)
        found = main_effects(points, np.array(logs))
        assert found is not None
        for effect in found.effects:
            if (effect.factor, effect.value) in truth:
                value = truth[effect.factor, effect.value]
                inside.append(effect.nats.low <= value <= effect.nats.high)
    assert 0.92 <= np.mean(inside) <= 0.98


def test_too_few_models_have_no_effects() -> None:
    points = [{"a": i % 2, "b": i % 3} for i in range(4)]
    assert main_effects(points, np.arange(4.0)) is None
    together = [{"a": i % 2, "b": i % 2} for i in range(9)]  # never apart
    assert main_effects(together, np.arange(9.0)) is None
    assert main_effects([], np.zeros(0)) is None


def test_factors_that_do_not_vary_are_left_out() -> None:
    assert levels_of([{"a": 2, "b": "x"}, {"a": 1, "b": "x"}]) == {"a": [1, 2]}
    assert levels_of([]) == {}
    words = ["block:16", "block:8", "block:8,document", "cat:2,8", "cat:1,16"]
    (found,) = levels_of([{"f": word} for word in words]).values()
    assert found == ["block:8", "block:8,document", "block:16", "cat:1,16", "cat:2,8"]


@given(st.integers(0, 1000), st.integers(4, 31))
def test_rank_correlation_is_spearmans(seed: int, size: int) -> None:
    random = np.random.default_rng(seed)
    ones, others = random.integers(0, 5, size) * 1.0, random.normal(size=size)
    if np.ptp(ones) == 0:
        assert rank_correlation(ones, others) is None
        return
    found = rank_correlation(ones, others)
    assert found is not None
    assert found.mean == pytest.approx(stats.spearmanr(ones, others).statistic)
    assert -1 <= found.low <= found.high <= 1
    stretched = rank_correlation(ones, np.exp(others))  # ranks alone count
    assert stretched == found


def test_rank_correlation_has_its_refusals() -> None:
    assert rank_correlation(np.arange(3.0), np.arange(3.0)) is None
    with pytest.raises(BadOption, match="others"):
        rank_correlation(np.arange(5.0), np.arange(7.0))


def test_the_bootstrap_of_a_mean_is_that_of_theory() -> None:
    data = np.random.default_rng(3).normal(size=401)
    found = bootstrap(lambda drawn: data[drawn].mean(axis=1), 401, float(data.mean()))
    reach = 1.96 * data.std() / np.sqrt(401)
    assert found.low == pytest.approx(data.mean() - reach, abs=0.01)
    assert found.high == pytest.approx(data.mean() + reach, abs=0.01)
