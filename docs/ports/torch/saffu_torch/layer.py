"""The SAFFU layer.   (SPEC 4, 5, 6)

    c = x_p Xᵀ,  z = c W,  a = φ(z),  w = g · a,  s = Σ_k w_k x_k,  h = φ(s U)

Gradients are autograd's; invalid slots are zeros, so that nothing flows into them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from saffu_torch import checks
from saffu_torch.probabilities import masked


@dataclass(frozen=True)
class LayerOptions:
    """What SPEC 4 leaves open."""

    aggregation: str = "cat"
    attention: str = "softmax"
    gain: str = "count"

    def __post_init__(self) -> None:
        checks.one_of(self.aggregation, ("sum", "cat"), "aggregation")
        checks.one_of(self.attention, ("softmax", "surprisal", "uniform"), "attention")
        checks.one_of(self.gain, ("unit", "count"), "gain")


class Attended(NamedTuple):
    """From comparisons to features: c, z, a, w [n B] and s [n S]."""

    comparisons: Tensor
    logits: Tensor
    attention: Tensor
    weights: Tensor
    features: Tensor


class LayerGradient(NamedTuple):
    """Gradients at W [B B], U [S H] and X [n B D]."""

    attention_weights: Tensor
    feature_weights: Tensor
    inputs: Tensor


def compare(inputs: Tensor, pivot: Tensor) -> Tensor:
    """c = x_p Xᵀ [n B].   (SPEC 4)"""
    checks.shape(inputs, (None, None, None), "inputs")
    checks.finite(inputs, "inputs")
    checks.pivots(pivot, torch.ones_like(inputs[:, :, 0], dtype=torch.bool))
    return comparisons(inputs, pivot)


def comparisons(inputs: Tensor, pivot: Tensor) -> Tensor:
    """c = x_p Xᵀ [n B], for what was looked at already.   (SPEC 4)"""
    x_p = inputs[torch.arange(len(inputs), device=inputs.device), pivot]
    return torch.einsum("nd,nbd->nb", x_p, inputs)


def gains(mask: Tensor, gain: str, like: Tensor) -> Tensor:
    """g [n 1]: one, or the number of valid slots.   (SPEC 4)"""
    valid = mask.sum(dim=1, keepdim=True).to(like.dtype)
    return valid if gain == "count" else torch.ones_like(valid)


def aggregate(inputs: Tensor, weights: Tensor, aggregation: str) -> Tensor:
    """s = Σ_k w_k x_k [n D], or [w_1 x_1 … w_B x_B] [n B·D].   (SPEC 4)"""
    weighted = weights[:, :, None] * inputs
    return weighted.sum(dim=1) if aggregation == "sum" else weighted.flatten(start_dim=1)


def attend(
    inputs: Tensor, mask: Tensor, pivot: Tensor, attention_weights: Tensor, options: LayerOptions
) -> Attended:
    """c, z = c W, a = φ(z), w = g a (or −log a, or g/K), s, of n contexts [n B D].   (SPEC 4)"""
    x = inputs.masked_fill(~mask[:, :, None], 0)
    c = comparisons(x, pivot)
    z = torch.zeros_like(c) if options.attention == "uniform" else c @ attention_weights
    a = torch.softmax(masked(z, mask), dim=1)
    if options.attention == "surprisal":
        w = -torch.log_softmax(masked(z, mask), dim=1).masked_fill(~mask, 0)
    else:
        w = gains(mask, options.gain, x) * a
    return Attended(c, z, a, w, aggregate(x, w, options.aggregation))


def saffu_forward(
    inputs: Tensor,
    mask: Tensor,
    pivot: Tensor,
    attention_weights: Tensor,
    feature_weights: Tensor,
    options: LayerOptions = LayerOptions(),
    *,
    signed: bool = False,
) -> tuple[Attended, Tensor]:
    """All stages of a layer, and h = φ(s U) [n H].   (SPEC 4)"""
    checks.shape(inputs, (None, None, None), "inputs")
    n, slots, d = inputs.shape
    checks.require(n > 0, "no-samples", "at least one context")
    checks.shape(mask, (n, slots), "mask")
    checks.shape(attention_weights, (slots, slots), "attention_weights")
    rows = d if options.aggregation == "sum" else slots * d
    checks.shape(feature_weights, (rows, None), "feature_weights")
    checks.finite(attention_weights, "attention_weights")
    checks.finite(feature_weights, "feature_weights")
    checks.require(mask.any(dim=1).all(), "empty-mask", "a valid slot in each context")
    checks.pivots(pivot, mask)
    (checks.finite if signed else checks.non_negative)(inputs[mask], "inputs")
    seen = attend(inputs, mask, pivot, attention_weights, options)
    return seen, torch.softmax(seen.features @ feature_weights, dim=1)


def saffu_backward(
    inputs: Tensor,
    mask: Tensor,
    pivot: Tensor,
    attention_weights: Tensor,
    feature_weights: Tensor,
    d_hidden: Tensor,
    options: LayerOptions = LayerOptions(),
    *,
    signed: bool = False,
) -> LayerGradient:
    """The gradients of ⟨d_hidden, h⟩ at W, U and X, by autograd.   (SPEC 6)"""
    W, U, X = (x.detach().requires_grad_() for x in (attention_weights, feature_weights, inputs))
    _, hidden = saffu_forward(X, mask, pivot, W, U, options, signed=signed)
    checks.shape(d_hidden, tuple(hidden.shape), "d_hidden")
    checks.finite(d_hidden, "d_hidden")
    found = torch.autograd.grad(hidden, (W, U, X), d_hidden, materialize_grads=True)
    return LayerGradient(*found)


def hidden_targets(attention: Tensor, ascent: Tensor, *, clip: bool = True) -> Tensor:
    """t = a ⊙ (1 + G − ⟨a, G⟩) [M N], G = −∂ℓ/∂a; clipped at zero and normalised.   (SPEC 5)"""
    checks.shape(ascent, tuple(attention.shape), "ascent")
    checks.non_negative(attention, "attention")
    total = attention.sum(dim=-1)
    checks.require(((total - 1).abs() <= 1e-4).all(), "simplex", "attention that adds up to one")
    checks.finite(ascent, "ascent")
    # t does not see a shift of G; this one keeps 1 + … exact, however large G is.
    G = ascent - masked(ascent, attention > 0).amax(dim=-1, keepdim=True)
    t = attention * (1 + G - (attention * G).sum(dim=-1, keepdim=True))
    if not clip:
        return t
    t = t.clamp(min=0)
    return t / t.sum(dim=-1, keepdim=True)
