"""Which mistake a failing port makes: found where it is made, and never where nothing is wrong."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import combinations
from typing import Any, TypeAlias

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saffu.conformance import reference
from saffu.conformance.contract.case import Case
from saffu.conformance.contract.golden import read_suite
from saffu.conformance.diagnosis.bank import bank
from saffu.conformance.diagnosis.diagnose import (
    Diagnosis,
    cover,
    diagnose,
    outcome,
)
from saffu.conformance.diagnosis.mistake import Mistake
from saffu.conformance.diagnosis.variants import together
from saffu.conformance.judging.levels import level_of
from saffu.conformance.judging.runner import Result, Run, Runner
from saffu.conformance.judging.verdict import Verdict, rule
from saffu.conformance.operations import OPERATIONS
from saffu.conformance.ports.module import ModulePort
from saffu.conformance.ports.protocol import Answer, Outputs, Rejected
from saffu.errors import BadOption
from saffu.types import Array
from spec_tests.support.patience import PATIENCE
from spec_tests.support.planted.cases import CASES
from spec_tests.support.planted.mistakes import MISTAKES, Wrong

Outcomes: TypeAlias = dict[tuple[str, str], dict[str, Array] | None]

BY_ID = {mistake.id: mistake for mistake in MISTAKES}


def judge(port: object, precision: str | None = None) -> Run:
    return Runner(ModulePort(port, timeout=PATIENCE), precision=precision).run(CASES)


def explained(run: Run) -> tuple[Diagnosis, list[str]]:
    found = diagnose(run, MISTAKES)
    return found, [finding.mistake.id for finding in found.findings]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.id)
def test_a_mistake_is_found_where_it_is_made(mistake: Mistake) -> None:
    run = judge(Wrong([mistake]))
    assert not run.passed
    found, names = explained(run)
    assert names == [mistake.id]
    assert found.unexplained == ()
    assert found.findings[0].against == ()
    assert f"`{mistake.id}` ({mistake.about}): see {mistake.spec}" in found.sentences()[1]


@pytest.mark.parametrize("precision", ["float32", "loose"])
def test_a_mistake_is_found_in_coarser_arithmetic_too(precision: str) -> None:
    class Coarse(Wrong):
        PRECISION = precision

        def __getattr__(self, name: str) -> Any:
            function = super().__getattr__(name)
            return lambda **given: {
                key: x.astype(np.float32) if x.dtype == np.float64 else x
                for key, x in function(**given).items()
            }

    names = explained(judge(Coarse([BY_ID["priming-ignored"]])))[1]
    assert names == ["priming-ignored"]


@given(st.sets(st.sampled_from(MISTAKES), min_size=2, max_size=4))
def test_several_mistakes_at_once_are_all_found(chosen: set[Mistake]) -> None:
    by_op = {mistake.op: mistake for mistake in sorted(chosen, key=lambda each: each.id)}
    found, names = explained(judge(Wrong(list(by_op.values()))))
    assert sorted(names) == sorted(mistake.id for mistake in by_op.values())
    assert found.unexplained == ()


def test_nothing_wrong_is_diagnosed_as_nothing() -> None:
    found, names = explained(judge(reference))
    assert names == []
    assert found.sentences() == []


@given(st.integers(0, 2**32), st.floats(1e-14, 1e-1))
def test_what_is_wrong_in_no_known_way_is_not_given_a_name(seed: int, size: float) -> None:
    random = np.random.default_rng(seed)

    class Noisy(Wrong):
        def __getattr__(self, name: str) -> Any:
            function = super().__getattr__(name)
            return lambda **given: {
                key: x * (1 + size * random.standard_normal(x.shape))
                if x.dtype == np.float64 else x
                for key, x in function(**given).items()
            }  # fmt: skip

    assert explained(judge(Noisy([])))[1] == []


def test_right_answers_in_float32_that_claim_float64_are_called_coarse() -> None:
    class Coarse(Wrong):
        def __getattr__(self, name: str) -> Any:
            function = super().__getattr__(name)
            return lambda **given: {
                key: (x / 3 * np.float32(3)).astype(np.float32) if x.dtype == np.float64 else x
                for key, x in function(**given).items()
            }

    run = judge(Coarse([]))
    assert not run.passed
    found, names = explained(run)
    assert names == []
    assert "precision float32" in found.sentences()[1]
    assert judge(Coarse([]), precision="float32").count(Verdict.FAILED) == 0


def test_nan_everywhere_is_no_mistake_of_the_bank() -> None:
    class Nothing(Wrong):
        def __getattr__(self, name: str) -> Any:
            function = super().__getattr__(name)
            return lambda **given: {
                key: x * np.nan if x.dtype == np.float64 else x
                for key, x in function(**given).items()
            }

    run = judge(Nothing([]))
    found, names = explained(run)
    assert names == []
    assert len(found.unexplained) == sum(not result.good for result in run.results) > 6


def test_where_nothing_matches_the_first_array_that_diverges_is_named() -> None:
    class Odd(Wrong):
        def explicit_solution(self, **given: Any) -> Any:
            return {"weights": reference.explicit_solution(**given)["weights"] * 1.5}

    (_, line) = explained(judge(Odd([])))[0].sentences()
    assert line.startswith("explicit_solution/one-hot matches no known mistake: output weights")
    assert "return the stages counts, priming, smoothed_counts too" in line

    class OddInside(Wrong):
        def explicit_solution(self, **given: Any) -> Any:
            answer = reference.explicit_solution(**given)
            return {**answer, "priming": answer["priming"] * 2, "weights": answer["weights"] * 2}

    line = explained(judge(OddInside([])))[0].sentences()[1]
    assert "stage priming" in line


def test_what_an_operation_rests_on_is_to_be_mended_first() -> None:
    class Odd(Wrong):
        def explicit_solution(self, **given: Any) -> Any:
            return {"weights": reference.explicit_solution(**given)["weights"] * 1.5}

    (_, _, line) = explained(judge(Odd([BY_ID["priming-sum"]])))[0].sentences()
    assert line.startswith("explicit_solution/one-hot matches no known mistake")
    assert line.endswith("it is computed from priming_number, wrong too: correct that first")


def test_operations_rest_on_operations_and_never_on_themselves() -> None:
    def below(op: str) -> set[str]:
        return {each for part in OPERATIONS[op].rests_on for each in {part, *below(part)}}

    assert all(op not in below(op) for op in OPERATIONS)


def test_two_mistakes_that_look_the_same_are_both_named() -> None:
    twin = Mistake("zz-twin", "the same", "SPEC 7", "perplexity", BY_ID["perplexity-in-bits"].wrong)
    (finding,) = diagnose(judge(Wrong([twin])), [*MISTAKES, twin]).findings
    assert {finding.mistake.id, *finding.alike} == {"zz-twin", "perplexity-in-bits"}


def test_what_speaks_against_a_mistake_is_said() -> None:
    class Sometimes(Wrong):
        def perplexity(self, nats: Any) -> Any:
            right = len(nats) == 2 and nats[0] > 2.0
            return np.exp(nats.mean()) if right else np.exp2(nats.mean() + 1)

    odd = Mistake(
        "one-bit-more", "one bit too many", "SPEC 7", "perplexity",
        lambda given: {"perplexity": np.exp2(given["nats"].mean() + 1)},
    )  # fmt: skip
    found = diagnose(judge(Sometimes([])), [odd])
    assert found.findings[0].cases == ("perplexity/one",)
    assert found.findings[0].against == ("perplexity/eight-and-two",)
    assert "but 1 that it would fail passes" in found.sentences()[1]


def dummy(name: str) -> Mistake:
    return Mistake(name, "about", "SPEC 1", "softmax", lambda _: {})


@given(
    st.dictionaries(
        st.sampled_from(["a", "b", "c", "d"]), st.frozensets(st.sampled_from("1234567")), min_size=1
    )
)
def test_the_cover_explains_all_that_can_be_explained_without_idle_findings(
    sets: dict[str, frozenset[str]],
) -> None:
    explained = {dummy(name): cases for name, cases in sets.items()}
    findings = cover(explained, dict.fromkeys(explained, ()))
    covered = [case for finding in findings for case in finding.cases]
    assert set(covered) == frozenset().union(*sets.values())
    assert len(covered) == len(set(covered))
    assert all(finding.cases for finding in findings)
    sizes = [len(finding.cases) for finding in findings]
    assert sizes == sorted(sizes, reverse=True)
    if findings:
        assert sizes[0] == max(map(len, sets.values()))


def test_a_mistake_is_named_and_belongs_to_an_operation() -> None:
    for name, op in (("Not Hyphens", "softmax"), ("fine", "soft_max")):
        with pytest.raises(BadOption):
            Mistake(name, "about", "SPEC 1", op, lambda _: {})


def test_the_bank_holds_mistakes_of_different_ids() -> None:
    held = bank()
    assert len({mistake.id for mistake in held}) == len(held)
    assert all(mistake.op in OPERATIONS for mistake in held)


def test_a_mistake_that_cannot_be_computed_on_a_case_explains_nothing() -> None:
    def fails(given: Any) -> Any:
        raise KeyError("no such input")

    clumsy = Mistake("clumsy", "fails itself", "SPEC 7", "perplexity", fails)
    found = diagnose(judge(Wrong([BY_ID["perplexity-in-bits"]])), [clumsy])
    assert found.findings == ()
    assert [result.case.op for result in found.unexplained] == ["perplexity"]


# --- the bank on the golden files -------------------------------------------------------------


def with_known_outcomes(op: str, cases: list[Case]) -> tuple[list[Mistake], Outcomes]:
    """The mistakes in an operation, each computed once on each case."""
    outcomes = {(m.id, c.id): outcome(m, c) for m in bank() if m.op == op for c in cases}
    of_input = {id(next(iter(c.inputs.values()))): c.id for c in cases}

    def remembered(mistake: Mistake) -> Mistake:
        def wrong(given: Any) -> Any:
            known = outcomes[mistake.id, of_input[id(next(iter(given.values())))]]
            if known is None:
                raise ValueError("refused")
            return known

        return replace(mistake, wrong=wrong)

    return [remembered(m) for m in bank() if m.op == op], outcomes


def answered(case: Case, predicted: dict[str, Array] | None, precision: str) -> Result:
    """What is said of a port that is right but for a mistake of this outcome."""
    answer: Answer = Rejected()
    if predicted is not None:
        right = {} if case.reject else {name: x.value for name, x in case.wanted.items()}
        answer = Outputs({**right, **predicted})
    return Result(case, rule(case, answer, precision), level_of(case.op))


@pytest.mark.slow
@pytest.mark.parametrize("op", OPERATIONS)
@pytest.mark.usefixtures("as_users_call")
def test_a_port_with_a_mistake_of_the_bank_is_told_which(op: str) -> None:
    cases = [each for each in read_suite() if each.op == op]
    mistakes, outcomes = with_known_outcomes(op, cases)
    assert mistakes, "the bank holds mistakes in every operation"
    for mistake in mistakes:
        results = tuple(answered(c, outcomes[mistake.id, c.id], "float64") for c in cases)
        suspicious = [r for r in results if r.ruling.kind in ("values", "accepted", "refused")]
        assert suspicious, f"{mistake.id} is seen by no case"
        found = diagnose(Run(None, "float64", results, "full"), mistakes)
        assert found.findings[0].mistake.id == mistake.id, found.sentences()
        assert found.findings[0].against == ()


@pytest.mark.slow
@pytest.mark.usefixtures("as_users_call")
def test_two_mistakes_at_once_in_one_operation_are_mostly_both_named() -> None:
    """Two pairs of each operation.  Some hide each other, so not all can be."""
    suite, banked = read_suite(), bank()
    named = 0
    for op in OPERATIONS:
        cases = [each for each in suite if each.op == op]
        mistakes = [each for each in banked if each.op == op]
        for one, other, both in drawn(pairs_of(mistakes), 2, op):
            results = tuple(answered(c, outcome(both, c), "float64") for c in cases)
            findings = diagnose(Run(None, "float64", results, "full"), mistakes).findings
            ids = {name for finding in findings for name in finding.names}
            assert ids & {one.id, other.id}, f"neither {one.id} nor {other.id}"
            named += ids >= {one.id, other.id}
    assert named >= 0.9 * 2 * len(OPERATIONS)


def pairs_of(mistakes: list[Mistake]) -> list[tuple[Mistake, Mistake, Mistake]]:
    """Two mistakes that can be made at once, and both as one."""
    every = ((one, other, together(one, other)) for one, other in combinations(mistakes, 2))
    return [(one, other, both) for one, other, both in every if both is not None]


def drawn(pairs: list[Any], many: int, seed: str) -> list[Any]:
    """Some of them, always the same."""
    return random.Random(seed).sample(pairs, many)
