"""Tempers: an inverse temperature on the evidence of the features, beside the prior.   (SPEC 1)

    z_i(λ) = log n_i + Σ_k λ_k Σ_{d in slot k} h_d log(F[d,i]/n_i),     n_i = Σ_d F[d,i]       [D]

At λ = 1 these are the logits of the explicit solution, exact also where the norms of inputs differ.
Correlated features make λ = 1 overconfident; the best λ is lower.  Cross-entropy is convex in λ,
one number or one per slot of concatenated features, so the best λ is found without a learning
rate.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from saffu import checks
from saffu.arrays.namespace import beside, floating, namespace, on_host
from saffu.arrays.operation import operation
from saffu.errors import BadOption, NotConverged
from saffu.explicit.newton import INFINITELY_FAR, Curve, minimise_convex
from saffu.numerics import log_softmax_unchecked, softmax_unchecked
from saffu.types import Array, Counts, Features, Logits, Targets, Weights

_SPEC: Final = "SPEC 1"


class TemperFit(NamedTuple):
    """The best temper."""

    temper: Array
    """λ [S], one number per slot (S = 1: one for all)"""
    loss: float
    """Mean cross-entropy at λ, nats"""
    steps: int


@operation
def tempered_logits(features: Features, counts: Counts, temper: float | Array = 1.0) -> Logits:
    """Logits of the tempered explicit solution.   (SPEC 1)

    Parameters: `features` H [M, D], non-negative; `counts` F [D, N], positive (see `smooth`);
    `temper` λ, a number, or [S] with the D features lying in S slots of equal width.
    Returns [M, N].
    Refuses: negative features; a zero in the counts; D not divisible by S.

    >>> F, h = np.array([[1.0, 3.0], [2.0, 2.0]]), np.array([[1.0, 0.0]])
    >>> np.exp(tempered_logits(h, F, 0.0)).round(9).tolist()          # the prior alone
    [[3.0, 5.0]]
    >>> np.exp(tempered_logits(h, F, 1.0)).round(9).tolist()          # the explicit solution
    [[1.0, 3.0]]
    """
    lamb = _as_row(temper)
    checks.shape("temper", lamb, (None,), "S", _SPEC)
    checks.finite("temper", lamb, _SPEC)
    _check(features, counts, lamb.shape[0])
    return tempered_logits_unchecked(features, counts, lamb)


def tempered_logits_unchecked(features: Features, counts: Counts, temper: Array) -> Logits:
    """`tempered_logits` without its checks, for λ [S]."""
    prior, scores = slot_scores_unchecked(features, counts, temper.shape[0])
    xp = namespace(scores)
    lam = xp.asarray(temper, dtype=scores.dtype, device=scores.device)
    logits: Logits = prior + xp.sum(xp.reshape(lam, (1, -1, 1)) * scores, axis=1)
    return logits


def slot_scores(features: Features, counts: Counts, slots: int = 1) -> tuple[Array, Array]:
    """The prior log n [N], and the scores of each slot, Σ_{d in k} h_d log(F[d,i]/n_i) [M, S, N].

    Parameters and refusals as `tempered_logits`, with `slots` S >= 1.
    """
    _check(features, counts, slots)
    return slot_scores_unchecked(features, counts, slots)


def slot_scores_unchecked(
    features: Features, counts: Counts, slots: int = 1
) -> tuple[Array, Array]:
    """`slot_scores` without its checks."""
    evidence, prior = _evidence(counts)
    d, n = counts.shape
    xp = namespace(features, counts)
    h = xp.reshape(features, (features.shape[0], slots, d // slots))
    table = xp.reshape(evidence, (slots, d // slots, n))
    scores: Array = xp.matmul(h[:, :, None, :], table)[:, :, 0, :]
    return prior, scores


@operation
def tempered_weights(counts: Counts, temper: float | Array, priming: float) -> Weights:
    """The tempered solution as weights of a layer without bias.   (SPEC 1)

        U_λ[d,i] = λ_d log(F[d,i]/n_i) + (1/K) log n_i

    Exact where all inputs have norm K; at λ = 1 it is the explicit solution for any K.
    Returns weights [D, N] of the precision of the counts.

    >>> from saffu.explicit.solution import explicit_weights
    >>> F = np.array([[1.0, 3.0], [2.0, 2.0]])
    >>> bool(np.allclose(tempered_weights(F, 1.0, 2.0), explicit_weights(F, 2.0)))
    True
    """
    k = checks.positive("priming", priming, _SPEC)
    _check_counts(counts)
    lam = _as_row(temper)
    if counts.shape[0] % lam.shape[0]:
        expected = f"of a length that divides the number of features, {counts.shape[0]}"
        raise BadOption("temper", lam.shape, expected, _SPEC)
    return tempered_weights_unchecked(counts, lam, k)


def tempered_weights_unchecked(counts: Counts, temper: float | Array, priming: float) -> Weights:
    """`tempered_weights` without its checks."""
    evidence, prior = _evidence(counts)
    lam = _as_row(temper)
    xp = namespace(counts)
    each = np.repeat(lam, counts.shape[0] // lam.shape[0])
    rows = xp.asarray(each, dtype=evidence.dtype, device=evidence.device)
    weights: Weights = rows[:, None] * evidence + prior / priming
    return weights


@operation
def fit_temper(
    features: Features,
    targets: Targets,
    counts: Counts,
    *,
    slots: int = 1,
    start: float | Array = 1.0,
    tolerance: float = 1e-10,
) -> TemperFit:
    """The λ with the least cross-entropy on these samples.   (SPEC 1)

    Parameters: `features` [M, D] and `targets` [M, N], held-out samples if there are any; `counts`
    F [D, N], positive; `slots` S = 1 for one λ, or one for each of S slots of equal width; `start`,
    a number or [S], the λ of slots whose scores are all equal (nothing else depends on it);
    `tolerance` on λ, in units of the slot's largest spread of scores.
    Returns λ [S], its loss in nats, and the number of steps.
    Refuses: what `tempered_logits` refuses; an optimum at infinity (`NotConverged`).
    Slots that repeat each other share their evidence evenly: of all best λ, the one whose products
    with the slots' largest spreads of scores have the least Euclidean norm.

    Counts say 3 to 1; ten samples of the first feature say 9 to 1, which is 3 to 1 squared:

    >>> F, H = np.array([[1.0, 3.0], [3.0, 1.0]]), np.eye(2)[[0] * 10]
    >>> fit_temper(H, np.eye(2)[[0] + [1] * 9], F).temper.round(9).tolist()
    [2.0]
    """
    slots = checks.whole("slots", slots, 1, _SPEC)
    _check(features, counts, slots)
    checks.targets(targets, features.shape[0], width=counts.shape[1])
    first = np.asarray(on_host(start), dtype=np.float64)
    if first.ndim == 0:
        first = np.full(slots, first)
    checks.shape("start", first, (slots,), "S", _SPEC)
    checks.finite("start", first, _SPEC)
    return fit_temper_unchecked(features, targets, counts, start=first, tolerance=tolerance)


def fit_temper_unchecked(
    features: Features,
    targets: Targets,
    counts: Counts,
    *,
    start: Array,
    tolerance: float = 1e-10,
) -> TemperFit:
    """`fit_temper` without its checks, for as many slots as `start` [S] has numbers."""
    slots = start.shape[0]
    prior, scores = slot_scores_unchecked(features, counts, slots)
    spread = largest_spread(scores, np.eye(slots))
    informative = spread > _noise(features, counts, slots)
    size = np.where(informative, spread, np.inf)  # the other slots become exactly zero
    scaled = scores / beside(size, scores)[None, :, None]

    def curve(lam: Array) -> Curve:
        return temper_curve(lam, prior, scaled, targets)

    prior_alone = np.zeros(slots)  # near zero the loss curves, far from it it is almost planes
    unit = curve(prior_alone).value
    best = minimise_convex(curve, prior_alone, tolerance=tolerance, farthest=np.inf, unit=unit)
    mass = float(namespace(targets).sum(targets)) / targets.shape[0]
    _refuse_saturation(curve(best.place).bend, scaled, mass)
    with np.errstate(over="ignore"):
        temper = np.where(informative, best.place / size, start)
    if not np.all(np.isfinite(temper)):
        raise NotConverged(
            "the best temper must be a finite number, got one beyond the largest number, since the "
            "features are so small; multiply the features by a power of two (SPEC 1)"
        )
    return TemperFit(temper, best.value, best.steps)


def _check(features: Features, counts: Counts, slots: int) -> None:
    """Refuse features and counts that do not belong together in S slots."""
    _check_counts(counts)
    width = counts.shape[0]
    checks.features(features, width=width)
    if slots < 1 or width % slots:
        raise BadOption("slots", slots, f"a divisor of the number of features, {width}", _SPEC)


def _check_counts(counts: Counts) -> None:
    """Refuse counts that are not positive numbers [D, N]."""
    checks.shape("counts", counts, (None, None), "D N", _SPEC)
    checks.positive_entries("counts", counts, _SPEC)


def _as_row(temper: float | Array) -> Array:
    """λ [S], one number per slot, on the host."""
    return np.atleast_1d(np.asarray(on_host(temper), dtype=np.float64))


def temper_curve(temper: Array, prior: Array, scores: Array, targets: Targets) -> Curve:
    """Mean cross-entropy as a function of λ, with gradient and Hessian.

    With p = φ(z): g_k = E⟨p − y, s_k⟩ and H_kl = E[⟨p, s_k s_l⟩ − ⟨p, s_k⟩⟨p, s_l⟩], a covariance.
    """
    xp = namespace(scores)
    lam = xp.reshape(beside(temper, scores), (1, -1, 1))
    z: Array = prior + xp.sum(lam * scores, axis=1)
    p, logs = softmax_unchecked(z), log_softmax_unchecked(z)
    weight: Array = xp.sum(targets, axis=-1)
    m = scores.shape[0]
    value = -float(xp.sum(targets * logs)) / m
    error: Array = weight[:, None] * p - targets
    slope = xp.sum(scores * error[:, None, :], axis=(0, 2)) / m
    mean: Array = xp.sum(scores * p[:, None, :], axis=-1)
    spread: Array = (scores - mean[..., None]) * xp.sqrt(weight[:, None] * p)[:, None, :]
    bend = xp.sum(xp.matmul(spread, xp.matrix_transpose(spread)), axis=0) / m
    return Curve(value, on_host(slope), on_host(bend))


def largest_spread(scores: Array, directions: Array) -> Array:
    """The largest distance between two targets' scores, along each column of λ [S, k]."""
    xp = namespace(scores)
    most = []
    for direction in directions.T:
        v = xp.asarray(direction, dtype=scores.dtype, device=scores.device)
        along: Array = xp.matmul(xp.reshape(v, (1, 1, -1)), scores)
        most.append(float(xp.max(xp.max(along, axis=-1) + xp.max(-along, axis=-1))))
    return np.array(most)


def _noise(features: Features, counts: Counts, slots: int) -> Array:
    """The largest spread that rounding alone can give the scores of each slot [S]."""
    xp = namespace(features, counts)
    counts = floating(counts)
    logs = xp.max(abs(xp.log(counts))) + xp.max(abs(xp.log(xp.sum(counts, axis=0))))
    norms = xp.sum(xp.reshape(features, (features.shape[0], slots, -1)), axis=2)
    most: Array = on_host(xp.max(norms, axis=0))
    digit = 2.0**-52 if counts.dtype == xp.float64 else 2.0**-23
    return most * (64 * digit * (1 + float(logs)))


def _refuse_saturation(bend: Array, scores: Array, mass: float) -> None:
    """Refuse a point at which the loss is flat though the scores are not: λ went to infinity.

    Scores are in units of their spreads.
    """
    curvature, axes = np.linalg.eigh(bend)
    spread = largest_spread(scores, axes)
    if np.any((spread > 1e-9) & (curvature <= 1e-13 * mass * spread**2)):
        raise NotConverged(INFINITELY_FAR)


def _evidence(counts: Counts) -> tuple[Counts, Array]:
    """log(F[d,i]/n_i) [D, N], and log n [N]."""
    counts, xp = floating(counts), namespace(counts)
    prior = xp.log(xp.sum(counts, axis=0))
    evidence: Counts = xp.log(counts) - prior
    return evidence, prior
