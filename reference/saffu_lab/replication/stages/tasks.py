"""Stages study: gain and cost of warm, frozen and thawed training; text for a warm start.   [T]

Measured are explicit solutions of increasing amounts of text; the three stages on 100,000 targets,
also with stages left out; and the same training from warm starts solved on part of the targets.
"""

from __future__ import annotations

from saffu_lab.records.results import Line
from saffu_lab.replication.stages.chapter import chapter
from saffu_lab.study.selection import Row, row_tasks
from saffu_lab.study.sources import Sources
from saffu_lab.study.task import Answers, Task

NAME = "stages"
ABOUT = "curves and costs of warm, frozen and thawed; how much text the warm start needs"

SEEDS = (1, 2, 3)
AMOUNTS = (1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
WIDTHS: dict[str, Line] = {
    "128 bits": {},
    "512 bits": {"bits": 512, "label_bits": 512},
    "one-hot slots": {"output": "direct", "attention": "uniform"},
}
TRAINED = 100_000
STARTS = (1_000, 3_000, 10_000, 30_000, None)
RATE = 0.003
PLANS: dict[str, Line] = {
    "freeze, then thaw": {"frozen": 12, "thawed": 6},
    "freeze only": {"frozen": 18, "thawed": 0},
    "thaw at once": {"frozen": 0, "thawed": 18},
    "thaw at once, E at the full rate": {"frozen": 0, "thawed": 18, "thaw_rate": RATE},
}
TINY: Line = {"vocabulary": 251, "contexts": "radial:3", "bits": 31, "label_bits": 29}

__all__ = ["ABOUT", "NAME", "chapter", "tasks"]


def tasks(sources: Sources, answers: Answers) -> list[Task]:
    """All tasks that can be named so far."""
    base = TINY if sources.tiny else {}
    rows: list[Row] = []
    for seed in SEEDS[:1] if sources.tiny else SEEDS:
        for amount in (1_000, 3_000) if sources.tiny else AMOUNTS:
            for name, shape in list(WIDTHS.items())[:: 2 if sources.tiny else 1]:
                wide = {} if sources.tiny and "bits" in shape else shape
                rows.append(Row(f"explicit, {name}", [{**base, **wide}], amount, seed, 6.0))
    amount = 3_000 if sources.tiny else TRAINED
    for name, plan in PLANS.items():
        less = {key: min(value, 1) for key, value in plan.items()} if sources.tiny else plan
        recipe = {**base, "rate": RATE, **less}
        rows.append(Row(name, [recipe], amount, SEEDS[0], 60.0))
    first = {"frozen": 1, "thawed": 1} if sources.tiny else PLANS["freeze, then thaw"]
    for start in STARTS[:1] if sources.tiny else STARTS[:-1]:
        recipe = {**base, "rate": RATE, "start_targets": start, **first}
        rows.append(Row(f"warm start of {start:,}", [recipe], amount, SEEDS[0], 60.0))
    return row_tasks(NAME, rows, sources, answers)
