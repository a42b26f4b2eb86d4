"""Sums by index: the definition, on every library's kernels.   (SPEC 5, 6)"""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saffu.arrays import kernels
from saffu.arrays.kernels import HostKernels, Kernels, ScatterKernels, blocks, scatter_cupy
from saffu.arrays.namespace import namespace, on_host
from saffu.types import Array
from spec_tests.conftest import shapes_unchecked
from spec_tests.support import strategies as draw
from spec_tests.support.array_libraries import LIBRARIES, Library
from spec_tests.support.strategies import Seeded

GENERATORS = draw.generators()
SIZE, V, D = 7, 5, 3
ROUNDING = {np.float32: 1e-5, np.float64: 1e-13, np.complex128: 1e-13}


def entries(rng: Seeded, count: int, dtype: Any = np.float64) -> tuple[Array, Array, Array, Array]:
    """Weights, rows, columns and a table; many entries share their row, none has the last one."""
    row, column = rng.integers(0, SIZE - 1, count), rng.integers(0, V, count)
    table: Array = rng.normal(size=(V, D))
    if np.issubdtype(dtype, np.complexfloating):
        table = table + 1j * rng.normal(size=(V, D))
    weight = rng.normal(size=count).astype(np.empty(0, dtype).real.dtype)
    return weight, row, column, table.astype(dtype)


def combined(weight: Array, row: Array, column: Array, table: Array) -> Array:
    """The definition, one entry after the other."""
    out = np.zeros((SIZE, table.shape[1]), dtype=table.dtype)
    for w, i, j in zip(weight, row, column, strict=True):
        out[i] += w * table[j]
    return out


@given(st.integers(0, 13), GENERATORS)
def test_on_the_host(count: int, rng: Seeded) -> None:
    weight, row, column, table = entries(rng, count)
    host = HostKernels()
    assert isinstance(kernels.kernels(np, table), HostKernels)
    expected = combined(weight, row, column, table)
    np.testing.assert_allclose(host.combine(weight, row, column, table, SIZE), expected, atol=1e-13)
    expected = combined(np.ones(count), row, np.arange(count), table[column])
    np.testing.assert_allclose(host.add_rows(row, table[column], SIZE), expected, atol=1e-13)
    assert host.how_often(row, SIZE).tolist() == [row.tolist().count(i) for i in range(SIZE)]


@pytest.fixture(params=[3, 29, 1 << 22], ids=["by-one", "by-few", "at-once"])
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "MOST_NUMBERS", request.param)


@pytest.mark.usefixtures("block", "as_users_call")
@pytest.mark.parametrize("count", [0, 1, 13])
@pytest.mark.parametrize("dtype", ROUNDING)
def test_on_other_libraries(library: Library, dtype: Any, count: int) -> None:
    weight, row, column, table = entries(Seeded(count), count, dtype)
    w, i, j, x, rows = map(library.take, (weight, row, column, table, table[column]))
    theirs = kernels.kernels(namespace(x), x)
    assert isinstance(theirs, ScatterKernels)
    pairs = [
        (theirs.combine(w, i, j, x, SIZE), combined(weight, row, column, table)),
        (theirs.add_rows(i, rows, SIZE), HostKernels().add_rows(row, table[column], SIZE)),
    ]
    for got, expected in pairs:
        assert library.owns(got)
        assert on_host(got).dtype == expected.dtype
        np.testing.assert_allclose(on_host(got), expected, atol=ROUNDING[dtype])
    often = theirs.how_often(i, SIZE)
    assert library.owns(often)
    assert on_host(often).tolist() == HostKernels().how_often(row, SIZE).tolist()


@pytest.mark.torch
def test_torch_has_a_kernel_of_its_own(as_users_call: None) -> None:
    pytest.importorskip("torch")
    x = LIBRARIES["torch"]().take(np.ones((V, D)))
    theirs: Kernels = kernels.kernels(namespace(x), x)
    assert isinstance(theirs, ScatterKernels)
    assert theirs.scatter is kernels.scatter_torch


@pytest.mark.parametrize("dtype", ROUNDING)
def test_cupy_adds_what_shares_a_place(dtype: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a stand-in for its function, which behaves as `np.add.at` does but for what it refuses."""

    def scatter_add(out: Array, index: Array, rows: Array) -> None:
        if out.dtype not in (np.int32, np.uint32, np.uint64, np.float32, np.float64):
            raise TypeError("scatter_add only supports int32, float32, float64, uint32, uint64")
        np.add.at(out, index, rows)

    monkeypatch.setitem(sys.modules, "cupyx", SimpleNamespace(scatter_add=scatter_add))
    assert kernels.SCATTERS["cupy"] is scatter_cupy
    weight, row, column, table = entries(Seeded(5), 13, dtype)
    theirs = ScatterKernels(namespace(table), scatter_cupy)
    got, expected = theirs.combine(weight, row, column, table, SIZE), (weight, row, column, table)
    assert got.dtype == dtype
    np.testing.assert_allclose(got, combined(*expected), atol=ROUNDING[dtype])
    assert np.array_equal(theirs.how_often(row, SIZE), HostKernels().how_often(row, SIZE))


@given(st.integers(0, 100), st.integers(0, 100))
def test_blocks_are_bounded_and_leave_nothing_out(count: int, width: int) -> None:
    before, kernels.MOST_NUMBERS = kernels.MOST_NUMBERS, 64
    try:
        parts = list(blocks(count, width))
    finally:
        kernels.MOST_NUMBERS = before
    assert [m for part in parts for m in range(count)[part]] == list(range(count))
    assert all((part.stop - part.start) * width <= max(64, width) for part in parts)


def test_whoever_has_no_kernel_gets_a_dense_product(as_users_call: None) -> None:
    x = LIBRARIES["strict"]().take(np.ones((V, D)))
    theirs = kernels.kernels(namespace(x), x)
    assert isinstance(theirs, ScatterKernels)
    assert theirs.scatter is kernels.scatter_dense
    with shapes_unchecked():
        assert on_host(theirs.how_often(LIBRARIES["strict"]().take(np.zeros(3, int)), 2))[0] == 3
