"""Summary of a run for the terminal: an aligned plain-text table.   (SPEC 9)"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import Final

from saffu.conformance.judging.runner import Result
from saffu.conformance.judging.verdict import Verdict
from saffu.conformance.report.lines import Report
from saffu.conformance.report.tally import Measure, tallies

_SHOWN: Final = 20
"""Largest number of failures shown; the report has all of them."""
_WIDTH: Final = 100


def summary(report: Report) -> str:
    """The table of operations, then the failures, the diagnosis and the verdict."""
    run = report.run
    parts = [_port(report), _operations(run.results)]
    failing = [result for result in run.results if not result.good]
    if failing:
        parts.append(_failures(failing))
    if sentences := report.diagnosis.sentences():
        parts.append("Diagnosis\n" + "\n".join(_wrapped(sentence) for sentence in sentences))
    if run.notes:
        parts.append("Notes\n" + "\n".join(_wrapped(note) for note in run.notes))
    return "\n\n".join([*parts, _verdict(report)]) + "\n"


def _port(report: Report) -> str:
    port = report.run.port
    who = f"{port.name} {port.version}, {port.language}, {port.device}" if port else "never started"
    if report.in_process:
        who += ", in the process of the kit"
    lines = [f"Port       {who}", f"Suite      {report.suite}, judged as {report.run.precision}"]
    if report.nonce:
        lines.append(f"Challenge  {report.nonce} (again: --challenge {report.nonce})")
    return "\n".join(lines)


def _operations(results: Iterable[Result]) -> str:
    ops = tallies(results)
    width = max((len(tally.op) for tally in ops), default=9)
    head = f"{'operation':<{width}}  cases  good  failed  skipped  errored  worst error / bound"
    rows = [head, "-" * len(head)]
    for tally in ops:
        failed, skipped, errored = map(
            tally.count, (Verdict.FAILED, Verdict.SKIPPED, Verdict.ERRORED)
        )
        rows.append(
            f"{tally.op:<{width}}  {len(tally.results):>5}  {tally.good:>4}  {failed or '':>6}  "
            f"{skipped or '':>7}  {errored or '':>7}  {_worst(tally.worst)}".rstrip()
        )
    return "\n".join(rows)


def _worst(measured: Measure | None) -> str:
    if measured is None:
        return ""
    return f"{measured.error:.1e} / {measured.bound:.1e}" if measured.error else "exact"


def _failures(failing: list[Result]) -> str:
    lines = ["Not passed"]
    alike: dict[tuple[str, str, str | None], list[Result]] = {}
    for each in failing:
        ruling = each.ruling
        alike.setdefault((ruling.verdict, ruling.reason, ruling.url), []).append(each)
    for (verdict, reason, url), same in list(alike.items())[:_SHOWN]:
        more = f" and {len(same) - 1} more" if len(same) > 1 else ""
        where = f" [{url}]" if url else ""
        lines.append(_wrapped(f"{same[0].case.id}{more}: {verdict}: {reason}{where}"))
    if len(alike) > _SHOWN:
        lines.append(f"  and {len(alike) - _SHOWN} more; --report FOLDER writes them all")
    return "\n".join(lines)


def _wrapped(text: str) -> str:
    return textwrap.fill(
        text, _WIDTH, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False
    )


def _verdict(report: Report) -> str:
    run = report.run
    good = sum(result.good for result in run.results)
    if not run.results:
        return "FAILED: no case was run"
    cases = len(run.results)
    if good == cases:
        counts, level = f"{good} of {cases} cases", f"level {run.level}"
    else:
        counts = f"{good} of {cases} cases passed, {cases - good} did not"
        level = f"level {run.level} reached" if run.level else "no level reached"
    reached = "" if run.partial else f"; {level}"
    stopped = "; interrupted" if run.interrupted else ""
    return f"{'PASSED' if report.ok else 'FAILED'}: {counts}{reached}{stopped}"
