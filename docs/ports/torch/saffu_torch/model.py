"""Layers and language models as modules of torch.   (SPEC 3, 4, 6)

    logits = [h¹ … h^C] O        one tower of layers for each of C context models

The keys of a model's `state_dict` are the names of the contract: `embedding`,
`tower0.layer0.attention` (W), `tower0.layer0.features` (U), …, `output`.  A model trains like any
other module; its layers do not look whether a trained embedding has left the simplex.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from saffu_torch import checks
from saffu_torch.cipher import check_radii
from saffu_torch.contexts import Context, Text, running_means, samples, steps_back
from saffu_torch.layer import Attended, LayerOptions, attend


class ContextModel(NamedTuple):
    """`Radial` or `Block` with their slots, or `Document`."""

    kind: str
    slots: int = 0


@dataclass(frozen=True)
class Configuration:
    """The shape of a model, under the names of the contract."""

    vocabulary: int
    contexts: tuple[ContextModel, ...] = (ContextModel("Radial", 8),)
    bits: int = 128
    label_bits: int = 128
    radii: tuple[int, ...] = ()
    combine: str = "sum"
    layer: LayerOptions = field(default_factory=LayerOptions)
    depth: int = 1
    output: str = "softmax"

    def __post_init__(self) -> None:
        checks.whole(self.vocabulary, 2, "vocabulary")
        checks.require(self.output == "softmax", "option", "output of softmax")
        checks.require(len(self.contexts) > 0, "option", "at least one context model")
        for kind, slots in self.contexts:
            checks.one_of(kind, ("Radial", "Block", "Document"), "context")
            checks.whole(slots, 0 if kind == "Document" else 1, "slots")
        checks.whole(self.depth, 1, "depth")
        for bits in (self.bits, self.label_bits):
            checks.whole(bits, 1, "bits")
            enough = bits >= self.vocabulary.bit_length()
            checks.require(enough, "bits", f"bits for {self.vocabulary} tokens")
        if self.radii:
            check_radii(self.radii, self.combine)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Configuration:
        """From the attribute `configuration` of the contract."""
        contexts = tuple(ContextModel(*each) for each in record["contexts"])
        radii, layer = tuple(record["radii"]), LayerOptions(**record["layer"])
        return cls(**{**record, "contexts": contexts, "radii": radii, "layer": layer})

    @property
    def width(self) -> int:
        """D, the width of an embedding."""
        return self.bits * (len(self.radii) if self.radii and self.combine == "cat" else 1)


class SaffuLayer(nn.Module):
    """One SAFFU layer: contexts [n B D] to hidden states [n H] on the simplex.   (SPEC 4)"""

    def __init__(
        self, slots: int, width: int, hidden: int, options: LayerOptions | None = None
    ) -> None:
        super().__init__()
        self.options = options or LayerOptions()
        rows = width if self.options.aggregation == "sum" else slots * width
        self.attention = nn.Parameter(torch.zeros(slots, slots))
        self.features = nn.Parameter(torch.randn(rows, hidden))

    def attend(self, inputs: Tensor, mask: Tensor, pivot: Tensor) -> Attended:
        """All stages up to the features s."""
        return attend(inputs, mask, pivot, self.attention, self.options)

    def forward(self, inputs: Tensor, mask: Tensor, pivot: Tensor) -> Tensor:
        """h = φ(s U).   (SPEC 4)"""
        return torch.softmax(self.attend(inputs, mask, pivot).features @ self.features, dim=1)


class DocumentLayer(nn.Module):
    """A layer without slots: h = φ(s U) of mean embeddings s.   (SPEC 3, 4)"""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.features = nn.Parameter(torch.randn(width, hidden))

    def forward(self, means: Tensor) -> Tensor:
        """h = φ(s U)."""
        return torch.softmax(means @ self.features, dim=1)


class SaffuLanguageModel(nn.Module):
    """Towers of layers over an embedding, read by one output layer.   (SPEC 4)

    Parameters start at random; `saffu_torch.warm.warm_start` computes them from a text.
    """

    def __init__(self, configuration: Configuration) -> None:
        super().__init__()
        self.configuration = c = configuration
        embedding = torch.rand(c.vocabulary, c.width)
        self.embedding = nn.Parameter(embedding / embedding.sum(dim=1, keepdim=True))
        for index, (kind, slots) in enumerate(c.contexts):
            layers: dict[str, nn.Module] = {}
            for level in range(1 if kind == "Document" else c.depth):
                width = c.label_bits if level else c.width
                layers[f"layer{level}"] = (
                    DocumentLayer(width, c.label_bits)
                    if kind == "Document"
                    else SaffuLayer(slots, width, c.label_bits, c.layer)
                )
            self.add_module(f"tower{index}", nn.ModuleDict(layers))
        self.output = nn.Parameter(torch.randn(len(c.contexts) * c.label_bits, c.vocabulary))

    def towers(self) -> Iterator[tuple[ContextModel, list[Any]]]:
        """Each context model with its layers, from the bottom up."""
        for index, context in enumerate(self.configuration.contexts):
            yield context, list(self.get_submodule(f"tower{index}").values())

    def hidden(self, text: Text) -> Tensor:
        """[h¹ … h^C] [M C·H]: each layer reads the samples of the one below.   (SPEC 4)"""
        newest, found = self.embedding[text.tokens], []
        for context, layers in self.towers():
            if context.kind == "Document":
                table = layers[0](document_means(newest, text))
            else:
                rows, mask, pivot = look_up(context, text)
                table = newest
                for layer in layers:
                    table = layer(table[rows], mask, pivot)
            found.append(table)
        return torch.cat(found, dim=1)

    def forward(self, documents: Sequence[Tensor]) -> Tensor:
        """Logits [M V] of every target of some documents.   (SPEC 4)"""
        return self.hidden(samples(documents, self.configuration.vocabulary)) @ self.output

    def loss(self, documents: Sequence[Tensor]) -> Tensor:
        """Mean nats a target [].   (SPEC 0)"""
        text = samples(documents, self.configuration.vocabulary)
        return functional.cross_entropy(self.hidden(text) @ self.output, text.targets)


class Prediction(NamedTuple):
    """[h¹ … h^C] [M C·H], and logits [M V]."""

    hidden: Tensor
    logits: Tensor


def look_up(context: ContextModel, text: Text) -> Context:
    """Which sample's vector each slot holds: sample m − k stands k steps back.   (SPEC 3, 4)"""
    back, mask, pivot = steps_back(context.kind, context.slots, text.offsets)
    return Context(torch.arange(len(back), device=back.device)[:, None] - back, mask, pivot)


def document_means(newest: Tensor, text: Text) -> Tensor:
    """The mean vector of all tokens so far, for each sample [M D].   (SPEC 3)"""
    return torch.cat([running_means(rows) for rows in newest.split(text.lengths)])


def model_of(configuration: Configuration, state: Mapping[str, Tensor]) -> SaffuLanguageModel:
    """A model that holds these very tensors, by their names in the contract."""
    with torch.device("meta"):
        model = SaffuLanguageModel(configuration)
    for name, parameter in model.named_parameters():
        checks.require(name in state, "shape", f"an array {name}")
        checks.shape(state[name], tuple(parameter.shape), name)
    model.load_state_dict(dict(state), assign=True)
    return model.requires_grad_()


def model_forward(model: SaffuLanguageModel, documents: Sequence[Tensor]) -> Prediction:
    """Hidden states and logits of a model whose embedding is on the simplex.   (SPEC 4)"""
    text = samples(documents, model.configuration.vocabulary)
    checks.non_negative(model.embedding[text.tokens], "embedding")
    for name, parameter in model.named_parameters():
        checks.finite(parameter, name)
    hidden = model.hidden(text)
    return Prediction(hidden, hidden @ model.output)


def model_loss(model: SaffuLanguageModel, documents: Sequence[Tensor]) -> Tensor:
    """Mean nats a target [].   (SPEC 0)"""
    logits = model_forward(model, documents).logits
    return functional.cross_entropy(logits, torch.cat([each[1:] for each in documents]))


def model_gradient(model: SaffuLanguageModel, documents: Sequence[Tensor]) -> dict[str, Tensor]:
    """The gradient of `model_loss` at every parameter, by autograd.   (SPEC 6)"""
    names, parameters = zip(*model.named_parameters(), strict=True)
    loss = model_loss(model, documents)
    found = torch.autograd.grad(loss, parameters, materialize_grads=True)
    return dict(zip(names, found, strict=True))
