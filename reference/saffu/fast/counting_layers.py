"""Layers of the streamed warm start: the co-occurrences that each kind of layer counts.   (SPEC 5)

The explicit solution of a layer needs three things of the data: co-occurrences of features and
labels (for U), co-occurrences of comparisons and hidden targets (for W), and hidden states (for
the layers above).  Each kind of layer has its own fastest way: pair counts over tokens for the
first, running sums for a document, dense products of a chunk for higher layers.

The engine of the passes takes every sum, so each layer has a method that counts some chunks, and is
sent to other processes as its fields alone; the tables that follow from them are computed there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from functools import cached_property, partial
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np

from saffu.attention import gains
from saffu.contexts import BagContext, SlotContext
from saffu.counts import Cooccurrence, cooccurrence_unchecked
from saffu.engines.passes import Passes, Sample
from saffu.explicit.hidden import hidden_targets_unchecked
from saffu.fast.comparison_cache import Comparisons, comparisons
from saffu.fast.label_sums import CodeTable, LabelSums, LabelTotal, whole_codes
from saffu.fast.plans import bag_means, slices, step_in_tokens
from saffu.fast.predict import higher_states, token_scores
from saffu.fast.softmax import softmax_over
from saffu.fast.token_layer import ROWS, attend_tokens, feature_table, look_up_table, weigh_tokens
from saffu.layer import LayerOptions, SaffuState
from saffu.parameters import LayerParameters
from saffu.positions import Samples
from saffu.types import (
    Array,
    AttentionWeights,
    Embedding,
    FeatureWeights,
    Hidden,
    Inputs,
    Labels,
    SlotMask,
)
from saffu.warm.layer import attention_ascent

Scorer: TypeAlias = Callable[[Samples], Array]


def _by_fields(record: Any) -> tuple[type[Any], tuple[Any, ...]]:
    """The `__reduce__` of a dataclass: its fields, without the tables that follow from them.

    >>> from saffu.contexts import RadialContext
    >>> _by_fields(RadialContext(3))
    (<class 'saffu.contexts.RadialContext'>, (3,))
    """
    return type(record), tuple(getattr(record, field.name) for field in fields(record))


@runtime_checkable
class CountingLayer(Protocol):
    """The interface of a layer to the warm start."""

    @property
    def labels(self) -> Labels:
        """L [V, N_h], the target of the layer for each target token."""

    @property
    def attends(self) -> bool:
        """Whether there is a W to solve."""

    @property
    def start(self) -> AttentionWeights:
        """W before anything is known: zeros, which is uniform attention."""

    def feature_counts(self, passes: Passes, stage: str, w: AttentionWeights) -> Cooccurrence:
        """Σ s ⊗ ℓ_y over the data, attention as W says."""

    def attention_counts(
        self, passes: Passes, stage: str, layer: LayerParameters, sample: Sample
    ) -> Cooccurrence:
        """Σ c ⊗ t over a sample of the data, t the hidden targets under W and U."""

    def scorer(self, w: AttentionWeights, u: FeatureWeights) -> Scorer:
        """The function of a chunk that gives s U [n, N_h] of its samples."""


@dataclass(frozen=True)
class TokenLayer:
    """The first layer of a tower with slots."""

    context: SlotContext
    embedding: Embedding
    labels: Labels
    options: LayerOptions

    def __reduce__(self) -> tuple[Any, ...]:
        return _by_fields(self)

    @cached_property
    def cache(self) -> Comparisons:
        """Comparisons of the embedding."""
        return comparisons(self.embedding)

    @cached_property
    def codes(self) -> tuple[CodeTable, CodeTable]:
        """E and L, in whole numbers if they are codes."""
        return whole_codes(self.embedding), whole_codes(self.labels)

    @property
    def attends(self) -> bool:
        """Whether there is a W to solve."""
        return self.options.attention != "uniform"

    @property
    def start(self) -> AttentionWeights:
        """W before anything is known: zeros."""
        return np.zeros((self.context.slots, self.context.slots), self.embedding.dtype)

    def feature_counts(self, passes: Passes, stage: str, w: AttentionWeights) -> Cooccurrence:
        """Σ s ⊗ ℓ_y over the data."""
        whole = all(codes.scale > 1 or np.all(codes.rows.data == 1) for codes in self.codes)
        even = not w.any() and self.options.gain == "count"
        exact = whole and even and self.options.attention != "surprisal"
        return passes.add_up(stage, partial(self._features, w), exact=exact).divided()

    def _features(self, w: AttentionWeights, chunks: Iterable[Samples]) -> LabelTotal:
        sums = LabelSums(*self.codes, self.context.slots, self.options.aggregation)
        for chunk in chunks:
            step = step_in_tokens(chunk, self.context)
            cache = self.cache if w.any() else Comparisons(self.embedding)
            sums.add(step, weigh_tokens(step, cache, w, self.options), chunk.targets)
        return sums.total()

    def attention_counts(
        self, passes: Passes, stage: str, layer: LayerParameters, sample: Sample
    ) -> Cooccurrence:
        """Σ c ⊗ t over a sample of the data."""
        return passes.add_up(stage, partial(self._attention, layer), sample=sample)

    def _attention(self, layer: LayerParameters, chunks: Iterable[Samples]) -> Cooccurrence:
        slots, size = self.context.slots, self.embedding.shape[0]
        total = Cooccurrence.zero(slots, slots)
        table = feature_table(self.embedding, layer.features, slots, self.options.aggregation)
        for chunk in chunks:
            every = step_in_tokens(chunk, self.context)
            for part in slices(chunk.targets.shape[0], ROWS // 4):
                step = type(every)(*(field[part] for field in every))
                seen = attend_tokens(step, self.cache, layer.attention, self.options)
                rows = look_up_table(table, step, size)
                h = softmax_over(np.matmul(seen.weights[:, None, :], rows)[:, 0, :])
                away = self.labels[chunk.targets[part]] - h
                towards = np.matmul(rows, away[:, :, None])[:, :, 0]
                ascent = self._slope(seen.attention, step.mask) * towards
                ascent = np.where(step.mask, ascent, 0.0)
                t = hidden_targets_unchecked(seen.attention, ascent)
                total += cooccurrence_unchecked(seen.comparisons, t)
        return total

    def _slope(self, attention: Array, mask: Array) -> Array:
        """dw/da: g, or −1/a for surprisal."""
        if self.options.attention == "surprisal":
            return np.asarray(-1.0 / np.where(mask, attention, 1.0))
        return gains(mask, self.options.gain, attention.dtype)

    def scorer(self, w: AttentionWeights, u: FeatureWeights) -> Scorer:
        """The function of a chunk that gives s U [n, N_h] of its samples."""
        return TokenScorer(self, w, u)


@dataclass(frozen=True)
class TokenScorer:
    """s U of a first layer, by look-ups."""

    layer: TokenLayer
    w: AttentionWeights
    u: FeatureWeights

    def __reduce__(self) -> tuple[Any, ...]:
        return _by_fields(self)

    @cached_property
    def table(self) -> Array:
        """E U_k for each slot."""
        layer = self.layer
        return feature_table(
            layer.embedding, self.u, layer.context.slots, layer.options.aggregation
        )

    def __call__(self, chunk: Samples) -> Array:
        """[n, N_h]"""
        step = step_in_tokens(chunk, self.layer.context)
        return token_scores(step, self.table, self.layer.cache, self.w, self.layer.options)


@dataclass(frozen=True)
class HigherLayer:
    """A layer that reads the hidden states of the one below."""

    context: SlotContext
    below: Callable[[Samples], Hidden]
    width: int
    """N_h of the layer below"""
    labels: Labels
    options: LayerOptions

    @property
    def attends(self) -> bool:
        """Whether there is a W to solve."""
        return self.options.attention != "uniform"

    @property
    def start(self) -> AttentionWeights:
        """W before anything is known: zeros."""
        return np.zeros((self.context.slots, self.context.slots), self.labels.dtype)

    def feature_counts(self, passes: Passes, stage: str, w: AttentionWeights) -> Cooccurrence:
        """Σ s ⊗ ℓ_y over the data."""
        return passes.add_up(stage, partial(self._features, w))

    def _features(self, w: AttentionWeights, chunks: Iterable[Samples]) -> Cooccurrence:
        rows = self.width * (self.context.slots if self.options.aggregation == "cat" else 1)
        blank = np.zeros((rows, self.labels.shape[1]), self.labels.dtype)
        total = Cooccurrence.zero(*blank.shape)
        for chunk in chunks:
            for part, state, _, _ in self._states(chunk, LayerParameters(w, blank)):
                total += cooccurrence_unchecked(state.features, self.labels[chunk.targets[part]])
        return total

    def attention_counts(
        self, passes: Passes, stage: str, layer: LayerParameters, sample: Sample
    ) -> Cooccurrence:
        """Σ c ⊗ t over a sample of the data."""
        return passes.add_up(stage, partial(self._attention, layer), sample=sample)

    def _attention(self, layer: LayerParameters, chunks: Iterable[Samples]) -> Cooccurrence:
        total = Cooccurrence.zero(self.context.slots, self.context.slots)
        for chunk in chunks:
            for part, state, x, mask in self._states(chunk, layer):
                ascent = attention_ascent(
                    state, x, mask, layer.features, self.labels[chunk.targets[part]], self.options
                )
                t = hidden_targets_unchecked(state.attention, ascent)
                total += cooccurrence_unchecked(state.comparisons, t)
        return total

    def scorer(self, w: AttentionWeights, u: FeatureWeights) -> Scorer:
        """The function of a chunk that gives s U [n, N_h] of its samples."""
        return partial(self._scores, LayerParameters(w, u))

    def _scores(self, layer: LayerParameters, chunk: Samples) -> Array:
        states = self._states(chunk, layer)
        return np.concatenate([state.features @ layer.features for _, state, _, _ in states])

    def _states(
        self, chunk: Samples, layer: LayerParameters
    ) -> Iterator[tuple[slice, SaffuState, Inputs, SlotMask]]:
        below = self.below(chunk)
        return higher_states(chunk, self.context, below, layer, self.options)


@dataclass(frozen=True)
class BagLayer:
    """The layer of a bag: the mean embedding of its tokens."""

    context: BagContext
    embedding: Embedding
    labels: Labels

    @property
    def attends(self) -> bool:
        """Whether there is a W to solve."""
        return False

    @property
    def start(self) -> AttentionWeights:
        """W before anything is known: zeros."""
        return np.zeros((0, 0), self.embedding.dtype)

    def feature_counts(self, passes: Passes, stage: str, w: AttentionWeights) -> Cooccurrence:
        """Σ s ⊗ ℓ_y over the data."""
        return passes.add_up(stage, self._features)

    def _features(self, chunks: Iterable[Samples]) -> Cooccurrence:
        total = Cooccurrence.zero(self.embedding.shape[1], self.labels.shape[1])
        for chunk in chunks:
            total += cooccurrence_unchecked(
                bag_means(self.embedding, chunk, self.context), self.labels[chunk.targets]
            )
        return total

    def attention_counts(
        self, passes: Passes, stage: str, layer: LayerParameters, sample: Sample
    ) -> Cooccurrence:
        """Σ c ⊗ t over a sample of the data."""
        raise TypeError("a document layer has no attention")

    def scorer(self, w: AttentionWeights, u: FeatureWeights) -> Scorer:
        """The function of a chunk that gives s U [n, N_h] of its samples."""
        return partial(self._scores, u)

    def _scores(self, u: FeatureWeights, chunk: Samples) -> Array:
        return np.asarray(bag_means(self.embedding, chunk, self.context) @ u)
