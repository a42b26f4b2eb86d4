"""The operations of the contract, as they look from outside: names, shapes, attributes.   (SPEC 9)

An operation takes named arrays and attributes (numbers, words, lists, records) and returns named
arrays.  The letters of a shape mean the same dimension in everything that one call takes and
returns.  `document_*` stands for document_0, document_1, …; `tower*` for the arrays of a model's
layers, named tower0.layer0.attention, tower0.layer0.features, ….  A port in Python is any object
with functions of these names, which take inputs and attributes by keyword;
`saffu.conformance.reference` is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from saffu.errors import BadOption
from saffu.types import Array


class Operation(NamedTuple):
    """One operation of the contract."""

    spec: str
    inputs: Mapping[str, str]
    """shape of each input by name; a name that ends in ? may be left out"""
    attributes: tuple[str, ...]
    """a name that ends in ? has a default"""
    outputs: Mapping[str, str]
    """shape of each output by name"""
    stages: Mapping[str, str] = {}
    """what is computed on the way, in order; to be returned or not"""
    differentiable: tuple[str, ...] = ()
    """inputs whose gradients may be asked for"""


_LAYER: Final = {
    "inputs": "n B D", "mask": "n B", "pivot": "n",
    "attention_weights": "B B", "feature_weights": "S H",
}  # fmt: skip
_OPTIONS: Final = ("aggregation", "attention", "gain", "signed?")
_CONTEXT: Final = {"slots": "m B", "mask": "m B", "pivot": "m"}
_MODEL: Final = {
    "embedding": "V D", "tower*.attention": "B B", "tower*.features": "S H",
    "output": "C·H V", "document_*": "T",
}  # fmt: skip
_PARAMETERS: Final = {name: _MODEL[name] for name in list(_MODEL)[:4]}

OPERATIONS: Final[Mapping[str, Operation]] = {
    "softmax": Operation(
        "SPEC 0", {"logits": "M N", "mask?": "M N"}, (), {"probabilities": "M N"},
        differentiable=("logits",),
    ),
    "log_softmax": Operation(
        "SPEC 0", {"logits": "M N", "mask?": "M N"}, (), {"log_probabilities": "M N"},
        differentiable=("logits",),
    ),
    "cross_entropy": Operation(
        "SPEC 0", {"logits": "M N", "targets": "M N"}, (), {"loss": "", "gradient": "M N"},
    ),
    "cooccurrence": Operation(
        "SPEC 1",
        {"features?": "M D", "targets?": "M N", "features_*?": "M D", "targets_*?": "M N"},
        (), {"counts": "D N", "norm": "", "samples": ""},
    ),
    "priming_number": Operation("SPEC 1", {"features": "M D"}, (), {"priming": ""}),
    "explicit_solution": Operation(
        "SPEC 1", {"features": "M D", "targets": "M N"}, ("smoothing", "priming?"),
        {"weights": "D N"}, {"counts": "D N", "priming": "", "smoothed_counts": "D N"},
    ),
    "tempered_logits": Operation(
        "SPEC 1", {"features": "M D", "counts": "D N", "temper": "S"}, (), {"logits": "M N"},
    ),
    "fit_temper": Operation(
        "SPEC 1", {"features": "M D", "targets": "M N", "counts": "D N"}, ("slots", "start"),
        {"temper": "S", "loss": ""},
    ),
    "choose_smoothing": Operation(
        "SPEC 1",
        {"features": "M D", "targets": "M N", "held_features?": "m D", "held_targets?": "m N"},
        ("candidates", "temper"), {"losses": "C", "choice": ""},
    ),
    "refine": Operation(
        "SPEC 1", {"weights": "D N", "features": "M D", "targets": "M N"}, ("steps",),
        {"weights": "D N", "slack": "N", "capacity": "", "losses": "steps+1"},
    ),
    "bit_cipher": Operation(
        "SPEC 2", {"counts": "V"}, ("bits",), {"ranks": "V", "codes": "V b", "embedding": "V b"},
    ),
    "cipher_decode": Operation(
        "SPEC 2", {"vectors": "M b", "codes": "V b"}, ("method",), {"ranks": "M"},
    ),
    "radial_embedding": Operation(
        "SPEC 2", {"document_*": "T", "vectors": "V b"}, ("radii", "combine"),
        {"embedding": "V D"},
    ),
    "radial_context": Operation("SPEC 3", {"document": "T"}, ("radius",), _CONTEXT),
    "block_context": Operation("SPEC 3", {"document": "T"}, ("length",), _CONTEXT),
    "document_context": Operation(
        "SPEC 3", {"document": "T", "vectors": "V D"}, (), {"features": "m D"},
    ),
    "compare": Operation(
        "SPEC 4", {"inputs": "n B D", "pivot": "n"}, (), {"comparisons": "n B"},
        differentiable=("inputs",),
    ),
    "saffu_forward": Operation(
        "SPEC 4", _LAYER, _OPTIONS, {"hidden": "n H"},
        {"comparisons": "n B", "logits": "n B", "attention": "n B", "weights": "n B",
         "features": "n S"},
    ),
    "saffu_backward": Operation(
        "SPEC 6", {**_LAYER, "d_hidden": "n H"}, _OPTIONS,
        {"attention_weights": "B B", "feature_weights": "S H", "inputs": "n B D"},
    ),
    "hidden_targets": Operation(
        "SPEC 5", {"attention": "M N", "ascent": "M N"}, ("clip",), {"targets": "M N"},
    ),
    "warm_start": Operation(
        "SPEC 5", {"document_*": "T"}, ("configuration", "settings"), _PARAMETERS,
        {"labels": "V H"},
    ),
    "model_forward": Operation(
        "SPEC 4", _MODEL, ("configuration",), {"logits": "M V"}, {"hidden": "M C·H"},
    ),
    "model_loss": Operation("SPEC 0", _MODEL, ("configuration",), {"loss": ""}),
    "model_gradient": Operation("SPEC 6", _MODEL, ("configuration",), _PARAMETERS),
    "sgd_step": Operation(
        "SPEC 6", {"parameter": "P Q", "gradient": "P Q"}, ("rate",), {"parameter": "P Q"},
    ),
    "adam_step": Operation(
        "SPEC 6",
        {"parameter": "P Q", "gradient": "P Q", "mean": "P Q", "square": "P Q"},
        ("step", "rate", "beta1", "beta2", "epsilon"),
        {"parameter": "P Q", "mean": "P Q", "square": "P Q"},
    ),
    "perplexity": Operation("SPEC 7", {"nats": "M"}, (), {"perplexity": ""}),
}  # fmt: skip
"""Every operation that has golden cases, in the order of the specification."""


def run(
    operation: str,
    attributes: Mapping[str, Any],
    inputs: Mapping[str, Array],
    cotangents: Mapping[str, Array] | None = None,
    port: object | None = None,
) -> dict[str, Array]:
    """Call an operation of a port in Python; of the reference, if none is given.   (SPEC 9)

    Returns outputs (and stages, as it likes) by name; with `cotangents`, also `gradient.<input>`.
    Refuses: what is no operation of the contract; what the operation itself refuses.

    >>> import numpy as np
    >>> run("perplexity", {}, {"nats": np.log(np.array([8.0, 2.0]))})
    {'perplexity': array(4.)}
    """
    if operation not in OPERATIONS:
        raise BadOption("operation", operation, f"one of {', '.join(OPERATIONS)}", "SPEC 9")
    if port is None:
        from saffu.conformance import reference

        port = reference
    given: dict[str, Any] = {"cotangents": dict(cotangents)} if cotangents else {}
    answer: dict[str, Array] = getattr(port, operation)(**inputs, **attributes, **given)
    return answer
