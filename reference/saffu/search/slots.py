"""Tempers per slot of a solved layer with concatenated slots.   (SPEC 1, 5)

    U_λ = λ_k log(F/n) + (1/K) log n      in the rows of slot k      [D]

The λ_k minimise the layer's own loss on held-out samples, which is convex in all of them together.
The curve is that of `saffu.explicit.temper`; the score of a slot, Σ_{d in k} s_d log(F[d,i]/n_i),
is computed here by the layer's scorer, with the evidence of all other slots left out.
"""

from __future__ import annotations

import numpy as np

from saffu.explicit.newton import minimise_convex
from saffu.explicit.temper import temper_curve
from saffu.fast.warm import Solved, Towers
from saffu.positions import Samples
from saffu.types import Array, IntArray


def towers_by_slot(
    towers: Towers, judge: Samples, few: IntArray
) -> tuple[Towers, tuple[tuple[float, ...], ...]]:
    """Towers of one layer with a λ for each slot, and these λ, tower by tower.

    A layer without slots stays as it is, and its tuple of λ is empty.

    Parameters: `judge`, held-out samples, and `few`, the indices of those to read: as many scores
    as few × slots × N_h are held.
    Refuses: an optimum at infinity (`NotConverged`).
    """
    solved, tempers = [], []
    for (layer,) in towers:
        slots = layer.parameters.attention.shape[0]
        lam = fit_slots(layer, judge, few) if slots else np.zeros(0)
        solved.append((layer.by_slot(lam) if slots else layer,))
        tempers.append(tuple(lam.tolist()))
    return tuple(solved), tuple(tempers)


def fit_slots(solved: Solved, judge: Samples, few: IntArray) -> Array:
    """λ [B] with the least loss on some held-out samples; 1 for a slot without evidence there."""
    totals = solved.counts.sum(axis=0)
    scores = slot_scores(solved, np.log(solved.counts / totals), judge, few)
    widest = np.max(scores.max(axis=2) - scores.min(axis=2), axis=0)
    unit = np.where(widest > 0, widest, 1.0)
    scores /= unit[None, :, None]
    targets = solved.layer.labels[judge.targets[few]].astype(np.float64)
    minimum = minimise_convex(
        lambda lam: temper_curve(lam, np.log(totals), scores, targets),
        np.zeros(scores.shape[1]),
        tolerance=1e-6,
    )
    return np.where(widest > 0, minimum.place / unit, 1.0)


def slot_scores(solved: Solved, evidence: Array, judge: Samples, few: IntArray) -> Array:
    """The score that each slot alone gives each hidden unit [m, B, N_h]."""
    attention = solved.parameters.attention
    slots = attention.shape[0]
    width, scores = evidence.shape[0] // slots, []
    for slot in range(slots):
        alone = np.zeros(evidence.shape, attention.dtype)
        alone[slot * width : (slot + 1) * width] = evidence[slot * width : (slot + 1) * width]
        scores.append(solved.layer.scorer(attention, alone)(judge)[few].astype(np.float64))
    return np.stack(scores, axis=1)
