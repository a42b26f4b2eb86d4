"""Interruption by Ctrl-C or SIGTERM: work ends, and what was reached is kept."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

DEFAULT: Final = (signal.default_int_handler, signal.SIG_DFL)
"""Handlers of SIGINT and SIGTERM that nobody has changed."""


@contextmanager
def interruptible(*signals: signal.Signals, to_the_end: bool = False) -> Iterator[None]:
    """In the block, the first of these signals raises `KeyboardInterrupt`; the second does nothing.

    So a second Ctrl-C does not stop the saving that the first one began.  From the third on, they
    raise again.  Signals that have a handler already, or are ignored, stay as they are; so do all
    signals outside of the main thread, where Python lets no handler be set.

    Parameters: `to_the_end`, whether the signals are ignored after the block, as at the end of a
    program, which then only reports how it ended; otherwise they do what they did before.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    count = 0

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        nonlocal count
        count += 1
        if count != 2:
            raise KeyboardInterrupt

    before = {each: handler for each in signals if (handler := signal.getsignal(each)) in DEFAULT}
    for each in before:
        signal.signal(each, stop)
    try:
        yield
    finally:
        count = 1  # in here, nothing is raised
        for each, handler in before.items():
            signal.signal(each, signal.SIG_IGN if to_the_end else handler)
