"""How quick the explicit warm start is, beside training the same model in PyTorch.   (SPEC 5)

    python -m saffu_lab.bench.speed              # King James Bible, 150k targets; minutes
    python -m saffu_lab.bench.speed --tiny       # seconds; the numbers mean nothing

All contestants run in one process, one after the other, round after round, so that whatever else
the machine does hits them alike; a ratio is the median of the rounds' ratios.  NumPy has as many
threads as `OMP_NUM_THREADS` says, PyTorch one or as many as asked, eager and compiled.  The goals
are judged by wall-clock time against PyTorch eager at its quickest: 12 times as many targets a
second as a training epoch, and training steps that take no longer than PyTorch's (nine tenths, if
the embeddings are frozen).  On a busy machine threads wait for each other, and that hurts PyTorch
most.  So a second number stands beside the first that load does not favour: the ratio of CPU times
against one thread of PyTorch, divided by the number of threads, as if each further one had added
its full speed.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

import numpy as np

from saffu.batch import plan as plan_batch
from saffu.cipher import cipher_embedding
from saffu.contexts import RadialContext
from saffu.data.corpus import Corpus
from saffu.engines.passes import Passes
from saffu.errors import Missing
from saffu.explicit.smoothing import Backoff
from saffu.fast.adam import adam_in_blocks
from saffu.fast.frozen import freeze
from saffu.fast.step import step_gradient
from saffu.fast.warm import stream_warm_start
from saffu.models.transformer import judges
from saffu.optim import adam_start
from saffu.parameters import Parameters, cold_start, flatten, unflatten
from saffu.positions import Samples
from saffu.search.warm import choose_warm_start
from saffu.warm.layer import WarmSettings
from saffu_lab.records.corpora import BIBLE, PROSE, Setting
from saffu_lab.records.results import circumstances, table
from saffu_lab.rivals.torch_models import Contexts, TorchSaffu, torch_or_refuse, train_epoch

GOAL = 12.0
"""Targets a second of all explicit passes, over those of a training epoch in PyTorch (eager)."""
STEPS = {"E frozen": 0.9, "E trained": 1.0}
"""The time of our training step over that of PyTorch (eager), at most."""

SETTINGS = WarmSettings(
    hidden_temper=0.7,
    hidden_scale=2.0,
    hidden_smoothing=Backoff(100.0),
    output_smoothing=Backoff(100.0),
    output_temper=1.8,
)
"""About what is chosen at 150k targets; the time does not depend on them."""


@dataclass(frozen=True)
class SpeedSettings:
    """What is timed."""

    setting: Setting = BIBLE
    targets: int = 150_000
    attention_targets: int = 20_000
    batch: int = 1024
    steps: int = 40
    """of training, a round"""
    rounds: int = 7
    compiled: bool = True
    """whether PyTorch also competes compiled, which takes a C++ compiler and a minute"""


TINY = SpeedSettings(
    PROSE,
    targets=3_000,
    attention_targets=1_000,
    batch=128,
    steps=3,
    rounds=2,
    compiled=False,
)

Contestant: TypeAlias = Callable[[], int]
"""Does its work once and says how many targets that was."""


class Timed(NamedTuple):
    """One contestant: targets per second in every round."""

    name: str
    wall: tuple[float, ...]
    cpu: tuple[float, ...]


class Pass(NamedTuple):
    """One pass of the warm start, and the least that it has to do."""

    stage: str
    targets: int
    cpu_seconds: float


def timed(contestants: dict[str, Contestant], rounds: int) -> list[Timed]:
    """Every contestant once in every round, after one round that is not counted."""
    wall: dict[str, list[float]] = {name: [] for name in contestants}
    cpu: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds + 1):
        for name, work in contestants.items():
            clock, used = time.perf_counter(), time.process_time()
            targets = work()
            if number:
                wall[name].append(targets / (time.perf_counter() - clock))
                cpu[name].append(targets / (time.process_time() - used))
    return [Timed(name, tuple(wall[name]), tuple(cpu[name])) for name in contestants]


def explicit(train: Corpus, judge: Samples, settings: SpeedSettings, *, choose: bool) -> Contestant:
    """All passes of the warm start: with given settings, or with their choice."""
    configuration = settings.setting.configuration

    def work() -> int:
        if choose:
            choose_warm_start(Passes(train), configuration, judge, dtype=np.float32)
        else:
            stream_warm_start(
                *(Passes(train), configuration, SETTINGS, judge),
                attention_targets=settings.attention_targets,
                dtype=np.float32,
            )
        return train.targets

    return work


def our_steps(
    chunk: Samples, start: Parameters, settings: SpeedSettings, *, frozen: bool
) -> Contestant:
    """Steps of our own training: batch, gradient, Adam."""
    configuration = settings.setting.configuration
    options, order = configuration.layer, np.random.default_rng(0).permutation(len(chunk.targets))
    kept = freeze(start.embedding)

    def work() -> int:
        parameters, done = start, 0
        state = adam_start(flatten(start)[1 if frozen else 0 :])
        for step in range(settings.steps):
            select = np.take(
                order, range(step * settings.batch, (step + 1) * settings.batch), mode="wrap"
            )
            batch = plan_batch(chunk, configuration, select)
            _, gradient = step_gradient(parameters, batch, options, kept if frozen else None)
            still = 1 if frozen else 0
            old, d_old = flatten(parameters)[still:], flatten(gradient)[still:]
            new, state = adam_in_blocks(old, d_old, state, 1e-3)
            parameters = unflatten(parameters, (*flatten(parameters)[:still], *new))
            done += settings.batch
        return done

    return work


def torch_steps(
    chunk: Samples,
    start: Parameters,
    settings: SpeedSettings,
    threads: int,
    *,
    frozen: bool,
    compiled: bool,
) -> Contestant:
    """Steps of training in PyTorch."""
    rival = TorchSaffu(settings.setting.configuration, start, embeddings=not frozen)
    if compiled:
        rival.compile()
    text, optimisers = Contexts(rival.torch, chunk, rival.context), rival.optimisers(1e-3)

    def work() -> int:
        torch_or_refuse(threads)
        return train_epoch(
            rival, text, optimisers, batch=settings.batch, seed=0, steps=settings.steps
        )

    return work


def contestants(
    train: Corpus, judge: Samples, settings: SpeedSettings, threads: int
) -> dict[str, Contestant]:
    """Everything that is timed; without PyTorch, only what is ours."""
    configuration = settings.setting.configuration
    embedding = cipher_embedding(train.counts(configuration.vocabulary), configuration.bits)
    start = cold_start(configuration, embedding.astype(np.float32), scale=0.1, seed=1)
    (chunk,) = train.take(min(train.targets, settings.steps * settings.batch), 1).chunks(
        train.targets
    )
    contestants = {
        "explicit": explicit(train, judge, settings, choose=False),
        "ours, E frozen": our_steps(chunk, start, settings, frozen=True),
        "ours, E trained": our_steps(chunk, start, settings, frozen=False),
    }
    try:
        for frozen, name in ((True, "torch, E frozen"), (False, "torch, E trained")):
            for number in sorted({1, threads}):
                for compiled in (
                    (False, True) if settings.compiled and number == threads else (False,)
                ):
                    work = torch_steps(
                        chunk, start, settings, number, frozen=frozen, compiled=compiled
                    )
                    how = ", compiled" if compiled else ""
                    contestants[f"{name}{how}, threads: {number}"] = work
    except Missing as missing:
        print(f"without rivals: {missing}")
    contestants["explicit, with choice"] = explicit(train, judge, settings, choose=True)
    return contestants


def passes(train: Corpus, judge: Samples, settings: SpeedSettings) -> list[Pass]:
    """CPU seconds of each pass; the last line is all that is not a pass."""
    passes: list[Pass] = []
    began = [0.0]

    def note(stage: str, done: int, total: int) -> None:
        now = time.process_time()
        if done == 0:
            began[0] = now
        elif done == total:
            passes.append(Pass(stage, total, now - began[0]))

    first = time.process_time()
    stream_warm_start(
        *(Passes(train, note), settings.setting.configuration, SETTINGS, judge),
        attention_targets=settings.attention_targets,
        dtype=np.float32,
    )
    rest = time.process_time() - first - sum(each.cpu_seconds for each in passes)
    return [*passes, Pass("ciphers, tables, weights", train.targets, rest)]


def account(settings: SpeedSettings, measured: Sequence[Pass], ones: float) -> list[list[str]]:
    """For each pass the least work and traffic, and what it came to; see docs/performance.md.

    Parameters: `ones`, the mean number of ones in the label code of a target.
    """
    (context,) = settings.setting.configuration.contexts
    assert isinstance(context, RadialContext)
    b, n_h = context.slots, settings.setting.configuration.label_bits
    work = {
        # per target: multiply-adds (or exponentials), bytes that have to move
        "counting": (2.0, 12.0),
        "features": (b * ones, b * ones * 16.0 + 12.0),
        "attention": (2.0 * b * n_h, 4.0 * b * n_h + 12.0),
        "output": ((b + 2.0) * n_h, 4.0 * (b + 3.0) * n_h + 12.0),
    }
    rows = []
    for each in measured:
        name = next((key for key in work if key in each.stage), None)
        cells = [each.stage, f"{each.targets:,}", f"{1e3 * each.cpu_seconds:.0f}"]
        if name is None:
            rows.append([*cells, "–", "–", "–", "–"])
            continue
        operations, traffic = (per * each.targets for per in work[name])
        seconds = max(each.cpu_seconds, 1e-9)
        rows.append(
            [
                *cells,
                f"{operations / 1e6:.1f}",
                f"{traffic / 1e6:.0f}",
                f"{operations / seconds / 1e9:.2f}",
                f"{traffic / seconds / 1e9:.2f}",
            ]
        )
    return rows


def ratio(one: Sequence[float], other: Sequence[float]) -> float:
    """The median of the rounds' ratios.

    >>> ratio([10.0, 30.0, 50.0], [2.0, 3.0, 25.0])
    5.0
    """
    return float(np.median(np.array(one) / np.array(other)))


class Summary(NamedTuple):
    """What is printed, and the ratios that the goals are about."""

    text: str
    wall: float | None = None
    """targets per second, ours over the quickest rival's"""
    bound: float | None = None
    """by CPU time of one thread, as if the rival's threads added up in full"""
    steps: Mapping[str, float] = MappingProxyType({})
    """time of our training step over the rival's, with E frozen and with E trained"""


def summary(times: Sequence[Timed], threads: int) -> Summary:
    """A table and the verdicts."""
    by_name = {each.name: each for each in times}
    rivals = [each for each in times if each.name.startswith("torch")]
    head = ["contestant", "targets/s", "targets/CPU s"]
    rows = [
        [each.name, f"{np.median(each.wall):,.0f}", f"{np.median(each.cpu):,.0f}"] for each in times
    ]
    eager = [each for each in rivals if "compiled" not in each.name]
    if not eager:
        return Summary(table(head, rows))
    best = quickest(eager)
    alone = [each for each in eager if each.name.endswith("threads: 1")]
    lone = max(alone, key=lambda each: float(np.median(each.cpu)))
    for row, each in zip(rows, times, strict=True):
        row += [f"{ratio(each.wall, best.wall):.2f}", f"{ratio(each.cpu, lone.cpu):.2f}"]
    head += [f"times {best.name}", f"CPU: times {lone.name}"]
    wall = ratio(by_name["explicit"].wall, best.wall)
    bound = ratio(by_name["explicit"].cpu, lone.cpu) / threads
    verdict = "reached" if wall >= GOAL else "missed"
    text = (
        f"All explicit passes see {wall:.1f} times as many targets per second as PyTorch at its "
        f"quickest here: the goal of {GOAL:g} is {verdict}.  On a busy machine this flatters "
        f"one of them; by CPU time, if {threads} threads were {threads} times as quick as one, it "
        f"would be {bound:.1f} times."
    )
    steps = {
        name: ratio(quickest([each for each in eager if name in each.name]).wall, ours.wall)
        for name in STEPS
        if (ours := by_name.get(f"ours, {name}"))
    }
    for name, value in steps.items():
        verdict = "reached" if value <= STEPS[name] else "missed"
        text += (
            f"\nOur training step, {name}, takes {value:.2f} of PyTorch's time: the goal of "
            f"{STEPS[name]:g} is {verdict}."
        )
    return Summary(f"{table(head, rows)}\n\n{text}", wall, bound, steps)


def quickest(times: Sequence[Timed]) -> Timed:
    """The one that sees most targets per second."""
    return max(times, key=lambda each: float(np.median(each.wall)))


def run(settings: SpeedSettings, out: Path, threads: int) -> None:
    """Time everything, print it, and keep it in a file."""
    common = settings.setting.texts()
    train = common.train.take(min(settings.targets, common.train.targets), settings.setting.seed)
    judge = judges(common.validation, 0)
    before = os.getloadavg()[0]
    times = timed(contestants(train, judge, settings, threads), settings.rounds)
    texts = summary(times, threads)
    print(texts.text)
    targets = train.counts(settings.setting.configuration.vocabulary)[1:]
    codes = cipher_embedding(targets, settings.setting.configuration.label_bits) > 0
    ones = float(targets @ codes.sum(axis=1) / targets.sum())
    rounds = [passes(train, judge, settings) for _ in range(settings.rounds)]
    measured = [
        one[0]._replace(cpu_seconds=float(np.median([each.cpu_seconds for each in one])))
        for one in zip(*rounds, strict=True)
    ]
    head = ["pass", "targets", "CPU ms", "10⁶ op", "MB", "10⁹ op/s", "GB/s"]
    print("\n" + table(head, account(settings, measured, ones)))
    out.parent.mkdir(parents=True, exist_ok=True)
    record = {
        "targets": train.targets,
        "batch": settings.batch,
        "steps": settings.steps,
        "rounds": settings.rounds,
        "torch_threads": threads,
        "load_before": before,
        "targets_per_second": {each.name: each.wall for each in times},
        "targets_per_cpu_second": {each.name: each.cpu for each in times},
        "ratio_wall": texts.wall,
        "ratio_bound": texts.bound,
        "step_ratios": dict(texts.steps),
        "passes": [each._asdict() for each in measured],
        **circumstances("torch"),
    }
    out.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    """The program."""
    parser = argparse.ArgumentParser(
        prog="python -m saffu_lab.bench.speed",
        description="Targets a second: explicit warm start against training.",
    )
    parser.add_argument("--tiny", action="store_true", help="every contestant once, in seconds")
    parser.add_argument("--rounds", type=int, help="how often each contestant runs")
    parser.add_argument("--threads", type=int, default=2, help="of PyTorch")
    parser.add_argument("--out", type=Path, default=Path("speed.json"), help="file of the results")
    chosen = parser.parse_args(arguments)
    settings = TINY if chosen.tiny else SpeedSettings()
    if chosen.rounds:
        settings = replace(settings, rounds=chosen.rounds)
    run(settings, chosen.out, chosen.threads)


if __name__ == "__main__":
    main()
