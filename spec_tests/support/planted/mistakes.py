"""A handful of mistakes, and ports that make them and are right in everything else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from saffu.conformance import reference
from saffu.conformance.diagnosis.mistake import Mistake
from saffu.types import Array

Given = Mapping[str, Any]


def columns(given: Given) -> dict[str, Array]:
    z = given["logits"]
    if not np.isfinite(z).all():
        raise ValueError("not finite")
    p = np.exp(z) / np.exp(z).sum(axis=0)
    answer = {"probabilities": p}
    if "cotangents" in given:
        dp = given["cotangents"]["probabilities"]
        answer["gradient.logits"] = p * (dp - (p * dp).sum(axis=0))
    return answer


def uncorrected(given: Given) -> dict[str, Array]:
    answer = reference.softmax(**given)
    if "cotangents" in given:
        p, dp = answer["probabilities"], given["cotangents"]["probabilities"]
        answer["gradient.logits"] = p * dp
    return answer


def ignored(given: Given) -> dict[str, Array]:
    counts = given["features"].T @ given["targets"] + given["smoothing"]["strength"]
    return {"weights": np.log(counts)}


def totals(given: Given) -> dict[str, Array]:
    h, alpha = given["features"], given["smoothing"]["strength"]
    counts = h.T @ given["targets"]
    k = h.sum() / len(h)
    smooth = np.log(counts + alpha)
    return {"weights": smooth - (k - 1) / k * np.log(counts.sum(axis=0) + alpha)}


def summed(given: Given) -> dict[str, Array]:
    if (given["features"] < 0).any():
        raise ValueError("negative")
    return {"priming": np.asarray(given["features"].sum())}


def unchecked(given: Given) -> dict[str, Array]:
    return {"priming": np.asarray(given["features"].sum() / len(given["features"]))}


def bits(given: Given) -> dict[str, Array]:
    return {"perplexity": np.asarray(np.exp2(given["nats"].mean()))}


def uphill(given: Given) -> dict[str, Array]:
    return {"parameter": given["parameter"] + given["rate"] * given["gradient"]}


def none_at_all(given: Given) -> dict[str, Array]:
    raise ValueError("refuses everything")


MISTAKES = (
    Mistake("softmax-columns", "softmax over the wrong axis", "SPEC 0", "softmax", columns),
    Mistake("softmax-vjp-uncorrected", "⟨p, dp⟩ left out", "SPEC 6", "softmax", uncorrected),
    Mistake("priming-ignored", "U computed with K = 1", "SPEC 1", "explicit_solution", ignored),
    Mistake("smoothed-total-once", "α added to totals once", "SPEC 1", "explicit_solution", totals),
    Mistake("priming-sum", "sum instead of mean", "SPEC 1", "priming_number", summed),
    Mistake("negative-accepted", "signs not looked at", "SPEC 8", "priming_number", unchecked),
    Mistake("perplexity-in-bits", "2 instead of e", "SPEC 7", "perplexity", bits),
    Mistake("sgd-uphill", "sign of the step", "SPEC 6", "sgd_step", uphill),
    Mistake("contexts-refused", "refuses all", "SPEC 3", "radial_context", none_at_all),
)


class Wrong:
    """The reference, but for some mistakes."""

    PRECISION = "float64"

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.wrong = {mistake.op: mistake.wrong for mistake in mistakes}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or not hasattr(reference, name):
            raise AttributeError(name)
        if name in self.wrong:
            return calling(self.wrong[name])
        return getattr(reference, name)


def calling(wrong: Callable[[Given], Mapping[str, Array]]) -> Callable[..., Mapping[str, Array]]:
    """A mistake as a function of a port; it has gradients if it is asked for them."""

    def function(*, cotangents: Given | None = None, **given: Any) -> Mapping[str, Array]:
        return wrong({**given, "cotangents": cotangents} if cotangents else given)

    return function
