"""A long session of random kills: `python -m spec_tests.campaign_kills`.

    python -m spec_tests.campaign_kills --kills 200 --seed 1 --out build/kills.jsonl

Each round starts a task (fit, fit with a pool, train, count, roadmap, replicate) in an empty
folder, kills it once or several times, and lets it resume to its end; see
`spec_tests.support.kills`.  One line of JSON per round; the same command resumes after the last
one.  Exit status 1 if there was a fault; the folder of its round is kept.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from saffu_lab.records.results import Results
from spec_tests.support.kills import Bench
from spec_tests.support.launcher import Launcher


def summary(rounds: list[dict[str, Any]]) -> str:
    """Kills by task and by signal, and the faults."""
    kills: Counter[str] = Counter()
    for one in rounds:
        kills.update(f"{one['task']:<16} {kill['how']}" for kill in one["kills"])
    lines = [f"{count:>5}  {name}" for name, count in sorted(kills.items())]
    lines += [f"FAULT  round {one['round']}, {one['task']}: {fault}"
              for one in rounds for fault in one["faults"]]  # fmt: skip
    faulty = sum(1 for one in rounds if one["faults"])
    groups = sum(1 for one in rounds for kill in one["kills"] if kill["group"])
    fresh = sum(len(one["kills"]) for one in rounds if one["fresh"])
    lines.append(
        f"{kills.total()} kills in {len(rounds)} rounds ({groups} of process groups, {fresh} of "
        f"programs that began from nothing), {faulty} rounds with faults"
    )
    return "\n".join(lines)


def main() -> int:
    """Run the campaign; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=200, help="how many (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of all chance (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=1e9, help="time limit")
    parser.add_argument(
        "--out", type=Path, default=Path("build/kills.jsonl"),
        help="file of one line per round (default: %(default)s)",
    )  # fmt: skip
    arguments = parser.parse_args()
    results, until = Results(arguments.out), time.monotonic() + arguments.seconds
    rounds = results.all(seed=arguments.seed)
    done = sum(len(one["kills"]) for one in rounds)
    folder = Path(tempfile.mkdtemp(prefix="saffu-kills-"))
    with Launcher() as launcher:
        bench = Bench(folder, launcher)
        number = max((one["round"] for one in rounds), default=-1) + 1
        while done < arguments.kills and time.monotonic() < until:
            one = bench.round(number, arguments.seed, arguments.kills - done)
            results.add(one)
            rounds.append(one)
            done += len(one["kills"])
            number += 1
            sys.stderr.write(f"{done} of {arguments.kills} kills, {one['task']}\n")
            for fault in one["faults"]:
                sys.stderr.write(f"  FAULT (kept in {folder}): {fault}\n")
    sys.stdout.write(summary(rounds) + "\n")
    return 1 if any(one["faults"] for one in rounds) else 0


if __name__ == "__main__":
    sys.exit(main())
