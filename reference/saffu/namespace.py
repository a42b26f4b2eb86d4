"""The array functions that the package relies on, and whose they are.

The mathematics is written against the Python array API standard: `xp.sum(x, axis=-1)` reads as in
NumPy and runs on any library that follows the standard.  NumPy (2.0 or later) follows it by itself;
for CuPy, torch and others the optional package array-api-compat supplies the missing parts.

Two operations of ours are not in the standard, adding up rows that share an index and averaging
rows chosen by index; they live here, behind one function each.
"""

from __future__ import annotations

from typing import Any, Protocol, cast, runtime_checkable

import numpy as np
from scipy import sparse

from saffu.errors import SaffuError
from saffu.types import Array


@runtime_checkable
class Namespace(Protocol):
    """The part of the array API standard that is used."""

    int64: Any
    float64: Any

    def asarray(self, obj: Any, /, *, dtype: Any = ...) -> Array: ...
    def astype(self, x: Array, dtype: Any, /) -> Array: ...
    def zeros(self, shape: Any, *, dtype: Any = ...) -> Array: ...
    def zeros_like(self, x: Array, /) -> Array: ...
    def ones_like(self, x: Array, /) -> Array: ...
    def arange(self, stop: int, /) -> Array: ...
    def where(self, condition: Array, a: Any, b: Any, /) -> Array: ...
    def exp(self, x: Array, /) -> Array: ...
    def log(self, x: Array, /) -> Array: ...
    def sqrt(self, x: Array, /) -> Array: ...
    def sum(self, x: Array, /, *, axis: Any = ..., keepdims: bool = ...) -> Array: ...
    def mean(self, x: Array, /, *, axis: Any = ..., keepdims: bool = ...) -> Array: ...
    def max(self, x: Array, /, *, axis: Any = ..., keepdims: bool = ...) -> Array: ...
    def any(self, x: Array, /, *, axis: Any = ..., keepdims: bool = ...) -> Array: ...
    def all(self, x: Array, /, *, axis: Any = ..., keepdims: bool = ...) -> Array: ...
    def argmax(self, x: Array, /, *, axis: Any = ...) -> Array: ...
    def real(self, x: Array, /) -> Array: ...
    def isfinite(self, x: Array, /) -> Array: ...
    def reshape(self, x: Array, shape: tuple[int, ...], /) -> Array: ...
    def matmul(self, a: Array, b: Array, /) -> Array: ...
    def matrix_transpose(self, x: Array, /) -> Array: ...
    def concat(self, arrays: Any, /, *, axis: int = ...) -> Array: ...
    def take(self, x: Array, indices: Array, /, *, axis: int = ...) -> Array: ...
    def take_along_axis(self, x: Array, indices: Array, /, *, axis: int = ...) -> Array: ...
    def isdtype(self, dtype: Any, kind: str, /) -> bool: ...


def namespace(*arrays: Array) -> Namespace:
    """The array library that the arrays belong to.

    >>> namespace(np.zeros(3)) is np
    True
    """
    if all(isinstance(a, (np.ndarray, np.generic)) for a in arrays):
        return cast(Namespace, np)
    try:
        import array_api_compat
    except ImportError as missing:
        kinds = sorted({type(a).__module__.split(".")[0] for a in arrays})
        raise SaffuError(
            f"arrays of {', '.join(kinds)} need the package array-api-compat; "
            "install it with: pip install 'saffu[gpu]'"
        ) from missing
    try:
        return cast(Namespace, array_api_compat.array_namespace(*arrays))
    except TypeError as problem:
        raise SaffuError(f"{problem}; pass arrays of one library, say np.asarray(…)") from problem


def real(x: Array) -> Array:
    """The real part, also of a real array.  (Complex arrays only occur in the complex step.)"""
    xp = namespace(x)
    return xp.real(x) if xp.isdtype(x.dtype, "complex floating") else x


def on_host(x: Array) -> Array:
    """The same numbers as a NumPy array, fetched from the device that they are on.

    >>> on_host(np.array([1.0, 2.0])).tolist()
    [1.0, 2.0]
    """
    if hasattr(x, "get"):  # CuPy refuses to be copied unasked
        return np.asarray(x.get())
    return np.asarray(x.cpu() if hasattr(x, "cpu") else x)


def add_rows(index: Array, rows: Array, size: int) -> Array:
    """Add up the rows that share an index: `out[j] = Σ_{m: index[m]=j} rows[m]`.

    The adjoint of the gather `table[index]`.  Repeated indices all count, which
    `out[index] += rows` gets wrong.

    Parameters: `index` [m] whole numbers in 0 … size-1; `rows` [m, d].  Returns [size, d].

    >>> add_rows(np.array([2, 0, 2]), np.array([[1.0], [5.0], [3.0]]), 3).tolist()
    [[5.0], [0.0], [4.0]]
    """
    xp = namespace(rows)
    if isinstance(rows, np.ndarray):
        one = np.ones(index.shape[0], dtype=rows.real.dtype)
        columns = np.arange(index.shape[0])
        picks = sparse.csr_array((one, (index, columns)), shape=(size, index.shape[0]))
        return cast(Array, picks @ rows)
    hits = xp.astype(xp.reshape(xp.arange(size), (-1, 1)) == xp.reshape(index, (1, -1)), rows.dtype)
    total: Array = hits @ rows
    return total


def average_rows(table: Array, pick: Array, owner: Array, owners: int) -> Array:
    """The mean of the rows that each owner picks: `out[o] = mean_{j: owner[j]=o} table[pick[j]]`.

    Parameters: `table` [v, d]; `pick`, `owner` [j]; every owner in 0 … owners-1 picks at least
    once.
    Returns [owners, d].

    >>> average_rows(np.array([[1.0], [3.0]]), np.array([0, 1, 1]), np.array([0, 0, 1]), 2).tolist()
    [[2.0], [3.0]]
    """
    means: Array = _picks(table, pick, owner, owners) @ table
    return means


def average_rows_vjp(d_out: Array, table: Array, pick: Array, owner: Array, owners: int) -> Array:
    """Pull `d_out` [owners, d] back through `average_rows` to the table [v, d]."""
    pulled: Array = _picks(table, pick, owner, owners).T @ d_out
    return pulled


def _picks(table: Array, pick: Array, owner: Array, owners: int) -> Any:
    """The matrix P [owners, v] with `P @ table` the means."""
    xp = namespace(table)
    size = table.shape[0]
    if isinstance(table, np.ndarray):
        often = np.bincount(owner, minlength=owners)
        share = (1.0 / often[owner]).astype(table.real.dtype)
        return sparse.csr_array((share, (owner, pick)), shape=(owners, size))
    hits = xp.reshape(xp.arange(owners), (-1, 1)) == xp.reshape(owner, (1, -1))
    picks = xp.reshape(pick, (-1, 1)) == xp.reshape(xp.arange(size), (1, -1))
    counts = xp.astype(hits, table.dtype) @ xp.astype(picks, table.dtype)
    return counts / xp.sum(counts, axis=-1, keepdims=True)
