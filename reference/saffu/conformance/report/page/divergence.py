"""Where an answer leaves the truth: its first array that is out of bounds.   (SPEC 9)"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from saffu.conformance.contract.case import Expected
from saffu.conformance.judging.runner import Result
from saffu.conformance.judging.tolerance import Difference, compare, gaps
from saffu.types import Array, IntArray


class Divergence(NamedTuple):
    """One array: what a port gave, and what is expected."""

    name: str
    role: str
    """stage, output or gradient"""
    got: Array
    expected: Expected
    bound: float
    """in units of the scale"""
    difference: Difference

    @property
    def comparable(self) -> bool:
        """Whether it can be compared entry by entry: numbers of the right shape."""
        return self.difference.where is not None

    @property
    def gaps(self) -> Array:
        """How far each entry is off, in the order in which they are stored."""
        return gaps(self.got, self.expected).reshape(-1)

    @property
    def wrong(self) -> Array:
        """Which entries are out of bounds, in the same order."""
        outside: Array = ~(self.gaps / (self.expected.scale or 1.0) <= self.bound)
        return outside


def divergence(result: Result) -> Divergence | None:
    """The first wrong array of a failed case; None where none came, or none could be kept."""
    name, case, ruling = result.ruling.diverged, result.case, result.ruling
    if name is None or ruling.bound is None or name not in ruling.arrays:
        return None
    got, expected = ruling.arrays[name], case.in_order[name]
    role = "gradient" if name.startswith("gradient.") else "output"
    role = "stage" if name in case.stages else role
    return Divergence(name, role, got, expected, ruling.bound, compare(got, expected))


def worst_first(gap: Array, most: int) -> IntArray:
    """The places of the entries that are furthest off; of equals, the first come first.

    >>> worst_first(np.array([0.0, 3.0, 1.0, 3.0]), 3).tolist()
    [1, 3, 2]
    """
    order: IntArray = np.argsort(-gap, kind="stable")[:most]
    return order
