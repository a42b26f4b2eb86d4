"""Mistakes in tempered logits and in the fit of the temper.   (SPEC 1)"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from saffu.conformance.diagnosis.variants import Arrays, mistakes, variant
from saffu.types import Array

Start = float | list[float]


def scored(
    h: Array, f: Array, slots: int, *, totals: int = 0, interleaved: bool = False
) -> tuple[Array, Array]:
    """log n [N], and what each slot says of each target [M, S, N]."""
    evidence = np.log(f) - np.log(np.sum(f, axis=totals, keepdims=True))
    width = f.shape[0] // slots
    place = np.arange(f.shape[0])
    slot = place % slots if interleaved else place // width
    scores = [(h * (slot == k)) @ evidence for k in range(slots)]
    return np.log(np.sum(f, axis=0)), np.stack(scores, axis=1)


def tempered_logits(
    features: Array,
    counts: Array,
    temper: Array,
    *,
    totals: int = 0,
    interleaved: bool = False,
    of_prior: Callable[[Array], float] = lambda lam: 1.0,
    used: Callable[[Array], Array] = lambda lam: lam,
) -> Arrays:
    """z = log n + Σ_k λ_k s_k."""
    lam = used(temper)
    prior, scores = scored(
        features, counts, temper.shape[0], totals=totals, interleaved=interleaved
    )  # fmt: skip
    return {"logits": of_prior(temper) * prior + np.sum(lam[None, :, None] * scores, axis=1)}


def _loss(lam: Array, prior: Array, scores: Array, y: Array) -> tuple[float, Array]:
    z = prior + np.sum(lam[None, :, None] * scores, axis=1)
    z = z - np.max(z, axis=1, keepdims=True)
    logs = z - np.log(np.sum(np.exp(z), axis=1, keepdims=True))
    return float(-np.sum(y * logs) / y.shape[0]), np.exp(logs)


def newton(prior: Array, scores: Array, y: Array, start: Array, steps: int = 80) -> Array:
    """λ by Newton's method, halving steps that do not help; silent slots stay where they are."""
    lam = start
    mass = np.sum(y, axis=1)[:, None, None]
    loud = np.any(np.ptp(scores, axis=2) > 0, axis=0)
    for _ in range(steps):
        value, p = _loss(lam, prior, scores, y)
        off = scores - np.sum(scores * p[:, None, :], axis=2, keepdims=True)
        slope = np.sum(scores * (mass * p[:, None, :] - y[:, None, :]), axis=(0, 2)) / y.shape[0]
        bend = np.einsum("mki,mji,mi->kj", off, off, p * mass[:, 0]) / y.shape[0]
        if not np.all(np.isfinite(bend)):
            return np.full(lam.shape, np.nan)
        move = np.zeros_like(lam)
        move[loud] = -np.linalg.lstsq(bend[np.ix_(loud, loud)], slope[loud], rcond=None)[0]
        for _ in range(50):
            if _loss(lam + move, prior, scores, y)[0] <= value + 1e-15 * abs(value):
                lam = lam + move
                break
            move = move / 2
    return lam


def fit_temper(
    features: Array,
    targets: Array,
    counts: Array,
    slots: int,
    start: Start,
    *,
    steps: int = 80,
    prior_too: bool = True,
    asked: Callable[[Array], Array] = lambda y: y,
    one: bool = False,
    alone: bool = False,
    from_zero: bool = True,
    silent: float | None = None,
    fitted: Callable[[Array], Array] = lambda lam: lam,
) -> Arrays:
    """The λ with the least cross-entropy, and that."""
    prior, scores = scored(features, counts, slots)
    y = asked(targets)
    prior = prior if prior_too else np.zeros_like(prior)
    first = np.broadcast_to(np.asarray(start, dtype=float), (slots,)).copy()
    loud = np.any(np.ptp(scores, axis=2) > 0, axis=0)
    if silent is not None:
        first[~loud] = silent
    if from_zero:
        first[loud] = 0.0
    if one:
        lam = np.repeat(newton(prior, scores.sum(axis=1, keepdims=True), y, first[:1]), slots)
    elif alone:
        each = [newton(prior, scores[:, [k]], y, first[[k]]) for k in range(slots)]
        lam = np.concatenate(each)
    else:
        lam = newton(prior, scores, y, first, steps)
    lam = fitted(lam)
    return {"temper": lam, "loss": np.asarray(_loss(lam, prior, scores, y)[0])}


def _shares(y: Array) -> Array:
    shares: Array = y / np.sum(y, axis=1, keepdims=True)
    return shares


_BAD = "negative non-finite zero-count zero-target"

MISTAKES = (
    *mistakes(
        "tempered_logits", tempered_logits,
        variant("tempered-totals-of-rows", "sums over the targets instead of over the features",
            totals=1),
        variant("tempered-without-prior", "log n left out", of_prior=lambda lam: 0.0),
        variant("tempered-prior-too", "log n multiplied by λ too",
            of_prior=lambda lam: float(np.mean(lam))),
        variant("tempered-inverse", "1/λ in place of λ", used=lambda lam: 1 / lam),
        variant("tempered-untempered", "λ = 1 whatever is given", used=np.ones_like),
        variant("tempered-first-slot", "the first slot's λ for all of them",
            used=lambda lam: np.full(lam.shape, lam[0])),
        variant("tempered-slots-interleaved", "feature d in slot d mod S, "
            "not in slots of equal width",
            interleaved=True),
        variant("tempered-mean-of-slots", "the mean λ for all slots",
            used=lambda lam: np.full(lam.shape, np.mean(lam))),
        variant("tempered-takes-anything", "bad features, counts or λ not refused", accepts=_BAD),
    ),
    *mistakes(
        "fit_temper", fit_temper,
        variant("temper-one-step", "a single step of Newton's method", steps=1, from_zero=False),
        variant("temper-without-prior", "log n left out", prior_too=False),
        variant("temper-is-one", "λ = 1, not fitted", fitted=np.ones_like),
        variant("temper-clamped", "λ kept between 0 and 1", fitted=lambda lam: np.clip(lam, 0, 1)),
        variant("temper-mass-ignored", "targets normalised, so that they weigh nothing",
            asked=_shares),
        variant("temper-one-for-all", "one λ for all slots", one=True),
        variant("temper-slots-alone", "each slot fitted as if it were alone", alone=True),
        variant("temper-silent-slot-to-zero", "a slot that says nothing gets 0, not its start",
            silent=0.0),
        variant("temper-silent-slot-to-one", "a slot that says nothing gets 1, not its start",
            silent=1.0),
        variant("temper-stops-anywhere", "an optimum at infinity not refused",
            accepts="not-converged"),
        variant("temper-takes-anything", "bad features, targets or counts not refused",
            accepts=_BAD),
    ),
)  # fmt: skip
