"""docs/mutation.md, written from docs/results/mutation.json and from nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spec_tests.mutants.results import COLUMNS, score

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "mutation.md"
RECORD = ROOT / "docs" / "results" / "mutation.json"

OPENING = """\
# What the golden files can see

A golden file is worth what it catches.  So the reference is broken on purpose, in every place and
one token at a time, and each broken reference is judged by the published files alone, as a port is:
in float64, by outputs, stages and gradients, and by the reasons for which bad input is refused.

    nox -s mutants            everything: the score, the kill matrix, this page
    nox -s mutants_sample     the score, from as many mutants as 90 seconds allow; in every `nox`

This page is written by the first of these (`python -m spec_tests.mutants --publish`); so is
results/mutation.json.

## How it is done

- [mutmut](https://github.com/boxed/mutmut) makes the mutants: operators and comparisons swapped,
  numbers and words changed, arguments dropped or made None, conditions turned, assignments emptied.
- Mutated is every function of the package that a golden case runs through: the modules that
  compute the operations, and the refusals.  Left out, by rule and not by hand: docstrings; type
  annotations; citations ("SPEC 1", and constants that hold one); the texts of refusals (what stands
  in a `raise` or in a block that ends in one, and arguments and variables called `name`, `letters`,
  `source` or `advice`), since the contract is the reason code and not the wording; constants
  outside of functions, which mutmut does not change; and changes that compile to the same
  instructions.
- Every mutant meets every case that runs through its function, in a process of its own, which may
  compute for two seconds a case.  It is killed if an answer leaves its bound, if a refusal has
  another reason or does not come, or if it breaks down or never ends.
- Two mutants guard the harness: `softmax` that returns zeros has to be killed, and `softmax` as it
  is has to survive.
- A survivor is shown to be *equivalent*: no input tells it from the original; or it is *outside*:
  only what a golden file cannot hold would tell (arrays of other libraries or data types, and
  defaults, arguments and results of Python functions that no operation of the contract has); or it
  is a *gap*: an input tells, and no published case does.  The score is
  killed / (mutants − equivalent − outside).  A survivor without an argument fails the run, and so
  does an argument that no survivor needs.
"""


def rendered(record: Mapping[str, Any]) -> str:
    """The page of a record."""
    parts = [OPENING, _score(record), _bank(record), _matrix(record)]
    return "\n".join([*parts, _not_judged(record), _unreached(record), _survivors(record)])


def _score(record: Mapping[str, Any]) -> str:
    modules, measured = record["modules"], record["measured"]
    total: Counter[str] = Counter()
    for tally in modules.values():
        total.update(tally)
    columns = COLUMNS[:-1]
    rows = [
        "| module | " + " | ".join(columns) + " | score |",
        "| --- |" + " ---: |" * (len(columns) + 1),
    ]
    for name, tally in (*modules.items(), ("all", total)):
        label = f"`{name.removeprefix('saffu.')}`" if name != "all" else "**all**"
        numbers = " | ".join(str(tally[column]) for column in columns)
        rows.append(f"| {label} | {numbers} | {score([tally]):.1%} |")
    machine = ", ".join(f"{key} {value}" for key, value in measured.items() if key != "seconds")
    said = (
        f"**{score([total]):.2%}** of the mutants that are neither equivalent nor outside are "
        f"killed ({total['killed']} of "
        f"{total['mutants'] - total['equivalent'] - total['outside']}); "
        f"{total['killed'] / total['mutants']:.1%} of all {total['mutants']}.  "
        f"{len(record['cases'])} cases, {measured['seconds']} s ({machine})."
    )
    return "\n".join(["## The score", "", said, "", *rows, ""])


def _bank(record: Mapping[str, Any]) -> str:
    by = {name: _count(cases) for name, cases in record["mistakes"].items()}
    killed = sum(count > 0 for count in by.values())
    few = [f"`{name}`" for name, count in by.items() if count == 1]
    said = (
        f"{killed} of {len(by)} mistakes that porters make "
        "([golden/mistakes.json](../golden/mistakes.json)) fail at least one case by outputs, "
        "gradients or refusals; stages are not counted, since a port need not return them."
    )
    lines = ["## The bank of mistakes", "", said]
    if few:
        lines.append(f"One case alone exposes {len(few)} of them: {', '.join(few)}.")
    return "\n".join([*lines, ""])


def _count(spans: str) -> int:
    """How many numbers there are in runs."""
    runs = [run.split("-") for run in spans.split(",") if run]
    return sum(int(run[-1]) - int(run[0]) + 1 for run in runs)


def _matrix(record: Mapping[str, Any]) -> str:
    return (
        "## The kill matrix\n\n"
        "[results/mutation.json](results/mutation.json) says which cases kill which mistake and "
        "which mutant: `mistakes` by id, `mutants` by function and line, each a change and its "
        "killers.  Cases are numbered as in `cases`, and `0-3,7` is 0, 1, 2, 3 and 7; † marks a "
        "mutant that did not come to an end at the last of them.\n"
    )


def _not_judged(record: Mapping[str, Any]) -> str:
    names = ", ".join(f"`{place}` ({count})" for place, count in record["conversions"].items())
    outside = sum(tally["outside"] for tally in record["modules"].values())
    return (
        "## Not judged by golden files\n\n"
        "The spec tests alone guard what a golden file cannot judge.  Each has NumPy's arrays in "
        "float64, integers and booleans, so it does not judge the conversion of containers and "
        f"data types at the door, whose {sum(record['conversions'].values())} mutants are neither "
        f"run nor counted: {names}.  Nor does it judge what only matters for other libraries and "
        "data types, or for callers in Python who use more than the contract has: the "
        f"{outside} survivors that are called *outside* below.\n"
    )


def _unreached(record: Mapping[str, Any]) -> str:
    names = ", ".join(f"`{place}` ({count})" for place, count in record["unreached"].items())
    return (
        "## Not reached by any case\n\n"
        "Functions of the same modules that no operation of the contract uses; their mutants (in "
        f"brackets) are not counted, and the spec tests alone guard them: {names}.\n"
    )


def _survivors(record: Mapping[str, Any]) -> str:
    lines = ["## Survivors", ""]
    for entry in sorted(
        record["survivors"], key=lambda each: (not each["gap"], not each["outside"])
    ):
        if not entry["mutants"]:
            continue  # a gap that is closed
        kind = "Gap" if entry["gap"] else "Outside" if entry["outside"] else "Equivalent"
        lines += [f"**{kind}** ({len(entry['mutants'])}).  {entry['why']}", "", "```text"]
        lines += [*entry["mutants"], "```", ""]
    return "\n".join(lines).rstrip() + "\n"
