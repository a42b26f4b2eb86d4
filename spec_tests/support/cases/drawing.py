"""What cases of several operations draw."""

# Cases are tables, laid out by hand.
# fmt: off

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from saffu.conformance.judging.generator import Draw
from saffu.types import Array
from spec_tests.support.cases.question import INF, NAN, Question, ask, stream


def sparse(draw: Draw, m: int, d: int) -> Array:
    """Features of unequal norms, about half of them zero, no row of zeros."""
    some: Array = draw.uniform(m, d, high=2) * draw.whole(0, 1, m, d)
    more: Array = draw.one_hot(m, d) * draw.uniform(m, 1)
    return np.add(some, more)


def smoothing(kind: str, strength: float) -> dict[str, Any]:
    return {"kind": kind, "strength": strength}


def spoilt(x: Array, entry: float) -> Array:
    x = x.copy()
    x[2, 1] = entry
    return x


def refuse_samples(op: str, taken: str, **attributes: Any) -> Iterator[Question]:
    """What every operation on features and targets refuses."""
    for slug, about, which, entry, reason in (
        ("negative-feature", "a negative feature", "features", -0.25, "negative"),
        ("nan-feature", "a feature that is NaN", "features", NAN, "non-finite"),
        ("infinite-feature", "an infinite feature", "features", INF, "non-finite"),
        ("negative-target", "a negative target", "targets", -0.25, "negative"),
        ("nan-target", "a target that is NaN", "targets", NAN, "non-finite"),
    ):
        d = stream(f"{op}/refuse-{slug}")
        given = {"features": sparse(d, 7, 5), "targets": d.simplex(7, 3)}
        given[which] = spoilt(given[which], entry)
        yield ask(f"{op}/refuse-{slug}", about, given, taken, reject=reason, attributes=attributes)
    d = stream(f"{op}/refuse-empty-target")
    given = {"features": sparse(d, 7, 5), "targets": d.one_hot(7, 3)}
    given["targets"][4] = 0
    yield ask(f"{op}/refuse-empty-target", "a row of targets that is all zero", given, taken,
              reject="zero-target", attributes=attributes)
    d = stream(f"{op}/refuse-other-samples")
    yield ask(f"{op}/refuse-other-samples", "seven samples of features, five of targets",
              {"features": sparse(d, 7, 5), "targets": d.one_hot(5, 3)}, reject="shape",
              attributes=attributes)
    yield ask(f"{op}/refuse-no-samples", "nothing to count",
              {"features": np.zeros((0, 5)), "targets": np.zeros((0, 3))}, taken,
              reject="no-samples", attributes=attributes)


def documents(draw: Draw, size: int, *lengths: int) -> dict[str, Array]:
    """Documents of token ids from 0 (start) to 1 (end) with tokens 3 … size−1 between them."""
    return {
        f"document_{i}": np.array([0, *draw.whole(3, size - 1, length - 2), 1])
        for i, length in enumerate(lengths)
    }
