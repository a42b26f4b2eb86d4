"""Choosing the smoothing: by held-out data, or by leaving out one sample at a time.   (SPEC 1)

α decides a great deal, so it is chosen for each layer and not defaulted away.  [D]

Held out: the explicit solution of the training counts is judged by its cross-entropy on other data.
Leave-one-out: each sample is predicted from the counts of all others.  For one-hot features this
has a closed form on the counts: a sample in cell (d, i) sees F[d,i] − 1 in its own cell, so every
cell contributes F[d,i] times one logarithm, and no second data set is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from saffu import checks
from saffu.arrays.namespace import floating, namespace, on_host
from saffu.counts import Cooccurrence
from saffu.errors import BadOption, ZeroCount
from saffu.explicit.smoothing import Additive, Backoff, Smoothing, smooth
from saffu.explicit.solution import explicit_weights
from saffu.explicit.temper import fit_temper
from saffu.loss import cross_entropy
from saffu.types import Counts, Features, Targets

STRENGTHS: tuple[float, ...] = tuple(float(10 ** (e / 2)) for e in range(-4, 9))
"""α from 0.01 to 10,000, two a decade."""

DISCOUNTS: tuple[float, ...] = (0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
"""δ for `Discount`."""


class SmoothingChoice(NamedTuple):
    """The best smoothing among those tried, and how all of them did."""

    smoothing: Smoothing
    loss: float
    """nats a sample"""
    tried: tuple[tuple[Smoothing, float], ...]


def choose_smoothing(
    state: Cooccurrence,
    held_out: tuple[Features, Targets] | None = None,
    *,
    candidates: Sequence[Smoothing] | None = None,
    temper: bool = False,
) -> SmoothingChoice:
    """The smoothing under which the explicit solution predicts unseen samples best.   (SPEC 1)

    Parameters: `state` from training data; `held_out` features [M, D] and targets [M, N], or None
    for leave-one-out, which needs one-hot features (whole counts, K = 1); `candidates`, `Backoff`
    over `STRENGTHS` unless given; `temper=True` fits λ anew for each candidate (held-out only).
    Returns the best candidate, its loss in nats, and the loss of each.  Ties go to the first.
    Refuses: no candidates; leave-one-out on features that are not one-hot; a candidate of strength
    zero where there is a zero to smooth.

    >>> from saffu.counts import cooccurrence
    >>> H, Y = np.eye(2)[[0, 0, 0, 1, 1]], np.eye(2)[[0, 0, 1, 1, 1]]
    >>> choose_smoothing(cooccurrence(H, Y), candidates=[Backoff(0.1), Backoff(1.0)]).smoothing
    Backoff(strength=1.0)
    """
    options = [Backoff(s) for s in STRENGTHS] if candidates is None else list(candidates)
    if not options:
        raise BadOption("candidates", candidates, "at least one smoothing", "SPEC 1")
    if held_out is None:
        judge = _leave_one_out(state, temper)
    else:
        judge = _held_out(state, held_out[0], held_out[1], temper)
    tried = tuple((option, judge(option)) for option in options)
    best, loss = min(tried, key=lambda pair: pair[1])
    return SmoothingChoice(best, loss, tried)


def leave_one_out_nats(counts: Counts, smoothing: Smoothing) -> float:
    """Mean nats of each sample under the solution of all others, one-hot features.   (SPEC 1)

    Parameters: `counts` F [D, N], whole numbers.  Returns nats a sample.
    Refuses: a strength of zero where a cell is empty, or becomes so without its sample.

    Without the sample, its cell holds F[d,i] − 1, its row one less, and q_i = n_i / (Σ n − 1 + N).
    """
    counts = on_host(counts)
    if smoothing.strength == 0 and np.any(counts < 2):
        d, i = np.argwhere(counts < 2)[0]
        advice = "or only by the sample that is left out; pass smoothing=Backoff(1.0)"
        raise ZeroCount(int(d), int(i), advice)
    d, i = np.nonzero(counts)
    f = counts[d, i]
    row, total, size = counts.sum(axis=1)[d], counts.sum(), counts.shape[1]
    q = counts.sum(axis=0)[i] / (total - 1 + size)
    s = smoothing.strength
    if isinstance(smoothing, Additive):
        p = (f - 1 + s) / (row - 1 + s * size)
    elif isinstance(smoothing, Backoff):
        p = (f - 1 + s * q) / (row - 1 + s)
    else:
        cells = (counts > 0).sum(axis=1)[d] - (f == 1)
        kept = np.maximum(f - 1 - s, 0.0) + s * cells * q
        p = np.where(row > 1, kept / np.maximum(row - 1, 1), q)
    return float(-(f * np.log(p)).sum() / total)


def _leave_one_out(state: Cooccurrence, temper: bool) -> Callable[[Smoothing], float]:
    counts = on_host(state.counts)
    whole = not np.any(counts % 1)
    one_hot = whole and state.norm == state.samples and counts.sum() == state.samples
    if not one_hot or temper:
        raise BadOption(
            "held_out",
            None,
            "held-out samples; leave-one-out is for one-hot features and targets without temper",
            "SPEC 1",
        )
    checks.whole("samples", state.samples, 2, "SPEC 1")
    return lambda smoothing: leave_one_out_nats(counts, smoothing)


def _held_out(
    state: Cooccurrence, features: Features, targets: Targets, temper: bool
) -> Callable[[Smoothing], float]:
    checks.features(features, "held_out features")
    checks.targets(targets, features.shape[0], "held_out targets")
    checks.shape("held_out features", features, (None, state.counts.shape[0]), "M D", "SPEC 1")
    checks.shape("held_out targets", targets, (None, state.counts.shape[1]), "M N", "SPEC 1")
    k, xp = state.priming, namespace(features)

    def judge(smoothing: Smoothing) -> float:
        full = xp.astype(smooth(state.counts, smoothing), floating(features).dtype)
        if temper:
            return fit_temper(features, targets, full).loss
        return float(cross_entropy(features @ explicit_weights(full, k), targets))

    return judge
