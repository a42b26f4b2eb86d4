"""What the study on less data says."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from saffu.experiments.comparison import perplexity
from saffu.experiments.results import Line, table
from saffu.replication.chapters import Chapter, Claim, select
from saffu.study.evidence import better, change, estimate, gaps, over_all, spread, standing
from saffu.study.pictures import COLOURS, canvas, plain_numbers

NAMES = {
    "unigram": "unigram",
    "bigram": "bigram, interpolated",
    "kneser-ney 2": "Kneser–Ney, order 2 (KenLM)",
    "kneser-ney 3": "Kneser–Ney, order 3 (KenLM)",
    "kneser-ney 4": "Kneser–Ney, order 4 (KenLM)",
    "kneser-ney 5": "Kneser–Ney, order 5 (KenLM)",
    "transformer": "standard transformer, 1.06M parameters",
    "one-hot cold": "one-hot slots, sparse Adam from zeros",
    "cold": "SAFFU 128 bits, Adam from a cold start",
    "cold longer": "SAFFU 128 bits, the same start, three times as long",
    "cold wide": "SAFFU 512 bits, Adam from a cold start",
    "explicit": "SAFFU 128 bits, explicit only",
    "warm": "SAFFU 128 bits, explicit, then Adam",
    "warm longer": "SAFFU 128 bits, explicit, then Adam, three times as long",
    "explicit wide": "SAFFU 512 bits, explicit only, the best of {wide}",
    "explicit layers": "SAFFU, explicit only, the best of {layers}",
    "explicit refined": "SAFFU 128 bits, explicit, refined",
    "explicit direct": "one-hot slots, explicit only, the best of {direct}",
    "explicit phrases": "one-hot slots and phrases, explicit only",
}
"""The rows, in the order of the table."""
EXPLICIT = (
    "explicit", "explicit layers", "explicit wide", "explicit refined", "explicit direct",
    "explicit phrases",
)  # fmt: skip

TEXT = """\
{sizes} training targets of one text, V = 2,048. Of the SAFFU models of 128 bits on eight radial
slots, the cold start is the best of up to seven settings of learning rate *and* initial scale on
validation text, the warm one the best of two rates; both for the first seed, and the other seeds
take the settings found there. All trainings of one size have the same limits (24 epochs with
frozen and 8 with thawed embeddings up to 100,000 targets, 12 and 4 at 300,000, 5 and 2 at
1,000,000) and the same early stopping; at 10,000, 300,000 and 1,000,000, where most ended by
their limit, those of the first seed were done once more with three times as many epochs. Cold
starts of 512 bits are the better of two settings up to 100,000 targets, in three seeds, and one run
of the better one beyond. The standard transformer has four blocks of width 128 and contexts of 64
tokens (AdamW, dropout, cosine), one seed, the best of four rates up to 30,000 targets and the one
chosen there beyond, and at most 24, 18, 12, 6 and 3 epochs. The one-hot slots are trained with the
best of six rates up to 100,000 targets, and with the one chosen there at
300,000. Perplexities of the test text, over seeds with Student's 95 % interval:

{all}

![Test perplexity by training targets](replication/less-data-sizes.png)

**What was compared with what.** Change of perplexity; over seeds with Student's interval, of one
seed with that of the test documents.

{gaps}

**The open problem: the best explicit-only model.** Tried at every size, on validation text: with
a hidden layer {layers} models (code widths from 128 to 2,048, which is one-hot; 0 to 3 rounds,
uniform attention, one λ for all slots or one for each; two layers, radial embeddings, radial 4, 8
and 16, a document context), without one {direct} (radial 4, 8 and 16, a block beside it, attention
on top). Up to 300,000 targets, layers of 128 bits are also
*refined*, without a learning rate: up to 20 steps of iterative scaling of the output layer, alone
or together with the hidden one, whose units get the hidden targets that the output layer implies;
the validation text tells when to stop. The best of each family, and CPU seconds to make it:

{best}

{reading}

**What was chosen for the trainings**, on the validation text of the first seed; a star where it is
the smallest or the largest of several that were tried there. In the published run recipes and
rates were added after rows had been tested, the rates because the best one was at the end of what
had been tried; the tests of the earlier choices, eight of them, were discarded:

{chosen}

**How far from the end the trainings were.** {limits}

![Validation perplexity along the trainings](replication/less-data-curves.png)

    saffu replicate less-data
"""


def chapter(lines: Sequence[Line]) -> Chapter:
    """What the lines say."""
    trials = select(lines, do="trial")
    tests = standing(select(lines, do="test"), trials)
    sizes = sorted({line["targets"] for line in tests})
    counted = {
        family: len(
            {
                str(x["recipe"])
                for x in trials
                if x["row"] == f"explicit {family}" and x["seed"] == 1
            }
        )
        for family in ("layers", "wide", "direct")
    }
    text = TEXT.format(
        sizes=", ".join(f"{size:,}" for size in sizes) or "–",
        all=all_table(tests, sizes, counted),
        gaps=gaps_table(tests, sizes),
        best=best_table(tests, trials, sizes),
        reading=reading(tests, sizes),
        chosen=chosen_table(tests, trials, sizes),
        limits=limits(tests, trials),
        **counted,
    )
    pictures = {
        "less-data-sizes": partial(draw_sizes, tests),
        "less-data-curves": partial(draw_curves, tests, trials),
    }
    return Chapter("Less data", text, claims(tests, sizes), pictures)


def all_table(tests: Sequence[Line], sizes: Sequence[int], counted: dict[str, int]) -> str:
    """Every row at every size."""
    rows = [
        [name.format(**counted), *(spread(select(tests, row=row, targets=s)) for s in sizes)]
        for row, name in NAMES.items()
        if select(tests, row=row)
    ]
    return table(["model", *(f"{size:,}" for size in sizes)], rows)


UNDRAWN = (
    "unigram", "kneser-ney 3", "kneser-ney 4", "cold longer", "warm longer", "explicit wide"
)  # fmt: skip
"""Rows that the picture of sizes leaves to the table."""
COMPARED = (
    ("explicit", "cold"),
    ("explicit layers", "cold"),
    ("explicit wide", "cold wide"),
    ("cold wide", "cold"),
    ("explicit refined", "explicit"),
    ("explicit refined", "cold"),
    ("explicit refined", "warm"),
    ("explicit direct", "cold"),
    ("explicit direct", "cold longer"),
    ("explicit direct", "one-hot cold"),
    ("explicit direct", "transformer"),
    ("explicit direct", "kneser-ney 5"),
    ("explicit phrases", "kneser-ney 5"),
    ("explicit phrases", "transformer"),
    ("warm", "cold"),
    ("warm", "explicit"),
    ("warm", "explicit direct"),
    ("warm", "transformer"),
    ("cold longer", "cold"),
    ("warm longer", "warm"),
    ("warm longer", "cold longer"),
)


def gaps_table(tests: Sequence[Line], sizes: Sequence[int]) -> str:
    """Pairs of rows."""
    rows = []
    for one, other in COMPARED:
        cells = [_change(tests, one, other, size) for size in sizes]
        if any(cell != "–" for cell in cells):
            rows.append([f"{_short(one)} against {_short(other)}", *cells])
    return table(["comparison", *(f"{size:,}" for size in sizes)], rows)


def _short(row: str) -> str:
    return {
        "explicit": "explicit SAFFU", "explicit layers": "best explicit SAFFU",
        "explicit wide": "best explicit SAFFU, 512 bits",
        "cold": "cold SAFFU", "cold longer": "cold SAFFU, longer",
        "cold wide": "cold SAFFU, 512 bits",
        "warm": "warm SAFFU", "warm longer": "warm SAFFU, longer",
        "explicit direct": "explicit one-hot slots", "one-hot cold": "trained one-hot slots",
        "explicit phrases": "explicit phrases",
        "explicit refined": "refined explicit SAFFU", "kneser-ney 5": "Kneser–Ney 5",
    }.get(row, row)  # fmt: skip


def _change(tests: Sequence[Line], one: str, other: str, size: int) -> str:
    ones, others = (select(tests, row=row, targets=size) for row in (one, other))
    if any(len(line["nats"]) == 1 for line in others):  # KenLM says one number for the whole text
        found = [
            float(np.log(perplexity(a) / perplexity(b)))
            for a in ones
            for b in others
            if a["seed"] == b["seed"]
        ]
        if not found:
            return "–"
        mean, low, high = (100 * (np.exp(x) - 1) for x in estimate(found))
        return f"{mean:+.1f} % ({low:+.1f} … {high:+.1f})"
    return change(ones, others)


def sides(
    tests: Sequence[Line], one: str, other: str, sizes: Sequence[int]
) -> dict[int, bool | None]:
    """At which sizes the first row is better; None where seeds or intervals do not agree."""
    found = {}
    for size in sizes:
        ones, others = (select(tests, row=row, targets=size) for row in (one, other))
        if gaps(ones, others):
            found[size] = better(ones, others)
    return found


def claims(tests: Sequence[Line], sizes: Sequence[int]) -> list[Claim]:
    """The verdicts."""

    def one_claim(said: str, source: str, one: str, other: str) -> Claim:
        found = sides(tests, one, other, sizes)
        words = "; ".join(f"{size:,}: {_change(tests, one, other, size)}" for size in found)
        head = f"perplexity of {_short(one)} against {_short(other)}: "
        return Claim(said, source, over_all(list(found.values())), head + words)

    return [
        one_claim(
            "Explicit solutions outperform backpropagation alone, at the same shape",
            "[P1]",
            "explicit",
            "cold",
        ),
        one_claim(
            "The best explicit SAFFU layer outperforms the best cold start of 128 bits",
            "[P1], [D]",
            "explicit layers",
            "cold",
        ),
        one_claim(
            "The best explicit SAFFU layer of 512 bits outperforms cold starts of that width",
            "[P1], [D]",
            "explicit wide",
            "cold wide",
        ),
        one_claim(
            "Explicit one-hot slots outperform the best cold start",
            "[D]",
            "explicit direct",
            "cold",
        ),
        one_claim(
            "Explicit one-hot slots outperform the same family trained by backpropagation",
            "[D]",
            "explicit direct",
            "one-hot cold",
        ),
        one_claim(
            "Backpropagation after a warm start reaches better optima from less data",
            "[P1]",
            "warm",
            "cold",
        ),
        one_claim(
            "A warm start is still ahead after three times as many epochs",
            "[D]",
            "warm longer",
            "cold longer",
        ),
        one_claim(
            "Explicit one-hot slots are better than a standard transformer of the same data",
            "[D]",
            "explicit direct",
            "transformer",
        ),
        one_claim(
            "Explicit words and phrases are better than a standard transformer of the same data",
            "[D]",
            "explicit phrases",
            "transformer",
        ),
    ]


def best_table(tests: Sequence[Line], trials: Sequence[Line], sizes: Sequence[int]) -> str:
    """What stood for each explicit family at each size."""
    rows = []
    for row in EXPLICIT[1:]:
        for size in sizes:
            found = select(tests, row=row, targets=size)
            if not found:
                continue
            first = found[0]
            runs = select(trials, row=row, targets=size, seed=first["seed"], recipe=first["recipe"])
            rows.append(
                [
                    NAMES[row].split(",")[0],
                    f"{size:,}",
                    in_words(first["recipe"]) or "as it is",
                    spread(found),
                    f"{runs[0]['fit_cpu_seconds']:.1f}" if runs else "–",
                ]
            )
    return table(
        ["family", "targets", "the best on validation text", "test perplexity", "CPU s"], rows
    )


def in_words(recipe: Line) -> str:
    """What a recipe asks for; what it starts from comes first.

    >>> in_words({"base": {"bits": 512, "rounds": 3}, "steps": 20, "units": True})
    'bits 512, rounds 3, steps 20, units'
    """
    said = []
    for name, value in recipe.items():
        if isinstance(value, dict):
            said.append(in_words(value))
        elif isinstance(value, bool):
            said.append(name if value else f"no {name}")
        elif name != "output":
            said.append(f"{name} {value}")
    return ", ".join(each for each in said if each)


def reading(tests: Sequence[Line], sizes: Sequence[int]) -> str:
    """Who is best at each size, explicit and not."""
    said = []
    for size in sizes:
        found = {
            row: float(
                np.mean([np.log(perplexity(x)) for x in select(tests, row=row, targets=size)])
            )
            for row in NAMES
            if select(tests, row=row, targets=size)
        }
        explicit = {row: nats for row, nats in found.items() if row in EXPLICIT}
        if not explicit:
            continue
        top, best = min(found, key=lambda r: found[r]), min(explicit, key=lambda r: explicit[r])
        behind = np.exp(found[best] - found[top]) - 1
        more = "" if top == best else f", {100 * behind:.0f} % above the best of all, {_short(top)}"
        said.append(f"{size:,}: {_short(best)} ({np.exp(found[best]):.1f}){more}")
    return "The best explicit model at each size: " + "; ".join(said) + "." if said else ""


def chosen_table(tests: Sequence[Line], trials: Sequence[Line], sizes: Sequence[int]) -> str:
    """Learning rates, and initial scales of cold starts."""
    rows = []
    for row in ("cold", "cold wide", "warm", "transformer", "one-hot cold"):
        for field, name in (("rate", "rate"), ("scale", "initial scale")):
            cells = [_chosen(tests, trials, row, size, field) for size in sizes]
            if any(cell != "–" for cell in cells):
                rows.append([f"{_short(row)}: {name}", *cells])
    return table(["training", *(f"{size:,}" for size in sizes)], rows)


def _chosen(tests: Sequence[Line], trials: Sequence[Line], row: str, size: int, field: str) -> str:
    """A setting of the first seed's chosen run."""
    found = [
        line for line in select(tests, row=row, targets=size, seed=1) if field in line["recipe"]
    ]
    if not found:
        return "–"
    value = found[0]["recipe"][field]
    tried = {
        line["recipe"][field]
        for line in select(trials, row=row, targets=size, seed=1)
        if field in line["recipe"]
    }
    at_an_end = len(tried) > 1 and value in (min(tried), max(tried))
    return f"{value:g}{'*' if at_an_end else ''}"


def limits(tests: Sequence[Line], trials: Sequence[Line]) -> str:
    """How many of the tested trainings ended by their limit of epochs, still falling."""
    said = []
    for row in ("cold", "cold wide", "cold longer", "warm", "warm longer", "transformer"):
        runs = [
            run
            for test in select(tests, row=row)
            for run in select(
                trials, row=row, targets=test["targets"], seed=test["seed"], recipe=test["recipe"]
            )
        ]
        still = [run for run in runs if run["history"] and run["history"][-1][3] == min(
            x[3] for x in run["history"])]  # fmt: skip
        if runs:
            sizes = ", ".join(f"{size:,}" for size in sorted({x["targets"] for x in still}))
            said.append(
                f"Of {len(runs)} tested runs of *{_short(row)}*, {len(still)} were still falling "
                f"at their last validation" + (f" (at {sizes} targets)" if still else "")
            )
    return ". ".join(said) + "." if said else "–"


def colour_of(row: str) -> str:
    """One colour for each way."""
    kind = {
        "explicit": "explicit", "explicit layers": "explicit", "warm": "trained", "cold": "cold",
        "cold wide": "cold", "cold longer": "cold", "one-hot cold": "cold",
        "warm longer": "trained", "explicit direct": "direct", "explicit phrases": "direct",
        "explicit refined": "explicit", "explicit wide": "explicit",
    }  # fmt: skip
    return COLOURS[kind.get(row, "outside")]


def draw_sizes(tests: Sequence[Line]) -> Any:
    """Test perplexity of every row against training targets."""
    figure = canvas(8.5, 5.4)
    axis = figure.subplots()
    dashed = ("explicit layers", "cold wide", "one-hot cold", "bigram", "explicit phrases")
    styles = {"kneser-ney 5": ":", "kneser-ney 2": "-.", "explicit refined": "-."}
    for row in NAMES:
        sizes = sorted({line["targets"] for line in select(tests, row=row)})
        if not sizes or row in UNDRAWN:
            continue
        logs = [
            estimate([float(np.log(perplexity(x))) for x in select(tests, row=row, targets=size)])
            for size in sizes
        ]
        style = styles.get(row, "--" if row in dashed else "-")
        axis.errorbar(
            sizes, [np.exp(e.mean) for e in logs],
            yerr=[[np.exp(e.mean) - np.exp(e.low) for e in logs],
                  [np.exp(e.high) - np.exp(e.mean) for e in logs]],
            linestyle=style, marker="o", markersize=3, color=colour_of(row), label=_short(row),
            linewidth=1.4, elinewidth=0.8,
        )  # fmt: skip
    axis.set(xscale="log", yscale="log", xlabel="training targets", ylabel="test perplexity")
    plain_numbers(axis.xaxis, axis.yaxis)
    axis.grid(alpha=0.3, which="both")
    axis.legend(fontsize="x-small", ncols=2)
    return figure


def draw_curves(tests: Sequence[Line], trials: Sequence[Line]) -> Any:
    """Validation perplexity against CPU seconds: the chosen trainings of the first seed."""
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
                        color=colour_of(row), label=_short(row),
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
