"""Difference of two models on the same test documents, in nats per target.   (SPEC 7)

The difference gets a 95 % interval by resampling the documents, with replacement, 2,000 times
(percentile bootstrap).  It says how far the result depends on which documents happened to be the
test, and nothing about the seed of the training.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from saffu_lab.records.results import Line

DRAWS = 2_000


class Gap(NamedTuple):
    """Nats per target that the first model needs more than the second, with its 95 % interval."""

    nats: float
    low: float
    high: float

    @property
    def percent(self) -> str:
        """The same as a change of perplexity."""
        change, low, high = (100 * (np.exp(x) - 1) for x in self)
        return f"{change:+.1f} % ({low:+.1f} … {high:+.1f})"


def gap(one: Line, other: Line) -> Gap:
    """Compare two tested models.

    >>> a = {"nats": [10.0, 22.0], "targets_tested": [5, 10]}
    >>> b = {"nats": [5.0, 10.0], "targets_tested": [5, 10]}
    >>> round(gap(a, b).nats, 6), gap(b, a).high < 0
    (1.133333, True)
    """
    targets = np.array(one["targets_tested"], dtype=np.float64)
    more = np.array(one["nats"]) - np.array(other["nats"])
    random = np.random.default_rng(0)
    drawn = random.integers(0, more.shape[0], (DRAWS, more.shape[0]))
    means = more[drawn].sum(axis=1) / targets[drawn].sum(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return Gap(float(more.sum() / targets.sum()), float(low), float(high))


def perplexity(line: Line) -> float:
    """Test perplexity of a tested model."""
    return float(np.exp(sum(line["nats"]) / sum(line["targets_tested"])))
