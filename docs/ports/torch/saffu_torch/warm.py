"""The explicit warm start: all parameters of a model from sums over its text.   (SPEC 5)

    1  count, rank, cipher: embeddings and labels    4  U again, from the attended features
    2  U from uniform attention and labels           5  O from hidden states and true targets
    3  hidden targets of that U, then W              6  λ of every U and of O, if it is to be fitted

No parameter is trained.  Autograd serves where a hidden softmax needs its G = −∂ℓ/∂a.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor

from saffu_torch import checks
from saffu_torch.cipher import bit_cipher, radial_embedding
from saffu_torch.contexts import Context, samples
from saffu_torch.explicit import Smoothing, cooccurrence, explicit_solution, smooth
from saffu_torch.layer import Attended, LayerOptions, aggregate, attend, gains, hidden_targets
from saffu_torch.model import (
    Configuration,
    SaffuLanguageModel,
    document_means,
    look_up,
    model_of,
)
from saffu_torch.temper import fit_temper, tempered_weights


@dataclass(frozen=True)
class WarmSettings:
    """What a warm start needs besides the text, under the names of the contract."""

    rounds: int = 1
    hidden_smoothing: Smoothing = field(default_factory=Smoothing)
    attention_smoothing: Smoothing = field(default_factory=Smoothing)
    output_smoothing: Smoothing = field(default_factory=Smoothing)
    hidden_temper: float | None = 1.0
    hidden_scale: float = 1.0
    output_temper: float | None = 1.0
    refits: int = 0

    def __post_init__(self) -> None:
        checks.whole(self.rounds, 0, "rounds")
        checks.whole(self.refits, 0, "refits")
        checks.number(self.hidden_scale, "hidden_scale", low=0)
        for temper in (self.hidden_temper, self.output_temper):
            if temper is not None:
                checks.number(temper, "temper")

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> WarmSettings:
        """From the attribute `settings` of the contract."""
        smoothings = {k: Smoothing(**v) for k, v in record.items() if k.endswith("smoothing")}
        return cls(**{**record, **smoothings})


class Solved(NamedTuple):
    """W [B B] and U [S H] of a layer."""

    attention: Tensor
    features: Tensor


@torch.no_grad()
def warm_start(
    documents: Sequence[Tensor],
    configuration: Configuration,
    settings: WarmSettings = WarmSettings(),
) -> SaffuLanguageModel:
    """A model of a text, solved from the bottom up; parameters in float64.   (SPEC 5)"""
    text = samples(documents, configuration.vocabulary)
    embedding = embed(documents, configuration)
    newest = embedding[text.tokens]
    labels = label_embedding(documents, configuration)[text.targets]
    state, hidden = {"embedding": embedding}, []
    for index, context in enumerate(configuration.contexts):
        if context.kind == "Document":
            s = document_means(newest, text)
            U = solve_hidden(s, labels, settings, settings.hidden_scale)
            state[f"tower{index}.layer0.features"] = U
            hidden.append(torch.softmax(s @ U, dim=1))
            continue
        at = look_up(context, text)
        solved, states = solve_tower(newest, at, labels, configuration, settings)
        for level, layer in enumerate(solved):
            for name, array in layer._asdict().items():
                state[f"tower{index}.layer{level}.{name}"] = array
        hidden.append(states[-1])
    tokens = torch.nn.functional.one_hot(text.targets, configuration.vocabulary).to(newest)
    read = torch.cat(hidden, dim=1)
    state["output"] = solve(read, tokens, settings.output_smoothing, settings.output_temper)
    return model_of(configuration, state)


def embed(documents: Sequence[Tensor], configuration: Configuration) -> Tensor:
    """E [V D]: the cipher of all tokens, or their radial embedding.   (SPEC 2)"""
    counts = torch.cat(list(documents)).bincount(minlength=configuration.vocabulary)
    vectors = bit_cipher(counts, configuration.bits).embedding
    if not configuration.radii:
        return vectors
    return radial_embedding(documents, vectors, configuration.radii, configuration.combine)


def label_embedding(documents: Sequence[Tensor], configuration: Configuration) -> Tensor:
    """L [V H]: the cipher of the targets, at its own width.   (SPEC 2)"""
    targets = torch.cat([document[1:] for document in documents])
    counts = targets.bincount(minlength=configuration.vocabulary)
    return bit_cipher(counts, configuration.label_bits).embedding


def solve(
    features: Tensor,
    targets: Tensor,
    smoothing: Smoothing,
    temper: float | None,
    scale: float = 1.0,
) -> Tensor:
    """U_λ of a softmax layer; λ given, or fitted where None, times a factor.   (SPEC 1)"""
    state = cooccurrence(features, targets)
    counts = smooth(state.counts, smoothing)
    lam = fit_temper(features, targets, counts).temper if temper is None else temper
    return tempered_weights(counts, lam * scale, state.priming)


def solve_hidden(
    features: Tensor, targets: Tensor, settings: WarmSettings, scale: float = 1.0
) -> Tensor:
    """U of a hidden layer."""
    return solve(features, targets, settings.hidden_smoothing, settings.hidden_temper, scale)


def solve_layer(
    inputs: Tensor, at: Context, targets: Tensor, options: LayerOptions, settings: WarmSettings
) -> tuple[Solved, Tensor]:
    """Steps 2 to 4 for a layer with targets [n H]: W, U, and its hidden states.   (SPEC 5)"""
    W = inputs.new_zeros(inputs.shape[1], inputs.shape[1])
    seen = attend(inputs, at.mask, at.pivot, W, options)
    for _ in range(settings.rounds if options.attention != "uniform" else 0):
        U = solve_hidden(seen.features, targets, settings)
        G = attention_ascent(seen, inputs, at.mask, U, targets, options)
        state = cooccurrence(seen.comparisons, hidden_targets(seen.attention, G))
        W = explicit_solution(state, settings.attention_smoothing).weights
        seen = attend(inputs, at.mask, at.pivot, W, options)
    U = solve_hidden(seen.features, targets, settings, settings.hidden_scale)
    return Solved(W, U), torch.softmax(seen.features @ U, dim=1)


def attention_ascent(
    seen: Attended, inputs: Tensor, mask: Tensor, U: Tensor, targets: Tensor, options: LayerOptions
) -> Tensor:
    """G = −∂ℓ/∂a [n B], of ℓ = −⟨y, log h⟩ added up over samples.   (SPEC 5)"""
    x = inputs.masked_fill(~mask[:, :, None], 0)
    with torch.enable_grad():
        w = seen.weights.detach().requires_grad_()
        h = torch.log_softmax(aggregate(x, w, options.aggregation) @ U, dim=1)
        (towards,) = torch.autograd.grad((targets * h).sum(), w)
    if options.attention == "surprisal":
        return (-towards / seen.attention).masked_fill(~mask, 0)
    return gains(mask, options.gain, x) * towards


def solve_tower(
    newest: Tensor,
    at: Context,
    labels: Tensor,
    configuration: Configuration,
    settings: WarmSettings,
) -> tuple[list[Solved], list[Tensor]]:
    """The layers of a tower for labels, then anew for the targets that they imply.   (SPEC 5)"""
    depth, options = configuration.depth, configuration.layer

    def upwards(wanted: Sequence[Tensor]) -> tuple[list[Solved], list[Tensor]]:
        solved, states = [], [newest]
        for goal in wanted:
            layer, hidden = solve_layer(states[-1][at.slots], at, goal, options, settings)
            solved.append(layer)
            states.append(hidden)
        return solved, states[1:]

    found = upwards([labels] * depth)
    for _ in range(settings.refits if depth > 1 else 0):
        found = upwards([*implied_targets(newest, at, found[0], labels, options), labels])
    return found


def implied_targets(
    newest: Tensor, at: Context, solved: Sequence[Solved], labels: Tensor, options: LayerOptions
) -> list[Tensor]:
    """t = h ⊙ (1 + G − ⟨h, G⟩) of all lower layers, G = −∂ℓ/∂h of the top layer's ℓ.   (SPEC 5)"""
    with torch.enable_grad():
        states, logits = [newest.detach().requires_grad_()], newest
        for W, U in solved:
            logits = attend(states[-1][at.slots], at.mask, at.pivot, W, options).features @ U
            states.append(torch.softmax(logits, dim=1))
        gain = (labels * torch.log_softmax(logits, dim=1)).sum()
        lower = states[1:-1]
        ascents = torch.autograd.grad(gain, lower)
    return [hidden_targets(h.detach(), G) for h, G in zip(lower, ascents, strict=True)]
