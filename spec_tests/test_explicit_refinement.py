"""Generalised iterative scaling: the step, the guarantee, the optimum.   (SPEC 1)"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize

from saffu.counts import cooccurrence
from saffu.errors import (
    BadOption,
    EmptyTarget,
    NegativeEntry,
    NonFiniteEntry,
    NoSamples,
    WrongShape,
    ZeroNorm,
)
from saffu.explicit.refinement import refine, refined_logits, with_slack
from saffu.explicit.smoothing import Additive, Backoff
from saffu.explicit.solution import explicit_solution
from saffu.loss import cross_entropy
from saffu.numerics import softmax
from saffu.types import Array
from spec_tests.conftest import shapes_unchecked
from spec_tests.support import strategies as draw
from spec_tests.support.naive_counts import naive_cooccurrence
from spec_tests.support.strategies import Seeded

GENERATORS = draw.generators()


def of_norm(h: Array, norm: float) -> Array:
    return np.asarray(h * (norm / h.sum(axis=1, keepdims=True)))


def naive_probabilities(h: Array, U: Array) -> Array:
    weights = np.array([[np.exp(sum(x * u)) for u in U.T] for x in h])
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def naive_step(U: Array, h: Array, y: Array, K: float) -> Array:
    """U + (1/K) log(F / Hᵀ ŷ), one cell after the other; cells never seen stay as they are."""
    seen: Array = np.array(naive_cooccurrence(h, y))
    mass = y.sum(axis=1, keepdims=True)
    expected: Array = np.array(naive_cooccurrence(h, mass * naive_probabilities(h, U)))
    out = U.copy()
    for cell in np.ndindex(U.shape):
        if seen[cell] > 0:
            out[cell] += np.log(seen[cell] / expected[cell]) / K
    return out


@given(draw.sizes(3), st.floats(0.2, 9.0), GENERATORS)
def test_one_step_is_the_definition(shape: tuple[int, ...], norm: float, rng: Seeded) -> None:
    m, d, n = shape
    h, y = of_norm(draw.features(rng, m, d), norm), draw.targets(rng, m, n)
    U = rng.normal(size=(d, n))
    fit = refine(U, h, y, steps=1)
    assert fit.capacity == pytest.approx(norm, rel=1e-14)
    assert np.all(fit.slack == 0)
    np.testing.assert_allclose(fit.weights, naive_step(U, h, y, norm), rtol=1e-9, atol=1e-11)


@given(draw.sizes(3), GENERATORS)
def test_one_step_with_slack_is_the_definition(shape: tuple[int, ...], rng: Seeded) -> None:
    m, d, n = shape
    h, y, U = draw.features(rng, m, d), draw.targets(rng, m, n), rng.normal(size=(d, n))
    K = h.sum(axis=1).max()
    full = np.concatenate([h, K - h.sum(axis=1, keepdims=True)], axis=1)
    full[np.argmax(h.sum(axis=1)), -1] = 0.0
    fit = refine(U, h, y, steps=1)
    expected = naive_step(np.concatenate([U, np.zeros((1, n))]), full, y, K)
    got = np.concatenate([fit.weights, fit.slack[None, :]])
    np.testing.assert_allclose(got, expected, rtol=1e-8, atol=1e-10)


@given(draw.sizes(2), GENERATORS)
def test_slack_makes_all_norms_the_largest(shape: tuple[int, ...], rng: Seeded) -> None:
    h = draw.features(rng, *shape)
    full, capacity = with_slack(h)
    np.testing.assert_array_equal(full[:, :-1], h)
    assert np.all(full >= 0)
    assert capacity == pytest.approx(max(sum(row) for row in h.tolist()))
    np.testing.assert_allclose(full.sum(axis=1), capacity, rtol=1e-11)


@given(draw.sizes(3), st.data())
def test_the_loss_never_rises(shape: tuple[int, ...], data: st.DataObject) -> None:
    """Any non-negative features and targets, zeros among them; any weights."""
    m, d, n = shape
    h = data.draw(draw.tidy((m, d))) * data.draw(st.sampled_from([0.01, 1.0, 5.0]))
    h[0, 0] += 0.01
    y = data.draw(draw.tidy((m, n)))
    y[:, 0] += data.draw(draw.tidy((m,), 0, 1))
    y[np.all(y == 0, axis=1), -1] = 0.25
    U = data.draw(draw.tidy((d, n), -4, 4))
    with shapes_unchecked():
        losses = refine(U, h, y, steps=7).losses
    assert len(losses) >= 2
    assert all(b <= a * (1 + 1e-13) + 1e-15 for a, b in pairwise(losses))


@given(draw.sizes(3), GENERATORS)
def test_the_losses_are_those_of_the_logits(shape: tuple[int, ...], rng: Seeded) -> None:
    m, d, n = shape
    h, y, U = draw.features(rng, m, d), draw.targets(rng, m, n), rng.normal(size=(d, n))
    fit = refine(U, h, y, steps=3)
    assert len(fit.losses) == 4
    assert fit.losses[0] == pytest.approx(float(cross_entropy(h @ U, y)), rel=1e-11)
    z = refined_logits(h, fit)
    assert fit.losses[-1] == pytest.approx(float(cross_entropy(z, y)), rel=1e-10)
    expected = [
        [
            sum(x[k] * fit.weights[k, i] for k in range(d)) + (fit.capacity - sum(x)) * fit.slack[i]
            for i in range(n)
        ]
        for x in h
    ]
    np.testing.assert_allclose(z, expected, rtol=1e-10, atol=1e-11)


@given(draw.sizes(2), GENERATORS, st.floats(0.1, 20.0))
def test_for_one_hot_inputs_one_step_is_all(
    shape: tuple[int, ...], rng: Seeded, size: float
) -> None:
    """From anywhere; and at the explicit solution there is nothing left to do."""
    d, n = shape
    ids = np.concatenate([np.arange(d), rng.integers(0, d, d)])
    h, y = size * draw.one_hot(ids, d), 0.05 + draw.targets(rng, 2 * d, n)
    F: Array = np.array(naive_cooccurrence(h, y))
    fit = refine(rng.normal(0, 2, (d, n)), h, y, steps=1)
    best = F / F.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(softmax(size * fit.weights), best, rtol=1e-10)
    U = explicit_solution(cooccurrence(h / size, y), Additive(0.0)).weights
    again = refine(U, h / size, y, steps=1)
    np.testing.assert_allclose(again.weights, U, atol=1e-12)


@pytest.mark.parametrize("slack", [False, True], ids=["one-norm", "any-norm"])
def test_it_converges_to_the_optimum_of_l_bfgs(slack: bool) -> None:
    rng = np.random.default_rng(11)
    m, d, n = 29, 3, 5
    h, y = 0.2 + rng.random((m, d)), 0.1 + draw.simplex(rng, m, n)
    h = h if slack else of_norm(h, 2.0)
    full, _ = with_slack(h)
    full = full if slack else h
    width = full.shape[1]

    def loss(u: Array) -> tuple[float, Array]:
        z = full @ u.reshape(width, n)
        logs = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        gradient = full.T @ (np.exp(logs) * y.sum(axis=1, keepdims=True) - y) / m
        return float(-(y * logs).sum() / m), gradient.ravel()

    minimise: Any = optimize.minimize
    options = {"maxiter": 5000, "ftol": 1e-16, "gtol": 1e-10}
    best = minimise(loss, np.zeros(width * n), jac=True, method="L-BFGS-B", options=options)
    U = explicit_solution(cooccurrence(h, y), Backoff(1.0)).weights
    with shapes_unchecked():
        fit = refine(U, h, y, steps=3000)
    start = float(cross_entropy(h @ U, y))
    assert best.fun <= fit.losses[-1] <= best.fun + 1e-9 < start - 1e-4
    expected = softmax(full @ best.x.reshape(width, n))
    np.testing.assert_allclose(softmax(refined_logits(h, fit)), expected, atol=2e-5)


def test_cells_never_seen_keep_their_weight() -> None:
    h, y = np.eye(3)[[0, 0, 1]], np.eye(2)[[0, 1, 1]]
    U = np.arange(6.0).reshape(3, 2)
    fit = refine(U, h, y, steps=2)
    changed = np.abs(fit.weights - U) > 1e-12
    assert changed.tolist() == [[True, True], [False, True], [False, False]]


def test_predictions_that_underflow() -> None:
    h, y = np.eye(2), np.eye(2)
    fit = refine(np.array([[0.0, 740.0], [800.0, 0.0]]), h, y, steps=1)
    assert np.all(np.isfinite(fit.weights))
    assert fit.losses[1] < fit.losses[0] == 770.0


def test_when_it_stops() -> None:
    rng = np.random.default_rng(2)
    h, y, U = draw.features(rng, 7, 3), draw.targets(rng, 7, 5), np.zeros((3, 5))
    assert refine(U, h, y, steps=0).losses == refine(U, h, y, steps=4).losses[:1]
    np.testing.assert_array_equal(refine(U, h, y, steps=0).weights, U)
    assert len(refine(U, h, y, steps=4).losses) == 5
    losses = refine(U, h, y, steps=400, tolerance=1e-3).losses
    gains = -np.diff(losses)
    assert len(losses) < 401
    assert np.all(gains[:-1] > 1e-3)
    assert gains[-1] <= 1e-3


def test_nothing_given_is_changed() -> None:
    rng = np.random.default_rng(2)
    h, y, U = draw.features(rng, 7, 3), draw.targets(rng, 7, 5), np.ones((3, 5))
    before = [x.copy() for x in (h, y, U)]
    refine(U, h, y, steps=3)
    for now, then in zip((h, y, U), before, strict=True):
        np.testing.assert_array_equal(now, then)


# --- refusals ---------------------------------------------------------------------------------

H, Y, U = np.full((7, 3), 0.5), np.full((7, 5), 0.2), np.zeros((3, 5))


def test_samples_and_weights_that_are_none() -> None:
    with pytest.raises(NegativeEntry, match=r"features\[0, 0\] must be >= 0, got -0\.5"):
        refine(U, -H, Y)
    with pytest.raises(NegativeEntry, match=r"targets\[0, 0\] must be >= 0, got -0\.2"):
        refine(U, H, -Y)
    with pytest.raises(EmptyTarget, match=r"targets\[0\] must have a positive entry"):
        refine(U, H, 0 * Y)
    with pytest.raises(NoSamples, match=r"features must hold at least one sample, got none"):
        refine(U, H[:0], Y[:0])
    with pytest.raises(NonFiniteEntry, match=r"weights\[0, 0\] must be a finite number, got nan"):
        refine(U + np.nan, H, Y)
    for call in (lambda: refine(U, 0 * H, Y), lambda: with_slack(0 * H)):
        with pytest.raises(ZeroNorm, match=r"features: the mean norm of the features must be > 0"):
            call()
    with pytest.raises(NegativeEntry, match=r"features\[0, 0\] must be >= 0, got -0\.5"):
        refined_logits(-H, refine(U, H, Y, steps=1))


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize("steps", [-1, 2.5, True])
def test_steps_that_are_none(steps: Any) -> None:
    with pytest.raises(BadOption, match=r"steps must be a whole number >= 0, got "):
        refine(U, H, Y, steps=steps)


@pytest.mark.usefixtures("as_users_call")
def test_shapes_that_disagree() -> None:
    with pytest.raises(
        WrongShape, match=r"weights must have shape .*\[D N\] = \(3, 5\).*, got \(5, 3\)"
    ):
        refine(U.T, H, Y)
    with pytest.raises(WrongShape, match=r"targets must have shape .*\(7, any\).*, got \(2, 5\)"):
        refine(U, H, Y[:2])
    with pytest.raises(WrongShape, match=r"features must have shape .*\(any, 3\).*, got \(7, 2\)"):
        refined_logits(H[:, :2], refine(U, H, Y, steps=1))
