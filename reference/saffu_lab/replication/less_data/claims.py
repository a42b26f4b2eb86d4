"""Less-data study: its pairwise comparisons and its claims."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from saffu_lab.records.evidence import change, still_improving
from saffu_lab.records.results import Line, table
from saffu_lab.replication.chapters import Claim, compared, select
from saffu_lab.replication.less_data.row_names import short

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
    ("warm wide", "cold wide"),
    ("warm wide", "explicit wide"),
    ("warm wide", "transformer"),
    ("cold longer", "cold"),
    ("warm longer", "warm"),
    ("warm longer", "cold longer"),
)


def gaps_table(tests: Sequence[Line], sizes: Sequence[int]) -> str:
    """Change of perplexity of every compared pair of rows, at every size."""
    rows = []
    for one, other in COMPARED:
        cells = [_change(tests, one, other, size) for size in sizes]
        if any(cell != "–" for cell in cells):
            rows.append([f"{short(one)} against {short(other)}", *cells])
    return table(["comparison", *(f"{size:,}" for size in sizes)], rows)


def _change(tests: Sequence[Line], one: str, other: str, size: int) -> str:
    return change(*(select(tests, row=row, targets=size) for row in (one, other)))


class About(NamedTuple):
    """Statement and rows of a claim."""

    statement: str
    source: str
    one: str
    other: str
    to_the_end: bool = True
    """whether it is about where training ends, not about a number of epochs"""
    more: str = ""
    """evidence added after the numbers"""


def one_claim(
    tests: Sequence[Line], trials: Sequence[Line], sizes: Sequence[int], about: About
) -> Claim:
    """The claim that one row is better than another, size by size."""
    pairs = {
        f"{size:,}": (
            select(tests, row=about.one, targets=size),
            select(tests, row=about.other, targets=size),
        )
        for size in sizes
    }
    unfinished = [
        name for name, (_, others) in pairs.items() if about.to_the_end and limited(others, trials)
    ]
    result = compared(pairs, unfinished)
    head = f"perplexity of {short(about.one)} against {short(about.other)}: "
    evidence = head + result.words + about.more
    return Claim(about.statement, about.source, result.answers, evidence, result.seeds, result.size)


def limited(tests: Sequence[Line], trials: Sequence[Line]) -> bool:
    """Whether more than half of the tested runs were still improving at their last epoch."""
    runs = [
        run
        for test in tests
        for run in select(
            trials, row=test["row"], targets=test["targets"], seed=test["seed"],
            recipe=test["recipe"],
        )
    ]  # fmt: skip
    return 2 * sum(map(still_improving, runs)) > len(runs)


CLAIMS = (
    About(
        "Explicit solutions outperform backpropagation alone, at the same shape",
        *("[P1]", "explicit", "cold"),
    ),
    About(
        "The best explicit SAFFU layer outperforms the best cold start of 128 bits",
        *("[P1], [D]", "explicit layers", "cold"),
    ),
    About(
        "The best explicit SAFFU layer of 512 bits outperforms cold starts of that width",
        *("[P1], [D]", "explicit wide", "cold wide"),
    ),
    About(
        "Explicit one-hot slots outperform the best cold start", "[D]", "explicit direct", "cold"
    ),
    About(
        "The best explicit one-hot slots (4 to 16) outperform eight trained by backpropagation",
        *("[D]", "explicit direct", "one-hot cold"),
    ),
    About(
        "Backpropagation after a warm start reaches better optima from less data",
        *("[P1]", "warm", "cold"),
    ),
    About(
        "At 512 bits, too, training ends better from a warm start",
        *("[P1], [D]", "warm wide", "cold wide"),
    ),
    About(
        "A warm start is still ahead after three times as many epochs",
        *("[D]", "warm longer", "cold longer", False),
    ),
    About(
        "Explicit one-hot slots are better than a standard transformer of the same data",
        *("[D]", "explicit direct", "transformer"),
    ),
    About(
        "Explicit words and phrases are better than a standard transformer of the same data",
        *("[D]", "explicit phrases", "transformer"),
    ),
)


def claims(tests: Sequence[Line], trials: Sequence[Line], sizes: Sequence[int]) -> list[Claim]:
    """The claims, with the comparisons that decide them."""
    alike = slots_alike(trials, sizes)
    return [
        one_claim(
            *(tests, trials, sizes),
            about._replace(more=alike) if about.other == "one-hot cold" else about,
        )
        for about in CLAIMS
    ]


def slots_alike(trials: Sequence[Line], sizes: Sequence[int]) -> str:
    """Explicit against trained one-hot slots, eight on both sides, on validation text."""
    words = []
    for size in sizes:
        trained = select(trials, row="one-hot cold", targets=size, seed=1)
        explicit = [
            line
            for line in select(trials, row="explicit direct", targets=size, seed=1)
            if line["recipe"].get("contexts", "radial:8") == "radial:8"
            and line["recipe"].get("attention") == "uniform"
        ]
        if trained and explicit:
            gap = explicit[0]["validation_nats"] - min(line["validation_nats"] for line in trained)
            words.append(f"{size:,}: {100 * np.expm1(gap):+.1f} %")
    if not words:
        return ""
    return ". With eight slots on both sides, on the first seed's validation text: " + "; ".join(
        words
    )
