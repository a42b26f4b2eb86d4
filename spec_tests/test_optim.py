"""SGD and Adam as plain functions.   (SPEC 6)"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from saffu.errors import BadOption, NegativeEntry, NonFiniteEntry, SaffuError, WrongShape
from saffu.optim import adam_start, adam_step, sgd_step

Floats = NDArray[np.floating[Any]]

SHAPES = [(2, 3), (7,), (5, 1)]
RATES = (0.3, 0.0, 0.02)

finite = st.floats(-1e6, 1e6)


def row(seed: int) -> list[Floats]:
    random = np.random.default_rng(seed)
    return [random.normal(size=shape) for shape in SHAPES]


def slopes(parameters: Sequence[Floats], step: int) -> list[Floats]:
    """Gradients that depend on where one stands, and change from step to step."""
    return [np.sin((k + 2) * p + step) * 10.0 ** (k - 1) + p**3 for k, p in enumerate(parameters)]


# --- SGD --------------------------------------------------------------------------------------


@given(st.integers(0, 2**32), st.floats(0, 100))
def test_a_step_of_gradient_descent_number_by_number(seed: int, rate: float) -> None:
    p, g = row(seed), row(seed + 1)
    for new, old, slope in zip(sgd_step(p, g, rate), p, g, strict=True):
        expected = [a - rate * b for a, b in zip(old.flat, slope.flat, strict=True)]
        assert new.shape == old.shape
        assert new.ravel().tolist() == expected


def test_gradient_descent_goes_down() -> None:
    """On the bowl ½ Σ θ² one step of rate 1 arrives."""
    assert not any(new.any() for new in sgd_step(row(1), row(1), 1.0))


def test_each_array_may_have_its_own_rate() -> None:
    new = sgd_step(row(1), row(2), RATES)
    for got, p, g, rate in zip(new, row(1), row(2), RATES, strict=True):
        np.testing.assert_allclose(got, p - rate * g, rtol=1e-15)


# --- Adam -------------------------------------------------------------------------------------


def adam_by_hand(
    p: float, gradients: Sequence[float], rate: float, beta1: float, beta2: float, epsilon: float
) -> list[float]:
    """Algorithm 1 of Kingma & Ba (2015) for one number: where it stands after each step."""
    m = v = 0.0
    places = []
    for t, g in enumerate(gradients, start=1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat = m / (1 - beta1**t)
        v_hat = v / (1 - beta2**t)
        p = p - rate * m_hat / (math.sqrt(v_hat) + epsilon)
        places.append(p)
    return places


@given(
    st.lists(st.lists(finite, min_size=3, max_size=3), min_size=1, max_size=7),
    st.floats(1e-6, 10),
    st.floats(0, 0.99),
    st.floats(0, 0.9999),
    st.floats(1e-12, 1),
)
def test_adam_number_by_number(
    gradients: list[list[float]], rate: float, beta1: float, beta2: float, epsilon: float
) -> None:
    p: tuple[Any, ...] = (np.array([[1.5, -2.5]]), np.array([0.25]))
    state = adam_start(p)
    got = []
    for a, b, c in gradients:
        slope = (np.array([[a, b]]), np.array([c]))
        p, state = adam_step(p, slope, state, rate, beta1=beta1, beta2=beta2, epsilon=epsilon)
        got.append([*p[0][0].tolist(), *p[1].tolist()])
    expected = [
        adam_by_hand(start, [g[k] for g in gradients], rate, beta1, beta2, epsilon)
        for k, start in enumerate((1.5, -2.5, 0.25))
    ]
    np.testing.assert_allclose(np.array(got).T, expected, rtol=1e-9, atol=1e-9)
    assert state.step == len(gradients)


def test_the_defaults_are_those_of_the_paper() -> None:
    p: tuple[Any, ...] = (np.array([0.5]),)
    state = adam_start(p)
    for step in range(5):
        p, state = adam_step(p, (np.array([[3.0, -1.0, 0.5, 7.0, 2.0][step]]),), state, 0.01)
    expected = adam_by_hand(0.5, [3.0, -1.0, 0.5, 7.0, 2.0], 0.01, 0.9, 0.999, 1e-8)[-1]
    assert p[0].item() == pytest.approx(expected, rel=1e-14)


@given(st.floats(1e-3, 1e6), st.sampled_from([-1, 1]), st.floats(1e-6, 10), st.integers(0, 9))
def test_the_first_step_has_the_length_of_the_rate(
    size: float, sign: int, rate: float, tenths: int
) -> None:
    """Whatever the scale of the gradient and the memory: bias correction makes m̂ = g, v̂ = g²."""
    p, g = (np.array([0.0]),), (np.array([sign * size]),)
    (new,), _ = adam_step(p, g, adam_start(p), rate, beta1=tenths / 10, beta2=tenths / 10)
    assert new.item() == pytest.approx(-sign * rate, rel=1e-4)


def test_adam_each_array_with_its_own_rate_as_if_alone() -> None:
    together = tuple(row(3))
    state = adam_start(together)
    alone: list[tuple[Any, ...]] = [(p,) for p in row(3)]
    states = [adam_start(p) for p in alone]
    for step in range(5):
        gradients = slopes(together, step)
        together, state = adam_step(together, gradients, state, RATES)
        for k, rate in enumerate(RATES):
            alone[k], states[k] = adam_step(alone[k], (gradients[k],), states[k], rate)
    for got, (expected,) in zip(together, alone, strict=True):
        assert got.tobytes() == expected.tobytes()


# --- of both ----------------------------------------------------------------------------------

Step = Callable[[Sequence[Floats], Sequence[Floats], Any], Sequence[Floats]]


def one_adam_step(p: Sequence[Floats], g: Sequence[Floats], rates: Any) -> Sequence[Floats]:
    return adam_step(p, g, adam_start(p), rates)[0]


both = pytest.mark.parametrize("step", [sgd_step, one_adam_step], ids=["sgd", "adam"])


@both
def test_a_rate_of_zero_freezes_bit_by_bit(step: Step) -> None:
    """A negative zero too, which −0 − 0·g would lose for g < 0."""
    p = row(5)
    p[1][:3] = [-0.0, 5e-324, 0.1 + 0.2]
    g = row(6)
    g[1][:3] = [-1.0, 1e100, -1e100]
    new = step(p, g, RATES)
    assert new[1].tobytes() == p[1].tobytes()
    assert not np.any(new[0] == p[0])
    assert not np.any(new[2] == p[2])


@both
def test_nothing_that_was_given_is_changed(step: Step) -> None:
    p, g = row(7), row(8)
    step(p, g, 0.5)
    for given_, kept in zip([*p, *g], [*row(7), *row(8)], strict=True):
        assert given_.tobytes() == kept.tobytes()


def test_the_state_that_was_given_is_not_changed() -> None:
    p, g = row(7), row(8)
    _, state = adam_step(p, g, adam_start(p), 0.5)
    before = [array.tobytes() for array in (*state.mean, *state.square)]
    adam_step(p, g, state, 0.5)
    assert [array.tobytes() for array in (*state.mean, *state.square)] == before
    assert state.step == 1


@both
def test_the_precision_of_the_parameters_stays(step: Step) -> None:
    p = [a.astype(np.float32) for a in row(9)]
    g = [a.astype(np.float32) for a in row(10)]
    for single, double in zip(step(p, g, 0.1), step(row(9), row(10), 0.1), strict=True):
        assert single.dtype == np.float32
        np.testing.assert_allclose(single, double, rtol=1e-4)


def test_adam_starts_from_zeros() -> None:
    state = adam_start(row(1))
    assert state.step == 0
    for memory in (state.mean, state.square):
        assert [array.shape for array in memory] == SHAPES
        assert not any(array.any() for array in memory)


# --- witness ----------------------------------------------------------------------------------


@pytest.mark.torch
@pytest.mark.parametrize(
    ("name", "settings"),
    [
        pytest.param("SGD", {}, id="sgd"),
        pytest.param("Adam", {}, id="adam"),
        pytest.param("Adam", {"betas": (0.5, 0.97), "eps": 1e-3}, id="adam-other-settings"),
    ],
)
def test_twenty_steps_of_torch(name: str, settings: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    ours: tuple[Any, ...] = tuple(row(11))
    theirs = [torch.tensor(p) for p in row(11)]
    groups = [{"params": [p], "lr": rate} for p, rate in zip(theirs, RATES, strict=True)]
    optimiser = getattr(torch.optim, name)(groups, **settings)
    beta1, beta2 = settings.get("betas", (0.9, 0.999))
    epsilon = settings.get("eps", 1e-8)
    state = adam_start(ours)
    for step in range(20):
        for p, slope in zip(theirs, slopes([p.numpy() for p in theirs], step), strict=True):
            p.grad = torch.tensor(slope)
        optimiser.step()
        gradients = slopes(ours, step)
        if name == "SGD":
            ours = sgd_step(ours, gradients, RATES)
        else:
            ours, state = adam_step(
                ours, gradients, state, RATES, beta1=beta1, beta2=beta2, epsilon=epsilon
            )
    for mine, other, start, rate in zip(ours, theirs, row(11), RATES, strict=True):
        np.testing.assert_allclose(mine, other.numpy(), rtol=1e-12, atol=1e-12)
        assert np.any(mine != start) == (rate > 0)


# --- refusals ---------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("rates", [-0.1, math.nan, math.inf, (0.1, -1.0, 0.1), (0.1, 0.2)])
def test_rates_that_are_none_are_refused(step: Step, rates: Any) -> None:
    with pytest.raises(BadOption, match="rates must be "):
        step(row(1), row(2), rates)


@both
def test_gradients_of_other_shapes_are_refused(step: Step) -> None:
    """Even those that NumPy would stretch to fit."""
    g = row(2)
    g[2] = np.ones((5, 5))
    with pytest.raises(WrongShape, match=r"gradients\[2\] must have shape .*, got \(5, 5\)"):
        step(row(1), g, 0.1)
    with pytest.raises(BadOption, match=r"must be 3 arrays, got .2 arrays"):
        step(row(1), row(2)[:2], 0.1)


@both
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_gradients_that_are_not_finite_are_refused(step: Step, value: float) -> None:
    g = row(2)
    g[0][1, 2] = value
    with pytest.raises(
        NonFiniteEntry, match=rf"gradients\[0\]\[1, 2\] must be a finite number, got {value}"
    ):
        step(row(1), g, 0.1)


@both
@pytest.mark.parametrize("value", [math.nan, -math.inf])
def test_parameters_that_are_not_finite_are_refused(step: Step, value: float) -> None:
    p = row(1)
    p[1][3] = value
    with pytest.raises(
        NonFiniteEntry, match=rf"parameters\[1\]\[3\] must be a finite number, got {value}"
    ):
        step(p, row(2), 0.1)


@pytest.mark.parametrize("field", ["mean", "square"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_state_that_is_not_finite_is_refused(field: str, value: float) -> None:
    p = row(1)
    _, state = adam_step(p, row(2), adam_start(p), 0.1)
    getattr(state, field)[2][4, 0] = value
    with pytest.raises(
        NonFiniteEntry, match=rf"state.{field}\[2\]\[4, 0\] must be a finite number, got {value}"
    ):
        adam_step(p, row(2), state, 0.1)


def test_squares_and_steps_below_zero_are_refused() -> None:
    p = row(1)
    _, state = adam_step(p, row(2), adam_start(p), 0.1)
    for step in (-1, 0.5):
        with pytest.raises(
            BadOption, match=rf"state.step must be a whole number >= 0.*, got {step}"
        ):
            adam_step(p, row(2), state._replace(step=step), 0.1)  # type: ignore[arg-type]
    state.square[0][1, 1] = -1e-300
    with pytest.raises(NegativeEntry, match=r"state.square\[0\]\[1, 1\] must be >= 0, got -1e-300"):
        adam_step(p, row(2), state, 0.1)


@pytest.mark.parametrize(
    "settings",
    [
        {"beta1": 1.0},
        {"beta1": -0.1},
        {"beta2": 1.0},
        {"beta2": math.nan},
        {"epsilon": 0.0},
        {"epsilon": -1.0},
        {"epsilon": math.inf},
    ],
    ids=str,
)
def test_settings_of_adam_that_are_none_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(BadOption, match=next(iter(settings))):
        adam_step(row(1), row(2), adam_start(row(1)), 0.1, **settings)


@pytest.mark.parametrize("field", ["mean", "square"])
def test_a_state_of_another_model_is_refused(field: str) -> None:
    """A state of shape (1,) would be stretched to fit, and give numbers."""
    state = adam_start(row(1))
    small: dict[str, Any] = {field: (np.zeros((1, 1)),) * 3}
    none: dict[str, Any] = {field: ()}
    with pytest.raises(WrongShape, match=rf"state.{field}\[0\]"):
        adam_step(row(1), row(2), state._replace(**small), 0.1)
    with pytest.raises(SaffuError, match=f"state.{field}"):
        adam_step(row(1), row(2), state._replace(**none), 0.1)
