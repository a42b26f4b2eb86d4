"""Array-library dispatch by the array API standard, and functions that the standard lacks.

The mathematics is written against the Python array API standard: `xp.sum(x, axis=-1)` reads as in
NumPy and runs on any library that follows the standard.  NumPy (2.1 or later) follows it by itself;
for CuPy, torch and others the optional package array-api-compat supplies the missing parts.

Nothing moves between a device and the host but through `on_host` and `beside`.  Whole numbers and
truth values (token ids, masks, pivots, plans) are mostly the host's, since text is; where they meet
numbers on a device they may come from either side.
"""

from __future__ import annotations

from typing import cast

import numpy as np

from saffu.arrays.kernels import kernels
from saffu.arrays.standard import Namespace
from saffu.errors import BadInput, Missing
from saffu.types import Array, IntArray

__all__ = [
    "Namespace",
    "add_rows",
    "average_rows",
    "average_rows_vjp",
    "beside",
    "combine_rows",
    "floating",
    "namespace",
    "on_host",
    "real",
]


def namespace(*arrays: Array) -> Namespace:
    """The array library that the arrays belong to.  Refuses: arrays of several.

    >>> namespace(np.zeros(3)) is np
    True
    """
    if all(isinstance(a, (np.ndarray, np.generic)) for a in arrays):
        return cast(Namespace, np)
    try:
        import array_api_compat
    except ImportError as missing:
        kinds = sorted({type(a).__module__.split(".")[0] for a in arrays})
        needs, install = f"an array of {' and '.join(kinds)}", "pip install 'saffu[gpu]'"
        raise Missing(needs, "the package array-api-compat", install) from missing
    try:
        return cast(Namespace, array_api_compat.array_namespace(*arrays))
    except TypeError as problem:
        raise BadInput(f"{problem}; pass arrays of one library, say np.asarray(…)") from problem


def real(x: Array) -> Array:
    """The real part, also of a real array.  (Complex arrays only occur in the complex step.)"""
    xp = namespace(x)
    return xp.real(x) if xp.isdtype(x.dtype, "complex floating") else x


def floating(x: Array) -> Array:
    """Whole numbers as float64, since not every library adds a fraction to them; others as is.

    >>> floating(np.array([2])).dtype, floating(np.ones(1, np.float32)).dtype
    (dtype('float64'), dtype('float32'))
    """
    xp = namespace(x)
    return xp.astype(x, xp.float64) if xp.isdtype(x.dtype, "integral") else x


def on_host(x: Array | float) -> Array:
    """The same numbers as a NumPy array, fetched from the device that they are on.

    >>> on_host(np.array([1.0, 2.0])).tolist()
    [1.0, 2.0]
    """
    if hasattr(x, "get"):  # CuPy refuses to be copied unasked
        return np.asarray(x.get())
    if hasattr(x, "cpu"):
        return np.asarray(x.cpu())
    if isinstance(x, np.ndarray) or not hasattr(x, "__dlpack__"):
        return np.asarray(x)
    return np.from_dlpack(x)


def beside(x: Array, like: Array) -> Array:
    """A NumPy array taken to where `like` is; any other array as it is.

    >>> x = np.array([2, 0])
    >>> beside(x, np.zeros(3)) is x
    True
    """
    if isinstance(like, (np.ndarray, np.generic)) or not isinstance(x, np.ndarray):
        return x
    in_order = np.require(x, requirements=["C", "W"])
    return namespace(like).asarray(in_order, device=like.device)


def add_rows(index: IntArray, rows: Array, size: int) -> Array:
    """Add up the rows that share an index: `out[j] = Σ_{m: index[m]=j} rows[m]`.

    The adjoint of the gather `table[index]`.  Repeated indices all count, which
    `out[index] += rows` gets wrong.

    Parameters: `index` [m] whole numbers in 0 … size-1; `rows` [m, d].  Returns [size, d].

    >>> add_rows(np.array([2, 0, 2]), np.array([[1.0], [5.0], [3.0]]), 3).tolist()
    [[5.0], [0.0], [4.0]]
    """
    return kernels(namespace(rows), rows).add_rows(beside(index, rows), rows, size)


def combine_rows(weight: Array, row: IntArray, column: IntArray, table: Array, size: int) -> Array:
    """A sparse matrix times a table: `out[i] = Σ_{j: row[j]=i} weight[j] table[column[j]]`.

    Parameters: `weight`, `row`, `column` [j], the entries of the matrix and where they stand;
    `table` [v, d]; `size`, the number of rows of the matrix.  Returns [size, d].

    >>> table = np.array([[1.0], [3.0]])
    >>> weight, row, column = np.array([0.5, 2.0]), np.array([2, 2]), np.array([0, 1])
    >>> combine_rows(weight, row, column, table, 3).tolist()
    [[0.0], [0.0], [6.5]]
    """
    row, column = beside(row, table), beside(column, table)
    return kernels(namespace(table), table).combine(weight, row, column, table, size)


def average_rows(table: Array, pick: IntArray, owner: IntArray, owners: int) -> Array:
    """The mean of the rows that each owner picks: `out[o] = mean_{j: owner[j]=o} table[pick[j]]`.

    Parameters: `table` [v, d]; `pick`, `owner` [j]; every owner in 0 … owners-1 picks at least
    once.
    Returns [owners, d].

    >>> average_rows(np.array([[1.0], [3.0]]), np.array([0, 1, 1]), np.array([0, 0, 1]), 2).tolist()
    [[2.0], [3.0]]
    """
    return combine_rows(_shares(table, owner, owners), owner, pick, table, owners)


def average_rows_vjp(
    d_out: Array, table: Array, pick: IntArray, owner: IntArray, owners: int
) -> Array:
    """Pull `d_out` [owners, d] back through `average_rows` to the table [v, d]."""
    return combine_rows(_shares(table, owner, owners), pick, owner, d_out, table.shape[0])


def _shares(table: Array, owner: IntArray, owners: int) -> Array:
    """One over the number of rows that the owner of each pick picks, [j]."""
    xp, owner = namespace(table), beside(owner, table)
    often = kernels(xp, table).how_often(owner, owners)
    kept = xp.astype(xp.take(often, owner, axis=0), real(table).dtype)
    return 1.0 / kept
