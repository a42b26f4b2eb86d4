"""All goals at a glance: every ratio of the benchmarks, as a table and a picture.

    python -m saffu_lab.bench.ratios build                   # after `nox -s bench`
    python -m saffu_lab.bench.ratios docs/results            # what the documents say

A ratio above one is in our favour, and its goal is what it should be at least; where a goal is
about time, both are turned over.  What was not measured is left out.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from saffu_lab.bench import race, reach, speed, startup, worker_scaling
from saffu_lab.records.pictures import canvas, png
from saffu_lab.records.results import table

Record: TypeAlias = Any
"""What an experiment keeps, as JSON has it."""


class Goal(NamedTuple):
    """One ratio and what it should be."""

    name: str
    ratio: float
    """0 where most rounds never got there"""
    least: float
    missed: str = ""
    """rounds that never got there, if any; then the goal is missed, whatever the ratio"""

    @property
    def reached(self) -> bool:
        """Whether it is."""
        return self.ratio >= self.least and not self.missed

    @property
    def verdict(self) -> str:
        """In words."""
        if self.missed:
            return f"missed in {self.missed}"
        return "reached" if self.reached else "missed"


def of_speed(record: Record) -> Iterator[Goal]:
    """Passes and steps against PyTorch."""
    if record["ratio_wall"] is not None:
        name = "warm start: targets per second, over training in PyTorch"
        yield Goal(name, record["ratio_wall"], speed.GOAL)
    for which, value in record["step_ratios"].items():
        name = f"training step, {which}: PyTorch's time over ours"
        yield Goal(name, 1 / value, 1 / speed.STEPS[which])


def of_race(record: Record) -> Iterator[Goal]:
    """MNIST against scikit-learn and PyTorch."""
    names = {
        "fit": "MNIST fit: time of MultinomialNB over ours",
        "epoch": "MNIST, test loss of an epoch of SGD: its time over ours",
        "logistic": "MNIST, training loss of LogisticRegression: its time over ours",
    }
    for heat, rounds in record["races"].items():
        ratio = 1 / rounds["ratio"] if rounds["ratio"] else 0.0
        missed = f"{rounds['missed']} of {len(rounds['ours'])} rounds" if rounds["missed"] else ""
        yield Goal(names[heat], ratio, 1 / race.GOALS[heat], missed)


def of_reach(record: Record) -> Iterator[Goal]:
    """Cold starts on the way to the explicit loss."""
    for size in record["sizes"]:
        if size["ratio"] is not None:
            name = f"{size['targets']:,} targets: best cold start's time to our loss, over ours"
            yield Goal(name, size["ratio"], reach.GOAL)


def of_startup(record: Record) -> Iterator[Goal]:
    """Import and help."""
    yield Goal("import: time of NumPy and SciPy over ours", 1 / record["ratio"], 1 / startup.GOAL)


def of_cluster(record: Record) -> Iterator[Goal]:
    """Two workers against one."""
    for engine, ratio in record["ratios"].items():
        yield Goal(f"{engine}: two workers over one", ratio, worker_scaling.GOAL)


READERS: dict[str, Callable[[Record], Iterator[Goal]]] = {
    "speed": of_speed,
    "reach": of_reach,
    "race": of_race,
    "startup": of_startup,
    "cluster": of_cluster,
}


def goals(folder: Path) -> list[Goal]:
    """Of every record that the folder has."""
    goals: list[Goal] = []
    for name, read in READERS.items():
        path = folder / f"{name}.json"
        if path.is_file():
            goals += read(json.loads(path.read_text(encoding="utf-8")))
    return goals


def summary(goals: Sequence[Goal]) -> str:
    """A table."""
    rows = [[goal.name, f"{goal.ratio:.2f}", f"{goal.least:.2f}", goal.verdict] for goal in goals]
    return table(["what", "ratio", "goal", ""], rows)


def plot(goals: Sequence[Goal]) -> bytes:
    """A bar for each ratio and a mark for its goal, logarithmic, as a PNG.

    Refuses: matplotlib missing.
    """
    figure = canvas(8.0, 0.8 + 0.35 * len(goals))
    axes = figure.add_subplot()
    places = range(len(goals), 0, -1)
    colours = ["tab:blue" if goal.reached else "tab:orange" for goal in goals]
    axes.barh(list(places), [goal.ratio for goal in goals], color=colours, height=0.6)
    for place, goal in zip(places, goals, strict=True):
        axes.plot([goal.least] * 2, [place - 0.4, place + 0.4], color="black", linewidth=2)
    names = [goal.name + f" (missed in {goal.missed})" * bool(goal.missed) for goal in goals]
    axes.set_yticks(list(places), names, fontsize=8)
    axes.set_xscale("log")
    axes.set_xlabel("ratio; black: its goal; orange: missed")
    axes.grid(axis="x", alpha=0.3)
    return png(figure)


def main(arguments: Sequence[str] | None = None) -> None:
    """The program."""
    parser = argparse.ArgumentParser(
        prog="python -m saffu_lab.bench.ratios",
        description="Every ratio of the benchmarks, and its goal.",
    )
    parser.add_argument("folder", nargs="?", type=Path, default=Path("build"), help="(build)")
    parser.add_argument("--tiny", action="store_true", help="changes nothing; it takes no time")
    parser.add_argument("--out", type=Path, metavar="PNG", help="where to keep the picture")
    chosen = parser.parse_args(arguments)
    every = goals(chosen.folder)
    print(summary(every) if every else f"{chosen.folder} has no results of benchmarks")
    if chosen.out and every:
        chosen.out.parent.mkdir(parents=True, exist_ok=True)
        chosen.out.write_bytes(plot(every))


if __name__ == "__main__":
    main()
