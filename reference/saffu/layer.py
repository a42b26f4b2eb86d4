"""The SAFFU layer: attention over the vectors of a context, then a softmax layer.   (SPEC 4)

    s = Σ_k w_k x_k            aggregation "sum"
    s = [w_1 x_1 … w_B x_B]    aggregation "cat"
    h = φ(s U)                                                       [P1, T]

Hidden states are non-negative and add up to one, as inputs do, so layers stack.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from saffu import checks
from saffu.arrays.namespace import beside, namespace
from saffu.arrays.operation import operation
from saffu.attention import (
    Attention,
    attend_unchecked,
    attend_vjp,
    compare_unchecked,
    compare_vjp_unchecked,
)
from saffu.errors import SignedInput
from saffu.numerics import softmax_unchecked, softmax_vjp_unchecked
from saffu.types import (
    Aggregate,
    Array,
    AttentionWeights,
    FeatureWeights,
    Hidden,
    Inputs,
    Pivot,
    SlotMask,
    SlotRows,
)

_SPEC: Final = "SPEC 4"


@dataclass(frozen=True)
class LayerOptions:
    """The choices that SPEC 4 leaves open, under its names."""

    aggregation: Literal["sum", "cat"] = "cat"
    attention: Literal["softmax", "surprisal", "uniform"] = "softmax"
    gain: Literal["unit", "count"] = "count"

    def __post_init__(self) -> None:
        checks.choice("aggregation", self.aggregation, ("sum", "cat"), _SPEC)
        checks.choice("attention", self.attention, ("softmax", "surprisal", "uniform"), _SPEC)
        checks.choice("gain", self.gain, ("unit", "count"), _SPEC)


class SaffuState(NamedTuple):
    """All stages of a layer, in order; the backward pass uses them."""

    comparisons: SlotRows
    logits: SlotRows
    attention: SlotRows
    weights: SlotRows
    features: Aggregate
    """s [n, S], S = D or B·D"""
    hidden: Hidden
    """h [n, H], adds up to one"""


class SaffuGradient(NamedTuple):
    """Gradients in the arguments of the layer."""

    attention_weights: AttentionWeights
    feature_weights: FeatureWeights
    inputs: Inputs


@operation
def saffu_forward(
    inputs: Inputs,
    mask: SlotMask,
    pivot: Pivot,
    attention_weights: AttentionWeights,
    feature_weights: FeatureWeights,
    options: LayerOptions = LayerOptions(),
    *,
    signed: bool = False,
) -> SaffuState:
    """One SAFFU layer on n contexts.   (SPEC 4)

    Parameters: `inputs` X [n, B, D], non-negative, rows of unit norm; invalid slots
    may hold anything; `mask` [n, B]; `pivot` [n], a valid slot each; `attention_weights` W [B, B];
    `feature_weights` U [D, H] for `sum`, [B·D, H] for `cat`; `signed=True` lets inputs leave the
    simplex, as a trained embedding may.
    Returns all stages; the hidden states are `.hidden` [n, H].
    Refuses: negative or non-finite inputs on valid slots; non-finite weights; shapes that disagree;
    a pivot on an invalid slot; a context without a valid slot; no contexts.

    >>> import numpy as np
    >>> x = np.array([[[1.0, 0.0], [0.0, 1.0]]])
    >>> U = np.log(np.array([[1.0, 3.0], [1.0, 1.0], [1.0, 1.0], [3.0, 1.0]]))
    >>> valid = np.array([[True, True]])
    >>> saffu_forward(x, valid, np.array([0]), np.zeros((2, 2)), U).hidden.tolist()
    [[0.5, 0.5]]
    """
    mask, pivot = beside(mask, inputs), beside(pivot, inputs)
    checks.shape("inputs", inputs, (None, None, None), "n B D", _SPEC)
    checks.samples("inputs", inputs, _SPEC)
    n, slots, width = inputs.shape
    check_context(mask, pivot, (n, slots))
    check_weights(attention_weights, feature_weights, (slots, width), options)
    check_inputs(inputs, mask, signed=signed)
    state = saffu_forward_unchecked(
        inputs, mask, pivot, attention_weights, feature_weights, options
    )
    checks.finite("hidden", state.hidden, _SPEC)  # finite weights may still overflow
    return state


def saffu_forward_unchecked(
    inputs: Inputs,
    mask: SlotMask,
    pivot: Pivot,
    attention_weights: AttentionWeights,
    feature_weights: FeatureWeights,
    options: LayerOptions,
) -> SaffuState:
    """`saffu_forward` without its checks."""
    xp = namespace(inputs, attention_weights, feature_weights)
    mask, pivot = beside(mask, inputs), beside(pivot, inputs)
    x = xp.where(mask[..., None], inputs, xp.zeros_like(inputs))
    c = compare_unchecked(x, pivot)
    seen = attend_unchecked(c, mask, attention_weights, options.attention, options.gain)
    s = aggregate(x, seen.weights, options.aggregation)
    h = softmax_unchecked(s @ feature_weights)
    return SaffuState(*seen, s, h)


@operation
def saffu_backward(
    d_hidden: Hidden,
    state: SaffuState,
    inputs: Inputs,
    mask: SlotMask,
    pivot: Pivot,
    attention_weights: AttentionWeights,
    feature_weights: FeatureWeights,
    options: LayerOptions = LayerOptions(),
) -> SaffuGradient:
    """Pull `d_hidden` [n, H] back to W, U and X.   (SPEC 6)

    Parameters: `state` from `saffu_forward` with the same arguments.
    Returns gradients of the shapes of W, U and X; zero in invalid slots.
    Refuses: a `d_hidden` of another shape, or not finite.
    """
    checks.shape("d_hidden", d_hidden, state.hidden.shape, "n H", "SPEC 6")
    checks.finite("d_hidden", d_hidden, "SPEC 6")
    return saffu_backward_unchecked(
        d_hidden, state, inputs, mask, pivot, attention_weights, feature_weights, options
    )


def saffu_backward_unchecked(
    d_hidden: Hidden,
    state: SaffuState,
    inputs: Inputs,
    mask: SlotMask,
    pivot: Pivot,
    attention_weights: AttentionWeights,
    feature_weights: FeatureWeights,
    options: LayerOptions,
) -> SaffuGradient:
    """`saffu_backward` without its checks."""
    xp = namespace(inputs)
    mask, pivot = beside(mask, inputs), beside(pivot, inputs)
    x = xp.where(mask[..., None], inputs, xp.zeros_like(inputs))
    dq = softmax_vjp_unchecked(state.hidden, d_hidden)
    d_features = dq @ feature_weights.T
    dw, dx = aggregate_vjp(d_features, x, state.weights, options.aggregation)
    seen = Attention(*state[:4])
    d_attention_weights, dc = attend_vjp(
        dw, seen, mask, attention_weights, options.attention, options.gain
    )
    dx = dx + compare_vjp_unchecked(dc, x, pivot)
    return SaffuGradient(
        d_attention_weights,
        state.features.T @ dq,
        xp.where(mask[..., None], dx, xp.zeros_like(dx)),
    )


def aggregate(inputs: Inputs, weights: SlotRows, aggregation: str) -> Aggregate:
    """s [n, D] = Σ_k w_k x_k, or s [n, B·D] = [w_1 x_1 … w_B x_B].   (SPEC 4)"""
    xp = namespace(inputs)
    weighted: Array = weights[..., None] * inputs
    if aggregation == "sum":
        return xp.sum(weighted, axis=1)
    return xp.reshape(weighted, (inputs.shape[0], -1))


def aggregate_vjp(
    d_features: Aggregate, inputs: Inputs, weights: SlotRows, aggregation: str
) -> tuple[SlotRows, Inputs]:
    """Pull ds back: dw_k = ⟨ds_k, x_k⟩, dx_k = w_k ds_k.   (SPEC 6)"""
    xp = namespace(inputs)
    if aggregation == "sum":
        ds: Array = d_features[:, None, :] + xp.zeros_like(inputs)
    else:
        ds = xp.reshape(d_features, inputs.shape)
    return xp.sum(ds * inputs, axis=-1), weights[..., None] * ds


def check_context(mask: SlotMask, pivot: Pivot, shape: tuple[int, int]) -> None:
    """Refuse a mask that is not [n, B], and pivots that are not [n] valid slots."""
    checks.shape("mask", mask, shape, "n B", _SPEC)
    checks.shape("pivot", pivot, shape[:1], "n", _SPEC)
    checks.mask_rows(mask)
    checks.pivots(pivot, mask)


def check_weights(
    attention_weights: AttentionWeights,
    feature_weights: FeatureWeights,
    sizes: tuple[int, int],
    options: LayerOptions,
    names: tuple[str, str] = ("attention_weights", "feature_weights"),
) -> None:
    """Refuse weights that are not finite or do not fit inputs of `sizes` B slots of width D."""
    slots, width = sizes
    rows, letters = (width, "D H") if options.aggregation == "sum" else (slots * width, "B·D H")
    w, u = names
    checks.shape(w, attention_weights, (slots, slots), "B B", _SPEC)
    checks.shape(u, feature_weights, (rows, None), letters, _SPEC)
    checks.finite(w, attention_weights, _SPEC)
    checks.finite(u, feature_weights, _SPEC)


def check_inputs(inputs: Inputs, mask: SlotMask, *, signed: bool) -> None:
    """Refuse inputs that are not finite on valid slots, or negative there unless `signed`."""
    valid = mask[..., None]
    if signed:
        checks.finite("inputs", inputs, _SPEC, where=valid)
    else:
        checks.non_negative("inputs", inputs, _SPEC, SignedInput, where=valid)
