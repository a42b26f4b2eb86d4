"""Explicit solution of one layer of a network.   (SPEC 1)

For inputs h and targets t, with F = Σ h ⊗ t smoothed and n_i = Σ_d F[d,i]:

    U[d,i] = λ log(F[d,i] / n_i),     b_i = log(n_i / κ_i),     κ_i = mean ‖h‖ of the samples of i

so that n_i/κ_i is the number of samples of target i.  Where all inputs have one norm, these are the
tempered logits of SPEC 1, up to a constant.  Where norms differ, κ keeps a target with inputs of
large norm from looking frequent: on MNIST, at the best λ, 0.542 nats instead of 0.551.   [D]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

import numpy as np

from saffu import checks
from saffu.arrays.operation import operation
from saffu.counts import Cooccurrence, cooccurrence_unchecked
from saffu.errors import BadOption, NotConverged, WrongType
from saffu.explicit.smoothing import Backoff, Smoothing, smooth_computed
from saffu.explicit.temper import fit_temper_unchecked, tempered_logits_unchecked
from saffu.loss import cross_entropy_unchecked
from saffu.network.layers import SoftmaxLayer
from saffu.types import Array, Counts, Features, Targets

_SPEC: Final = "SPEC 1"


@dataclass(frozen=True)
class ExplicitSettings:
    """Settings of an explicit solution."""

    smoothing: Smoothing | None = Backoff(1.0)
    """for every layer; None: chosen among `candidates` on validation data, layer by layer"""
    candidates: tuple[Smoothing, ...] = (Backoff(0.1), Backoff(1.0), Backoff(10.0), Backoff(100.0))
    temper: float | None = None
    """λ of every layer; None: fitted on validation data to each layer's own targets.  Where the
    layer makes no mistake there, so that no λ is too large, one imagined sample bounds it."""
    hidden_scale: float = 1.0
    """factor on λ of hidden layers: training goes best from a smaller λ than the one with the least
    loss before training [D]; each layer is solved on the outputs of the scaled layers below it"""
    refits: int = 0
    """number of times that hidden layers are solved again, for hidden targets; the best is kept"""
    refit: Literal["parts", "above"] = "parts"
    """source of the hidden targets: see `saffu.network.stack`"""

    def __post_init__(self) -> None:
        given: tuple[object, ...] = (self.smoothing,)
        for each in self.candidates if self.smoothing is None else given:
            if not isinstance(each, Smoothing):
                raise WrongType("smoothing", "Additive, Backoff or Discount", each)
        checks.whole("refits", self.refits, 0, "SPEC 5")
        checks.choice("refit", self.refit, ("parts", "above"), "SPEC 5")
        if self.smoothing is None and not self.candidates:
            raise BadOption(
                "candidates", self.candidates, "a sequence of at least one smoothing", _SPEC
            )
        checks.positive("hidden_scale", self.hidden_scale, _SPEC)
        if self.temper is not None:
            checks.positive("temper", self.temper, _SPEC, zero=True)


class Goal(NamedTuple):
    """Inputs and targets of one layer."""

    features: Features
    targets: Targets


class LayerFit(NamedTuple):
    """One solved layer, and the choices made for it."""

    layer: SoftmaxLayer
    temper: float
    smoothing: Smoothing


@operation
def solve_layer(train: Goal, held_out: Goal | None, settings: ExplicitSettings) -> LayerFit:
    """Solve one layer from its counts; choose open settings on held-out data.   (SPEC 1)

    Refuses: no held-out data where λ or the smoothing is left open; what `cooccurrence`, `smooth`
    and `fit_temper` refuse.

    >>> from saffu.numerics import softmax
    >>> H, Y = np.eye(2)[[0, 0, 0, 1]], np.eye(2)[[0, 0, 1, 1]]
    >>> fit = solve_layer(Goal(H, Y), None, ExplicitSettings(Backoff(0.5), temper=1.0))
    >>> softmax(fit.layer.weights + fit.layer.bias).round(6).tolist()
    [[0.642857, 0.357143], [0.166667, 0.833333]]
    """
    checks.features(train.features)
    checks.targets(train.targets, train.features.shape[0])
    if held_out is not None:
        checks.features(held_out.features, width=train.features.shape[1])
        rows, width = held_out.features.shape[0], train.targets.shape[1]
        checks.targets(held_out.targets, rows, width=width)
    return solve_layer_unchecked(train, held_out, settings)


def solve_layer_unchecked(
    train: Goal, held_out: Goal | None, settings: ExplicitSettings
) -> LayerFit:
    """`solve_layer` for arrays that are checked already; settings and counts are looked at."""
    if held_out is None and (settings.smoothing is None or settings.temper is None):
        expected = "data to choose λ and smoothing on, or settings with both given"
        raise BadOption("validation", None, expected, _SPEC)
    state = cooccurrence_unchecked(train.features, train.targets)
    options = settings.candidates if settings.smoothing is None else (settings.smoothing,)
    norms = mean_norms(state, np.asarray(train.targets.sum(axis=0, dtype=np.float64)))
    tried = []
    for option in options:
        counts = smooth_computed(state.counts, option) / norms
        lam, nats = _tempered(counts, held_out, settings.temper)
        tried.append((nats, option, lam, counts))
    _, smoothing, lam, counts = min(tried, key=lambda one: one[0])
    totals = counts.sum(axis=0)
    layer = SoftmaxLayer(lam * np.log(counts / totals), np.log(totals))
    return LayerFit(layer, lam, smoothing)


def mean_norms(state: Cooccurrence, seen: Array) -> Array:
    """κ [N], the mean norm of the inputs seen with each target; K for a target never seen.

    Parameters: `seen` [N], Σ_m y_mi.

    >>> H, Y = np.array([[2.0, 3.0], [1.0, 0.0]]), np.eye(3)[[0, 1]]
    >>> mean_norms(cooccurrence_unchecked(H, Y), Y.sum(axis=0)).tolist()
    [5.0, 1.0, 3.0]
    """
    mass = np.asarray(state.counts.sum(axis=0, dtype=np.float64))
    overall = np.full_like(mass, state.priming)
    return np.asarray(np.divide(mass, seen, out=overall, where=(seen > 0) & (mass > 0)))


def _tempered(counts: Counts, held_out: Goal | None, temper: float | None) -> tuple[float, float]:
    """λ, fitted unless given, and its loss on held-out data (0 if there is none to judge on)."""
    lam = 1.0 if temper is None else temper
    if held_out is None:
        return lam, 0.0
    features = held_out.features
    targets = np.asarray(held_out.targets, dtype=np.float64)  # float32 sums would bend the loss
    if temper is None:
        try:
            fit = fit_temper_unchecked(features, targets, counts, start=np.ones(1))
        except NotConverged:
            fit = fit_temper_unchecked(features, doubted(targets), counts, start=np.ones(1))
        lam = float(fit.temper[0])
    logits = tempered_logits_unchecked(features, counts, np.array([lam]))
    return lam, float(cross_entropy_unchecked(logits, targets))


def doubted(targets: Targets) -> Targets:
    """Targets mixed with the uniform distribution, weight 1 / (M + 1): Platt (1999).   [D]

    >>> doubted(np.array([[1.0, 0.0]])).tolist()
    [[0.75, 0.25]]
    """
    samples, size = targets.shape
    share = 1 / (samples + 1)
    even: Array = targets.sum(axis=1, keepdims=True) / size
    return np.asarray((1 - share) * targets + share * even)
