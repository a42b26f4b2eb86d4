"""Model size against quality: whether some of the best are not the most parameterised.   [P1]

The verdict follows a rule that was fixed before anything was measured (`not_the_largest`):

    holds                  one of the best on validation text has fewer parameters than the median
                           model, and the best model below the median is better on the test text, by
                           the whole 95 % interval, than the model with the most parameters
    holds with conditions  otherwise, if one of the best is below the upper quartile of parameters
    does not hold          all of the best are at or above the upper quartile

`records.evidence.over_all` forms this verdict from the answers of `not_the_largest`.  How many
models count as the best is `saffu_lab.roadmap.summary.BEST`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from saffu_lab.records.comparison import Gap, gap
from saffu_lab.records.evidence import Answer, of_interval
from saffu_lab.records.results import Line
from saffu_lab.roadmap.summary import Findings, identity, sizes_of
from saffu_lab.roadmap.walk import largest_of


class Sizes(NamedTuple):
    """Parameters of the best models, compared with all others."""

    best: int
    """how many models count as the best"""
    below_median: int
    """of those, how many have fewer parameters than the median model"""
    below_upper_quarter: int
    larger: int
    """models with more parameters than the best model"""
    share: float
    """parameters of the best model, as a share of those of the largest"""
    against_largest: Gap | None
    """test nats of the best model below the median, minus those of the model with the most
    parameters"""
    against_best: Gap | None
    """the same, minus those of the best model"""


def where_the_best_are(findings: Findings) -> Sizes | None:
    """Sizes of the best models; None if there are no models."""
    if not findings.solved:
        return None
    sizes, best = sizes_of(findings.solved), sizes_of(findings.best)
    median, quarter = np.quantile(sizes, (0.5, 0.75))
    lower = next((line for line in findings.solved if line["parameters"] < median), None)
    return Sizes(
        best=len(best),
        below_median=int((best < median).sum()),
        below_upper_quarter=int((best < quarter).sum()),
        larger=int((sizes > sizes[0]).sum()),
        share=float(sizes[0] / sizes.max()),
        against_largest=_compared(findings, lower, largest_of(findings.solved)),
        against_best=_compared(findings, lower, findings.solved[0]),
    )


def _compared(findings: Findings, one: Line | None, other: Line) -> Gap | None:
    """Difference of two models on the test text, if they differ and both are tested."""
    if one is None or one is other:
        return None
    tests = [findings.tests.get(identity(line)) for line in (one, other)]
    return gap(tests[0], tests[1]) if tests[0] is not None and tests[1] is not None else None


def not_the_largest(sizes: Sizes | None) -> list[Answer]:
    """The answers to whether some of the best are not the most parameterised, by the rule above."""
    if sizes is None or sizes.against_largest is None:
        return []
    if not sizes.below_upper_quarter:
        return [Answer(False)]
    smaller = of_interval(sizes.against_largest).answer if sizes.below_median else Answer(False)
    return [Answer(True), smaller]
