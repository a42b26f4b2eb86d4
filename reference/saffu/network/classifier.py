"""Classifier of softmax layers: fit, predict, save and load.   (SPEC 1, 5, 6)

    network = SoftmaxNetwork(784, 10, [HiddenLayer(axes=4)])
    network.warm_start(data, validation)         explicit solution, no gradient
    network.train(data, validation)              backpropagation from there
    network.predict_log_probabilities(features)

`fit` is both in one call.

The object holds what must be kept together; the mathematics is elsewhere, in functions.
"""

from __future__ import annotations

import signal
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final, Literal

import numpy as np

from saffu import checks
from saffu.arrays.operation import operation
from saffu.errors import BadFile, BadOption, Diverged, NotFitted, TrainingInterrupted, WrongType
from saffu.files import read_file, write_file
from saffu.files.checkpoints import place_to_resume
from saffu.network.explicit import ExplicitSettings
from saffu.network.labels import Examples, HiddenLayer, checked_examples, in_precision
from saffu.network.layers import Layers, cold_layers, flatten, network_forward, unflatten
from saffu.network.records import (
    SCHEMA,
    VERSION,
    history_in,
    layers_in,
    named,
    read_state,
    write_state,
)
from saffu.network.stack import ExplicitRound, solve_network
from saffu.network.training import (
    ROWS,
    Epoch,
    TrainingSettings,
    TrainingState,
    mean_nats,
    start_training,
    train,
)
from saffu.numerics import log_softmax_unchecked
from saffu.progress import Progress, silent
from saffu.progress.interruption import interruptible
from saffu.types import Features, Logits

_SPEC_1: Final = "SPEC 1"
_SPEC_6: Final = "SPEC 6"


class SoftmaxNetwork:
    """One or more softmax layers over non-negative features.   (SPEC 1)

    Four examples of feature 0, three of them in class 0, one of feature 1; one imagined example of
    each feature, shared as the classes are, makes it (3 + 4/7) to (1 + 3/7):

    >>> data = Examples(np.eye(2)[[0, 0, 0, 0, 1]], np.array([0, 0, 0, 1, 1]))
    >>> network = SoftmaxNetwork(2, 2)
    >>> rounds = network.warm_start(data, settings=ExplicitSettings(temper=1.0))
    >>> np.exp(network.predict_log_probabilities(np.array([[1.0, 0.0]]))).round(6).tolist()
    [[0.714286, 0.285714]]
    >>> network.accuracy(data)
    0.8
    """

    @operation
    def __init__(
        self,
        features: int,
        classes: int,
        hidden: Sequence[HiddenLayer] = (),
        *,
        dtype: Literal["float32", "float64"] = "float64",
    ) -> None:
        """A network without weights.

        Parameters: `features` D; `classes` N >= 2; `hidden`, from the features up; `dtype` of
        weights and arithmetic.
        """
        for index, layer in enumerate(hidden):
            if not isinstance(layer, HiddenLayer):
                raise WrongType(f"hidden[{index}]", "HiddenLayer(axes, width)", layer)
        self.features = checks.whole("features", features, 1, _SPEC_1)
        self.classes = checks.whole("classes", classes, 2, _SPEC_1)
        checks.choice("dtype", dtype, ("float32", "float64"), "SPEC 0")
        self.hidden = tuple(hidden)
        self.dtype = dtype
        self.history: tuple[Epoch, ...] = ()
        """of the last training"""
        self._layers: Layers = ()

    @property
    def sizes(self) -> tuple[int, ...]:
        """The widths from the features to the classes."""
        return (
            self.features,
            *(layer.units(self.classes) for layer in self.hidden),
            self.classes,
        )

    @property
    def layers(self) -> Layers:
        """The weights.  Refuses (`NotFitted`): there are none yet."""
        if not self._layers:
            raise NotFitted("network")
        return self._layers

    @layers.setter
    @operation
    def layers(self, layers: Layers) -> None:
        shapes = list(pairwise(self.sizes))
        if len(layers) != len(shapes):
            raise BadOption("layers", f"{len(layers)} layers", f"{len(shapes)} layers", _SPEC_1)
        for index, (layer, (d, n)) in enumerate(zip(layers, shapes, strict=True)):
            checks.shape(f"layers[{index}].weights", layer.weights, (d, n), "D N", _SPEC_1)
            checks.shape(f"layers[{index}].bias", layer.bias, (n,), "N", _SPEC_1)
            checks.finite(f"layers[{index}].weights", layer.weights, _SPEC_1)
            checks.finite(f"layers[{index}].bias", layer.bias, _SPEC_1)
        self._layers = unflatten(
            [
                in_precision(f"layers[{i // 2}]", x, self.dtype)
                for i, x in enumerate(flatten(layers))
            ]
        )

    @operation
    def cold_start(self, scale: float | Sequence[float] = 0.1, seed: int = 0) -> None:
        """Random weights, the usual start of backpropagation.

        Parameters: `scale`, the standard deviation of the weights, for all layers or one per layer.
        """
        count = len(self.sizes) - 1
        scales = list(scale) if isinstance(scale, Iterable) else [scale] * count
        if len(scales) != count:
            raise BadOption("scale", scale, f"one number, or a sequence of {count}", _SPEC_6)
        for each in scales:
            checks.positive("scale", each, _SPEC_6, zero=True)
        checks.whole("seed", seed, 0, _SPEC_6)
        self.layers = cold_layers(self.sizes, scales, seed, self.dtype)
        self.history = ()

    @operation
    def fit(
        self,
        data: Examples,
        validation: Examples | None = None,
        settings: TrainingSettings | None = None,
        *,
        explicit: ExplicitSettings = ExplicitSettings(),  # noqa: B008  (a frozen record)
        progress: Progress = silent,
    ) -> SoftmaxNetwork:
        """Compute the explicit solution; with `settings`, train from there.   (SPEC 1, 5, 6)

        It is `warm_start(data, validation, explicit)` and then, unless `settings` is None,
        `train(data, validation, settings)`.  Returns the network itself.
        Refuses: what these two refuse.
        """
        self.warm_start(data, validation, explicit, progress=progress)
        if settings is not None:
            self.train(data, validation, settings, progress=progress)
        return self

    @operation
    def warm_start(
        self,
        data: Examples,
        validation: Examples | None = None,
        settings: ExplicitSettings = ExplicitSettings(),  # noqa: B008  (a frozen record)
        *,
        progress: Progress = silent,
    ) -> tuple[ExplicitRound, ...]:
        """Compute all weights from co-occurrences, without backpropagation.   (SPEC 1, 5)

        Parameters: `validation` is needed where `settings` leave λ or the smoothing open.
        Returns a record of each round; the weights are those of the best.
        Refuses: features that are negative, not finite, or of another width; labels out of range; a
        class without examples; a hidden layer wider than its parts, or too narrow for their codes.
        """
        splits = [self._checked("data", data)]
        if validation is not None:
            splits.append(self._checked("validation", validation))
        solved = solve_network(splits, self.classes, self.hidden, settings, progress=progress)
        self.layers, self.history = solved.layers, ()
        return solved.rounds

    @operation
    def train(
        self,
        data: Examples,
        validation: Examples | None = None,
        settings: TrainingSettings = TrainingSettings(),  # noqa: B008  (a frozen record)
        *,
        checkpoint: str | Path | None = None,
        resume: bool = False,
        progress: Progress = silent,
    ) -> tuple[Epoch, ...]:
        """Train by backpropagation from the present weights.   (SPEC 6)

        Parameters: without `validation` there is no early stopping, and the last weights are kept;
        `checkpoint`, a file that gets the state of the training after each epoch; `resume=True`
        goes on from that file, to the same weights as if training had never stopped.
        Returns a record of each epoch; the weights are the best on validation data, those before
        the first step included.  They are also kept where training is interrupted
        (`TrainingInterrupted`, at Ctrl-C) or diverges (`Diverged`).
        Refuses: a network that is not fitted; bad data, as `warm_start` does; a checkpoint that
        cannot be written, or is of another training.
        """
        data = self._checked("data", data)
        validation = None if validation is None else self._checked("validation", validation)
        source = place_to_resume(checkpoint, resume=resume)
        if source is None:
            state = start_training(self.layers, validation)
        else:
            state = self._resumed(source, settings, validation)

        def keep(now: TrainingState) -> None:
            if checkpoint is not None:
                write_state(checkpoint, now, settings)

        with interruptible(signal.SIGINT):
            try:
                state = train(state, data, validation, settings, progress=progress, keep=keep)
            except (TrainingInterrupted, Diverged) as stopped:
                self._adopt(stopped.state)
                if isinstance(stopped, TrainingInterrupted):
                    raise TrainingInterrupted(stopped.stage, stopped.state, checkpoint) from None
                raise
        self._adopt(state)
        return self.history

    def _adopt(self, state: TrainingState) -> None:
        """The best weights of a training, and its history."""
        self.layers, self.history = state.log.best, state.log.history

    def _resumed(
        self, checkpoint: Path, settings: TrainingSettings, validation: Examples | None
    ) -> TrainingState:
        state = read_state(checkpoint, settings)
        validated = state.log.history[-1].validation_nats is not None
        if validated != (validation is not None):
            given = "no data" if validated else "data"
            expected = f"{'data' if validated else 'None'}, as when training began"
            raise BadOption("validation", given, expected, "SPEC 6")
        shapes = [layer.weights.shape for layer in state.layers]
        if shapes != list(pairwise(self.sizes)) or state.layers[0].bias.dtype != self.dtype:
            problem = f"it is of another network than one of sizes {self.sizes} in {self.dtype}"
            raise BadFile(checkpoint, problem, "train without resume=True, or give another path")
        return state

    @operation
    def predict_log_probabilities(self, features: Features) -> Logits:
        """log ŷ [M, N], nats.   (SPEC 0)

        Refuses: negative or non-finite features; another width; no samples.
        """
        checks.shape("features", features, (None, self.features), "M D", _SPEC_1)
        checks.features(features)
        x = in_precision("features", features, self.dtype)
        return np.concatenate(
            [
                log_softmax_unchecked(network_forward(self.layers, x[first : first + ROWS]).logits)
                for first in range(0, x.shape[0], ROWS)
            ]
        )

    @operation
    def accuracy(self, data: Examples) -> float:
        """The share of the examples whose likeliest class is their label."""
        data = self._checked("data", data)
        likeliest = self.predict_log_probabilities(data.features).argmax(axis=1)
        return float((likeliest == data.labels).mean())

    @operation
    def cross_entropy(self, data: Examples) -> float:
        """Mean nats of the labels.   (SPEC 0)"""
        return mean_nats(self.layers, self._checked("data", data))

    @operation
    def save(self, path: str | Path) -> None:
        """Write the network to one file, whole or not at all."""
        header = {
            "features": self.features,
            "classes": self.classes,
            "hidden": [[layer.axes, layer.width] for layer in self.hidden],
            "dtype": self.dtype,
            "history": [list(epoch) for epoch in self.history],
        }
        write_file(path, SCHEMA, VERSION, header, named("", flatten(self.layers)))

    @staticmethod
    @operation
    def load(path: str | Path) -> SoftmaxNetwork:
        """The network that `save` wrote.

        Refuses (`BadFile`): what `saffu.files.read_file` refuses; weights of other shapes.
        """
        header, arrays = read_file(path, SCHEMA, newest=VERSION)
        try:
            hidden = [HiddenLayer(axes, width) for axes, width in header["hidden"]]
            network = SoftmaxNetwork(
                header["features"], header["classes"], hidden, dtype=header["dtype"]
            )
        except (KeyError, TypeError, ValueError) as problem:
            raise BadFile(
                path, f"it is no network of saffu ({problem})", "save it again"
            ) from problem
        network.layers = layers_in(path, "", arrays, network.sizes, str(network.dtype))
        network.history = history_in(path, header)
        return network

    def _checked(self, name: str, data: Examples) -> Examples:
        """The examples in the precision of the network."""
        return checked_examples(name, data, self.features, self.classes, self.dtype)
