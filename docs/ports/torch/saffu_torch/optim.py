"""Optimisers: torch's own, as pure functions.   (SPEC 6)

    SGD     θ ← θ − η g
    Adam    m ← β₁ m + (1−β₁) g,  v ← β₂ v + (1−β₂) g²,  θ ← θ − η m̂ / (√v̂ + ε),
            m̂ = m/(1−β₁ᵗ),  v̂ = v/(1−β₂ᵗ)

The steps are those of `torch.optim`; here they are functions of all that they depend on.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from saffu_torch import checks


class AdamStep(NamedTuple):
    """θ, m and v after a step."""

    parameter: Tensor
    mean: Tensor
    square: Tensor


def sgd_step(parameter: Tensor, gradient: Tensor, rate: float) -> Tensor:
    """θ − η g.   (SPEC 6)"""
    theta = _given(parameter, gradient, rate)
    torch.optim.SGD([theta], lr=rate).step()
    return theta.detach()


def adam_step(
    parameter: Tensor,
    gradient: Tensor,
    mean: Tensor,
    square: Tensor,
    *,
    step: int,
    rate: float = 1e-3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
) -> AdamStep:
    """θ − η m̂ / (√v̂ + ε), with t = step + 1.   (SPEC 6)"""
    theta = _given(parameter, gradient, rate)
    for state, name in ((mean, "mean"), (square, "square")):
        checks.shape(state, tuple(parameter.shape), name)
        checks.finite(state, name)
    checks.non_negative(square, "square")
    checks.whole(step, 0, "step")
    for beta in (beta1, beta2):
        checks.require(0 <= beta < 1, "option", "0 ≤ β < 1")
    checks.number(epsilon, "epsilon", low=0)
    adam = torch.optim.Adam([theta], lr=rate, betas=(beta1, beta2), eps=epsilon)
    state = {"step": torch.tensor(float(step)), "exp_avg": mean.clone()}
    adam.state[theta] = state | {"exp_avg_sq": square.clone()}
    adam.step()
    after = adam.state[theta]
    return AdamStep(theta.detach(), after["exp_avg"], after["exp_avg_sq"])


def _given(parameter: Tensor, gradient: Tensor, rate: float) -> Tensor:
    """A copy of θ that holds its gradient."""
    checks.shape(gradient, tuple(parameter.shape), "gradient")
    checks.finite(parameter, "parameter")
    checks.finite(gradient, "gradient")
    checks.number(rate, "rate")
    checks.require(rate >= 0, "option", "a rate of at least zero")
    theta = parameter.clone().requires_grad_()
    theta.grad = gradient.clone()
    return theta
