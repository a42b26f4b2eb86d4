"""Mistakes in the explicit solution: smoothing, priming, totals.   (SPEC 1)"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from saffu.conformance.diagnosis.variants import Arrays, mistakes, variant
from saffu.types import Array


def _share(n: Array) -> Array:
    q: Array = (n + 1) / (np.sum(n) + n.shape[0])
    return q


def _cells(f: Array) -> Array:
    cells: Array = np.sum(f > 0, axis=1, keepdims=True)
    return cells


def smooth(
    f: Array,
    smoothing: Mapping[str, Any],
    *,
    share: Callable[[Array], Array] = _share,
    cells: Callable[[Array], Array] = _cells,
    returned: float = 1.0,
    least: float = 0.0,
) -> Array:
    """Counts without zeros, unchecked."""
    strength: float = max(smoothing["strength"], least)
    q = share(np.sum(f, axis=0))
    if smoothing["kind"] == "additive":
        return f + strength
    if smoothing["kind"] == "backoff":
        return f + strength * q
    kept: Array = np.where(f > 0, f - strength, f)
    return kept + returned * strength * cells(f) * q


def _mean_norm(h: Array) -> float:
    return float(np.sum(h) / h.shape[0])


def _factor(k: float, h: Array) -> float:
    return (k - 1) / k


def _totals(f: Array, full: Array) -> Array:
    n: Array = np.sum(full, axis=0)
    return n


def explicit_solution(
    features: Array,
    targets: Array,
    smoothing: Mapping[str, Any],
    priming: float | None = None,
    *,
    measured: Callable[[Array], float] = _mean_norm,
    given: bool = True,
    factor: Callable[[float, Array], float] = _factor,
    totals: Callable[[Array, Array], Array] = _totals,
    cell: Callable[[Array, Array], Array] = lambda f, full: np.log(full),
    full: Callable[[Array, Array], Array] = lambda f, smoothed: smoothed,
    log: Callable[[Array], Array] = np.log,
    unit: float = 1.0,
    **smoothed: Any,
) -> Arrays:
    """U = log F − ((K−1)/K) log Σ F.  The stage `priming` is left out: it may be right or not."""
    k = np.float64(measured(features) if priming is None or not given else priming)
    counts = features.T @ targets
    filled = full(counts, smooth(counts, smoothing, **smoothed))
    with np.errstate(all="ignore"):
        logs = log(totals(counts, filled))
        weights = (cell(counts, filled) - np.float64(factor(k, features)) * logs) / unit
    return {"counts": counts, "smoothed_counts": filled, "weights": weights}


def _per_sample(k: float, h: Array) -> float:
    norms = np.sum(h, axis=1)
    return float(np.mean((norms - 1) / norms))


def _tiny(f: Array, smoothed: Array) -> Array:
    return np.maximum(smoothed, 1e-300)


MISTAKES = mistakes(
    "explicit_solution", explicit_solution,
    variant("priming-ignored", "U computed with K = 1", measured=lambda h: 1.0),
    variant("priming-sum-for-mean", "K is the sum of the norms, not their mean",
        measured=lambda h: float(np.sum(h))),
    variant("priming-per-sample", "(K−1)/K taken of each sample's norm and averaged",
        factor=_per_sample),
    variant("explicit-priming-euclidean", "K is the mean Euclidean norm",
        measured=lambda h: float(np.mean(np.sqrt(np.sum(h * h, axis=1))))),
    variant("factor-without-division", "(K−1) in place of (K−1)/K", factor=lambda k, h: k - 1),
    variant("factor-without-priming", "log F − log ΣF, whatever K is", factor=lambda k, h: 1.0),
    variant("totals-always", "K/(K+1) in place of (K−1)/K, so that totals count even for K = 1",
        factor=lambda k, h: k / (k + 1)),
    variant("factor-added", "the totals are added, not subtracted",
        factor=lambda k, h: (1 - k) / k),
    variant("totals-of-rows", "sums over the targets instead of over the features",
        totals=lambda f, full: np.sum(full, axis=1, keepdims=True)),
    variant("totals-unsmoothed", "totals of the counts as they were before smoothing",
        totals=lambda f, full: np.sum(f, axis=0)),
    variant("smoothing-of-totals-only", "smoothing in the totals, not in the cells",
        cell=lambda f, full: np.log(f)),
    variant("smoothing-after-log", "smoothing added to log F instead of F",
        cell=lambda f, full: np.log(f) + (full - f)),
    variant("weights-in-bits", "logarithms of base two", unit=float(np.log(2.0))),
    variant("backoff-without-one", "q_i = n_i / Σn, which is zero for a target never seen",
        share=lambda n: n / np.sum(n)),
    variant("backoff-even", "q_i = 1/N for all targets",
        share=lambda n: np.full(n.shape, 1 / n.shape[0])),
    variant("additive-to-seen", "smoothing added only to cells that were seen",
        full=lambda f, full: np.where(f > 0, full, f)),
    variant("discount-not-returned", "what is discounted is not given back", returned=0.0),
    variant("discount-of-whole-table", "non-zero cells counted in the whole table, not in the row",
        cells=lambda f: np.sum(f > 0)),
    variant("discount-unseen-too", "all cells of a row counted, not those that were seen",
        cells=lambda f: np.full((f.shape[0], 1), f.shape[1])),
    variant("explicit-priming-clamped", "K below one raised to one",
        measured=lambda h: max(1.0, _mean_norm(h))),
    variant("given-priming-ignored", "K measured although it is given", given=False),
    variant("smoothing-at-least-one", "a strength below one raised to one", least=1.0),
    variant("explicit-tiny-for-zero", "log 0 hidden as the logarithm of something tiny", full=_tiny,
        accepts="zero-count"),
    variant("explicit-takes-anything", "bad features, targets, strengths or K not refused",
        accepts="negative non-finite zero-target no-samples zero-norm fraction option"),
)  # fmt: skip
