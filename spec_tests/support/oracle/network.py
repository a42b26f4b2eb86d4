"""Whole models: prediction, loss, and the warm start.   (SPEC 4, 5)"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from spec_tests.support.oracle import text
from spec_tests.support.oracle.arithmetic import Arithmetic, Number, Row, Table
from spec_tests.support.oracle.explicit import (
    columns,
    cooccurrence,
    explicit_weights,
    fit_temper,
    hidden_targets,
    priming,
    smooth,
    tempered_weights,
)
from spec_tests.support.oracle.layer import Layer, forward, hidden_loss, read
from spec_tests.support.oracle.softmax import log_softmax
from spec_tests.support.oracle.tape import Tape

Documents = Sequence[Sequence[int]]
Record = Mapping[str, Any]
Weights = dict[str, Table]
"""tower0.layer0.attention, tower0.layer0.features, …, embedding, output."""


class Sample(NamedTuple):
    """One target: its document, and where its newest token stands there."""

    document: int
    newest: int
    target: int


def samples(documents: Documents) -> list[Sample]:
    """Every token after the first of each document is a target."""
    return [
        Sample(d, t - 1, document[t])
        for d, document in enumerate(documents)
        for t in range(1, len(document))
    ]


class Looks(NamedTuple):
    """Where one sample looks: places in its document, validity, pivot."""

    places: list[int]
    mask: list[bool]
    pivot: int


def looks(documents: Documents, context: Sequence[Any]) -> list[Looks]:
    """Where each sample looks under a context model such as ["Radial", 3]."""
    kind, size = context
    make = text.radial_context if kind == "Radial" else text.block_context
    seen = [make(len(document), size) for document in documents]
    return [
        Looks(one.slots[s.newest], one.mask[s.newest], one.pivot[s.newest])
        for s in samples(documents)
        for one in [seen[s.document]]
    ]


def gather(
    documents: Documents, tables: Sequence[Row], level: int, here: Sequence[Looks]
) -> list[Table]:
    """What lies in each sample's slots: embeddings at level 0, else hidden states below."""
    every = samples(documents)
    at = {(s.document, s.newest): m for m, s in enumerate(every)}
    if level == 0:
        return [
            [tables[documents[s.document][place]] for place in look.places]
            for s, look in zip(every, here, strict=True)
        ]
    return [
        [tables[at[s.document, place]] for place in look.places]
        for s, look in zip(every, here, strict=True)
    ]


def depth(configuration: Record, context: Sequence[Any]) -> int:
    """Layers of a tower."""
    return 1 if context[0] == "Document" else int(configuration["depth"])


def tower_states(
    ar: Arithmetic, documents: Documents, configuration: Record, tower: int, weights: Weights
) -> list[list[Layer]]:
    """The layers of a tower with slots, from the bottom up, on every sample."""
    context = configuration["contexts"][tower]
    here = looks(documents, context)
    below: Sequence[Row] = weights["embedding"]
    states = []
    for level in range(depth(configuration, context)):
        name = f"tower{tower}.layer{level}"
        w, u = weights[f"{name}.attention"], weights[f"{name}.features"]
        states.append(
            [
                forward(ar, x, look.mask, look.pivot, w, u, configuration["layer"])
                for x, look in zip(gather(documents, below, level, here), here, strict=True)
            ]
        )
        below = [state.hidden for state in states[-1]]
    return states


def document_features(ar: Arithmetic, documents: Documents, embedding: Table) -> Table:
    """The mean of all earlier tokens, for every sample."""
    return [row for one in documents for row in text.document_means(ar, one, embedding)]


def hidden(ar: Arithmetic, documents: Documents, configuration: Record, weights: Weights) -> Table:
    """[h¹ … h^C] of every sample."""
    rows: Table = [[] for _ in samples(documents)]
    for tower, context in enumerate(configuration["contexts"]):
        if context[0] == "Document":
            u = weights[f"tower{tower}.layer0.features"]
            means = document_features(ar, documents, weights["embedding"])
            top = [read(ar, s, u) for s in means]
        else:
            states = tower_states(ar, documents, configuration, tower, weights)
            top = [state.hidden for state in states[-1]]
        rows = [[*row, *more] for row, more in zip(rows, top, strict=True)]
    return rows


def logits(ar: Arithmetic, rows: Table, output: Table) -> Table:
    """[h¹ … h^C] O."""
    return [[ar.dot(row, column) for column in columns(output)] for row in rows]


def loss(ar: Arithmetic, documents: Documents, configuration: Record, weights: Weights) -> Number:
    """Mean nats per target."""
    z = logits(ar, hidden(ar, documents, configuration, weights), weights["output"])
    every = samples(documents)
    nats = [-log_softmax(ar, row)[s.target] for row, s in zip(z, every, strict=True)]
    return ar.total(nats) / len(nats)


# --- warm start -------------------------------------------------------------------------------


def solve(
    ar: Arithmetic, h: Table, y: Table, smoothing: Record, temper: float | None, scale: float
) -> Table:
    """Weights of a softmax layer, tempered."""
    f = smooth(ar, cooccurrence(ar, h, y), smoothing)
    if temper is None:
        lam = ar.fresh(fit_temper(ar, h, y, f, 1, [ar.number(1)]).temper[0])
    else:
        lam = ar.number(temper)
    return tempered_weights(ar, f, lam * ar.number(scale), priming(ar, h))


def warm_start(
    ar: Arithmetic, documents: Documents, configuration: Record, settings: Record
) -> tuple[Table, Weights]:
    """Label embedding and weights, bottom-up, without a gradient of any weight."""
    every = samples(documents)
    vocabulary = range(configuration["vocabulary"])
    tokens = [token for document in documents for token in document]
    embedding = text.cipher_embedding(
        ar, [tokens.count(v) for v in vocabulary], configuration["bits"]
    )
    if configuration["radii"]:
        embedding = text.radial_embedding(
            ar, documents, embedding, configuration["radii"], configuration["combine"]
        )
    wanted = [s.target for s in every]
    labels = text.cipher_embedding(
        ar, [wanted.count(v) for v in vocabulary], configuration["label_bits"]
    )
    y = [labels[target] for target in wanted]
    weights: Weights = {"embedding": embedding}
    for tower, context in enumerate(configuration["contexts"]):
        if context[0] == "Document":
            means = document_features(ar, documents, embedding)
            scale = settings["hidden_scale"]
            u = solve_hidden(ar, means, y, settings, scale)
            weights[f"tower{tower}.layer0.features"] = u
        else:
            solve_tower(ar, documents, configuration, settings, tower, weights, y)
    one_hot = [[ar.number(int(target == v)) for v in vocabulary] for target in wanted]
    weights["output"] = solve(
        ar, hidden(ar, documents, configuration, weights), one_hot,
        settings["output_smoothing"], settings["output_temper"], 1.0,
    )  # fmt: skip
    return labels, weights


def solve_hidden(ar: Arithmetic, s: Table, y: Table, settings: Record, scale: float) -> Table:
    """U of a layer whose features are s."""
    temper = settings["hidden_temper"]
    return solve(ar, s, y, settings["hidden_smoothing"], temper, scale)


def solve_tower(
    ar: Arithmetic, documents: Documents, configuration: Record, settings: Record, tower: int,
    weights: Weights, y: Table,
) -> None:  # fmt: skip
    """Each layer for the labels; then, as often as wanted, for what the layers above imply."""
    context = configuration["contexts"][tower]
    here, levels = looks(documents, context), depth(configuration, context)
    goals = [y] * levels
    for turn in range(1 + (settings["refits"] if levels > 1 else 0)):
        if turn:
            goals = implied(ar, documents, configuration, tower, weights, y)
        below: Sequence[Row] = weights["embedding"]
        for level in range(levels):
            x = gather(documents, below, level, here)
            name = f"tower{tower}.layer{level}"
            w, u = solve_layer(ar, x, here, goals[level], configuration["layer"], settings)
            weights[f"{name}.attention"], weights[f"{name}.features"] = w, u
            below = [
                forward(ar, row, look.mask, look.pivot, w, u, configuration["layer"]).hidden
                for row, look in zip(x, here, strict=True)
            ]


def solve_layer(
    ar: Arithmetic, x: Sequence[Table], here: Sequence[Looks], y: Table, options: Record,
    settings: Record,
) -> tuple[Table, Table]:  # fmt: skip
    """U under even attention; then W from hidden targets and U anew, round by round."""
    slots = len(x[0])
    w = [[ar.number(0) for _ in range(slots)] for _ in range(slots)]

    def states(u: Table) -> list[Layer]:
        return [
            forward(ar, row, look.mask, look.pivot, w, u, options)
            for row, look in zip(x, here, strict=True)
        ]

    rows = len(x[0][0]) * (slots if options["aggregation"] == "cat" else 1)
    nothing = [[ar.number(0) for _ in y[0]] for _ in range(rows)]
    for _ in range(0 if options["attention"] == "uniform" else settings["rounds"]):
        u = solve_hidden(ar, [state.features for state in states(nothing)], y, settings, 1.0)
        now = states(u)
        t = [
            attention_targets(ar, state, row, look.mask, u, wanted, options)
            for state, row, look, wanted in zip(now, x, here, y, strict=True)
        ]
        f = smooth(
            ar, cooccurrence(ar, [state.comparisons for state in now], t),
            settings["attention_smoothing"],
        )  # fmt: skip
        w = explicit_weights(ar, f, priming(ar, [state.comparisons for state in now]))
    s = [state.features for state in states(nothing)]
    return w, solve_hidden(ar, s, y, settings, settings["hidden_scale"])


def attention_targets(
    ar: Arithmetic, state: Layer, x: Table, mask: Sequence[bool], u: Table, y: Row,
    options: Record,
) -> Row:  # fmt: skip
    """The hidden target of one attention, G read off a tape."""
    tape = Tape(ar)
    a = tape.leaves(state.attention)
    clean = [row if ok else [ar.number(0) for _ in row] for row, ok in zip(x, mask, strict=True)]
    end = hidden_loss(tape, a, tape.leaves(clean), mask, tape.leaves(u), tape.leaves(y), options)
    ascent = [-slope for slope in tape.gradient(end, a)]
    ascent = [g if ok else ar.number(0) for g, ok in zip(ascent, mask, strict=True)]
    return hidden_targets(ar, state.attention, ascent)


def implied(
    ar: Arithmetic, documents: Documents, configuration: Record, tower: int, weights: Weights,
    y: Table,
) -> list[Table]:  # fmt: skip
    """Targets of each layer: labels at the top; below, hidden targets for the loss of the top."""
    tape = Tape(ar)
    recorded = {name: tape.leaves(table) for name, table in weights.items()}
    states = tower_states(tape, documents, configuration, tower, recorded)
    top = [state.hidden for state in states[-1]]
    end = -tape.total(
        tape.dot(wanted, [tape.log(entry) for entry in row])
        for wanted, row in zip(tape.leaves(y), top, strict=True)
    )
    goals = [y]
    for states_below in reversed(states[:-1]):
        rows = [state.hidden for state in states_below]
        slopes = tape.gradient(end, rows)
        goals.append(
            [
                hidden_targets(ar, [h.value for h in row], [-slope for slope in slopes_of])
                for row, slopes_of in zip(rows, slopes, strict=True)
            ]
        )
    return goals[::-1]
