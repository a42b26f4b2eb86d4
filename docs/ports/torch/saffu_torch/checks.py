"""Refusals: bad input is named at the door, and never computed with.   (SPEC 8)

Operations look at what they are given; modules (`saffu_torch.model`) look at token ids only, since
each look at numbers on a GPU waits for them.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor


class Refusal(ValueError):
    """Bad input, with one of the reason codes of golden/README.md."""

    def __init__(self, reason: str, expected: str) -> None:
        super().__init__(f"{reason}: {expected}")
        self.reason = reason


def require(good: bool | Tensor, reason: str, expected: str) -> None:
    """Refuse unless `good`; `expected` says what was."""
    if not bool(good):
        raise Refusal(reason, expected)


def shape(x: Tensor, expected: tuple[int | None, ...], name: str) -> None:
    """Another number of dimensions, or another size where one is given."""
    fits = x.ndim == len(expected) and all(
        size in (None, got) for size, got in zip(expected, x.shape, strict=True)
    )
    require(fits, "shape", f"{name} of shape {expected}, not {tuple(x.shape)}")


def finite(x: Tensor, name: str) -> None:
    """NaN and infinity."""
    require(x.isfinite().all(), "non-finite", f"{name} without NaN and infinity")


def non_negative(x: Tensor, name: str) -> None:
    """NaN, infinity, and what is below zero."""
    finite(x, name)
    require((x >= 0).all(), "negative", f"{name} of at least zero")


def features(x: Tensor, width: int | None = None, name: str = "features") -> None:
    """H [M D]: non-negative, at least one sample."""
    shape(x, (None, width), name)
    require(len(x) > 0, "no-samples", f"{name} of at least one sample")
    non_negative(x, name)


def targets(x: Tensor, rows: int, width: int | None = None, name: str = "targets") -> None:
    """Y [M N]: non-negative, no row of zeros."""
    shape(x, (rows, width), name)
    non_negative(x, name)
    require((x > 0).any(dim=1).all(), "zero-target", f"{name} without a row of zeros")


def positive_counts(x: Tensor) -> None:
    """F [D N] whose logarithm is needed."""
    shape(x, (None, None), "counts")
    non_negative(x, "counts")
    require((x > 0).all(), "zero-count", "counts above zero")


def tokens(x: Tensor, size: int | None = None) -> None:
    """Ids of a document [T]: whole numbers in 0 … size − 1."""
    shape(x, (None,), "document")
    require(not x.is_floating_point() and x.dtype != torch.bool, "option", "whole token ids")
    inside = (x >= 0) if size is None else (x >= 0) & (x < size)
    require(inside.all(), "token-range", f"ids in 0 … {'' if size is None else size - 1}")


def pivots(pivot: Tensor, valid: Tensor) -> None:
    """A slot [n] that is valid [n B], for each context."""
    shape(pivot, (len(valid),), "pivot")
    inside = (pivot >= 0) & (pivot < valid.shape[1])
    there = valid.gather(1, pivot.where(inside, 0)[:, None])[:, 0]
    require((inside & there).all(), "pivot", "pivots on valid slots")


def whole(value: Any, least: int, name: str) -> None:
    """A whole number of at least `least`."""
    good = isinstance(value, int) and not isinstance(value, bool) and value >= least
    require(good, "option", f"{name} a whole number of at least {least}, not {value!r}")


def number(value: Any, name: str, low: float = -math.inf, high: float = math.inf) -> None:
    """A finite number strictly between two others."""
    good = isinstance(value, int | float) and math.isfinite(value) and low < value < high
    require(good, "option", f"{low} < {name} < {high}, not {value!r}")


def one_of(value: Any, allowed: tuple[str, ...], name: str) -> None:
    """One of a few words."""
    require(value in allowed, "option", f"{name} one of {', '.join(allowed)}, not {value!r}")
