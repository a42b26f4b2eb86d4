"""Sums by index, done by what each array library has for them.   (SPEC 5, 6)

    out[i] = Σ_{j: row_j = i} rows_j                        add_rows
    out[i] = Σ_{j: row_j = i} weight_j table[column_j]      combine, a sparse product

The standard has no scatter, and `out[row] += rows` loses all but one of the rows that share an
index.  So each library gets its own: NumPy a sparse product of SciPy; CuPy `cupyx.scatter_add`;
PyTorch `index_add_`; any other a product with zeros and ones.  All but the first go block by block,
so that what they hold beside the arguments and the result is bounded.

On a GPU the order of the additions is not fixed: the last digits may differ between two runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol, TypeAlias, cast, runtime_checkable

import numpy as np
from scipy import sparse

from saffu.arrays.standard import Namespace
from saffu.types import Array, IntArray

MOST_NUMBERS = 1 << 22
"""Numbers in a block (32 MiB of float64)."""


@runtime_checkable
class Kernels(Protocol):
    """What an array library has to be able to do beside the standard."""

    def add_rows(self, index: IntArray, rows: Array, size: int) -> Array:
        """Sums [size, d] of the `rows` [m, d] that share an `index` [m]."""

    def combine(
        self, weight: Array, row: IntArray, column: IntArray, table: Array, size: int
    ) -> Array:
        """Weighted sums [size, d] of rows of the `table` [v, d]; the others [m]."""

    def how_often(self, index: IntArray, size: int) -> Array:
        """How often each of 0 … size-1 occurs in `index` [m]."""


class HostKernels:
    """NumPy's arrays, by SciPy's sparse products."""

    def add_rows(self, index: IntArray, rows: Array, size: int) -> Array:
        """See `Kernels`."""
        one = np.ones(index.shape[0], dtype=rows.real.dtype)
        return self.combine(one, index, np.arange(index.shape[0]), rows, size)

    def combine(
        self, weight: Array, row: IntArray, column: IntArray, table: Array, size: int
    ) -> Array:
        """See `Kernels`."""
        picks = sparse.csr_array((weight, (row, column)), shape=(size, table.shape[0]))
        return cast(Array, picks @ table)

    def how_often(self, index: IntArray, size: int) -> Array:
        """See `Kernels`."""
        return np.bincount(index, minlength=size)


Scatter: TypeAlias = Callable[[Namespace, Array, IntArray, Array], Array]
"""(xp, out [size, d], index [m], rows [m, d]) -> `out` with the rows added, maybe in its place."""


class ScatterKernels:
    """Any library's arrays, by its way to add rows to a result."""

    def __init__(self, xp: Namespace, scatter: Scatter) -> None:
        self.xp = xp
        self.scatter = scatter

    def add_rows(self, index: IntArray, rows: Array, size: int) -> Array:
        """See `Kernels`."""
        out = self.xp.zeros((size, rows.shape[1]), dtype=rows.dtype, device=rows.device)
        for part in blocks(index.shape[0], max(size, rows.shape[1])):
            out = self.scatter(self.xp, out, index[part], rows[part, :])
        return out

    def combine(
        self, weight: Array, row: IntArray, column: IntArray, table: Array, size: int
    ) -> Array:
        """See `Kernels`."""
        out = self.xp.zeros((size, table.shape[1]), dtype=table.dtype, device=table.device)
        for part in blocks(row.shape[0], max(size, table.shape[1])):
            rows = weight[part][:, None] * self.xp.take(table, column[part], axis=0)
            out = self.scatter(self.xp, out, row[part], rows)
        return out

    def how_often(self, index: IntArray, size: int) -> Array:
        """See `Kernels`."""
        xp = self.xp
        one = xp.ones(
            (index.shape[0], 1), dtype=xp.int32, device=index.device
        )  # CUDA adds no int64
        return self.add_rows(index, one, size)[:, 0]


def blocks(count: int, width: int) -> Iterator[slice]:
    """Cut `count` rows into blocks of at most `MOST_NUMBERS` numbers, `width` a row.

    >>> [part.stop for part in blocks(5, MOST_NUMBERS // 2)]
    [2, 4, 5]
    """
    step = max(1, MOST_NUMBERS // max(1, width))
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))


def scatter_dense(xp: Namespace, out: Array, index: IntArray, rows: Array) -> Array:
    """With the standard alone: a product with zeros and ones, [size, m] of them."""
    places = xp.reshape(xp.arange(out.shape[0], device=out.device), (-1, 1))
    hits = xp.astype(places == xp.reshape(index, (1, -1)), rows.dtype)
    total: Array = out + hits @ rows
    return total


def scatter_torch(xp: Namespace, out: Array, index: IntArray, rows: Array) -> Array:  # noqa: ARG001
    """PyTorch: all rows count, whatever they share."""
    return cast(Array, out.index_add_(0, index, rows))  # type: ignore[attr-defined]


def scatter_cupy(xp: Namespace, out: Array, index: IntArray, rows: Array) -> Array:
    """CuPy: atomic additions, which CUDA has for real numbers and int32."""
    import cupyx

    if xp.isdtype(rows.dtype, "complex floating"):
        parts = ((out.real.copy(), rows.real), (out.imag.copy(), rows.imag))
        re, im = (scatter_cupy(xp, total, index, part) for total, part in parts)
        return re + 1j * im
    cupyx.scatter_add(out, index, rows)
    return out


SCATTERS: dict[str, Scatter] = {"cupy": scatter_cupy, "torch": scatter_torch}
"""Ways to add rows that are quicker than a dense product, by the library's name."""


def kernels(xp: Namespace, table: Array) -> Kernels:
    """The kernels for arrays like `table`, of the library `xp`.

    >>> kernels(np, np.zeros(2)).how_often(np.array([2, 0, 2]), 3).tolist()
    [1, 0, 2]
    """
    if isinstance(table, np.ndarray):
        return HostKernels()
    library = type(table).__module__.split(".")[0]
    return ScatterKernels(xp, SCATTERS.get(library, scatter_dense))
