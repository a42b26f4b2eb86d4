"""Hidden targets: what a softmax inside a network would have been taught.   (SPEC 5)"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saffu.errors import NegativeEntry, NonFiniteEntry, OffSimplex, WrongShape
from saffu.explicit.hidden import hidden_targets
from saffu.numerics import softmax
from saffu.types import Array
from spec_tests.support import strategies as draw
from spec_tests.support.adjoint import gradient
from spec_tests.support.strategies import Seeded

GENERATORS = draw.generators()
SHAPES = st.one_of(*(draw.sizes(count) for count in (1, 2, 3)))
STRENGTHS = st.sampled_from([0.1, 1.0, 30.0])


def naive_targets(a: list[float], G: list[float]) -> list[float]:
    """t = a ⊙ (1 + G − ⟨a, G⟩)."""
    mean = sum(x * g for x, g in zip(a, G, strict=True))
    return [x * (1 + g - mean) for x, g in zip(a, G, strict=True)]


@given(SHAPES, STRENGTHS, GENERATORS)
def test_targets_are_the_definition(shape: tuple[int, ...], strength: float, rng: Seeded) -> None:
    a, G = draw.simplex(rng, *shape), rng.normal(0, strength, shape)
    raw, clipped = hidden_targets(a, G, clip=False), hidden_targets(a, G)
    for row in np.ndindex(shape[:-1]):
        expected = naive_targets(a[row].tolist(), G[row].tolist())
        np.testing.assert_allclose(raw[row], expected, rtol=1e-11, atol=1e-12 * strength)
        kept = np.maximum(expected, 0.0)
        np.testing.assert_allclose(clipped[row], kept / kept.sum(), rtol=1e-11, atol=1e-13)


@given(st.sampled_from([2, 3, 5, 7]), GENERATORS)
def test_targets_less_attention_are_the_way_down(size: int, rng: Seeded) -> None:
    """t − a = −∂ℓ/∂z, for a small network above the softmax, by the complex step."""
    above, wanted = rng.normal(0, 2, (size, 11)), rng.integers(11)
    z = rng.normal(size=size)

    def loss_of_attention(a: Array) -> Array:
        q: Array = np.tanh(a @ above)
        return np.asarray(np.log(np.sum(np.exp(q))) - q[wanted])

    def loss_of_logits(z: Array) -> Array:
        e = np.exp(z)
        return loss_of_attention(e / np.sum(e))

    a = softmax(z)
    t = hidden_targets(a, -gradient(loss_of_attention, a), clip=False)
    np.testing.assert_allclose(t - a, -gradient(loss_of_logits, z), rtol=0, atol=1e-12)


@given(SHAPES, st.sampled_from([0.1, 30.0, 1e9, 1e17, 1e200]), st.booleans(), GENERATORS)
def test_rows_are_on_the_simplex(
    shape: tuple[int, ...], strength: float, alike: bool, rng: Seeded
) -> None:
    """However strong the gradient, and also where it is nearly the same everywhere."""
    a, G = draw.simplex(rng, *shape), rng.normal(0, strength, shape)
    t = hidden_targets(a, strength + 1e-3 * G if alike else G)
    assert np.all(t >= 0)
    np.testing.assert_allclose(t.sum(axis=-1), 1.0, rtol=1e-14)


@given(draw.sizes(2), st.data(), st.booleans(), STRENGTHS)
def test_what_has_no_attention_has_no_target(
    shape: tuple[int, ...], data: st.DataObject, clip: bool, strength: float
) -> None:
    rng = data.draw(GENERATORS)
    mask = data.draw(draw.masks(shape))
    a, G = softmax(rng.normal(size=shape), mask), rng.normal(0, strength, shape)
    t = hidden_targets(a, G, clip=clip)
    assert np.all(t[~mask] == 0)
    for row, valid in enumerate(mask):
        alone = hidden_targets(a[row, valid], G[row, valid], clip=clip)
        np.testing.assert_allclose(t[row, valid], alone, rtol=1e-11, atol=1e-13 * strength)


@given(draw.sizes(2), st.data())
def test_a_certain_row_stays_certain(shape: tuple[int, ...], data: st.DataObject) -> None:
    rng = data.draw(GENERATORS)
    a = draw.one_hot(rng.integers(0, shape[1], shape[0]), shape[1])
    t = hidden_targets(a, rng.normal(0, 1e18, shape))
    np.testing.assert_array_equal(t, a)


@given(draw.sizes(2), st.floats(-1e3, 1e3), GENERATORS)
def test_the_same_for_all_changes_nothing(
    shape: tuple[int, ...], shift: float, rng: Seeded
) -> None:
    a, G = draw.simplex(rng, *shape), rng.normal(size=shape)
    for clip in (False, True):
        t = hidden_targets(a, G, clip=clip)
        np.testing.assert_allclose(hidden_targets(a, G + shift, clip=clip), t, atol=1e-11)
        still = hidden_targets(a, np.full(shape, shift), clip=clip)
        np.testing.assert_allclose(still, a, rtol=1e-12)


@given(draw.sizes(2), GENERATORS)
def test_before_clipping_the_mass_is_one_and_linear_in_the_gradient(
    shape: tuple[int, ...], rng: Seeded
) -> None:
    a, G, E = draw.simplex(rng, *shape), rng.normal(0, 5, shape), rng.normal(0, 5, shape)
    t, e, both = (hidden_targets(a, x, clip=False) for x in (G, E, G - 2 * E))
    np.testing.assert_allclose(t.sum(axis=-1), 1.0, rtol=1e-12)
    np.testing.assert_allclose(both - a, (t - a) - 2 * (e - a), atol=1e-12)


# --- refusals ---------------------------------------------------------------------------------

A, G = np.full((3, 5), 0.2), np.zeros((3, 5))


def with_entry(x: Array, index: tuple[int, ...], value: float) -> Array:
    out = x.copy()
    out[index] = value
    return out


@pytest.mark.parametrize("clip", [False, True])
def test_attention_that_is_none(clip: bool) -> None:
    with pytest.raises(NegativeEntry, match=r"attention\[1, 3\] must be >= 0, got -0\.1"):
        hidden_targets(with_entry(A, (1, 3), -0.1), G, clip=clip)
    with pytest.raises(NonFiniteEntry, match=r"attention\[0, 0\] must be a finite number, got nan"):
        hidden_targets(with_entry(A, (0, 0), np.nan), G, clip=clip)
    with pytest.raises(
        OffSimplex, match=r"attention\[2\] must add up to 1, got 0; .*SPEC 5"
    ) as caught:
        hidden_targets(A * np.array([[1.0], [1.0], [0.0]]), G, clip=clip)
    assert (caught.value.row, caught.value.total) == ((2,), 0.0)
    with pytest.raises(OffSimplex, match=r"attention\[1\] must add up to 1, got 1\.01"):
        hidden_targets(A * np.array([[1.0], [1.01], [0.5]]), G, clip=clip)
    with pytest.raises(OffSimplex, match=r"attention must add up to 1, got 2;"):
        hidden_targets(np.ones(2), np.zeros(2), clip=clip)


def test_rounding_is_forgiven() -> None:
    t = hidden_targets(A * (1 + 1e-5), G)
    np.testing.assert_allclose(t, A, rtol=1e-14)


def test_gradients_that_are_none() -> None:
    with pytest.raises(NonFiniteEntry, match=r"ascent\[2, 4\] must be a finite number, got -inf"):
        hidden_targets(A, with_entry(G, (2, 4), -np.inf))


@pytest.mark.usefixtures("as_users_call")
def test_shapes_that_disagree() -> None:
    with pytest.raises(WrongShape, match=r"ascent must have shape .*\(3, 5\).*, got \(5, 3\)"):
        hidden_targets(A, G.T)
