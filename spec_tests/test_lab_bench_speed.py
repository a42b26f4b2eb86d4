"""The timing of the warm start: what is timed does its work; ratios are of rounds.   (SPEC 5)"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from saffu.configuration import Configuration
from saffu.contexts import RadialContext
from saffu.errors import Missing
from saffu_lab.bench import speed
from saffu_lab.bench.speed import Pass, Timed, account, main, ratio, summary, timed
from saffu_lab.records import corpora as texts
from spec_tests.support.patience import Clock
from spec_tests.support.texts import sentences

TEXT = [" ".join(sentences(i, 5)) for i in range(199)]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(speed, "time", clock.module)
    return clock


def test_a_contestant_twice_as_slow_is_seen_to_be(clock: Clock) -> None:
    def slow() -> int:
        clock.work(0.25)
        return 10

    def slower() -> int:
        clock.work(0.5)
        return 10

    one, two = timed({"slow": slow, "slower": slower}, rounds=3)
    assert (one.name, two.name) == ("slow", "slower")
    assert one.wall == one.cpu == (40.0,) * 3
    assert ratio(one.wall, two.wall) == 2.0


def test_the_first_round_is_not_counted(clock: Clock) -> None:
    calls: list[int] = []

    def work() -> int:
        calls.append(1)
        clock.work(64.0 if len(calls) == 1 else 0.5)
        return 1

    (found,) = timed({"work": work}, rounds=2)
    assert len(calls) == 3
    assert found.wall == (2.0, 2.0)


def planted(explicit: float, torch_one: float, torch_two: float) -> list[Timed]:
    return [
        Timed("explicit", (explicit,) * 3, (explicit,) * 3),
        Timed("ours, E frozen", (20.0,) * 3, (20.0,) * 3),
        Timed("torch, E frozen, threads: 1", (torch_one,) * 3, (torch_one,) * 3),
        Timed("torch, E frozen, threads: 2", (torch_two,) * 3, (torch_one / 3,) * 3),
        Timed("torch, E frozen, compiled, threads: 2", (10 * torch_two,) * 3, (1.0,) * 3),
    ]


@pytest.mark.parametrize(
    ("explicit", "torch_one", "torch_two", "word", "step"),
    [
        (160.0, 8.0, 12.0, "reached", "reached"),  # 13.3 times
        (100.0, 8.0, 18.5, "missed", "missed"),  # 5.4 times
        (240.0, 12.0, 20.5, "missed", "missed"),  # 11.7 times
    ],
)
def test_the_goals_are_judged_by_the_wall_clock(
    explicit: float, torch_one: float, torch_two: float, word: str, step: str
) -> None:
    """Compiled rivals are shown, and the goals are about eager ones."""
    said = summary(planted(explicit, torch_one, torch_two), threads=2)
    assert said.wall == pytest.approx(explicit / max(torch_one, torch_two))
    assert said.bound == pytest.approx(explicit / torch_one / 2)
    assert said.steps == {"E frozen": pytest.approx(torch_two / 20.0)}
    assert f"goal of 12 is {word}." in said.text
    assert f"goal of 0.9 is {step}." in said.text
    assert f"it would be {said.bound:.1f} times" in said.text


def test_without_rivals_there_is_no_verdict() -> None:
    said = summary(planted(5.0, 1.0, 1.0)[:1], threads=2)
    assert said.wall is None
    assert "goal" not in said.text


def test_the_account_divides_work_by_time() -> None:
    settings = speed.TINY
    one = Pass("tower 1, layer 1: features", 1_000, 0.5)
    (row,) = account(settings, [one], ones=2.0)
    slots = 3
    operations = 1_000 * slots * 2.0
    assert float(row[3]) == round(operations / 1e6, 1)
    (idle,) = account(settings, [Pass("ciphers", 5, 0.1)], ones=2.0)
    assert idle[3:] == ["–"] * 4


def run_tiny(out: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr(texts, "prose", lambda: TEXT)
    small = Configuration(13, (RadialContext(3),), bits=7, label_bits=5)
    text = replace(texts.PROSE, configuration=small)
    settings = speed.SpeedSettings(text, 800, 300, batch=31, steps=2, rounds=1, compiled=False)
    monkeypatch.setattr(speed, "TINY", settings)
    main(["--tiny", "--out", str(out)])
    found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return found


def test_ours_runs_without_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(*_: object, **__: object) -> None:
        raise Missing("a rival", "the package torch", "pip install torch")

    monkeypatch.setattr(speed, "torch_steps", missing)
    found = run_tiny(tmp_path / "speed.json", monkeypatch)
    assert "pip install torch" in capsys.readouterr().out
    assert found["ratio_wall"] is None
    names = ["explicit", "ours, E frozen", "ours, E trained", "explicit, with choice"]
    assert list(found["targets_per_second"]) == names
    stages = [each["stage"] for each in found["passes"]]
    assert stages[0] == "counting tokens"
    assert len(stages) == 6


@pytest.mark.torch
def test_rivals_run_with_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    found = run_tiny(tmp_path / "speed.json", monkeypatch)
    rivals = [name for name in found["targets_per_second"] if name.startswith("torch")]
    assert len(rivals) == 4
    assert found["ratio_wall"] > 0
    assert found["ratio_bound"] > 0
