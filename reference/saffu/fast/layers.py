"""A layer as the warm start sees it: something that counts, given its weights so far.   (SPEC 5)

The explicit solution of a layer asks three things of the data: co-occurrences of features and
labels (for U), co-occurrences of comparisons and hidden targets (for W), and hidden states (for
what lies above).  Each kind of layer has its own quickest way: pair counts over tokens for the
first, running sums for a document, dense products of a chunk for higher layers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np

from saffu.attention import gains
from saffu.contexts import Block, Radial
from saffu.counts import Cooccurrence, cooccurrence
from saffu.explicit.attention import attention_ascent
from saffu.explicit.hidden import hidden_targets
from saffu.fast.predict import higher_states, token_scores
from saffu.fast.stream import Passes, running_means, slices, step_in_tokens
from saffu.fast.sums import LabelSums
from saffu.fast.tokens import (
    ROWS,
    attend_tokens,
    comparisons,
    feature_table,
    look_up_table,
    softmax_over,
    weigh_tokens,
)
from saffu.layer import LayerOptions, SaffuState
from saffu.parameters import LayerParameters
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
from saffu.vocabulary import Samples

Scorer: TypeAlias = Callable[[Samples], Array]


@runtime_checkable
class CountingLayer(Protocol):
    """What the warm start asks of a layer."""

    @property
    def attends(self) -> bool:
        """Whether there is a W to solve."""

    @property
    def start(self) -> AttentionWeights:
        """W before anything is known: zeros, which is uniform attention."""

    def feature_counts(self, passes: Passes, stage: str, w: AttentionWeights) -> Cooccurrence:
        """Σ s ⊗ ℓ_y over the data, attention as W says."""

    def attention_counts(
        self, passes: Passes, stage: str, layer: LayerParameters, most: int | None, seed: int
    ) -> Cooccurrence:
        """Σ c ⊗ t over (part of) the data, t the hidden targets under W and U."""

    def scorer(self, w: AttentionWeights, u: FeatureWeights) -> Scorer:
        """What gives s U [n, N_h] for all samples of a chunk."""


@dataclass(frozen=True)
class TokenLayer:
    """The first layer of a tower with slots."""

    context: Radial | Block
    embedding: Embedding
    labels: Labels
    options: LayerOptions
    gram: Array
    """G = E Eᵀ"""

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
        slots, kind = self.context.slots, self.options.aggregation
        sums = LabelSums(self.embedding, self.labels, slots, kind)
        for chunk in passes.read(stage):
            step = step_in_tokens(chunk, self.context)
            sums.add(step, weigh_tokens(step, self.gram, w, self.options), chunk.targets)
        return sums.total()

    def attention_counts(
        self, passes: Passes, stage: str, layer: LayerParameters, most: int | None, seed: int
    ) -> Cooccurrence:
        """Σ c ⊗ t over (part of) the data."""
        slots, size = self.context.slots, self.embedding.shape[0]
        total = Cooccurrence.zero(slots, slots)
        table = feature_table(self.embedding, layer.features, slots, self.options.aggregation)
        for chunk in passes.read(stage, most=most, seed=seed):
            every = step_in_tokens(chunk, self.context)
            for part in slices(chunk.targets.shape[0], ROWS):
                step = type(every)(*(field[part] for field in every))
                seen = attend_tokens(step, self.gram, layer.attention, self.options)
                rows = look_up_table(table, step, size)
                h = softmax_over(np.matmul(seen.weights[:, None, :], rows)[:, 0, :])
                away = self.labels[chunk.targets[part]] - h
                towards = np.matmul(rows, away[:, :, None])[:, :, 0]
                ascent = self._slope(seen.attention, step.mask) * towards
                ascent = np.where(step.mask, ascent, 0.0)
                total += cooccurrence(seen.comparisons, hidden_targets(seen.attention, ascent))
        return total

    def _slope(self, attention: Array, mask: Array) -> Array:
        """dw/da: g, or −1/a for surprisal."""
        if self.options.attention == "surprisal":
            return np.asarray(-1.0 / np.where(mask, attention, 1.0))
        return gains(mask, self.options.gain, attention.dtype)

    def scorer(self, w: AttentionWeights, u: FeatureWeights) -> Scorer:
        """What gives s U [n, N_h] for all samples of a chunk."""
        table = feature_table(self.embedding, u, self.context.slots, self.options.aggregation)
        return lambda chunk: token_scores(
            step_in_tokens(chunk, self.context), table, self.gram, w, self.options
        )


@dataclass(frozen=True)
class HigherLayer:
    """A layer that reads the hidden states of the one below."""

    context: Radial | Block
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
        rows = self.width * (self.context.slots if self.options.aggregation == "cat" else 1)
        blank = np.zeros((rows, self.labels.shape[1]), self.labels.dtype)
        total = Cooccurrence.zero(*blank.shape)
        for chunk in passes.read(stage):
            for part, state, _, _ in self._states(chunk, LayerParameters(w, blank)):
                total += cooccurrence(state.features, self.labels[chunk.targets[part]])
        return total

    def attention_counts(
        self, passes: Passes, stage: str, layer: LayerParameters, most: int | None, seed: int
    ) -> Cooccurrence:
        """Σ c ⊗ t over (part of) the data."""
        total = Cooccurrence.zero(self.context.slots, self.context.slots)
        for chunk in passes.read(stage, most=most, seed=seed):
            for part, state, x, mask in self._states(chunk, layer):
                ascent = attention_ascent(
                    state, x, mask, layer.features, self.labels[chunk.targets[part]], self.options
                )
                total += cooccurrence(state.comparisons, hidden_targets(state.attention, ascent))
        return total

    def scorer(self, w: AttentionWeights, u: FeatureWeights) -> Scorer:
        """What gives s U [n, N_h] for all samples of a chunk."""
        layer = LayerParameters(w, u)
        return lambda chunk: np.concatenate(
            [state.features @ u for _, state, _, _ in self._states(chunk, layer)]
        )

    def _states(
        self, chunk: Samples, layer: LayerParameters
    ) -> Iterator[tuple[slice, SaffuState, Inputs, SlotMask]]:
        below = self.below(chunk)
        return higher_states(chunk, self.context, below, layer, self.options)


@dataclass(frozen=True)
class BagLayer:
    """The layer of a document context: the mean of all embeddings so far."""

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
        total = Cooccurrence.zero(self.embedding.shape[1], self.labels.shape[1])
        for chunk in passes.read(stage):
            total += cooccurrence(running_means(self.embedding, chunk), self.labels[chunk.targets])
        return total

    def attention_counts(
        self, passes: Passes, stage: str, layer: LayerParameters, most: int | None, seed: int
    ) -> Cooccurrence:
        """Σ c ⊗ t over (part of) the data."""
        raise TypeError("a document layer has no attention")

    def scorer(self, w: AttentionWeights, u: FeatureWeights) -> Scorer:
        """What gives s U [n, N_h] for all samples of a chunk."""
        return lambda chunk: np.asarray(running_means(self.embedding, chunk) @ u)


def token_layer(
    context: Radial | Block, embedding: Embedding, labels: Labels, options: LayerOptions
) -> TokenLayer:
    """The first layer of a tower, with its comparison cache."""
    return TokenLayer(context, embedding, labels, options, comparisons(embedding))
