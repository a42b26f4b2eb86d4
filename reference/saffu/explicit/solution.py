"""The explicit solution of a softmax layer: its weights, straight from counts.   (SPEC 1)

    ŷ = φ(h U),    U[d,i] = log F[d,i] − ((K−1)/K) · log Σ_d' F[d',i]           [P2, T]

It approximates the first-order condition Hᵀ(Ŷ − Y) = 0.  For one-hot inputs (K = 1) it solves it
exactly.  For inputs of one common norm K the logits h U are those of multinomial naive Bayes,
log n_i + Σ_d h_d log(F[d,i]/n_i) with n_i = Σ_d F[d,i].   [D]

Softmax does not see a number added to a whole row of U by way of h (its gauge), so the formula
fixes one: at K = 1 the rows hold log-counts.
"""

from __future__ import annotations

from dataclasses import dataclass

from saffu import checks
from saffu.arrays.namespace import namespace
from saffu.arrays.operation import operation
from saffu.counts import Cooccurrence
from saffu.explicit.smoothing import Backoff, Smoothing, smooth
from saffu.types import Counts, Weights


@dataclass(frozen=True)
class ExplicitFit:
    """Weights, and what they were computed from."""

    weights: Weights
    """U [D, N]"""
    priming: float
    """K"""
    samples: int
    """M"""
    smoothing: Smoothing


@operation
def explicit_solution(
    state: Cooccurrence,
    smoothing: Smoothing = Backoff(1.0),
    *,
    priming: float | None = None,
) -> ExplicitFit:
    """The weights of a softmax layer from its co-occurrences.   (SPEC 1)

    Parameters: `state` from `cooccurrence`, any number of shards added up; `smoothing` decides what
    zeros become; `priming` K > 0, the mean norm of the inputs unless given.
    Returns weights U [D, N] of the precision of the counts, which is float64, with K, M and the
    smoothing.
    Refuses: a zero in F with α = 0, naming its cell; nothing seen; K <= 0.

    >>> import numpy as np
    >>> from saffu.counts import cooccurrence
    >>> H, Y = np.eye(2)[[0, 0, 0, 1]], np.eye(2)[[0, 0, 1, 1]]
    >>> U = explicit_solution(cooccurrence(H, Y), Backoff(0.5)).weights
    >>> np.exp(U).round(6).tolist()         # K = 1: rows of U are log-counts
    [[2.25, 1.25], [0.25, 1.25]]
    """
    k = state.priming if priming is None else checks.positive("priming", priming, "SPEC 1")
    weights = explicit_weights(smooth(state.counts, smoothing), k)
    return ExplicitFit(weights, k, state.samples, smoothing)


def explicit_weights(counts: Counts, priming: float) -> Weights:
    """U[d,i] = log F[d,i] − ((K−1)/K) log Σ_d' F[d',i], for positive counts F.   (SPEC 1)"""
    xp = namespace(counts)
    totals = xp.sum(counts, axis=0)
    weights: Weights = xp.log(counts) - (priming - 1) / priming * xp.log(totals)
    return weights
