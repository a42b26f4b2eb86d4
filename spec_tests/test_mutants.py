"""The harness that runs golden files against mutants: what it must not get wrong.

Its children are forked, so whatever runs mutants here does so in a process of its own, in which no
test runner keeps threads and the shapes of signatures are unchecked, as in a real run.
"""

from __future__ import annotations

import doctest
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from saffu.conformance.contract.golden import read_suite
from spec_tests.mutants import argued, banked, page, results
from spec_tests.mutants.argued import Argument
from spec_tests.mutants.execute import Outcome
from spec_tests.mutants.ledger import Ledger
from spec_tests.mutants.mutant import Mutant
from spec_tests.support.patience import PATIENCE

ROOT = Path(__file__).parents[1]


def alone(program: str) -> Any:
    """What a program writes, as JSON, run in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        check=False,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


# --- running ----------------------------------------------------------------------------------


def test_the_sentinel_is_killed_and_the_original_survives() -> None:
    program = """
import json
from spec_tests.mutants import sentinel, suite
cases = [case for case in suite.cases() if case.op == "softmax"]
print(json.dumps([sentinel.broken(cases), sentinel.broken([])]))
"""
    right, without_cases = alone(program)
    assert right == []
    assert without_cases == ["softmax that returns zeros survives: mutants do not reach the cases"]


KINDS = """
import json
from spec_tests.mutants import execute, suite
from spec_tests.mutants.mutant import Mutant
execute.SECONDS = 0.3

def mutant(becomes, body):
    source = "def softmax_vjp(p, dp):\\n" + "".join(f"    {line}\\n" for line in body)
    return Mutant("saffu.numerics", "softmax_vjp", "…", becomes, source)

mutants = [
    mutant("harmless", ["inner = (dp * p).sum(axis=1, keepdims=True)", "return p * (dp - inner)"]),
    mutant("wrong", ["inner = (dp * p).sum(axis=0, keepdims=True)", "return p * (dp - inner)"]),
    mutant("breaks", ["return p / None"]),
    mutant("for ever", ["while True: pass"]),
    mutant("crashes", ["import os", "os.abort()"]),
    mutant("eats", ["return bytes(2**36)"]),
    mutant("another shape", ["return p[:-1] * 0"]),
]
cases = [case for case in suite.cases() if case.op == "softmax"]
found = []
for first_only in (False, True):
    ran = execute.outcomes([(m, cases) for m in mutants], jobs=2, first_only=first_only)
    found.append({each.mutant.becomes: [each.died, len(each.killed_by)] for each in ran})
print(json.dumps(found))
"""


def test_each_way_of_going_wrong_kills_and_a_harmless_change_survives() -> None:
    whole, first = alone(KINDS)
    derived = sum(case.op == "softmax" and bool(case.gradients) for case in read_suite())
    assert derived > 1
    assert whole == {
        "harmless": [False, 0],
        "wrong": [False, derived],
        "breaks": [False, derived],
        "for ever": [True, 1],
        "crashes": [True, 1],
        "eats": [False, derived],
        "another shape": [False, derived],
    }
    assert first == {kind: [died, min(kills, 1)] for kind, (died, kills) in whole.items()}


def test_what_is_done_is_not_run_again() -> None:
    program = """
import argparse, json, pathlib, tempfile
from types import SimpleNamespace
from spec_tests.mutants import __main__ as program, execute, sentinel, suite
cases = [case for case in suite.cases() if case.op == "softmax"]
work = SimpleNamespace(
    cases=cases, modules=["saffu.numerics"], mutants=[sentinel.ZEROS, sentinel.unchanged()],
    against=lambda mutant: cases,
)
runs = []
def counted(todo, **more):
    todo = list(todo)
    runs.append(len(todo))
    return execute.outcomes(todo, **more)
program.outcomes = counted
with tempfile.TemporaryDirectory() as folder:
    given = argparse.Namespace(out=pathlib.Path(folder), sample=60.0, seed=1, jobs=1)
    sampled = program.run(work, given)
    again = program.run(work, given)
    given.sample = None
    whole = program.run(work, given)
    given.sample = 60.0
    last = program.run(work, given)
kills = [[len(each.killed_by) for each in found] for found in (sampled, again, whole, last)]
print(json.dumps([runs, kills[0] == kills[1] == [1, 0], kills[2] == kills[3], kills[2][0] > 1]))
"""
    assert alone(program) == [[2, 0, 2, 0], True, True, True]


# --- arguments --------------------------------------------------------------------------------


def mutant(was: str, becomes: str, function: str = "softmax") -> Mutant:
    return Mutant("saffu.numerics", function, was, becomes, "")


SUM = mutant("p = sum(w, axis=-1) - max(w, axis=-1)", "p = sum(w, axis=-1) - max(w, axis=+1)")


@pytest.mark.parametrize(
    ("argument", "holds"),
    [
        (Argument("why", ("numerics.softmax",)), True),
        (Argument("why", ("numerics.*",)), True),
        (Argument("why", ("numerics.log_softmax",)), False),
        (Argument("why", ("numerics.*",), lines=("p =",)), True),
        (Argument("why", ("numerics.*",), lines=("q =",)), False),
        (Argument("why", ("numerics.*",), changes=("axis=-1 → axis=+1",)), True),
        (Argument("why", ("numerics.*",), changes=("axis=-1 → axis=None",)), False),
        (Argument("why", ("numerics.*",), changes=("sum(w, axis=-1) → sum(w, axis=+1)",)), False),
        (Argument("why", ("numerics.*",), ("q =",), ("axis=-1 → axis=+1",)), False),
    ],
    ids=str,
)
def test_an_argument_speaks_of_what_it_names(argument: Argument, holds: bool) -> None:
    assert argument.holds_for(SUM) == holds


def test_an_argument_that_no_survivor_needs_is_stale() -> None:
    needed = Argument("needed", ("numerics.*",), changes=("axis=-1 → axis=+1",))
    partly = Argument("partly", ("numerics.*", "layer.*"), changes=("1 → 2", "3 → 4"))
    other = mutant("x = 1", "x = 2")
    assert argued.stale([needed, partly], [SUM, other]) == [
        "'layer.*' of the argument 'partly'…",
        "'3 → 4' of the argument 'partly'…",
    ]
    assert len(argued.stale([needed], [other])) == 2
    gap = Argument("closed", ("numerics.*",), gap=True)
    assert argued.stale([gap], []) == []


def test_the_first_argument_that_holds_is_the_one_that_counts() -> None:
    one, two = Argument("one", ("numerics.softmax",)), Argument("two", ("numerics.*",))
    assert argued.argument_for(SUM, [one, two]) is one
    assert argued.stale([one, two], [SUM]) == ["'numerics.*' of the argument 'two'…"]


def test_an_entry_needs_a_reason_and_places_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "equivalent.toml"
    both = 'why = "x"\nplaces = ["a.b"]\ngap = true\noutside = true'
    empty = 'why = ""\nplaces = ["a.b"]'
    for bad in (empty, 'why = "x"\nplaces = []', 'why = "x"\nplace = ["a"]', both):
        file.write_text(f"[[argument]]\n{bad}\n", "utf-8")
        with pytest.raises(ValueError, match="an entry has why and places"):
            argued.read(file)


def test_the_arguments_of_the_project_can_be_read() -> None:
    assert len(argued.read()) > 10


# --- the score --------------------------------------------------------------------------------


def outcomes(killed: int, survived: int) -> list[Outcome]:
    return [
        Outcome(mutant(f"x = {n}", "x = None"), ("softmax/plain",) if n < killed else (), False)
        for n in range(killed + survived)
    ]


def test_the_gate_is_98_of_a_hundred() -> None:
    gaps = [Argument("not seen", ("numerics.*",), gap=True)]
    mistakes = {"some-mistake": ["softmax/plain"]}
    assert results.problems(outcomes(98, 2), gaps, mistakes) == []
    assert results.problems(outcomes(97, 3), gaps, mistakes) == [
        "97.00% of the mutants are killed; 98% are asked for"
    ]
    same = [Argument("the same", ("numerics.*",))]
    assert results.problems(outcomes(3, 97), same, mistakes) == []
    assert results.score([]) == 0.0


def test_what_golden_files_cannot_judge_is_counted_by_itself() -> None:
    outside = [Argument("other libraries", ("numerics.*",), outside=True)]
    (tally,) = results.tallied(outcomes(3, 97), outside).values()
    assert tally == {"mutants": 100, "killed": 3, "outside": 97}
    assert results.score([tally]) == 1.0


def test_a_survivor_without_an_argument_and_a_mistake_that_nothing_kills_miss_the_gate() -> None:
    said = results.problems(outcomes(199, 1), [], {"some-mistake": []})
    assert said == [
        "no published case kills the mistake some-mistake",
        "survives, and equivalent.toml does not say why: numerics.softmax: x = 199 → x = None",
    ]


def test_a_mistake_is_killed_by_outputs_and_by_what_it_accepts() -> None:
    perplexity = [case for case in read_suite() if case.op == "perplexity"]
    killers = banked.matrix(perplexity)["perplexity-in-bits"]
    assert "perplexity/plain" in killers
    assert not any("refuse" in name for name in killers)
    assert banked.matrix([])["perplexity-in-bits"] == ()


def test_a_ledger_forgets_what_was_run_on_something_else(tmp_path: Path) -> None:
    file = tmp_path / "out" / "ledger.jsonl"
    one, two = outcomes(1, 1)
    sample = Ledger(file, "now", whole=False)
    sample.keep(one)
    assert sample.recall([one.mutant, two.mutant]) == [one]
    Ledger(file, "now", whole=True).keep(two)
    both = [one.mutant, two.mutant]
    assert Ledger(file, "now", whole=False).recall(both) == [one, two]
    assert Ledger(file, "now", whole=True).recall(both) == [two]
    assert Ledger(file, "then", whole=False).recall(both) == []


# --- what is published ------------------------------------------------------------------------


def test_the_page_is_what_the_results_say() -> None:
    record = json.loads(page.RECORD.read_text("utf-8"))
    assert page.rendered(record) == page.PAGE.read_text("utf-8")
    assert results.written(record) == page.RECORD.read_text("utf-8")


def test_the_published_results_pass_the_gate() -> None:
    record = json.loads(page.RECORD.read_text("utf-8"))
    assert results.score(record["modules"].values()) >= results.GATE
    assert all(record["mistakes"].values())
    survivors = sum(len(entry["mutants"]) for entry in record["survivors"])
    counted = record["modules"].values()
    assert survivors == sum(each["equivalent"] + each["outside"] + each["gaps"] for each in counted)
    listed = [
        one for lines in record["mutants"].values() for each in lines.values() for one in each
    ]
    assert len(listed) == sum(each["mutants"] for each in counted)
    assert sum(not killers for _, killers in listed) == survivors


def test_examples_in_the_harness_are_right() -> None:
    tried = doctest.testmod(results)
    assert tried.attempted >= 3
    assert tried.failed == 0
