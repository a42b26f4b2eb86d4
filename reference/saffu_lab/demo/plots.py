"""Validation perplexity against time, both on logarithmic scales, as a PNG."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from saffu_lab.demo.outcome import Outcome, Point
from saffu_lab.records.pictures import canvas, plain_numbers, png


def curves(outcome: Outcome) -> bytes:
    """The plot of a contest: a curve for each training, a dot for each explicit solution.

    Refuses: matplotlib missing.
    """
    figure = canvas(7.5, 5.0)
    axes = figure.add_subplot()
    for name, colour in (("unigram", "0.6"), ("bigram, interpolated", "0.3")):
        level = outcome.row(name).curve[0].perplexity
        axes.axhline(level, color=colour, linestyle=":", linewidth=1, label=name)
    for tried in outcome.tried:
        _line(axes, tried.curve, color="tab:orange", alpha=0.4, linewidth=1)
    for name, colour in (
        ("backpropagation only, longer", "tab:orange"),
        ("explicit, then backpropagation", "tab:blue"),
    ):
        _line(axes, outcome.row(name).curve, color=colour, linewidth=2, label=name)
    for name, colour in (
        ("explicit only: SAFFU", "tab:blue"),
        ("explicit only: direct", "tab:green"),
    ):
        seconds, perplexity = outcome.row(name).curve[-1]
        axes.plot(seconds, perplexity, "o", color=colour, markersize=8, label=name)
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="seconds of work",
        ylabel="perplexity on validation text",
        title="How good, how soon",
    )
    plain_numbers(axes.xaxis, axes.yaxis)
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small", framealpha=0.9)
    return png(figure, dpi=120)


def _line(axes: Any, curve: Sequence[Point], **style: Any) -> None:
    """A curve without what a logarithmic scale cannot show."""
    points = [point for point in curve if point.seconds > 0]
    axes.plot([p.seconds for p in points], [p.perplexity for p in points], **style)
