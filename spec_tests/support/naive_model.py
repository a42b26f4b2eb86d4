"""A SAFFU transformer, one sample at a time, from the words of SPEC 3 and 4.

Nothing of `saffu` is imported.  There are no masks, batches or plans: a context with K valid slots
is a list of K positions, and it takes those K rows and columns of W and the matching rows of U.
All numbers may be complex, so that a derivative can be had by the complex step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Numbers: TypeAlias = NDArray[Any]

ContextWords: TypeAlias = Sequence[Any]
"""("Radial", r), ("Block", b) or ("Document",)."""

Choices: TypeAlias = tuple[str, str, str]
"""Aggregation, attention and gain."""

Layers: TypeAlias = Sequence[tuple[Numbers, Numbers]]
"""W and U of each layer of a tower, from the bottom up."""


class Trace(NamedTuple):
    """What a layer computes for one sample; the first four have one number a *valid* slot."""

    slots: list[int]
    comparisons: Numbers
    attention: Numbers
    weights: Numbers
    features: Numbers
    hidden: Numbers


def softmax(logits: Numbers) -> Numbers:
    weight = np.exp(logits - max(logits.real))
    return np.asarray(weight / sum(weight))


def slots_of(context: ContextWords, target: int) -> tuple[list[tuple[int, int]], int]:
    """Pairs (slot, position) that a target of a document may look at, and the pivot's slot."""
    kind, size = context
    newest = target - 1
    if kind == "Radial":
        return [(k, newest - k) for k in range(size) if newest - k >= 0], 0
    start = newest // size * size
    return [(s, start + s) for s in range(size) if start + s <= newest], newest - start


def layer(
    vectors: Sequence[Numbers],
    pairs: Sequence[tuple[int, int]],
    pivot: int,
    W: Numbers,
    U: Numbers,
    choices: Choices,
) -> Trace:
    """One layer for one context: c, a, w, s, h of SPEC 4."""
    aggregation, attention, gain = choices
    slots = [slot for slot, _ in pairs]
    x = [vectors[position] for _, position in pairs]
    asks = x[slots.index(pivot)]
    c = np.array([sum(asks * row) for row in x])
    a = softmax(np.array([sum(c[i] * W[i_, k_] for i, i_ in enumerate(slots)) for k_ in slots]))
    g = len(slots) if gain == "count" else 1
    if attention == "uniform":
        a = np.full(len(slots), 1 / len(slots))
    w = -np.log(a) if attention == "surprisal" else g * a
    return Trace(slots, c, a, w, *read(x, slots, w, U, aggregation))


def read(
    x: Sequence[Numbers], slots: Sequence[int], w: Numbers, U: Numbers, aggregation: str
) -> tuple[Numbers, Numbers]:
    """s and h from weighted slots."""
    width = len(x[0])
    s = np.zeros(U.shape[0], dtype=np.result_type(U, w, *x))
    for row, slot, weight in zip(x, slots, w, strict=True):
        first = 0 if aggregation == "sum" else slot * width
        s[first : first + width] += weight * row
    return s, softmax(s @ U)


def tower(
    document: Sequence[int],
    embedding: Numbers,
    context: ContextWords,
    layers: Layers,
    choices: Choices,
) -> list[list[Trace]]:
    """What every layer computes for every target of a document, from the bottom up."""
    targets = range(1, len(document))
    if context[0] == "Document":
        U = layers[0][1]
        means = [sum(embedding[token] for token in document[:t]) / t for t in targets]
        none = np.zeros(0)
        return [[Trace([], none, none, none, s, softmax(s @ U)) for s in means]]
    vectors: list[Numbers] = [embedding[token] for token in document]
    traces: list[list[Trace]] = []
    for W, U in layers:
        traces.append([layer(vectors, *slots_of(context, t), W, U, choices) for t in targets])
        vectors = [trace.hidden for trace in traces[-1]]
    return traces


def logits(
    documents: Sequence[Sequence[int]],
    embedding: Numbers,
    towers: Sequence[Layers],
    output: Numbers,
    contexts: Sequence[ContextWords],
    choices: Choices,
) -> Numbers:
    """Logits [M, V] of all targets of all documents, in order."""
    rows: list[Numbers] = []
    for document in documents:
        tops = [
            tower(document, embedding, context, layers, choices)[-1]
            for context, layers in zip(contexts, towers, strict=True)
        ]
        rows += [
            np.concatenate([trace.hidden for trace in sample]) @ output
            for sample in zip(*tops, strict=True)
        ]
    return np.array(rows)


def mean_nats(rows: Numbers, documents: Sequence[Sequence[int]]) -> Any:
    """The loss, also of complex logits."""
    wanted = [token for document in documents for token in document[1:]]
    nats = [-np.log(softmax(row)[token]) for row, token in zip(rows, wanted, strict=True)]
    return sum(nats) / len(nats)
