"""One text, one split, one shape of model, and every way to its parameters.   (SPEC 7)

None, counts, explicit solutions, backpropagation from random starts, and backpropagation from the
explicit solution.  All choices are made on validation text; the test text is read once a row.

Backpropagation alone gets the wall-clock time that the explicit solution took, and then as much
more as backpropagation after the explicit solution gets.  Several random starts and rates are tried
for at most half of that time; the best goes on, and the others are not charged to it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from saffu.configuration import DIRECT, Configuration
from saffu.errors import TrainingInterrupted
from saffu.models.baselines import continue_text, fit_baselines, measure
from saffu.models.training import (
    Rates,
    Record,
    Schedule,
    TrainingState,
    start_training,
    train,
    validation_nats,
)
from saffu.models.transformer import SaffuTransformer
from saffu.parameters import Parameters
from saffu.progress import Progress, silent
from saffu.search.direct import DirectChoice
from saffu.search.warm import ChosenStart
from saffu_lab.demo.outcome import DemoSettings, Outcome, Point, Row, Text, Tried

PROMPT = "The"
TOKENS = 40
"""of a sample, at most"""
FOREVER = 1_000_000
"""epochs, or checks without progress: only time ends a training here"""


class Course(NamedTuple):
    """A model on its way: what it has cost so far, and how good it was when."""

    model: SaffuTransformer
    seconds: float = 0.0
    targets: int = 0
    curve: tuple[Point, ...] = ()
    state: TrainingState | None = None
    """of its backpropagation, if it has begun"""


def unheard(row: Row) -> None:
    """A row that nobody waits for."""


@dataclass
class Contest:
    """All ways to a model of one text; the rows, as they come in."""

    text: Text
    settings: DemoSettings
    seed: int
    progress: Progress = silent
    say: Callable[[Row], None] = unheard
    rows: list[Row] = field(default_factory=list)
    tried: list[Tried] = field(default_factory=list)
    closing: float = 0.0
    """seconds that the last row took to be measured"""

    def run(self, began: float) -> Outcome:
        """Every row; the minute began at `began`, on the clock `time.perf_counter`."""
        settings, shape = self.settings, self.settings.shape
        self.count_only()
        zeros = self.model(shape)
        zeros.cold_start(self.text.train, scale=0.0, seed=self.seed)
        self.add("cold start: zeros", Course(zeros), "no parameters yet: perplexity V")
        self.solve("explicit only: direct", replace(
            DIRECT, vocabulary=shape.vocabulary, contexts=shape.contexts, bits=shape.bits
        ))  # fmt: skip
        warm = self.solve("explicit only: SAFFU", shape)
        left = settings.seconds - (time.perf_counter() - began)
        each = max(settings.least, left / len(settings.starts)) / 2
        cold, rate = self.choose_start(min(warm.seconds / 2, each))
        cold = self.train(cold, rate, warm.seconds - cold.seconds)
        best_of = f"best of {len(settings.starts)} starts"
        self.add("backpropagation only, same time", cold, f"{best_of}; rate {rate:g}")
        left = settings.seconds - (time.perf_counter() - began)
        more = max(settings.least, left / 2 - self.closing)
        cold = self.train(cold, rate / 3, more)
        lower = f"then rate {rate / 3:.2g}; {still(cold)}"
        self.add("backpropagation only, longer", cold, f"{best_of}; {lower}")
        warm = self.train(warm, settings.warm_rate, more)
        note = f"one setting; rate {settings.warm_rate:g}; {still(warm)}"
        self.add("explicit, then backpropagation", warm, note)
        spent = time.perf_counter() - began
        return Outcome(self.text, settings, self.seed, tuple(self.rows), tuple(self.tried), spent)

    def model(self, shape: Configuration) -> SaffuTransformer:
        """A model of the text without parameters."""
        return SaffuTransformer(shape, self.text.tokeniser, self.text.vocabulary)

    def count_only(self) -> None:
        """Unigram and bigram."""
        began = time.perf_counter()
        both = fit_baselines(self.text.train, self.text.validation, len(self.text.vocabulary))
        seconds = time.perf_counter() - began
        for name, baseline, note in (
            ("unigram", both.unigram, "counts alone"),
            ("bigram, interpolated", both.bigram, "weights chosen by expectation-maximisation"),
        ):
            curve = (Point(seconds, measure(baseline, self.text.watched).perplexity),)
            words = continue_text(
                baseline,
                self.text.tokeniser,
                self.text.vocabulary,
                PROMPT,
                tokens=TOKENS,
                seed=self.seed,
            )
            test = measure(baseline, self.text.test)
            self.rows.append(Row(name, test, seconds, self.text.train.targets, note, words, curve))
            self.say(self.rows[-1])

    def solve(self, name: str, shape: Configuration) -> Course:
        """An explicit solution."""
        model = self.model(shape)
        began = time.perf_counter()
        chosen = model.warm_start(
            self.text.train, self.text.validation, seed=self.seed, progress=self.progress
        )
        seconds = time.perf_counter() - began
        point = Point(seconds, model.perplexity(self.text.watched))
        course = Course(model, seconds, self.text.train.targets, (point,))
        self.add(name, course, choices(chosen))
        return course

    def choose_start(self, seconds: float) -> tuple[Course, float]:
        """The start and rate that are best on validation text after a number of seconds."""
        best: tuple[float, Course, float] | None = None
        for scale, rate in self.settings.starts:
            model = self.model(self.settings.shape)
            model.cold_start(self.text.train, scale=scale, seed=self.seed)
            course = self.train(Course(model), rate, seconds)
            reached = min(point.perplexity for point in course.curve)
            self.tried.append(Tried(scale, rate, reached, course.curve))
            if best is None or reached < best[0]:
                best = (reached, course, rate)
        assert best is not None
        return best[1], best[2]

    def train(self, course: Course, rate: float, seconds: float) -> Course:
        """Backpropagation from where a course stands, for a number of seconds."""
        model = self.model(course.model.configuration)
        state = course.state
        if state is None:
            assert isinstance(course.model.parameters, Parameters)
            state = start_training(course.model.parameters)
        before = state
        state = train_for(
            seconds, state, model.configuration, self.text, rate, self.seed, self.progress
        )
        model.parameters = state.log.best
        points = tuple(
            Point(
                course.seconds - before.seconds + record.seconds, math.exp(record.validation_nats)
            )
            for record in state.log.history[len(before.log.history) :]
        )
        return Course(
            model,
            course.seconds - before.seconds + state.seconds,
            course.targets - before.targets + state.targets,
            course.curve + points,
            state,
        )

    def add(self, name: str, course: Course, note: str) -> None:
        """A row for where a course stands; the test text is read here, and nowhere else."""
        began = time.perf_counter()
        test = course.model.nats(self.text.test)
        words = course.model.generate(PROMPT, tokens=TOKENS, seed=self.seed)
        self.closing = time.perf_counter() - began
        row = Row(name, test, course.seconds, course.targets, note, words, course.curve)
        self.rows.append(row)
        self.say(self.rows[-1])


def train_for(
    seconds: float,
    state: TrainingState,
    shape: Configuration,
    text: Text,
    rate: float,
    seed: int,
    progress: Progress,
) -> TrainingState:
    """Backpropagation with frozen embeddings from a state, stopped after a number of seconds.

    The state goes on as if it had not been stopped; its `best` is looked for at the end, too.
    """
    schedule = Schedule(
        rates=Rates.all(rate),
        frozen_epochs=FOREVER,
        thawed_epochs=0,
        checks=10,
        patience=FOREVER,
        seed=seed,
    )
    end = time.monotonic() + seconds

    def watch(stage: str, done: int, total: int) -> None:
        progress(stage, done, total)
        if time.monotonic() >= end:
            raise KeyboardInterrupt

    try:
        state = train(state, shape, text.train, text.watched, schedule, progress=watch)
    except TrainingInterrupted as stopped:
        if time.monotonic() < end:
            raise
        state = stopped.state
    nats = validation_nats(state.parameters, shape, text.watched, text.watched.targets)
    last = Record(state.stage, state.epoch, state.targets, state.seconds, None, nats)
    return state._replace(log=state.log.after(last, state.parameters, nats))


def choices(chosen: ChosenStart | DirectChoice) -> str:
    """What was chosen for an explicit solution, in words."""
    if isinstance(chosen, DirectChoice):
        smoothing = chosen.smoothing
        return f"{type(smoothing).__name__} {smoothing.strength:g}, one temper per slot"
    s = chosen.settings
    alphas = f"α {s.hidden_smoothing.strength:g} and {s.output_smoothing.strength:g}"
    return f"{alphas}, temper of U × {s.hidden_scale:g}"


def still(course: Course) -> str:
    """Whether the training could have gone on with profit."""
    best = min(course.curve, key=lambda point: point.perplexity)
    if best is course.curve[-1]:
        return "still falling"
    return f"best after {best.seconds:.0f} s"
