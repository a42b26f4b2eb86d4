"""The choice of the smoothing: leaving out one sample at a time, and held-out data.   (SPEC 1)"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saffu.counts import cooccurrence
from saffu.errors import (
    BadOption,
    EmptyTarget,
    NegativeEntry,
    NoSamples,
    WrongShape,
    ZeroCount,
)
from saffu.explicit.choice import (
    DISCOUNTS,
    STRENGTHS,
    choose_smoothing,
    leave_one_out_nats,
)
from saffu.explicit.smoothing import Additive, Backoff, Discount, Smoothing, smooth
from saffu.explicit.solution import explicit_solution
from saffu.explicit.temper import fit_temper
from saffu.loss import token_nats
from saffu.types import Array
from spec_tests.conftest import shapes_unchecked
from spec_tests.support import strategies as draw
from spec_tests.support.naive_counts import (
    Table,
    naive_additive,
    naive_backoff,
    naive_discount,
    naive_explicit,
    naive_shares,
)
from spec_tests.support.strategies import Seeded

GENERATORS = draw.generators()
CANDIDATES = st.one_of(
    st.floats(0.01, 50.0).map(Additive),
    st.floats(0.01, 50.0).map(Backoff),
    st.floats(0.05, 0.95).map(Discount),
)


@st.composite
def one_hot_samples(draw_: st.DrawFn, most: int = 25) -> tuple[Array, Array, int, int]:
    """Features and targets by number; some features rare, some targets too."""
    d, n = draw_(draw.sizes(2))
    size = draw_(st.integers(2, most))
    pairs = draw_(draw.whole((size, 2), 0, 10))
    return pairs[:, 0] % d, pairs[:, 1] % n, d, n


def naive_smooth(F: Table, smoothing: Smoothing) -> Table:
    formula = {Additive: naive_additive, Backoff: naive_backoff, Discount: naive_discount}
    return formula[type(smoothing)](F, smoothing.strength)


def naive_leave_one_out(
    features: Array, targets: Array, d: int, n: int, smoothing: Smoothing
) -> float:
    """Fit anew on all other samples, predict this one; a feature unseen by then says the shares."""
    nats = []
    for left in range(len(features)):
        F: Table = [[0] * n for _ in range(d)]
        for m, (feature, target) in enumerate(zip(features, targets, strict=True)):
            if m != left:
                F[feature][target] += 1
        row = naive_smooth(F, smoothing)[features[left]]
        if isinstance(smoothing, Discount) and not any(F[features[left]]):
            row = naive_shares(F)
        nats.append(-math.log(row[targets[left]] / math.fsum(row)))
    return math.fsum(nats) / len(nats)


@given(one_hot_samples(), CANDIDATES)
def test_leave_one_out_is_leaving_out_one(
    samples: tuple[Array, Array, int, int], smoothing: Smoothing
) -> None:
    features, targets, d, n = samples
    F = np.zeros((d, n))
    np.add.at(F, (features, targets), 1.0)
    expected = naive_leave_one_out(*samples, smoothing)
    assert leave_one_out_nats(F, smoothing) == pytest.approx(expected, rel=1e-10)


@given(one_hot_samples(11), st.sampled_from([Additive(0.7), Backoff(3.0)]))
def test_leave_one_out_is_the_explicit_solution_of_all_others(
    samples: tuple[Array, Array, int, int], smoothing: Smoothing
) -> None:
    features, targets, d, n = samples
    h, y = draw.one_hot(features, d), draw.one_hot(targets, n)
    nats = []
    for left in range(len(h)):
        others = np.arange(len(h)) != left
        U = explicit_solution(cooccurrence(h[others], y[others]), smoothing).weights
        nats.append(float(token_nats(h[[left]] @ U, targets[[left]])[0]))
    found = choose_smoothing(cooccurrence(h, y), candidates=[smoothing])
    assert found.loss == pytest.approx(math.fsum(nats) / len(nats), rel=1e-11)


@pytest.mark.parametrize("smoothing", [Additive(0.0), Backoff(0.0)])
def test_without_smoothing_no_cell_may_be_empty_nor_become_so(smoothing: Smoothing) -> None:
    F = np.array([[3.0, 1.0], [2.0, 2.0]])
    for few in (1.0, 0.0):
        F[0, 1] = few
        with pytest.raises(
            ZeroCount, match=r"the count of feature 0 with target 1 must be > 0.*left out"
        ):
            leave_one_out_nats(F, smoothing)
    h, y = np.eye(2)[[0, 0, 0, 1, 1]], np.eye(2)[[0, 0, 0, 1, 1]]
    with pytest.raises(ZeroCount, match=r"the count of feature 0 with target 1 must be > 0, got 0"):
        choose_smoothing(cooccurrence(h, y), candidates=[Backoff(1.0), smoothing])
    F[0, 1] = 2.0
    expected = -(3 * math.log(2 / 4) + 2 * math.log(1 / 4) + 4 * math.log(1 / 3)) / 9
    assert leave_one_out_nats(F, smoothing) == pytest.approx(expected, rel=1e-14)


@given(st.lists(CANDIDATES, min_size=1, max_size=5), GENERATORS, draw.sizes(3))
def test_held_out_loss_is_that_of_the_explicit_solution(
    candidates: list[Smoothing], rng: Seeded, shape: tuple[int, ...]
) -> None:
    m, d, n = shape
    h, y = draw.one_hot(rng.integers(0, d, 30), d), draw.one_hot(rng.integers(0, n, 30), n)
    h[:d], y[:d] = np.eye(d), draw.one_hot(np.zeros(d, dtype=np.int64), n)
    h[-1] *= 3.0
    state, held_out = cooccurrence(h, y), (draw.features(rng, m, d), draw.targets(rng, m, n))
    losses = []
    for candidate in candidates:
        U = naive_explicit(naive_smooth(state.counts.tolist(), candidate), 32 / 30)
        z = held_out[0] @ U
        logs = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        losses.append(-(held_out[1] * logs).sum() / m)
    choice = choose_smoothing(state, held_out, candidates=candidates)
    assert [candidate for candidate, _ in choice.tried] == candidates
    np.testing.assert_allclose([loss for _, loss in choice.tried], losses, rtol=1e-10)
    assert choice.loss == min(loss for _, loss in choice.tried)
    assert choice.smoothing == next(c for c, loss in choice.tried if loss == choice.loss)


@given(GENERATORS)
def test_with_a_temper_for_each_candidate(rng: Seeded) -> None:
    state = cooccurrence(draw.features(rng, 23, 5), draw.targets(rng, 23, 3))
    held_out = draw.features(rng, 7, 5), 0.1 + draw.targets(rng, 7, 3)
    candidates: list[Smoothing] = [Backoff(10.0), Additive(1.0)]
    with shapes_unchecked():
        tempered = choose_smoothing(state, held_out, candidates=candidates, temper=True)
        plain = choose_smoothing(state, held_out, candidates=candidates)
    for (candidate, loss), (_, untempered) in zip(tempered.tried, plain.tried, strict=True):
        with shapes_unchecked():
            fit = fit_temper(*held_out, smooth(state.counts, candidate))
        assert loss == pytest.approx(fit.loss, rel=1e-13)
        assert loss != untempered
    assert tempered.loss == min(loss for _, loss in tempered.tried)


def test_ties_go_to_the_first() -> None:
    h, y = np.eye(3)[[0, 0, 1, 2]], np.eye(2)[[0, 1, 1, 0]]
    twice: list[Smoothing] = [Backoff(9.0), Backoff(2.0), Backoff(2.0)]
    for held_out in (None, (h, y)):
        choice = choose_smoothing(cooccurrence(h, y), held_out, candidates=twice)
        losses = [loss for _, loss in choice.tried]
        assert losses[1] == losses[2]
        assert choice.smoothing is twice[losses.index(min(losses))]


def test_what_is_tried_unless_told() -> None:
    h, y = np.eye(3)[[0, 0, 1, 2]], np.eye(2)[[0, 1, 1, 0]]
    tried = choose_smoothing(cooccurrence(h, y)).tried
    assert [candidate for candidate, _ in tried] == [Backoff(s) for s in STRENGTHS]
    assert (STRENGTHS[0], STRENGTHS[-1], len(STRENGTHS)) == (0.01, 10_000.0, 13)
    np.testing.assert_allclose(np.diff(np.log10(STRENGTHS)), 0.5)
    assert list(DISCOUNTS) == sorted(DISCOUNTS)
    assert 0 < DISCOUNTS[0] < 0.75 < DISCOUNTS[-1] < 1


def test_much_smoothing_for_noise_little_for_what_is_clear() -> None:
    rng = np.random.default_rng(5)
    features = rng.integers(0, 50, 400)
    noise = cooccurrence(np.eye(50)[features], np.eye(7)[rng.integers(0, 7, 400)])
    clear = cooccurrence(np.eye(50)[features], np.eye(7)[features % 7])
    assert choose_smoothing(noise).smoothing.strength > 10
    assert choose_smoothing(clear).smoothing.strength < 0.1


# --- refusals ---------------------------------------------------------------------------------

ONE_HOT = np.eye(3)[[0, 1, 1, 2]], np.eye(2)[[0, 1, 0, 1]]


def test_no_candidates() -> None:
    with pytest.raises(
        BadOption, match=r"candidates must be a sequence of at least one smoothing.*, got \[\]"
    ):
        choose_smoothing(cooccurrence(*ONE_HOT), candidates=[])


@pytest.mark.parametrize(
    ("features", "targets", "temper"),
    [
        (ONE_HOT[0] * 2, ONE_HOT[1], False),
        (ONE_HOT[0] * 0.5, ONE_HOT[1], False),
        (ONE_HOT[0], ONE_HOT[1] * 2, False),
        (ONE_HOT[0], np.full((4, 2), 0.5), False),
        (ONE_HOT[0] * np.array([[1.0], [3.0], [1.0], [1.0]]), ONE_HOT[1], False),
        (*ONE_HOT, True),
    ],
    ids=["norm-2", "norm-half", "two-targets", "soft-targets", "one-norm-3", "temper"],
)
def test_leave_one_out_needs_one_hot_samples(features: Any, targets: Any, temper: bool) -> None:
    with pytest.raises(
        BadOption, match=r"held_out must be held-out samples .leave-one-out is.*, got None"
    ):
        choose_smoothing(cooccurrence(features, targets), temper=temper)


def test_leave_one_out_needs_two_samples() -> None:
    with pytest.raises(BadOption, match=r"samples must be a whole number >= 2.*, got 1"):
        choose_smoothing(cooccurrence(np.eye(3)[:1], np.eye(2)[:1]))


def test_held_out_samples_that_are_none() -> None:
    state = cooccurrence(*ONE_HOT)
    h, y = np.full((5, 3), 0.5), np.full((5, 2), 0.5)
    with pytest.raises(NegativeEntry, match=r"held_out features\[0, 0\] must be >= 0, got -0\.5"):
        choose_smoothing(state, (-h, y))
    with pytest.raises(EmptyTarget, match=r"held_out targets\[0\] must have a positive entry"):
        choose_smoothing(state, (h, 0 * y))
    with pytest.raises(
        NoSamples, match=r"held_out features must hold at least one sample, got none"
    ):
        choose_smoothing(state, (h[:0], y[:0]))
    with pytest.raises(ZeroCount, match=r"the count of feature 0 with target 1 must be > 0, got 0"):
        choose_smoothing(state, (h, y), candidates=[Backoff(1.0), Backoff(0.0)])


@pytest.mark.usefixtures("as_users_call")
def test_held_out_samples_of_other_shapes() -> None:
    state = cooccurrence(*ONE_HOT)
    with pytest.raises(
        WrongShape, match=r"held_out targets must have shape .*\(5, 2\).*, got \(4, 2\)"
    ):
        choose_smoothing(state, (np.ones((5, 3)), np.ones((4, 2))))
    with pytest.raises(
        WrongShape, match=r"held_out features must have shape .*\(any, 3\).*, got \(5, 7\)"
    ):
        choose_smoothing(state, (np.ones((5, 7)), np.ones((5, 2))))
    with pytest.raises(
        WrongShape, match=r"held_out targets must have shape .*\(5, 2\).*, got \(5, 7\)"
    ):
        choose_smoothing(state, (np.ones((5, 3)), np.ones((5, 7))))
