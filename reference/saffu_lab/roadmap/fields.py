"""Fields of a map's TOML file: defaults and allowed values.   (SPEC 8)"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from saffu.data.readers import UNITS
from saffu.errors import BadOption
from saffu_lab.study.sources import NAMED

_SPEC: Final = "SPEC 8"


class Field(NamedTuple):
    """Default and check of one field of a section."""

    default: Any
    check: Callable[[Any], bool]
    expected: str


def _whole(least: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and value >= least


def _number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and value > 0


def _list(of: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and len(value) > 0 and all(map(of, value))


NUMBERS: Final = (_list(_number), "a list of numbers > 0")
"""The check of a list of numbers, and its description."""

FIELDS: Final[Mapping[str, Mapping[str, Field]]] = {
    "text": {
        "names": Field(
            ["prose"],
            _list(lambda value: isinstance(value, str)),
            f"a list of {', '.join(NAMED)}, or paths of files and folders",
        ),
        "unit": Field("paragraph", lambda value: value in UNITS, f"one of {', '.join(UNITS)}"),
        "vocabulary": Field(2048, _whole(4), "a whole number >= 4"),
        "targets": Field(None, _whole(1), "a whole number >= 1"),
        "seed": Field(1, _whole(0), "a whole number >= 0"),
    },
    "search": {
        "hidden": Field([10.0, 100.0, 1000.0], *NUMBERS),
        "factors": Field([1.5, 3.0, 6.0], *NUMBERS),
        "smoothing": Field([3.0, 10.0, 30.0, 100.0], *NUMBERS),
    },
    "walk": {
        "models": Field(250, _whole(1), "a whole number >= 1"),
        "seed": Field(1, _whole(0), "a whole number >= 0"),
    },
    "training": {
        "best": Field(10, _whole(0), "a whole number >= 0"),
        "random_share": Field(
            0.1,
            lambda value: value == 0 or (_number(value) and value <= 1),
            "a number from 0 to 1",
        ),
        "rates": Field([0.01], *NUMBERS),
        "frozen": Field(1, _whole(0), "a whole number >= 0"),
        "thawed": Field(0, _whole(0), "a whole number >= 0"),
        "checks": Field(2, _whole(1), "a whole number >= 1"),
        "batch": Field(1024, _whole(1), "a whole number >= 1"),
        "cold": Field(True, lambda value: type(value) is bool, "true or false"),
        "scales": Field([0.3, 1.0], *NUMBERS),
    },
}
"""All sections except [space] and [[skip]]."""


def section(name: str, given: Any) -> dict[str, Any]:
    """One section, with its defaults filled in.

    Refuses: unknown fields; values that a field cannot have.

    >>> section("walk", {"models": 7})
    {'models': 7, 'seed': 1}
    """
    known = FIELDS[name]
    if not isinstance(given, Mapping):
        raise BadOption(name, given, f"a section, [{name}]", _SPEC)
    for field, value in given.items():
        if field not in known:
            raise BadOption(f"[{name}] field", field, f"one of {', '.join(known)}", _SPEC)
        if not known[field].check(value):
            raise BadOption(f"[{name}] {field}", value, known[field].expected, _SPEC)
    return {field: given.get(field, about.default) for field, about in known.items()}
