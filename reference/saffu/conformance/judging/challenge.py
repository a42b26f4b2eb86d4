"""Challenge: fresh inputs of the same kind, so that answers cannot be looked up.   (SPEC 9)

Every input of a case is drawn again from a nonce, by the generator of the golden files, and keeps
the properties that its case tests: shape, zeros, order of magnitude, rows of one norm, rows of
nearly equal entries, whole numbers, the first and last token of a document.  The expected
value is the reference's in float64.  A draw on which the reference in float32 has a large
error is drawn again: it would be harder than the published case.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np

from saffu.conformance.contract.case import Case, Expected
from saffu.conformance.judging.generator import Draw, seed_of
from saffu.conformance.judging.tolerance import compare
from saffu.conformance.operations import run
from saffu.types import Array

_TRIES: Final = 8
_TRIES_TO_REFUSE: Final = 128
"""One draw in seven of scores that separate their targets separates them too."""
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
        tries = _TRIES if case.reject is None else _TRIES_TO_REFUSE
        drawn = (afresh(case, f"{nonce}/{case.id}/{again}") for again in range(tries))
        accepted = next((each for each in drawn if each is not None), None)
        if accepted is None:
            left_out.append(case.id)
        else:
            fresh.append(accepted)
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
    return fresh if steady(fresh) else None


def answer(case: Case) -> dict[str, Array] | str:
    """What the reference returns for the inputs of a case, or the code of its refusal."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return run(case.op, case.attributes, case.inputs, case.cotangents)
    except (ValueError, ArithmeticError) as refusal:
        return str(getattr(refusal, "reason", "refused"))


def redraw(name: str, x: Array, draw: Draw) -> Array:
    """Another array of the same kind.

    >>> drawn = redraw("features", np.array([[0.25, 0.0, 0.75]]), Draw(7))
    >>> float(drawn.min()), float(drawn.sum())
    (0.0, 1.0)
    """
    if x.dtype.kind == "b" or name in _KEPT or x.ndim == 0:
        return x.copy()
    if x.dtype.kind in "iu":
        ends = 1 if name.startswith("document") else 0
        return _shuffled(x, draw, ends)
    finite = x[np.isfinite(x)]
    if (finite % 1).any():
        anew = _mixed if _norm(x) else _near
        return np.stack([anew(row, draw) for row in _rows(x)]).reshape(x.shape)
    if _norm(x) or not (np.abs(finite) > 1).any():
        return np.stack([_shuffled(row, draw, 0) for row in _rows(x)]).reshape(x.shape)
    several: Array = x * draw.whole(1, 3, *x.shape).astype(x.dtype)
    return several


def as_in_float32(x: Array) -> Array:
    """Numbers of 24 bits, so that float32 and float64 start from the same; any magnitude."""
    fraction, exponent = np.frexp(x)
    rounded: Array = np.ldexp(np.round(fraction * 2.0**24) / 2.0**24, exponent)
    return rounded.astype(x.dtype)


def _near(row: Array, draw: Draw) -> Array:
    """A row of the same kind: counts each a little more or less, others shifted by their spread."""
    finite = row[np.isfinite(row)]
    spread = float(np.ptp(finite)) if finite.size else 0.0
    factor = float(0.5 + draw.uniform(1)[0])
    apart = spread > 0.1 * float(np.abs(finite).max(initial=0.0))
    fresh: Array
    if bool((finite >= 0).all()) and apart:
        fresh = row * (0.5 + draw.uniform(*row.shape))
    else:
        shift = spread * (draw.uniform(*row.shape) - 0.5)
        fresh = np.where(row == 0, row, factor * (row + shift))
    return as_in_float32(fresh.astype(row.dtype))


def _mixed(row: Array, draw: Draw) -> Array:
    """Quarters of a row and of its non-zero entries in another order: the same norm, exactly."""
    other = row.copy()
    other[row != 0] = _shuffled(row[row != 0], draw, 0)
    share = int(draw.whole(0, 3))
    return _shuffled(share / 4 * row + (4 - share) / 4 * other, draw, 0)


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
    usual = x.ndim > 1 and there.size > 0 and bool((x >= 0).all() and np.isfinite(x).all())
    return usual and bool(np.ptp(there) <= 1e-9 * there.max())


def _anew(known: Mapping[str, Expected], truth: Arrays, prefix: str = "") -> dict[str, Expected]:
    """The same arrays with other values; a scale does not shrink below the values."""
    fresh: dict[str, Expected] = {}
    for name, expected in known.items():
        value = np.asarray(truth[prefix + name]).astype(expected.value.dtype)
        size = np.abs(value[np.isfinite(value)]).max(initial=0.0) if expected.scale else 0.0
        fresh[name] = Expected(value, max(expected.scale, float(size)))
    return fresh


def steady(case: Case) -> bool:
    """Whether the reference computes the case in float32 to within half of its bound."""
    if "float32" not in case.tolerance:
        return True
    coarse = {
        name: x.astype(np.float32) if x.dtype == np.float64 else x
        for name, x in case.inputs.items()
    }
    moved = answer(replace(case, inputs=coarse))
    if isinstance(moved, str):
        return False
    bound = 0.5 * case.tolerance["float32"]
    return all(
        compare(np.asarray(moved[name]), expected).error <= bound
        for name, expected in case.in_order.items()
    )
