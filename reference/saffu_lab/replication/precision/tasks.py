"""Precision study: float32 against float64, and CPU seconds to reach a perplexity.   [D]

The same recipes are run in both precisions; the training histories give the CPU time to reach each
perplexity, including the explicit start.
"""

from __future__ import annotations

from saffu_lab.records.results import Line
from saffu_lab.replication.precision.chapter import chapter
from saffu_lab.study.selection import Row, row_tasks
from saffu_lab.study.sources import Sources
from saffu_lab.study.task import Answers, Task

NAME = "precision"
ABOUT = "float32 against float64; CPU seconds to reach each perplexity"

READS_ALSO = ("less-data",)
"""other studies whose lines the chapter reads for comparison"""
TARGETS = 100_000
LIMITS: Line = {"frozen": 12, "thawed": 4}
WAYS: dict[str, Line] = {
    "explicit, 128 bits": {},
    "explicit, 512 bits": {"bits": 512, "label_bits": 512},
    "explicit, one-hot slots": {"output": "direct", "attention": "uniform"},
    "explicit, then Adam": {"rate": 0.003, **LIMITS},
    "Adam from a cold start": {"rate": 0.003, "start": "cold", "scale": 1.0, **LIMITS},
}
TYPES = ("float32", "float64")
TINY: Line = {"vocabulary": 251, "contexts": "radial:3", "bits": 31, "label_bits": 29}

__all__ = ["ABOUT", "NAME", "chapter", "tasks"]


def tasks(sources: Sources, answers: Answers) -> list[Task]:
    """All tasks that can be named so far."""
    rows = []
    for name, way in WAYS.items():
        if sources.tiny:
            way = {**way, **TINY} | ({"frozen": 1, "thawed": 1} if "rate" in way else {})
        for dtype in TYPES:
            seconds = 60.0 if "rate" in way else 5.0
            recipe = {**way, "dtype": dtype}
            amount = 2_000 if sources.tiny else TARGETS
            rows.append(Row(f"{name}, {dtype}", [recipe], amount, 1, seconds))
    return row_tasks(NAME, rows, sources, answers)
