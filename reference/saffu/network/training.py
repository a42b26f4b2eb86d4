"""Backpropagation for networks: minibatches, epochs, states to resume from.   (SPEC 6)

Minibatches come in a new order each epoch.  After each epoch the loss on validation data decides
which weights are kept and when training stops (`saffu.progress.early_stopping`).  A state of the
training is a value: `train` resumes from any of them, to the same result as an uninterrupted run.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

import numpy as np

from saffu import checks
from saffu.errors import Diverged, NonFiniteEntry, TrainingInterrupted
from saffu.loss import token_nats_unchecked
from saffu.network.labels import Examples
from saffu.network.layers import Layers, flatten, network_forward, network_gradient, unflatten
from saffu.optim import AdamState, adam_start, adam_step_unchecked, sgd_step_unchecked
from saffu.progress import Progress, silent
from saffu.progress.early_stopping import TrainingLog

_SPEC: Final = "SPEC 6"

ROWS = 8192
"""Samples predicted at a time."""


@dataclass(frozen=True)
class TrainingSettings:
    """Settings of a training."""

    rate: float = 0.003
    """η"""
    optimiser: Literal["adam", "sgd"] = "adam"
    batch: int = 128
    """samples per step"""
    epochs: int = 20
    """at most"""
    patience: int = 3
    """epochs without a better validation loss after which training ends"""
    seed: int = 0
    """of the order of the samples"""

    def __post_init__(self) -> None:
        checks.positive("rate", self.rate, _SPEC)
        checks.choice("optimiser", self.optimiser, ("adam", "sgd"), _SPEC)
        for name, least in (("batch", 1), ("epochs", 0), ("patience", 1), ("seed", 0)):
            checks.whole(name, getattr(self, name), least, _SPEC)


class Epoch(NamedTuple):
    """One epoch; epoch 0 is before the first step."""

    epoch: int
    train_nats: float | None
    """mean over the batches, each before its step"""
    validation_nats: float | None
    seconds: float
    """of training so far, validation included"""


class TrainingState(NamedTuple):
    """All that training needs to resume."""

    layers: Layers
    optimiser: AdamState
    log: TrainingLog[Layers, Epoch]

    def over(self, settings: TrainingSettings) -> bool:
        """Whether training has come to its end."""
        last = self.log.history[-1].epoch
        return last >= settings.epochs or self.log.waited >= settings.patience


def start_training(layers: Layers, validation: Examples | None) -> TrainingState:
    """The state before the first step."""
    began = time.monotonic()
    nats = None if validation is None else mean_nats(layers, validation)
    first = Epoch(0, None, nats, time.monotonic() - began)
    log = TrainingLog[Layers, Epoch](layers).after(first, layers, nats)
    return TrainingState(layers, adam_start(flatten(layers)), log)


def train(
    state: TrainingState,
    data: Examples,
    validation: Examples | None,
    settings: TrainingSettings,
    *,
    progress: Progress = silent,
    keep: Callable[[TrainingState], None] | None = None,
) -> TrainingState:
    """Train until the epochs or the patience are used up.   (SPEC 6)

    Parameters: `keep` is called with the state after each epoch, and when training is interrupted.
    Returns the last state; the result is `log.best`.
    Refuses: a loss or a gradient that is no longer finite (`Diverged`, with the state before it).
    Interrupted by Ctrl-C, it raises `TrainingInterrupted` with the state after the last epoch.
    """
    try:
        while not state.over(settings):
            state = _epoch(state, data, validation, settings, progress)
            if keep is not None:
                keep(state)
    except KeyboardInterrupt:
        if keep is not None:
            keep(state)
        where = f"epoch {state.log.history[-1].epoch + 1}"
        raise TrainingInterrupted(where, state) from None
    except NonFiniteEntry as problem:
        raise Diverged(str(problem), settings.rate, state) from problem
    return state


def _epoch(
    state: TrainingState,
    data: Examples,
    validation: Examples | None,
    settings: TrainingSettings,
    progress: Progress,
) -> TrainingState:
    began = time.monotonic() - state.log.history[-1].seconds
    number = state.log.history[-1].epoch + 1
    total = data.labels.shape[0]
    order = np.random.default_rng([settings.seed, number]).permutation(total)
    layers, optimiser = state.layers, state.optimiser
    sum_of_nats = 0.0
    for first in range(0, total, settings.batch):
        pick = order[first : first + settings.batch]
        progress(f"epoch {number}", first, total)
        batch = Examples(data.features[pick], data.labels[pick])
        layers, optimiser, nats = _step(layers, optimiser, batch, settings)
        sum_of_nats += nats * pick.shape[0]
    progress(f"epoch {number}", total, total)
    held_out = None if validation is None else mean_nats(layers, validation)
    epoch = Epoch(number, sum_of_nats / total, held_out, time.monotonic() - began)
    return TrainingState(layers, optimiser, state.log.after(epoch, layers, held_out))


def _step(
    layers: Layers, optimiser: AdamState, batch: Examples, settings: TrainingSettings
) -> tuple[Layers, AdamState, float]:
    with np.errstate(over="ignore", invalid="ignore"):
        old, (nats, gradient) = flatten(layers), network_gradient(layers, *batch)
        rates = [settings.rate] * len(old)
        if settings.optimiser == "adam":
            new, optimiser = adam_step_unchecked(old, gradient, optimiser, rates)
        else:
            new = sgd_step_unchecked(old, gradient, rates)
    for index, (parameter, square) in enumerate(zip(new, optimiser.square, strict=True)):
        checks.finite(f"parameters[{index}]", parameter, _SPEC)
        checks.finite(f"state.square[{index}]", square, _SPEC)
    return unflatten(new), optimiser, nats


def mean_nats(layers: Layers, data: Examples) -> float:
    """Mean cross-entropy of the labels, `ROWS` samples at a time."""
    total = data.labels.shape[0]
    nats: float = 0.0
    for first in range(0, total, ROWS):
        rows = slice(first, first + ROWS)
        logits = network_forward(layers, data.features[rows]).logits
        nats += float(token_nats_unchecked(logits, data.labels[rows]).sum(dtype=np.float64))
    return float(nats / total)
