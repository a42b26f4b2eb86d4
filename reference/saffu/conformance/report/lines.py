"""Results of a run as JSON lines: results.jsonl.   (SPEC 9)

    {"type": "header", …}      suite and its hash, versions, machine, port, nonce
    {"type": "case", …}        one for each case
    {"type": "footer", …}      counts, level, diagnosis, and the hash of all lines before

A file without its footer was cut short and is refused.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import numpy as np

from saffu.conformance.diagnosis.diagnose import Diagnosis
from saffu.conformance.judging.runner import Result, Run
from saffu.conformance.judging.verdict import Verdict
from saffu.conformance.ports import schemas
from saffu.errors import BadFile

NAME: Final = "results.jsonl"


@dataclass(frozen=True, eq=False)
class Report:
    """A run with everything needed to repeat it."""

    run: Run
    diagnosis: Diagnosis
    command: str
    suite: str
    suite_sha256: str
    started: datetime
    nonce: str | None = None
    in_process: bool = False
    """whether the port ran in the process of the kit, which it can then reach"""

    @property
    def ok(self) -> bool:
        """Whether the exit status is 0."""
        return self.run.passed and not self.run.interrupted

    def matches(self, result: Result) -> list[str]:
        """Ids of the mistakes that explain a case."""
        return [
            name
            for finding in self.diagnosis.findings
            if result.case.id in finding.cases
            for name in finding.names
        ]


def header(report: Report) -> dict[str, Any]:
    """The first line."""
    run = report.run
    return {
        "type": "header",
        "report": 1,
        "suite": report.suite,
        "suite_sha256": report.suite_sha256,
        "cases": len(run.results),
        "command": report.command,
        "started": report.started.astimezone(UTC).isoformat(timespec="seconds"),
        "saffu": _version("saffu"),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "machine": f"{platform.system()} {platform.machine()}",
        "port": None if run.port is None else _listed(asdict(run.port)),
        "precision": run.precision,
        "wanted": run.wanted,
        "partial": run.partial,
        "nonce": report.nonce,
        "in_process": report.in_process,
    }


def line(report: Report, result: Result) -> dict[str, Any]:
    """The line of a case."""
    case, ruling = result.case, result.ruling
    return {
        "type": "case",
        "id": case.id,
        "op": case.op,
        "spec": case.spec,
        "about": case.about,
        "level": result.level,
        "verdict": str(ruling.verdict),
        "kind": ruling.kind,
        "reason": ruling.reason,
        "url": ruling.url,
        "diverged": ruling.diverged,
        "error": _size(ruling.error),
        "bound": ruling.bound,
        "matches": report.matches(result),
        "stderr": list(ruling.stderr),
        "seconds": round(result.seconds, 4),
    }


def footer(report: Report, before: Sequence[str]) -> dict[str, Any]:
    """The last line, after the lines before."""
    run = report.run
    return {
        "type": "footer",
        "cases": len(run.results),
        **{str(verdict): run.count(verdict) for verdict in Verdict},
        "level": run.level,
        "ok": report.ok,
        "interrupted": run.interrupted,
        "diagnosis": report.diagnosis.sentences(),
        "notes": list(run.notes),
        "sha256": _hash(before),
    }


def lines(report: Report) -> list[str]:
    """All lines of results.jsonl."""
    before = [json.dumps(header(report))]
    before += [json.dumps(line(report, result)) for result in report.run.results]
    return [*before, json.dumps(footer(report, before))]


def read(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]], dict[str, Any]]:
    """Header, cases and footer of a results.jsonl.

    Refuses (BadFile): no footer; a line that violates the schema; a count or a hash that differs
    from that of the lines.
    """
    again = "run saffu check --report again"
    try:
        texts = path.read_text(encoding="utf-8").splitlines()
        records = [json.loads(text) for text in texts]
    except (OSError, ValueError) as wrong:
        raise BadFile(path, str(wrong), again) from None
    kinds = ["header", *["case"] * (len(records) - 2), "footer"]
    if len(records) < 2 or not isinstance(records[-1], dict) or records[-1].get("type") != "footer":
        raise BadFile(path, "the footer is missing, so the report was cut short", again)
    for number, (kind, record) in enumerate(zip(kinds, records, strict=True), 1):
        if problem := schemas.problem("report", kind, record):
            raise BadFile(path, f"line {number}: {problem}", again)
    if records[-1]["cases"] != len(records) - 2 or records[-1]["sha256"] != _hash(texts[:-1]):
        raise BadFile(path, "the footer belongs to other lines", again)
    return records[0], records[1:-1], records[-1]


def _hash(texts: Sequence[str]) -> str:
    return hashlib.sha256("".join(f"{text}\n" for text in texts).encode()).hexdigest()


def _size(error: float | None) -> float | str | None:
    return error if error is None or np.isfinite(error) else "inf"


def _listed(record: dict[str, Any]) -> dict[str, Any]:
    return {key: list(x) if isinstance(x, tuple) else x for key, x in record.items()}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
