"""Tempering: how far to trust the evidence of the features against the prior.   (SPEC 1)

    z_i(λ) = log n_i + Σ_k λ_k Σ_{d in slot k} h_d log(F[d,i]/n_i),     n_i = Σ_d F[d,i]

Cross-entropy is convex in λ [S].  Its optimum is found by Newton's method within a trust region,
in units of the largest spread of each slot's scores, and in float64 whatever the samples are in.
Sums over samples are taken where these are; λ itself is a handful of numbers, and stays on the CPU.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from saffu_torch import checks
from saffu_torch.checks import Refusal

_ROUNDING = 8 * torch.finfo(torch.float64).eps


class Temper(NamedTuple):
    """λ [S] and its loss in nats."""

    temper: Tensor
    loss: Tensor


class Curve(NamedTuple):
    """A convex function at one point: value, gradient [S], Hessian [S S]."""

    value: float
    slope: Tensor
    bend: Tensor


def tempered_logits(features: Tensor, counts: Tensor, temper: Tensor) -> Tensor:
    """z(λ) = log n + Σ_k λ_k Σ_{d in k} h_d log(F[d]/n) [M N].   (SPEC 1)"""
    checks.shape(temper, (None,), "temper")
    checks.finite(temper, "temper")
    prior, scores = slot_scores(features, counts, len(temper))
    return prior + torch.einsum("k,mkn->mn", temper, scores)


def tempered_weights(counts: Tensor, temper: float | Tensor, priming: Tensor | float) -> Tensor:
    """U_λ = λ log(F/n) + (1/K) log n [D N].   (SPEC 1)"""
    prior = counts.sum(dim=0).log()
    return temper * (counts.log() - prior) + prior / priming


def slot_scores(features: Tensor, counts: Tensor, slots: int) -> tuple[Tensor, Tensor]:
    """log n [N], and what each slot says, Σ_{d in k} h_d log(F[d]/n) [M S N].   (SPEC 1)"""
    checks.positive_counts(counts)
    d, n = counts.shape
    checks.features(features, d)
    checks.require(slots >= 1 and d % slots == 0, "option", f"slots a divisor of {d} features")
    prior = counts.sum(dim=0).log()
    evidence = (counts.log() - prior).reshape(slots, d // slots, n)
    h = features.reshape(len(features), slots, d // slots)
    return prior, torch.einsum("mkd,kdn->mkn", h, evidence)


def fit_temper(
    features: Tensor,
    targets: Tensor,
    counts: Tensor,
    slots: int = 1,
    start: float | list[float] = 1.0,
) -> Temper:
    """argmin over λ [S] of the cross-entropy at z(λ).   (SPEC 1)"""
    checks.whole(slots, 1, "slots")
    dtype = features.dtype
    features, targets, counts = features.double(), targets.double(), counts.double()
    prior, scores = slot_scores(features, counts, slots)
    checks.targets(targets, len(features), counts.shape[1])
    first = torch.as_tensor(start, dtype=scores.dtype, device=scores.device)
    first = first.expand(slots) if first.ndim == 0 else first
    checks.shape(first, (slots,), "start")
    checks.finite(first, "start")

    spread = (scores.amax(dim=2) - scores.amin(dim=2)).amax(dim=0)
    size = spread.where(spread > _noise(features, counts, slots), math.inf)
    scaled = scores / size[:, None]

    def curve(place: Tensor) -> Curve:
        return temper_curve(place, prior, scaled, targets)

    place, loss = minimise(curve, torch.zeros(slots, dtype=torch.float64))
    _refuse_infinity(curve(place).bend, scaled, targets)
    found = place.to(size.device) / size
    if not bool(found.isfinite().all()):
        raise Refusal("not-converged", "features that are not this small")
    return Temper(found.where(size.isfinite(), first).to(dtype), scores.new_tensor(loss).to(dtype))


def temper_curve(temper: Tensor, prior: Tensor, scores: Tensor, targets: Tensor) -> Curve:
    """ℓ(λ), with g_k = E⟨ŷ − y, s_k⟩ and H_kl = E Cov_ŷ(s_k, s_l).   (SPEC 1)

    The covariance is a product of centred scores with themselves: where ŷ saturates it keeps the
    digits that autograd's Hessian, a difference, loses.
    """
    z = prior + torch.einsum("k,mkn->mn", temper.to(scores.device), scores)
    log_p, mass = torch.log_softmax(z, dim=1), targets.sum(dim=1, keepdim=True)
    weighted = mass * log_p.exp()
    value = -(targets * log_p).sum() / len(z)
    slope = torch.einsum("mn,mkn->k", weighted - targets, scores) / len(z)
    centre = torch.einsum("mn,mkn->mk", log_p.exp(), scores)
    spread = (scores - centre[:, :, None]) * weighted.sqrt()[:, None, :]
    bend = torch.einsum("mkn,mln->kl", spread, spread) / len(z)
    return Curve(float(value), slope.cpu(), bend.cpu())


def minimise(curve: Callable[[Tensor], Curve], place: Tensor) -> tuple[Tensor, float]:
    """The minimum of a convex function, with the steps of a trust region."""
    here = curve(place)
    unit = abs(here.value)
    radius = length = 1.0 + float(place.norm())
    idle = 0
    for _ in range(500):
        before, step = length, bounded_step(here, radius)
        length = float(step.norm())
        close = length <= 1e-10 * (1 + float(place.norm()))
        noise = _ROUNDING * max(unit, abs(here.value))
        idle = idle + 1 if abs(float(here.slope @ step)) < noise and length > 0.9 * before else 0
        there = curve(place + step)
        lower = there.value < here.value - noise
        flatter = bool(there.slope.norm() <= here.slope.norm())
        if lower or (there.value <= here.value + noise and flatter):
            place, here = place + step, there
            radius = max(radius, 2 * length) if length > radius / 2 else radius
        elif not close:
            radius = length / 4
        if close:
            return place, here.value
        if idle == 10:
            break
    raise Refusal("not-converged", "scores that do not separate the targets")


def bounded_step(here: Curve, radius: float) -> Tensor:
    """−(H + μ I)⁻¹ g with the least μ ≥ 0 for which it is no longer than the radius.

    Directions in which the function neither curves nor slopes are left alone, so of slots that
    repeat each other each gets its share.
    """
    curvature, axes = torch.linalg.eigh(here.bend)
    curvature = curvature.clamp(min=0)
    slope = axes.mT @ here.slope
    flat = curvature <= 1e-14 * curvature[-1].clamp(min=torch.finfo(torch.float64).tiny)
    slope = slope.masked_fill(flat & (slope.abs() <= 1e-14 * slope.norm().clamp(min=1)), 0)

    def along(mu: float) -> Tensor:
        return torch.where(slope == 0, slope, -slope / (curvature + mu))

    newton = along(0.0)
    if float(newton.norm()) <= radius:
        return axes @ newton
    low, high = 0.0, float(slope.norm()) / radius
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if float(along(middle).norm()) > radius else (low, middle)
    return axes @ along(high)


def _noise(features: Tensor, counts: Tensor, slots: int) -> Tensor:
    """How far rounding alone can move the scores of each slot apart [S]."""
    logs = 1 + counts.log().abs().max() + counts.sum(dim=0).log().abs().max()
    norms = features.reshape(len(features), slots, -1).sum(dim=2).amax(dim=0)
    return 64 * torch.finfo(counts.dtype).eps * logs * norms


def _refuse_infinity(bend: Tensor, scaled: Tensor, targets: Tensor) -> None:
    """Where the loss is flat though the scores are not, λ went to infinity."""
    curvature, axes = torch.linalg.eigh(bend)
    along = torch.einsum("kj,mkn->mjn", axes.to(scaled.device), scaled)
    spread = (along.amax(dim=2) - along.amin(dim=2)).amax(dim=0).cpu()
    mass = float(targets.sum()) / len(targets)
    lost = (spread > 1e-9) & (curvature <= 1e-13 * mass * spread**2)
    checks.require(not lost.any(), "not-converged", "scores that do not separate the targets")
