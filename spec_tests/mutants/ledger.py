"""What has been run already: a file of JSON lines, one a mutant, that a further run begins with.

A line holds while the mutant's name, the code of the operations and the cases are the same; the
last two are in its `state`.  A line of a run that stopped at the first kill (`whole` is false) does
for a score and not for a matrix.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from spec_tests.mutants.execute import Outcome
from spec_tests.mutants.mutant import Mutant


class Ledger:
    """Outcomes by mutant, in memory and in a file."""

    def __init__(self, path: Path, state: str, *, whole: bool) -> None:
        self._path, self._state, self._whole = path, state, whole
        self._known: dict[str, tuple[tuple[str, ...], bool]] = {}
        if path.is_file():
            for line in path.read_text("utf-8").splitlines():
                record = json.loads(line)
                if record["state"] == state and (record["whole"] or not whole):
                    killed_by = tuple(record["killed_by"])
                    self._known[record["mutant"]] = (killed_by, record["died"])

    def recall(self, mutants: Iterable[Mutant]) -> list[Outcome]:
        """The outcomes that are known."""
        return [Outcome(m, *self._known[m.name]) for m in mutants if m.name in self._known]

    def keep(self, outcome: Outcome) -> None:
        """Write an outcome down."""
        name, killed_by = outcome.mutant.name, list(outcome.killed_by)
        record = {
            "mutant": name, "state": self._state, "whole": self._whole,
            "killed_by": killed_by, "died": outcome.died,
        }  # fmt: skip
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
        self._known[name] = (outcome.killed_by, outcome.died)
