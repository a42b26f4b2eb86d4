"""Result lines: one line of JSON per measurement, written when it is done.

A line is written whole: a run that is stopped loses at most the measurement it was at, and goes on
from the lines that are there.  Each line carries its circumstances, so that a number can be traced
to its data, settings, versions, machine and commit.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeAlias

from saffu.errors import BadFile

Line: TypeAlias = dict[str, Any]

ROOT = Path(__file__).parents[3]
"""of a checkout"""
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Results:
    """The lines of one file, read at the beginning and added to.

    Refuses: a file that holds something else.  A last line that was cut short is left out,
    and removed when another line is added; reading changes nothing, so that a report can be made
    of the lines of a run that goes on.

    >>> results = Results(Path("results.jsonl"))
    >>> results.add({"row": "unigram", "targets": 30, "nats": 5.25})
    >>> Results(Path("results.jsonl")).find(row="unigram", targets=30)["nats"]
    5.25
    >>> results.find(row="bigram") is None
    True
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: list[Line] = []
        self._cut_at: int | None = None
        if path.exists():
            raw = _bytes_of(path)
            end = raw.rfind(b"\n") + 1
            self._cut_at = end if end < len(raw) else None
            self.lines = list(_parsed(path, raw[:end]))

    def find(self, **fields: Any) -> Line | None:
        """The first line that has these fields, or None."""
        return next(iter(self.all(**fields)), None)

    def all(self, **fields: Any) -> list[Line]:
        """All lines that have these fields."""
        return [
            line
            for line in self.lines
            if all(name in line and line[name] == value for name, value in fields.items())
        ]

    def add(self, line: Mapping[str, Any]) -> None:
        """Write a line, and see it onto the disk."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(line, ensure_ascii=False, allow_nan=False)
        if self._cut_at is not None:
            os.truncate(self.path, self._cut_at)
            self._cut_at = None
        with self.path.open("a", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        self.lines.append(json.loads(text))


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as problem:
        raise BadFile(path, f"it cannot be read ({problem})", "choose another folder") from problem


def _parsed(path: Path, raw: bytes) -> Iterator[Line]:
    for number, text in enumerate(raw.split(b"\n")[:-1], 1):
        try:
            line = json.loads(text)
        except (ValueError, RecursionError) as problem:
            raise BadFile(path, f"line {number}: {problem}", "choose another folder") from problem
        if not isinstance(line, dict):
            raise BadFile(path, f"line {number} is no JSON object", "choose another folder")
        yield line


def circumstances(*packages: str) -> Line:
    """Versions, commit, machine and threads, as they were when something was measured.

    >>> sorted(circumstances())
    ['commit', 'machine', 'python', 'threads', 'versions']
    """
    versions = {}
    for name in ("saffu", "numpy", "scipy", *packages):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "not installed"
    return {
        "python": platform.python_version(),
        "versions": versions,
        "commit": commit(),
        "machine": machine(),
        "threads": {name: os.environ[name] for name in THREADS if name in os.environ},
    }


@lru_cache(maxsize=1)
def commit(root: Path = ROOT) -> str:
    """The commit of the code, with a plus sign if files of it have changed since.

    >>> commit(Path("/"))
    'not a checkout'
    """
    if not (root / ".git").exists():
        return "not a checkout"
    git = ("git", "-C", str(root))
    try:
        name = _output(*git, "rev-parse", "--short=12", "HEAD")
        changed = _output(*git, "status", "--porcelain", "--", "reference")
    except (OSError, subprocess.SubprocessError):
        return "unknown: git gives none"
    return name + "+" * bool(changed)


def _output(*command: str) -> str:
    return subprocess.run(
        command, capture_output=True, check=True, text=True, timeout=60
    ).stdout.strip()


@lru_cache(maxsize=1)
def machine() -> str:
    """System, number of cores, and the processor's name where the system tells it."""
    words = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    about = Path("/proc/cpuinfo")
    text = about.read_text(encoding="utf-8", errors="replace") if about.is_file() else ""
    names = [line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line]
    return f"{words}, {names[0]}" if names else words


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown; all columns but the first are aligned to the right.

    >>> print(table(["model", "perplexity"], [["unigram", "207.0"]]))
    | model   | perplexity |
    | :------ | ---------: |
    | unigram |      207.0 |
    """
    widths = [max(3, *(len(row[i]) for row in (head, *rows))) for i in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        first = cells[0].ljust(widths[0])
        rest = [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
        return "| " + " | ".join([first, *rest]) + " |"

    rule = [":" + "-" * (widths[0] - 1), *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join([line(head), "| " + " | ".join(rule) + " |", *map(line, rows)])
