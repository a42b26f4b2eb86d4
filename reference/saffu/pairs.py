"""Co-occurrence without outer products: count pairs of tokens, multiply once.   (SPEC 5)

Embeddings and label codes are linear, so the sum over samples of outer products is a small product
around a sparse matrix of token pairs:

    Σ_m w_mk e_{x_mk} ⊗ ℓ_{y_m} = Eᵀ C_k L,    C_k[x, y] = Σ_m w_mk [x_mk = x] [y_m = y]

One scatter per (sample, slot), whatever the widths of E and L.   [D]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from scipy import sparse

from saffu.arrays.namespace import beside, combine_rows, namespace
from saffu.types import Array, Embedding, IntArray, Labels, SlotMask, SlotRows, Slots

Pairs: TypeAlias = Any
"""C [V, V], a sparse matrix in CSR form (SciPy's classes carry no shape or type that helps)."""


def pair_counts(
    tokens: IntArray, targets: IntArray, size: int, weights: Array | None = None
) -> Pairs:
    """C [V, V]: how often (or with what weight) each token stood before each target.

    >>> pair_counts(np.array([0, 1, 1]), np.array([1, 0, 0]), 2).toarray().tolist()
    [[0.0, 1.0], [2.0, 0.0]]
    """
    one = np.ones(tokens.shape[0]) if weights is None else weights
    pairs = sparse.coo_array((one, (tokens, targets)), shape=(size, size)).tocsr()
    pairs.sum_duplicates()
    return pairs


def slot_pairs(
    slots: Slots,
    mask: SlotMask,
    weights: SlotRows,
    targets: IntArray,
    size: int,
    aggregation: str,
) -> list[Pairs]:
    """One C for each slot (`cat`), or one for all of them (`sum`)."""
    if aggregation == "sum":
        every = np.broadcast_to(targets[:, None], slots.shape)[mask]
        return [pair_counts(slots[mask], every, size, weights[mask])]
    return [
        pair_counts(slots[valid, k], targets[valid], size, weights[valid, k])
        for k, valid in enumerate(mask.T)
    ]


def add_pairs(one: Sequence[Pairs], other: Sequence[Pairs]) -> list[Pairs]:
    """Slot by slot sums; pair counts are a monoid, as all counts are."""
    return [a + b for a, b in zip(one, other, strict=True)]


def slot_counts(
    slots: Slots,
    weights: SlotRows,
    targets: IntArray,
    embedding: Embedding,
    labels: Labels,
    aggregation: str,
) -> Array:
    """F [S, N_h] in any array library: A_k = C_k L, then Eᵀ A_k, one slot under the other.

    Parameters: `slots` [n, B]; `weights` [n, B], zero on invalid slots; `targets` [n]; E [V, D] and
    L [V, N_h].

    >>> E, L = np.array([[1.0, 0.0], [0.5, 0.5]]), np.eye(2)
    >>> slots, targets = np.array([[0], [1], [1]]), np.array([1, 0, 0])
    >>> slot_counts(slots, np.ones((3, 1)), targets, E, L, "cat").tolist()
    [[1.0, 1.0], [1.0, 0.0]]
    """
    xp = namespace(embedding)
    slots, targets, size = beside(slots, embedding), beside(targets, embedding), embedding.shape[0]
    tables = [
        combine_rows(weights[:, k], slots[:, k], targets, labels, size)
        for k in range(slots.shape[1])
    ]
    if aggregation == "sum":
        tables = [sum(tables[1:], tables[0])]
    return xp.concat([embedding.T @ table for table in tables], axis=0)
