"""Direct output: no hidden layer, one table of evidence per slot.   (SPEC 1, 4)

    z = log q + Σ_k λ_k w_k (log P_k(· | x_k) − log q)

P_k(y | x) is the explicit solution of slot k alone, from pair counts C_k; q are the frequencies of
the targets; w are the attention weights of the context; λ has one number per slot, fitted to
held-out text, still a convex problem.   [P2's single layer, generalised; D]

Under `Backoff` and `Discount` the probability of every unseen pair is proportional to q, so after a
shift, which softmax is invariant to, only seen pairs differ from q:

    Backoff     R[x,y] = log((F + α q) / (α q))
    Discount    R[x,y] = log((F − δ + δ r⁺ q) / (δ r⁺ q))

The tables R are sparse: at most one entry for each pair of token and target that occurred.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from saffu.arrays.operation import operation
from saffu.batch import LayerPlan
from saffu.errors import BadOption
from saffu.explicit.smoothing import Smoothing, shares_of_totals
from saffu.pairs import Pairs
from saffu.types import Array, AttentionWeights, Embedding, Logits, SlotRows


class DirectTower(NamedTuple):
    """One context model of a direct model."""

    attention: AttentionWeights
    """W [B, B]"""
    temper: Array
    """λ [B]"""
    tables: tuple[Pairs, ...]
    """R_k [V, V], sparse, one per slot"""


class DirectParameters(NamedTuple):
    """A whole direct model."""

    embedding: Embedding
    """E [V, D], for the comparisons of attention"""
    prior: Array
    """log q [V]"""
    towers: tuple[DirectTower, ...]


def evidence_table(pairs: Pairs, shares: Array, smoothing: Smoothing) -> Pairs:
    """R [V, V] from pair counts C and the shares q [V]; sparse as C.   (SPEC 4)

    Refuses: `Additive`, under which unseen pairs do not follow q; a strength of 0.

    >>> from saffu.explicit.smoothing import Backoff
    >>> from saffu.pairs import pair_counts
    >>> C = pair_counts(np.array([0, 0, 0]), np.array([1, 1, 1]), 2)
    >>> evidence_table(C, np.array([0.5, 0.5]), Backoff(2.0)).toarray().round(6).tolist()
    [[0.0, 1.386294], [0.0, 0.0]]
    """
    table, cells = pairs.tocsr(copy=True), np.diff(pairs.tocsr().indptr)
    evidence = None
    if smoothing.strength > 0:
        of_row = np.repeat(cells, cells)
        evidence = smoothing.evidence(table.data, of_row, shares[table.indices])
    if evidence is None:
        raise BadOption(
            "smoothing", smoothing, "Backoff or Discount of positive strength", "SPEC 4"
        )
    table.data = evidence
    return table


def log_shares(target_counts: Array) -> Array:
    """log q [V], q_i = (n_i + 1) / (Σ n + V)."""
    return np.log(shares_of_totals(target_counts))


def slot_evidence(tower: DirectTower, step: LayerPlan, weights: SlotRows) -> Array:
    """w_k R_k[x_k, ·] for each slot, [n, B, V]; zero where invalid."""
    rows = [
        table[step.slots[:, k]].toarray() * weights[:, k, None]
        for k, table in enumerate(tower.tables)
    ]
    return np.stack(rows, axis=1)


@operation
def direct_logits(
    parameters: DirectParameters,
    steps: Sequence[LayerPlan],
    weights: Sequence[Array],
) -> Logits:
    """log q + Σ_contexts Σ_k λ_k w_k R_k[x_k, ·], up to a constant per row.   (SPEC 4)

    Parameters: `steps` and attention `weights` [n, B], one for each tower.  Returns [n, V].
    """
    n = steps[0].slots.shape[0]
    logits: Logits = np.tile(parameters.prior, (n, 1))
    for tower, step, w in zip(parameters.towers, steps, weights, strict=True):
        for k, table in enumerate(tower.tables):
            picked = table[step.slots[:, k]]
            share = np.repeat(tower.temper[k] * w[:, k], np.diff(picked.indptr))
            owner = np.repeat(np.arange(n), np.diff(picked.indptr))
            logits[owner, picked.indices] += (picked.data * share).astype(logits.dtype)
    return logits
