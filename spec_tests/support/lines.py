"""Lines as a measurement would leave them, made by hand."""

from __future__ import annotations

from typing import Any

from saffu_lab.records.results import Line

DOCUMENTS = 40


def a_test(row: str, perplexity_nats: float, **more: Any) -> Line:
    """The test of a model that needs so many nats a target; documents differ a little."""
    targets = [7 + i // 2 % 5 for i in range(DOCUMENTS)]
    nats = [n * perplexity_nats * (1 + 0.01 * (-1) ** i) for i, n in enumerate(targets)]
    line = {"do": "test", "row": row, "seed": 1, "targets": 1000, "recipe": {}, "text": "t"}
    return {**line, "nats": nats, "targets_tested": targets, "bytes_tested": 9, **more}


def a_trial(row: str, nats: float, history: list[list[Any]] | None = None, **more: Any) -> Line:
    """A trial of a model."""
    line = {"do": "trial", "row": row, "seed": 1, "targets": 1000, "recipe": {}, "text": "t"}
    line |= {"validation_nats": nats, "fit_cpu_seconds": 2.0, "parameters": 7}
    return {**line, **({"history": history} if history else {}), **more}
