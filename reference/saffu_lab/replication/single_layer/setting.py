"""Single-layer study: features, counts and explicit solutions for one context radius."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from saffu.direct import log_shares
from saffu.explicit.smoothing import Backoff, Discount, Smoothing
from saffu.types import Array, Weights
from saffu_lab.one_layer.convex_problem import OneHot, centred, evidence, one_hot, slot_counts
from saffu_lab.records.results import Line
from saffu_lab.study.sources import Sources
from saffu_lab.study.task import digest
from saffu_lab.study.texts import texts


class Setting(NamedTuple):
    """One radius: features of the text, and the counts made from them."""

    train: OneHot
    validation: OneHot
    prior: Array
    """log q"""
    counts: Weights
    """F [r V, V]"""
    radius: int
    size: int
    """V"""


@lru_cache(maxsize=2)
def _setting(sources: Sources, radius: int, size: int, targets: int, seed: int) -> Setting:
    common = texts(sources, size, seed)
    train = one_hot(common.amount(targets, seed), radius, size)
    validation = one_hot(common.watched(seed), radius, size)
    prior = log_shares(np.bincount(train.targets, minlength=size))
    counts = np.concatenate([c.toarray() for c in slot_counts(train, size)])
    return Setting(train, validation, prior, counts, radius, size)


def setting_of(key: Line, sources: Sources) -> Setting:
    """The setting named by a key."""
    return _setting(sources, key["radius"], key["vocabulary"], key["targets"], key["seed"])


def slot_evidence(setting: Setting, smoothing: Smoothing) -> Weights:
    """The explicit solution at λ = 1, without its bias log q; each row centred to mean zero."""
    q = np.exp(setting.prior)
    pairs = slot_counts(setting.train, setting.size)
    return centred(evidence(pairs, q, smoothing))


def tempered(weights: Weights, tempers: list[float]) -> Weights:
    """U multiplied by one λ per slot, or by one λ for all slots."""
    by_slot = weights.reshape(len(tempers), -1, weights.shape[1])
    scaled: Weights = (np.array(tempers)[:, None, None] * by_slot).reshape(weights.shape)
    return scaled


def explicit_of(setting: Setting, chosen: Line) -> Weights:
    """The weights described by the record of an explicit solution."""
    kind = Discount if chosen["kind"] == "discount" else Backoff
    return tempered(slot_evidence(setting, kind(chosen["strength"])), chosen["tempers"])


def rms(weights: Weights) -> float:
    """Root mean square of the entries: a distance that does not grow with their number.

    >>> rms(np.array([[3.0, -3.0]]))
    3.0
    """
    return float(np.sqrt(np.mean(np.square(weights))))


def cosine(one: Weights, other: Weights) -> float:
    """Cosine of the angle between two weight matrices; 0 if one of them is zero.

    >>> cosine(np.array([[3.0, 4.0]]), np.array([[0.0, 2.0]]))
    0.8
    """
    lengths = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(np.vdot(one, other)) / lengths if lengths else 0.0


def recall(key: Line, sources: Sources, work: Callable[[Line, Sources], Line]) -> Weights:
    """Load the weights of a task from their file; if it is gone, run the task again."""
    path = sources.models / f"{digest(key)}.npy"
    if not path.exists():
        work(key, sources)
    weights: Weights = np.load(path, allow_pickle=False)
    return weights


def keep(key: Line, sources: Sources, weights: Weights) -> None:
    """Save the weights of a task to their file."""
    path = sources.models / f"{digest(key)}.npy"
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial.npy")
    np.save(partial, weights, allow_pickle=False)
    partial.replace(path)


def rounded(value: float, digits: int = 6) -> float:
    """A number rounded for the record."""
    return round(float(value), digits)
