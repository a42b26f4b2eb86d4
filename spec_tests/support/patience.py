"""Limits of time, which are against hanging alone: no test is decided by a clock."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Final

PATIENCE: Final = 600.0
"""Seconds until a test gives up on another process; a busy machine takes a small part of them."""


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that another process or thread does.  Refuses to wait for ever."""
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"nothing happened in {PATIENCE:g} s")
        time.sleep(0.01)


def alive(process: int) -> bool:
    """Whether a process runs; one that has ended and was not collected does not."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{process}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


class Clock:
    """A clock that stands still but for the work that says how long it takes.

    >>> clock = Clock()
    >>> clock.work(0.25)
    >>> clock.module.perf_counter(), clock.module.monotonic()
    (0.25, 0.25)
    """

    def __init__(self) -> None:
        self.now = 0.0
        clocks = dict.fromkeys(("perf_counter", "process_time", "monotonic"), lambda: self.now)
        self.module: Final = SimpleNamespace(**clocks)
        """In the place of the module `time`."""

    def work(self, seconds: float) -> None:
        """Let time go by."""
        self.now += seconds
