"""Convex problem of one softmax layer on one-hot contexts, with one solution.   (SPEC 1)

    z = log q + Σ_k U_k[x_k]        r slots of V tokens, D = r V features, of norm r at most

    P(α) = (1/M) ( Σ_m −log φ(z_m)[y_m] + α Σ_d Σ_i q_i (−log φ(log q + U_d)_i) )

q is how common the targets are.  The first sum alone has no minimum: where a token was never seen
before a target, that weight goes to minus infinity.  The second sum is what `Backoff(α)` means, α
imagined samples of each feature alone, whose targets are spread as q; with it there is one minimum,
up to a number added to a row of U.  For r = 1 that minimum is the explicit solution
U_d = log((F_d + α q) / q).   [D]
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy import optimize, sparse

from saffu.contexts import RadialContext
from saffu.data.corpus import Corpus
from saffu.direct import evidence_table
from saffu.explicit.smoothing import Smoothing
from saffu.fast.loss import nats_and_gradient, nats_of
from saffu.fast.plans import slices, step_in_tokens
from saffu.fast.softmax import softmax_over
from saffu.numerics import log_softmax
from saffu.pairs import Pairs
from saffu.types import Array, IntArray, Nats, Weights

ROWS = 4096
"""samples whose logits are held at once"""
MEMORY = 12
"""pairs of steps and slopes that L-BFGS keeps"""
ATTEMPTS = 3
"""how often L-BFGS may restart"""


class OneHot(NamedTuple):
    """A text as one-hot features."""

    features: Any
    """H [M, r V], sparse"""
    targets: IntArray
    """[M]"""
    borders: IntArray
    """the first sample of each document"""


def one_hot(corpus: Corpus, radius: int, size: int, dtype: type = np.float64) -> OneHot:
    """Features of all samples of a text; fewer than r are one at the beginning of a document.

    Parameters: `radius` r; `size` V.

    >>> from saffu.data.tokenisers import Characters
    >>> from saffu.data.vocabulary import Vocabulary
    >>> vocabulary = Vocabulary.from_counts({"a": 2, "b": 1}, documents=1)
    >>> text = one_hot(Corpus.in_memory(["ab"], Characters(), vocabulary), 2, 5)
    >>> text.features.indices.tolist(), text.features.indptr.tolist(), text.targets.tolist()
    ([0, 3, 5, 4, 8], [0, 1, 3, 5], [3, 4, 1])
    """
    (chunk,) = corpus.chunks(corpus.targets)
    step = step_in_tokens(chunk, RadialContext(radius))
    indices = (step.slots + size * np.arange(radius))[step.mask]
    border = np.concatenate([[0], np.cumsum(step.mask.sum(axis=1))])
    ones: Array = np.ones(indices.shape[0], dtype)
    samples = chunk.targets.shape[0]
    features = sparse.csr_array((ones, indices, border), shape=(samples, radius * size))
    return OneHot(features, chunk.targets, np.flatnonzero(chunk.offsets == 0))


def slot_counts(text: OneHot, size: int) -> list[Pairs]:
    """C_k [V, V], how often each token stood k steps before each target."""
    one = np.ones(text.targets.shape[0])
    of = sparse.csr_array((one, (np.arange(one.shape[0]), text.targets)), (one.shape[0], size))
    counts = (text.features.T.astype(np.float64) @ of).tocsr()
    return [counts[first : first + size] for first in range(0, counts.shape[0], size)]


def evidence(pairs: list[Pairs], q: Array, smoothing: Smoothing) -> Weights:
    """U [r V, V], what each slot says by itself: log((F_d + α q) / q) up to a number a row."""
    return np.concatenate([evidence_table(c, q, smoothing).toarray() for c in pairs])


def centred(weights: Weights) -> Weights:
    """U with rows of mean zero: what softmax sees of it.

    >>> centred(np.array([[1.0, 3.0]])).tolist()
    [[-1.0, 1.0]]
    """
    deviations: Weights = weights - weights.mean(axis=1, keepdims=True)
    return deviations


def sample_nats(weights: Weights, prior: Array, text: OneHot) -> Nats:
    """−log φ(log q + h U)[y] of every sample."""
    u, b = weights.astype(text.features.dtype), prior.astype(text.features.dtype)
    parts = [
        nats_of(text.features[rows] @ u + b, text.targets[rows])
        for rows in slices(text.targets.shape[0], ROWS)
    ]
    return np.concatenate(parts).astype(np.float64)


class Problem(NamedTuple):
    """P(α)."""

    text: OneHot
    prior: Array
    """log q [V]"""
    strength: float
    """α"""
    counts: Weights
    """F [D, N]"""

    @property
    def samples(self) -> int:
        """M"""
        return int(self.text.targets.shape[0])

    def value_and_slope(self, weights: Weights) -> tuple[float, Weights]:
        """P(α) and its gradient [D, N]."""
        h, y = self.text.features, self.text.targets
        value, slope = 0.0, np.zeros_like(weights)
        for rows in slices(self.samples, 4 * ROWS):
            share = (rows.stop - rows.start) / self.samples
            nats, dz = nats_and_gradient(h[rows] @ weights + self.prior, y[rows])
            value += share * float(nats.mean())
            slope += h[rows].T @ (share * dz)
        imagined, d_imagined = self.imagined(weights)
        return value + imagined, slope + d_imagined

    def imagined(self, weights: Weights) -> tuple[float, Weights]:
        """The second sum, and its gradient."""
        alone = weights + self.prior
        q, share = np.exp(self.prior), self.strength / self.samples
        p = softmax_over(alone.copy())
        nats = -float(np.sum(log_softmax(alone) @ q))
        return share * nats, share * (p - q)

    def units(self) -> Array:
        """Square roots of about the diagonal of the second derivative [D, N].

        Where the slope is zero, Σ_m h_d φ(z_m)_i is F[d,i] up to the imagined samples.
        """
        counts = self.counts + self.strength * np.exp(self.prior)
        return np.sqrt(counts / self.samples)


class Course(NamedTuple):
    """How a minimisation went."""

    weights: Weights
    values: list[float]
    """P(α) at the beginning and after each iteration"""
    evaluations: int
    slope: float
    """the largest entry of the gradient at the end"""
    length: float
    """its Euclidean norm"""


def minimise(
    problem: Problem,
    start: Weights,
    *,
    tolerance: float = 1e-8,
    most: int = 500,
) -> Course:
    """L-BFGS in units in which the problem is about round, to a gradient of length `tolerance`.

    Parameters: `most` iterations.
    It ends sooner where rounding hides any further gain: `Course.length` says what was reached.
    """
    units, shape = problem.units(), start.shape
    latest: dict[str, Any] = {}
    values: list[float] = []

    def at(point: Array) -> tuple[float, Array]:
        value, slope = problem.value_and_slope(point.reshape(shape) / units)
        latest["slope"] = slope
        return value, (slope / units).ravel()

    def seen(intermediate_result: optimize.OptimizeResult) -> None:
        values.append(float(intermediate_result.fun))
        if float(np.linalg.norm(latest["slope"])) <= tolerance:
            raise StopIteration

    first, slope = problem.value_and_slope(start)
    if float(np.linalg.norm(slope)) <= tolerance:
        return Course(start, [first], 1, float(np.abs(slope).max()), float(np.linalg.norm(slope)))
    point, evaluations, weights = (start * units).ravel(), 1, start
    for _ in range(ATTEMPTS):  # rounding can end a search for a step; it restarts from there
        minimum = optimize.minimize(
            at,
            point,
            jac=True,
            method="L-BFGS-B",
            callback=seen,
            options={
                "maxiter": most - len(values),
                "maxfun": 4 * most,
                "maxcor": MEMORY,
                "ftol": 0.0,
                "gtol": 0.0,
            },
        )
        point, evaluations = minimum.x, evaluations + int(minimum.nfev)
        weights = point.reshape(shape) / units
        _, slope = problem.value_and_slope(weights)
        if float(np.linalg.norm(slope)) <= tolerance or len(values) >= most:
            break
    return Course(
        *(weights, [first, *values], evaluations),
        *(float(np.abs(slope).max()), float(np.linalg.norm(slope))),
    )


def scale_iteratively(problem: Problem, start: Weights, steps: int, radius: int) -> Course:
    """Generalised iterative scaling of P(α), which never raises it; no norm is above `radius`.

        U ← U + (1/r) log((F + α q) / (Hᵀ φ(z) + α φ(log q + U)))

    (Darroch & Ratcliff 1972; without a slack feature: Curran & Clark 2003.)
    """
    weights, values, slope = start, [], np.zeros_like(start)
    wanted = (problem.counts + problem.strength * np.exp(problem.prior)) / problem.samples
    for step in range(steps + 1):
        value, slope = problem.value_and_slope(weights)
        values.append(value)
        if step < steps:
            weights = weights + np.log(wanted / (wanted + slope)) / radius
    return Course(
        *(weights, values, steps + 1),
        *(float(np.abs(slope).max()), float(np.linalg.norm(slope))),
    )
