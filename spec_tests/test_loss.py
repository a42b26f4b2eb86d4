"""Cross-entropy, its gradient, nats of tokens, perplexity, bits per byte.   (SPEC 0, 7)"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saffu.errors import (
    BadOption,
    EmptyTarget,
    NegativeEntry,
    NonFiniteEntry,
    NoSamples,
    TokenOutOfRange,
    WrongShape,
)
from saffu.loss import (
    bits_per_byte,
    cross_entropy,
    cross_entropy_gradient,
    perplexity,
    token_nats,
)
from saffu.types import Array
from spec_tests.support import strategies as draw
from spec_tests.support.adjoint import gradient
from spec_tests.support.strategies import Seeded

GENERATORS = draw.generators()


def naive_loss(z: Array, y: Array) -> float:
    """−(1/M) Σ_m Σ_i y_mi log(exp z_mi / Σ_j exp z_mj), one sample after the other."""
    total = 0.0
    for logits, wanted in zip(z.tolist(), y.tolist(), strict=True):
        log_sum = math.log(math.fsum(math.exp(value) for value in logits))
        total += math.fsum(w * (log_sum - value) for w, value in zip(wanted, logits, strict=True))
    return total / len(z)


@given(draw.sizes(2), GENERATORS)
def test_cross_entropy_is_the_definition(shape: tuple[int, ...], rng: Seeded) -> None:
    z, y = rng.normal(0, 3, shape), draw.targets(rng, *shape)
    loss = cross_entropy(z, y)
    assert loss.shape == ()
    assert float(loss) == pytest.approx(naive_loss(z, y), rel=1e-13)


@given(draw.sizes(2, (2, 3, 5)), GENERATORS)
def test_the_gradient_is_the_complex_step(shape: tuple[int, ...], rng: Seeded) -> None:
    z, y = rng.normal(0, 3, shape), draw.targets(rng, *shape)
    expected = gradient(lambda x: cross_entropy(x, y), z)
    np.testing.assert_allclose(cross_entropy_gradient(z, y), expected, rtol=1e-11, atol=1e-15)


@given(draw.sizes(2), GENERATORS)
def test_no_prediction_beats_the_targets_themselves(shape: tuple[int, ...], rng: Seeded) -> None:
    y = draw.simplex(rng, *shape)
    entropy = -(y * np.log(y)).sum() / shape[0]
    assert float(cross_entropy(np.log(y), y)) == pytest.approx(entropy, rel=1e-12)
    assert float(cross_entropy(rng.normal(0, 3, shape), y)) >= entropy
    np.testing.assert_allclose(cross_entropy_gradient(np.log(y), y), 0.0, atol=1e-15)


@given(draw.sizes(2), GENERATORS)
def test_nats_of_tokens_are_cross_entropies_of_one_hot_targets(
    shape: tuple[int, ...], rng: Seeded
) -> None:
    z, tokens = rng.normal(0, 3, shape), rng.integers(0, shape[1], shape[0])
    nats = token_nats(z, tokens)
    each = [naive_loss(z[[m]], np.eye(shape[1])[[token]]) for m, token in enumerate(tokens)]
    np.testing.assert_allclose(nats, each, rtol=1e-12, atol=1e-14)
    assert perplexity(nats) == pytest.approx(math.exp(math.fsum(each) / shape[0]), rel=1e-12)


@given(st.integers(1, 500), st.integers(1, 20))
def test_who_knows_nothing_has_the_perplexity_of_the_vocabulary(size: int, samples: int) -> None:
    tokens = np.arange(samples) % size
    assert perplexity(token_nats(np.zeros((samples, size)), tokens)) == pytest.approx(size)


def test_perplexity_is_a_geometric_mean() -> None:
    assert perplexity(np.log([2.0, 3.0, 12.0, 0.5])) == pytest.approx(math.sqrt(6))


def test_perplexity_beyond_float64_is_infinite() -> None:
    assert perplexity(np.full(3, 709.0)) == pytest.approx(math.exp(709))
    assert perplexity(np.full(3, 710.0)) == math.inf


@given(st.floats(0.1, 1e6), st.integers(1, 10**6))
def test_bits_per_byte(nats: float, size: int) -> None:
    assert 2 ** (bits_per_byte(nats, size) * size / nats) == pytest.approx(math.e)


# --- refusals ---------------------------------------------------------------------------------

Z, Y = np.zeros((3, 5)), np.full((3, 5), 0.2)


def with_entry(x: Array, index: tuple[int, ...], value: float) -> Array:
    out = x.copy()
    out[index] = value
    return out


@pytest.mark.parametrize("operation", [cross_entropy, cross_entropy_gradient])
def test_targets_that_are_none(operation: type) -> None:
    with pytest.raises(NegativeEntry, match=r"targets\[1, 4\] must be >= 0, got -0\.5.*SPEC"):
        operation(Z, with_entry(Y, (1, 4), -0.5))
    with pytest.raises(NonFiniteEntry, match=r"targets\[2, 0\] must be a finite number, got nan"):
        operation(Z, with_entry(Y, (2, 0), math.nan))
    with pytest.raises(EmptyTarget, match=r"targets\[1\] must have a positive entry") as caught:
        operation(Z, Y * np.array([[1.0], [0.0], [0.0]]))
    assert caught.value.row == 1
    with pytest.raises(NonFiniteEntry, match=r"logits\[0, 3\] must be a finite number, got inf"):
        operation(with_entry(Z, (0, 3), math.inf), Y)
    with pytest.raises(NoSamples, match="logits must hold at least one sample, got none"):
        operation(Z[:0], Y[:0])


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize("operation", [cross_entropy, cross_entropy_gradient])
def test_shapes_that_disagree(operation: type) -> None:
    with pytest.raises(WrongShape, match=r"targets must have shape .*\(3, 5\).*, got \(3, 7\)"):
        operation(Z, np.ones((3, 7)))
    with pytest.raises(WrongShape, match=r"targets must have shape .*, got \(2, 5\)"):
        operation(Z, Y[:2])
    with pytest.raises(WrongShape, match=r"logits must have shape .*, got \(5,\)"):
        operation(Z[0], Y[0])


def test_tokens_that_are_none() -> None:
    with pytest.raises(TokenOutOfRange, match=r"tokens\[2\] must be .*0 … 4.*, got 5") as caught:
        token_nats(Z, np.array([4, 0, 5]))
    assert (caught.value.index, caught.value.value) == ((2,), 5)
    with pytest.raises(TokenOutOfRange, match=r"tokens\[1\] must be .*, got -1"):
        token_nats(Z, np.array([0, -1, 5]))


@pytest.mark.usefixtures("as_users_call")
def test_shapes_and_types_of_tokens_and_nats() -> None:
    with pytest.raises(WrongShape, match=r"tokens must have shape .*, got \(2,\)"):
        token_nats(Z, np.array([0, 1]))
    with pytest.raises(WrongShape, match=r"logits must have shape .*, got \(5,\)"):
        token_nats(Z[0], np.zeros(5, dtype=np.int64))
    with pytest.raises(BadOption, match=r"tokens\.dtype must be an integer type.*, got 'float64'"):
        token_nats(Z, np.zeros(3))
    with pytest.raises(WrongShape, match=r"nats must have shape .*, got \(3, 5\)"):
        perplexity(Z)


def test_nats_that_are_none() -> None:
    with pytest.raises(NoSamples, match="nats must hold at least one sample, got none"):
        perplexity(np.zeros(0))
    with pytest.raises(NonFiniteEntry, match=r"nats\[1\] must be a finite number, got inf"):
        perplexity(np.array([1.0, math.inf]))


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize("size", [0, -3, 2.5, True])
def test_texts_without_bytes(size: object) -> None:
    with pytest.raises(BadOption, match=r"text_bytes must be a whole number >= 1, got "):
        bits_per_byte(1.0, size)  # type: ignore[arg-type]
