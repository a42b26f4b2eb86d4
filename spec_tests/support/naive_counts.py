"""Counting, smoothing and solving from SPEC 1, one number at a time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from saffu.types import Array

Table = list[list[Any]]


def naive_cooccurrence(h: Array, y: Array) -> Table:
    """F[d][i] = Σ_m h_m[d] y_m[i]."""
    return [
        [sum(h[m][d] * y[m][i] for m in range(len(h))) for i in range(len(y[0]))]
        for d in range(len(h[0]))
    ]


def naive_shares(F: Table) -> list[Any]:
    """q_i = (n_i + 1) / (Σ n + N)."""
    n = [sum(row[i] for row in F) for i in range(len(F[0]))]
    return [(each + 1) / (sum(n) + len(n)) for each in n]


def naive_additive(F: Table, alpha: Any) -> Table:
    return [[cell + alpha for cell in row] for row in F]


def naive_backoff(F: Table, alpha: Any) -> Table:
    q = naive_shares(F)
    return [[cell + alpha * share for cell, share in zip(row, q, strict=True)] for row in F]


def naive_discount(F: Table, delta: Any) -> Table:
    q = naive_shares(F)
    smoothed = []
    for row in F:
        taken = delta * sum(1 for cell in row if cell != 0)
        smoothed.append(
            [max(cell - delta, 0) + taken * share for cell, share in zip(row, q, strict=True)]
        )
    return smoothed


def naive_explicit(F: Table, K: float) -> Array:
    """U[d,i] = log F[d,i] − ((K−1)/K) log Σ_d' F[d',i]."""
    totals = [math.fsum(row[i] for row in F) for i in range(len(F[0]))]
    return np.array(
        [
            [
                math.log(cell) - (K - 1) / K * math.log(n)
                for cell, n in zip(row, totals, strict=True)
            ]
            for row in F
        ]
    )


def naive_bayes(h: Array, F: Table) -> Array:
    """Probabilities of multinomial naive Bayes: P(i) ∝ n_i Π_d (F[d,i]/n_i)^h_d, prior n/Σn."""
    n = [math.fsum(row[i] for row in F) for i in range(len(F[0]))]
    rows = []
    for sample in h:
        joint = [
            math.log(n[i] / math.fsum(n))
            + math.fsum(value * math.log(F[d][i] / n[i]) for d, value in enumerate(sample))
            for i in range(len(n))
        ]
        likelihood = [math.exp(each - max(joint)) for each in joint]
        rows.append([each / math.fsum(likelihood) for each in likelihood])
    return np.array(rows)
