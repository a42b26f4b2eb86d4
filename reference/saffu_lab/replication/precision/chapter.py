"""What the study of precision and cost says."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from saffu_lab.records.comparison import gap, perplexity
from saffu_lab.records.evidence import Verdict
from saffu_lab.records.pictures import COLOURS, canvas, plain_numbers
from saffu_lab.records.results import Line, table
from saffu_lab.replication.chapters import Chapter, Claim, select

SMALL = 0.005
"""nats a target that are no difference worth speaking of"""
LEVELS = (150, 120, 100, 90, 80, 75, 70)
"""validation perplexities whose price is given"""

TEXT = """\
Each way to a model of {targets} targets, in both precisions, with the same recipe and seed. The
gap is that of the test text, float32 minus float64, with the interval over its documents.

{types}

**What a perplexity costs.** CPU seconds, one thread, from the training text to the first model
that is as good on validation text; for the trained models read off their histories, the explicit
start included. Energy was not measured: the machine does not say what it draws.

{prices}

![What a perplexity costs](replication/precision-cost.png)

    saffu replicate precision
"""


def chapter(lines: Sequence[Line]) -> Chapter:
    """What the lines say."""
    tests, trials = select(lines, do="test"), select(lines, do="trial")
    text = TEXT.format(
        targets=f"{tests[0]['targets']:,}" if tests else "–",
        types=types_table(tests, trials),
        prices=price_table(trials),
    )
    pictures = {"precision-cost": partial(draw_cost, trials)}
    return Chapter("Precision and cost", text, [claim(tests)], pictures)


def ways(lines: Sequence[Line]) -> list[str]:
    """The ways, without their precision."""
    return list(dict.fromkeys(line["row"].rpartition(", ")[0] for line in lines))


def claim(tests: Sequence[Line]) -> Claim:
    """float32 is enough where it costs less than 0.005 nats."""
    answers, parts = [], []
    for way in ways(tests):
        pair = [select(tests, row=f"{way}, {dtype}") for dtype in ("float32", "float64")]
        if all(pair):
            difference = gap(pair[0][0], pair[1][0])
            answers.append(abs(difference.nats) < SMALL)
            parts.append(f"{way}: {difference.nats:+.4f}")
    verdict: Verdict = "not measured"
    if answers:
        some: Verdict = "holds with conditions" if any(answers) else "does not hold"
        verdict = "holds" if all(answers) else some
    return Claim(
        f"float32 is enough: it changes less than {SMALL} nats a target",
        "[D]",
        verdict,
        "float32 minus float64, nats: " + "; ".join(parts),
    )


def types_table(tests: Sequence[Line], trials: Sequence[Line]) -> str:
    """Perplexities and CPU seconds in both precisions."""
    rows = []
    for way in ways(tests):
        cells, pair = [way], []
        for dtype in ("float32", "float64"):
            tested = select(tests, row=f"{way}, {dtype}")
            runs = select(trials, row=f"{way}, {dtype}")
            pair += tested
            cells.append(f"{perplexity(tested[0]):.2f}" if tested else "–")
            cells.append(f"{runs[0]['fit_cpu_seconds']:.1f}" if runs else "–")
        if len(pair) == 2:
            nats, low, high = gap(*pair)
            cells.append(f"{nats:+.5f} ({low:+.5f} … {high:+.5f})")
        else:
            cells.append("–")
        rows.append(cells)
    return table(["way", "float32", "CPU s", "float64", "CPU s", "gap, nats"], rows)


def course(run: Line) -> list[tuple[float, float]]:
    """CPU seconds and validation perplexity along a way."""
    if "history" not in run:
        return [(run["fit_cpu_seconds"], float(np.exp(run["validation_nats"])))]
    before = run["fit_cpu_seconds"] - run["history"][-1][2]
    return [(before + x[2], float(np.exp(x[3]))) for x in run["history"]]


def price_table(trials: Sequence[Line]) -> str:
    """CPU seconds until each perplexity, in float32."""
    runs = [line for line in trials if line["row"].endswith("float32")]
    rows = []
    for run in runs:
        cells = [run["row"].rpartition(", ")[0]]
        for level in LEVELS:
            seconds = [s for s, p in course(run) if p <= level]
            cells.append(f"{min(seconds):.1f}" if seconds else "–")
        rows.append(cells)
    return table(["way", *(f"≤ {level}" for level in LEVELS)], rows)


def draw_cost(trials: Sequence[Line]) -> Any:
    """Validation perplexity against CPU seconds."""
    figure = canvas(7.5, 4.6)
    axis = figure.subplots()
    colours = [COLOURS[name] for name in ("explicit", "outside", "direct", "trained", "cold")]
    for way, colour in zip(ways(trials), colours, strict=False):
        for dtype, style in (("float32", "-"), ("float64", ":")):
            for run in select(trials, row=f"{way}, {dtype}"):
                places = course(run)
                marker = "o" if len(places) == 1 else ""
                axis.plot(
                    *zip(*places, strict=True), linestyle=style, marker=marker, color=colour,
                    label=way if dtype == "float32" else None,
                )  # fmt: skip
    axis.set(xscale="log", yscale="log", xlabel="CPU seconds", ylabel="validation perplexity")
    axis.set_title("solid: float32, dotted: float64")
    plain_numbers(axis.xaxis, axis.yaxis)
    axis.grid(alpha=0.3, which="both")
    axis.legend(fontsize="small")
    return figure
