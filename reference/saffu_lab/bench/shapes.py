"""What a larger model costs: processor time of the explicit solution over V, B, b and M.   (SPEC 5)

    python -m saffu_lab.bench.shapes             # about five minutes
    python -m saffu_lab.bench.shapes --tiny      # seconds

From one shape (M = 200,000 targets, V = 2048, B = 8 slots, b = 128 bits for tokens and labels) one
size at a time is made smaller and larger, and a power law s = a xᵖ is fitted to the processor time
of all passes.  The exponents tell which sizes cost most: work over the text grows with M, B and b,
tables and weights with V and b.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from saffu.configuration import SMALL, Configuration
from saffu.contexts import RadialContext
from saffu.engines.passes import Passes
from saffu.fast.warm import stream_warm_start
from saffu_lab.bench.generated import open_text, write_text
from saffu_lab.bench.growth import SETTINGS, exponent
from saffu_lab.records.pictures import canvas, png
from saffu_lab.records.results import circumstances, table


@dataclass(frozen=True)
class Shape:
    """One model of one text."""

    targets: int = 200_000
    vocabulary: int = 2048
    slots: int = 8
    bits: int = 128

    @property
    def configuration(self) -> Configuration:
        """The model."""
        return replace(
            SMALL,
            vocabulary=self.vocabulary,
            contexts=(RadialContext(self.slots),),
            bits=self.bits,
            label_bits=self.bits,
        )


@dataclass(frozen=True)
class SizeGrid:
    """Which sizes are tried."""

    middle: Shape = Shape()
    sizes: tuple[tuple[str, tuple[int, ...]], ...] = (
        ("targets", (50_000, 100_000, 200_000, 400_000, 800_000)),
        ("vocabulary", (512, 1024, 2048, 4096, 8192)),
        ("slots", (2, 4, 8, 16, 32)),
        ("bits", (32, 64, 128, 256, 512)),
    )
    rounds: int = 3


TINY = SizeGrid(
    Shape(3_000, 251, 3, 31),
    (
        ("targets", (1_000, 3_000, 9_000)),
        ("vocabulary", (127, 251, 503)),
        ("slots", (2, 3, 5)),
        ("bits", (29, 31, 37)),
    ),
    rounds=1,
)
LETTERS = {"targets": "M", "vocabulary": "V", "slots": "B", "bits": "b"}


class Curve(NamedTuple):
    """Processor seconds over one size, the least of the rounds."""

    size: str
    values: tuple[int, ...]
    cpu_seconds: tuple[float, ...]

    @property
    def exponent(self) -> float:
        """p of the power law over the larger sizes, where what is fixed counts less."""
        half = len(self.values) // 2
        return exponent(self.values[half:], self.cpu_seconds[half:])


def solve(shape: Shape) -> float:
    """Processor seconds of all passes, tokens lying on disk."""
    with tempfile.TemporaryDirectory() as folder:
        write_text(Path(folder), shape.targets, shape.vocabulary)
        text = open_text(Path(folder))
        judge = next(text.chunks(1000))
        began = time.process_time()
        stream_warm_start(
            *(Passes(text), shape.configuration, SETTINGS, judge),
            attention_targets=min(20_000, shape.targets),
            dtype=np.float32,
        )
        return time.process_time() - began


def measured(grid: SizeGrid) -> list[Curve]:
    """A curve for each size."""
    curves = []
    for size, values in grid.sizes:
        shapes = [replace(grid.middle, **{size: value}) for value in values]
        rounds = [[solve(shape) for shape in shapes] for _ in range(grid.rounds)]
        seconds = tuple(min(each) for each in zip(*rounds, strict=True))
        curves.append(Curve(size, values, seconds))
        print(f"{size}: {seconds[-1]:.2f} s at {values[-1]:,}", flush=True)
    return curves


def summary(curves: Sequence[Curve]) -> str:
    """A line for each size."""
    rows = [
        [
            f"{LETTERS[curve.size]}, {curve.size}",
            f"{curve.values[0]:,} … {curve.values[-1]:,}",
            " ".join(f"{seconds:.2f}" for seconds in curve.cpu_seconds),
            f"{curve.exponent:.2f}",
        ]
        for curve in curves
    ]
    return table(["size", "values", "CPU seconds", "exponent"], rows)


def plot(curves: Sequence[Curve]) -> bytes:
    """Seconds over each size in units of its middle, logarithmic, as a PNG.

    Refuses: matplotlib missing.
    """
    figure = canvas(5.0, 3.5)
    axes = figure.add_subplot()
    for curve in curves:
        middle = curve.values[len(curve.values) // 2]
        label = f"{LETTERS[curve.size]} (power {curve.exponent:.2f})"
        axes.loglog([v / middle for v in curve.values], curve.cpu_seconds, "o-", label=label)
    axes.set_xlabel("times the size of the middle model")
    axes.set_ylabel("CPU seconds")
    axes.legend(frameon=False)
    return png(figure)


def main(arguments: Sequence[str] | None = None) -> None:
    """The program."""
    parser = argparse.ArgumentParser(
        prog="python -m saffu_lab.bench.shapes",
        description="Processor time of the explicit solution over the sizes of model and text.",
    )
    parser.add_argument("--tiny", action="store_true", help="small models, in seconds")
    parser.add_argument("--out", type=Path, default=Path("shapes.json"), help="file of the results")
    chosen = parser.parse_args(arguments)
    before = os.getloadavg()[0]
    curves = measured(TINY if chosen.tiny else SizeGrid())
    print(summary(curves))
    record = {
        "curves": [{**curve._asdict(), "exponent": curve.exponent} for curve in curves],
        "load_before": before,
        **circumstances(),
    }
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    chosen.out.with_suffix(".png").write_bytes(plot(curves))


if __name__ == "__main__":
    main()
