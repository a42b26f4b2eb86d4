"""Mistakes in softmax and its logarithm.   (SPEC 0, 6)"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from saffu.conformance.diagnosis.variants import Arrays, mistakes, variant
from saffu.types import Array

Shift = Callable[[Array, Array, int], Array]


def below_the_top(z: Array, mask: Array, axis: int) -> Array:
    """Logits less the largest valid one; −inf where masked."""
    top = np.max(np.where(mask, z, -np.inf), axis=axis, keepdims=True)
    return np.where(mask, z - top, -np.inf)


def _as_they_are(z: Array, mask: Array, axis: int) -> Array:
    return np.where(mask, z, -np.inf)


def _unmasked(z: Array, mask: Array, axis: int) -> Array:
    return below_the_top(z, np.ones_like(mask), axis)


def _inverted(z: Array, mask: Array, axis: int) -> Array:
    return below_the_top(z, ~mask, axis)


def _below_the_top_of_all(z: Array, mask: Array, axis: int) -> Array:
    return np.where(mask, z - np.max(z, axis=axis, keepdims=True), -np.inf)


def _times_the_mask(z: Array, mask: Array, axis: int) -> Array:
    top = np.max(np.where(mask, z, -np.inf), axis=axis, keepdims=True)
    product: Array = z - top + np.log(mask.astype(float))  # exp(z − top) · mask
    return product


def big_negative(z: Array, mask: Array, axis: int) -> Array:
    """−1e10 where masked, as if no logit were below that."""
    return _unmasked(np.where(mask, z, -1e10), mask, axis)


def _pull(p: Array, dp: Array) -> Array:
    dz: Array = p * (dp - np.sum(p * dp, axis=-1, keepdims=True))
    return dz


def softmax(
    logits: Array,
    mask: Array | None = None,
    cotangents: Arrays | None = None,
    *,
    axis: int = -1,
    exp: Callable[[Array], Array] = np.exp,
    shift: Shift = below_the_top,
    after: bool = False,
    pull: Callable[[Array, Array], Array] = _pull,
) -> Arrays:
    """Softmax along the last axis, and its adjoint."""
    valid = np.ones(logits.shape, dtype=bool) if mask is None else mask
    weight = exp(shift(logits, valid, axis))
    p = weight / np.sum(weight, axis=axis, keepdims=True)
    if after:
        p = np.where(valid, p, 0.0)
    answer = {"probabilities": p}
    if cotangents:
        answer["gradient.logits"] = pull(p, cotangents["probabilities"])
    return answer


def _pull_log(p: Array, d: Array) -> Array:
    dz: Array = d - p * np.sum(d, axis=-1, keepdims=True)
    return dz


def log_softmax(
    logits: Array,
    mask: Array | None = None,
    cotangents: Arrays | None = None,
    *,
    axis: int = -1,
    exp: Callable[[Array], Array] = np.exp,
    log: Callable[[Array], Array] = np.log,
    shift: Shift = below_the_top,
    masked: float = -np.inf,
    of_softmax: bool = False,
    pull: Callable[[Array, Array], Array] = _pull_log,
) -> Arrays:
    """The logarithm of softmax, and its adjoint."""
    valid = np.ones(logits.shape, dtype=bool) if mask is None else mask
    shifted = shift(logits, valid, axis)
    total = np.sum(exp(shifted), axis=axis, keepdims=True)
    logs = log(exp(shifted) / total) if of_softmax else shifted - log(total)
    if masked == 0:
        logs = np.where(valid, logs, masked)
    answer = {"log_probabilities": logs}
    if cotangents:
        answer["gradient.logits"] = pull(exp(shifted) / total, cotangents["log_probabilities"])
    return answer


def _both(name: str) -> Any:
    """What goes wrong in both."""
    return (
        variant(f"{name}-columns", "normalised over the samples instead of the targets", axis=0),
        variant(f"{name}-no-shift", "the largest logit is not taken off first", shift=_as_they_are),
        variant(f"{name}-mask-ignored", "masked entries take part", shift=_unmasked),
        variant(f"{name}-mask-inverted", "True taken for masked", shift=_inverted),
        variant(f"{name}-shift-by-masked", "the largest logit taken over masked entries too",
            shift=_below_the_top_of_all),
        variant(f"{name}-mask-by-product", "exponentials multiplied by the mask, so that NaN stays",
            shift=_times_the_mask),
        variant(f"{name}-mask-big-negative", "masked logits set to −1e10, so that an empty mask "
            "masks nothing", shift=big_negative, accepts="empty-mask"),
        variant(f"{name}-takes-non-finite", "NaN and infinity are not refused",
            accepts="non-finite"),
    )  # fmt: skip


MISTAKES = (
    *mistakes(
        "softmax", softmax, *_both("softmax"),
        variant("softmax-base-two", "powers of two instead of e", exp=np.exp2),
        variant("softmax-mask-after", "masked entries zeroed after the normalisation",
            shift=_unmasked, after=True),
        variant("softmax-vjp-diagonal", "adjoint p (1 − p) dp, the diagonal alone",
            pull=lambda p, dp: p * (1 - p) * dp),
        variant("softmax-vjp-without-p", "adjoint dp − ⟨p, dp⟩, not multiplied by p",
            pull=lambda p, dp: dp - np.sum(p * dp, axis=-1, keepdims=True)),
        variant("softmax-vjp-batch-sum", "adjoint with ⟨p, dp⟩ added up over the batch",
            pull=lambda p, dp: p * (dp - np.sum(p * dp))),
        variant("softmax-vjp-zero", "the adjoint is left at zero",
            pull=lambda p, dp: np.zeros_like(p)),
    ),
    *mistakes(
        "log_softmax", log_softmax, *_both("log-softmax"),
        variant("log-softmax-base-two", "powers and logarithms of base two", exp=np.exp2,
            log=np.log2),
        variant("log-softmax-log-of-softmax", "the logarithm of the softmax, −inf where it "
            "underflows",
            of_softmax=True),
        variant("log-softmax-masked-zero", "0 instead of −inf where masked", masked=0.0),
        variant("log-softmax-vjp-unsummed", "adjoint d − p d instead of d − p Σ d",
            pull=lambda p, d: d - p * d),
        variant("log-softmax-vjp-of-softmax", "the adjoint of softmax instead of its logarithm's",
            pull=_pull),
    ),
)  # fmt: skip
