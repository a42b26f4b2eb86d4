"""Time to the explicit solution's loss: who reaches it, who does not, and the ratios."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from saffu.configuration import Configuration
from saffu.contexts import RadialContext
from saffu.errors import Missing
from saffu_lab.bench import reach
from saffu_lab.bench.reach import ReachSettings, cold, main, summary
from saffu_lab.records import corpora as texts
from spec_tests.support.texts import sentences

TEXT = [" ".join(sentences(i, 5)) for i in range(199)]
SMALL = Configuration(13, (RadialContext(3),), bits=7, label_bits=5)


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> ReachSettings:
    monkeypatch.setattr(texts, "prose", lambda: TEXT)
    small = replace(texts.PROSE, configuration=SMALL)
    found = ReachSettings(small, (800,), ((0.03, 1.0), (0.01, 0.3)), batch=31, epochs=2, judges=300)
    monkeypatch.setattr(reach, "TINY", found)
    return found


def line(*seconds: float | None) -> dict[str, Any]:
    """Runs that reach the goal after so many seconds, or not at all after nine."""
    runs = [{"reached": s is not None, "seconds": s or 9.0} for s in seconds]
    known = min((s for s in seconds if s is not None), default=None)
    every = sum(run["seconds"] for run in runs)
    return {
        "targets": 800, "nats": 2.0, "explicit_seconds": 2.0, "runs": runs,
        "ratio": known and known / 2.0, "ratio_tuned": every / 2.0,
    }  # fmt: skip


def test_the_best_cold_start_decides() -> None:
    assert "is reached" in summary([line(None, 11.0, 30.0)])
    assert "is missed" in summary([line(None, 9.0, 30.0)])
    assert "is missed" in summary([line(11.0), line(9.0)])
    assert "never" in summary([line(None)])
    assert "goal" not in summary([line()])


@pytest.mark.torch
def test_a_cold_start_stops_where_it_is_good_enough(settings: ReachSettings) -> None:
    pytest.importorskip("torch")
    common = settings.setting.texts()
    text = common.train.take(800, 1)
    hopeless = cold(settings, text, common.validation, 0.03, 1.0, goal=0.0, limit=1e9)
    assert not hopeless.reached
    assert hopeless.targets >= settings.epochs * 800
    soon = cold(settings, text, common.validation, 0.03, 1.0, goal=hopeless.nats + 1e-3, limit=1e9)
    assert soon.reached
    assert soon.nats <= hopeless.nats + 1e-3
    easy = cold(settings, text, common.validation, 0.03, 1.0, goal=100.0, limit=1e9)
    assert easy.targets <= 800 / settings.checks + settings.batch
    late = cold(settings, text, common.validation, 0.03, 1.0, goal=0.0, limit=0.0)
    assert (late.reached, late.targets) == (False, easy.targets)


@pytest.mark.torch
def test_all_of_it_runs(settings: ReachSettings, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    out = tmp_path / "deep" / "reach.json"
    main(["--tiny", "--out", str(out)])
    (found,) = json.loads(out.read_text("utf-8"))["sizes"]
    assert len(found["runs"]) == len(settings.cold)
    every = sum(run["seconds"] for run in found["runs"])
    assert found["ratio_tuned"] == pytest.approx(every / found["explicit_seconds"])


def test_ours_runs_without_torch(
    settings: ReachSettings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(*_: object) -> None:
        raise Missing("a rival", "the package torch", "pip install torch")

    monkeypatch.setattr(reach, "torch_or_refuse", missing)
    main(["--tiny"])
    said = capsys.readouterr().out
    assert "without rivals" in said
    assert "| 8" in said
