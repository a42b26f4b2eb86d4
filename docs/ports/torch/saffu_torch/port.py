"""All operations of the contract, for the conformance kit: NumPy in, torch between, NumPy out.

    saffu check saffu_torch.port                              in the folder above this one
    SAFFU_TORCH_DEVICE=cuda saffu check saffu_torch.port      on a GPU
    SAFFU_TORCH_DTYPE=float32 saffu check saffu_torch.port    judged as float32

Functions are named as the operations and take inputs and attributes by keyword.  (SPEC 9)
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from saffu_torch import cipher, contexts, explicit, layer, model, optim, probabilities, warm
from saffu_torch import temper as tempering
from saffu_torch.explicit import Smoothing
from saffu_torch.layer import LayerOptions
from saffu_torch.model import Configuration

__version__ = torch.__version__
DEVICE = os.environ.get("SAFFU_TORCH_DEVICE", "cpu")
PRECISION = os.environ.get("SAFFU_TORCH_DTYPE", "float64")

Record = Mapping[str, Any]
Arrays = dict[str, Any]


def tensor(x: Any) -> Any:
    """An array on the device; floats in the port's precision."""
    if isinstance(x, Mapping):
        return {name: tensor(each) for name, each in x.items()}
    if not isinstance(x, np.ndarray):
        return x
    on_device = torch.from_numpy(x).to(DEVICE)
    return on_device.to(getattr(torch, PRECISION)) if x.dtype.kind == "f" else on_device


def array(x: Any) -> Any:
    """An answer on the host."""
    return x.detach().cpu().numpy() if isinstance(x, Tensor) else np.asarray(x)


def operation(function: Callable[..., Arrays]) -> Callable[..., Arrays]:
    """The same function, from NumPy's arrays to NumPy's arrays."""

    @functools.wraps(function)
    def port(**given: Any) -> Arrays:
        answer = function(**{name: tensor(x) for name, x in given.items()})
        return {name: array(x) for name, x in answer.items()}

    return port


def numbered(prefix: str, arrays: Record) -> list[Tensor]:
    """prefix_0, prefix_1, … in order."""
    count = sum(name.startswith(f"{prefix}_") for name in arrays)
    return [arrays[f"{prefix}_{i}"] for i in range(count)]


def with_gradient(
    function: Callable[[Tensor], Tensor], of: str, to: str, x: Tensor, cotangents: Arrays | None
) -> Arrays:
    """f(x), and by autograd the gradient of ⟨cotangent, f(x)⟩ if there is a cotangent."""
    x.requires_grad_(cotangents is not None)
    y = function(x)
    if cotangents is None:
        return {to: y}
    (pulled,) = torch.autograd.grad(y, x, cotangents[to])
    return {to: y, f"gradient.{of}": pulled}


# --- softmax and its losses (SPEC 0, 7) --------------------------------------------------------


@operation
def softmax(logits: Tensor, mask: Tensor | None = None, cotangents: Any = None) -> Arrays:
    def f(z: Tensor) -> Tensor:
        return probabilities.softmax(z, mask)

    return with_gradient(f, "logits", "probabilities", logits, cotangents)


@operation
def log_softmax(logits: Tensor, mask: Tensor | None = None, cotangents: Any = None) -> Arrays:
    def f(z: Tensor) -> Tensor:
        return probabilities.log_softmax(z, mask)

    return with_gradient(f, "logits", "log_probabilities", logits, cotangents)


@operation
def cross_entropy(logits: Tensor, targets: Tensor) -> Arrays:
    z = logits.requires_grad_()
    loss = probabilities.cross_entropy(z, targets)
    return {"loss": loss, "gradient": torch.autograd.grad(loss, z)[0]}


@operation
def perplexity(nats: Tensor) -> Arrays:
    return {"perplexity": probabilities.perplexity(nats)}


# --- explicit solutions (SPEC 1) ---------------------------------------------------------------


@operation
def cooccurrence(**shards: Tensor) -> Arrays:
    h = numbered("features", shards) or [shards["features"]]
    y = numbered("targets", shards) or [shards["targets"]]
    first, *others = (explicit.cooccurrence(*pair) for pair in zip(h, y, strict=True))
    return vars(sum(others, first))


@operation
def priming_number(features: Tensor) -> Arrays:
    return {"priming": explicit.priming_number(features)}


@operation
def explicit_solution(
    features: Tensor, targets: Tensor, smoothing: Record, priming: float | None = None
) -> Arrays:
    state = explicit.cooccurrence(features, targets)
    return explicit.explicit_solution(state, Smoothing(**smoothing), priming)._asdict()


@operation
def tempered_logits(features: Tensor, counts: Tensor, temper: Tensor) -> Arrays:
    return {"logits": tempering.tempered_logits(features, counts, temper)}


@operation
def fit_temper(
    features: Tensor, targets: Tensor, counts: Tensor, slots: int, start: float | list[float]
) -> Arrays:
    return tempering.fit_temper(features, targets, counts, slots, start)._asdict()


@operation
def choose_smoothing(
    features: Tensor,
    targets: Tensor,
    candidates: Sequence[Record],
    temper: bool,
    held_features: Tensor | None = None,
    held_targets: Tensor | None = None,
) -> Arrays:
    state = explicit.cooccurrence(features, targets)
    options = [Smoothing(**each) for each in candidates]
    held = None
    if held_features is not None and held_targets is not None:
        held = held_features, held_targets
    return explicit.choose_smoothing(state, options, held, temper=temper)._asdict()


@operation
def refine(weights: Tensor, features: Tensor, targets: Tensor, steps: int) -> Arrays:
    return explicit.refine(weights, features, targets, steps)._asdict()


# --- text becomes numbers (SPEC 2, 3) ----------------------------------------------------------


@operation
def bit_cipher(counts: Tensor, bits: int) -> Arrays:
    return cipher.bit_cipher(counts, bits)._asdict()


@operation
def cipher_decode(vectors: Tensor, codes: Tensor, method: str) -> Arrays:
    return {"ranks": cipher.cipher_decode(vectors, codes, method)}


@operation
def radial_embedding(
    vectors: Tensor, radii: Sequence[int], combine: str, **documents: Tensor
) -> Arrays:
    text = numbered("document", documents)
    return {"embedding": cipher.radial_embedding(text, vectors, radii, combine)}


@operation
def radial_context(document: Tensor, radius: int) -> Arrays:
    return contexts.radial_context(document, radius)._asdict()


@operation
def block_context(document: Tensor, length: int) -> Arrays:
    return contexts.block_context(document, length)._asdict()


@operation
def document_context(document: Tensor, vectors: Tensor) -> Arrays:
    return {"features": contexts.document_context(document, vectors)}


# --- one layer (SPEC 4, 5, 6) ------------------------------------------------------------------


@operation
def compare(inputs: Tensor, pivot: Tensor, cotangents: Any = None) -> Arrays:
    def f(x: Tensor) -> Tensor:
        return layer.compare(x, pivot)

    return with_gradient(f, "inputs", "comparisons", inputs, cotangents)


@operation
def saffu_forward(
    aggregation: str, attention: str, gain: str, signed: bool = False, **given: Tensor
) -> Arrays:
    options = LayerOptions(aggregation, attention, gain)
    seen, hidden = layer.saffu_forward(**given, options=options, signed=signed)
    return {**seen._asdict(), "hidden": hidden}


@operation
def saffu_backward(
    aggregation: str, attention: str, gain: str, signed: bool = False, **given: Tensor
) -> Arrays:
    options = LayerOptions(aggregation, attention, gain)
    return layer.saffu_backward(**given, options=options, signed=signed)._asdict()


@operation
def hidden_targets(attention: Tensor, ascent: Tensor, clip: bool) -> Arrays:
    return {"targets": layer.hidden_targets(attention, ascent, clip=clip)}


# --- whole models (SPEC 4, 5, 6) ---------------------------------------------------------------


@operation
def warm_start(configuration: Record, settings: Record, **documents: Tensor) -> Arrays:
    text, shape = numbered("document", documents), Configuration.from_record(configuration)
    solved = warm.warm_start(text, shape, warm.WarmSettings.from_record(settings))
    return {"labels": warm.label_embedding(text, shape), **solved.state_dict()}


def given_model(configuration: Record, arrays: dict[str, Tensor]) -> tuple[Any, list[Tensor]]:
    """The model and the documents of a case."""
    documents = numbered("document", arrays)
    state = {name: x for name, x in arrays.items() if not name.startswith("document_")}
    return model.model_of(Configuration.from_record(configuration), state), documents


@operation
def model_forward(configuration: Record, **arrays: Tensor) -> Arrays:
    return model.model_forward(*given_model(configuration, arrays))._asdict()


@operation
def model_loss(configuration: Record, **arrays: Tensor) -> Arrays:
    return {"loss": model.model_loss(*given_model(configuration, arrays))}


@operation
def model_gradient(configuration: Record, **arrays: Tensor) -> Arrays:
    return model.model_gradient(*given_model(configuration, arrays))


# --- optimisers (SPEC 6) -----------------------------------------------------------------------


@operation
def sgd_step(parameter: Tensor, gradient: Tensor, rate: float) -> Arrays:
    return {"parameter": optim.sgd_step(parameter, gradient, rate)}


@operation
def adam_step(**given: Any) -> Arrays:
    return optim.adam_step(**given)._asdict()
