"""Numbers on one axis of a picture, whatever they are.   (SPEC 9)

Finite numbers lie between the least and the greatest.  Where some are far beyond what is expected,
the axis is drawn in by x → arsinh(x / u), u the greatest magnitude expected: near zero it stays as
it is, and far away it is a logarithm.  Numbers that are not finite have lanes of their own beyond
the ends, −∞ below, +∞ and NaN above, on both axes alike, so that right ones lie on the diagonal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from saffu.types import Array

_FAR: Final = 20.0
"""Times the greatest magnitude expected, from which an axis is drawn in."""
_HUGE: Final = 1e150
"""Beyond this the length of an axis would be infinite."""
_MARGIN: Final = 0.04
LANES: Final = {"−∞": 0.05, "+∞": 0.83, "NaN": 0.94}
"""Places of what is not finite, where the whole axis is from 0 to 1."""
BETWEEN: Final = (0.14, 0.74)
"""What is left for finite numbers where there are lanes."""


@dataclass(frozen=True)
class Scale:
    """One axis, the same for what is expected and for what came."""

    low: float
    high: float
    unit: float | None
    """u, where the axis is drawn in"""
    lanes: bool
    """whether there is anything that is not finite"""

    def place(self, x: Array) -> Array:
        """Where numbers lie on the axis, from 0 to 1.

        >>> Scale(0.0, 10.0, None, True).place(np.array([-np.inf, 5.0, np.inf, np.nan])).tolist()
        [0.05, 0.44, 0.83, 0.94]
        """
        start, end = BETWEEN if self.lanes else (_MARGIN, 1 - _MARGIN)
        low, high = self._drawn_in(np.array([self.low, self.high]))
        finite = np.where(np.isfinite(x), x, self.low)
        inside = start + (end - start) * (self._drawn_in(finite) - low) / (high - low)
        lane = np.where(np.isnan(x), LANES["NaN"], np.where(x > 0, LANES["+∞"], LANES["−∞"]))
        places: Array = np.where(np.isfinite(x), inside, lane)
        return places

    def _drawn_in(self, x: Array) -> Array:
        drawn: Array = x if self.unit is None else np.arcsinh(x / self.unit)
        return drawn


def scale_of(expected: Array, got: Array) -> Scale:
    """The axis on which all of these numbers can be distinguished.

    >>> scale_of(np.array([1.0, 2.0]), np.array([1.0, 3.0]))
    Scale(low=1.0, high=3.0, unit=None, lanes=False)
    >>> scale_of(np.array([1.0]), np.array([-1e9])).unit
    1.0
    """
    both = np.concatenate([expected, got])
    finite = both[np.isfinite(both)]
    known = np.abs(expected[np.isfinite(expected)]).max(initial=0.0)
    largest = float(np.abs(finite).max(initial=0.0))
    far = 0 < known < largest / _FAR or largest > _HUGE
    unit = max(float(known) or 1.0, 1e-300 * largest) if far else None
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    if low == high:
        low, high = low - (abs(low) or 1.0) / 2, high + (abs(high) or 1.0) / 2
    return Scale(low, high, unit, finite.size < both.size)
