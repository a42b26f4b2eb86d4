"""Less-data study: the chapter's text and tables, made from its lines."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from saffu_lab.records.comparison import perplexity
from saffu_lab.records.evidence import spread, standing
from saffu_lab.records.results import Line, table
from saffu_lab.replication.chapters import Chapter, select
from saffu_lab.replication.less_data.claims import claims, gaps_table
from saffu_lab.replication.less_data.pictures import draw_curves, draw_sizes
from saffu_lab.replication.less_data.row_names import EXPLICIT, ROWS, TRAINED, short

TEXT = """\
All models are made from {sizes} training targets of one text, V = 2,048.

*SAFFU models of 128 bits* read eight radial slots. The cold start is the best of up to seven
settings of learning rate *and* initial scale on validation text, the warm start the best of two
learning rates. As in every row, settings are chosen with the first seed and used for the others.
All trainings at one size have the same epoch limits (24 epochs with frozen and 8 with thawed
embeddings up to 100,000 targets, 12 and 4 at 300,000, 5 and 2 at 1,000,000) and the same early
stopping. At 10,000, 300,000 and 1,000,000 targets, where most runs reached their limit, those of
the first seed were repeated with three times as many epochs.

*SAFFU models of 512 bits*: up to 100,000 targets, cold starts are the better of two settings and
warm starts the better of two learning rates, with three seeds; above that, one run of one setting
each.

*The standard transformer* has four blocks of width 128 and contexts of 64 tokens (AdamW, dropout,
cosine schedule), one seed, the best of four learning rates up to 30,000 targets and the rate chosen
there for larger sizes, and at most 24, 18, 12, 6 and 3 epochs. *One-hot slots* are trained with the
best of six learning rates up to 100,000 targets, and with the rate chosen there at 300,000.

Test perplexity, over seeds with Student's 95 % interval:

{all}

![Test perplexity by training targets](replication/less-data-sizes.png)

**Pairwise comparisons.** Change of perplexity from the second model to the first: with several
seeds, the mean with Student's interval; with one seed, the interval over test documents.

{gaps}

**The open problem: the best explicit-only model.** At every size, {layers} models with a hidden
layer were tried on validation text (code widths from 128 to 2,048, which is one-hot; 0 to 3
rounds; uniform attention; one λ for all slots or one λ per slot; two layers; radial embeddings;
radial contexts of 4, 8 and 16; a document context), and {direct} without one (radial contexts of
4, 8 and 16; with a block context; with attention). Up to 300,000 targets, layers of 128 bits are
also *refined*, which needs no learning rate: up to 20 steps of iterative scaling of the output
layer, alone or together with the hidden layer, whose units are fitted to the hidden targets
implied by the output layer; the number of steps is chosen on validation text. The best model of
each family, and the CPU seconds to make it:

{best}

{reading}

**Training settings**, chosen on validation text with the first seed; a star marks the smallest or
largest of several values tried at that size.{earlier}

{chosen}

**Whether the trainings had converged.** {limits}

![Validation perplexity during training](replication/less-data-curves.png)

    saffu replicate less-data
"""

EARLIER = """ Some
settings were tried only after rows had been tested: learning rates, because the best one was at an
end of the range tried, and kinds of models. Each row is still chosen on validation text alone, but
for some rows the test text was read again: the lines contain {tests} tests of earlier choices. No
table and no verdict uses them, but the people who decided what to try later had seen them (eight
more were deleted from the lines of the published run)."""


def chapter(lines: Sequence[Line]) -> Chapter:
    """The chapter made from the lines."""
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
        earlier=earlier(len(select(lines, do="test")) - len(tests)),
        **counted,
    )
    pictures = {
        "less-data-sizes": partial(draw_sizes, tests),
        "less-data-curves": partial(draw_curves, tests, trials),
    }
    return Chapter("Less data", text, claims(tests, trials, sizes), pictures)


def earlier(tests: int) -> str:
    """The note on tests of earlier choices, which were replaced after more was tried.

    >>> earlier(0)
    ''
    """
    return EARLIER.format(tests=tests) if tests else ""


def all_table(tests: Sequence[Line], sizes: Sequence[int], counted: dict[str, int]) -> str:
    """Test perplexity of every row at every size."""
    rows = [
        [look.name.format(**counted), *(spread(select(tests, row=row, targets=s)) for s in sizes)]
        for row, look in ROWS.items()
        if select(tests, row=row)
    ]
    return table(["model", *(f"{size:,}" for size in sizes)], rows)


def best_table(tests: Sequence[Line], trials: Sequence[Line], sizes: Sequence[int]) -> str:
    """The best model of each explicit family at each size."""
    rows = []
    for row in EXPLICIT[1:]:
        for size in sizes:
            tested = select(tests, row=row, targets=size)
            if not tested:
                continue
            first = tested[0]
            runs = select(trials, row=row, targets=size, seed=first["seed"], recipe=first["recipe"])
            rows.append(
                [
                    ROWS[row].name.split(",")[0],
                    f"{size:,}",
                    in_words(first["recipe"]) or "defaults",
                    spread(tested),
                    f"{runs[0]['fit_cpu_seconds']:.1f}" if runs else "–",
                ]
            )
    return table(["family", "targets", "best on validation text", "test perplexity", "CPU s"], rows)


def in_words(recipe: Line) -> str:
    """The fields of a recipe in words; those of its base come first.

    >>> in_words({"base": {"bits": 512, "rounds": 3}, "steps": 20, "units": True})
    'bits 512, rounds 3, steps 20, units'
    """
    words = []
    for name, value in recipe.items():
        if isinstance(value, dict):
            words.append(in_words(value))
        elif isinstance(value, bool):
            words.append(name if value else f"no {name}")
        elif name != "output":
            words.append(f"{name} {value}")
    return ", ".join(each for each in words if each)


def reading(tests: Sequence[Line], sizes: Sequence[int]) -> str:
    """The best explicit model at each size, and its distance from the best of all."""
    items = []
    for size in sizes:
        log_means = {
            row: float(
                np.mean([np.log(perplexity(x)) for x in select(tests, row=row, targets=size)])
            )
            for row in ROWS
            if select(tests, row=row, targets=size)
        }
        explicit = {row: nats for row, nats in log_means.items() if row in EXPLICIT}
        if not explicit:
            continue
        top, best = (
            min(log_means, key=lambda r: log_means[r]),
            min(explicit, key=lambda r: explicit[r]),
        )
        behind = np.exp(log_means[best] - log_means[top]) - 1
        more = "" if top == best else f", {100 * behind:.0f} % above the best model, {short(top)}"
        items.append(f"{size:,}: {short(best)} ({np.exp(log_means[best]):.1f}){more}")
    return "The best explicit model at each size: " + "; ".join(items) + "." if items else ""


def chosen_table(tests: Sequence[Line], trials: Sequence[Line], sizes: Sequence[int]) -> str:
    """Learning rates of trainings, and initial scales of cold starts."""
    rows = []
    for row in ("cold", "cold wide", "warm", "warm wide", "transformer", "one-hot cold"):
        for field, name in (("rate", "learning rate"), ("scale", "initial scale")):
            cells = [_chosen(tests, trials, row, size, field) for size in sizes]
            if any(cell != "–" for cell in cells):
                rows.append([f"{short(row)}: {name}", *cells])
    return table(["training", *(f"{size:,}" for size in sizes)], rows)


def _chosen(tests: Sequence[Line], trials: Sequence[Line], row: str, size: int, field: str) -> str:
    """One setting of the run chosen with the first seed."""
    lines = [
        line for line in select(tests, row=row, targets=size, seed=1) if field in line["recipe"]
    ]
    if not lines:
        return "–"
    value = lines[0]["recipe"][field]
    tried = {
        line["recipe"][field]
        for line in select(trials, row=row, targets=size, seed=1)
        if field in line["recipe"]
    }
    at_an_end = len(tried) > 1 and value in (min(tried), max(tried))
    return f"{value:g}{'*' if at_an_end else ''}"


def limits(tests: Sequence[Line], trials: Sequence[Line]) -> str:
    """How many of the tested runs were still improving when they reached their epoch limit."""
    sentences = []
    for row in TRAINED:
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
            sentences.append(
                f"Of {len(runs)} tested runs of *{short(row)}*, {len(still)} "
                f"{'was' if len(still) == 1 else 'were'} still improving at the last validation"
                + (f" (at {sizes} targets)" if still else "")
            )
    return ". ".join(sentences) + "." if sentences else "–"
