"""From a question to a golden case: the truth, its scales, and a bound that is shown to be right.

The bound of a case lies well above what right computations reach that are not exact (the reference
itself, loops in float64, float32 and products of few bits, sums in several orders), and well below
the least that any of the mistakes reaches that the case hunts.  A case for which there is no such
bound is refused: it could not tell right from wrong.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np

from saffu.conformance.contract.case import Case, Certificate, Expected, Measured
from saffu.conformance.contract.golden import SUITE
from saffu.conformance.diagnosis.diagnose import outcome
from saffu.conformance.diagnosis.mistake import Mistake
from saffu.conformance.judging.tolerance import compare
from saffu.conformance.operations import OPERATIONS, run
from saffu.types import Array
from spec_tests.support.cases.question import Question
from spec_tests.support.oracle import DIGITS, VARIANTS, Exact, Sizes, answer

MARGIN: Final = 8.0
"""The bound over the worst right error, before it is rounded up."""
GAP: Final = 4.0
"""The least wrong error over the bound."""
LEAST: Final = {"float64": 2e-14, "float32": 1e-5, "loose": 1e-2}
"""No bound is below about a hundred roundings: other libraries round otherwise."""
MOST: Final = {"float64": 1e-8, "float32": 1e-3, "loose": 1e-1}
"""A class of arithmetic in which right computations are farther off cannot be judged."""

ORACLE: Final = {"arithmetic": "mpmath", "digits": DIGITS}


class Uncertain(AssertionError):
    """A case whose bound does not tell right from wrong."""


def answered(question: Question) -> Case:
    """The case with its truth, without tolerance and certificate."""
    operation = OPERATIONS[question.op]
    case = Case(
        id=question.id,
        suite=SUITE,
        op=question.op,
        spec=operation.spec,
        about=question.about,
        hunts=question.hunts,
        attributes=question.attributes,
        inputs=question.inputs,
        cotangents=question.cotangents,
        reject=question.reject,
    )
    if question.reject is not None:
        return case
    given = (question.op, question.attributes, question.inputs, question.cotangents)
    truth, sizes = answer(Exact(), *given), answer(Sizes(), *given)
    every = {name: Expected(x, scale_of(x, sizes[name])) for name, x in truth.items()}
    stages = {name: every.pop(name) for name in operation.stages}
    gradients = {
        name: every.pop(f"gradient.{name}")
        for name in (operation.differentiable if question.cotangents else ())
    }
    return Case(
        **{name: value for name, value in vars(case).items() if name in _SAME},
        outputs=every,
        stages=stages,
        gradients=gradients,
        oracle=ORACLE,
    )


_SAME: Final = (
    "id", "suite", "op", "spec", "about", "hunts", "attributes", "inputs", "cotangents",
)  # fmt: skip


def scale_of(truth: Array, sizes: Array) -> float:
    """The least power of two that no entry's size exceeds; 0 for whole numbers.

    Powers of two, so that the last bit of somebody's logarithm cannot change a file.
    """
    if truth.dtype.kind != "f":
        return 0.0
    known = sizes[np.isfinite(sizes) & np.isfinite(truth)]
    most = float(np.abs(known).max(initial=0.0))
    return 2.0 ** math.ceil(math.log2(most * (1 - 1e-9))) if most else 1.0


def legitimate(case: Case) -> dict[str, Measured]:
    """The worst error of right computations, by class; a class in which one fails is left out."""
    found = {}
    for precision, variants in VARIANTS.items():
        errors = {
            name: worst(case, answer(ar, case.op, case.attributes, case.inputs, case.cotangents))
            for name, ar in variants.items()
        }
        if precision != "loose":
            errors[f"reference, {precision}"] = worst(case, _reference(case, precision))
        who = max(errors, key=lambda name: errors[name])
        if math.isfinite(errors[who]):
            found[precision] = Measured(_two_digits(errors[who], math.ceil), who)
    return found


def worst(case: Case, answers: Mapping[str, Array] | None) -> float:
    """The largest error among all arrays that came; infinite for a refusal, or a missing output."""
    if answers is None or not set(case.wanted) <= set(answers):
        return math.inf
    with np.errstate(all="ignore"):
        return max(
            compare(np.asarray(answers[name]), expected).error
            for name, expected in case.in_order.items()
            if name in answers
        )


def _reference(case: Case, precision: str) -> dict[str, Array] | None:
    """What the reference answers in a precision; None if it refuses."""
    try:
        with np.errstate(all="ignore"):
            return run(
                case.op, case.attributes, _cast(case.inputs, precision),
                _cast(case.cotangents, precision),
            )  # fmt: skip
    except ValueError:
        return None


def _cast(arrays: Mapping[str, Array], precision: str) -> dict[str, Array]:
    return {name: x.astype(precision) if x.dtype.kind == "f" else x for name, x in arrays.items()}


def weakest(case: Case, bank: Iterable[Mistake]) -> Measured | None:
    """The least error that one of the mistakes makes which the case hunts; None if none is banked.

    Only outputs and gradients count, since a port need not return stages.  A refusal, and an array
    of another shape, are infinitely wrong.
    """
    errors = {mistake.id: wrongness(mistake, case) for mistake in bank if mistake.id in case.hunts}
    if not errors:
        return None
    who = min(errors, key=lambda name: errors[name])
    return Measured(_two_digits(errors[who], math.floor), who)


def wrongness(mistake: Mistake, case: Case) -> float:
    """How far off a mistake is on a case that expects outputs."""
    predicted = outcome(mistake, case)
    if predicted is None:
        return math.inf
    if not predicted:
        raise Uncertain(f"{case.id}: {mistake.id} cannot be computed on it")
    with np.errstate(all="ignore"):
        return max(
            (
                compare(predicted[name], expected).error
                for name, expected in case.wanted.items()
                if name in predicted
            ),
            default=0.0,
        )


def certified(case: Case, bank: Iterable[Mistake]) -> Case:
    """The case with its bounds and their evidence.

    Refuses (Uncertain): no bound in float64; a mistake that is hunted and not exposed.
    """
    banked = tuple(bank)
    if case.reject is not None:
        return _checked(case, banked)
    right = legitimate(case)
    wrong = weakest(case, banked)
    bounds = {name: bound(measured.error, name) for name, measured in right.items()}
    judged = {
        name: limit
        for name, limit in bounds.items()
        if limit <= MOST[name] and (wrong is None or wrong.error >= GAP * limit)
    }
    if "float64" not in judged:
        raise Uncertain(
            f"{case.id}: right answers in float64 are off by {right.get('float64')}, the least "
            f"mistake by {wrong}; choose inputs on which they differ more, or hunt another mistake"
        )
    certificate = Certificate({name: right[name] for name in judged}, wrong)
    return Case(**{**vars(case), "tolerance": judged, "certificate": certificate})


def still_certified(case: Case, bank: Iterable[Mistake]) -> None:
    """Refuse (Uncertain) a certificate that does not hold on this machine."""
    if case.reject is not None:
        _checked(case, tuple(bank))
        return
    right, wrong = legitimate(case), weakest(case, bank)
    for name, limit in case.tolerance.items():
        if name not in right or right[name].error > limit / 2:
            raise Uncertain(f"{case.id}: {name} allows {limit}, {right.get(name)} is too near")
        if wrong is not None and wrong.error < GAP * limit / 2:
            raise Uncertain(f"{case.id}: {name} allows {limit}, mistake {wrong} is too near")


def _checked(case: Case, bank: Iterable[Mistake]) -> Case:
    """A case that has to be refused, if the reference does and hunted mistakes do not."""
    try:
        with np.errstate(all="ignore"):
            run(case.op, case.attributes, case.inputs, case.cotangents)
    except ValueError as refusal:
        if getattr(refusal, "reason", None) != case.reject:
            raise Uncertain(f"{case.id}: {case.reject} is expected, not {refusal!r}") from refusal
    else:
        raise Uncertain(f"{case.id}: the reference accepts what has to be refused")
    for mistake in bank:
        if mistake.id in case.hunts and outcome(mistake, case) is None:
            raise Uncertain(f"{case.id}: {mistake.id} is hunted, but refuses too")
    return case


def bound(error: float, precision: str) -> float:
    """The least of 1, 2, 5 · 10^k that leaves the margin."""
    wanted = max(MARGIN * error, LEAST[precision])
    power = math.floor(math.log10(wanted))
    steps = [float(f"{digit}e{power}") for digit in (1, 2, 5, 10)]
    return next(step for step in steps if step >= wanted * (1 - 1e-9))


def _two_digits(error: float, rounded: object) -> float:
    """The error to two digits, up or down."""
    if error == 0 or not math.isfinite(error):
        return error
    power = math.floor(math.log10(error)) - 1
    digits = math.ceil(error / 10.0**power) if rounded is math.ceil else int(error / 10.0**power)
    return float(f"{digits}e{power}")
