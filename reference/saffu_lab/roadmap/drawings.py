"""The pictures of a map: parameters against perplexity, main effects, explicit against trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import numpy as np

from saffu_lab.records.pictures import COLOURS, canvas, plain_numbers
from saffu_lab.roadmap.analysis import Effects, levels_of
from saffu_lab.roadmap.summary import Findings

SHADES: Final = (
    *("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b"),
    *("#e377c2", "#7f7f7f", "#bcbd22", "#17becf", "#393b79", "#e7969c"),
)
"""Colours of the values of a factor; a thirteenth value reuses the first."""
STEPS: Final = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)
"""Tick labels per decade on an axis of perplexity."""


def drawings(name: str, findings: Findings) -> Mapping[str, Callable[[], Any]]:
    """The figures that can be drawn from what is measured, by file name."""
    pictures: dict[str, Callable[[], Any]] = {}
    if findings.solved:
        pictures[f"{name}-map"] = partial(draw_map, findings)
    if findings.effects is not None:
        pictures[f"{name}-effects"] = partial(draw_effects, findings.effects)
    if findings.trained:
        pictures[f"{name}-trained"] = partial(draw_trained, findings)
    return pictures


def draw_map(findings: Findings) -> Any:
    """Perplexity against parameters, all models; one panel per factor, for the two widest."""
    factors = list(findings.effects.spans) if findings.effects else []
    factors = (factors + list(levels_of([line["levels"] for line in findings.solved])))[:2]
    factors = list(dict.fromkeys(factors)) or [""]
    figure = canvas(6.2 * len(factors), 6.4)
    for place, factor in enumerate(factors, 1):
        axes = figure.add_subplot(1, len(factors), place)
        _points(axes, findings, factor)
        front = np.array([[one["parameters"], _perplexity(one)] for one in findings.front])
        axes.step(*front.T, where="post", color="black", linewidth=1.2, label="Pareto front")
        if findings.trained:
            after = [
                (one.parameters, np.exp(one.warm["validation_nats"])) for one in findings.trained
            ]
            style = {"marker": "x", "s": 26, "color": "0.35", "linewidths": 1}
            axes.scatter(*zip(*after, strict=True), **style, label="after backpropagation")
        if findings.baselines is not None:
            level = np.exp(findings.baselines["bigram"]["validation_nats"])
            axes.axhline(level, color="0.5", linestyle=":", label="interpolated bigram")
        axes.set(xscale="log", yscale="log", xlabel="parameters")
        axes.set_ylabel("validation perplexity" if place == 1 else "")
        axes.set_title(f"coloured by {factor.replace('_', ' ')}" if factor else "all models")
        plain_numbers(axes.yaxis, steps=STEPS)
        axes.grid(alpha=0.3)
        below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.11), "ncols": 3}
        axes.legend(fontsize=8, frameon=False, **below)
    return figure


def _points(axes: Any, findings: Findings, factor: str) -> None:
    values = levels_of([line["levels"] for line in findings.solved]).get(factor, [None])
    for i, value in enumerate(values):
        own = [line for line in findings.solved if value is None or line["levels"][factor] == value]
        along = [line["parameters"] for line in own]
        style = {"s": 18, "alpha": 0.8, "color": SHADES[i % len(SHADES)]}
        axes.scatter(along, [_perplexity(line) for line in own], **style, label=value)


def _perplexity(line: Mapping[str, Any]) -> float:
    return float(np.exp(line["validation_nats"]))


def draw_effects(effects: Effects) -> Any:
    """The main effect of every value with its interval; the widest factor on top."""
    order = list(effects.spans)
    rows = sorted(effects.effects, key=lambda effect: order.index(effect.factor))
    figure = canvas(7.5, 1.2 + 0.27 * (len(rows) + len(order)))
    axes = figure.add_subplot()
    places: list[float] = []
    at = 0.0
    for i, row in enumerate(rows):
        at += 1.8 if i and row.factor != rows[i - 1].factor else 1.0
        places.append(at)
        mean, low, high = (100 * (np.exp(x) - 1) for x in row.nats)
        shade = SHADES[order.index(row.factor) % len(SHADES)]
        style = {"fmt": "o", "color": shade, "capsize": 3, "markersize": 4}
        axes.errorbar(mean, at, xerr=[[mean - low], [high - mean]], **style)
    names = [f"{row.factor.replace('_', ' ')}: {row.value}" for row in rows]
    axes.set_yticks(places, names, fontsize=8)
    axes.invert_yaxis()
    axes.axvline(0, color="0.4", linewidth=0.8)
    axes.grid(alpha=0.3, axis="x")
    axes.set_xlabel(
        "change of perplexity from the mean over the factor's values, % (95 % intervals)"
    )
    axes.set_title("Main effects, explicit solutions")
    return figure


def draw_trained(findings: Findings) -> Any:
    """Perplexity after training against that of the explicit solution, one point per model."""
    figure = canvas(6.2, 5.6)
    axes = figure.add_subplot()
    groups: Sequence[tuple[str, bool, str]] = (
        ("random draw", True, COLOURS["explicit"]),
        ("among the best", False, COLOURS["trained"]),
    )
    for label, drawn, colour in groups:
        own = [one for one in findings.trained if one.drawn == drawn]
        if own:
            before = np.exp([one.explicit for one in own])
            after = np.exp([one.warm["validation_nats"] for one in own])
            axes.scatter(before, after, s=24, color=colour, label=f"{label}, warm start")
    cold = [one for one in findings.trained if one.cold is not None]
    if cold:
        before = np.exp([one.explicit for one in cold])
        after = np.exp([one.cold["validation_nats"] for one in cold if one.cold is not None])
        style = {"marker": "v", "s": 24, "color": COLOURS["cold"]}
        axes.scatter(before, after, **style, label="random draw, cold start")
    line = np.exp([f(one.explicit for one in findings.trained) for f in (min, max)])
    axes.plot(line, line, color="0.5", linestyle=":", label="no change")
    axes.set(xscale="log", yscale="log")
    axes.set_xlabel("validation perplexity of the explicit solution")
    axes.set_ylabel("validation perplexity after backpropagation")
    axes.set_title("Do explicit solutions predict the ranking after training?")
    plain_numbers(axes.xaxis, axes.yaxis, steps=STEPS)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, framealpha=0.9)
    return figure
