"""A golden case: inputs of an operation and its expected outputs.   (SPEC 9)

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

from saffu.conformance.contract.arrays import encode
from saffu.conformance.contract.expected import (
    PRECISIONS,
    Certificate,
    Expected,
    Measured,
    all_arrays,
    all_bounds,
    all_expected,
    all_stages,
    closed,
    object_of,
)
from saffu.errors import BadRecord
from saffu.types import Array

__all__ = ["PRECISIONS", "Case", "Certificate", "Expected", "Measured"]

_ALWAYS: Final = {"id", "suite", "op", "spec", "about", "hunts", "attributes", "inputs"}
_ANSWERED: Final = _ALWAYS | {"expect", "tolerance", "certificate", "oracle"}
_DIFFERENTIATED: Final = _ANSWERED | {"cotangents", "gradients"}
_REJECTED: Final = _ALWAYS | {"reject"}
_ID: Final = re.compile(r"[a-z_]+/[a-z0-9]+(-[a-z0-9]+)*")


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
    """arrays that a port has to return"""
    stages: Mapping[str, Expected] = field(default_factory=dict)
    """intermediate results, in order; a port that returns them is judged by them too"""
    cotangents: Mapping[str, Array] = field(default_factory=dict)
    """gradients given at outputs"""
    gradients: Mapping[str, Expected] = field(default_factory=dict)
    """expected gradients at inputs; a port returns them as `gradient.<input>`"""
    tolerance: Mapping[str, float] = field(default_factory=dict)
    """by class of arithmetic; a class that is not named cannot be judged by this case"""
    certificate: Certificate | None = None
    oracle: Mapping[str, Any] = field(default_factory=dict)
    reject: str | None = None
    """the reason code, where the input has to be refused"""

    @property
    def wanted(self) -> dict[str, Expected]:
        """Everything that a port must return, by the names that it uses."""
        return {**self.outputs, **{f"gradient.{name}": g for name, g in self.gradients.items()}}

    @property
    def in_order(self) -> dict[str, Expected]:
        """Stages, outputs and gradients, in the order of computation."""
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
            record["gradients"] = {name: x.to_json() for name, x in self.gradients.items()}
        return {
            **record,
            "expect": {
                "outputs": {name: x.to_json() for name, x in self.outputs.items()},
                "stages": [{"name": name, **x.to_json()} for name, x in self.stages.items()],
            },
            "tolerance": dict(self.tolerance),
            "certificate": self._evidence().to_json(),
            "oracle": dict(self.oracle),
        }

    def _evidence(self) -> Certificate:
        if self.certificate is None:
            raise BadRecord(f"case {self.id!r}", "it expects outputs, but has no certificate")
        return self.certificate

    @staticmethod
    def from_json(record: Any) -> Case:
        """The case of a record; refuses (BadRecord) whatever is not exactly a case."""
        if not isinstance(record, Mapping):
            raise BadRecord("case", f"{type(record).__name__} is not an object")
        known = _REJECTED if "reject" in record else _ANSWERED
        closed("case", record, _DIFFERENTIATED if "gradients" in record else known)
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
            "attributes": dict(object_of(where, "attributes", record["attributes"])),
            "inputs": all_arrays(where, "inputs", record["inputs"]),
        }
        if "reject" in record:
            return Case(**common, reject=record["reject"])
        expect = object_of(where, "expect", record["expect"])
        closed(f"{where}, expect", expect, {"outputs", "stages"})
        outputs = all_expected(where, expect["outputs"])
        if not outputs:
            raise BadRecord(where, "there is no output")
        return Case(
            **common,
            outputs=outputs,
            stages=all_stages(where, expect["stages"]),
            cotangents=all_arrays(where, "cotangents", record.get("cotangents", {})),
            gradients=all_expected(where, record.get("gradients", {})),
            tolerance=all_bounds(where, record["tolerance"]),
            certificate=Certificate.from_json(where, record["certificate"]),
            oracle=dict(object_of(where, "oracle", record["oracle"])),
        )
