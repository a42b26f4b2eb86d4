"""Counts, and what is computed from them.   (SPEC 1)"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from spec_tests.support.oracle.arithmetic import Arithmetic, Number, Row, Table
from spec_tests.support.oracle.softmax import cross_entropy, softmax


def columns(table: Table) -> Table:
    """Transposed."""
    return [list(column) for column in zip(*table, strict=True)]


def cooccurrence(ar: Arithmetic, h: Table, y: Table) -> Table:
    """F[d][i] = Σ_m h[m][d] y[m][i]."""
    return [[ar.dot(feature, target) for target in columns(y)] for feature in columns(h)]


def norm(ar: Arithmetic, h: Table) -> Number:
    """Σ_m ‖h_m‖₁."""
    return ar.total(ar.total(row) for row in h)


def priming(ar: Arithmetic, h: Table) -> Number:
    """The mean norm."""
    return norm(ar, h) / len(h)


def smooth(ar: Arithmetic, f: Table, smoothing: Mapping[str, Any]) -> Table:
    """Counts without zeros."""
    strength = ar.number(smoothing["strength"])
    if smoothing["kind"] == "additive":
        return [[cell + strength for cell in row] for row in f]
    n = [ar.total(column) for column in columns(f)]
    everything = ar.total(n)
    q = [(one + 1) / (everything + len(n)) for one in n]
    if smoothing["kind"] == "backoff":
        return [[cell + strength * share for cell, share in zip(row, q, strict=True)] for row in f]
    full = []
    for row in f:
        seen = sum(1 for cell in row if cell > 0)
        kept = [cell - strength if cell > strength else ar.number(0) for cell in row]
        full.append([k + strength * seen * share for k, share in zip(kept, q, strict=True)])
    return full


def explicit_weights(ar: Arithmetic, f: Table, k: Number) -> Table:
    """U[d][i] = log F[d][i] − ((K−1)/K) log Σ_d' F[d'][i]."""
    logs = [ar.log(ar.total(column)) for column in columns(f)]
    factor = (k - 1) / k
    return [[ar.log(cell) - factor * n for cell, n in zip(row, logs, strict=True)] for row in f]


def evidence(ar: Arithmetic, f: Table) -> tuple[Table, Row]:
    """log(F[d][i] / n_i), and log n_i."""
    n = [ar.total(column) for column in columns(f)]
    return (
        [[ar.log(cell / one) for cell, one in zip(row, n, strict=True)] for row in f],
        [ar.log(one) for one in n],
    )


def slot_scores(ar: Arithmetic, h: Table, f: Table, slots: int) -> tuple[Row, list[Table]]:
    """log n_i, and what each slot says of each target: s[m][k][i]."""
    table, prior = evidence(ar, f)
    width = len(f) // slots
    scores = []
    for row in h:
        said = []
        for k in range(slots):
            mine = range(k * width, (k + 1) * width)
            part = [row[d] for d in mine]
            said.append([ar.dot(part, [table[d][i] for d in mine]) for i in range(len(prior))])
        scores.append(said)
    return prior, scores


def tempered(ar: Arithmetic, prior: Row, scores: list[Table], temper: Row) -> Table:
    """z[m][i] = log n_i + Σ_k λ_k s[m][k][i]."""
    return [
        [
            prior[i] + ar.total(lam * said[k][i] for k, lam in enumerate(temper))
            for i in range(len(prior))
        ]
        for said in scores
    ]


def tempered_weights(ar: Arithmetic, f: Table, temper: Number, k: Number) -> Table:
    """λ log(F[d][i]/n_i) + (1/K) log n_i."""
    table, prior = evidence(ar, f)
    return [[temper * e + n / k for e, n in zip(row, prior, strict=True)] for row in table]


class Temper(NamedTuple):
    """The best λ and its loss."""

    temper: Row
    loss: Number


def fit_temper(
    ar: Arithmetic, h: Table, y: Table, f: Table, slots: int, start: Row, steps: int = 60
) -> Temper:
    """Newton's method from zero, halving steps that do not help.

    A slot that says nothing stays at its start.
    """
    prior, scores = slot_scores(ar, h, f, slots)

    def loss(temper: Row) -> Number:
        return cross_entropy(ar, tempered(ar, prior, scores, temper), y)

    lam = [first if _silent(scores, k) else ar.number(0) for k, first in enumerate(start)]
    now = loss(lam)
    for _ in range(steps):
        lam = [ar.fresh(one) for one in lam]
        move = _solve(ar, *_slope_and_bend(ar, prior, scores, y, lam))
        if not any(one > ar.near or -one > ar.near for one in move):
            break
        for _ in range(60):
            there = [a + b for a, b in zip(lam, move, strict=True)]
            reached = loss(there)
            if not reached > now:
                break
            move = [one / 2 for one in move]
        else:
            break
        lam, now = there, reached
    lam = [ar.fresh(one) for one in lam]
    last = _solve(ar, *_slope_and_bend(ar, prior, scores, y, lam))
    return Temper([a + b for a, b in zip(lam, last, strict=True)], loss(lam))


def _silent(scores: list[Table], slot: int) -> bool:
    """Whether a slot says the same of all targets, in every sample."""
    return not any(
        one > said[slot][0] or one < said[slot][0] for said in scores for one in said[slot]
    )


def _slope_and_bend(
    ar: Arithmetic, prior: Row, scores: list[Table], y: Table, temper: Row
) -> tuple[Row, Table]:
    """First and second derivatives of the mean loss in λ."""
    logits = tempered(ar, prior, scores, temper)
    slots = range(len(temper))
    slope: Table = [[] for _ in slots]
    bend: list[Table] = [[[] for _ in slots] for _ in slots]
    for z, said, wanted in zip(logits, scores, y, strict=True):
        p, mass = softmax(ar, z), ar.total(wanted)
        mean = [ar.dot(p, said[k]) for k in slots]
        for k in slots:
            slope[k].append(mass * mean[k] - ar.dot(wanted, said[k]))
            off_k = [s - mean[k] for s in said[k]]
            for j in slots:
                off_j = [s - mean[j] for s in said[j]]
                both = [a * b for a, b in zip(off_k, off_j, strict=True)]
                bend[k][j].append(mass * ar.dot(p, both))
    return (
        [ar.total(terms) / len(y) for terms in slope],
        [[ar.total(terms) / len(y) for terms in row] for row in bend],
    )


def _solve(ar: Arithmetic, slope: Row, bend: Table) -> Row:
    """x with bend · x = −slope, by elimination; directions that do not bend stay where they are."""
    size = len(slope)
    rows = [[*map(ar.fresh, bend[k]), -slope[k]] for k in range(size)]
    still = [not rows[k][k] > 1e-30 for k in range(size)]
    for k in range(size):
        if still[k]:
            continue
        for j in range(k + 1, size):
            factor = rows[j][k] / rows[k][k]
            rows[j] = [a - factor * b for a, b in zip(rows[j], rows[k], strict=True)]
    x = [ar.number(0)] * size
    for k in reversed(range(size)):
        if not still[k]:
            known = ar.dot(rows[k][k + 1 : size], x[k + 1 :])
            x[k] = (rows[k][size] - known) / rows[k][k]
    return x


def judged(ar: Arithmetic, h: Table, y: Table, f: Table, k: Number) -> Number:
    """The loss of the explicit solution of smoothed counts on other samples."""
    u = columns(explicit_weights(ar, f, k))
    return cross_entropy(ar, [[ar.dot(row, column) for column in u] for row in h], y)


def leave_one_out(ar: Arithmetic, h: Table, y: Table, smoothing: Mapping[str, Any]) -> Number:
    """Each one-hot sample is predicted from the counts of all others."""
    losses = []
    for m in range(len(h)):
        others = [j for j in range(len(h)) if j != m]
        left = cooccurrence(ar, [h[j] for j in others], [y[j] for j in others])
        d, i = _one(h[m]), _one(y[m])
        full = smooth(ar, left, smoothing)[d]
        if not any(cell > 0 for cell in left[d]) and smoothing["kind"] == "discount":
            everything = ar.total(ar.total(row) for row in left)
            p = (ar.total(row[i] for row in left) + 1) / (everything + len(full))
        else:
            p = full[i] / ar.total(full)
        losses.append(-ar.log(p))
    return ar.total(losses) / len(h)


def _one(row: Row) -> int:
    """Where a one-hot row has its one."""
    return next(place for place, entry in enumerate(row) if entry > 0)


class Refined(NamedTuple):
    """What generalised iterative scaling arrives at."""

    weights: Table
    slack: Row
    capacity: Number
    losses: Row


def refine(ar: Arithmetic, u: Table, h: Table, y: Table, steps: int) -> Refined:
    """U ← U + (1/K) log(F / Hᵀφ(HU)), with a slack feature that makes all norms K."""
    norms = [ar.total(row) for row in h]
    capacity = norms[0]
    for one in norms:
        if one > capacity:
            capacity = one
    rows = [[*row, capacity - one] for row, one in zip(h, norms, strict=True)]
    if all(not capacity - one > capacity * 1e-12 for one in norms):
        rows = [[*row, ar.number(0)] for row in h]
    weights = [*u, [ar.number(0) for _ in u[0]]]
    seen = cooccurrence(ar, rows, y)

    def predict(weights: Table) -> Table:
        return [[ar.dot(row, column) for column in columns(weights)] for row in rows]

    losses = [cross_entropy(ar, predict(weights), y)]
    for _ in range(steps):
        weights = [[ar.fresh(one) for one in row] for row in weights]
        masses = [ar.total(wanted) for wanted in y]
        guess = [
            [mass * p for p in softmax(ar, z)]
            for z, mass in zip(predict(weights), masses, strict=True)
        ]
        expected = cooccurrence(ar, rows, guess)
        for d, (f_row, e_row) in enumerate(zip(seen, expected, strict=True)):
            for i, (f, e) in enumerate(zip(f_row, e_row, strict=True)):
                if f > 0 and e > 0:
                    weights[d][i] = weights[d][i] + ar.log(f / e) / capacity
        losses.append(cross_entropy(ar, predict(weights), y))
    return Refined(weights[:-1], weights[-1], capacity, losses)


def hidden_targets(ar: Arithmetic, a: Row, g: Row, clip: bool = True) -> Row:
    """t = a (1 + G − ⟨a, G⟩) of one row; with `clip`, what is negative becomes zero.   (SPEC 5)"""
    mean = ar.dot(a, g)
    t = [x * (1 + y - mean) for x, y in zip(a, g, strict=True)]
    if not clip:
        return t
    kept = [x if x > 0 else ar.number(0) for x in t]
    total = ar.total(kept)
    return [x / total for x in kept]
