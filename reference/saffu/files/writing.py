"""Writing one file: header and arrays, in a form that every machine reads back as it was.   [D]"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import IO, Any, Final

import numpy as np

from saffu import checks
from saffu.errors import BadOption
from saffu.files.atomic import write_whole
from saffu.files.layout import ABOUT, FORMAT, MEMBER, describe, raw, storable
from saffu.types import Array

_SPEC: Final = "SPEC 8"

NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
EPOCH: Final = (1980, 1, 1, 0, 0, 0)
"""The date of every member, so that equal contents give equal bytes."""


def write_file(
    path: str | Path,
    schema: str,
    version: int,
    header: Mapping[str, Any],
    arrays: Mapping[str, Array],
) -> None:
    """Write a header and named arrays to one file, whole or not at all.   (SPEC 8)

    Parameters: `schema`, what kind of record it is; `version` >= 1 of that schema; `header`, what
    JSON says exactly: words, finite numbers, lists, dictionaries with words for keys; `arrays` of
    booleans and numbers of up to 64 bits (complex: 128), under names of letters, digits, `_.-`.
    Refuses: other headers, arrays and names; a place that cannot be written.  What stood at `path`
    before stays there until the new file is complete.

    >>> write_file("two.saffu", "doctest.two", 1, {"about": [1, 2.5]}, {"ones": np.ones(2)})
    >>> from saffu.files import read_file
    >>> read_file("two.saffu", "doctest.two")
    Stored(header={'about': [1, 2.5]}, arrays={'ones': array([1., 1.])})
    >>> np.load("two.saffu")["ones"].tolist()      # NumPy reads it by itself
    [1.0, 1.0]
    """
    contents = {name: _portable(name, arrays[name]) for name in sorted(arrays)}
    about = {
        "saffu_file": FORMAT,
        "schema": schema,
        "version": checks.whole("version", version, 1, _SPEC),
        "header": _plain(header),
        "arrays": {name: describe(array) for name, array in contents.items()},
    }

    def write(file: IO[bytes]) -> None:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            with archive.open(_member(ABOUT), "w") as member:
                member.write(json.dumps(about, indent=1, sort_keys=True).encode())
            for name, array in contents.items():
                with archive.open(_member(f"{name}{MEMBER}"), "w", force_zip64=True) as member:
                    member.write(_npy_header(array))
                    member.write(raw(array))

    write_whole(path, write)


def _portable(name: str, array: Array) -> Array:
    """The array row-major and little-endian, or a refusal."""
    if not NAME.fullmatch(name):
        raise BadOption("arrays", name, "named with letters, digits, '_', '.', '-'", _SPEC)
    if not isinstance(array, np.ndarray):
        expected = "a NumPy array (convert it with np.asarray(…))"
        raise BadOption(f"arrays[{name!r}]", type(array).__name__, expected, _SPEC)
    if not storable(array.dtype):
        expected = "booleans or numbers of up to 64 bits, no objects, text or records"
        raise BadOption(f"arrays[{name!r}].dtype", str(array.dtype), expected, _SPEC)
    return np.asarray(array, dtype=array.dtype.newbyteorder("<"), order="C")


def _plain(header: Mapping[str, Any]) -> dict[str, Any]:
    """The header, if JSON gives it back as it was."""
    given = dict(header)
    try:
        same = json.loads(json.dumps(given, allow_nan=False)) == given
    except (TypeError, ValueError, RecursionError):
        same = False
    if not same:
        expected = (
            "made of strings, finite numbers, lists (no tuples) and dictionaries, as JSON has them"
        )
        raise BadOption("header", given, expected, _SPEC)
    return given


def _npy_header(array: Array) -> bytes:
    header = BytesIO()
    np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(array))
    return header.getvalue()


def _member(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, EPOCH)
    info.create_system, info.external_attr = 3, 0o644 << 16  # the same on every system
    return info
