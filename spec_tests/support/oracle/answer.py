"""What each operation of the contract has to answer.   (SPEC 9)"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from spec_tests.support.oracle import explicit, layer, network, softmax, text
from spec_tests.support.oracle.arithmetic import Arithmetic, Number, Row, Table
from spec_tests.support.oracle.tape import Tape

Array = np.ndarray[Any, Any]
Answer = dict[str, Any]
"""Numbers in lists of any depth, or arrays of whole numbers, by name; stages first."""


def answer(
    ar: Arithmetic,
    operation: str,
    attributes: Mapping[str, Any],
    inputs: Mapping[str, Array],
    cotangents: Mapping[str, Array] | None = None,
) -> dict[str, Array]:
    """Outputs, stages and gradients of an operation, computed in `ar` and rounded once.

    Whole numbers and truth values come back as int64 and bool, everything else as float64.
    """
    lists = {name: _lists(ar, array) for name, array in inputs.items()}
    with np.errstate(all="ignore"):
        if cotangents:
            found = _differentiated(ar, operation, attributes, lists, cotangents)
        else:
            found = OPERATIONS[operation](ar, lists, attributes)
        return {name: _array(ar, value) for name, value in found.items()}


def _lists(ar: Arithmetic, array: Array) -> Any:
    """An array as numbers in lists; whole numbers and truth values stay Python's own."""
    if array.dtype.kind != "f":
        return array.tolist()

    def convert(value: Any) -> Any:
        return [convert(one) for one in value] if isinstance(value, list) else ar.number(value)

    return convert(array.astype(np.float64).tolist())


def _array(ar: Arithmetic, value: Any) -> Array:
    if isinstance(value, np.ndarray):
        return value

    def convert(entry: Any) -> Any:
        if isinstance(entry, list):
            return [convert(one) for one in entry]
        return entry if isinstance(entry, float) else ar.rounded(entry)

    return np.array(convert(value), dtype=np.float64)


def _differentiated(
    ar: Arithmetic,
    operation: str,
    attributes: Mapping[str, Any],
    lists: Mapping[str, Any],
    cotangents: Mapping[str, Array],
) -> Answer:
    """The answer, and the gradients of ⟨cotangents, outputs⟩ in all inputs of floats."""
    tape = Tape(ar)
    given = {name: _recorded(tape, value) for name, value in lists.items()}
    found = OPERATIONS[operation](tape, given, attributes)
    pairs = [
        (entry, cotangent)
        for name, array in cotangents.items()
        for cotangent, entry in zip(_flat(_lists(ar, array)), _flat(found[name]), strict=True)
        if not isinstance(entry, float)
    ]
    end = tape.dot([entry for entry, _ in pairs], [cotangent for _, cotangent in pairs])
    plain = {name: _values(value) for name, value in found.items()}
    for name, value in given.items():
        if not isinstance(_flat(value)[0], (int, bool)):
            plain[f"gradient.{name}"] = tape.gradient(end, value)
    return plain


def _recorded(tape: Tape, value: Any) -> Any:
    return value if isinstance(_flat(value)[0], (int, bool)) else tape.leaves(value)


def _values(value: Any) -> Any:
    if isinstance(value, list):
        return [_values(one) for one in value]
    return value if isinstance(value, (float, np.ndarray)) else value.value


def _flat(value: Any) -> Row:
    return [entry for one in value for entry in _flat(one)] if isinstance(value, list) else [value]


# --- softmax, losses (SPEC 0, 7) --------------------------------------------------------------


def _masks(inputs: Mapping[str, Any]) -> list[Any]:
    return list(inputs.get("mask", [None] * len(inputs["logits"])))


def _softmax(ar: Arithmetic, inputs: Mapping[str, Any], _: Mapping[str, Any]) -> Answer:
    both = zip(inputs["logits"], _masks(inputs), strict=True)
    return {"probabilities": [softmax.softmax(ar, z, mask) for z, mask in both]}


def _log_softmax(ar: Arithmetic, inputs: Mapping[str, Any], _: Mapping[str, Any]) -> Answer:
    both = zip(inputs["logits"], _masks(inputs), strict=True)
    return {"log_probabilities": [softmax.log_softmax(ar, z, mask) for z, mask in both]}


def _cross_entropy(ar: Arithmetic, inputs: Mapping[str, Any], _: Mapping[str, Any]) -> Answer:
    tape = Tape(ar)
    z = tape.leaves(inputs["logits"])
    loss = softmax.cross_entropy(tape, z, tape.leaves(inputs["targets"]))
    return {"loss": loss.value, "gradient": tape.gradient(loss, z)}


def _perplexity(ar: Arithmetic, inputs: Mapping[str, Any], _: Mapping[str, Any]) -> Answer:
    return {"perplexity": softmax.perplexity(ar, inputs["nats"])}


# --- explicit solutions (SPEC 1, 5) -----------------------------------------------------------


def _cooccurrence(ar: Arithmetic, inputs: Mapping[str, Any], _: Mapping[str, Any]) -> Answer:
    shards = sorted((name for name in inputs if name.startswith("features")), key=_number_of)
    h = [row for name in shards for row in inputs[name]]
    y = [row for name in shards for row in inputs[name.replace("features", "targets")]]
    counts = explicit.cooccurrence(ar, h, y)
    return {"counts": counts, "norm": explicit.norm(ar, h), "samples": np.array(len(h))}


def _number_of(name: str) -> int:
    return int(name.rpartition("_")[2]) if name[-1].isdigit() else 0


def _priming(ar: Arithmetic, inputs: Mapping[str, Any], _: Mapping[str, Any]) -> Answer:
    return {"priming": explicit.priming(ar, inputs["features"])}


def _explicit_solution(
    ar: Arithmetic, inputs: Mapping[str, Any], attributes: Mapping[str, Any]
) -> Answer:
    counts = explicit.cooccurrence(ar, inputs["features"], inputs["targets"])
    given = attributes.get("priming")
    k = explicit.priming(ar, inputs["features"]) if given is None else ar.number(given)
    full = explicit.smooth(ar, counts, attributes["smoothing"])
    weights = explicit.explicit_weights(ar, full, k)
    return {"counts": counts, "priming": k, "smoothed_counts": full, "weights": weights}


def _tempered_logits(ar: Arithmetic, inputs: Mapping[str, Any], _: Mapping[str, Any]) -> Answer:
    slots = len(inputs["temper"])
    prior, scores = explicit.slot_scores(ar, inputs["features"], inputs["counts"], slots)
    return {"logits": explicit.tempered(ar, prior, scores, inputs["temper"])}


def _fit_temper(ar: Arithmetic, inputs: Mapping[str, Any], attributes: Mapping[str, Any]) -> Answer:
    slots, start = attributes["slots"], attributes["start"]
    first = [ar.number(x) for x in (start if isinstance(start, list) else [start] * slots)]
    fit = explicit.fit_temper(
        ar, inputs["features"], inputs["targets"], inputs["counts"], slots, first
    )
    return {"temper": fit.temper, "loss": fit.loss}


def _choose_smoothing(
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


def _refine(ar: Arithmetic, inputs: Mapping[str, Any], attributes: Mapping[str, Any]) -> Answer:
    u, h, y = inputs["weights"], inputs["features"], inputs["targets"]
    return explicit.refine(ar, u, h, y, attributes["steps"])._asdict()


def _hidden_targets(
    ar: Arithmetic, inputs: Mapping[str, Any], attributes: Mapping[str, Any]
) -> Answer:
    pairs = zip(inputs["attention"], inputs["ascent"], strict=True)
    clip = attributes["clip"]
    return {"targets": [explicit.hidden_targets(ar, a, g, clip) for a, g in pairs]}


# --- text (SPEC 2, 3) -------------------------------------------------------------------------


def _bit_cipher(ar: Arithmetic, inputs: Mapping[str, Any], attributes: Mapping[str, Any]) -> Answer:
    counts, bits = inputs["counts"], attributes["bits"]
    codes = [text.bits_of(code, bits) for code in text.cipher(len(counts), bits)]
    return {
        "ranks": np.array(text.ranks(counts)),
        "codes": np.array(codes),
        "embedding": text.cipher_embedding(ar, counts, bits),
    }


def _cipher_decode(
    ar: Arithmetic, inputs: Mapping[str, Any], attributes: Mapping[str, Any]
) -> Answer:
    best = [text.decode(ar, v, inputs["codes"], attributes["method"]) for v in inputs["vectors"]]
    return {"ranks": np.array(best)}


def _documents(inputs: Mapping[str, Any]) -> list[list[int]]:
    names = sorted((name for name in inputs if name.startswith("document_")), key=_number_of)
    return [inputs[name] for name in names]


def _radial_embedding(
    ar: Arithmetic, inputs: Mapping[str, Any], attributes: Mapping[str, Any]
) -> Answer:
    rows = text.radial_embedding(
        ar, _documents(inputs), inputs["vectors"], attributes["radii"], attributes["combine"]
    )
    return {"embedding": rows}


def _context(document: list[int], context: text.Context) -> Answer:
    return {
        "slots": np.array(text.tokens_at(document, context)),
        "mask": np.array(context.mask),
        "pivot": np.array(context.pivot),
    }


def _radial_context(
    _: Arithmetic, inputs: Mapping[str, Any], attributes: Mapping[str, Any]
) -> Answer:
    document = inputs["document"]
    return _context(document, text.radial_context(len(document), attributes["radius"]))


def _block_context(
    _: Arithmetic, inputs: Mapping[str, Any], attributes: Mapping[str, Any]
) -> Answer:
    document = inputs["document"]
    return _context(document, text.block_context(len(document), attributes["length"]))


def _document_context(ar: Arithmetic, inputs: Mapping[str, Any], _: Mapping[str, Any]) -> Answer:
    return {"features": text.document_means(ar, inputs["document"], inputs["vectors"])}


# --- layers and models (SPEC 4, 5, 6) ---------------------------------------------------------


def _compare(ar: Arithmetic, inputs: Mapping[str, Any], _: Mapping[str, Any]) -> Answer:
    pairs = zip(inputs["inputs"], inputs["pivot"], strict=True)
    return {"comparisons": [layer.compare(ar, x, pivot) for x, pivot in pairs]}


def _states(
    ar: Arithmetic, inputs: Mapping[str, Any], attributes: Mapping[str, Any]
) -> list[layer.Layer]:
    each = zip(inputs["inputs"], inputs["mask"], inputs["pivot"], strict=True)
    w, u = inputs["attention_weights"], inputs["feature_weights"]
    return [layer.forward(ar, x, mask, p, w, u, attributes) for x, mask, p in each]


def _saffu_forward(
    ar: Arithmetic, inputs: Mapping[str, Any], attributes: Mapping[str, Any]
) -> Answer:
    states = _states(ar, inputs, attributes)
    return {name: [getattr(state, name) for state in states] for name in layer.Layer._fields}


def _saffu_backward(
    ar: Arithmetic, inputs: Mapping[str, Any], attributes: Mapping[str, Any]
) -> Answer:
    tape = Tape(ar)
    wanted = ("attention_weights", "feature_weights", "inputs")
    given = {**inputs, **{name: tape.leaves(inputs[name]) for name in wanted}}
    states = _states(tape, given, attributes)
    pairs = zip(inputs["d_hidden"], states, strict=True)
    end = tape.total(tape.dot(d, state.hidden) for d, state in pairs)
    return {name: tape.gradient(end, given[name]) for name in wanted}


def _warm_start(ar: Arithmetic, inputs: Mapping[str, Any], attributes: Mapping[str, Any]) -> Answer:
    labels, weights = network.warm_start(
        ar, _documents(inputs), attributes["configuration"], attributes["settings"]
    )
    return {"labels": labels, **weights}


def _weights(inputs: Mapping[str, Any]) -> dict[str, Table]:
    return {name: v for name, v in inputs.items() if not name.startswith("document_")}


def _model_forward(
    ar: Arithmetic, inputs: Mapping[str, Any], attributes: Mapping[str, Any]
) -> Answer:
    weights = _weights(inputs)
    rows = network.hidden(ar, _documents(inputs), attributes["configuration"], weights)
    return {"hidden": rows, "logits": network.logits(ar, rows, weights["output"])}


def _model_loss(ar: Arithmetic, inputs: Mapping[str, Any], attributes: Mapping[str, Any]) -> Answer:
    documents, weights = _documents(inputs), _weights(inputs)
    return {"loss": network.loss(ar, documents, attributes["configuration"], weights)}


def _model_gradient(
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


def _sgd_step(ar: Arithmetic, inputs: Mapping[str, Any], attributes: Mapping[str, Any]) -> Answer:
    rate = ar.number(attributes["rate"])
    step = _entrywise(lambda p, g: p - rate * g, inputs["parameter"], inputs["gradient"])
    return {"parameter": step}


def _adam_step(ar: Arithmetic, inputs: Mapping[str, Any], attributes: Mapping[str, Any]) -> Answer:
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


OPERATIONS: dict[str, Callable[[Arithmetic, Mapping[str, Any], Mapping[str, Any]], Answer]] = {
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "cross_entropy": _cross_entropy,
    "perplexity": _perplexity,
    "cooccurrence": _cooccurrence,
    "priming_number": _priming,
    "explicit_solution": _explicit_solution,
    "tempered_logits": _tempered_logits,
    "fit_temper": _fit_temper,
    "choose_smoothing": _choose_smoothing,
    "refine": _refine,
    "hidden_targets": _hidden_targets,
    "bit_cipher": _bit_cipher,
    "cipher_decode": _cipher_decode,
    "radial_embedding": _radial_embedding,
    "radial_context": _radial_context,
    "block_context": _block_context,
    "document_context": _document_context,
    "compare": _compare,
    "saffu_forward": _saffu_forward,
    "saffu_backward": _saffu_backward,
    "warm_start": _warm_start,
    "model_forward": _model_forward,
    "model_loss": _model_loss,
    "model_gradient": _model_gradient,
    "sgd_step": _sgd_step,
    "adam_step": _adam_step,
}
"""How the oracle answers each operation."""
