"""Mistakes in iterative scaling and in hidden targets.   (SPEC 1, 5)"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from saffu.conformance.diagnosis.bank.loss import cross_entropy
from saffu.conformance.diagnosis.variants import Arrays, mistakes, slip
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


def _mean(a: Array, g: Array) -> Array:
    mean: Array = np.sum(a * g, axis=-1, keepdims=True)
    return mean


def hidden_targets(
    attention: Array,
    ascent: Array,
    clip: bool,
    *,
    sign: float = 1.0,
    one: float = 1.0,
    mean: Callable[[Array, Array], Array] = _mean,
    target: Callable[[Array, Array], Array] = lambda a, move: a * move,
    clips: Callable[[bool], bool] = lambda clip: clip,
    part: Callable[[Array], Array] = lambda t: np.maximum(t, 0.0),
    renormalise: bool = True,
) -> Arrays:
    """t = a (1 + G − ⟨a, G⟩), clipped and normalised."""
    g = sign * ascent
    g = g - np.max(np.where(attention > 0, g, -np.inf), axis=-1, keepdims=True)
    if mean is _zero:
        g = sign * ascent
    t = target(attention, one + (g - mean(attention, g)))
    if clips(clip):
        t = part(t)
        t = t / np.sum(t, axis=-1, keepdims=True) if renormalise else t
    return {"targets": t}


def _zero(a: Array, g: Array) -> Array:
    return np.zeros(())


def _exponential(a: Array, move: Array) -> Array:
    t: Array = a * np.exp(move)
    found: Array = t / np.sum(t, axis=-1, keepdims=True)
    return found


MISTAKES = (
    *mistakes(
        "refine", "SPEC 1", refine,
        slip("refine-without-capacity", "steps not divided by K", divide=False),
        slip("refine-inverse-ratio", "log of expected over seen",
             move=lambda seen, expected: -_ratio(seen, expected)),
        slip("refine-mean-expected", "the expectation averaged over samples, the counts not",
             expected_share=lambda y: 1 / y.shape[0]),
        slip("refine-gradient-step", "seen less expected, not the log of their ratio",
             move=lambda seen, expected: seen - expected),
        slip("refine-one-step", "a single step", count=lambda steps: min(steps, 1)),
        slip("refine-mean-capacity", "K is the mean norm, not the largest",
             capacity_of=lambda norms: float(np.mean(norms))),
        slip("refine-without-slack", "no slack feature", slack=False),
        slip("refine-one-too-many", "one step more than asked for", count=lambda steps: steps + 1),
        slip("refine-unseen-to-nothing", "cells that were never seen lose their weight",
             move=lambda seen, expected: np.log(np.maximum(seen, 1e-12) / expected)),
        slip("refine-mass-ignored", "the expectation not weighed by the targets' sums",
             mass=lambda y: np.ones((y.shape[0], 1))),
        slip("refine-takes-anything", "bad features, targets or weights not refused",
             accepts="negative non-finite zero-norm"),
    ),
    *mistakes(
        "hidden_targets", "SPEC 5", hidden_targets,
        slip("hidden-without-mean", "t = a (1 + G), without ⟨a, G⟩", mean=_zero),
        slip("hidden-even-mean", "the plain mean of G in place of ⟨a, G⟩",
             mean=lambda a, g: np.mean(g, axis=-1, keepdims=True)),
        slip("hidden-sign", "G with the wrong sign: t goes uphill", sign=-1.0),
        slip("hidden-exponential", "t = a exp(G), normalised", target=_exponential),
        slip("hidden-never-clipped", "negative targets not clipped", clips=lambda clip: False),
        slip("hidden-always-clipped", "clipped although clip is false", clips=lambda clip: True),
        slip("hidden-not-renormalised", "not normalised after clipping", renormalise=False),
        slip("hidden-absolute", "absolute values in place of clipping", part=np.abs),
        slip("hidden-without-one", "t = a (G − ⟨a, G⟩), without the one", one=0.0),
        slip("hidden-takes-anything", "attention that is no distribution, or a G that is not "
             "finite, not refused", accepts="negative non-finite simplex"),
    ),
)  # fmt: skip
