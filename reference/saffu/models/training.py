"""Backpropagation after the warm start: freeze, then thaw.   (SPEC 6)

    warm      explicit solution
    freeze    train W, U, O; embeddings are fixed, comparisons are cached
    thaw      train E too, at a smaller rate, without the cache                    [T]

Each stage stops when the validation loss has not fallen for `patience` checks, and returns to the
best parameters so far (`saffu.progress.early_stopping`).  A state of the training is a value: it
can be written to a file after any batch, and training resumes from the file to the same result as
an uninterrupted run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal, NamedTuple

import numpy as np

from saffu import checks
from saffu.batch import Batch, plan
from saffu.configuration import Configuration
from saffu.data.corpus import Corpus
from saffu.errors import Diverged, NonFiniteEntry, TrainingInterrupted
from saffu.fast.adam import adam_in_blocks
from saffu.fast.comparison_cache import comparisons
from saffu.fast.frozen import FrozenEmbedding, freeze
from saffu.fast.predict import chunk_nats
from saffu.fast.step import step_gradient
from saffu.optim import AdamState, adam_start, sgd_step
from saffu.parameters import Parameters, flatten, names, unflatten
from saffu.progress import Progress
from saffu.progress.early_stopping import TrainingLog
from saffu.types import Array

_SPEC: Final = "SPEC 6"

SPAN = 32
"""Neighbouring samples kept together in the batches of deep models, because they share states."""


@dataclass(frozen=True)
class Rates:
    """Learning rates by group of parameters."""

    attention: float = 0.003
    """W"""
    features: float = 0.003
    """U"""
    output: float = 0.003
    """O"""
    embedding: float = 0.0003
    """E, in the thawed stage"""

    def __post_init__(self) -> None:
        for name in ("attention", "features", "output", "embedding"):
            checks.positive(name, getattr(self, name), _SPEC, zero=True)

    @staticmethod
    def all(rate: float) -> Rates:
        """One rate for W, U and O, a tenth of it for E."""
        return Rates(rate, rate, rate, rate / 10)


@dataclass(frozen=True)
class Schedule:
    """Schedule of a training: stages, batches, rates, early stopping."""

    batch: int = 1024
    """samples per step"""
    frozen_epochs: int = 12
    thawed_epochs: int = 4
    checks: int = 2
    """validations per epoch"""
    patience: int = 3
    """validations without a better loss after which a stage ends"""
    rates: Rates = Rates()
    optimiser: Literal["adam", "sgd"] = "adam"
    project: Literal["simplex"] | None = None
    """`simplex`: after each thawed step, negative entries of E become 0 and rows add up to one"""
    seed: int = 0
    seconds: float | None = None
    """wall-clock limit of the training"""
    validation_targets: int = 20_000
    checkpoint_seconds: float = 30.0
    chunk: int = 1 << 16
    """targets read and shuffled together"""

    def __post_init__(self) -> None:
        for name in ("batch", "checks", "patience", "validation_targets", "chunk"):
            checks.whole(name, getattr(self, name), 1, _SPEC)
        for name in ("frozen_epochs", "thawed_epochs"):
            checks.whole(name, getattr(self, name), 0, _SPEC)
        checks.choice("optimiser", self.optimiser, ("adam", "sgd"), _SPEC)
        if self.project is not None:
            checks.choice("project", self.project, ("simplex",), _SPEC)
        if self.seconds is not None:
            checks.positive("seconds", self.seconds, _SPEC)


class Record(NamedTuple):
    """One validation."""

    stage: str
    """warm, frozen or thawed"""
    epoch: int
    targets: int
    """training targets seen by backpropagation so far"""
    seconds: float
    """wall-clock seconds of training so far"""
    train_nats: float | None
    """mean over the batches since the validation before; None if there were none"""
    validation_nats: float


class TrainingState(NamedTuple):
    """All that training needs to resume."""

    stage: str
    epoch: int
    position: int
    """targets of this epoch that are done"""
    parameters: Parameters
    optimiser: AdamState
    log: TrainingLog[Parameters, Record]
    """`waited` counts the validations of this stage"""
    seconds: float
    targets: int
    batches: int
    """batches since the last validation"""
    batch_nats: float
    """their sum of losses"""


def start_training(parameters: Parameters) -> TrainingState:
    """The state before anything is trained."""
    moments, log = adam_start(flatten(parameters)), TrainingLog[Parameters, Record](parameters)
    return TrainingState("warm", 0, 0, parameters, moments, log, 0.0, 0, 0, 0.0)


def train(
    state: TrainingState,
    configuration: Configuration,
    corpus: Corpus,
    validation: Corpus,
    schedule: Schedule,
    *,
    progress: Progress,
    on_record: Callable[[Record], None] | None = None,
    keep: Callable[[TrainingState], None] | None = None,
) -> TrainingState:
    """Train to the end of the schedule, from any state.   (SPEC 6)

    Parameters: `keep` is called with the state every `checkpoint_seconds`, and when training is
    interrupted.
    Returns the last state; the result is `log.best`.
    Refuses: a loss or a gradient that is no longer finite (`Diverged`, with the state before it).
    """
    run = _Run(configuration, corpus, validation, schedule, progress, on_record)
    began = time.monotonic() - state.seconds
    last_kept = time.monotonic()
    try:
        while state.stage != "done":
            if run.over(state):
                state = run.next_stage(state, began)
                continue
            frozen = freeze(state.parameters.embedding) if state.stage == "frozen" else None
            for batch, done in run.batches(state):
                state = run.advance(state, batch, done, frozen, began)
                if keep is not None and time.monotonic() - last_kept > schedule.checkpoint_seconds:
                    keep(state)
                    last_kept = time.monotonic()
                if run.over(state):
                    break
            else:
                state = state._replace(epoch=state.epoch + 1, position=0)
    except KeyboardInterrupt:
        if keep is not None:
            keep(state)
        raise TrainingInterrupted(f"the {state.stage} stage", state) from None
    except (_NonFinite, NonFiniteEntry) as problem:
        where = f"{problem}, in the {state.stage} stage, epoch {state.epoch + 1}"
        raise Diverged(where, schedule.rates.features, state) from problem
    return state


class _NonFinite(ArithmeticError):
    """A loss that is no longer a number."""


@dataclass(frozen=True)
class _Run:
    """The constants of a training."""

    configuration: Configuration
    corpus: Corpus
    validation: Corpus
    schedule: Schedule
    progress: Progress
    on_record: Callable[[Record], None] | None

    def epochs(self, stage: str) -> int:
        """The largest number of epochs of a stage."""
        return {"frozen": self.schedule.frozen_epochs, "thawed": self.schedule.thawed_epochs}.get(
            stage, 0
        )

    def batches(self, state: TrainingState) -> Iterator[tuple[Batch, int]]:
        """The remaining batches of the epoch, each with the number of targets done after it."""
        schedule = self.schedule
        stage = 0 if state.stage == "frozen" else 1
        seed = int(np.random.SeedSequence([schedule.seed, stage, state.epoch]).generate_state(1)[0])
        size = min(schedule.chunk, self.corpus.targets)
        done, total = 0, self.corpus.targets
        for index, chunk in enumerate(self.corpus.chunks(size, seed)):
            n = chunk.targets.shape[0]
            if done + n <= state.position:
                done += n
                continue
            order = self._order(n, [seed, index])
            for first in range(0, n, schedule.batch):
                select = order[first : first + schedule.batch]
                done += select.shape[0]
                if done <= state.position:
                    continue
                self.progress(f"{state.stage}, epoch {state.epoch + 1}", done, total)
                yield plan(chunk, self.configuration, select), done

    def _order(self, n: int, seed: list[int]) -> Array:
        """A random order of samples; for deep models, of short spans of samples."""
        random = np.random.default_rng(seed)
        if self.configuration.depth == 1:
            return random.permutation(n)
        spans = np.array_split(np.arange(n), max(1, n // SPAN))
        return np.concatenate([spans[i] for i in random.permutation(len(spans))])

    def advance(
        self,
        state: TrainingState,
        batch: Batch,
        done: int,
        frozen: FrozenEmbedding | None,
        began: float,
    ) -> TrainingState:
        """One batch and the validation that may be due after it, as one step."""
        parameters = state.parameters
        with np.errstate(all="ignore"):
            nats, gradient = step_gradient(parameters, batch, self.configuration.layer, frozen)
            _check_finite("training", nats)
            new, moments = self._update(state, flatten(parameters), flatten(gradient))
        after = state._replace(
            parameters=unflatten(parameters, new),
            optimiser=moments,
            position=done,
            targets=state.targets + batch.targets.shape[0],
            seconds=time.monotonic() - began,
            batches=state.batches + 1,
            batch_nats=state.batch_nats + nats,
        )
        share = self.schedule.checks / self.corpus.targets
        due = int(done * share) > int(state.position * share) or done == self.corpus.targets
        return self.validate(after, began) if due else after

    def _update(
        self, state: TrainingState, old: tuple[Array, ...], gradient: tuple[Array, ...]
    ) -> tuple[tuple[Array, ...], AdamState]:
        """New parameters from the optimiser; a frozen E stays as it is."""
        rates = self._rates(state)
        skip = 1 if state.stage == "frozen" else 0
        if self.schedule.optimiser == "sgd":
            new = sgd_step(old[skip:], gradient[skip:], rates[skip:])
            return (*old[:skip], *new), state.optimiser
        s = state.optimiser
        moved, moments = adam_in_blocks(
            old[skip:],
            gradient[skip:],
            AdamState(s.step, s.mean[skip:], s.square[skip:]),
            rates[skip:],
        )
        new = (*old[:skip], *moved)
        if skip == 0 and self.schedule.project == "simplex":
            new = (project_to_simplex(new[0]), *new[1:])
        return new, AdamState(
            moments.step, (*s.mean[:skip], *moments.mean), (*s.square[:skip], *moments.square)
        )

    def _rates(self, state: TrainingState) -> list[float]:
        """The rate of each array of `flatten`."""
        rates = self.schedule.rates
        group = {"embedding": rates.embedding, "output": rates.output}
        return [
            group.get(name, rates.attention if name.endswith("attention") else rates.features)
            for name in names(state.parameters)
        ]

    def validate(self, state: TrainingState, began: float) -> TrainingState:
        """Validate the parameters, and keep them if they are the best so far."""
        most = self.schedule.validation_targets
        with np.errstate(all="ignore"):
            nats = validation_nats(state.parameters, self.configuration, self.validation, most)
        _check_finite("validation", nats)
        seen = state.batch_nats / state.batches if state.batches else None
        seconds = time.monotonic() - began
        record = Record(state.stage, state.epoch, state.targets, seconds, seen, nats)
        if self.on_record is not None:
            self.on_record(record)
        return state._replace(
            log=state.log.after(record, state.parameters, nats),
            batches=0,
            batch_nats=0.0,
            seconds=seconds,
        )

    def late(self, state: TrainingState) -> bool:
        """Whether the time limit is reached."""
        return self.schedule.seconds is not None and state.seconds > self.schedule.seconds

    def over(self, state: TrainingState) -> bool:
        """Whether a stage has ended."""
        return (
            state.epoch >= self.epochs(state.stage)
            or state.log.waited >= self.schedule.patience
            or self.late(state)
        )

    def next_stage(self, state: TrainingState, began: float) -> TrainingState:
        """The best parameters so far, at the beginning of the next stage that has epochs."""
        if state.batches or state.stage == "warm":
            state = self.validate(state, began)
        stages = ("warm", "frozen", "thawed", "done")
        later = stages[stages.index(state.stage) + 1 :]
        stage = next(s for s in later if s == "done" or self.epochs(s) > 0)
        return state._replace(
            stage="done" if self.late(state) else stage,
            epoch=0,
            position=0,
            parameters=state.log.best,
            optimiser=adam_start(flatten(state.log.best)),
            log=replace(state.log, waited=0),
        )


def _check_finite(which: str, nats: float) -> None:
    """Refuse a loss that is infinite or NaN."""
    if not np.isfinite(nats):
        raise _NonFinite(f"the {which} loss became {nats}")


def validation_nats(
    parameters: Parameters, configuration: Configuration, corpus: Corpus, most: int
) -> float:
    """Mean nats over (the first `most`) targets of a corpus."""
    cache = comparisons(parameters.embedding)
    total, count = 0.0, 0
    for chunk in corpus.chunks(min(1 << 13, corpus.targets)):
        nats = chunk_nats(parameters, configuration, chunk, cache)
        total += float(nats.sum(dtype=np.float64))
        count += nats.shape[0]
        if count >= most:
            break
    return total / count


def project_to_simplex(embedding: Array) -> Array:
    """Rows with negative entries set to zero and divided by their sum.   [D]

    >>> project_to_simplex(np.array([[0.5, -0.25, 0.5]])).tolist()
    [[0.5, 0.0, 0.5]]
    """
    kept = np.maximum(embedding, 0)
    return np.asarray(kept / np.maximum(kept.sum(axis=1, keepdims=True), 1e-12))
