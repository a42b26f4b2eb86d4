"""Signal handling: SIGINT, SIGTERM and SIGHUP wait while a port is being started or ended.

A signal's handler may run between any two instructions.  If it ended the kit after a process has
begun and before it is known, nobody would end that process.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

NAMES: Final = ("SIGINT", "SIGTERM", "SIGHUP")


class Terminated(BaseException):
    """SIGTERM or SIGHUP.  Not an Exception or SystemExit, which are taken for the port's own."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number: Final = number


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Delay the first signal until the end of the block."""
    waiting: list[int] = []
    numbers = [getattr(signal, name) for name in NAMES if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():
        numbers = []  # handlers run in the main thread alone
    before = {number: signal.getsignal(number) for number in numbers}
    handled = {n: h for n, h in before.items() if h not in (None, signal.SIG_IGN)}
    for number in handled:
        signal.signal(number, lambda got, _: waiting.append(got))
    try:
        yield
    finally:
        for number, handler in handled.items():
            signal.signal(number, handler)
        if waiting:
            signal.raise_signal(waiting[0])
