"""Chapter on the three stages of training, and how much text a warm start needs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from saffu_lab.records.comparison import perplexity
from saffu_lab.records.evidence import change, compare, estimate, spread
from saffu_lab.records.pictures import COLOURS, canvas, plain_numbers
from saffu_lab.records.results import Line, table
from saffu_lab.replication.chapters import (
    Chapter,
    Claim,
    amounts,
    compared,
    seeds_of,
    select,
)

TENTH = 0.1
"""of the text, at which a warm start is said to be saturated [T]"""
NEAR = 0.05
"""a warm start within this share of the perplexity with all of the text is saturated"""
ALIKE = 0.01
"""two trainings within this share of perplexity end alike"""

TEXT = """\
**How much text a warm start needs.** Explicit models of growing amounts of training text; test
perplexity, {seeds} seeds:

{amounts}

![Explicit models of more and more text](replication/stages-amounts.png)

{saturated}

**The stages.** A model of 128 bits on {trained} targets, one seed, Adam at rate 0.003, E at a
tenth of it in the thawed stage; each stage ends by early stopping on validation text. CPU seconds
are those of the whole way from the training text to the model.

{stages}

![Curves of the stages](replication/stages-curves.png)

**A warm start that reads less.** The same training on all {trained} targets, from explicit
solutions of a part of them:

{starts}

    saffu replicate stages
"""


def chapter(lines: Sequence[Line]) -> Chapter:
    """What the lines say."""
    tests, trials = select(lines, do="test"), select(lines, do="trial")
    explicit = [line for line in tests if line["row"].startswith("explicit")]
    rest = [line for line in tests if not line["row"].startswith("explicit")]
    starts = [line for line in rest if line["row"].startswith("warm start")]
    stages = [line for line in rest if line not in starts]
    whole = select(stages, row="freeze, then thaw")
    saturated = saturation_claim(explicit)
    trained = f"{rest[0]['targets']:,}" if rest else "–"
    text = TEXT.format(
        seeds=len({line["seed"] for line in explicit}),
        amounts=amounts_table(explicit),
        saturated=saturated.evidence.partition(". ")[2] + ".",
        trained=trained,
        stages=stages_table(stages, trials),
        starts=stages_table([*starts, *whole], trials),
    )
    claims = [saturated, start_claim(starts, whole)]
    pictures = {
        "stages-amounts": partial(draw_amounts, explicit),
        "stages-curves": partial(draw_curves, trials),
    }
    return Chapter("Warm, freeze, thaw", text, claims, pictures)


def saturation_claim(explicit: Sequence[Line]) -> Claim:
    """Whether a tenth of the largest amount is as good as all of it, to 5 %, at every width."""
    answers, parts, lines = [], [], []
    for row in dict.fromkeys(line["row"] for line in explicit):
        by_amount = {
            amount: select(explicit, row=row, targets=amount)
            for amount in sorted({line["targets"] for line in select(explicit, row=row)})
        }
        *_, last, most = [0, *by_amount]
        tenth = max((amount for amount in by_amount if amount <= TENTH * most), default=None)
        if tenth is None:
            continue
        comparison = compare(by_amount[tenth], by_amount[most])
        if comparison is None:
            continue
        answers.append(comparison.less(np.log1p(NEAR)).answer)
        parts.append(
            f"{row.removeprefix('explicit, ')}: {tenth:,} targets give {comparison.percent} "
            f"perplexity against {most:,}, {last:,} give {change(by_amount[last], by_amount[most])}"
        )
        lines += [*by_amount[tenth], *by_amount[most]]
    rule = f"Rule: the whole interval is below {100 * NEAR:+.0f} %. "
    return Claim(
        "A warm start saturates near a tenth of the text",
        "[T]",
        answers,
        rule + ("; ".join(parts) or "too few amounts"),
        seeds_of(lines),
        amounts(line["targets"] for line in lines),
    )


def start_claim(starts: Sequence[Line], whole: Sequence[Line]) -> Claim:
    """Whether a warm start of a part of the text is as good to train from as one of all."""
    result = compared({line["row"]: ([line], whole) for line in starts})
    answers = [
        comparison.less(np.log1p(ALIKE)).answer
        for line in starts
        if (comparison := compare([line], whole)) is not None
    ]
    return Claim(
        "A sample of the text suffices for the warm start, if backpropagation follows",
        "[T]",
        answers,
        f"Rule: the whole interval is below {100 * ALIKE:+.0f} %. Perplexity after the same "
        f"training, against a warm start of all of it: {result.words}",
        result.seeds,
        result.size,
    )


def amounts_table(explicit: Sequence[Line]) -> str:
    """Test perplexity by amount and width."""
    names = list(dict.fromkeys(line["row"] for line in explicit))
    amounts = sorted({line["targets"] for line in explicit})
    rows = [
        [f"{amount:,}", *(spread(select(explicit, row=name, targets=amount)) for name in names)]
        for amount in amounts
    ]
    return table(["targets", *(name.removeprefix("explicit, ") for name in names)], rows)


def stages_table(tests: Sequence[Line], trials: Sequence[Line]) -> str:
    """Perplexity, targets and CPU seconds of each way."""
    rows = []
    runs = [
        (line, run)
        for line in tests
        for run in select(trials, row=line["row"], seed=line["seed"], recipe=line["recipe"])
    ]
    for line, run in runs:
        history = run["history"]
        by_stage = [
            f"{stage} {np.exp(min(x[3] for x in history if x[0] == stage)):.1f}"
            for stage in dict.fromkeys(x[0] for x in history)
        ]
        rows.append(
            [
                line["row"],
                f"{perplexity(line):.1f}",
                ", ".join(by_stage),
                f"{history[-1][1]:,}",
                f"{run['fit_cpu_seconds']:.0f}",
            ]
        )
    head = ["way", "test perplexity", "validation after each stage", "targets seen", "CPU s"]
    return table(head, rows)


def draw_amounts(explicit: Sequence[Line]) -> Any:
    """Test perplexity against training targets."""
    figure = canvas(7.0, 4.4)
    axis = figure.subplots()
    colours = (COLOURS["explicit"], COLOURS["trained"], COLOURS["direct"])
    for row, colour in zip(dict.fromkeys(x["row"] for x in explicit), colours, strict=False):
        amounts = sorted({line["targets"] for line in select(explicit, row=row)})
        estimates = [
            estimate([float(np.log(perplexity(x))) for x in select(explicit, row=row, targets=a)])
            for a in amounts
        ]
        axis.plot(amounts, [np.exp(e.mean) for e in estimates], "o-", color=colour, label=row)
        low, high = ([np.exp(e[i]) for e in estimates] for i in (1, 2))
        axis.fill_between(amounts, low, high, color=colour, alpha=0.2)
    axis.set(xscale="log", yscale="log", xlabel="training targets", ylabel="test perplexity")
    plain_numbers(axis.xaxis, axis.yaxis)
    axis.grid(alpha=0.3, which="both")
    axis.legend()
    return figure


def draw_curves(trials: Sequence[Line]) -> Any:
    """Validation perplexity against CPU seconds of training, for each way."""
    figure = canvas(7.5, 4.6)
    axis = figure.subplots()
    shown = [x for x in trials if "history" in x and not x["row"].startswith("warm start")]
    for number, run in enumerate(shown):
        history = run["history"]
        before = run["fit_cpu_seconds"] - history[-1][2]
        seconds = [before + x[2] for x in history]
        colour = f"C{number}"
        axis.plot(seconds, [np.exp(x[3]) for x in history], color=colour, label=run["row"])
        for first, second in pairwise(history):
            if first[0] != second[0] and second[0] == "thawed":
                axis.plot(before + first[2], np.exp(first[3]), "o", color=colour)
    axis.set(xlabel="CPU seconds, the warm start included", ylabel="validation perplexity")
    axis.set(yscale="log", title="dots: where the embedding is thawed")
    plain_numbers(axis.yaxis)
    axis.grid(alpha=0.3, which="both")
    if shown:
        axis.legend(fontsize="small")
    return figure
