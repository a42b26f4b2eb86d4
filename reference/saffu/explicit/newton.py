"""The minimum of a convex function of a few numbers, from any start.   [D]

Newton's step where it can be trusted, a shorter one where it cannot: the step d solves
(H + μ I) d = −g with the least μ >= 0 that keeps ‖d‖ within a radius; the radius grows with success
and shrinks with failure (a trust region: Conn, Gould & Toint 2000).  Directions in which the
function does not curve and does not slope are left alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from saffu.errors import NotConverged
from saffu.types import Array

INFINITELY_FAR = (
    "the optimum is infinitely far away: the scores separate the targets, so every larger temper "
    "is better; fit it on held-out data, or smooth more (SPEC 1)"
)

_ROUNDING = 8 * float(np.finfo(np.float64).eps)
"""How much of a value is rounding."""
_PATIENCE = 10
"""Steps in a row that gain nothing that could be seen, and yet do not get shorter."""


class Curve(NamedTuple):
    """A convex function at one point."""

    value: float
    slope: Array
    """gradient g [s]"""
    bend: Array
    """Hessian H [s, s]"""


class Minimum(NamedTuple):
    """Where the minimum is."""

    place: Array
    value: float
    steps: int


def minimise_convex(
    curve: Callable[[Array], Curve],
    start: Array,
    *,
    tolerance: float = 1e-10,
    most_steps: int = 500,
    farthest: float = 1e7,
    unit: float = 1.0,
) -> Minimum:
    """Minimise a convex function.

    Parameters: `curve` gives value, gradient and Hessian at a point [s]; `start` [s]; `tolerance`,
    the length of the last step, relative to 1 + ‖place‖; `farthest`, the distance at which the
    minimum counts as infinitely far, as it does where steps gain nothing and do not get shorter;
    `unit`, the usual size of a value: less than its last digit is nothing.
    Refuses: no convergence; a minimum at infinity.

    >>> square = lambda x: Curve(float(x @ x), 2 * x, 2 * np.eye(2))
    >>> minimise_convex(square, np.array([3.0, -400.0])).place.tolist()
    [0.0, 0.0]
    """
    place = np.asarray(start, dtype=np.float64)
    here = curve(place)
    radius = length = 1.0 + _length(place)
    idle = 0
    for step in range(1, most_steps + 1):
        before, d = length, _bounded_step(here, radius)
        length = _length(d)
        close = length <= tolerance * (1 + _length(place))
        noise = _ROUNDING * max(unit, abs(here.value))
        idle = idle + 1 if abs(here.slope @ d) < noise and length > 0.9 * before else 0
        there = curve(place + d)
        if _better(there, here, noise):
            place, here = place + d, there
            radius = max(radius, 2 * length) if length > 0.5 * radius else radius
        elif not close:
            radius = length / 4
        if close:
            return Minimum(place, here.value, step)
        if _length(place) > farthest or idle == _PATIENCE:
            raise NotConverged(INFINITELY_FAR)
    raise NotConverged(
        f"no convergence in {most_steps} steps, last step {length:.3g}; "
        "look for NaN or huge values in the features (SPEC 1)"
    )


def _better(there: Curve, here: Curve, noise: float) -> bool:
    """Lower, or as low as rounding can tell and flatter."""
    if not np.isfinite(there.value):
        return False
    if there.value < here.value - noise:
        return True
    return bool(there.value <= here.value + noise) and _length(there.slope) < _length(here.slope)


def _bounded_step(here: Curve, radius: float) -> Array:
    """−(H + μ I)⁻¹ g with the least μ >= 0 for which it is no longer than the radius."""
    curvature, axes = np.linalg.eigh(here.bend)
    curvature = np.maximum(curvature, 0.0)
    slope = axes.T @ here.slope
    flat = curvature <= 1e-14 * max(curvature[-1], np.finfo(np.float64).tiny)
    quiet = np.abs(slope) <= 1e-14 * max(1.0, _length(slope))
    slope = np.where(flat & quiet, 0.0, slope)

    def along(mu: float) -> Array:
        out = np.zeros_like(slope)
        with np.errstate(over="ignore"):
            return np.asarray(np.divide(-slope, curvature + mu, out=out, where=slope != 0))

    if not np.any(flat & (slope != 0)):
        newton = along(0.0)
        if _length(newton) <= radius:
            return np.asarray(axes @ newton)
    low, high = 0.0, _length(slope) / radius
    for _ in range(60):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if _length(along(middle)) > radius else (low, middle)
    return np.asarray(axes @ along(high))


def _length(step: Array) -> float:
    """‖step‖, infinite where even its square root overflows."""
    most = float(np.max(np.abs(step)))
    if most == 0 or not np.isfinite(most):
        return most
    return most * float(np.linalg.norm(step / most))
