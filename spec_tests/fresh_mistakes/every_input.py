"""One mistake for each input of numbers: kept in float32, or infinities of one sign accepted."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from saffu.types import Array
from spec_tests.fresh_mistakes.examples import example, put, signed
from spec_tests.fresh_mistakes.record import (
    COMMON,
    FLOAT32,
    INFINITY,
    RARE,
    FreshMistake,
    Given,
    Wrong,
    changed,
    fresh,
    single,
    some,
    unchecked,
)

_INPUTS: Final = {
    "softmax": "logits", "log_softmax": "logits", "cross_entropy": "logits targets",
    "cooccurrence": "features targets", "priming_number": "features",
    "explicit_solution": "features targets", "tempered_logits": "features counts temper",
    "fit_temper": "features targets counts",
    "choose_smoothing": "features targets held_features held_targets",
    "refine": "weights features targets", "cipher_decode": "vectors",
    "radial_embedding": "vectors", "document_context": "vectors", "compare": "inputs",
    "saffu_forward": "inputs attention_weights feature_weights",
    "saffu_backward": "inputs attention_weights feature_weights d_hidden",
    "hidden_targets": "attention ascent",
    "model_forward": "embedding tower0.layer0.attention tower0.layer0.features output",
    "model_loss": "embedding tower0.layer0.attention tower0.layer0.features output",
    "model_gradient": "embedding tower0.layer0.attention tower0.layer0.features output",
    "sgd_step": "parameter gradient", "adam_step": "parameter gradient mean square",
    "perplexity": "nats",
}  # fmt: skip
_OPTIONS: Final = {
    "explicit_solution": {"priming": 2.3},
    "sgd_step": {"rate": 0.3},
    "adam_step": {"rate": 0.01, "beta1": 0.9, "beta2": 0.99, "epsilon": 0.3},
}  # fmt: skip
_NO_FLOAT32: Final = {"cipher_decode"}
"""operations whose answers are whole numbers"""


def _valid(given: Given, name: str) -> Array:
    """The entries of an input that take part."""
    x: Array = given[name]
    mask = given.get("mask")
    if mask is None or name not in ("logits", "inputs") or mask.shape != x.shape[: mask.ndim]:
        return x
    return x[mask]


def _lets_in(op: str, name: str, infinity: float) -> Wrong:
    def bad(given: Given) -> bool:
        return name in given and some(_valid(given, name) == infinity)

    return unchecked(op, bad)


def _with_infinity(op: str, name: str, infinity: float) -> dict[str, Any]:
    given = example(op)
    x = given[name].astype(np.float64)
    return {**given, name: put(x, (0,) * x.ndim, infinity)}


def _mistakes() -> list[FreshMistake]:
    made = []
    for op, inputs in _INPUTS.items():
        for name in inputs.split():
            slug = f"{op}-{name}".replace("_", "-").replace(".", "-")
            if op not in _NO_FLOAT32:
                made.append(
                    fresh(
                        op,
                        FLOAT32,
                        COMMON,
                        f"{slug}-in-float32",
                        f"{name} kept in float32",
                        changed(op, **{name: single}),
                        example(op),
                    )
                )
            for sign, infinity in (("plus", np.inf), ("minus", -np.inf)):
                made.append(
                    fresh(
                        op,
                        INFINITY,
                        COMMON,
                        f"{slug}-{sign}-infinity",
                        f"{sign} infinity in {name} is not refused",
                        _lets_in(op, name, infinity),
                        _with_infinity(op, name, infinity),
                    )
                )
    for op in ("softmax", "log_softmax", "compare"):
        output = {"softmax": "probabilities", "log_softmax": "log_probabilities"}
        shape = (5, 3)
        made.append(
            fresh(
                op,
                FLOAT32,
                RARE,
                f"{op}-cotangent-in-float32".replace("_", "-"),
                "the cotangent kept in float32",
                changed(op, cotangents=lambda d: {n: single(x) for n, x in d.items()}),
                {**example(op), "cotangents": {output.get(op, "comparisons"): signed(*shape)}},
            )
        )
    for op, options in _OPTIONS.items():
        for name, value in options.items():
            made.append(
                fresh(
                    op,
                    FLOAT32,
                    COMMON,
                    f"{op}-{name}-in-float32".replace("_", "-"),
                    f"{name} kept in float32",
                    changed(op, **{name: single}),
                    example(
                        op,
                        **{name: value},
                        **({"rate": 1.0, "step": 0} if name == "epsilon" else {}),
                    ),
                )
            )
    return made


def _strength(record: dict[str, Any]) -> dict[str, Any]:
    return {**record, "strength": single(record["strength"])}


MISTAKES: Final = (
    *_mistakes(),
    fresh(
        "explicit_solution", FLOAT32, COMMON, "explicit-solution-strength-in-float32",
        "the strength of the smoothing kept in float32",
        changed("explicit_solution", smoothing=_strength), example("explicit_solution"),
    ),
    fresh(
        "choose_smoothing", FLOAT32, COMMON, "choose-smoothing-strength-in-float32",
        "the strengths of the candidates kept in float32",
        changed("choose_smoothing", candidates=lambda c: [_strength(one) for one in c]),
        example("choose_smoothing"),
    ),
)  # fmt: skip
