"""First layer of a tower with frozen embeddings: forward and backward pass.   (SPEC 4, 6)

Comparisons come from a cache [T], and cipher vectors, of which nearly all entries are
zero, enter products as sparse rows:

    u_k = x_k U_k       one sparse product for all slots of all samples
    q = Σ_k w_k u_k,    dw_k = ⟨dq, u_k⟩,    dU = Sᵀ dq, with S the rows [w_1 x_1 … w_B x_B]
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from saffu.attention import Attention, attend_vjp
from saffu.batch import LayerPlan
from saffu.fast.comparison_cache import Comparisons, comparisons
from saffu.fast.token_layer import attend_tokens
from saffu.layer import LayerOptions
from saffu.numerics import softmax_unchecked, softmax_vjp_unchecked
from saffu.parameters import LayerParameters
from saffu.types import Array, Embedding, Hidden


class FrozenEmbedding(NamedTuple):
    """A frozen embedding with the tables that follow from it."""

    dense: Embedding
    rows: Any
    """E as a sparse matrix [V, D]"""
    cache: Comparisons


class FrozenState(NamedTuple):
    """The intermediate results that the backward pass needs."""

    seen: Attention
    picks: Any
    """the slots' vectors as sparse rows [n·B, S]"""
    slot_logits: Array
    """u [n, B, N_h]"""
    hidden: Hidden


def freeze(embedding: Embedding) -> FrozenEmbedding:
    """Prepare an embedding for the frozen stage."""
    return FrozenEmbedding(embedding, sparse.csr_array(embedding), comparisons(embedding))


def forward_frozen(
    layer: LayerParameters, frozen: FrozenEmbedding, step: LayerPlan, options: LayerOptions
) -> FrozenState:
    """Hidden states of a batch, with the intermediate results."""
    seen = attend_tokens(step, frozen.cache, layer.attention, options)
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
    return FrozenState(seen, picks, u, softmax_unchecked(q))


def backward_frozen(
    d_hidden: Hidden,
    state: FrozenState,
    layer: LayerParameters,
    step: LayerPlan,
    options: LayerOptions,
) -> LayerParameters:
    """Pull `d_hidden` [n, N_h] back to W and U."""
    dq = softmax_vjp_unchecked(state.hidden, d_hidden)
    dw = np.matmul(state.slot_logits, dq[:, :, None])[:, :, 0]
    d_attention, _ = attend_vjp(
        dw, state.seen, step.mask, layer.attention, options.attention, options.gain
    )
    return LayerParameters(d_attention, np.asarray(_aggregates(state).T @ dq))


def _aggregates(state: FrozenState) -> Any:
    """S [n, S], what `saffu.layer.aggregate` gives, as sparse rows."""
    n, slots = state.seen.weights.shape
    border = state.picks.indptr
    weights = np.repeat(state.seen.weights.ravel(), np.diff(border))
    return sparse.csr_array(
        (state.picks.data * weights, state.picks.indices, border[::slots]),
        shape=(n, state.picks.shape[1]),
    )
