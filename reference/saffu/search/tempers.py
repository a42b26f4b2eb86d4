"""Tempers of evidence about tokens, fitted on held-out samples: the loss as a function of them.

    z = log q + Σ_k λ_{c(k)} e_k,        c(k), the temper that feature k of a sample has

Features are slots of a direct model, whose tempers are one per slot, or phrases, whose tempers
depend on how often each was seen.  The cross-entropy is convex in λ.   (SPEC 1)   [D]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from saffu.explicit.newton import Curve
from saffu.types import Array, IntArray


class EvidenceBlock(NamedTuple):
    """The evidence of some samples, held densely."""

    evidence: Array
    """e [n, K, V]"""
    temper: IntArray
    """c [n, K], the index of each feature's temper"""
    targets: IntArray
    """[n], token ids"""


def evidence_curve(temper: Array, prior: Array, blocks: Sequence[EvidenceBlock]) -> Curve:
    """Mean nats per sample as a function of λ, with gradient and Hessian.

    Parameters: `temper` λ [T]; `prior` log q [V].

    >>> evidence, prior = np.log(np.array([[[1.0, 3.0]]])), np.zeros(2)
    >>> block = EvidenceBlock(evidence, np.array([[0]]), np.array([1]))
    >>> round(float(np.exp(-evidence_curve(np.array([2.0]), prior, [block]).value)), 9)
    0.9
    """
    value, number = 0.0, temper.shape[0]
    slope, bend = np.zeros(number), np.zeros((number, number))
    for evidence, index, targets in blocks:
        rows, weights = np.arange(targets.shape[0]), temper.astype(evidence.dtype)[index]
        z = np.matmul(weights[:, None, :], evidence)[:, 0] + prior
        z -= z.max(axis=1, keepdims=True)
        of_target = z[rows, targets].astype(np.float64)
        np.exp(z, out=z)
        total = z.sum(axis=1, keepdims=True)
        p = z / total
        value += float(np.sum(np.log(total[:, 0]) - of_target))
        mean = np.matmul(evidence, p[:, :, None])[:, :, 0].astype(np.float64)
        np.add.at(slope, index, mean - evidence[rows, :, targets])
        root = evidence * np.sqrt(p)[:, None, :]
        covariance = np.matmul(root, root.transpose(0, 2, 1)).astype(np.float64)
        covariance -= mean[:, :, None] * mean[:, None, :]
        np.add.at(bend, (index[:, :, None], index[:, None, :]), covariance)
    m = sum(block.targets.shape[0] for block in blocks)
    return Curve(value / m, slope / m, bend / m)


def evenly_spaced(size: int, most: int) -> IntArray:
    """At most `most` of the indices 0 … size−1, evenly spaced.

    >>> evenly_spaced(9, 3).tolist(), evenly_spaced(2, 3).tolist()
    ([0, 4, 8], [0, 1])
    """
    places: IntArray = np.linspace(0, size - 1, min(size, most)).round().astype(np.int64)
    return places
