"""The picture of the study of images.   (SPEC 7)"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from saffu_lab.records.pictures import COLOURS, canvas, plain_numbers
from saffu_lab.records.results import Line
from saffu_lab.replication.images.chapter import CHANCE, NAMES, Group, groups


def picture(lines: Sequence[Line]) -> Any:
    """Test nats of all rows, and validation nats by epoch."""
    data_sets = groups(lines)
    figure = canvas(11.0, 1.2 + 3.2 * max(1, len(data_sets)))
    axes = figure.subplots(max(1, len(data_sets)), 2, squeeze=False)
    for group, (left, right) in zip(data_sets, axes, strict=False):
        _bars(group, left)
        _courses(group, right)
    return figure


def _bars(group: Group, axis: Any) -> None:
    for at, row in enumerate(reversed(NAMES)):
        kind = "cold" if "cold" in row else "trained" if "trained" in row else "explicit"
        mean, low, high = group.nats(row)
        axis.plot([low, high], [at, at], color=COLOURS[kind], linewidth=2)
        axis.plot(mean, at, "o", color=COLOURS[kind])
    axis.axvline(CHANCE, color="0.5", linestyle="--", linewidth=1)
    axis.set(xscale="log", xlabel="nats per test image", title=group.name)
    plain_numbers(axis.xaxis)
    axis.set_yticks(range(len(NAMES)), list(reversed(NAMES)), fontsize=8)
    axis.grid(alpha=0.3)


def _courses(group: Group, axis: Any) -> None:
    for row, style in (
        ("one, trained", "--"),
        ("one, cold", "--"),
        ("two, trained", "-"),
        ("two, cold", "-"),
    ):
        for trial in group.chosen(row)[:1]:
            kind = "cold" if "cold" in row else "trained"
            axis.plot(trial["history"], style, color=COLOURS[kind], label=NAMES[row])
    axis.set(xscale="symlog", yscale="log", xlabel="epochs", ylabel="validation nats")
    axis.xaxis.set_major_formatter("{x:g}")
    plain_numbers(axis.yaxis)
    axis.grid(alpha=0.3)
    axis.legend(fontsize=7)
