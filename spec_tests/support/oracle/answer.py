"""From arrays to the answer of the oracle: numbers of an arithmetic in, float64 out.   (SPEC 9)"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import isfunction
from typing import Any

import numpy as np

from spec_tests.support.oracle import operations
from spec_tests.support.oracle.arithmetic import Arithmetic, Row
from spec_tests.support.oracle.operations import Answer
from spec_tests.support.oracle.tape import Tape

Array = np.ndarray[Any, Any]

OPERATIONS: dict[str, Callable[[Arithmetic, Mapping[str, Any], Mapping[str, Any]], Answer]] = {
    name: function
    for name, function in vars(operations).items()
    if isfunction(function)
    and function.__module__ == operations.__name__
    and not name.startswith("_")
}
"""The oracle's function for each operation, by name."""


def answer(
    ar: Arithmetic,
    operation: str,
    attributes: Mapping[str, Any],
    inputs: Mapping[str, Array],
    cotangents: Mapping[str, Array] | None = None,
) -> dict[str, Array]:
    """Outputs, stages and gradients of an operation, computed in `ar` and rounded once.

    Whole numbers and truth values come back as int64 and bool, everything else as float64.
    """
    lists = {name: _lists(ar, array) for name, array in inputs.items()}
    with np.errstate(all="ignore"):
        if cotangents:
            answers = _differentiated(ar, operation, attributes, lists, cotangents)
        else:
            answers = OPERATIONS[operation](ar, lists, attributes)
        return {name: _array(ar, value) for name, value in answers.items()}


def _lists(ar: Arithmetic, array: Array) -> Any:
    """An array as numbers in lists; whole numbers and truth values stay Python's own."""
    if array.dtype.kind != "f":
        return array.tolist()

    def convert(value: Any) -> Any:
        return [convert(one) for one in value] if isinstance(value, list) else ar.number(value)

    return convert(array.astype(np.float64).tolist())


def _array(ar: Arithmetic, value: Any) -> Array:
    if isinstance(value, np.ndarray):
        return value

    def convert(entry: Any) -> Any:
        if isinstance(entry, list):
            return [convert(one) for one in entry]
        return entry if isinstance(entry, float) else ar.rounded(entry)

    return np.array(convert(value), dtype=np.float64)


def _differentiated(
    ar: Arithmetic,
    operation: str,
    attributes: Mapping[str, Any],
    lists: Mapping[str, Any],
    cotangents: Mapping[str, Array],
) -> Answer:
    """The answer, and the gradients of ⟨cotangents, outputs⟩ in all inputs of floats."""
    tape = Tape(ar)
    given = {name: _recorded(tape, value) for name, value in lists.items()}
    answers = OPERATIONS[operation](tape, given, attributes)
    pairs = [
        (entry, cotangent)
        for name, array in cotangents.items()
        for cotangent, entry in zip(_flat(_lists(ar, array)), _flat(answers[name]), strict=True)
        if not isinstance(entry, float)
    ]
    end = tape.dot([entry for entry, _ in pairs], [cotangent for _, cotangent in pairs])
    plain = {name: _values(value) for name, value in answers.items()}
    for name, value in given.items():
        if not isinstance(_flat(value)[0], (int, bool)):
            plain[f"gradient.{name}"] = tape.gradient(end, value)
    return plain


def _recorded(tape: Tape, value: Any) -> Any:
    return value if isinstance(_flat(value)[0], (int, bool)) else tape.leaves(value)


def _values(value: Any) -> Any:
    if isinstance(value, list):
        return [_values(one) for one in value]
    return value if isinstance(value, (float, np.ndarray)) else value.value


def _flat(value: Any) -> Row:
    return [entry for one in value for entry in _flat(one)] if isinstance(value, list) else [value]
