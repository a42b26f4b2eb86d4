"""python -m spec_tests.mutants: run the published golden files against mutants of the reference."""

from __future__ import annotations

import argparse
import os
import platform
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from spec_tests.mutants import argued, banked, page, results, sentinel, suite
from spec_tests.mutants.execute import Outcome, outcomes
from spec_tests.mutants.ledger import Ledger

if TYPE_CHECKING:
    from spec_tests.mutants.work import Work

OUT = page.ROOT / "build" / "mutants"

ABOUT = """\
Break the reference one token at a time, and see whether the published golden files notice.

  python -m spec_tests.mutants --sample 90       a sample: 90 seconds, stopping at each first kill
  python -m spec_tests.mutants --only numerics   all mutants of one module
  python -m spec_tests.mutants                   all, against all cases that reach them (10 minutes)
  python -m spec_tests.mutants --publish         the same, and write docs/mutation.md

A survivor is a change that no golden case notices.  Either add a case that does
(spec_tests/support/cases/), or show in spec_tests/mutants/equivalent.toml that nothing could.
A run that was stopped goes on where it was.  Exit status 1 if the gate is missed: a mistake of the
bank or the sentinel survives, a survivor is not argued, an argument is stale, or fewer than 98 % of
the mutants that count are killed: those neither equivalent nor outside of golden files."""


def parser() -> argparse.ArgumentParser:
    """What may be said on the command line."""
    made = argparse.ArgumentParser(
        prog="python -m spec_tests.mutants",
        description=ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--sample", type=float, metavar="SECONDS", help="run a sample for that long")
    made.add_argument("--seed", type=int, default=1, help="which sample (%(default)s)")
    made.add_argument("--only", action="append", metavar="MODULE", help="such as explicit.temper")
    made.add_argument("--jobs", type=int, default=2, help="processes (%(default)s)")
    made.add_argument("--out", type=Path, default=OUT, metavar="FOLDER",
                      help="where what is done is remembered (build/mutants)")  # fmt: skip
    made.add_argument("--publish", action="store_true", help="write docs/mutation.md")
    return made


def run(work: Work, given: argparse.Namespace) -> list[Outcome]:
    """The outcomes of all mutants, or of a sample of them."""
    ledger = Ledger(
        given.out / "ledger.jsonl",
        suite.state(work.modules, work.cases),
        whole=given.sample is None,
    )
    mutants = list(work.mutants)
    if given.sample is not None:
        random.Random(given.seed).shuffle(mutants)
    found = ledger.recall(mutants)
    known = {outcome.mutant for outcome in found}
    left = [(mutant, work.against(mutant)) for mutant in mutants if mutant not in known]
    end = time.monotonic() + (given.sample or float("inf"))
    todo = (each for each in left if time.monotonic() < end)
    running = outcomes(todo, jobs=given.jobs, first_only=given.sample is not None)
    for outcome in tqdm(running, total=len(mutants), initial=len(found), unit="mutant"):
        ledger.keep(outcome)
        found.append(outcome)
    order = {mutant: at for at, mutant in enumerate(work.mutants)}
    return sorted(found, key=lambda outcome: order[outcome.mutant])


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 1 if the gate is missed."""
    given = parser().parse_args(arguments)
    tqdm.monitor_interval = 0  # no thread of its own, since the process forks
    began = time.monotonic()
    from spec_tests.mutants.work import Work  # here, so that --help does without mutmut

    work = Work(given.only)
    if not work.mutants:
        sys.stderr.write(f"no mutants in {given.only}; modules: {', '.join(work.modules)}\n")
        return 1
    said = sentinel.broken(work.cases)
    mistakes = {} if given.only else banked.matrix(work.cases)
    found, why = run(work, given), argued.read()
    said += results.problems(found, why, mistakes)
    complete = given.sample is None and not given.only
    if complete:
        survivors = [outcome.mutant for outcome in found if not outcome.killed_by]
        said += [f"stale: no survivor needs {part}" for part in argued.stale(why, survivors)]
    seconds = time.monotonic() - began
    for line in said:
        sys.stdout.write(f"{line}\n")
    sys.stdout.write(_summary(found, results.tallied(found, why), mistakes, seconds))
    if given.publish and complete and not said:
        measured = {
            "seconds": round(seconds), "jobs": given.jobs, "machine": platform.machine(),
            "cores": os.cpu_count(), "Python": platform.python_version(),
            "NumPy": np.__version__, "mutmut": version("mutmut"),
        }  # fmt: skip
        cases = [case.id for case in work.cases]
        record = results.record(
            found, why, mistakes, work.conversions, work.unreached, cases, measured
        )
        page.RECORD.write_text(results.written(record), encoding="utf-8", newline="\n")
        page.PAGE.write_text(page.rendered(record), encoding="utf-8", newline="\n")
    return 1 if said else 0


def _summary(
    found: Sequence[Outcome],
    tallies: dict[str, Counter[str]],
    mistakes: dict[str, tuple[str, ...]],
    seconds: float,
) -> str:
    total: Counter[str] = Counter()
    for tally in tallies.values():
        total.update(tally)
    counts = ", ".join(f"{total[column]} {column}" for column in results.COLUMNS)
    killed = sum(bool(by) for by in mistakes.values())
    return (
        f"{counts}: score {results.score([total]):.2%}\n"
        f"mistakes of the bank killed: {killed} of {len(mistakes)}\n"
        f"{len(found)} mutants in {seconds:.0f} s\n"
    )


if __name__ == "__main__":
    sys.exit(main())
