"""What the study on less data compares, and what follows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from saffu_lab.records.comparison import perplexity
from saffu_lab.records.evidence import better, change, estimate, gaps, over_all
from saffu_lab.records.results import Line, table
from saffu_lab.replication.chapters import Claim, select
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
    """Pairs of rows."""
    rows = []
    for one, other in COMPARED:
        cells = [_change(tests, one, other, size) for size in sizes]
        if any(cell != "–" for cell in cells):
            rows.append([f"{short(one)} against {short(other)}", *cells])
    return table(["comparison", *(f"{size:,}" for size in sizes)], rows)


def _change(tests: Sequence[Line], one: str, other: str, size: int) -> str:
    ones, others = (select(tests, row=row, targets=size) for row in (one, other))
    if any(len(line["nats"]) == 1 for line in others):  # KenLM says one number for the whole text
        log_ratios = [
            float(np.log(perplexity(a) / perplexity(b)))
            for a in ones
            for b in others
            if a["seed"] == b["seed"]
        ]
        if not log_ratios:
            return "–"
        mean, low, high = (100 * (np.exp(x) - 1) for x in estimate(log_ratios))
        return f"{mean:+.1f} % ({low:+.1f} … {high:+.1f})"
    return change(ones, others)


def sides(
    tests: Sequence[Line], one: str, other: str, sizes: Sequence[int]
) -> dict[int, bool | None]:
    """At which sizes the first row is better; None where seeds or intervals do not agree."""
    by_size = {}
    for size in sizes:
        ones, others = (select(tests, row=row, targets=size) for row in (one, other))
        if gaps(ones, others):
            by_size[size] = better(ones, others)
    return by_size


def claims(tests: Sequence[Line], sizes: Sequence[int]) -> list[Claim]:
    """The verdicts."""

    def one_claim(statement: str, source: str, one: str, other: str) -> Claim:
        by_size = sides(tests, one, other, sizes)
        words = "; ".join(f"{size:,}: {_change(tests, one, other, size)}" for size in by_size)
        head = f"perplexity of {short(one)} against {short(other)}: "
        return Claim(statement, source, over_all(list(by_size.values())), head + words)

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
            "At 512 bits, too, training ends ahead from a warm start",
            "[P1], [D]",
            "warm wide",
            "cold wide",
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
