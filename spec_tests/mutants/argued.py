"""Why survivors survive: equivalent.toml, one argument for all mutants that it holds for.

An entry names functions (`places`, with wildcards), and of them, where it does not hold for all of
a function, the lines (`lines`: how they begin) or the changes (`changes`: "this → that", anywhere
in the line).  `why` is the argument.  An entry with `gap = true` says that an input would show the
mutant and no published case does; such a survivor counts against the score.  An entry with
`outside = true` says that only what a golden file cannot hold would show it: arrays of other
libraries or data types, and defaults, arguments and results of Python functions that no operation
of the contract has.  The spec tests alone guard such code, and its survivors are counted by
themselves.

Every place, line and change of an entry that is no gap has to be needed by a survivor: what is not
is stale, and an error.  (A gap that is closed is none.)
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from spec_tests.mutants.mutant import Mutant

ARGUMENTS = Path(__file__).parent / "equivalent.toml"


@dataclass(frozen=True)
class Argument:
    """One entry."""

    why: str
    places: tuple[str, ...]
    lines: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    gap: bool = False
    outside: bool = False

    def holds_for(self, mutant: Mutant) -> bool:
        """Whether the entry speaks of a mutant."""
        return bool(self.used(mutant))

    def used(self, mutant: Mutant) -> set[str]:
        """The parts of the entry that speak of a mutant; empty unless all of them do."""
        places = {place for place in self.places if fnmatchcase(mutant.place, place)}
        lines = {line for line in self.lines if mutant.was.startswith(line)}
        changes = {change for change in self.changes if _makes(change, mutant)}
        fits = places and (lines or not self.lines) and (changes or not self.changes)
        return places | lines | changes if fits else set()


def _makes(change: str, mutant: Mutant) -> bool:
    """Whether a mutant is its original with "this → that" done in one place."""
    this, _, that = change.partition(" → ")
    was, start = mutant.was, mutant.was.find(this)
    while start >= 0:
        if was[:start] + that + was[start + len(this) :] == mutant.becomes:
            return True
        start = was.find(this, start + 1)
    return False


def read(path: Path = ARGUMENTS) -> tuple[Argument, ...]:
    """The entries of a file.  Refuses (ValueError) other fields, and an entry without a reason."""
    found = []
    for record in tomllib.loads(path.read_text("utf-8"))["argument"]:
        lists = {name: tuple(record.pop(name, ())) for name in ("places", "lines", "changes")}
        gap, outside = record.pop("gap", False), record.pop("outside", False)
        argument = Argument(record.pop("why"), gap=gap, outside=outside, **lists)
        if record or not argument.why.strip() or not argument.places or (gap and outside):
            raise ValueError(f"{path.name}: an entry has why and places; see {argument}, {record}")
        found.append(argument)
    return tuple(found)


def argument_for(mutant: Mutant, arguments: Iterable[Argument]) -> Argument | None:
    """The first entry that speaks of a mutant."""
    return next((each for each in arguments if each.holds_for(mutant)), None)


def stale(arguments: Sequence[Argument], survivors: Iterable[Mutant]) -> list[str]:
    """What no survivor needs, in words."""
    needed: dict[Argument, set[str]] = {each: set() for each in arguments}
    for mutant in survivors:
        argument = argument_for(mutant, arguments)
        if argument is not None:
            needed[argument] |= argument.used(mutant)
    return [
        f"{part!r} of the argument {each.why.strip()[:60]!r}…"
        for each, used in needed.items()
        for part in (*each.places, *each.lines, *each.changes)
        if part not in used and not each.gap
    ]
