"""model_forward, model_loss, model_gradient.   (SPEC 4, 6)"""

# Cases are tables, laid out by hand.
# fmt: off

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from saffu.conformance.judging.generator import Draw
from saffu.types import Array
from spec_tests.support.cases.drawing import documents
from spec_tests.support.cases.question import Question, Record, ask, signed, stream


def configuration(
    contexts: list[list[Any]], vocabulary: int = 11, bits: int = 5, label_bits: int = 4,
    aggregation: str = "cat", attention: str = "softmax", gain: str = "count", **more: Any,
) -> Record:
    """The record of a configuration."""
    layer = {"aggregation": aggregation, "attention": attention, "gain": gain}
    return {
        "vocabulary": vocabulary, "contexts": contexts, "bits": bits, "label_bits": label_bits,
        "radii": [], "combine": "sum", "layer": layer, "depth": 1, "output": "softmax", **more,
    }


def _width(record: Record) -> int:
    rings = len(record["radii"]) if record["combine"] == "cat" and record["radii"] else 1
    return int(record["bits"]) * rings


def parameters(d: Draw, record: Record) -> dict[str, Array]:
    """An embedding on the simplex, and weights of ordinary size."""
    hidden = record["label_bits"]
    found = {"embedding": d.simplex(record["vocabulary"], _width(record))}
    for c, (kind, *size) in enumerate(record["contexts"]):
        below = _width(record)
        for level in range(1 if kind == "Document" else record["depth"]):
            rows = below
            if kind != "Document":
                found[f"tower{c}.layer{level}.attention"] = signed(d, size[0], size[0])
                rows *= size[0] if record["layer"]["aggregation"] == "cat" else 1
            found[f"tower{c}.layer{level}.features"] = signed(d, rows, hidden)
            below = hidden
    found["output"] = signed(d, hidden * len(record["contexts"]), record["vocabulary"])
    return found


RADIAL, BLOCK, DOCUMENT = ["Radial", 3], ["Block", 3], ["Document"]


MODELS: dict[str, tuple[str, Record, tuple[int, ...]]] = {
    "radial": ("three radial slots", configuration([RADIAL]), (7, 5)),
    "radial-sum": ("summed slots", configuration([RADIAL], aggregation="sum"), (7, 5)),
    "surprisal": ("surprisal attention", configuration([RADIAL], attention="surprisal"), (7, 5)),
    "uniform": (
        "uniform attention, gain unit",
        configuration([RADIAL], attention="uniform", gain="unit"), (7, 5),
    ),
    "block": ("blocks of three tokens", configuration([BLOCK]), (8, 5)),
    "document": ("a bag of all earlier tokens", configuration([DOCUMENT]), (7, 5)),
    "two-towers": ("a radial tower beside a document tower",
                   configuration([RADIAL, DOCUMENT]), (7, 4)),
    "three-towers": ("a block, a radial and a document tower",
                     configuration([["Block", 2], ["Radial", 2], DOCUMENT]), (6, 4)),
    "two-layers": ("two layers of radial slots", configuration([["Radial", 2]], depth=2), (7, 4)),
    "two-layers-of-blocks": ("two layers of blocks, summed, surprisal attention",
                             configuration([["Block", 3]], depth=2, aggregation="sum",
                                           attention="surprisal"), (7, 4)),
    "rings": ("an embedding of two rings", configuration([["Radial", 2]], radii=[1, 3],
              combine="cat"), (7, 5)),
    "one-target": ("a single document of a single target", configuration([RADIAL]), (2,)),
    "many-documents": ("five short documents", configuration([["Radial", 2]]), (2, 3, 5, 3, 2)),
}
"""What is tried with every operation on models: about, configuration, lengths of documents."""

HARDLY_BY_COMPARISONS = ("radial-sum", "two-layers", "two-layers-of-blocks")
"""Models whose comparisons add too little to the gradient for float32 to show it."""


def _model(op: str, name: str) -> tuple[str, dict[str, Array], Record]:
    about, record, lengths = MODELS[name]
    d = stream(f"{op}/{name}")
    texts = documents(d, record["vocabulary"], *lengths)
    return about, {**parameters(d, record), **texts}, record


def _forward_hunts(record: Record, lengths: tuple[int, ...]) -> str:
    hunts = ["model-probabilities", "model-output-of-last-tower"]
    kinds = [kind for kind, *_ in record["contexts"]]
    if len(kinds) == 1:
        hunts.remove("model-output-of-last-tower")
    else:
        hunts.append("model-towers-reversed")
    context = record["contexts"][0]
    borders_agree = context[0] == "Block" and (lengths[0] - 1) % context[1] == 0
    if len(lengths) > 1 and not (borders_agree and len(kinds) == 1):
        hunts.append("model-crosses-documents")
    if record["depth"] > 1:
        hunts += ["model-layers-read-tokens", "model-first-layer-only"]
    return " ".join(hunts)


def model_forward() -> Iterator[Question]:
    op = "model_forward"
    for name in MODELS:
        about, given, record = _model(op, name)
        yield ask(f"{op}/{name}", about, given, _forward_hunts(record, MODELS[name][2]),
                  attributes={"configuration": record})
    d = stream(f"{op}/wide-vocabulary")
    record = configuration([["Radial", 2]], vocabulary=53, bits=7, label_bits=6)
    yield ask(f"{op}/wide-vocabulary", "a vocabulary of 53",
              {**parameters(d, record), **documents(d, 53, 11)}, "model-probabilities",
              attributes={"configuration": record})
    for slug, about, record in (
        ("two-layers-beside-documents", "a document tower has one layer, whatever the depth",
         configuration([["Radial", 2], DOCUMENT], depth=2)),
        ("no-rings", "rings side by side, of which there are none",
         configuration([["Radial", 2]], combine="cat")),
        ("vocabulary-of-two", "a vocabulary of start and end",
         configuration([["Radial", 2]], vocabulary=2, bits=3, label_bits=5)),
    ):
        d = stream(f"{op}/{slug}")
        given = {**parameters(d, record), **documents(d, 11, 5, 3)}
        if record["vocabulary"] == 2:
            given |= {"document_0": np.array([0, 0, 1, 0, 1]), "document_1": np.array([0, 1, 1])}
        yield ask(f"{op}/{slug}", about, given, "model-probabilities",
                  attributes={"configuration": record})
    yield from _model_refusals(op)


def model_loss() -> Iterator[Question]:
    op = "model_loss"
    for name in MODELS:
        about, given, record = _model(op, name)
        lengths = MODELS[name][2]
        hunts = "model-loss-in-bits"
        if lengths != (2,):
            hunts += " model-loss-summed model-loss-without-end"
        if len(set(lengths)) > 1:
            hunts += " model-loss-by-document"
        yield ask(f"{op}/{name}", about, given, hunts, attributes={"configuration": record})
    d = stream(f"{op}/knows-nothing")
    record = configuration([RADIAL])
    zeros = {name: x if name == "embedding" else np.zeros_like(x)
             for name, x in parameters(d, record).items()}
    yield ask(f"{op}/knows-nothing", "zero weights cost log V",
              {**zeros, **documents(d, 11, 7, 5)}, "model-loss-in-bits model-loss-summed",
              attributes={"configuration": record})
    d = stream(f"{op}/confident")
    given = parameters(d, record)
    given["output"] = given["output"] * 256
    yield ask(f"{op}/confident", "logits of about 1000, mostly wrong: probabilities underflow",
              {**given, **documents(d, 11, 7, 5)}, "model-loss-log-of-softmax",
              attributes={"configuration": record})
    yield from _model_refusals(op)


def model_gradient() -> Iterator[Question]:
    op = "model_gradient"
    for name in MODELS:
        about, given, record = _model(op, name)
        hunts = ["gradient-embedding-last-wins", "gradient-of-sum", "gradient-embedding-frozen"]
        if MODELS[name][2] == (2,):
            hunts = ["gradient-ascends"]
        kinds = [kind for kind, *_ in record["contexts"]]
        compared = record["layer"]["attention"] != "uniform" and kinds != ["Document"]
        if compared and hunts[1:] and name not in HARDLY_BY_COMPARISONS:
            hunts.append("gradient-comparisons-detached")
        if record["depth"] > 1:
            hunts.append("gradient-top-layer-only")
        if "Document" in kinds:
            hunts.append("gradient-document-unscaled")
        if len(kinds) > 1:
            hunts.append("gradient-embedding-of-last-tower")
        yield ask(f"{op}/{name}", about, given, " ".join(hunts),
                  attributes={"configuration": record})
    d = stream(f"{op}/repeated-tokens")
    record = configuration([RADIAL])
    yield ask(f"{op}/repeated-tokens", "one token in most slots: its gradients add up",
              {**parameters(d, record), "document_0": np.array([0, 5, 5, 5, 5, 5, 1])},
              "gradient-embedding-last-wins", attributes={"configuration": record})
    yield from _model_refusals(op)


def _model_refusals(op: str) -> Iterator[Question]:
    record = configuration([RADIAL])
    d = stream(f"{op}/refuse")
    some = {**parameters(d, record), **documents(d, 11, 7, 5)}
    attributes = {"configuration": record}
    taken = f"{op.replace('_', '-')}-takes-anything"
    for slug, about, document, reason in (
        ("token-out-of-range", "token 11 of a vocabulary of 11", [0, 4, 11, 1], "token-range"),
        (
            "negative-token",
            "token −1 is not the last of the vocabulary",
            [0, 4, -1, 1],
            "token-range",
        ),
        ("document-without-target", "a document of a single token", [0], "no-samples"),
        ("document-without-start", "a document that begins in the middle", [4, 5, 1], "option"),
    ):
        yield ask(f"{op}/refuse-{slug}", about, {**some, "document_1": np.array(document)}, taken,
                  attributes=attributes, reject=reason)
    negative = some["embedding"].copy()
    negative[0, 2] = -0.5
    yield ask(f"{op}/refuse-negative-embedding", "an embedding off the simplex",
              {**some, "embedding": negative}, taken, attributes=attributes, reject="negative")
    yield ask(f"{op}/refuse-other-output", "an output layer of another vocabulary",
              {**some, "output": some["output"][:, :7]}, attributes=attributes, reject="shape")
    yield ask(f"{op}/refuse-too-few-bits", "three bits for a vocabulary of 11", some,
              attributes={"configuration": {**record, "bits": 3}}, reject="bits")
    for slug, about, name, where, value in (
        ("nan-output", "NaN in the output layer", "output", (1, 3), np.nan),
        ("infinite-output", "infinity in the output layer", "output", (0, 0), -np.inf),
        ("unread-nan", "NaN in the vector of <eod>, which no target reads", "embedding", (1, 2),
         np.nan),
    ):  # fmt: skip
        bad = some[name].copy()
        bad[where] = value
        # the loss's own gradient refuses such logits, whatever the model lets through
        seen = op != "model_gradient" or name != "output"
        hunts = f"{op.replace('_', '-')}-takes-non-finite" if seen else ""
        yield ask(f"{op}/refuse-{slug}", about, {**some, name: bad}, hunts,
                  attributes=attributes, reject="non-finite")
    if op == "model_forward":
        yield from _forward_refusals(op)


def _forward_refusals(op: str) -> Iterator[Question]:
    """What all three operations refuse alike, asked of one."""
    record = configuration([DOCUMENT])
    d = stream(f"{op}/refuse-documents")
    some = {**parameters(d, record), **documents(d, 11, 7, 5)}
    negative = some["embedding"].copy()
    negative[0, 2] = -0.5
    yield ask(f"{op}/refuse-negative-documents", "a mean of vectors off the simplex",
              {**some, "embedding": negative}, attributes={"configuration": record},
              reject="negative")
    endless = {name: array.copy() for name, array in some.items()}
    endless["tower0.layer0.features"][0, 1] = np.inf
    yield ask(f"{op}/refuse-infinite-features", "infinity in the weights of a document tower",
              endless, "model-forward-takes-non-finite", attributes={"configuration": record},
              reject="non-finite")
    yield ask(f"{op}/refuse-other-hidden", "an output layer that reads three hidden units of four",
              {**some, "output": some["output"][:3]}, attributes={"configuration": record},
              reject="shape")
    for slug, about, more, reason in (
        ("one-bit", "one bit for a vocabulary of 11", {"bits": 1}, "bits"),
        ("one-label-bit", "one label bit for a vocabulary of 11", {"label_bits": 1}, "bits"),
    ):
        yield ask(f"{op}/refuse-{slug}", about, some,
                  attributes={"configuration": {**record, **more}}, reject=reason)
    record = configuration([["Radial", 2]], depth=2)
    yield ask(f"{op}/refuse-direct-output-of-two-layers", "direct output has one layer",
              {**parameters(d, record), **documents(d, 11, 7, 5)},
              attributes={"configuration": {**record, "output": "direct"}}, reject="option")


# --- warm start -------------------------------------------------------------------------------
