"""A golden case: what goes into an operation, and what has to come out.   (SPEC 9)

A case file holds one case.  Its fields are closed: an unknown or a missing one is refused, so that
a misspelt field cannot turn a check off.  A case either expects outputs, each with the scale that
its error is measured in, or it has to be rejected for a reason:

    {"id", "suite", "op", "spec", "about", "hunts", "attributes", "inputs",
     "expect", "tolerance", "certificate", "oracle" (and "cotangents", "gradients")  or  "reject"}
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from saffu.conformance.arrays import decode, encode
from saffu.errors import BadRecord
from saffu.types import Array

PRECISIONS: Final = ("float64", "float32", "loose")
"""The arithmetic that a port may declare; `loose` is for products of ten bits or fewer."""

_ALWAYS: Final = {"id", "suite", "op", "spec", "about", "hunts", "attributes", "inputs"}
_ANSWERED: Final = _ALWAYS | {"expect", "tolerance", "certificate", "oracle"}
_DIFFERENTIATED: Final = _ANSWERED | {"cotangents", "gradients"}
_REJECTED: Final = _ALWAYS | {"reject"}
_ID: Final = re.compile(r"[a-z_]+/[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True, eq=False)
class Expected:
    """The truth about one array."""

    value: Array
    scale: float
    """What an error of 1 is: the magnitude of the terms it was added up from.  0: must be equal."""


@dataclass(frozen=True)
class Measured:
    """An error that somebody who computes in a known way makes on a case."""

    error: float
    who: str
    """the legitimate variant, or the id of the mistake"""


@dataclass(frozen=True)
class Certificate:
    """Why the tolerance lies where it lies: above every right answer and below every wrong one."""

    legitimate: Mapping[str, Measured]
    """for each class of arithmetic, the worst error of correct computations"""
    mistake: Measured | None
    """the least error of the mistakes that the case hunts, once they have been measured"""


@dataclass(frozen=True, eq=False)
class Case:
    """One golden case.   (SPEC 9)"""

    id: str
    """`<op>/<slug>`; never used again for another case"""
    suite: str
    op: str
    spec: str
    about: str
    hunts: tuple[str, ...]
    """ids of the mistakes it must expose (golden/mistakes.json)"""
    attributes: Mapping[str, Any]
    inputs: Mapping[str, Array]
    outputs: Mapping[str, Expected] = field(default_factory=dict)
    """what a port has to return"""
    stages: Mapping[str, Expected] = field(default_factory=dict)
    """what is computed on the way, in order; a port may return it, and is then judged by it"""
    cotangents: Mapping[str, Array] = field(default_factory=dict)
    """gradients given at outputs"""
    gradients: Mapping[str, Expected] = field(default_factory=dict)
    """gradients wanted at inputs; a port returns them as `gradient.<input>`"""
    tolerance: Mapping[str, float] = field(default_factory=dict)
    """by class of arithmetic; a class that is not named cannot be judged by this case"""
    certificate: Certificate | None = None
    oracle: Mapping[str, Any] = field(default_factory=dict)
    reject: str | None = None
    """the reason code, where the input has to be refused"""

    @property
    def wanted(self) -> dict[str, Expected]:
        """All that a port must return, under the names it returns it by."""
        return {**self.outputs, **{f"gradient.{name}": g for name, g in self.gradients.items()}}

    @property
    def in_order(self) -> dict[str, Expected]:
        """Everything that is known about the answer, first computed first."""
        return {**self.stages, **self.wanted}

    def to_json(self) -> dict[str, Any]:
        """The record that `from_json` reads."""
        record: dict[str, Any] = {
            "id": self.id, "suite": self.suite, "op": self.op, "spec": self.spec,
            "about": self.about, "hunts": list(self.hunts), "attributes": dict(self.attributes),
            "inputs": {name: encode(x) for name, x in self.inputs.items()},
        }  # fmt: skip
        if self.reject is not None:
            return {**record, "reject": self.reject}
        if self.gradients:
            record["cotangents"] = {name: encode(x) for name, x in self.cotangents.items()}
            record["gradients"] = {name: _expected(x) for name, x in self.gradients.items()}
        return {
            **record,
            "expect": {
                "outputs": {name: _expected(x) for name, x in self.outputs.items()},
                "stages": [{"name": name, **_expected(x)} for name, x in self.stages.items()],
            },
            "tolerance": dict(self.tolerance),
            "certificate": _certificate(self.certificate),
            "oracle": dict(self.oracle),
        }

    @staticmethod
    def from_json(record: Any) -> Case:
        """The case of a record; refuses (BadRecord) whatever is not exactly a case."""
        if not isinstance(record, Mapping):
            raise BadRecord("case", f"{type(record).__name__} is not an object")
        known = _REJECTED if "reject" in record else _ANSWERED
        _fields("case", record, _DIFFERENTIATED if "gradients" in record else known)
        where = f"case {record['id']!r}"
        for name in ("id", "suite", "op", "spec", "about", *(["reject"] * ("reject" in record))):
            if not isinstance(record[name], str) or not record[name]:
                raise BadRecord(where, f"{name} is not a text")
        if not _ID.fullmatch(record["id"]) or record["id"].split("/")[0] != record["op"]:
            raise BadRecord(where, "id is not <op>/<slug>, in lower case with single hyphens")
        hunts = record["hunts"]
        texts = isinstance(hunts, list) and all(isinstance(hunt, str) for hunt in hunts)
        if not texts or len(set(hunts)) < len(hunts):
            raise BadRecord(where, "hunts is not a list of texts, each once")
        common: dict[str, Any] = {
            **{name: record[name] for name in ("id", "suite", "op", "spec", "about")},
            "hunts": tuple(hunts),
            "attributes": dict(_object(where, "attributes", record["attributes"])),
            "inputs": _arrays(where, "inputs", record["inputs"]),
        }
        if "reject" in record:
            return Case(**common, reject=record["reject"])
        expect = _object(where, "expect", record["expect"])
        _fields(f"{where}, expect", expect, {"outputs", "stages"})
        outputs = _all_expected(where, expect["outputs"])
        if not isinstance(expect["stages"], list) or not outputs:
            raise BadRecord(where, "stages is not a list, or there is no output")
        return Case(
            **common,
            outputs=outputs,
            stages=_stages(where, expect["stages"]),
            cotangents=_arrays(where, "cotangents", record.get("cotangents", {})),
            gradients=_all_expected(where, record.get("gradients", {})),
            tolerance=_tolerance(where, record["tolerance"]),
            certificate=_read_certificate(where, record["certificate"]),
            oracle=dict(_object(where, "oracle", record["oracle"])),
        )


def _expected(expected: Expected) -> dict[str, Any]:
    return {"scale": expected.scale, "value": encode(expected.value)}


def _certificate(certificate: Certificate | None) -> dict[str, Any]:
    if certificate is None:
        raise BadRecord("case", "it expects outputs, but has no certificate")
    least = certificate.mistake
    return {
        "legitimate": {
            name: {"error": m.error, "who": m.who} for name, m in certificate.legitimate.items()
        },
        "mistake": None if least is None else {"error": _written(least.error), "who": least.who},
    }


def _written(error: float) -> float | str:
    """An error as JSON has it: a mistake that gives another shape, or no number, is far off."""
    return "inf" if error == float("inf") else error


def _fields(where: str, record: Mapping[str, Any], fields: set[str]) -> None:
    if unknown := sorted(set(record) - fields):
        raise BadRecord(where, f"unknown field {unknown[0]!r}")
    if missing := sorted(fields - set(record)):
        raise BadRecord(where, f"field {missing[0]!r} is missing")


def _object(where: str, name: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise BadRecord(where, f"{name} is not an object")
    return value


def _arrays(where: str, name: str, value: Any) -> dict[str, Array]:
    each = _object(where, name, value).items()
    return {key: decode(record, f"{where}, {name}.{key}") for key, record in each}


def _read_expected(where: str, record: Any) -> Expected:
    _fields(where, _object(where, "an expected array", record), {"scale", "value"})
    return Expected(decode(record["value"], where), _positive(where, "scale", record["scale"], 0.0))


def _all_expected(where: str, value: Any) -> dict[str, Expected]:
    each = _object(where, "outputs", value).items()
    return {name: _read_expected(f"{where}, {name}", record) for name, record in each}


def _stages(where: str, stages: list[Any]) -> dict[str, Expected]:
    read: dict[str, Expected] = {}
    for stage in stages:
        rest = dict(_object(where, "a stage", stage))
        name = rest.pop("name", None)
        if not isinstance(name, str) or name in read:
            raise BadRecord(where, f"a stage is named {name!r}: a text of its own is expected")
        read[name] = _read_expected(f"{where}, {name}", rest)
    return read


def _positive(where: str, name: str, value: Any, least: float) -> float:
    """A finite number >= least."""
    if type(value) not in (int, float) or not least <= value < float("inf"):
        raise BadRecord(where, f"{name} is {value!r}, not a finite number >= {least}")
    return float(value)


def _tolerance(where: str, value: Any) -> dict[str, float]:
    bounds = _object(where, "tolerance", value)
    if unknown := sorted(set(bounds) - set(PRECISIONS)):
        raise BadRecord(where, f"tolerance names {unknown[0]!r}, which is none of {PRECISIONS}")
    if "float64" not in bounds:
        raise BadRecord(where, "tolerance does not say what float64 has to reach")
    return {name: _positive(where, f"tolerance.{name}", b, 0.0) for name, b in bounds.items()}


def _read_certificate(where: str, value: Any) -> Certificate:
    record = _object(where, "certificate", value)
    _fields(f"{where}, certificate", record, {"legitimate", "mistake"})
    each = _object(where, "legitimate", record["legitimate"]).items()
    mistake = record["mistake"]
    return Certificate(
        {name: _read_measured(where, measured) for name, measured in each},
        None if mistake is None else _read_measured(where, mistake),
    )


def _read_measured(where: str, value: Any) -> Measured:
    record = _object(where, "a measured error", value)
    _fields(f"{where}, certificate", record, {"error", "who"})
    error, who = record["error"], record["who"]
    if not isinstance(who, str):
        raise BadRecord(where, "who made the error is not a text")
    return Measured(float("inf") if error == "inf" else _positive(where, "error", error, 0.0), who)
