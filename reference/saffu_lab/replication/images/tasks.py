"""Image study: one and two softmax layers, explicit, trained from there, and cold.   [P2]

Data sets are MNIST, if its files are available, with all and with fewer training images, and
scikit-learn's digits.  Each row of the tables has several trials, and is represented by the one
with the lowest cross-entropy on validation images.  All trials are run with the first seed; the
other seeds use the settings chosen there.  The test images are read once per seed and size, after
all of its trials.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import product
from typing import NamedTuple

from saffu_lab.records.results import Line
from saffu_lab.replication.chapters import Chapter
from saffu_lab.replication.images.chapter import text
from saffu_lab.replication.images.claims import claims
from saffu_lab.replication.images.classifiers import images_digest, read_test, try_out
from saffu_lab.replication.images.pictures import picture
from saffu_lab.study.sources import Sources
from saffu_lab.study.task import Answers, Task

NAME = "images"
ABOUT = "explicit solutions of one and two softmax layers on images of digits"

SEEDS = (1, 2, 3)
SIZES: dict[str, tuple[int | None, ...]] = {"mnist": (1000, 10_000, None), "digits": (None,)}


class Row(NamedTuple):
    """One row of the tables."""

    name: str
    trials: Sequence[Line]
    """recipes, see `saffu_lab.replication.images.classifiers`"""
    seconds: float
    """estimated duration of one trial on all of MNIST"""


def rows(few: bool, tiny: bool) -> list[Row]:
    """All rows and their trials; explicit and cold starts get equally many.

    Parameters: `few`, whether there are few images, so that epochs are short and cheap.
    """
    rates = (0.003,) if tiny else (0.001, 0.003, 0.01, 0.03)[: 4 if few else 3]
    axes = (1,) if tiny else (2, 4, 6)
    widths = (5,) if tiny else (5, 10)
    steps = (2,) if tiny else (30, 100, 300)
    soft = (0.5,) if tiny else (1.0, 0.5, 0.25)
    spread = (5.0,) if tiny else (5.0, 10.0, 20.0)
    trained = [[1 if tiny else 4, None]]
    most = {"epochs": 2 if tiny else 100 if few else 30}
    return [
        Row("one, λ = 1", [{"smoothing": 1.0, "temper": 1.0}], 1),
        Row("one", [{}], 1),
        Row("one, scaled", [{"steps": number} for number in steps], 15),
        Row("two, codes", [{"hidden": [[0, width]]} for width in widths], 2),
        Row("two, parts", [{"hidden": [[each, None]]} for each in axes], 8),
        Row("two, refitted", [{"hidden": [[a, None]], "refits": 3} for a in axes[-2:]], 30),
        Row("one, trained", [{"rate": rate, **most} for rate in rates], 4),
        Row(
            "one, cold",
            [{"start": "cold", "scale": [0.0], "rate": rate, **most} for rate in rates],
            4,
        ),
        Row(
            "two, trained",
            [
                {"hidden": trained, "soft": factor, "rate": rate, **most}
                for factor, rate in product(soft, rates)
            ],
            15,
        ),
        Row(
            "two, cold",
            [
                {"hidden": trained, "start": "cold", "scale": [0.03, s], "rate": rate, **most}
                for s, rate in product(spread, rates)
            ],
            15,
        ),
    ]


def tasks(sources: Sources, answers: Answers) -> list[Task]:
    """All tasks that can be named so far."""
    todo: list[Task] = []
    for data in ("digits", "mnist") if sources.mnist else ("digits",):
        for size in (None,) if sources.tiny else SIZES[data]:
            for seed in SEEDS[:2] if sources.tiny else SEEDS:
                todo += _tasks(data, size, seed, sources, answers)
    return todo


def _tasks(
    data: str, size: int | None, seed: int, sources: Sources, answers: Answers
) -> list[Task]:
    """The trials of one seed, and its test once they are done."""
    key = {"study": NAME, "data": data, "size": size, "images": images_digest(data, sources)}
    share = 0.05 if data == "digits" else (size or 54_000) / 54_000
    best = partial(best_recipe, key, answers=answers)
    todo: list[Task] = []
    chosen: dict[str, Line | None] = {}
    for row in rows(data == "digits" or size is not None, sources.tiny):
        if seed != SEEDS[0]:
            recipe = best(row, seed=SEEDS[0])
            row = row._replace(trials=[] if recipe is None else [recipe])
        for recipe in row.trials:
            named = trial_key(key, row.name, seed, recipe)
            todo.append(Task(named, try_out, max(0.3, share * row.seconds)))
        chosen[row.name] = best(row, seed=seed) if row.trials else None
    if all(recipe is not None for recipe in chosen.values()):
        todo.append(Task({**key, "do": "test", "seed": seed, "chosen": chosen}, read_test, 3.0))
    return todo


def trial_key(key: Line, row: str, seed: int, recipe: Line) -> Line:
    """The key of a trial."""
    return {**key, "do": "trial", "row": row, "seed": seed, "recipe": dict(recipe)}


def best_recipe(key: Line, row: Row, *, answers: Answers, seed: int) -> Line | None:
    """The recipe of a row with the lowest validation nats; None until all trials are done."""
    lines = [answers.get(trial_key(key, row.name, seed, recipe)) for recipe in row.trials]
    done = [line for line in lines if line is not None]
    good = [line for line in done if "failed" not in line]
    if len(done) < len(lines) or not good:
        return None
    recipe: Line = min(good, key=lambda line: float(line["validation_nats"]))["recipe"]
    return recipe


def chapter(lines: Sequence[Line]) -> Chapter:
    """The chapter made from the lines."""
    return Chapter(
        "Images of digits: one and two softmax layers",
        text(lines),
        claims(lines),
        {"images-nats": partial(picture, lines)},
    )
