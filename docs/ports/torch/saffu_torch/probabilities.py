"""Softmax and its losses.   (SPEC 0, 6, 7)

    φ(z)_i = exp z_i / Σ_j exp z_j,    ℓ = −(1/M) Σ_m ⟨y_m, log φ(z_m)⟩

Gradients are autograd's.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from saffu_torch import checks


def softmax(logits: Tensor, mask: Tensor | None = None) -> Tensor:
    """φ(z) [M N] over the entries that the mask [M N] names; zero elsewhere.   (SPEC 0)"""
    return torch.softmax(_valid(logits, mask), dim=-1)


def log_softmax(logits: Tensor, mask: Tensor | None = None) -> Tensor:
    """log φ(z) [M N], never by way of a probability; −∞ where masked.   (SPEC 0)"""
    return torch.log_softmax(_valid(logits, mask), dim=-1)


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """ℓ = −(1/M) Σ_m ⟨y_m, log φ(z_m)⟩ [], in nats a sample.   (SPEC 0)"""
    checks.shape(logits, (None, None), "logits")
    checks.require(len(logits) > 0, "no-samples", "logits of at least one sample")
    checks.finite(logits, "logits")
    checks.targets(targets, *logits.shape)
    return functional.cross_entropy(logits, targets)


def perplexity(nats: Tensor) -> Tensor:
    """exp((1/M) Σ_m nats_m) [].   (SPEC 7)"""
    checks.shape(nats, (None,), "nats")
    checks.require(len(nats) > 0, "no-samples", "nats of at least one target")
    checks.finite(nats, "nats")
    return nats.mean().exp()


def masked(logits: Tensor, mask: Tensor) -> Tensor:
    """z with −∞ for what takes no part."""
    return logits.masked_fill(~mask, -math.inf)


def _valid(logits: Tensor, mask: Tensor | None) -> Tensor:
    checks.require(logits.ndim > 0 and logits.shape[-1] > 0, "shape", "logits of some entries")
    if mask is None:
        checks.finite(logits, "logits")
        return logits
    checks.shape(mask, tuple(logits.shape), "mask")
    checks.require(mask.any(dim=-1).all(), "empty-mask", "a valid entry in each row")
    checks.finite(logits[mask], "logits")
    return masked(logits, mask)
