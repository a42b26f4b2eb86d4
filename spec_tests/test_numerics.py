"""Softmax, its logarithm, their adjoints: against loops, and by their laws.   (SPEC 0, 6)"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saffu.errors import EmptyMask, NonFiniteEntry, WrongShape
from saffu.numerics import log_softmax, log_softmax_vjp, softmax, softmax_vjp
from saffu.types import Array
from spec_tests.support import strategies as draw
from spec_tests.support.adjoint import assert_adjoint
from spec_tests.support.strategies import Seeded

GENERATORS = draw.generators()
SHAPES = st.one_of(*(draw.sizes(count) for count in (1, 2, 3)))


def naive_softmax(row: list[float]) -> list[float]:
    """The definition, without any care; good for logits of ordinary size."""
    weights = [math.exp(z) for z in row]
    return [weight / math.fsum(weights) for weight in weights]


@given(SHAPES, GENERATORS)
def test_softmax_is_the_definition_along_the_last_axis(shape: tuple[int, ...], rng: Seeded) -> None:
    z = rng.normal(0, 3, shape)
    p = softmax(z)
    for index in np.ndindex(shape[:-1]):
        np.testing.assert_allclose(p[index], naive_softmax(z[index].tolist()), rtol=1e-13)


@given(SHAPES, GENERATORS)
def test_log_softmax_is_the_logarithm_where_that_is_safe(
    shape: tuple[int, ...], rng: Seeded
) -> None:
    z = rng.normal(0, 3, shape)
    np.testing.assert_allclose(log_softmax(z), np.log(softmax(z)), rtol=0, atol=1e-13)


@given(SHAPES.flatmap(lambda shape: draw.reals(shape, 1e300)))
def test_no_logits_overflow(z: Array) -> None:
    p, logs = softmax(z), log_softmax(z)
    assert np.all((p >= 0) & (p <= 1))
    np.testing.assert_allclose(p.sum(axis=-1), 1.0, rtol=1e-15 * 64)
    assert np.all(logs <= 0)
    assert np.all(np.isfinite(logs))
    largest = np.argmax(z, axis=-1)[..., None]
    np.testing.assert_array_equal(np.take_along_axis(p, largest, -1)[..., 0], p.max(axis=-1))
    assert np.all(p.max(axis=-1) >= 1 / z.shape[-1])


@given(SHAPES.flatmap(lambda shape: draw.reals(shape, 50.0)), st.floats(-1e6, 1e6))
def test_a_shift_of_a_row_changes_nothing(z: Array, shift: float) -> None:
    rounding = 4 * np.spacing(abs(shift) + 50.0)
    np.testing.assert_allclose(softmax(z + shift), softmax(z), rtol=4 * rounding + 1e-14)
    np.testing.assert_allclose(log_softmax(z + shift), log_softmax(z), atol=4 * rounding + 1e-13)


def test_small_probabilities_keep_their_logarithm() -> None:
    logs = log_softmax(np.array([[0.0, -1e5], [-1e308, 1e308 / 2]]))
    np.testing.assert_array_equal(logs, [[0.0, -1e5], [-1.5e308, 0.0]])


def test_log_two_in_every_digit() -> None:
    assert log_softmax(np.array([7.0, 7.0])).tolist() == [-math.log(2)] * 2


@given(SHAPES, st.data(), GENERATORS)
def test_a_mask_deletes_columns(shape: tuple[int, ...], data: st.DataObject, rng: Seeded) -> None:
    mask = data.draw(draw.masks(shape))
    z = np.where(mask, rng.normal(0, 3, shape), rng.choice([np.nan, np.inf, -np.inf, 1e308], shape))
    p, logs = softmax(z, mask), log_softmax(z, mask)
    for row in np.ndindex(shape[:-1]):
        valid = mask[row]
        expected = naive_softmax(z[row][valid].tolist())
        np.testing.assert_allclose(p[row][valid], expected, rtol=1e-13)
        np.testing.assert_allclose(logs[row][valid], np.log(expected), atol=1e-13)
        assert np.all(p[row][~valid] == 0)
        assert np.all(logs[row][~valid] == -np.inf)


@given(SHAPES, GENERATORS)
def test_a_mask_of_nothing_but_true_is_no_mask(shape: tuple[int, ...], rng: Seeded) -> None:
    z = rng.normal(0, 3, shape)
    everything = np.ones(shape, dtype=np.bool_)
    np.testing.assert_array_equal(softmax(z, everything), softmax(z))
    np.testing.assert_array_equal(log_softmax(z, everything), log_softmax(z))


@given(SHAPES, st.data(), GENERATORS)
def test_valid_logits_far_below_the_masked_ones_do_not_underflow(
    shape: tuple[int, ...], data: st.DataObject, rng: Seeded
) -> None:
    mask = data.draw(draw.masks(shape))
    z = rng.normal(0, 3, shape)
    low = np.where(mask, z - 1e4, 1e4)
    np.testing.assert_allclose(softmax(low, mask), softmax(z, mask), rtol=1e-10)


@given(SHAPES, st.data(), st.booleans(), GENERATORS)
def test_adjoints(shape: tuple[int, ...], data: st.DataObject, masked: bool, rng: Seeded) -> None:
    mask = data.draw(draw.masks(shape)) if masked else None
    valid = np.ones(shape, dtype=np.bool_) if mask is None else mask
    z = rng.normal(0, 2, shape)
    p = softmax(z, mask)
    assert_adjoint(lambda x: softmax(x, mask), lambda u: softmax_vjp(p, u), z, rng)
    assert_adjoint(
        lambda x: np.where(valid, log_softmax(x, mask), 0.0),
        lambda u: log_softmax_vjp(p, np.where(valid, u, 0.0)),
        z,
        rng,
    )


@given(SHAPES, GENERATORS)
def test_a_gradient_does_not_move_along_the_gauge(shape: tuple[int, ...], rng: Seeded) -> None:
    p, u = draw.simplex(rng, *shape), rng.normal(size=shape)
    np.testing.assert_allclose(softmax_vjp(p, u).sum(axis=-1), 0.0, atol=1e-14)
    np.testing.assert_allclose(softmax_vjp(p, u + 7.0), softmax_vjp(p, u), atol=1e-13)
    np.testing.assert_allclose(log_softmax_vjp(p, u).sum(axis=-1), 0.0, atol=1e-13)


# --- refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", [softmax, log_softmax])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_logits_that_are_no_numbers(operation: type, bad: float) -> None:
    z = np.zeros((3, 5))
    z[2, 1] = z[2, 3] = bad
    with pytest.raises(
        NonFiniteEntry, match=r"logits\[2, 1\] must be a finite number, got -?(nan|inf): .*SPEC 0"
    ) as caught:
        operation(z)
    assert caught.value.index == (2, 1)
    valid = np.ones((3, 5), dtype=np.bool_)
    valid[0, 0] = False
    with pytest.raises(NonFiniteEntry, match=r"logits\[2, 1\]"):
        operation(z, valid)


@pytest.mark.parametrize("operation", [softmax, log_softmax])
def test_a_row_without_a_valid_entry(operation: type) -> None:
    mask = np.ones((3, 5), dtype=np.bool_)
    mask[1] = False
    with pytest.raises(
        EmptyMask, match=r"mask\[1\] must have at least one valid entry.*SPEC 4"
    ) as caught:
        operation(np.zeros((3, 5)), mask)
    assert caught.value.row == (1,)


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize("operation", [softmax, log_softmax])
def test_shapes(operation: type) -> None:
    with pytest.raises(WrongShape, match=r"mask must have shape .*\(3, 5\).*, got \(5,\)"):
        operation(np.zeros((3, 5)), np.ones(5, dtype=np.bool_))
    with pytest.raises(WrongShape, match=r"logits must have shape .*, got \(3, 0\)"):
        operation(np.zeros((3, 0)))
    with pytest.raises(WrongShape, match=r"logits must have shape .*, got \(\)"):
        operation(np.float64(1.0))
