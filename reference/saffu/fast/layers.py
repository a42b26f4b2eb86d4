"""A layer as the warm start sees it: something that counts, given its weights so far.   (SPEC 5)

The explicit solution of a layer asks three things of the data: co-occurrences of features and
labels (for U), co-occurrences of comparisons and hidden targets (for W), and hidden states (for
what lies above).  Each kind of layer has its own quickest way: pair counts over tokens for the
first, running sums for a document, dense products of a chunk for higher layers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from saffu.attention import gains
from saffu.contexts import Block, Radial
from saffu.counts import Cooccurrence, cooccurrence
from saffu.explicit.attention import attention_ascent
from saffu.explicit.hidden import hidden_targets
from saffu.fast.predict import ROWS, higher_states, token_scores
from saffu.fast.stream import Passes, running_means, slices, step_in_tokens
from saffu.fast.tokens import attend_tokens, comparisons, feature_table, read_table
from saffu.layer import LayerOptions, SaffuState
from saffu.numerics import softmax
from saffu.pairs import Pairs, add_pairs, pairs_to_counts, slot_pairs
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

    def scores(self, chunk: Samples, w: AttentionWeights, u: FeatureWeights) -> Array:
        """s U [n, N_h] for all samples of a chunk."""


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
        size = self.embedding.shape[0]
        pairs: list[Pairs] | None = None
        samples = 0
        for chunk in passes.read(stage):
            step = step_in_tokens(chunk, self.context)
            weights = attend_tokens(step, self.gram, w, self.options).weights
            more = slot_pairs(
                step.slots, step.mask, weights, chunk.targets, size, self.options.aggregation
            )
            pairs = more if pairs is None else add_pairs(pairs, more)
            samples += chunk.targets.shape[0]
        assert pairs is not None
        norms = self.embedding.sum(axis=1)
        norm = float(sum((c.sum(axis=1) * norms).sum() for c in pairs))
        return Cooccurrence(pairs_to_counts(pairs, self.embedding, self.labels), norm, samples)

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
                h = softmax(read_table(table, step, seen.weights, size))
                away = self.labels[chunk.targets[part]] - h
                offset = size if table.shape[0] > size else 0
                towards = np.stack(
                    [
                        np.sum(table[step.slots[:, k] + k * offset] * away, axis=1)
                        for k in range(slots)
                    ],
                    axis=1,
                )
                ascent = self._slope(seen.attention, step.mask) * towards
                ascent = np.where(step.mask, ascent, 0.0)
                total += cooccurrence(seen.comparisons, hidden_targets(seen.attention, ascent))
        return total

    def _slope(self, attention: Array, mask: Array) -> Array:
        """dw/da: g, or −1/a for surprisal."""
        if self.options.attention == "surprisal":
            return np.asarray(-1.0 / np.where(mask, attention, 1.0))
        return gains(mask, self.options.gain, attention.dtype)

    def scores(self, chunk: Samples, w: AttentionWeights, u: FeatureWeights) -> Array:
        """s U [n, N_h] for all samples of a chunk."""
        layer = LayerParameters(w, u)
        return token_scores(chunk, self.context, self.embedding, self.gram, layer, self.options)


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

    def scores(self, chunk: Samples, w: AttentionWeights, u: FeatureWeights) -> Array:
        """s U [n, N_h] for all samples of a chunk."""
        layer = LayerParameters(w, u)
        return np.concatenate([s.features @ u for _, s, _, _ in self._states(chunk, layer)])

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

    def scores(self, chunk: Samples, w: AttentionWeights, u: FeatureWeights) -> Array:
        """s U [n, N_h] for all samples of a chunk."""
        return np.asarray(running_means(self.embedding, chunk) @ u)


def token_layer(
    context: Radial | Block, embedding: Embedding, labels: Labels, options: LayerOptions
) -> TokenLayer:
    """The first layer of a tower, with its comparison cache."""
    return TokenLayer(context, embedding, labels, options, comparisons(embedding))
