"""Mistakes in hidden targets.   (SPEC 5)"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from saffu.conformance.diagnosis.variants import Arrays, mistakes, variant
from saffu.types import Array


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
    normalised: Array = t / np.sum(t, axis=-1, keepdims=True)
    return normalised


MISTAKES = mistakes(
    "hidden_targets", hidden_targets,
    variant("hidden-without-mean", "t = a (1 + G), without ⟨a, G⟩", mean=_zero),
    variant("hidden-even-mean", "the plain mean of G in place of ⟨a, G⟩",
        mean=lambda a, g: np.mean(g, axis=-1, keepdims=True)),
    variant("hidden-sign", "G with the wrong sign: t goes uphill", sign=-1.0),
    variant("hidden-exponential", "t = a exp(G), normalised", target=_exponential),
    variant("hidden-never-clipped", "negative targets not clipped", clips=lambda clip: False),
    variant("hidden-always-clipped", "clipped although clip is false", clips=lambda clip: True),
    variant("hidden-not-renormalised", "not normalised after clipping", renormalise=False),
    variant("hidden-absolute", "absolute values in place of clipping", part=np.abs),
    variant("hidden-without-one", "t = a (G − ⟨a, G⟩), without the one", one=0.0),
    variant("hidden-takes-anything", "attention that is no distribution, or a G that is not "
        "finite, not refused", accepts="negative non-finite simplex"),
)  # fmt: skip
