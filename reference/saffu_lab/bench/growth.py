"""What a longer text costs: seconds and memory of counting, from 1M to 100M targets.   (SPEC 1, 5)

    python -m saffu_lab.bench.growth             # 1M, 10M and 100M targets; about ten minutes
    python -m saffu_lab.bench.growth --tiny      # seconds

Every text lies on disk and is counted in a process of its own, by this process alone: the passes of
the warm start of a SAFFU model (V = 2048, eight radial slots, 128 bits), and the pairs of tokens of
a direct model.  Two things are claimed and judged: that memory does not depend on the length of the
text, and that time is linear in it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from saffu.configuration import DIRECT, SMALL, Configuration
from saffu.contexts import RadialContext
from saffu.engines.passes import Passes
from saffu.errors import ProcessFailed
from saffu.fast.warm import stream_warm_start
from saffu.search.direct import count_slots
from saffu.warm.layer import WarmSettings
from saffu_lab.bench.generated import open_text, write_text
from saffu_lab.bench.memory import peak
from saffu_lab.records.pictures import canvas, png
from saffu_lab.records.results import Line, circumstances, table

SETTINGS = WarmSettings(rounds=1, hidden_temper=1.0, output_temper=1.0)
"""Nothing is chosen on held-out text here, which would take the same time for every text."""
ATTENTION_TARGETS = 20_000
"""The sample from which W is solved."""

LINEAR = 0.1
"""How far the exponent of time may be from one."""
MEGABYTES = 2048
"""Peak memory of counting, at most."""


@dataclass(frozen=True)
class GrowthSizes:
    """What is counted."""

    targets: tuple[int, ...] = (1_000_000, 10_000_000, 100_000_000)
    tiny: bool = False

    @property
    def models(self) -> tuple[Configuration, Configuration]:
        """A SAFFU model and a direct one."""
        if not self.tiny:
            return SMALL, DIRECT
        small = {"vocabulary": 251, "contexts": (RadialContext(3),), "bits": 31, "label_bits": 29}
        return replace(SMALL, **small), replace(DIRECT, **small)  # type: ignore[arg-type]


class Point(NamedTuple):
    """One text: seconds of every pass, by the clock and of the processor, and the peak in MB."""

    targets: int
    seconds: dict[str, float]
    cpu_seconds: dict[str, float]
    megabytes: float


class Stopwatch:
    """Progress that notes how long each stage took.

    >>> watch = Stopwatch()
    >>> watch("counting", 0, 7)
    >>> watch("counting", 7, 7)
    >>> list(watch.seconds), watch.seconds["counting"] >= 0
    (['counting'], True)
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.cpu_seconds: dict[str, float] = {}
        self.targets: dict[str, int] = {}
        self._before = (0.0, 0.0)

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Add the time since the last call for the stage; `done` is 0 when it begins."""
        self.targets[stage] = total
        now = (time.perf_counter(), time.process_time())
        if done:
            for book, i in ((self.seconds, 0), (self.cpu_seconds, 1)):
                book[stage] = book.get(stage, 0.0) + now[i] - self._before[i]
        self._before = now


def count(folder: Path, sizes: GrowthSizes) -> Point:
    """All passes over one text, in this process."""
    text = open_text(folder)
    judge = next(text.chunks(1000))
    watch = Stopwatch()
    small, direct = sizes.models
    passes = Passes(text, watch)
    stream_warm_start(
        *(passes, small, SETTINGS, judge),
        attention_targets=ATTENTION_TARGETS,
        dtype=np.float32,
    )
    count_slots(passes, direct)
    return Point(text.targets, watch.seconds, watch.cpu_seconds, peak())


def in_a_process(folder: Path, sizes: GrowthSizes) -> Point:
    """The same in a process of its own, so that nothing else is counted."""
    child = [sys.executable, "-m", "saffu_lab.bench.growth", "--child", str(folder)]
    ran = subprocess.run(
        child + ["--tiny"] * sizes.tiny, stdout=subprocess.PIPE, encoding="utf-8", check=False
    )
    if ran.returncode:
        raise ProcessFailed(f"counting {folder.name}", "its message is above")
    return Point(*json.loads(ran.stdout.splitlines()[-1]))


def measured(sizes: GrowthSizes) -> list[Point]:
    """Count every text."""
    points = []
    for targets in sizes.targets:
        with tempfile.TemporaryDirectory() as name:
            write_text(Path(name), targets, sizes.models[0].vocabulary)
            points.append(in_a_process(Path(name), sizes))
        last = points[-1]
        total = sum(last.seconds.values())
        print(f"{last.targets:,} targets: {total:.1f} s, {last.megabytes:.0f} MB", flush=True)
    return points


def exponent(targets: Sequence[float | int], seconds: Sequence[float | int]) -> float:
    """p of the power law s = a tᵖ that fits best, by least squares of the logarithms.

    >>> round(exponent([1, 10, 100], [3, 30, 300]), 6)
    1.0
    """
    slope, _ = np.polyfit(np.log(targets), np.log(seconds), 1)
    return float(slope)


def judged(points: Sequence[Point]) -> Line:
    """The exponents of time, by the clock and of the processor, and both verdicts."""
    targets = [point.targets for point in points]
    clock = exponent(targets, [sum(point.seconds.values()) for point in points])
    used = exponent(targets, [sum(point.cpu_seconds.values()) for point in points])
    most = max(point.megabytes for point in points)
    return {
        "exponent": clock,
        "exponent_cpu": used,
        "linear": abs(clock - 1) <= LINEAR,
        "linear_cpu": abs(used - 1) <= LINEAR,
        "megabytes": most,
        "bounded": most <= MEGABYTES,
    }


def summary(points: Sequence[Point], verdict: Line) -> str:
    """A table of the passes, and what they say."""
    stages = list(points[0].seconds)
    head = ["pass", *(f"{point.targets:,} targets" for point in points)]
    rows = [[stage, *(f"{point.seconds[stage]:.1f} s" for point in points)] for stage in stages]
    rows.append(["all", *(f"{sum(point.seconds.values()):.1f} s" for point in points)])
    used = [sum(point.cpu_seconds.values()) for point in points]
    rows.append(["all, of the processor", *(f"{seconds:.1f} s" for seconds in used)])
    rates = [point.targets / sum(point.seconds.values()) for point in points]
    rows.append(["targets per second", *(f"{rate:,.0f}" for rate in rates)])
    rows.append(["peak memory", *(f"{point.megabytes:.0f} MB" for point in points)])
    kept = {True: "kept", False: "missed"}
    lines = (
        f"Time grows as the length of the text to the power {verdict['exponent']:.2f} by the "
        f"clock, so that the goal of 1 ± {LINEAR:g} is {kept[verdict['linear']]}, and to the power "
        f"{verdict['exponent_cpu']:.2f} of the processor, where other programs count less: "
        f"{kept[verdict['linear_cpu']]}. The peak of memory is {verdict['megabytes']:.0f} MB; the "
        f"goal of {MEGABYTES} MB is {kept[verdict['bounded']]}."
    )
    return f"{table(head, rows)}\n\n{lines}"


def plot(points: Sequence[Point]) -> bytes:
    """Seconds against targets, both on logarithmic scales, as a PNG.  Refuses: no matplotlib."""
    figure = canvas(5.0, 3.5)
    axes = figure.add_subplot()
    targets = [point.targets for point in points]
    for stage in points[0].seconds:
        axes.loglog(targets, [point.seconds[stage] for point in points], "o-", label=stage)
    axes.set_xlabel("targets")
    axes.set_ylabel("seconds")
    axes.legend(fontsize=7, frameon=False)
    return png(figure)


def main(arguments: Sequence[str] | None = None) -> None:
    """The program."""
    parser = argparse.ArgumentParser(
        prog="python -m saffu_lab.bench.growth",
        description="Seconds and memory of counting, for texts of different length.",
    )
    parser.add_argument("--tiny", action="store_true", help="short texts, in seconds")
    parser.add_argument("--targets", type=int, nargs="+", help="of the texts, shortest first")
    parser.add_argument("--out", type=Path, default=Path("growth.json"), help="file of the results")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    sizes = GrowthSizes((20_000, 80_000), tiny=True) if chosen.tiny else GrowthSizes()
    if chosen.child:
        print(json.dumps(count(chosen.child, sizes)))
        return
    if chosen.targets:
        sizes = replace(sizes, targets=tuple(chosen.targets))
    before = os.getloadavg()[0]
    points = measured(sizes)
    verdict = judged(points)
    print(summary(points, verdict))
    record: dict[str, Any] = {
        "points": [point._asdict() for point in points],
        **verdict,
        "load_before": before,
        **circumstances(),
    }
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    chosen.out.with_suffix(".png").write_bytes(plot(points))


if __name__ == "__main__":
    main()
