"""Comparison cache: with frozen embeddings, comparisons are look-ups.   (SPEC 4)

    c_k = G[x_p, x_k],    G = E Eᵀ                                                       [T]

G has V² cells.  If these are too many, the comparisons are computed from the embeddings, some
contexts at a time, so that the memory is bounded either way.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from scipy import sparse

from saffu.types import Array, Embedding, IntArray, SlotRows

MOST_CELLS: Final = 1 << 26
"""V² for which G is computed, at most: V = 8192, a quarter of a gigabyte in single precision"""
MOST_NUMBERS: Final = 1 << 22
"""n·B·D of the vectors in memory at a time, without G"""
SPARSE: Final = 16
"""entries per non-zero entry from which sparse products are faster than dense ones"""


class Comparisons(NamedTuple):
    """Inner products of tokens' vectors.

    >>> E = np.array([[1.0, 0.0], [0.5, 0.5]])
    >>> comparisons(E).look_up(np.array([1]), np.array([[0, 1]])).tolist()
    [[0.5, 0.5]]
    """

    embedding: Embedding
    gram: Array | None = None
    """G [V, V], or None: comparisons are computed when looked up"""

    def look_up(self, asks: IntArray, slots: IntArray) -> SlotRows:
        """Comparisons [n, B] of the tokens `asks` [n] with the tokens in `slots` [n, B]."""
        if self.gram is not None:
            at = asks[:, None] * self.gram.shape[1] + slots
            values: Array = np.take(self.gram.reshape(-1), at)  # half the time of gram[asks, slots]
            return values
        n, width = slots.shape[0], slots.shape[1] * self.embedding.shape[1]
        out = np.empty(slots.shape, dtype=self.embedding.dtype)
        step = max(1, MOST_NUMBERS // max(width, 1))
        for start in range(0, n, step):
            part = slice(start, start + step)
            x = self.embedding[slots[part]]
            out[part] = np.matmul(x, self.embedding[asks[part]][:, :, None])[:, :, 0]
        return out


def comparisons(embedding: Embedding) -> Comparisons:
    """The cache of an embedding [V, D]."""
    if embedding.shape[0] ** 2 > MOST_CELLS:
        return Comparisons(embedding)
    gram = sparse_where_it_pays(embedding) @ np.ascontiguousarray(embedding.T)
    return Comparisons(embedding, np.asarray(gram))


def sparse_where_it_pays(embedding: Embedding) -> Any:
    """The embedding as sparse rows, if nearly all entries are zero, as in ciphers."""
    rows = sparse.csr_array(embedding)
    return rows if SPARSE * rows.nnz < embedding.size else embedding
