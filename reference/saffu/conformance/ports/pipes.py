"""Child process with bounded pipes, killed with all processes that it started.   (SPEC 9)

Two threads read its outputs and one writes to it, so that nobody waits for a full pipe.  What is
not yet asked for is held back by a queue of a few lines, a line has a largest length, and of
standard error only the end is kept.  On Linux a supervisor kills the program with its descendants,
whatever session they belong to; elsewhere its process group is killed.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Final

from saffu.conformance.ports.protocol import MAX_LINE
from saffu.conformance.ports.schemas import plain
from saffu.conformance.ports.signals import uninterrupted

_CHUNK: Final = 2**16
_KEPT: Final = 2**14
"""Bytes of standard error that are kept."""
_LONGEST: Final = 600
"""Characters of a line of standard error that are kept."""
_PATIENCE: Final = 2.0
"""Seconds to wait for a thread whose pipe should have ended."""
_KILLING: Final = 8.0
"""Seconds that the supervisor has for killing what the program has started."""
_SUPERVISOR: Final = Path(__file__).with_name("supervisor.py")


class End(Exception):
    """No more lines: what was left without its end, and whether that was too long for a line."""

    def __init__(self, rest: bytes, flood: bool) -> None:
        super().__init__()
        self.rest: Final = rest
        self.flood: Final = flood


class Lines:
    """The lines of a pipe, read ahead by at most four."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self._queue: queue.Queue[bytes | End] = queue.Queue(maxsize=4)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def next(self, seconds: float) -> bytes:
        """The next line.  Raises End, or queue.Empty when the time is over."""
        item = self._queue.get(timeout=max(seconds, 0.0))
        if isinstance(item, End):
            raise item
        return item

    def close(self) -> None:
        """Read no further."""
        self._over.set()
        self._thread.join(_PATIENCE)
        if not self._thread.is_alive():
            self._pipe.close()

    def _read(self) -> None:
        rest = bytearray()
        while not self._over.is_set():
            chunk = os.read(self._pipe.fileno(), _CHUNK)
            if not chunk:
                self._put(End(bytes(rest), flood=False))
                return
            whole, newline, chunk = chunk.rpartition(b"\n")
            if newline:
                first, *others = whole.split(b"\n")
                for each in (bytes(rest) + first, *others):
                    self._put(each)
                rest.clear()
            rest += chunk
            if len(rest) > MAX_LINE:
                self._put(End(bytes(rest[:_CHUNK]), flood=True))
                return

    def _put(self, item: bytes | End) -> None:
        while not self._over.is_set():
            with contextlib.suppress(queue.Full):
                self._queue.put(item, timeout=0.1)
                return


class Tail:
    """The end of what a pipe brings, however much it is."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self._kept = b""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def close(self) -> tuple[str, ...]:
        """The lines that say anything, in harmless characters."""
        self._thread.join(_PATIENCE)
        if not self._thread.is_alive():
            self._pipe.close()
        lines = self._kept.decode("utf-8", "replace").splitlines()
        return tuple(plain(line.rstrip(), _LONGEST) for line in lines if line.strip())

    def _read(self) -> None:
        while chunk := os.read(self._pipe.fileno(), _CHUNK):
            self._kept = (self._kept + chunk)[-_KEPT:]


class Sender:
    """Writes lines to a pipe, without making anybody wait for it."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self._queue: queue.Queue[bytes | None] = queue.Queue()
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def send(self, line: bytes) -> None:
        """Have a line written."""
        self._queue.put(line)

    def close(self) -> None:
        """Write what is left, and close the pipe."""
        self._queue.put(None)

    def _write(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            while (line := self._queue.get()) is not None:
                left = memoryview(line)
                while left:
                    left = left[self._pipe.write(left) :]
        with contextlib.suppress(OSError):
            self._pipe.close()


class Running:
    """One process that runs the program; on Linux, a supervisor and the program under it.

    Parameters: `command`, the program and its arguments; `environment`, None for that of the kit.
    Refuses (OSError): a program that cannot be run.
    """

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> None:
        self._supervised: Final = sys.platform == "linux"
        with uninterrupted():
            reader, writer = os.pipe() if self._supervised else (-1, -1)
            supervisor = [
                sys.executable,
                "-I",
                "-S",
                str(_SUPERVISOR),
                str(writer),
                str(os.getpid()),
            ]
            try:
                self.process: Final = subprocess.Popen(
                    [*(supervisor if self._supervised else ()), *command],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    bufsize=0,
                    start_new_session=True,
                    pass_fds=(writer,) if self._supervised else (),
                    env=environment,
                )
            except BaseException:
                _close(reader, writer)
                raise
            atexit.register(self.kill)
        if self._supervised:
            self._confirm(reader, writer, command[0])
        assert self.process.stdin is not None  # PIPE was asked for
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.sender: Final = Sender(self.process.stdin)
        self.lines: Final = Lines(self.process.stdout)
        self.errors: Final = Tail(self.process.stderr)

    def _confirm(self, reader: int, writer: int, program: str) -> None:
        """Wait until the supervisor has run the program, or has failed to."""
        os.close(writer)
        try:
            number = os.read(reader, 16)
        finally:
            os.close(reader)
        if number:
            self.kill()
            for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
                if pipe is not None:
                    pipe.close()
            raise OSError(int(number), os.strerror(int(number)), program)

    def end(self, seconds: float) -> int | None:
        """Wait so long for the process, then kill what is left of its family.

        Returns its own exit status, None if it had to be killed.
        """
        self.sender.close()
        status = _wait(self.process, seconds)
        self.kill()
        return status

    def close(self) -> tuple[str, ...]:
        """Close the pipes of a process that has ended; the last lines of its standard error."""
        self.lines.close()
        return self.errors.close()

    def kill(self) -> None:
        """Kill all of it.  The process is not yet waited for, so its number is still its own."""
        if self.process.returncode is None:
            if self._supervised and _ended(self.process) is None:
                self.process.terminate()
                _wait(self.process, _KILLING)
            with contextlib.suppress(ProcessLookupError, PermissionError):
                _kill_group(self.process)
            self.process.wait()
        atexit.unregister(self.kill)


def _close(*descriptors: int) -> None:
    for each in descriptors:
        if each >= 0:
            os.close(each)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    if sys.platform == "win32":
        subprocess.run(
            ["taskkill", "/F", "/T", "/PID", str(process.pid)], capture_output=True, check=False
        )
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGKILL)


def _wait(process: subprocess.Popen[bytes], seconds: float) -> int | None:
    """The exit status, without taking the process out of the table; None if it still runs."""
    until = time.monotonic() + seconds
    while True:
        status = _ended(process)
        if status is not None or time.monotonic() >= until:
            return status
        time.sleep(0.005)


def _ended(process: subprocess.Popen[bytes]) -> int | None:
    if not hasattr(os, "waitid"):
        return process.poll()
    state = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    if state is None:
        return None
    return state.si_status if state.si_code == os.CLD_EXITED else -state.si_status
