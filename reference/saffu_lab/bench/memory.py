"""How much memory fitting takes, from a text of any length on disk.   (SPEC 5)

    python -m saffu_lab.bench.memory             # texts of 1M and 10M targets; minutes
    python -m saffu_lab.bench.memory --tiny      # seconds

Every text is written to a file, and fitted in a process of its own: count, encode to disk, warm
start with all choices, and some seconds of backpropagation.  What counts is the peak of resident
memory after each of these stages.  It has to depend on the vocabulary and the batch, and not on the
length of the text.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from saffu.configuration import DIRECT, SMALL, Configuration
from saffu.contexts import RadialContext
from saffu.data.corpus import Corpus
from saffu.data.counting import count_tokens
from saffu.data.readers import read_documents
from saffu.data.tokenisers import Words
from saffu.errors import Missing, ProcessFailed
from saffu.models.training import Schedule
from saffu.models.transformer import SaffuTransformer
from saffu.types import Array
from saffu_lab.records.results import circumstances, table

STAGES = ("start", "counted", "encoded", "warm", "trained")
GOAL = 1.2
"""Peak memory of the longer text over that of the shorter, at most."""

TYPES = 50_000
"""Distinct words of a generated text."""
LENGTH = 400
"""Mean words of a document."""


@dataclass(frozen=True)
class MemoryCases:
    """What is fitted."""

    targets: tuple[int, ...] = (1_000_000, 10_000_000)
    configurations: tuple[str, ...] = ("small", "direct")
    seconds: float = 20.0
    """of backpropagation"""


TINY = MemoryCases(targets=(4_000, 16_000), configurations=("tiny",), seconds=0.5)

MODELS = {
    "small": SMALL,
    "direct": DIRECT,
    "tiny": Configuration(vocabulary=251, contexts=(RadialContext(3),), bits=31, label_bits=29),
}


class Peak(NamedTuple):
    """Peak resident memory of one process after each stage, in MB, and the seconds until then."""

    model: str
    targets: int
    megabytes: tuple[float, ...]
    seconds: tuple[float, ...]


def generate(path: Path, targets: int, seed: int = 0) -> None:
    """Write a text of about a number of targets, one document per line, words by Zipf's law.

    Each word prefers a few followers, so that there is something to learn.  It is written block by
    block, the same text for the same seed.
    """
    random = np.random.default_rng(seed)
    share = 1.0 / (np.arange(TYPES) + 2.7)
    share /= share.sum()
    words = np.array([f"{'bdfgklmnprstvz'[i % 14]}a{i}" for i in range(TYPES)])
    with path.open("w", encoding="utf-8") as file:
        for ids in blocks(random, share, targets):
            file.write(" ".join(words[ids].tolist()) + "\n")


def blocks(random: np.random.Generator, share: Array, targets: int) -> Iterator[Array]:
    """Documents of word ids, about `targets` words together."""
    written = 0
    while written < targets:
        many = random.choice(TYPES, size=1 << 16, p=share)
        follow: Array = np.asarray(random.random(many.shape[0]) < 0.4)
        many[1:][follow[1:]] = (many[:-1][follow[1:]] * 31 + 7) % TYPES
        first = 0
        while first < many.shape[0] and written < targets:
            length = min(int(random.integers(LENGTH // 2, 3 * LENGTH // 2)), targets - written)
            yield many[first : first + length]
            written += min(length, many.shape[0] - first) + 1
            first += length


def peak() -> float:
    """The peak of this process's resident memory so far, in MB.

    Linux tells it in /proc.  Elsewhere `getrusage` does; not on Linux, where a new process begins
    with the peak of the one that started it.

    >>> 5 < peak() < 50_000
    True
    """
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (text for text in status.read_text().splitlines() if text.startswith("VmHWM:"))
        return int(line.split()[1]) / 1e3
    try:
        import resource
    except ImportError as missing:
        raise Missing("the peak of memory", "the module resource", "a Unix system") from missing
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / (1e6 if sys.platform == "darwin" else 1e3)  # bytes there, kB elsewhere


def fit(path: Path, model: str, seconds: float, folder: Path) -> Peak:
    """Fit a model to a text, in this process."""
    began = time.monotonic()
    marks: list[tuple[float, float]] = []

    def mark() -> None:
        marks.append((peak(), time.monotonic() - began))

    mark()
    documents, configuration = read_documents(path, unit="line"), MODELS[model]
    vocabulary = count_tokens(documents, Words()).vocabulary(size=configuration.vocabulary)
    mark()
    corpus = Corpus.on_disk(documents, Words(), vocabulary, folder=folder)
    train, validation = corpus.split((0.95, 0.05), seed=1)
    mark()
    transformer = SaffuTransformer(configuration, Words(), vocabulary)
    transformer.warm_start(train, validation)
    mark()
    if configuration.output == "softmax":
        schedule = Schedule(frozen_epochs=1, thawed_epochs=0, seconds=seconds)
        transformer.train(train, validation, schedule)
    mark()
    megabytes, clock = zip(*marks, strict=True)
    return Peak(model, corpus.targets, megabytes, clock)


def in_a_process(path: Path, model: str, seconds: float, folder: Path) -> Peak:
    """The same in a process of its own, so that nothing else is counted."""
    child = [sys.executable, "-m", "saffu_lab.bench.memory", "--child", str(path), model]
    ran = subprocess.run(
        [*child, str(seconds), str(folder)], stdout=subprocess.PIPE, encoding="utf-8", check=False
    )
    if ran.returncode:
        raise ProcessFailed(f"fitting {path.name}", "its message is above")
    peak = json.loads(ran.stdout.splitlines()[-1])
    return Peak(peak[0], peak[1], tuple(peak[2]), tuple(peak[3]))


def run(cases: MemoryCases) -> list[Peak]:
    """Fit every model to every text."""
    peaks = []
    with tempfile.TemporaryDirectory() as name:
        for targets in cases.targets:
            path = Path(name) / f"text-{targets}.txt"
            generate(path, targets)
            for model in cases.configurations:
                peaks.append(in_a_process(path, model, cases.seconds, Path(name) / "cache"))
                print(f"{model}, {targets:,} targets: {peaks[-1].megabytes[-1]:.0f} MB", flush=True)
    return peaks


def summary(peaks: Sequence[Peak]) -> str:
    """Peaks after every stage, and what ten times the text costs."""
    rows = []
    for each in peaks:
        megabytes = [f"{mb:.0f}" for mb in each.megabytes]
        rows.append([each.model, f"{each.targets:,}", *megabytes, f"{each.seconds[-1]:.0f}"])
    lines = [table(["model", "targets", *(f"{stage}, MB" for stage in STAGES), "s"], rows), ""]
    for model in dict.fromkeys(each.model for each in peaks):
        first, *_, last = (each for each in peaks if each.model == model)
        grown = last.megabytes[-1] / first.megabytes[-1]
        text = last.targets / first.targets
        kept = "kept" if grown <= GOAL else "missed"
        lines.append(
            f"{model}: {text:.0f} times the text takes {grown:.2f} times the memory; "
            f"the goal of at most {GOAL:g} is {kept}."
        )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """The program."""
    parser = argparse.ArgumentParser(
        prog="python -m saffu_lab.bench.memory",
        description="Peak memory of fitting, for texts of different length.",
    )
    parser.add_argument("--tiny", action="store_true", help="short texts, in seconds")
    parser.add_argument("--targets", type=int, nargs=2, help="of the shorter and the longer text")
    parser.add_argument("--out", type=Path, default=Path("memory.json"), help="file of the results")
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.child:
        path, model, seconds, folder = chosen.child
        print(json.dumps(fit(Path(path), model, float(seconds), Path(folder))))
        return
    cases = TINY if chosen.tiny else MemoryCases()
    if chosen.targets:
        cases = MemoryCases(tuple(chosen.targets), cases.configurations, cases.seconds)
    peaks = run(cases)
    print(summary(peaks))
    record = {"stages": STAGES, "peaks": [each._asdict() for each in peaks], **circumstances()}
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
