"""What property tests draw: shapes that cannot be confused, and numbers of which every one matters.

Dimensions of one array, and of arrays that meet, are distinct primes, so that a swapped axis or a
sum over the wrong one cannot go unseen.  Generic numbers come from a drawn seed: no two are alike,
which is what a test of a formula needs.  Tidy numbers are few and small, zeros among them: ties,
repetitions and empty cells, which is what a test of a border case needs.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from saffu.types import Array

PRIMES = (2, 3, 5, 7, 11)


def sizes(count: int, primes: tuple[int, ...] = PRIMES) -> st.SearchStrategy[tuple[int, ...]]:
    """Distinct prime dimensions, in any order."""
    return st.permutations(primes).map(lambda order: tuple(order[:count]))


class Seeded(np.random.Generator):
    """Generic numbers; in the report of a failure it shows its seed."""

    def __init__(self, seed: int) -> None:
        super().__init__(np.random.PCG64(seed))
        self.seed = seed

    def __repr__(self) -> str:
        return f"Seeded({self.seed})"


def generators() -> st.SearchStrategy[Seeded]:
    """A source of generic numbers."""
    return st.integers(0, 2**32 - 1).map(Seeded)


def whole(shape: tuple[int, ...], low: int = 0, high: int = 3) -> st.SearchStrategy[Array]:
    """Few different whole numbers: ties are the rule."""
    return arrays(np.int64, shape, elements=st.integers(low, high))


def tidy(shape: tuple[int, ...], low: int = 0, high: int = 3) -> st.SearchStrategy[Array]:
    """The same as floating point."""
    return whole(shape, low, high).map(lambda x: x.astype(np.float64))


def reals(shape: tuple[int, ...], bound: float) -> st.SearchStrategy[Array]:
    """Any finite numbers up to a bound, awkward ones among them."""
    return arrays(np.float64, shape, elements=st.floats(-bound, bound, width=64))


def masks(shape: tuple[int, ...]) -> st.SearchStrategy[Array]:
    """Booleans with at least one True in each row."""

    def some(drawn: tuple[Array, Array]) -> Array:
        mask, always = drawn
        np.put_along_axis(mask, always[..., None], True, axis=-1)
        return mask

    always = arrays(np.int64, shape[:-1], elements=st.integers(0, shape[-1] - 1))
    return st.tuples(arrays(np.bool_, shape), always).map(some)


def simplex(rng: np.random.Generator, *shape: int) -> Array:
    """Generic rows that add up to one."""
    return np.asarray(rng.dirichlet(np.ones(shape[-1]), shape[:-1]))


def one_hot(ids: Any, size: int) -> Array:
    """Rows of the identity."""
    return np.asarray(np.eye(size)[np.asarray(ids)])


def features(rng: np.random.Generator, samples: int, width: int) -> Array:
    """Generic non-negative rows of unequal norms, a third of the entries zero, no row all zero."""
    h = rng.random((samples, width)) * rng.uniform(0.2, 3.0, (samples, 1))
    h[rng.random((samples, width)) < 1 / 3] = 0.0
    h[np.arange(samples), rng.integers(0, width, samples)] += 0.1
    return np.asarray(h)


def targets(rng: np.random.Generator, samples: int, width: int) -> Array:
    """Generic non-negative rows of unequal sums, some entries zero, no row all zero."""
    return features(rng, samples, width)


class Contexts(NamedTuple):
    """What a SAFFU layer is given, and the weights that it has."""

    inputs: Array
    mask: Array
    pivot: Array
    attention_weights: Array
    feature_weights: Array


@st.composite
def contexts(draw: st.DrawFn, aggregation: str, *, full: bool = False) -> Contexts:
    """Generic contexts, partly valid, with pivots on valid slots; unit norms unless invalid."""
    n, slots, width, hidden = draw(sizes(4, (2, 3, 5, 7)))
    rng = draw(generators())
    mask = np.ones((n, slots), dtype=np.bool_) if full else draw(masks((n, slots)))
    pivot = np.array([rng.choice(np.flatnonzero(row)) for row in mask], dtype=np.int64)
    rows = width if aggregation == "sum" else slots * width
    return Contexts(
        np.where(mask[..., None], simplex(rng, n, slots, width), 0.0),
        mask,
        pivot,
        rng.normal(0, 2, (slots, slots)),
        rng.normal(0, 2, (rows, hidden)),
    )
