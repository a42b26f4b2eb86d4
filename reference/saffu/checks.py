"""Input checks: refuse arrays that are negative, not finite or of the wrong shape.   (SPEC 8)

Each check names the first entry that is wrong.  A public operation checks its arguments once and
hands them to its inner function, which has the same name with `_unchecked` behind it and checks
nothing.  Code of the package that holds checked arrays, or arrays that it computed, calls inner
functions.  So no array is checked twice in one public call.  What only the computation shows, such
as a zero that smoothing leaves or an optimum at infinity, is refused where it arises.

Checks look at arrays and never change them.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from saffu.arrays.namespace import namespace, real
from saffu.errors import (
    BadEntry,
    BadOption,
    EmptyMask,
    EmptyTarget,
    InvalidPivot,
    LabelOutOfRange,
    NegativeEntry,
    NonFiniteEntry,
    NoSamples,
    OffSimplex,
    TokenOutOfRange,
    WrongShape,
    ZeroEntry,
)
from saffu.types import Array

_SPEC: Final = "SPEC 1"


def refuse_where(bad: Array, x: Array, name: str, source: str, error: type[BadEntry]) -> None:
    """Refuse the first entry of `x` at which `bad` is True."""
    if bool(namespace(bad).any(bad)):
        index = _first(bad)
        raise error(name, index, _number(x[index]), source)


def finite(name: str, x: Array, source: str, *, where: Array | None = None) -> None:
    """Refuse NaN and infinity, in all entries or in those at which `where` is True."""
    bad = ~namespace(x).isfinite(x)
    refuse_where(bad if where is None else bad & where, x, name, source, NonFiniteEntry)


def non_negative(
    name: str,
    x: Array,
    source: str,
    error: type[BadEntry] = NegativeEntry,
    *,
    where: Array | None = None,
) -> None:
    """Refuse NaN, infinity and entries below zero; of complex entries the real part counts.

    In all entries, or in those at which `where` is True.
    """
    xp = namespace(x)
    no_number = ~xp.isfinite(x)
    below = (xp.real(x) if xp.isdtype(x.dtype, "complex floating") else x) < 0
    if where is not None:
        no_number, below = no_number & where, below & where
    if bool(xp.any(below | no_number)):
        refuse_where(no_number, x, name, source, NonFiniteEntry)
        refuse_where(below, x, name, source, error)


def positive_entries(name: str, x: Array, source: str) -> None:
    """Refuse entries that are not positive and finite, such as a count without smoothing."""
    non_negative(name, x, source)
    refuse_where(x == 0, x, name, source, ZeroEntry)


def probabilities(name: str, x: Array, source: str) -> None:
    """Refuse rows that are no distributions: negative entries, or a sum other than one."""
    non_negative(name, x, source)
    xp = namespace(x)
    total = xp.asarray(xp.sum(real(x), axis=-1))
    off = xp.asarray(abs(total - 1) > 1e-4)
    if bool(xp.any(off)):
        row = _first(off)
        raise OffSimplex(name, row, float(total[row]), source)


def shape(name: str, x: Array, expected: Sequence[int | None], letters: str, source: str) -> None:
    """Refuse another number of dimensions, or another size where one is given.

    `letters` name the dimensions, as "M N"; `same_shape` is for a shape that something else has.

    >>> shape("targets", np.zeros((3, 2)), (4, None), "M N", "SPEC 1")
    Traceback (most recent call last):
    saffu.errors.WrongShape: targets must have shape [M N] = (4, any), got (3, 2); ...
    """
    _fit(name, tuple(x.shape), expected, letters, source)


def same_shape(name: str, x: Array, expected: Sequence[int], other: str, source: str) -> None:
    """Refuse another shape than `other` has.

    >>> same_shape("ascent", np.zeros((3, 2)), (3, 5), "attention", "SPEC 5")
    Traceback (most recent call last):
    saffu.errors.WrongShape: ascent must have shape (3, 5) as in attention, got (3, 2); ...
    """
    if tuple(x.shape) != tuple(expected):
        raise WrongShape(name, f"{tuple(expected)} as in {other}", tuple(x.shape), source)


def samples(name: str, x: Array, source: str) -> None:
    """Refuse an array without rows."""
    if x.shape[0] == 0:
        raise NoSamples(name, source)


def features(
    x: Array, name: str = "features", source: str = _SPEC, *, width: int | None = None
) -> None:
    """Refuse arrays that are not features [M, D]: finite, non-negative, at least one sample."""
    _fit(name, tuple(x.shape), (None, width), "M D", source)
    if x.shape[0] == 0:
        raise NoSamples(name, source)
    non_negative(name, x, source)


def targets(
    x: Array, rows: int, name: str = "targets", source: str = _SPEC, *, width: int | None = None
) -> None:
    """Refuse arrays that are not targets [M, N]: finite, non-negative, no row of zeros."""
    _fit(name, tuple(x.shape), (rows, width), "M N", source)
    non_negative(name, x, source)
    xp = namespace(x)
    empty = xp.all(x == 0, axis=-1)
    if bool(xp.any(empty)):
        raise EmptyTarget(name, _first(empty)[0])


def token_ids(x: Array, size: int, name: str = "tokens") -> None:
    """Refuse ids outside of 0 … size-1, and ids of a type other than integer."""
    xp = namespace(x)
    if not xp.isdtype(x.dtype, "integral"):
        raise BadOption(f"{name}.dtype", _type(x), "an integer type", "SPEC 8")
    bad = (x < 0) | (x >= size)
    if bool(xp.any(bad)):
        index = _first(bad)
        raise TokenOutOfRange(name, index, _number(x[index]), size)


def labels(x: Array, rows: int, classes: int, name: str = "labels") -> None:
    """Refuse class labels that are not integers [M] in 0 … classes−1."""
    _fit(name, tuple(x.shape), (rows,), "M", _SPEC)
    xp = namespace(x)
    if not xp.isdtype(x.dtype, "integral"):
        raise BadOption(f"{name}.dtype", str(x.dtype), "an integer type", _SPEC)
    bad = (x < 0) | (x >= classes)
    if bool(xp.any(bad)):
        index = _first(bad)
        raise LabelOutOfRange(name, index, _number(x[index]), classes)


def mask_rows(mask: Array) -> None:
    """Refuse a mask of a type other than boolean, and a row without a valid entry."""
    xp = namespace(mask)
    if not xp.isdtype(mask.dtype, "bool"):
        raise BadOption("mask.dtype", _type(mask), "booleans, True where valid", "SPEC 4")
    empty = xp.asarray(~xp.any(mask, axis=-1))
    if bool(xp.any(empty)):
        raise EmptyMask(_first(empty))


def pivots(pivot: Array, mask: Array) -> None:
    """Refuse a pivot outside of its context, or on an invalid slot."""
    xp = namespace(mask)
    if not xp.isdtype(pivot.dtype, "integral"):
        raise BadOption("pivot.dtype", _type(pivot), "an integer type", "SPEC 3")
    slots = mask.shape[1]
    outside = (pivot < 0) | (pivot >= slots)
    inside = xp.where(outside, xp.zeros_like(pivot), pivot)
    inside = xp.reshape(xp.astype(inside, xp.int64), (-1, 1))
    valid = xp.take_along_axis(mask, inside, axis=1)[:, 0]
    bad = outside | ~valid
    if bool(xp.any(bad)):
        row = _first(bad)[0]
        raise InvalidPivot(row, int(pivot[row]), slots)


def whole(name: str, value: Any, least: int, source: str) -> int:
    """An integer of at least `least`, given as any integer type."""
    truth = isinstance(value, bool | np.bool)  # an index as well: of Python, and of older NumPy
    try:
        number = least - 1 if truth else operator.index(value)
    except TypeError:
        number = least - 1
    if number < least:
        raise BadOption(name, value, f"a whole number >= {least}", source)
    return number


def positive(name: str, value: float, source: str, *, zero: bool = False) -> float:
    """A finite number above zero (or, with `zero`, at least zero)."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if not np.isfinite(number) or number < 0 or (number == 0 and not zero):
        raise BadOption(name, value, f"a finite number {'>=' if zero else '>'} 0", source)
    return number


def choice(name: str, value: str, allowed: Sequence[str], source: str) -> None:
    """One of a few words."""
    if value not in allowed:
        raise BadOption(name, value, " or ".join(repr(a) for a in allowed), source)


def _fit(
    name: str,
    got: tuple[int, ...],
    expected: Sequence[int | None],
    letters: str,
    source: str,
) -> None:
    """Refuse a shape with another number of dimensions, or another size where one is given."""
    fits = len(got) == len(expected) and all(
        size is None or size == n for size, n in zip(expected, got, strict=True)
    )
    if not fits:
        sizes = ", ".join("any" if size is None else str(size) for size in expected)
        raise WrongShape(name, f"[{letters}] = ({sizes})", got, source)


def _first(bad: Array) -> tuple[int, ...]:
    """Index of the first True, row-major."""
    xp = namespace(bad)
    flat = int(xp.argmax(xp.reshape(xp.astype(bad, xp.int64), (-1,))))
    return tuple(int(i) for i in np.unravel_index(flat, tuple(bad.shape)))


def _number(entry: Any) -> object:
    """An entry of an array of any library as Python's own number."""
    if hasattr(entry, "item"):
        return entry.item()
    return int(entry) if namespace(entry).isdtype(entry.dtype, "integral") else float(entry)


def _type(x: Array) -> str:
    """The name of the type of the entries, the same for every library."""
    return str(x.dtype).rpartition(".")[2]
