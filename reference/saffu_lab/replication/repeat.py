"""Repetition of one table cell: the same row, size and seed, compared with the recorded line."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

from saffu.errors import BadOption
from saffu_lab.records.results import Line, Results, circumstances
from saffu_lab.replication.chapters import Study, select
from saffu_lab.study.sources import Sources, text_digest
from saffu_lab.study.task import Answers, Task

_SPEC: Final = "SPEC 7"

TOLERANCE: Final = 0.01
"""nats per target by which a repeated measurement may differ: 1 % of perplexity"""


class Repeated(NamedTuple):
    """A recorded number and its repetition."""

    what: str
    kept: float
    """nats per target"""
    again: float

    @property
    def agrees(self) -> bool:
        """Whether the two differ by at most the tolerance."""
        return abs(self.again - self.kept) <= TOLERANCE

    def __str__(self) -> str:
        verdict = "agrees" if self.agrees else "DIFFERS"
        return (
            f"{self.what}: kept {self.kept:.5f} nats, again {self.again:.5f}, difference "
            f"{self.again - self.kept:+.5f}: {verdict} (tolerance {TOLERANCE:g})"
        )


def repeat_cell(
    study: Study, sources: Sources, path: Path, row: str, targets: int, seed: int
) -> list[Repeated]:
    """Fit and test the chosen model of one cell again, from scratch; no line is written.

    Parameters: `path` of the recorded lines; `row`, `targets`, `seed` as in the lines.
    Refuses: a cell that is not in the lines; a text other than the one the lines were made on.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        if path.exists():
            shutil.copy(path, copy)
        answers = Answers(Results(copy))
        cell = {"row": row, "targets": targets, "seed": seed}
        tasks = _tasks_of(study, sources, answers, cell)
        fresh = replace(sources, cache=str(Path(folder) / "models"))
        repeated = []
        for task in tasks:
            kept = answers.get(task.key)
            if kept is not None and "failed" not in kept:
                what = f"{row}, {targets:,} targets, seed {seed}, {PARTS[task.key['do']]}"
                again = _nats(task.work(task.key, fresh))
                repeated.append(Repeated(what, _nats(kept), again))
    return repeated


PARTS: Final = {"trial": "validation text", "test": "test text"}


def _tasks_of(study: Study, sources: Sources, answers: Answers, cell: Line) -> list[Task]:
    """The trial of the chosen recipe, if the row has trials, and its test."""
    kept = select(answers.results.lines, **cell)
    if not kept:
        rows = sorted({str(x["row"]) for x in answers.results.lines if "row" in x})
        known = (
            f"a row of {study.NAME} with these targets and seed (rows: {', '.join(rows) or '–'})"
        )
        raise BadOption("--row", cell, known, _SPEC)
    here = text_digest(sources)
    if all(line.get("text") != here for line in kept):
        known = f"the text of the kept lines, digest {kept[-1].get('text')}"
        raise BadOption("--corpus", f"a text with digest {here}", known, _SPEC)
    tasks = [
        task
        for task in study.tasks(sources, answers)
        if {name: task.key.get(name) for name in cell} == cell
    ]
    tests = [task for task in tasks if task.key["do"] == "test"]
    recipes = [task.key["recipe"] for task in tests]
    trials = [t for t in tasks if t.key["do"] == "trial" and t.key["recipe"] in recipes]
    done = [task for task in (*trials, *tests) if answers.get(task.key) is not None]
    if not done:
        raise BadOption("--row", cell, "a row whose kept lines hold its test", _SPEC)
    return done


def _nats(line: Line) -> float:
    """Nats per target of a trial or a test."""
    if "validation_nats" in line:
        return float(line["validation_nats"])
    return float(sum(line["nats"]) / sum(line["targets_tested"]))


def summary(repeated: Sequence[Repeated]) -> str:
    """One line per repeated number, and the machine of the repetition."""
    about = circumstances()
    where = f"measured on {about['machine']}, commit {about['commit']}"
    return "\n".join([*map(str, repeated), where]) + "\n"
