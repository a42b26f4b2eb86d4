"""Co-occurrences of a first layer with its labels, without outer products.   (SPEC 5)

Embeddings and label codes are linear, and a code has few ones.  So a sample adds to a few cells of
a table of tokens and label bits, and the embedding comes in once, at the end:

    A_k[x, j] = Σ_m w_mk [x_mk = x] ℓ_{y_m}[j],        F_k = Σ_m w_mk e_{x_mk} ⊗ ℓ_{y_m} = Eᵀ A_k

The tables have B·V·N_h cells however long the text is.  Where that is too much, each chunk is added
up as pairs of tokens, F_k += Eᵀ C_k L, which takes longer and no more memory than F.   [D]

A code with three ones is made of thirds, whose sums depend on their order.  So codes are counted in
whole numbers, s·E and s'·L with s and s' the least common multiples of the numbers of ones, and F
is divided by s s' at the end.  With weights of one (uniform attention, gain by count) every sum is
then exact, and it is the same however the text is cut.   [D]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import sparse

from saffu.batch import LayerPlan
from saffu.counts import Cooccurrence
from saffu.pairs import Pairs, slot_pairs
from saffu.types import Array, IntArray, SlotRows

MOST_CELLS = 1 << 26
"""Cells of the tables (half a gigabyte), beyond which pairs are counted."""
LARGEST_SCALE = 1 << 13
"""The largest s; a hundred million samples of ten slots stay below 2^53 with 2520 = lcm(1 … 10)."""


class CodeTable(NamedTuple):
    """A table of embeddings or of labels, as whole numbers if it is made of codes."""

    rows: Pairs
    """[V, D] float64 in CSR form; `rows / scale` is the table"""
    scale: float


def whole_codes(table: Array) -> CodeTable:
    """A table [V, D] times the s that makes all of it whole, or as it is if there is none.

    >>> codes = whole_codes(np.array([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [1 / 3, 1 / 3, 1 / 3]]))
    >>> codes.scale, codes.rows.toarray().tolist()
    (6.0, [[6.0, 0.0, 0.0], [3.0, 3.0, 0.0], [2.0, 2.0, 2.0]])
    """
    rows = sparse.csr_array(table, dtype=np.float64)
    ones = np.unique(np.diff(rows.indptr))
    scale = int(np.lcm.reduce(ones[ones > 0])) if 0 < ones[-1] <= 20 else LARGEST_SCALE + 1
    scaled = rows.data * scale
    near = np.rint(scaled)
    rounding = 4 * float(np.finfo(table.dtype).eps) * scale
    if scale > LARGEST_SCALE or np.any(np.abs(scaled - near) > rounding) or np.any(near == 0):
        return CodeTable(rows, 1.0)
    return CodeTable(
        sparse.csr_array((near, rows.indices, rows.indptr), shape=rows.shape), float(scale)
    )


@dataclass(frozen=True)
class LabelTotal:
    """Σ s ⊗ ℓ_y of a part of the text, times the scales of both codes."""

    counts: Cooccurrence
    scales: tuple[float, float]

    def __add__(self, other: LabelTotal) -> LabelTotal:
        return LabelTotal(self.counts + other.counts, self.scales)

    def divided(self) -> Cooccurrence:
        """F, the sum of the norms, and the number of samples."""
        features, labels = self.scales
        scaled = self.counts
        counts = scaled.counts / (features * labels)
        return Cooccurrence(counts, scaled.norm / features, scaled.samples)


class LabelSums:
    """Σ_m s_m ⊗ ℓ_{y_m} over the chunks added so far.

    >>> E, L = np.array([[1.0, 0.0], [0.5, 0.5]]), np.eye(2)
    >>> sums = LabelSums(whole_codes(E), whole_codes(L), slots=1, aggregation="cat")
    >>> step = LayerPlan(np.array([[0], [1]]), np.array([[True], [True]]), np.array([0, 0]))
    >>> sums.add(step, np.array([[1.0], [3.0]]), np.array([1, 0]))
    >>> sums.total().divided().counts.tolist(), sums.total().divided().norm
    ([[1.5, 1.0], [1.5, 0.0]], 4.0)
    """

    def __init__(
        self,
        embedding: CodeTable,
        labels: CodeTable,
        slots: int,
        aggregation: str,
        most: int = MOST_CELLS,
    ) -> None:
        self.embedding = embedding
        self.labels = labels
        self.aggregation = aggregation
        self.norms = np.asarray(embedding.rows.sum(axis=1))
        size, width = labels.rows.shape
        towers = 1 if aggregation == "sum" else slots
        self.tabled = towers * size * width <= most
        rows = size if self.tabled else embedding.rows.shape[1]
        self.sums: Array = np.zeros((towers, rows * width))
        self.norm, self.samples = 0.0, 0

    def add(self, step: LayerPlan, weights: SlotRows, targets: IntArray) -> None:
        """Add a chunk: `weights` [n, B], zero where invalid; `targets` [n]."""
        self.norm += float(np.sum(weights * self.norms[step.slots]))
        self.samples += targets.shape[0]
        if self.tabled:
            self._add_to_tables(step, weights, targets)
            return
        size = self.embedding.rows.shape[0]
        pairs = slot_pairs(step.slots, step.mask, weights, targets, size, self.aggregation)
        for k, c in enumerate(pairs):
            more = self.embedding.rows.T @ (c @ self.labels.rows)
            self.sums[k] += more.toarray().ravel()

    def _add_to_tables(self, step: LayerPlan, weights: SlotRows, targets: IntArray) -> None:
        """A_k of the chunk: each one in the label of a target is one cell."""
        codes = self.labels.rows[targets]
        owner = np.repeat(np.arange(targets.shape[0]), np.diff(codes.indptr))
        width = self.labels.rows.shape[1]
        for k in range(step.slots.shape[1]):
            cell = (step.slots[:, k] * width)[owner] + codes.indices
            weight = weights[:, k][owner] * codes.data
            np.add.at(self.sums[0 if self.aggregation == "sum" else k], cell, weight)

    def total(self) -> LabelTotal:
        """F [S, N_h] times both scales, the sum of the norms, and the number of samples."""
        towers, width = self.sums.shape[0], self.labels.rows.shape[1]
        tables = self.sums.reshape(towers, -1, width)
        if self.tabled:
            tokens = self.embedding.rows.T
            tables = np.stack([tokens @ table for table in tables])
        scales = (self.embedding.scale, self.labels.scale)
        return LabelTotal(Cooccurrence(tables.reshape(-1, width), self.norm, self.samples), scales)
