"""Kinds of numbers that the oracle computes with."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Protocol, TypeAlias

import mpmath
import numpy as np

Number: TypeAlias = Any
"""A number of some arithmetic: it can be added, multiplied, divided and compared."""
Row: TypeAlias = list[Number]
Table: TypeAlias = list[Row]

DIGITS: Final = 50


class Arithmetic(Protocol):
    """How to make, add up and transform numbers of one kind."""

    near: float
    """From here Newton's next step reaches all digits there are."""

    def number(self, x: float) -> Number:
        """A number from a float, exactly."""

    def fresh(self, x: Number) -> Number:
        """The same value without its history."""

    def exp(self, x: Number) -> Number: ...
    def log(self, x: Number) -> Number: ...
    def sqrt(self, x: Number) -> Number: ...

    def total(self, terms: Iterable[Number]) -> Number:
        """The sum."""

    def dot(self, a: Sequence[Number], b: Sequence[Number]) -> Number:
        """The sum of the products, as one entry of a product of matrices."""

    def rounded(self, x: Number) -> float:
        """The nearest float64."""


class Exact:
    """mpmath at 50 digits, in a context of its own."""

    near = 1e-25

    def __init__(self, digits: int = DIGITS) -> None:
        self._mp = mpmath.MPContext()
        self._mp.dps = digits
        self.exp: Callable[[Number], Number] = self._mp.exp
        self.log: Callable[[Number], Number] = self._mp.log
        self.sqrt: Callable[[Number], Number] = self._mp.sqrt

    def number(self, x: float) -> Number:
        return self._mp.mpf(x)

    def fresh(self, x: Number) -> Number:
        return x

    def total(self, terms: Iterable[Number]) -> Number:
        return self._mp.fsum(terms)

    def dot(self, a: Sequence[Number], b: Sequence[Number]) -> Number:
        return self._mp.fdot(zip(a, b, strict=True))

    def rounded(self, x: Number) -> float:
        return float(x)


def _in_order(terms: Sequence[Number], zero: Number) -> Number:
    for term in terms:
        zero = zero + term
    return zero


def _reversed(terms: Sequence[Number], zero: Number) -> Number:
    return _in_order(terms[::-1], zero)


def _pairwise(terms: Sequence[Number], zero: Number) -> Number:
    if len(terms) < 2:
        return _in_order(terms, zero)
    half = len(terms) // 2
    return _pairwise(terms[:half], zero) + _pairwise(terms[half:], zero)


class Double:
    """float64, one rounding an operation."""

    near = 1e-8

    def __init__(self, add: Callable[[Sequence[Number], Number], Number]) -> None:
        self._add = add

    def number(self, x: float) -> Number:
        return float(x)

    def fresh(self, x: Number) -> Number:
        return x

    def exp(self, x: Number) -> Number:
        return math.exp(x)

    def log(self, x: Number) -> Number:
        return math.log(x)

    def sqrt(self, x: Number) -> Number:
        return math.sqrt(x)

    def total(self, terms: Iterable[Number]) -> Number:
        return self._add(list(terms), self.number(0))

    def dot(self, a: Sequence[Number], b: Sequence[Number]) -> Number:
        return self.total(x * y for x, y in zip(a, b, strict=True))

    def rounded(self, x: Number) -> float:
        return float(x)


class Single(Double):
    """float32, one rounding an operation."""

    near = 1e-3

    def number(self, x: float) -> Number:
        return np.float32(x)

    def exp(self, x: Number) -> Number:
        return np.exp(np.float32(x))

    def log(self, x: Number) -> Number:
        return np.log(np.float32(x))

    def sqrt(self, x: Number) -> Number:
        return np.sqrt(np.float32(x))


class Loose(Single):
    """float32, but products of matrices see eight bits of each factor, as with bfloat16."""

    def dot(self, a: Sequence[Number], b: Sequence[Number]) -> Number:
        return self.total(x * y for x, y in zip(_eight_bits(a), _eight_bits(b), strict=True))


def _eight_bits(row: Sequence[Number]) -> Row:
    """The nearest bfloat16 of each entry, ties to even."""
    bits = np.array(row, dtype=np.float32).view(np.uint32).astype(np.uint64)
    kept = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000
    return list(kept.astype(np.uint32).view(np.float32))


class Sized:
    """A value, and its magnitude: what it would be if nothing had cancelled.

    Sums add magnitudes, products multiply them; what is not linear starts anew from its value.
    """

    __slots__ = ("size", "value")

    def __init__(self, value: float, size: float | None = None) -> None:
        self.value = value
        self.size = abs(value) if size is None else size

    def __add__(self, other: Number) -> Sized:
        b = _sized(other)
        return Sized(self.value + b.value, self.size + b.size)

    def __neg__(self) -> Sized:
        return Sized(-self.value, self.size)

    def __sub__(self, other: Number) -> Sized:
        return self + (-_sized(other))

    def __rsub__(self, other: Number) -> Sized:
        return _sized(other) - self

    def __mul__(self, other: Number) -> Sized:
        b = _sized(other)
        return Sized(self.value * b.value, self.size * b.size)

    def __truediv__(self, other: Number) -> Sized:
        b = _sized(other)
        return Sized(self.value / b.value, self.size / abs(b.value))

    def __rtruediv__(self, other: Number) -> Sized:
        return _sized(other) / self

    __radd__ = __add__
    __rmul__ = __mul__

    def __lt__(self, other: Number) -> bool:
        return self.value < _sized(other).value

    def __gt__(self, other: Number) -> bool:
        return self.value > _sized(other).value


def _sized(x: Number) -> Sized:
    return x if isinstance(x, Sized) else Sized(float(x))


class Sizes:
    """The magnitude run: `rounded` gives an entry's size in place of its value."""

    near = 1e-8

    def number(self, x: float) -> Number:
        return Sized(float(x))

    def fresh(self, x: Number) -> Number:
        return Sized(x.value)

    def exp(self, x: Number) -> Number:
        return Sized(math.exp(x.value))

    def log(self, x: Number) -> Number:
        """Near one a logarithm is small, but knows its argument only to a rounding of one."""
        y = math.log(x.value)
        return Sized(y, max(abs(y), x.size / x.value))

    def sqrt(self, x: Number) -> Number:
        return Sized(math.sqrt(x.value))

    def total(self, terms: Iterable[Number]) -> Number:
        return _in_order([_sized(term) for term in terms], Sized(0.0))

    def dot(self, a: Sequence[Number], b: Sequence[Number]) -> Number:
        return self.total(x * y for x, y in zip(a, b, strict=True))

    def rounded(self, x: Number) -> float:
        return _sized(x).size


VARIANTS: Final[dict[str, dict[str, Arithmetic]]] = {
    "float64": {
        "loops, float64": Double(_in_order),
        "loops, float64, sums reversed": Double(_reversed),
        "loops, float64, sums pairwise": Double(_pairwise),
    },
    "float32": {
        "loops, float32": Single(_in_order),
        "loops, float32, sums reversed": Single(_reversed),
        "loops, float32, sums pairwise": Single(_pairwise),
    },
    "loose": {
        "loops, bfloat16 products": Loose(_in_order),
        "loops, bfloat16 products, sums reversed": Loose(_reversed),
    },
}
"""Right ways to compute that are not exact, by class of arithmetic."""
