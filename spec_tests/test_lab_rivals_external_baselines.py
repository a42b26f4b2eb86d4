"""Models from outside: each gets the same targets, and says how many nats they took.   (SPEC 7)"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from saffu_lab.records.results import Line, Results
from saffu_lab.replication.less_data import tasks as less_data
from saffu_lab.rivals import external_baselines as outsiders
from saffu_lab.rivals.decoder import NOTHING, Decoder, Shape, fit_decoder, windows
from saffu_lab.rivals.external_baselines import (
    counted_tasks,
    read_baseline,
    read_decoder,
    read_slots,
    trial_decoder,
    trial_slots,
)
from saffu_lab.study.selection import Row, row_key
from saffu_lab.study.sources import Sources
from saffu_lab.study.task import Answers
from saffu_lab.study.texts import texts
from spec_tests.support.studies import little_text

RECIPES: dict[str, Line] = {
    "transformer": {
        "rate": 0.01,
        "epochs": 2,
        "dropout": 0.0,
        "width": 8,
        "blocks": 1,
        "context": 8,
    },
    "one-hot cold": {"rate": 0.1, "epochs": 2},
}


@pytest.fixture(scope="module", autouse=True)
def text() -> Iterator[None]:
    with little_text(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(outsiders, "TINY_VOCABULARY", 13)
        yield


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    return Sources(text=("prose",), tiny=True, cache=str(tmp_path))


@pytest.mark.parametrize(("length", "stride"), [(7, 7), (8, 4), (5, 1)])
def test_windows_have_every_target_once(length: int, stride: int, sources: Sources) -> None:
    corpus = texts(sources, 13, 1).test
    x, y, owner = windows(corpus, length, stride)
    for number, document in enumerate(corpus):
        mine = owner == number
        assert y[mine][y[mine] != NOTHING].tolist() == document[1:].tolist()
        first = x[mine][0]
        assert first[: document.shape[0] - 1].tolist() == document[:-1].tolist()[:length]


@pytest.mark.torch
def test_a_decoder_does_not_look_ahead() -> None:
    model = Decoder(Shape(11, width=8, heads=2, blocks=2, context=6, dropout=0.3), seed=1)
    model.parts.eval()
    tokens = model.torch.arange(6)[None, :]
    changed = tokens.clone()
    changed[0, 4] = 9
    before, after = (model.logits(t).detach().numpy() for t in (tokens, changed))
    np.testing.assert_allclose(before[0, :4], after[0, :4], atol=1e-6)
    assert np.abs(before[0, 4:] - after[0, 4:]).max() > 1e-4


@pytest.mark.torch
def test_training_keeps_the_best_weights(sources: Sources) -> None:
    common = texts(sources, 13, 1)
    model = Decoder(Shape(13, width=8, heads=2, blocks=1, context=8), seed=1)
    noted: list[float] = []
    fit_decoder(
        *(model, common.amount(700, 1), common.validation),
        rate=0.02,
        epochs=4,
        note=lambda *said: noted.append(said[2]),
    )
    nats, targets = model.nats(common.validation)
    assert targets.sum() == common.validation.targets
    assert nats.sum() / targets.sum() == pytest.approx(min(noted), abs=1e-5)
    assert min(noted) < noted[0]


@pytest.mark.torch
@pytest.mark.parametrize(
    ("name", "trial", "read"),
    [("transformer", trial_decoder, read_decoder), ("one-hot cold", trial_slots, read_slots)],
)
def test_what_is_tested_is_what_was_tried(
    name: str, trial: Any, read: Any, sources: Sources
) -> None:
    row = Row(name, [RECIPES[name]], 700, 1)
    tried = trial(row_key("s", row, sources, "trial", RECIPES[name]), sources)
    key = row_key("s", row, sources, "test", RECIPES[name])
    tested = read(key, sources)
    common = texts(sources, 13, 1)
    assert sum(tested["targets_tested"]) == common.test.targets
    assert tried["history"][-1][1] > 0
    for file in sources.models.glob("*.npz"):
        file.unlink()
    again = read(key, sources)
    np.testing.assert_allclose(again["nats"], tested["nats"], rtol=1e-4)


def test_baselines_are_tested_on_every_target(sources: Sources) -> None:
    tasks = counted_tasks("s", 700, 1, sources)
    lines = {task.key["row"]: read_baseline(task.key, sources) for task in tasks[:2]}
    common = texts(sources, 13, 1)
    assert all(sum(line["targets_tested"]) == common.test.targets for line in lines.values())
    assert sum(lines["bigram"]["nats"]) < sum(lines["unigram"]["nats"])


def test_without_its_programs_kenlm_is_left_out(sources: Sources) -> None:
    rows = [task.key["row"] for task in counted_tasks("s", 700, 1, sources)]
    missing = Sources(text=("prose",), tiny=True, kenlm=("no-lmplz", "no-query"))
    assert [task.key["row"] for task in counted_tasks("s", 700, 1, missing)] == [
        "unigram",
        "bigram",
    ]
    assert rows[:2] == ["unigram", "bigram"]


def test_large_sizes_take_the_rates_that_were_best_before(sources: Sources, tmp_path: Path) -> None:
    small, large = less_data.SIZES[1], less_data.SIZES[-1]
    sizes = (
        small._replace(decoder_rates=(0.1, 0.2, 0.4), slot_rates=(0.3, 0.6)),
        small._replace(targets=100, decoder_rates=None, slot_rates=None),
        large._replace(targets=200, decoder_rates=None, slot_rates=()),
    )
    answers = Answers(Results(tmp_path / "lines.jsonl"))
    best = {"transformer": 0.2, "one-hot cold": 0.6}

    def open_tasks() -> list[Line]:
        tasks = less_data.outside_tasks(sizes, sources, answers)
        return [task.key for task in tasks if answers.get(task.key) is None]

    first = open_tasks()
    assert {key["targets"] for key in first} == {small.targets}
    assert {key["do"] for key in first} == {"trial"}
    for key in first:
        distance = abs(key["recipe"]["rate"] - best[key["row"]])
        answers.add(key, {"validation_nats": 3 + distance})
    tried: list[Line] = []
    while keys := open_tasks():
        tried += [key for key in keys if key["do"] == "trial"]
        for key in keys:
            answers.add(key, {"validation_nats": 5.0})
    found = [(key["row"], key["targets"], key["recipe"]["rate"]) for key in tried]
    assert sorted(found) == [
        ("one-hot cold", 100, 0.6),
        ("transformer", 100, 0.2),
        ("transformer", 200, 0.2),
    ]
