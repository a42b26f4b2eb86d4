"""Reading a model or count file: damage is detected and named.

(SPEC 8)  The sizes that a damaged or hostile file announces are compared with its real size before
memory is allocated, and members are read as they lie in the file, never decompressed.   [D]
"""

from __future__ import annotations

import ast
import json
import math
import os
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from saffu.errors import BadFile
from saffu.files.layout import ABOUT, FORMAT, MEMBER, About, Stored, storable
from saffu.types import Array

DAMAGED: Final = "restore it from a copy, or make it again"
LONGEST: Final = 4096
"""Bytes of the longest description of an array: 64 dimensions fit."""

DAMAGE: Final = (
    zipfile.BadZipFile,
    struct.error,
    EOFError,
    NotImplementedError,  # from zipfile: ways of packing
    RuntimeError,  # from zipfile: encryption; from json: lists in lists in lists
    MemoryError,  # from the parser of the description of an array: brackets in brackets
    LookupError,
    OverflowError,  # offsets beyond what a file can have
    SyntaxError,  # from the description of an array, as the two below
    TypeError,
    ValueError,
)


def read_file(path: str | Path, schema: str, *, newest: int = 1) -> Stored:
    """The header and the arrays of a file, if they are what was written.   (SPEC 8)

    Parameters: `schema` as it was written; `newest`, the highest version of it that the caller
    understands (`read_about` returns the version of a file).
    Returns the header, and the arrays in the machine's byte order, writable, in the order of names.
    Refuses (`BadFile`): no such file, or no regular one; another kind of file; another schema; a
    newer version; a file cut short; an array changed, missing or added; arrays of objects.

    >>> from saffu.files import write_file
    >>> write_file("one.saffu", "doctest.one", 2, {}, {"ones": np.ones((2, 5))})
    >>> read_file("one.saffu", "doctest.one")
    Traceback (most recent call last):
    saffu.errors.BadFile: one.saffu: expected version 1 of 'doctest.one', got version 2; ...
    """
    with _opened(path) as archive:
        about = _about(archive, path)
        if about.schema != schema:
            problem = f"expected a record of schema {schema!r}, got {about.schema!r}"
            raise BadFile(path, problem, "give the file that belongs here")
        if about.version > newest:
            known = f"version {newest}" + (" or lower" if newest > 1 else "")
            problem = f"expected {known} of {schema!r}, got version {about.version}"
            raise BadFile(path, problem, "update saffu, or write the file again")
        _refuse_strangers(archive, about, path)
        arrays = {name: _read(archive, name, about.arrays[name], path) for name in about.arrays}
        return Stored(about.header, arrays)


def read_about(path: str | Path) -> About:
    """Schema, version, header and list of arrays of a file; the arrays are not read.   (SPEC 8)

    Refuses: no such file; another kind of file; a file cut short.

    >>> from saffu.files import write_file
    >>> write_file("one.saffu", "doctest.one", 2, {}, {"ones": np.ones((2, 5))})
    >>> about = read_about("one.saffu")
    >>> about.schema, about.version, about.arrays["ones"]["shape"]
    ('doctest.one', 2, [2, 5])
    """
    with _opened(path) as archive:
        return _about(archive, path)


@contextmanager
def _opened(path: str | Path) -> Iterator[zipfile.ZipFile]:
    """The archive; whatever goes wrong inside becomes an error that names the file."""
    place = Path(path)
    if os.path.exists(place) and not os.path.isfile(place):  # noqa: PTH110, PTH113 (never raise)
        kind = "a folder" if place.is_dir() else "a pipe or a device"
        raise BadFile(path, f"expected a regular file, got {kind}", "check the path")
    try:
        with place.open("rb") as file:
            if file.read(4) != b"PK\x03\x04":
                raise BadFile(path, "it is no file of saffu", "give a file that saffu wrote")
            if not zipfile.is_zipfile(file):
                raise BadFile(path, "it was cut short, its end is missing", DAMAGED)
            with zipfile.ZipFile(file) as archive:
                yield archive
    except BadFile:
        raise
    except FileNotFoundError as problem:
        raise BadFile(path, "there is no such file", "check the path") from problem
    except OSError as problem:
        advice = "check the path and its permissions"
        raise BadFile(path, f"it cannot be read ({problem})", advice) from problem
    except DAMAGE as problem:
        raise BadFile(path, f"it is damaged ({problem})", DAMAGED) from problem


def _about(archive: zipfile.ZipFile, path: str | Path) -> About:
    """The member that describes the file."""
    names = archive.namelist()
    if ABOUT not in names:
        raise BadFile(path, f"it is no file of saffu: it holds no {ABOUT}", "give another file")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise BadFile(path, f"it holds {twice} twice", DAMAGED)
    match json.loads(_whole(archive, ABOUT), parse_constant=_no_number):
        case {
            "saffu_file": int(form),
            "schema": str(schema),
            "version": int(version),
            "header": dict(header),
            "arrays": dict(arrays),
        }:
            if form != FORMAT:
                raise BadFile(path, f"expected format {FORMAT}, got {form}", "update saffu")
            if version < 1:
                raise BadFile(path, f"expected a version >= 1, got {version}", DAMAGED)
            return About(schema, version, header, arrays)
    raise BadFile(path, f"its {ABOUT} does not say what saffu writes there", DAMAGED)


def _no_number(constant: str) -> None:
    """NaN and infinities, which Python reads and JSON does not have."""
    raise ValueError(f"{ABOUT} holds {constant}")


def _refuse_strangers(archive: zipfile.ZipFile, about: About, path: str | Path) -> None:
    """Exactly the arrays that `about.json` announces."""
    announced = {ABOUT, *(f"{name}{MEMBER}" for name in about.arrays)}
    members = set(archive.namelist())
    if missing := sorted(announced - members):
        raise BadFile(path, f"it lacks {', '.join(missing)}", DAMAGED)
    if extra := sorted(members - announced):
        raise BadFile(path, f"it also holds {', '.join(extra)}, announced nowhere", DAMAGED)


def _read(archive: zipfile.ZipFile, name: str, announced: object, path: str | Path) -> Array:
    """One array, if it is as announced."""
    dtype, shape, entries = _taken_apart(name, _whole(archive, f"{name}{MEMBER}"))
    if not storable(dtype):
        problem = f"expected numbers or booleans in array {name!r}, got {dtype}"
        raise BadFile(path, problem, "do not trust it: saffu never wrote it")
    actual = {"dtype": dtype.str, "shape": list(shape), "sha256": sha256(entries).hexdigest()}
    if actual == announced and len(entries) == math.prod(shape) * dtype.itemsize:
        little: NDArray[Any] = np.frombuffer(entries, dtype=dtype).reshape(shape)
        return little.astype(dtype.newbyteorder("="))
    problem = f"array {name!r} changed"
    if isinstance(announced, dict) and {**actual, "sha256": None} == {**announced, "sha256": None}:
        problem += ", its checksum does not match"
    raise BadFile(path, f"{problem} since it was written", DAMAGED)


def _taken_apart(name: str, member: bytes) -> tuple[np.dtype[Any], tuple[int, ...], memoryview]:
    """Type, shape and entries of a row-major array in NumPy's format 1.0."""
    end = 10 + int.from_bytes(member[8:10], "little")
    if member[:8] != b"\x93NUMPY\x01\x00" or not 10 < end <= LONGEST:
        raise ValueError(f"array {name!r} does not begin as NumPy's do")
    match ast.literal_eval(member[10:end].decode("ascii")):
        case {"descr": descr, "fortran_order": False, "shape": tuple(shape), **others}:
            if not others and all(type(size) is int and size >= 0 for size in shape):
                return np.dtype(descr), shape, memoryview(member)[end:]
    raise ValueError(f"array {name!r} is not described as saffu does it")


def _whole(archive: zipfile.ZipFile, name: str) -> bytes:
    """A member as it lies in the file; a compressed one could have any size in memory."""
    info = archive.getinfo(name)
    if info.compress_type != zipfile.ZIP_STORED:
        raise zipfile.BadZipFile(f"{name} is compressed")
    if max(info.file_size, info.compress_size) > _size(archive):
        raise zipfile.BadZipFile(f"{name} is longer than the file")
    return archive.read(info)


def _size(archive: zipfile.ZipFile) -> int:
    """Bytes of the whole file."""
    file = archive.fp
    if file is None:
        raise EOFError("it is closed")
    return os.fstat(file.fileno()).st_size
