"""Layout of a file: names, types, and the description of each array.   [D]"""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Final, NamedTuple

import numpy as np

from saffu.types import Array

FORMAT: Final = 1
"""Version of the layout of members; each schema has a version of its own."""

ABOUT: Final = "about.json"
MEMBER: Final = ".npy"


class About(NamedTuple):
    """The description of a file by itself."""

    schema: str
    version: int
    header: dict[str, Any]
    arrays: dict[str, dict[str, Any]]
    """`dtype`, `shape` and `sha256` of each, by name"""


class Stored(NamedTuple):
    """The contents of a file."""

    header: dict[str, Any]
    arrays: dict[str, Array]


def storable(dtype: np.dtype[Any]) -> bool:
    """Whether a type exists on every machine: booleans, numbers of up to 64 (complex 128) bits."""
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
