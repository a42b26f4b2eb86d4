"""Mistakes in the forward pass of a layer.   (SPEC 4)"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from saffu.conformance.diagnosis.bank.compare import at_pivot
from saffu.conformance.diagnosis.bank.softmax import Shift, below_the_top, big_negative
from saffu.conformance.diagnosis.bank.softmax import softmax as plain_softmax
from saffu.conformance.diagnosis.variants import Arrays, mistakes, variant
from saffu.types import Array


class State(NamedTuple):
    """What a layer computes on the way, and what the adjoint reads besides."""

    comparisons: Array
    logits: Array
    attention: Array
    weights: Array
    features: Array
    hidden: Array
    inputs: Array


def softmax(z: Array, mask: Array | None = None, shift: Shift = below_the_top) -> Array:
    """Softmax along the last axis, unchecked."""
    return plain_softmax(z, mask, shift=shift)["probabilities"]


def counted_valid(mask: Array, gain: str) -> Array:
    """g [n, 1]."""
    valid: Array = np.sum(mask, axis=-1, keepdims=True).astype(float)
    return valid if gain == "count" else np.ones_like(valid)


def _surprisal(a: Array, g: Array, mask: Array) -> Array:
    return np.where(mask, -np.log(np.where(mask, a, 1.0)), 0.0)


def side_by_side(weighted: Array) -> Array:
    """`cat`: slot after slot."""
    return weighted.reshape(weighted.shape[0], -1)


def forward(
    inputs: Array,
    mask: Array,
    pivot: Array,
    attention_weights: Array,
    feature_weights: Array,
    aggregation: str,
    attention: str,
    gain: str,
    signed: bool = False,
    *,
    cleaned: Callable[[Array], Array] = lambda x: x,
    keys: Callable[[Array, Array], Array] = lambda clean, raw: clean,
    asks: Callable[[Array], Array] = lambda pivot: pivot,
    compared: Callable[[Array, Array], Array] = lambda c, mask: c,
    scale: Callable[[Array], float] = lambda x: 1.0,
    w: Callable[[Array], Array] = lambda w: w,
    kind: Callable[[str], str] = lambda kind: kind,
    even: Callable[[Array, Array], Array] = softmax,
    shift: Shift = below_the_top,
    counted: Callable[[Array, str], Array] = counted_valid,
    surprisal: Callable[[Array, Array, Array], Array] = _surprisal,
    cat: Callable[[Array], Array] = side_by_side,
    read: Callable[[Array], Array] = softmax,
) -> State:
    """A layer, with a name for every place in which porters go wrong."""
    x = cleaned(np.where(mask[..., None], inputs, 0.0))
    seen = keys(x, inputs)
    c = compared(np.sum(seen * at_pivot(seen, asks(pivot)), axis=-1), mask) / scale(x)
    g = counted(mask, gain)
    if kind(attention) == "uniform":
        z = np.zeros_like(c)
        a = even(z, mask)
        weights = g * a
    else:
        z = c @ w(attention_weights)
        a = softmax(z, mask, shift)
        weights = surprisal(a, g, mask) if kind(attention) == "surprisal" else g * a
    weighted = weights[..., None] * x
    s = np.sum(weighted, axis=1) if aggregation == "sum" else cat(weighted)
    return State(c, z, a, weights, s, read(s @ feature_weights), x)


def saffu_forward(**given: object) -> Arrays:
    """The stages by name."""
    state = forward(**given)._asdict()  # type: ignore[arg-type]
    del state["inputs"]
    return state


def _unmasked(z: Array, mask: Array, axis: int) -> Array:
    return below_the_top(z, np.ones_like(mask), axis)


MISTAKES = (
    *mistakes(
        "saffu_forward", saffu_forward,
        variant("saffu-without-softmax", "hidden states without their softmax", read=lambda q: q),
        variant("saffu-cat-by-feature", "features side by side by entry, not by slot",
            cat=lambda weighted: side_by_side(weighted.transpose(0, 2, 1))),
        variant("saffu-sum-where-cat", "slots added up where they belong side by side",
            cat=lambda weighted: np.tile(np.sum(weighted, axis=1), weighted.shape[1])),
        variant("saffu-w-transposed", "c Wᵀ in place of c W", w=lambda w: w.T),
        variant("saffu-mask-ignored", "attention over all slots, padding too", shift=_unmasked),
        variant("saffu-mask-big-negative", "−1e10 in invalid slots, which logits can be below",
            shift=big_negative),
        variant("saffu-masks-comparisons", "−1e10 in invalid slots before W instead of after it",
            compared=lambda c, mask: np.where(mask, c, -1e10), shift=_unmasked),
        variant("saffu-pivot-first", "the first slot asks, not the pivot", asks=np.zeros_like),
        variant("saffu-keys-scaled", "comparisons divided by √D",
            scale=lambda x: x.shape[2] ** 0.5),
        variant("saffu-gain-of-slots", "gain by the number of slots, not of valid ones",
            counted=lambda mask, gain: np.where(gain == "count", mask.shape[1], 1.0)),
        variant("saffu-gain-ignored", "gain one where it should be the number of valid slots",
            counted=lambda mask, gain: np.ones(())),
        variant("saffu-gain-always", "gain by the number of valid slots where it should be one",
            counted=lambda mask, gain: counted_valid(mask, "count")),
        variant("saffu-surprisal-sign", "log a in place of −log a",
            surprisal=lambda a, g, mask: -_surprisal(a, g, mask)),
        variant("saffu-surprisal-gain", "surprisal multiplied by the gain",
            surprisal=lambda a, g, mask: _surprisal(a, g, mask) * counted_valid(mask, "count")),
        variant("saffu-surprisal-ignored", "softmax attention where surprisal was asked for",
            surprisal=lambda a, g, mask: g * a),
        variant("saffu-uniform-attends", "softmax attention where uniform was asked for",
            kind=lambda kind: "softmax" if kind == "uniform" else kind),
        variant("saffu-uniform-over-slots", "1/B on every slot, valid or not",
            even=lambda zeros, mask: np.full_like(zeros, 1 / zeros.shape[1])),
        variant("saffu-compares-empty-slots", "what invalid slots hold is compared",
            keys=lambda clean, raw: raw, shift=_unmasked),
        variant("saffu-clamps-inputs", "negative inputs set to zero though signed is true",
            cleaned=lambda x: np.maximum(x, 0)),
        variant("saffu-takes-anything", "bad inputs, bad pivots or empty contexts not refused",
            accepts="negative non-finite pivot empty-mask"),
        variant("saffu-wraps-pivot", "a pivot beyond the slots wraps around", accepts="pivot"),
    ),
)  # fmt: skip
