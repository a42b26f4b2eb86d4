"""The reference is judged by the golden files like any port, in float64 and in float32."""

from __future__ import annotations

import numpy as np
import pytest

from saffu.conformance.contract.case import Case
from saffu.conformance.contract.golden import read_suite
from saffu.conformance.judging.tolerance import judge
from saffu.conformance.operations import OPERATIONS, run
from saffu.errors import SaffuError

CASES = read_suite()


def cases_of(op: str, *, rejected: bool) -> list[Case]:
    return [case for case in CASES if case.op == op and (case.reject is not None) == rejected]


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("op", OPERATIONS)
def test_the_reference_agrees_with_the_oracle(op: str, precision: str) -> None:
    judged = [case for case in cases_of(op, rejected=False) if precision in case.tolerance]
    assert judged
    for case in judged:
        inputs, cotangents = (
            {name: x.astype(precision) if x.dtype.kind == "f" else x for name, x in given.items()}
            for given in (case.inputs, case.cotangents)
        )
        with np.errstate(all="ignore"):
            answer = run(op, case.attributes, inputs, cotangents)
        judgement = judge(case, answer, precision)
        assert judgement.passed, (
            f"{case.id}: {judgement.diverged}, {judgement.differences}, {judgement.missing}"
        )


@pytest.mark.parametrize("op", [op for op in OPERATIONS if cases_of(op, rejected=True)])
def test_the_reference_refuses_for_the_reason_that_is_given(as_users_call: None, op: str) -> None:
    for case in cases_of(op, rejected=True):
        with pytest.raises(SaffuError) as caught:
            run(op, case.attributes, case.inputs)
        assert caught.value.reason == case.reject, f"{case.id}: {caught.value!r}"
