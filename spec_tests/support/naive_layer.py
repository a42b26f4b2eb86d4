"""The SAFFU layer from SPEC 4, one number at a time, on the valid slots alone."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from saffu.types import Array


class NaiveState(NamedTuple):
    """One context: c, z, a, w on all slots (zero where invalid), s and h."""

    comparisons: list[Any]
    logits: list[Any]
    attention: list[Any]
    weights: list[Any]
    features: list[Any]
    hidden: list[Any]


def naive_softmax(z: list[Any]) -> list[Any]:
    weights = [np.exp(each) for each in z]
    return [weight / sum(weights) for weight in weights]


def naive_layer(
    x: Array,
    mask: Array,
    pivot: int,
    W: Array,
    U: Array,
    aggregation: str,
    attention: str,
    gain: str,
) -> NaiveState:
    """One context: `x` [B, D], `mask` [B], `pivot` a slot, `W` [B, B], `U` [D or B·D, H]."""
    slots, width = x.shape
    valid = [k for k in range(slots) if mask[k]]
    g = len(valid) if gain == "count" else 1
    c = {k: sum(x[pivot, d] * x[k, d] for d in range(width)) for k in valid}
    z = {k: sum(c[j] * W[j, k] for j in valid) for k in valid}
    if attention == "uniform":
        z = dict.fromkeys(valid, 0.0)
    a = dict(zip(valid, naive_softmax([z[k] for k in valid]), strict=True))
    if attention == "surprisal":
        w = {k: -np.log(a[k]) for k in valid}
    else:
        w = {k: g * a[k] for k in valid}
    if aggregation == "sum":
        s = [sum(w[k] * x[k, d] for k in valid) for d in range(width)]
    else:
        s = [w[k] * x[k, d] if k in valid else 0.0 for k in range(slots) for d in range(width)]
    q = [sum(s[row] * U[row, i] for row in range(len(s))) for i in range(U.shape[1])]

    def everywhere(each: dict[int, Any]) -> list[Any]:
        return [each.get(k, 0.0) for k in range(slots)]

    stages = everywhere(c), everywhere(z), everywhere(a), everywhere(w)
    return NaiveState(*stages, s, naive_softmax(q))
