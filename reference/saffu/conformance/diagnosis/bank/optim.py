"""Mistakes in SGD and Adam.   (SPEC 6)"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from saffu.conformance.diagnosis.variants import Arrays, mistakes, variant
from saffu.types import Array


def sgd_step(
    parameter: Array,
    gradient: Array,
    rate: float,
    *,
    along: Callable[[Array], Array] = lambda g: -g,
    length: Callable[[float], float] = lambda rate: rate,
    decay: float = 0.0,
) -> Arrays:
    """θ − η g."""
    return {"parameter": (1 - decay) * parameter + length(rate) * along(gradient)}


def adam_step(
    parameter: Array,
    gradient: Array,
    mean: Array,
    square: Array,
    step: int,
    rate: float,
    beta1: float,
    beta2: float,
    epsilon: float,
    *,
    correct1: bool = True,
    correct2: bool = True,
    count: Callable[[int], int] = lambda step: step + 1,
    swapped: bool = False,
    sign: float = -1.0,
    squared: Callable[[Array, Array], Array] = lambda g, m: g * g,
    weight: Callable[[float], float] = lambda beta: 1 - beta,
    old: bool = False,
    divisor: Callable[[Array, float, float], Array] = lambda v, c, eps: np.sqrt(v / c) + eps,
    freezes: bool = False,
) -> Arrays:
    """One step of Adam with bias correction."""
    b1, b2 = (beta2, beta1) if swapped else (beta1, beta2)
    m = b1 * mean + weight(b1) * gradient
    v = b2 * square + (1 - b2) * squared(gradient, mean)
    t = count(step)
    c1 = np.float64(1 - b1**t if correct1 else 1.0)
    c2 = np.float64(1 - b2**t if correct2 else 1.0)
    used_m, used_v = (mean, square) if old else (m, v)
    new = parameter + sign * rate * (used_m / c1) / divisor(used_v, c2, epsilon)
    if freezes and rate == 0:
        m, v = mean, square
    return {"parameter": new if rate else parameter, "mean": m, "square": v}


MISTAKES = (
    *mistakes(
        "sgd_step", sgd_step,
        variant("sgd-ascends", "θ + η g", along=lambda g: g),
        variant("sgd-normalised", "the gradient divided by its norm",
            along=lambda g: -g / np.sqrt(np.sum(g * g))),
        variant("sgd-signs", "the signs of the gradient alone", along=lambda g: -np.sign(g)),
        variant("sgd-averages", "the gradient divided by the number of its rows",
            along=lambda g: -g / g.shape[0]),
        variant("sgd-rate-squared", "the rate multiplied in twice", length=lambda rate: rate**2),
        variant("sgd-decays", "weights decay, though nobody asked", decay=0.01),
        variant("sgd-takes-anything", "gradients or parameters that are not finite not refused",
            accepts="non-finite"),
    ),
    *mistakes(
        "adam_step", adam_step,
        variant("adam-without-correction", "no bias correction", correct1=False, correct2=False),
        variant("adam-one-correction", "only the mean corrected", correct2=False),
        variant("adam-step-off-by-one", "corrected for one step less", count=lambda step: step),
        variant("adam-betas-swapped", "β₁ and β₂ swapped", swapped=True),
        variant("adam-ascends", "θ + η m̂ / (√v̂ + ε)", sign=1.0),
        variant("adam-square-of-mean", "the square of the mean in place of g²",
            squared=lambda g, m: m * m),
        variant("adam-uses-old-moments", "the moments from before this gradient", old=True),
        variant("adam-adds-gradient", "m = β₁ m + g, without (1 − β₁)", weight=lambda beta: 1.0),
        variant("adam-epsilon-inside-root", "√(v̂ + ε) in place of √v̂ + ε",
            divisor=lambda v, c, eps: np.sqrt(v / c + eps)),
        variant("adam-epsilon-uncorrected", "ε added before the correction",
            divisor=lambda v, c, eps: (np.sqrt(v) + eps) / np.sqrt(c)),
        variant("adam-without-root", "v̂ in place of √v̂", divisor=lambda v, c, eps: v / c + eps),
        variant("adam-frozen-moments", "a rate of zero stops the moments too", freezes=True),
        variant("adam-takes-anything", "bad β, ε, rates, steps, gradients or moments not refused",
            accepts="option non-finite negative"),
    ),
)  # fmt: skip
