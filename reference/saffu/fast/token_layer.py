"""First SAFFU layer by look-ups: its inputs are rows of a table of embeddings.   (SPEC 4, 5)

Two products of the table are worth keeping while the parameters stand still:

    G = E Eᵀ        comparisons become look-ups: c_k = G[x_p, x_k]        (comparison cache [T])
    T_k = E U_k     features times weights become look-ups: s U = Σ_k w_k T_k[x_k]

The sum of weighted look-ups is one sparse product: each sample is a row with B non-zeros.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from saffu.attention import Attention, attend_unchecked
from saffu.batch import LayerPlan
from saffu.fast.attention import attend_slots
from saffu.fast.comparison_cache import Comparisons, sparse_where_it_pays
from saffu.layer import LayerOptions
from saffu.types import Array, AttentionWeights, Embedding, FeatureWeights, IntArray, SlotRows

ROWS = 4096
"""Samples whose vectors are held at once."""


def attend_tokens(
    step: LayerPlan, cache: Comparisons, weights: AttentionWeights, options: LayerOptions
) -> Attention:
    """What `attend` gives, with comparisons looked up."""
    asks = np.take_along_axis(step.slots, step.pivot[:, None], axis=1)[:, 0]
    every = cache.look_up(asks, step.slots)
    c = np.where(step.mask, every, every.dtype.type(0))
    return attend_slots(c, step.mask, weights, options)


def weigh_tokens(
    step: LayerPlan, cache: Comparisons, weights: AttentionWeights, options: LayerOptions
) -> SlotRows:
    """Feature weights w [n, B] alone.

    With W = 0 no comparison has to be looked up; and then w is exactly one where attention is
    uniform and the gain counts.
    """
    if weights.any():
        return attend_tokens(step, cache, weights, options).weights
    if options.attention != "surprisal" and options.gain == "count":
        return step.mask.astype(cache.embedding.dtype)
    blank = np.zeros(step.slots.shape, cache.embedding.dtype)
    return attend_unchecked(blank, step.mask, weights, options.attention, options.gain).weights


def feature_table(
    embedding: Embedding, feature_weights: FeatureWeights, slots: int, aggregation: str
) -> Array:
    """T: E U_k for each slot, one under the other, [B·V, N_h]; for `sum` E U alone, [V, N_h]."""
    rows = sparse_where_it_pays(embedding)
    if aggregation == "sum":
        return np.asarray(rows @ feature_weights)
    by_slot = feature_weights.reshape(slots, embedding.shape[1], -1)
    return np.concatenate([rows @ u for u in by_slot])


def read_table(table: Array, step: LayerPlan, weights: SlotRows, size: int) -> Array:
    """s U [n, N_h] = Σ_k w_k T_k[x_k], from a `feature_table` over `size` tokens."""
    n, slots = step.slots.shape
    border = np.arange(0, n * slots + 1, slots)
    picks = sparse.csr_array(
        (
            weights.ravel().astype(table.dtype, copy=False),
            _table_rows(table, step, size).ravel(),
            border,
        ),
        shape=(n, table.shape[0]),
    )
    return np.asarray(picks @ table)


def look_up_table(table: Array, step: LayerPlan, size: int) -> Array:
    """T_k[x_k] for each slot, [n, B, N_h]."""
    return np.asarray(table[_table_rows(table, step, size)])


def _table_rows(table: Array, step: LayerPlan, size: int) -> IntArray:
    """Where each slot's row lies in a `feature_table` over `size` tokens, [n, B]."""
    if table.shape[0] == size:
        return step.slots
    rows: IntArray = step.slots + size * np.arange(step.slots.shape[1])
    return rows
