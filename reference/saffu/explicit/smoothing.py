"""What to do with zeros: log 0 has to be decided, not hidden.   (SPEC 1)

    Additive(α)    F + α
    Backoff(α)     F + α q,              q_i = (n_i + 1) / (Σ n + N),  n_i = Σ_d F[d,i]      [D]
    Discount(δ)    max(F − δ, 0) + δ r⁺ q,  r⁺ the row's number of non-zero cells
                   (absolute discounting: Ney, Essen & Kneser 1994)                         [D]

`Backoff` adds α imagined observations to each feature, spread as the targets are; `Discount` takes
the same amount δ from every cell that was seen and gives it back in that proportion.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from saffu import checks
from saffu.arrays.namespace import floating, namespace
from saffu.errors import BadOption, FractionalCount, ZeroCount
from saffu.types import Array, Counts


@dataclass(frozen=True)
class Additive:
    """Add `strength` α >= 0 to every cell."""

    strength: float = 1.0

    def __post_init__(self) -> None:
        checks.positive("strength", self.strength, "SPEC 1", zero=True)


@dataclass(frozen=True)
class Backoff:
    """Add α >= 0 times the share q of each target."""

    strength: float = 1.0

    def __post_init__(self) -> None:
        checks.positive("strength", self.strength, "SPEC 1", zero=True)


@dataclass(frozen=True)
class Discount:
    """Take 0 < δ < 1 from each non-zero cell of whole counts, give it back as q says."""

    strength: float = 0.75

    def __post_init__(self) -> None:
        if not 0 < checks.positive("strength", self.strength, "SPEC 1") < 1:
            raise BadOption("strength", self.strength, "0 < δ < 1", "SPEC 1")


Smoothing: TypeAlias = Additive | Backoff | Discount


def shares(counts: Counts) -> Array:
    """q [N]: how common each target is, never zero: (n_i + 1) / (Σ n + N).   (SPEC 1)

    >>> import numpy as np
    >>> shares(np.array([[2.0, 0.0], [1.0, 0.0]])).tolist()
    [0.8, 0.2]
    """
    return shares_of_totals(namespace(counts).sum(floating(counts), axis=0))


def shares_of_totals(totals: Array) -> Array:
    """q [N] from the column sums n [N]."""
    q: Array = (totals + 1) / (namespace(totals).sum(totals) + totals.shape[0])
    return q


def smooth(counts: Counts, smoothing: Smoothing) -> Counts:
    """Counts without zeros.   (SPEC 1)

    Parameters: `counts` F [D, N], non-negative; `smoothing` one of the three.
    Returns [D, N], all positive.
    Refuses: a zero that stays zero (α = 0, or a feature without counts under `Discount`); under
    `Discount`, counts that are not whole numbers.

    >>> import numpy as np
    >>> smooth(np.array([[3.0, 0.0]]), Backoff(1.0)).tolist()
    [[3.8, 0.2]]
    """
    checks.shape("counts", counts, (None, None), "D N", "SPEC 1")
    checks.non_negative("counts", counts, "SPEC 1")
    counts, xp = floating(counts), namespace(counts)
    strength = smoothing.strength
    if isinstance(smoothing, Additive):
        full = counts + strength
    elif isinstance(smoothing, Backoff):
        full = counts + strength * shares(counts)
    else:
        _refuse_fractions(counts)
        seen = xp.astype(counts > 0, counts.dtype)
        rest: Array = strength * xp.sum(seen, axis=-1, keepdims=True) * shares(counts)
        full = xp.where(counts > 0, counts - strength, counts) + rest
    _refuse_zeros(full, smoothing)
    return full


def _refuse_fractions(counts: Counts) -> None:
    checks.refuse_where(counts % 1 != 0, counts, "counts", "SPEC 1, zeros", FractionalCount)


def _refuse_zeros(full: Counts, smoothing: Smoothing) -> None:
    xp = namespace(full)
    zero = full == 0
    if bool(xp.any(zero)):
        flat = int(xp.argmax(xp.reshape(xp.astype(zero, xp.int64), (-1,))))
        advice = "pass smoothing=Backoff(1.0), or drop the feature"
        if isinstance(smoothing, Discount):
            advice = "the feature has no counts at all; drop it, or use Backoff(1.0)"
        raise ZeroCount(flat // full.shape[1], flat % full.shape[1], advice)
