"""Smoothing: what a pair of feature and target that was never seen counts for.   (SPEC 1)

The explicit solution takes logarithms, so no count may be zero.  A new smoothing is a class here,
entered in `SMOOTHINGS`.

    Additive(α)    F + α
    Backoff(α)     F + α q,              q_i = (n_i + 1) / (Σ n + N),  n_i = Σ_d F[d,i]      [D]
    Discount(δ)    max(F − δ, 0) + δ r⁺ q,  r⁺ the row's number of non-zero cells
                   (absolute discounting: Ney, Essen & Kneser 1994)                         [D]

`Backoff` adds α imagined observations to each feature, spread as the targets are; `Discount` takes
the same amount δ from every non-zero cell and spreads it in that proportion.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Final, NamedTuple, Protocol, runtime_checkable

import numpy as np

from saffu import checks
from saffu.arrays.namespace import floating, namespace
from saffu.arrays.operation import operation
from saffu.errors import BadOption, FractionalCount, ZeroCount
from saffu.types import Array, Counts

_SPEC: Final = "SPEC 1"


class Remaining(NamedTuple):
    """What one cell of whole counts sees when one of its samples is left out, for c cells."""

    counts: Array
    """F − 1 of the cell [c]"""
    row: Array
    """the sum of its row [c]"""
    cells: Array
    """the number of non-zero cells of its row [c]"""
    shares: Array
    """q of its target [c]"""
    targets: int
    """N"""


@runtime_checkable
class Smoothing(Protocol):
    """A way to fill the zeros of counts.  Its equations stand in one class."""

    kind: ClassVar[str]
    """its name in records"""
    whole_counts: ClassVar[bool]
    """True where only whole counts can be smoothed"""

    @property
    def strength(self) -> float:
        """The one number of the smoothing; zero leaves the counts as they are."""

    def fill(self, counts: Counts) -> Counts:
        """Counts F [D, N] without zeros."""

    def left_out(self, remaining: Remaining) -> Array:
        """The probability [c] of a sample's target, from the counts of all other samples."""

    def evidence(self, counts: Array, cells: Array, shares: Array) -> Array | None:
        """log(F' / (F' of an unseen cell)) of c seen cells; None where the latter is not ∝ q.

        Parameters: `counts` F [c]; `cells` r⁺ [c] of their rows; `shares` q [c] of their targets.
        """


@dataclass(frozen=True)
class Additive:
    """Add `strength` α >= 0 to every cell."""

    kind: ClassVar[str] = "additive"
    whole_counts: ClassVar[bool] = False

    strength: float = 1.0

    def __post_init__(self) -> None:
        checks.positive("strength", self.strength, _SPEC, zero=True)

    def fill(self, counts: Counts) -> Counts:
        """F + α."""
        full: Counts = counts + self.strength
        return full

    def left_out(self, remaining: Remaining) -> Array:
        """(F − 1 + α) / (Σ F − 1 + α N)."""
        full: Array = remaining.counts + self.strength
        return full / (remaining.row + self.strength * remaining.targets)

    def evidence(self, counts: Array, cells: Array, shares: Array) -> None:
        """None: an unseen cell holds α, whatever its target."""


@dataclass(frozen=True)
class Backoff:
    """Add α >= 0 times the share q of each target."""

    kind: ClassVar[str] = "backoff"
    whole_counts: ClassVar[bool] = False

    strength: float = 1.0

    def __post_init__(self) -> None:
        checks.positive("strength", self.strength, _SPEC, zero=True)

    def fill(self, counts: Counts) -> Counts:
        """F + α q."""
        full: Counts = counts + self.strength * shares(counts)
        return full

    def left_out(self, remaining: Remaining) -> Array:
        """(F − 1 + α q) / (Σ F − 1 + α)."""
        full: Array = remaining.counts + self.strength * remaining.shares
        return full / (remaining.row + self.strength)

    def evidence(self, counts: Array, cells: Array, shares: Array) -> Array:  # noqa: ARG002
        """log((F + α q) / (α q))."""
        rest: Array = self.strength * shares
        return np.log((counts + rest) / rest)


@dataclass(frozen=True)
class Discount:
    """Take 0 < δ < 1 from each non-zero cell of whole counts, and spread it as q."""

    kind: ClassVar[str] = "discount"
    whole_counts: ClassVar[bool] = True

    strength: float = 0.75

    def __post_init__(self) -> None:
        if not 0 < checks.positive("strength", self.strength, _SPEC) < 1:
            raise BadOption("strength", self.strength, "a number above 0 and below 1", _SPEC)

    def fill(self, counts: Counts) -> Counts:
        """max(F − δ, 0) + δ r⁺ q."""
        xp = namespace(counts)
        seen = xp.astype(counts > 0, counts.dtype)
        rest: Array = self.strength * xp.sum(seen, axis=-1, keepdims=True) * shares(counts)
        full: Counts = xp.where(counts > 0, counts - self.strength, counts) + rest
        return full

    def left_out(self, remaining: Remaining) -> Array:
        """(max(F − 1 − δ, 0) + δ r⁺ q) / (Σ F − 1), or q for the only sample of a row."""
        cells = remaining.cells - (remaining.counts == 0)
        kept = np.maximum(remaining.counts - self.strength, 0.0)
        kept = kept + self.strength * cells * remaining.shares
        return np.where(remaining.row > 0, kept / np.maximum(remaining.row, 1), remaining.shares)

    def evidence(self, counts: Array, cells: Array, shares: Array) -> Array:
        """log((F − δ + δ r⁺ q) / (δ r⁺ q))."""
        rest: Array = self.strength * cells * shares
        return np.log((counts - self.strength + rest) / rest)


SMOOTHINGS: Final[dict[str, Any]] = {kind.kind: kind for kind in (Additive, Backoff, Discount)}
"""The smoothings by the names that records give them."""


def shares(counts: Counts) -> Array:
    """q [N]: the relative frequency of each target, never zero: (n_i + 1) / (Σ n + N).   (SPEC 1)

    >>> shares(np.array([[2.0, 0.0], [1.0, 0.0]])).tolist()
    [0.8, 0.2]
    """
    return shares_of_totals(namespace(counts).sum(floating(counts), axis=0))


def shares_of_totals(totals: Array) -> Array:
    """q [N] from the column sums n [N]."""
    q: Array = (totals + 1) / (namespace(totals).sum(totals) + totals.shape[0])
    return q


@operation
def smooth(counts: Counts, smoothing: Smoothing) -> Counts:
    """Counts without zeros.   (SPEC 1)

    Parameters: `counts` F [D, N], non-negative; `smoothing`, such as `Backoff(1.0)`.
    Returns [D, N], all positive.
    Refuses: a zero that stays zero (α = 0, or a feature without counts under `Discount`); under
    `Discount`, counts that are not whole numbers.

    >>> smooth(np.array([[3.0, 0.0]]), Backoff(1.0)).tolist()
    [[3.8, 0.2]]
    """
    checks.shape("counts", counts, (None, None), "D N", _SPEC)
    checks.non_negative("counts", counts, _SPEC)
    return smooth_computed(counts, smoothing)


def smooth_unchecked(counts: Counts, smoothing: Smoothing) -> Counts:
    """`smooth` without its checks; a zero that stays zero is still refused."""
    full = smoothing.fill(floating(counts))
    xp = namespace(full)
    zero = full == 0
    if bool(xp.any(zero)):
        flat = int(xp.argmax(xp.reshape(xp.astype(zero, xp.int64), (-1,))))
        advice = "pass smoothing=Backoff(1.0), or drop the feature"
        if smoothing.strength > 0:
            advice = "the feature has no counts at all; drop it, or use Backoff(1.0)"
        raise ZeroCount(flat // full.shape[1], flat % full.shape[1], advice)
    return full


def smooth_computed(counts: Counts, smoothing: Smoothing) -> Counts:
    """`smooth` for counts computed inside: refuses fractions under `Discount`, and zeros left."""
    refuse_fractions(counts, smoothing)
    return smooth_unchecked(counts, smoothing)


def refuse_fractions(counts: Counts, *smoothings: Smoothing) -> None:
    """Refuse counts that are not whole numbers where one of the smoothings needs whole ones."""
    if any(smoothing.whole_counts for smoothing in smoothings):
        checks.refuse_where(counts % 1 != 0, counts, "counts", "SPEC 1, zeros", FractionalCount)
