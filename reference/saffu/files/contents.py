"""Checks of a file's contents: presence, type, shape, range, finiteness of every array.   (SPEC 8)

A checksum says that a file is as it was written, not that it was written well.  Whoever reads a
record therefore asks for each array and each number by what it has to be, before it is used; an
index out of range would otherwise be followed into memory that is not ours.   [D]
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from saffu.errors import BadFile
from saffu.types import Array

ADVICE: Final = "restore it from a copy, or make it again"


def array_in(
    path: str | Path,
    arrays: Mapping[str, Array],
    name: str,
    shape: Sequence[int | None],
    *,
    dtype: str | None = None,
    least: int | float | None = None,
    below: int | float | None = None,
) -> Array:
    """An array of a file, if it is what it has to be.   (SPEC 8)

    Parameters: `shape`, None where any size will do; `dtype`, the name of a type, `"integer"` or
    `"float"` (single or double); None for any real numbers; `least` and `below`, the range
    least <= entry < below.
    Refuses (`BadFile`): a missing array; another shape or type; NaN and infinity; entries outside
    of the range.

    >>> array_in("a.file", {"W": np.eye(2)}, "W", (2, None), dtype="float64").shape
    (2, 2)
    >>> array_in("a.file", {"ids": np.array([3, 9])}, "ids", (2,), dtype="integer", below=8)
    Traceback (most recent call last):
    saffu.errors.BadFile: a.file: expected entries of array 'ids' below 8, got 9 at [1]; ...
    """
    if name not in arrays:
        raise BadFile(path, f"it lacks the array {name!r}", ADVICE)
    array = arrays[name]
    fits = len(shape) == array.ndim and all(
        size in (None, got) for size, got in zip(shape, array.shape, strict=True)
    )
    if not fits:
        sizes = ", ".join("any" if size is None else str(size) for size in shape)
        problem = f"expected array {name!r} of shape ({sizes}), got {array.shape}"
        raise BadFile(path, problem, ADVICE)
    kinds = {"integer": "iu", "float": "f"}
    right = array.dtype.kind in kinds.get(dtype or "", "iuf")
    right &= dtype != "float" or array.dtype.itemsize >= 4
    if not right or dtype not in (None, *kinds, str(array.dtype)):
        expected = "real numbers" if dtype is None else dtype
        raise BadFile(path, f"expected array {name!r} of {expected}, got {array.dtype}", ADVICE)
    if array.dtype.kind == "f":
        _refuse(path, name, array, np.asarray(~np.isfinite(array)), "finite")
    if least is not None:
        _refuse(path, name, array, np.asarray(array < least), f">= {least:g}")
    if below is not None:
        _refuse(path, name, array, np.asarray(array >= below), f"below {below:g}")
    return array


def _refuse(path: str | Path, name: str, array: Array, bad: Array, expected: str) -> None:
    """Name the first entry at which `bad` is True."""
    if bad.any():
        at = tuple(int(i) for i in np.unravel_index(int(np.argmax(bad)), bad.shape))
        entry = f"expected entries of array {name!r} {expected}, got {array[at]} at {list(at)}"
        raise BadFile(path, entry, ADVICE)


def whole_in(path: str | Path, header: Mapping[str, Any], field: str, least: int = 0) -> int:
    """A whole number of a header.

    >>> whole_in("a.file", {"samples": 3}, "samples")
    3
    """
    value = header.get(field)
    if type(value) is not int or value < least:
        problem = f"expected {field} to be a whole number >= {least}, got {value!r:.60}"
        raise BadFile(path, problem, ADVICE)
    return value


def number_in(
    path: str | Path, header: Mapping[str, Any], field: str, least: float = -math.inf
) -> float:
    """A finite number of a header, at least `least`.

    >>> number_in("a.file", {"seconds": 2}, "seconds", 0.0)
    2.0
    """
    value: Any = header.get(field)
    if type(value) not in (int, float) or not math.isfinite(value) or value < least:
        bound = "" if least == -math.inf else f" >= {least:g}"
        problem = f"expected {field} to be a finite number{bound}, got {value!r:.60}"
        raise BadFile(path, problem, ADVICE)
    return float(value)


def rows_in(
    path: str | Path, header: Mapping[str, Any], field: str, kinds: Sequence[tuple[type, ...]]
) -> list[list[Any]]:
    """A table of a header: rows of as many entries as `kinds`, each of one of its types.

    Refuses (`BadFile`): another form; a number that is not finite.

    >>> rows_in("a.file", {"pairs": [[0, 2.5], [1, None]]}, "pairs", [(int,), (float, type(None))])
    [[0, 2.5], [1, None]]
    """
    rows = header.get(field)
    good = isinstance(rows, list) and all(
        isinstance(row, list)
        and len(row) == len(kinds)
        and all(_one_of(entry, kind) for entry, kind in zip(row, kinds, strict=True))
        for row in rows
    )
    if not good:
        shown = ", ".join(" or ".join(kind.__name__ for kind in some) for some in kinds)
        raise BadFile(path, f"expected {field} to be rows of ({shown})", ADVICE)
    return list(rows or ())


def _one_of(entry: object, kinds: tuple[type, ...]) -> bool:
    """Whether an entry is of one of these types; a float may be written as a whole number."""
    if type(entry) is int and float in kinds:
        return True
    return type(entry) in kinds and not (isinstance(entry, float) and not math.isfinite(entry))
