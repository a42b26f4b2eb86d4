"""Statistics of a map: Pareto front, main effects, rank correlations.   [D]

Main effects are those of a linear model of log perplexity with all factors,

    log perplexity = μ + Σ_f β_f[value of factor f] + ε,      Σ_values β_f = 0  for every factor

fitted by least squares, with Student's intervals (see e.g. Montgomery, *Design and Analysis of
Experiments*).  Explicit solutions have no measurement noise: ε is the interaction of the factors,
and the intervals say how much the effects might change with another draw of models.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from scipy import stats

from saffu.errors import BadOption
from saffu.types import Array, IntArray
from saffu_lab.records.evidence import Estimate

DRAWS: Final = 2_000
"""bootstrap draws"""


class Effect(NamedTuple):
    """The main effect of one value of a factor."""

    factor: str
    value: Any
    models: int
    """how many models have the value"""
    nats: Estimate
    """change of log perplexity from the mean over the factor's values"""


class Effects(NamedTuple):
    """The main effects of all factors."""

    mean: float
    """μ"""
    effects: Sequence[Effect]
    explained: float
    """R²: the share of the variance of log perplexity explained without interactions"""
    spans: Mapping[str, float]
    """per factor, the difference between its worst and its best value, in nats"""


def pareto_front(costs: Array, losses: Array) -> list[int]:
    """Pareto front: points that no other point dominates (as cheap and as good, better in one).

    Parameters: `costs` and `losses` [M].  Returns indices by increasing cost.

    >>> pareto_front(np.array([5.0, 1.0, 3.0, 3.0]), np.array([1.0, 3.0, 2.0, 4.0]))
    [1, 2, 0]
    """
    order = np.lexsort((losses, costs))
    front: list[int] = []
    least = np.inf
    for i in order.tolist():
        if losses[i] < least:
            front.append(i)
            least = float(losses[i])
        elif front and losses[i] == least and costs[i] == costs[front[-1]]:
            front.append(i)
    return front


def effects_coding(values: IntArray, size: int) -> Array:
    """Columns [M, size − 1] of one factor: 1 for its value; the last value is −1 in all columns.

    >>> effects_coding(np.array([0, 1, 2]), 3).tolist()
    [[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]]
    """
    coded: Array = np.eye(size)[values]
    return coded[:, :-1] - coded[:, -1:]


def main_effects(points: Sequence[Mapping[str, Any]], logs: Array) -> Effects | None:
    """The main effects of all factors that vary.

    Parameters: `points`, a value of each factor for every model; `logs` [M], log perplexities.
    Returns None if the models are too few, or too unbalanced, to separate the effects.
    """
    values = levels_of(points)
    columns = [np.ones((len(points), 1))]
    for factor, known in values.items():
        places = np.array([known.index(point[factor]) for point in points])
        columns.append(effects_coding(places, len(known)))
    coded: Array = np.concatenate(columns, axis=1)
    rows, width = coded.shape
    if rows <= width or np.linalg.matrix_rank(coded) < width:
        return None
    inverse = np.linalg.inv(coded.T @ coded)
    weights = inverse @ (coded.T @ logs)
    left = logs - coded @ weights
    total = float(np.square(logs - logs.mean()).sum())
    variance = float(left @ left) / (rows - width)
    reach = float(stats.t.ppf(0.975, rows - width))
    effects: list[Effect] = []
    at = 1
    for factor, known in values.items():
        contrasts = effects_coding(np.arange(len(known)), len(known))
        block = slice(at, at + len(known) - 1)
        at = block.stop
        means = contrasts @ weights[block]
        errors = np.sqrt(variance * np.diag(contrasts @ inverse[block, block] @ contrasts.T))
        for value, mean, error in zip(known, means.tolist(), errors.tolist(), strict=True):
            interval = Estimate(mean, mean - reach * error, mean + reach * error)
            count = sum(point[factor] == value for point in points)
            effects.append(Effect(factor, value, count, interval))
    explained = 1 - float(left @ left) / total if total > 0 else 1.0
    return Effects(float(weights[0]), effects, explained, _spans(effects))


def levels_of(points: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """The values of each factor that has more than one, sorted: numbers, then words.

    >>> levels_of([{"of": "radial:16", "gain": "unit"}, {"of": "radial:8", "gain": "unit"}])
    {'of': ['radial:8', 'radial:16']}
    """
    levels: dict[str, list[Any]] = {}
    for factor in points[0] if points else ():
        values = {point[factor] for point in points}
        if len(values) > 1:
            levels[factor] = sorted(values, key=_in_order)
    return levels


def _in_order(value: Any) -> tuple[bool, Any]:
    """Sort key: numbers before words; numbers inside words by value."""
    if not isinstance(value, str):
        return False, value
    return True, re.sub(r"\d+", lambda number: number[0].zfill(9), value)


def _spans(effects: Sequence[Effect]) -> dict[str, float]:
    """Per factor, the difference between its worst and its best value; the widest first."""
    means: dict[str, list[float]] = {}
    for effect in effects:
        means.setdefault(effect.factor, []).append(effect.nats.mean)
    spans = {factor: max(values) - min(values) for factor, values in means.items()}
    return dict(sorted(spans.items(), key=lambda item: -item[1]))


def rank_correlation(ones: Array, others: Array) -> Estimate | None:
    """Spearman's rank correlation, with a percentile bootstrap over models.

    Returns None for fewer than four models, or if either quantity is constant.

    >>> rank_correlation(np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 4.0, 9.0, 16.0])).mean
    1.0
    """
    if ones.shape != others.shape:
        raise BadOption("others", others.shape, f"of the shape of ones, {ones.shape}", "SPEC 7")
    if ones.shape[0] < 4:
        return None
    correlation = float(_spearman(ones[None], others[None])[0])
    if not np.isfinite(correlation):
        return None
    return bootstrap(
        lambda drawn: _spearman(ones[drawn], others[drawn]), ones.shape[0], correlation
    )


def bootstrap(statistic: Callable[[IntArray], Array], size: int, value: float) -> Estimate:
    """The 95 % percentile-bootstrap interval of a statistic over models.

    Parameters: `statistic`, maps the model indices of each draw [draws, size] to values [draws];
    `size`, the number of models; `value`, the statistic of all models.  Draws with a non-finite
    value are left out.
    """
    drawn = np.random.default_rng(0).integers(0, size, (DRAWS, size))
    values = statistic(drawn)
    finite = values[np.isfinite(values)]
    low, high = np.quantile(finite, (0.025, 0.975)).tolist() if finite.size else (value, value)
    return Estimate(value, low, high)


def _spearman(ones: Array, others: Array) -> Array:
    """Rank correlation per row, ties at their mean rank; NaN where either row is constant."""
    a, b = (stats.rankdata(each, axis=1) for each in (ones, others))
    a, b = (each - each.mean(axis=1, keepdims=True) for each in (a, b))
    scale: Array = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    product: Array = (a * b).sum(axis=1)
    return np.divide(product, scale, out=np.full_like(scale, np.nan), where=scale > 0)
