"""Golden files come from the questions and the oracle again, byte for byte."""

from __future__ import annotations

import argparse
import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import saffu
from saffu.conformance.command.golden import add_parser, run_golden
from saffu.conformance.contract.arrays import canonical
from saffu.conformance.contract.case import Case, Measured
from saffu.conformance.contract.golden import read_manifest, read_suite
from saffu.conformance.diagnosis.bank import bank
from saffu.conformance.diagnosis.mistake import Mistake
from saffu.conformance.operations import OPERATIONS, Operation
from spec_tests.support import record, tables
from spec_tests.support.cases import questions
from spec_tests.support.cases.question import ask
from spec_tests.support.certify import (
    MARGIN,
    Uncertain,
    answered,
    bound,
    certified,
    scale_of,
    still_certified,
    weakest,
    worst,
)

QUESTIONS = questions()


def test_questions_are_asked_once_and_each_has_a_file() -> None:
    ids = [question.id for question in QUESTIONS]
    assert len(ids) == len(set(ids))
    assert set(ids) == {case.id for case in read_suite(record.GOLDEN)}


@pytest.mark.slow
@pytest.mark.parametrize("op", OPERATIONS)
def test_regeneration_gives_the_same_bytes(as_users_call: None, op: str) -> None:
    for question in QUESTIONS:
        if question.op == op:
            old = record.existing(question.id)
            again = record.regenerate(question, old, ())
            published = (record.GOLDEN / f"{question.id}.json").read_text("utf-8")
            assert record.text_of(again) == published, question.id


@pytest.mark.slow
@pytest.mark.parametrize("op", OPERATIONS)
def test_certificates_hold_on_this_machine(as_users_call: None, op: str) -> None:
    """Every third case that expects outputs, and every one that rejects."""
    mine = [case for case in read_suite(record.GOLDEN) if case.op == op]
    answers = [case for case in mine if case.reject is None]
    for case in [*answers[::3], *(case for case in mine if case.reject is not None)]:
        still_certified(case, bank())


# --- the recorder -----------------------------------------------------------------------------


@pytest.fixture
def golden(tmp_path: Path) -> Path:
    shutil.copytree(record.GOLDEN, tmp_path / "golden")
    return tmp_path / "golden"


def again(golden: Path, folder: Path, *chosen: str) -> tuple[list[str], dict[str, str]]:
    problems = record.record(folder, golden, chosen, measure=False)
    return problems, record.differences(folder, golden)


def test_recording_what_is_there_changes_nothing(golden: Path, tmp_path: Path) -> None:
    assert again(golden, tmp_path / "new", "perplexity") == ([], {})


def test_recording_shows_what_would_change_and_changes_it_only_when_accepted(
    golden: Path, tmp_path: Path
) -> None:
    path = golden / "perplexity" / "plain.json"
    right = path.read_bytes()
    case = json.loads(right)
    case["expect"]["outputs"]["perplexity"]["value"]["data"] = [2.0]
    path.write_text(canonical(case), "utf-8")
    wrong = path.read_bytes()
    problems, changed = again(golden, tmp_path / "new", "perplexity")
    assert not problems
    assert list(changed) == ["perplexity/plain.json"]
    assert '-          "data": [2.0]' in changed["perplexity/plain.json"]
    assert path.read_bytes() == wrong
    record.accept(tmp_path / "new", golden, changed)
    assert json.loads(path.read_bytes())["expect"] == json.loads(right)["expect"]


def test_recording_makes_new_files_and_drops_old_ones(golden: Path, tmp_path: Path) -> None:
    (golden / "perplexity" / "plain.json").unlink()
    shutil.copyfile(golden / "perplexity" / "tiny.json", golden / "perplexity" / "small.json")
    problems, changed = again(golden, tmp_path / "new", "perplexity")
    assert not problems
    assert changed == {"perplexity/plain.json": "new", "perplexity/small.json": "gone"}
    record.accept(tmp_path / "new", golden, changed)
    assert read_manifest(golden) == read_manifest(record.GOLDEN)
    assert len(read_suite(golden)) == len(QUESTIONS)


def test_evidence_is_kept_while_the_content_stays() -> None:
    (question,) = (each for each in QUESTIONS if each.id == "perplexity/plain")
    old = record.existing(question.id)
    assert old is not None
    looser = replace(old, tolerance={"float64": 0.25})
    assert record.regenerate(question, looser, ()).tolerance == {"float64": 0.25}
    assert record.regenerate(question, looser, (), measure=True).tolerance["float64"] < 1e-12
    other = replace(looser, about="something else")
    assert record.regenerate(question, other, ()).tolerance["float64"] < 1e-12


def test_a_hunted_mistake_that_nobody_listed_is_a_problem(golden: Path, tmp_path: Path) -> None:
    listed = [each for each in record.mistakes(golden) if each["op"] != "perplexity"]
    (golden / "mistakes.json").write_text(canonical(listed), "utf-8")
    banked = {mistake.id for mistake in bank()}
    problems, _ = again(golden, tmp_path / "new", "softmax/ties")
    unlisted = {problem.split()[2].rstrip(",") for problem in problems}
    hunted = {name for q in QUESTIONS if q.op == "perplexity" for name in q.hunts}
    assert unlisted == hunted - banked


# --- certificates -----------------------------------------------------------------------------

NATS = {"nats": np.array([1.0, 2.0, 4.0])}
PLAIN = ask("perplexity/three", "three targets", NATS, "off-by-a-little")


def mistaken(error: float) -> Mistake:
    def wrong(given: Mapping[str, Any]) -> dict[str, Any]:
        return {"perplexity": np.exp(np.mean(given["nats"])) * (1 + error)}

    return Mistake("off-by-a-little", "off by a little", "SPEC 7", "perplexity", wrong)


def test_the_truth_is_rounded_once() -> None:
    outputs = answered(PLAIN).outputs
    assert outputs["perplexity"].value == pytest.approx(np.exp(7 / 3), rel=3e-16)
    assert outputs["perplexity"].scale == 16.0


def test_a_bound_lies_between_right_and_wrong() -> None:
    case = certified(answered(PLAIN), [mistaken(1e-3)])
    assert case.certificate is not None
    assert case.certificate.mistake is not None
    assert case.certificate.mistake.error == pytest.approx(1e-3 * np.exp(7 / 3) / 16, rel=0.05)
    for name, limit in case.tolerance.items():
        assert case.certificate.legitimate[name].error * MARGIN <= limit
    assert set(case.tolerance) == {"float64", "float32"}  # a thousandth hides in eight bits


def test_a_mistake_that_hides_in_rounding_makes_a_case_uncertain() -> None:
    with pytest.raises(Uncertain, match="off-by-a-little"):
        certified(answered(PLAIN), [mistaken(1e-14)])


def test_a_mistake_that_cannot_be_computed_makes_a_case_uncertain() -> None:
    broken = replace(mistaken(1.0), wrong=lambda given: {"perplexity": given["gnats"]})
    with pytest.raises(Uncertain, match="cannot be computed"):
        certified(answered(PLAIN), [broken])


def test_a_mistake_that_refuses_is_infinitely_wrong() -> None:
    def refuse(_: Mapping[str, Any]) -> dict[str, Any]:
        raise ValueError("no")

    found = weakest(answered(PLAIN), [replace(mistaken(1.0), wrong=refuse)])
    assert found == Measured(float("inf"), "off-by-a-little")


def test_mistakes_that_are_not_hunted_do_not_count() -> None:
    assert weakest(answered(replace(PLAIN, hunts=())), [mistaken(1e-14)]) is None


def test_a_certificate_that_no_longer_holds_is_refused() -> None:
    case = certified(answered(PLAIN), [mistaken(1e-3)])
    still_certified(case, [mistaken(1e-3)])
    with pytest.raises(Uncertain, match="too near"):
        still_certified(replace(case, tolerance={"float64": 0.0}), [])
    with pytest.raises(Uncertain, match="too near"):
        still_certified(case, [mistaken(1e-14)])


def rejecting(reason: str, nats: list[float], hunts: str = "") -> Case:
    return answered(ask("perplexity/bad", "bad", {"nats": np.array(nats)}, hunts, reject=reason))


def test_a_case_that_rejects_is_held_to_the_reference() -> None:
    still_certified(rejecting("no-samples", []), [])
    with pytest.raises(Uncertain, match="non-finite is expected"):
        certified(rejecting("non-finite", []), [])
    with pytest.raises(Uncertain, match="accepts"):
        certified(rejecting("no-samples", [1.0]), [])


def test_a_case_that_rejects_exposes_only_mistakes_that_accept() -> None:
    def refuse(_: Mapping[str, Any]) -> dict[str, Any]:
        raise ValueError("no")

    case = rejecting("no-samples", [], "off-by-a-little")
    assert certified(case, [mistaken(0.0)]) is case
    with pytest.raises(Uncertain, match="refuses too"):
        certified(case, [replace(mistaken(1.0), wrong=refuse)])


def test_bounds_are_round_and_leave_the_margin() -> None:
    assert bound(0.0, "float64") == 2e-14
    assert bound(1.1e-14, "float64") == 1e-13
    assert bound(1.25e-13, "float64") == 1e-12
    for error in np.geomspace(1e-14, 1e-3, 37):
        assert MARGIN * error <= bound(error, "float64") * (1 + 1e-9) <= 2.6 * MARGIN * error


def test_scales_are_powers_of_two() -> None:
    assert scale_of(np.array([3.0, -1.0]), np.array([3.0, 5.0])) == 8.0
    assert scale_of(np.array([1.0]), np.array([1.0])) == 1.0
    assert scale_of(np.array([0.0]), np.array([0.0])) == 1.0
    assert scale_of(np.array([-np.inf, 0.5]), np.array([np.inf, 0.5])) == 0.5
    assert scale_of(np.array([3]), np.array([3])) == 0.0


def test_a_missing_output_is_infinitely_wrong() -> None:
    case = answered(PLAIN)
    assert worst(case, {}) == worst(case, None) == float("inf")
    assert worst(case, {"perplexity": case.outputs["perplexity"].value}) == 0.0


# --- the command ------------------------------------------------------------------------------


def run_record(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers(), "golden cases")
    return run_golden(parser.parse_args(["golden", "record", *arguments]))


def test_the_recorder_runs_in_a_checkout(capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.read_bytes() for path in record.GOLDEN.rglob("*.json")}
    assert record.main(["perplexity/plain", "sgd_step"]) == 0
    assert capsys.readouterr().out == ""
    assert {path: path.read_bytes() for path in record.GOLDEN.rglob("*.json")} == before


@pytest.mark.parametrize("arguments", [(), ("softmax", "--accept")])
def test_the_package_names_the_recorder_and_never_imports_the_tests(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    assert run_record(*arguments) == 2
    assert "needs a checkout of the project" in (err := capsys.readouterr().err)
    assert f"python -m {record.__name__}" in err
    package = Path(saffu.__file__).parent
    named = [path for path in package.rglob("*.py") if "spec_tests" in path.read_text("utf-8")]
    assert [path.name for path in named] == ["golden.py"]


def test_an_operation_that_lacks_parts_is_told_which(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(dict_of(OPERATIONS), "cube", OPERATIONS["perplexity"])
    assert record.main([]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "cube lacks a public name",
        "cube lacks a function cube in reference/saffu/conformance/reference.py",
        "cube lacks a function cube in spec_tests/support/oracle/operations.py",
        "cube lacks cases",
        "cube lacks mistakes",
    ]


def dict_of(mapping: Mapping[str, Operation]) -> dict[str, Operation]:
    assert isinstance(mapping, dict)
    return mapping


def test_a_row_of_the_contract_reaches_every_list(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A new operation stands in documents and schemas, last of its section."""
    for name in tables.written(record.CHECKOUT):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(record.CHECKOUT / name, tmp_path / name)
    assert record.listed(tmp_path, accepting=False) == {}
    cube = OPERATIONS["sgd_step"]._replace(equation="`x³`")
    monkeypatch.setitem(dict_of(OPERATIONS), "cube", cube)
    monkeypatch.setitem(saffu.MODULES, "cube", "saffu.optim")
    changed = record.listed(tmp_path, accepting=True)
    assert set(changed) == set(tables.written(tmp_path))
    assert record.listed(tmp_path, accepting=False) == {}
    lines = (tmp_path / "docs/equations.md").read_text("utf-8").splitlines()
    sections = re.findall(r"^\| \[(\d)\]", "\n".join(lines), re.MULTILINE)
    assert sections == sorted(sections)
    assert sum("| `x³` | `cube` | [`saffu.optim`]" in line for line in lines) == 1
    for name in tables.SCHEMAS:
        schema = (tmp_path / f"golden/schema/{name}.schema.json").read_text("utf-8")
        assert '"perplexity",\n' in schema
        assert '"cube"\n' in schema
