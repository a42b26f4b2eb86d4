"""Explicit solution of a whole network, from the features up, and its refits.   (SPEC 5)

In the first round hidden layers predict label codes.  In each refit they predict hidden targets:

`"above"`: t = h ⊙ (1 + G − ⟨h, G⟩), with G = −∂ℓ/∂h from the present layers above.

`"parts"`: the same for the loss ℓ = −log Σ_{j ∈ y} h_j, which reads a layer as a sum over the units
j of class y.  There ⟨h, G⟩ = 1, so t is h restricted to those units.  It is a step of
expectation-maximisation in mixtures of naive Bayes models, one mixture per class (Dempster, Laird &
Rubin 1977), in which each part of a class takes its own shape.   [D]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from saffu import checks
from saffu.explicit.hidden import hidden_targets_unchecked
from saffu.explicit.smoothing import Smoothing
from saffu.loss import token_nats_unchecked
from saffu.network.explicit import ExplicitSettings, Goal, LayerFit, solve_layer_unchecked
from saffu.network.labels import Examples, HiddenLayer, find_parts, owners, part_codes, part_of
from saffu.network.layers import Layers, SoftmaxLayer, network_errors, network_forward
from saffu.numerics import softmax_unchecked
from saffu.progress import Progress, silent
from saffu.types import Array, Hidden, Targets, TokenIds


class ExplicitRound(NamedTuple):
    """Record of one round."""

    tempers: tuple[float, ...]
    """λ of each layer"""
    smoothings: tuple[Smoothing, ...]
    nats: float
    """mean cross-entropy of the network on validation data, or on training data without it"""


class ExplicitNetwork(NamedTuple):
    """A solved network."""

    layers: Layers
    """of the best round"""
    rounds: tuple[ExplicitRound, ...]


def solve_network(
    splits: Sequence[Examples],
    classes: int,
    hidden: Sequence[HiddenLayer],
    settings: ExplicitSettings,
    *,
    progress: Progress = silent,
) -> ExplicitNetwork:
    """All layers, without backpropagation.   (SPEC 5)

    Parameters: `splits`, checked already: training data and, after it, validation data if there is
    any: what `settings` leave open is chosen on it, and the best round; `hidden`, the layers below
    the output, from the features up.
    Returns layers in the precision of the features.
    Refuses: what `solve_layer_unchecked`, `find_parts` and `part_codes` refuse.

    >>> X, y = np.eye(4)[[0, 1, 2, 3]], np.array([0, 0, 1, 1])
    >>> one_each = HiddenLayer(axes=1)
    >>> solved = solve_network([Examples(X, y)], 2, [one_each], ExplicitSettings(temper=1.0))
    >>> [layer.weights.shape for layer in solved.layers]
    [(4, 4), (4, 2)]
    """
    goals = [_first_goal(splits, classes, layer) for layer in hidden]
    layers, record = _solved(splits, classes, goals, settings, progress, "explicit")
    best, records = layers, [record]
    for number in range(settings.refits if hidden else 0):
        goals = _next_goals(splits, layers, goals, settings)
        stage = f"refit {number + 1}"
        layers, record = _solved(splits, classes, goals, settings, progress, stage)
        if record.nats < min(earlier.nats for earlier in records):
            best = layers
        records.append(record)
    return ExplicitNetwork(best, tuple(records))


class _HiddenGoal(NamedTuple):
    """Targets of a hidden layer."""

    targets: tuple[Targets, ...]
    """one array per split"""
    owners: Array
    """[N, units], the units of each class"""


def _first_goal(splits: Sequence[Examples], classes: int, layer: HiddenLayer) -> _HiddenGoal:
    """Label codes: the cipher of the parts of each class."""
    parts = find_parts(splits[0], classes, layer.axes)
    part_of_each = [part_of(parts, split) for split in splits]
    codes = part_codes(part_of_each[0], classes << layer.axes, layer.units(classes))
    codes = codes.astype(splits[0].features.dtype)
    of_class = owners(codes, classes).astype(codes.dtype)
    return _HiddenGoal(tuple(codes[part] for part in part_of_each), of_class)


def _solved(
    splits: Sequence[Examples],
    classes: int,
    goals: Sequence[_HiddenGoal],
    settings: ExplicitSettings,
    progress: Progress,
    stage: str,
) -> tuple[Layers, ExplicitRound]:
    """One layer after the other, each on the outputs of the one below."""
    one_hot = np.eye(classes, dtype=splits[0].features.dtype)
    goal_targets = [goal.targets for goal in goals]
    goal_targets.append(tuple(one_hot[split.labels] for split in splits))
    inputs = [split.features for split in splits]
    fits: list[LayerFit] = []
    for level, targets in enumerate(goal_targets):
        progress(stage, level, len(goal_targets))
        data = [Goal(x, t) for x, t in zip(inputs, targets, strict=True)]
        held_out = data[1] if len(data) > 1 else None
        fit = solve_layer_unchecked(data[0], held_out, settings)
        scale = settings.hidden_scale if level < len(goals) else 1.0
        weights, bias = scale * fit.layer.weights, fit.layer.bias
        layer = SoftmaxLayer(weights.astype(one_hot.dtype), bias.astype(one_hot.dtype))
        fits.append(LayerFit(layer, scale * fit.temper, fit.smoothing))
        if level < len(goals):
            inputs = [softmax_unchecked(x @ layer.weights + layer.bias) for x in inputs]
    progress(stage, len(goal_targets), len(goal_targets))
    logits = inputs[-1] @ fits[-1].layer.weights + fits[-1].layer.bias
    checks.finite("logits", logits, "SPEC 1")
    nats = float(token_nats_unchecked(logits, splits[-1].labels).mean(dtype=np.float64))
    record = ExplicitRound(
        tuple(fit.temper for fit in fits), tuple(fit.smoothing for fit in fits), nats
    )
    return tuple(fit.layer for fit in fits), record


def _next_goals(
    splits: Sequence[Examples],
    layers: Layers,
    goals: Sequence[_HiddenGoal],
    settings: ExplicitSettings,
) -> list[_HiddenGoal]:
    """Hidden targets of every hidden layer, from its present outputs."""
    per_split: list[list[Targets]] = []
    for index, split in enumerate(splits):
        state = network_forward(layers, split.features)
        hidden = state.inputs[1:]
        if settings.refit == "above":
            slopes = network_errors(layers, state, split.labels).hidden
            now = [
                hidden_targets_unchecked(h, -slope) for h, slope in zip(hidden, slopes, strict=True)
            ]
        else:
            now = [
                restricted(h, goal.owners, split.labels, goal.targets[index])
                for h, goal in zip(hidden, goals, strict=True)
            ]
        per_split.append(now)
    return [
        goal._replace(targets=targets)
        for goal, targets in zip(goals, zip(*per_split, strict=True), strict=True)
    ]


def restricted(hidden: Hidden, of_class: Array, labels: TokenIds, otherwise: Targets) -> Targets:
    """h restricted to the units of each sample's own class, over its sum.   [D]

    The hidden targets of ℓ = −log Σ_{j ∈ y} h_j.  Where that sum is zero, the row of `otherwise`.

    >>> h, own = np.array([[0.25, 0.25, 0.5]]), np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    >>> restricted(h, own, np.array([0]), h).tolist()
    [[0.5, 0.5, 0.0]]
    """
    kept = hidden * of_class[labels]
    total = kept.sum(axis=1, keepdims=True)
    return np.where(total > 0, kept / np.where(total > 0, total, 1), otherwise)
