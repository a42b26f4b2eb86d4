"""One temper a slot for a solved layer of concatenated slots.   (SPEC 1, 5)

    U_λ = λ_k log(F/n) + (1/K) log n      in the rows of slot k      [D]

The λ_k minimise the layer's own loss on held-out samples, which is convex in all of them together.
The fit is that of `saffu.explicit.temper`; what a slot says, Σ_{d in k} s_d log(F[d,i]/n_i), is
read here by the layer's scorer, with the evidence of all other slots left out.
"""

from __future__ import annotations

import numpy as np

from saffu.configuration import Configuration
from saffu.errors import BadOption
from saffu.explicit.newton import minimise_convex
from saffu.explicit.temper import temper_curve
from saffu.fast.warm import Solved
from saffu.positions import Samples
from saffu.types import Array, IntArray, Labels


def check_slots(configuration: Configuration) -> None:
    """Refuse layers whose slots are not side by side, and towers of several layers.

    A temper of a lower layer changes what the layers above it have counted.
    """
    if configuration.layer.aggregation != "cat":
        raise BadOption(
            "slot_tempers", True, "False for aggregation='sum', which has no slots", "SPEC 1"
        )
    if configuration.depth > 1:
        raise BadOption("slot_tempers", True, "False for depth > 1", "SPEC 5")


def with_slot_tempers(solved: Solved, labels: Labels, judge: Samples, few: IntArray) -> Solved:
    """The same layer with a λ for each slot; a layer without slots stays as it is.

    Parameters: `labels` [V, N_h], what the layer predicts of each token; `judge`, held-out samples,
    and `few`, which of them are read: as many scores as few × slots × N_h are held.
    Refuses: an optimum at infinity (`NotConverged`).
    """
    if solved.parameters.attention.shape[0] == 0:
        return solved
    own = solved._replace(temper=1.0, slots=fit_slots(solved, labels, judge, few))
    return own.scaled(1.0)


def fit_slots(solved: Solved, labels: Labels, judge: Samples, few: IntArray) -> Array:
    """λ [B] with the least loss on some held-out samples; 1 for a slot that says nothing there."""
    totals = solved.counts.sum(axis=0)
    scores = slot_scores(solved, np.log(solved.counts / totals), judge, few)
    spread = np.max(scores.max(axis=2) - scores.min(axis=2), axis=0)
    unit = np.where(spread > 0, spread, 1.0)
    scores /= unit[None, :, None]
    targets = labels[judge.targets[few]].astype(np.float64)
    found = minimise_convex(
        lambda lam: temper_curve(lam, np.log(totals), scores, targets),
        np.zeros(scores.shape[1]),
        tolerance=1e-6,
    )
    return np.where(spread > 0, found.place / unit, 1.0)


def slot_scores(solved: Solved, evidence: Array, judge: Samples, few: IntArray) -> Array:
    """What each slot says of each hidden unit [m, B, N_h]."""
    attention = solved.parameters.attention
    slots, said = attention.shape[0], []
    width = evidence.shape[0] // slots
    for slot in range(slots):
        alone = np.zeros(evidence.shape, attention.dtype)
        alone[slot * width : (slot + 1) * width] = evidence[slot * width : (slot + 1) * width]
        said.append(solved.layer.scorer(attention, alone)(judge)[few].astype(np.float64))
    return np.stack(said, axis=1)
