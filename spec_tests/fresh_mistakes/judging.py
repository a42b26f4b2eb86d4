"""How a port with one mistake answers, and whether golden cases see it."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from saffu.conformance.contract.case import Case
from saffu.conformance.judging.tolerance import judge
from saffu.types import Array
from spec_tests.fresh_mistakes.record import FreshMistake, Given, Wrong, right


class Outcome(NamedTuple):
    """What a call came to."""

    arrays: Mapping[str, Array] | None
    """None if the input was refused, or the port broke"""
    reason: str
    """the code of the refusal, or the name of the error"""


def attempt(wrong: Wrong, given: Given) -> Outcome:
    """One call, however it ends."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            answer = wrong(given)
        except ValueError as refusal:
            return Outcome(None, str(getattr(refusal, "reason", type(refusal).__name__)))
        except Exception as failure:  # noqa: BLE001  (a wrong port may raise anything)
            return Outcome(None, type(failure).__name__)
    return Outcome({name: np.asarray(x) for name, x in answer.items()}, "")


def seen(wrong: Wrong, case: Case) -> bool:
    """Whether a case fails a port.  Stages are not judged, since a port need not return them."""
    given: dict[str, Any] = {
        **{name: x.copy() for name, x in case.inputs.items()},
        **copy.deepcopy(dict(case.attributes)),
    }
    if case.cotangents:
        given["cotangents"] = {name: x.copy() for name, x in case.cotangents.items()}
    outcome = attempt(wrong, given)
    if case.reject is not None:
        return outcome.arrays is not None or outcome.reason != case.reject
    if outcome.arrays is None:
        return True
    return not judge(replace(case, stages={}), outcome.arrays, "float64").passed


def judged(case: Case) -> bool:
    """Whether a case judges ports that compute in float64."""
    return case.reject is not None or "float64" in case.tolerance


def first_seen(mistake: FreshMistake, cases: Sequence[Case]) -> str | None:
    """The id of the first case that fails a port with a mistake; it is asked all before it."""
    wrong = mistake.port()
    for case in cases:
        if case.op == mistake.op and judged(case) and seen(wrong, case):
            return case.id
    return None


def differs(mistake: FreshMistake) -> str:
    """Why the answer to the last of the mistake's own calls is another; empty if it is not."""
    wrong = mistake.port()
    outcomes = [attempt(wrong, given) for given in mistake.calls]
    got = outcomes[-1]
    asked = mistake.calls[-1]
    truth = attempt(lambda given: right(mistake.op, given), asked)
    if len(outcomes) > 1 and asked is mistake.calls[0]:  # the call may have changed its inputs
        truth = outcomes[0]
    if got.arrays is None or truth.arrays is None:
        both = got.arrays is None and truth.arrays is None and got.reason == truth.reason
        return "" if both else f"{got.reason or 'an answer'} for {truth.reason or 'an answer'}"
    for name, x in got.arrays.items():
        if name in truth.arrays and apart(x, truth.arrays[name]):
            return name
    return ""


def apart(got: Array, truth: Array) -> bool:
    """Whether arrays differ by more than rounding."""
    if got.shape != truth.shape:
        return True
    with np.errstate(invalid="ignore", over="ignore"):
        finite = truth[np.isfinite(truth)]
        unit = float(np.max(abs(finite.astype(float)), initial=0.0)) or 1.0
        gap = abs(got.astype(float) - truth.astype(float))
    gap = np.where(got == truth, 0.0, gap)
    return bool(np.any(~(gap <= 1e-11 * unit)))
