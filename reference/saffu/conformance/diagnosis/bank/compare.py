"""Mistakes in comparisons with the pivot.   (SPEC 4, 6)"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from saffu.conformance.diagnosis.variants import Arrays, mistakes, variant
from saffu.types import Array


def at_pivot(x: Array, pivot: Array) -> Array:
    """The pivot's vectors [n, 1, D]; a pivot beyond the slots wraps around."""
    rows: Array = x[np.arange(x.shape[0]), pivot % x.shape[1]][:, None, :]
    return rows


def pull_pivot(dc: Array, x: Array, pivot: Array) -> Array:
    """What the pivot's vector gets, in its slot."""
    dx = np.zeros_like(x)
    dx[np.arange(x.shape[0]), pivot % x.shape[1]] = np.sum(dc[..., None] * x, axis=1)
    return dx


def pull_keys(dc: Array, x: Array, pivot: Array) -> Array:
    """What every slot gets."""
    return dc[..., None] * at_pivot(x, pivot)


def pull_comparisons(dc: Array, x: Array, pivot: Array) -> Array:
    """The adjoint of the comparisons."""
    return pull_keys(dc, x, pivot) + pull_pivot(dc, x, pivot)


def pull_square_once(dc: Array, x: Array, pivot: Array) -> Array:
    """The adjoint with the pivot's own square counted once."""
    others = np.arange(x.shape[1])[None, :] != (pivot % x.shape[1])[:, None]
    return pull_keys(dc, x, pivot) + pull_pivot(dc * others, x, pivot)


def compare(
    inputs: Array,
    pivot: Array,
    cotangents: Arrays | None = None,
    *,
    asks: Callable[[Array, Array], Array] = lambda x, pivot: pivot,
    scale: Callable[[Array, Array], Array] = lambda x, pivot: np.ones(()),
    pull: Callable[[Array, Array, Array], Array] = pull_comparisons,
) -> Arrays:
    """c = x_p Xᵀ, and its adjoint."""
    at = asks(inputs, pivot)
    divisor = scale(inputs, at)
    answer = {"comparisons": np.sum(inputs * at_pivot(inputs, at), axis=-1) / divisor}
    if cotangents:
        answer["gradient.inputs"] = pull(cotangents["comparisons"] / divisor, inputs, at)
    return answer


def _cosine(x: Array, pivot: Array) -> Array:
    norms = np.sqrt(np.sum(x * x, axis=-1))
    product: Array = norms * np.sqrt(np.sum(at_pivot(x, pivot) ** 2, axis=-1))
    return product


MISTAKES = mistakes(
        "compare", compare,
        variant("compare-first-slot", "compared with the first slot, not with the pivot",
            asks=lambda x, pivot: np.zeros_like(pivot)),
        variant("compare-last-slot", "compared with the last slot, not with the pivot",
            asks=lambda x, pivot: np.full_like(pivot, x.shape[1] - 1)),
        variant("compare-cosine", "cosines in place of inner products", scale=_cosine),
        variant("compare-scaled", "divided by √D, as standard attention does",
            scale=lambda x, pivot: np.sqrt(np.asarray(x.shape[2]))),
        variant("compare-pivot-dropped", "the gradient through the pivot dropped", pull=pull_keys),
        variant("compare-keys-dropped", "only the gradient through the pivot", pull=pull_pivot),
        variant("compare-square-once", "the pivot's own square counted once in the gradient",
            pull=pull_square_once),
        variant("compare-takes-anything", "bad inputs and pivots not refused",
            accepts="non-finite pivot"),
    )  # fmt: skip
