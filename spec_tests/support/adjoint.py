"""Derivatives that owe nothing to the code under test.

The complex step `Im f(x + i h v) / h` gives J v to rounding, without a difference of near numbers.
An adjoint is tested as what it is: ⟨u, J v⟩ = ⟨Jᵀ u, v⟩ for any u and v.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from saffu.types import Array

STEP = 1e-40


def directional(f: Callable[[Array], Array], x: Array, v: Array) -> Array:
    """J v, the derivative of f at x along v, by the complex step."""
    return np.asarray(np.imag(f(x + 1j * STEP * v)) / STEP)


def gradient(f: Callable[[Array], Array], x: Array) -> Array:
    """All partial derivatives of a number that depends on x."""
    slopes = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        one = np.zeros(x.shape)
        one[index] = 1.0
        slopes[index] = directional(f, x, one)
    return slopes


def assert_adjoint(
    f: Callable[[Array], Array],
    pullback: Callable[[Array], Array],
    x: Array,
    rng: np.random.Generator,
    tolerance: float = 1e-12,
) -> None:
    """⟨u, J v⟩ = ⟨Jᵀ u, v⟩ for generic u and v, relative to the sizes of what is added up."""
    v = rng.normal(size=x.shape)
    pushed = directional(f, x, v)
    u = rng.normal(size=pushed.shape)
    pulled = pullback(u)
    assert pulled.shape == x.shape
    scale = np.abs(u * pushed).sum() + np.abs(pulled * v).sum()
    rounding = 1e-15 * np.linalg.norm(u) * np.linalg.norm(v)  # where both derivatives are zero
    assert abs((u * pushed).sum() - (pulled * v).sum()) <= tolerance * scale + rounding
