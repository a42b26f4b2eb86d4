"""The explicit solution of a softmax layer ŷ = φ(h U), from counts.   (SPEC 1)

    F = Hᵀ Y,    K = Σ_m ‖h_m‖ / M,    U[d,i] = log F[d,i] − ((K−1)/K) · log Σ_d' F[d',i]

Zeros among the counts have to be decided, by a `Smoothing`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from saffu_torch import checks
from saffu_torch.probabilities import cross_entropy
from saffu_torch.temper import fit_temper


@dataclass(frozen=True)
class Cooccurrence:
    """(F [D N], Σ‖h‖ [], M): all that a solution needs to know; shards add up.   (SPEC 1)"""

    counts: Tensor
    norm: Tensor
    samples: int

    def __add__(self, other: Cooccurrence) -> Cooccurrence:
        checks.shape(other.counts, tuple(self.counts.shape), "counts")
        return Cooccurrence(
            self.counts + other.counts, self.norm + other.norm, self.samples + other.samples
        )

    @property
    def priming(self) -> Tensor:
        """K = Σ_m ‖h_m‖ / M [].   (SPEC 1)"""
        return _mean_norm(self.norm, self.samples)


@dataclass(frozen=True)
class Smoothing:
    """What zeros become: `additive`, `backoff` (α) or `discount` (δ).   (SPEC 1)"""

    kind: str = "backoff"
    strength: float = 1.0

    def __post_init__(self) -> None:
        checks.one_of(self.kind, ("additive", "backoff", "discount"), "kind")
        checks.number(self.strength, "strength")
        good = 0 < self.strength < 1 if self.kind == "discount" else self.strength >= 0
        checks.require(good, "option", "α ≥ 0, or 0 < δ < 1")


class Solution(NamedTuple):
    """Weights, and what they were computed from."""

    counts: Tensor
    priming: Tensor
    smoothed_counts: Tensor
    weights: Tensor


class Choice(NamedTuple):
    """The loss of each candidate [C], and the first of the best."""

    losses: Tensor
    choice: Tensor


class Refinement(NamedTuple):
    """U [D N], the weights [N] of the slack, K, and the losses [steps+1]."""

    weights: Tensor
    slack: Tensor
    capacity: Tensor
    losses: Tensor


def cooccurrence(features: Tensor, targets: Tensor) -> Cooccurrence:
    """F = Hᵀ Y [D N], with Σ‖h‖ and M.   (SPEC 1)"""
    checks.features(features)
    checks.targets(targets, len(features))
    return Cooccurrence(features.mT @ targets, features.sum(), len(features))


def priming_number(features: Tensor) -> Tensor:
    """K = Σ_m ‖h_m‖ / M [].   (SPEC 1)"""
    checks.features(features)
    return _mean_norm(features.sum(), len(features))


def smooth(counts: Tensor, smoothing: Smoothing) -> Tensor:
    """F + α,  F + α q  or  max(F − δ, 0) + δ r⁺ q,  with q_i = (n_i + 1)/(Σn + N).   (SPEC 1)"""
    n = counts.sum(dim=0)
    q = (n + 1) / (n.sum() + len(n))
    if smoothing.kind == "additive":
        full = counts + smoothing.strength
    elif smoothing.kind == "backoff":
        full = counts + smoothing.strength * q
    else:
        checks.require((counts % 1 == 0).all(), "fraction", "whole counts")
        seen = (counts > 0).sum(dim=1, keepdim=True)
        full = (counts - smoothing.strength).clamp(min=0) + smoothing.strength * seen * q
    checks.positive_counts(full)
    return full


def explicit_weights(counts: Tensor, priming: Tensor | float) -> Tensor:
    """U[d,i] = log F[d,i] − ((K−1)/K) · log Σ_d' F[d',i]   (SPEC 1)"""
    return counts.log() - (priming - 1) / priming * counts.sum(dim=0).log()


def explicit_solution(
    state: Cooccurrence, smoothing: Smoothing = Smoothing(), priming: float | None = None
) -> Solution:
    """U [D N] of smoothed counts; K is the mean norm unless it is given.   (SPEC 1)"""
    if priming is not None:
        checks.number(priming, "priming", low=0)
    k = state.priming if priming is None else state.norm.new_tensor(priming)
    full = smooth(state.counts, smoothing)
    return Solution(state.counts, k, full, explicit_weights(full, k))


def choose_smoothing(
    state: Cooccurrence,
    candidates: Sequence[Smoothing],
    held_out: tuple[Tensor, Tensor] | None = None,
    *,
    temper: bool = False,
) -> Choice:
    """argmin over candidates of the loss held out, or of leaving one sample out.   (SPEC 1)"""
    checks.require(len(candidates) > 0, "option", "at least one candidate")
    if held_out is None:
        _check_leave_one_out(state, temper)
        losses = [leave_one_out(state.counts, each) for each in candidates]
    else:
        features, targets = held_out
        d, n = state.counts.shape
        checks.features(features, d, "held_features")
        checks.targets(targets, len(features), n, "held_targets")
        losses = []
        for each in candidates:
            full = smooth(state.counts, each)
            losses.append(
                fit_temper(features, targets, full).loss
                if temper
                else cross_entropy(features @ explicit_weights(full, state.priming), targets)
            )
    every = torch.stack(losses)
    return Choice(every, every.argmin())


def leave_one_out(counts: Tensor, smoothing: Smoothing) -> Tensor:
    """−(1/M) Σ_di F[d,i] log p[d,i], with p from the counts less one in (d, i).   (SPEC 1)"""
    s, (_, size) = smoothing.strength, counts.shape
    checks.require(s > 0 or (counts >= 2).all(), "zero-count", "two of each where α = 0")
    rest = counts - 1
    row = counts.sum(dim=1, keepdim=True) - 1
    q = counts.sum(dim=0) / (counts.sum() - 1 + size)
    if smoothing.kind == "additive":
        p = (rest + s) / (row + s * size)
    elif smoothing.kind == "backoff":
        p = (rest + s * q) / (row + s)
    else:
        cells = (counts > 0).sum(dim=1, keepdim=True) - (counts == 1).to(counts.dtype)
        p = torch.where(row > 0, ((rest - s).clamp(min=0) + s * cells * q) / row, q)
    return -(counts * p.where(counts > 0, 1).log()).sum() / counts.sum()


def refine(weights: Tensor, features: Tensor, targets: Tensor, steps: int) -> Refinement:
    """U ← U + (1/K) log(F / Hᵀ φ(H U)), steps times, with a slack feature K − ‖h‖.   (SPEC 1)"""
    checks.features(features)
    checks.targets(targets, len(features))
    checks.shape(weights, (features.shape[1], targets.shape[1]), "weights")
    checks.finite(weights, "weights")
    checks.whole(steps, 0, "steps")
    norm = features.sum(dim=1, keepdim=True)
    capacity = norm.max()
    checks.require(capacity > 0, "zero-norm", "features that are not all zero")
    slack = capacity - norm
    h = torch.cat([features, slack.where(slack > 1e-12 * capacity, 0)], dim=1)
    u = torch.cat([weights, torch.zeros_like(weights[:1])])
    seen, mass = h.mT @ targets, targets.sum(dim=1, keepdim=True)
    losses = [cross_entropy(h @ u, targets)]
    for _ in range(steps):
        expected = h.mT @ (mass * torch.softmax(h @ u, dim=1))
        moves = (seen > 0) & (expected > 0)
        u = u + (seen.where(moves, 1).log() - expected.where(moves, 1).log()) / capacity
        losses.append(cross_entropy(h @ u, targets))
    return Refinement(u[:-1], u[-1], capacity, torch.stack(losses))


def _mean_norm(norm: Tensor, samples: int) -> Tensor:
    checks.require(norm > 0, "zero-norm", "features that are not all zero")
    return norm / samples


def _check_leave_one_out(state: Cooccurrence, temper: bool) -> None:
    """One-hot features and targets, two samples at least, no temper."""
    whole = (state.counts % 1 == 0).all()
    one_hot = whole and state.norm == state.samples and state.counts.sum() == state.samples
    checks.require(bool(one_hot) and not temper, "option", "held-out samples, or one-hot rows")
    checks.require(state.samples >= 2, "option", "two samples to leave one out")
