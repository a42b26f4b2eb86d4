"""Ordinary inputs of every operation, with numbers that float32 does not hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from saffu.types import Array
from spec_tests.fresh_mistakes.record import right


def draw(*shape: int, seed: int = 0, low: float = 0.1, high: float = 1.0) -> Array:
    """Uniform numbers."""
    return np.random.default_rng(seed).uniform(low, high, shape)


def signed(*shape: int, seed: int = 0) -> Array:
    """Normal numbers."""
    return np.random.default_rng(seed).standard_normal(shape)


def rows(*shape: int, seed: int = 0) -> Array:
    """Rows that add up to one."""
    x = draw(*shape, seed=seed)
    total: Array = x / x.sum(axis=-1, keepdims=True)
    return total


def hot(ids: list[int], width: int) -> Array:
    """One-hot rows."""
    return np.eye(width)[ids]


def put(x: Array, index: Any, value: float) -> Array:
    """A copy with one other entry."""
    y = x.copy()
    y[index] = value
    return y


BACKOFF = {"kind": "backoff", "strength": 1.1}
LAYER = {"aggregation": "cat", "attention": "softmax", "gain": "count"}
TEXT = [[0, 3, 4, 5, 3, 4, 1], [0, 4, 3, 6, 5, 1], [0, 5, 5, 3, 1]]


def documents(*texts: list[int]) -> dict[str, Array]:
    """Numbered documents."""
    return {f"document_{i}": np.array(text) for i, text in enumerate(texts or TEXT)}


def configuration(**other: Any) -> dict[str, Any]:
    """The record of a small model."""
    record = {
        "vocabulary": 7, "contexts": [["Radial", 3], ["Document"]], "bits": 4, "label_bits": 3,
        "radii": [], "combine": "sum", "layer": dict(LAYER), "depth": 1, "output": "softmax",
    }  # fmt: skip
    return {**record, **other}


def settings(**other: Any) -> dict[str, Any]:
    """The record of the settings of a warm start."""
    record = {
        "rounds": 1, "refits": 0, "hidden_smoothing": BACKOFF, "attention_smoothing": BACKOFF,
        "output_smoothing": BACKOFF, "hidden_temper": 0.7, "hidden_scale": 1.3,
        "output_temper": 0.9,
    }  # fmt: skip
    return {**record, **other}


def warm(
    shape: dict[str, Any] | None = None, texts: list[list[int]] | None = None, **other: Any
) -> dict[str, Any]:
    """What `warm_start` is given."""
    return {
        "configuration": shape or configuration(),
        "settings": settings(**other),
        **documents(*(texts or TEXT)),
    }


def model(
    shape: dict[str, Any] | None = None, texts: list[list[int]] | None = None
) -> dict[str, Any]:
    """What the operations of whole models are given: parameters from a warm start, shaken."""
    shape = shape or configuration()
    solved = right("warm_start", warm(shape, texts))
    shaken = {
        name: x + (0 if name == "embedding" else 0.3 * signed(*x.shape, seed=seed))
        for seed, (name, x) in enumerate(solved.items())
        if name != "labels"
    }
    shaken["embedding"] = rows(*solved["embedding"].shape, seed=5)
    return {"configuration": shape, **shaken, **documents(*(texts or TEXT))}


def layer(n: int = 5, slots: int = 3, width: int = 2, hidden: int = 4, **options: Any) -> Any:
    """What `saffu_forward` is given."""
    options = {**LAYER, **options}
    mask = np.arange(slots)[None, :] <= (np.arange(n) % slots)[:, None]
    features = width if options["aggregation"] == "sum" else width * slots
    return {
        "inputs": rows(n, slots, width, seed=1), "mask": mask,
        "pivot": mask.sum(axis=1) - 1,
        "attention_weights": signed(slots, slots, seed=2),
        "feature_weights": signed(features, hidden, seed=3), **options,
    }  # fmt: skip


def backward(n: int = 5, slots: int = 3, width: int = 2, hidden: int = 4, **options: Any) -> Any:
    """What `saffu_backward` is given."""
    return {**layer(n, slots, width, hidden, **options), "d_hidden": signed(n, hidden, seed=4)}


def example(op: str, **other: Any) -> dict[str, Any]:
    """What an operation is given, some of it replaced; what is replaced by `...` is left out."""
    h, y = draw(7, 6, seed=1), draw(7, 3, seed=2)
    f = draw(6, 3, seed=3, low=1.0, high=9.0)
    makers: dict[str, Callable[[], dict[str, Any]]] = {
        "softmax": lambda: {"logits": signed(5, 3)},
        "log_softmax": lambda: {"logits": signed(5, 3)},
        "cross_entropy": lambda: {"logits": signed(7, 3), "targets": y},
        "cooccurrence": lambda: {"features": h, "targets": y},
        "priming_number": lambda: {"features": h},
        "explicit_solution": lambda: {"features": h, "targets": y, "smoothing": BACKOFF},
        "tempered_logits": lambda: {"features": h, "counts": f, "temper": np.array([0.7, 1.3])},
        "fit_temper": lambda: {
            "features": h, "targets": y, "counts": f, "slots": 2, "start": [1.0, 0.3]},
        "choose_smoothing": lambda: {
            "features": h, "targets": y, "held_features": draw(5, 6, seed=8, high=9.0),
            "held_targets": draw(5, 3, seed=9), "temper": False,
            "candidates": [{"kind": "backoff", "strength": 0.1},
                           {"kind": "additive", "strength": 0.013}]},
        "refine": lambda: {"weights": signed(6, 3), "features": h, "targets": y, "steps": 3},
        "bit_cipher": lambda: {"counts": np.array([4, 9, 4, 1, 7, 0, 4, 2, 9]), "bits": 5},
        "cipher_decode": lambda: {
            "vectors": draw(6, 4), "codes": right("bit_cipher", {
                "counts": np.arange(9), "bits": 4})["codes"], "method": "dot"},
        "radial_embedding": lambda: {
            **documents(), "vectors": rows(8, 4), "radii": [1, 3], "combine": "cat"},
        "radial_context": lambda: {"document": np.array([0, 5, 7, 6, 9, 8, 1]), "radius": 3},
        "block_context": lambda: {"document": np.array([0, 5, 7, 6, 9, 8, 1]), "length": 3},
        "document_context": lambda: {
            "document": np.array([0, 5, 7, 6, 5, 3, 1]), "vectors": signed(8, 4)},
        "compare": lambda: {"inputs": rows(5, 3, 4), "pivot": np.array([0, 1, 2, 1, 0])},
        "saffu_forward": layer,
        "saffu_backward": backward,
        "hidden_targets": lambda: {
            "attention": rows(5, 3), "ascent": 2 * signed(5, 3), "clip": True},
        "warm_start": warm,
        "model_forward": model,
        "model_loss": model,
        "model_gradient": model,
        "sgd_step": lambda: {"parameter": signed(3, 2), "gradient": signed(3, 2, seed=1),
                             "rate": 0.3},
        "adam_step": lambda: {
            "parameter": signed(3, 2), "gradient": signed(3, 2, seed=1),
            "mean": signed(3, 2, seed=2), "square": draw(3, 2), "step": 4, "rate": 0.01,
            "beta1": 0.9, "beta2": 0.99, "epsilon": 1e-3},
        "perplexity": lambda: {"nats": draw(7)},
    }  # fmt: skip
    return {name: x for name, x in {**makers[op](), **other}.items() if x is not ...}
