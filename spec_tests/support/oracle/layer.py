"""One SAFFU layer on one context.   (SPEC 4)"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from spec_tests.support.oracle.arithmetic import Arithmetic, Row, Table
from spec_tests.support.oracle.explicit import columns
from spec_tests.support.oracle.softmax import log_softmax, softmax


class Layer(NamedTuple):
    """Everything that a layer computes, in order."""

    comparisons: Row
    logits: Row
    attention: Row
    weights: Row
    features: Row
    hidden: Row


def compare(ar: Arithmetic, x: Table, pivot: int) -> Row:
    """c_k = ⟨x_p, x_k⟩."""
    return [ar.dot(x[pivot], row) for row in x]


def weigh(
    ar: Arithmetic, a: Row, mask: Sequence[bool], options: Mapping[str, Any], logs: Row
) -> Row:
    """Feature weights from attention; `logs` are its logarithms."""
    valid = sum(mask)
    if options["attention"] == "surprisal":
        return [-entry if ok else ar.number(0) for entry, ok in zip(logs, mask, strict=True)]
    gain = valid if options["gain"] == "count" else 1
    return [gain * entry if ok else ar.number(0) for entry, ok in zip(a, mask, strict=True)]


def aggregate(ar: Arithmetic, x: Table, w: Row, aggregation: str) -> Row:
    """Σ_k w_k x_k, or [w_1 x_1 … w_B x_B]."""
    if aggregation == "cat":
        return [weight * entry for weight, row in zip(w, x, strict=True) for entry in row]
    return [ar.dot(w, column) for column in columns(x)]


def forward(
    ar: Arithmetic,
    x: Table,
    mask: Sequence[bool],
    pivot: int,
    w: Table,
    u: Table,
    options: Mapping[str, Any],
) -> Layer:
    """The layer on one context; what invalid slots hold is taken for zero."""
    x = [row if ok else [ar.number(0) for _ in row] for row, ok in zip(x, mask, strict=True)]
    c = compare(ar, x, pivot)
    if options["attention"] == "uniform":
        z = [ar.number(0) for _ in c]
    else:
        z = [ar.dot(c, column) for column in columns(w)]
    a = softmax(ar, z, mask)
    weights = weigh(ar, a, mask, options, log_softmax(ar, z, mask))
    s = aggregate(ar, x, weights, options["aggregation"])
    return Layer(c, z, a, weights, s, read(ar, s, u))


def read(ar: Arithmetic, s: Row, u: Table) -> Row:
    """h = φ(s U)."""
    return softmax(ar, [ar.dot(s, column) for column in columns(u)])


def hidden_loss(
    ar: Arithmetic, a: Row, x: Table, mask: Sequence[bool], u: Table, y: Row,
    options: Mapping[str, Any],
) -> Any:  # fmt: skip
    """−Σ y log h as a function of the attention a, all else being given.   (SPEC 5)"""
    logs = [ar.log(entry) if ok else ar.number(0) for entry, ok in zip(a, mask, strict=True)]
    s = aggregate(ar, x, weigh(ar, a, mask, options, logs), options["aggregation"])
    z = [ar.dot(s, column) for column in columns(u)]
    return -ar.dot(y, log_softmax(ar, z))
