"""Generalised iterative scaling: from the explicit solution to the optimum, by counting.   (SPEC 1)

    U ← U + (1/K) log(F / Hᵀ φ(H U))            for features of one norm K      [D]

(Darroch & Ratcliff 1972.)  Each step compares observed with expected co-occurrences.  There is no
learning rate, the loss never increases, and the sums add up over shards as F does.
Features of differing norms get one more, the slack K − ‖h‖ with K the largest norm, so that all
norms agree; its weights come back as `slack`.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from saffu import checks
from saffu.arrays.namespace import namespace
from saffu.arrays.operation import operation
from saffu.errors import ZeroNorm
from saffu.loss import cross_entropy_unchecked
from saffu.numerics import softmax_unchecked
from saffu.types import Array, Features, Logits, Targets, Weights

_SPEC: Final = "SPEC 1"


class Refinement(NamedTuple):
    """Refined weights, and the loss on the way."""

    weights: Weights
    """U [D, N]"""
    slack: Array
    """u [N], the weights of the slack feature K − ‖h‖"""
    capacity: float
    """K, the largest norm"""
    losses: tuple[float, ...]
    """Mean cross-entropy in nats, before the first step and after each"""


@operation
def refine(
    weights: Weights,
    features: Features,
    targets: Targets,
    *,
    steps: int = 100,
    tolerance: float = 0.0,
) -> Refinement:
    """Improve a softmax layer by generalised iterative scaling.   (SPEC 1)

    Parameters: `weights` U [D, N], usually explicit; `features` H [M, D], non-negative; `targets`
    Y [M, N], non-negative, no row of zeros; `steps`, at most; `tolerance`, stop when a step gains
    no more than this, in nats.
    Returns U, the slack weights, K, and the losses, which never rise.
    Refuses: what `cooccurrence` refuses; weights of another shape; features that are all zero.

    Cells without counts (F = 0) keep the weight that smoothing gave them.

    >>> import numpy as np
    >>> H, Y = np.eye(2)[[0, 0, 0, 1]], np.eye(2)[[0, 0, 1, 1]]
    >>> np.exp(refine(np.zeros((2, 2)), H, Y, steps=1).losses).round(4).tolist()
    [2.0, 1.7838]
    """
    checks.features(features)
    checks.targets(targets, features.shape[0])
    shape = (features.shape[1], targets.shape[1])
    checks.shape("weights", weights, shape, "D N", _SPEC)
    checks.finite("weights", weights, _SPEC)
    steps = checks.whole("steps", steps, 0, _SPEC)
    xp = namespace(weights, features, targets)
    h, capacity = with_slack(features)
    u: Array = xp.concat([weights, xp.zeros_like(weights[:1, :])], axis=0)
    seen: Array = h.T @ targets
    mass: Array = xp.sum(targets, axis=-1, keepdims=True)
    losses = [float(cross_entropy_unchecked(h @ u, targets))]
    for _ in range(steps):
        expected: Array = h.T @ (mass * softmax_unchecked(h @ u))
        both = (seen > 0) & (expected > 0)
        one = xp.ones_like(seen)
        gap = xp.log(xp.where(both, seen, one)) - xp.log(xp.where(both, expected, one))
        u = u + gap / capacity
        losses.append(float(cross_entropy_unchecked(h @ u, targets)))
        if losses[-2] - losses[-1] <= tolerance:
            break
    return Refinement(u[:-1, :], u[-1, :], capacity, tuple(losses))


@operation
def refined_logits(features: Features, fit: Refinement) -> Logits:
    """h U + (K − ‖h‖) u, the logits [M, N] of a refined layer.   (SPEC 1)

    A norm above K makes the slack negative.
    """
    checks.features(features, width=fit.weights.shape[0])
    xp = namespace(features)
    slack: Array = fit.capacity - xp.sum(features, axis=-1, keepdims=True)
    logits: Logits = features @ fit.weights + slack * fit.slack
    return logits


def with_slack(features: Features) -> tuple[Array, float]:
    """Features [M, D+1] of one common norm K, and K."""
    xp = namespace(features)
    norm: Array = xp.sum(features, axis=-1, keepdims=True)
    capacity = float(xp.max(norm))
    if capacity == 0:
        raise ZeroNorm("features")
    slack = xp.where(capacity - norm > 1e-12 * capacity, capacity - norm, xp.zeros_like(norm))
    return xp.concat([features, slack], axis=-1), capacity
