"""Pairs of mistakes made at once in one operation.   (SPEC 9)

A case that shows both has the numbers of neither.  So cases that no single mistake explains are
compared with two mistakes together: all pairs are tried on one such case, and the pairs that fit it
on the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import combinations
from typing import Final, NamedTuple

from saffu.conformance.diagnosis.mistake import Mistake
from saffu.conformance.diagnosis.variants import together
from saffu.conformance.judging.runner import Result

_TRIED: Final = 3
"""Cases of an operation that no pair explains, after which no further one is tried."""


class Pair(NamedTuple):
    """Two mistakes, and the cases that they explain together."""

    one: Mistake
    other: Mistake
    cases: tuple[str, ...]


def pairs(
    mistakes: Sequence[Mistake],
    unexplained: Iterable[Result],
    fits: Callable[[Mistake, Result], bool],
    named: frozenset[str],
) -> tuple[Pair, ...]:
    """The pairs that explain most of the unexplained cases.

    Parameters: `fits`, whether a mistake gives the returned arrays; `named`, ids of mistakes that
    explain cases by themselves: of two pairs that explain as many, the one with more of these.
    """
    by_op: dict[str, list[Result]] = {}
    for result in unexplained:
        by_op.setdefault(result.case.op, []).append(result)
    return tuple(
        pair
        for op, left in by_op.items()
        for pair in _of_one([m for m in mistakes if m.op == op], left, fits, named)
    )


def _of_one(
    mistakes: Sequence[Mistake],
    left: list[Result],
    fits: Callable[[Mistake, Result], bool],
    named: frozenset[str],
) -> list[Pair]:
    both = [
        (one, other, joint)
        for one, other in combinations(mistakes, 2)
        if (joint := together(one, other)) is not None
    ]
    pairs, tried = [], 0
    while left and tried < _TRIED:
        fitting = [
            (one, other, [each for each in left if fits(joint, each)])
            for one, other, joint in both
            if fits(joint, left[0])
        ]
        if not fitting:
            left, tried = left[1:], tried + 1
            continue
        one, other, cases = min(
            fitting,
            key=lambda pair: (
                -len(pair[2]), -len({pair[0].id, pair[1].id} & named), pair[0].id, pair[1].id
            ),
        )  # fmt: skip
        pairs.append(Pair(one, other, tuple(sorted(each.case.id for each in cases))))
        left = [each for each in left if each not in cases]
    return pairs
