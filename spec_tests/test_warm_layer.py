"""The explicit solution of one SAFFU layer, attention included.   (SPEC 5)

G_k = g · x_k · (U (y' − h))ᵀ is nowhere written here: what a hidden target must be is taken from
the slope of the loss, by the complex step and by differences.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saffu.errors import BadOption, InvalidPivot, NegativeEntry, SignedInput, WrongShape, ZeroNorm
from saffu.explicit.hidden import hidden_targets
from saffu.explicit.smoothing import Additive, Backoff
from saffu.layer import LayerOptions, saffu_forward
from saffu.types import Array
from saffu.warm.layer import (
    LayerInputs,
    SoftmaxSettings,
    WarmSettings,
    attention_ascent,
    solve_attention,
    solve_layer,
    solve_softmax,
)
from spec_tests.conftest import shapes_unchecked
from spec_tests.support import naive_model, naive_warm, strategies
from spec_tests.support.adjoint import gradient
from spec_tests.support.models import ALL_OPTIONS, naive_choices

every_option = pytest.mark.parametrize(
    "options", ALL_OPTIONS, ids=lambda o: f"{o.aggregation}-{o.attention}-{o.gain}"
)
with_attention = pytest.mark.parametrize(
    "options",
    [options for options in ALL_OPTIONS if options.attention != "uniform"],
    ids=lambda o: f"{o.aggregation}-{o.attention}-{o.gain}",
)


def some_contexts(
    options: LayerOptions, seed: int = 3, samples: int = 11
) -> tuple[strategies.Contexts, Array]:
    """Contexts of 5 slots, partly valid, at least two of them; and targets of unequal mass."""
    rng = np.random.default_rng(seed)
    slots, width, hidden = 5, 3, 7
    mask = rng.random((samples, slots)) < 0.6
    mask[np.arange(samples), np.arange(samples) % slots] = True
    mask[np.arange(samples), (np.arange(samples) + 2) % slots] = True
    pivot = np.array([rng.choice(np.flatnonzero(row)) for row in mask])
    rows = width if options.aggregation == "sum" else slots * width
    contexts = strategies.Contexts(
        np.where(mask[..., None], strategies.simplex(rng, samples, slots, width), 0.0),
        mask,
        pivot,
        rng.normal(size=(slots, slots)),
        rng.normal(size=(rows, hidden)),
    )
    return contexts, strategies.targets(rng, samples, hidden)


def sample_loss(
    contexts: strategies.Contexts, options: LayerOptions, m: int, y: Array, a: Array
) -> Any:
    """ℓ = −⟨y, log h⟩ of sample m as a function of its attention on valid slots."""
    slots = np.flatnonzero(contexts.mask[m])
    g = len(slots) if options.gain == "count" else 1
    w = -np.log(a) if options.attention == "surprisal" else g * a
    x = contexts.inputs[m, slots]
    h = naive_model.read(x, slots.tolist(), w, contexts.feature_weights, options.aggregation)[1]
    return -np.sum(y * np.log(h))


def layer_and_ascent(
    contexts: strategies.Contexts, options: LayerOptions, targets: Array
) -> tuple[Any, Array]:
    state = saffu_forward(*contexts, options)
    ascent = attention_ascent(
        state, contexts.inputs, contexts.mask, contexts.feature_weights, targets, options
    )
    return state, ascent


# --- hidden targets of attention ----------------------------------------------------------------


@every_option
def test_the_ascent_is_the_slope_of_the_loss_by_attention(options: LayerOptions) -> None:
    contexts, targets = some_contexts(options)
    state, ascent = layer_and_ascent(contexts, options, targets)
    for m, valid in enumerate(contexts.mask):
        loss = partial(sample_loss, contexts, options, m, targets[m])
        slope = gradient(loss, state.attention[m, valid])
        np.testing.assert_allclose(ascent[m, valid], -slope, rtol=1e-11, atol=1e-12)
        assert not ascent[m, ~valid].any()


def loss_by_logits(
    contexts: strategies.Contexts, options: LayerOptions, m: int, y: Array, z: Array
) -> Any:
    return sample_loss(contexts, options, m, y, naive_model.softmax(z))


@with_attention
@given(st.integers(0, 999))
def test_hidden_targets_are_the_gradient_of_the_loss(options: LayerOptions, seed: int) -> None:
    """t − a = −∂ℓ/∂z before clipping, sample by sample, for targets of any mass."""
    with shapes_unchecked():
        contexts, targets = some_contexts(options, seed, samples=3)
        state, ascent = layer_and_ascent(contexts, options, targets)
        t = hidden_targets(state.attention, ascent, clip=False)
    for m, valid in enumerate(contexts.mask):
        loss = partial(loss_by_logits, contexts, options, m, targets[m])
        slope = gradient(loss, state.logits[m, valid])
        a = state.attention[m, valid]
        np.testing.assert_allclose(t[m, valid] - a, -slope, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(t.sum(axis=1), 1.0, rtol=1e-9)


@with_attention
def test_hidden_targets_by_central_differences(options: LayerOptions) -> None:
    contexts, targets = some_contexts(options, 5)
    state, ascent = layer_and_ascent(contexts, options, targets)
    t = hidden_targets(state.attention, ascent, clip=False)
    h = 1e-5
    for m, valid in enumerate(contexts.mask):
        z, y = state.logits[m, valid], targets[m]
        for k, slot in enumerate(np.flatnonzero(valid)):
            step = h * np.eye(len(z))[k]
            ends = [loss_by_logits(contexts, options, m, y, z + e) for e in (step, -step)]
            slope = (ends[0] - ends[1]) / (2 * h)
            move = t[m, slot] - state.attention[m, slot]
            assert move == pytest.approx(-slope, rel=1e-6, abs=1e-8)


@with_attention
def test_a_layer_that_hits_its_targets_keeps_its_attention(options: LayerOptions) -> None:
    """Where y' = h, at any mass, nothing pulls: G = 0 and t = a."""
    contexts, _ = some_contexts(options)
    hidden = saffu_forward(*contexts, options).hidden
    mass = np.linspace(0.5, 3.0, hidden.shape[0])[:, None]
    state, ascent = layer_and_ascent(contexts, options, mass * hidden)
    np.testing.assert_allclose(ascent, 0.0, atol=1e-12)
    t = hidden_targets(state.attention, ascent)
    np.testing.assert_allclose(t, state.attention, atol=1e-12)


@with_attention
def test_what_invalid_slots_hold_does_not_matter(options: LayerOptions) -> None:
    contexts, targets = some_contexts(options)
    filled = np.where(contexts.mask[..., None], contexts.inputs, -np.inf)
    state, ascent = layer_and_ascent(contexts, options, targets)
    again, same = layer_and_ascent(contexts._replace(inputs=filled), options, targets)
    assert same.tobytes() == ascent.tobytes()
    settings = WarmSettings()
    for one, two in zip(
        solve_layer(LayerInputs(*contexts[:3]), targets, options, settings).parameters,
        solve_layer(LayerInputs(filled, *contexts[1:3]), targets, options, settings).parameters,
        strict=True,
    ):
        np.testing.assert_allclose(two, one, rtol=1e-13)
    assert again.hidden.tobytes() == state.hidden.tobytes()


# --- W from comparisons and hidden targets ------------------------------------------------------


@pytest.mark.parametrize("smoothing", [Backoff(0.7), Additive(0.2)], ids=str)
def test_attention_weights_number_by_number(smoothing: Any) -> None:
    """U[d,i] = log F[d,i] − ((K−1)/K) log n_i, with comparisons for features."""
    rng = np.random.default_rng(2)
    c, t = strategies.features(rng, 7, 3), strategies.simplex(rng, 7, 3)
    F = [[sum(c[m, d] * t[m, i] for m in range(7)) for i in range(3)] for d in range(3)]
    total = sum(map(sum, F))
    n = [sum(row[i] for row in F) for i in range(3)]
    share = [(n[i] + 1) / (total + 3) for i in range(3)]
    for row in F:
        for i in range(3):
            row[i] += smoothing.strength * (1 if isinstance(smoothing, Additive) else share[i])
    n = [sum(row[i] for row in F) for i in range(3)]
    K = total / 7
    expected = [[math.log(row[i]) - (K - 1) / K * math.log(n[i]) for i in range(3)] for row in F]
    np.testing.assert_allclose(solve_attention(c, t, smoothing), expected, rtol=1e-12)


def test_attention_that_comparisons_can_express_is_a_fixed_point() -> None:
    """Where each context compares with one slot only (K = 1), t = a gives that attention back."""
    rng = np.random.default_rng(4)
    c = np.eye(3)[rng.permutation(np.arange(11) % 3)]
    W = rng.normal(size=(3, 3))
    a = np.array([naive_model.softmax(row @ W) for row in c])
    again = solve_attention(c, a, Additive(0.0))
    np.testing.assert_allclose([naive_model.softmax(row @ again) for row in c], a, rtol=1e-12)


# --- one softmax layer ------------------------------------------------------------------------


@given(strategies.generators(), st.floats(0.1, 3.0), st.floats(0.1, 3.0))
def test_a_softmax_layer_by_loops(rng: Any, temper: float, scale: float) -> None:
    h, y = strategies.features(rng, 7, 5), strategies.targets(rng, 7, 3)
    got = solve_softmax(h, y, SoftmaxSettings(Backoff(0.5), temper, scale))
    U, lam = naive_warm.solve_softmax(list(h), list(y), ("Backoff", 0.5), temper, scale)
    np.testing.assert_allclose(got.weights, U, rtol=1e-10, atol=1e-12)
    assert got.temper == pytest.approx(lam, rel=1e-14)


def test_a_fitted_temper_of_a_layer_by_loops() -> None:
    rng = np.random.default_rng(6)
    h, y = strategies.features(rng, 31, 5), strategies.targets(rng, 31, 3)
    got = solve_softmax(h, y, SoftmaxSettings(Backoff(2.0), None, 3.0))
    U, lam = naive_warm.solve_softmax(list(h), list(y), ("Backoff", 2.0), None, 3.0)
    assert got.temper == pytest.approx(lam, rel=1e-8)
    np.testing.assert_allclose(got.weights, U, rtol=1e-7, atol=1e-9)


# --- the layer ----------------------------------------------------------------------------------


def naive_solution(
    contexts: strategies.Contexts, targets: Array, options: LayerOptions, rounds: int
) -> naive_warm.Solved:
    asked = [
        naive_warm.Context(list(x), [(k, k) for k in np.flatnonzero(valid).tolist()], int(p))
        for x, valid, p in zip(contexts.inputs, contexts.mask, contexts.pivot, strict=True)
    ]
    recipe = naive_warm.Recipe(rounds=rounds)
    slots = contexts.mask.shape[1]
    return naive_warm.solve_layer(asked, list(targets), slots, naive_choices(options), recipe)


@pytest.mark.parametrize("rounds", [0, 1, 2, 3])
@every_option
def test_a_layer_by_loops(options: LayerOptions, rounds: int) -> None:
    """Any validity and any pivot, also those that no context model has."""
    contexts, targets = some_contexts(options, 7, samples=13)
    got = solve_layer(LayerInputs(*contexts[:3]), targets, options, WarmSettings(rounds=rounds))
    expected = naive_solution(contexts, targets, options, rounds)
    np.testing.assert_allclose(got.parameters.attention, expected.W, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(got.parameters.features, expected.U, rtol=1e-9, atol=1e-10)
    hidden = [trace.hidden for trace in expected.traces]
    np.testing.assert_allclose(got.state.hidden, hidden, rtol=1e-9)


@every_option
def test_the_state_is_what_the_solved_layer_computes(options: LayerOptions) -> None:
    contexts, targets = some_contexts(options, 9)
    got = solve_layer(LayerInputs(*contexts[:3]), targets, options, WarmSettings(rounds=2))
    for mine, other in zip(
        got.state, saffu_forward(*contexts[:3], *got.parameters, options), strict=True
    ):
        assert mine.tobytes() == other.tobytes()


@pytest.mark.parametrize("rounds", [0, 1, 3])
@pytest.mark.parametrize("aggregation", ["sum", "cat"])
def test_uniform_attention_leaves_its_weights_zero(aggregation: Any, rounds: int) -> None:
    options = LayerOptions(aggregation, "uniform")
    contexts, targets = some_contexts(options)
    got = solve_layer(LayerInputs(*contexts[:3]), targets, options, WarmSettings(rounds=rounds))
    assert not got.parameters.attention.any()


def test_no_rounds_are_uniform_attention() -> None:
    """W = 0 attends evenly, so softmax attention without rounds solves the same U."""
    contexts, targets = some_contexts(LayerOptions())
    settings = WarmSettings(rounds=0)
    softmax = solve_layer(LayerInputs(*contexts[:3]), targets, LayerOptions(), settings)
    uniform = solve_layer(
        LayerInputs(*contexts[:3]), targets, LayerOptions(attention="uniform"), settings
    )
    assert not softmax.parameters.attention.any()
    assert np.array_equal(softmax.parameters.features, uniform.parameters.features)


def test_one_hot_inputs_in_one_slot_are_shares_of_counts() -> None:
    """One slot and one-hot codes: K = 1, where the explicit solution is the global optimum."""
    ids, labels = np.array([0, 0, 0, 1, 1, 2, 2, 2, 2]), np.array([0, 1, 1, 2, 2, 0, 1, 1, 1])
    inputs, targets = np.eye(3)[ids][:, None, :], np.eye(5)[labels]
    mask, pivot = np.ones((9, 1), dtype=np.bool_), np.zeros(9, dtype=np.int64)
    settings = WarmSettings(hidden_smoothing=Additive(0.5))
    got = solve_layer(LayerInputs(inputs, mask, pivot), targets, LayerOptions(), settings)
    counts = np.array([[1, 2, 0, 0, 0], [0, 0, 2, 0, 0], [1, 3, 0, 0, 0]]) + 0.5
    shares = counts / counts.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(got.state.hidden, shares[ids], rtol=1e-12)


def test_one_hot_comparisons_say_which_slots_hold_the_same_token() -> None:
    """With one-hot codes c is 0 or 1: slots that repeat the pivot are told from the others."""
    ids = np.array([[0, 0, 1], [0, 1, 0], [1, 2, 2], [2, 2, 2], [1, 1, 0]])
    inputs = np.eye(3)[ids]
    mask, pivot = np.ones((5, 3), dtype=np.bool_), np.zeros(5, dtype=np.int64)
    targets = np.eye(5)[[0, 1, 2, 3, 4]]
    got = solve_layer(LayerInputs(inputs, mask, pivot), targets, LayerOptions(), WarmSettings())
    assert np.array_equal(got.state.comparisons, ids == ids[:, :1])


@pytest.mark.parametrize("aggregation", ["sum", "cat"])
def test_attention_finds_the_slot_that_tells(aggregation: Any) -> None:
    """Slot 1 holds the answer and slots 0 and 2 noise: its attention grows beyond an even third.

    The pivot takes part in every comparison, so W has something to read in every context.
    """
    rng = np.random.default_rng(8)
    ids = rng.integers(0, 7, (500, 3))
    inputs = 0.05 + 0.65 * np.eye(7)[ids]
    mask, pivot = np.ones((500, 3), dtype=np.bool_), np.zeros(500, dtype=np.int64)
    options = LayerOptions(aggregation)
    targets = np.eye(7)[ids[:, 1]]
    settings = [WarmSettings(rounds=rounds) for rounds in (0, 1)]
    even, told = (
        solve_layer(LayerInputs(inputs, mask, pivot), targets, options, each).state
        for each in settings
    )
    assert told.attention[:, 1].mean() > 0.4 > told.attention[:, [0, 2]].mean()

    def nats(hidden: Array) -> float:
        return float(-np.mean(np.sum(targets * np.log(hidden), axis=1)))

    assert nats(told.hidden) < nats(even.hidden) - 0.05


# --- tempers ----------------------------------------------------------------------------------


def test_the_scale_is_put_on_the_finished_layer_alone() -> None:
    """Hidden targets come from the layer without the factor, so W does not depend on it."""
    contexts, targets = some_contexts(LayerOptions())
    plain, scaled = (
        solve_layer(
            LayerInputs(*contexts[:3]),
            targets,
            LayerOptions(),
            WarmSettings(hidden_temper=0.5, hidden_scale=s),
        )
        for s in (1.0, 4.0)
    )
    assert np.array_equal(plain.parameters.attention, scaled.parameters.attention)
    assert (plain.temper, scaled.temper) == (0.5, 2.0)
    twice = solve_layer(
        LayerInputs(*contexts[:3]),
        targets,
        LayerOptions(attention="uniform"),
        WarmSettings(hidden_temper=2.0),
    )
    again = solve_layer(
        LayerInputs(*contexts[:3]),
        targets,
        LayerOptions(attention="uniform"),
        WarmSettings(hidden_temper=0.5, hidden_scale=4.0),
    )
    assert np.array_equal(twice.parameters.features, again.parameters.features)


# --- refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {"rounds": -1},
        {"rounds": 1.5},
        {"refits": -1},
        {"hidden_scale": 0.0},
        {"hidden_scale": math.nan},
        {"hidden_temper": math.nan},
        {"output_temper": math.inf},
    ],
    ids=str,
)
@pytest.mark.usefixtures("as_users_call")
def test_settings_that_are_none_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(BadOption, match=f"{next(iter(settings))} must be "):
        WarmSettings(**settings)


@pytest.mark.usefixtures("as_users_call")
def test_bad_input_of_a_layer_is_refused() -> None:
    options = LayerOptions()
    contexts, targets = some_contexts(options)
    inputs, mask, pivot = contexts[:3]
    settings = WarmSettings()
    below = inputs.copy()
    below[3, int(pivot[3]), 1] = -0.5
    with pytest.raises(SignedInput, match=r"inputs\[3, .* must be >= 0, got -0.5"):
        solve_layer(LayerInputs(below, mask, pivot), targets, options, settings)
    with pytest.raises(InvalidPivot, match=r"pivot\[0\] must be .*, got 5"):
        solve_layer(LayerInputs(inputs, mask, pivot * 0 + 5), targets, options, settings)
    negative = targets.copy()
    negative[2, 4] = -1.0
    with pytest.raises(NegativeEntry, match=r"targets\[2, 4\] must be >= 0, got -1"):
        solve_layer(LayerInputs(inputs, mask, pivot), negative, options, settings)
    with pytest.raises(WrongShape, match="targets"):
        solve_layer(LayerInputs(inputs, mask, pivot), targets[:-1], options, settings)


def test_surprisal_of_single_slots_has_no_features() -> None:
    """−log 1 = 0: there is nothing to solve for, and that is said."""
    inputs = np.eye(3)[[0, 1, 2, 1, 0]][:, None, :]
    mask, pivot = np.ones((5, 1), dtype=np.bool_), np.zeros(5, dtype=np.int64)
    options = LayerOptions(attention="surprisal")
    with pytest.raises(ZeroNorm):
        solve_layer(LayerInputs(inputs, mask, pivot), np.eye(5), options, WarmSettings())
