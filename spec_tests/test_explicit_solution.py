"""The explicit solution: what defines it, its gauge, and naive Bayes beside it.   (SPEC 1)"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saffu.counts import Cooccurrence, cooccurrence
from saffu.errors import BadOption, ZeroCount, ZeroNorm
from saffu.explicit.smoothing import Additive, Backoff, Discount, Smoothing, smooth
from saffu.explicit.solution import explicit_solution, explicit_weights
from saffu.loss import cross_entropy, cross_entropy_gradient
from saffu.numerics import softmax
from saffu.types import Array
from spec_tests.support import strategies as draw
from spec_tests.support.naive_counts import (
    naive_backoff,
    naive_bayes,
    naive_cooccurrence,
    naive_explicit,
)
from spec_tests.support.strategies import Seeded

GENERATORS = draw.generators()
NORMS = st.floats(0.05, 30.0)
SMOOTHINGS = st.sampled_from([Additive(0.3), Additive(2.0), Backoff(0.01), Backoff(5.0)])


def of_norm(rng: Seeded, samples: int, width: int, norm: float) -> Array:
    """Features of one common norm, some entries zero."""
    h = draw.features(rng, samples, width)
    return np.asarray(h * (norm / h.sum(axis=1, keepdims=True)))


@given(draw.sizes(3), SMOOTHINGS, GENERATORS)
def test_weights_are_the_definition(
    shape: tuple[int, ...], smoothing: Smoothing, rng: Seeded
) -> None:
    m, d, n = shape
    h, y = draw.features(rng, m, d) * rng.choice([0.1, 1, 10]), draw.targets(rng, m, n)
    state = cooccurrence(h, y)
    fit = explicit_solution(state, smoothing)
    K = sum(sum(row) for row in h.tolist()) / m
    assert fit.priming == pytest.approx(K, rel=1e-13)
    assert (fit.samples, fit.smoothing) == (m, smoothing)
    F = smooth(np.array(naive_cooccurrence(h, y)), smoothing)
    np.testing.assert_allclose(fit.weights, naive_explicit(F.tolist(), K), rtol=1e-12, atol=1e-12)


@given(draw.sizes(2), NORMS, GENERATORS)
def test_any_priming_number(shape: tuple[int, ...], K: float, rng: Seeded) -> None:
    """K below one is nothing special, and K may be given."""
    F = rng.random(shape) * rng.choice([0.1, 50.0]) + 1e-3
    expected = naive_explicit(F.tolist(), K)
    np.testing.assert_allclose(explicit_weights(F, K), expected, rtol=1e-12, atol=1e-12)
    given_ = explicit_solution(Cooccurrence(F, 3.0, 7), Additive(0.0), priming=K)
    assert given_.priming == K
    np.testing.assert_allclose(given_.weights, expected, rtol=1e-12, atol=1e-12)


def test_the_default_smoothing_is_backoff_of_one() -> None:
    h, y = np.eye(5)[[0, 1, 1, 2]], np.eye(3)[[0, 1, 2, 1]]
    F = naive_backoff(naive_cooccurrence(h, y), 1.0)
    fit = explicit_solution(cooccurrence(h, y))
    assert fit.smoothing == Backoff(1.0)
    np.testing.assert_allclose(np.exp(fit.weights), F, rtol=1e-14)


# --- one-hot inputs: the global optimum ---------------------------------------------------------


def one_hot_samples(rng: Seeded, width: int, targets: int) -> tuple[Array, Array]:
    """Each feature a few times, soft targets without zeros, so that an optimum exists."""
    ids = np.concatenate([np.arange(width), rng.integers(0, width, 2 * width)])
    return draw.one_hot(ids, width), 0.05 + draw.targets(rng, len(ids), targets)


@given(draw.sizes(2), GENERATORS)
def test_for_one_hot_inputs_the_gradient_is_zero(shape: tuple[int, ...], rng: Seeded) -> None:
    d, n = shape
    h, y = one_hot_samples(rng, d, n)
    U = explicit_solution(cooccurrence(h, y), Additive(0.0)).weights
    gradient = h.T @ cross_entropy_gradient(h @ U, y)
    assert np.abs(gradient).max() <= 1e-12
    F: Array = np.array(naive_cooccurrence(h, y))
    np.testing.assert_allclose(softmax(U), F / F.sum(axis=1, keepdims=True), rtol=1e-13)


@given(draw.sizes(2), GENERATORS, st.floats(1e-4, 10.0))
def test_for_one_hot_inputs_no_weights_are_better(
    shape: tuple[int, ...], rng: Seeded, step: float
) -> None:
    d, n = shape
    h, y = one_hot_samples(rng, d, n)
    U = explicit_solution(cooccurrence(h, y), Additive(0.0)).weights
    best = float(cross_entropy(h @ U, y))
    other = float(cross_entropy(h @ (U + step * rng.normal(size=U.shape)), y))
    assert other >= best - 1e-14 * abs(best)


@given(draw.sizes(2), GENERATORS)
def test_the_gauge_rows_of_log_counts(shape: tuple[int, ...], rng: Seeded) -> None:
    """Softmax does not see shifts of rows: `log F − 2 log ΣF` would have no gradient either."""
    d, n = shape
    h, y = one_hot_samples(rng, d, n)
    U = explicit_solution(cooccurrence(h, y), Additive(0.0)).weights
    np.testing.assert_allclose(np.exp(U), naive_cooccurrence(h, y), rtol=1e-13)


@given(st.integers(2, 9), draw.sizes(2), GENERATORS)
def test_shards_merge_before_they_are_solved(cut: int, shape: tuple[int, ...], rng: Seeded) -> None:
    d, n = shape
    h, y = draw.features(rng, 11, d), draw.targets(rng, 11, n)
    parts = cooccurrence(h[:cut], y[:cut]) + cooccurrence(h[cut:], y[cut:])
    merged, whole = explicit_solution(parts), explicit_solution(cooccurrence(h, y))
    assert merged.samples == whole.samples == 11
    np.testing.assert_allclose(merged.weights, whole.weights, rtol=1e-12, atol=1e-13)


# --- inputs of one norm: multinomial naive Bayes ------------------------------------------------


@given(draw.sizes(3), NORMS, SMOOTHINGS, GENERATORS)
def test_for_inputs_of_one_norm_it_is_naive_bayes(
    shape: tuple[int, ...], norm: float, smoothing: Smoothing, rng: Seeded
) -> None:
    m, d, n = shape
    h, y = of_norm(rng, m, d, norm), draw.targets(rng, m, n)
    U = explicit_solution(cooccurrence(h, y), smoothing).weights
    F = smooth(np.array(naive_cooccurrence(h, y)), smoothing)
    np.testing.assert_allclose(softmax(h @ U), naive_bayes(h, F.tolist()), rtol=1e-10, atol=1e-14)


@pytest.mark.torch
@given(shape=draw.sizes(3), norm=NORMS, alpha=st.floats(0.01, 5.0), rng=GENERATORS)
def test_scikit_learn_agrees(
    shape: tuple[int, ...], norm: float, alpha: float, rng: Seeded
) -> None:
    """`MultinomialNB` on every sample with every target, weighted by the target."""
    naive = pytest.importorskip("sklearn.naive_bayes")
    m, d, n = shape
    h, y = of_norm(rng, m, d, norm), 0.01 + draw.targets(rng, m, n)
    F = smooth(cooccurrence(h, y).counts, Additive(alpha))
    prior = F.sum(axis=0) / F.sum()
    model = naive.MultinomialNB(alpha=alpha, class_prior=prior)
    labels = np.tile(np.arange(n), m)
    model.fit(np.repeat(h, n, axis=0), labels, sample_weight=y.ravel())
    U = explicit_solution(cooccurrence(h, y), Additive(alpha)).weights
    np.testing.assert_allclose(softmax(h @ U), model.predict_proba(h), rtol=0, atol=1e-10)


# --- refusals ---------------------------------------------------------------------------------


def test_a_zero_without_smoothing_is_named() -> None:
    h, y = np.eye(3)[[0, 0, 1, 2, 2]], np.eye(2)[[0, 1, 1, 0, 1]]
    with pytest.raises(
        ZeroCount, match=r"the count of feature 1 with target 0 must be > 0"
    ) as caught:
        explicit_solution(cooccurrence(h, y), Backoff(0.0))
    assert (caught.value.feature, caught.value.target) == (1, 0)
    assert np.all(np.isfinite(explicit_solution(cooccurrence(h, y), Discount(0.5)).weights))


@pytest.mark.parametrize("K", [0.0, -1.0, np.nan, np.inf])
def test_priming_numbers_that_are_none(K: float) -> None:
    with pytest.raises(BadOption, match=r"priming must be a finite number > 0, got "):
        explicit_solution(cooccurrence(np.eye(3), np.eye(3)), priming=K)


def test_nothing_seen() -> None:
    with pytest.raises(BadOption, match=r"samples must be .*>= 1, got 0"):
        explicit_solution(Cooccurrence.zero(3, 5))
    with pytest.raises(ZeroNorm, match=r"pass the priming number"):
        explicit_solution(cooccurrence(np.zeros((2, 3)), np.ones((2, 5))))
    fit = explicit_solution(cooccurrence(np.zeros((2, 3)), np.ones((2, 5))), priming=2.0)
    np.testing.assert_allclose(softmax(fit.weights), 0.2)
