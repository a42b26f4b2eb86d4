"""Less data: explicit only, the best cold start, and backpropagation after a warm start.   [P1]

10,000 to 1,000,000 training targets of one text.  The cold start is tuned over learning rate *and*
initial scale, the warm one over the rate; both on validation text, for the first seed, and the
other seeds take the settings found there.  All runs of one size have the same limits of epochs and
the same early stopping.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

from saffu.experiments.results import Line
from saffu.study.rows import Row, best_trial, row_tasks
from saffu.study.sources import Sources
from saffu.study.task import Answers, Task

NAME = "less-data"


class Size(NamedTuple):
    """One amount of training text, and how much is tried there."""

    targets: int
    cold: Sequence[tuple[float, float]]
    """learning rate, initial scale"""
    frozen: int
    """epochs at most"""
    thawed: int
    checks: int
    """validations an epoch"""
    seconds: float
    """a guess for one training"""


MANY = (*product((0.003, 0.01, 0.03), (0.3, 1.0)), (0.01, 0.1))
SIZES = (
    Size(10_000, MANY, 24, 8, 1, 15),
    Size(30_000, MANY, 24, 8, 1, 35),
    Size(100_000, MANY, 24, 8, 2, 90),
    Size(
        300_000, ((0.003, 0.3), (0.003, 1.0), (0.01, 0.3), (0.01, 1.0), (0.03, 1.0)), 12, 4, 2, 170
    ),
    Size(1_000_000, ((0.003, 1.0), (0.01, 0.3), (0.01, 1.0)), 5, 2, 2, 270),
)
WARM = (0.003, 0.01)
"""learning rates after the explicit solution"""
SEEDS = (1, 2, 3)

TINY_SHAPE: Line = {"vocabulary": 251, "contexts": "radial:3", "bits": 31, "label_bits": 29}
TINY_SIZES = (
    Size(2_000, ((0.03, 0.3), (0.03, 1.0)), 1, 1, 1, 1),
    Size(6_000, ((0.03, 0.3), (0.03, 1.0)), 1, 1, 1, 1),
)


def tasks(sources: Sources, answers: Answers) -> list[Task]:
    """All tasks that can be named so far."""
    todo: list[Task] = []
    for size in TINY_SIZES if sources.tiny else SIZES:
        for seed in SEEDS[:2] if sources.tiny else SEEDS:
            todo += row_tasks(NAME, rows(size, seed, sources, answers), sources, answers)
    return todo


def rows(size: Size, seed: int, sources: Sources, answers: Answers) -> list[Row]:
    """The rows of one amount of text and one seed."""
    shape = TINY_SHAPE if sources.tiny else {}
    limits = {"frozen": size.frozen, "thawed": size.thawed, "checks": size.checks}
    cold = [{**shape, "start": "cold", "scale": s, "rate": r, **limits} for r, s in size.cold]
    warm = [{**shape, "rate": rate, **limits} for rate in WARM]
    named = [
        Row("explicit", [dict(shape)], size.targets, seed, 5.0),
        Row("warm", warm, size.targets, seed, size.seconds),
        Row("cold", cold, size.targets, seed, size.seconds),
    ]
    if seed == SEEDS[0]:
        return named
    first = [row._replace(seed=SEEDS[0]) for row in named]
    chosen = [best_trial(NAME, row, sources, answers) for row in first]
    return [
        row._replace(trials=[best["recipe"]])
        for row, best in zip(named, chosen, strict=True)
        if best is not None
    ]
