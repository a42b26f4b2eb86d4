"""The array functions relied on, and that any library's arrays give the same numbers.   (SPEC 9)"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saffu.arrays.namespace import (
    Namespace,
    add_rows,
    average_rows,
    average_rows_vjp,
    beside,
    floating,
    namespace,
    on_host,
    real,
)
from saffu.counts import cooccurrence
from saffu.errors import Missing, NegativeEntry, NonFiniteEntry, SaffuError, TokenOutOfRange
from saffu.explicit.hidden import hidden_targets
from saffu.explicit.refinement import refine
from saffu.explicit.temper import tempered_logits
from saffu.layer import saffu_forward
from saffu.loss import cross_entropy, cross_entropy_gradient, token_nats
from saffu.numerics import softmax
from saffu.types import Array
from spec_tests.conftest import shapes_unchecked
from spec_tests.support import strategies as draw
from spec_tests.support.adjoint import assert_adjoint
from spec_tests.support.array_libraries import Library, strict
from spec_tests.support.portable import CASES, numbers
from spec_tests.support.strategies import Seeded

GENERATORS = draw.generators()


# --- rows by index ----------------------------------------------------------------------------


@given(st.integers(0, 11), GENERATORS)
def test_rows_that_share_an_index_add_up(samples: int, rng: Seeded) -> None:
    size, width = 5, 3
    index, rows = rng.integers(0, size, samples), rng.normal(size=(samples, width))
    total = add_rows(index, rows, size)
    assert total.shape == (size, width)
    for j in range(size):
        expected = sum((rows[m] for m in range(samples) if index[m] == j), np.zeros(width))
        np.testing.assert_allclose(total[j], expected, atol=1e-13)


@given(st.integers(1, 11), GENERATORS)
def test_adding_up_rows_is_the_adjoint_of_the_gather(samples: int, rng: Seeded) -> None:
    index, table = rng.integers(0, 5, samples), rng.normal(size=(5, 3))
    assert_adjoint(lambda t: t[index], lambda d: add_rows(index, d, 5), table, rng)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=5), GENERATORS)
def test_means_of_rows(lengths: list[int], rng: Seeded) -> None:
    owners, size = len(lengths), 7
    owner = rng.permutation(np.repeat(np.arange(owners), lengths))
    pick, table = rng.integers(0, size, len(owner)), rng.normal(size=(size, 3))
    means = average_rows(table, pick, owner, owners)
    for o in range(owners):
        mine = [table[p] for p, q in zip(pick, owner, strict=True) if q == o]
        np.testing.assert_allclose(means[o], sum(mine) / len(mine), rtol=1e-12, atol=1e-13)
    assert_adjoint(
        lambda t: average_rows(t, pick, owner, owners),
        lambda d: average_rows_vjp(d, table, pick, owner, owners),
        table,
        rng,
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
def test_rows_keep_their_type(dtype: Any) -> None:
    rows, index = np.ones((4, 3), dtype=dtype), np.array([0, 1, 1, 0])
    assert add_rows(index, rows, 5).dtype == dtype
    assert average_rows(rows, index, index, 2).dtype == dtype


def test_real_parts() -> None:
    for dtype in (np.float32, np.float64, np.int64):
        x = np.ones((2, 3), dtype=dtype)
        assert real(x) is x
    z = np.array([1 + 2j, 3 - 1j])
    assert real(z).tolist() == [1.0, 3.0]


def test_whole_numbers_become_floating_ones() -> None:
    for dtype in (np.int8, np.int64, np.uint16):
        x = floating(np.array([3, 5], dtype=dtype))
        assert x.dtype == np.float64
        assert x.tolist() == [3.0, 5.0]
    x = np.ones(2, dtype=np.float32)
    assert floating(x) is x


def test_numpy_has_all_that_is_relied_on() -> None:
    assert isinstance(np, Namespace)
    assert namespace(np.zeros(2), np.zeros((), dtype=np.int64)) is np


def test_arrays_come_home_from_their_device() -> None:
    """As CuPy's and PyTorch's do, which refuse to be copied unasked."""

    class OnDevice:
        def __init__(self, way_home: str) -> None:
            setattr(self, way_home, lambda: np.array([3.0, 5.0]))

        def __array__(self, *_: Any, **__: Any) -> Array:
            raise TypeError("not unasked")

    with shapes_unchecked():
        for x in (OnDevice("get"), OnDevice("cpu"), np.array([3.0, 5.0])):
            home = on_host(x)  # type: ignore[arg-type]
            assert type(home) is np.ndarray
            assert home.tolist() == [3.0, 5.0]


# --- other libraries --------------------------------------------------------------------------


RETURN_NUMPY = ("fit_temper",)
"""What it returns is a few numbers, and the host's."""


def test_what_is_beside_already_does_not_move() -> None:
    x, ids = np.ones(3), np.arange(2)
    assert beside(ids, x) is ids
    with shapes_unchecked():
        there = strict().take(ids)
        assert beside(there, strict().take(x)) is there


@pytest.mark.usefixtures("as_users_call")
def test_whole_numbers_go_where_the_numbers_are(library: Library) -> None:
    x = library.take(np.ones((3, 5)))
    frozen = np.arange(11)[::-2]
    frozen.setflags(write=False)
    for ids in (np.array([2, 0]), np.array([[True], [False]]), frozen):
        there = beside(ids, x)
        assert library.owns(there)
        assert on_host(there).tolist() == ids.tolist()


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize("name", CASES)
def test_every_operation_gives_the_same_numbers(name: str, library: Library) -> None:
    expected = list(numbers(CASES[name](lambda x: x)))
    got = list(numbers(CASES[name](library.take)))
    assert len(got) == len(expected) > 0
    for mine, theirs in zip(got, expected, strict=True):
        if isinstance(theirs, np.ndarray) and not name.startswith(RETURN_NUMPY):
            assert library.owns(mine)
            mine = on_host(mine)
        np.testing.assert_allclose(mine, theirs, rtol=1e-12, atol=1e-13)


NO_SINGLE = (*RETURN_NUMPY, "cipher_decode", "choose", "leave")
COUNTING = ("cooccurrence", "merge", "explicit_solution")
"""What counts samples, and what is solved from those counts without the samples."""
SINGLE = [name for name in CASES if not name.startswith(NO_SINGLE)]


@pytest.mark.parametrize("name", SINGLE)
def test_single_precision_stays_single_but_for_counts(name: str) -> None:
    """Counts are float64 whatever was counted, and so is what comes from counts alone."""

    def single(x: Array) -> Array:
        return x.astype(np.float32) if x.dtype == np.float64 else x

    expected = list(numbers(CASES[name](lambda x: x)))
    for mine, theirs in zip(numbers(CASES[name](single)), expected, strict=True):
        if isinstance(theirs, np.ndarray):
            assert mine.dtype == (np.float64 if name.startswith(COUNTING) else np.float32)
        np.testing.assert_allclose(mine, theirs, rtol=3e-4, atol=3e-5)


@pytest.mark.usefixtures("as_users_call")
def test_refusals_name_the_same(library: Library) -> None:
    z, y = np.zeros((3, 5)), np.ones((3, 5))
    z[1, 3] = np.nan
    of = library.take
    with pytest.raises(
        NonFiniteEntry, match=r"logits\[1, 3\] must be a finite number, got nan"
    ) as no:
        softmax(of(z))
    assert no.value.index == (1, 3)
    with pytest.raises(
        NegativeEntry, match=r"features\[0, 0\] must be >= 0, got -1\.0:"
    ) as negative:
        cooccurrence(of(-y), of(y))
    assert negative.value.value == -1.0
    with pytest.raises(TokenOutOfRange, match=r"tokens\[2\] must be .*, got 7:") as out:
        token_nats(of(y), of(np.array([0, 4, 7])))
    assert (out.value.value, type(out.value.value)) == (7, int)
    with pytest.raises(SaffuError, match=r"attention\[0\] must add up to 1, got 5;"):
        hidden_targets(of(y), of(y))


@pytest.mark.usefixtures("as_users_call")
def test_what_is_no_array() -> None:
    with pytest.raises(SaffuError, match=r"np\.asarray"):
        namespace([1.0, 2.0])  # type: ignore[arg-type]
    with pytest.raises(SaffuError, match=r"arrays of one library"):
        namespace(np.zeros(2), strict().take(np.zeros(2)))


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize("at", [0, 1])
@pytest.mark.parametrize(
    "operation",
    [cooccurrence, cross_entropy, cross_entropy_gradient, hidden_targets, tempered_logits],
)
def test_numbers_of_two_libraries(library: Library, operation: Any, at: int) -> None:
    both = [np.full((5, 5), 0.2), np.full((5, 5), 0.2)]
    operation(*both)
    both[at] = library.take(both[at])
    with pytest.raises(SaffuError, match=r"arrays of one library"):
        operation(*both)


@pytest.mark.usefixtures("as_users_call")
def test_shards_of_two_libraries(library: Library) -> None:
    here, there = (cooccurrence(x, x) for x in (np.ones((3, 5)), library.take(np.ones((3, 5)))))
    with pytest.raises(SaffuError, match=r"arrays of one library"):
        here + there
    with pytest.raises(SaffuError, match=r"arrays of one library"):
        there + here


@pytest.mark.usefixtures("as_users_call")
def test_weights_of_another_library(library: Library) -> None:
    x, mask, pivot = np.full((3, 2, 5), 0.2), np.ones((3, 2), dtype=bool), np.zeros(3, dtype=int)
    w, u = np.zeros((2, 2)), np.zeros((10, 7))
    for weights in ((library.take(w), u), (w, library.take(u))):
        with pytest.raises(SaffuError, match=r"arrays of one library"):
            saffu_forward(x, mask, pivot, *weights)
    for h, y in ((library.take(x[:, 0, :]), x[:, 1, :]), (x[:, 0, :], library.take(x[:, 1, :]))):
        with pytest.raises(SaffuError, match=r"arrays of one library"):
            refine(np.zeros((5, 5)), h, y)


@pytest.mark.usefixtures("as_users_call")
def test_without_the_package_for_other_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    other = strict().take(np.zeros(2))
    monkeypatch.setitem(sys.modules, "array_api_compat", None)
    with pytest.raises(Missing, match=r"an array of array_api_strict needs .*pip install 'saffu"):
        namespace(other)
    assert namespace(np.zeros(2)) is np
