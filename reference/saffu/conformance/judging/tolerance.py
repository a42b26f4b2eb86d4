"""Error of an answer in units of the array's scale, and its comparison with the bound.

    error = max |got − truth| / scale

The scale is the magnitude of the terms that the array was added up from, so a rounding error
is a few units of 1e-16 or 1e-7 even after cancellation.  Whole numbers and truth values
have to be equal; so does every infinity.   (SPEC 9)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from saffu.conformance.contract.case import Case, Expected
from saffu.errors import BadOption
from saffu.types import Array

INFINITE = float("inf")


class Difference(NamedTuple):
    """The error of one array."""

    error: float
    """in units of the scale; infinite for another shape, NaN or a wrong infinity"""
    where: tuple[int, ...] | None
    """index of the worst entry, if it is about an entry"""
    problem: str
    """one sentence; empty where nothing differs at all"""


class Judgement(NamedTuple):
    """The comparison of an answer with a case."""

    passed: bool
    differences: dict[str, Difference]
    """of all returned arrays, in the order of computation"""
    missing: tuple[str, ...]
    """outputs that were not returned"""
    diverged: str | None
    """the first array out of bounds"""


def compare(got: Array, expected: Expected) -> Difference:
    """The error of an array.

    >>> compare(np.array([1.0, 2.5]), Expected(np.array([1.0, 2.0]), 4.0)).error
    0.125
    """
    truth = expected.value
    if got.shape != truth.shape:
        return Difference(INFINITE, None, f"shape {got.shape} instead of {truth.shape}")
    if got.dtype.kind not in "fiub":
        return Difference(INFINITE, None, f"{got.dtype} instead of numbers")
    gap = gaps(got, expected)
    if not gap.any():
        return Difference(0.0, None, "")
    worst = tuple(int(i) for i in np.unravel_index(int(np.argmax(gap)), gap.shape))
    error = float(gap[worst]) / (expected.scale or 1.0)
    entry = f"entry {list(worst)} is " if worst else "it is "
    return Difference(error, worst, f"{entry}{got[worst]} instead of {truth[worst]}")


def gaps(got: Array, expected: Expected) -> Array:
    """Absolute error of every entry, for arrays of the same shape.

    Infinite where entries must be equal and differ, and where only one of the two is finite.

    >>> gaps(np.array([1.0, 2.5, np.nan]), Expected(np.array([1.0, 2.0, 3.0]), 4.0)).tolist()
    [0.0, 0.5, inf]
    """
    truth = expected.value
    with np.errstate(invalid="ignore", over="ignore"):
        same = (got == truth) | (np.isnan(got) & np.isnan(truth))
        gap = np.abs(got.astype(np.float64) - truth.astype(np.float64))
    if expected.scale == 0 or truth.dtype.kind != "f":
        gap = np.full(truth.shape, INFINITE)
    distances: Array = np.where(same, 0.0, np.where(np.isfinite(gap), gap, INFINITE))
    return distances


def judge(case: Case, answer: Mapping[str, Array], precision: str = "float64") -> Judgement:
    """Whether the arrays of an answer are within the bounds of a case.

    Parameters: `answer`, outputs and gradients by the names of `Case.wanted`, and any stages; other
    arrays are ignored.  `precision` as the port declares it.
    Refuses: a case that rejects, or that has no bound for the precision.
    """
    if precision not in case.tolerance:
        judged = ", ".join(case.tolerance) or "none: the input has to be rejected"
        raise BadOption("precision", precision, f"one that {case.id} judges ({judged})", "SPEC 9")
    bound = case.tolerance[precision]
    truths = case.in_order
    differences = {name: compare(answer[name], truths[name]) for name in truths if name in answer}
    wrong = [name for name, difference in differences.items() if not difference.error <= bound]
    missing = tuple(name for name in case.wanted if name not in answer)
    first = next(iter(wrong), next(iter(missing), None))
    return Judgement(first is None, differences, missing, first)
