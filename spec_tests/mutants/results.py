"""What a run found: the score, what is wrong with it, and the kill matrix.

The score is killed / (mutants − equivalent − outside).  The gate: a score of 98 %, every survivor
argued, no argument stale, and every mistake of the bank killed.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from spec_tests.mutants.argued import Argument, argument_for
from spec_tests.mutants.execute import Outcome

GATE = 0.98
COLUMNS = ("mutants", "killed", "equivalent", "outside", "gaps", "unargued")
_TOKEN = re.compile(r'"[^"]*"|[\w.]+|\s+|.')


def tallied(found: Iterable[Outcome], arguments: Sequence[Argument]) -> dict[str, Counter[str]]:
    """How many mutants of each module there are, were killed, and survived for which reason."""
    tallies: dict[str, Counter[str]] = {}
    for outcome in found:
        tally = tallies.setdefault(outcome.mutant.module, Counter())
        tally.update(["mutants", _fate(outcome, arguments)])
    return tallies


def _fate(outcome: Outcome, arguments: Sequence[Argument]) -> str:
    if outcome.killed_by:
        return "killed"
    argument = argument_for(outcome.mutant, arguments)
    if argument is None:
        return "unargued"
    if argument.gap:
        return "gaps"
    return "outside" if argument.outside else "equivalent"


def score(tallies: Iterable[Mapping[str, int]]) -> float:
    """killed / (mutants − equivalent − outside); 0 of nothing, since nothing was shown.

    >>> score([{"mutants": 60, "killed": 49, "equivalent": 10, "unargued": 1}])
    0.98
    """
    total: Counter[str] = Counter()
    for tally in tallies:
        total.update(tally)
    judged = total["mutants"] - total["equivalent"] - total["outside"]
    return total["killed"] / judged if judged else 0.0


def problems(
    found: Sequence[Outcome],
    arguments: Sequence[Argument],
    mistakes: Mapping[str, Sequence[str]],
) -> list[str]:
    """Why the gate is missed, in words; nothing if it is not."""
    said = [
        f"no published case kills the mistake {name}" for name, by in mistakes.items() if not by
    ]
    said += [
        f"survives, and equivalent.toml does not say why: {outcome.mutant.name}"
        for outcome in found
        if _fate(outcome, arguments) == "unargued"
    ]
    reached = score(tallied(found, arguments).values())
    if reached < GATE:
        said.append(f"{reached:.2%} of the mutants are killed; {GATE:.0%} are asked for")
    return said


def record(
    found: Sequence[Outcome],
    arguments: Sequence[Argument],
    mistakes: Mapping[str, Sequence[str]],
    conversions: Mapping[str, int],
    unreached: Mapping[str, int],
    cases: Sequence[str],
    measured: Mapping[str, Any],
) -> dict[str, Any]:
    """All of it, as JSON has it; the numbers of cases are their places in the list `cases`."""
    number = {name: at for at, name in enumerate(cases)}
    matrix: dict[str, dict[str, list[list[str]]]] = {}
    for each in found:
        lines = matrix.setdefault(each.mutant.place, {})
        killers = spans([number[name] for name in each.killed_by]) + ("†" if each.died else "")
        change = shortened(each.mutant.was, each.mutant.becomes)
        lines.setdefault(each.mutant.was, []).append([change, killers])
    survivors = [each.mutant for each in found if not each.killed_by]
    return {
        "measured": dict(measured),
        "cases": list(cases),
        "modules": {
            name: {column: tally[column] for column in COLUMNS[:-1]}
            for name, tally in tallied(found, arguments).items()
        },
        "conversions": dict(conversions),
        "unreached": dict(unreached),
        "survivors": [
            {
                "why": " ".join(argument.why.split()), "gap": argument.gap,
                "outside": argument.outside,
                "mutants": [m.name for m in survivors if argument_for(m, arguments) is argument],
            }
            for argument in arguments
        ],
        "mistakes": {name: spans([number[c] for c in by]) for name, by in mistakes.items()},
        "mutants": matrix,
    }  # fmt: skip


def spans(numbers: Iterable[int]) -> str:
    """Whole numbers as runs.

    >>> spans([3, 0, 1, 2, 7])
    '0-3,7'
    """
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


def shortened(was: str, becomes: str) -> str:
    """A change without what it leaves alone at both ends.

    >>> shortened("p = weight / total", "p = weight * total")
    '/ → *'
    """
    old, new = _TOKEN.findall(was), _TOKEN.findall(becomes)
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    this, that = old[start : len(old) - end], new[start : len(new) - end]
    return f"{''.join(this)} → {''.join(that)}"


def written(found: Mapping[str, Any]) -> str:
    """The record as a file: a line for every mistake, module and function."""
    parts = []
    for name, part in found.items():
        if isinstance(part, dict):
            inner = [f"{_json(key)}: {_json(value)}" for key, value in part.items()]
            text = "{\n" + ",\n".join(inner) + "\n}"
        else:
            text = "[\n" + ",\n".join(map(_json, part)) + "\n]"
        parts.append(f"{_json(name)}: {text}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
