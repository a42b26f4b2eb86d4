"""Smoke test: one small case per operation tells a broken harness from a wrong port.   (SPEC 9)"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from saffu.conformance.contract.case import Case
from saffu.conformance.judging.runner import Result, Run

_HARNESS: Final = {
    "missing": "the operation runs, and an output is missing or has another name",
    "errored": "the port reports an internal failure before it has an answer",
    "refused": "the port refuses a small and ordinary input: does it read the input right?",
    "form": "an array is not a valid record",
    "time-out": "no answer comes: is the output flushed after each line?",
    "crash": "the program ends during a case",
    "garbage": "something other than messages is written to the standard output",
    "flood": "far more than one answer is written",
    "order": "the number of an answer differs from that of the question",
    "not-started": "the program ends before the first answer",
    "given-up": "the program ends before the first answer, or again after each restart",
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
    """Cases without any value that could be right or wrong."""
    return [result for result in run.results if result.ruling.kind in _HARNESS]


def harness(run: Run) -> str:
    """The result of the smoke test, in one or more lines."""
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
