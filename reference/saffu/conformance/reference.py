"""The reference as a port: every operation of the contract, arrays in and arrays out.   (SPEC 9)

The functions only name things: they take the arrays and attributes of a golden case by keyword and
call the package.  Attributes are JSON values; records are converted to the package's own here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from saffu import cipher, contexts, layer, loss, model, numerics, optim
from saffu import counts as counting
from saffu import embedding as embeddings
from saffu.arrays.namespace import beside
from saffu.arrays.operation import array
from saffu.attention import compare as comparisons
from saffu.attention import compare_vjp
from saffu.batch import plan
from saffu.configuration import Configuration
from saffu.errors import BadOption
from saffu.explicit import choice, hidden, refinement, solution
from saffu.explicit import temper as tempering
from saffu.explicit.smoothing import SMOOTHINGS, Smoothing, smooth
from saffu.layer import LayerOptions
from saffu.parameters import Parameters, assemble, flatten, names
from saffu.positions import make_samples
from saffu.types import Array
from saffu.warm import start as warm
from saffu.warm.layer import WarmSettings

Arrays = dict[str, Array]


def _number(value: float, like: Array | None = None) -> Array:
    return np.asarray(value, dtype=None if like is None else like.dtype)


def read_smoothing(record: Mapping[str, Any]) -> Smoothing:
    """Smoothing from `{"kind": "additive" | "backoff" | "discount", "strength": x}`.

    >>> read_smoothing({"kind": "discount", "strength": 0.75})
    Discount(strength=0.75)
    """
    if set(record) != {"kind", "strength"} or record["kind"] not in SMOOTHINGS:
        expected = f"a record of kind ({', '.join(SMOOTHINGS)}) and strength"
        raise BadOption("smoothing", dict(record), expected, "SPEC 1")
    smoothing: Smoothing = SMOOTHINGS[record["kind"]](record["strength"])
    return smoothing


def _numbered(prefix: str, arrays: Mapping[str, Array]) -> list[Array]:
    """prefix_0, prefix_1, … in order."""
    matching = [name for name in arrays if name.startswith(f"{prefix}_")]
    return [arrays[f"{prefix}_{i}"] for i in range(len(matching))]


# --- softmax and its loss (SPEC 0, 7) ---------------------------------------------------------


def softmax(
    *, logits: Array, mask: Array | None = None, cotangents: Arrays | None = None
) -> Arrays:
    """See `saffu.numerics.softmax`."""
    p = numerics.softmax(logits, mask)
    answer = {"probabilities": p}
    if cotangents:
        answer["gradient.logits"] = numerics.softmax_vjp(p, cotangents["probabilities"])
    return answer


def log_softmax(
    *, logits: Array, mask: Array | None = None, cotangents: Arrays | None = None
) -> Arrays:
    """See `saffu.numerics.log_softmax`."""
    answer = {"log_probabilities": numerics.log_softmax(logits, mask)}
    if cotangents:
        p = numerics.softmax(logits, mask)
        answer["gradient.logits"] = numerics.log_softmax_vjp(p, cotangents["log_probabilities"])
    return answer


def cross_entropy(*, logits: Array, targets: Array) -> Arrays:
    """See `saffu.loss.cross_entropy`."""
    return {
        "loss": loss.cross_entropy(logits, targets),
        "gradient": loss.cross_entropy_gradient(logits, targets),
    }


def perplexity(*, nats: Array) -> Arrays:
    """See `saffu.loss.perplexity`."""
    return {"perplexity": _number(loss.perplexity(nats))}


# --- explicit solutions (SPEC 1) --------------------------------------------------------------


def cooccurrence(**shards: Array) -> Arrays:
    """See `saffu.counts.cooccurrence`; numbered shards are merged."""
    if "features" in shards:
        pairs = [(shards["features"], shards["targets"])]
    else:
        both = _numbered("features", shards), _numbered("targets", shards)
        pairs = list(zip(*both, strict=True))
    states = [counting.cooccurrence(h, y) for h, y in pairs]
    total = states[0]
    for state in states[1:]:
        total = total + state
    return {
        "counts": total.counts, "norm": _number(total.norm), "samples": np.asarray(total.samples),
    }  # fmt: skip


def priming_number(*, features: Array) -> Arrays:
    """See `saffu.counts.priming_number`."""
    return {"priming": _number(counting.priming_number(features))}


def explicit_solution(
    *, features: Array, targets: Array, smoothing: Mapping[str, Any], priming: float | None = None
) -> Arrays:
    """See `saffu.explicit.solution.explicit_solution`."""
    how = read_smoothing(smoothing)
    state = counting.cooccurrence(features, targets)
    fit = solution.explicit_solution(state, how, priming=priming)
    return {
        "counts": state.counts,
        "priming": _number(fit.priming),
        "smoothed_counts": smooth(state.counts, how),
        "weights": fit.weights,
    }


def tempered_logits(*, features: Array, counts: Array, temper: Array) -> Arrays:
    """See `saffu.explicit.temper.tempered_logits`."""
    return {"logits": tempering.tempered_logits(features, counts, temper)}


def fit_temper(
    *, features: Array, targets: Array, counts: Array, slots: int, start: float | list[float]
) -> Arrays:
    """See `saffu.explicit.temper.fit_temper`."""
    fit = tempering.fit_temper(features, targets, counts, slots=slots, start=np.asarray(start))
    return {"temper": fit.temper, "loss": _number(fit.loss)}


def choose_smoothing(
    *,
    features: Array,
    targets: Array,
    candidates: list[Mapping[str, Any]],
    temper: bool,
    held_features: Array | None = None,
    held_targets: Array | None = None,
) -> Arrays:
    """See `saffu.explicit.choice.choose_smoothing`."""
    held_out = None
    if held_features is not None and held_targets is not None:
        held_out = (held_features, held_targets)
    options = [read_smoothing(candidate) for candidate in candidates]
    chosen = choice.choose_smoothing(
        counting.cooccurrence(features, targets), held_out, candidates=options, temper=temper
    )
    return {
        "losses": np.array([one for _, one in chosen.tried]),
        "choice": np.asarray(options.index(chosen.smoothing)),
    }


def refine(*, weights: Array, features: Array, targets: Array, steps: int) -> Arrays:
    """See `saffu.explicit.refinement.refine`; all steps are made, also where they gain nothing."""
    never = -float("inf")
    fit = refinement.refine(weights, features, targets, steps=steps, tolerance=never)
    return {
        "weights": fit.weights, "slack": fit.slack,
        "capacity": _number(fit.capacity), "losses": np.array(fit.losses),
    }  # fmt: skip


# --- text becomes numbers (SPEC 2, 3) ---------------------------------------------------------


def bit_cipher(*, counts: Array, bits: int) -> Arrays:
    """See `saffu.cipher`."""
    return {
        "ranks": cipher.rank_tokens(counts),
        "codes": cipher.bit_cipher(counts.shape[0], bits),
        "embedding": cipher.cipher_embedding(counts, bits),
    }


def cipher_decode(*, vectors: Array, codes: Array, method: str) -> Arrays:
    """See `saffu.cipher.cipher_decode`."""
    return {"ranks": cipher.cipher_decode(vectors, codes, method=method)}


def radial_embedding(
    *, vectors: Array, radii: list[int], combine: str, **documents: Array
) -> Arrays:
    """See `saffu.embedding.radial_embedding`."""
    text = _numbered("document", documents)
    return {"embedding": embeddings.radial_embedding(text, vectors, radii, combine=combine)}


def radial_context(*, document: Array, radius: int) -> Arrays:
    """See `saffu.contexts.radial_context`."""
    return contexts.radial_context(document, radius)._asdict()


def block_context(*, document: Array, length: int) -> Arrays:
    """See `saffu.contexts.block_context`."""
    return contexts.block_context(document, length)._asdict()


def document_context(*, document: Array, vectors: Array) -> Arrays:
    """See `saffu.contexts.document_context`."""
    return {"features": contexts.document_context(document, vectors)}


# --- one layer (SPEC 4, 5, 6) -----------------------------------------------------------------


def compare(*, inputs: Array, pivot: Array, cotangents: Arrays | None = None) -> Arrays:
    """See `saffu.attention.compare`."""
    answer = {"comparisons": comparisons(inputs, pivot)}
    if cotangents:
        pulled = compare_vjp(cotangents["comparisons"], inputs, pivot)
        answer["gradient.inputs"] = pulled
    return answer


def saffu_forward(
    *,
    inputs: Array,
    mask: Array,
    pivot: Array,
    attention_weights: Array,
    feature_weights: Array,
    aggregation: Any,
    attention: Any,
    gain: Any,
    signed: bool = False,
) -> Arrays:
    """See `saffu.layer.saffu_forward`."""
    options = LayerOptions(aggregation, attention, gain)
    state = layer.saffu_forward(
        inputs, mask, pivot, attention_weights, feature_weights, options, signed=signed
    )
    return state._asdict()


def saffu_backward(
    *,
    inputs: Array,
    mask: Array,
    pivot: Array,
    attention_weights: Array,
    feature_weights: Array,
    d_hidden: Array,
    aggregation: Any,
    attention: Any,
    gain: Any,
    signed: bool = False,
) -> Arrays:
    """See `saffu.layer.saffu_backward`; the forward pass it needs is made here."""
    options = LayerOptions(aggregation, attention, gain)
    given = (inputs, mask, pivot, attention_weights, feature_weights)
    state = layer.saffu_forward(*given, options, signed=signed)
    return layer.saffu_backward(d_hidden, state, *given, options)._asdict()


def hidden_targets(*, attention: Array, ascent: Array, clip: bool) -> Arrays:
    """See `saffu.explicit.hidden.hidden_targets`."""
    return {"targets": hidden.hidden_targets(attention, ascent, clip=clip)}


# --- whole models (SPEC 4, 5, 6) --------------------------------------------------------------


def warm_start(
    *,
    configuration: Mapping[str, Any],
    settings: Mapping[str, Any],
    like: Array | None = None,
    **documents: Array,
) -> Arrays:
    """See `saffu.warm.start.warm_start`; `like` says whose arrays compute."""
    shape = Configuration.from_json(configuration)
    fields: dict[str, Any] = {
        name: read_smoothing(value) if name.endswith("smoothing") else value
        for name, value in settings.items()
    }
    text = _numbered("document", documents)
    solved = warm.warm_start(text, shape, WarmSettings(**fields), like=like)
    labels = warm.label_embedding(make_samples(text).targets, shape)
    return {"labels": labels, **_named(solved.parameters)}


def model_forward(*, configuration: Mapping[str, Any], **arrays: Array) -> Arrays:
    """See `saffu.model.model_forward`."""
    state = model.model_forward(*_model(configuration, arrays))
    return {"hidden": state.hidden, "logits": state.logits}


def model_loss(*, configuration: Mapping[str, Any], **arrays: Array) -> Arrays:
    """See `saffu.model.model_loss`."""
    return {"loss": _number(model.model_loss(*_model(configuration, arrays)))}


def model_gradient(*, configuration: Mapping[str, Any], **arrays: Array) -> Arrays:
    """See `saffu.model.model_gradient`."""
    return _named(model.model_gradient(*_model(configuration, arrays)))


def _model(record: Mapping[str, Any], arrays: Mapping[str, Array]) -> Any:
    """Parameters, batch and options."""
    shape = Configuration.from_json(record)
    nothing = beside(np.zeros((0, 0)), array("output", arrays["output"]))
    inner = [
        arrays.get(f"tower{c}.layer{i}.{name}", nothing)
        for c, context in enumerate(shape.contexts)
        for i in range(shape.layers(context))
        for name in ("attention", "features")
    ]
    parameters = assemble(shape, [arrays["embedding"], *inner, arrays["output"]])
    return parameters, plan(make_samples(_numbered("document", arrays)), shape), shape.layer


def _named(parameters: Parameters) -> Arrays:
    """Arrays by name; a document layer has no attention."""
    pairs = zip(names(parameters), flatten(parameters), strict=True)
    return {name: array for name, array in pairs if array.shape != (0, 0)}


# --- optimisers (SPEC 6) ----------------------------------------------------------------------


def sgd_step(*, parameter: Array, gradient: Array, rate: float) -> Arrays:
    """See `saffu.optim.sgd_step`."""
    return {"parameter": optim.sgd_step([parameter], [gradient], rate)[0]}


def adam_step(
    *,
    parameter: Array,
    gradient: Array,
    mean: Array,
    square: Array,
    step: int,
    rate: float,
    beta1: float,
    beta2: float,
    epsilon: float,
) -> Arrays:
    """See `saffu.optim.adam_step`; `step` counts the steps made before this one."""
    before = optim.AdamState(step, (mean,), (square,))
    (new,), after = optim.adam_step(
        [parameter], [gradient], before, rate, beta1=beta1, beta2=beta2, epsilon=epsilon
    )
    return {"parameter": new, "mean": after.mean[0], "square": after.square[0]}
