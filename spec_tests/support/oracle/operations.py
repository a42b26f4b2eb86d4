"""Answers of the oracle: one function per operation of the contract, with its name.   (SPEC 9)

A function takes the arithmetic, the inputs as lists of its numbers, and the attributes; it returns
stages, then outputs.  A function with a leading underscore is no operation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from spec_tests.support.oracle import explicit, network
from spec_tests.support.oracle import layer as layers
from spec_tests.support.oracle import softmax as softmaxes
from spec_tests.support.oracle import text as texts
from spec_tests.support.oracle.arithmetic import Arithmetic, Number, Row, Table
from spec_tests.support.oracle.tape import Tape

Answer = dict[str, Any]
"""Numbers in lists of any depth, or arrays of whole numbers, by name; stages first."""


# --- softmax, losses (SPEC 0, 7) --------------------------------------------------------------


def _masks(inputs: Mapping[str, Any]) -> list[Any]:
    return list(inputs.get("mask", [None] * len(inputs["logits"])))


def softmax(ar: Arithmetic, inputs: Mapping[str, Any], _: Mapping[str, Any]) -> Answer:
    both = zip(inputs["logits"], _masks(inputs), strict=True)
    return {"probabilities": [softmaxes.softmax(ar, z, mask) for z, mask in both]}


def log_softmax(ar: Arithmetic, inputs: Mapping[str, Any], _: Mapping[str, Any]) -> Answer:
    both = zip(inputs["logits"], _masks(inputs), strict=True)
    return {"log_probabilities": [softmaxes.log_softmax(ar, z, mask) for z, mask in both]}


def cross_entropy(ar: Arithmetic, inputs: Mapping[str, Any], _: Mapping[str, Any]) -> Answer:
    tape = Tape(ar)
    z = tape.leaves(inputs["logits"])
    loss = softmaxes.cross_entropy(tape, z, tape.leaves(inputs["targets"]))
    return {"loss": loss.value, "gradient": tape.gradient(loss, z)}


def perplexity(ar: Arithmetic, inputs: Mapping[str, Any], _: Mapping[str, Any]) -> Answer:
    return {"perplexity": softmaxes.perplexity(ar, inputs["nats"])}


# --- explicit solutions (SPEC 1, 5) -----------------------------------------------------------


def cooccurrence(ar: Arithmetic, inputs: Mapping[str, Any], _: Mapping[str, Any]) -> Answer:
    shards = sorted((name for name in inputs if name.startswith("features")), key=_number_of)
    h = [row for name in shards for row in inputs[name]]
    y = [row for name in shards for row in inputs[name.replace("features", "targets")]]
    counts = explicit.cooccurrence(ar, h, y)
    return {"counts": counts, "norm": explicit.norm(ar, h), "samples": np.array(len(h))}


def _number_of(name: str) -> int:
    return int(name.rpartition("_")[2]) if name[-1].isdigit() else 0


def priming_number(ar: Arithmetic, inputs: Mapping[str, Any], _: Mapping[str, Any]) -> Answer:
    return {"priming": explicit.priming(ar, inputs["features"])}


def explicit_solution(
    ar: Arithmetic, inputs: Mapping[str, Any], attributes: Mapping[str, Any]
) -> Answer:
    counts = explicit.cooccurrence(ar, inputs["features"], inputs["targets"])
    given = attributes.get("priming")
    k = explicit.priming(ar, inputs["features"]) if given is None else ar.number(given)
    full = explicit.smooth(ar, counts, attributes["smoothing"])
    weights = explicit.explicit_weights(ar, full, k)
    return {"counts": counts, "priming": k, "smoothed_counts": full, "weights": weights}


def tempered_logits(ar: Arithmetic, inputs: Mapping[str, Any], _: Mapping[str, Any]) -> Answer:
    slots = len(inputs["temper"])
    prior, scores = explicit.slot_scores(ar, inputs["features"], inputs["counts"], slots)
    return {"logits": explicit.tempered(ar, prior, scores, inputs["temper"])}


def fit_temper(ar: Arithmetic, inputs: Mapping[str, Any], attributes: Mapping[str, Any]) -> Answer:
    slots, start = attributes["slots"], attributes["start"]
    first = [ar.number(x) for x in (start if isinstance(start, list) else [start] * slots)]
    fit = explicit.fit_temper(
        ar, inputs["features"], inputs["targets"], inputs["counts"], slots, first
    )
    return {"temper": fit.temper, "loss": fit.loss}


def choose_smoothing(
    ar: Arithmetic, inputs: Mapping[str, Any], attributes: Mapping[str, Any]
) -> Answer:
    h, y = inputs["features"], inputs["targets"]
    losses: Row = []
    for candidate in attributes["candidates"]:
        if "held_features" not in inputs:
            losses.append(explicit.leave_one_out(ar, h, y, candidate))
            continue
        held_h, held_y = inputs["held_features"], inputs["held_targets"]
        full = explicit.smooth(ar, explicit.cooccurrence(ar, h, y), candidate)
        if attributes["temper"]:
            one = [ar.number(1)]
            losses.append(explicit.fit_temper(ar, held_h, held_y, full, 1, one).loss)
        else:
            k = explicit.priming(ar, h)
            losses.append(explicit.judged(ar, held_h, held_y, full, k))
    choice = 0
    for place, loss in enumerate(losses):
        if loss < losses[choice]:
            choice = place
    return {"losses": losses, "choice": np.array(choice)}


def refine(ar: Arithmetic, inputs: Mapping[str, Any], attributes: Mapping[str, Any]) -> Answer:
    u, h, y = inputs["weights"], inputs["features"], inputs["targets"]
    return explicit.refine(ar, u, h, y, attributes["steps"])._asdict()


def hidden_targets(
    ar: Arithmetic, inputs: Mapping[str, Any], attributes: Mapping[str, Any]
) -> Answer:
    pairs = zip(inputs["attention"], inputs["ascent"], strict=True)
    clip = attributes["clip"]
    return {"targets": [explicit.hidden_targets(ar, a, g, clip) for a, g in pairs]}


# --- text (SPEC 2, 3) -------------------------------------------------------------------------


def bit_cipher(ar: Arithmetic, inputs: Mapping[str, Any], attributes: Mapping[str, Any]) -> Answer:
    counts, bits = inputs["counts"], attributes["bits"]
    codes = [texts.bits_of(code, bits) for code in texts.cipher(len(counts), bits)]
    return {
        "ranks": np.array(texts.ranks(counts)),
        "codes": np.array(codes),
        "embedding": texts.cipher_embedding(ar, counts, bits),
    }


def cipher_decode(
    ar: Arithmetic, inputs: Mapping[str, Any], attributes: Mapping[str, Any]
) -> Answer:
    best = [texts.decode(ar, v, inputs["codes"], attributes["method"]) for v in inputs["vectors"]]
    return {"ranks": np.array(best)}


def _documents(inputs: Mapping[str, Any]) -> list[list[int]]:
    names = sorted((name for name in inputs if name.startswith("document_")), key=_number_of)
    return [inputs[name] for name in names]


def radial_embedding(
    ar: Arithmetic, inputs: Mapping[str, Any], attributes: Mapping[str, Any]
) -> Answer:
    rows = texts.radial_embedding(
        ar, _documents(inputs), inputs["vectors"], attributes["radii"], attributes["combine"]
    )
    return {"embedding": rows}


def _context(document: list[int], context: texts.Context) -> Answer:
    return {
        "slots": np.array(texts.tokens_at(document, context)),
        "mask": np.array(context.mask),
        "pivot": np.array(context.pivot),
    }


def radial_context(
    _: Arithmetic, inputs: Mapping[str, Any], attributes: Mapping[str, Any]
) -> Answer:
    document = inputs["document"]
    return _context(document, texts.radial_context(len(document), attributes["radius"]))


def block_context(
    _: Arithmetic, inputs: Mapping[str, Any], attributes: Mapping[str, Any]
) -> Answer:
    document = inputs["document"]
    return _context(document, texts.block_context(len(document), attributes["length"]))


def document_context(ar: Arithmetic, inputs: Mapping[str, Any], _: Mapping[str, Any]) -> Answer:
    return {"features": texts.document_means(ar, inputs["document"], inputs["vectors"])}


# --- layers and models (SPEC 4, 5, 6) ---------------------------------------------------------


def compare(ar: Arithmetic, inputs: Mapping[str, Any], _: Mapping[str, Any]) -> Answer:
    pairs = zip(inputs["inputs"], inputs["pivot"], strict=True)
    return {"comparisons": [layers.compare(ar, x, pivot) for x, pivot in pairs]}


def _states(
    ar: Arithmetic, inputs: Mapping[str, Any], attributes: Mapping[str, Any]
) -> list[layers.Layer]:
    each = zip(inputs["inputs"], inputs["mask"], inputs["pivot"], strict=True)
    w, u = inputs["attention_weights"], inputs["feature_weights"]
    return [layers.forward(ar, x, mask, p, w, u, attributes) for x, mask, p in each]


def saffu_forward(
    ar: Arithmetic, inputs: Mapping[str, Any], attributes: Mapping[str, Any]
) -> Answer:
    states = _states(ar, inputs, attributes)
    return {name: [getattr(state, name) for state in states] for name in layers.Layer._fields}


def saffu_backward(
    ar: Arithmetic, inputs: Mapping[str, Any], attributes: Mapping[str, Any]
) -> Answer:
    tape = Tape(ar)
    wanted = ("attention_weights", "feature_weights", "inputs")
    given = {**inputs, **{name: tape.leaves(inputs[name]) for name in wanted}}
    states = _states(tape, given, attributes)
    pairs = zip(inputs["d_hidden"], states, strict=True)
    end = tape.total(tape.dot(d, state.hidden) for d, state in pairs)
    return {name: tape.gradient(end, given[name]) for name in wanted}


def warm_start(ar: Arithmetic, inputs: Mapping[str, Any], attributes: Mapping[str, Any]) -> Answer:
    labels, weights = network.warm_start(
        ar, _documents(inputs), attributes["configuration"], attributes["settings"]
    )
    return {"labels": labels, **weights}


def _weights(inputs: Mapping[str, Any]) -> dict[str, Table]:
    return {name: v for name, v in inputs.items() if not name.startswith("document_")}


def model_forward(
    ar: Arithmetic, inputs: Mapping[str, Any], attributes: Mapping[str, Any]
) -> Answer:
    weights = _weights(inputs)
    rows = network.hidden(ar, _documents(inputs), attributes["configuration"], weights)
    return {"hidden": rows, "logits": network.logits(ar, rows, weights["output"])}


def model_loss(ar: Arithmetic, inputs: Mapping[str, Any], attributes: Mapping[str, Any]) -> Answer:
    documents, weights = _documents(inputs), _weights(inputs)
    return {"loss": network.loss(ar, documents, attributes["configuration"], weights)}


def model_gradient(
    ar: Arithmetic, inputs: Mapping[str, Any], attributes: Mapping[str, Any]
) -> Answer:
    tape = Tape(ar)
    weights = {name: tape.leaves(table) for name, table in _weights(inputs).items()}
    end = network.loss(tape, _documents(inputs), attributes["configuration"], weights)
    return {name: tape.gradient(end, table) for name, table in weights.items()}


# --- optimisers (SPEC 6) ----------------------------------------------------------------------


def _entrywise(step: Callable[..., Number], *tables: Table) -> Table:
    return [
        [step(*entries) for entries in zip(*rows, strict=True)]
        for rows in zip(*tables, strict=True)
    ]


def sgd_step(ar: Arithmetic, inputs: Mapping[str, Any], attributes: Mapping[str, Any]) -> Answer:
    rate = ar.number(attributes["rate"])
    step = _entrywise(lambda p, g: p - rate * g, inputs["parameter"], inputs["gradient"])
    return {"parameter": step}


def adam_step(ar: Arithmetic, inputs: Mapping[str, Any], attributes: Mapping[str, Any]) -> Answer:
    names = ("rate", "beta1", "beta2", "epsilon")
    rate, beta1, beta2, epsilon = (ar.number(attributes[name]) for name in names)
    one, t = ar.number(1), attributes["step"] + 1
    left1, left2 = one, one
    for _ in range(t):
        left1, left2 = left1 * beta1, left2 * beta2
    g = inputs["gradient"]
    mean = _entrywise(lambda m, x: beta1 * m + (1 - beta1) * x, inputs["mean"], g)
    square = _entrywise(lambda v, x: beta2 * v + (1 - beta2) * x * x, inputs["square"], g)
    new = _entrywise(
        lambda p, m, v: p - rate * (m / (1 - left1)) / (ar.sqrt(v / (1 - left2)) + epsilon),
        inputs["parameter"], mean, square,
    )  # fmt: skip
    return {"parameter": new, "mean": mean, "square": square}
