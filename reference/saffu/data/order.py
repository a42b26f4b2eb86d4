"""Orders that look random and depend on the seed alone: not on NumPy's version, nor on the machine.

SplitMix64 (Steele, Lea & Flood 2014) turns the numbers 0, 1, 2, … into keys that look random, and
sorting by the keys is a permutation.  Integers only, so that any language draws the same one.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from saffu import checks
from saffu.errors import BadOption
from saffu.types import IntArray

Keys: TypeAlias = NDArray[np.uint64]

GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def splitmix(state: Keys) -> Keys:
    """The numbers that SplitMix64 gives out in these states, [n] uint64; mixes all 64 bits.

    >>> [hex(key) for key in splitmix(np.array([0], dtype=np.uint64)).tolist()]
    ['0xe220a8397b1dcdaf']
    """
    z = state + GOLDEN
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def keys(names: IntArray, seed: int) -> Keys:
    """A key for each name [n] (any 64-bit number); another seed gives unrelated keys."""
    start = splitmix(np.array([checked(seed)], dtype=np.uint64))
    return splitmix(splitmix(names.astype(np.uint64)) ^ start)


def shuffled(n: int, seed: int) -> NDArray[np.int64]:
    """The numbers 0 … n−1 in an order that depends on the seed alone.

    >>> sorted(shuffled(5, seed=3).tolist())
    [0, 1, 2, 3, 4]
    """
    order: NDArray[Any] = np.argsort(keys(np.arange(n), seed), kind="stable")
    return order.astype(np.int64)


def checked(seed: int) -> int:
    """The seed, or a refusal if it is no whole number in 0 … 2^64−1."""
    number = checks.whole("seed", seed, 0, "SPEC 7")
    if number >= 2**64:
        raise BadOption("seed", seed, "a whole number below 2^64", "SPEC 7")
    return number
