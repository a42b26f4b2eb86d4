"""Single-layer study: its claims and the rules that decide them.   (SPEC 7)"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from saffu_lab.records.evidence import Answer, of_interval
from saffu_lab.records.results import Line
from saffu_lab.replication.chapters import Claim, amounts
from saffu_lab.replication.single_layer.chapter import COLD, Group, Way, groups, way

MARGINAL = 0.05
"""An improvement by less than this share of perplexity counts as marginal."""
DRIFT = 0.1
"""Weights drift towards a mark if they cover at least this share of their distance from it, …"""
AIM = 0.5
"""… and the cosine between them and the mark is at least this."""
EXACT = 1e-12
"""A gradient whose norm is at most this is zero up to rounding."""


def claims(lines: Sequence[Line]) -> list[Claim]:
    """Claims of [P2], each decided by the rule stated in its evidence."""
    by_radius = groups(lines)
    exact = [group for group in by_radius if group.radius == 1]
    exactness = "; ".join(_exactly(group) for group in exact) or "r = 1 was not measured"
    return [
        Claim(
            "For contexts of one token the explicit solution is the optimum.",
            "[P2]",
            [Answer(_exact(group)) for group in exact],
            f"Rule: the norm of the gradient of P(α) there is at most {EXACT:g}, and L-BFGS from "
            f"zeros ends within 1e-8 nats of it. {exactness}.",
            *("1", _size(by_radius)),
        ),
        _marginal(by_radius, "explicit", "at λ = 1", "[P2]"),
        _marginal(by_radius, "slots", "with one λ per slot", "[D]"),
        Claim(
            "Cold starts drift towards the explicit solution.",
            "[P2]",
            [Answer(_drifts(way(g.run(row), "explicit"))) for g in by_radius for row in COLD],
            "Rule: at the best epoch the distance from the explicit solution (λ = 1, centred rows) "
            f"is at least {DRIFT:.0%} smaller than at the start, and the cosine is at least "
            f"{AIM:g}. Share of the distance covered and cosine, for the explicit solution | for "
            "the optimum: " + "; ".join(f"r = {g.radius} {_drift(g)}" for g in by_radius) + ".",
            *("1", _size(by_radius)),
        ),
        _ends(by_radius, "explicit", "at λ = 1", "[P2]"),
        _ends(by_radius, "slots", "with one λ per slot", "[D]"),
        Claim(
            "From an explicit start, Adam matches the best cold start in fewer epochs.",
            "[P2]",
            [Answer(_sooner(g, start)) for g in by_radius for start in ("explicit", "slots")],
            "Rule: fewer epochs than the better cold start takes to reach its best validation "
            "loss, both for λ = 1 and for one λ per slot. Epochs: "
            + "; ".join(
                f"r = {g.radius} cold {_needed(g)}, λ = 1 {_count(_epochs(g, 'explicit'))}, one λ "
                f"per slot {_count(_epochs(g, 'slots'))}"
                for g in by_radius
            )
            + ".",
            *("1", _size(by_radius)),
        ),
    ]


def _size(by_radius: Sequence[Group]) -> str:
    return amounts(group.test["targets"] for group in by_radius)


def _exact(group: Group) -> bool:
    slope = group.optimum["explicit"]["same α, λ = 1"]["slope_length"]
    objective = group.optimum["explicit"]["same α, λ = 1"]["objective"]
    return bool(slope <= EXACT and abs(group.from_zeros["values"][-1] - objective) <= 1e-8)


def _exactly(group: Group) -> str:
    own = group.optimum["explicit"]["same α, λ = 1"]
    zeros = group.from_zeros
    return (
        f"α = {group.optimum['strength']:g}: the norm of the gradient is "
        f"{own['slope_length']:.0e}; L-BFGS from zeros ends "
        f"{abs(zeros['values'][-1] - own['objective']):.0e} nats away after "
        f"{zeros['iterations']} iterations, with a gradient norm of {zeros['slope_length']:.0e}"
    )


def _marginal(by_radius: Sequence[Group], start: str, temper: str, source: str) -> Claim:
    """The claim that little is gained by iterating from an explicit solution."""
    rows = (f"Adam from {start}", "optimum")
    answers = [
        of_interval(group.gap(start, row)).less(-np.log1p(-MARGINAL)).answer
        for group in by_radius
        for row in rows
    ]
    return Claim(
        f"Iterative optimisation improves the explicit solution {temper} only marginally.",
        source,
        answers,
        "Rule: neither Adam started from it, with early stopping, nor the optimum of P(α) lowers "
        f"test perplexity by {MARGINAL:.0%} or more, by the whole interval. Change by Adam, and at "
        "the optimum: "
        + "; ".join(
            f"r = {group.radius} {group.gap(rows[0], start).percent} and "
            f"{group.gap(rows[1], start).percent}"
            for group in by_radius
        )
        + ".",
        *("1", _size(by_radius)),
    )


def _ends(by_radius: Sequence[Group], start: str, temper: str, source: str) -> Claim:
    """The claim that training from an explicit start ends better than from cold starts."""
    warm = f"Adam from {start}"
    return Claim(
        f"Adam ends at better optima from the explicit solution {temper} than from cold starts.",
        source,
        [group.better(warm, row) for group in by_radius for row in COLD],
        "Rule: lower test perplexity, by the whole interval over test documents, than from zeros "
        "and than from random weights. Changes against these two and against the optimum of P(α), "
        "which descent from zeros also reaches if the pseudo-samples are added: "
        + "; ".join(
            f"r = {group.radius} "
            + ", ".join(group.gap(warm, row).percent for row in (*COLD, "optimum"))
            for group in by_radius
        )
        + ".",
        *("1", _size(by_radius)),
    )


def _drifts(course: Way) -> bool:
    return course.covered >= DRIFT and course.cosine >= AIM


def _drift(group: Group) -> str:
    cells = []
    for row in COLD:
        ways = [way(group.run(row), mark) for mark in ("explicit", "optimum")]
        both = " | ".join(f"{w.covered:.0%}, {w.cosine:.2f}" for w in ways)
        cells.append(f"{row.removeprefix('Adam from ')} {both}")
    return " and ".join(cells)


def _goal(group: Group) -> tuple[float, int]:
    """The best validation loss of any cold start, and the epoch at which it was reached."""
    entries = [entry for row in COLD for entry in group.run(row)["history"]]
    best = min(entries, key=lambda entry: float(entry[1]))
    return float(best[1]), int(best[0])


def _needed(group: Group) -> int:
    return _goal(group)[1]


def _epochs(group: Group, start: str) -> int | None:
    """Epochs until Adam from an explicit start matches it; None if it never does."""
    goal = _goal(group)[0]
    history = group.run(f"Adam from {start}")["history"]
    return next((int(entry[0]) for entry in history if entry[1] <= goal), None)


def _sooner(group: Group, start: str) -> bool:
    epochs = _epochs(group, start)
    return epochs is not None and epochs < _needed(group)


def _count(epochs: int | None) -> str:
    return "never" if epochs is None else str(epochs)
