"""A Python module as a program that answers JSON lines.   (SPEC 9)

    saffu check -- python -m saffu.conformance.ports.serve mypackage.port

`saffu check mypackage.port` does the same: a module is judged in a process of its own, where a
crash or an endless loop is one failed case, and from where it does not reach the kit.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import IO, Any, Final

import numpy as np

from saffu.conformance.contract import arrays
from saffu.conformance.ports import protocol
from saffu.conformance.ports.module import ModulePort, answer_of, load
from saffu.conformance.ports.protocol import Answer, Outputs, Rejected, Request, Skipped
from saffu.errors import SaffuError
from saffu.types import Array

NOT_LOADED: Final = 2
"""Exit status where the module cannot be imported or is no port."""
_WORD: Final = 200
"""Longest reason that the protocol allows, in characters."""
_ENTRIES: Final = protocol.MAX_LINE // 2
"""Most entries that fit a line, with a comma after each."""


def started(port: ModulePort) -> dict[str, Any]:
    """How the port introduces itself, as a message."""
    introduction = port.start()
    return {
        "protocol": protocol.VERSION, "name": introduction.name, "version": introduction.version,
        "language": introduction.language, "precision": introduction.precision,
        "operations": list(introduction.operations), "gradients": list(introduction.gradients),
        "device": introduction.device,
    }  # fmt: skip


def answer(port: ModulePort, message: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to a message of `run`."""
    request = Request(
        message["seq"], message["op"], message["attributes"],
        {name: arrays.decode(x) for name, x in message["inputs"].items()},
        {name: arrays.decode(x) for name, x in message.get("cotangents", {}).items()},
    )  # fmt: skip
    try:
        return {"seq": request.seq, **_body(port.run(request))}
    except BaseException as failure:  # noqa: BLE001  (a port may raise anything)
        return {"seq": request.seq, **_body(answer_of(failure))}


def _body(reply: Answer) -> dict[str, Any]:
    if isinstance(reply, Outputs):
        if sum(x.size for x in reply.arrays.values()) > _ENTRIES:
            return {"errored": {"message": f"the answer has more than {_ENTRIES} entries"}}
        return {"outputs": {name: arrays.encode(_plain(x)) for name, x in reply.arrays.items()}}
    if isinstance(reply, Rejected):
        reason = {"reason": reply.reason[:_WORD]} if reply.reason else {}
        return {"rejected": {**reason, "message": reply.message}}
    if isinstance(reply, Skipped):
        url = {"url": reply.url} if reply.url else {}
        return {"skipped": {"reason": reply.reason[:_WORD], **url}}
    return {"errored": {"message": reply.message}}


def _plain(x: Array) -> Array:
    """An array of a type that crosses the wire."""
    return x.astype(np.float64) if x.dtype.kind == "f" and x.dtype != np.float32 else x


def serve(port: ModulePort, asked: IO[bytes], answers: IO[bytes]) -> None:
    """Answer line by line until `stop`, or until there are no more lines."""
    for line in asked:
        message = protocol.parse(line)
        if message["cmd"] == "stop":
            return
        reply = started(port) if message["cmd"] == "start" else answer(port, message)
        answers.write(protocol.line(reply))
        answers.flush()


def main(arguments: list[str]) -> int:
    """`python -m saffu.conformance.ports.serve mypackage.port`.

    What the module prints goes to stderr, and what it reads is empty.
    """
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m saffu.conformance.ports.serve package.module[:object]\n")
        return 2
    asked, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    try:
        port = load(arguments[0], timeout=None)
    except SaffuError as wrong:
        sys.stderr.write(f"{wrong}\n")
        return NOT_LOADED
    serve(port, asked, answers)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
