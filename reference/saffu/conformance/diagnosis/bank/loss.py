"""Mistakes in cross-entropy and perplexity.   (SPEC 0, 7)"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from saffu.conformance.diagnosis.variants import Arrays, mistakes, variant
from saffu.types import Array


def _shifted(z: Array) -> Array:
    top: Array = np.max(z, axis=-1, keepdims=True)
    return np.subtract(z, top)


def _logs(z: Array, p: Array) -> Array:
    logs: Array = z - np.log(np.sum(np.exp(z), axis=-1, keepdims=True))
    return logs


def _error(p: Array, y: Array) -> Array:
    error: Array = p * np.sum(y, axis=-1, keepdims=True) - y
    return error


def largest(y: Array) -> Array:
    """One-hot targets: the largest entry of each row."""
    one_hot: Array = np.eye(y.shape[1])[np.argmax(y, axis=1)]
    return one_hot


def normalised(y: Array) -> Array:
    """Targets that add up to one."""
    shares: Array = y / np.sum(y, axis=-1, keepdims=True)
    return shares


def cross_entropy(
    logits: Array,
    targets: Array,
    *,
    shift: Callable[[Array], Array] = _shifted,
    logs: Callable[[Array, Array], Array] = _logs,
    error: Callable[[Array, Array], Array] = _error,
    asked: Callable[[Array], Array] = lambda y: y,
    share: Callable[[Array], float] = lambda y: 1 / np.float64(y.shape[0]),
    of_gradient: Callable[[Array], float] = lambda y: 1.0,
    unit: float = 1.0,
) -> Arrays:
    """Mean nats, and the gradient."""
    z, y = shift(logits), asked(targets)
    weight = np.exp(z)
    p = weight / np.sum(weight, axis=-1, keepdims=True)
    return {
        "loss": np.asarray(-np.sum(y * logs(z, p)) * share(y) / unit),
        "gradient": error(p, y) * share(y) * of_gradient(y) / unit,
    }


def perplexity(
    nats: Array,
    *,
    middle: Callable[[Array], Array] = np.mean,
    exp: Callable[[Array], Array] = np.exp,
) -> Arrays:
    """exp of the mean nats."""
    return {"perplexity": np.asarray(exp(middle(nats)))}


MISTAKES = (
    *mistakes(
        "cross_entropy", cross_entropy,
        variant("cross-entropy-sum", "added up over the samples, not averaged",
            share=lambda y: 1.0),
        variant("cross-entropy-mean-of-all", "averaged over samples and targets",
            share=lambda y: 1 / y.size),
        variant("cross-entropy-bits", "in bits, not nats", unit=np.log(2.0)),
        variant("cross-entropy-gradient-unscaled", "gradient not divided by the number of samples",
            of_gradient=lambda y: float(y.shape[0])),
        variant("cross-entropy-gradient-sign", "gradient y − ŷ", of_gradient=lambda y: -1.0),
        variant("cross-entropy-largest-target", "targets taken for their largest entry",
            asked=largest),
        variant("cross-entropy-mass-ignored", "gradient ŷ − y where y does not add up to one",
            error=lambda p, y: p - y),
        variant("cross-entropy-targets-normalised", "targets normalised first", asked=normalised),
        variant("cross-entropy-log-of-softmax", "the logarithm of the softmax: 0 · −inf is NaN",
            logs=lambda z, p: np.log(p)),
        variant("cross-entropy-clipped", "probabilities clipped at 1e-12 before the logarithm",
            logs=lambda z, p: np.log(np.clip(p, 1e-12, 1))),
        variant("cross-entropy-no-shift", "the largest logit is not taken off first",
            shift=lambda z: z),
        variant("cross-entropy-takes-anything", "bad targets, bad logits or no samples not refused",
            accepts="negative non-finite zero-target no-samples"),
    ),
    *mistakes(
        "perplexity", perplexity,
        variant("perplexity-in-bits", "2 to the mean nats instead of e", exp=np.exp2),
        variant("perplexity-of-sum", "exp of the sum, not of the mean", middle=np.sum),
        variant("perplexity-mean-of-exponentials", "the mean of the exponentials",
            middle=lambda nats: np.log(np.mean(np.exp(nats)))),
        variant("perplexity-of-median", "exp of the median", middle=np.median),
        variant("perplexity-without-exponential", "the mean nats themselves",
            exp=lambda mean: mean),
        variant("perplexity-takes-anything", "NaN, infinity or no targets not refused",
            accepts="no-samples non-finite"),
    ),
)  # fmt: skip
