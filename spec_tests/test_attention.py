"""Comparisons with the pivot, fed forward to feature weights, and the way back.   (SPEC 4, 6)"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saffu.attention import at_pivot, attend, attend_vjp, compare, compare_vjp, gains
from saffu.errors import BadOption, EmptyMask, InvalidPivot, NonFiniteEntry, WrongShape
from saffu.types import Array
from spec_tests.support import strategies as draw
from spec_tests.support.adjoint import assert_adjoint
from spec_tests.support.naive_layer import naive_layer
from spec_tests.support.strategies import Contexts, Seeded

CONTEXTS = draw.contexts("sum")
KINDS = st.sampled_from(["softmax", "surprisal", "uniform"])
GENERATORS = draw.generators()
GAINS = st.sampled_from(["unit", "count"])


@given(CONTEXTS)
def test_comparisons_are_inner_products_with_the_pivot(case: Contexts) -> None:
    x, pivot = case.inputs, case.pivot
    expected = [[sum(a * b for a, b in zip(x[n, p], k, strict=True)) for k in x[n]]
                for n, p in enumerate(pivot)]  # fmt: skip
    np.testing.assert_allclose(compare(x, pivot), expected, rtol=1e-13)
    np.testing.assert_array_equal(
        at_pivot(x, pivot)[:, 0, :], [x[n, p] for n, p in enumerate(pivot)]
    )


@given(CONTEXTS, GENERATORS)
def test_the_adjoint_of_comparing(case: Contexts, rng: Seeded) -> None:
    x, pivot = case.inputs, case.pivot
    assert_adjoint(lambda v: compare(v, pivot), lambda u: compare_vjp(u, x, pivot), x, rng)


def test_the_pivots_own_comparison_is_a_square() -> None:
    x = np.array([[[3.0, 0.0], [1.0, 2.0]]])
    only_own = compare_vjp(np.array([[1.0, 0.0]]), x, np.array([0]))
    assert only_own.tolist() == [[[6.0, 0.0], [0.0, 0.0]]]


@given(CONTEXTS, KINDS, GAINS)
def test_attention_is_the_definition(case: Contexts, kind: str, gain: str) -> None:
    x, mask, pivot, W, U = case
    seen = attend(compare(x, pivot), mask, W, kind, gain)
    for n in range(len(x)):
        naive = naive_layer(x[n], mask[n], pivot[n], W, U, "sum", kind, gain)
        valid = mask[n]
        for got, expected in zip(seen, naive, strict=False):
            want = np.array(expected, dtype=np.float64)
            np.testing.assert_allclose(got[n][valid], want[valid], rtol=1e-10, atol=1e-13)
        assert np.all(seen.attention[n][~valid] == 0)
        assert np.all(seen.weights[n][~valid] == 0)


@given(CONTEXTS, KINDS, GAINS, GENERATORS)
def test_the_adjoint_of_attending(case: Contexts, kind: str, gain: str, rng: Seeded) -> None:
    mask, W = case.mask, case.attention_weights
    c = compare(case.inputs, case.pivot)

    def pulled(dw: Array) -> tuple[Array, Array]:
        return attend_vjp(dw, attend(c, mask, W, kind, gain), mask, W, kind, gain)

    assert_adjoint(lambda v: attend(c, mask, v, kind, gain).weights, lambda u: pulled(u)[0], W, rng)
    assert_adjoint(lambda v: attend(v, mask, W, kind, gain).weights, lambda u: pulled(u)[1], c, rng)


@given(CONTEXTS, GAINS, GENERATORS)
def test_what_enters_on_invalid_slots_does_not_come_back(
    case: Contexts, gain: str, rng: Seeded
) -> None:
    mask, W = case.mask, case.attention_weights
    c = compare(case.inputs, case.pivot)
    dw = rng.normal(size=c.shape)
    for kind in ("softmax", "surprisal"):
        seen = attend(c, mask, W, kind, gain)
        clean = attend_vjp(np.where(mask, dw, 0.0), seen, mask, W, kind, gain)
        for noisy, quiet in zip(attend_vjp(dw, seen, mask, W, kind, gain), clean, strict=True):
            np.testing.assert_array_equal(noisy, quiet)


@given(CONTEXTS)
def test_gain_counts_the_valid_slots(case: Contexts) -> None:
    count = gains(case.mask, "count", np.float64)
    assert count[:, 0].tolist() == [sum(row) for row in case.mask.tolist()]
    assert np.all(gains(case.mask, "unit", np.float64) == 1)
    c, W = compare(case.inputs, case.pivot), case.attention_weights
    for kind in ("softmax", "uniform"):
        unit, counted = (attend(c, case.mask, W, kind, gain).weights for gain in ("unit", "count"))
        np.testing.assert_allclose(unit.sum(axis=1), 1.0, rtol=1e-14)
        np.testing.assert_allclose(counted, unit * count, rtol=1e-14)
    unit, counted = (
        attend(c, case.mask, W, "surprisal", gain).weights for gain in ("unit", "count")
    )
    np.testing.assert_array_equal(unit, counted)


@given(CONTEXTS, GAINS)
def test_uniform_attention_is_that_of_no_weights(case: Contexts, gain: str) -> None:
    c, mask = compare(case.inputs, case.pivot), case.mask
    uniform = attend(c, mask, case.attention_weights, "uniform", gain)
    nothing = attend(c, mask, np.zeros_like(case.attention_weights), "softmax", gain)
    for got, expected in zip(uniform, nothing, strict=True):
        np.testing.assert_array_equal(got, expected)


@given(CONTEXTS)
def test_a_single_valid_slot_holds_no_surprise(case: Contexts) -> None:
    alone = np.zeros_like(case.mask)
    np.put_along_axis(alone, case.pivot[:, None], True, axis=1)
    c = np.where(alone, compare(case.inputs, case.pivot), 0.0)
    seen = attend(c, alone, case.attention_weights, "surprisal", "count")
    assert np.all(seen.weights == 0)
    np.testing.assert_array_equal(seen.attention, alone.astype(np.float64))


def test_surprise_survives_where_attention_underflows() -> None:
    c, W = np.array([[1.0, 0.0]]), np.array([[0.0, -2000.0], [0.0, 0.0]])
    seen = attend(c, np.array([[True, True]]), W, "surprisal", "unit")
    assert seen.attention.tolist() == [[1.0, 0.0]]
    assert seen.weights.tolist() == [[0.0, 2000.0]]


# --- refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["softmax", "surprisal", "uniform"])
def test_a_context_without_a_valid_slot(kind: str) -> None:
    mask = np.array([[True, False, True], [False, False, False]])
    with pytest.raises(EmptyMask, match=r"mask\[1\] must have at least one valid entry") as caught:
        attend(np.zeros((2, 3)), mask, np.eye(3), kind, "unit")
    assert caught.value.row == (1,)


@pytest.mark.parametrize("bad", [-1, 3])
def test_a_pivot_outside_of_its_context(bad: int) -> None:
    with pytest.raises(InvalidPivot, match=rf"pivot\[1\] must be .*3 slots.*, got {bad}") as caught:
        compare(np.ones((2, 3, 5)), np.array([2, bad]))
    assert (caught.value.row, caught.value.pivot) == (1, bad)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nothing_compares_with_what_is_no_number(bad: float) -> None:
    x = np.ones((2, 3, 5))
    x[1, 0, 4] = bad
    with pytest.raises(
        NonFiniteEntry, match=rf"inputs\[1, 0, 4\] must be a finite number, got {bad}"
    ):
        compare(x, np.array([2, 2]))


@pytest.mark.usefixtures("as_users_call")
def test_comparisons_of_other_shapes() -> None:
    with pytest.raises(WrongShape, match=r"inputs must have shape .*, got \(3, 5\)"):
        compare(np.ones((3, 5)), np.array([0, 0, 0]))
    with pytest.raises(WrongShape, match=r"pivot must have shape .*\[n\] = \(2\).*, got \(1,\)"):
        compare(np.ones((2, 3, 5)), np.array([0]))
    with pytest.raises(BadOption, match=r"pivot\.dtype must be an integer type.*, got 'float64'"):
        compare(np.ones((2, 3, 5)), np.array([0.0, 1.0]))


@pytest.mark.usefixtures("as_users_call")
def test_a_mask_of_numbers() -> None:
    with pytest.raises(BadOption, match=r"mask\.dtype must be booleans.*, got 'int64'"):
        attend(np.zeros((2, 3)), np.ones((2, 3), dtype=np.int64), np.eye(3), "softmax", "unit")
