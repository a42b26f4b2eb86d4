"""Mistakes in the choice of the smoothing.   (SPEC 1)"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from saffu.conformance.diagnosis.bank.explicit_solution import smooth
from saffu.conformance.diagnosis.bank.loss import cross_entropy
from saffu.conformance.diagnosis.bank.temper import fit_temper
from saffu.conformance.diagnosis.variants import Arrays, mistakes, variant
from saffu.types import Array

Smoothing = Mapping[str, Any]


def _given(q: Array, totals: Array) -> Array:
    return q


def _last(losses: Array) -> int:
    return int(losses.shape[0] - 1 - np.argmin(losses[::-1]))


def _held_out(
    h: Array, y: Array, held_h: Array, held_y: Array, how: Smoothing, temper: bool, k_of: Array
) -> float:
    full = smooth(h.T @ y, how)
    if not np.all(full > 0):
        return np.inf
    if temper:
        return float(fit_temper(held_h, held_y, full, 1, 1.0)["loss"])
    k = np.sum(k_of) / k_of.shape[0]
    weights = np.log(full) - (k - 1) / k * np.log(np.sum(full, axis=0))
    return float(cross_entropy(held_h @ weights, held_y)["loss"])


def _left_out(h: Array, y: Array, how: Smoothing, left_out: float, shares_of_all: bool) -> float:
    """Each sample predicted from all others; `left_out` is how much of it is taken away."""
    f = h.T @ y
    nats = []
    for row, wanted in zip(h, y, strict=True):
        d, i = int(np.argmax(row)), int(np.argmax(wanted))
        others = f - left_out * np.outer(row, wanted)
        n = np.sum(f if shares_of_all else others, axis=0)
        q = (n + 1) / (np.sum(n) + n.shape[0])
        full = smooth(others, how, share=partial(_given, q))[d]
        if how["kind"] == "discount" and not np.any(others[d] > 0):
            full = q
        nats.append(-np.log(full[i] / np.sum(full)))
    return float(np.mean(nats))


def choose_smoothing(
    features: Array,
    targets: Array,
    candidates: list[Smoothing],
    temper: bool,
    held_features: Array | None = None,
    held_targets: Array | None = None,
    *,
    in_sample: bool = False,
    counted: bool = False,
    primed_by_held: bool = False,
    tempered: bool = True,
    left_out: float = 1.0,
    shares_of_all: bool = False,
    best: Callable[[Array], Any] = np.argmin,
) -> Arrays:
    """The loss of each candidate, and the place of the best."""
    if held_features is None or held_targets is None:
        losses = [_left_out(features, targets, how, left_out, shares_of_all) for how in candidates]
    else:
        judge = (features, targets) if in_sample else (held_features, held_targets)
        h, y = features, targets
        if counted:
            h, y = np.concatenate([h, judge[0]]), np.concatenate([y, judge[1]])
        k_of = judge[0] if primed_by_held else features
        losses = [_held_out(h, y, *judge, how, temper and tempered, k_of) for how in candidates]
    each = np.array(losses)
    return {"losses": each, "choice": np.asarray(int(best(each)))}


MISTAKES = mistakes(
    "choose_smoothing", choose_smoothing,
    variant("choice-in-sample", "judged on the training samples", in_sample=True),
    variant("choice-largest", "the largest loss chosen", best=np.argmax),
    variant("choice-priming-of-held-out", "K measured on the held-out samples",
        primed_by_held=True),
    variant("choice-held-out-counted", "held-out samples counted in with the training samples",
        counted=True),
    variant("choice-untempered", "judged at λ = 1, though each was to be tempered", tempered=False),
    variant("choice-nothing-left-out", "samples predicted from counts that hold them",
        left_out=0.0),
    variant("choice-shares-of-all", "q of all samples, though one is left out", shares_of_all=True),
    variant("choice-last-of-ties", "the last of equals chosen, not the first", best=_last),
    variant("choice-leaves-out-anything", "leave-one-out of weights, or with a temper, not refused",
        accepts="option"),
    variant("choice-skips-what-it-cannot-judge", "a candidate that leaves a zero is passed over",
        accepts="zero-count"),
)  # fmt: skip
