"""Minima of convex functions of a few numbers, from any start.   (SPEC 1)"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from saffu.errors import NotConverged
from saffu.explicit.newton import Curve, minimise_convex
from saffu.types import Array
from spec_tests.conftest import shapes_unchecked
from spec_tests.support import strategies as draw
from spec_tests.support.strategies import Seeded

GENERATORS = draw.generators()
FAR = st.floats(-1e4, 1e4)


def bowl(rng: Seeded, size: int, spread: float = 3.0) -> tuple[Array, Array]:
    """A positive definite matrix with eigenvalues over several decades, and a place."""
    axes = np.linalg.qr(rng.normal(size=(size, size)))[0]
    bend = axes @ np.diag(10 ** rng.uniform(-spread, spread, size)) @ axes.T
    return (bend + bend.T) / 2, rng.normal(0, 5, size)


def quadratic(bend: Array, place: Array) -> Callable[[Array], Curve]:
    def curve(x: Array) -> Curve:
        d = x - place
        return Curve(float(d @ bend @ d) / 2, bend @ d, bend)

    return curve


@given(st.integers(1, 5), GENERATORS)
def test_a_bowl_has_its_bottom(size: int, rng: Seeded) -> None:
    bend, place = bowl(rng, size)
    found = minimise_convex(quadratic(bend, place), rng.uniform(-1e4, 1e4, size))
    assert np.linalg.norm(bend @ (found.place - place)) <= 1e-6
    assert found.value == pytest.approx(0.0, abs=1e-6)
    assert found.steps >= 1


@given(st.floats(-3, 3), st.floats(0.1, 10.0), FAR)
@example(bottom=0.0, width=0.5, start=0.5)  # from t = 1 to −1 and back, for ever
def test_where_newton_alone_would_fly_off(bottom: float, width: float, start: float) -> None:
    """√(1 + t²) has so little curvature far out that Newton's step goes from t to −t³."""

    def curve(x: Array) -> Curve:
        t = (x[0] - bottom) / width
        root = math.sqrt(1 + t * t)
        return Curve(root, np.array([t / root / width]), np.array([[1 / root**3 / width / width]]))

    with shapes_unchecked():
        found = minimise_convex(curve, np.array([start]))
    assert found.place[0] == pytest.approx(bottom, abs=1e-7)
    assert found.value == pytest.approx(1.0, abs=1e-14)


@given(FAR, st.floats(0.1, 3.0))
def test_steep_on_one_side(start: float, rate: float) -> None:
    """e^{rx} − x overflows far to the right and is a straight line to the left."""

    def curve(x: Array) -> Curve:
        e = math.exp(min(rate * x[0], 709.0)) if rate * x[0] < 709.0 else math.inf
        if math.isinf(e):
            return Curve(math.inf, np.array([math.inf]), np.array([[math.inf]]))
        return Curve(e - x[0], np.array([rate * e - 1]), np.array([[rate * rate * e]]))

    start = min(start, 60 / rate)
    with shapes_unchecked():
        found = minimise_convex(curve, np.array([start]))
    assert found.place[0] == pytest.approx(-math.log(rate) / rate, abs=1e-7)


@given(st.integers(2, 5), GENERATORS)
def test_directions_that_say_nothing_are_left_alone(size: int, rng: Seeded) -> None:
    bend, place = bowl(rng, size, 1.0)
    silent = int(rng.integers(size))
    bend[silent, :] = bend[:, silent] = 0.0
    start = rng.uniform(-1e3, 1e3, size)
    found = minimise_convex(quadratic(bend, place), start)
    assert found.place[silent] == pytest.approx(start[silent], rel=1e-12)
    others = np.arange(size) != silent
    np.testing.assert_allclose(found.place[others], place[others], rtol=1e-7, atol=1e-7)


def test_the_bottom_itself_is_one_step_away() -> None:
    bend, place = np.diag([2.0, 3.0]), np.array([5.0, -7.0])
    found = minimise_convex(quadratic(bend, place), place)
    assert found.place.tolist() == place.tolist()
    assert (found.steps, found.value) == (1, 0.0)


def test_a_looser_tolerance_stops_sooner() -> None:
    def curve(x: Array) -> Curve:
        value = float(np.sum(np.log(np.cosh(x))))
        return Curve(value, np.tanh(x), np.diag(1 / np.cosh(x) ** 2))

    tight = minimise_convex(curve, np.array([9.0, -4.0]))
    loose = minimise_convex(curve, np.array([9.0, -4.0]), tolerance=0.1)
    assert loose.steps < tight.steps
    assert np.linalg.norm(tight.place) <= 1e-9 < np.linalg.norm(loose.place) < 0.2


# --- refusals ---------------------------------------------------------------------------------


@given(st.floats(-50, 5), st.sampled_from([-1.0, 1.0]), st.sampled_from([20.0, 1e7]))
def test_a_minimum_at_infinity(start: float, sign: float, farthest: float) -> None:
    """log(1 + e^{−x}) falls for ever: by less than can be seen, long before it is far away."""

    def curve(x: Array) -> Curve:
        t = sign * x[0]
        p = 1 / (1 + math.exp(t)) if t < 700 else 0.0
        value = math.log1p(math.exp(-t)) if t > -700 else -t
        return Curve(value, np.array([-sign * p]), np.array([[p * (1 - p)]]))

    with (
        shapes_unchecked(),
        pytest.raises(NotConverged, match=r"infinitely far away: .*separate the targets.*SPEC 1"),
    ):
        minimise_convex(curve, np.array([sign * start]), farthest=farthest)


def test_too_few_steps() -> None:
    bend, place = np.eye(2), np.array([1e6, 0.0])
    with pytest.raises(NotConverged, match=r"no convergence in 3 steps, last step .*SPEC 1"):
        minimise_convex(quadratic(bend, place), np.zeros(2), most_steps=3)
