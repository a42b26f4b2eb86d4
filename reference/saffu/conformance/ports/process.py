"""A port in any language: a program that answers JSON lines, each within its time-out.   (SPEC 9)

A time-out, a crash, a line that is not a message, too many lines and a wrong number are each an
answer, `Broken`; after them the program is restarted.
"""

from __future__ import annotations

import os
import queue
import re
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from saffu.conformance.ports import protocol
from saffu.conformance.ports.pipes import End, Running
from saffu.conformance.ports.protocol import Answer, BadMessage, Broken, Request, Started
from saffu.conformance.ports.schemas import short

_STRAYS: Final = 16
"""Answers to earlier cases that are passed over while waiting for one."""
_PARTING: Final = 2.0
"""Seconds that a program has for ending by itself."""
_DYING: Final = 1.0
"""Seconds between the end of a program's output and the end of the program."""
_SHOWN: Final = 10
"""Lines of standard error in the report."""
_LIKE_AN_ERROR: Final = re.compile(
    r"error|exception|panic|fatal|abort|fault|assert|cannot|failed|no such|not found", re.IGNORECASE
)


class ProcessPort:
    """A program as a port.

    Parameters: `command`, the program and its arguments; `timeout`, seconds for one answer;
    `start_timeout`, seconds for the answer to start; `environment`, None for that of the kit.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        timeout: float = 60.0,
        start_timeout: float = 60.0,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.command: Final = tuple(command)
        self.timeout = timeout
        self.start_timeout = start_timeout
        self.environment: Final = environment
        self.status: int | None = None
        """exit status of the last process that ended unexpectedly"""
        self.stderr: tuple[str, ...] = ()
        """the last lines of its standard error"""
        self._running: Running | None = None
        self._answered: set[int] = set()
        self._twice: list[tuple[int, str]] = []

    def start(self) -> Started | Broken:
        """Run the program and have it introduce itself."""
        self._drop()
        self._answered.clear()
        try:
            self._running = Running(self.command, self.environment)
        except (OSError, ValueError) as wrong:
            return Broken("not-started", f"{short(self.command[0])} cannot be run: {wrong}")
        self._running.sender.send(protocol.line(protocol.start()))
        got = self._receive(time.monotonic() + self.start_timeout, self.start_timeout)
        try:
            introduction = got if isinstance(got, Broken) else protocol.read_started(got)
        except BadMessage as wrong:
            introduction = Broken("garbage", wrong.what)
        if isinstance(introduction, Broken):
            introduction = self._after(introduction)
            message = f"after start: {introduction.message}"
            return Broken("not-started", message, introduction.stderr)
        return introduction

    def run(self, request: Request) -> Answer:
        """Ask one case and wait for its answer.  Restart after most kinds of Broken."""
        if self._running is None:
            return Broken("not-started", "the port is not running")
        self._running.sender.send(protocol.line(protocol.run(request)))
        answer = self._await(request.seq)
        if isinstance(answer, Broken) and answer.kind != "form":
            return self._after(answer)
        self._answered.add(request.seq)
        return answer

    def twice(self) -> tuple[tuple[int, str], ...]:
        """Cases that got a second answer since this was last asked."""
        repeated, self._twice = tuple(self._twice), []
        return repeated

    def stop(self) -> str:
        """Ask the program to end; kill it if it does not."""
        running = self._running
        if running is None:
            return ""
        running.sender.send(protocol.line(protocol.stop()))
        status = running.end(_PARTING)
        for _ in range(_STRAYS):
            got = self._receive(time.monotonic() + _PARTING, _PARTING)
            if isinstance(got, Broken) and got.kind not in ("garbage", "flood"):
                break
            self._stray(got)
        self._running = None
        running.close()
        if status is None:
            return f"the port did not end within {_PARTING:g} s after stop, and was killed"
        return f"the port ended with status {status} after stop" if status else ""

    def _await(self, seq: int) -> Answer:
        until = time.monotonic() + self.timeout
        for _ in range(_STRAYS):
            got = self._receive(until, self.timeout)
            if isinstance(got, Broken):
                return got
            try:
                number, answer = protocol.read_answer(got)
            except BadMessage as wrong:
                return Broken("garbage", wrong.what)
            if number == seq:
                return answer
            if number not in self._answered:
                return Broken("order", f"expected the answer to number {seq}, got number {number}")
            self._stray(got)
        return Broken("flood", f"{_STRAYS} answers to earlier cases, none to this one")

    def _stray(self, message: Mapping[str, Any] | Broken) -> None:
        """Note what was not asked for: against the case it belongs to, or the last one."""
        number = None if isinstance(message, Broken) else message.get("seq")
        if isinstance(number, int) and number in self._answered:
            self._twice.append((number, "the case was answered a second time"))
        elif self._answered:
            self._twice.append((max(self._answered), "more was written after the last answer"))

    def _receive(self, until: float, limit: float) -> dict[str, Any] | Broken:
        assert self._running is not None  # start has been called
        try:
            return protocol.parse(self._running.lines.next(until - time.monotonic()))
        except BadMessage as wrong:
            return Broken("garbage", wrong.what)
        except queue.Empty:
            return Broken("time-out", f"no answer within {limit:g} s")
        except End as end:
            if end.flood:
                return Broken(
                    "flood", f"a line of more than {protocol.MAX_LINE} bytes: {short(end.rest)}"
                )
            left = f" after the unfinished line {short(end.rest)}" if end.rest.strip() else ""
            return Broken("crash", f"the output ended{left}")

    def _after(self, broken: Broken) -> Broken:
        """Kill the program, and add its exit status and last words to the message."""
        assert self._running is not None  # start has been called
        running, self._running = self._running, None
        self.status = running.end(_DYING if broken.kind == "crash" else 0.0)
        lines = running.close()
        self.stderr = lines[-_SHOWN:]
        message = broken.message
        if broken.kind == "crash":
            message += f", {_status(self.status)}"
        if lines:
            message += f"; standard error: {telling(lines)}"
        return Broken(broken.kind, message, self.stderr)

    def _drop(self) -> None:
        if self._running is not None:
            self._running.end(0.0)
            self._running.close()
            self._running = None


def isolated(name: str, *, timeout: float = 60.0, start_timeout: float = 60.0) -> ProcessPort:
    """A Python module as a port in a process of its own.

    Parameters: `name`, package.module or package.module:object, found where the kit would find it.
    """
    path = os.pathsep.join(filter(None, sys.path))
    return ProcessPort(
        [sys.executable, "-m", "saffu.conformance.ports.serve", name],
        timeout=timeout,
        start_timeout=start_timeout,
        environment={**os.environ, "PYTHONPATH": path},
    )


def telling(lines: Sequence[str]) -> str:
    """The first line of standard error that looks like an error; else the last one.

    >>> telling(["  throw new Error(x)", "RangeError: too far", "    at port.mjs:7", "Node.js v20"])
    'RangeError: too far'
    """
    errors = (x for x in lines if not x[0].isspace() and _LIKE_AN_ERROR.search(x))
    return next(errors, lines[-1].strip())


def _status(status: int | None) -> str:
    if status is None:
        return "but the port went on running"
    if status >= 0:
        return f"and the port had ended with status {status}"
    try:
        return f"and the port was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"and the port was ended by signal {-status}"
