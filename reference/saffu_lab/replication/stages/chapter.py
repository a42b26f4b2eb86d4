"""Stages study: the chapter on warm, frozen and thawed training, made from its lines."""

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
"""the share of the text at which [T] states that a warm start saturates"""
NEAR = 0.05
"""a warm start whose perplexity is within this share of that with all of the text is saturated"""
ALIKE = 0.01
"""two trainings whose perplexities differ by less than this share end equally well"""

TEXT = """\
**How much text a warm start needs.** Test perplexity of explicit models solved on increasing
amounts of training text, {seeds} seeds:

{amounts}

![Explicit models by amount of text](replication/stages-amounts.png)

{saturated}

**The stages.** A model of 128 bits on {trained} targets, one seed. Adam has learning rate 0.003; in
the thawed stage E has a tenth of it. Each stage ends by early stopping on validation text. CPU
seconds are the total from the training text to the model.

{stages}

![Validation perplexity by stage](replication/stages-curves.png)

**Warm starts solved on part of the text.** The same training on all {trained} targets, starting
from explicit solutions of some of them:

{starts}

    saffu replicate stages
"""


def chapter(lines: Sequence[Line]) -> Chapter:
    """The chapter made from the lines."""
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
    """Whether a tenth of the text gives the perplexity of all of it within 5 %, at every width."""
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
            f"{row.removeprefix('explicit, ')}: perplexity with {tenth:,} targets is "
            f"{comparison.percent} against {most:,}, with {last:,} "
            f"{change(by_amount[last], by_amount[most])}"
        )
        lines += [*by_amount[tenth], *by_amount[most]]
    rule = f"Rule: the whole interval of the change is below {100 * NEAR:+.0f} %. "
    return Claim(
        "A warm start saturates near a tenth of the text",
        "[T]",
        answers,
        rule + ("; ".join(parts) or "too few amounts"),
        seeds_of(lines),
        amounts(line["targets"] for line in lines),
    )


def start_claim(starts: Sequence[Line], whole: Sequence[Line]) -> Claim:
    """Whether training from a warm start on part of the text ends as well as from one on all."""
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
        f"Rule: the whole interval of the change is below {100 * ALIKE:+.0f} %. Perplexity after "
        f"the same training, against a warm start on all of the text: {result.words}",
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
    """Perplexity, targets read and CPU seconds of each way."""
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
    """Validation perplexity against CPU seconds, one curve per way."""
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
    axis.set(xlabel="CPU seconds, including the warm start", ylabel="validation perplexity")
    axis.set(yscale="log", title="dots: the embedding is thawed")
    plain_numbers(axis.yaxis)
    axis.grid(alpha=0.3, which="both")
    if shown:
        axis.legend(fontsize="small")
    return figure
