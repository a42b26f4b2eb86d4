"""Tempering: the logits, the convex loss in λ, and the λ that is best.   (SPEC 1)"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize

from saffu.errors import (
    BadOption,
    EmptyTarget,
    NegativeEntry,
    NonFiniteEntry,
    NoSamples,
    NotConverged,
    WrongShape,
    ZeroEntry,
)
from saffu.explicit.solution import explicit_weights
from saffu.explicit.temper import (
    fit_temper,
    slot_scores,
    temper_curve,
    tempered_logits,
    tempered_weights,
)
from saffu.loss import cross_entropy
from saffu.numerics import softmax
from saffu.types import Array
from spec_tests.conftest import shapes_unchecked
from spec_tests.support import strategies as draw
from spec_tests.support.adjoint import gradient
from spec_tests.support.naive_counts import naive_bayes

GENERATORS = draw.generators()
SLOTS = st.integers(1, 5)


class Problem(NamedTuple):
    """Samples and counts, features in slots of equal width."""

    features: Array
    targets: Array
    counts: Array
    slots: int


@st.composite
def problems(draw_: st.DrawFn, slots: st.SearchStrategy[int] = SLOTS) -> Problem:
    """Soft targets without zeros, so that the best λ is finite; unequal norms; generic counts."""
    rng, s = draw_(GENERATORS), draw_(slots)
    m, n = draw_(draw.sizes(2, (3, 5, 7, 11)))
    width = draw_(st.sampled_from([2, 3]))
    size = draw_(st.sampled_from([0.2, 1.0, 5.0]))
    counts = np.exp(rng.normal(0, 1, (s * width, n)))
    return Problem(
        draw.features(rng, m, s * width) * size, 0.1 + draw.targets(rng, m, n), counts, s
    )


def naive_logits(problem: Problem, lam: Array) -> Array:
    """z_i = log n_i + Σ_k λ_k Σ_{d in slot k} h_d log(F[d,i]/n_i), also for complex λ."""
    h, _, F, slots = problem
    width = len(F) // slots
    n = [sum(row[i] for row in F) for i in range(F.shape[1])]
    return np.array(
        [
            [
                np.log(n[i])
                + sum(lam[d // width] * x[d] * np.log(F[d, i] / n[i]) for d in range(len(F)))
                for i in range(len(n))
            ]
            for x in h
        ]
    )


def naive_loss(problem: Problem, lam: Array) -> Any:
    """Mean cross-entropy at λ, also for complex λ."""
    z, y = naive_logits(problem, lam), problem.targets
    top = np.max(z.real, axis=1, keepdims=True)
    logs = z - top - np.log(np.sum(np.exp(z - top), axis=1, keepdims=True))
    return -np.sum(y * logs) / len(y)


# --- the logits -------------------------------------------------------------------------------


@given(problems(), st.data())
def test_logits_are_the_definition(problem: Problem, data: st.DataObject) -> None:
    lam = data.draw(GENERATORS).normal(0, 2, problem.slots)
    temper = float(lam[0]) if problem.slots == 1 else lam
    got = tempered_logits(problem.features, problem.counts, temper)
    np.testing.assert_allclose(got, naive_logits(problem, lam), rtol=1e-10, atol=1e-11)


@given(problems())
def test_slot_scores_add_up_to_the_logits(problem: Problem) -> None:
    prior, scores = slot_scores(problem.features, problem.counts, problem.slots)
    assert scores.shape == (len(problem.features), problem.slots, problem.counts.shape[1])
    for k in range(problem.slots):
        only = np.zeros(problem.slots)
        only[k] = 1.0
        expected = naive_logits(problem, only) - naive_logits(problem, 0 * only)
        np.testing.assert_allclose(scores[:, k], expected, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(prior, np.log(problem.counts.sum(axis=0)), rtol=1e-13, atol=1e-13)


@given(problems(st.just(1)))
def test_one_is_naive_bayes_whatever_the_norms_and_zero_is_the_prior(problem: Problem) -> None:
    h, _, F, _ = problem
    np.testing.assert_allclose(
        softmax(tempered_logits(h, F)), naive_bayes(h, F.tolist()), rtol=1e-9, atol=1e-14
    )
    prior = np.broadcast_to(F.sum(axis=0) / F.sum(), (len(h), F.shape[1]))
    np.testing.assert_allclose(softmax(tempered_logits(h, F, 0.0)), prior, rtol=1e-12)


@given(problems(st.just(1)), st.floats(0.1, 20.0))
def test_one_is_the_explicit_solution_where_norms_are_equal(problem: Problem, K: float) -> None:
    h = problem.features * (K / problem.features.sum(axis=1, keepdims=True))
    explicit = h @ explicit_weights(problem.counts, K)
    difference = tempered_logits(h, problem.counts) - explicit
    np.testing.assert_allclose(difference, difference[:, :1] + 0 * difference, atol=1e-10)


@given(problems(), st.floats(0.1, 20.0), st.data())
def test_tempered_weights_are_the_same_without_a_bias(
    problem: Problem, K: float, data: st.DataObject
) -> None:
    lam = data.draw(GENERATORS).normal(0, 2, problem.slots)
    h = problem.features * (K / problem.features.sum(axis=1, keepdims=True))
    np.testing.assert_allclose(
        h @ tempered_weights(problem.counts, lam, K),
        tempered_logits(h, problem.counts, lam),
        rtol=1e-9,
        atol=1e-9,
    )


@given(problems(st.just(1)), st.floats(0.05, 20.0))
def test_weights_at_one_are_the_explicit_ones(problem: Problem, K: float) -> None:
    got, expected = tempered_weights(problem.counts, 1.0, K), explicit_weights(problem.counts, K)
    np.testing.assert_allclose(got, expected, rtol=1e-11, atol=1e-12)


@pytest.mark.usefixtures("as_users_call")
def test_counts_of_whole_type() -> None:
    F = np.array([[1, 3, 2], [2, 1, 4]])
    for temper in (0.4, np.array([0.4, 1.7])):
        np.testing.assert_array_equal(
            tempered_weights(F, temper, 1.0), tempered_weights(F.astype(float), temper, 1.0)
        )


# --- the loss in λ ----------------------------------------------------------------------------


@given(problems(), st.data())
def test_value_gradient_and_hessian(problem: Problem, data: st.DataObject) -> None:
    lam = data.draw(GENERATORS).normal(0, 1, problem.slots)
    prior, scores = slot_scores(problem.features, problem.counts, problem.slots)
    curve = temper_curve(lam, prior, scores, problem.targets)
    assert curve.value == pytest.approx(float(naive_loss(problem, lam)), rel=1e-11)
    slope = gradient(lambda x: naive_loss(problem, x), lam)
    scale = np.abs(scores).max() * problem.targets.sum(axis=1).max()
    np.testing.assert_allclose(curve.slope, slope, rtol=1e-10, atol=1e-12 * scale)
    h = 1e-5 / np.abs(scores).max()
    for k, row in enumerate(np.eye(problem.slots)):
        ahead, behind = (
            gradient(lambda x: naive_loss(problem, x), lam + side * h * row) for side in (1, -1)
        )
        second = (ahead - behind) / (2 * h)
        np.testing.assert_allclose(curve.bend[k], second, rtol=1e-5, atol=1e-8 * scale**2)


@given(problems(), st.data())
def test_the_loss_is_convex(problem: Problem, data: st.DataObject) -> None:
    rng = data.draw(GENERATORS)
    prior, scores = slot_scores(problem.features, problem.counts, problem.slots)
    a, b = rng.normal(0, 3, problem.slots), rng.normal(0, 3, problem.slots)
    at = [temper_curve(x, prior, scores, problem.targets) for x in (a, b, (a + b) / 2)]
    assert at[2].value <= (at[0].value + at[1].value) / 2 + 1e-12 * abs(at[0].value)
    lowest = np.linalg.eigvalsh(at[0].bend)[0]
    assert lowest >= -1e-12 * max(1.0, float(np.abs(at[0].bend).max()))
    below = at[0].value + at[0].slope @ (b - a)
    assert at[1].value >= below - 1e-11 * (1 + abs(below))


# --- the best λ -------------------------------------------------------------------------------


def away(problem: Problem, lam: Array) -> float:
    """How far Newton's step would still go, over the directions in which the loss curves."""
    prior, scores = slot_scores(problem.features, problem.counts, problem.slots)
    curve = temper_curve(lam, prior, scores, problem.targets)
    bend, axes = np.linalg.eigh(curve.bend)
    curved = bend > 1e-9 * max(bend[-1], 1e-300)
    step = (axes.T @ curve.slope)[curved] / bend[curved]
    return float(np.linalg.norm(step)) / (1 + float(np.linalg.norm(lam)))


@given(problems(), st.data())
def test_the_best_temper_is_found_from_any_start(problem: Problem, data: st.DataObject) -> None:
    h, y, F, slots = problem
    start = np.array(data.draw(st.lists(st.floats(-1e4, 1e4), min_size=slots, max_size=slots)))
    with shapes_unchecked():
        best = fit_temper(h, y, F, slots=slots)
        again = fit_temper(h, y, F, slots=slots, start=start)
    assert best.temper.shape == (slots,)
    for fit in (best, again):
        assert away(problem, fit.temper) <= 1e-9
        assert fit.loss == pytest.approx(float(naive_loss(problem, fit.temper)), rel=1e-11)
    assert again.loss == pytest.approx(best.loss, rel=1e-13)
    assert best.loss <= float(naive_loss(problem, np.ones(slots))) * (1 + 1e-13)
    assert best.loss <= float(naive_loss(problem, np.zeros(slots))) * (1 + 1e-13)


@pytest.mark.parametrize("size", [0.01, 1.0, 30.0, 1000.0])
@pytest.mark.parametrize("slots", [1, 3, 5])
def test_scipy_finds_nothing_better(size: float, slots: int) -> None:
    """Scores from nearly nothing to the saturated, slots that nearly repeat one another."""
    rng = np.random.default_rng(slots)
    m, n, width = 23, 7, 3
    base = rng.random((m, width))
    h = size * np.concatenate([base + 0.05 * rng.random((m, width)) for _ in range(slots)], axis=1)
    problem = Problem(
        h, draw.simplex(rng, m, n), np.exp(rng.normal(0, 2, (slots * width, n))), slots
    )
    ours = fit_temper(problem.features, problem.targets, problem.counts, slots=slots)
    prior, scores = slot_scores(problem.features, problem.counts, slots)

    def curve(lam: Array) -> Any:
        return temper_curve(lam / size, prior, scores, problem.targets)

    minimise: Any = optimize.minimize
    with shapes_unchecked():
        theirs = minimise(
            lambda lam: curve(lam).value,
            np.zeros(slots),
            jac=lambda lam: curve(lam).slope / size,
            hess=lambda lam: curve(lam).bend / size**2,
            method="trust-exact",
            options={"gtol": 1e-13, "maxiter": 2000},
        )
    assert ours.loss <= theirs.fun + 1e-14
    np.testing.assert_allclose(ours.temper * size, theirs.x, rtol=1e-6, atol=1e-6)


def test_by_hand() -> None:
    """Counts say 3 to 1, samples say 27 to 1: three times as sure."""
    F, h, y = np.array([[1.0, 3.0], [3.0, 1.0]]), np.eye(2)[:1], np.array([[1.0, 27.0]]) / 28
    fit = fit_temper(h, y, F)
    assert fit.temper[0] == pytest.approx(3.0, abs=1e-9)


@given(problems())
def test_one_for_each_slot_is_never_worse_than_one_for_all(problem: Problem) -> None:
    h, y, F, slots = problem
    with shapes_unchecked():
        one, each = fit_temper(h, y, F), fit_temper(h, y, F, slots=slots)
    assert each.loss <= one.loss + 1e-13 * abs(one.loss)


@given(problems(), st.floats(-50, 50))
def test_a_slot_that_says_nothing_keeps_its_start(problem: Problem, start: float) -> None:
    """Its features share out as the targets do, so that they say nothing of any target."""
    h, y, F, slots = problem
    width = len(F) // slots
    spoken = F.sum(axis=0)
    silent = np.linspace(0.5, 1.5, width)[:, None] * spoken
    padded = np.concatenate([np.ones((len(h), width)), h], axis=1)
    with shapes_unchecked():
        fit = fit_temper(padded, y, np.concatenate([silent, F]), slots=slots + 1, start=start)
        alone = fit_temper(h, y, F, slots=slots)
    assert fit.temper[0] == pytest.approx(start, rel=1e-6, abs=1e-6)
    assert fit.loss == pytest.approx(alone.loss, rel=1e-12)


FAINT = Problem(
    np.eye(3)[[2, 0, 2, 1, 0]],
    np.eye(3)[[1, 1, 1, 0, 2]],
    np.array([[5.0, 1.0, 1.0], [1.0, 5.0, 1.0], [5.0, 1.0, 1.0]]),
    1,
)
"""Its best λ, found with forty digits, is −1.9967562181."""


@pytest.mark.parametrize("power", [0, 10, 20, 30, 52, 200, 900])
def test_however_faint_the_features_the_best_temper_is_found(power: int) -> None:
    for size in (0.5**power, 2.0**power):
        fit = fit_temper(size * FAINT.features, FAINT.targets, FAINT.counts)
        assert fit.temper[0] * size == pytest.approx(-1.9967562181, abs=1e-9)
        assert fit.loss == pytest.approx(0.682572, abs=1e-6)


def test_a_faint_slot_beside_a_loud_one() -> None:
    """The second slot says 2⁻⁶⁰ of what it says alone, and its λ is 2⁶⁰ times as large."""
    rng = np.random.default_rng(6)
    h, y, F = rng.random((23, 6)), draw.simplex(rng, 23, 5), np.exp(rng.normal(0, 1, (6, 5)))
    sizes = np.repeat([1.0, 0.5**60], 3)
    plain, fit = fit_temper(h, y, F, slots=2), fit_temper(h * sizes, y, F, slots=2)
    np.testing.assert_allclose(fit.temper, plain.temper * [1.0, 2.0**60], rtol=1e-9)
    assert fit.loss == pytest.approx(plain.loss, rel=1e-13)


def test_a_temper_that_no_number_is_large_enough_for() -> None:
    with pytest.raises(NotConverged, match=r"the best temper .* beyond the largest number.*SPEC 1"):
        fit_temper(5e-324 * FAINT.features, FAINT.targets, FAINT.counts)


@given(problems(st.just(1)), st.floats(-1e3, 1e3), st.floats(-1e3, 1e3))
def test_slots_that_repeat_each_other_share_evenly(
    problem: Problem, one: float, other: float
) -> None:
    """Whatever the start; a slot of twice the features says as much at half the temper."""
    h, y, F, _ = problem
    alone = fit_temper(h, y, F).temper[0]
    with shapes_unchecked():
        twice = np.concatenate([h, h], axis=1), y, np.concatenate([F, F]) / 2
        even = fit_temper(*twice, slots=2, start=np.array([one, other])).temper
        uneven = fit_temper(
            np.concatenate([h, 2 * h], axis=1), y, twice[2], slots=2, start=np.array([one, other])
        ).temper
    size = 1e-7 * (1 + abs(alone))
    expected = alone / 2
    np.testing.assert_allclose(even, [expected, expected], rtol=1e-6, atol=size)
    np.testing.assert_allclose(uneven, [expected, expected / 2], rtol=1e-6, atol=size)


# --- refusals ---------------------------------------------------------------------------------

H, Y, F = np.full((3, 10), 0.5), np.full((3, 2), 0.5), np.arange(1.0, 21.0).reshape(10, 2)


def with_entry(x: Array, index: tuple[int, ...], value: float) -> Array:
    out = x.copy()
    out[index] = value
    return out


@pytest.mark.parametrize("size", [0.1, 1.0, 100.0])
@pytest.mark.parametrize("start", [1.0, -30.0, 1e4])
def test_samples_that_separate_have_no_best_temper(size: float, start: float) -> None:
    certain, counts = np.eye(2), np.array([[3.0, 1.0], [1.0, 3.0]])
    with pytest.raises(NotConverged, match=r"the scores separate the targets.*SPEC 1"):
        fit_temper(size * certain, certain, counts, start=start)
    both = np.concatenate([size * certain, np.ones((2, 2))], axis=1)
    unsure = np.array([[0.7, 0.3], [0.4, 0.6]])
    spoken = np.concatenate([counts, [[1.0, 2.0], [3.0, 1.0]]])
    twice, wanted = np.tile(both, (2, 1)), np.concatenate([certain, certain])
    twice[2:, :2] = 0.0
    wanted[2:] = unsure
    with pytest.raises(NotConverged, match=r"the scores separate the targets.*SPEC 1"):
        fit_temper(twice, wanted, spoken, slots=2, start=start)


def test_counts_have_to_be_positive() -> None:
    holed = with_entry(F, (4, 1), 0.0)
    for call in (
        lambda: tempered_logits(H, holed),
        lambda: tempered_weights(holed, 1.0, 2.0),
        lambda: fit_temper(H, Y, holed),
    ):
        with pytest.raises(ZeroEntry, match=r"counts\[4, 1\] must be .*, got 0\.0: .*smooth"):
            call()
    with pytest.raises(NegativeEntry, match=r"counts\[0, 0\] must be >= 0, got -1\.0"):
        tempered_logits(H, with_entry(F, (0, 0), -1.0))


def test_samples_that_are_none() -> None:
    with pytest.raises(NegativeEntry, match=r"features\[2, 9\] must be >= 0, got -1\.0"):
        fit_temper(with_entry(H, (2, 9), -1.0), Y, F)
    with pytest.raises(NonFiniteEntry, match=r"features\[0, 0\] must be a finite number, got nan"):
        tempered_logits(with_entry(H, (0, 0), np.nan), F)
    with pytest.raises(EmptyTarget, match=r"targets\[1\] must have a positive entry"):
        fit_temper(H, Y * np.array([[1.0], [0.0], [1.0]]), F)
    with pytest.raises(NoSamples, match=r"features must hold at least one sample, got none"):
        fit_temper(H[:0], Y[:0], F)


@pytest.mark.parametrize("slots", [3, 4, 20])
def test_slots_divide_the_features(slots: int) -> None:
    with pytest.raises(
        BadOption, match=rf"slots must be a divisor of the number of features, 10.*, got {slots}"
    ):
        fit_temper(H, Y, F, slots=slots)
    with pytest.raises(
        BadOption, match=rf"slots must be a divisor of the number of features, 10.*, got {slots}"
    ):
        tempered_logits(H, F, np.ones(slots))
    with pytest.raises(
        BadOption,
        match=rf"temper must be of a length that divides .* 10.*, got \({slots},\)",
    ):
        tempered_weights(F, np.ones(slots), 2.0)


def test_settings_that_are_none() -> None:
    with pytest.raises(BadOption, match=r"slots must be a whole number >= 1.*, got 0"):
        fit_temper(H, Y, F, slots=0)
    with pytest.raises(NonFiniteEntry, match=r"temper\[1\] must be a finite number, got nan"):
        tempered_logits(H, F, np.array([1.0, np.nan]))
    with pytest.raises(NonFiniteEntry, match=r"start\[1\] must be a finite number, got inf"):
        fit_temper(H, Y, F, slots=2, start=np.array([1.0, np.inf]))
    with pytest.raises(BadOption, match=r"priming must be a finite number > 0.*, got 0\.0"):
        tempered_weights(F, 1.0, 0.0)


@pytest.mark.usefixtures("as_users_call")
def test_shapes_that_disagree() -> None:
    with pytest.raises(WrongShape, match=r"features must have shape .*\(any, 10\).*, got \(3, 7\)"):
        tempered_logits(H[:, :7], F)
    with pytest.raises(WrongShape, match=r"counts must have shape .*, got \(10,\)"):
        tempered_logits(H, F[:, 0])
    with pytest.raises(WrongShape, match=r"targets must have shape .*, got \(2, 2\)"):
        fit_temper(H, Y[:2], F)
    with pytest.raises(WrongShape, match=r"targets must have shape .*\(3, 2\).*, got \(3, 1\)"):
        fit_temper(H, Y[:, :1], F)
    with pytest.raises(WrongShape, match=r"start must have shape .*\(5\).*, got \(3,\)"):
        fit_temper(H, Y, F, slots=5, start=np.ones(3))
    with pytest.raises(WrongShape, match=r"temper must have shape .*, got \(1, 2\)"):
        tempered_logits(H, F, np.ones((1, 2)))


def test_the_loss_is_the_cross_entropy_of_the_logits() -> None:
    fit = fit_temper(H, Y, F, slots=2)
    again = cross_entropy(tempered_logits(H, F, fit.temper), Y)
    assert fit.loss == pytest.approx(float(again), rel=1e-13)
