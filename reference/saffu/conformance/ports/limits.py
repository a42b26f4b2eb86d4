"""Time-outs and forbidden exits for a port that runs in this process.   (SPEC 9)

A function in this process cannot be killed.  It can be interrupted by a timer, on Unix and in the
main thread, and `os._exit` and `os.exec…` can be made to raise.  A port that means harm gets
around both; that is what a process of its own is for.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, NoReturn

_AGAIN: Final = 0.1
"""Seconds after which a function that has caught OutOfTime is interrupted again."""
_SWALLOWED: Final = 50
"""Interruptions that a function may catch before the whole process ends."""
_LINGERING: Final = 2.0
"""Seconds that threads of a port have after the end of the kit."""
_EXIT: Final = os._exit
"""As it is outside of `no_exit`."""
NO_VERDICT: Final = 3
"""Exit status of a process that a port ends, or that has to end because of it."""


class OutOfTime(BaseException):
    """Not an Exception, so that a port which catches everything does not catch it."""


class Exited(BaseException):
    """A port has called a function that ends the process."""


class TimeLimit:
    """Raise OutOfTime in the block after some seconds, and again until the block ends.

    On Unix, in the main thread only.  `over` tells afterwards that the time was exceeded, also if
    the port has caught the exception.
    """

    def __init__(self, seconds: float | None) -> None:
        self.seconds: Final = seconds
        self.over = False
        self._caught = 0

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The block."""
        main = threading.current_thread() is threading.main_thread()
        if self.seconds is None or not main or not hasattr(signal, "setitimer"):
            yield
            return
        before = signal.signal(signal.SIGALRM, self._interrupt)
        signal.setitimer(signal.ITIMER_REAL, self.seconds, _AGAIN)
        armed = True
        try:
            yield
        finally:
            while armed:
                with contextlib.suppress(OutOfTime):
                    signal.setitimer(signal.ITIMER_REAL, 0)
                    signal.signal(signal.SIGALRM, before)
                    armed = False

    def _interrupt(self, *_: object) -> None:
        self.over = True
        self._caught += 1
        if self._caught > _SWALLOWED:
            os.write(2, b"saffu: the port catches the time-out and goes on: no verdict; "
                        b"judge it in a process of its own, without --in-process\n")  # fmt: skip
            _EXIT(NO_VERDICT)
        raise OutOfTime


@contextmanager
def no_exit() -> Iterator[None]:
    """Make `os._exit`, `os.execv` and `os.execve` raise Exited in the block.

    In a process that was forked in the block they do what they always do.
    """
    names = ("_exit", "execv", "execve")
    before = {name: getattr(os, name) for name in names}
    process, thread = os.getpid(), threading.get_ident()

    def instead(name: str) -> Any:
        def refuse(*arguments: Any, **named: Any) -> NoReturn:
            if os.getpid() != process:
                before[name](*arguments, **named)
            elif threading.get_ident() != thread:
                _EXIT(NO_VERDICT)
            raise Exited(f"the port called os.{name}")

        return refuse

    for name in names:
        setattr(os, name, instead(name))
    try:
        yield
    finally:
        for name, function in before.items():
            setattr(os, name, function)


def end_in_time(status: int) -> None:
    """Let this process end with `status` although threads of a port go on running."""

    def watch() -> None:
        threading.main_thread().join()
        time.sleep(_LINGERING)
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        _EXIT(status)

    threading.Thread(target=watch, daemon=True).start()
