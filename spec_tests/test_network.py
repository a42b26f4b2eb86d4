"""Networks of softmax layers: gradients, explicit solutions, training, files.   (SPEC 1, 5, 6)"""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saffu.counts import cooccurrence
from saffu.errors import (
    BadFile,
    BadOption,
    LabelOutOfRange,
    NegativeEntry,
    NonFiniteEntry,
    NoSamples,
    NotConverged,
    NotFitted,
    SaffuError,
    TooFewBits,
    TrainingInterrupted,
    WrongShape,
    ZeroCount,
)
from saffu.explicit.hidden import hidden_targets
from saffu.explicit.smoothing import Additive, Backoff, Smoothing, smooth
from saffu.explicit.solution import explicit_solution
from saffu.explicit.temper import fit_temper, tempered_logits
from saffu.files import read_file, write_file
from saffu.loss import cross_entropy, token_nats
from saffu.network import (
    Examples,
    ExplicitSettings,
    HiddenLayer,
    SoftmaxLayer,
    SoftmaxNetwork,
    TrainingSettings,
)
from saffu.network.explicit import Goal, mean_norms, solve_layer
from saffu.network.labels import find_parts, owners, part_codes, part_of
from saffu.network.layers import (
    Layers,
    cold_layers,
    flatten,
    network_errors,
    network_forward,
    network_gradient,
    unflatten,
)
from saffu.network.stack import restricted
from saffu.network.training import TrainingState, start_training, train
from saffu.numerics import log_softmax, softmax
from saffu.types import Array
from spec_tests.support import strategies as draw
from spec_tests.support.adjoint import directional

STACKS = ((5, 3), (7, 5, 3), (5, 7, 2, 3))
"""Widths of networks: pairwise distinct primes."""

stacks = st.sampled_from(STACKS)


def some(rng: np.random.Generator, sizes: tuple[int, ...], samples: int) -> Examples:
    """Generic features of unequal norms, labels of every class."""
    labels = rng.permutation(np.arange(samples) % sizes[-1])
    return Examples(draw.features(rng, samples, sizes[0]), labels)


def learnable(rng: np.random.Generator, samples: int, classes: int = 3) -> Examples:
    """Features that tell the classes, but not quite: every seventh label is another one."""
    shown = np.arange(samples) % classes
    labels = (shown + (np.arange(samples) % 7 == 3)) % classes
    tell = draw.one_hot(shown, 7) * rng.uniform(0, 4, (samples, 1))
    return Examples(tell + rng.random((samples, 7)), labels)


def generic(rng: np.random.Generator, sizes: tuple[int, ...]) -> Layers:
    return tuple(
        SoftmaxLayer(rng.normal(0, 2, (d, n)), rng.normal(size=n)) for d, n in pairwise(sizes)
    )


# --- forward and back ---------------------------------------------------------------------------


@given(stacks, draw.generators())
def test_forward_number_by_number(sizes: tuple[int, ...], rng: draw.Seeded) -> None:
    layers, data = generic(rng, sizes), some(rng, sizes, 11)
    state, z = network_forward(layers, data.features), [0.0]
    for m, x in enumerate(data.features):
        h = [float(one) for one in x]
        for depth, (weights, bias) in enumerate(layers):
            np.testing.assert_allclose(state.inputs[depth][m], h, rtol=1e-12)
            z[:] = [
                sum(h[d] * weights[d, i] for d in range(len(h))) + bias[i] for i in range(len(bias))
            ]
            e = [np.exp(one - max(z)) for one in z]
            h = [one / sum(e) for one in e]
        np.testing.assert_allclose(state.logits[m], z, rtol=1e-9, atol=1e-12)


def network_loss(layers: Layers, features: Array, labels: Array) -> Array:
    """Mean nats of the labels [], complex where the layers are."""
    nats: Array = token_nats(network_forward(layers, features).logits, labels)
    return np.asarray(nats.mean())


@given(stacks, draw.generators())
def test_the_gradient_by_the_complex_step(sizes: tuple[int, ...], rng: draw.Seeded) -> None:
    layers, data = generic(rng, sizes), some(rng, sizes, 11)
    arrays = flatten(layers)
    loss, got = network_gradient(layers, *data)
    assert loss == pytest.approx(float(network_loss(layers, *data)), rel=1e-14)
    for index, array in enumerate(arrays):

        def changed(x: Array, at: int = index) -> Array:
            return network_loss(unflatten([*arrays[:at], x, *arrays[at + 1 :]]), *data)

        along = rng.normal(size=array.shape)
        scale = np.abs(got[index] * along).sum() + 1e-30
        assert abs((got[index] * along).sum() - directional(changed, array, along)) < 1e-11 * scale


@given(stacks, draw.generators())
def test_errors_are_those_of_each_sample_by_itself(
    sizes: tuple[int, ...], rng: draw.Seeded
) -> None:
    """At the hidden states, by the complex step through the rest of the network."""
    layers, data = generic(rng, sizes), some(rng, sizes, 3)
    state = network_forward(layers, data.features)
    slopes = network_errors(layers, state, data.labels).hidden
    assert len(slopes) == len(sizes) - 2
    for depth, slope in enumerate(slopes, start=1):
        for m in range(3):
            one, label = state.inputs[depth][m : m + 1], data.labels[m : m + 1]
            rest = layers[depth:]
            along = rng.normal(size=one.shape)
            expected = directional(partial(network_loss, rest, labels=label), one, along)
            scale = np.abs(slope[m] * along).sum() + 1e-30
            assert abs((slope[m] * along).sum() - expected) < 1e-11 * scale


def test_random_weights_have_the_scale_asked_for() -> None:
    first, second = cold_layers((211, 101, 97), (0.5, 3.0), seed=5)
    assert np.std(first.weights) == pytest.approx(0.5, rel=0.02)
    assert np.std(second.weights) == pytest.approx(3.0, rel=0.02)
    assert abs(np.mean(second.weights)) < 0.1
    assert not first.bias.any()
    again = cold_layers((211, 101, 97), (0.5, 3.0), seed=5)
    assert np.array_equal(again[1].weights, second.weights)
    assert not np.array_equal(cold_layers((211, 101, 97), (0.5, 3.0), 6)[1].weights, second.weights)


# --- explicit: one layer ------------------------------------------------------------------------


@given(draw.generators(), st.floats(0.1, 20), st.sampled_from([Additive(0.5), Backoff(2.0)]))
def test_one_layer_is_the_explicit_solution_for_inputs_of_one_norm(
    rng: draw.Seeded, norm: float, smoothing: Additive | Backoff
) -> None:
    h, y = norm * draw.simplex(rng, 13, 5), rng.permutation(np.arange(13) % 3)
    network = SoftmaxNetwork(5, 3)
    network.warm_start(Examples(h, y), settings=ExplicitSettings(smoothing, temper=1.0))
    weights = explicit_solution(cooccurrence(h, np.eye(3)[y]), smoothing).weights
    new = norm * draw.simplex(rng, 7, 5)
    np.testing.assert_allclose(
        network.predict_log_probabilities(new), log_softmax(new @ weights), rtol=0, atol=1e-11
    )


@given(draw.generators(), st.floats(0, 3))
def test_one_layer_is_the_tempered_solution_for_inputs_of_one_norm(
    rng: draw.Seeded, temper: float
) -> None:
    h, y = 3 * draw.simplex(rng, 13, 5), rng.permutation(np.arange(13) % 3)
    network = SoftmaxNetwork(5, 3)
    network.warm_start(Examples(h, y), settings=ExplicitSettings(temper=temper))
    counts = smooth(cooccurrence(h, np.eye(3)[y]).counts, Backoff(1.0))
    np.testing.assert_allclose(
        network.predict_log_probabilities(h),
        log_softmax(tempered_logits(h, counts, temper)),
        rtol=0,
        atol=1e-11,
    )


@given(draw.generators())
def test_without_evidence_the_prior_counts_samples_and_not_their_norms(rng: draw.Seeded) -> None:
    """λ = 0 says how often each class was seen, however heavy its inputs are."""
    y = np.array([0, 0, 0, 1, 1, 2, 2, 2, 2, 2, 2])
    heavy = draw.features(rng, 11, 5) * np.array([1.0, 70.0, 0.3])[y][:, None]
    network = SoftmaxNetwork(5, 3)
    tiny = ExplicitSettings(Additive(1e-9), temper=0.0)
    network.warm_start(Examples(heavy, y), settings=tiny)
    shares = np.exp(network.predict_log_probabilities(heavy[:1]))
    np.testing.assert_allclose(shares, [[3 / 11, 2 / 11, 6 / 11]], rtol=1e-6)


@given(draw.generators())
def test_mean_norms_one_target_at_a_time(rng: draw.Seeded) -> None:
    h, t = draw.features(rng, 11, 5), draw.targets(rng, 11, 3)
    expected = [np.average(h.sum(axis=1), weights=t[:, i]) for i in range(3)]
    np.testing.assert_allclose(mean_norms(cooccurrence(h, t), t.sum(axis=0)), expected, rtol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_the_temper_left_open_is_the_best_on_validation_data(seed: int) -> None:
    rng = np.random.default_rng(seed)
    data, held_out = learnable(rng, 60), learnable(rng, 61)
    fit = solve_layer(
        Goal(data.features, np.eye(3)[data.labels]),
        Goal(held_out.features, np.eye(3)[held_out.labels]),
        ExplicitSettings(),
    )

    def loss(factor: float) -> float:
        z = factor * (held_out.features @ fit.layer.weights) + fit.layer.bias
        return float(cross_entropy(z, np.eye(3)[held_out.labels]))

    assert loss(1.0) < min(loss(0.99), loss(1.01))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("temper", [None, 0.7])
def test_the_smoothing_left_open_is_the_best_on_validation_data(
    seed: int, temper: float | None
) -> None:
    rng = np.random.default_rng(seed)
    data, held_out = learnable(rng, 40), learnable(rng, 61)
    options: tuple[Smoothing, ...] = (Backoff(0.01), Additive(3.0), Backoff(300.0))
    settings = ExplicitSettings(None, candidates=options, temper=temper)
    goals = [Goal(each.features, np.eye(3)[each.labels]) for each in (data, held_out)]
    chosen = solve_layer(goals[0], goals[1], settings)

    def loss(smoothing: Smoothing) -> float:
        one = solve_layer(goals[0], goals[1], ExplicitSettings(smoothing, temper=temper)).layer
        return float(cross_entropy(goals[1].features @ one.weights + one.bias, goals[1].targets))

    assert chosen.smoothing == min(options, key=loss)


def test_where_no_temper_is_too_large_an_imagined_sample_bounds_it() -> None:
    """At every λ > 0 the layer is right on these; the imagined sample is of either class."""
    data = Examples(np.repeat(np.eye(2), 10, axis=0), np.repeat([0, 1], 10))
    goal = Goal(data.features, np.eye(2)[data.labels])
    fit = solve_layer(goal, goal, ExplicitSettings())
    p = softmax(fit.layer.weights + fit.layer.bias)
    np.testing.assert_allclose(p, [[41 / 42, 1 / 42], [1 / 42, 41 / 42]], rtol=1e-6)


# --- parts of classes ---------------------------------------------------------------------------


def test_parts_are_the_sides_of_the_principal_axes() -> None:
    """Two clouds, each long in its own direction; the second axis is the short one."""
    rng = np.random.default_rng(3)
    turn = [np.array([[0.6, 0.8], [-0.8, 0.6]]), np.array([[1.0, 0.0], [0.0, 1.0]])]
    along = rng.normal(size=(2, 500, 2)) * np.array([5.0, 1.0])
    x = np.concatenate([along[c] @ turn[c] + 50.0 for c in range(2)])
    data = Examples(x, np.repeat([0, 1], 500))
    parts = find_parts(data, 2, 2)
    for c in range(2):
        np.testing.assert_allclose(parts.means[c], x[500 * c : 500 * (c + 1)].mean(axis=0))
        agreement = turn[c] @ parts.axes[c]
        np.testing.assert_allclose(np.abs(agreement), np.eye(2), atol=0.05)
    signs = [np.sign(np.diag(turn[c] @ parts.axes[c])) for c in range(2)]
    centred = [along[c] - (parts.means[c] - 50.0) @ turn[c].T for c in range(2)]
    sides = np.concatenate([(centred[c] * signs[c] > 0) @ [1, 2] for c in range(2)])
    assert np.mean(part_of(parts, data) == sides + 4 * data.labels) > 0.97


@given(draw.generators())
def test_axes_are_those_of_the_covariance(rng: draw.Seeded) -> None:
    data = some(rng, (7, 3), 61)
    parts = find_parts(data, 3, 2)
    for c in range(3):
        own = data.features[data.labels == c]
        covariance = np.cov(own.T)
        values = np.linalg.eigvalsh(covariance)[::-1]
        np.testing.assert_allclose(parts.axes[c].T @ parts.axes[c], np.eye(2), atol=1e-9)
        for k in range(2):
            axis = parts.axes[c][:, k]
            np.testing.assert_allclose(covariance @ axis, values[k] * axis, atol=1e-9 * values[0])
            assert axis[np.argmax(np.abs(axis))] > 0


def test_with_no_axes_parts_are_classes() -> None:
    data = some(np.random.default_rng(1), (5, 3), 11)
    assert part_of(find_parts(data, 3, 0), data).tolist() == data.labels.tolist()


def test_codes_are_the_cipher_of_the_parts_by_frequency() -> None:
    part = np.array([2, 2, 2, 0, 0, 1])
    assert part_codes(part, 4, 4).tolist() == np.eye(4)[[1, 2, 0, 3]].tolist()
    assert part_codes(part, 4, 3)[[2, 0, 1, 3]].tolist() == [
        [1.0, 0.0, 0.0],
        [0.0, 1.0, 0.0],
        [0.0, 0.0, 1.0],
        [0.0, 0.5, 0.5],
    ]


def test_units_belong_to_the_classes_whose_parts_use_them() -> None:
    codes = np.array([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.5, 0.5]])
    assert owners(codes, 2).tolist() == [[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]]


# --- explicit: stacks ---------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_two_layers_are_two_single_ones(seed: int) -> None:
    """The hidden layer predicts the codes of the classes, the output reads what it computes."""
    rng = np.random.default_rng(seed)
    data, held_out = learnable(rng, 40), learnable(rng, 61)
    network = SoftmaxNetwork(7, 3, [HiddenLayer(width=2)])
    (record,) = network.warm_start(data, held_out)
    codes = part_codes(data.labels, 3, 2)
    first = solve_layer(
        Goal(data.features, codes[data.labels]),
        Goal(held_out.features, codes[held_out.labels]),
        ExplicitSettings(),
    )
    h, hv = (softmax(x.features @ first.layer.weights + first.layer.bias) for x in (data, held_out))
    counts = smooth(cooccurrence(h, np.eye(3)[data.labels]).counts, Backoff(1.0))
    second = fit_temper(hv, np.eye(3)[held_out.labels], counts)
    assert record.tempers == pytest.approx((first.temper, second.temper[0]), rel=1e-6)
    assert record.nats == pytest.approx(second.loss, rel=1e-9)
    np.testing.assert_allclose(
        network.predict_log_probabilities(held_out.features),
        log_softmax(tempered_logits(hv, counts, second.temper)),
        atol=1e-9,
    )


def moons(rng: np.random.Generator, samples: int) -> Examples:
    """No line tells these classes apart: each has two modes, crosswise."""
    corner = rng.integers(0, 4, samples)
    centres = np.array([[1.0, 1.0], [4.0, 4.0], [1.0, 4.0], [4.0, 1.0]])
    x = np.maximum(centres[corner] + rng.normal(0, 0.5, (samples, 2)), 0)
    full = np.concatenate([x, 6 - np.minimum(x, 6)], axis=1)
    return Examples(full, np.asarray(corner // 2))


def test_parts_solve_what_no_single_layer_can() -> None:
    rng = np.random.default_rng(7)
    data, held_out, new = moons(rng, 400), moons(rng, 401), moons(rng, 997)
    one = SoftmaxNetwork(4, 2)
    one.warm_start(data, held_out, ExplicitSettings(temper=1.0))
    assert one.accuracy(new) < 0.7
    two = SoftmaxNetwork(4, 2, [HiddenLayer(axes=1)])
    two.warm_start(data, held_out)
    assert two.sizes == (4, 4, 2)
    assert two.accuracy(new) > 0.97


@given(draw.generators())
def test_restricting_to_the_own_class_is_a_hidden_target(rng: draw.Seeded) -> None:
    """Of ℓ = −log Σ_{j ∈ y} h_j, whose G is 1 / Σ on the units of the class and 0 elsewhere."""
    h, labels = draw.simplex(rng, 11, 5), rng.integers(0, 3, 11)
    own = np.array([[1.0, 1.0, 0, 0, 0], [0, 1.0, 1.0, 0, 0], [0, 0, 0, 1.0, 1.0]])
    inside = (h * own[labels]).sum(axis=1, keepdims=True)
    expected = hidden_targets(h, own[labels] / inside, clip=False)
    np.testing.assert_allclose(restricted(h, own, labels, h), expected, atol=1e-11)


def test_where_nothing_of_the_own_class_is_left_the_code_stays() -> None:
    h, code = np.array([[0.0, 1.0]]), np.array([[1.0, 0.0]])
    assert restricted(h, np.eye(2), np.array([0]), code).tolist() == code.tolist()


@pytest.mark.parametrize("refit", ["parts", "above"])
def test_a_refit_solves_for_the_hidden_targets(refit: Any) -> None:
    rng = np.random.default_rng(11)
    data, held_out = learnable(rng, 60), learnable(rng, 61)
    settings = ExplicitSettings(refits=1, refit=refit)
    network = SoftmaxNetwork(7, 3, [HiddenLayer(axes=1)])
    rounds = network.warm_start(data, held_out, settings)
    start = SoftmaxNetwork(7, 3, [HiddenLayer(axes=1)])
    assert start.warm_start(data, held_out) == rounds[:1]
    codes = part_codes(part_of(find_parts(data, 3, 1), data), 6, 6)
    targets = []
    for each in (data, held_out):
        state = network_forward(start.layers, each.features)
        h = state.inputs[1]
        if refit == "parts":
            own = owners(codes, 3)[each.labels]
            targets.append(h * own / (h * own).sum(axis=1, keepdims=True))
        else:
            up = (np.eye(3)[each.labels] - softmax(state.logits)) @ start.layers[1].weights.T
            targets.append(hidden_targets(h, up))
    goals = [Goal(x.features, t) for x, t in zip((data, held_out), targets, strict=True)]
    hidden = solve_layer(goals[0], goals[1], ExplicitSettings())
    assert rounds[1].tempers[0] == pytest.approx(hidden.temper, rel=1e-6)
    best = min(one.nats for one in rounds)
    assert network.cross_entropy(held_out) == pytest.approx(best, rel=1e-9)


def test_refits_end_where_the_best_round_was() -> None:
    rng = np.random.default_rng(13)
    data, held_out = moons(rng, 200), moons(rng, 401)
    network = SoftmaxNetwork(4, 2, [HiddenLayer(axes=2)])
    rounds = network.warm_start(data, held_out, ExplicitSettings(refits=5))
    assert len(rounds) == 6
    assert network.cross_entropy(held_out) == pytest.approx(min(r.nats for r in rounds), rel=1e-9)


def test_hidden_layers_are_softened_by_their_factor() -> None:
    rng = np.random.default_rng(17)
    data, held_out = learnable(rng, 60), learnable(rng, 61)
    plain, soft = (SoftmaxNetwork(7, 3, [HiddenLayer()]) for _ in range(2))
    (before,) = plain.warm_start(data, held_out)
    (after,) = soft.warm_start(data, held_out, ExplicitSettings(hidden_scale=0.5))
    np.testing.assert_allclose(soft.layers[0].weights, plain.layers[0].weights / 2, rtol=1e-12)
    np.testing.assert_allclose(soft.layers[0].bias, plain.layers[0].bias, rtol=1e-12)
    assert after.tempers[0] == pytest.approx(before.tempers[0] / 2)
    assert after.tempers[1] > before.tempers[1], "the output layer makes up for it"


def test_three_layers_and_single_precision() -> None:
    rng = np.random.default_rng(19)
    data, held_out = moons(rng, 300), moons(rng, 401)
    results = []
    for dtype in ("float64", "float32"):
        network = SoftmaxNetwork(4, 2, [HiddenLayer(2), HiddenLayer(1)], dtype=dtype)
        network.warm_start(data, held_out)
        assert {array.dtype.name for array in flatten(network.layers)} == {dtype}
        assert network.predict_log_probabilities(data.features).dtype == dtype
        results.append(network.predict_log_probabilities(held_out.features))
    np.testing.assert_allclose(results[1], results[0], atol=2e-3)
    assert np.mean(results[0].argmax(axis=1) == held_out.labels) > 0.97


# --- training -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("as_users_call")
def test_training_ends_at_the_optimum_of_a_convex_problem() -> None:
    """One layer: the gradient vanishes, from whichever start."""
    data = learnable(np.random.default_rng(23), 60)
    ends = []
    for start in ("explicit", "cold"):
        network = SoftmaxNetwork(7, 3)
        if start == "cold":
            network.cold_start(1.0, seed=3)
        else:
            network.warm_start(data, settings=ExplicitSettings(temper=1.0))
        network.train(data, settings=TrainingSettings(0.5, "sgd", batch=60, epochs=2000))
        _, slopes = network_gradient(network.layers, *data)
        assert max(np.abs(slope).max() for slope in slopes) < 3e-4
        ends.append(network.cross_entropy(data))
    assert ends[0] == pytest.approx(ends[1], abs=1e-4)


def test_one_epoch_of_gradient_descent_step_by_step() -> None:
    """One batch holds all samples, so their order is of no account but for rounding."""
    data = learnable(np.random.default_rng(29), 30)
    network = SoftmaxNetwork(7, 3, [HiddenLayer(1)])
    network.cold_start(0.5, seed=7)
    arrays = flatten(network.layers)
    history = network.train(data, settings=TrainingSettings(0.3, "sgd", batch=30, epochs=1))
    loss, slopes = network_gradient(unflatten(arrays), *data)
    for got, array, slope in zip(flatten(network.layers), arrays, slopes, strict=True):
        np.testing.assert_allclose(got, array - 0.3 * slope, rtol=0, atol=1e-14)
    assert [epoch.epoch for epoch in history] == [0, 1]
    assert history[1].train_nats == pytest.approx(loss, rel=1e-12)


def test_the_last_batch_may_be_smaller_and_every_sample_is_seen() -> None:
    data = learnable(np.random.default_rng(31), 23)
    steps = []

    def progress(stage: str, done: int, total: int) -> None:
        steps.append((stage, done, total))

    network = SoftmaxNetwork(7, 3)
    network.cold_start(0.0)
    history = network.train(
        data, settings=TrainingSettings(1e-9, "sgd", batch=7, epochs=1), progress=progress
    )
    assert steps == [("epoch 1", done, 23) for done in (0, 7, 14, 21, 23)]
    assert history[1].train_nats == pytest.approx(np.log(3), rel=1e-6)


def test_every_sample_is_seen_once_an_epoch() -> None:
    """One sample a step, and steps so short that the gradients add up."""
    data = learnable(np.random.default_rng(31), 23)
    network = SoftmaxNetwork(7, 3)
    network.cold_start(0.0)
    whole = network_gradient(network.layers, *data)[1]
    network.train(data, settings=TrainingSettings(1e-9, "sgd", batch=1, epochs=1))
    for got, slope in zip(flatten(network.layers), whole, strict=True):
        np.testing.assert_allclose(got, -1e-9 * 23 * slope, rtol=1e-5, atol=1e-16)


def test_training_keeps_the_best_and_stops_when_patience_ends() -> None:
    rng = np.random.default_rng(37)
    data, held_out = learnable(rng, 30), learnable(rng, 61)
    network = SoftmaxNetwork(7, 3, [HiddenLayer(1)])
    network.cold_start(0.1, seed=1)
    settings = TrainingSettings(0.1, batch=5, epochs=200, patience=3)
    history = network.train(data, held_out, settings)
    nats = [epoch.validation_nats for epoch in history]
    assert None not in nats
    best = int(np.argmin(nats))  # type: ignore[arg-type]
    assert 0 < best < len(nats) - 1 == best + 3
    assert network.cross_entropy(held_out) == pytest.approx(nats[best], rel=1e-12)
    assert network.history == history


def test_a_start_that_training_only_spoils_comes_back_as_it_was() -> None:
    rng = np.random.default_rng(41)
    data, held_out = learnable(rng, 30), learnable(rng, 61)
    network = SoftmaxNetwork(7, 3)
    network.warm_start(data, held_out)
    before = flatten(network.layers)
    network.train(data, held_out, TrainingSettings(30.0, "sgd", batch=5, epochs=5))
    assert all(map(np.array_equal, before, flatten(network.layers)))


def test_the_seed_decides_the_order() -> None:
    data = learnable(np.random.default_rng(43), 31)
    ends = []
    for seed in (1, 1, 2):
        network = SoftmaxNetwork(7, 3)
        network.cold_start(0.1, seed=5)
        network.train(data, settings=TrainingSettings(0.1, batch=7, epochs=3, seed=seed))
        ends.append(network.layers[0].weights)
    assert np.array_equal(ends[0], ends[1])
    assert not np.allclose(ends[0], ends[2])


def test_a_state_is_a_value_and_training_goes_on_from_it() -> None:
    rng = np.random.default_rng(47)
    data, held_out = learnable(rng, 31), learnable(rng, 61)
    states: list[TrainingState] = []
    start = start_training(cold_layers((7, 5, 3), (0.1, 1.0), 3), held_out)
    settings = TrainingSettings(0.01, batch=7, epochs=6)
    whole = train(start, data, held_out, settings, keep=states.append)
    assert [state.log.history[-1].epoch for state in states] == [1, 2, 3, 4, 5, 6]
    resumed = train(states[2], data, held_out, settings)
    assert all(map(np.array_equal, flatten(whole.layers), flatten(resumed.layers)))


@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
def test_training_goes_on_from_a_checkpoint_as_if_never_stopped(
    tmp_path: Path, optimiser: Any
) -> None:
    rng = np.random.default_rng(53)
    data, held_out = learnable(rng, 31), learnable(rng, 61)

    def fitted(epochs: int, checkpoint: Path | None, *, resume: bool = False) -> SoftmaxNetwork:
        network = SoftmaxNetwork(7, 3, [HiddenLayer(1)], dtype="float32")
        network.cold_start(0.1, seed=5)
        settings = TrainingSettings(0.01, optimiser, batch=7, epochs=epochs, patience=9)
        network.train(data, held_out, settings, checkpoint=checkpoint, resume=resume)
        return network

    whole = fitted(7, None)
    stopped = fitted(3, tmp_path / "state")
    resumed = fitted(7, tmp_path / "state", resume=True)
    assert not np.array_equal(stopped.layers[0].weights, whole.layers[0].weights)
    assert all(map(np.array_equal, flatten(whole.layers), flatten(resumed.layers)))
    losses = [(e.epoch, e.train_nats, e.validation_nats) for e in whole.history]
    assert [(e.epoch, e.train_nats, e.validation_nats) for e in resumed.history] == losses
    begun = fitted(3, tmp_path / "state")  # without resume, whatever is there
    assert all(map(np.array_equal, flatten(stopped.layers), flatten(begun.layers)))


def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    data = learnable(np.random.default_rng(59), 31)
    path = tmp_path / "state"

    def fit(
        settings: TrainingSettings,
        hidden: list[HiddenLayer],
        dtype: Any = "float64",
        resume: bool = True,
    ) -> None:
        network = SoftmaxNetwork(7, 3, hidden, dtype=dtype)
        network.cold_start(0.1)
        network.train(data, settings=settings, checkpoint=path, resume=resume)

    with pytest.raises(BadFile, match="no such file"):
        fit(TrainingSettings(0.01), [])
    fit(TrainingSettings(0.01, epochs=1), [], resume=False)
    fit(TrainingSettings(0.01, epochs=2, patience=7), [])
    with pytest.raises(
        BadOption, match=r"rate must be .*0\.01, as when training began.*, got 0\.02"
    ):
        fit(TrainingSettings(0.02, epochs=2, seed=1), [])
    with pytest.raises(BadFile, match="of another network"):
        fit(TrainingSettings(0.01, epochs=2), [HiddenLayer()])
    with pytest.raises(BadFile, match="of another network"):
        fit(TrainingSettings(0.01, epochs=2), [], "float32")
    network = SoftmaxNetwork(7, 3)
    network.cold_start(0.1)
    with pytest.raises(BadOption, match="the file to resume from"):
        network.train(data, resume=True)
    with pytest.raises(BadFile, match="cannot be written"):
        network.train(data, checkpoint=tmp_path / "no folder" / "state")
    network.save(path)
    with pytest.raises(BadFile, match="saffu-network-training"):
        fit(TrainingSettings(0.01), [])


@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
def test_numbers_that_leave_the_finite_are_refused(optimiser: Any) -> None:
    data = learnable(np.random.default_rng(61), 31)
    data = Examples(data.features * 1e30, data.labels)
    network = SoftmaxNetwork(7, 3, dtype="float32")
    network.cold_start(0.1)
    before = flatten(network.layers)
    with pytest.raises(NotConverged, match="lower the learning rate, which is 1e"):
        network.train(data, settings=TrainingSettings(1e30, optimiser, batch=7))
    assert all(map(np.array_equal, before, flatten(network.layers)))


class Interrupting:
    """Progress that is interrupted at one of its calls."""

    def __init__(self, call: int) -> None:
        self.left = call

    def __call__(self, stage: str, done: int, total: int) -> None:  # noqa: ARG002
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


@pytest.mark.parametrize("call", [1, 3, 9, 20])
def test_an_interrupted_training_keeps_the_best_and_goes_on(tmp_path: Path, call: int) -> None:
    rng = np.random.default_rng(53)
    data, held_out = learnable(rng, 31), learnable(rng, 61)
    settings = TrainingSettings(0.05, batch=7, epochs=5, patience=9)
    whole, broken, later = (SoftmaxNetwork(7, 3, [HiddenLayer(1)]) for _ in range(3))
    for network in (whole, broken, later):
        network.cold_start(0.1, seed=5)
    whole.train(data, held_out, settings)
    place = tmp_path / "state"
    with pytest.raises(TrainingInterrupted, match=f"what was reached is in {place}"):
        broken.train(data, held_out, settings, checkpoint=place, progress=Interrupting(call))
    nats = [epoch.validation_nats for epoch in broken.history]
    assert broken.cross_entropy(held_out) == pytest.approx(min(filter(None, nats)), rel=1e-12)
    later.train(data, held_out, settings, checkpoint=place, resume=True)
    assert all(map(np.array_equal, flatten(whole.layers), flatten(later.layers)))


def test_fit_is_the_explicit_solution_and_then_training() -> None:
    rng = np.random.default_rng(59)
    data, held_out = learnable(rng, 31), learnable(rng, 61)
    settings, explicit = TrainingSettings(0.01, batch=7, epochs=2), ExplicitSettings(None)
    for training in (None, settings):
        steps, once = SoftmaxNetwork(7, 3, [HiddenLayer(1)]), SoftmaxNetwork(7, 3, [HiddenLayer(1)])
        steps.warm_start(data, held_out, explicit)
        if training is not None:
            steps.train(data, held_out, training)
        assert once.fit(data, held_out, training, explicit=explicit) is once
        assert all(map(np.array_equal, flatten(steps.layers), flatten(once.layers)))


# --- predictions --------------------------------------------------------------------------------


def test_measures_example_by_example() -> None:
    rng = np.random.default_rng(67)
    data = learnable(rng, 37)
    network = SoftmaxNetwork(7, 3, [HiddenLayer(1)])
    network.cold_start(2.0, seed=3)
    logs = network.predict_log_probabilities(data.features)
    np.testing.assert_allclose(np.exp(logs).sum(axis=1), 1, rtol=1e-12)
    right = [int(logs[m].argmax()) == y for m, y in enumerate(data.labels)]
    assert network.accuracy(data) == sum(right) / 37
    nats = [-logs[m, y] for m, y in enumerate(data.labels)]
    assert network.cross_entropy(data) == pytest.approx(sum(nats) / 37, rel=1e-12)


def test_many_rows_are_predicted_as_few(monkeypatch: pytest.MonkeyPatch) -> None:
    data = learnable(np.random.default_rng(71), 37)
    network = SoftmaxNetwork(7, 3)
    network.cold_start(2.0, seed=3)
    whole = network.predict_log_probabilities(data.features), network.cross_entropy(data)
    monkeypatch.setattr("saffu.network.classifier.ROWS", 5)
    monkeypatch.setattr("saffu.network.training.ROWS", 5)
    np.testing.assert_allclose(network.predict_log_probabilities(data.features), whole[0])
    assert network.cross_entropy(data) == pytest.approx(whole[1], rel=1e-14)


# --- files --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_network_comes_back_from_its_file(tmp_path: Path, dtype: Any) -> None:
    rng = np.random.default_rng(73)
    data, held_out = learnable(rng, 31), learnable(rng, 61)
    hidden = [HiddenLayer(2, 5), HiddenLayer(1)]
    network = SoftmaxNetwork(7, 3, hidden, dtype=dtype)
    network.warm_start(data, held_out)
    network.train(data, held_out, TrainingSettings(0.01, epochs=2))
    network.save(tmp_path / "network")
    got = SoftmaxNetwork.load(tmp_path / "network")
    assert (got.sizes, got.hidden, got.dtype) == ((7, 5, 6, 3), tuple(hidden), dtype)
    assert got.history == network.history
    assert all(map(np.array_equal, flatten(network.layers), flatten(got.layers)))
    before = network.predict_log_probabilities(data.features)
    assert np.array_equal(got.predict_log_probabilities(data.features), before)


@pytest.mark.parametrize(
    ("header", "arrays"),
    [
        ({}, {}),
        ({"features": 3}, {}),
        ({"features": 0}, {}),
        ({"dtype": "float16"}, {}),
        ({"hidden": [[0]]}, {}),
        ({"hidden": [[0, None]]}, {}),
        ({}, {"layer0.weights": np.full((7, 3), np.nan)}),
        ({}, {"layer1.weights": np.ones((7, 3))}),
    ],
    ids=["missing", "width", "none", "dtype", "pair", "layers", "NaN", "gap"],
)
def test_files_that_hold_no_network_are_refused(
    tmp_path: Path, header: dict[str, Any], arrays: dict[str, Array]
) -> None:
    network = SoftmaxNetwork(7, 3)
    network.cold_start(0.1)
    network.save(tmp_path / "network")
    good = read_file(tmp_path / "network", "saffu-network")
    contents = {**good.arrays, **arrays}
    if not header and not arrays:
        del contents["layer0.bias"]
    write_file(tmp_path / "bad", "saffu-network", 1, {**good.header, **header}, contents)
    with pytest.raises(BadFile, match=r"no network of saffu|array|expected"):
        SoftmaxNetwork.load(tmp_path / "bad")


# --- refusals -----------------------------------------------------------------------------------

GOOD = learnable(np.random.default_rng(79), 31)


def spoilt(at: tuple[int, int], value: float) -> Array:
    features = GOOD.features.copy()
    features[at] = value
    return features


BAD_DATA: dict[str, tuple[Examples, type[SaffuError], str]] = {
    "negative": (Examples(spoilt((3, 2), -1.0), GOOD.labels), NegativeEntry, r"features\[3, 2\]"),
    "NaN": (Examples(spoilt((5, 1), np.nan), GOOD.labels), NonFiniteEntry, r"features\[5, 1\]"),
    "width": (Examples(GOOD.features[:, :5], GOOD.labels), WrongShape, r"\(31, 5\)"),
    "fewer": (Examples(GOOD.features, GOOD.labels[:30]), WrongShape, r"\(30,\)"),
    "class": (
        Examples(GOOD.features, np.where(np.arange(31) == 4, 3, GOOD.labels)),
        LabelOutOfRange,
        r"labels\[4\] must be a label in 0 … 2, got 3",
    ),
    "below": (
        Examples(GOOD.features, GOOD.labels - 1),
        LabelOutOfRange,
        r"labels\[0\] must be a label in 0 … 2, got -1",
    ),
    "fractions": (
        Examples(GOOD.features, GOOD.labels / 2),  # type: ignore[arg-type]
        BadOption,
        "integer type",
    ),
    "none": (
        Examples(GOOD.features[:0], GOOD.labels[:0]),
        NoSamples,
        "features must hold at least one sample, got none",
    ),
}


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize("kind", list(BAD_DATA))
@pytest.mark.parametrize(
    "call", ["warm_start", "fit", "train", "validation", "accuracy", "cross_entropy"]
)
def test_data_that_does_not_fit_is_refused(kind: str, call: str) -> None:
    data, error, message = BAD_DATA[kind]
    network = SoftmaxNetwork(7, 3)
    network.cold_start(0.1)
    before = network.layers
    given = (GOOD, data) if call == "validation" else (data,)
    with pytest.raises(error, match=message):
        getattr(network, "warm_start" if call == "validation" else call)(*given)
    assert network.layers is before


@pytest.mark.usefixtures("as_users_call")
def test_predictions_refuse_what_training_refuses() -> None:
    network = SoftmaxNetwork(7, 3)
    network.cold_start(0.1)
    with pytest.raises(NegativeEntry, match=r"features\[3, 2\]"):
        network.predict_log_probabilities(spoilt((3, 2), -1.0))
    with pytest.raises(WrongShape):
        network.predict_log_probabilities(GOOD.features[:, :3])


def test_a_network_without_weights_says_so(tmp_path: Path) -> None:
    network = SoftmaxNetwork(7, 3)
    for call in (
        lambda: network.predict_log_probabilities(GOOD.features),
        lambda: network.train(GOOD),
        lambda: network.save(tmp_path / "network"),
        lambda: network.layers,
    ):
        with pytest.raises(NotFitted, match=r"warm_start\(\) or cold_start\(\)"):
            call()


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SoftmaxNetwork(0, 3), "features must be .*, got 0"),
        (lambda: SoftmaxNetwork(7, 1), "classes must be .*, got 1"),
        (lambda: SoftmaxNetwork(7, 3, dtype="float16"), "dtype must be .*, got 'float16'"),  # type: ignore[arg-type]
        (lambda: HiddenLayer(axes=-1), "axes must be .*, got -1"),
        (lambda: HiddenLayer(width=0), "width must be .*, got 0"),
        (lambda: ExplicitSettings(None, candidates=()), "at least one smoothing"),
        (lambda: ExplicitSettings(temper=-1.0), "temper must be .*, got -1.0"),
        (lambda: ExplicitSettings(hidden_scale=0.0), "hidden_scale must be .*, got 0.0"),
        (lambda: ExplicitSettings(refit="x"), "refit must be .*, got 'x'"),  # type: ignore[arg-type]
        (lambda: TrainingSettings(rate=0.0), "rate must be .*, got 0.0"),
        (lambda: TrainingSettings(optimiser="x"), "optimiser must be .*, got 'x'"),  # type: ignore[arg-type]
        (lambda: TrainingSettings(batch=0), "batch must be .*, got 0"),
        (
            lambda: SoftmaxNetwork(7, 3).cold_start([0.1, 0.2]),
            "scale must be one number, or a sequence of 1",
        ),
        (lambda: SoftmaxNetwork(7, 3).cold_start(-0.1), "scale must be .*, got -0.1"),
        (lambda: SoftmaxNetwork(7, 3).warm_start(GOOD), "validation must be .*, got None"),
        (
            lambda: SoftmaxNetwork(7, 3, [HiddenLayer(width=4)]).warm_start(GOOD, GOOD),
            "width must be at most 3.*, got 4",
        ),
        (
            lambda: SoftmaxNetwork(7, 3, [HiddenLayer(axes=8)]).warm_start(GOOD, GOOD),
            "axes must be at most 7.*, got 8",
        ),
    ],
)
def test_settings_outside_of_what_they_may_be_are_refused(make: Any, message: str) -> None:
    with pytest.raises(BadOption, match=message):
        make()


def test_too_narrow_a_layer_is_refused() -> None:
    network = SoftmaxNetwork(7, 3, [HiddenLayer(axes=1, width=2)])
    with pytest.raises(TooFewBits, match="bits must be at least 3"):
        network.warm_start(GOOD, GOOD)


def test_a_class_without_examples_is_refused_where_it_is_to_be_taken_apart() -> None:
    two = Examples(GOOD.features[GOOD.labels < 2], GOOD.labels[GOOD.labels < 2])
    with pytest.raises(BadOption, match="no example of class 2"):
        SoftmaxNetwork(7, 3, [HiddenLayer()]).warm_start(two, GOOD)


def test_a_zero_that_nothing_smooths_is_refused() -> None:
    data = Examples(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([0, 1]))
    settings = ExplicitSettings(Additive(0.0), temper=1.0)
    with pytest.raises(ZeroCount, match="feature 0 with target 1 must be > 0, got 0"):
        SoftmaxNetwork(2, 2).warm_start(data, settings=settings)


@pytest.mark.usefixtures("as_users_call")
def test_weights_of_other_shapes_are_refused() -> None:
    network = SoftmaxNetwork(7, 3)
    layer = SoftmaxLayer(np.ones((7, 3)), np.zeros(3))
    network.layers = (layer,)
    for layers, message in (
        ((), "0 layers"),
        ((layer, layer), "2 layers"),
        ((layer._replace(weights=np.ones((3, 7))),), r"weights must have shape .*, got \(3, 7\)"),
        ((layer._replace(bias=np.zeros(2)),), r"bias must have shape .*, got \(2,\)"),
        ((layer._replace(bias=np.array([0.0, np.inf, 0.0])),), r"layers\[0\]\.bias\[1\]"),
    ):
        with pytest.raises(SaffuError, match=message):
            network.layers = layers


# --- witness ------------------------------------------------------------------------------------


@pytest.mark.torch
@given(draw.generators(), st.floats(0.01, 10))
def test_one_layer_is_multinomial_naive_bayes(rng: draw.Seeded, strength: float) -> None:
    """Of scikit-learn, for inputs of any norms, given the same class prior."""
    bayes = pytest.importorskip("sklearn.naive_bayes")
    data, new = some(rng, (5, 3), 17), draw.features(rng, 11, 5)
    network = SoftmaxNetwork(5, 3)
    network.warm_start(data, settings=ExplicitSettings(Additive(strength), temper=1.0))
    prior = softmax(network.layers[0].bias)
    model = bayes.MultinomialNB(alpha=strength, class_prior=prior).fit(*data)
    np.testing.assert_allclose(
        network.predict_log_probabilities(new), model.predict_log_proba(new), atol=1e-10
    )


@pytest.mark.torch
@given(stacks, draw.generators())
def test_the_gradient_is_that_of_torch(sizes: tuple[int, ...], rng: draw.Seeded) -> None:
    torch = pytest.importorskip("torch")
    layers, data = generic(rng, sizes), some(rng, sizes, 11)
    arrays = [torch.tensor(array, requires_grad=True) for array in flatten(layers)]
    h = z = torch.tensor(data.features)
    for weights, bias in zip(arrays[::2], arrays[1::2], strict=True):
        z = h @ weights + bias
        h = torch.softmax(z, dim=-1)
    loss = torch.nn.functional.cross_entropy(z, torch.tensor(data.labels))
    loss.backward()
    got_loss, got = network_gradient(layers, *data)
    assert got_loss == pytest.approx(loss.item(), rel=1e-12)
    for mine, theirs in zip(got, arrays, strict=True):
        np.testing.assert_allclose(mine, theirs.grad.numpy(), rtol=1e-9, atol=1e-13)
