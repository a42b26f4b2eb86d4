"""Choosing the smoothing: by held-out data, or by leaving out one sample at a time.   (SPEC 1)

The loss depends strongly on α, so it is chosen for each layer; here for one layer by itself, for a
transformer in `saffu.search`.  [D]

Held out: the explicit solution of the training counts is judged by its cross-entropy on other data.
Leave-one-out: each sample is predicted from the counts of all others.  For one-hot features this
has a closed form on the counts: a sample in cell (d, i) sees F[d,i] − 1 in its own cell, so every
cell contributes F[d,i] times one logarithm, and no second data set is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np

from saffu import checks
from saffu.arrays.namespace import floating, namespace, on_host
from saffu.arrays.operation import operation
from saffu.counts import Cooccurrence
from saffu.errors import BadOption, ZeroCount
from saffu.explicit.smoothing import (
    Backoff,
    Remaining,
    Smoothing,
    refuse_fractions,
    smooth_unchecked,
)
from saffu.explicit.solution import explicit_weights
from saffu.explicit.temper import fit_temper_unchecked
from saffu.loss import cross_entropy_unchecked
from saffu.types import Counts, Features, Targets

_SPEC: Final = "SPEC 1"

STRENGTHS: tuple[float, ...] = tuple(float(10 ** (e / 2)) for e in range(-4, 9))
"""α from 0.01 to 10,000, two per decade."""

DISCOUNTS: tuple[float, ...] = (0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
"""δ for `Discount`."""


class SmoothingChoice(NamedTuple):
    """The best of several smoothings, with the loss under each."""

    smoothing: Smoothing
    loss: float
    """nats per sample"""
    tried: tuple[tuple[Smoothing, float], ...]


@operation
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
    over `STRENGTHS` unless given; `temper=True` fits λ again for each candidate (held-out only).
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
        raise BadOption("candidates", candidates, "a sequence of at least one smoothing", _SPEC)
    if held_out is None:
        loss_under = _leave_one_out(state, temper)
    else:
        refuse_fractions(state.counts, *options)
        loss_under = _held_out(state, *held_out, temper)
    tried = tuple((option, loss_under(option)) for option in options)
    best, loss = min(tried, key=lambda pair: pair[1])
    return SmoothingChoice(best, loss, tried)


def leave_one_out_nats(counts: Counts, smoothing: Smoothing) -> float:
    """Mean nats of each sample under the solution of all others, one-hot features.   (SPEC 1)

    Parameters: `counts` F [D, N], whole numbers.  Returns nats per sample.
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
    total, size = counts.sum(), counts.shape[1]
    remaining = Remaining(
        counts=f - 1,
        row=counts.sum(axis=1)[d] - 1,
        cells=(counts > 0).sum(axis=1)[d],
        shares=counts.sum(axis=0)[i] / (total - 1 + size),
        targets=size,
    )
    return float(-(f * np.log(smoothing.left_out(remaining))).sum() / total)


def _leave_one_out(state: Cooccurrence, temper: bool) -> Callable[[Smoothing], float]:
    """The mean nats of each sample under the solution of all others, for each smoothing."""
    counts = on_host(state.counts)
    whole = not np.any(counts % 1)
    one_hot = whole and state.norm == state.samples and counts.sum() == state.samples
    if not one_hot or temper:
        raise BadOption(
            "held_out",
            None,
            "held-out samples (leave-one-out is for one-hot features and targets without temper)",
            _SPEC,
        )
    checks.whole("samples", state.samples, 2, _SPEC)
    return lambda smoothing: leave_one_out_nats(counts, smoothing)


def _held_out(
    state: Cooccurrence, features: Features, targets: Targets, temper: bool
) -> Callable[[Smoothing], float]:
    """The mean nats of held-out samples under each smoothing."""
    checks.shape("counts", state.counts, (None, None), "D N", _SPEC)
    checks.non_negative("counts", state.counts, _SPEC)
    width, classes = state.counts.shape
    checks.features(features, "held_out features", width=width)
    checks.targets(targets, features.shape[0], "held_out targets", width=classes)
    k, xp = state.priming, namespace(features)

    def loss_under(smoothing: Smoothing) -> float:
        full = xp.astype(smooth_unchecked(state.counts, smoothing), floating(features).dtype)
        if temper:
            return fit_temper_unchecked(features, targets, full, start=np.ones(1)).loss
        logits = features @ explicit_weights(full, k)
        return float(cross_entropy_unchecked(logits, targets))

    return loss_under
