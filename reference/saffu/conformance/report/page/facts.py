"""Facts needed to repeat a run: port, machine, suite, command.   (SPEC 9)"""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

from saffu.conformance.operations import OPERATIONS
from saffu.conformance.report.lines import Report, header
from saffu.conformance.report.page.markup import Markup, element
from saffu.conformance.report.page.words import counted, named


def facts(report: Report) -> Markup:
    """The section of the circumstances."""
    rows = (
        element("div", element("dt", name), element("dd", value))
        for name, value in {**_port(report), **_run(report), **_machine(report)}.items()
        if value
    )
    return element("section", element("h2", "The run"), element("dl", *rows), id="run")


def _port(report: Report) -> dict[str, str]:
    port, run = report.run.port, report.run
    if port is None:
        return {"Port": "never started"}
    gradients = f", and gradients of {len(port.gradients)}" if port.gradients else ""
    judged = "" if run.precision == port.precision else f", judged as {run.precision}"
    return {
        "Port": named(port),
        "Language": port.language,
        "Device": port.device,
        "Process": "that of the kit" if report.in_process else "its own",
        "Precision": f"{port.precision}{judged}",
        "Has": f"{len(port.operations)} of {counted(len(OPERATIONS), 'operation')}{gradients}",
    }


def _run(report: Report) -> dict[str, str]:
    run, nonce = report.run, report.nonce
    asked = f"level {run.wanted}{', some cases only' if run.partial else ''}"
    seconds = sum(result.seconds for result in run.results)
    return {
        "Command": report.command,
        "Challenge": f"{nonce} (again: --challenge {nonce})" if nonce else "",
        "Asked for": f"{asked}, {counted(len(run.results), 'case')}",
        "Suite": f"{report.suite}, SHA-256 of its manifest {report.suite_sha256}",
        "Started": str(header(report)["started"]),
        "Took": f"{seconds:.2g} s",
    }


def _machine(report: Report) -> dict[str, str]:
    recorded = header(report)
    return {
        "System": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "Processor": f"{processor()}, {counted(os.cpu_count() or 1, 'core')}",
        "Python": f"{platform.python_implementation()} {recorded['python']}",
        "NumPy": str(recorded["numpy"]),
        "saffu": str(recorded["saffu"]),
    }


def processor() -> str:
    """What the processor calls itself, as far as the system says.

    >>> processor() != ""
    True
    """
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    named = re.search(r"^model name\s*:\s*(\S.*)$", text, re.MULTILINE)
    return named[1] if named else platform.processor() or platform.machine() or "unknown"
