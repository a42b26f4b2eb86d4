"""Precision study: the chapter on float32 against float64, and CPU seconds per perplexity."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from saffu_lab.records.comparison import gap, perplexity
from saffu_lab.records.evidence import Answer
from saffu_lab.records.pictures import COLOURS, canvas, plain_numbers
from saffu_lab.records.results import Line, table
from saffu_lab.replication.chapters import Chapter, Claim, amounts, seeds_of, select

SMALL = 0.005
"""nats per target: a smaller difference counts as none"""
BORROWED = "less-data"
"""the study whose tuned cold and warm starts are in the table of costs"""
TUNED = {"cold": "Adam from a cold start, tuned", "warm": "explicit, then Adam, tuned"}
"""its rows, and their names here"""
LEVELS = (150, 120, 100, 90, 80, 75, 70)
"""validation perplexities whose cost is given"""

TEXT = """\
Every kind of model on {targets} targets, in both precisions, with the same recipe and seed: test
perplexity, CPU seconds, and the difference on the test text, float32 minus float64, with the
interval over its documents.

{types}

{same}**CPU time to reach a perplexity.** CPU seconds on one thread from the training text to the
first model with that validation perplexity. For trained models they are read off the training
history and include the explicit start. The trainings of this study use one untuned setting each.
The tuned rows are runs of the chapter on [less data](#less-data) with the same amount of text and
the first seed, in the setting that was best on validation text; the time spent on the other
settings is not counted. Energy was not measured, because the machine does not report its power
draw.

{prices}

{reading}

![CPU time to reach a perplexity](replication/precision-cost.png)

    saffu replicate precision
"""
SAME = """\
*{ways}*: both columns are one measurement, identical to the last digit, because direct
models always compute in double precision, whatever their `dtype`. They are no evidence for float32
and are excluded from the claim.

"""


def chapter(lines: Sequence[Line]) -> Chapter:
    """The chapter made from the lines; those of the less-data study are for comparison."""
    own = [line for line in lines if line.get("study") != BORROWED]
    tests, trials = select(own, do="test"), select(own, do="trial")
    same = identical(tests)
    runs = [*(x for x in trials if x["row"].endswith("float32")), *tuned(lines, trials)]
    text = TEXT.format(
        targets=f"{tests[0]['targets']:,}" if tests else "–",
        types=types_table(tests, trials),
        same=SAME.format(ways=", ".join(same)) if same else "",
        prices=price_table(runs),
        reading=reading(runs),
    )
    pictures = {"precision-cost": partial(draw_cost, [*trials, *tuned(lines, trials)])}
    return Chapter("Precision and cost", text, [claim(tests)], pictures)


def tuned(lines: Sequence[Line], trials: Sequence[Line]) -> list[Line]:
    """The chosen runs of the less-data study on the same amount of the same text, first seed."""
    runs = []
    for targets, text in {(line["targets"], line["text"]) for line in trials}:
        for row, name in TUNED.items():
            same = {"study": BORROWED, "do": "trial", "row": row, "seed": 1}
            tried = select(lines, **same, targets=targets, text=text)
            if tried:
                best = min(tried, key=lambda line: float(line["validation_nats"]))
                runs.append({**best, "row": f"{name}, float32"})
    return runs


def identical(tests: Sequence[Line]) -> list[str]:
    """Direct models whose two precisions gave the same nats in every document."""
    return [
        way
        for way in ways(tests)
        if len(pair := _pair(tests, way)) == 2
        and pair[0]["nats"] == pair[1]["nats"]
        and select(tests, row=f"{way}, float32")[0]["recipe"].get("output") == "direct"
    ]


def _pair(tests: Sequence[Line], way: str) -> list[Line]:
    rows = [select(tests, row=f"{way}, {dtype}")[:1] for dtype in ("float32", "float64")]
    return [line for row in rows for line in row]


def ways(lines: Sequence[Line]) -> list[str]:
    """The names of the ways, without their precision."""
    return list(dict.fromkeys(line["row"].rpartition(", ")[0] for line in lines))


def claim(tests: Sequence[Line]) -> Claim:
    """float32 is enough where the whole interval of the difference is below 0.005 nats."""
    answers, parts, lines = [], [], []
    for way in ways(tests):
        pair = _pair(tests, way)
        if len(pair) == 2 and way not in identical(tests):
            difference = gap(*pair)
            most = max(abs(difference.low), abs(difference.high))
            outside = difference.low > SMALL or difference.high < -SMALL
            answers.append(Answer(True if most < SMALL else False if outside else None))
            parts.append(
                f"{way}: {difference.nats:+.5f} ({difference.low:+.5f} … {difference.high:+.5f})"
            )
            lines += pair
    return Claim(
        f"float32 is enough: it changes less than {SMALL} nats per target",
        "[D]",
        answers,
        "Rule: the whole interval of the difference lies within that bound. float32 minus float64, "
        "nats: " + "; ".join(parts),
        seeds_of(lines),
        amounts(line["targets"] for line in lines),
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
    return table(["model", "float32", "CPU s", "float64", "CPU s", "difference, nats"], rows)


def course(run: Line) -> list[tuple[float, float]]:
    """CPU seconds and validation perplexity at every validation of a run."""
    if "history" not in run:
        return [(run["fit_cpu_seconds"], float(np.exp(run["validation_nats"])))]
    before = run["fit_cpu_seconds"] - run["history"][-1][2]
    return [(before + x[2], float(np.exp(x[3]))) for x in run["history"]]


def price(run: Line, level: int) -> float | None:
    """CPU seconds until the validation perplexity is at most `level`; None if it never is."""
    return min((seconds for seconds, reached in course(run) if reached <= level), default=None)


def price_table(runs: Sequence[Line]) -> str:
    """CPU seconds to reach each perplexity."""
    rows = []
    for run in runs:
        prices = [price(run, level) for level in LEVELS]
        cells = ["–" if seconds is None else f"{seconds:.1f}" for seconds in prices]
        rows.append([run["row"].rpartition(", ")[0], *cells])
    return table(["model", *(f"≤ {level}" for level in LEVELS)], rows)


def reading(runs: Sequence[Line]) -> str:
    """The explicit layer against the tuned cold start, perplexity by perplexity."""
    by_way = {run["row"].rpartition(", ")[0]: run for run in runs}
    explicit, cold = by_way.get("explicit, 128 bits"), by_way.get(TUNED["cold"])
    if explicit is None or cold is None:
        return ""
    words = []
    for level in LEVELS:
        one, other = price(explicit, level), price(cold, level)
        if one is not None and other is not None:
            words.append(f"{one:.1f} s against {other:.1f} s to reach {level}")
    return (
        "The explicit layer of 128 bits compared with the tuned cold start of the same shape: "
        + ", ".join(words)
        + "."
    )


def draw_cost(trials: Sequence[Line]) -> Any:
    """Validation perplexity against CPU seconds."""
    figure = canvas(7.5, 4.6)
    axis = figure.subplots()
    names = ("explicit", "outside", "direct", "trained", "cold", "cold", "trained")
    colours = [COLOURS[name] for name in names]
    for way, colour in zip(ways(trials), colours, strict=False):
        for dtype, style in (("float32", "-"), ("float64", ":")):
            for run in select(trials, row=f"{way}, {dtype}"):
                places = course(run)
                marker = "o" if len(places) == 1 else ""
                style = "--" if way in TUNED.values() else style
                axis.plot(
                    *zip(*places, strict=True), linestyle=style, marker=marker, color=colour,
                    label=way if dtype == "float32" else None,
                )  # fmt: skip
    axis.set(xscale="log", yscale="log", xlabel="CPU seconds", ylabel="validation perplexity")
    axis.set_title("solid: float32, dotted: float64, dashed: tuned, float32")
    plain_numbers(axis.xaxis, axis.yaxis)
    axis.grid(alpha=0.3, which="both")
    axis.legend(fontsize="small")
    return figure
