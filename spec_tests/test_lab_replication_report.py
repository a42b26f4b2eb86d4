"""The report is made of its lines, and the one that is published of those that are kept."""

from __future__ import annotations

import json
import platform
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from saffu.cli import main
from saffu.errors import BadOption
from saffu_lab.commands import replicate
from saffu_lab.records.evidence import discovery_threshold
from saffu_lab.records.results import circumstances
from saffu_lab.replication import report
from saffu_lab.replication.end_line import UNFINISHED
from saffu_lab.replication.repeat import TOLERANCE
from saffu_lab.replication.report import (
    FOLDER,
    PAGE,
    STUDIES,
    chapters,
    lines_of,
    newest,
    page,
    study_of,
    write_report,
)
from spec_tests.support.lines import a_test

DOCS = Path(__file__).parent.parent / "docs"


def lines_into(folder: Path, name: str, *lines: dict[str, Any]) -> None:
    path = folder / FOLDER / f"{name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def test_the_published_page_is_made_of_the_kept_lines() -> None:
    assert (DOCS / PAGE).read_text(encoding="utf-8") == page(chapters(DOCS), lines_of(DOCS))


def test_every_study_has_lines_a_chapter_and_its_pictures() -> None:
    found = chapters(DOCS)
    assert list(found) == list(STUDIES)
    for chapter in found.values():
        for name in chapter.pictures:
            for kind in ("png", "svg"):
                assert (DOCS / FOLDER / f"{name}.{kind}").stat().st_size > 1000
    shown = set(re.findall(r"\(replication/([\w-]+)\.png\)", page(found, lines_of(DOCS))))
    assert shown == {name for chapter in found.values() for name in chapter.pictures}


def published(name: str) -> list[dict[str, Any]]:
    path = DOCS / FOLDER / f"{name}.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_in_the_published_lines_a_test_was_read_again_only_where_the_page_says_so() -> None:
    same = ("row", "seed", "targets", "data", "size", "radius")
    again = {}
    for name in STUDIES:
        lines = [line for line in published(name) if line["do"] == "test" and "row" in line]
        rows = [tuple(str(line.get(field)) for field in same) for line in lines]
        recipes = {(row, str(line.get("recipe"))) for row, line in zip(rows, lines, strict=True)}
        assert len(recipes) == len(lines), name  # and never for the same model
        if len(set(rows)) < len(rows):
            again[name] = len(rows) - len(set(rows))
    assert list(again) == ["less-data"]
    text = " ".join((DOCS / PAGE).read_text(encoding="utf-8").split())
    assert f"again: the lines contain {again['less-data']} tests of earlier choices" in text


def test_the_page_counts_every_model_that_a_test_set_was_read_for() -> None:
    by_part: Counter[str] = Counter()
    for name in STUDIES:
        for line in published(name):
            if line["do"] in ("test", "baselines") and line.get("data") not in ("mnist", "digits"):
                rows = line.get("rows") or line.get("nats")
                models = len(rows) if isinstance(rows, dict) else 1 + (line["do"] == "baselines")
                by_part[f"text {line['text'][:8]}, seed {line.get('seed', 1)}"] += models
    page_lines = (DOCS / PAGE).read_text(encoding="utf-8").splitlines()
    assert len(by_part) >= 3
    for part, models in by_part.items():
        (row,) = (line for line in page_lines if line.startswith(f"| {part} "))
        assert row.endswith(f" {models} |")


def test_every_verdict_stands_beside_its_seeds_its_size_and_the_stricter_line() -> None:
    by_name, text = chapters(DOCS), (DOCS / PAGE).read_text(encoding="utf-8")
    claims = [claim for chapter in by_name.values() for claim in chapter.claims]
    chances = [a.chance for c in claims for a in c.answers if a.chance is not None]
    threshold = discovery_threshold(chances)
    assert f"{len(chances)} intervals decide the claims" in " ".join(text.split())
    for claim in claims:
        cells = (
            claim.statement.rstrip("."), claim.source, f"**{claim.verdict}**",
            claim.verdict_at(threshold), claim.seeds, claim.size,
        )  # fmt: skip
        row = r"\| +" + r" +\| +".join(map(re.escape, cells)) + r" +\|"
        assert re.search(row, text), cells
        assert re.fullmatch(r"\d(–\d)?", claim.seeds)
    for verdict in ("holds", "holds with conditions", "does not hold", "undecided"):
        assert f"- **{verdict}**: " in text


def test_new_lines_say_which_commit_and_machine_they_are_of() -> None:
    about = circumstances()
    assert re.fullmatch(r"[0-9a-f]{12}\+?|not a checkout|unknown.*", about["commit"])
    assert about["machine"].startswith(f"{platform.system()} ")


def test_the_page_says_what_its_lines_took() -> None:
    seconds = sum(line.get("cpu_seconds", 0) for name in STUDIES for line in published(name))
    text = " ".join((DOCS / PAGE).read_text(encoding="utf-8").split())
    assert f"took {seconds / 3600:.1f} CPU hours" in text
    assert seconds < 2 * 4 * 3600  # two cores, four hours


def test_every_study_says_what_it_is_about() -> None:
    for name in STUDIES:
        study = study_of(name)
        assert name == study.NAME
        assert study.ABOUT


def test_a_report_of_one_study(tmp_path: Path) -> None:
    lines_into(tmp_path, "contexts", a_test("radial:8", 4.0), a_test("radial:8,document", 3.9))
    said = write_report(tmp_path, lambda *_: None)
    text = (tmp_path / PAGE).read_text(encoding="utf-8")
    assert said[0] == str(tmp_path / PAGE)
    assert "## 1. Contexts" in text
    assert "## Verdicts" in text
    assert "**holds**" in text
    assert UNFINISHED in text
    lines_into(tmp_path, "contexts", a_test("radial:8", 4.0), {"do": "end", "tasks": 1})
    write_report(tmp_path, lambda *_: None)
    assert UNFINISHED not in (tmp_path / PAGE).read_text(encoding="utf-8")


def test_a_folder_without_lines_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadOption, match="lines of some study"):
        write_report(tmp_path)


def test_lines_of_another_text_are_left_out() -> None:
    lines: list[dict[str, Any]] = [
        {"text": "a", "n": 1},
        {"n": 2},
        {"text": "b", "n": 3},
        {"text": "b", "n": 4},
    ]
    assert [line["n"] for line in newest(lines)] == [2, 3, 4]


def test_the_command_lists_refuses_and_reports(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replicate", "--list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(STUDIES)
    assert main(["replicate", "weather", "--out", str(tmp_path)]) == 2
    assert "one of single-layer" in capsys.readouterr().err
    lines_into(tmp_path, "contexts", a_test("radial:8", 4.0))
    assert main(["replicate", "--report", "--out", str(tmp_path)]) == 0
    assert (tmp_path / FOLDER / "contexts-lengths.svg").exists()


@pytest.mark.slow
def test_a_cell_is_measured_again_and_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "book.txt").write_text(
        "\n\n".join(f"The {w} saw a {v}. It was {w}." for w in WORDS for v in WORDS), "utf-8"
    )
    common = ["--tiny", "--corpus", str(tmp_path / "book.txt"), "--out", str(tmp_path)]
    assert main(["replicate", "precision", "--engine", "serial", *common]) == 0
    path = tmp_path / FOLDER / "precision.jsonl"
    before = path.read_bytes()
    row = "explicit, 128 bits, float64"
    cell = ["replicate", "precision", "--row", row, "--targets", "2000", "--seed", "1", *common]
    capsys.readouterr()
    assert main(cell) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.count("agrees") for line in lines] == [1, 1, 0]
    assert "difference +0.00000" in lines[0]
    assert "commit" in lines[2]
    assert path.read_bytes() == before
    kept = [json.loads(line) for line in before.splitlines()]
    for line in kept:
        if line.get("row") == row and line["do"] == "trial":
            line["validation_nats"] += 1.1 * TOLERANCE
    path.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")
    assert main(cell) == 1
    assert "DIFFERS" in capsys.readouterr().out
    for wrong, match in (
        (["replicate", "precision", "--row", "x", "--targets", "2000", "--seed", "1"], "rows:"),
        (["replicate", "--row", row, "--targets", "2000", "--seed", "1"], "one study"),
        (["replicate", "precision", "--row", row, "--seed", "1"], "--targets"),
    ):
        assert main([*wrong, *common]) == 2
        assert match in capsys.readouterr().err
    (tmp_path / "other.txt").write_text("Another text.\n\nOf two paragraphs.", encoding="utf-8")
    other = [*cell, "--corpus", str(tmp_path / "other.txt")]
    assert main(other) == 2
    assert "digest" in capsys.readouterr().err


@pytest.mark.slow
def test_the_command_measures_and_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "book.txt").write_text(
        "\n\n".join(f"The {w} saw a {v}. It was {w}." for w in WORDS for v in WORDS), "utf-8"
    )
    command = ["replicate", "precision", "--tiny", "--engine", "serial", "--out", str(tmp_path)]
    command += ["--corpus", str(tmp_path / "book.txt")]
    assert main(command) == 0
    before = (tmp_path / FOLDER / "precision.jsonl").read_bytes()
    assert main(command) == 0
    assert (tmp_path / FOLDER / "precision.jsonl").read_bytes() == before
    text = (tmp_path / PAGE).read_text(encoding="utf-8")
    assert "float32 is enough" in text
    assert UNFINISHED not in text
    capsys.readouterr()


WORDS = ["ape", "bat", "cat", "dog", "elk", "fox", "gnu", "hen", "ibis", "jay", "kite", "lark"]


def test_a_study_whose_package_is_missing_is_left_out_or_refused_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done: list[str] = []
    monkeypatch.setattr(report, "find_spec", lambda *_: None)
    monkeypatch.setattr(replicate, "run_tasks", lambda plan, *_: done.append(plan.func.__module__))
    monkeypatch.setattr(replicate, "write_end_line", lambda *_: None)
    monkeypatch.setattr(replicate, "write_report", lambda *_: [])
    monkeypatch.setattr(replicate, "STUDIES", dict.fromkeys(("contexts", "images"), ""))
    command = ["replicate", "--tiny", "--engine", "serial", "--out", str(tmp_path)]
    assert main(command) == 0
    assert done == ["saffu_lab.replication.contexts.tasks"]
    assert "images is left out: the study images needs the package" in capsys.readouterr().out
    assert main([*command, "contexts", "images"]) == 2
    assert len(done) == 1
    assert "pip install 'saffu[images]'" in capsys.readouterr().err
