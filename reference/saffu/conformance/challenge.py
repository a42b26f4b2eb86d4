"""Fresh inputs of the kind that the published cases have: no answer can be looked up.   (SPEC 9)

Every input of a case is drawn again from a nonce, by the generator of the golden files, and keeps
what its case is about: its shape, its zeros and signs, its order of magnitude, rows of one norm,
whole numbers, the first and last token of a document.  The truth is what the reference returns.  A
draw on which rounding the inputs moves the truth further than the bound of its case is drawn again:
it would ask for more than the case does.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np

from saffu.conformance.case import Case, Expected
from saffu.conformance.generator import Draw, seed_of
from saffu.conformance.operations import run
from saffu.conformance.tolerance import compare
from saffu.types import Array

_TRIES: Final = 8
_SLACK: Final = 8.0
"""Fresh bounds over those of the case, which were certified for its own inputs only."""
_KEPT: Final = ("pivot", "codes")
"""Whole numbers that other inputs depend on."""

Arrays = Mapping[str, Array]


class Challenge(NamedTuple):
    """Cases with fresh inputs."""

    nonce: str
    cases: tuple[Case, ...]
    left_out: tuple[str, ...]
    """ids of the cases for which no draw was as well-behaved as the published one"""


def challenge(cases: Iterable[Case], nonce: str) -> Challenge:
    """The same cases with inputs drawn from `nonce`; the same nonce gives the same inputs."""
    fresh: list[Case] = []
    left_out: list[str] = []
    for case in cases:
        drawn = (afresh(case, f"{nonce}/{case.id}/{again}") for again in range(_TRIES))
        found = next((each for each in drawn if each is not None), None)
        if found is None:
            left_out.append(case.id)
        else:
            fresh.append(found)
    return Challenge(nonce, tuple(fresh), tuple(left_out))


def afresh(case: Case, seed: str) -> Case | None:
    """A case with inputs drawn from a seed; None if they are of another kind than the case's."""
    draw = Draw(seed_of(seed))
    inputs = {name: redraw(name, x, draw) for name, x in case.inputs.items()}
    cotangents = {name: redraw(name, x, draw) for name, x in case.cotangents.items()}
    fresh = replace(case, inputs=inputs, cotangents=cotangents, certificate=None, oracle={})
    truth = answer(fresh)
    if case.reject is not None:
        return fresh if truth == case.reject else None
    if isinstance(truth, str) or not set(case.in_order) <= set(truth):
        return None
    fresh = replace(
        fresh,
        outputs=_anew(case.outputs, truth),
        stages=_anew(case.stages, truth),
        gradients=_anew(case.gradients, truth, "gradient."),
        tolerance={name: _SLACK * bound for name, bound in case.tolerance.items()},
    )
    return fresh if all(_steady(fresh, name) for name in case.tolerance) else None


def answer(case: Case) -> dict[str, Array] | str:
    """What the reference returns for the inputs of a case, or the code of its refusal."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return run(case.op, case.attributes, case.inputs, case.cotangents)
    except ValueError as refusal:
        return str(getattr(refusal, "reason", "refused"))


def redraw(name: str, x: Array, draw: Draw) -> Array:
    """Another array of the same kind.

    >>> drawn = redraw("features", np.array([[0.5, 0.0, 0.5]]), Draw(7))
    >>> drawn[0, 1], drawn.sum()
    (0.0, 1.0)
    """
    if x.dtype.kind == "b" or name in _KEPT or x.ndim == 0:
        return x.copy()
    if x.dtype.kind in "iu":
        ends = 1 if name.startswith("document") else 0
        return _shuffled(x, draw, ends)
    finite = x[np.isfinite(x)]
    if (finite % 1).any():
        fresh: Array = (x * (0.5 + draw.uniform(*x.shape))).astype(x.dtype)
        return _of_the_norms(x, fresh) if _norm(x) else fresh
    if _norm(x) or not (np.abs(finite) > 1).any():
        return np.stack([_shuffled(row, draw, 0) for row in _rows(x)]).reshape(x.shape)
    several: Array = x * draw.whole(1, 3, *x.shape).astype(x.dtype)
    return several


def _rows(x: Array) -> Array:
    return x.reshape(-1, x.shape[-1]) if x.size else x.reshape(1, -1)


def _shuffled(x: Array, draw: Draw, ends: int) -> Array:
    """The entries in another order; the first and the last `ends` stay."""
    flat = x.reshape(-1)
    inner = range(ends, max(len(flat) - ends, ends))
    order = [*range(ends), *draw.shuffled(inner), *range(inner.stop, len(flat))]
    fresh: Array = flat[order[: len(flat)]].reshape(x.shape)
    return fresh


def _norm(x: Array) -> bool:
    """Whether all rows, but those of zeros, are non-negative and of one norm."""
    norms = x.sum(axis=-1)
    there = norms[norms != 0]
    return (
        x.ndim > 1
        and there.size > 0
        and bool((x >= 0).all())
        and bool(np.ptp(there) <= 1e-9 * there.max())
    )


def _of_the_norms(x: Array, fresh: Array) -> Array:
    """Rows of the norms that they had."""
    norm, got = x.sum(axis=-1, keepdims=True), fresh.sum(axis=-1, keepdims=True)
    scaled: Array = fresh * np.divide(norm, got, out=np.zeros_like(norm), where=got > 0)
    return scaled


def _anew(known: Mapping[str, Expected], truth: Arrays, prefix: str = "") -> dict[str, Expected]:
    """The same arrays with other values; a scale does not shrink below the values."""
    fresh: dict[str, Expected] = {}
    for name, expected in known.items():
        value = np.asarray(truth[prefix + name]).astype(expected.value.dtype)
        size = np.abs(value[np.isfinite(value)]).max(initial=0.0) if expected.scale else 0.0
        fresh[name] = Expected(value, max(expected.scale, float(size)))
    return fresh


def _steady(case: Case, precision: str) -> bool:
    """Whether inputs rounded as in a class of arithmetic leave the truth within the old bound."""
    bits = {"float64": 50, "float32": 22, "loose": 9}[precision]
    rounded = {name: _rounded(x, bits) for name, x in case.inputs.items()}
    moved = answer(replace(case, inputs=rounded))
    if isinstance(moved, str):
        return False
    bound = case.tolerance[precision] / _SLACK
    return all(
        compare(np.asarray(moved[name]), expected).error <= bound
        for name, expected in case.in_order.items()
    )


def _rounded(x: Array, bits: int) -> Array:
    """Floats to so many bits behind the first."""
    if x.dtype.kind != "f":
        return x
    fraction, exponent = np.frexp(x)
    rounded: Array = np.ldexp(np.round(fraction * 2.0**bits) / 2.0**bits, exponent)
    return rounded.astype(x.dtype)
