"""Every fresh mistake runs, and is a mistake: it answers its own call otherwise."""

from __future__ import annotations

from collections import Counter

import pytest

from saffu.conformance.operations import OPERATIONS
from spec_tests.conftest import shapes_unchecked
from spec_tests.fresh_mistakes.collection import CONTROLS, MISTAKES
from spec_tests.fresh_mistakes.judging import apart, attempt, differs
from spec_tests.fresh_mistakes.record import COMMON, KINDS, RARE, FreshMistake, Wrong, right


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.id)
def test_a_mistake_answers_its_own_call_otherwise(mistake: FreshMistake) -> None:
    with shapes_unchecked():
        assert differs(mistake)


@pytest.mark.parametrize(
    ("op", "control"), CONTROLS, ids=[f"{k}-{op}" for k, (op, _) in enumerate(CONTROLS)]
)
def test_a_plain_version_without_mistake_answers_as_the_reference(op: str, control: Wrong) -> None:
    asked = [given for mistake in MISTAKES if mistake.op == op for given in mistake.calls]
    with shapes_unchecked():
        for given in asked:
            got, truth = attempt(control, given), attempt(lambda g: right(op, g), given)
            assert got.reason == truth.reason
            if got.arrays is not None and truth.arrays is not None:
                assert [n for n, x in got.arrays.items() if apart(x, truth.arrays[n])] == []


def test_mistakes_are_named_once_and_reach_every_operation() -> None:
    assert [name for name, count in Counter(m.id for m in MISTAKES).items() if count > 1] == []
    assert {m.op for m in MISTAKES} == set(OPERATIONS)
    assert {m.kind for m in MISTAKES} == set(KINDS)
    assert {m.likely for m in MISTAKES} == {COMMON, RARE}
    assert all(m.mistake.spec == OPERATIONS[m.op].spec for m in MISTAKES)
