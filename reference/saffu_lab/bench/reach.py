"""How long backpropagation takes to be as good as the explicit solution.   (SPEC 1, 7)

    python -m saffu_lab.bench.reach              # King James Bible; half an hour
    python -m saffu_lab.bench.reach --tiny       # seconds

The explicit solution of the preset `small` is made with everything chosen on validation text, and
its time is all of that.  Then the same model is trained from cold starts in PyTorch (eager,
float32, batches of 1024, Adam, embeddings fixed), once for each rate and initial scale, until its
validation loss is that of the explicit solution.  Two ratios: the time of the quickest cold start
over ours, as if its settings had been known; and the time of all of them, in which each is given up
once it has taken as long as the quickest before it.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np

from saffu.cipher import cipher_embedding
from saffu.data.corpus import Corpus
from saffu.data.tokenisers import Words
from saffu.errors import Missing
from saffu.models.transformer import SaffuTransformer
from saffu.parameters import cold_start
from saffu_lab.records.corpora import BIBLE, PROSE, Setting, Texts
from saffu_lab.records.results import Line, circumstances, table
from saffu_lab.rivals.torch_models import (
    Contexts,
    TorchSaffu,
    torch_nats,
    torch_or_refuse,
    train_epoch,
)

GOAL = 5.0
"""Seconds of the best cold start over seconds of the explicit solution, at least."""


@dataclass(frozen=True)
class ReachSettings:
    """What is run."""

    setting: Setting = BIBLE
    targets: tuple[int, ...] = (150_000, 10**9)
    cold: tuple[tuple[float, float], ...] = tuple(product((0.03, 0.01), (1.0, 0.3, 0.1)))
    """rate and initial scale; the most promising first"""
    batch: int = 1024
    checks: int = 4
    """validations an epoch; their time is not counted"""
    epochs: int = 12
    """after which a cold start is given up"""
    judges: int = 20_000
    """validation targets"""


TINY = ReachSettings(
    PROSE, targets=(3_000,), cold=((0.03, 1.0),), batch=128, epochs=2, judges=1_000
)


class Run(NamedTuple):
    """A cold start."""

    rate: float
    scale: float
    seconds: float
    """of training"""
    targets: int
    nats: float
    """on validation text, at the end"""
    reached: bool


def cold(settings: ReachSettings, train: Corpus, judge: Corpus, rate: float, scale: float,
         goal: float, limit: float) -> Run:  # fmt: skip
    """Train from a cold start until the goal is reached, or the time is up."""
    shape = settings.setting.configuration
    embedding = cipher_embedding(train.counts(shape.vocabulary), shape.bits)
    start = cold_start(shape, embedding.astype(np.float32), scale=scale, seed=settings.setting.seed)
    model = TorchSaffu(shape, start, embeddings=False)
    (chunk,) = train.chunks(train.targets)
    (judges,) = judge.chunks(judge.targets)
    text, optimisers = Contexts(model.torch, chunk, model.context), model.optimisers(rate)
    steps = max(1, math.ceil(train.targets / settings.batch / settings.checks))
    seconds, seen, nats = 0.0, 0, math.inf
    for number in range(settings.epochs * settings.checks):
        clock = time.perf_counter()
        seen += train_epoch(model, text, optimisers, batch=settings.batch, seed=number, steps=steps)
        seconds += time.perf_counter() - clock
        nats = float(torch_nats(model, judges).mean())
        if nats <= goal or seconds > limit:
            break
    return Run(rate, scale, seconds, seen, nats, nats <= goal)


def explicit(
    settings: ReachSettings, train: Corpus, common: Texts, judge: Corpus
) -> tuple[float, float]:
    """Seconds of the explicit solution, choices included, and its validation nats."""
    model = SaffuTransformer(settings.setting.configuration, Words(), common.vocabulary)
    clock = time.perf_counter()
    model.warm_start(train, common.validation, seed=settings.setting.seed)
    seconds = time.perf_counter() - clock
    total = model.nats(judge)
    return seconds, total.nats / total.targets


def compared(settings: ReachSettings, size: int, common: Texts) -> Line:
    """One amount of text."""
    train = common.train.take(min(size, common.train.targets), settings.setting.seed)
    judge = common.validation.take(
        min(settings.judges, common.validation.targets), settings.setting.seed
    )
    seconds, goal = explicit(settings, train, common, judge)
    runs: list[Run] = []
    limit = math.inf
    for rate, scale in settings.cold:
        runs.append(cold(settings, train, judge, rate, scale, goal, limit))
        if runs[-1].reached:
            limit = min(limit, runs[-1].seconds)
        print(f"{train.targets:,} targets, rate {rate:g}, scale {scale:g}: {runs[-1]}", flush=True)
    every = sum(run.seconds for run in runs)
    known = min((run.seconds for run in runs if run.reached), default=None)
    return {
        "targets": train.targets,
        "explicit_seconds": seconds,
        "nats": goal,
        "runs": [run._asdict() for run in runs],
        "ratio": None if known is None else known / seconds,
        "ratio_tuned": every / seconds,
    }


def summary(lines: Sequence[Line]) -> str:
    """A table, and a verdict for each amount of text."""
    head = ["targets", "perplexity to reach", "explicit", "best cold start", "ratio", "tuning too"]
    rows = []
    for line in lines:
        there = [run for run in line["runs"] if run["reached"]]
        best = min(there, key=lambda run: float(run["seconds"])) if there else None
        rows.append([
            f"{line['targets']:,}",
            f"{math.exp(line['nats']):.1f}",
            f"{line['explicit_seconds']:.1f} s",
            f"{best['seconds']:.1f} s" if best else "never",
            f"{line['ratio']:.1f}" if best else "–",
            f"{line['ratio_tuned']:.1f}" if best else f"more than {line['ratio_tuned']:.1f}",
        ])  # fmt: skip
    if not all(line["runs"] for line in lines):
        return table(head, rows)
    verdict = f"The goal of {GOAL:g} times, tuning not counted, is {in_a_word(lines)}."
    return f"{table(head, rows)}\n\n{verdict}"


def in_a_word(lines: Sequence[Line]) -> str:
    """Reached, missed, or undecided where no cold start got to the loss within its limit.

    >>> in_a_word([{"ratio": GOAL}]), in_a_word([{"ratio": 0.9 * GOAL}, {"ratio": None}])
    ('reached', 'missed')
    >>> in_a_word([{"ratio": GOAL}, {"ratio": None}])
    'undecided: at one size no cold start got there'
    """
    ratios = [line["ratio"] for line in lines]
    if any(ratio is not None and ratio < GOAL for ratio in ratios):
        return "missed"
    none = ratios.count(None)
    sizes = "one size" if none == 1 else f"{none} sizes"
    return f"undecided: at {sizes} no cold start got there" if none else "reached"


def main(arguments: Sequence[str] | None = None) -> None:
    """The program."""
    parser = argparse.ArgumentParser(
        prog="python -m saffu_lab.bench.reach",
        description="Time to the explicit solution's loss: counting against backpropagation.",
    )
    parser.add_argument("--tiny", action="store_true", help="little text, in seconds")
    parser.add_argument("--threads", type=int, default=2, help="PyTorch's (2)")
    parser.add_argument("--targets", type=int, nargs="+", help="of the training texts")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where to keep the figures (JSON)")
    chosen = parser.parse_args(arguments)
    settings = TINY if chosen.tiny else ReachSettings()
    try:
        torch_or_refuse(chosen.threads)
    except Missing as missing:
        settings = replace(settings, cold=())
        print(f"without rivals: {missing}")
    before = os.getloadavg()[0]
    common = settings.setting.texts()
    lines = [compared(settings, size, common) for size in chosen.targets or settings.targets]
    print(summary(lines))
    if chosen.out:
        chosen.out.parent.mkdir(parents=True, exist_ok=True)
        record = {
            "sizes": lines, "load_before": before, "torch_threads": chosen.threads,
            **circumstances("torch"),
        }  # fmt: skip
        chosen.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
