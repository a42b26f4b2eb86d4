"""Attention over the slots of many contexts, contexts along the last axis.   (SPEC 4)

A row of logits has as many entries as a context has slots, eight or so, and NumPy adds
eight neighbouring numbers more slowly than eight long columns.  So contexts run along the last axis
here, and every sum and maximum over slots is one of long arrays.
"""

from __future__ import annotations

import numpy as np

from saffu.attention import Attention
from saffu.layer import LayerOptions
from saffu.types import AttentionWeights, SlotMask, SlotRows


def attend_slots(
    comparisons: SlotRows, mask: SlotMask, weights: AttentionWeights, options: LayerOptions
) -> Attention:
    """The attention of `saffu.attention.attend`, for contexts with at least one valid slot.

    Parameters: `comparisons` [n, B], zero on invalid slots; `mask` [n, B]; `weights` W [B, B].
    """
    valid = np.ascontiguousarray(mask.T)
    c = np.ascontiguousarray(comparisons.T)
    count = valid.sum(axis=0, dtype=c.dtype)
    z = np.zeros_like(c) if options.attention == "uniform" else weights.T @ c
    shifted = np.where(valid, z, c.dtype.type(-np.inf))
    shifted -= shifted.max(axis=0)
    a = np.exp(shifted)
    total = a.sum(axis=0)
    a /= total
    if options.attention == "surprisal":
        w = np.where(valid, np.log(total) - shifted, c.dtype.type(0))
    else:
        w = a * count if options.gain == "count" else a
    return Attention(comparisons, *(np.ascontiguousarray(each.T) for each in (z, a, w)))
