"""Self-attention without query and key projections: comparisons, fed forward to weights.   (SPEC 4)

    c = x_p Xᵀ        comparisons of every slot with the pivot, in the basis as it is
    z = c W           the comparisons are fed forward; no W_q, no W_k
    a = φ(z)          attention, over valid slots
    w = g · a         feature weights, g = 1 or the number of valid slots       [P1, T; gain D]

`surprisal` puts w = −log a in place of g·a [P1], `uniform` w = g/K for K valid slots.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from saffu import checks
from saffu.arrays.namespace import beside, namespace
from saffu.arrays.operation import operation
from saffu.numerics import (
    log_softmax_unchecked,
    log_softmax_vjp_unchecked,
    softmax_unchecked,
    softmax_vjp_unchecked,
)
from saffu.types import Array, AttentionWeights, Inputs, Pivot, SlotMask, SlotRows

_SPEC: Final = "SPEC 4"


class Attention(NamedTuple):
    """The stages of attention, in order."""

    comparisons: SlotRows
    """c [n, B]"""
    logits: SlotRows
    """z [n, B]; zero for `uniform`"""
    attention: SlotRows
    """a [n, B], adds up to one over valid slots"""
    weights: SlotRows
    """w [n, B], zero on invalid slots"""


@operation
def compare(inputs: Inputs, pivot: Pivot) -> SlotRows:
    """Inner products of every slot with the pivot's slot: c = x_p Xᵀ.   (SPEC 4)

    Parameters: `inputs` [n, B, D], rows of zeros in invalid slots; `pivot` [n].
    Returns [n, B].
    Refuses: inputs that are not finite; shapes that disagree; a pivot outside of its context.

    >>> import numpy as np
    >>> x = np.array([[[1.0, 0.0], [0.5, 0.5]]])
    >>> compare(x, np.array([1])).tolist()
    [[0.5, 0.5]]
    """
    checks.shape("inputs", inputs, (None, None, None), "n B D", _SPEC)
    checks.shape("pivot", pivot, inputs.shape[:1], "n", _SPEC)
    checks.finite("inputs", inputs, _SPEC)
    xp, pivot = namespace(inputs), beside(pivot, inputs)
    checks.pivots(pivot, xp.all(xp.isfinite(inputs), axis=2))
    return compare_unchecked(inputs, pivot)


def compare_unchecked(inputs: Inputs, pivot: Pivot) -> SlotRows:
    """`compare` without its checks."""
    xp = namespace(inputs)
    return xp.sum(inputs * at_pivot(inputs, pivot), axis=-1)


@operation
def compare_vjp(dc: SlotRows, inputs: Inputs, pivot: Pivot) -> Inputs:
    """Pull `dc` back to the inputs: dx_k += dc_k x_p, and dx_p += Σ_k dc_k x_k.   (SPEC 6)

    Parameters: `dc` [n, B]; the others as `compare`.  Returns [n, B, D].  The pivot's own
    comparison is a square, so it gets both terms.
    """
    return compare_vjp_unchecked(dc, inputs, pivot)


def compare_vjp_unchecked(dc: SlotRows, inputs: Inputs, pivot: Pivot) -> Inputs:
    """`compare_vjp` for arrays that are converted already."""
    xp = namespace(inputs)
    d_pivot = xp.sum(dc[..., None] * inputs, axis=1, keepdims=True)
    slots = xp.arange(inputs.shape[1], device=inputs.device)
    asks = slots[None, :] == beside(pivot, inputs)[:, None]
    return dc[..., None] * at_pivot(inputs, pivot) + xp.where(
        asks[..., None], d_pivot, xp.zeros_like(inputs)
    )


def at_pivot(inputs: Inputs, pivot: Pivot) -> Array:
    """The pivot's vector of each context, [n, 1, D]."""
    xp = namespace(inputs)
    n, _, d = inputs.shape
    at = xp.reshape(xp.astype(beside(pivot, inputs), xp.int64), (n, 1, 1))
    index = at + xp.zeros((n, 1, d), dtype=xp.int64, device=inputs.device)
    return xp.take_along_axis(inputs, index, axis=1)


def gains(mask: SlotMask, gain: str, dtype: object) -> Array:
    """g [n, 1]: one, or the number of valid slots.   (SPEC 4)"""
    xp = namespace(mask)
    valid = xp.sum(xp.astype(mask, dtype), axis=-1, keepdims=True)
    return valid if gain == "count" else xp.ones_like(valid)


def attend(
    comparisons: SlotRows, mask: SlotMask, weights: AttentionWeights, kind: str, gain: str
) -> Attention:
    """From comparisons to feature weights.   (SPEC 4)

    Parameters: `comparisons` [n, B], zero on invalid slots; `mask` [n, B]; `weights` W [B, B];
    `kind` `"softmax"`, `"surprisal"` or `"uniform"`; `gain` `"unit"` or `"count"` (not used by
    `surprisal`).
    Refuses: contexts without a valid slot; comparisons on valid slots, or weights, that are not
    finite; shapes that disagree.
    """
    checks.shape("comparisons", comparisons, (None, None), "n B", _SPEC)
    slots = comparisons.shape[1]
    checks.shape("weights", weights, (slots, slots), "B B", _SPEC)
    checks.finite("weights", weights, _SPEC)
    checks.shape("mask", mask, comparisons.shape, "n B", _SPEC)
    checks.mask_rows(mask)
    checks.finite("comparisons", comparisons, _SPEC, where=beside(mask, comparisons))
    return attend_unchecked(comparisons, mask, weights, kind, gain)


def attend_unchecked(
    comparisons: SlotRows, mask: SlotMask, weights: AttentionWeights, kind: str, gain: str
) -> Attention:
    """`attend` without its checks."""
    xp = namespace(comparisons)
    mask = beside(mask, comparisons)
    g = gains(mask, gain, comparisons.dtype)
    zeros = xp.zeros_like(comparisons)
    if kind == "uniform":
        a = softmax_unchecked(zeros, mask)
        return Attention(comparisons, zeros, a, g * a)
    z: Array = comparisons @ weights
    a = softmax_unchecked(z, mask)
    if kind == "surprisal":
        return Attention(comparisons, z, a, xp.where(mask, -log_softmax_unchecked(z, mask), zeros))
    return Attention(comparisons, z, a, g * a)


def attend_vjp(
    dw: SlotRows, state: Attention, mask: SlotMask, weights: AttentionWeights, kind: str, gain: str
) -> tuple[AttentionWeights, SlotRows]:
    """Pull `dw` [n, B] back to W and to the comparisons: (dW [B, B], dc [n, B]).   (SPEC 6)"""
    xp = namespace(dw)
    if kind == "uniform":
        return xp.zeros_like(weights), xp.zeros_like(dw)
    mask = beside(mask, dw)
    valid = xp.where(mask, dw, xp.zeros_like(dw))
    if kind == "surprisal":
        dz = log_softmax_vjp_unchecked(state.attention, -valid)
    else:
        dz = softmax_vjp_unchecked(state.attention, gains(mask, gain, dw.dtype) * valid)
    return state.comparisons.T @ dz, dz @ weights.T
