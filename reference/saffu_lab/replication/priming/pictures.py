"""Priming study: its figure.   (SPEC 7)"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from saffu_lab.records.pictures import COLOURS, canvas, plain_numbers
from saffu_lab.records.results import Line
from saffu_lab.replication.priming.chapter import groups


def curves(lines: Sequence[Line]) -> Any:
    """Validation nats against K, one panel per data set."""
    data_sets = groups(lines)
    rows = max(1, (len(data_sets) + 1) // 2)
    figure = canvas(11.0, 0.6 + 3.2 * rows)
    axes = list(figure.subplots(rows, 2, squeeze=False).flat)
    for axis in axes[len(data_sets) :]:
        axis.set_axis_off()
    for group, axis in zip(data_sets, axes, strict=False):
        sweep = group.sweep("mean")
        full = [(point[0], point[1]) for point in sweep["curve"]]
        cool = [(point[0], point[3]) for point in sweep["curve"] if len(point) > 3]
        axis.plot(*zip(*full, strict=True), color=COLOURS["explicit"], label="λ = 1")
        style = {"linestyle": "--", "color": COLOURS["direct"], "label": "best λ for each K"}
        axis.plot(*zip(*cool, strict=True), **style)
        axis.axvline(group.mean, color=COLOURS["outside"], label="mean norm")
        best = sweep["ways"]["best"]
        if best["kappa"] > 0:
            at = 1 / best["kappa"]
            axis.plot(at, best["nats"], "o", color=COLOURS["cold"], label=f"best K, {at:.3g}")
        low = min(nats for _, nats in cool)
        axis.set(
            xscale="log", yscale="log", ylim=(0.9 * low, 4 * max(group.nats("mean").mean, low))
        )
        axis.set(xlabel="K", ylabel="validation nats", title=group.name)
        axis.xaxis.set_major_formatter("{x:g}")
        plain_numbers(axis.yaxis)
        axis.grid(alpha=0.3)
        axis.legend(fontsize=8)
    return figure
