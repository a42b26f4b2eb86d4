"""Progress of work: passes over a text, training logs with early stopping, and interruption.

Early stopping is here, for all estimators: a `TrainingLog` holds the records of a training, the
best parameters so far, and for how many validations they have been the best (the patience used).
Ctrl-C is here, too, for all estimators and commands: `interruptible`.
"""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
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
def interruptible(*signals: signal.Signals) -> Iterator[None]:
    """In the block, the first of these signals raises `KeyboardInterrupt`; the second does nothing.

    So a second Ctrl-C does not stop the saving that the first one began.  From the third on, they
    raise again.  Signals that have a handler already, or are ignored, stay as they are; so do all
    signals outside of the main thread, where Python lets no handler be set.
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
        for each, handler in before.items():
            signal.signal(each, handler)
