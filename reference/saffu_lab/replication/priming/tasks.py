"""Priming study: whether the mean norm of the inputs is the best priming number K.   [T]

K is the one parameter of the explicit solution that is not a count.  The lecture states that the
mean norm is the best choice; here K is swept on images and text, next to the temper λ, which weighs
the evidence.  Smoothing, the best K and the best λ are chosen on validation data, the latter two by
Newton's method; the test data are read once.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from saffu_lab.records.results import Line
from saffu_lab.replication.chapters import Chapter
from saffu_lab.replication.images.classifiers import images_digest
from saffu_lab.replication.priming.chapter import claims, text
from saffu_lab.replication.priming.curves import read_test, sweep
from saffu_lab.replication.priming.pictures import curves
from saffu_lab.study.sources import Sources, text_digest
from saffu_lab.study.task import Answers, Task

NAME = "priming"
ABOUT = "the priming number K against the mean norm, and the temper λ"

IMAGES = {"digits": (1.0, 0.1), "mnist": (1.0, 0.01)}
"""image data sets, and the factors by which pixels in 0 … 1 are multiplied"""
TEXTS = ("slots", "sentence bags", "sentence means")
STRENGTHS = (0.01, 0.1, 1.0, 10.0, 100.0, 1000.0, 10_000.0)
"""α of `Backoff`, multiplied by the factor of the pixels"""
WAYS = ("mean", "unit", "best", "tempered", "both")


def tasks(sources: Sources, answers: Answers) -> list[Task]:
    """All tasks that can be named so far."""
    benches: list[Line] = []
    for name in ("digits", "mnist") if sources.mnist else ("digits",):
        about = {"data": name, "images": images_digest(name, sources)}
        benches += [{**about, "scale": scale} for scale in IMAGES[name]]
    benches += [{"data": name, "scale": 1.0, "text": text_digest(sources)} for name in TEXTS]
    todo: list[Task] = []
    for bench in benches:
        common = {"study": NAME, **bench}
        strengths = STRENGTHS[2:4] if sources.tiny else STRENGTHS
        keys = [{**common, "do": "sweep", "strength": s * bench["scale"]} for s in strengths]
        todo += [Task(key, sweep, 5.0) for key in keys]
        lines = [answers.get(key) for key in keys]
        if all(line is not None for line in lines):
            chosen = best_of_each([line for line in lines if line is not None])
            todo.append(Task({**common, "do": "test", "chosen": chosen}, read_test, 3.0))
    return todo


def best_of_each(lines: Sequence[Line]) -> Line:
    """For each way, the smoothing with the lowest validation nats, with its λ and κ."""
    good = [line for line in lines if "failed" not in line]
    chosen: Line = {}
    for way in WAYS if good else ():
        best = min(good, key=partial(_nats, way))
        chosen[way] = {name: best["ways"][way][name] for name in ("lambda", "kappa")}
        chosen[way]["strength"] = best["strength"]
    return chosen


def _nats(way: str, line: Line) -> float:
    return float(line["ways"][way]["nats"])


def chapter(lines: Sequence[Line]) -> Chapter:
    """The chapter made from the lines."""
    return Chapter(
        "The priming number",
        text(lines),
        claims(lines),
        {"priming-curves": partial(curves, lines)},
    )
