"""Results by operation, with their counts and worst errors.   (SPEC 9)"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from saffu.conformance.judging.runner import Result
from saffu.conformance.judging.verdict import Verdict


class Measure(NamedTuple):
    """An error and its bound, ordered by their ratio."""

    ratio: float
    """error over bound; infinite for an error against a bound of 0"""
    error: float
    bound: float


@dataclass(frozen=True, eq=False)
class Tally:
    """One operation and all results of its cases."""

    op: str
    results: tuple[Result, ...]

    def count(self, verdict: Verdict) -> int:
        """How many cases got a verdict."""
        return sum(result.ruling.verdict is verdict for result in self.results)

    @property
    def good(self) -> int:
        """How many cases passed."""
        return sum(result.good for result in self.results)

    @property
    def worst(self) -> Measure | None:
        """The largest error over bound; None where no error was measured."""
        return max(
            (measured for result in self.results if (measured := measure(result)) is not None),
            default=None,
        )


def measure(result: Result) -> Measure | None:
    """The error of a result against its bound; None if there is none."""
    error, bound = result.ruling.error, result.ruling.bound
    if error is None or bound is None:
        return None
    return Measure(error / bound if bound else error and float("inf"), error, bound)


def tallies(results: Iterable[Result]) -> tuple[Tally, ...]:
    """A tally for each operation, in the order in which they come.

    >>> tallies([])
    ()
    """
    by_op: dict[str, list[Result]] = {}
    for result in results:
        by_op.setdefault(result.case.op, []).append(result)
    return tuple(Tally(op, tuple(each)) for op, each in by_op.items())
