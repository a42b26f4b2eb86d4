"""Adding up what a first layer sees with its labels, without an outer product.   (SPEC 5)

Embeddings and label codes are linear, and a code has few ones.  So a sample adds to a few cells of
a table of tokens and label bits, and the embedding comes in once, at the end:

    A_k[x, j] = Σ_m w_mk [x_mk = x] ℓ_{y_m}[j],        F_k = Σ_m w_mk e_{x_mk} ⊗ ℓ_{y_m} = Eᵀ A_k

The tables have B·V·N_h cells however long the text is.  Where that is too much, each chunk is added
up as pairs of tokens, F_k += Eᵀ C_k L, which takes longer and no more memory than F.   [D]
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from saffu.batch import LayerPlan
from saffu.counts import Cooccurrence
from saffu.pairs import pairs_to_counts, slot_pairs
from saffu.types import Array, Embedding, IntArray, Labels, SlotRows

MOST_CELLS = 1 << 26
"""Cells of the tables (half a gigabyte), beyond which pairs are counted."""


class LabelSums:
    """Σ_m s_m ⊗ ℓ_{y_m} over the chunks added so far.

    >>> E, L = np.array([[1.0, 0.0], [0.5, 0.5]]), np.eye(2)
    >>> sums = LabelSums(E, L, slots=1, aggregation="cat")
    >>> step = LayerPlan(np.array([[0], [1]]), np.array([[True], [True]]), np.array([0, 0]))
    >>> sums.add(step, np.array([[1.0], [3.0]]), np.array([1, 0]))
    >>> sums.total().counts.tolist(), sums.total().norm
    ([[1.5, 1.0], [1.5, 0.0]], 4.0)
    """

    def __init__(
        self,
        embedding: Embedding,
        labels: Labels,
        slots: int,
        aggregation: str,
        most: int = MOST_CELLS,
    ) -> None:
        self.embedding = embedding
        self.labels = labels
        self.aggregation = aggregation
        self.norms = embedding.sum(axis=1, dtype=np.float64)
        self.codes = sparse.csr_array(labels)
        size, width = labels.shape
        towers = 1 if aggregation == "sum" else slots
        self.tabled = towers * size * width <= most
        rows = size if self.tabled else embedding.shape[1]
        self.sums: Array = np.zeros((towers, rows * width))
        self.norm, self.samples = 0.0, 0

    def add(self, step: LayerPlan, weights: SlotRows, targets: IntArray) -> None:
        """Add a chunk: `weights` [n, B], zero where invalid; `targets` [n]."""
        self.norm += float(np.sum(weights * self.norms[step.slots]))
        self.samples += targets.shape[0]
        if self.tabled:
            self._add_to_tables(step, weights, targets)
            return
        size = self.embedding.shape[0]
        pairs = slot_pairs(step.slots, step.mask, weights, targets, size, self.aggregation)
        more = pairs_to_counts(pairs, self.embedding, self.labels)
        self.sums += more.reshape(self.sums.shape)

    def _add_to_tables(self, step: LayerPlan, weights: SlotRows, targets: IntArray) -> None:
        """A_k of the chunk: each one in the label of a target is one cell."""
        said = self.codes[targets]
        owner = np.repeat(np.arange(targets.shape[0]), np.diff(said.indptr))
        width, cells = self.labels.shape[1], self.sums.shape[1]
        for k in range(step.slots.shape[1]):
            cell = (step.slots[:, k] * width)[owner] + said.indices
            weight = weights[:, k][owner] * said.data
            table = self.sums[0 if self.aggregation == "sum" else k]
            table += np.bincount(cell, weight, minlength=cells)

    def total(self) -> Cooccurrence:
        """F [S, N_h], the sum of the norms, and the number of samples."""
        towers, width = self.sums.shape[0], self.labels.shape[1]
        tables = self.sums.reshape(towers, -1, width)
        if self.tabled:
            tokens = sparse.csr_array(self.embedding).T
            tables = np.stack([tokens @ table for table in tables])
        return Cooccurrence(tables.reshape(-1, width), self.norm, self.samples)
