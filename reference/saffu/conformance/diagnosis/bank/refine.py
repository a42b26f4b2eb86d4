"""Mistakes in iterative scaling.   (SPEC 1)"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from saffu.conformance.diagnosis.bank.loss import cross_entropy
from saffu.conformance.diagnosis.variants import Arrays, mistakes, variant
from saffu.types import Array


def _ratio(seen: Array, expected: Array) -> Array:
    known = (seen > 0) & (expected > 0)
    one = np.ones_like(seen)
    return np.log(np.where(known, seen, one)) - np.log(np.where(known, expected, one))


def _mass(y: Array) -> Array:
    mass: Array = np.sum(y, axis=1, keepdims=True)
    return mass


def refine(
    weights: Array,
    features: Array,
    targets: Array,
    steps: int,
    *,
    capacity_of: Callable[[Array], float] = lambda norms: float(np.max(norms)),
    slack: bool = True,
    mass: Callable[[Array], Array] = _mass,
    expected_share: Callable[[Array], float] = lambda y: 1.0,
    move: Callable[[Array, Array], Array] = _ratio,
    divide: bool = True,
    count: Callable[[int], int] = lambda steps: steps,
) -> Arrays:
    """Generalised iterative scaling with a slack feature."""
    norms = np.sum(features, axis=1, keepdims=True)
    capacity = capacity_of(norms)
    h = np.concatenate([features, (capacity - norms) * slack], axis=1)
    h[:, -1] = np.where(np.abs(h[:, -1]) > 1e-12 * capacity, h[:, -1], 0.0)
    u = np.concatenate([weights, np.zeros_like(weights[:1])])
    seen = h.T @ targets
    losses = [cross_entropy(h @ u, targets)["loss"]]
    for _ in range(count(steps)):
        z = h @ u
        p = np.exp(z - np.max(z, axis=1, keepdims=True))
        p = p / np.sum(p, axis=1, keepdims=True)
        expected = expected_share(targets) * (h.T @ (mass(targets) * p))
        u = u + move(seen, expected) / (capacity if divide else 1.0)
        losses.append(cross_entropy(h @ u, targets)["loss"])
    return {
        "weights": u[:-1],
        "slack": u[-1],
        "capacity": np.asarray(capacity),
        "losses": np.array(losses),
    }


MISTAKES = mistakes(
    "refine", refine,
    variant("refine-without-capacity", "steps not divided by K", divide=False),
    variant("refine-inverse-ratio", "log of expected over seen",
        move=lambda seen, expected: -_ratio(seen, expected)),
    variant("refine-mean-expected", "the expectation averaged over samples, the counts not",
        expected_share=lambda y: 1 / y.shape[0]),
    variant("refine-gradient-step", "seen less expected, not the log of their ratio",
        move=lambda seen, expected: seen - expected),
    variant("refine-one-step", "a single step", count=lambda steps: min(steps, 1)),
    variant("refine-mean-capacity", "K is the mean norm, not the largest",
        capacity_of=lambda norms: float(np.mean(norms))),
    variant("refine-without-slack", "no slack feature", slack=False),
    variant("refine-one-too-many", "one step more than asked for", count=lambda steps: steps + 1),
    variant("refine-unseen-to-nothing", "cells that were never seen lose their weight",
        move=lambda seen, expected: np.log(np.maximum(seen, 1e-12) / expected)),
    variant("refine-mass-ignored", "the expectation not weighed by the targets' sums",
        mass=lambda y: np.ones((y.shape[0], 1))),
    variant("refine-takes-anything", "bad features, targets or weights not refused",
        accepts="negative non-finite zero-norm"),
)  # fmt: skip
