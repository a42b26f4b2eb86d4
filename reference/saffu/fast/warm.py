"""The warm start in a stream: `saffu.warm.start`, over chunks of any text.   (SPEC 5)

The same steps and the same numbers as the plain version, to rounding; memory grows with the
vocabulary and the chunk, not with the text.  Attention has few parameters, so a sample of the text
is enough for its pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from saffu import checks
from saffu.arrays.namespace import add_rows
from saffu.cipher import cipher_embedding
from saffu.configuration import Configuration
from saffu.contexts import DocumentContext, RadialContext
from saffu.counts import Cooccurrence
from saffu.embedding import annulus, check_radii, normalise_or_fall_back
from saffu.engines.passes import Passes
from saffu.errors import NoSamples
from saffu.explicit.smoothing import Smoothing, smooth
from saffu.explicit.solution import explicit_weights
from saffu.explicit.temper import tempered_weights
from saffu.fast.counting_layers import BagLayer, CountingLayer, HigherLayer, Scorer, TokenLayer
from saffu.fast.pair_sums import PairSums, PairTotal
from saffu.fast.plans import step_in_tokens
from saffu.fast.softmax import softmax_over
from saffu.fast.tempering import fit_one, of_rows, of_tokens
from saffu.parameters import LayerParameters, Parameters, cast
from saffu.positions import Samples
from saffu.types import Array, Counts, Embedding, Features, Hidden, Labels, TokenCounts, Weights
from saffu.warm.layer import WarmSettings
from saffu.warm.start import WarmStart


class Solved(NamedTuple):
    """A layer of a tower, and what its U was made of."""

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
        u = tempered_weights(self.counts, every, self.priming)
        old = self.parameters
        parameters = LayerParameters(old.attention, u.astype(old.features.dtype))
        return self._replace(parameters=parameters, temper=lam)


@dataclass(frozen=True)
class Ingredients:
    """What the first pass finds: embeddings of tokens and of labels."""

    embedding: Embedding
    labels: Labels


def stream_warm_start(
    passes: Passes,
    configuration: Configuration,
    settings: WarmSettings,
    judge: Samples,
    *,
    attention_targets: int | None = None,
    seed: int = 0,
    dtype: type = np.float64,
) -> WarmStart:
    """The warm start of a text that need not fit in memory.   (SPEC 5)

    Parameters: `passes` over the training text; `judge`, samples on which tempers that are None are
    fitted; `attention_targets`, how many training targets the pass for W reads (None: all), chosen
    with `seed`; `dtype` of the tables and of the parameters (counts are float64).
    """
    found = ingredients(passes, configuration, dtype)
    towers = [
        solve_tower(passes, found, configuration, c, settings, judge, attention_targets, seed)
        for c in range(len(configuration.contexts))
    ]
    state = output_counts(passes, towers, configuration.vocabulary)
    counts = smooth(state.counts, settings.output_smoothing)
    lam = settings.output_temper
    if lam is None:
        lam, _ = fit_output(counts, hidden_reader(towers)(judge), judge.targets)
    weights = tempered_weights(counts, lam, state.priming)
    return assemble_warm(found, towers, weights, lam, dtype)


def assemble_warm(
    found: Ingredients,
    towers: Sequence[Sequence[Solved]],
    output: Weights,
    output_temper: float,
    dtype: type,
) -> WarmStart:
    """The parts as one record, in one precision."""
    parameters = Parameters(
        found.embedding, tuple(tuple(s.parameters for s in tower) for tower in towers), output
    )
    tempers = tuple(tuple(s.temper for s in tower) for tower in towers)
    return WarmStart(cast(parameters, dtype), tempers, output_temper)


def ingredients(passes: Passes, configuration: Configuration, dtype: type) -> Ingredients:
    """Count tokens and targets; E and L.   (SPEC 2)"""
    size = configuration.vocabulary
    tokens, targets = passes.add_up("counting tokens", partial(_token_counts, size), exact=True)
    labels: Labels = cipher_embedding(targets, configuration.label_bits).astype(dtype)
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
    """The cipher, or a radial embedding: pairs of neighbours times cipher vectors."""
    vectors = cipher_embedding(counts, configuration.bits)
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


def solve_tower(
    passes: Passes,
    found: Ingredients,
    configuration: Configuration,
    index: int,
    settings: WarmSettings,
    judge: Samples,
    attention_targets: int | None,
    seed: int,
    known: Cooccurrence | None = None,
) -> tuple[Solved, ...]:
    """The layers of one tower, from the bottom up.

    Parameters: `known`, what the first layer's `feature_counts` gives before W is known, if it has
    been counted already.
    """
    solved: tuple[Solved, ...] = ()
    for level in range(configuration.layers(configuration.contexts[index])):
        layer = layer_above(solved, found, configuration, index)
        name = f"tower {index + 1}, layer {level + 1}"
        solved += (
            solve_counting_layer(
                *(passes, layer, found.labels, settings, judge, name, attention_targets, seed),
                known=None if level else known,
            ),
        )
    return solved


def layer_above(
    below: tuple[Solved, ...], found: Ingredients, configuration: Configuration, index: int
) -> CountingLayer:
    """The next layer of a tower, to be solved."""
    context = configuration.contexts[index]
    if isinstance(context, DocumentContext):
        return BagLayer(found.embedding, found.labels)
    if not below:
        return TokenLayer(context, found.embedding, found.labels, configuration.layer)
    reader, width = tower_reader(below), configuration.label_bits
    return HigherLayer(context, reader, width, found.labels, configuration.layer)


def solve_counting_layer(
    passes: Passes,
    layer: CountingLayer,
    labels: Labels,
    settings: WarmSettings,
    judge: Samples,
    name: str,
    attention_targets: int | None,
    seed: int,
    known: Cooccurrence | None = None,
) -> Solved:
    """U, then rounds of W and U."""

    def solve(w: Array, state: Cooccurrence | None = None) -> Solved:
        state = state or layer.feature_counts(passes, f"{name}: features", w)
        counts = smooth(state.counts, settings.hidden_smoothing)
        lam = settings.hidden_temper
        if lam is None:
            lam = fit_layer(layer, w, counts, labels, judge)[0]
        u = tempered_weights(counts, lam, state.priming).astype(labels.dtype)
        return Solved(layer, LayerParameters(w, u), lam, counts, state.priming)

    solved = solve(layer.start, known)
    for _ in range(settings.rounds if layer.attends else 0):
        seen = layer.attention_counts(
            passes, f"{name}: attention", solved.parameters, attention_targets, seed
        )
        solved = solve(attention_weights(seen, settings.attention_smoothing).astype(labels.dtype))
    return solved.scaled(settings.hidden_scale) if settings.hidden_scale != 1.0 else solved


def attention_weights(state: Cooccurrence, smoothing: Smoothing) -> Array:
    """W from Σ c ⊗ t."""
    return explicit_weights(smooth(state.counts, smoothing), state.priming)


def fit_layer(
    layer: CountingLayer, w: Array, counts: Counts, labels: Labels, judge: Samples
) -> tuple[float, float]:
    """The best λ of U on its own targets, and the loss there."""
    totals = counts.sum(axis=0)
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
    """What gives h of a tower's top layer for all samples of a chunk."""

    scores: Scorer

    def __call__(self, chunk: Samples) -> Hidden:
        """[n, N_h]"""
        return softmax_over(self.scores(chunk))


@dataclass(frozen=True)
class HiddenReader:
    """What gives [h¹ … h^C] for all samples of a chunk."""

    towers: tuple[TowerReader, ...]

    def __call__(self, chunk: Samples) -> Hidden:
        """[n, C·N_h]"""
        if len(self.towers) == 1:
            return self.towers[0](chunk)
        return np.concatenate([read(chunk) for read in self.towers], axis=1)


def tower_reader(tower: Sequence[Solved]) -> TowerReader:
    """What reads the hidden states of a tower."""
    top = tower[-1]
    return TowerReader(top.layer.scorer(*top.parameters))


def hidden_reader(towers: Sequence[Sequence[Solved]]) -> HiddenReader:
    """What reads the hidden states of all towers."""
    return HiddenReader(tuple(tower_reader(tower) for tower in towers))


def output_counts(
    passes: Passes, towers: Sequence[Sequence[Solved]], size: int, most: int | None = None
) -> Cooccurrence:
    """Σ h ⊗ y over the data, y the target token: F [C·N_h, V]."""
    count = partial(_output_counts, hidden_reader(towers), size)
    total = passes.add_up("output layer", count, most=most, seed=None if most is None else 0)
    # each h is in one column of F, so that the norms are in it too
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
        raise NoSamples("chunks", "SPEC 5")
    return total
