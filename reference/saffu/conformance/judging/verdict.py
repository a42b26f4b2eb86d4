"""The verdict on a port's answer to one case.   (SPEC 9)

passed         every requested array is within its bound
rejected-ok    bad input was refused
failed         a wrong array, good input refused, bad input accepted, or no usable answer
skipped        the port gives a reason why it does not do this
errored        the port reports an internal failure
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
"""Longest quotation of a port's message, in characters."""
_ARRAYS: Final = 64
_ENTRIES: Final = 2**14
"""Most arrays, and entries of them all, that are kept of an answer without a truth."""


class Verdict(StrEnum):
    """The five verdicts."""

    PASSED = "passed"
    REJECTED = "rejected-ok"
    FAILED = "failed"
    SKIPPED = "skipped"
    ERRORED = "errored"

    @property
    def good(self) -> bool:
        """Whether this counts as passing."""
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
    """the arrays that the port returned, where they are wrong: for the diagnosis"""
    stderr: tuple[str, ...] = ()
    """the last lines that a program wrote to standard error before it ended or was killed"""


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
            reason = plain(answer.message, 3 * _QUOTED)
            return Ruling(Verdict.FAILED, answer.kind, reason, stderr=answer.stderr)


def _of_arrays(case: Case, arrays: Mapping[str, Array], precision: str) -> Ruling:
    if case.reject is not None:
        return Ruling(
            Verdict.FAILED, "accepted", f"expected a refusal ({case.reject}), got "
            "an answer", arrays=_few(arrays),
        )  # fmt: skip
    judgement = judge(case, arrays, precision)
    bound = case.tolerance[precision]
    error = max((difference.error for difference in judgement.differences.values()), default=None)
    if judgement.passed:
        return Ruling(Verdict.PASSED, error=error, bound=bound)
    missing = judgement.diverged in judgement.missing
    return Ruling(
        Verdict.FAILED,
        "missing" if missing else "values",
        _missing(judgement, arrays) if missing else _wrong(judgement, bound),
        diverged=judgement.diverged,
        error=error,
        bound=bound,
        outputs_right=_only_gradients(judgement, bound),
        arrays={name: x for name, x in arrays.items() if name in case.in_order and _fits(case, x)},
    )


def _fits(case: Case, x: Array) -> bool:
    """Whether an array is small enough to keep."""
    return x.size <= 4 * max(expected.value.size for expected in case.in_order.values()) + 64


def _few(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """The answer to an input that has to be refused; nothing if it is too large to keep."""
    small = len(arrays) <= _ARRAYS and sum(x.size for x in arrays.values()) <= _ENTRIES
    return dict(arrays) if small else {}


def _only_gradients(judgement: Judgement, bound: float) -> bool:
    wrong = [name for name, each in judgement.differences.items() if not each.error <= bound]
    return all(name.startswith("gradient.") for name in (*wrong, *judgement.missing))


def _missing(judgement: Judgement, arrays: Mapping[str, Array]) -> str:
    came = ", ".join(plain(name, 60) for name in list(arrays)[:10]) or "nothing"
    return f"expected an array {judgement.diverged}, got {came}"


def _wrong(judgement: Judgement, bound: float) -> str:
    name = judgement.diverged or ""
    difference: Difference = judgement.differences[name]
    size = f"; error {difference.error:.2g}, allowed {bound:.2g}" if difference.where else ""
    return f"{name}: {difference.problem}{size}"


def _of_refusal(case: Case, answer: Rejected) -> Ruling:
    message = plain(answer.message or answer.reason or "no reason given", _QUOTED)
    if case.reject is None:
        return Ruling(Verdict.FAILED, "refused", f"a good input was refused: {message}")
    if answer.reason not in (None, case.reject):
        return Ruling(
            Verdict.FAILED, "reason",
            f"expected the reason {case.reject!r}, got {short(answer.reason)}: {message}",
        )  # fmt: skip
    return Ruling(Verdict.REJECTED)
