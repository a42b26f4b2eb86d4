"""A long session against hostile files: `python -m spec_tests.campaign_files`.

    python -m spec_tests.campaign_files --mutations 100000 --seconds 300 --processes 2

Mutations of all kinds of files in turn, by rising seeds, in worker processes; each must end in an
error of saffu or in right numbers.  A worker that crashes is named with the seed it was at, and is
replaced.  Prints one line per kind and one per fault; exit status 1 if there was one.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from spec_tests.support.hostile_files import attempt, good_numbers, kinds


def work(folder: Path, first: int, step: int, last: int, until: float) -> None:
    """Try the seeds first, first+step, … below `last`; a line of JSON on stdout for each fault."""
    good = folder / "good"
    place = folder / "changed"
    for path in (good, place):
        path.mkdir(parents=True, exist_ok=True)
    made = kinds(Path(tempfile.mkdtemp(dir=good)))
    right = [good_numbers(kind, place) for kind in made]
    outcomes: Counter[str] = Counter()
    seed = first
    while seed < last and time.time() < until:
        kind = made[seed // step % len(made)]
        (folder / "at").write_text(f"{kind.name} {seed}", encoding="utf-8")
        try:
            outcome, how = attempt(kind, place, seed, right[made.index(kind)])
            outcomes[f"{kind.name}\t{how}: {outcome}"] += 1
        except BaseException as problem:  # noqa: BLE001 (that is what is looked for)
            fault = f"{type(problem).__name__}: {problem}"
            sys.stdout.write(json.dumps({"kind": kind.name, "seed": seed, "fault": fault}) + "\n")
        seed += step
    sys.stdout.write(json.dumps({"outcomes": outcomes, "next": seed}) + "\n")


def main() -> int:
    """Run the campaign; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mutations", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=1e9, help="time limit")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--worker", nargs=5, default=None, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker is not None:
        folder, first, step, last, until = arguments.worker
        work(Path(folder), int(first), int(step), int(last), float(until))
        return 0
    until, last = time.time() + arguments.seconds, arguments.first + arguments.mutations
    outcomes: Counter[str] = Counter()
    faults: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory(prefix="saffu-campaign-") as folder:

        def start(number: int, first: int) -> subprocess.Popen[str]:
            """One worker, which begins at a seed."""
            place = str(Path(folder, str(number)))
            words = (place, str(first), str(arguments.processes), str(last), str(until))
            command = [sys.executable, "-m", "spec_tests.campaign_files", "--worker", *words]
            return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

        running = {n: start(n, arguments.first + n) for n in range(arguments.processes)}
        while running:
            number = next(iter(running))
            worker = running.pop(number)
            printed, _ = worker.communicate()
            for line in map(json.loads, printed.splitlines()):
                outcomes.update(line.get("outcomes", {}))
                faults += [line] if "fault" in line else []
            if worker.returncode:
                at = Path(folder, str(number), "at").read_text(encoding="utf-8")
                name, seed = at.rsplit(" ", 1)
                faults.append({"kind": name, "seed": int(seed), "fault": f"{worker.returncode=}"})
                running[number] = start(number, int(seed) + arguments.processes)
    for name, count in sorted(outcomes.items()):
        sys.stdout.write(f"{count:>8,}  {name}\n")
    for fault in faults:
        sys.stdout.write(f"FAULT  {fault}\n")
    tried = sum(outcomes.values()) + len(faults)
    sys.stdout.write(f"{tried:,} mutations, {len(faults)} faults\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
