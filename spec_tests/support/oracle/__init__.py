"""The truth of the golden files: loops that spell the specification out, in any arithmetic.

Nothing here imports `saffu`, nothing is quick, and nothing knows an adjoint: forward formulas are
written entry by entry, and gradients come from recording them on a tape.  The same loops run in
mpmath at 50 digits (the truth), in float64 and float32 with sums in several orders and in products
of few bits (right answers that are not exact), and on numbers that carry their magnitude: what they
would be if nothing cancelled (the scale in which errors are measured).
"""

from __future__ import annotations

from spec_tests.support.oracle.answer import answer
from spec_tests.support.oracle.arithmetic import DIGITS, VARIANTS, Exact, Sizes

__all__ = ["DIGITS", "VARIANTS", "Exact", "Sizes", "answer"]
