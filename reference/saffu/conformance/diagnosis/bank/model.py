"""Mistakes in prediction and loss of whole models.   (SPEC 4)"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from saffu.arrays.namespace import average_rows
from saffu.batch import Batch, DocumentPlan, plan
from saffu.configuration import Configuration
from saffu.conformance.diagnosis.bank.saffu_forward import softmax
from saffu.conformance.diagnosis.variants import Arrays, mistakes, variant
from saffu.layer import SaffuState, saffu_forward
from saffu.model import look_up
from saffu.parameters import Parameters, assemble
from saffu.positions import END, Samples
from saffu.types import Array


class Model(NamedTuple):
    """What a case gives: parameters, the text's samples, and how to look at them."""

    parameters: Parameters
    samples: Samples
    configuration: Configuration
    lengths: tuple[int, ...]


def text_samples(documents: list[Array], size: int) -> tuple[Samples, tuple[int, ...]]:
    """Samples of documents of any kind; ids beyond the vocabulary wrap around."""
    texts = [document % size for document in documents]
    lengths = tuple(text.shape[0] - 1 for text in texts)
    return Samples(
        np.concatenate([text[:-1] for text in texts]).astype(np.int32),
        np.concatenate([text[1:] for text in texts]).astype(np.int32),
        np.concatenate([np.arange(length) for length in lengths]).astype(np.int32),
    ), lengths


def numbered(arrays: Mapping[str, Array]) -> list[Array]:
    """document_0, document_1, … in order."""
    count = sum(name.startswith("document_") for name in arrays)
    return [arrays[f"document_{i}"] for i in range(count)]


def read(configuration: Mapping[str, Any], arrays: Mapping[str, Array]) -> Model:
    """The model of a case."""
    shape = Configuration.from_json(configuration)
    nothing = np.zeros((0, 0))
    inner = [
        arrays.get(f"tower{c}.layer{i}.{name}", nothing)
        for c, context in enumerate(shape.contexts)
        for i in range(shape.layers(context))
        for name in ("attention", "features")
    ]
    parameters = assemble(shape, [arrays["embedding"], *inner, arrays["output"]])
    samples, lengths = text_samples(numbered(arrays), shape.vocabulary)
    return Model(parameters, samples, shape, lengths)


class Tower(NamedTuple):
    """Stages of a tower, from the bottom up; a document tower has features instead."""

    states: tuple[SaffuState, ...]
    features: Array | None
    hidden: Array


def towers(
    given: Model, batch: Batch, *, by_token: bool = False, first: bool = False
) -> list[Tower]:
    """All towers; `by_token` looks up token ids in every layer, `first` reads the first layer."""
    towers = []
    for layers, tower in zip(given.parameters.towers, batch.towers, strict=True):
        if isinstance(tower, DocumentPlan):
            s = average_rows(
                given.parameters.embedding, tower.token, tower.owner, batch.targets.shape[0]
            )
            towers.append(Tower((), s, softmax(s @ layers[0].features)))
            continue
        states: list[SaffuState] = []
        table = given.parameters.embedding
        for layer, step in zip(layers, tower, strict=True):
            if by_token and states:
                step = step._replace(slots=tower[0].slots[: step.slots.shape[0]] % table.shape[0])
            x = look_up(table, step)
            states.append(
                saffu_forward(
                    x, step.mask, step.pivot, *layer, given.configuration.layer, signed=True
                )
            )
            table = states[-1].hidden
        towers.append(Tower(tuple(states), None, states[0 if first else -1].hidden))
    return towers


def model_forward(
    configuration: Mapping[str, Any],
    *,
    offsets: Callable[[Array], Array] = lambda offsets: offsets,
    order: Callable[[list[Array]], list[Array]] = lambda hidden: hidden,
    rows: Callable[[Array, int], Array] = lambda output, width: output,
    answer: Callable[[Array], Array] = lambda logits: logits,
    by_token: bool = False,
    first: bool = False,
    **arrays: Array,
) -> Arrays:
    """Hidden states of all towers, and logits."""
    given = read(configuration, arrays)
    text = given.samples
    batch = plan(text._replace(offsets=offsets(text.offsets)), given.configuration)
    tops = order([tower.hidden for tower in towers(given, batch, by_token=by_token, first=first)])
    hidden = np.concatenate(tops, axis=1)
    logits = hidden @ rows(given.parameters.output, hidden.shape[1])
    return {"hidden": hidden, "logits": answer(logits)}


def _mean(nats: Array, lengths: tuple[int, ...], targets: Array) -> float:
    return float(np.mean(nats))


def _by_document(nats: Array, lengths: tuple[int, ...], targets: Array) -> float:
    return float(np.mean([np.mean(one) for one in np.split(nats, np.cumsum(lengths)[:-1])]))


def _logs(z: Array) -> Array:
    towers: Array = np.subtract(z, np.log(np.sum(np.exp(z), axis=1, keepdims=True)))
    return towers


def model_loss(
    configuration: Mapping[str, Any],
    *,
    logs: Callable[[Array], Array] = _logs,
    average: Callable[[Array, tuple[int, ...], Array], float] = _mean,
    unit: float = 1.0,
    **arrays: Array,
) -> Arrays:
    """Mean nats per target."""
    named: dict[str, Any] = arrays
    z = model_forward(configuration, **named)["logits"]
    given = read(configuration, arrays)
    targets = given.samples.targets
    log_p = logs(z - np.max(z, axis=1, keepdims=True))
    nats = -log_p[np.arange(targets.shape[0]), targets]
    return {"loss": np.asarray(average(nats, given.lengths, targets) / unit)}


_BAD = "token-range no-samples option negative"

MISTAKES = (
    *mistakes(
        "model_forward", model_forward,
        variant("model-probabilities", "probabilities in place of logits", answer=softmax),
        variant("model-crosses-documents", "contexts reach over document borders",
            offsets=lambda offsets: np.arange(offsets.shape[0])),
        variant("model-output-of-last-tower", "only the last tower is read",
            order=lambda hidden: hidden[-1:], rows=lambda output, width: output[-width:]),
        variant("model-towers-reversed", "hidden states side by side in reverse order",
            order=lambda hidden: hidden[::-1]),
        variant("model-layers-read-tokens", "upper layers look up token ids among hidden states",
            by_token=True),
        variant("model-first-layer-only", "the output reads the first layer, not the last",
            first=True),
        variant("model-forward-takes-anything", "bad documents or embeddings not refused",
            accepts=_BAD),
        variant("model-forward-takes-non-finite",
            "NaN and infinity among the parameters not refused",
            accepts="non-finite"),
    ),
    *mistakes(
        "model_loss", model_loss,
        variant("model-loss-in-bits", "in bits, not nats", unit=float(np.log(2.0))),
        variant("model-loss-summed", "added up over targets, not averaged",
            average=lambda nats, lengths, targets: float(np.sum(nats))),
        variant("model-loss-without-end", "<eod> does not count as a target",
            average=lambda nats, lengths, targets: float(np.mean(nats[targets != END]))),
        variant("model-loss-by-document", "averaged over each document, then over documents",
            average=_by_document),
        variant("model-loss-log-of-softmax", "the logarithm of the softmax, infinite where it "
            "underflows", logs=lambda z: np.log(softmax(z))),
        variant("model-loss-takes-anything", "bad documents or embeddings not refused",
            accepts=_BAD),
        variant("model-loss-takes-non-finite", "NaN and infinity among the parameters not refused",
            accepts="non-finite"),
    ),
)  # fmt: skip
