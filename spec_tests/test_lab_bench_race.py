"""The race on digits: who is timed does what is said, and the referee costs nothing.   (SPEC 1)"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from saffu.network import Examples
from saffu_lab.bench import race, ratios
from saffu_lab.bench.race import TINY, Clock, Heat, explicit_layer, loss_of, main, polish_to
from saffu_lab.bench.race import summary as said_of
from saffu_lab.digits.digits import load
from spec_tests.support import patience

RANDOM = np.random.default_rng(17)
EXAMPLES = Examples(RANDOM.random((101, 7)).astype(np.float32), RANDOM.integers(0, 10, 101))


def heat(ours: float, rival: float) -> Heat:
    slow = (9.0, 9.0, 9.0)
    return Heat("fit", (ours, 2 * ours, ours), {"slow": slow, "quick": (rival,) * 3}, {})


@pytest.mark.parametrize(("ours", "rival", "word"), [(1.0, 2.1, "reached"), (1.0, 1.9, "missed")])
def test_the_quickest_rival_counts(ours: float, rival: float, word: str) -> None:
    found = heat(ours, rival)
    assert found.ratio == pytest.approx(ours / rival)
    assert f"0.5, {word}" in said_of([found])


def test_a_round_that_never_got_there_misses_the_goal() -> None:
    some = Heat("epoch", (0.5, np.inf, 0.5), {"rival": (1.0,) * 3}, {})
    assert some.ratio == 0.5 < race.GOALS["epoch"]
    assert some.verdict == "missed: 1 of 3 rounds never got there"
    assert "1 of 3 rounds never got there" in said_of([some])
    kept = json.loads(json.dumps(race.record([some], TINY, 1, 0.0), allow_nan=False))
    assert kept["races"]["epoch"]["ours"] == [0.5, None, 0.5]
    (goal,) = ratios.of_race(kept)
    assert goal.ratio == 2.0 > goal.least
    assert not goal.reached
    assert "missed in 1 of 3 rounds" in ratios.summary([goal])
    most = Heat("epoch", (0.5, np.inf, np.inf), {"rival": (1.0,) * 3}, {})
    assert "never" in said_of([most])
    (goal,) = ratios.of_race(json.loads(json.dumps(race.record([most], TINY, 1, 0.0))))
    assert (goal.ratio, goal.reached) == (0.0, False)


def test_the_clock_stands_still_for_the_referee(monkeypatch: pytest.MonkeyPatch) -> None:
    outside = patience.Clock()
    monkeypatch.setattr(race, "time", outside.module)

    def slow() -> bool:
        outside.work(64.0)
        return True

    clock = Clock()
    outside.work(0.25)
    assert clock.aside(slow)
    outside.work(0.5)
    assert clock.seconds() == 0.75


def test_a_goal_that_is_reached_is_reached_and_another_is_not() -> None:
    start = loss_of(explicit_layer(EXAMPLES, TINY), EXAMPLES)
    seconds, reached = polish_to(EXAMPLES, EXAMPLES, 0.98 * start, TINY)
    assert 0 < seconds < float("inf")
    assert 0 < reached <= 0.98 * start
    seconds, reached = polish_to(EXAMPLES, EXAMPLES, 0.0, TINY)
    assert seconds == float("inf")
    assert reached > 0


@pytest.mark.torch
def test_every_race_is_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    out = tmp_path / "deep" / "race.json"
    main(["--tiny", "--out", str(out)])
    found = json.loads(out.read_text("utf-8"))
    assert list(found["races"]) == ["fit", "epoch", "logistic"] == list(race.GOALS)
    for each in found["races"].values():
        assert each["ratio"] > 0
        assert all(t > 0 for t in each["ours"])
    assert found["races"]["fit"]["facts"]["largest difference of probabilities"] < 1e-5
    assert "| logistic" in capsys.readouterr().out


@pytest.mark.torch
def test_an_epoch_of_sgd_learns() -> None:
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    data = load(None, 1, None)
    layer, seconds = race.sgd_epoch(data.train, 0.3, TINY, 0)
    assert seconds > 0
    assert loss_of(layer, data.test) < np.log(10) / 2
