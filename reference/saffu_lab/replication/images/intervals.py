"""Bootstrap and Wilson intervals of classifiers, and of their differences on one test set.

Images, or the documents of a text, are resampled with replacement 2,000 times, with the same draws
for all classifiers; the interval holds the middle 95 % of the means (percentile bootstrap).
Accuracy has Wilson's (1927) interval for a proportion.  Both measure how much a number depends on
which images or documents are in the test set.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np

from saffu.loss import token_nats
from saffu.types import Array, IntArray, Logits
from saffu_lab.records.evidence import Estimate
from saffu_lab.records.results import Line

DRAWS = 2_000
QUANTILES = (0.025, 0.975)


def wilson(right: int, of: int) -> Estimate:
    """A proportion and its 95 % interval (Wilson 1927).

    >>> f"{wilson(9, 10):.3f}"
    '0.900 (0.596 … 0.982)'
    """
    z, p = 1.959964, right / of
    middle = (p + z * z / (2 * of)) / (1 + z * z / of)
    reach = z / (1 + z * z / of) * float(np.sqrt(p * (1 - p) / of + z * z / (4 * of * of)))
    return Estimate(p, middle - reach, middle + reach)


def drawn_means(values: Array, borders: IntArray | None = None, seed: int = 0) -> Array:
    """Column means of `values` [M, R] in each bootstrap draw: [draws, R].

    Parameters: `borders`, the first row of each group of rows that is drawn as a whole, such as a
    document; by default rows are drawn one by one.

    >>> drawn_means(np.array([[1.0, 2.0]] * 5), np.array([0, 3])).mean(axis=0).round(9).tolist()
    [1.0, 2.0]
    """
    random = np.random.default_rng(seed)
    first = np.arange(values.shape[0]) if borders is None else borders
    sums = np.add.reduceat(values, first)
    sizes = np.diff(np.append(first, values.shape[0]))
    groups = first.shape[0]
    means = np.empty((DRAWS, values.shape[1]))
    for draw in range(DRAWS):
        often = np.bincount(random.integers(0, groups, groups), minlength=groups)
        means[draw] = often @ sums / (often @ sizes)
    return means


def judge_all(
    logits: Mapping[str, Logits], labels: IntArray, borders: IntArray | None = None
) -> Line:
    """Test each classifier, and compare every pair of them.

    Parameters: `borders`, see `drawn_means`.
    Returns `rows`, per classifier: correct answers, nats and their interval; `pairs`, per pair
    "a|b": the nats of a minus those of b, their interval, and how many samples only one of the two
    gets right.

    >>> z = {"a": np.log(np.array([[3.0, 1.0]] * 8)), "b": np.zeros((8, 2))}
    >>> judged = judge_all(z, np.zeros(8, dtype=int))
    >>> judged["rows"]["a"]["right"], judged["pairs"]["a|b"]["nats"] < 0
    (8, True)
    """
    nats = np.stack([token_nats(z, labels) for z in logits.values()], axis=1).astype(np.float64)
    right = np.stack([z.argmax(axis=1) == labels for z in logits.values()], axis=1)
    drawn = drawn_means(nats, borders)
    rows: Line = {}
    for at, name in enumerate(logits):
        low, high = np.quantile(drawn[:, at], QUANTILES)
        rows[name] = {
            "right": int(right[:, at].sum()),
            "nats": round(float(nats[:, at].mean()), 6),
            "low": round(float(low), 6),
            "high": round(float(high), 6),
        }
    pairs: Line = {}
    for (i, a), (j, b) in combinations(enumerate(logits), 2):
        low, high = np.quantile(drawn[:, i] - drawn[:, j], QUANTILES)
        pairs[f"{a}|{b}"] = {
            "nats": round(float((nats[:, i] - nats[:, j]).mean()), 6),
            "low": round(float(low), 6),
            "high": round(float(high), 6),
            "only_first": int((right[:, i] & ~right[:, j]).sum()),
            "only_second": int((right[:, j] & ~right[:, i]).sum()),
        }
    return {"tested": int(labels.shape[0]), "rows": rows, "pairs": pairs}


def pair_of(tested: Line, one: str, other: str) -> Estimate | None:
    """Nats of one row of a test minus those of another; None if one of them is missing.

    >>> line = {"pairs": {"a|b": {"nats": -1.0, "low": -2.0, "high": -0.5}}}
    >>> pair_of(line, "b", "a")
    Estimate(mean=1.0, low=0.5, high=2.0)
    """
    pairs = tested["pairs"]
    if f"{one}|{other}" in pairs:
        pair = pairs[f"{one}|{other}"]
        return Estimate(pair["nats"], pair["low"], pair["high"])
    if f"{other}|{one}" in pairs:
        pair = pairs[f"{other}|{one}"]
        return Estimate(-pair["nats"], -pair["high"], -pair["low"])
    return None
