"""What follows from tested models: differences with intervals, and verdicts.   (SPEC 7)

Two models are compared on the same test documents, in nats a target.  Within one seed, the interval
comes from drawing the documents anew (`saffu_lab.records.comparison`); over seeds, each of which
has its own split, draw, random weights and order, it is Student's interval of the mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from scipy import stats

from saffu.types import Array
from saffu_lab.records.comparison import Gap, gap, perplexity
from saffu_lab.records.results import Line

Verdict: TypeAlias = Literal["holds", "holds with conditions", "does not hold", "not measured"]


class Estimate(NamedTuple):
    """A mean and its 95 % interval."""

    mean: float
    low: float
    high: float

    def __format__(self, how: str) -> str:
        return f"{self.mean:{how}} ({self.low:{how}} … {self.high:{how}})"


def estimate(values: Sequence[float]) -> Estimate:
    """Mean and Student's 95 % interval; of one value, the value and no interval.

    >>> e = estimate([1.0, 2.0, 3.0])
    >>> round(e.mean, 3), round(e.low, 3), round(e.high, 3)
    (2.0, -0.484, 4.484)
    """
    array: Array = np.asarray(values, dtype=np.float64)
    mean = float(array.mean())
    if array.shape[0] < 2:
        return Estimate(mean, mean, mean)
    error = float(array.std(ddof=1) / np.sqrt(array.shape[0]))
    reach = float(stats.t.ppf(0.975, array.shape[0] - 1)) * error
    return Estimate(mean, mean - reach, mean + reach)


def gaps(ones: Sequence[Line], others: Sequence[Line]) -> list[Gap]:
    """How much more nats the first models need than the second ones, seed by seed."""
    pairs = [(a, b) for a in ones for b in others if a["seed"] == b["seed"]]
    return [gap(a, b) for a, b in pairs]


def change(ones: Sequence[Line], others: Sequence[Line]) -> str:
    """The change of perplexity from the second models to the first, in per cent.

    Over several seeds with Student's interval; of one seed, with that of the test documents.
    """
    differences = gaps(ones, others)
    if not differences:
        return "–"
    if len(differences) == 1:
        return differences[0].percent
    low_high = estimate([one.nats for one in differences])
    mean, low, high = (100 * (np.exp(x) - 1) for x in low_high)
    return f"{mean:+.1f} % ({low:+.1f} … {high:+.1f})"


def better(ones: Sequence[Line], others: Sequence[Line]) -> bool | None:
    """Whether the first models are better: for every seed, by the whole interval of its documents.

    True or False if all seeds say so; None if they do not, or if nothing was measured.
    """
    differences = gaps(ones, others)
    if differences and all(one.high < 0 for one in differences):
        return True
    if differences and all(one.low > 0 for one in differences):
        return False
    return None


def over_all(answers: Sequence[bool | None]) -> Verdict:
    """A verdict from the answers at several sizes or on several data.

    >>> over_all([True, True]), over_all([True, None, False]), over_all([False, None])
    ('holds', 'holds with conditions', 'does not hold')
    """
    if not answers:
        return "not measured"
    if all(one is True for one in answers):
        return "holds"
    return "holds with conditions" if any(one is True for one in answers) else "does not hold"


def compared(pairs: Mapping[str, tuple[Sequence[Line], Sequence[Line]]]) -> tuple[Verdict, str]:
    """A verdict over several comparisons by name, and each change of perplexity in words.

    What was not measured on both sides is left out.
    """
    measured = {name: pair for name, pair in pairs.items() if all(pair)}
    changes = "; ".join(f"{name}: {change(*pair)}" for name, pair in measured.items())
    return over_all([better(*pair) for pair in measured.values()]), changes


def standing(tests: Sequence[Line], trials: Sequence[Line]) -> list[Line]:
    """The tests of those recipes that are the best on validation text among all trials.

    A run that was given more recipes later may have tested an earlier choice, too.

    >>> trials = [{"row": "a", "targets": 9, "seed": 1, "recipe": {"n": n}, "validation_nats": n}
    ...           for n in (3, 2)]
    >>> [t["recipe"] for t in standing([{**t, "do": "test"} for t in trials], trials)]
    [{'n': 2}]
    """

    def place(line: Line) -> tuple[str, str, str]:
        return str(line["row"]), str(line["targets"]), str(line["seed"])

    best: dict[tuple[str, str, str], Line] = {}
    for line in trials:
        if "failed" not in line:
            known = best.setdefault(place(line), line)
            if line["validation_nats"] < known["validation_nats"]:
                best[place(line)] = line
    return [
        test
        for test in tests
        if place(test) not in best or best[place(test)]["recipe"] == test["recipe"]
    ]


def spread(lines: Sequence[Line]) -> str:
    """Test perplexity of a row: the mean over seeds and, from two on, Student's interval."""
    values = [perplexity(line) for line in lines]
    if not values:
        return "–"
    if len(values) == 1:
        return f"{values[0]:.1f}"
    log_estimate = estimate([float(np.log(value)) for value in values])
    mean, low, high = np.exp(log_estimate)
    return f"{mean:.1f} ({low:.1f} … {high:.1f})"
