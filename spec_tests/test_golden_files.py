"""The golden files as files: every one of them is what the format page says, and all are there."""

from __future__ import annotations

import inspect
import json
import shutil
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from saffu import errors
from saffu.conformance.contract.arrays import canonical
from saffu.conformance.contract.case import Case
from saffu.conformance.contract.golden import (
    SUITE,
    golden_root,
    manifest_of,
    read_case,
    read_manifest,
    read_suite,
)
from saffu.conformance.diagnosis.bank import bank
from saffu.conformance.operations import OPERATIONS
from saffu.errors import BadFile, BadRecord
from spec_tests.support.tables import written

ROOT = Path(__file__).parents[1] / "golden"
CASES = {case.id: case for case in read_suite(ROOT)}
RECORDS = {
    path.relative_to(ROOT).with_suffix("").as_posix(): json.loads(path.read_text("utf-8"))
    for path in sorted(ROOT.glob("*/*.json"))
    if path.parent.name != "schema"
}
MISTAKES: list[dict[str, str]] = json.loads((ROOT / "mistakes.json").read_text("utf-8"))


def schema(name: str) -> jsonschema.Draft202012Validator:
    record = json.loads((ROOT / "schema" / f"{name}.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(record)
    return jsonschema.Draft202012Validator(record)


CASE = schema("case")
REASONS: list[str] = json.loads((ROOT / "schema" / "case.schema.json").read_text("utf-8"))[
    "properties"
]["reject"]["enum"]


def test_the_golden_files_are_found_where_they_lie() -> None:
    assert golden_root() == ROOT


@pytest.mark.parametrize("op", OPERATIONS)
def test_files_of_an_operation_are_cases_in_canonical_form(op: str) -> None:
    for case_id, record in RECORDS.items():
        if record["op"] != op:
            continue
        assert [e.message for e in CASE.iter_errors(record)] == [], case_id
        text = (ROOT / f"{case_id}.json").read_text("utf-8")
        assert canonical(CASES[case_id].to_json()) == text, case_id
        assert CASES[case_id].id == case_id
        assert len(text.encode()) < 64 * 1024, case_id


def test_manifest_and_mistakes_follow_their_schemas() -> None:
    schema("manifest").validate(read_manifest(ROOT))
    schema("mistakes").validate(MISTAKES)
    for name, record in (("MANIFEST", read_manifest(ROOT)), ("mistakes", MISTAKES)):
        assert canonical(record) == (ROOT / f"{name}.json").read_text("utf-8")


def test_the_manifest_counts_what_there_is() -> None:
    manifest = read_manifest(ROOT)
    assert manifest == manifest_of(ROOT)
    assert manifest["cases"] == len(CASES) >= 300
    assert sum(manifest["operations"].values()) == len(CASES)
    assert {case.suite for case in CASES.values()} == {SUITE} == {manifest["suite"]}


def test_every_operation_has_cases_and_refusals() -> None:
    for op in OPERATIONS:
        mine = [case for case in CASES.values() if case.op == op]
        answered = [case for case in mine if case.reject is None]
        assert len(answered) >= 6, op
        if op != "compare":  # it trusts its caller, the layer, which refuses
            assert len(mine) > len(answered), op


def test_the_files_are_small() -> None:
    total = sum(path.stat().st_size for path in ROOT.rglob("*") if path.is_file())
    assert total < 12 * 2**20


def test_the_format_page_has_the_table_of_the_contract() -> None:
    page = (ROOT / "README.md").read_text("utf-8").splitlines()
    table = [line for line in page if line.startswith("| `") and line.count("|") == 5]
    assert [line.split("`")[1] for line in table] == list(OPERATIONS)


def test_documents_and_schemas_list_the_operations_of_the_contract() -> None:
    checkout = ROOT.parent
    for name, text in written(checkout).items():
        assert (checkout / name).read_text("utf-8") == text, f"{name}: record again"


def test_the_format_page_explains_every_reason() -> None:
    page = (ROOT / "README.md").read_text("utf-8")
    used = {case.reject for case in CASES.values()} - {None}
    known = {
        kind.reason
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, errors.SaffuError)
    }
    assert used == set(REASONS) <= known
    for reason in REASONS:
        assert f"\n| `{reason}` | " in page


# --- hunting ----------------------------------------------------------------------------------


def test_every_hunted_mistake_is_listed_for_its_operation() -> None:
    listed = {mistake["id"]: mistake["op"] for mistake in MISTAKES}
    assert len(listed) == len(MISTAKES) >= 60
    for case in CASES.values():
        for name in case.hunts:
            assert listed.get(name) == case.op, f"{case.id} hunts {name}"


def test_every_listed_mistake_is_hunted_by_a_case() -> None:
    hunted = {name for case in CASES.values() for name in case.hunts}
    assert hunted == {mistake["id"] for mistake in MISTAKES}


def test_mistakes_are_listed_in_the_words_of_the_bank() -> None:
    listed = {mistake["id"]: mistake for mistake in MISTAKES}
    for mistake in bank():
        wanted = {name: getattr(mistake, name) for name in ("id", "about", "op", "spec")}
        assert listed.get(mistake.id) == wanted


def test_bounds_lie_between_right_and_wrong() -> None:
    for case in CASES.values():
        if case.reject is not None:
            continue
        assert case.certificate is not None
        assert set(case.certificate.legitimate) == set(case.tolerance)
        for name, limit in case.tolerance.items():
            assert 8 * case.certificate.legitimate[name].error <= limit * (1 + 1e-9), case.id
            wrong = case.certificate.mistake
            assert wrong is None or wrong.error >= 4 * limit, case.id


# --- names and shapes -------------------------------------------------------------------------


@pytest.mark.parametrize("op", OPERATIONS)
def test_cases_use_the_names_of_the_contract(op: str) -> None:
    operation = OPERATIONS[op]
    for case in CASES.values():
        if case.op != op:
            continue
        assert case.spec == operation.spec
        given = {generic(name) for name in case.inputs}
        known = {name.rstrip("?") for name in operation.inputs}
        assert given <= known, case.id
        if case.reject is None:
            needed = {name for name in operation.inputs if not name.endswith("?")}
            needed = {name for name in needed if not name.startswith("tower*.attention")}
            assert needed <= given, case.id
        attributes = {name.rstrip("?") for name in operation.attributes}
        assert set(case.attributes) <= attributes, case.id
        assert {a for a in operation.attributes if not a.endswith("?")} <= set(case.attributes)
        if case.reject is None:
            assert {generic(name) for name in case.outputs} <= set(operation.outputs), case.id
            assert list(case.stages) == list(operation.stages), case.id
            assert set(case.gradients) <= set(operation.differentiable), case.id


def generic(name: str) -> str:
    """document_3 → document_*, tower0.layer1.features → tower*.features."""
    head, _, tail = name.rpartition("_")
    if tail.isdigit():
        return f"{head}_*"
    if name.startswith("tower"):
        return f"tower*.{name.rpartition('.')[2]}"
    return name


@pytest.mark.parametrize("op", OPERATIONS)
def test_a_letter_is_one_dimension_within_a_case(op: str) -> None:
    operation = OPERATIONS[op]
    shapes = {name.rstrip("?"): shape for name, shape in operation.inputs.items()}
    for case in CASES.values():
        if case.op != op or case.reject is not None:
            continue
        sizes: dict[str, int] = {}
        arrays = {name: x for name, x in case.inputs.items() if generic(name) == name}
        letters = {name: shapes[name] for name in arrays}
        answers = {**case.stages, **case.outputs}
        for name, expected in answers.items():
            if generic(name) == name:
                arrays[f"answer {name}"] = expected.value
                letters[f"answer {name}"] = {**operation.stages, **operation.outputs}[name]
        for name, x in arrays.items():
            assert x.ndim == len(letters[name].split()), f"{case.id}, {name}"
            for letter, size in zip(letters[name].split(), x.shape, strict=True):
                assert sizes.setdefault(letter, size) == size, f"{case.id}, {name}: {letter}"
        for name, gradient in case.gradients.items():
            assert gradient.value.shape == case.inputs[name].shape
        for name, cotangent in case.cotangents.items():
            assert cotangent.shape == case.outputs[name].value.shape


def test_expected_values_are_numbers() -> None:
    for case in CASES.values():
        for name, expected in case.in_order.items():
            assert not np.isnan(expected.value).any(), f"{case.id}, {name}"
            if case.op != "log_softmax":
                assert np.isfinite(expected.value).all(), f"{case.id}, {name}"
            assert (expected.scale == 0) == (expected.value.dtype.kind in "ib")


# --- closed records ---------------------------------------------------------------------------

SAMPLES = ("softmax/gradient", "explicit_solution/backoff-1", "perplexity/refuse-nan")


def both_refuse(record: Any) -> bool:
    """Whether schema and reader refuse a record; an error if only one of them does."""
    by_schema = not CASE.is_valid(record)
    try:
        Case.from_json(record)
    except BadRecord:
        by_reader = True
    else:
        by_reader = False
    assert by_schema == by_reader
    return by_schema


@pytest.mark.parametrize("case_id", SAMPLES)
def test_a_record_without_a_field_is_refused(case_id: str) -> None:
    assert not both_refuse(RECORDS[case_id])
    for name in RECORDS[case_id]:
        record = {key: value for key, value in RECORDS[case_id].items() if key != name}
        assert both_refuse(record), name


@pytest.mark.parametrize("case_id", SAMPLES)
def test_a_record_with_another_field_is_refused(case_id: str) -> None:
    assert both_refuse({**RECORDS[case_id], "tolerence": {"float64": 1.0}})


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("id",), "softmax"),
        (("id",), "softmax/Plain_"),
        (("about",), ""),
        (("hunts",), "softmax-columns"),
        (("hunts",), [1]),
        (("hunts",), ["softmax-columns", "softmax-columns"]),
        (("inputs",), []),
        (("inputs", "logits", "shape"), [7, -5]),
        (("inputs", "logits", "dtype"), "float16"),
        (("inputs", "logits", "more"), 1),
        (("expect", "outputs"), {}),
        (("expect", "stages"), {}),
        (("expect", "stages"), [{"name": "a", "scale": 1.0}]),
        (("expect", "outputs", "probabilities", "scale"), -1.0),
        (("expect", "outputs", "probabilities", "scale"), "1"),
        (("tolerance",), {"float32": 1e-5}),
        (("tolerance", "float16"), 1e-2),
        (("tolerance", "float64"), None),
        (("certificate", "mistake"), {"error": 1.0}),
        (("certificate", "mistake"), {"error": "huge", "who": "somebody"}),
        (("certificate", "legitimate"), None),
    ],
)  # fmt: skip
def test_a_record_that_is_wrong_inside_is_refused(path: tuple[str, ...], value: object) -> None:
    record = deepcopy(RECORDS["softmax/gradient"])
    inner = record
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    assert both_refuse(record)


@pytest.mark.parametrize("record", [None, [], "case", 1.0, {}])
def test_what_is_no_record_is_refused(record: object) -> None:
    assert both_refuse(record)


# --- a damaged suite --------------------------------------------------------------------------


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(ROOT, tmp_path / "golden")
    return tmp_path / "golden"


def test_a_missing_file_is_not_a_shorter_run(copy: Path) -> None:
    (copy / "softmax" / "plain.json").unlink()
    with pytest.raises(BadFile, match=r"softmax/plain\.json.*it is missing"):
        read_suite(copy)


def test_a_file_that_is_not_listed_is_refused(copy: Path) -> None:
    shutil.copyfile(copy / "softmax" / "plain.json", copy / "softmax" / "plane.json")
    with pytest.raises(BadFile, match=r"softmax/plane\.json.*does not list"):
        read_suite(copy)


def test_a_changed_byte_is_refused(copy: Path) -> None:
    path = copy / "softmax" / "plain.json"
    path.write_text(path.read_text("utf-8").replace("1", "2", 1), "utf-8")
    with pytest.raises(BadFile, match=r"softmax/plain\.json.*is not the file"):
        read_suite(copy)


def test_line_ends_of_windows_are_named_as_what_they_are(copy: Path) -> None:
    path = copy / "softmax" / "plain.json"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    with pytest.raises(BadFile, match=r"softmax/plain\.json: its lines end in CRLF"):
        read_suite(copy)


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"null", b"{}", b'{"suite": 1}', b"[" * 100_000, b"\xff", b'{"sha256": []}'],
    ids=["empty", "list", "null", "object", "number", "deep", "bytes", "digests"],
)
def test_a_damaged_manifest_is_refused(copy: Path, content: bytes) -> None:
    (copy / "MANIFEST.json").write_bytes(content)
    for read in (read_manifest, read_suite):
        with pytest.raises(BadFile, match=r"MANIFEST\.json"):
            read(copy)


def test_a_file_cut_short_is_refused(copy: Path) -> None:
    path = copy / "softmax" / "plain.json"
    path.write_text(path.read_text("utf-8")[:100], "utf-8")
    with pytest.raises(BadFile, match=r"softmax/plain\.json"):
        read_case(path)


def test_no_manifest_is_refused(copy: Path) -> None:
    (copy / "MANIFEST.json").unlink()
    with pytest.raises(BadFile, match=r"MANIFEST\.json"):
        read_suite(copy)


def test_other_line_ends_are_called_by_their_name(copy: Path) -> None:
    path = copy / "perplexity" / "plain.json"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    with pytest.raises(errors.BadFile, match=r"CRLF.*LF.*core\.autocrlf false"):
        read_suite(copy)
