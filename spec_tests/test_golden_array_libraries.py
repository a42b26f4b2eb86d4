"""The golden cases on arrays of other libraries: the same bounds, the same refusals."""

from __future__ import annotations

import numpy as np
import pytest

from saffu.conformance.contract.case import Case
from saffu.conformance.contract.golden import read_suite
from saffu.conformance.judging.tolerance import judge
from saffu.conformance.operations import OPERATIONS, run
from saffu.errors import SaffuError
from spec_tests.support.array_libraries import ForeignPort, Library

CASES = read_suite()

OF_TEXT = ("bit_cipher", "radial_context", "block_context")
"""Operations that no numbers with a fraction go into."""


def cases_of(op: str, *, rejected: bool) -> list[Case]:
    return [case for case in CASES if case.op == op and (case.reject is not None) == rejected]


@pytest.mark.parametrize("text_on_host", [False, True], ids=["all-there", "text-on-host"])
@pytest.mark.parametrize("op", OPERATIONS)
def test_answers_are_within_the_bounds(library: Library, op: str, text_on_host: bool) -> None:
    abroad = ForeignPort(library, text_on_host=text_on_host)
    calls = 0
    for case in cases_of(op, rejected=False):
        for precision in sorted({"float64", "float32"} & set(case.tolerance)):
            inputs, cotangents = (
                {name: x.astype(precision) if x.dtype.kind == "f" else x for name, x in each}
                for each in (case.inputs.items(), case.cotangents.items())
            )
            with np.errstate(all="ignore"):
                answer = run(op, case.attributes, inputs, cotangents, abroad)
            judgement = judge(case, answer, precision)
            assert judgement.passed, (
                f"{case.id}: {judgement.diverged}, {judgement.differences}, {judgement.missing}"
            )
            calls += 1
    assert calls
    assert abroad.calls == (0 if op in OF_TEXT and text_on_host else calls)


@pytest.mark.parametrize("op", [op for op in OPERATIONS if cases_of(op, rejected=True)])
def test_refusals_give_the_same_reason(library: Library, op: str) -> None:
    abroad = ForeignPort(library)
    for case in cases_of(op, rejected=True):
        with pytest.raises(SaffuError) as caught:
            run(op, case.attributes, case.inputs, port=abroad)
        assert caught.value.reason == case.reject, f"{case.id}: {caught.value!r}"
    assert abroad.calls == len(cases_of(op, rejected=True))


def test_what_is_said_to_stay_on_the_host_is_an_output_of_the_operation() -> None:
    for row in OPERATIONS.values():
        assert set(row.on_host) <= {*row.outputs, *row.stages}
