"""Programs that are killed at random moments resume to the same end, and leave nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from spec_tests.support import kills
from spec_tests.support.kills import TASKS, Bench, differences, wrong_end, wrong_files
from spec_tests.support.launcher import Ended, Launcher

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes of POSIX")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with Launcher() as launcher:
        yield Bench(tmp_path_factory.mktemp("kills"), launcher)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(TASKS)), ids=list(TASKS))
def test_a_killed_task_resumes_to_the_same_bits_and_leaves_nothing_else(
    number: int, bench: Bench
) -> None:
    record = bench.round(number, seed=7, kills=2, fresh=False)
    assert record["faults"] == []
    assert record["task"] == list(TASKS)[number]
    assert json.loads(json.dumps(record)) == record


# --- what would be found -----------------------------------------------------------------------

QUIET = Ended(130, "", "saffu: stopped\n", 1.0, signalled=True, orphans=())


@pytest.mark.parametrize(
    ("how", "changes", "problem"),
    [
        ("SIGINT", {}, None),
        ("SIGINT", {"status": 0}, None),
        ("SIGKILL", {"status": -9, "errors": ""}, None),
        ("SIGTERM", {"status": -15, "errors": ""}, None),
        ("SIGINT", {"status": -2, "errors": "Traceback …\nKeyboardInterrupt\n"}, None),
        ("SIGINT", {"status": -2}, "exit status -2"),
        ("SIGINT", {"status": 1}, "exit status 1"),
        ("SIGKILL", {}, "exit status 130"),
        ("SIGINT", {"errors": "Traceback …"}, "it printed"),
        ("SIGKILL", {"status": -9, "errors": "resource_tracker: 5 leaked semaphores"}, None),
        ("SIGTERM", {"status": -15, "errors": "5 leaked semaphores"}, "it printed"),
        ("SIGINT", {"status": -2, "errors": "Traceback, in main\nKeyboardInterrupt"}, "it printed"),
        ("SIGKILL", {"status": -9, "errors": "", "orphans": (1, 2)}, "2 processes went on"),
    ],
)
def test_a_wrong_end_is_seen(how: str, changes: dict[str, Any], problem: str | None) -> None:
    wrong = wrong_end(QUIET._replace(**changes), how, fresh=False)
    assert any(problem in one for one in wrong) if problem else wrong == []


def test_python_may_end_a_module_that_was_stopped_while_it_was_imported() -> None:
    ended = QUIET._replace(status=-2)
    assert wrong_end(ended, "SIGTERM", fresh=True) == []
    assert wrong_end(ended, "SIGKILL", fresh=True) != []
    assert wrong_end(ended._replace(errors="saffu: stopped; more"), "SIGINT", fresh=True) != []


LINES = {"out/a.jsonl": [{"n": 1}, {"n": 2}, {"n": 3}], "whole": b"x", "model": ({}, {})}


@pytest.mark.parametrize(
    ("how", "after", "before", "problem"),
    [
        ("SIGINT", {"out/a.jsonl": [{"n": 1}]}, {}, None),
        ("SIGINT", {"model": ({"training": {}}, {})}, {}, None),
        ("SIGINT", {"out/models/12": b""}, {}, None),
        ("SIGINT", {"out/": None}, {}, None),
        ("SIGINT", {"other/": None}, {}, "is left"),
        ("SIGKILL", {".whole.12.writing": 3}, {}, None),
        ("SIGINT", {".whole.12.writing": 3}, {".whole.12.writing": 3}, None),
        ("SIGINT", {".whole.12.writing": 3}, {}, "is left"),
        ("SIGKILL", {"whole.half": b""}, {}, "is left"),
        ("SIGINT", {"whole": "BadFile: cut short"}, {}, "cut short"),
        ("SIGINT", {"whole": b"y"}, {}, "differs"),
        ("SIGINT", {"out/a.jsonl": [{"n": 2}]}, {}, "other lines"),
        ("SIGINT", {"out/a.jsonl": [{"n": 1}]}, {"out/a.jsonl": [{"n": 1}, {"n": 2}]}, "lost"),
        ("SIGINT", {}, {"whole": b"x"}, "is gone"),
    ],
)
def test_wrong_files_are_seen(
    how: str, after: dict[str, Any], before: dict[str, Any], problem: str | None
) -> None:
    wrong = wrong_files(after, LINES, before, r"out/models/\d+", how)
    assert any(problem in one for one in wrong) if problem else wrong == []


def test_differences_are_seen() -> None:
    assert differences({"a": 1, "b": 2}, {"a": 1, "b": 2}) == []
    wrong = differences({"a": 1, "b": 2}, {"b": 3, "c": 1})
    assert wrong == ["c is missing", "a is left", "b differs"]


HALF = """
import os, signal
with open("whole", "w") as file:
    file.write("half")
    file.flush()
    if not os.path.exists("go"):
        os.kill(os.getpid(), signal.SIGKILL)
    file.write(" and half")
"""


def test_a_program_that_leaves_half_a_file_is_found_out(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = kills.Task(kills.plain("half.py"), {"half.py": HALF, "go": ""})
    monkeypatch.setitem(TASKS, "half", task)
    reference, _ = bench.whole("half", fresh=False)
    folder = bench.begin(task, "halved")
    (folder / "go").unlink()
    ended = bench.start(task, folder, fresh=False)
    assert ended.status == -kills.SIGNALS["SIGKILL"][0]
    wrong = wrong_files(kills.contents(folder), reference, {}, task.meanwhile, "SIGKILL")
    assert wrong == ["whole differs from the uninterrupted run"]


def test_the_campaign_says_how_it_is_used() -> None:
    command = [sys.executable, "-m", "spec_tests.campaign_kills", "--help"]
    ran = subprocess.run(
        command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True
    )
    assert "--kills" in ran.stdout
    assert "--seed" in ran.stdout
