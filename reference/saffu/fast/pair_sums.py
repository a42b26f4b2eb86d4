"""Pair counts of tokens in a text of any length.   (SPEC 5)

    C_t[x, y] = how often x stood before y, over all slots of table t

Counts are whole numbers below 2^53, so their sums are exact, in any order.  A few pairs are sorted
into sparse matrices, and each is added to another only when both are of about one size, so that
every pair is moved a few times and not once for each chunk that follows.  When there are many, they
go into tables of V² cells, which take one addition a pair; unless all tables together would be too
large.   [D]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from saffu.fast.label_sums import MOST_CELLS
from saffu.pairs import Pairs, add_pairs, pair_counts
from saffu.types import Array, IntArray, SlotMask, Slots

SPARSE = 16
"""Cells for each pair that was seen, below which tables are quicker than matrices."""
ONE = np.int32(1)
"""Of the type of the cells: `np.add.at` takes twenty times longer if it has to convert."""


@dataclass(frozen=True)
class PairTotal:
    """Pairs of a part of the text."""

    targets: IntArray
    """[V], how often each token was a target"""
    pairs: list[Pairs]
    """C_t, one per table"""

    def __add__(self, other: PairTotal) -> PairTotal:
        return PairTotal(self.targets + other.targets, add_pairs(self.pairs, other.pairs))


class PairSums:
    """Pairs of the chunks added so far, fewer than 2^31 of them.

    Parameters: `size` V; `tables`, for each slot the number of its table; `most` cells of tables.

    >>> sums = PairSums(3, tables=[0, 1])
    >>> slots, mask = np.array([[1, 2], [1, 0]]), np.array([[True, True], [True, False]])
    >>> sums.add(slots, mask, np.array([0, 0]))
    >>> [pairs.toarray()[1:, 0].tolist() for pairs in sums.total().pairs]
    [[2.0, 0.0], [0.0, 1.0]]
    """

    def __init__(self, size: int, tables: Sequence[int], most: int = MOST_CELLS) -> None:
        self.size = size
        self.tables = tables
        self.targets = np.zeros(size, dtype=np.int64)
        number = max(tables) + 1
        room = number * size * size
        self.crowded = room // SPARSE if room <= most else None
        self.cells: list[Array] = []
        self.heaps: list[list[Pairs]] = [[] for _ in range(number)]

    def add(self, slots: Slots, mask: SlotMask, targets: IntArray) -> None:
        """Add a chunk: `slots`, `mask` [n, B] and `targets` [n]."""
        self.targets += np.bincount(targets, minlength=self.size)
        for table, tokens, valid in zip(self.tables, slots.T, mask.T, strict=True):
            x, y = tokens[valid], targets[valid]
            if self.cells:
                np.add.at(self.cells[table], x.astype(np.int64) * self.size + y, ONE)
                continue
            heap = self.heaps[table]
            heap.append(pair_counts(x, y, self.size))
            while len(heap) > 1 and heap[-2].nnz <= 2 * heap[-1].nnz:
                heap.append(heap.pop() + heap.pop())
        held = sum(pairs.nnz for heap in self.heaps for pairs in heap)
        if self.crowded is not None and held > self.crowded:
            self.cells = [_to_cells(pairs) for pairs in self._matrices()]
            self.heaps = []

    def total(self) -> PairTotal:
        """All pairs so far."""
        if self.cells:
            return PairTotal(self.targets, [_of_cells(cells, self.size) for cells in self.cells])
        return PairTotal(self.targets, self._matrices())

    def _matrices(self) -> list[Pairs]:
        blank = sparse.csr_array((self.size, self.size))
        return [sum(reversed(heap), start=blank) for heap in self.heaps]


def _to_cells(pairs: Pairs) -> Array:
    """A matrix as all of its cells [V²]."""
    return np.asarray(pairs.astype(np.int32).toarray().ravel())


def _of_cells(cells: Array, size: int) -> Pairs:
    """The cells [V²] that are not zero, fewer than 2^31, as a matrix."""
    filled = np.flatnonzero(cells)
    border = np.searchsorted(filled, size * np.arange(size + 1))
    column = (filled % size).astype(np.int32)
    parts = (cells[filled].astype(np.float64), column, border.astype(np.int32))
    return sparse.csr_array(parts, shape=(size, size))
