"""What a file looks like: names, types, and what is said of each array.   [D]"""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Final, NamedTuple

import numpy as np

from saffu.types import Array

FORMAT: Final = 1
"""How the members lie in the file; the versions of the records are their schemas' business."""

ABOUT: Final = "about.json"
MEMBER: Final = ".npy"


class About(NamedTuple):
    """What a file says of itself."""

    schema: str
    version: int
    header: dict[str, Any]
    arrays: dict[str, dict[str, Any]]
    """`dtype`, `shape` and `sha256` of each, by name"""


class Stored(NamedTuple):
    """What was in a file."""

    header: dict[str, Any]
    arrays: dict[str, Array]


def storable(dtype: np.dtype[Any]) -> bool:
    """Booleans and numbers that every machine has: up to 64 bits, complex ones up to 128."""
    return dtype.kind in "biufc" and dtype.itemsize <= (16 if dtype.kind == "c" else 8)


def describe(array: Array) -> dict[str, Any]:
    """Type, shape and digest of a row-major, little-endian array.

    >>> describe(np.arange(6, dtype="<u2").reshape(2, 3))["shape"]
    [2, 3]
    """
    digest = sha256(raw(array)).hexdigest()
    return {"dtype": array.dtype.str, "shape": list(array.shape), "sha256": digest}


def raw(array: Array) -> memoryview:
    """The bytes of the entries as they lie in memory."""
    return array.reshape(-1).view(np.uint8).data
