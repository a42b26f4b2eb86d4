"""Direct models: pair counts, one temper per slot fitted on held-out text, explicit attention.

The only parameters that are not counts are the tempers, one per slot, and their cross-entropy on
held-out samples is convex.  Attention, if there is any, is solved as in every SAFFU layer; the
hidden targets of its softmax follow from

    G_k = g λ_k (R_k[x_k, y] − Σ_i p_i R_k[x_k, i])      (SPEC 5)   [D]
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, pairwise
from typing import NamedTuple

import numpy as np

from saffu import checks
from saffu.attention import Attention, gains
from saffu.batch import LayerPlan
from saffu.configuration import Configuration
from saffu.contexts import SlotContext, has_slots
from saffu.counts import Cooccurrence, cooccurrence_unchecked
from saffu.direct import DirectParameters, DirectTower, evidence_table, log_shares, slot_evidence
from saffu.engines.passes import Passes
from saffu.errors import BadOption
from saffu.explicit.hidden import hidden_targets_unchecked
from saffu.explicit.newton import minimise_convex
from saffu.explicit.smoothing import Backoff, Discount, Smoothing
from saffu.fast.comparison_cache import Comparisons, comparisons
from saffu.fast.pair_sums import PairSums, PairTotal
from saffu.fast.plans import slices, step_in_tokens
from saffu.fast.token_layer import attend_tokens
from saffu.fast.warm import attention_weights, ingredients
from saffu.numerics import softmax_unchecked
from saffu.pairs import Pairs
from saffu.positions import Samples
from saffu.search.tempers import EvidenceBlock, evenly_spaced, evidence_curve
from saffu.types import Array, IntArray, Nats

ROWS = 64
"""Samples whose evidence is held densely at once."""

MOST_CELLS = 1 << 27
"""Cells of evidence that the fit of the tempers holds, at most (half a gigabyte)."""


@dataclass(frozen=True)
class DirectSearch:
    """The settings to try."""

    smoothing: tuple[Smoothing, ...] = (Discount(0.6), Discount(0.75), Discount(0.9))
    attention_smoothing: Smoothing = Backoff(1.0)
    temper_targets: int = 4_000
    """held-out targets on which the tempers are fitted"""
    attention_targets: int = 4_000
    """training targets that the pass for W reads"""


class DirectChoice(NamedTuple):
    """A direct model with the smoothing found for it."""

    parameters: DirectParameters
    smoothing: Smoothing
    tried: tuple[tuple[Smoothing, float], ...]
    loss: float
    """nats on the held-out samples on which the tempers were fitted"""


def choose_direct(
    passes: Passes,
    configuration: Configuration,
    judge: Samples,
    search: DirectSearch = DirectSearch(),
    *,
    dtype: type = np.float64,
) -> DirectChoice:
    """The direct model with the least held-out loss among the smoothings tried.   (SPEC 4)

    Parameters: `passes` over the training text; `judge`, held-out samples; `search`, the settings
    to try.
    """
    tables = ingredients(passes, configuration, dtype)
    counts, pairs = count_slots(passes, configuration)
    prior = log_shares(counts)
    room = MOST_CELLS // (configuration.vocabulary * sum(len(tower) for tower in pairs))
    few = evenly_spaced(judge.targets.shape[0], min(search.temper_targets, max(room, ROWS)))

    def build(smoothing: Smoothing) -> DirectParameters:
        towers = []
        for tower in pairs:
            slots = len(tower)
            blank = np.zeros((slots, slots))
            evidence = tuple(evidence_table(c, np.exp(prior), smoothing) for c in tower)
            towers.append(DirectTower(blank, np.full(slots, 1.0 / slots), evidence))
        return DirectParameters(tables.embedding, prior, tuple(towers))

    best: tuple[float, Smoothing, DirectParameters] | None = None
    tried: list[tuple[Smoothing, float]] = []
    for smoothing in search.smoothing:
        model, loss = fit_slot_tempers(build(smoothing), configuration, judge, few)
        tried.append((smoothing, loss))
        if best is None or loss < best[0]:
            best = (loss, smoothing, model)
    if best is None:
        raise BadOption("search.smoothing", (), "a sequence of at least one smoothing", "SPEC 1")
    loss, smoothing, model = best
    if configuration.layer.attention != "uniform":
        model = solve_direct_attention(passes, model, configuration, search)
        model, loss = fit_slot_tempers(model, configuration, judge, few)
    return DirectChoice(model, smoothing, tuple(tried), loss)


def count_slots(passes: Passes, configuration: Configuration) -> tuple[Array, list[list[Pairs]]]:
    """Target counts [V], and pair counts C_k of every slot of every context model."""
    contexts = tuple(filter(has_slots, configuration.contexts))
    count = partial(_slot_pairs, contexts, configuration.vocabulary)
    total = passes.add_up("pairs of tokens", count, exact=True)
    borders = [0, *accumulate(context.slots for context in contexts)]
    return total.targets, [total.pairs[first:last] for first, last in pairwise(borders)]


def _slot_pairs(contexts: Sequence[SlotContext], size: int, chunks: Iterable[Samples]) -> PairTotal:
    """The pairs of some chunks, all slots of all contexts one after the other."""
    sums = PairSums(size, range(sum(context.slots for context in contexts)))
    for chunk in chunks:
        steps = [step_in_tokens(chunk, context) for context in contexts]
        slots = np.concatenate([step.slots for step in steps], axis=1)
        mask = np.concatenate([step.mask for step in steps], axis=1)
        sums.add(slots, mask, chunk.targets)
    return sums.total()


def fit_slot_tempers(
    model: DirectParameters, configuration: Configuration, judge: Samples, select: IntArray
) -> tuple[DirectParameters, float]:
    """The same model with the best tempers for the selected samples, and the loss there."""
    cache = comparisons(model.embedding)
    start = np.concatenate([tower.temper for tower in model.towers])
    blocks = []
    for evidence, _, _, targets in _evidence(model, configuration, judge, cache, select):
        every = np.tile(np.arange(start.shape[0]), (targets.shape[0], 1))
        dense: Array = np.concatenate(evidence, axis=1).astype(np.float32)
        blocks.append(EvidenceBlock(dense, every, targets))
    prior = model.prior.astype(np.float32)
    minimum = minimise_convex(
        lambda temper: evidence_curve(temper, prior, blocks), start, tolerance=1e-4
    )
    towers, first = [], 0
    for tower in model.towers:
        last = first + tower.temper.shape[0]
        towers.append(tower._replace(temper=minimum.place[first:last]))
        first = last
    return model._replace(towers=tuple(towers)), minimum.value


def solve_direct_attention(
    passes: Passes, model: DirectParameters, configuration: Configuration, search: DirectSearch
) -> DirectParameters:
    """The same model with W of every tower solved from hidden targets.   (SPEC 5)"""
    cache = comparisons(model.embedding)
    sums = [Cooccurrence.zero(len(t.tables), len(t.tables)) for t in model.towers]
    options = configuration.layer
    small = passes._replace(chunk=min(passes.chunk, search.attention_targets))
    for chunk in small.read("attention", most=search.attention_targets, seed=0):
        for evidence, steps, seen, targets in _evidence(model, configuration, chunk, cache):
            rows = np.arange(targets.shape[0])
            tempered = [e * t.temper[:, None] for e, t in zip(evidence, model.towers, strict=True)]
            p = softmax_unchecked(model.prior + sum(e.sum(axis=1) for e in tempered))
            for c, (e, step, state) in enumerate(zip(tempered, steps, seen, strict=True)):
                gained = e[rows, :, targets] - np.matmul(e, p[:, :, None])[:, :, 0]
                ascent = _ascent(gained, state, step, options.attention, options.gain)
                t = hidden_targets_unchecked(state.attention, ascent)
                sums[c] += cooccurrence_unchecked(state.comparisons, t)
    towers = tuple(
        tower._replace(attention=attention_weights(state, search.attention_smoothing))
        for tower, state in zip(model.towers, sums, strict=True)
    )
    return model._replace(towers=towers)


def direct_nats(model: DirectParameters, configuration: Configuration, chunk: Samples) -> Nats:
    """Nats of every sample of a chunk [n]."""
    checks.token_ids(chunk.targets, configuration.vocabulary, "targets")
    cache = comparisons(model.embedding)
    parts = []
    for evidence, _, _, targets in _evidence(model, configuration, chunk, cache):
        z = np.tile(model.prior, (targets.shape[0], 1))
        for e, tower in zip(evidence, model.towers, strict=True):
            z += np.matmul(tower.temper, e)
        z -= z.max(axis=1, keepdims=True)
        right = z[np.arange(targets.shape[0]), targets]
        parts.append(np.log(np.exp(z).sum(axis=1)) - right)
    return np.concatenate(parts)


def _ascent(gained: Array, state: Attention, step: LayerPlan, kind: str, gain: str) -> Array:
    """G_k = −∂ℓ/∂a_k from w_k ⟨y − p, λ_k R_k⟩, which is linear in w_k."""
    safe = np.where(state.weights != 0, state.weights, 1.0)
    by_weight = np.where(state.weights != 0, gained / safe, 0.0)
    if kind == "surprisal":
        return np.where(step.mask, -by_weight / np.where(step.mask, state.attention, 1.0), 0.0)
    return np.where(step.mask, gains(step.mask, gain, gained.dtype) * by_weight, 0.0)


def _evidence(
    model: DirectParameters,
    configuration: Configuration,
    chunk: Samples,
    cache: Comparisons,
    select: IntArray | None = None,
) -> Iterator[tuple[list[Array], list[LayerPlan], list[Attention], Array]]:
    """By blocks of samples: for each tower w_k R_k[x_k] [n, B, V], its step and its attention."""
    chosen = np.arange(chunk.targets.shape[0]) if select is None else select
    every = [
        step_in_tokens(chunk, context) for context in filter(has_slots, configuration.contexts)
    ]
    for block in slices(chosen.shape[0], ROWS):
        part = chosen[block]
        steps = [LayerPlan(*(field[part] for field in step)) for step in every]
        seen = [
            attend_tokens(step, cache, tower.attention, configuration.layer)
            for step, tower in zip(steps, model.towers, strict=True)
        ]
        evidence = [
            slot_evidence(tower, step, state.weights)
            for tower, step, state in zip(model.towers, steps, seen, strict=True)
        ]
        yield evidence, steps, seen, chunk.targets[part]
