"""One training step of a transformer with frozen embeddings.   (SPEC 4, 6)

The embeddings stand still in the frozen stage, so comparisons come from the cache G = E Eᵀ [T], and
cipher vectors, of which nearly all entries are zero, enter products as sparse rows:

    u_k = x_k U_k       one sparse product for all slots of all samples
    q = Σ_k w_k u_k,    dw_k = ⟨dq, u_k⟩,    dU_k = Σ x_k ⊗ w_k dq

What remains is the output layer: three dense products and one exponential a logit.  Loss and
gradient are those of `saffu.model`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from saffu.attention import Attention, attend_vjp
from saffu.batch import Batch, DocumentPlan, LayerPlan
from saffu.fast.tokens import attend_tokens, comparisons
from saffu.layer import LayerOptions, SaffuState, saffu_backward, saffu_forward
from saffu.model import look_up, look_up_vjp
from saffu.namespace import average_rows
from saffu.numerics import softmax, softmax_vjp
from saffu.parameters import LayerParameters, Parameters
from saffu.types import Array, Embedding, Hidden, IntArray, Logits, Nats


class FrozenEmbedding(NamedTuple):
    """An embedding that will not change, and what follows from it."""

    dense: Embedding
    rows: Any
    """E as a sparse matrix [V, D]"""
    gram: Array
    """G = E Eᵀ [V, V]"""


class TokenState(NamedTuple):
    """What the backward pass of a first layer needs."""

    seen: Attention
    picks: Any
    """the slots' vectors as sparse rows [n·B, S]"""
    slot_logits: Array
    """u [n, B, N_h]"""
    hidden: Hidden


def freeze(embedding: Embedding) -> FrozenEmbedding:
    """Prepare an embedding for the frozen stage."""
    return FrozenEmbedding(embedding, sparse.csr_array(embedding), comparisons(embedding))


def frozen_gradient(
    parameters: Parameters, frozen: FrozenEmbedding, batch: Batch, options: LayerOptions
) -> tuple[float, Parameters]:
    """Mean nats of a batch and the gradient in W, U and O; that of E is zero.   (SPEC 6)

    Parameters as for `saffu.model.model_gradient`, with E prepared by `freeze`.
    """
    states = [
        _forward(layers, frozen, tower, options, batch.targets.shape[0])
        for layers, tower in zip(parameters.towers, batch.towers, strict=True)
    ]
    hidden = np.concatenate([tower[-1].hidden for tower in states], axis=1)
    nats, d_logits = nats_and_gradient(hidden @ parameters.output, batch.targets)
    d_output = hidden.T @ d_logits
    d_hidden = d_logits @ parameters.output.T
    width = states[0][-1].hidden.shape[1]
    towers = tuple(
        _backward(d_hidden[:, c * width : (c + 1) * width], states[c], layers, tower, options)
        for c, (layers, tower) in enumerate(zip(parameters.towers, batch.towers, strict=True))
    )
    zero = np.zeros_like(parameters.embedding)
    return float(np.mean(nats, dtype=np.float64)), Parameters(zero, towers, d_output)


def frozen_logits(
    parameters: Parameters, frozen: FrozenEmbedding, batch: Batch, options: LayerOptions
) -> Logits:
    """Logits [M, V] of a batch."""
    states = [
        _forward(layers, frozen, tower, options, batch.targets.shape[0])
        for layers, tower in zip(parameters.towers, batch.towers, strict=True)
    ]
    return np.concatenate([tower[-1].hidden for tower in states], axis=1) @ parameters.output


def nats_and_gradient(logits: Logits, targets: IntArray) -> tuple[Nats, Logits]:
    """Nats of each sample [M], and (ŷ − y)/M, written over the logits."""
    m = np.arange(targets.shape[0])
    right, total = _exponentials(logits, targets)
    logits /= total * logits.dtype.type(targets.shape[0])
    logits[m, targets] -= logits.dtype.type(1 / targets.shape[0])
    return np.log(total[:, 0]) - right, logits


def nats_of(logits: Logits, targets: IntArray) -> Nats:
    """Nats of each sample [M]; the logits are written over."""
    right, total = _exponentials(logits, targets)
    return np.asarray(np.log(total[:, 0]) - right)


def _exponentials(logits: Logits, targets: IntArray) -> tuple[Array, Array]:
    """Turn logits into exp(z − max z); the targets' z − max z [M], and the sums [M, 1]."""
    logits -= logits.max(axis=1, keepdims=True)
    right = logits[np.arange(targets.shape[0]), targets].copy()
    np.exp(logits, out=logits)
    return right, logits.sum(axis=1, keepdims=True)


class BagState(NamedTuple):
    """What the backward pass of a document layer needs."""

    features: Array
    hidden: Hidden


def _forward(
    layers: tuple[LayerParameters, ...],
    frozen: FrozenEmbedding,
    tower: tuple[LayerPlan, ...] | DocumentPlan,
    options: LayerOptions,
    samples: int,
) -> list[Any]:
    """States of a tower's layers, from the bottom up."""
    if isinstance(tower, DocumentPlan):
        s = average_rows(frozen.dense, tower.token, tower.owner, samples)
        return [BagState(s, softmax(s @ layers[0].features))]
    states: list[Any] = [_forward_tokens(layers[0], frozen, tower[0], options)]
    for layer, step in zip(layers[1:], tower[1:], strict=True):
        x = look_up(states[-1].hidden, step)
        states.append(saffu_forward(x, step.mask, step.pivot, *layer, options))
    return states


def _backward(
    d_hidden: Hidden,
    states: list[Any],
    layers: tuple[LayerParameters, ...],
    tower: tuple[LayerPlan, ...] | DocumentPlan,
    options: LayerOptions,
) -> tuple[LayerParameters, ...]:
    """Gradients of a tower's layers, from the bottom up."""
    if isinstance(tower, DocumentPlan):
        bag = states[0]
        dq = softmax_vjp(bag.hidden, d_hidden)
        return (LayerParameters(layers[0].attention, bag.features.T @ dq),)
    gradients: list[LayerParameters] = []
    for level in range(len(layers) - 1, 0, -1):
        state: SaffuState = states[level]
        step, below = tower[level], states[level - 1].hidden
        got = saffu_backward(
            d_hidden, state, look_up(below, step), step.mask, step.pivot, *layers[level], options
        )
        gradients.append(LayerParameters(got.attention_weights, got.feature_weights))
        d_hidden = look_up_vjp(got.inputs, step, below.shape[0])
    gradients.append(_backward_tokens(d_hidden, states[0], layers[0], tower[0], options))
    return tuple(reversed(gradients))


def _forward_tokens(
    layer: LayerParameters, frozen: FrozenEmbedding, step: LayerPlan, options: LayerOptions
) -> TokenState:
    seen = attend_tokens(step, frozen.gram, layer.attention, options)
    n, slots = step.slots.shape
    picks = frozen.rows[step.slots.ravel()]
    if options.aggregation == "cat":
        width = frozen.rows.shape[1]
        lengths = np.diff(picks.indptr)
        shift = np.repeat(np.tile(np.arange(slots) * width, n), lengths)
        picks = sparse.csr_array(
            (picks.data, picks.indices + shift, picks.indptr), shape=(n * slots, width * slots)
        )
    u = np.asarray(picks @ layer.features).reshape(n, slots, -1)
    q = np.matmul(seen.weights[:, None, :], u)[:, 0, :]
    return TokenState(seen, picks, u, softmax(q))


def _backward_tokens(
    d_hidden: Hidden,
    state: TokenState,
    layer: LayerParameters,
    step: LayerPlan,
    options: LayerOptions,
) -> LayerParameters:
    dq = softmax_vjp(state.hidden, d_hidden)
    dw = np.matmul(state.slot_logits, dq[:, :, None])[:, :, 0]
    d_attention, _ = attend_vjp(
        dw, state.seen, step.mask, layer.attention, options.attention, options.gain
    )
    du = state.seen.weights[:, :, None] * dq[:, None, :]
    d_features = np.asarray(state.picks.T @ du.reshape(-1, dq.shape[1]))
    return LayerParameters(d_attention, d_features)
