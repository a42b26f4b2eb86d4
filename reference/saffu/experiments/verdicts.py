"""What follows from the measured lines of `saffu.experiments.claims`: a table, verdicts, a picture.

Two models are compared on the same test documents.  Their difference in nats a target gets a 95 %
interval by drawing the documents anew, with replacement, 2,000 times (percentile bootstrap).  It
says how far the result depends on which chapters happened to be the test, and nothing of the seed
of the training.

    holds      the whole interval is on the side of the claim, for every seed
    fails      the whole interval is on the other side, for every seed
    open       anything else
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from saffu.experiments.results import Line, table
from saffu.types import Array

DRAWS = 2_000

NAMES = {
    "unigram": "unigram",
    "bigram": "interpolated bigram",
    "explicit": "SAFFU, explicit only",
    "explicit wide": "SAFFU, explicit only, wide codes",
    "one-hot": "one-hot slots with tempers, explicit only",
    "cold": "SAFFU, Adam from a cold start",
    "warm": "SAFFU, explicit, then Adam",
    "one-hot cold": "one-hot slots, sparse Adam from zeros",
}
"""The rows, in the order of the table."""


class Gap(NamedTuple):
    """Nats a target that the first model needs more than the second, with its 95 % interval."""

    nats: float
    low: float
    high: float

    @property
    def percent(self) -> str:
        """The same as a change of perplexity."""
        change, low, high = (100 * (np.exp(x) - 1) for x in self)
        return f"{change:+.1f} % ({low:+.1f} … {high:+.1f})"


def gap(one: Line, other: Line) -> Gap:
    """Compare two tested models.

    >>> a = {"nats": [10.0, 22.0], "targets_tested": [5, 10]}
    >>> b = {"nats": [5.0, 10.0], "targets_tested": [5, 10]}
    >>> round(gap(a, b).nats, 6), gap(b, a).high < 0
    (1.133333, True)
    """
    targets = np.array(one["targets_tested"], dtype=np.float64)
    more = np.array(one["nats"]) - np.array(other["nats"])
    random = np.random.default_rng(0)
    drawn = random.integers(0, more.shape[0], (DRAWS, more.shape[0]))
    means = more[drawn].sum(axis=1) / targets[drawn].sum(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return Gap(float(more.sum() / targets.sum()), float(low), float(high))


def verdict(gaps: Sequence[Gap]) -> str:
    """`holds` if the first model is better for every seed.

    >>> verdict([Gap(-0.1, -0.2, -0.05)]), verdict([Gap(0.1, 0.05, 0.2)]), verdict([Gap(0, -1, 1)])
    ('holds', 'fails', 'open')
    """
    if gaps and all(g.high < 0 for g in gaps):
        return "holds"
    return "fails" if gaps and all(g.low > 0 for g in gaps) else "open"


def perplexity(line: Line) -> float:
    """Test perplexity of a tested model."""
    return float(np.exp(sum(line["nats"]) / sum(line["targets_tested"])))


def judged(lines: Sequence[Line], **fields: Any) -> list[Line]:
    """The tested models that have these fields."""
    return [
        line
        for line in lines
        if line["kind"] == "test" and all(line[name] == value for name, value in fields.items())
    ]


def run_of(lines: Sequence[Line], test: Line) -> Line:
    """The run whose model was tested."""
    same = ("row", "settings", "targets", "seed", "setting")
    return next(r for r in lines if r["kind"] == "run" and all(r[n] == test[n] for n in same))


def report(lines: Sequence[Line], picture: Path | None = None) -> str:
    """Everything that the lines say, as Markdown; with `picture`, a plot beside it."""
    amounts = sorted({line["targets"] for line in judged(lines)})
    parts = [results_table(lines, amounts), verdicts(lines, amounts), tried_table(lines, amounts)]
    if picture is not None and plot(lines, amounts, picture):
        parts.append(f"Plot: {picture.name}")
    return "\n\n".join(parts)


def results_table(lines: Sequence[Line], amounts: Sequence[int]) -> str:
    """Test perplexity of every row (mean over seeds, and their range) and its CPU seconds."""
    head = ["model"]
    for amount in amounts:
        head += [f"{amount:,} targets", "CPU s"]
    rows = []
    for row, name in NAMES.items():
        cells = [name]
        for amount in amounts:
            found = judged(lines, row=row, targets=amount)
            values = [perplexity(line) for line in found]
            seconds = [run_of(lines, line)["cpu_seconds"] for line in found]
            cells += [_mean(values), f"{np.mean(seconds):.1f}" if seconds else "–"]
        if set(cells[1:]) != {"–"}:
            rows.append(cells)
    return table(head, rows)


def _mean(values: Sequence[float]) -> str:
    if not values:
        return "–"
    spread = f" ({min(values):.1f}–{max(values):.1f}, {len(values)} seeds)"
    return f"{np.mean(values):.1f}" + (spread if len(values) > 1 else "")


def verdicts(lines: Sequence[Line], amounts: Sequence[int]) -> str:
    """The claims, one sentence for each comparison."""
    said = ["(c) Explicit solutions outperform models optimised by backpropagation alone:"]
    for amount in amounts:
        for row in ("explicit", "explicit wide", "one-hot"):
            said += _compared(lines, amount, row, "cold")
        said += _compared(lines, amount, "one-hot", "one-hot cold")
    said += ["", "(d) Backpropagation after a warm start reaches better optima from less data:"]
    for amount in amounts:
        said += _compared(lines, amount, "warm", "cold")
        said += _sooner(lines, amount)
    said += ["", "What backpropagation adds to the explicit solution, and to no other:"]
    for amount in amounts:
        said += _compared(lines, amount, "warm", "explicit")
        said += _compared(lines, amount, "warm", "one-hot")
    return "\n".join(said)


def _compared(lines: Sequence[Line], amount: int, row: str, other: str) -> list[str]:
    gaps = [
        gap(one, two)
        for one in judged(lines, row=row, targets=amount)
        for two in judged(lines, row=other, targets=amount, seed=one["seed"])
    ]
    if not gaps:
        return []
    changes = "; ".join(g.percent for g in gaps)
    names = f"{NAMES[row]}, against {NAMES[other]}"
    return [f"- {amount:,} targets: **{verdict(gaps)}**: {names}: perplexity {changes}."]


def _sooner(lines: Sequence[Line], amount: int) -> list[str]:
    """When the warm run was as good as the cold run ever became, on validation text."""
    said = []
    for cold in judged(lines, row="cold", targets=amount):
        for warm in judged(lines, row="warm", targets=amount, seed=cold["seed"]):
            (start,) = judged(lines, row="explicit", targets=amount, seed=cold["seed"])
            before = run_of(lines, start)["cpu_seconds"]
            goal, at, cost = min(
                (nats, seen, cpu) for _, seen, cpu, nats in run_of(lines, cold)["history"]
            )
            reached = [
                f"after {seen:,} targets and {cpu + before:.0f} CPU s, the warm start included"
                for _, seen, cpu, nats in run_of(lines, warm)["history"]
                if nats <= goal
            ]
            said.append(
                f"- {amount:,} targets: the cold run was at its best (validation perplexity "
                f"{np.exp(goal):.1f}) after {at:,} targets and {cost:.0f} CPU s; the warm run was "
                f"as good {reached[0] if reached else 'never'}."
            )
    return said


def tried_table(lines: Sequence[Line], amounts: Sequence[int]) -> str:
    """Validation perplexity of every setting that was tried for the trained rows."""
    head = ["row, settings", *(f"{amount:,} targets" for amount in amounts)]
    cells: dict[str, dict[int, list[float]]] = {}
    for line in lines:
        if line["kind"] == "run" and line["settings"]:
            settings = ", ".join(f"{name} {value:g}" for name, value in line["settings"].items())
            name = f"{NAMES[line['row']]}: {settings}"
            seen = cells.setdefault(name, {})
            seen.setdefault(line["targets"], []).append(float(np.exp(line["validation_nats"])))
    rows = [
        [name, *(_mean(seen.get(amount, [])) for amount in amounts)] for name, seen in cells.items()
    ]
    return "Validation perplexity of all settings that were tried:\n\n" + table(head, rows)


def plot(lines: Sequence[Line], amounts: Sequence[int], path: Path) -> bool:
    """Validation perplexity against CPU seconds and targets seen; False without matplotlib."""
    try:
        import matplotlib
    except ImportError:
        return False
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(
        len(amounts), 2, figsize=(10, 3.6 * len(amounts)), squeeze=False, sharey="row"
    )
    for amount, pair in zip(amounts, axes, strict=True):
        for axis, label, column in zip(pair, ("targets seen", "CPU seconds"), (1, 2), strict=True):
            draw(lines, amount, axis, column)
            axis.set(xlabel=label, xscale="symlog" if column == 1 else "log", yscale="log")
            axis.set_title(f"{amount:,} training targets")
        pair[0].set_ylabel("validation perplexity")
        pair[1].legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=90)
    pyplot.close(figure)
    return True


def draw(lines: Sequence[Line], amount: int, axis: Any, column: int) -> None:
    """One panel: column 1 of a history is targets seen, column 2 CPU seconds."""
    seed = min(line["seed"] for line in judged(lines, targets=amount))
    runs = {test["row"]: run_of(lines, test) for test in judged(lines, targets=amount, seed=seed)}
    for row, colour in (("bigram", "0.6"), ("explicit", "C0"), ("one-hot", "C2")):
        if row in runs:
            level = np.exp(runs[row]["judges_nats"])
            axis.axhline(level, color=colour, linestyle=":", label=NAMES[row])
    before = runs["explicit"]["cpu_seconds"] if "explicit" in runs else 0.0
    for line in lines:
        chosen = any(line is best for best in runs.values())
        same = line["kind"] == "run" and (line["targets"], line["seed"]) == (amount, seed)
        if not same or "history" not in line:
            continue
        warm = line["row"] == "warm"
        history: Array = np.array([[float(x) for x in entry[1:]] for entry in line["history"]])
        along = history[:, column - 1] + (before if warm and column == 2 else 0.0)
        axis.plot(
            *(along, np.exp(history[:, 2])),
            color="C0" if warm else "C1",
            alpha=1.0 if chosen else 0.25,
            linewidth=2 if chosen else 1,
            label=NAMES[line["row"]] if chosen else None,
        )
