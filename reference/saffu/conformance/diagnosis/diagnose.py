"""Diagnosis: the known mistake that explains the failures of a port.   (SPEC 9)

Every known mistake is computed on the failing cases.  It explains a case if its result equals that
of the port to within the bound of the case, and both are well away from the expected value.  The
mistake that explains most cases is named first; then the one that explains most of the rest, so
that two mistakes made at once are both named; then pairs that show in the same cases.  Cases that
nothing explains are reported by the first array that diverges.  Passing cases need no explanation.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np

from saffu.conformance.contract.case import Case, Expected
from saffu.conformance.diagnosis.mistake import Mistake
from saffu.conformance.diagnosis.mistake_pairs import pairs as fitting_pairs
from saffu.conformance.judging.runner import Result, Run
from saffu.conformance.judging.tolerance import compare, judge
from saffu.conformance.operations import OPERATIONS
from saffu.types import Array

_NEAR: Final = 1.0
"""Bounds within which the port and a mistake agree."""
_FAR: Final = 3.0
"""Bounds by which a mistake must be off the expected value; golden cases guarantee four."""

_WRONG_VALUES: Final = ("values", "accepted", "refused")


@dataclass(frozen=True)
class Finding:
    """A mistake, and the failures it explains."""

    mistake: Mistake
    cases: tuple[str, ...]
    against: tuple[str, ...]
    """passing cases that this mistake would fail"""
    alike: tuple[str, ...] = ()
    """other mistakes with the same results on these cases"""
    other: Mistake | None = None
    """a second mistake that is made at the same time"""

    @property
    def names(self) -> tuple[str, ...]:
        """Ids of all mistakes that are named."""
        second = (self.other.id,) if self.other else ()
        return (self.mistake.id, *second, *self.alike)


@dataclass(frozen=True)
class Diagnosis:
    """The explanation of all failures of a run."""

    failures: int
    findings: tuple[Finding, ...]
    unexplained: tuple[Result, ...]
    coarse: bool = False
    """whether every wrong value is within the bounds of float32"""
    wrong: frozenset[str] = frozenset()
    """operations with wrong values"""

    def sentences(self) -> list[str]:
        """The diagnosis as people read it; nothing where nothing fails."""
        if not self.failures:
            return []
        lines = [self._of(finding) for finding in self.findings]
        if self.coarse:
            lines.append(
                "every wrong value is within the bounds of float32: a port that computes in "
                "float32 has to declare it (precision float32)"
            )
        left = [r for r in self.unexplained if not (self.coarse and r.ruling.kind == "values")]
        lines += [self._where(result) for result in _first_of_each(left)]
        noun = "case fails" if self.failures == 1 else "cases fail"
        return [f"{self.failures} {noun}", *lines]

    def _of(self, finding: Finding) -> str:
        count, mistake = len(finding.cases), finding.mistake
        all_of = "all " if count == self.failures > 1 else ""
        line = f"{all_of}{count} {'matches' if count == 1 else 'match'} `{mistake.id}` "
        line += f"({mistake.about})"
        if finding.other:
            line += f" and `{finding.other.id}` ({finding.other.about}) at once"
        line += f": see {mistake.spec}"
        if finding.alike:
            line += f"; the same results as {', '.join(f'`{each}`' for each in finding.alike)}"
        if finding.against:
            many = len(finding.against)
            line += f"; but {many} that it would fail {'passes' if many == 1 else 'pass'}"
        return line

    def _where(self, result: Result) -> str:
        case, ruling = result.case, result.ruling
        if ruling.kind != "values":
            return f"{case.id} matches no known mistake: {ruling.reason}"
        what = "stage" if ruling.diverged in case.stages else "output"
        line = f"{case.id} matches no known mistake: {what} {ruling.reason}; see {case.spec}"
        if below := [op for op in OPERATIONS[case.op].rests_on if op in self.wrong]:
            return f"{line}; it is computed from {', '.join(below)}, wrong too: correct that first"
        silent = [name for name in case.stages if name not in ruling.arrays]
        if silent and what == "output":
            line += f"; return the stages {', '.join(silent)} too, to see where it begins"
        return line


def diagnose(run: Run, bank: Iterable[Mistake]) -> Diagnosis:
    """Explain the failures of a run by the mistakes of a bank."""
    failing = [result for result in run.results if not result.good]
    failing = [result for result in failing if result.ruling.kind != "skipped"]
    suspects = [result for result in failing if result.ruling.kind in _WRONG_VALUES]
    ops = {result.case.op for result in suspects}
    mistakes = [mistake for mistake in bank if mistake.op in ops]
    predict = cache(outcome)
    explained = {
        mistake: frozenset(
            result.case.id
            for result in suspects
            if result.case.op == mistake.op
            and explains(predict(mistake, result.case), result, run.precision)
        )
        for mistake in mistakes
    }
    against = {
        mistake: tuple(
            result.case.id
            for result in run.results
            if result.good
            and result.case.op == mistake.op
            and breaks(predict(mistake, result.case), result.case, run.precision)
        )
        for mistake in mistakes
        if explained[mistake]
    }
    findings = cover(explained, against)
    findings += _in_pairs(mistakes, suspects, findings, run.precision)
    explained_cases = {case for finding in findings for case in finding.cases}
    coarse = run.precision == "float64" and _coarse(suspects)
    unexplained = tuple(result for result in failing if result.case.id not in explained_cases)
    return Diagnosis(len(failing), findings, unexplained, coarse and not findings, frozenset(ops))


def _in_pairs(
    mistakes: Sequence[Mistake],
    suspects: Sequence[Result],
    findings: Sequence[Finding],
    precision: str,
) -> tuple[Finding, ...]:
    """Pairs of mistakes in one operation that explain the remaining cases."""
    known = {case for finding in findings for case in finding.cases}
    left = [result for result in suspects if result.case.id not in known]

    def fits(mistake: Mistake, result: Result) -> bool:
        return explains(outcome(mistake, result.case), result, precision)

    named = frozenset(finding.mistake.id for finding in findings)
    pairs = fitting_pairs(mistakes, left, fits, named)
    return tuple(Finding(pair.one, pair.cases, (), (), pair.other) for pair in pairs)


def cover(
    explained: Mapping[Mistake, frozenset[str]], against: Mapping[Mistake, Sequence[str]]
) -> tuple[Finding, ...]:
    """A greedy cover: always the mistake that explains most of the remaining cases.

    Of two that explain as many, the one that would fail fewer of the passing cases.
    """
    left = frozenset().union(*explained.values())
    findings: list[Finding] = []
    while left:
        ranked = sorted(
            (mistake for mistake in explained if explained[mistake] & left),
            key=lambda mistake: (
                -len(explained[mistake] & left), len(against[mistake]), mistake.id
            ),
        )  # fmt: skip
        best = ranked[0]
        here = explained[best] & left
        alike = tuple(
            mistake.id
            for mistake in ranked[1:]
            if explained[mistake] & left == here and len(against[mistake]) == len(against[best])
        )
        findings.append(Finding(best, tuple(sorted(here)), tuple(against[best]), alike))
        left -= here
    return tuple(findings)


def explains(predicted: Mapping[str, Array] | None, result: Result, precision: str) -> bool:
    """Whether a failure looks as it would with a mistake of this `outcome`."""
    case, ruling = result.case, result.ruling
    if ruling.kind == "refused" or predicted is None:
        return ruling.kind == "refused" and predicted is None and case.reject is None
    if ruling.kind == "accepted":
        return bool(predicted) and all(
            name in ruling.arrays and _agree(ruling.arrays[name], x)
            for name, x in predicted.items()
        )
    if not visible(predicted, case, precision, within=ruling.arrays):
        return False
    bound = case.tolerance[precision]
    for name, got in ruling.arrays.items():
        truth = case.in_order[name]
        if name not in predicted and name in case.stages:
            continue
        wrong = Expected(predicted.get(name, truth.value), truth.scale)
        if not compare(got, wrong).error <= _NEAR * bound:
            return False
    return all(name in ruling.arrays for name in case.outputs)


def breaks(predicted: Mapping[str, Array] | None, case: Case, precision: str) -> bool:
    """Whether an operation with a mistake of this `outcome` would plainly fail the case."""
    if case.reject is not None:
        return predicted is not None
    return predicted is None or visible(predicted, case, precision, within=case.in_order)


def outcome(mistake: Mistake, case: Case) -> dict[str, Array] | None:
    """What an operation with the mistake returns; None if it refuses.

    A mistake that cannot be computed on the case predicts nothing, {}.
    """
    given: dict[str, Any] = {**case.inputs, **case.attributes}
    if case.cotangents:
        given["cotangents"] = dict(case.cotangents)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return {name: np.asarray(x) for name, x in mistake.wrong(given).items()}
        except ValueError:
            return None
        except (ArithmeticError, IndexError, KeyError, TypeError):
            return {}


def visible(
    predicted: Mapping[str, Array], case: Case, precision: str, *, within: Iterable[str]
) -> bool:
    """Whether what a mistake predicts is plainly wrong, in arrays of these names."""
    bound = case.tolerance[precision]
    return any(
        compare(predicted[name], case.in_order[name]).error > _FAR * bound
        for name in within
        if name in predicted and name in case.in_order
    )


def _agree(got: Array, wrong: Array) -> bool:
    """Near enough where there is no truth to measure by: the case should have been refused."""
    return got.shape == wrong.shape and bool(
        np.allclose(got, wrong, rtol=1e-3, atol=1e-6, equal_nan=True)
    )


def _coarse(suspects: Sequence[Result]) -> bool:
    """Whether all wrong values are right by the bounds of float32."""
    return bool(suspects) and all(
        result.ruling.kind == "values"
        and "float32" in result.case.tolerance
        and all(name in result.ruling.arrays for name in result.case.outputs)
        and _right_in_float32(result)
        for result in suspects
    )


def _right_in_float32(result: Result) -> bool:
    judged = judge(result.case, result.ruling.arrays, "float32")
    return not [name for name in judged.missing if not name.startswith("gradient.")] and all(
        each.error <= result.case.tolerance["float32"] for each in judged.differences.values()
    )


def _first_of_each(results: Iterable[Result]) -> list[Result]:
    """One result for each operation and array that is wrong; one for each other way of failing."""
    first: dict[tuple[str, str | None], Result] = {}
    for result in results:
        of_values = result.ruling.kind in _WRONG_VALUES
        key = (result.case.op if of_values else result.ruling.kind, result.ruling.diverged)
        first.setdefault(key, result)
    return list(first.values())
