"""Temper fit: the best single λ over many samples, block by block.   (SPEC 1)

The same fit as `saffu.explicit.temper`.  With one λ, a sample's loss is

    w · log Σ_i exp(log n_i + λ s_i) − ⟨y, log n⟩ − λ ⟨y, s⟩,      w = Σ y

so of its targets only three numbers are needed, and its slope and bend are a mean and a variance:

    w E_p[s] − ⟨y, s⟩,      w Var_p[s],      p = φ(log n + λ s)

Scores of an unusual size are fitted in units of it: λ s = (λ u)(s/u).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from saffu.explicit.newton import Curve, minimise_convex
from saffu.types import Array, IntArray, Targets

ROWS = 256
"""samples whose probabilities are in memory at a time: they should fit into the cache"""

USUAL = 1e-3, 1e4
"""ranges of scores that are fitted as they are"""


class Evidence(NamedTuple):
    """Scores of m samples, with the sums over their targets that the loss needs."""

    prior: Array
    """log n [N]"""
    scores: Array
    """s [m, N]"""
    mass: Array
    """Σ y [m]"""
    known: float
    """Σ_m ⟨y, log n⟩"""
    of_targets: Array
    """⟨y, s⟩ [m]"""


def of_tokens(prior: Array, scores: Array, tokens: IntArray) -> Evidence:
    """Evidence about target tokens [m]."""
    m = tokens.shape[0]
    of_targets = scores[np.arange(m), tokens].astype(np.float64)
    return Evidence(prior, scores, np.ones(m), float(prior[tokens].sum()), of_targets)


def of_rows(prior: Array, scores: Array, targets: Targets) -> Evidence:
    """Evidence about target distributions [m, N]."""
    goal = np.asarray(targets, dtype=np.float64)
    of_targets = np.sum(goal * scores, axis=1)
    return Evidence(prior, scores, goal.sum(axis=1), float((goal @ prior).sum()), of_targets)


def fit_one(
    evidence: Evidence, *, start: float = 1.0, tolerance: float = 1e-5
) -> tuple[float, float]:
    """λ and the mean loss there, in nats.

    >>> scores, prior = np.log(np.array([[1.0, 3.0]] * 10)), np.zeros(2)
    >>> lam, _ = fit_one(of_tokens(prior, scores, np.array([0] + [1] * 9)))
    >>> round(lam, 4)                                   # 9 to 1 is 3 to 1 squared
    2.0
    """
    size = _largest_range(evidence.scores)
    if size > 0 and not USUAL[0] <= size <= USUAL[1]:
        evidence = evidence._replace(
            scores=evidence.scores / size, of_targets=evidence.of_targets / size
        )
        start = 0.0
    else:
        size = 1.0
    minimum = minimise_convex(
        lambda lam: curve(evidence, float(lam[0])), np.array([start]), tolerance=tolerance
    )
    return float(minimum.place[0]) / size, minimum.value


def _largest_range(scores: Array) -> float:
    """The largest range of the scores of a sample."""
    blocks = (scores[first : first + ROWS] for first in range(0, scores.shape[0], ROWS))
    return max(float(np.max(s.max(axis=1) - s.min(axis=1))) for s in blocks)


def curve(evidence: Evidence, lam: float) -> Curve:
    """Mean loss at λ with its slope and bend."""
    prior, scores, mass, known, of_targets = evidence
    m = scores.shape[0]
    value, slope, bend = -known - lam * of_targets.sum(), -of_targets.sum(), 0.0
    shift = prior.astype(scores.dtype)
    for first in range(0, m, ROWS):
        s = scores[first : first + ROWS]
        w = mass[first : first + ROWS]
        p = s * scores.dtype.type(lam)
        p += shift
        top = p.max(axis=1, keepdims=True)
        p -= top
        np.exp(p, out=p)
        total = p.sum(axis=1, dtype=np.float64)
        p *= s
        mean = p.sum(axis=1, dtype=np.float64) / total
        p *= s
        square = p.sum(axis=1, dtype=np.float64) / total
        value += float(w @ (np.log(total) + top[:, 0]))
        slope += float(w @ mean)
        bend += float(w @ np.maximum(square - mean * mean, 0.0))
    return Curve(float(value) / m, np.array([slope / m]), np.array([[bend / m]]))
