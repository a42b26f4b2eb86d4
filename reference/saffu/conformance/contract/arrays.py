"""Arrays as JSON records, readable in any language.   (SPEC 9)

    {"dtype": "float64", "shape": [2, 3], "data": [1.0, 0.5, "-inf", 0.0, 0.1, 7.0]}

Numbers lie row by row, as the shortest decimals that give the same bits back; what JSON has no
number for is a string, `"nan"`, `"inf"` or `"-inf"`.  A number without dimensions has shape [] and
one entry.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from saffu.errors import BadRecord
from saffu.types import Array

DTYPES: Final = ("float64", "float32", "int64", "bool")
"""Types of entries in a record."""

NON_FINITE: Final = ("nan", "inf", "-inf")
"""Strings for the numbers that JSON cannot write."""

MAX_DIMENSIONS: Final = 8
"""Dimensions of an array; the product of many of them takes long."""


def encode(array: Any) -> dict[str, Any]:
    """The record of an array; whole numbers become int64.

    Refuses: complex numbers, text, objects.

    >>> encode(np.array([[0.1, -np.inf]]))
    {'dtype': 'float64', 'shape': [1, 2], 'data': [0.1, '-inf']}
    """
    x = np.asarray(array)
    if x.dtype.kind in "iu":
        x = x.astype(np.int64)
    dtype = str(x.dtype)
    if dtype not in DTYPES:
        raise BadRecord("array", f"dtype must be one of {', '.join(DTYPES)}, got {dtype}")
    data: list[Any] = x.reshape(-1).tolist()
    if dtype == "float32":
        data = [float(str(entry)) for entry in x.reshape(-1)]
    if x.dtype.kind == "f":
        data = [entry if math.isfinite(entry) else str(entry) for entry in data]
    return {"dtype": dtype, "shape": list(x.shape), "data": data}


def decode(record: Any, name: str = "array") -> Array:
    """The array of a record.

    Parameters: `record` as `encode` writes it; a whole number may stand for a float; `name` for the
    message.
    Refuses: other or missing fields; more than eight dimensions; a shape that does not fit the
    data; entries of another type.

    >>> decode({"dtype": "int64", "shape": [1, 2], "data": [7, 5]}).tolist()
    [[7, 5]]
    """
    if not isinstance(record, Mapping) or set(record) != {"dtype", "shape", "data"}:
        raise BadRecord(name, "must be an object with the fields dtype, shape and data")
    dtype, shape, data = record["dtype"], record["shape"], record["data"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise BadRecord(name, f"dtype must be one of {', '.join(DTYPES)}, got {_quoted(dtype)}")
    if not isinstance(shape, list) or len(shape) > MAX_DIMENSIONS:
        expected = f"a list of at most {MAX_DIMENSIONS} whole numbers"
        raise BadRecord(name, f"shape must be {expected}, got {_quoted(shape)}")
    if not all(type(s) is int and 0 <= s < 2**63 for s in shape):
        quoted = ", ".join(map(_quoted, shape))
        raise BadRecord(name, f"shape must be a list of whole numbers >= 0, got [{quoted}]")
    if not isinstance(data, list) or len(data) != math.prod(shape):
        size = len(data) if isinstance(data, list) else type(data).__name__
        raise BadRecord(
            name, f"data must have {math.prod(shape)} entries for shape {shape}, got {size}"
        )
    read = {"bool": _boolean, "int64": _whole}.get(dtype, _number)
    return np.array([read(name, entry) for entry in data], dtype=dtype).reshape(shape)


def _quoted(value: Any) -> str:
    """A value of a record in a message; what holds other values, by its size alone."""
    if isinstance(value, list | dict):
        return f"{'a list' if isinstance(value, list) else 'an object'} of {len(value)}"
    return repr(value) if len(repr(value)) <= 60 else f"{repr(value)[:60]}…"


def _boolean(name: str, entry: Any) -> bool:
    if type(entry) is not bool:
        raise BadRecord(name, f"data must hold true or false, got {_quoted(entry)}")
    return entry


def _whole(name: str, entry: Any) -> int:
    if type(entry) is not int or not -(2**63) <= entry < 2**63:
        raise BadRecord(name, f"data must hold whole numbers of 64 bits, got {_quoted(entry)}")
    return entry


def _number(name: str, entry: Any) -> float:
    if isinstance(entry, str) and entry in NON_FINITE:
        return float(entry)
    if type(entry) is float and math.isfinite(entry):
        return entry
    if type(entry) is int and abs(entry) < 2**1023:
        return float(entry)
    raise BadRecord(name, f"data must hold numbers or one of {NON_FINITE}, got {_quoted(entry)}")


def canonical(record: Any) -> str:
    """JSON text with sorted keys and one row of numbers per line, so that changes can be reviewed.

    >>> print(canonical({"b": [1, 2], "a": encode(np.eye(2))}), end="")
    {
      "a": {
        "data": [
          1.0, 0.0,
          0.0, 1.0
        ],
        "dtype": "float64",
        "shape": [2, 2]
      },
      "b": [1, 2]
    }
    """
    return _write(record, "") + "\n"


def _write(value: Any, indent: str) -> str:
    inner = indent + "  "
    if isinstance(value, Mapping) and value:
        texts = {key: _write(value[key], inner) for key in value}
        if row := _row_length(value):
            texts["data"] = _rows(value["data"], row, inner)
        lines = [f"{inner}{_write(key, '')}: {texts[key]}" for key in sorted(texts)]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    if isinstance(value, list) and any(isinstance(entry, (Mapping, list)) for entry in value):
        lines = [inner + _write(entry, inner) for entry in value]
        return "[\n" + ",\n".join(lines) + f"\n{indent}]"
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _row_length(record: Mapping[str, Any]) -> int:
    """Entries per line of an array's data; 0 for other records and for a single row."""
    shape = record.get("shape")
    if set(record) != {"dtype", "shape", "data"} or not isinstance(shape, list) or len(shape) < 2:
        return 0
    return shape[-1] if math.prod(shape) > 0 else 0


def _rows(data: list[Any], length: int, indent: str) -> str:
    rows = [
        f"{indent}  " + json.dumps(data[at : at + length])[1:-1]
        for at in range(0, len(data), length)
    ]
    return "[\n" + ",\n".join(rows) + f"\n{indent}]"
