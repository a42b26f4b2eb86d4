"""Warm start of a text of any length with given settings: as `saffu.warm.start`.   (SPEC 5)

`saffu.search.warm` chooses the settings.

The steps are those of the plain version and the results equal to rounding, but every sum is taken
chunk by chunk: memory grows with the vocabulary and the chunk, not with the text.  W has few
parameters, so a sample of the text is enough for its pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple

import numpy as np

from saffu import checks
from saffu.arrays.namespace import add_rows
from saffu.cipher import cipher_embedding_unchecked
from saffu.configuration import Configuration
from saffu.contexts import RadialContext, has_slots, is_bag
from saffu.counts import Cooccurrence
from saffu.embedding import annulus, check_radii, normalise_or_fall_back
from saffu.engines.passes import EVERYTHING, Passes, Sample
from saffu.errors import BadOption, NoSamples
from saffu.explicit.smoothing import Smoothing, smooth_computed
from saffu.explicit.solution import explicit_weights
from saffu.explicit.temper import tempered_weights_unchecked
from saffu.fast.counting_layers import BagLayer, CountingLayer, HigherLayer, Scorer, TokenLayer
from saffu.fast.pair_sums import PairSums, PairTotal
from saffu.fast.plans import step_in_tokens
from saffu.fast.softmax import softmax_over
from saffu.fast.tempering import fit_one, of_rows, of_tokens
from saffu.parameters import LayerParameters, Parameters, cast
from saffu.positions import Samples
from saffu.types import Array, Counts, Embedding, Features, Hidden, Labels, TokenCounts
from saffu.warm.layer import WarmSettings
from saffu.warm.start import WarmStart, check_slot_tempers

WARM: Final = "SPEC 5"


class Solved(NamedTuple):
    """A solved layer of a tower, with the counts behind its U."""

    layer: CountingLayer
    parameters: LayerParameters
    temper: float
    """λ of U, the factor included"""
    counts: Counts
    """F, smoothed"""
    priming: float
    """K"""
    slots: Array | None = None
    """λ of each slot [B], where they have their own; `temper` then multiplies all of them"""

    def scaled(self, factor: float) -> Solved:
        """The same layer with a factor on λ."""
        lam = self.temper * factor
        every = lam if self.slots is None else lam * self.slots
        u = tempered_weights_unchecked(self.counts, every, self.priming)
        old = self.parameters
        parameters = LayerParameters(old.attention, u.astype(old.features.dtype))
        return self._replace(parameters=parameters, temper=lam)

    def by_slot(self, tempers: Array) -> Solved:
        """The same layer with one λ per slot [B], and a factor of 1 on them."""
        return self._replace(temper=1.0, slots=tempers).scaled(1.0)


Towers = tuple[tuple[Solved, ...], ...]
"""the solved layers of every tower, from the bottom up"""


@dataclass(frozen=True)
class Ingredients:
    """The tables that the first pass gives: embeddings of tokens and of labels."""

    embedding: Embedding
    labels: Labels


@dataclass(frozen=True)
class Problem:
    """Everything that the layers of one streamed warm start are solved from."""

    passes: Passes
    """over the training text"""
    configuration: Configuration
    settings: WarmSettings
    judge: Samples
    """held-out samples, on which tempers that the settings leave open are fitted"""
    ingredients: Ingredients
    sample: Sample = EVERYTHING
    """the part of the training text that the pass for W reads"""


class Counted(NamedTuple):
    """Parts of a streamed warm start that a search has computed already, each for its settings."""

    ingredients: Ingredients
    towers: Towers
    output: Cooccurrence
    """Σ h ⊗ y over the training text, h the hidden states of these towers"""


def stream_warm_start(
    passes: Passes,
    configuration: Configuration,
    settings: WarmSettings,
    judge: Samples,
    *,
    attention_targets: int | None = None,
    seed: int = 0,
    dtype: type = np.float64,
    counted: Counted | None = None,
) -> WarmStart:
    """The warm start of a text that need not fit in memory.   (SPEC 5)

    Parameters: `passes` over the training text; `judge`, samples on which tempers that are None are
    fitted; `attention_targets`, the number of training targets that the pass for W reads (None:
    all), drawn with `seed`; `dtype` of the tables and of the parameters (counts are float64);
    `counted`, the passes that have been taken already, with these settings.
    Refuses: settings with `refits`, for which all hidden states would have to be kept; tempers of
    slots that are not those of the configuration.
    """
    if settings.refits:
        raise BadOption("refits", settings.refits, "0 in a streamed warm start", WARM)
    check_slot_tempers(settings, configuration)
    if counted is None:
        tables = ingredients(passes, configuration, dtype)
        sample = Sample(attention_targets, seed)
        towers = solve_towers(Problem(passes, configuration, settings, judge, tables, sample))
        counted = Counted(tables, towers, output_counts(passes, towers, configuration.vocabulary))
    tables, towers, state = counted
    counts = smooth_computed(state.counts, settings.output_smoothing)
    lam = settings.output_temper
    if lam is None:
        lam, _ = fit_output(counts, hidden_reader(towers)(judge), judge.targets)
    layers = tuple(tuple(layer.parameters for layer in tower) for tower in towers)
    output = tempered_weights_unchecked(counts, lam, state.priming)
    tempers = tuple(tuple(layer.temper for layer in tower) for tower in towers)
    return WarmStart(cast(Parameters(tables.embedding, layers, output), dtype), tempers, lam)


def ingredients(passes: Passes, configuration: Configuration, dtype: type) -> Ingredients:
    """Count tokens and targets; E and L.   (SPEC 2)"""
    size = configuration.vocabulary
    tokens, targets = passes.add_up("counting tokens", partial(_token_counts, size), exact=True)
    labels: Labels = cipher_embedding_unchecked(targets, configuration.label_bits).astype(dtype)
    return Ingredients(_embedding(passes, configuration, tokens).astype(dtype), labels)


def _token_counts(size: int, chunks: Iterable[Samples]) -> Array:
    """How often each token occurs, and how often as a target, [2, V]."""
    tokens = np.zeros(size, dtype=np.int64)
    targets = np.zeros(size, dtype=np.int64)
    for chunk in chunks:
        checks.token_ids(chunk.targets, size, "targets")
        targets += np.bincount(chunk.targets, minlength=size)
        tokens += np.bincount(chunk.tokens[chunk.offsets == 0], minlength=size)
    return np.stack([tokens + targets, targets])


def _embedding(passes: Passes, configuration: Configuration, counts: TokenCounts) -> Embedding:
    """The cipher, or a radial embedding: counts of neighbours times cipher vectors."""
    vectors = cipher_embedding_unchecked(counts, configuration.bits)
    if not configuration.radii:
        return vectors
    edges = check_radii(configuration.radii, configuration.combine)
    rings = [annulus(back + 1, edges) for back in range(edges[-1])]
    neighbours = partial(_neighbours, RadialContext(edges[-1]), rings, configuration.vocabulary)
    pairs = passes.add_up("counting neighbours", neighbours, exact=True).pairs
    near = np.concatenate([np.asarray((ring + ring.T) @ vectors) for ring in pairs], axis=1)
    return normalise_or_fall_back(near, vectors)


def _neighbours(
    context: RadialContext, rings: Sequence[int], size: int, chunks: Iterable[Samples]
) -> PairTotal:
    """How often each token stood before each other one, by the ring of their distance."""
    sums = PairSums(size, rings)
    for chunk in chunks:
        step = step_in_tokens(chunk, context)
        sums.add(step.slots, step.mask, chunk.targets)
    return sums.total()


def solve_towers(problem: Problem, first: Cooccurrence | None = None) -> Towers:
    """All towers.

    Parameters: `first`, the `feature_counts` of the first tower's first layer under uniform
    attention, if they have been taken already.
    """
    every = range(len(problem.configuration.contexts))
    return tuple(solve_tower(problem, c, None if c else first) for c in every)


def solve_tower(
    problem: Problem, index: int, first: Cooccurrence | None = None
) -> tuple[Solved, ...]:
    """The layers of one tower, from the bottom up; `first` as for `solve_towers`."""
    configuration, settings = problem.configuration, problem.settings
    solved: tuple[Solved, ...] = ()
    for level in range(configuration.layers(configuration.contexts[index])):
        layer = layer_above(solved, problem.ingredients, configuration, index)
        name = f"tower {index + 1}, layer {level + 1}"
        solved += (solve_counting_layer(problem, layer, name, None if level else first),)
    if settings.slot_tempers and settings.slot_tempers[index]:
        (layer_with_slots,) = solved
        own = layer_with_slots.by_slot(np.array(settings.slot_tempers[index]))
        solved = (own.scaled(settings.hidden_scale),)
    return solved


def layer_above(
    below: tuple[Solved, ...], tables: Ingredients, configuration: Configuration, index: int
) -> CountingLayer:
    """The next layer of a tower, to be solved."""
    context = configuration.contexts[index]
    if is_bag(context):
        return BagLayer(context, tables.embedding, tables.labels)
    assert has_slots(context)  # for the type checker
    if not below:
        return TokenLayer(context, tables.embedding, tables.labels, configuration.layer)
    reader, width = tower_reader(below), configuration.label_bits
    return HigherLayer(context, reader, width, tables.labels, configuration.layer)


def solve_counting_layer(
    problem: Problem, layer: CountingLayer, name: str, first: Cooccurrence | None = None
) -> Solved:
    """U, then rounds of W and U; `first`, the counts under uniform attention, if there already."""
    settings, dtype = problem.settings, layer.labels.dtype

    def solve(w: Array, state: Cooccurrence | None = None) -> Solved:
        state = state or layer.feature_counts(problem.passes, f"{name}: features", w)
        counts = smooth_computed(state.counts, settings.hidden_smoothing)
        lam = settings.hidden_temper
        if lam is None:
            lam = fit_layer(layer, w, counts, problem.judge)[0]
        u = tempered_weights_unchecked(counts, lam, state.priming).astype(dtype)
        return Solved(layer, LayerParameters(w, u), lam, counts, state.priming)

    solved = solve(layer.start, first)
    for _ in range(settings.rounds if layer.attends else 0):
        state = layer.attention_counts(
            problem.passes, f"{name}: attention", solved.parameters, problem.sample
        )
        solved = solve(attention_weights(state, settings.attention_smoothing).astype(dtype))
    return solved.scaled(settings.hidden_scale) if settings.hidden_scale != 1.0 else solved


def attention_weights(state: Cooccurrence, smoothing: Smoothing) -> Array:
    """W from Σ c ⊗ t."""
    return explicit_weights(smooth_computed(state.counts, smoothing), state.priming)


def fit_layer(
    layer: CountingLayer, w: Array, counts: Counts, judge: Samples
) -> tuple[float, float]:
    """The best λ of U on the layer's own targets, and the loss there."""
    totals, labels = counts.sum(axis=0), layer.labels
    scores = layer.scorer(w, np.log(counts / totals).astype(labels.dtype))(judge)
    return fit_one(of_rows(np.log(totals), scores, labels[judge.targets]))


def fit_output(
    counts: Counts, hidden: Features, targets: Array, start: float = 1.0
) -> tuple[float, float]:
    """The best λ of O for hidden states [m, C·N_h] and target tokens [m], and the loss there."""
    totals = counts.sum(axis=0)
    scores = np.asarray(hidden @ np.log(counts / totals).astype(hidden.dtype))
    return fit_one(of_tokens(np.log(totals), scores, targets), start=start)


@dataclass(frozen=True)
class TowerReader:
    """The hidden states of a tower's top layer, as a function of a chunk."""

    scores: Scorer

    def __call__(self, chunk: Samples) -> Hidden:
        """[n, N_h]"""
        return softmax_over(self.scores(chunk))


@dataclass(frozen=True)
class HiddenReader:
    """The hidden states [h¹ … h^C] of all towers, as a function of a chunk."""

    towers: tuple[TowerReader, ...]

    def __call__(self, chunk: Samples) -> Hidden:
        """[n, C·N_h]"""
        if len(self.towers) == 1:
            return self.towers[0](chunk)
        return np.concatenate([read(chunk) for read in self.towers], axis=1)


def tower_reader(tower: Sequence[Solved]) -> TowerReader:
    """The reader of a tower's hidden states."""
    top = tower[-1]
    return TowerReader(top.layer.scorer(*top.parameters))


def hidden_reader(towers: Sequence[Sequence[Solved]]) -> HiddenReader:
    """The reader of all towers' hidden states."""
    return HiddenReader(tuple(tower_reader(tower) for tower in towers))


def output_counts(passes: Passes, towers: Sequence[Sequence[Solved]], size: int) -> Cooccurrence:
    """Σ h ⊗ y over the data, y the target token: F [C·N_h, V]."""
    count = partial(_output_counts, hidden_reader(towers), size)
    total = passes.add_up("output layer", count)
    # each h is in one column of F, so that the sum of the counts is the sum of the norms
    counts = np.ascontiguousarray(total.counts.T)
    return Cooccurrence(counts, float(counts.sum()), total.samples)


def _output_counts(read: HiddenReader, size: int, chunks: Iterable[Samples]) -> Cooccurrence:
    """Σ y ⊗ h over some chunks, [V, C·N_h], without the norms."""
    total: Cooccurrence | None = None
    for chunk in chunks:
        more = add_rows(chunk.targets, read(chunk), size).astype(np.float64)
        here = Cooccurrence(more, 0.0, chunk.targets.shape[0])
        total = here if total is None else total + here
    if total is None:
        raise NoSamples("chunks", WARM)
    return total
