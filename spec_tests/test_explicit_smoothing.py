"""What becomes of zeros: three formulas, where the mass goes, what is refused.   (SPEC 1)"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saffu.errors import (
    BadOption,
    FractionalCount,
    NegativeEntry,
    NonFiniteEntry,
    WrongShape,
    ZeroCount,
)
from saffu.explicit.smoothing import (
    Additive,
    Backoff,
    Discount,
    Smoothing,
    shares,
    shares_of_totals,
    smooth,
)
from saffu.types import Array
from spec_tests.support import strategies as draw
from spec_tests.support.naive_counts import (
    Table,
    naive_additive,
    naive_backoff,
    naive_discount,
    naive_shares,
)
from spec_tests.support.strategies import Seeded

COUNTS = draw.sizes(2).flatmap(lambda shape: draw.tidy(shape, 0, 5))
STRENGTHS = st.floats(1e-3, 1e3)
DISCOUNTS = st.floats(0.01, 0.99)


def exact(counts: Array) -> Table:
    return [[Fraction(cell) for cell in row] for row in counts.tolist()]


def floats(table: Table) -> Array:
    return np.array([[float(cell) for cell in row] for row in table])


def test_by_hand() -> None:
    """Two features, three targets: n = (4, 0, 6), so q = (5, 1, 7) / 13."""
    F = np.array([[4.0, 0.0, 1.0], [0.0, 0.0, 5.0]])
    np.testing.assert_allclose(shares(F) * 13, [5, 1, 7])
    np.testing.assert_allclose(smooth(F, Additive(0.5)), [[4.5, 0.5, 1.5], [0.5, 0.5, 5.5]])
    np.testing.assert_allclose(
        smooth(F, Backoff(2.6)) * 5, [[25.0, 1.0, 12.0], [5.0, 1.0, 32.0]], rtol=1e-14
    )
    np.testing.assert_allclose(
        smooth(F, Discount(0.25)) * 26,
        [[97.5 + 5, 1.0, 19.5 + 7], [2.5, 0.5, 123.5 + 3.5]],
        rtol=1e-14,
    )


@given(COUNTS, STRENGTHS)
def test_additive_and_backoff_are_the_definition(counts: Array, strength: float) -> None:
    F, alpha = exact(counts), Fraction(strength)
    expected = floats(naive_additive(F, alpha))
    np.testing.assert_allclose(smooth(counts, Additive(strength)), expected, rtol=1e-14)
    expected = floats(naive_backoff(F, alpha))
    np.testing.assert_allclose(smooth(counts, Backoff(strength)), expected, rtol=1e-14)


@given(COUNTS, DISCOUNTS)
def test_discount_is_the_definition(counts: Array, strength: float) -> None:
    counts[:, 0] += 1
    expected = floats(naive_discount(exact(counts), Fraction(strength)))
    np.testing.assert_allclose(smooth(counts, Discount(strength)), expected, rtol=1e-13)


@given(draw.sizes(2), draw.generators())
def test_weighted_counts(shape: tuple[int, ...], rng: Seeded) -> None:
    F = draw.features(rng, *shape)
    table = F.tolist()
    np.testing.assert_allclose(smooth(F, Backoff(0.3)), naive_backoff(table, 0.3), rtol=1e-14)
    np.testing.assert_allclose(smooth(F, Additive(0.3)), naive_additive(table, 0.3), rtol=1e-14)
    np.testing.assert_allclose(shares(F), naive_shares(table), rtol=1e-14)
    np.testing.assert_allclose(shares_of_totals(F.sum(axis=0)), shares(F), rtol=1e-15)


@given(COUNTS)
def test_shares_are_a_distribution_without_zeros(counts: Array) -> None:
    q = shares(counts)
    assert np.all(q > 0)
    assert q.sum() == pytest.approx(1.0, rel=1e-15)


@given(COUNTS, STRENGTHS, DISCOUNTS)
def test_where_the_mass_goes(counts: Array, strength: float, discount: float) -> None:
    """Additive gives each row α N, Backoff gives it α, Discount gives back what it took."""
    counts[:, 0] += 1
    rows = counts.sum(axis=1)
    for smoothing, added in (
        (Additive(strength), strength * counts.shape[1]),
        (Backoff(strength), strength),
        (Discount(discount), 0.0),
    ):
        np.testing.assert_allclose(smooth(counts, smoothing).sum(axis=1), rows + added, rtol=1e-13)


@given(COUNTS, STRENGTHS, DISCOUNTS)
def test_nothing_stays_zero_and_the_counts_stay_untouched(
    counts: Array, strength: float, discount: float
) -> None:
    counts[:, 0] += 1
    before = counts.copy()
    for smoothing in (Additive(strength), Backoff(strength), Discount(discount)):
        assert np.all(smooth(counts, smoothing) > 0)
    np.testing.assert_array_equal(counts, before)


@given(COUNTS)
def test_no_smoothing_is_no_smoothing(counts: Array) -> None:
    full = counts + 1
    for smoothing in (Additive(0.0), Backoff(0.0)):
        np.testing.assert_array_equal(smooth(full, smoothing), full)


@pytest.mark.usefixtures("as_users_call")
def test_counts_of_whole_type() -> None:
    F = np.array([[4, 0, 1], [0, 0, 5]])
    for smoothing in (Additive(0.5), Backoff(2.6), Discount(0.25)):
        np.testing.assert_array_equal(smooth(F, smoothing), smooth(F.astype(float), smoothing))


def test_defaults() -> None:
    assert (Additive().strength, Backoff().strength, Discount().strength) == (1.0, 1.0, 0.75)


# --- refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize("smoothing", [Additive(0.0), Backoff(0.0)])
@given(counts=COUNTS)
def test_the_first_zero_is_named(smoothing: Smoothing, counts: Array) -> None:
    counts[-1, -1] = 0.0
    first = next((d, i) for d, i in np.ndindex(counts.shape) if counts[d, i] == 0)
    with pytest.raises(
        ZeroCount,
        match=rf"feature {first[0]} with target {first[1]} must be > 0, got 0: .*Backoff\(1\.0\)",
    ) as caught:
        smooth(counts, smoothing)
    assert (caught.value.feature, caught.value.target) == first


def test_a_feature_without_counts_has_nothing_to_discount() -> None:
    F = np.array([[1.0, 2.0, 0.0], [0.0, 0.0, 0.0], [0.0, 1.0, 1.0]])
    with pytest.raises(ZeroCount, match=r"feature 1 .* has no counts at all; .*SPEC 1") as caught:
        smooth(F, Discount(0.5))
    assert (caught.value.feature, caught.value.target) == (1, 0)


def test_discounts_are_for_whole_counts() -> None:
    F = np.array([[1.0, 2.0, 0.0], [3.0, 2.5, 0.5]])
    with pytest.raises(
        FractionalCount, match=r"counts\[1, 1\] must be .*, got 2\.5: .*Backoff"
    ) as caught:
        smooth(F, Discount(0.5))
    assert caught.value.index == (1, 1)


@pytest.mark.parametrize("smoothing", [Additive(1.0), Backoff(1.0), Discount(0.5)])
def test_counts_that_are_none(smoothing: Smoothing) -> None:
    F = np.ones((3, 5))
    F[1, 4], F[2, 0] = -1.0, -2.0
    with pytest.raises(NegativeEntry, match=r"counts\[1, 4\] must be >= 0, got -1\.0"):
        smooth(F, smoothing)
    F[0, 3] = np.nan
    with pytest.raises(NonFiniteEntry, match=r"counts\[0, 3\] must be a finite number, got nan"):
        smooth(F, smoothing)


@pytest.mark.usefixtures("as_users_call")
def test_counts_of_another_shape() -> None:
    with pytest.raises(WrongShape, match=r"counts must have shape .*, got \(5,\)"):
        smooth(np.ones(5), Backoff(1.0))


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize("kind", [Additive, Backoff, Discount])
@pytest.mark.parametrize("strength", [-0.1, np.nan, np.inf, "much", None])
def test_strengths_that_are_none(kind: Callable[[Any], Smoothing], strength: Any) -> None:
    with pytest.raises(BadOption, match=r"strength must be a finite number >=? 0, got .*SPEC 1"):
        kind(strength)


@pytest.mark.parametrize("strength", [0.0, 1.0, 1.5])
def test_discounts_lie_between_zero_and_one(strength: float) -> None:
    with pytest.raises(BadOption, match=r"strength must be .*, got "):
        Discount(strength)
