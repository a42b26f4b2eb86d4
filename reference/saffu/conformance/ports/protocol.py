"""Protocol between the kit and a program: one JSON object per line.   (SPEC 9)

    kit → port   {"cmd": "start", "protocol": 1}
    port → kit   {"protocol": 1, "name": …, "version": …, "language": …, "precision": …,
                  "operations": […]}
    kit → port   {"cmd": "run", "seq": 1, "op": "softmax", "attributes": {}, "inputs": {…}}
    port → kit   {"seq": 1, "outputs": {…}}, or rejected, or skipped, or errored
    kit → port   {"cmd": "stop"}

The kit sends one case at a time, never with its expected values, and waits for the answer that
bears the same number.  `schema/protocol.schema.json` describes every message.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, TypeAlias

from saffu.conformance.contract import arrays
from saffu.conformance.ports import schemas
from saffu.errors import BadInput, BadRecord
from saffu.types import Array

VERSION: Final = 1
"""The protocol that this kit speaks."""

MAX_LINE: Final = 8 * 2**20
"""Bytes of one line.  A case is under 64 KiB, and Python needs up to 25 times the text of it."""


class BadMessage(BadInput):
    """A line that is not a message of the protocol."""

    reason: ClassVar[str] = "message"

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} (see docs/conformance.md, the protocol)")
        self.what: Final = what


@dataclass(frozen=True)
class Started:
    """How a port introduces itself."""

    name: str
    version: str
    language: str
    precision: str
    """float64, float32 or loose: the class of arithmetic that it is judged by"""
    operations: tuple[str, ...]
    gradients: tuple[str, ...] = ()
    """the operations whose gradients it returns, where a case gives cotangents"""
    device: str = "cpu"


@dataclass(frozen=True, eq=False)
class Request:
    """One case as a port sees it: no id, and no expected values."""

    seq: int
    op: str
    attributes: Mapping[str, Any]
    inputs: Mapping[str, Array]
    cotangents: Mapping[str, Array] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Outputs:
    """The arrays that an operation returned, stages and gradients among them."""

    arrays: Mapping[str, Array]


@dataclass(frozen=True)
class Rejected:
    """The port refused the input."""

    reason: str | None = None
    message: str = ""


@dataclass(frozen=True)
class Skipped:
    """The port says why it does not do this case."""

    reason: str
    url: str | None = None


@dataclass(frozen=True)
class Errored:
    """The port reports an internal failure."""

    message: str


@dataclass(frozen=True)
class Broken:
    """No usable answer came."""

    kind: str
    """time-out, crash, garbage, flood, order, form, not-started or given-up"""
    message: str
    stderr: tuple[str, ...] = ()
    """the last lines that a program wrote to standard error"""


Answer: TypeAlias = Outputs | Rejected | Skipped | Errored | Broken


def line(message: Mapping[str, Any]) -> bytes:
    """A message as it is sent.

    >>> line({"cmd": "stop"})
    b'{"cmd":"stop"}\\n'
    """
    return json.dumps(message, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def start() -> dict[str, Any]:
    """The first message."""
    return {"cmd": "start", "protocol": VERSION}


def run(request: Request) -> dict[str, Any]:
    """The message that asks for one case."""
    message: dict[str, Any] = {
        "cmd": "run", "seq": request.seq, "op": request.op,
        "attributes": dict(request.attributes),
        "inputs": {name: arrays.encode(x) for name, x in request.inputs.items()},
    }  # fmt: skip
    if request.cotangents:
        message["cotangents"] = {name: arrays.encode(x) for name, x in request.cotangents.items()}
    return message


def stop() -> dict[str, Any]:
    """The last message."""
    return {"cmd": "stop"}


def parse(text: bytes) -> dict[str, Any]:
    """The JSON object of a line.

    Refuses (BadMessage): what is not UTF-8, not JSON, no object, has a field twice, or holds the
    words NaN and Infinity, which JSON does not have.

    >>> parse(b'{"seq": 1, "outputs": {}}')
    {'seq': 1, 'outputs': {}}
    """
    try:
        value = json.loads(
            text.decode("utf-8"), parse_constant=_no_constant, object_pairs_hook=_no_twins
        )
    except BadMessage:
        raise
    except (ValueError, RecursionError) as wrong:
        raise BadMessage(
            f"a line is not JSON: {schemas.short(text.strip())} ({schemas.plain(str(wrong), 80)}); "
            "print nothing else to the standard output, and messages for people to standard error"
        ) from None
    if not isinstance(value, dict):
        raise BadMessage(f"expected a JSON object per line, got {schemas.short(value)}")
    return value


def _no_constant(word: str) -> float:
    raise BadMessage(f'JSON has no {word}; write the text "nan", "inf" or "-inf"')


def _no_twins(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        raise BadMessage("an object has the same field twice")
    return record


def read_started(message: Mapping[str, Any]) -> Started:
    """The introduction of a port.  Refuses (BadMessage) another form, or another protocol."""
    if wrong := schemas.problem("protocol", "started", message):
        raise BadMessage(f"the answer to start: {wrong}")
    if message["protocol"] != VERSION:
        raise BadMessage(f"expected protocol {VERSION}, got protocol {message['protocol']}")
    return Started(
        schemas.plain(message["name"]),
        schemas.plain(message["version"]),
        schemas.plain(message["language"]),
        message["precision"],
        tuple(message["operations"]),
        tuple(message.get("gradients", ())),
        schemas.plain(message.get("device", "cpu")),
    )


def read_answer(message: Mapping[str, Any]) -> tuple[int, Answer]:
    """The number of the case, and the answer.

    Refuses (BadMessage) another form.  Arrays that are no arrays leave the conversation in step, so
    they are an answer of their own: `Broken("form", …)`.
    """
    outputs = message.get("outputs")
    empty = {**message, "outputs": {}} if isinstance(outputs, dict) else message
    if wrong := schemas.problem("protocol", "answer", empty):
        raise BadMessage(f"an answer: {wrong}")
    seq = int(message["seq"])
    if isinstance(outputs, dict):
        return seq, _read_arrays(outputs)
    if "rejected" in message:
        refusal = message["rejected"]
        return seq, Rejected(refusal.get("reason"), refusal.get("message", ""))
    if "skipped" in message:
        return seq, Skipped(message["skipped"]["reason"], message["skipped"].get("url"))
    return seq, Errored(message["errored"]["message"])


def _read_arrays(outputs: Mapping[str, Any]) -> Answer:
    decoded: dict[str, Array] = {}
    for name, record in outputs.items():
        try:
            decoded[name] = arrays.decode(record, schemas.short(name))
        except (ValueError, OverflowError) as wrong:
            why = wrong.problem if isinstance(wrong, BadRecord) else str(wrong)
            return Broken("form", f"output {schemas.short(name)}: {schemas.plain(why)}")
    return Outputs(decoded)
