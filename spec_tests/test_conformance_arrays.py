"""Arrays on the wire: what is written reads back bit for bit, and what is no array is refused."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from saffu.conformance.contract.arrays import canonical, decode, encode
from saffu.errors import BadRecord
from saffu.types import Array

SHAPES = arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)
ANY = st.one_of(
    arrays.arrays(np.float64, SHAPES),
    arrays.arrays(np.float32, SHAPES, elements=st.floats(width=32)),
    arrays.arrays(np.int64, SHAPES),
    arrays.arrays(np.bool_, SHAPES),
)


def bits(x: Array) -> tuple[Any, ...]:
    plain = np.where(np.isnan(x), np.nan, x).astype(x.dtype) if x.dtype.kind == "f" else x
    return x.dtype, x.shape, plain.tobytes()


@given(ANY)
def test_what_is_written_reads_back_bit_for_bit(x: Array) -> None:
    text = json.dumps(encode(x), allow_nan=False)
    assert bits(decode(json.loads(text))) == bits(x)


@given(ANY)
def test_canonical_text_is_the_same_record(x: Array) -> None:
    record = {"z": encode(x), "a": [1, "two", None], "b": {}}
    text = canonical(record)
    assert json.loads(text) == record
    assert canonical(json.loads(text)) == text


def test_canonical_text_has_sorted_keys_and_a_row_a_line() -> None:
    lines = canonical({"b": 1, "a": encode(np.arange(6.0).reshape(2, 3))}).splitlines()
    assert [line.strip() for line in lines] == [
        "{", '"a": {', '"data": [', "0.0, 1.0, 2.0,", "3.0, 4.0, 5.0", "],",
        '"dtype": "float64",', '"shape": [2, 3]', "},", '"b": 1', "}",
    ]  # fmt: skip


@pytest.mark.parametrize("dtype", [np.int8, np.uint16, np.int32])
def test_whole_numbers_of_any_width_become_int64(dtype: type) -> None:
    assert encode(np.array([1, 2], dtype=dtype)) == {
        "dtype": "int64", "shape": [2], "data": [1, 2],
    }  # fmt: skip


@pytest.mark.parametrize("x", [np.array([1j]), np.array(["a"]), np.array([1.0], dtype=np.float16)])
def test_other_types_are_not_written(x: Array) -> None:
    with pytest.raises(BadRecord, match="dtype"):
        encode(x)


def test_a_whole_number_may_stand_for_a_float() -> None:
    x = decode({"dtype": "float64", "shape": [2], "data": [1, 10**20]})
    assert x.dtype == np.float64
    assert x.tolist() == [1.0, 1e20]


ONE: dict[str, Any] = {"dtype": "float64", "shape": [2], "data": [1.0, 2.0]}


@pytest.mark.parametrize(
    "record",
    [
        None, [1.0], {}, {**ONE, "more": 1}, {"dtype": "float64", "data": [1.0]},
        {**ONE, "dtype": "float16"}, {**ONE, "dtype": ["float64"]},
        {**ONE, "shape": [3]}, {**ONE, "shape": 2}, {**ONE, "shape": [-1, -2]},
        {**ONE, "shape": [2.0]}, {**ONE, "shape": [True, 2]},
        {**ONE, "data": 1.0}, {**ONE, "data": [1.0, "NaN"]}, {**ONE, "data": [1.0, None]},
        {**ONE, "data": [1.0, True]}, {**ONE, "data": [1.0, [2.0]]},
        {**ONE, "data": [1.0, 10**400]}, {**ONE, "data": [1.0, float("nan")]},
        {**ONE, "dtype": "int64"}, {**ONE, "dtype": "int64", "data": [1, 2**63]},
        {**ONE, "dtype": "int64", "data": [1, True]}, {**ONE, "dtype": "int64", "data": [1, "2"]},
        {**ONE, "dtype": "bool"}, {**ONE, "dtype": "bool", "data": [0, 1]},
    ],
)  # fmt: skip
def test_what_is_no_array_is_refused(record: Any) -> None:
    with pytest.raises(BadRecord, match="the record of a thing"):
        decode(record, "thing")
