"""Summary of a map: best models, Pareto front, effects and correlations, from its lines.   [P1]"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from saffu.types import Array
from saffu_lab.records.evidence import Estimate, estimate
from saffu_lab.records.results import Line
from saffu_lab.roadmap.analysis import Effects, main_effects, rank_correlation
from saffu_lab.roadmap.space import Levels
from saffu_lab.roadmap.walk import best_of, front_of
from saffu_lab.study.task import digest

BEST: Final = 10
"""How many models count as the best; of fewer than forty, a quarter of them."""


class Trained(NamedTuple):
    """One trained model."""

    levels: Levels
    drawn: bool
    """drawn at random, not only because it was among the best"""
    parameters: int
    explicit: float
    """validation nats of its explicit solution"""
    warm: Line
    """the best of its trainings from the explicit solution"""
    cold: Line | None
    """the best of its trainings from random weights"""
    seconds: float
    """CPU seconds of one training from the explicit solution, without that solution"""


class Findings(NamedTuple):
    """The numbers of a map's report."""

    solved: Sequence[Line]
    """explicit solutions, without those that failed"""
    failed: int
    front: Sequence[Line]
    """Pareto front of parameters against validation loss, by increasing parameters"""
    best: Sequence[Line]
    """the best on validation text, at most `BEST`"""
    effects: Effects | None
    sizes: Estimate | None
    """rank correlation between parameters and validation perplexity"""
    trained: Sequence[Trained]
    agreement: Estimate | None
    """rank correlation between explicit and trained perplexity, over the random draw"""
    gained: Estimate | None
    """change of log perplexity by training, over the random draw"""
    warm_over_cold: Estimate | None
    """log perplexity after training from the explicit solution minus that from random weights"""
    tests: dict[str, Line]
    """tested models by `identity`"""
    baselines: Line | None


def findings(lines: Sequence[Line]) -> Findings:
    """Summarise the lines of a map, finished or not."""
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
        best=solved[: min(BEST, max(1, len(solved) // 4))],
        effects=main_effects([line["levels"] for line in solved], _nats(solved)),
        sizes=rank_correlation(sizes_of(solved), _nats(solved)),
        trained=trained,
        agreement=rank_correlation(before, after),
        gained=estimate((after - before).tolist()) if chance else None,
        warm_over_cold=estimate(pairs) if pairs else None,
        tests={identity(line): line for line in lines if line["do"] == "test"},
        baselines=next((line for line in lines if line["do"] == "baselines"), None),
    )


def identity(line: Line) -> str:
    """Digest of a recipe: equal for a model and its test."""
    return digest(line["recipe"])


def _nats(lines: Sequence[Line]) -> Array:
    return np.array([line["validation_nats"] for line in lines], dtype=np.float64)


def sizes_of(lines: Sequence[Line]) -> Array:
    """Parameters of models [M]."""
    return np.array([line["parameters"] for line in lines], dtype=np.float64)


def _trained(solved: Sequence[Line], trainings: Sequence[Line]) -> list[Trained]:
    """The trained models, in the order of their explicit solutions."""
    trained: list[Trained] = []
    for line in solved:
        own = [one for one in trainings if one["levels"] == line["levels"]]
        warm = best_of([one for one in own if one["begin"] == "warm"], 1)
        cold = best_of([one for one in own if one["begin"] == "cold"], 1)
        if warm:
            spent = float(warm[0]["fit_cpu_seconds"] - line["fit_cpu_seconds"])
            about = (line["levels"], line["drawn"], line["parameters"], line["validation_nats"])
            trained.append(Trained(*about, warm[0], cold[0] if cold else None, max(spent, 0.0)))
    return trained


class Cost(NamedTuple):
    """CPU seconds spent, and those of training every model in one setting."""

    explicit: float
    """of all explicit solutions"""
    training: float
    """of all trainings"""
    everything: float
    """of training all models, estimated from the mean over the random draw"""


def cost(findings: Findings, lines: Sequence[Line]) -> Cost | None:
    """CPU time of solving and of training; None until a randomly drawn model is trained."""
    chance = [one.seconds for one in findings.trained if one.drawn]
    if not chance:
        return None
    explicit = sum(float(line["cpu_seconds"]) for line in findings.solved)
    done = sum(float(line["cpu_seconds"]) for line in lines if line["do"] == "train")
    return Cost(explicit, done, float(np.mean(chance)) * len(findings.solved))


def in_words(levels: Levels, factors: Sequence[str]) -> str:
    """Name of a model: its values of the factors that vary.

    >>> in_words({"contexts": "radial:8", "bits": 64, "gain": "unit"}, ["contexts", "bits"])
    'radial:8, bits 64'
    """
    parts: list[str] = []
    for factor in factors:
        value: Any = levels[factor]
        named = factor in ("contexts", "aggregation", "attention")
        parts.append(str(value) if named else f"{factor.replace('_', ' ')} {value}")
    return ", ".join(parts)
