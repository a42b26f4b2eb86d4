"""Mistakes in the backward pass of a layer.   (SPEC 6)"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from saffu.conformance.diagnosis.bank.compare import (
    pull_comparisons,
    pull_keys,
    pull_square_once,
)
from saffu.conformance.diagnosis.bank.saffu_forward import State, counted_valid, forward
from saffu.conformance.diagnosis.variants import Arrays, mistakes, variant
from saffu.types import Array


def _pull(p: Array, dp: Array) -> Array:
    dz: Array = p * (dp - np.sum(p * dp, axis=-1, keepdims=True))
    return dz


def _through_log(a: Array, dw: Array) -> Array:
    return -dw / np.where(a > 0, a, 1.0)


def _features(state: State, aggregation: str) -> Array:
    return state.features


def _unweighted(state: State, aggregation: str) -> Array:
    x = state.inputs
    return np.sum(x, axis=1) if aggregation == "sum" else x.reshape(x.shape[0], -1)


def saffu_backward(
    d_hidden: Array,
    *,
    inputs: Array,
    mask: Array,
    pivot: Array,
    attention_weights: Array,
    feature_weights: Array,
    aggregation: str,
    attention: str,
    gain: str,
    signed: bool = False,
    pull_read: Callable[[Array, Array], Array] = _pull,
    pull_attention: Callable[[Array, Array], Array] = _pull,
    pull_log: Callable[[Array, Array], Array] = _through_log,
    features: Callable[[State, str], Array] = _features,
    counted: Callable[[Array, str], Array] = counted_valid,
    pull: Callable[[Array, Array, Array], Array] = pull_comparisons,
    values: float = 1.0,
    compared: float = 1.0,
    w: Callable[[Array], Array] = lambda w: w.T,
    each: Callable[[int], float] = lambda slots: 1.0,
    masked: bool = True,
    share: Callable[[int], float] = lambda n: 1.0,
) -> Arrays:
    """Gradients in W, U and X, with a name for every place in which porters go wrong."""
    state = forward(
        inputs, mask, pivot, attention_weights, feature_weights, aggregation, attention, gain
    )
    x, a = state.inputs, state.attention
    dq = pull_read(state.hidden, d_hidden)
    ds = dq @ feature_weights.T
    if aggregation == "sum":
        ds = np.broadcast_to(ds[:, None, :], x.shape) * each(x.shape[1])
    else:
        ds = ds.reshape(x.shape)
    dw = np.where(mask, np.sum(ds * x, axis=-1), 0.0)
    g = counted(mask, gain)
    if attention == "uniform":
        dz = np.zeros_like(dw)
    else:
        dz = pull_attention(a, pull_log(a, dw) if attention == "surprisal" else g * dw)
    weights = state.weights if attention == "surprisal" else g * a
    dc = dz @ w(attention_weights)
    dx = values * weights[..., None] * ds + compared * pull(dc, x, pivot)
    n = x.shape[0]
    return {
        "attention_weights": state.comparisons.T @ dz * share(n),
        "feature_weights": features(state, aggregation).T @ dq * share(n),
        "inputs": np.where(mask[..., None], dx, 0.0) if masked else dx,
    }


MISTAKES = mistakes(
    "saffu_backward", saffu_backward,
    variant("backward-softmax-diagonal", "dq = h (1 − h) dh, the diagonal alone",
        pull_read=lambda h, dh: h * (1 - h) * dh),
    variant("backward-attention-diagonal", "dz = a (1 − a) da, the diagonal alone",
        pull_attention=lambda a, da: a * (1 - a) * da),
    variant("backward-features-unweighted", "dU from the inputs without their weights",
        features=_unweighted),
    variant("backward-values-dropped", "inputs get nothing by way of the features", values=0.0),
    variant("backward-values-only", "inputs get nothing by way of the comparisons", compared=0.0),
    variant("backward-w-transposed", "dc = dz W in place of dz Wᵀ", w=lambda w: w),
    variant("backward-square-once", "the pivot's own square counted once", pull=pull_square_once),
    variant("backward-pivot-dropped", "the gradient through the pivot dropped", pull=pull_keys),
    variant("backward-gain-dropped", "the gain left out",
        counted=lambda mask, gain: np.ones((mask.shape[0], 1))),
    variant("backward-surprisal-sign", "da = dw/a in place of −dw/a",
        pull_log=lambda a, dw: -_through_log(a, dw)),
    variant("backward-surprisal-undivided", "da = −dw, not divided by a",
        pull_log=lambda a, dw: -dw),
    variant("backward-slot-means", "the gradient of a sum shared out over the slots",
        each=lambda slots: 1 / slots),
    variant("backward-leaks-into-empty-slots", "invalid slots get a gradient", masked=False),
    variant("backward-mean-over-contexts", "gradients of weights averaged over contexts",
        share=lambda n: 1 / n),
    variant("backward-takes-anything", "inputs off the simplex, or gradients that are not finite, "
        "not refused", accepts="negative non-finite"),
)  # fmt: skip
