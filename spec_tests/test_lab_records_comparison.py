"""The difference of two tested models, and how sure it is.   (SPEC 7)"""

from __future__ import annotations

import numpy as np
import pytest

from saffu_lab.records.comparison import Gap, gap, perplexity
from saffu_lab.records.results import Line

DOCUMENTS = 61


def measured(extra: float, noise: int) -> Line:
    """`extra` nats a target above a common difficulty of each document."""
    random = np.random.default_rng(0)
    lengths = random.integers(5, 97, DOCUMENTS)
    nats = lengths * (4.0 + random.random(DOCUMENTS) + extra)
    nats += np.random.default_rng(noise).normal(0.0, 0.01, DOCUMENTS) * lengths
    return {"nats": nats.tolist(), "targets_tested": lengths.tolist()}


def test_a_gap_is_the_difference_and_lies_in_its_interval() -> None:
    one, other = measured(0.3, 1), measured(0.1, 2)
    found = gap(one, other)
    assert found.nats == pytest.approx(0.2, abs=0.01)
    assert found.low <= found.nats <= found.high
    assert found.high - found.low < 0.02
    back = gap(other, one)
    assert back == pytest.approx((-found.nats, -found.high, -found.low))


def test_a_gap_of_unlike_documents_is_wide() -> None:
    one, other = measured(0.0, 1), measured(0.0, 2)
    one = {**one, "nats": [n + 40 * (-1) ** i for i, n in enumerate(one["nats"])]}
    found = gap(one, other)
    assert found.low < 0 < found.high


def test_an_interval_covers_nineteen_of_twenty() -> None:
    """Documents whose true difference is zero: about one interval in twenty leaves it out."""
    random, missed, draws = np.random.default_rng(5), 0, 200
    for _ in range(draws):
        lengths = random.integers(20, 40, DOCUMENTS)
        base = 4.0 * lengths
        noise = random.normal(0.0, 1.0, DOCUMENTS) * np.sqrt(lengths)
        one = {"nats": (base + noise).tolist(), "targets_tested": lengths.tolist()}
        found = gap(one, {"nats": base.tolist(), "targets_tested": lengths.tolist()})
        missed += not found.low <= 0 <= found.high
    assert 2 <= missed <= 24  # binomial(200, 0.05 … 0.07), 3.5 standard deviations either way


def test_percent_and_perplexity() -> None:
    assert Gap(np.log(1.1), np.log(0.9), np.log(1.2)).percent == "+10.0 % (-10.0 … +20.0)"
    tests = {"nats": [np.log(2.0) * 3, np.log(8.0)], "targets_tested": [3, 1]}
    assert perplexity(tests) == pytest.approx(2.0**1.5)
