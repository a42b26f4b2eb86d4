"""How long one waits before anything happens: importing the package, and its help.

    python -m saffu_lab.bench.startup

The package brings its modules in when they are asked for, so `import saffu` alone says little: the
import that is timed asks for every public name.  It is compared with importing the parts of NumPy
and SciPy that those modules use.  Each import is a process of its own, in turns; the time of a
Python that imports nothing is taken off.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from saffu_lab.records.results import circumstances, table

EVERYTHING = "import saffu; [getattr(saffu, name) for name in saffu.MODULES]"
PARTS = "import numpy, scipy.sparse, scipy.optimize, scipy.linalg"
WAYS = {
    "nothing": [sys.executable, "-c", "pass"],
    "import saffu": [sys.executable, "-c", "import saffu"],
    "every public name": [sys.executable, "-c", EVERYTHING],
    "NumPy and SciPy": [sys.executable, "-c", PARTS],
    "saffu --help": [sys.executable, "-m", "saffu", "--help"],
}
GOAL = 1.3
"""Every public name over NumPy and SciPy, at most."""
HELP = 0.5
"""Seconds until the help is there, at most."""


def seconds(command: Sequence[str]) -> float:
    """Of one process, from start to end."""
    clock = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - clock


def measured(rounds: int) -> dict[str, list[float]]:
    """Every way once a round, after a round that is not counted."""
    every = [{way: seconds(command) for way, command in WAYS.items()} for _ in range(rounds + 1)]
    return {way: [each[way] for each in every[1:]] for way in WAYS}


def ratio(times: dict[str, list[float]]) -> float:
    """Every public name over NumPy and SciPy, by the medians, without Python's own start."""
    median = {way: float(np.median(each)) for way, each in times.items()}
    own = median["nothing"]
    return (median["every public name"] - own) / (median["NumPy and SciPy"] - own)


def summary(times: dict[str, list[float]]) -> str:
    """A table, and what it says."""
    rows = [[way, f"{1e3 * float(np.median(each)):.0f} ms"] for way, each in times.items()]
    waited = float(np.median(times["saffu --help"]))
    verdict = {True: "reached", False: "missed"}
    return (
        f"{table(['process', 'median'], rows)}\n\n"
        f"Every public name takes {ratio(times):.2f} times as long as NumPy and SciPy: the goal of "
        f"{GOAL:g} is {verdict[ratio(times) <= GOAL]}.  The help takes {waited:.2f} s: the goal of "
        f"{HELP:g} s is {verdict[waited <= HELP]}."
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """The program."""
    parser = argparse.ArgumentParser(
        prog="python -m saffu_lab.bench.startup",
        description="Seconds of importing the package and of its help.",
    )
    parser.add_argument("--tiny", action="store_true", help="two rounds")
    parser.add_argument("--rounds", type=int, default=15, help="(15)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where to keep the figures (JSON)")
    chosen = parser.parse_args(arguments)
    before = os.getloadavg()[0]
    times = measured(2 if chosen.tiny else chosen.rounds)
    print(summary(times))
    if chosen.out:
        chosen.out.parent.mkdir(parents=True, exist_ok=True)
        record = {"seconds": times, "ratio": ratio(times), "load_before": before, **circumstances()}
        chosen.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
