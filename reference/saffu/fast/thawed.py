"""First layer of a tower with trained embeddings: forward and backward pass.   (SPEC 4, 6)

The equations are those of `saffu.layer`; what is saved is passes over arrays of n·B·D numbers:

    dE = Σ w_k e_{x_k} ⊗ ds_k  +  (A + Aᵀ) E,    A = Σ dc_k e_{x_k} ⊗ e_{x_p}

Both sums are sparse products: the first has one entry per slot, and A holds the gradients of the
comparisons by pairs of tokens, so that no vector is multiplied by them slot by slot.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import sparse

from saffu.attention import Attention, attend_unchecked, attend_vjp
from saffu.batch import LayerPlan
from saffu.layer import LayerOptions
from saffu.numerics import softmax_unchecked, softmax_vjp_unchecked
from saffu.parameters import LayerParameters
from saffu.types import Aggregate, Array, Embedding, Hidden, Inputs, SlotRows


class ThawedState(NamedTuple):
    """The intermediate results that the backward pass needs."""

    seen: Attention
    inputs: Inputs
    """the slots' vectors [n, B, D]; invalid slots hold that of token 0"""
    features: Aggregate
    hidden: Hidden


def forward_thawed(
    layer: LayerParameters, embedding: Embedding, step: LayerPlan, options: LayerOptions
) -> ThawedState:
    """Hidden states of a batch, with the intermediate results."""
    x = np.take(embedding, step.slots, axis=0)
    asks = embedding[_pivots(step)[:, 0]]
    c = np.where(step.mask, np.matmul(x, asks[:, :, None])[:, :, 0], embedding.dtype.type(0))
    seen = attend_unchecked(c, step.mask, layer.attention, options.attention, options.gain)
    if options.aggregation == "sum":
        s = np.matmul(seen.weights[:, None, :], x)[:, 0, :]
    else:
        s = (seen.weights[:, :, None] * x).reshape(x.shape[0], -1)
    return ThawedState(seen, x, s, softmax_unchecked(s @ layer.features))


def backward_thawed(
    d_hidden: Hidden,
    state: ThawedState,
    layer: LayerParameters,
    embedding: Embedding,
    step: LayerPlan,
    options: LayerOptions,
) -> tuple[LayerParameters, Embedding]:
    """Pull `d_hidden` [n, N_h] back to W and U, and to E."""
    dq = softmax_vjp_unchecked(state.hidden, d_hidden)
    ds = (dq @ layer.features.T).reshape(dq.shape[0], -1, embedding.shape[1])
    if options.aggregation == "sum":
        dw = np.matmul(state.inputs, ds[:, 0, :, None])[:, :, 0]
    else:
        dw = np.einsum("nkd,nkd->nk", ds, state.inputs)
    d_attention, dc = attend_vjp(
        dw, state.seen, step.mask, layer.attention, options.attention, options.gain
    )
    dc = np.where(step.mask, dc, dc.dtype.type(0))
    d_embedding = _by_values(ds, state.seen.weights, step, embedding) + _by_pairs(
        dc, step, embedding
    )
    return LayerParameters(d_attention, state.features.T @ dq), d_embedding


def _by_values(ds: Array, weights: SlotRows, step: LayerPlan, embedding: Embedding) -> Array:
    """Σ w_k e_{x_k} ⊗ ds_k; for `sum` all slots of a sample share one ds."""
    n, slots = step.slots.shape
    often = slots if ds.shape[1] == 1 else 1
    border = np.arange(0, n * slots + 1, often)
    picks = sparse.csc_array(
        (weights.ravel(), step.slots.ravel(), border), shape=(embedding.shape[0], len(border) - 1)
    )
    return np.asarray(picks @ ds.reshape(-1, embedding.shape[1]))


def _by_pairs(dc: SlotRows, step: LayerPlan, embedding: Embedding) -> Array:
    """(A + Aᵀ) E."""
    size = embedding.shape[0]
    asks = np.broadcast_to(_pivots(step), step.slots.shape)
    pairs = sparse.coo_array(
        (dc.ravel(), (step.slots.ravel(), asks.ravel())), shape=(size, size)
    ).tocsr()
    return np.asarray(pairs @ embedding + pairs.T @ embedding)


def _pivots(step: LayerPlan) -> Array:
    """The token in each context's pivot slot, [n, 1]."""
    return np.take_along_axis(step.slots, step.pivot[:, None], axis=1)
