"""Comparisons of tested models with 95 % intervals, and the verdicts that follow.   (SPEC 7)

Two models are compared on the same test documents, in nats per target.  With one seed, the
interval comes from resampling the documents (`saffu_lab.records.comparison`).  With several seeds,
each with its own split, sample, random weights and batch order, it is Student's interval of the
mean.  The interval that is shown is the one that decides: a comparison favours a claim if its whole
interval does, and is undecided if the interval includes zero.

Among many comparisons, some exclude zero by chance.  `discovery_threshold` (Benjamini & Hochberg
1995) bounds the expected share of these among all that count; a verdict is given by the 95 %
intervals, and a second time with that threshold.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple, TypeAlias

import numpy as np
from scipy import stats

from saffu.types import Array
from saffu_lab.records.comparison import Gap, gap, perplexity
from saffu_lab.records.results import Line

Verdict: TypeAlias = Literal[
    "holds", "holds with conditions", "undecided", "does not hold", "not measured"
]

Z: Final = 1.959964
"""half the width of the 95 % interval of a standard normal distribution"""
DISCOVERIES: Final = 0.05
"""the largest expected share of false discoveries among the comparisons that count"""
UNFINISHED_RIVAL: Final = "undecided: the other training was still improving"


class Answer(NamedTuple):
    """Decision of one size, data set or pair of rows about a claim."""

    favours: bool | None
    """None: undecided"""
    chance: float | None = None
    """two-sided p-value of the deciding interval; None where a threshold decides"""


class Estimate(NamedTuple):
    """A mean and its 95 % interval."""

    mean: float
    low: float
    high: float

    def __format__(self, how: str) -> str:
        if not np.isfinite(self.low):
            return f"{self.mean:{how}} (no interval)"
        return f"{self.mean:{how}} ({self.low:{how}} … {self.high:{how}})"


def estimate(values: Sequence[float]) -> Estimate:
    """Mean and Student's 95 % interval; for one value, an interval of width zero.

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


class Comparison(NamedTuple):
    """Nats per target of one row minus those of another, with the deciding interval."""

    nats: Estimate
    error: float
    """standard error over seeds; with one seed, that of a normal distribution whose 95 % interval
    has the width of the bootstrap interval"""
    seeds: int = 1

    @property
    def chance(self) -> float:
        """Two-sided p-value: Student's over seeds, the normal distribution's with one seed."""
        size = abs(self.nats.mean)
        if not self.error:
            return float(size == 0)
        far = size / self.error
        tail = stats.norm.sf(far) if self.seeds == 1 else stats.t.sf(far, self.seeds - 1)
        return 2 * float(tail)

    @property
    def percent(self) -> str:
        """The difference as a change of perplexity in per cent, with its interval."""
        mean, low, high = (100 * (np.exp(x) - 1) for x in self.nats)
        interval = (
            f" ({low:+.1f} … {high:+.1f})" if np.isfinite(self.nats.low) else " (no interval)"
        )
        return f"{mean:+.1f} %{interval}"

    @property
    def better(self) -> bool | None:
        """Whether the first row is better; None if the interval includes zero."""
        if self.nats.high < 0:
            return True
        return False if self.nats.low > 0 else None

    @property
    def answer(self) -> Answer:
        """The answer to the claim that the first row is better."""
        return Answer(self.better, self.chance)

    def less(self, nats: float) -> Comparison:
        """The comparison shifted by a threshold: better if the difference is below `nats`."""
        return self._replace(nats=Estimate(*(end - nats for end in self.nats)))


def compare(ones: Sequence[Line], others: Sequence[Line]) -> Comparison | None:
    """Compare two rows, seed by seed; None if no seed has both.

    Rows with only one number per seed (KenLM) are compared by their perplexities; with one seed,
    such a comparison has no interval and is undecided.
    """
    pairs = [(a, b) for a in ones for b in others if a["seed"] == b["seed"]]
    if not pairs:
        return None
    by_document = all(len(a["nats"]) == len(b["nats"]) > 1 for a, b in pairs)
    if len(pairs) == 1 and by_document:
        return of_interval(gap(*pairs[0]))
    if by_document:
        return over_seeds([gap(a, b).nats for a, b in pairs])
    return over_seeds([float(np.log(perplexity(a) / perplexity(b))) for a, b in pairs])


def over_seeds(values: Sequence[float]) -> Comparison:
    """A comparison from one difference per seed; a single value has no interval.

    >>> over_seeds([-1.0, -1.5, -1.2]).better, over_seeds([-1.0]).better
    (True, None)
    """
    if len(values) == 1:
        return Comparison(Estimate(values[0], -np.inf, np.inf), np.inf)
    error = float(np.std(values, ddof=1) / np.sqrt(len(values)))
    return Comparison(estimate(values), error, len(values))


def of_interval(interval: Estimate | Gap) -> Comparison:
    """A comparison from a known 95 % interval.

    >>> one = of_interval(Estimate(-1.0, -2.0, -0.0001))
    >>> one.better, round(one.chance, 2)
    (True, 0.05)
    """
    mean, low, high = interval
    return Comparison(Estimate(mean, low, high), (high - low) / (2 * Z))


def discovery_threshold(chances: Sequence[float], rate: float = DISCOVERIES) -> float:
    """The largest p-value that counts, with false discovery rate `rate`.

    Benjamini & Hochberg (1995): the largest p_(k) of n sorted values with p_(k) ≤ rate · k / n; 0
    if there is none.

    >>> discovery_threshold([0.001, 0.02, 0.03, 0.9]), discovery_threshold([0.04, 0.9])
    (0.03, 0.0)
    """
    ordered = np.sort(np.asarray(chances, dtype=np.float64))
    line = rate * np.arange(1, ordered.shape[0] + 1) / max(ordered.shape[0], 1)
    below = ordered[ordered <= line]
    return float(below[-1]) if below.shape[0] else 0.0


def change(ones: Sequence[Line], others: Sequence[Line]) -> str:
    """Change of perplexity from the second row to the first, in per cent; see `compare`."""
    comparison = compare(ones, others)
    return "–" if comparison is None else comparison.percent


def over_all(answers: Sequence[Answer | bool | None], threshold: float | None = None) -> Verdict:
    """A verdict from the answers over several sizes, data sets or pairs.

    Parameters: `threshold`: answers with a larger p-value than this count as undecided.

    >>> over_all([True, True]), over_all([True, None, False]), over_all([False, None])
    ('holds', 'holds with conditions', 'does not hold')
    >>> over_all([None]), over_all([]), over_all([Answer(True, 0.04)], threshold=0.01)
    ('undecided', 'not measured', 'undecided')
    """
    favours = []
    for answer in answers:
        one = answer if isinstance(answer, Answer) else Answer(answer)
        by_chance = None not in (threshold, one.chance) and one.chance > threshold  # type: ignore[operator]
        favours.append(None if by_chance else one.favours)
    if not favours:
        return "not measured"
    if all(favours):
        return "holds"
    if any(favours):
        return "holds with conditions"
    return "does not hold" if False in favours else "undecided"


def still_improving(run: Line) -> bool:
    """Whether a run was best at its last validation, so that its epoch limit ended it.

    >>> still_improving({"history": [["cold", 0, 0.0, 5.0], ["frozen", 9, 0.1, 4.0]]})
    True
    """
    nats = [entry[3] for entry in run.get("history", ())]
    return len(nats) > 1 and nats[-1] == min(nats)


def standing(tests: Sequence[Line], trials: Sequence[Line]) -> list[Line]:
    """The tests of the recipe that represents each row and size: the first seed's best.

    That is the best recipe on validation text among all trials of the first seed, which the other
    seeds use too.  A study that was given more recipes later may also hold tests of earlier
    choices, with any seed.

    >>> trials = [{"row": "a", "targets": 9, "seed": 1, "recipe": {"n": n}, "validation_nats": n}
    ...           for n in (3, 2)]
    >>> [t["recipe"] for t in standing([{**t, "do": "test"} for t in trials], trials)]
    [{'n': 2}]
    """

    def place(line: Line) -> tuple[str, str]:
        return str(line["row"]), str(line["targets"])

    best: dict[tuple[str, str], Line] = {}
    for line in trials:
        if "failed" not in line:
            known = best.setdefault(place(line), line)
            if (line["seed"], line["validation_nats"]) < (known["seed"], known["validation_nats"]):
                best[place(line)] = line
    return [
        test
        for test in tests
        if place(test) not in best or best[place(test)]["recipe"] == test["recipe"]
    ]


def spread(lines: Sequence[Line]) -> str:
    """Test perplexity of a row: mean over seeds, with Student's interval from two seeds on."""
    values = [perplexity(line) for line in lines]
    if not values:
        return "–"
    if len(values) == 1:
        return f"{values[0]:.1f}"
    log_estimate = estimate([float(np.log(value)) for value in values])
    mean, low, high = np.exp(log_estimate)
    return f"{mean:.1f} ({low:.1f} … {high:.1f})"
