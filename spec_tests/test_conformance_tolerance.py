"""When an answer is right."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from saffu.conformance.contract.case import Case, Expected
from saffu.conformance.judging.tolerance import compare, judge
from saffu.errors import BadOption
from saffu.types import Array

finite = st.floats(-1e6, 1e6)
values = arrays.arrays(np.float64, (3, 2), elements=finite)
scales = st.sampled_from([2.0**-20, 1.0, 2.0**10])


@given(values, scales)
def test_the_truth_is_right(x: Array, scale: float) -> None:
    assert compare(x.copy(), Expected(x, scale)) == (0.0, None, "")


@given(values, scales, st.integers(0, 2), st.integers(0, 1), st.floats(1e-3, 1e3))
def test_errors_are_measured_in_units_of_the_scale(
    x: Array, scale: float, i: int, j: int, error: float
) -> None:
    got = x.copy()
    got[i, j] += error * scale
    moved = abs(got[i, j] - x[i, j]) / scale
    difference = compare(got, Expected(x, scale))
    assert difference.error == moved
    if moved:
        assert difference.where == (i, j)
        assert str(got[i, j]) in difference.problem


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_number_that_is_none_is_infinitely_wrong(bad: float) -> None:
    difference = compare(np.array([1.0, bad]), Expected(np.array([1.0, 2.0]), 1.0))
    assert difference.error == np.inf
    assert difference.where == (1,)


@pytest.mark.parametrize(("got", "error"), [(-np.inf, 0.0), (np.inf, np.inf), (-1e308, np.inf)])
def test_infinities_have_to_be_equal(got: float, error: float) -> None:
    truth = Expected(np.array([-np.inf]), 1.0)
    assert compare(np.array([got]), truth).error == error


@pytest.mark.parametrize(
    ("got", "truth", "error"),
    [
        ([1, 2], [1, 2], 0.0), ([1, 3], [1, 2], np.inf), ([1.0, 2.0], [1, 2], 0.0),
        ([1.0, 2.1], [1, 2], np.inf), ([1, 0], [True, False], 0.0), ([True, True], [1, 0], np.inf),
        ([2, 0], [True, False], np.inf),
    ],
)  # fmt: skip
def test_whole_numbers_and_booleans_have_to_be_equal(
    got: list[Any], truth: list[Any], error: float
) -> None:
    assert compare(np.array(got), Expected(np.array(truth), 0.0)).error == error


def test_another_shape_is_infinitely_wrong() -> None:
    truth = Expected(np.zeros((2, 3)), 1.0)
    for shape in ((3, 2), (6,), (2, 3, 1), ()):
        difference = compare(np.zeros(shape), truth)
        assert difference.error == np.inf
        assert f"{shape}" in difference.problem
        assert difference.where is None


def test_what_is_no_number_is_infinitely_wrong() -> None:
    truth = Expected(np.zeros(1), 1.0)
    assert compare(np.array(["0"]), truth).error == np.inf
    assert compare(np.array([0j]), truth).error == np.inf


def test_empty_arrays_agree() -> None:
    assert compare(np.zeros((0, 3)), Expected(np.zeros((0, 3)), 1.0)).error == 0.0


# --- a whole answer ---------------------------------------------------------------------------

CASE = Case(
    id="softmax/one", suite="1.0.0", op="softmax", spec="SPEC 0", about="one", hunts=(),
    attributes={}, inputs={},
    stages={"first": Expected(np.array(1.0), 1.0), "second": Expected(np.array(2.0), 1.0)},
    outputs={"out": Expected(np.array(3.0), 1.0)},
    cotangents={"out": np.array(1.0)},
    gradients={"in": Expected(np.array(4.0), 2.0)},
    tolerance={"float64": 1e-3, "float32": 0.1},
)  # fmt: skip
RIGHT = {name: each.value for name, each in CASE.in_order.items()}


def test_a_right_answer_passes() -> None:
    judgement = judge(CASE, RIGHT)
    assert judgement.passed
    assert judgement.diverged is None
    assert list(judgement.differences) == ["first", "second", "out", "gradient.in"]


def test_stages_need_not_be_returned() -> None:
    assert judge(CASE, {name: RIGHT[name] for name in ("out", "gradient.in")}).passed


def test_the_first_wrong_array_is_named() -> None:
    wrong = {**RIGHT, "second": np.array(2.5), "out": np.array(9.0)}
    judgement = judge(CASE, wrong)
    assert not judgement.passed
    assert judgement.diverged == "second"


@pytest.mark.parametrize("name", ["out", "gradient.in"])
def test_outputs_and_gradients_have_to_be_returned(name: str) -> None:
    judgement = judge(CASE, {key: x for key, x in RIGHT.items() if key != name})
    assert not judgement.passed
    assert judgement.missing == (name,)
    assert judgement.diverged == name


def test_what_is_not_asked_for_is_of_no_account() -> None:
    assert judge(CASE, {**RIGHT, "more": np.array(np.nan)}).passed


def test_each_class_has_its_bound() -> None:
    off = {**RIGHT, "gradient.in": np.array(4.1)}  # by 0.05 of its scale
    assert not judge(CASE, off).passed
    assert judge(CASE, off, "float32").passed


def test_the_bound_itself_is_right() -> None:
    case = replace(CASE, tolerance={"float64": 0.5})
    assert judge(case, {**RIGHT, "out": np.array(3.5)}).passed
    assert not judge(case, {**RIGHT, "out": np.array(np.nextafter(3.5, 4))}).passed
    assert not judge(case, {**RIGHT, "out": np.array(np.nan)}).passed


def test_a_class_without_a_bound_is_not_judged() -> None:
    with pytest.raises(BadOption, match="float64, float32"):
        judge(CASE, RIGHT, "loose")
    with pytest.raises(BadOption, match="rejected"):
        judge(replace(CASE, tolerance={}, reject="shape"), RIGHT)
