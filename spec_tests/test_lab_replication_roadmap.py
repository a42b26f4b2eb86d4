"""The study of the report: its tiny run from end to end, and that it goes on where it stopped."""

from __future__ import annotations

from pathlib import Path

import pytest

from saffu_lab.records.results import Line, Results
from saffu_lab.replication.chapters import Study
from saffu_lab.replication.roadmap import tasks as roadmap
from saffu_lab.roadmap.summary import findings, identity
from saffu_lab.roadmap.walk import front_of
from saffu_lab.study.running import open_crew, run_tasks
from saffu_lab.study.sources import Sources
from saffu_lab.study.task import Answers, digest


def test_it_is_a_study() -> None:
    study: Study = roadmap
    assert (study.NAME, bool(study.ABOUT)) == ("roadmap", True)


@pytest.mark.slow
def test_the_tiny_run_from_end_to_end(tmp_path: Path) -> None:
    sources = Sources(text=("prose",), tiny=True, cache=str(tmp_path / "models"))
    answers = Answers(Results(tmp_path / "lines.jsonl"))
    done: list[Line] = []

    def stop(state: object, line: Line | None) -> None:
        if line is not None:
            done.append(line)
        if len(done) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), open_crew("serial") as crew:
        run_tasks(lambda seen: roadmap.tasks(sources, seen), answers, sources, crew, stop)
    half = roadmap.chapter(answers.results.lines)
    assert {claim.verdict for claim in half.claims} == {"not measured"}
    answers = Answers(Results(tmp_path / "lines.jsonl"))
    with open_crew("serial") as crew:
        run_tasks(lambda seen: roadmap.tasks(sources, seen), answers, sources, crew)
    lines = answers.results.lines
    assert lines[:3] == done
    assert len({line["id"] for line in lines}) == len(lines)
    assert {line["id"] for line in lines} == {
        digest(task.key) for task in roadmap.tasks(sources, answers)
    }
    kinds = [line["do"] for line in lines]
    assert set(kinds) == {"explicit", "train", "baselines", "test"}
    assert max(i for i, kind in enumerate(kinds) if kind == "train") < kinds.index("test")
    found = findings(lines)
    assert {identity(line) for line in front_of(found.solved)} <= set(found.tests)
    chapter = roadmap.chapter(lines)
    assert chapter.claims[0].verdict in ("holds", "holds with conditions", "does not hold")
    assert "saffu replicate roadmap" in chapter.text
    assert set(chapter.pictures) == {f"roadmap-{what}" for what in ("map", "effects", "trained")}
    for name, draw in chapter.pictures.items():
        assert f"(replication/{name}.png)" in chapter.text
        assert draw().axes
