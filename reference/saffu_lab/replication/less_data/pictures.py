"""Less-data study: its figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from saffu_lab.records.comparison import perplexity
from saffu_lab.records.evidence import estimate
from saffu_lab.records.pictures import canvas, plain_numbers
from saffu_lab.records.results import Line
from saffu_lab.replication.chapters import select
from saffu_lab.replication.less_data.row_names import ROWS, colour_of, short


def draw_sizes(tests: Sequence[Line]) -> Any:
    """Test perplexity of every row against training targets."""
    figure = canvas(8.5, 5.4)
    axis = figure.subplots()
    for row, look in ROWS.items():
        sizes = sorted({line["targets"] for line in select(tests, row=row)})
        if not sizes or look.style is None:
            continue
        logs = [
            estimate([float(np.log(perplexity(x))) for x in select(tests, row=row, targets=size)])
            for size in sizes
        ]
        axis.errorbar(
            sizes, [np.exp(e.mean) for e in logs],
            yerr=[[np.exp(e.mean) - np.exp(e.low) for e in logs],
                  [np.exp(e.high) - np.exp(e.mean) for e in logs]],
            linestyle=look.style, marker="o", markersize=3, color=colour_of(row), label=short(row),
            linewidth=1.4, elinewidth=0.8,
        )  # fmt: skip
    axis.set(xscale="log", yscale="log", xlabel="training targets", ylabel="test perplexity")
    plain_numbers(axis.xaxis, axis.yaxis)
    axis.grid(alpha=0.3, which="both")
    axis.legend(fontsize="x-small", ncols=2)
    return figure


def draw_curves(tests: Sequence[Line], trials: Sequence[Line]) -> Any:
    """Validation perplexity against CPU seconds: the chosen runs of the first seed."""
    sizes = sorted({line["targets"] for line in tests})
    figure = canvas(3.4 * max(len(sizes), 1), 3.6)
    axes = figure.subplots(1, max(len(sizes), 1), squeeze=False)[0]
    for axis, size in zip(axes, sizes, strict=False):
        for row in ("cold", "warm", "transformer", "one-hot cold"):
            for test in select(tests, row=row, targets=size, seed=1):
                for run in select(trials, row=row, targets=size, seed=1, recipe=test["recipe"]):
                    before = run["fit_cpu_seconds"] - run["history"][-1][2]
                    axis.plot(
                        [max(before, 0.0) + x[2] for x in run["history"]],
                        [np.exp(x[3]) for x in run["history"]],
                        color=colour_of(row), label=short(row),
                        linestyle="--" if row == "one-hot cold" else "-",
                    )  # fmt: skip
        for row in ("explicit", "explicit direct"):
            for run in select(trials, row=row, targets=size, seed=1)[:1]:
                level = float(np.exp(run["validation_nats"]))
                axis.plot(run["fit_cpu_seconds"], level, "o", color=colour_of(row))
        axis.set(title=f"{size:,} targets", xlabel="CPU seconds", xscale="log", yscale="log")
        plain_numbers(axis.yaxis)
        axis.grid(alpha=0.3, which="both")
    axes[0].set_ylabel("validation perplexity")
    axes[0].legend(fontsize="x-small")
    return figure
