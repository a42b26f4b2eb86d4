"""Sufficient statistics of a softmax layer: co-occurrences, which add up.   (SPEC 1)

    F = Σ_m h_m ⊗ y_m = Hᵀ Y        generalised co-occurrence of features and targets   [P2, T]
    K = Σ_m ‖h_m‖₁ / M              priming number: the mean norm of the inputs          [P2, T]

The explicit solution depends on the data through (F, Σ‖h‖, M) alone.  Two shards' statistics
add up to those of their union, in any order and grouping: a commutative monoid.  For integer counts
the sums are exact, so every partition of the data gives the same bits.

Counts are float64 whatever the type of the input: a sum of ones in float32 stops growing at 2^24,
and one in uint8 wraps at 2^8.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from saffu import checks
from saffu.arrays.namespace import Namespace, namespace
from saffu.arrays.operation import operation
from saffu.errors import WrongShape, ZeroNorm
from saffu.types import Array, Counts, Features, Targets

_SPEC: Final = "SPEC 1"


@dataclass(frozen=True)
class Cooccurrence:
    """The sufficient statistics of a softmax layer.   (SPEC 1)

    >>> one = cooccurrence(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]]))
    >>> two = cooccurrence(np.array([[1.0, 2.0]]), np.array([[1.0, 0.0]]))
    >>> (one + two).counts.tolist(), sum([one, two]).priming
    ([[1.0, 1.0], [2.0, 0.0]], 2.0)
    """

    counts: Counts
    """F [D, N], float64"""
    norm: float
    """Σ_m ‖h_m‖₁"""
    samples: int
    """M"""

    @staticmethod
    @operation
    def zero(features: int, targets: int, like: Array | None = None) -> Cooccurrence:
        """The neutral element, of no samples; of the library and on the device of `like`."""
        d = checks.whole("features", features, 1, _SPEC)
        n = checks.whole("targets", targets, 1, _SPEC)
        like = np.zeros(0) if like is None else like
        xp = namespace(like)
        return Cooccurrence(xp.zeros((d, n), dtype=xp.float64, device=like.device), 0.0, 0)

    @property
    def priming(self) -> float:
        """K, the mean norm of the inputs.  Refuses: no samples, or features that are all zero."""
        checks.whole("samples", self.samples, 1, _SPEC)
        if self.norm == 0:
            raise ZeroNorm("priming")
        return self.norm / self.samples

    def update(self, features: Features, targets: Targets) -> Cooccurrence:
        """The statistics with further samples added."""
        return self.merge(cooccurrence(features, targets))

    @operation
    def merge(self, other: Cooccurrence) -> Cooccurrence:
        """The statistics of the union of two shards.  Refuses other shapes, other libraries."""
        if self.counts.shape != other.counts.shape:
            raise WrongShape(
                "other.counts", f"[D N] = {self.counts.shape}", other.counts.shape, _SPEC
            )
        xp = namespace(self.counts, other.counts)
        own, others = (
            xp.asarray(counts, dtype=_double(xp, counts.dtype))
            for counts in (self.counts, other.counts)
        )
        return Cooccurrence(
            own + others,
            self.norm + other.norm,
            self.samples + other.samples,
        )

    def __add__(self, other: Cooccurrence) -> Cooccurrence:
        return self.merge(other)

    def __radd__(self, other: int) -> Cooccurrence:
        """0 + the statistics, with which `sum(shards)` begins."""
        return self if type(other) is int and other == 0 else NotImplemented


@operation
def cooccurrence(features: Features, targets: Targets) -> Cooccurrence:
    """Count how much of each feature was seen with each target: F = Hᵀ Y.   (SPEC 1)

    Parameters: `features` H [M, D], non-negative; `targets` Y [M, N], non-negative, no row of
    zeros.
    Returns F [D, N], float64 whatever the type of the arguments, with Σ‖h‖ and M.
    Refuses: negative, NaN or infinite entries; a row of zeros in Y; shapes that disagree; no
    samples.

    >>> H = np.array([[1.0, 0.0], [1.0, 2.0]])
    >>> Y = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    >>> cooccurrence(H, Y).counts.tolist()
    [[1.0, 0.0, 1.0], [0.0, 0.0, 2.0]]
    """
    checks.features(features)
    checks.targets(targets, features.shape[0])
    return cooccurrence_unchecked(features, targets)


def cooccurrence_unchecked(features: Features, targets: Targets) -> Cooccurrence:
    """`cooccurrence` without its checks."""
    xp = namespace(features, targets)
    h = xp.asarray(features, dtype=_double(xp, features.dtype))
    y = xp.asarray(targets, dtype=_double(xp, targets.dtype))
    return Cooccurrence(h.T @ y, float(xp.sum(h)), h.shape[0])


@operation
def priming_number(features: Features) -> float:
    """K, the mean norm of the inputs: Σ_m ‖h_m‖₁ / M.   (SPEC 1)

    Parameters: `features` [M, D], non-negative.  Returns a number > 0, which may be below 1.
    Refuses: negative, NaN or infinite entries; no samples; features that are all zero.

    >>> priming_number(np.array([[1.0, 0.0], [1.0, 2.0]]))
    2.0
    """
    checks.features(features)
    norm = float(namespace(features).sum(features))
    if norm == 0:
        raise ZeroNorm("features")
    return norm / int(features.shape[0])


def _double(xp: Namespace, dtype: object) -> Any:
    """float64, in which integers add up exactly below 2^53; a complex type as it is."""
    return dtype if xp.isdtype(dtype, "complex floating") else xp.float64
