"""A broken harness or a wrong port?  One small case an operation tells them apart.   (SPEC 9)"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from saffu.conformance.contract.case import Case
from saffu.conformance.judging.runner import Result, Run

_HARNESS: Final = {
    "missing": "the operation runs, but an output has another name, or is left out",
    "errored": "the port fails inside, before it has an answer",
    "refused": "the port refuses a small and ordinary input: does it read the input right?",
    "form": "an array is written in a way that cannot be read",
    "time-out": "no answer comes: is the output flushed after each line?",
    "crash": "the program ends in the middle of a case",
    "garbage": "something other than messages is written to the standard output",
    "flood": "far more is written than one answer",
    "order": "answers bear another number than the question",
    "not-started": "the program does not get as far as the first answer",
    "given-up": "the program does not get as far as the first answer, or ends over and over",
}
"""Ways of failing that say nothing about the mathematics."""


def smallest(cases: Iterable[Case]) -> tuple[Case, ...]:
    """For each operation the case that has an answer and the fewest numbers."""
    best: dict[str, Case] = {}
    for case in cases:
        if case.reject is None and (case.op not in best or _size(case) < _size(best[case.op])):
            best[case.op] = case
    return tuple(best.values())


def _size(case: Case) -> int:
    arrays = [*case.inputs.values(), *(each.value for each in case.in_order.values())]
    return sum(array.size for array in arrays)


def broken(run: Run) -> list[Result]:
    """Cases that never got as far as a value that could be right or wrong."""
    return [result for result in run.results if result.ruling.kind in _HARNESS]


def harness(run: Run) -> str:
    """What the smoke test says, in a line or a few."""
    wrong = [each for each in run.results if each.ruling.kind == "values"]
    if not run.results:
        return "Harness: no case was run\n"
    if not broken(run):
        tail = f"; the port is wrong in {', '.join(r.case.op for r in wrong)}" if wrong else ""
        return f"Harness: it works{tail}\n"
    lines = [f"Harness: broken in {len(broken(run))} of {len(run.results)} operations"]
    for kind in dict.fromkeys(result.ruling.kind for result in broken(run)):
        ops = [result.case.op for result in broken(run) if result.ruling.kind == kind]
        shown = ", ".join(ops[:6]) + (f" and {len(ops) - 6} more" if len(ops) > 6 else "")
        lines.append(f"  {kind}: {_HARNESS[kind]} ({shown})")
    return "\n".join(lines) + "\n"
