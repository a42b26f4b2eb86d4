"""What the lines of a map say, in numbers.   [P1]

The question of the paper, "are some of the best models not the most parameterised?", gets its
answer by a rule that was fixed before anything was measured (`not_the_largest`):

    holds                  one of the ten best on validation text has fewer parameters than the
                           median model, and the best model of that half is better on the test text
                           than the model with the most parameters, by the whole 95 % interval
    holds with conditions  one of the ten best is not in the upper quarter by parameters
    does not hold          all of the ten best are in the upper quarter
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from saffu.experiments.results import Line
from saffu.experiments.verdicts import Gap, gap
from saffu.roadmap.analysis import Effects, main_effects, rank_correlation
from saffu.roadmap.space import Levels
from saffu.roadmap.walk import best_of, front_of
from saffu.study.evidence import Estimate, Verdict, estimate
from saffu.study.task import digest
from saffu.types import Array

BEST: Final = 10


class Trained(NamedTuple):
    """One model that was trained."""

    levels: Levels
    drawn: bool
    """drawn by chance, not only because it was among the best"""
    parameters: int
    explicit: float
    """validation nats of its explicit solution"""
    warm: Line
    """the best of its trainings from there"""
    cold: Line | None
    """the best of its trainings from random weights"""
    seconds: float
    """CPU seconds of one training from the explicit solution, without that solution"""


class Findings(NamedTuple):
    """Everything that a report needs."""

    solved: Sequence[Line]
    """explicit solutions, those that failed left out"""
    failed: int
    front: Sequence[Line]
    """of parameters against validation loss, by rising parameters"""
    best: Sequence[Line]
    """the ten best on validation text"""
    effects: Effects | None
    sizes: Estimate | None
    """rank correlation of parameters and validation perplexity"""
    trained: Sequence[Trained]
    agreement: Estimate | None
    """rank correlation of explicit and trained perplexity, over those drawn by chance"""
    gained: Estimate | None
    """change of log perplexity by training, over those drawn by chance"""
    warm_over_cold: Estimate | None
    """log perplexity of a training from the explicit solution less that from random weights"""
    tests: dict[str, Line]
    """tested models by `identity`"""
    baselines: Line | None


def findings(lines: Sequence[Line]) -> Findings:
    """Read the lines of a map, finished or not."""
    explicit = [line for line in lines if line["do"] == "explicit"]
    solved = best_of(explicit, len(explicit))
    trained = _trained(solved, [line for line in lines if line["do"] == "train"])
    chance = [one for one in trained if one.drawn]
    before: Array = np.array([one.explicit for one in chance])
    after: Array = np.array([one.warm["validation_nats"] for one in chance])
    pairs = [
        one.warm["validation_nats"] - one.cold["validation_nats"]
        for one in chance
        if one.cold is not None
    ]
    return Findings(
        solved=solved,
        failed=len(explicit) - len(solved),
        front=front_of(solved),
        best=solved[:BEST],
        effects=main_effects([line["levels"] for line in solved], _nats(solved)),
        sizes=rank_correlation(_sizes(solved), _nats(solved)),
        trained=trained,
        agreement=rank_correlation(before, after),
        gained=estimate((after - before).tolist()) if chance else None,
        warm_over_cold=estimate(pairs) if pairs else None,
        tests={identity(line): line for line in lines if line["do"] == "test"},
        baselines=next((line for line in lines if line["do"] == "baselines"), None),
    )


def identity(line: Line) -> str:
    """The same for a model and for its test."""
    return digest(line["recipe"])


def _nats(lines: Sequence[Line]) -> Array:
    return np.array([line["validation_nats"] for line in lines], dtype=np.float64)


def _sizes(lines: Sequence[Line]) -> Array:
    return np.array([line["parameters"] for line in lines], dtype=np.float64)


def _trained(solved: Sequence[Line], trainings: Sequence[Line]) -> list[Trained]:
    """The trained models, in the order of their explicit solutions."""
    found: list[Trained] = []
    for line in solved:
        own = [one for one in trainings if one["levels"] == line["levels"]]
        warm = best_of([one for one in own if one["begin"] == "warm"], 1)
        cold = best_of([one for one in own if one["begin"] == "cold"], 1)
        if warm:
            spent = float(warm[0]["fit_cpu_seconds"] - line["fit_cpu_seconds"])
            about = (line["levels"], line["drawn"], line["parameters"], line["validation_nats"])
            found.append(Trained(*about, warm[0], cold[0] if cold else None, max(spent, 0.0)))
    return found


class Sizes(NamedTuple):
    """Where the best models stand by parameters."""

    best: int
    """how many are called the best: ten, or with fewer than forty models a quarter of them"""
    below_median: int
    """of those, with fewer parameters than the median model"""
    below_upper_quarter: int
    larger: int
    """models with more parameters than the best one"""
    share: float
    """parameters of the best one, as a share of the most"""
    against_largest: Gap | None
    """test nats of the best model of the lower half, less those of the model with the most
    parameters"""


def where_the_best_are(found: Findings) -> Sizes | None:
    """The best by their parameters; None if there are no models."""
    if not found.solved:
        return None
    sizes = _sizes(found.solved)
    best = sizes[: min(BEST, max(1, len(sizes) // 4))]
    median, quarter = np.quantile(sizes, (0.5, 0.75))
    lower = next((line for line in found.solved if line["parameters"] < median), None)
    largest = max(found.solved, key=lambda line: int(line["parameters"]))
    tests = [found.tests.get(identity(line)) for line in (lower, largest) if line is not None]
    compared = None
    if len(tests) == 2 and tests[0] is not None and tests[1] is not None:
        compared = gap(tests[0], tests[1])
    return Sizes(
        best=len(best),
        below_median=int((best < median).sum()),
        below_upper_quarter=int((best < quarter).sum()),
        larger=int((sizes > sizes[0]).sum()),
        share=float(sizes[0] / sizes.max()),
        against_largest=compared,
    )


def not_the_largest(sizes: Sizes | None) -> Verdict:
    """Whether some of the best are not the most parameterised, by the rule above."""
    if sizes is None or sizes.against_largest is None:
        return "not measured"
    if sizes.below_median and sizes.against_largest.high < 0:
        return "holds"
    return "holds with conditions" if sizes.below_upper_quarter else "does not hold"


class Cost(NamedTuple):
    """CPU seconds: of what was done, and of training every model in one setting."""

    explicit: float
    """of all explicit solutions"""
    training: float
    """of all trainings done"""
    everything: float
    """all models trained: by the mean of those that were drawn by chance"""


def cost(found: Findings, lines: Sequence[Line]) -> Cost | None:
    """What the cheap ranking saves; None before something drawn by chance was trained."""
    chance = [one.seconds for one in found.trained if one.drawn]
    if not chance:
        return None
    explicit = sum(float(line["cpu_seconds"]) for line in found.solved)
    done = sum(float(line["cpu_seconds"]) for line in lines if line["do"] == "train")
    return Cost(explicit, done, float(np.mean(chance)) * len(found.solved))


def in_words(levels: Levels, factors: Sequence[str]) -> str:
    """A model in a few words: its value of each factor that varies.

    >>> in_words({"contexts": "radial:8", "bits": 64, "gain": "unit"}, ["contexts", "bits"])
    'radial:8, bits 64'
    """
    parts: list[str] = []
    for factor in factors:
        value: Any = levels[factor]
        named = factor in ("contexts", "aggregation", "attention")
        parts.append(str(value) if named else f"{factor.replace('_', ' ')} {value}")
    return ", ".join(parts)
