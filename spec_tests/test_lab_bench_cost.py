"""What starting and what larger models cost: the programs measure what they say.   (SPEC 5)"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from saffu_lab.bench import race, ratios, reach, shapes, speed, startup
from saffu_lab.bench.shapes import Curve, Shape


def test_exponents_are_of_the_larger_sizes() -> None:
    curve = Curve("bits", (1, 2, 4, 8, 16), (9.0, 9.0, 1.0, 4.0, 16.0))
    assert curve.exponent == pytest.approx(2.0)
    assert "| b, bits | 1 … 16 | 9.00 9.00 1.00 4.00 16.00 |" in " ".join(
        shapes.summary([curve]).split()
    )


def test_each_size_is_the_size_of_the_model() -> None:
    shape = Shape(targets=5, vocabulary=61, slots=3, bits=7).configuration
    (context,) = shape.contexts
    assert (shape.vocabulary, context.slots, shape.bits, shape.label_bits) == (61, 3, 7, 7)


def test_the_tiny_curves_are_drawn_and_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "deep" / "shapes.json"
    shapes.main(["--tiny", "--out", str(out)])
    found = json.loads(out.read_text("utf-8"))["curves"]
    assert [each["size"] for each in found] == list(shapes.LETTERS)
    assert all(second > 0 for each in found for second in each["cpu_seconds"])
    assert out.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    assert "M, targets" in capsys.readouterr().out


def test_pythons_own_start_is_taken_off() -> None:
    found = {
        "nothing": [0.1, 0.1],
        "import saffu": [0.1, 0.2],
        "every public name": [0.4, 0.4],
        "NumPy and SciPy": [0.3, 0.3],
        "saffu --help": [0.6, 0.6],
    }
    assert startup.ratio(found) == pytest.approx(1.5)
    said = startup.summary(found)
    assert "goal of 1.3 is missed" in said
    assert "goal of 0.5 s is missed" in said


def test_starting_is_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(startup.WAYS, "every public name", startup.WAYS["import saffu"])
    monkeypatch.setitem(startup.WAYS, "NumPy and SciPy", startup.WAYS["import saffu"])
    out = tmp_path / "startup.json"
    startup.main(["--rounds", "1", "--out", str(out)])
    found = json.loads(out.read_text("utf-8"))["seconds"]
    assert list(found) == list(startup.WAYS)
    assert all(len(times) == 1 and times[0] > 0 for times in found.values())


# --- all ratios -------------------------------------------------------------------------------


def record(folder: Path, name: str, found: object) -> None:
    (folder / f"{name}.json").write_text(json.dumps(found), encoding="utf-8")


def test_ratios_in_our_favour_are_above_one(tmp_path: Path) -> None:
    steps = {"E frozen": 0.5, "E trained": 2.0}
    record(tmp_path, "speed", {"ratio_wall": 13.0, "step_ratios": steps})
    record(tmp_path, "race", {"races": {name: {"ratio": 0.25, "missed": 0} for name in race.GOALS}})
    sizes = [{"targets": 10, "ratio": 4.0}, {"targets": 20, "ratio": None}]
    record(tmp_path, "reach", {"sizes": sizes})
    record(tmp_path, "startup", {"ratio": 0.8})
    found = ratios.goals(tmp_path)
    assert [goal.ratio for goal in found] == [13.0, 2.0, 0.5, 4.0, 4.0, 4.0, 4.0, 1.25]
    assert [goal.least for goal in found][1:3] == pytest.approx([1 / 0.9, 1.0])
    assert (found[0].least, found[3].least) == (speed.GOAL, reach.GOAL)
    assert [goal.reached for goal in found] == [True, True, False, False, True, True, True, True]


def test_the_picture_is_drawn_of_what_there_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "deep" / "ratios.png"
    ratios.main([str(tmp_path), "--out", str(picture)])
    assert "no results" in capsys.readouterr().out
    assert not picture.exists()
    record(tmp_path, "startup", {"ratio": 0.8})
    ratios.main([str(tmp_path), "--out", str(picture)])
    assert "| 1.25 | 0.77 | reached |" in " ".join(capsys.readouterr().out.split())
    assert picture.read_bytes().startswith(b"\x89PNG")
