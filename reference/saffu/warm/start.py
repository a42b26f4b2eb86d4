"""Warm start: a whole SAFFU transformer computed from counts, bottom-up.   (SPEC 5)

    1  count tokens, rank them, cipher them; embeddings
    2  U from uniform attention and label embeddings
    3  hidden targets of that U  →  W
    4  U again, from the attended features          (3 and 4: one round)
    5  O from hidden states and the true targets
    6  λ for each U and for O, where fitted

Each step is one pass over the data that adds up co-occurrences.  This is the plain version, with
all data and all features in memory; `saffu.fast` computes the same from sparse pair counts, in a
stream.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from saffu import checks
from saffu.arrays.namespace import average_rows, beside, namespace, on_host
from saffu.arrays.operation import operation
from saffu.batch import DocumentPlan, LayerPlan, place, plan
from saffu.cipher import cipher_embedding_unchecked
from saffu.configuration import Configuration
from saffu.embedding import radial_embedding_unchecked
from saffu.errors import BadOption
from saffu.explicit.hidden import hidden_targets_unchecked
from saffu.layer import LayerOptions, saffu_backward_unchecked
from saffu.model import look_up, look_up_vjp, one_hot
from saffu.numerics import softmax_unchecked
from saffu.parameters import LayerParameters, Parameters, flatten, names
from saffu.positions import make_samples
from saffu.types import Array, Embedding, Hidden, IntArray, Labels, Targets
from saffu.warm.layer import (
    LayerInputs,
    LayerSolution,
    WarmSettings,
    solve_layer_unchecked,
    solve_softmax,
)


class WarmStart(NamedTuple):
    """A solved model and the tempers that are in its weights."""

    parameters: Parameters
    hidden_tempers: tuple[tuple[float, ...], ...]
    """λ of each U, by tower and layer"""
    output_temper: float
    """λ of O"""


@operation
def warm_start(
    documents: Sequence[IntArray],
    configuration: Configuration,
    settings: WarmSettings = WarmSettings(),
    *,
    like: Array | None = None,
) -> WarmStart:
    """Compute all parameters of a transformer from its training text, without backpropagation.

    (SPEC 5)

    Parameters: `documents`, each [T] token ids from `<sod>` to `<eod>`; `configuration` with
    `output="softmax"`; `settings`, smoothing, tempers and rounds; `like`, any array of the library
    and on the device that compute, NumPy's unless given.
    Returns parameters in float64 with the tempers used.
    Refuses: ids out of range; no targets; tempers of slots that are not those of the configuration;
    what the layers and their solutions refuse.

    >>> from saffu.configuration import TINY
    >>> text = [np.array([0, 5, 6, 7, 5, 6, 1]), np.array([0, 6, 7, 5, 1])]
    >>> model = warm_start(text, TINY).parameters
    >>> model.towers[0][0].features.shape, model.output.shape
    ((128, 32), (32, 256))
    """
    if configuration.output != "softmax":
        raise BadOption(
            "output", configuration.output, "'softmax' (for 'direct' see saffu.direct)", "SPEC 4"
        )
    check_slot_tempers(settings, configuration)
    text = make_samples(documents)
    batch = plan(text, configuration)
    embedding = embed(documents, configuration)
    labels = label_embedding(batch.targets, configuration)
    if like is not None:
        batch, embedding, labels = place(batch, like), beside(embedding, like), beside(labels, like)
    xp = namespace(embedding)
    targets = xp.take(labels, batch.targets, axis=0)
    problem = WarmProblem(embedding, targets, configuration.layer, settings)
    towers: list[tuple[LayerParameters, ...]] = []
    tempers: list[tuple[float, ...]] = []
    hidden: list[Hidden] = []
    for index, tower in enumerate(batch.towers):
        own = settings.of_tower(index)
        if isinstance(tower, DocumentPlan):
            s = average_rows(embedding, tower.token, tower.owner, targets.shape[0])
            u, lam = solve_softmax(s, targets, own.hidden)
            no_slots = xp.zeros((0, 0), dtype=u.dtype, device=u.device)
            towers.append((LayerParameters(no_slots, u),))
            tempers.append((lam,))
            hidden.append(softmax_unchecked(s @ u))
        else:
            solved = solve_tower(problem._replace(settings=own), tower)
            towers.append(tuple(layer.parameters for layer in solved))
            tempers.append(tuple(layer.temper for layer in solved))
            hidden.append(solved[-1].state.hidden)
    output = solve_softmax(
        xp.concat(hidden, axis=1),
        one_hot(batch.targets, configuration.vocabulary, embedding),
        settings.output,
    )
    parameters = Parameters(embedding, tuple(towers), output.weights)
    for name, array in zip(names(parameters), flatten(parameters), strict=True):
        checks.finite(name, array, "SPEC 5")  # tempers and gains may still overflow
    return WarmStart(parameters, tuple(tempers), output.temper)


def check_slot_tempers(settings: WarmSettings, configuration: Configuration) -> None:
    """Refuse tempers of slots other than one for each slot of the configuration.   (SPEC 1)"""
    if not settings.slot_tempers:
        return
    check_slots(configuration)
    expected = [context.slots for context in configuration.contexts]
    if [len(tower) for tower in settings.slot_tempers] != expected:
        described = (
            f"tuples of {', '.join(map(str, expected))} numbers, one tuple per context model"
        )
        raise BadOption("slot_tempers", settings.slot_tempers, described, "SPEC 1")


def check_slots(configuration: Configuration) -> None:
    """Refuse layers whose slots are not side by side, and towers of several layers.   (SPEC 1)

    A temper of a lower layer changes what the layers above it have counted.
    """
    if configuration.layer.aggregation != "cat":
        raise BadOption(
            "slot_tempers", True, "False for aggregation='sum', which has no slots", "SPEC 1"
        )
    if configuration.depth > 1:
        raise BadOption("slot_tempers", True, "False for depth > 1", "SPEC 5")


def embed(documents: Sequence[IntArray], configuration: Configuration) -> Embedding:
    """E [V, D]: the cipher of the tokens, or their radial embedding.   (SPEC 2)

    `documents` are checked already.
    """
    ids = np.concatenate([on_host(document) for document in documents])
    counts = np.bincount(ids, minlength=configuration.vocabulary)
    vectors = cipher_embedding_unchecked(counts, configuration.bits)
    if not configuration.radii:
        return vectors
    text = [on_host(document) for document in documents]
    return radial_embedding_unchecked(text, vectors, configuration.radii)


def label_embedding(targets: IntArray, configuration: Configuration) -> Labels:
    """L [V, N_h]: the cipher of the targets, at its own width.   (SPEC 2)

    `targets` are checked already.
    """
    counts = np.bincount(on_host(targets), minlength=configuration.vocabulary)
    return cipher_embedding_unchecked(counts, configuration.label_bits)


class WarmProblem(NamedTuple):
    """What all towers of a warm start have in common."""

    embedding: Embedding
    """E [V, D]"""
    targets: Targets
    """label embeddings of the targets [M, N_h]"""
    options: LayerOptions
    settings: WarmSettings


def solve_tower(problem: WarmProblem, tower: Sequence[LayerPlan]) -> list[LayerSolution]:
    """Solve the layers of one tower for label targets, then again for hidden ones.   (SPEC 5)"""
    solved = _upwards(problem, tower, [problem.targets] * len(tower))
    for _ in range(problem.settings.refits if len(tower) > 1 else 0):
        solved = _upwards(problem, tower, _implied_targets(problem, tower, solved))
    return solved


def _upwards(
    problem: WarmProblem, tower: Sequence[LayerPlan], goals: Sequence[Targets]
) -> list[LayerSolution]:
    """Each layer for its own targets, reading the one below."""
    solved: list[LayerSolution] = []
    table = problem.embedding
    for step, goal in zip(tower, goals, strict=True):
        given = LayerInputs(look_up(table, step), step.mask, step.pivot)
        solved.append(solve_layer_unchecked(given, goal, problem.options, problem.settings))
        table = solved[-1].state.hidden
    return solved


def _implied_targets(
    problem: WarmProblem, tower: Sequence[LayerPlan], solved: Sequence[LayerSolution]
) -> list[Targets]:
    """Labels at the top; below, t = h ⊙ (1 + G − ⟨h, G⟩), G from the layer above.   (SPEC 5)"""
    goals = [problem.targets]
    top: Hidden = solved[-1].state.hidden
    xp = namespace(top)
    d_hidden = -problem.targets / xp.where(top > 0, top, xp.ones_like(top))
    for level in reversed(range(1, len(tower))):
        layer, step, below = solved[level], tower[level], solved[level - 1].state.hidden
        got = saffu_backward_unchecked(
            d_hidden,
            layer.state,
            look_up(below, step),
            step.mask,
            step.pivot,
            *layer.parameters,
            problem.options,
        )
        d_hidden = look_up_vjp(got.inputs, step, below.shape[0])
        goals.append(hidden_targets_unchecked(below, -d_hidden))
    return goals[::-1]
