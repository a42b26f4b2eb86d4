"""The measurements of scale: their text, their verdicts.   (SPEC 1, 5)"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from saffu_lab.bench import growth, worker_scaling
from saffu_lab.bench.generated import LONGEST, SHORTEST, open_text, write_text
from saffu_lab.bench.growth import LINEAR, MEGABYTES, Point, Stopwatch, exponent, judged, summary
from spec_tests.support.patience import Clock

V = 97


def test_a_text_has_the_length_asked_for_and_is_the_same_again(tmp_path: Path) -> None:
    for name, targets, seed in (("a", 9_001, 0), ("b", 9_001, 0), ("c", 9_001, 1), ("d", 7e5, 0)):
        (tmp_path / name).mkdir()
        write_text(tmp_path / name, int(targets), V, seed)
        text = open_text(tmp_path / name)
        assert targets <= text.targets <= targets + LONGEST + 1
        lengths = text.index.lengths
        assert SHORTEST + 2 <= lengths.min() <= lengths.max() < LONGEST + 2
        for document in text:
            assert document[0] == 0
            assert document[-1] == 1
            assert document[1:-1].min() >= 3
            assert document.max() < V
    ids = {name: (tmp_path / name / "ids").read_bytes() for name in "abcd"}
    assert ids["a"] == ids["b"] != ids["c"]


def test_words_are_unequal_and_prefer_a_follower(tmp_path: Path) -> None:
    write_text(tmp_path, 100_000, V)
    words = np.concatenate([document[1:-1] for document in open_text(tmp_path)]) - 3
    counts = np.bincount(words, minlength=V - 3)
    assert counts[0] > 5 * counts[V // 2] > 0
    assert 0.2 < np.mean((words[:-1] * 31 + 7) % (V - 3) == words[1:]) < 0.35


@pytest.mark.parametrize("power", [0.5, 1.0, 1.3])
def test_the_exponent_of_a_power_law_is_found(power: float) -> None:
    targets = [1e6, 1e7, 1e8]
    assert exponent(targets, [3e-6 * t**power for t in targets]) == pytest.approx(power)


@pytest.mark.parametrize(("power", "linear"), [(1.0, "kept"), (1.0 + 2 * LINEAR, "missed")])
@pytest.mark.parametrize(("peak", "bounded"), [(MEGABYTES, "kept"), (MEGABYTES + 1.0, "missed")])
def test_the_verdicts_follow_the_points(
    power: float, linear: str, peak: float, bounded: str
) -> None:
    points = [
        Point(t, {"pairs": t**power}, {"pairs": float(t)}, peak) for t in (10, 1_000, 100_000)
    ]
    said = summary(points, judged(points))
    assert f"to the power {power:.2f} by the clock, so that the goal of 1 ± 0.1 is {linear}" in said
    assert "to the power 1.00 of the processor, where other programs count less: kept" in said
    assert f"the goal of 2048 MB is {bounded}" in said


def test_a_stopwatch_adds_up_the_passes_of_a_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(growth, "time", clock.module)
    watch = Stopwatch()
    for stage, done in (("a", 0), ("a", 7), ("b", 0), ("b", 3), ("b", 7), ("a", 0), ("a", 7)):
        clock.work(0.5 if done else 64.0)  # what goes by before a pass begins is not counted
        watch(stage, done, 7)
    assert watch.targets == {"a": 7, "b": 7}
    assert watch.seconds == watch.cpu_seconds == {"a": 1.0, "b": 1.0}


def test_one_worker_is_compared_with_two_round_by_round() -> None:
    seconds = {"dask, 1": [4.0, 9.0, 6.0], "dask, 2": [2.0, 3.0, 4.0]}
    assert worker_scaling.ratio(seconds, "dask") == 2.0


@pytest.mark.parametrize(("same", "said"), [(True, "gave the same bits"), (False, "NOT the same")])
@pytest.mark.parametrize(("times", "kept"), [(1.7, "kept"), (1.69, "missed")])
def test_the_verdict_of_clusters_follows_the_record(
    same: bool, said: str, times: float, kept: str
) -> None:
    record = {
        "targets": 1000,
        "seconds": {"serial": [1.0, 2.0, 4.0]},
        "same_bits": same,
        "ratios": {"dask": times},
        "load": [0.5, 1.5],
    }
    text = worker_scaling.summary(record)
    assert said in text
    assert f"the goal of 1.7 is {kept}" in text
    assert "500" in text


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell the peak")
def test_growth_is_measured_in_processes_of_their_own(tmp_path: Path) -> None:
    out = tmp_path / "growth.json"
    growth.main(["--tiny", "--out", str(out)])
    record = json.loads(out.read_text(encoding="utf-8"))
    assert [point["targets"] // 1000 for point in record["points"]] == [20, 80]
    for point in record["points"]:
        assert "pairs of tokens" in point["seconds"]
        assert 10 < point["megabytes"] < 500
    assert out.with_suffix(".png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_all_engines_give_the_same_bits(tmp_path: Path) -> None:
    out = tmp_path / "cluster.json"
    worker_scaling.main(["--tiny", "--out", str(out)])
    record = json.loads(out.read_text(encoding="utf-8"))
    assert set(record["digests"]) == set(record["seconds"])
    assert len(record["digests"]) == 5
    assert record["same_bits"]
    assert len(set(record["digests"].values())) == 1
