"""The study of images: intervals, the plan from beginning to end, verdicts both ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saffu.errors import BadOption
from saffu.loss import cross_entropy
from saffu_lab.records.results import Line
from saffu_lab.replication.images import tasks as images
from saffu_lab.replication.images.chapter import NAMES
from saffu_lab.replication.images.classifiers import complete, make
from saffu_lab.replication.images.classifiers import images as read_images
from saffu_lab.replication.images.intervals import drawn_means, judge_all, pair_of, wilson
from saffu_lab.study.sources import Sources
from spec_tests.support.studies import whole_in_parts


@given(st.integers(0, 40), st.integers(41, 400))
def test_wilson_interval_solves_its_equation(right: int, of: int) -> None:
    """Its ends are the shares p from which the observed one is 1.96 standard errors away."""
    found = wilson(right, of)
    for end in (found.low, found.high):
        expected = 1.959964**2 * end * (1 - end) / of
        assert (right / of - end) ** 2 == pytest.approx(expected, abs=1e-12)
    assert found.low - 1e-12 <= right / of <= found.high + 1e-12


def test_drawing_whole_groups_widens_the_interval() -> None:
    """Rows of one group that say the same are one observation, not many."""
    values = np.repeat(np.random.default_rng(5).normal(size=(29, 1)), 17, axis=0)
    alone = drawn_means(values).std()
    together = drawn_means(values, np.arange(0, 29 * 17, 17)).std()
    assert together / alone == pytest.approx(np.sqrt(17), rel=0.1)


def test_groups_of_one_row_are_rows() -> None:
    values = np.random.default_rng(1).normal(size=(31, 3))
    np.testing.assert_allclose(drawn_means(values), drawn_means(values, np.arange(31)))


def test_judged_as_the_definitions_say() -> None:
    random = np.random.default_rng(7)
    labels = random.integers(0, 5, 101)
    z = {name: random.normal(size=(101, 5)) for name in ("a", "b", "c")}
    z["d"] = z["a"] + 3.0  # a row shift, which softmax does not see
    found = judge_all(z, labels)
    for name, logits in z.items():
        nats = float(cross_entropy(logits, np.eye(5)[labels]))
        assert found["rows"][name]["nats"] == pytest.approx(nats, abs=1e-6)
        assert found["rows"][name]["right"] == (logits.argmax(axis=1) == labels).sum()
        assert found["rows"][name]["low"] < nats < found["rows"][name]["high"]
    gap, back = pair_of(found, "a", "b"), pair_of(found, "b", "a")
    assert gap is not None
    assert back is not None
    assert gap.mean == -back.mean
    assert (gap.low, gap.high) == (-back.high, -back.low)
    same = found["pairs"]["a|d"]
    assert max(abs(same[name]) for name in ("nats", "low", "high")) < 1e-9
    assert same["only_first"] == same["only_second"] == 0
    difference = found["rows"]["a"]["right"] - found["rows"]["b"]["right"]
    pair = found["pairs"]["a|b"]
    assert pair["only_first"] - pair["only_second"] == difference
    assert pair_of(found, "a", "nobody") is None


def test_recipes_refuse_other_fields() -> None:
    with pytest.raises(BadOption, match="speed"):
        complete({"speed": 3})


def _sources(folder: Path) -> Sources:
    return Sources(tiny=True, cache=str(folder / "models"))


def test_whole_plan_stopped_and_resumed(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    pytest.importorskip("matplotlib")
    sources, path = _sources(tmp_path), tmp_path / "images.jsonl"
    lines = whole_in_parts(images, sources, path, 7)
    tests = [at for at, line in enumerate(lines) if line["do"] == "test"]
    assert len(tests) == 2
    for at in tests:
        seed = lines[at]["seed"]
        later = [x for x in lines[at + 1 :] if x["do"] == "trial" and x["seed"] == seed]
        assert not later
        assert set(lines[at]["rows"]) == set(NAMES)
    chapter = images.chapter(lines)
    assert all(name in chapter.text for name in NAMES.values())
    assert {claim.verdict for claim in chapter.claims}.isdisjoint({"not measured"})
    assert "MNIST was not available" in chapter.text
    for draw in chapter.pictures.values():
        assert len(draw().axes) == 2


def test_lost_network_is_made_again(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    sources = _sources(tmp_path)
    key = {"data": "digits", "size": None, "seed": 1, "images": "x"}
    for recipe in ({"steps": 3}, {"start": "cold", "scale": [0.1], "rate": 0.01, "epochs": 1}):
        one = make(key, recipe, sources)
        again = make(key, recipe, sources)
        for file in sources.models.iterdir():
            file.unlink()
        anew = make(key, recipe, sources)
        for other in (again, anew):
            assert other.validation_nats == one.validation_nats
            np.testing.assert_array_equal(
                other.network.layers[0].weights, one.network.layers[0].weights
            )


def test_scaling_never_raises_the_loss_and_becomes_one_layer(tmp_path: Path) -> None:
    """The slack feature goes into weights and bias without a change of the training loss."""
    pytest.importorskip("sklearn")
    sources = _sources(tmp_path)
    key = {"data": "digits", "size": None, "seed": 1, "images": "x"}
    made = make(key, {"steps": 11}, sources)
    before, after = made.about["losses"]
    assert after < before
    train = read_images("digits", sources, 1).train
    assert made.network.cross_entropy(train) == pytest.approx(after, abs=1e-4)


def _lines(nats: Mapping[str, float], right: Mapping[str, int], start: float) -> list[Line]:
    """Two seeds of a finished study, with these results; `start`: a warm start's first epoch."""
    common = {"study": "images", "data": "digits", "size": None, "images": "x", "seed": 1}
    trials: list[Line] = [
        {
            **common,
            "do": "trial",
            "row": row,
            "recipe": {"rate": 0.1} if "trained" in row or "cold" in row else {},
            "validation_nats": nats[row],
            "fit_cpu_seconds": 1.0,
            "trained_on": 101,
            "history": [2.0, start if "trained" in row else 1.0, 0.5],
        }
        for row in NAMES
    ]
    rows = {
        row: {"right": right[row], "nats": n, "low": n - 0.01, "high": n + 0.01}
        for row, n in nats.items()
    }
    names: Sequence[str] = list(NAMES)
    pairs = {
        f"{a}|{b}": {
            "nats": nats[a] - nats[b],
            "low": nats[a] - nats[b] - 0.02,
            "high": nats[a] - nats[b] + 0.02,
            "only_first": 0,
            "only_second": 0,
        }
        for i, a in enumerate(names)
        for b in names[i + 1 :]
    }
    chosen = {trial["row"]: trial["recipe"] for trial in trials}
    test = {**common, "do": "test", "chosen": chosen, "tested": 1000, "rows": rows, "pairs": pairs}
    return [{**line, "seed": seed} for seed in (1, 2) for line in (*trials, test)]


def _verdicts(lines: Sequence[Line]) -> list[str]:
    return [claim.verdict for claim in images.chapter(lines).claims]


def test_verdicts_follow_the_lines() -> None:
    names = list(NAMES)
    two = [name for name in names if name.startswith("two")]
    good = dict.fromkeys(names, 0.3) | dict.fromkeys(two, 0.2)
    good |= {"one, cold": 0.4, "two, cold": 0.3, "one, trained": 0.29, "two, trained": 0.19}
    right = dict.fromkeys(names, 900)
    assert _verdicts(_lines(good, right, 0.5)) == ["holds"] * 5
    bad = dict.fromkeys(names, 0.6) | dict.fromkeys(two, 2.0) | {"two, trained": 0.9}
    bad |= {"one, λ = 1": 2.2, "one": 1.9, "one, cold": 0.2, "two, cold": 0.1}
    wrong = right | {"one, λ = 1": 300, "one": 300}
    assert _verdicts(_lines(bad, wrong, 1.5)) == ["does not hold"] * 5


def test_intervals_that_hold_zero_prove_nothing() -> None:
    even = dict.fromkeys(NAMES, 0.3)
    found = _verdicts(_lines(even, dict.fromkeys(NAMES, 900), 0.5))
    assert (found[1], found[4]) == ("undecided", "undecided")


def test_one_seed_has_no_interval_over_seeds() -> None:
    good = dict.fromkeys(NAMES, 0.3)
    lines = [line for line in _lines(good, dict.fromkeys(NAMES, 900), 0.5) if line["seed"] == 1]
    (claim,) = (c for c in images.chapter(lines).claims if "after one epoch" in c.statement)
    assert (claim.verdict, claim.seeds) == ("undecided", "1")
    assert "no interval" in claim.evidence


def test_nothing_measured_is_said() -> None:
    chapter = images.chapter([])
    assert {claim.verdict for claim in chapter.claims} == {"not measured"}
    assert "MNIST was not available" in chapter.text
