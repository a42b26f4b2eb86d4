"""Refusals: a small tree of errors that say what, where, what was expected.   (SPEC 8)

What each operation refuses is tested beside the operation.
"""

from __future__ import annotations

import ast
import math
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import saffu
from saffu import checks, errors
from saffu.batch import plan
from saffu.configuration import TINY
from saffu.contexts import DocumentContext, RadialContext
from saffu.counts import Cooccurrence, cooccurrence
from saffu.errors import (
    BadOption,
    EmptyMask,
    EmptyTarget,
    InvalidPivot,
    NegativeEntry,
    NonFiniteEntry,
    NoSamples,
    OffSimplex,
    SaffuError,
    SignedInput,
    TokenOutOfRange,
    WrongShape,
    ZeroEntry,
)
from saffu.explicit.choice import choose_smoothing
from saffu.explicit.smoothing import Backoff, Discount, Smoothing
from saffu.explicit.temper import fit_temper
from saffu.layer import saffu_backward, saffu_forward
from saffu.model import model_gradient
from saffu.positions import make_samples
from saffu.types import Array
from saffu.warm.layer import WarmSettings
from saffu.warm.start import warm_start
from spec_tests.conftest import shapes_unchecked
from spec_tests.support import strategies as draw
from spec_tests.support.strategies import Seeded

GENERATORS = draw.generators()
SHAPES = st.one_of(*(draw.sizes(count) for count in (1, 2, 3)))

# --- the tree ---------------------------------------------------------------------------------


KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, BaseException)
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_has_a_reason_that_ports_can_report(kind: type[SaffuError]) -> None:
    assert issubclass(kind, SaffuError)
    assert kind.reason
    assert set(kind.reason) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert kind.__doc__


OUTSIDE = {
    errors.BadFile: OSError,
    errors.NotUtf8: OSError,
    errors.Missing: ImportError,
    errors.WorkerLost: RuntimeError,
    errors.ProcessFailed: RuntimeError,
    errors.NoScheduler: ConnectionError,
    errors.Interrupted: KeyboardInterrupt,
    errors.TrainingInterrupted: KeyboardInterrupt,
}
"""What is not the fault of an argument, and the built-in exception that it is."""


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_bad_input_and_nothing_else_is_a_value_error(kind: type[SaffuError]) -> None:
    assert issubclass(kind, ValueError) == (kind not in OUTSIDE and kind is not SaffuError)
    assert issubclass(kind, OUTSIDE.get(kind, Exception))


# --- entries ----------------------------------------------------------------------------------


def first(bad: Array) -> tuple[int, ...]:
    """The first True, row by row."""
    return next(index for index in np.ndindex(bad.shape) if bad[index])


@given(SHAPES, GENERATORS, st.sampled_from([math.nan, math.inf, -math.inf]))
def test_the_first_entry_that_is_no_number(
    shape: tuple[int, ...], rng: Seeded, value: float
) -> None:
    bad = rng.random(shape) < 0.3
    bad.flat[rng.integers(bad.size)] = True
    x = np.where(bad, value, rng.normal(size=shape))
    checks.finite("x", np.where(bad, 0.0, x), "SPEC 8")
    with pytest.raises(NonFiniteEntry, match=r"SPEC 8\)$") as caught:
        checks.finite("x", x, "SPEC 8")
    assert (caught.value.name, caught.value.index) == ("x", first(bad))
    assert str(caught.value).startswith(f"x[{', '.join(map(str, first(bad)))}] must be ")


@given(SHAPES, GENERATORS)
def test_the_first_entry_below_zero(shape: tuple[int, ...], rng: Seeded) -> None:
    x = rng.normal(size=shape)
    x.flat[rng.integers(x.size)] = -0.5
    checks.non_negative("x", np.maximum(x, 0.0), "SPEC 1")
    for error in (NegativeEntry, SignedInput):
        with pytest.raises(error) as caught:
            checks.non_negative("x", x, "SPEC 1", error)
        assert (caught.value.index, caught.value.value) == (first(x < 0), x[first(x < 0)])
    positive = np.abs(x) + 0.1
    checks.positive_entries("x", positive, "SPEC 1")
    positive[first(x < 0)] = 0.0
    with pytest.raises(ZeroEntry, match=r"must be > 0, got 0\.0: its logarithm") as zero:
        checks.positive_entries("x", positive, "SPEC 1")
    assert zero.value.index == first(x < 0)
    with pytest.raises(NegativeEntry):
        checks.positive_entries("x", x, "SPEC 1")


def test_what_is_no_number_comes_before_what_is_negative() -> None:
    with pytest.raises(NonFiniteEntry, match=r"x\[2\] must be a finite number, got nan"):
        checks.non_negative("x", np.array([1.0, -1.0, np.nan]), "SPEC 1")


def test_minus_zero_is_zero_and_the_complex_step_is_let_through() -> None:
    checks.non_negative("x", np.array([-0.0, 5e-324]), "SPEC 1")
    checks.non_negative("x", np.array([0.0 - 1e-40j, 1.0]), "SPEC 1")
    with pytest.raises(NegativeEntry):
        checks.non_negative("x", np.array([-1.0 + 1e-40j]), "SPEC 1")


@given(draw.sizes(2), GENERATORS, st.sampled_from([0.0, 0.5, 0.999, 1.001, 2.0]))
def test_rows_that_are_no_distribution(shape: tuple[int, ...], rng: Seeded, total: float) -> None:
    x = draw.simplex(rng, *shape)
    checks.probabilities("x", x, "SPEC 5")
    checks.probabilities("x", x * (1 + 1e-5), "SPEC 5")
    row = int(rng.integers(shape[0]))
    x[row:] *= total
    with pytest.raises(OffSimplex, match=rf"x\[{row}\] must add up to 1, got .*softmax") as caught:
        checks.probabilities("x", x, "SPEC 5")
    assert caught.value.row == (row,)
    assert caught.value.total == pytest.approx(total)


# --- shapes -----------------------------------------------------------------------------------


@given(SHAPES, st.data())
def test_shapes(shape: tuple[int, ...], data: st.DataObject) -> None:
    x = np.zeros(shape)
    known = data.draw(st.tuples(*(st.sampled_from([size, None]) for size in shape)))
    checks.shape("x", x, known, "any", "SPEC 8")
    axis = data.draw(st.integers(0, len(shape) - 1))
    wrong = [*shape[:axis], shape[axis] + data.draw(st.sampled_from([-1, 1])), *shape[axis + 1 :]]
    for expected in (wrong, [*shape, None], list(shape[1:]), [None, *known]):
        with pytest.raises(
            WrongShape, match=r"x must have shape .*, got .*; .*\(SPEC 8\)"
        ) as caught:
            checks.shape("x", x, expected, "A B", "SPEC 8")
        assert (caught.value.name, caught.value.got) == ("x", shape)
        sizes = ", ".join("any" if size is None else str(size) for size in expected)
        assert f"[A B] = ({sizes})" in str(caught.value)


def test_no_samples() -> None:
    checks.samples("x", np.zeros((1, 0)), "SPEC 1")
    with pytest.raises(NoSamples, match=r"x must hold at least one sample, got none \(SPEC 1\)"):
        checks.samples("x", np.zeros((0, 3)), "SPEC 1")


def test_the_first_row_of_zeros() -> None:
    y = np.array([[0.0, 1.0], [0.0, 0.0], [0.5, 0.0], [0.0, 0.0]])
    with pytest.raises(EmptyTarget, match=r"targets\[1\] must have a positive entry") as caught:
        checks.targets(y, 4)
    assert caught.value.row == 1
    checks.targets(y[[0, 2]], 2)
    with pytest.raises(WrongShape, match=r"targets must have shape .*\(3, any\).*, got \(4, 2\)"):
        checks.targets(y, 3)


# --- tokens, masks, pivots ----------------------------------------------------------------------


@given(SHAPES, GENERATORS, st.integers(1, 9))
def test_token_ids(shape: tuple[int, ...], rng: Seeded, size: int) -> None:
    x = rng.integers(0, size, shape)
    checks.token_ids(x, size)
    where = tuple(int(rng.integers(n)) for n in shape)
    for value in (size, -1, size + 5):
        x[where] = value
        with pytest.raises(
            TokenOutOfRange, match=rf"tokens\[.*\] must be .*0 … {size - 1}.*, got {value}"
        ) as no:
            checks.token_ids(x, size)
        assert (no.value.index, no.value.value, no.value.size) == (where, value, size)


@pytest.mark.parametrize("dtype", [np.float64, np.bool_])
def test_token_ids_are_whole(dtype: type) -> None:
    with pytest.raises(
        BadOption, match=r"words\.dtype must be an integer type.*, got '(float64|bool)'"
    ):
        checks.token_ids(np.zeros(3, dtype=dtype), 5, "words")
    checks.token_ids(np.zeros(3, dtype=np.uint16), 5, "words")


@given(draw.sizes(2), GENERATORS)
def test_masks_and_pivots(shape: tuple[int, ...], rng: Seeded) -> None:
    n, slots = shape
    mask = rng.random(shape) < 0.5
    pivot = rng.integers(0, slots, n)
    mask[np.arange(n), pivot] = True
    checks.mask_rows(mask)
    checks.pivots(pivot, mask)
    row = int(rng.integers(n))
    invalid = mask.copy()
    invalid[row, pivot[row]] = False
    for bad_pivot, bad_mask in (
        (pivot, invalid),
        (np.where(np.arange(n) == row, slots, pivot), mask),
        (np.where(np.arange(n) == row, -1, pivot), mask),
    ):
        with pytest.raises(
            InvalidPivot, match=rf"pivot\[{row}\] must be .* of {slots} slots, got "
        ) as no:
            checks.pivots(bad_pivot, bad_mask)
        assert (no.value.row, no.value.pivot) == (row, bad_pivot[row])
    mask[row:] = False
    with pytest.raises(
        EmptyMask, match=rf"mask\[{row}\] must have at least one valid entry"
    ) as empty:
        checks.mask_rows(mask)
    assert empty.value.row == (row,)


def test_masks_of_any_number_of_dimensions() -> None:
    mask = np.ones((2, 3, 5), dtype=np.bool_)
    mask[1, 2] = False
    with pytest.raises(EmptyMask, match=r"mask\[1, 2\]"):
        checks.mask_rows(mask)
    with pytest.raises(EmptyMask, match=r"^mask must have"):
        checks.mask_rows(np.zeros(5, dtype=np.bool_))


# --- settings ---------------------------------------------------------------------------------


@given(st.integers(-9, 9), st.integers(-3, 3), st.sampled_from([int, np.int8, np.int64]))
def test_whole_numbers(value: int, least: int, kind: Callable[[int], Any]) -> None:
    if value >= least:
        assert checks.whole("steps", kind(value), least, "SPEC 1") == value
        assert type(checks.whole("steps", kind(value), least, "SPEC 1")) is int
    else:
        with pytest.raises(BadOption, match=rf"whole number >= {least}, got .* \(SPEC 1\)"):
            checks.whole("steps", kind(value), least, "SPEC 1")


@pytest.mark.parametrize("value", [2.0, "2", None, True, [2], np.float64(3.0), np.True_])
def test_what_is_no_whole_number(value: Any) -> None:
    with pytest.raises(BadOption, match=r"steps must be a whole number >= 1, got ") as caught:
        checks.whole("steps", value, 1, "SPEC 1")
    assert caught.value.name == "steps"
    assert caught.value.value is value


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_positive_numbers(value: float) -> None:
    for zero in (False, True):
        if math.isfinite(value) and (value > 0 or (zero and value == 0)):
            assert checks.positive("rate", value, "SPEC 6", zero=zero) == value
        else:
            sign = ">=" if zero else ">"
            with pytest.raises(BadOption, match=rf"rate must be a finite number {sign} 0, got "):
                checks.positive("rate", value, "SPEC 6", zero=zero)


@pytest.mark.parametrize("value", ["fast", None, [1.0, 2.0]])
def test_what_is_no_number(value: Any) -> None:
    with (
        shapes_unchecked(),
        pytest.raises(BadOption, match=r"rate must be a finite number > 0, got "),
    ):
        checks.positive("rate", value, "SPEC 6")


def test_one_of_a_few_words() -> None:
    checks.choice("gain", "unit", ("unit", "count"), "SPEC 4")
    with pytest.raises(BadOption, match=r"gain must be 'unit' or 'count'.*, got 'Unit'"):
        checks.choice("gain", "Unit", ("unit", "count"), "SPEC 4")


# --- once, at the door ------------------------------------------------------------------------


class Calls(NamedTuple):
    """The calls of the functions of `saffu.checks` in one public call."""

    checked: Counter[tuple[str, int]]
    """(function, id of the array): how often"""
    total: int


def calls_of_checks(call: Callable[[], object]) -> Calls:
    checked: Counter[tuple[str, int]] = Counter()
    kept: list[object] = []  # an array that is gone could lend its id to another
    total = 0

    def profile(frame: FrameType, event: str, _: object) -> None:
        nonlocal total
        code = frame.f_code
        if event != "call" or code.co_filename != checks.__file__ or code.co_name[0] == "<":
            return
        total += 1
        names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        arrays = [frame.f_locals[name] for name in names]
        arrays = [x for x in arrays if hasattr(x, "__dlpack__")]
        kept.extend(arrays)
        checked.update((code.co_name, id(x)) for x in arrays)

    sys.setprofile(profile)
    try:
        call()
    finally:
        sys.setprofile(None)
    return Calls(checked, total)


TEXT = [np.array([0, 5, 6, 7, 5, 6, 1]), np.array([0, 6, 7, 5, 1])]
H, Y = np.array([[1.0, 0.5, 0.0], [0.0, 2.0, 1.0]]), np.array([[1.0, 0.0], [0.5, 1.0]])
F = H.T @ Y + 1.0
DEEP = replace(TINY, contexts=(RadialContext(3), DocumentContext()), depth=2, radii=(2,))
X = np.random.default_rng(1).dirichlet(np.ones(4), (3, 2))
MASK, PIVOT = np.array([[True, True], [True, False], [True, True]]), np.array([0, 0, 1])
W, U = np.ones((2, 2)), np.ones((8, 5))
FITTED = WarmSettings(hidden_temper=None, output_temper=None, refits=1)
MODEL = warm_start(TEXT, DEEP).parameters
BATCH = plan(make_samples(TEXT), DEEP)
STATE = saffu_forward(X, MASK, PIVOT, W, U)
TRIED: list[Smoothing] = [Discount(0.5), Discount(0.75), Backoff(1.0)]


@pytest.mark.parametrize(
    ("call", "most"),
    [
        pytest.param(lambda: cooccurrence(H, Y), 6, id="cooccurrence"),
        pytest.param(lambda: fit_temper(H, Y, F), 16, id="fit_temper"),
        pytest.param(
            lambda: choose_smoothing(
                Cooccurrence(np.array([[2.0, 0.0], [1.0, 3.0], [0.0, 2.0]]), 6.0, 5),
                (H, Y),
                candidates=TRIED,
                temper=True,
            ),
            12,
            id="choose_smoothing",
        ),
        pytest.param(lambda: saffu_forward(X, MASK, PIVOT, W, U), 20, id="saffu_forward"),
        pytest.param(
            lambda: saffu_backward(np.ones((3, 5)), STATE, X, MASK, PIVOT, W, U),
            4,
            id="saffu_backward",
        ),
        pytest.param(lambda: model_gradient(MODEL, BATCH, DEEP.layer), 60, id="model_gradient"),
        pytest.param(lambda: warm_start(TEXT, TINY), 40, id="warm_start"),
        pytest.param(lambda: warm_start(TEXT, DEEP, FITTED), 60, id="warm_start, deep"),
    ],
)
def test_no_check_is_made_twice_on_one_array_in_one_public_call(
    call: Callable[[], object], most: int
) -> None:
    calls = calls_of_checks(call)
    assert calls.checked
    assert [check for (check, _), times in calls.checked.items() if times > 1] == []
    assert calls.total <= most


def test_features_reach_their_counts_in_few_calls() -> None:
    steps: list[str] = []

    def profile(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        ours = code.co_filename.startswith(str(Path(checks.__file__).parent))
        if event != "call" or not ours or code.co_name[0] == "<":
            return
        passed = [frame.f_locals[name] for name in code.co_varnames if name in frame.f_locals]
        passed = [x for value in passed for x in (value if type(value) is tuple else [value])]
        if any(x is H or (foreign(x) and tuple(x.shape) == H.shape) for x in passed):
            steps.append(code.co_name)

    def foreign(x: object) -> bool:
        """Another library's array of numbers, in the place of H (see spec_tests/arrays.py)."""
        return not isinstance(x, np.ndarray) and "float" in str(getattr(x, "dtype", ""))

    sys.setprofile(profile)
    try:
        cooccurrence(H, Y)
    finally:
        sys.setprofile(None)
    first = steps.index("cooccurrence")
    assert steps[:2] == ["accepted", "numbers"]  # the door, the same for all operations
    assert first <= 4
    assert len(steps[first:]) <= 6


INNER = sorted(
    path
    for package in ("fast", "search", "network")
    for path in Path(saffu.__file__).with_name(package).glob("*.py")
)
DOORS_WITHIN = {("labels", "cipher_embedding")}
"""Checked calls of inner code, by module and function: nothing before them has checked the bits."""


@pytest.mark.parametrize("path", INNER, ids=lambda path: f"{path.parent.name}.{path.stem}")
def test_inner_code_calls_inner_functions(path: Path) -> None:
    lines = ast.parse(path.read_text(encoding="utf-8")).body
    checked = {
        (path.stem, alias.name)
        for each in lines
        if isinstance(each, ast.ImportFrom) and (each.module or "").startswith("saffu.")
        for alias in each.names
        if hasattr(import_module(str(each.module)), f"{alias.name}_unchecked")
    }
    assert checked <= DOORS_WITHIN
