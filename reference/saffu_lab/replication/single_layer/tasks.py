"""Single-layer study: explicit solutions, the optimum, and training from each start.   [P2]

The model is one softmax layer on one-hot contexts of 1 to 10 tokens.  Measured are explicit
solutions with several smoothings and tempers; the optimum of the same layer with pseudo-samples,
whose number is chosen on validation text; Adam with early stopping from zeros, from random weights
and from explicit solutions, each with the same candidate learning rates; and the distance of the
weights from the explicit solutions and from the optimum at every epoch.  The test text is read once
per radius.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from saffu_lab.records.results import Line
from saffu_lab.replication.chapters import Chapter
from saffu_lab.replication.single_layer.chapter import text
from saffu_lab.replication.single_layer.claims import claims
from saffu_lab.replication.single_layer.pictures import courses, distances
from saffu_lab.replication.single_layer.runs import descend, read_test, solve, train
from saffu_lab.study.sources import Sources, text_digest
from saffu_lab.study.task import Answers, Task

NAME = "single-layer"
ABOUT = "one softmax layer on one-hot contexts: explicit, optimal, trained"

RADII = (1, 2, 3, 5, 10)
STRENGTHS = (3.0, 10.0, 30.0, 100.0, 300.0)
"""α of `Backoff`; all but the smallest are also tried for P(α)"""
DISCOUNTS = (0.6, 0.75, 0.9)
RATES = (0.001, 0.003, 0.01, 0.03)
MOST = 300
"""limit of L-BFGS iterations; a fifth of it from zeros, a tenth for iterative scaling"""
STARTS = ("zeros", "random", "explicit", "slots")
SCALE = 0.1
"""standard deviation of the random initial weights"""


def tasks(sources: Sources, answers: Answers) -> list[Task]:
    """All tasks that can be named so far."""
    todo: list[Task] = []
    for radius in (1, 3) if sources.tiny else RADII:
        todo += _Radius(radius, sources, answers).tasks()
    return todo


class _Radius:
    """The tasks of one radius; each step is named once the previous one is done."""

    def __init__(self, radius: int, sources: Sources, answers: Answers) -> None:
        self.tiny, self.answers = sources.tiny, answers
        self.slow = 0.1 if sources.tiny else 1 + 0.2 * radius
        self.common: Line = {
            "study": NAME,
            "radius": radius,
            "vocabulary": 67 if sources.tiny else 256,
            "targets": 3_000 if sources.tiny else 60_000,
            "seed": 1,
            "text": text_digest(sources),
        }
        self.todo: list[Task] = []

    def lines(self, keys: Sequence[Line], work: Any, seconds: float) -> list[Line] | None:
        """Request tasks; returns their lines once all of them are there."""
        self.todo += [Task(key, work, seconds * self.slow) for key in keys]
        answers = [self.answers.get(key) for key in keys]
        done = [line for line in answers if line is not None]
        return done if len(done) == len(keys) else None

    def tasks(self) -> list[Task]:
        """All tasks that can be named so far."""
        self._named()
        return self.todo

    def _named(self) -> None:
        strengths = (10.0, 30.0) if self.tiny else STRENGTHS
        discounts = (0.75,) if self.tiny else DISCOUNTS
        kinds = [("backoff", s) for s in strengths] + [("discount", d) for d in discounts]
        keys = [{**self.common, "do": "solve", "kind": k, "strength": s} for k, s in kinds]
        solved = self.lines(keys, solve, 3.0)
        if solved is None:
            return
        explicit = chosen_explicit(solved)
        first = explicit["slots"]
        keys = [self._descent("lbfgs", first, s, 30) for s in strengths[-4:]]
        tried = self.lines(keys, descend, 7.0)
        if tried is None:
            return
        best = min(tried, key=lambda line: float(line["validation_nats"]))["strength"]
        optimum = {**self._descent("lbfgs", first, best, MOST), "keep": True, "explicit": explicit}
        scaling = {**self._descent("scaling", first, best, MOST // 10), "keep": True}
        scaling["explicit"] = {}
        cold = self._descent("lbfgs", None, best, MOST // 5)
        if self.lines([optimum, scaling, cold], descend, 15.0) is None:
            return
        runs: dict[str, Line] = {}
        for start in STARTS:
            keys = [self._training(start, rate, explicit, optimum) for rate in RATES]
            lines = self.lines(keys[:1] if self.tiny else keys, train, 7.0)
            if lines is not None:
                at = min(range(len(lines)), key=lambda i: float(lines[i]["validation_nats"]))
                runs[f"Adam from {start}"] = keys[at]
        if len(runs) == len(STARTS):
            made = {"optimum": optimum, "scaling": scaling, **runs}
            key = {**self.common, "do": "test", "explicit": explicit, "made": made}
            self.lines([key], read_test, 3.0)

    def _descent(self, by: str, first: Line | None, strength: float, most: int) -> Line:
        """The key of a minimisation of P(α)."""
        start = {"start": "zeros"} if first is None else {"start": "explicit", "from": first}
        about = {"do": "descend", "by": by, "strength": strength, "most": most, "keep": False}
        return {**self.common, **about, **start}

    def _training(self, start: str, rate: float, explicit: Line, optimum: Line) -> Line:
        """The key of a run of Adam."""
        return {
            **self.common,
            "do": "train",
            "start": start,
            "scale": SCALE if start == "random" else 0.0,
            "rate": rate,
            "epochs": 2 if self.tiny else 10,
            "explicit": {name: explicit[name] for name in ("explicit", "slots")},
            "optimum": optimum,
        }


def chosen_explicit(solved: Sequence[Line]) -> Line:
    """For each kind of explicit solution, the smoothing that is best on validation text."""
    backoff = [line for line in solved if line["kind"] == "backoff"]
    discount = [line for line in solved if line["kind"] == "discount"]
    ways = {
        "explicit": (backoff, "one"),
        "tempered": (backoff, "tempered"),
        "slots": (backoff, "slots"),
        "discounted": (discount, "slots"),
    }
    chosen: Line = {}
    for name, (lines, field) in ways.items():
        best = min(lines, key=partial(_nats, field))
        chosen[name] = {
            "kind": best["kind"],
            "strength": best["strength"],
            "tempers": best[field].get("tempers", [1.0]),
        }
    return chosen


def _nats(field: str, line: Line) -> float:
    return float(line[field]["nats"])


def chapter(lines: Sequence[Line]) -> Chapter:
    """The chapter made from the lines."""
    return Chapter(
        "One softmax layer as a language model",
        text(lines),
        claims(lines),
        {
            "single-layer-courses": partial(courses, lines),
            "single-layer-distances": partial(distances, lines),
        },
    )
