"""Cross-entropy of a batch and its gradient, written over the logits.   (SPEC 6, 7)

    nats_m = log Σ_i exp z_mi − z_my,    d logits = (φ(z) − y) / M

A batch has a thousand times more logits than anything else, so they are read as few times as
possible: once for their range, once for the exponential, the sum, and the division.
"""

from __future__ import annotations

import numpy as np

from saffu.fast.softmax import lower, row_sums
from saffu.types import Array, IntArray, Logits, Nats


def nats_and_gradient(logits: Logits, targets: IntArray) -> tuple[Nats, Logits]:
    """Nats of each sample [M], and (ŷ − y)/M, written over the logits."""
    m = np.arange(targets.shape[0])
    right, total = _exponentials(logits, targets)
    logits /= total * logits.dtype.type(targets.shape[0])
    logits[m, targets] -= logits.dtype.type(1 / targets.shape[0])
    return np.log(total[:, 0]) - right, logits


def nats_of(logits: Logits, targets: IntArray) -> Nats:
    """Nats of each sample [M]; the logits are written over."""
    right, total = _exponentials(logits, targets)
    return np.asarray(np.log(total[:, 0]) - right)


def _exponentials(logits: Logits, targets: IntArray) -> tuple[Array, Array]:
    """Turn logits into exp(z − z₀), z₀ one number per row; z − z₀ of the targets, and the sums."""
    lower(logits)
    right = logits[np.arange(targets.shape[0]), targets].copy()
    np.exp(logits, out=logits)
    return right, row_sums(logits)[:, None]
