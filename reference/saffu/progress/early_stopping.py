"""Early stopping: the history of a training, and the best parameters on validation data so far."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

Weights = TypeVar("Weights")


Entry = TypeVar("Entry")


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
