"""The warm start of SPEC 5, steps 1 to 6, in loops over samples; nothing of `saffu` is imported.

Hidden targets come from their definition, t = a − ∂ℓ/∂z clipped and normalised, with the derivative
by the complex step; no formula for G stands here, and no backward pass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import brentq

from spec_tests.support.naive_model import (
    Choices,
    ContextWords,
    Numbers,
    Trace,
    layer,
    read,
    slots_of,
    softmax,
)

STEP = 1e-30


class Recipe(NamedTuple):
    """The settings of a warm start; a smoothing is its name and its strength."""

    rounds: int = 1
    hidden: tuple[str, float] = ("Backoff", 1.0)
    attention: tuple[str, float] = ("Backoff", 1.0)
    output: tuple[str, float] = ("Backoff", 1.0)
    hidden_temper: float | None = 1.0
    hidden_scale: float = 1.0
    output_temper: float | None = 1.0
    refits: int = 0


class Model(NamedTuple):
    """What a warm start returns."""

    embedding: Numbers
    towers: list[list[tuple[Numbers, Numbers]]]
    output: Numbers
    hidden_tempers: list[list[float]]
    output_temper: float


class Context(NamedTuple):
    """Where one sample looks: rows of vectors, pairs (slot, row) and the pivot's slot."""

    vectors: Sequence[Numbers]
    pairs: Sequence[tuple[int, int]]
    pivot: int


class Solved(NamedTuple):
    W: Numbers
    U: Numbers
    temper: float
    traces: list[Trace]


# --- step 1: counts, codes, embeddings ------------------------------------------------------------


def codes(size: int, bits: int) -> list[set[int]]:
    """The positions of the ones of each rank's code (SPEC 2)."""
    level = [{e} for e in range(bits)]
    given = list(level)
    for ones in range(2, bits + 1):
        if len(given) >= size:
            break
        before, level = level, []
        for e in reversed(range(bits)):
            for p in reversed(before):
                code = p ^ {e}
                if len(code) == ones and code not in level:
                    level.append(code)
        given += level
    return given[:size]


def cipher(tokens: Sequence[int], size: int, bits: int) -> Numbers:
    """A code of unit norm for each id, the plainest for the commonest of `tokens`."""
    ranked = sorted(range(size), key=lambda token: (-tokens.count(token), token))
    vectors = np.zeros((size, bits))
    for token, code in zip(ranked, codes(size, bits), strict=True):
        vectors[token, sorted(code)] = 1 / len(code)
    return vectors


def company(documents: Sequence[Sequence[int]], vectors: Numbers, radii: Sequence[int]) -> Numbers:
    """Radial embedding: one block an annulus (SPEC 2)."""
    size, bits = vectors.shape
    blocks = np.zeros((size, len(radii), bits))
    for document in documents:
        for t, token in enumerate(document):
            for u, other in enumerate(document):
                for j, radius in enumerate(radii):
                    inner = radii[j - 1] if j else 0
                    if inner < abs(t - u) <= radius:
                        blocks[token, j] += vectors[other]
    for token in range(size):
        if blocks[token].sum() == 0:
            blocks[token, 0] = vectors[token]
        blocks[token] /= blocks[token].sum()
    return blocks.reshape(size, -1)


# --- one softmax layer ----------------------------------------------------------------------------


def count(features: Sequence[Numbers], targets: Sequence[Numbers]) -> Numbers:
    """F = Σ h ⊗ y."""
    F = np.zeros((len(features[0]), len(targets[0])))
    for h, y in zip(features, targets, strict=True):
        F += np.outer(h, y)
    return F


def smoothed(F: Numbers, smoothing: tuple[str, float]) -> Numbers:
    name, strength = smoothing
    n: Numbers = F.sum(axis=0)
    more = 1.0 if name == "Additive" else (n + 1) / (n.sum() + len(n))
    return F + strength * np.asarray(more)


def solve_softmax(
    features: Sequence[Numbers],
    targets: Sequence[Numbers],
    smoothing: tuple[str, float],
    temper: float | None,
    scale: float = 1.0,
) -> tuple[Numbers, float]:
    """U[d,i] = λ log(F[d,i]/n_i) + (log n_i)/K, and λ."""
    F = smoothed(count(features, targets), smoothing)
    n = F.sum(axis=0)
    K = sum(h.sum() for h in features) / len(features)
    says = np.log(F / n)
    if temper is None:
        temper = best_temper(features, targets, np.log(n), says)
    return temper * scale * says + np.log(n) / K, temper * scale


def best_temper(
    features: Sequence[Numbers], targets: Sequence[Numbers], prior: Numbers, says: Numbers
) -> float:
    """Where the cross-entropy of φ(log n + λ h says), convex in λ, has slope zero."""

    def slope(lam: float) -> float:
        total = 0.0
        for h, y in zip(features, targets, strict=True):
            score = h @ says
            total += score @ (y.sum() * softmax(prior + lam * score) - y)
        return total

    low, high = -1.0, 1.0
    while slope(low) > 0:
        low *= 2
    while slope(high) < 0:
        high *= 2
    return float(brentq(slope, low, high, xtol=1e-14, rtol=1e-14))


# --- hidden targets -------------------------------------------------------------------------------


def wanted(a: Numbers, loss: Callable[[Numbers], Any]) -> Numbers:
    """t = a − ∂ℓ/∂z at a = φ(z), clipped and normalised; `loss` depends on φ(z)."""
    z = np.log(a)
    t = np.empty(len(a))
    for k in range(len(a)):
        moved = z.astype(complex)
        moved[k] += 1j * STEP
        t[k] = a[k] - loss(softmax(moved)).imag / STEP
    t = np.maximum(t, 0.0)
    return np.asarray(t / t.sum())


def nats(h: Numbers, y: Numbers) -> Any:
    return -sum(y * np.log(h))


def attention_targets(
    trace: Trace, context: Context, U: Numbers, y: Numbers, choices: Choices
) -> Numbers:
    """What the attention of one sample should have been, on its valid slots."""
    aggregation, attention, gain = choices
    x = [context.vectors[row] for _, row in context.pairs]
    g = len(x) if gain == "count" else 1

    def loss(a: Numbers) -> Any:
        w = -np.log(a) if attention == "surprisal" else g * a
        return nats(read(x, trace.slots, w, U, aggregation)[1], y)

    return wanted(trace.attention, loss)


# --- steps 2 to 4: one layer ----------------------------------------------------------------------


def solve_layer(
    contexts: Sequence[Context],
    targets: Sequence[Numbers],
    slots: int,
    choices: Choices,
    recipe: Recipe,
) -> Solved:
    """W and U of one layer, `recipe.rounds` rounds of attention."""
    W = np.zeros((slots, slots))
    rows = len(contexts[0].vectors[0]) * (slots if choices[0] == "cat" else 1)

    def look(U: Numbers) -> list[Trace]:
        return [layer(*context, W, U, choices) for context in contexts]

    def features() -> list[Numbers]:
        return [trace.features for trace in look(np.zeros((rows, len(targets[0]))))]

    def solve(scale: float) -> tuple[Numbers, float]:
        return solve_softmax(features(), targets, recipe.hidden, recipe.hidden_temper, scale)

    for _ in range(0 if choices[1] == "uniform" else recipe.rounds):
        U, _ = solve(1.0)
        F = np.zeros((slots, slots))
        norm = 0.0
        for trace, context, y in zip(look(U), contexts, targets, strict=True):
            t = attention_targets(trace, context, U, y, choices)
            for i, d in enumerate(trace.slots):
                norm += trace.comparisons[i]
                for j, k in enumerate(trace.slots):
                    F[d, k] += trace.comparisons[i] * t[j]
        K = norm / len(contexts)
        F = smoothed(F, recipe.attention)
        W = np.log(F) - (K - 1) / K * np.log(F.sum(axis=0))
    U, temper = solve(recipe.hidden_scale)
    return Solved(W, U, temper, look(U))


# --- stacks ---------------------------------------------------------------------------------------


def by_document(rows: Sequence[Any], documents: Sequence[Sequence[int]]) -> list[list[Any]]:
    """One row a target, in order, as lists by document."""
    rest = iter(rows)
    return [[next(rest) for _ in document[1:]] for document in documents]


def looks(vectors: Sequence[Sequence[Numbers]], context: ContextWords) -> list[Context]:
    """The contexts of all samples; `vectors` one a position, by document."""
    return [
        Context(rows, *slots_of(context, t)) for rows in vectors for t in range(1, len(rows) + 1)
    ]


def solve_tower(
    documents: Sequence[Sequence[int]],
    embedding: Numbers,
    context: ContextWords,
    depth: int,
    labels: Sequence[Numbers],
    choices: Choices,
    recipe: Recipe,
) -> list[Solved]:
    """The layers of a tower, from the bottom up, and `recipe.refits` times anew."""
    goals = [list(labels) for _ in range(depth)]
    solved: list[Solved] = []
    for attempt in range(1 + recipe.refits):
        if attempt:
            goals = implied(documents, context, solved, labels, choices)
        solved = []
        vectors: list[list[Numbers]] = [
            [embedding[token] for token in document[:-1]] for document in documents
        ]
        for goal in goals:
            step = solve_layer(looks(vectors, context), goal, context[1], choices, recipe)
            solved.append(step)
            vectors = by_document([trace.hidden for trace in step.traces], documents)
    return solved


def implied(
    documents: Sequence[Sequence[int]],
    context: ContextWords,
    solved: Sequence[Solved],
    labels: Sequence[Numbers],
    choices: Choices,
) -> list[list[Numbers]]:
    """Targets of each layer: the labels at the top, below what the layers above make of them."""
    goals: list[list[Numbers]] = []
    for level in range(len(solved) - 1):
        hidden = by_document([trace.hidden for trace in solved[level].traces], documents)
        asked = by_document(labels, documents)
        above = partial(loss_above, context, solved[level + 1 :], choices)
        goals.append(
            [
                wanted(h, partial(above, rows, ys, j))
                for rows, ys in zip(hidden, asked, strict=True)
                for j, h in enumerate(rows)
            ]
        )
    return [*goals, list(labels)]


def loss_above(
    context: ContextWords,
    layers: Sequence[Solved],
    choices: Choices,
    rows: Sequence[Numbers],
    ys: Sequence[Numbers],
    j: int,
    moved: Numbers,
) -> Any:
    """The loss of a document whose row j is moved, through the layers that read the rows."""
    vectors = [*rows[:j], moved, *rows[j + 1 :]]
    for step in layers:
        contexts = looks([vectors], context)
        vectors = [layer(*each, step.W, step.U, choices).hidden for each in contexts]
    return sum(nats(top, y) for top, y in zip(vectors, ys, strict=True))


# --- all steps ------------------------------------------------------------------------------------


def warm_start(
    documents: Sequence[Sequence[int]],
    vocabulary: int,
    bits: int,
    label_bits: int,
    radii: Sequence[int],
    contexts: Sequence[ContextWords],
    depth: int,
    choices: Choices,
    recipe: Recipe,
) -> Model:
    """SPEC 5, steps 1 to 6."""
    embedding = cipher([token for document in documents for token in document], vocabulary, bits)
    if radii:
        embedding = company(documents, embedding, radii)
    goals = [token for document in documents for token in document[1:]]
    codes_of_labels = cipher(goals, vocabulary, label_bits)
    labels = [codes_of_labels[token] for token in goals]
    towers: list[list[tuple[Numbers, Numbers]]] = []
    tempers: list[list[float]] = []
    hidden: list[list[Numbers]] = []
    for context in contexts:
        if context[0] == "Document":
            means = [
                sum(embedding[token] for token in document[:t]) / t
                for document in documents
                for t in range(1, len(document))
            ]
            U, temper = solve_softmax(
                means, labels, recipe.hidden, recipe.hidden_temper, recipe.hidden_scale
            )
            towers.append([(np.zeros((0, 0)), U)])
            tempers.append([temper])
            hidden.append([softmax(s @ U) for s in means])
            continue
        solved = solve_tower(documents, embedding, context, depth, labels, choices, recipe)
        towers.append([(step.W, step.U) for step in solved])
        tempers.append([step.temper for step in solved])
        hidden.append([trace.hidden for trace in solved[-1].traces])
    output, temper = solve_softmax(
        [np.concatenate(rows) for rows in zip(*hidden, strict=True)],
        [np.eye(vocabulary)[token] for token in goals],
        recipe.output,
        recipe.output_temper,
    )
    return Model(embedding, towers, output, tempers, temper)
