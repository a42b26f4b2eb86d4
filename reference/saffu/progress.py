"""Progress of work: passes over a text, training logs, interruption, and unfinished files.

Early stopping is here, for all estimators: a `TrainingLog` holds the records of a training, the
best parameters so far, and for how many validations they have been the best (the patience used).
Ctrl-C is here, too, for all estimators and commands: `interruptible`.  A process that is killed
leaves the file or folder that it was making: that is locked while a process works at it
(`unfinished`), and `clear_abandoned` removes what is not.
"""

from __future__ import annotations

import math
import os
import re
import secrets
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import Final, Generic, Protocol, TypeVar, runtime_checkable

Weights = TypeVar("Weights")
Entry = TypeVar("Entry")

DEFAULT: Final = (signal.default_int_handler, signal.SIG_DFL)
"""Handlers of SIGINT and SIGTERM that nobody has changed."""


@runtime_checkable
class Progress(Protocol):
    """Is called with the position of a pass."""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """`done` of `total` targets of a stage."""


def silent(stage: str, done: int, total: int) -> None:
    """Progress that nobody looks at."""


@dataclass(frozen=True, eq=False)
class TrainingLog(Generic[Weights, Entry]):
    """The history of a training, and the best parameters on validation data so far."""

    best: Weights
    best_nats: float = math.inf
    """the validation loss of `best`"""
    waited: int = 0
    """validations since `best`"""
    history: tuple[Entry, ...] = ()

    def after(
        self, entry: Entry, weights: Weights, nats: float | None
    ) -> TrainingLog[Weights, Entry]:
        """The log after one more entry; without a validation loss, the latest are the best.

        >>> log = TrainingLog("start").after("epoch 0", "start", 2.0).after("epoch 1", "later", 3.0)
        >>> log.best, log.best_nats, log.waited, log.history
        ('start', 2.0, 1, ('epoch 0', 'epoch 1'))
        """
        history = (*self.history, entry)
        if nats is None:
            return TrainingLog(weights, self.best_nats, 0, history)
        if nats < self.best_nats:
            return TrainingLog(weights, nats, 0, history)
        return replace(self, waited=self.waited + 1, history=history)


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


LOCKS: Final = find_spec("fcntl") is not None
"""Whether the system has locks that end with their process; on Windows there are none that fit."""


@contextmanager
def unfinished(
    folder: Path, prefix: str, suffix: str, make: Callable[[Path], object]
) -> Iterator[Path]:
    """A file or folder to work at, which is gone at the end of the block unless it was moved.

    Parameters: `make` makes it; its name is the prefix, twelve hexadecimal digits, the suffix.
    What killed processes left under such names is removed first; what belongs to a process that
    lives is locked, and stays.
    """
    clear_abandoned(folder, prefix, suffix)
    while True:
        path, lock = folder / f"{prefix}{secrets.token_hex(6)}{suffix}", None
        try:
            make(path)
            lock = _lock(path)
            if _still_there(path, lock):  # nobody took it for abandoned before it was locked
                yield path
                return
        finally:
            _remove(path)
            if lock is not None:
                os.close(lock)


def clear_abandoned(folder: Path, prefix: str, suffix: str) -> None:
    """Remove unfinished files and folders that no process works at.

    What cannot be removed stays; so does everything where the system has no locks.
    """
    names = re.compile(f"{re.escape(prefix)}[0-9a-f]{{12}}{re.escape(suffix)}")
    try:
        paths = [path for path in folder.iterdir() if names.fullmatch(path.name)]
    except OSError:
        return
    for path in paths:
        lock = _lock(path, wait=False)
        if lock is not None:
            _remove(path)
            os.close(lock)


def _remove(path: Path) -> None:
    """Remove a file or folder, if it is there and that is possible."""
    with suppress(OSError):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _lock(path: Path, *, wait: bool = True) -> int | None:
    """The descriptor of a locked file or folder; None where it cannot be locked."""
    if not LOCKS:
        return None
    import fcntl

    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _still_there(path: Path, lock: int | None) -> bool:
    """Whether a path leads to what is locked, or, without a lock, to anything."""
    try:
        there = path.stat()
        return lock is None or os.path.samestat(there, os.fstat(lock))
    except OSError:
        return False
