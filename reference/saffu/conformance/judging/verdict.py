"""What is said of a port's answer to one case.   (SPEC 9)

passed         every array that was asked for is within its bound
rejected-ok    the input had to be refused, and was
failed         a wrong array, a good input refused, a bad one accepted, or no usable answer
skipped        the port says why it does not do this
errored        the port says that it failed inside
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from saffu.conformance.contract.case import Case
from saffu.conformance.judging.tolerance import Difference, Judgement, judge
from saffu.conformance.ports.protocol import (
    Answer,
    Broken,
    Errored,
    Outputs,
    Rejected,
    Skipped,
)
from saffu.conformance.ports.schemas import plain, short
from saffu.types import Array

_QUOTED: Final = 300
"""Characters that are quoted of what a port says."""


class Verdict(StrEnum):
    """The five words."""

    PASSED = "passed"
    REJECTED = "rejected-ok"
    FAILED = "failed"
    SKIPPED = "skipped"
    ERRORED = "errored"

    @property
    def good(self) -> bool:
        """Whether nothing is wanting."""
        return self in (Verdict.PASSED, Verdict.REJECTED)


@dataclass(frozen=True, eq=False)
class Ruling:
    """A verdict with its grounds."""

    verdict: Verdict
    kind: str = ""
    """what went wrong, in one word: values, missing, refused, accepted, reason, or Broken.kind"""
    reason: str = ""
    """the same in a sentence"""
    url: str | None = None
    diverged: str | None = None
    """the first array out of bounds, in the order of computation"""
    error: float | None = None
    """the largest error, in units of the scale"""
    bound: float | None = None
    outputs_right: bool = False
    """whether only gradients are wrong or missing"""
    arrays: Mapping[str, Array] = field(default_factory=dict)
    """what the port returned, where it is wrong: for the diagnosis"""


def rule(case: Case, answer: Answer, precision: str) -> Ruling:
    """The verdict on an answer.

    Parameters: `case`, without its gradients if they were not asked for; `precision`, a class that
    the case has a bound for, or any if the case rejects.
    """
    match answer:
        case Outputs():
            return _of_arrays(case, answer.arrays, precision)
        case Rejected():
            return _of_refusal(case, answer)
        case Skipped():
            reason = plain(answer.reason, _QUOTED)
            return Ruling(Verdict.SKIPPED, "skipped", reason, answer.url)
        case Errored():
            return Ruling(Verdict.ERRORED, "errored", plain(answer.message, _QUOTED))
        case Broken():
            return Ruling(Verdict.FAILED, answer.kind, plain(answer.message, 2 * _QUOTED))


def _of_arrays(case: Case, arrays: Mapping[str, Array], precision: str) -> Ruling:
    if case.reject is not None:
        return Ruling(
            Verdict.FAILED, "accepted", f"the input was accepted; it has to be refused "
            f"({case.reject})", arrays=dict(arrays),
        )  # fmt: skip
    found = judge(case, arrays, precision)
    bound = case.tolerance[precision]
    error = max((difference.error for difference in found.differences.values()), default=None)
    if found.passed:
        return Ruling(Verdict.PASSED, error=error, bound=bound)
    missing = found.diverged in found.missing
    return Ruling(
        Verdict.FAILED,
        "missing" if missing else "values",
        _missing(found, arrays) if missing else _wrong(found, bound),
        diverged=found.diverged,
        error=error,
        bound=bound,
        outputs_right=_only_gradients(found, bound),
        arrays={name: x for name, x in arrays.items() if name in case.in_order and _fits(case, x)},
    )


def _fits(case: Case, x: Array) -> bool:
    """Whether an array is of a size that is worth keeping."""
    return x.size <= 4 * max(expected.value.size for expected in case.in_order.values()) + 64


def _only_gradients(found: Judgement, bound: float) -> bool:
    wrong = [name for name, each in found.differences.items() if not each.error <= bound]
    return all(name.startswith("gradient.") for name in (*wrong, *found.missing))


def _missing(found: Judgement, arrays: Mapping[str, Array]) -> str:
    came = ", ".join(plain(name, 60) for name in list(arrays)[:10]) or "nothing"
    return f"{found.diverged} did not come (there came {came})"


def _wrong(found: Judgement, bound: float) -> str:
    name = found.diverged or ""
    difference: Difference = found.differences[name]
    size = f"; error {difference.error:.2g}, allowed {bound:.2g}" if difference.where else ""
    return f"{name}: {difference.problem}{size}"


def _of_refusal(case: Case, answer: Rejected) -> Ruling:
    said = plain(answer.message or answer.reason or "no reason given", _QUOTED)
    if case.reject is None:
        return Ruling(Verdict.FAILED, "refused", f"a good input was refused: {said}")
    if answer.reason not in (None, case.reject):
        return Ruling(
            Verdict.FAILED, "reason",
            f"refused as {short(answer.reason)}, {case.reject!r} is expected: {said}",
        )  # fmt: skip
    return Ruling(Verdict.REJECTED)
