"""The mistakes of the bank against the published cases of their operations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from saffu.conformance.contract.case import Case
from saffu.conformance.diagnosis.bank import bank
from saffu.conformance.diagnosis.diagnose import outcome
from saffu.conformance.diagnosis.mistake import Mistake
from saffu.conformance.judging.tolerance import compare


def kills(case: Case, mistake: Mistake) -> bool:
    """Whether a port that makes the mistake fails the case.

    By a refusal of a good input, an output or gradient out of its bound, or no refusal of a bad
    input.  What the mistake cannot be computed on, it is not said to fail; stages do not count,
    since a port need not return them.
    """
    predicted = outcome(mistake, case)
    if predicted is None or not predicted:
        return predicted is None and case.reject is None
    if case.reject is not None:
        return True
    with np.errstate(all="ignore"):
        errors = [
            compare(predicted[name], expected).error
            for name, expected in case.wanted.items()
            if name in predicted
        ]
    return max(errors, default=0.0) > case.tolerance["float64"]


def matrix(
    cases: Sequence[Case], mistakes: Iterable[Mistake] | None = None
) -> dict[str, tuple[str, ...]]:
    """The cases that kill each mistake, by id."""
    return {
        mistake.id: tuple(c.id for c in cases if c.op == mistake.op and kills(c, mistake))
        for mistake in (bank() if mistakes is None else mistakes)
    }
