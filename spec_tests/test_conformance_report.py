"""The report: complete, held to its schema, and not to be taken in by what a port says."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saffu.conformance import reference
from saffu.conformance.command.check import status, write
from saffu.conformance.ports import schemas
from saffu.conformance.report.badge import badge
from saffu.conformance.report.junit import junit
from saffu.conformance.report.lines import lines, read
from saffu.conformance.report.table import summary
from saffu.errors import BadFile
from spec_tests.support.planted.cases import CASES
from spec_tests.support.reports import BAD, report_on


@pytest.mark.parametrize("port", [reference, BAD, object()], ids=["right", "bad", "empty"])
def test_every_line_is_as_the_schema_says_and_the_report_reads_back(
    port: object, tmp_path: Path
) -> None:
    report = report_on(port)
    write(report, tmp_path)
    header, cases, footer = read(tmp_path / "results.jsonl")
    schema = schemas.load("report")
    for kind, record in [("header", header), *(("case", c) for c in cases), ("footer", footer)]:
        jsonschema.validate(record, {**schema, "$ref": f"#/$defs/{kind}"})
    assert [case["id"] for case in cases] == [case.id for case in CASES]
    assert footer["ok"] is (port is reference)
    words = ("passed", "rejected-ok", "failed", "skipped", "errored")
    assert sum(footer[word] for word in words) == footer["cases"] == header["cases"] == len(CASES)
    assert header["nonce"] == "cafe"


def test_a_line_says_what_diverged_and_which_mistake_it_matches(tmp_path: Path) -> None:
    write(report_on(BAD), tmp_path)
    _, cases, footer = read(tmp_path / "results.jsonl")
    (found,) = (case for case in cases if case["id"] == "explicit_solution/norms-of-two")
    assert found["verdict"] == "failed"
    assert found["diverged"] == "weights"
    assert found["matches"] == ["priming-ignored"]
    assert any("`priming-ignored`" in sentence for sentence in footer["diagnosis"])


WRITTEN = lines(report_on(reference))


@given(st.data())
def test_a_report_that_was_cut_or_changed_is_refused(data: st.DataObject) -> None:
    texts = list(WRITTEN)
    what = data.draw(st.sampled_from(["cut", "drop", "change", "footer"]))
    if what == "cut":
        texts = texts[: data.draw(st.integers(0, len(texts) - 1))]
    elif what == "drop":
        del texts[data.draw(st.integers(1, len(texts) - 2))]
    elif what == "change":
        at = data.draw(st.integers(1, len(texts) - 2))
        record = {**json.loads(texts[at]), "verdict": "failed"}
        texts[at] = json.dumps(record)
    else:
        texts[-1] = json.dumps({**json.loads(texts[-1]), "verdicts": 7})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "results.jsonl"
        path.write_text("".join(f"{text}\n" for text in texts))
        with pytest.raises(BadFile, match="run saffu check --report again"):
            read(path)


def test_junit_counts_what_the_report_counts() -> None:
    report = report_on(BAD)
    root = ElementTree.fromstring(junit(report).split("?>", 1)[1])
    (suite,) = root
    assert suite.get("tests") == str(len(CASES)) == str(len(suite))
    for tag, attribute in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        assert suite.get(attribute) == str(len(suite.findall(f"testcase/{tag}"))) != "0"
    text = junit(report_on(reference))
    assert 'failures="0"' in text
    assert 'skipped="0"' in text


def test_what_a_port_says_reaches_no_terminal_unescaped() -> None:
    text = summary(report_on(BAD))
    assert all(char.isprintable() or char == "\n" for char in text)
    assert r"\x1b[31m\x00" in text


def test_the_table_shows_counts_reasons_diagnosis_and_verdict() -> None:
    text = summary(report_on(BAD))
    (row,) = (line for line in text.splitlines() if line.startswith("explicit_solution "))
    assert row.split()[1:4] == ["2", "1", "1"]
    assert "skipped: no steps [https://example.org/issues/7?a=1&b=2]" in text
    assert "`priming-ignored` (U computed with K = 1): see SPEC 1" in text
    assert text.endswith("FAILED: 8 of 12 cases passed, 4 did not; no level reached\n")
    assert summary(report_on(reference)).endswith("PASSED: 12 of 12 cases; level full\n")
    assert "(again: --challenge cafe)" in text


def test_a_badge_is_green_only_for_a_whole_run_that_kept_a_level() -> None:
    assert badge(report_on(reference).run) == {
        "schemaVersion": 1, "label": "saffu conformance", "message": "full, 12/12",
        "color": "brightgreen",
    }  # fmt: skip
    assert badge(report_on(BAD).run)["color"] == "red"
    assert badge(report_on(reference, partial=True).run)["color"] == "lightgrey"
    coarse = replace(report_on(reference).run, precision="float32")
    assert badge(coarse)["message"] == "full in float32, 12/12"


def test_the_exit_status_is_zero_only_if_all_ran_and_passed() -> None:
    right = report_on(reference)
    assert status(right) == 0
    assert status(report_on(BAD)) == 1
    assert status(replace(right, run=replace(right.run, results=()))) == 1
    assert status(replace(right, run=replace(right.run, interrupted=True))) == 130
    assert status(replace(right, run=replace(right.run, port=None))) == 3
