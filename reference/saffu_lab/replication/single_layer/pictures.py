"""Single-layer study: its figures.   (SPEC 7)"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from saffu_lab.records.pictures import COLOURS, canvas, plain_numbers
from saffu_lab.records.results import Line
from saffu_lab.replication.single_layer.chapter import COLD, NAMES, Group, groups


def courses(lines: Sequence[Line]) -> Any:
    """Validation perplexity by epoch, one panel per radius."""
    styles = {
        "Adam from zeros": (COLOURS["cold"], "-"),
        "Adam from random": (COLOURS["cold"], "--"),
        "Adam from explicit": (COLOURS["explicit"], "-"),
        "Adam from slots": (COLOURS["direct"], "-"),
    }
    figure, axes = _panels(groups(lines))
    for group, axis in axes:
        for row, (colour, style) in styles.items():
            history = group.run(row)["history"]
            nats = np.exp([entry[1] for entry in history])
            axis.plot(nats, style, color=colour, label=NAMES[row], marker=".")
        optimum = float(np.exp(group.optimum["validation_nats"]))
        axis.axhline(optimum, color=COLOURS["outside"], linestyle=":", label=NAMES["optimum"])
        axis.set(xlabel="epochs", ylabel="validation perplexity", yscale="log")
        plain_numbers(axis.yaxis)
        axis.set_title(f"r = {group.radius}")
        axis.grid(alpha=0.3, which="both")
    _legend(axes)
    return figure


def distances(lines: Sequence[Line]) -> Any:
    """Distance of cold starts from the explicit solutions and the optimum, by epoch."""
    marks = {"explicit": COLOURS["explicit"], "slots": COLOURS["direct"], "optimum": "0.3"}
    names = {"explicit": "λ = 1", "slots": "one λ per slot", "optimum": "optimum"}
    figure, axes = _panels(groups(lines))
    for group, axis in axes:
        for row, style in zip(COLD, ("-", "--"), strict=True):
            run = group.run(row)
            for mark, colour in marks.items():
                column = 2 + run["marks"].index(mark)
                far = [entry[column][0] for entry in run["history"]]
                label = f"{names[mark]}, from {row.removeprefix('Adam from ')}"
                axis.plot(far, style, color=colour, label=label)
        axis.set(xlabel="epochs", ylabel="distance", ylim=(0, None))
        axis.set_title(f"r = {group.radius}")
        axis.grid(alpha=0.3)
    _legend(axes)
    return figure


def _panels(by_radius: Sequence[Group]) -> tuple[Any, list[tuple[Group, Any]]]:
    """A figure with one panel per radius."""
    columns = min(3, max(1, len(by_radius)))
    rows = max(1, -(-len(by_radius) // columns))
    figure = canvas(12.0, 0.4 + 3.3 * rows)
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    pairs = list(zip(by_radius, axes, strict=False))
    for axis in axes[len(by_radius) :]:
        axis.set_axis_off()
    return figure, pairs


def _legend(pairs: Sequence[tuple[Group, Any]]) -> None:
    """One legend, in the first panel."""
    for _, axis in pairs[:1]:
        axis.legend(fontsize=7)
