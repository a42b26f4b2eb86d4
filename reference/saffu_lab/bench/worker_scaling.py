"""One worker against two: the same counts, and how much sooner.   (SPEC 1)

    python -m saffu_lab.bench.worker_scaling             # 8M targets, three rounds; some minutes
    python -m saffu_lab.bench.worker_scaling --tiny      # seconds

The passes of a warm start over one text on disk, taken in turns by this process, by pools of one
and two processes, and by Dask clusters of one and two workers.  The parameters of all of them have
to be the same to the last bit.  Starting processes is measured apart, for it is done once.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from saffu.configuration import SMALL, Configuration
from saffu.contexts import RadialContext
from saffu.data.corpus import Corpus
from saffu.engines import Engine, open_engine
from saffu.engines.passes import Passes
from saffu.fast.warm import stream_warm_start
from saffu.parameters import flatten
from saffu_lab.bench.generated import open_text, write_text
from saffu_lab.bench.growth import ATTENTION_TARGETS, SETTINGS
from saffu_lab.records.results import Line, circumstances, table

ENGINES = (("serial", None), ("pool", 1), ("pool", 2), ("dask", 1), ("dask", 2))
GOAL = 1.7
"""Seconds of one worker over those of two, at least."""


@dataclass(frozen=True)
class CountingLoad:
    """What is counted, and how often."""

    targets: int = 8_000_000
    rounds: int = 3
    configuration: Configuration = SMALL


TINY = CountingLoad(
    targets=30_000,
    rounds=1,
    configuration=replace(
        SMALL, vocabulary=251, contexts=(RadialContext(3),), bits=31, label_bits=29
    ),
)


def name_of(engine: str, workers: int | None) -> str:
    """How an engine is called in the results.

    >>> name_of("pool", 2), name_of("serial", None)
    ('pool, 2', 'serial')
    """
    return engine if workers is None else f"{engine}, {workers}"


def solve(text: Corpus, configuration: Configuration, engine: Engine) -> str:
    """All passes; a digest of every bit of the parameters."""
    judge = next(text.chunks(1000))
    start = stream_warm_start(
        *(Passes(text, engine=engine), configuration, SETTINGS, judge),
        attention_targets=ATTENTION_TARGETS,
        dtype=np.float32,
    )
    digest = sha256()
    for array in flatten(start.parameters):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def measured(load: CountingLoad) -> Line:
    """Every engine once in every round, after one short text that is not counted."""
    seconds: dict[str, list[float]] = {name_of(*each): [] for each in ENGINES}
    starts: dict[str, float] = {}
    digests: dict[str, str] = {}
    loads = [os.getloadavg()[0]]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for name, targets in (("text", load.targets), ("short", load.targets // 20)):
            (folder / name).mkdir()
            write_text(folder / name, targets, load.configuration.vocabulary)
        text, short = open_text(folder / "text"), open_text(folder / "short")
        engines: dict[str, Engine] = {}
        for kind, workers in ENGINES:
            began, name = time.perf_counter(), name_of(kind, workers)
            engines[name] = stack.enter_context(open_engine(kind, workers=workers))
            solve(short, load.configuration, engines[name])
            starts[name] = time.perf_counter() - began
        for _ in range(load.rounds):
            for name, engine in engines.items():
                began = time.perf_counter()
                digest = solve(text, load.configuration, engine)
                seconds[name].append(time.perf_counter() - began)
                digests.setdefault(name, digest)
                if digest != digests[name]:
                    digests[name] = "not the same twice"
            loads.append(os.getloadavg()[0])
    return {
        "targets": text.targets,
        "seconds": seconds,
        "first_seconds": starts,
        "digests": digests,
        "same_bits": len(set(digests.values())) == 1,
        "ratios": {kind: ratio(seconds, kind) for kind in ("pool", "dask")},
        "load": loads,
    }


def ratio(seconds: dict[str, list[float]], kind: str) -> float:
    """Seconds of one worker over those of two: the median of the rounds.

    >>> ratio({"pool, 1": [4.0, 4.2, 9.0], "pool, 2": [2.0, 2.0, 3.0]}, "pool")
    2.1
    """
    one, two = (np.array(seconds[name_of(kind, workers)]) for workers in (1, 2))
    return float(np.median(one / two))


def summary(record: Line) -> str:
    """A table of the engines, and what it says."""
    targets = record["targets"]
    rows = []
    for name, rounds in record["seconds"].items():
        middle = float(np.median(rounds))
        rows.append([name, f"{middle:.1f} s", f"{targets / middle:,.0f}"])
    same = "the same bits" if record["same_bits"] else "NOT the same bits"
    lines = [table(["engine, workers", "seconds", "targets per second"], rows), ""]
    lines.append(f"All engines gave {same}.")
    for kind, times in record["ratios"].items():
        kept = "kept" if times >= GOAL else "missed"
        lines.append(
            f"Two workers of {kind} are {times:.2f} times as fast as one; the goal of {GOAL:g} "
            f"is {kept}."
        )
    loads = record["load"]
    lines.append(f"The load average was {loads[0]:.1f} before, and {loads[-1]:.1f} at the end.")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """The program."""
    parser = argparse.ArgumentParser(
        prog="python -m saffu_lab.bench.worker_scaling",
        description="One worker against two, of pools and of Dask clusters.",
    )
    parser.add_argument("--tiny", action="store_true", help="a short text, in seconds")
    parser.add_argument("--targets", type=int, help="of the text")
    parser.add_argument(
        "--out", type=Path, default=Path("cluster.json"), help="file of the results"
    )
    chosen = parser.parse_args(arguments)
    load = TINY if chosen.tiny else CountingLoad()
    if chosen.targets:
        load = replace(load, targets=chosen.targets)
    line = measured(load)
    print(summary(line))
    record: dict[str, Any] = {**line, **circumstances("dask", "distributed")}
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
