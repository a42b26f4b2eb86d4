"""L-BFGS in whitened units, from an explicit solution to the optimum of its loss.   (SPEC 1)

    ℓ(U, b) = −(1/M) Σ_m log φ(h_m U + b)[y_m],    dU = Hᵀ (φ(HU + b) − Y) / M

The loss of one softmax layer is convex, so a quasi-Newton method (Liu & Nocedal 1989, in SciPy)
ends where it has to.  How soon depends on the units.  The curvature of the loss is at most
½ HᵀH/M for each target (Böhning 1992); so features are measured in units in which HᵀH/M is the
identity, U = L⁻ᵀ V with L Lᵀ = HᵀH/M + ε, and the loss is about round from the beginning: on MNIST
a quarter of the evaluations are enough.  A few thousand samples tell the units.

Nothing is smoothed and nothing is held back here: to the last digit, or on few samples, it fits
noise.  Validation data has to say where to stop: `watch` can.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
from scipy import linalg, optimize

from saffu import checks
from saffu.fast.loss import nats_and_gradient
from saffu.fast.plans import slices
from saffu.types import Array, Features, TokenIds, Weights

_SPEC: Final = "SPEC 1"

ROWS: Final = 1024
"""samples whose features are held in the cache"""
MEMORY: Final = 30
"""pairs of steps and slopes that L-BFGS keeps"""
MOST_FEATURES: Final = 4096
"""D at most for units that mix features, since L has D² cells; above, each has a unit of its own"""


class Polished(NamedTuple):
    """What was reached."""

    weights: Weights
    """U [D, N]"""
    bias: Array
    """b [N]"""
    loss: float
    """mean nats"""
    evaluations: int
    """of loss and gradient"""
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
    measured: int = 8192,
    ridge: float = 0.01,
    most: int = 200,
    tolerance: float = 1e-6,
    seed: int = 0,
    watch: Watch | None = None,
) -> Polished:
    """Minimise the cross-entropy of a softmax layer from where it stands.   (SPEC 1)

    Parameters: `weights` U [D, N] and `bias` b [N] to begin with, usually explicit; `features`
    [M, D]; `labels` [M] of 0 … N−1; `measured`, samples that tell the units, drawn with `seed`;
    `ridge` > 0, ε as a share of the mean square: with 1 or more, directions in which features
    hardly vary are left for later, which fits less noise if it is stopped early; `most`,
    iterations; `tolerance`, ends when an iteration gains less than this share of the loss;
    `watch`, see `Watch`.
    Returns U and b in the precision of the features.
    Refuses: entries that are not finite; labels out of range; shapes that disagree; no samples.

    >>> H, y = np.eye(2)[[0, 0, 0, 1]], np.array([0, 0, 1, 1])
    >>> polished = polish(np.zeros((2, 2)), np.zeros(2), H, y, tolerance=1e-12)
    >>> round(float(polished.loss), 4)       # the best: 3/4 of the entropy of (2/3, 1/3)
    0.4774
    """
    _check(weights, bias, features, labels)
    checks.whole("measured", measured, 1, _SPEC)
    checks.positive("ridge", ridge, _SPEC)
    checks.whole("most", most, 1, _SPEC)
    checks.positive("tolerance", tolerance, _SPEC, zero=True)
    rows = np.random.default_rng(seed).permutation(features.shape[0])[:measured]
    units = units_of(features[np.sort(rows)], ridge)
    shape = (weights.shape[0] + 1, weights.shape[1])

    def layer(point: Array) -> tuple[Weights, Array]:
        flat = point.reshape(shape)
        u: Weights = units.weights(flat[:-1]).astype(features.dtype)
        b: Array = flat[-1].astype(features.dtype)
        return u, b

    def loss_and_slope(point: Array) -> tuple[float, Array]:
        u, b = layer(point)
        loss, slope = 0.0, np.zeros(shape)
        for part in slices(len(labels), ROWS):  # read once, while they are in the cache
            some = features[part]
            nats, dz = nats_and_gradient(some @ u + b, labels[part])
            share = len(some) / len(labels)
            loss += share * float(nats.mean(dtype=np.float64))
            slope[:-1] += share * (some.T @ dz)
            slope[-1] += share * dz.sum(axis=0)
        slope[:-1] = units.slope(slope[:-1])
        return loss, slope.ravel()

    def seen(intermediate_result: optimize.OptimizeResult) -> None:
        if watch is not None and watch(*layer(intermediate_result.x)):
            raise StopIteration

    start = np.vstack([units.point(weights.astype(np.float64)), bias])
    minimum = optimize.minimize(
        loss_and_slope,
        start.ravel(),
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
    return Polished(*layer(minimum.x), float(minimum.fun), int(minimum.nfev), minimum.status == 99)


class Units(NamedTuple):
    """V for U: features in units in which their second moments are about the identity."""

    factor: Array
    """L [D, D], lower triangle; or its diagonal [D]"""

    def weights(self, point: Array) -> Array:
        """U = L⁻ᵀ V."""
        if self.factor.ndim == 1:
            return np.asarray(point / self.factor[:, None])
        solved: Array = linalg.solve_triangular(self.factor, point, trans="T", lower=True)
        return solved

    def point(self, weights: Array) -> Array:
        """V = Lᵀ U."""
        if self.factor.ndim == 1:
            return np.asarray(weights * self.factor[:, None])
        return np.asarray(self.factor.T @ weights)

    def slope(self, d_weights: Array) -> Array:
        """dV = L⁻¹ dU."""
        if self.factor.ndim == 1:
            return np.asarray(d_weights / self.factor[:, None])
        solved: Array = linalg.solve_triangular(self.factor, d_weights, lower=True)
        return solved


def units_of(features: Features, ridge: float) -> Units:
    """The units that some samples tell.

    >>> units_of(np.array([[2.0, 0.0], [0.0, 1.0]]), ridge=0.01).factor.round(2).tolist()
    [[1.42, 0.0], [0.0, 0.72]]
    """
    samples, width = features.shape
    squares = np.einsum("md,md->d", features, features, dtype=np.float64) / samples
    more = ridge * max(float(squares.mean()), 1e-300)
    if width > MOST_FEATURES:
        return Units(np.sqrt(squares + more))
    moments = (features.T @ features).astype(np.float64) / samples
    moments[np.diag_indices(width)] += more
    factor: Array = linalg.cholesky(moments, lower=True)
    return Units(factor)


def _check(weights: Weights, bias: Array, features: Features, labels: TokenIds) -> None:
    checks.shape("features", features, (None, None), "M D", _SPEC)
    checks.samples("features", features, _SPEC)
    checks.shape("weights", weights, (features.shape[1], None), "D N", _SPEC)
    checks.shape("bias", bias, (weights.shape[1],), "N", _SPEC)
    for name, x in (("features", features), ("weights", weights), ("bias", bias)):
        checks.finite(name, x, _SPEC)
    checks.labels(labels, features.shape[0], weights.shape[1])
