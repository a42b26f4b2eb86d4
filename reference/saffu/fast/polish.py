"""From an explicit solution to the optimum of its loss, by L-BFGS on ever more samples.   (SPEC 1)

    ℓ(U, b) = −(1/M) Σ_m log φ(h_m U + b)[y_m],    dU = Hᵀ (φ(HU + b) − Y) / M

The loss of one softmax layer is convex, so a quasi-Newton method (Liu & Nocedal 1989, in SciPy)
ends where it has to.  Far from the optimum a few thousand samples show the way as well as all of
them do; so it begins with few and then takes many more (Byrd, Chin, Nocedal & Wu 2012).  Features
are measured in units of their root mean square, which makes the loss rounder.

Nothing is smoothed and nothing is held back here: on few samples, or to the last digit, it fits
noise.  Validation data has to say where to stop: `watch` can.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np
from scipy import optimize

from saffu import refusals
from saffu.fast.nats import nats_and_gradient
from saffu.fast.stream import slices
from saffu.types import Array, Features, TokenIds, Weights

ROWS: Final = 512
"""samples whose features are held in the cache"""
MEMORY: Final = 30
"""pairs of steps and slopes that L-BFGS keeps"""


class Polished(NamedTuple):
    """What was reached."""

    weights: Weights
    """U [D, N]"""
    bias: Array
    """b [N]"""
    loss: float
    """mean nats on all samples; on those seen last, if it was stopped before it saw all"""
    evaluations: int
    """of loss and gradient, on however many samples"""
    stopped: bool
    """whether `watch` said so"""


Watch = Callable[[Weights, Array], bool]
"""Is shown U and b after each iteration; True stops."""


def polish(
    weights: Weights,
    bias: Array,
    features: Features,
    labels: TokenIds,
    *,
    first: int = 8192,
    steps: int = 12,
    growth: int = 8,
    most: int = 500,
    tolerance: float = 1e-6,
    seed: int = 0,
    watch: Watch | None = None,
) -> Polished:
    """Minimise the cross-entropy of a softmax layer from where it stands.   (SPEC 1)

    Parameters: `weights` U [D, N] and `bias` b [N] to begin with, usually explicit; `features`
    [M, D]; `labels` [M] of 0 … N−1; `first`, samples to begin with, drawn with `seed`; `steps`,
    iterations before they become `growth` times as many; `most`, iterations on all samples;
    `tolerance`, ends when an iteration on all samples gains less than this share of the loss;
    `watch`, see `Watch`.
    Returns U and b in the precision of the features.
    Refuses: entries that are not finite; labels out of range; shapes that disagree; no samples.

    >>> H, y = np.eye(2)[[0, 0, 0, 1]], np.array([0, 0, 1, 1])
    >>> found = polish(np.zeros((2, 2)), np.zeros(2), H, y, tolerance=1e-12)
    >>> round(float(found.loss), 4)       # the best: 3/4 of the entropy of (2/3, 1/3)
    0.4774
    """
    _check(weights, bias, features, labels)
    refusals.whole("first", first, 1, "SPEC 1")
    refusals.whole("steps", steps, 1, "SPEC 1")
    refusals.whole("growth", growth, 2, "SPEC 1")
    refusals.whole("most", most, 1, "SPEC 1")
    refusals.positive("tolerance", tolerance, "SPEC 1", zero=True)
    order = np.random.default_rng(seed).permutation(features.shape[0])
    state = _State(weights, bias, features.dtype)
    size, evaluations, loss, stopped = min(first, len(order)), 0, float("nan"), False
    while not stopped:
        every = size == len(order)
        rows = slice(None) if every else np.sort(order[:size])
        loss, calls, stopped = state.improve(
            features[rows], labels[rows], most if every else steps, tolerance, watch
        )
        evaluations += calls
        if every:
            break
        size = min(growth * size, len(order))
    return Polished(*state.layer(), loss, evaluations, stopped)


class _State:
    """The point reached, in the units in which features have mean square one."""

    def __init__(self, weights: Weights, bias: Array, dtype: Any) -> None:
        self.shape = weights.shape
        self.dtype = dtype
        self.units = np.ones(self.shape[0])
        self.point = np.vstack([weights, bias]).astype(np.float64)

    def layer(self, point: Array | None = None) -> tuple[Weights, Array]:
        """U and b at a point."""
        flat = self.point if point is None else point.reshape(self.point.shape)
        u: Weights = (flat[:-1] * self.units[:, None]).astype(self.dtype)
        b: Array = flat[-1].astype(self.dtype)
        return u, b

    def measure(self, features: Features) -> None:
        """New units; the layer stays what it is."""
        square = np.einsum("md,md->d", features, features, dtype=np.float64) / len(features)
        units = 1.0 / np.sqrt(square + 1e-3 * max(float(square.max()), 1e-300))
        self.point[:-1] *= (self.units / units)[:, None]
        self.units = units

    def improve(
        self, features: Features, labels: TokenIds, most: int, tolerance: float, watch: Watch | None
    ) -> tuple[float, int, bool]:
        """L-BFGS on some samples: the loss reached, evaluations, whether it was stopped."""
        self.measure(features)

        def loss_and_gradient(point: Array) -> tuple[float, Array]:
            u, b = self.layer(point)
            loss, slope = 0.0, np.zeros(self.point.shape)
            for part in slices(len(labels), ROWS):  # read once, while they are in the cache
                some = features[part]
                nats, dz = nats_and_gradient(some @ u + b, labels[part])
                share = len(some) / len(labels)
                loss += share * float(nats.mean(dtype=np.float64))
                slope[:-1] += share * (some.T @ dz)
                slope[-1] += share * dz.sum(axis=0)
            slope[:-1] *= self.units[:, None]
            return loss, slope.ravel()

        def seen(intermediate_result: optimize.OptimizeResult) -> None:
            if watch is not None and watch(*self.layer(intermediate_result.x)):
                raise StopIteration

        found = optimize.minimize(
            loss_and_gradient,
            self.point.ravel(),
            jac=True,
            method="L-BFGS-B",
            callback=seen,
            options={
                "maxiter": most,
                "maxfun": 20 * most,
                "maxcor": MEMORY,
                "ftol": tolerance,
                "gtol": 0.0,
            },
        )
        self.point = found.x.reshape(self.point.shape)
        return float(found.fun), int(found.nfev), found.status == 99


def _check(weights: Weights, bias: Array, features: Features, labels: TokenIds) -> None:
    refusals.shape("features", features, (None, None), "M D", "SPEC 1")
    refusals.samples("features", features, "SPEC 1")
    refusals.shape("weights", weights, (features.shape[1], None), "D N", "SPEC 1")
    refusals.shape("bias", bias, (weights.shape[1],), "N", "SPEC 1")
    for name, x in (("features", features), ("weights", weights), ("bias", bias)):
        refusals.finite(name, x, "SPEC 1")
    refusals.labels(labels, features.shape[0], weights.shape[1])
