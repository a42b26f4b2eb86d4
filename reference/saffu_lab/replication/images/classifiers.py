"""Digit classifiers built from a recipe: layers, initialisation, training.

    {"hidden": [[4, null]]}                     hidden layers: principal axes, width
    {"smoothing": 1.0, "temper": 1.0}           explicit solution; what is omitted is chosen
    {"start": "cold", "scale": [0.03, 10.0]}    or random initial weights
    {"steps": 100}  or  {"rate": 0.003}         then iterative scaling, or Adam

The same recipe, images and seed give the same network.  (SPEC 1, 5, 6)
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from saffu.errors import BadOption
from saffu.explicit.refinement import refine
from saffu.explicit.smoothing import Backoff
from saffu.network import (
    ExplicitSettings,
    HiddenLayer,
    SoftmaxLayer,
    SoftmaxNetwork,
    TrainingSettings,
)
from saffu_lab.digits.digits import CLASSES, FEW, Data, load
from saffu_lab.records.results import Line
from saffu_lab.records.whole import keep
from saffu_lab.replication.images.intervals import judge_all
from saffu_lab.study.sources import Sources
from saffu_lab.study.task import digest

MOST_TINY = 300
"""training images of a tiny run, whose numbers mean nothing"""

DEFAULTS: Mapping[str, Any] = {
    "hidden": [],
    "start": "explicit",
    "smoothing": None,
    "temper": None,
    "soft": 1.0,
    "refits": 0,
    "scale": [],
    "steps": 0,
    "rate": None,
    "epochs": 20,
}
"""Defaults of a recipe.  `soft`: a factor on λ of hidden layers."""


class Made(NamedTuple):
    """A network, and how it was made."""

    network: SoftmaxNetwork
    validation_nats: float
    cpu_seconds: float
    about: Line
    """the settings chosen, and the history of the training"""


def images(name: str, sources: Sources, seed: int) -> Data:
    """The data set `mnist` or `digits`, with a tenth of the training images for validation."""
    folder = sources.mnist if name == "mnist" else None
    return _loaded(folder, seed, MOST_TINY if sources.tiny else None)


@lru_cache(maxsize=1)
def _loaded(folder: str | None, seed: int, most: int | None) -> Data:
    return load(Path(folder) if folder else None, seed, most)


@lru_cache(maxsize=4)
def images_digest(name: str, sources: Sources) -> str:
    """Digest of all images and labels of a data set: sixteen hexadecimal digits."""
    digest = sha256()
    for part in images(name, sources, 1):
        digest.update(np.ascontiguousarray(part.features).tobytes())
        digest.update(np.ascontiguousarray(part.labels).tobytes())
    return digest.hexdigest()[:16]


def complete(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe with its defaults filled in.

    Refuses: unknown fields.

    >>> complete({"rate": 0.01})["epochs"]
    20
    """
    for name in recipe:
        if name not in DEFAULTS:
            raise BadOption("name in a recipe", name, f"one of {', '.join(DEFAULTS)}", "SPEC 5")
    return {**DEFAULTS, **recipe}


def make(key: Line, recipe: Mapping[str, Any], sources: Sources) -> Made:
    """The network of a recipe on the images named by a key, loaded from its file if possible."""
    named = {"recipe": complete(recipe)} | {n: key[n] for n in ("images", "size", "seed")}
    path = sources.models / f"{digest(named)}.layers"
    about = path.with_suffix(".layers.json")
    if path.exists() and about.exists():
        return Made(SoftmaxNetwork.load(path), **json.loads(about.read_text(encoding="utf-8")))
    made = _made(complete(recipe), _data(key, sources), key["seed"])
    keep(about, json.dumps(dict(zip(Made._fields[1:], made[1:], strict=True))))
    made.network.save(path)
    return made


def _data(key: Line, sources: Sources) -> Data:
    data = images(key["data"], sources, key["seed"])
    return data if key["size"] is None else data.take(key["size"])


def _made(recipe: Mapping[str, Any], data: Data, seed: int) -> Made:
    began, about = time.process_time(), {}
    network = data.network([HiddenLayer(axes, width) for axes, width in recipe["hidden"]])
    if recipe["start"] == "cold":
        network.cold_start(recipe["scale"], seed)
    else:
        about = _solve(network, recipe, data)
    if recipe["steps"]:
        about["losses"] = _scale(network, data, recipe["steps"])
    if recipe["rate"] is not None:
        batch = 32 if data.train.labels.shape[0] < FEW else 128
        settings = TrainingSettings(recipe["rate"], batch=batch, epochs=recipe["epochs"], seed=seed)
        history = network.train(data.train, data.validation, settings)
        about["history"] = [round(e.validation_nats or 0.0, 6) for e in history]
    nats = network.cross_entropy(data.validation)
    return Made(network, nats, round(time.process_time() - began, 3), about)


def _solve(network: SoftmaxNetwork, recipe: Mapping[str, Any], data: Data) -> Line:
    """Solve the network explicitly; returns the settings chosen for it."""
    alpha = recipe["smoothing"]
    settings = ExplicitSettings(
        smoothing=None if alpha is None else Backoff(alpha),
        temper=recipe["temper"],
        hidden_scale=recipe["soft"],
        refits=recipe["refits"],
    )
    rounds = network.warm_start(data.train, data.validation, settings)
    best = min(rounds, key=lambda one: one.nats)
    return {
        "tempers": [round(lam, 4) for lam in best.tempers],
        "smoothings": [kind.strength for kind in best.smoothings],
        "rounds": [round(one.nats, 6) for one in rounds],
    }


def _scale(network: SoftmaxNetwork, data: Data, steps: int) -> list[float]:
    """Iterative scaling of one layer; its bias belongs to a constant feature, its slack to both.

    h U + b + (K − 1 − Σ h) u  =  h (U − u) + (b + (K − 1) u)
    """
    (layer,) = network.layers
    x = data.train.features
    start = np.concatenate([layer.weights, layer.bias[None, :]])
    one_hot = np.eye(CLASSES, dtype=x.dtype)[data.train.labels]
    fit = refine(start, np.concatenate([x, np.ones_like(x[:, :1])], axis=1), one_hot, steps=steps)
    bias = fit.weights[-1] + (fit.capacity - 1) * fit.slack
    network.layers = (SoftmaxLayer(fit.weights[:-1] - fit.slack, bias),)
    return [round(fit.losses[0], 6), round(fit.losses[-1], 6)]


def try_out(key: Line, sources: Sources) -> Line:
    """In a worker: one network, evaluated on validation images."""
    made = make(key, key["recipe"], sources)
    return {
        "validation_nats": round(made.validation_nats, 6),
        "fit_cpu_seconds": made.cpu_seconds,
        "weights": sum(layer.weights.size + layer.bias.size for layer in made.network.layers),
        "trained_on": int(_data(key, sources).train.labels.shape[0]),
        **made.about,
    }


def read_test(key: Line, sources: Sources) -> Line:
    """In a worker: read the test images once, for all chosen networks."""
    test = images(key["data"], sources, key["seed"]).test
    logits = {
        name: make(key, recipe, sources).network.predict_log_probabilities(test.features)
        for name, recipe in key["chosen"].items()
    }
    return judge_all(logits, test.labels)
