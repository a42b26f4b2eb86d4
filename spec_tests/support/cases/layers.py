"""Layers and contexts for saffu_forward and saffu_backward.   (SPEC 4)"""

# Cases are tables, laid out by hand.
# fmt: off

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from saffu.conformance.judging.generator import Draw
from spec_tests.support.cases.question import Arrays, signed, stream


def layer(
    d: Draw, aggregation: str, n: int = 7, b: int = 3, width: int = 5, hidden: int = 2
) -> Arrays:
    """A layer and contexts of it: the first ones full, the others partly valid, pivots anywhere."""
    x = d.simplex(n, b, width)
    valid = d.whole(0, 2, n, b) > 0
    valid[: n // 3] = True
    pivot = d.whole(0, b - 1, n)
    valid[np.arange(n), pivot] = True
    x[~valid] = 0
    rows = width if aggregation == "sum" else b * width
    return {
        "inputs": x, "mask": valid, "pivot": pivot, "attention_weights": signed(d, b, b),
        "feature_weights": signed(d, rows, hidden),
    }


def options(aggregation: str, attention: str, gain: str) -> dict[str, Any]:
    return {"aggregation": aggregation, "attention": attention, "gain": gain}


COMBINATIONS = [
    (aggregation, attention, gain)
    for aggregation in ("cat", "sum")
    for attention in ("softmax", "surprisal", "uniform")
    for gain in ("count", "unit")
]


USUAL = options("cat", "softmax", "count")


class Edge(NamedTuple):
    """Contexts at an edge of what there is."""

    slug: str
    about: str
    given: Arrays
    draw: Draw
    even: bool
    """Attention cannot be told from even or certain attention, so few mistakes show."""


def edges(op: str, attention: str) -> Iterator[Edge]:
    """One valid slot, one slot, saturated and even attention, one-hot inputs."""
    d = stream(f"{op}/{attention}-partly-valid")
    given = layer(d, "cat", 11, 5, 3, 2)
    yield Edge("partly-valid", "five slots, two of three valid", given, d, even=False)
    d = stream(f"{op}/{attention}-saturated")
    given = layer(d, "cat")
    given["attention_weights"] = given["attention_weights"] * 64
    yield Edge("saturated", "attention that is nearly certain", given, d, even=False)
    d = stream(f"{op}/{attention}-one-hot")
    given = layer(d, "cat")
    given["inputs"] = d.one_hot(21, 5).reshape(7, 3, 5) * given["mask"][..., None]
    yield Edge("one-hot", "one-hot inputs: comparisons are zero or one", given, d, even=False)
    d = stream(f"{op}/{attention}-even")
    given = layer(d, "cat")
    given["attention_weights"] = np.zeros((3, 3))
    yield Edge("even", "W = 0 attends evenly", given, d, even=True)
    d = stream(f"{op}/{attention}-one-valid-slot")
    given = layer(d, "cat")
    given["mask"] = np.arange(3)[None, :] == given["pivot"][:, None]
    given["inputs"] = d.simplex(7, 3, 5) * given["mask"][..., None]
    yield Edge("one-valid-slot", "only the pivot is valid, so attention is certain", given, d,
               even=True)
    d = stream(f"{op}/{attention}-one-slot")
    yield Edge("one-slot", "contexts of a single slot", layer(d, "cat", 7, 1, 5, 3), d, even=True)
