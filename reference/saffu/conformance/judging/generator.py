"""Numbers for test inputs that every language can draw bit for bit: SplitMix64.   (SPEC 9)

    s ← s + 0x9E3779B97F4A7C15
    x ← s ⊕ (s ≫ 30);  x ← x · 0xBF58476D1CE4E5B9
    x ← x ⊕ (x ≫ 27);  x ← x · 0x94D049BB133111EB;  next = x ⊕ (x ≫ 31)        (mod 2⁶⁴)

(Steele, Lea & Flood 2014.)  Everything else is drawn from `next` by whole numbers alone, and every
float is a whole number over a power of two, so it is the same in float32 and float64 and prints in
few digits.  The seed of a case is the FNV-1a hash of its id.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np

from saffu.types import Array, IntArray

_MASK: Final = 2**64 - 1


def seed_of(text: str) -> int:
    """FNV-1a of the UTF-8 bytes, 64 bits.

    >>> hex(seed_of("a"))
    '0xaf63dc4c8601ec8c'
    """
    seed = 0xCBF29CE484222325
    for byte in text.encode():
        seed = (seed ^ byte) * 0x100000001B3 & _MASK
    return seed


class Draw:
    """A stream of numbers from a seed.

    >>> draw = Draw(1234567)
    >>> [draw.next() for _ in range(2)]
    [6457827717110365317, 3203168211198807973]
    """

    def __init__(self, seed: int) -> None:
        self._state = seed & _MASK

    def next(self) -> int:
        """64 random bits."""
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        x = self._state
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & _MASK
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB & _MASK
        return x ^ (x >> 31)

    def below(self, bound: int) -> int:
        """A whole number in 0 … bound−1: the top 32 bits of `next` times bound, over 2³²."""
        return (self.next() >> 32) * bound >> 32

    def whole(self, low: int, high: int, *shape: int) -> IntArray:
        """int64 in low … high, both included."""
        size = int(np.prod(shape, dtype=np.int64))
        drawn = [low + self.below(high - low + 1) for _ in range(size)]
        return np.array(drawn, dtype=np.int64).reshape(shape)

    def uniform(self, *shape: int, low: int = 0, high: int = 1, bits: int = 10) -> Array:
        """low + (high−low) · k / 2^bits for k in 1 … 2^bits, so never `low` itself."""
        k = self.whole(1, 2**bits, *shape)
        return np.asarray(low + (high - low) * k / 2**bits, dtype=np.float64)

    def simplex(self, *shape: int, bits: int = 10) -> Array:
        """Rows of k / 2^bits that add up to exactly one, no entry zero.

        A row of n entries is the gaps between n−1 distinct sorted cuts in 1 … 2^bits − 1; a cut
        that was drawn before is drawn again.
        """
        rows = [self._gaps(shape[-1], bits) for _ in range(int(np.prod(shape[:-1])))]
        return np.asarray(np.array(rows, dtype=np.float64).reshape(shape) / 2**bits)

    def _gaps(self, entries: int, bits: int) -> list[int]:
        cuts: set[int] = set()
        while len(cuts) < entries - 1:
            cuts.add(1 + self.below(2**bits - 1))
        edges = [0, *sorted(cuts), 2**bits]
        return [b - a for a, b in pairwise(edges)]

    def one_hot(self, rows: int, width: int) -> Array:
        """[rows, width], a single one in each row."""
        return np.eye(width)[self.whole(0, width - 1, rows)]

    def shuffled(self, items: Sequence[int]) -> list[int]:
        """Fisher and Yates, from the last place down."""
        order = list(items)
        for last in range(len(order) - 1, 0, -1):
            other = self.below(last + 1)
            order[last], order[other] = order[other], order[last]
        return order
