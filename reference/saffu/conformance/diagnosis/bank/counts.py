"""Mistakes in co-occurrences and the priming number.   (SPEC 1)"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from saffu.conformance.diagnosis.bank.loss import largest, normalised
from saffu.conformance.diagnosis.variants import Arrays, mistakes, variant
from saffu.types import Array

Pairs = list[tuple[Array, Array]]


def _norms(h: Array) -> Array:
    total: Array = np.sum(h, axis=1)
    return total


def _euclidean(h: Array) -> Array:
    lengths: Array = np.sqrt(np.sum(h * h, axis=1))
    return lengths


def _not_empty(h: Array) -> int:
    return int(np.sum(_norms(h) > 0))


def cooccurrence(
    *,
    keep: Callable[[Pairs], Pairs] = lambda pairs: pairs,
    seen: Callable[[Array], Array] = lambda h: h,
    asked: Callable[[Array], Array] = lambda y: y,
    join: Callable[[Array], Array] = lambda f: f,
    norms: Callable[[Array], Array] = _norms,
    size: Callable[[Array], int] = lambda h: h.shape[0],
    share: Callable[[int, int], float] = lambda samples, shards: 1.0,
    of_norm: Callable[[int, int], float] = lambda samples, shards: 1.0,
    **shards: Array,
) -> Arrays:
    """F = Hᵀ Y, the sum of norms and the number of samples, of one shard or of several."""
    if "features" in shards:
        pairs = [(shards["features"], shards["targets"])]
    else:
        pairs = [(shards[f"features_{i}"], shards[f"targets_{i}"]) for i in range(len(shards) // 2)]
    pairs = keep(pairs)
    samples = sum(size(h) for h, _ in pairs)
    counts = sum(seen(h).T @ asked(y) for h, y in pairs) * share(samples, len(pairs))
    norm = sum(float(np.sum(norms(h))) for h, _ in pairs)
    return {
        "counts": join(np.asarray(counts)),
        "norm": np.asarray(norm * of_norm(samples, len(pairs))),
        "samples": np.asarray(samples),
    }


def priming_number(
    features: Array,
    *,
    norms: Callable[[Array], Array] = _norms,
    size: Callable[[Array], int] = lambda h: h.shape[0],
    middle: Callable[[Array], Array] | None = None,
    least: float = 0.0,
) -> Arrays:
    """The mean norm."""
    each = norms(features)
    k = np.sum(each) / size(features) if middle is None else middle(each)
    return {"priming": np.asarray(np.maximum(k, least) if least else k)}


_BAD = "negative non-finite zero-target no-samples zero-norm"

MISTAKES = (
    *mistakes(
        "cooccurrence", cooccurrence,
        variant("cooccurrence-transposed", "Yᵀ H instead of Hᵀ Y", join=lambda f: f.T),
        variant("cooccurrence-mean", "averaged over the samples, not added up",
            share=lambda samples, shards: 1 / samples),
        variant("cooccurrence-presence", "features counted as present or absent, "
            "without their values",
            seen=lambda h: (h > 0).astype(float)),
        variant("cooccurrence-norm-euclidean", "Euclidean norms instead of sums", norms=_euclidean),
        variant("cooccurrence-norm-mean", "the mean norm in place of the sum of norms",
            of_norm=lambda samples, shards: 1 / samples),
        variant("cooccurrence-largest-target", "targets taken for their largest entry",
            asked=largest),
        variant("cooccurrence-targets-normalised", "targets normalised first", asked=normalised),
        variant("cooccurrence-drops-empty", "samples without features not counted",
            size=_not_empty),
        variant("cooccurrence-first-shard", "only the first shard counted",
            keep=lambda pairs: pairs[:1]),
        variant("cooccurrence-last-shard", "only the last shard counted",
            keep=lambda pairs: pairs[-1:]),
        variant("cooccurrence-shards-averaged", "shards averaged, not added up",
            share=lambda samples, shards: 1 / shards, of_norm=lambda samples, shards: 1 / shards),
        variant("cooccurrence-takes-anything", "bad features, "
            "bad targets or no samples not refused",
            accepts=_BAD),
    ),
    *mistakes(
        "priming_number", priming_number,
        variant("priming-sum", "the sum of the norms instead of their mean", size=lambda h: 1),
        variant("priming-euclidean", "Euclidean norms instead of sums", norms=_euclidean),
        variant("priming-largest", "the largest norm", middle=np.max),
        variant("priming-mean-of-entries", "the mean of all entries", size=lambda h: h.size),
        variant("priming-clamped", "values below one raised to one", least=1.0),
        variant("priming-drops-empty", "samples without features not counted", size=_not_empty),
        variant("priming-median", "the median norm", middle=np.median),
        variant("priming-takes-anything", "bad features, or none at all, not refused",
            accepts=_BAD),
    ),
)  # fmt: skip
