"""Softmax, its losses, and measures.   (SPEC 0, 7)"""

from __future__ import annotations

from collections.abc import Sequence

from spec_tests.support.oracle.arithmetic import Arithmetic, Number, Row, Table


def _shifted(ar: Arithmetic, z: Row, mask: Sequence[bool] | None) -> tuple[list[int], Row]:
    """The valid places, and z less its largest valid entry there."""
    valid = [j for j in range(len(z)) if mask is None or mask[j]]
    top = z[valid[0]]
    for j in valid:
        if z[j] > top:
            top = z[j]
    top = ar.fresh(top)
    return valid, [z[j] - top for j in valid]


def softmax(ar: Arithmetic, z: Row, mask: Sequence[bool] | None = None) -> Row:
    """φ(z) of one row."""
    valid, shifted = _shifted(ar, z, mask)
    weight = [ar.exp(x) for x in shifted]
    total = ar.total(weight)
    p = [ar.number(0) for _ in z]
    for j, w in zip(valid, weight, strict=True):
        p[j] = w / total
    return p


def log_softmax(ar: Arithmetic, z: Row, mask: Sequence[bool] | None = None) -> Row:
    """log φ(z) of one row; −inf, a plain float, where masked."""
    valid, shifted = _shifted(ar, z, mask)
    total = ar.log(ar.total(ar.exp(x) for x in shifted))
    logs: Row = [float("-inf") for _ in z]
    for j, x in zip(valid, shifted, strict=True):
        logs[j] = x - total
    return logs


def sample_loss(ar: Arithmetic, z: Row, y: Row) -> Number:
    """−Σ y log φ(z)."""
    return -ar.dot(y, log_softmax(ar, z))


def cross_entropy(ar: Arithmetic, z: Table, y: Table) -> Number:
    """The mean over samples."""
    losses = [sample_loss(ar, row, wanted) for row, wanted in zip(z, y, strict=True)]
    return ar.total(losses) / len(z)


def perplexity(ar: Arithmetic, nats: Row) -> Number:
    """exp of the mean."""
    return ar.exp(ar.total(nats) / len(nats))
