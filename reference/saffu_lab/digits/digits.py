"""Ways to classify digits, each measured alike.   (SPEC 1, 5, 7)

All choices are made on validation images; the test images are looked at once for each row.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from saffu.data.images import digits, mnist
from saffu.data.order import shuffled
from saffu.explicit.refinement import refine, refined_logits
from saffu.loss import token_nats
from saffu.network import (
    Epoch,
    Examples,
    ExplicitSettings,
    HiddenLayer,
    SoftmaxNetwork,
    TrainingSettings,
)
from saffu.numerics import softmax
from saffu.types import Array, Features

CLASSES = 10
FEW = 5000
"""Training images below which batches are smaller."""


class DigitsRow(NamedTuple):
    """One way to classify digits, and how well it does."""

    name: str
    accuracy: float
    """on the test images"""
    cross_entropy: float
    """mean nats of a test image"""
    seconds: float
    """to find the weights, choices within layers included, other runs not"""
    samples: int
    """training images"""
    validation: float
    """mean nats of a validation image, by which choices are made"""
    settings: str
    """what was chosen"""


class Data(NamedTuple):
    """Images in three parts."""

    train: Examples
    validation: Examples
    test: Examples

    def network(self, hidden: Sequence[HiddenLayer] = ()) -> SoftmaxNetwork:
        """A network for these images, without weights."""
        return SoftmaxNetwork(self.train.features.shape[1], CLASSES, hidden, dtype="float32")

    def take(self, samples: int) -> Data:
        """The same with fewer training images."""
        return self._replace(train=Examples(*(part[:samples] for part in self.train)))


def load(folder: Path | None, seed: int, most: int | None = None) -> Data:
    """MNIST from its folder, or scikit-learn's digits; a tenth becomes validation data.

    Parameters: `seed` of the split; `most` images for training and for validation.
    Refuses: files that are missing or broken; scikit-learn missing.
    """
    images = digits() if folder is None else mnist(folder, np.float32)
    order = shuffled(images.train_labels.shape[0], seed)
    tenth = order.shape[0] // 10
    train, validation = (
        Examples(images.train_images[part].astype(np.float32), images.train_labels[part])
        for part in (order[tenth:][:most], order[:tenth][:most])
    )
    test = Examples(images.test_images.astype(np.float32), images.test_labels)
    return Data(train, validation, test)


class Bench(NamedTuple):
    """The images, and who hears how far it is."""

    data: Data
    progress: Callable[[str], None]
    rates: tuple[float, ...]
    """learning rates to choose from"""
    epochs: int
    """of training, at most"""
    seed: int

    def explicit(
        self, name: str, hidden: Sequence[HiddenLayer], settings: ExplicitSettings
    ) -> DigitsRow:
        """An explicit solution."""
        self.progress(name)
        began = time.monotonic()
        network = self.data.network(hidden)
        rounds = network.warm_start(self.data.train, self.data.validation, settings)
        seconds = time.monotonic() - began
        best = min(range(len(rounds)), key=lambda number: rounds[number].nats)
        each = zip(rounds[best].tempers, rounds[best].smoothings, strict=True)
        note = ", then ".join(f"λ {lam:.3f} α {kind.strength:g}" for lam, kind in each)
        refit = f"; round {best + 1} of {len(rounds)}" if len(rounds) > 1 else ""
        return self._tested(name, network, seconds, note + refit)

    def naive_bayes(self, name: str, settings: ExplicitSettings) -> Iterator[DigitsRow]:
        """The witness, if it is installed: the same probabilities by another hand."""
        try:
            from sklearn.naive_bayes import MultinomialNB
        except ImportError:
            self.progress(f"{name}: scikit-learn is not installed, left out")
            return
        self.progress(name)
        network = self.data.network()
        network.warm_start(self.data.train, None, settings)
        began = time.monotonic()
        bayes = MultinomialNB(alpha=1.0, class_prior=softmax(network.layers[0].bias))
        bayes.fit(*self.data.train)
        seconds = time.monotonic() - began
        ours = network.predict_log_probabilities(self.data.test.features)
        theirs = bayes.predict_log_proba(self.data.test.features)
        gap = float(np.abs(np.exp(theirs) - np.exp(ours)).max())
        note = f"probabilities within {gap:.0e} of the explicit ones"
        yield self._judged(name, bayes.predict_log_proba, seconds, note)

    def scaled(self, name: str, settings: ExplicitSettings, steps: int) -> DigitsRow:
        """Iterative scaling from the explicit solution; its bias weighs a feature of one."""
        self.progress(name)
        began = time.monotonic()
        network = self.data.network()
        network.warm_start(self.data.train, self.data.validation, settings)
        start = np.concatenate([network.layers[0].weights, network.layers[0].bias[None, :]])
        one_hot = np.eye(CLASSES, dtype=np.float32)[self.data.train.labels]
        fit = refine(start, _with_one(self.data.train.features), one_hot, steps=steps)
        seconds = time.monotonic() - began
        note = f"{len(fit.losses) - 1} steps: {fit.losses[0]:.3f} to {fit.losses[-1]:.3f} nats"
        return self._judged(name, lambda x: refined_logits(_with_one(x), fit), seconds, note)

    def warm(
        self, hidden: Sequence[HiddenLayer], factors: Sequence[float]
    ) -> Iterator[tuple[str, SoftmaxNetwork]]:
        """Explicit solutions to train from, their hidden layers softened by each factor."""
        for factor in factors:
            network = self.data.network(hidden)
            settings = ExplicitSettings(smoothing=None, hidden_scale=factor)
            network.warm_start(self.data.train, self.data.validation, settings)
            yield f"λ × {factor:g}" if hidden else "as it is", network

    def cold(
        self, hidden: Sequence[HiddenLayer], scales: Sequence[Sequence[float]]
    ) -> Iterator[tuple[str, SoftmaxNetwork]]:
        """Random weights to train from, of each scale."""
        for scale in scales:
            network = self.data.network(hidden)
            network.cold_start(scale, self.seed)
            yield f"scale {' and '.join(f'{one:g}' for one in scale)}", network

    def trained(self, name: str, starts: Iterator[tuple[str, SoftmaxNetwork]]) -> DigitsRow:
        """Adam from each start at each rate; the best on validation images is tested."""
        tried: list[tuple[float, SoftmaxNetwork, float, str]] = []
        batch = 32 if self.data.train.labels.shape[0] < FEW else 128
        began = time.monotonic()
        for note, network in starts:
            start, solved = network.layers, time.monotonic() - began
            for rate in self.rates:
                self.progress(f"{name}: {note}, rate {rate:g}")
                one = self.data.network(network.hidden)
                one.layers = start
                settings = TrainingSettings(rate, batch=batch, epochs=self.epochs, seed=self.seed)
                history = one.train(self.data.train, self.data.validation, settings)
                nats = _validation(history)
                course = f"{nats[0]:.3f}, {nats[min(1, len(nats) - 1)]:.3f} … {min(nats):.3f}"
                text = f"{note}, rate {rate:g}; validation {course} in {nats.index(min(nats))}"
                tried.append((min(nats), one, solved + history[-1].seconds, text))
            began = time.monotonic()
        _, one, seconds, text = min(tried, key=lambda run: run[0])
        return self._tested(name, one, seconds, f"{text} epochs, best of {len(tried)} runs")

    def _tested(
        self, name: str, network: SoftmaxNetwork, seconds: float, settings: str
    ) -> DigitsRow:
        return self._judged(name, network.predict_log_probabilities, seconds, settings)

    def _judged(
        self, name: str, logits: Callable[[Features], Array], seconds: float, settings: str
    ) -> DigitsRow:
        """The test, once."""
        test, validation = self.data.test, self.data.validation
        z = logits(test.features)
        return DigitsRow(
            name,
            float((z.argmax(axis=1) == test.labels).mean()),
            float(token_nats(z, test.labels).mean(dtype=np.float64)),
            seconds,
            self.data.train.labels.shape[0],
            float(token_nats(logits(validation.features), validation.labels).mean()),
            settings,
        )


def _with_one(features: Features) -> Array:
    """A last feature of one for all."""
    return np.concatenate([features, np.ones_like(features[:, :1])], axis=1)


def _validation(history: Sequence[Epoch]) -> list[float]:
    return [epoch.validation_nats for epoch in history if epoch.validation_nats is not None]
