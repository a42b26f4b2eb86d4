"""Chapter on less data: tables, the best explicit models, how trainings were chosen and ended."""

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
{sizes} training targets of one text, V = 2,048. Of the SAFFU models of 128 bits on eight radial
slots, the cold start is the best of up to seven settings of learning rate *and* initial scale on
validation text, the warm one the best of two rates; both for the first seed, and the other seeds
take the settings found there, as all rows do. All trainings of one size have the same limits (24
epochs with frozen and 8 with thawed embeddings up to 100,000 targets, 12 and 4 at 300,000, 5 and 2
at 1,000,000) and the same early stopping; at 10,000, 300,000 and 1,000,000, where most ended by
their limit, those of the first seed were done once more with three times as many epochs. Cold
starts of 512 bits are the better of two settings and warm ones the better of two rates up to
100,000 targets, in three seeds; beyond, they are one run of one setting. The standard transformer
has four blocks of width 128 and contexts of 64 tokens (AdamW, dropout, cosine), one seed, the best
of four rates up to 30,000 targets and the one chosen there beyond, and at most 24, 18, 12, 6 and 3
epochs. The one-hot slots are trained with the best of six rates up to 100,000 targets, and with
the one chosen there at 300,000. Perplexities of the test text, over seeds with Student's 95 %
interval:

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
the smallest or the largest of several that were tried there.{earlier}

{chosen}

**How far from the end the trainings were.** {limits}

![Validation perplexity along the trainings](replication/less-data-curves.png)

    saffu replicate less-data
"""

EARLIER = """ Some settings were tried
only after rows had been tested: rates, because the best one was at an end of what had been tried,
and kinds of models. Each row stands by validation text alone, but of some the test text was read
again: {tests} tests of earlier choices are among the lines. No table and no verdict uses them, but
what was tried later was decided by people who had seen them (eight more were deleted from the lines
of the published run)."""


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
        earlier=earlier(len(select(lines, do="test")) - len(tests)),
        **counted,
    )
    pictures = {
        "less-data-sizes": partial(draw_sizes, tests),
        "less-data-curves": partial(draw_curves, tests, trials),
    }
    return Chapter("Less data", text, claims(tests, trials, sizes), pictures)


def earlier(tests: int) -> str:
    """What is to be said of tests that stand for nothing, since more was tried later.

    >>> earlier(0)
    ''
    """
    return EARLIER.format(tests=tests) if tests else ""


def all_table(tests: Sequence[Line], sizes: Sequence[int], counted: dict[str, int]) -> str:
    """Every row at every size."""
    rows = [
        [look.name.format(**counted), *(spread(select(tests, row=row, targets=s)) for s in sizes)]
        for row, look in ROWS.items()
        if select(tests, row=row)
    ]
    return table(["model", *(f"{size:,}" for size in sizes)], rows)


def best_table(tests: Sequence[Line], trials: Sequence[Line], sizes: Sequence[int]) -> str:
    """What stood for each explicit family at each size."""
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
                    in_words(first["recipe"]) or "as it is",
                    spread(tested),
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
    """Who is best at each size, explicit and not."""
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
        more = "" if top == best else f", {100 * behind:.0f} % above the best of all, {short(top)}"
        items.append(f"{size:,}: {short(best)} ({np.exp(log_means[best]):.1f}){more}")
    return "The best explicit model at each size: " + "; ".join(items) + "." if items else ""


def chosen_table(tests: Sequence[Line], trials: Sequence[Line], sizes: Sequence[int]) -> str:
    """Learning rates, and initial scales of cold starts."""
    rows = []
    for row in ("cold", "cold wide", "warm", "warm wide", "transformer", "one-hot cold"):
        for field, name in (("rate", "rate"), ("scale", "initial scale")):
            cells = [_chosen(tests, trials, row, size, field) for size in sizes]
            if any(cell != "–" for cell in cells):
                rows.append([f"{short(row)}: {name}", *cells])
    return table(["training", *(f"{size:,}" for size in sizes)], rows)


def _chosen(tests: Sequence[Line], trials: Sequence[Line], row: str, size: int, field: str) -> str:
    """A setting of the first seed's chosen run."""
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
    """How many of the tested trainings ended by their limit of epochs, still falling."""
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
                f"Of {len(runs)} tested runs of *{short(row)}*, {len(still)} were still falling "
                f"at their last validation" + (f" (at {sizes} targets)" if still else "")
            )
    return ". ".join(sentences) + "." if sentences else "–"
