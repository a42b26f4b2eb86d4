"""Optimisers as plain functions: from parameters, gradients and state to new ones.   (SPEC 6)

    SGD     θ ← θ − η g
    Adam    m ← β₁ m + (1−β₁) g,   v ← β₂ v + (1−β₂) g²
            θ ← θ − η m̂ / (√v̂ + ε),   m̂ = m/(1−β₁ᵗ),  v̂ = v/(1−β₂ᵗ)     (Kingma & Ba 2015)

Parameters are any row of arrays; rates may differ from array to array.  A rate of 0 freezes one:
it comes back as it is, bit by bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from saffu import checks
from saffu.arrays.namespace import namespace
from saffu.arrays.operation import operation
from saffu.errors import BadOption
from saffu.types import Array

_SPEC: Final = "SPEC 6"


class AdamState(NamedTuple):
    """What Adam remembers."""

    step: int
    """t, steps made"""
    mean: tuple[Array, ...]
    """m"""
    square: tuple[Array, ...]
    """v"""


@operation
def adam_start(parameters: Sequence[Array]) -> AdamState:
    """The state before the first step: zeros."""
    zeros = tuple(namespace(p).zeros_like(p) for p in parameters)
    return AdamState(0, zeros, zeros)


@operation
def sgd_step(
    parameters: Sequence[Array], gradients: Sequence[Array], rates: float | Sequence[float]
) -> tuple[Array, ...]:
    """One step of gradient descent.   (SPEC 6)

    Parameters: `rates` η >= 0, one number or one for each array.
    Refuses: gradients of other shapes; gradients or parameters that are not finite; negative rates.

    >>> import numpy as np
    >>> sgd_step([np.array([1.0])], [np.array([2.0])], 0.25)[0].tolist()
    [0.5]
    """
    each = _rates(parameters, gradients, rates)
    _finite("parameters", parameters)
    return sgd_step_unchecked(parameters, gradients, each)


def sgd_step_unchecked(
    parameters: Sequence[Array], gradients: Sequence[Array], rates: Sequence[float]
) -> tuple[Array, ...]:
    """`sgd_step` without its checks, for a rate per array."""
    return tuple(
        p - rate * g if rate else p for p, g, rate in zip(parameters, gradients, rates, strict=True)
    )


@operation
def adam_step(
    parameters: Sequence[Array],
    gradients: Sequence[Array],
    state: AdamState,
    rates: float | Sequence[float],
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
) -> tuple[tuple[Array, ...], AdamState]:
    """One step of Adam with bias correction.   (SPEC 6)

    Parameters: `state` from `adam_start` or the step before; `rates` η >= 0, one number or one for
    each array.  Returns new parameters and the new state.
    Refuses: gradients or a state of other shapes; numbers that are not finite; squares, steps or
    rates below zero; β outside of [0, 1); ε <= 0.

    The first step has length η, whatever the scale of the gradient:

    >>> import numpy as np
    >>> p, g = [np.array([1.0])], [np.array([250.0])]
    >>> adam_step(p, g, adam_start(p), 0.25)[0][0].round(9).tolist()
    [0.75]
    """
    each = check_adam(parameters, gradients, state, rates, beta1, beta2, epsilon)
    _finite("parameters", parameters)
    _finite("state.mean", state.mean)
    for index, square in enumerate(state.square):
        checks.non_negative(f"state.square[{index}]", square, _SPEC)
    return adam_step_unchecked(parameters, gradients, state, each, beta1, beta2, epsilon)


def adam_step_unchecked(
    parameters: Sequence[Array],
    gradients: Sequence[Array],
    state: AdamState,
    rates: Sequence[float],
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
) -> tuple[tuple[Array, ...], AdamState]:
    """`adam_step` without its checks, for a rate per array."""
    t = state.step + 1
    new, means, squares = [], [], []
    rows = zip(parameters, gradients, state.mean, state.square, rates, strict=True)
    for p, g, m, v, rate in rows:
        mean = beta1 * m + (1 - beta1) * g
        square = beta2 * v + (1 - beta2) * g * g
        root = namespace(square).sqrt(square / (1 - beta2**t))
        new.append(p - rate * (mean / (1 - beta1**t)) / (root + epsilon) if rate else p)
        means.append(mean)
        squares.append(square)
    return tuple(new), AdamState(t, tuple(means), tuple(squares))


def check_adam(
    parameters: Sequence[Array],
    gradients: Sequence[Array],
    state: AdamState,
    rates: float | Sequence[float],
    beta1: float,
    beta2: float,
    epsilon: float,
) -> list[float]:
    """Refuse what `adam_step` refuses, but numbers in parameters and state; a rate for each array.

    Those come from the step before, and millions of them are looked at in the plain step only.
    """
    each = _rates(parameters, gradients, rates)
    checks.whole("state.step", state.step, 0, _SPEC)
    for name, beta in (("beta1", beta1), ("beta2", beta2)):
        if not 0 <= beta < 1:
            raise BadOption(name, beta, "a number >= 0 and < 1", _SPEC)
    checks.positive("epsilon", epsilon, _SPEC)
    _same_shapes("state.mean", state.mean, parameters)
    _same_shapes("state.square", state.square, parameters)
    return each


def _rates(
    parameters: Sequence[Array], gradients: Sequence[Array], rates: float | Sequence[float]
) -> list[float]:
    """A rate for each array."""
    _same_shapes("gradients", gradients, parameters)
    _finite("gradients", gradients)
    each = [rates] * len(parameters) if isinstance(rates, (int, float)) else list(rates)
    if len(each) != len(parameters):
        raise BadOption("rates", each, f"one number, or a sequence of {len(parameters)}", _SPEC)
    return [checks.positive("rates", rate, _SPEC, zero=True) for rate in each]


def _finite(name: str, arrays: Sequence[Array]) -> None:
    """Refuse NaN and infinity in any of the arrays."""
    for index, array in enumerate(arrays):
        checks.finite(f"{name}[{index}]", array, _SPEC)


def _same_shapes(name: str, arrays: Sequence[Array], parameters: Sequence[Array]) -> None:
    """Refuse what does not go with the parameters one by one."""
    if len(arrays) != len(parameters):
        raise BadOption(name, f"{len(arrays)} arrays", f"{len(parameters)} arrays", _SPEC)
    for index, (array, p) in enumerate(zip(arrays, parameters, strict=True)):
        checks.same_shape(f"{name}[{index}]", array, p.shape, f"parameters[{index}]", _SPEC)
