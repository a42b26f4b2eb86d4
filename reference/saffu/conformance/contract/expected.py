"""Expected arrays of a golden case, and the evidence for its bounds.   (SPEC 9)

Records are closed: `closed` refuses a field that is not known, or one that is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from saffu.conformance.contract.arrays import decode, encode
from saffu.errors import BadRecord
from saffu.types import Array

PRECISIONS: Final = ("float64", "float32", "loose")
"""Classes of arithmetic that a port may declare; `loose` is for products of ten bits or fewer."""


@dataclass(frozen=True, eq=False)
class Expected:
    """The expected value of one array, with the unit of its error."""

    value: Array
    scale: float
    """Unit of the error: the magnitude of the terms in the sum.  0: entries must be equal."""

    def to_json(self) -> dict[str, Any]:
        """The record that `from_json` reads."""
        return {"scale": self.scale, "value": encode(self.value)}

    @staticmethod
    def from_json(where: str, record: Any) -> Expected:
        """An expected array of a record; `where` is for the message."""
        closed(where, object_of(where, "an expected array", record), {"scale", "value"})
        scale = number(where, "scale", record["scale"])
        return Expected(decode(record["value"], where), scale)


@dataclass(frozen=True)
class Measured:
    """The error of a known computation on a case."""

    error: float
    who: str
    """the legitimate variant, or the id of the mistake"""

    def to_json(self) -> dict[str, Any]:
        """The record; a mistake that gives another shape, or no number, is off by "inf"."""
        return {"error": "inf" if self.error == float("inf") else self.error, "who": self.who}

    @staticmethod
    def from_json(where: str, record: Any) -> Measured:
        """A measured error of a record."""
        closed(where, object_of(where, "a measured error", record), {"error", "who"})
        error, who = record["error"], record["who"]
        if not isinstance(who, str) or not who:
            raise BadRecord(where, "who is not a text")
        return Measured(float("inf") if error == "inf" else number(where, "error", error), who)


@dataclass(frozen=True)
class Certificate:
    """Evidence for a tolerance: the errors of right computations and of mistakes."""

    legitimate: Mapping[str, Measured]
    """for each class of arithmetic, the worst error of correct computations"""
    mistake: Measured | None
    """the least error of the mistakes that the case hunts, once they have been measured"""

    def to_json(self) -> dict[str, Any]:
        """The record that `from_json` reads."""
        return {
            "legitimate": {name: each.to_json() for name, each in self.legitimate.items()},
            "mistake": None if self.mistake is None else self.mistake.to_json(),
        }

    @staticmethod
    def from_json(where: str, record: Any) -> Certificate:
        """The certificate of a record."""
        where = f"{where}, certificate"
        closed(where, object_of(where, "certificate", record), {"legitimate", "mistake"})
        right = _by_class(where, "legitimate", record["legitimate"])
        wrong = record["mistake"]
        return Certificate(
            {name: Measured.from_json(where, each) for name, each in right.items()},
            None if wrong is None else Measured.from_json(where, wrong),
        )


def closed(where: str, record: Mapping[str, Any], fields: set[str]) -> None:
    """Refuse a record that has other fields than these."""
    if unknown := sorted(set(record) - fields):
        raise BadRecord(where, f"unknown field {unknown[0]!r}")
    if missing := sorted(fields - set(record)):
        raise BadRecord(where, f"field {missing[0]!r} is missing")


def object_of(where: str, name: str, value: Any) -> Mapping[str, Any]:
    """A JSON object."""
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise BadRecord(where, f"{name} is not an object")
    return value


def number(where: str, name: str, value: Any) -> float:
    """A finite number >= 0."""
    if type(value) not in (int, float) or not 0 <= value < float("inf"):
        raise BadRecord(where, f"{name} must be a finite number >= 0, got {value!r}")
    return float(value)


def all_arrays(where: str, name: str, value: Any) -> dict[str, Array]:
    """Arrays by name."""
    each = object_of(where, name, value).items()
    return {key: decode(record, f"{where}, {name}.{key}") for key, record in each}


def all_expected(where: str, value: Any) -> dict[str, Expected]:
    """Expected arrays by name."""
    each = object_of(where, "outputs", value).items()
    return {name: Expected.from_json(f"{where}, {name}", record) for name, record in each}


def all_stages(where: str, value: Any) -> dict[str, Expected]:
    """Expected arrays in order, each with its name in its record."""
    if not isinstance(value, list):
        raise BadRecord(where, "stages is not a list")
    read: dict[str, Expected] = {}
    for stage in value:
        rest = dict(object_of(where, "a stage", stage))
        name = rest.pop("name", None)
        if not isinstance(name, str) or name in read:
            raise BadRecord(where, f"a stage must have a name of its own, got {name!r}")
        read[name] = Expected.from_json(f"{where}, {name}", rest)
    return read


def all_bounds(where: str, value: Any) -> dict[str, float]:
    """The tolerance of each class of arithmetic; above zero."""
    bounds = _by_class(where, "tolerance", value)
    checked = {name: number(where, f"tolerance.{name}", limit) for name, limit in bounds.items()}
    if 0.0 in checked.values():
        raise BadRecord(where, "tolerance must be > 0, got 0")
    return checked


def _by_class(where: str, name: str, value: Any) -> Mapping[str, Any]:
    """An object whose fields are classes of arithmetic, float64 among them."""
    each = object_of(where, name, value)
    if unknown := sorted(set(each) - set(PRECISIONS)):
        raise BadRecord(where, f"{name} must name classes among {PRECISIONS}, got {unknown[0]!r}")
    if "float64" not in each:
        raise BadRecord(where, f"{name} must have an entry for float64")
    return each
