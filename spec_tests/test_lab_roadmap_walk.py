"""Walking a map: what is done when, once, and what is left after a kill or on a cluster."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import distributed
import numpy as np
import pytest

from saffu.cli import main
from saffu_lab.records.results import Line, Results
from saffu_lab.roadmap.roadmap_file import Roadmap, parse_roadmap
from saffu_lab.roadmap.walk import Drawn, best_of, front_of, models_to_walk, to_test, walk
from saffu_lab.study.recipes import model_path
from saffu_lab.study.running import open_crew, run_tasks
from saffu_lab.study.sources import Sources
from saffu_lab.study.task import Answers, Task, digest
from spec_tests.support import patience
from spec_tests.support.texts import sentences

TEXT = "\n\n".join(sentences(seed=11, count=500))
MAP = """
[text]
names = ["text.txt"]
vocabulary = 23
targets = 1500
[space]
contexts = ["radial:2", "radial:3"]
embedding = ["cipher", "sum:2"]
bits = [11, 13]
label_bits = [7]
attention = ["softmax", "uniform"]
[search]
hidden = [10.0]
factors = [3.0]
smoothing = [10.0]
[walk]
models = 7
[training]
best = 2
random_share = 0.4
rates = [0.01, 0.03]
checks = 1
scales = [1.0]
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a text and a map of it."""
    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
    (tmp_path / "map.toml").write_text(MAP, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SAFFU_CACHE", str(tmp_path / "cache"))
    return tmp_path


class Walked:
    """A map, its models, and the lines so far."""

    def __init__(self, folder: Path, name: str = "lines.jsonl") -> None:
        self.roadmap: Roadmap = parse_roadmap(MAP, "map.toml")
        self.models: list[Drawn] = models_to_walk(self.roadmap)
        self.sources: Sources = self.roadmap.sources(folder / "models")
        self.answers = Answers(Results(folder / name))

    def name_tasks(self, answers: Answers) -> list[Task]:
        return walk(self.roadmap, self.models, self.sources, answers)

    @property
    def lines(self) -> list[Line]:
        return self.answers.results.lines


def by_kind(tasks: list[Task]) -> dict[str, list[Line]]:
    found: dict[str, list[Line]] = {}
    for task in tasks:
        found.setdefault(task.key["do"], []).append(task.key)
    return found


def done_by_hand(walked: Walked) -> Iterator[list[Task]]:
    """The plan before every line, with made-up answers in the order of the tasks."""
    while True:
        tasks = walked.name_tasks(walked.answers)
        yield tasks
        left = [task for task in tasks if walked.answers.get(task.key) is None]
        if not left:
            return
        key = left[0].key
        number = int(digest(key), 16)
        nats = 3.0 + number % 997 / 1000
        walked.answers.add(
            key, {"validation_nats": nats, "parameters": number % 101, "cpu_seconds": 1.0}
        )


def test_tests_come_last_and_are_of_the_chosen(place: Path) -> None:
    walked = Walked(place)
    plans = list(done_by_hand(walked))
    first = by_kind(plans[0])
    assert set(first) == {"explicit", "train"}
    assert len(first["explicit"]) == 7
    assert {key["drawn"] for key in first["train"]} == {True}
    for before, tasks in enumerate(plans):
        kinds = by_kind(tasks)
        trials = len(kinds["explicit"]) + len(kinds["train"])
        assert ("test" in kinds) is (before >= trials)
        assert ("baselines" in kinds) is ("test" in kinds)
    explicit = [line for line in walked.lines if line["do"] == "explicit"]
    trained = [line for line in walked.lines if line["do"] == "train"]
    wanted = [*front_of(explicit), max(explicit, key=lambda line: int(line["parameters"]))]
    (best,) = best_of(trained, 1)
    wanted += [line for line in explicit if line["levels"] == best["levels"]] + [best]
    found = [key["recipe"] for key in by_kind(plans[-1])["test"]]
    assert {digest(one) for one in found} == {digest(line["recipe"]) for line in wanted}
    assert len(found) == len({digest(one) for one in found})


def test_the_best_and_the_drawn_are_trained_each_in_every_setting(place: Path) -> None:
    walked = Walked(place)
    *_, last = done_by_hand(walked)
    kinds = by_kind(last)
    explicit = [line for line in walked.lines if line["do"] == "explicit"]
    drawn = [line for line in explicit if line["drawn"]]
    assert len(drawn) == 3  # ⌈0.4 · 7⌉
    chosen = {digest(line["levels"]) for line in [*drawn, *best_of(explicit, 2)]}
    assert {digest(key["levels"]) for key in kinds["train"]} == chosen
    for levels in chosen:
        own = [key for key in kinds["train"] if digest(key["levels"]) == levels]
        warm = [key["recipe"]["rate"] for key in own if key["begin"] == "warm"]
        cold = [key["recipe"] for key in own if key["begin"] == "cold"]
        assert warm == [0.01, 0.03]
        both = own[0]["drawn"] and own[0]["levels"]["embedding"] == "cipher"
        assert [recipe["rate"] for recipe in cold] == ([0.01, 0.03] if both else [])
        assert all(recipe["start"] == "cold" and recipe["scale"] == 1.0 for recipe in cold)


def test_who_is_drawn_does_not_depend_on_results(place: Path) -> None:
    drawn = [model.drawn for model in models_to_walk(parse_roadmap(MAP, "map.toml"))]
    assert sum(drawn) == 3
    assert drawn == [model.drawn for model in Walked(place).models]
    wider = parse_roadmap(MAP.replace("0.4", "0.7"), "map.toml")
    more = [model.drawn for model in models_to_walk(wider)]
    assert all(m for m, d in zip(more, drawn, strict=True) if d)  # a larger share has the smaller


def test_no_line_no_test() -> None:
    assert to_test([]) == []
    failed: Line = {"do": "explicit", "failed": "why", "levels": {}, "recipe": {}}
    assert front_of([failed]) == best_of([failed], 3) == to_test([failed]) == []


def test_a_map_is_walked_stopped_and_goes_on(place: Path) -> None:
    walked = Walked(place)
    seen: list[str] = []

    def stop(state: Any, line: Line | None) -> None:
        if line is not None:
            seen.append(line["id"])
        if len(seen) == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), open_crew("serial") as crew:
        run_tasks(walked.name_tasks, walked.answers, walked.sources, crew, stop)
    again = Walked(place)
    assert [line["id"] for line in again.lines] == seen
    with open_crew("serial") as crew:
        run_tasks(again.name_tasks, again.answers, again.sources, crew)
    names = [line["id"] for line in again.lines]
    assert len(names) == len(set(names)) == len(again.name_tasks(again.answers))
    assert names[:5] == seen
    for line in again.lines:
        if line["do"] == "explicit" and line["drawn"]:  # its file was sure to be needed again
            assert model_path(line["recipe"], 1500, 1, again.sources).exists()
    (both,) = [line for line in again.lines if line["do"] == "baselines"]
    for name in ("unigram", "bigram"):
        tested = both[name]
        assert np.exp(tested["validation_nats"]) < 23
        assert len(tested["nats"]) == len(tested["targets_tested"])
    best = best_of([line for line in again.lines if line["do"] == "explicit"], 1)
    assert best[0]["validation_nats"] < both["unigram"]["validation_nats"]


# --- the command -------------------------------------------------------------------------------


def measured(folder: Path) -> dict[str, Any]:
    """What was found, without how long it took."""
    lines = Results(folder / "roadmap.jsonl").lines
    assert len({line["id"] for line in lines}) == len(lines)
    return {line["id"]: line.get("validation_nats", line.get("nats")) for line in lines}


GATED = """
import sys, time
from saffu.cli import main
from saffu_lab.records.results import Results

add = Results.add

def add_three(results, line):
    add(results, line)
    while len(results.lines) >= 3:
        time.sleep(0.01)

Results.add = add_three
sys.exit(main(["roadmap", *sys.argv[1:]]))
"""
"""The command, which stops behind its third line and waits to be killed."""


@contextmanager
def begun(*words: str, gated: bool = False) -> Iterator[subprocess.Popen[str]]:
    """The command in a process of its own, killed at the end if it is still there."""
    program = ["-c", GATED] if gated else ["-m", "saffu", "roadmap"]
    command = [sys.executable, *program, *words]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Wait for something that the command does while it runs."""

    def reached() -> bool:
        assert condition() or process.poll() is None, process.communicate()
        return condition()

    patience.until(reached)


@pytest.mark.slow
def test_a_killed_map_goes_on_to_the_same_end(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = place / "killed" / "roadmap.jsonl"

    def count() -> int:
        return lines.read_text(encoding="utf-8").count("\n") if lines.exists() else 0

    with begun("map.toml", "--out", "killed", "--engine", "serial", gated=True) as process:
        until(lambda: count() >= 3, process)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert count() == 3
    with lines.open("a", encoding="utf-8") as file:
        file.write('{"id": "cut sho')  # as a kill in the middle of a line would leave it
    assert main(["roadmap", "map.toml", "--out", "killed", "--engine", "serial"]) == 0
    assert "roadmap.md: written" in capsys.readouterr().out
    assert main(["roadmap", "map.toml", "--out", "whole", "--engine", "serial"]) == 0
    assert len(measured(place / "whole")) > 3
    assert measured(place / "killed") == measured(place / "whole")
    assert not (place / "whole" / "models").exists()


def test_ctrl_c_says_how_to_go_on(place: Path) -> None:
    lines = place / "out" / "roadmap.jsonl"
    with begun("map.toml", "--out", "out", "--engine", "serial") as process:
        until(lines.exists, process)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate()
    assert process.returncode == 130
    assert "go on with:\n  saffu roadmap map.toml --out out" in said


@pytest.mark.slow
def test_a_cluster_finds_the_same(place: Path) -> None:
    words = ["roadmap", "map.toml", "--out"]
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0"
    ) as cluster:
        where = ["--engine", "dask", "--scheduler", cluster.scheduler_address]
        assert main([*words, "dask", *where]) == 0
    assert main([*words, "here", "--engine", "serial"]) == 0
    assert measured(place / "dask") == measured(place / "here")


def test_the_example_is_a_file_to_begin_with(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["roadmap", "--example"]) == 0
    text = capsys.readouterr().out
    assert parse_roadmap(text, "map.toml").models == 250


REFUSED = {
    "no file": ([], "--example"),
    "not there": (["none.toml"], "none.toml"),
    "scheduler": (["map.toml", "--scheduler", "tcp://127.0.0.1:1"], "--engine dask"),
    "no folder": (["map.toml", "--out", "text.txt"], "expected a folder, got a file"),
    "no lines": (["map.toml", "--out", "empty", "--report"], "holds no line"),
}


@pytest.mark.parametrize("what", list(REFUSED))
def test_bad_input_is_refused(what: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words, message = REFUSED[what]
    assert main(["roadmap", *words]) == 2
    assert message in capsys.readouterr().err


def test_a_report_is_drawn_from_the_lines_of_its_map(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    walked = Walked(place, "out/roadmap.jsonl")
    walked.answers.add({"do": "explicit", "of": "another map"}, {"cpu_seconds": 1.0})
    task = walked.name_tasks(walked.answers)[0]
    found = {"validation_nats": 3.0, "parameters": 1001, "fit_cpu_seconds": 1.0}
    walked.answers.add(task.key, {**found, "trained_on": 1500, "cpu_seconds": 2.0})
    assert main(["roadmap", "map.toml", "--out", "out", "--report"]) == 0
    text = (place / "out" / "roadmap.md").read_text(encoding="utf-8")
    assert text.startswith("# The map\n\n1 SAFFU transformers")
    assert "1,001" in text
    assert len(Results(place / "out" / "roadmap.jsonl").lines) == 2  # nothing was measured
