"""What a public operation does with every container and every data type, decided once.   (SPEC 8)

A function marked `@operation` receives arrays only, in data types that it can compute with.  What
an argument is for is read from its annotation, so the symbol table in `saffu.types` decides:

    numbers     (`Features`, `Logits`, `Array`, …)   float32, float64 and complex stay as they are;
                integers, booleans, float16 and longer floats become float64, exactly
    integers    (`TokenIds`, `TokenCounts`, …)       stay as they are
    booleans    (`RowMask`, `SlotMask`)              stay as they are

Another byte order becomes the machine's.  An entry that float64 cannot hold is refused, and so is
whatever is not an array of numbers: lists, frames, sparse and masked arrays, `np.matrix`, objects,
text.  Records and sequences of arrays are read entry by entry.

Methods of public classes are marked as well.  There, and in functions, the other arguments get what
their annotations say: a record is one of its class, an `int` is Python's own (NumPy's become that,
so that they do not wrap), a `str` is text, a `str | Path` is a path.
"""

from __future__ import annotations

import inspect
import operator
import os
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass, replace
from functools import wraps
from itertools import cycle
from pathlib import Path
from types import NoneType, UnionType
from typing import (
    Any,
    Final,
    ParamSpec,
    TypeAlias,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

import numpy as np

from saffu.arrays.namespace import namespace, on_host
from saffu.errors import BadOption, InexactEntry, NotAnArray, WrongType
from saffu.types import Array

_SPEC: Final = "SPEC 8"

P = ParamSpec("P")
R = TypeVar("R")
Reader: TypeAlias = Callable[[str, Any], Any]
"""The argument of this name as the operation receives it."""

EXACT = 2**53
"""Up to here float64 holds every whole number."""
PLAIN = (np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.complex64), np.dtype(complex))


def operation(function: Callable[P, R]) -> Callable[P, R]:
    """Convert the arguments of a public operation, or refuse them.

    >>> from saffu.types import Rows
    >>> @operation
    ... def double(x: Rows) -> Rows:
    ...     return 2 * x
    >>> double(np.array([100, 200], dtype=np.uint8)).tolist()
    [200.0, 400.0]
    >>> double([1.0])
    Traceback (most recent call last):
    saffu.errors.NotAnArray: x: expected a NumPy array, got list; use np.asarray(x) (SPEC 8)
    """
    order = list(inspect.signature(function).parameters)
    readers: dict[str, Reader] = {}  # found at the first call: annotations may name what follows

    @wraps(function)
    def accepted(*args: P.args, **kwargs: P.kwargs) -> R:
        if not readers:
            hints = get_type_hints(function)
            readers.update((name, reader(hints.get(name))) for name in order)
        given = [readers[name](name, value) for name, value in zip(order, args, strict=False)]
        named = {name: readers.get(name, as_given)(name, value) for name, value in kwargs.items()}
        return function(*given, *args[len(given) :], **named)  # type: ignore[arg-type]

    return accepted


def as_given(_: str, value: Any) -> Any:
    """An argument that is no array."""
    return value


def reader(hint: Any) -> Reader:
    """How an argument with this annotation is read."""
    if kinds := getattr(hint, "dtypes", None):  # jaxtyping: Features, TokenIds, RowMask, …
        return numbers if "float64" in kinds else array
    origin, inner = get_origin(hint), get_args(hint)
    if origin is np.ndarray:
        return array if "integer" in str(inner[1]) else numbers
    if origin in (Union, UnionType):
        return _either(inner)
    if origin in (tuple, list, Sequence) and inner:
        return _each([reader(each) for each in inner if each is not Ellipsis])
    if _is_record(hint):
        return _record(hint)
    if getattr(hint, "_is_runtime_protocol", False):
        return _kin(hint)
    return {int: whole, float: number, str: text}.get(hint, as_given)


def whole(_: str, value: Any) -> Any:
    """A whole number as Python's own; anything else as it is, for the operation to refuse.

    >>> whole("top_k", np.uint8(7))
    7
    """
    return operator.index(value) if isinstance(value, np.integer) else value


def number(name: str, value: Any) -> Any:
    """A number of any type, as it is; its range is the operation's to check."""
    if not isinstance(value, (int, float, complex)) and (
        isinstance(value, (str, bytes)) or not hasattr(value, "__float__") or np.ndim(value)
    ):
        raise BadOption(name, value, "a number", "SPEC 8")
    return value


def text(name: str, value: Any) -> str:
    """A text.  Refuses bytes, and everything else that is none."""
    if not isinstance(value, str):
        raise WrongType(name, "a str", value)
    return value


def place(name: str, value: Any) -> Any:
    """The path of a file or folder."""
    if not isinstance(value, (str, os.PathLike)):
        raise WrongType(name, "a path, as a str or a Path", value)
    return value


def _either(options: Sequence[Any]) -> Reader:
    """One of several: None, numbers and settings pass where they may; the rest is the array."""
    given = [each for each in options if each is not NoneType]
    if len(given) == 1 or set(given) == {str, Path}:
        return _unless_none(place if len(given) > 1 else reader(given[0]), options)
    records = {each: reader(each) for each in options if _is_kind(each)}
    others = [each for each in options if each not in records]
    arrays = [found for found in map(reader, others) if found not in PASSING]
    plain = [each for each in options if isinstance(each, type) and reader(each) in PASSING]
    passing = (*plain, int, np.generic) if float in plain else tuple(plain)

    def read(name: str, value: Any) -> Any:
        if isinstance(value, passing):
            return value
        for kind, found in records.items():
            if isinstance(value, kind):
                return found(name, value)
        if not arrays:
            raise WrongType(name, " or ".join(each.__name__ for each in given), value)
        return arrays[0](name, value)

    return read if arrays or (records and len(records) + len(plain) == len(options)) else as_given


PASSING: tuple[Reader, ...] = (as_given, whole, number, text)
"""Readers of what is no array."""


def _unless_none(found: Reader, options: Sequence[Any]) -> Reader:
    """The reader of what may also be None."""
    if found is as_given or NoneType not in options:
        return found
    return lambda name, value: None if value is None else found(name, value)


def _is_kind(hint: Any) -> bool:
    """Whether what is given can be compared with an annotation: a record, or a protocol."""
    return _is_record(hint) or getattr(hint, "_is_runtime_protocol", False)


def _kin(kind: type) -> Reader:
    """Anything that does what a protocol says, as it is."""

    def read(name: str, value: Any) -> Any:
        if not isinstance(value, kind):
            raise WrongType(name, kind.__name__, value)
        return value

    return read


def _is_record(hint: Any) -> bool:
    """Whether an annotation is a named tuple or a data class."""
    return isinstance(hint, type) and (hasattr(hint, "_fields") or is_dataclass(hint))


def _each(readers: Sequence[Reader]) -> Reader:
    """A sequence of arrays, all of a kind or each of its own; one of anything else as it is."""
    passing = all(each in PASSING for each in readers)

    def read(name: str, values: Any) -> Any:
        if isinstance(values, (str, bytes)) or not hasattr(values, "__getitem__"):
            raise WrongType(name, "a list or tuple", values)
        if passing or not isinstance(values, (list, tuple)):
            return values
        ways = cycle(readers)
        new = [next(ways)(f"{name}[{i}]", value) for i, value in enumerate(values)]
        if all(a is b for a, b in zip(new, values, strict=True)):
            return values
        return tuple(new) if isinstance(values, tuple) else new

    return read


def _record(kind: type) -> Reader:
    """A record: one of its class, its arrays read field by field.

    A data class without equality (`eq=False`), such as a corpus, is an object and stays the same.
    """
    by_value = "__eq__" in vars(kind) or issubclass(kind, tuple)
    hints = get_type_hints(kind) if by_value else {}
    readers = {key: found for key in hints if (found := reader(hints[key])) not in PASSING}

    def read(name: str, value: Any) -> Any:
        if not isinstance(value, kind):
            raise WrongType(name, f"{kind.__name__}({', '.join(_keys(kind))})", value)
        old = {key: getattr(value, key) for key in readers}
        new = {key: readers[key](f"{name}.{key}", each) for key, each in old.items()}
        if all(new[key] is old[key] for key in old):
            return value
        record: Any = value
        return replace(record, **new) if is_dataclass(kind) else record._replace(**new)

    return read


def _keys(kind: Any) -> Sequence[str]:
    """The fields of a named tuple or a data class."""
    return kind._fields if hasattr(kind, "_fields") else [field.name for field in fields(kind)]


def array(name: str, x: Any) -> Array:
    """An array of some library that holds numbers or booleans.  Refuses everything else."""
    if isinstance(x, np.generic) or type(x) in (np.ndarray, np.memmap):
        plain: Array = np.asarray(x)
        if plain.dtype.kind not in "biufc":
            raise BadOption(f"{name}.dtype", str(plain.dtype), "a data type of numbers", _SPEC)
        return plain if plain.dtype.isnative else plain.astype(plain.dtype.newbyteorder("="))
    if not isinstance(x, np.ndarray) and hasattr(x, "__dlpack__") and hasattr(x, "ndim"):
        found: Array = x
        return found
    raise NotAnArray(name, _kind(x), _advice(x))


def numbers(name: str, x: Any) -> Array:
    """An array of float32, float64 or complex numbers, each the same as it was given.

    Refuses: what `array` refuses; numbers that float64 cannot hold exactly.

    >>> numbers("x", np.array([True, False])).tolist()
    [1.0, 0.0]
    >>> numbers("x", np.array([2**53 + 1]))
    Traceback (most recent call last):
    saffu.errors.InexactEntry: x[0] must be a number that float64 holds exactly, ...
    """
    if type(x) is np.ndarray and x.dtype in PLAIN:
        return x
    given = array(name, x)
    if isinstance(given, np.ndarray):
        return given if given.dtype in PLAIN else _in_double(name, given)
    xp = namespace(given)
    dtype: Any = given.dtype
    if xp.isdtype(dtype, "complex floating") or dtype in (xp.float32, xp.float64):
        return given
    if xp.isdtype(dtype, "integral"):
        _in_double(name, on_host(given))  # refused there if at all; nothing comes back
    return xp.astype(given, xp.float64)


def _in_double(name: str, x: Array) -> Array:
    """The same numbers in float64.  Refuses those that it cannot hold."""
    if x.dtype.kind == "c":
        raise BadOption(f"{name}.dtype", str(x.dtype), "complex128 at most", _SPEC)
    with np.errstate(over="ignore"):
        double = x.astype(np.float64)
    if x.dtype.kind == "f":
        wrong = (double.astype(x.dtype) != x) & ~np.isnan(x)
    elif x.dtype.itemsize == 8:
        wrong = np.abs(double) >= EXACT
        wrong[wrong] = [int(float(each)) != int(each) for each in x[wrong]]
    else:
        return double
    if wrong.any():
        index = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise InexactEntry(name, index, x[index], _SPEC)
    return double


def _kind(x: object) -> str:
    """What was given, by the name that its users know."""
    kind = type(x)
    module = kind.__module__.partition(".")[0]
    return kind.__name__ if module == "builtins" else f"{module}.{kind.__name__}"


def _advice(x: Any) -> str:
    """How to make an array of it."""
    if isinstance(x, np.ma.MaskedArray):
        return "drop the masked entries, or use x.filled(value)"
    if x is None or isinstance(x, (str, bytes)):
        return "pass numbers"
    for way in ("to_numpy", "toarray"):  # frames, and sparse matrices
        if callable(getattr(x, way, None)):
            return f"use x.{way}()"
    return "use np.asarray(x)"
