"""Freeze and thaw, early stopping, and training that can be interrupted anywhere.   (SPEC 6)"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from saffu.batch import plan
from saffu.cipher import cipher_embedding
from saffu.configuration import Configuration
from saffu.contexts import DocumentContext, RadialContext
from saffu.errors import BadOption, Diverged, NotConverged, TrainingInterrupted
from saffu.model import model_loss
from saffu.models.training import (
    Rates,
    Record,
    Schedule,
    TrainingState,
    project_to_simplex,
    start_training,
    train,
    validation_nats,
)
from saffu.parameters import Parameters, cold_start, flatten
from saffu.progress import silent
from saffu.types import Array
from spec_tests.support.texts import corpora

TRAIN, HELD, VOCABULARY, _ = corpora()
SHAPE = Configuration(len(VOCABULARY), (RadialContext(3), DocumentContext()), bits=7, label_bits=6)
SCHEDULE = Schedule(
    batch=64, frozen_epochs=3, thawed_epochs=2, patience=9, rates=Rates.all(0.02), chunk=150
)


def _start(configuration: Configuration = SHAPE) -> TrainingState:
    embedding = cipher_embedding(TRAIN.counts(len(VOCABULARY)), configuration.bits)
    return start_training(cold_start(configuration, embedding, scale=0.1, seed=3))


def _train(
    state: TrainingState, schedule: Schedule = SCHEDULE, shape: Configuration = SHAPE, **more: Any
) -> TrainingState:
    return train(state, shape, TRAIN, HELD, schedule, progress=more.pop("progress", silent), **more)


def _same(one: Parameters, other: Parameters) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(flatten(one), flatten(other), strict=True))


def off_simplex(embedding: Array) -> float:
    """How far rows are from the simplex: the largest of −entry and |norm − 1|."""
    below = float(np.maximum(-embedding, 0).max())
    return max(below, float(np.abs(np.maximum(embedding, 0).sum(axis=1) - 1).max()))


class _Stop:
    """Progress that interrupts at the n-th batch."""

    def __init__(self, after: int) -> None:
        self.left = after

    def __call__(self, *_: object) -> None:
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("after", [1, 4, 17, 26])
def test_an_interrupted_training_goes_on_as_if_it_never_stopped(after: int, depth: int) -> None:
    shape = replace(SHAPE, depth=depth)
    whole = _train(_start(shape), shape=shape)
    kept: list[TrainingState] = []
    with pytest.raises(TrainingInterrupted, match="interrupted") as stopped:
        _train(_start(shape), shape=shape, progress=_Stop(after), keep=kept.append)
    assert stopped.value.state is kept[-1]
    assert kept[-1].stage in ("frozen", "thawed")
    resumed = _train(kept[-1], shape=shape)
    assert _same(whole.log.best, resumed.log.best)
    assert _same(whole.parameters, resumed.parameters)
    told = [(r.stage, r.epoch, r.targets, r.validation_nats) for r in whole.log.history]
    assert told == [(r.stage, r.epoch, r.targets, r.validation_nats) for r in resumed.log.history]


def test_interruption_during_a_validation_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    import saffu.models.training as module

    whole = _train(_start())
    calls = iter([None, None, KeyboardInterrupt])
    real = module.validation_nats

    def sometimes(*given: Any) -> float:
        stop = next(calls, None)
        if stop is not None:
            raise stop
        return real(*given)

    monkeypatch.setattr(module, "validation_nats", sometimes)
    with pytest.raises(TrainingInterrupted) as stopped:
        _train(_start())
    monkeypatch.setattr(module, "validation_nats", real)
    assert _same(_train(stopped.value.state).log.best, whole.log.best)


def test_stages_come_in_order_and_the_best_is_kept() -> None:
    heard: list[Record] = []
    start = _start()
    state = _train(start, on_record=heard.append)
    assert tuple(heard) == state.log.history
    assert [r.stage for r in heard] == ["warm"] + ["frozen"] * 6 + ["thawed"] * 4
    assert heard[0].targets == 0
    assert heard[0].train_nats is None
    assert heard[-1].targets == 5 * TRAIN.targets
    assert state.stage == "done"
    assert state.log.best_nats == min(r.validation_nats for r in heard)
    assert state.log.best_nats < heard[0].validation_nats - 0.5
    judged = validation_nats(state.log.best, SHAPE, HELD, HELD.targets)
    assert judged == pytest.approx(state.log.best_nats, rel=1e-12)


def test_validation_nats_are_the_mean_loss_of_the_text() -> None:
    chunks = list(HELD.chunks(HELD.targets))
    parameters = cold_start(SHAPE, _start().parameters.embedding, scale=0.8, seed=4)
    total = sum(
        model_loss(parameters, plan(c, SHAPE), SHAPE.layer) * c.targets.shape[0] for c in chunks
    )
    judged = validation_nats(parameters, SHAPE, HELD, HELD.targets)
    assert judged == pytest.approx(total / HELD.targets, rel=1e-12)


def test_a_frozen_embedding_stands_still_and_a_thawed_one_moves() -> None:
    start = _start()
    frozen = _train(start, replace(SCHEDULE, thawed_epochs=0))
    assert np.array_equal(frozen.parameters.embedding, start.parameters.embedding)
    assert not np.array_equal(frozen.parameters.output, start.parameters.output)
    thawed = _train(start, replace(SCHEDULE, frozen_epochs=0, thawed_epochs=1))
    assert not np.array_equal(thawed.parameters.embedding, start.parameters.embedding)
    assert off_simplex(thawed.parameters.embedding) > 1e-4


def test_a_projected_embedding_stays_on_the_simplex() -> None:
    schedule = replace(SCHEDULE, frozen_epochs=0, thawed_epochs=1, project="simplex")
    state = _train(_start(), schedule)
    assert off_simplex(state.parameters.embedding) < 1e-12
    assert not np.array_equal(state.parameters.embedding, _start().parameters.embedding)


def test_a_rate_of_zero_leaves_its_group_alone() -> None:
    rates = Rates(attention=0.0, features=0.02, output=0.0, embedding=0.0)
    start = _start()
    state = _train(start, replace(SCHEDULE, rates=rates, thawed_epochs=0))
    assert np.array_equal(state.parameters.output, start.parameters.output)
    for before, after in zip(start.parameters.towers, state.parameters.towers, strict=True):
        assert np.array_equal(before[0].attention, after[0].attention)
        assert not np.array_equal(before[0].features, after[0].features)


def test_stages_end_when_validation_stops_falling() -> None:
    schedule = replace(SCHEDULE, rates=Rates.all(0.0), patience=2, frozen_epochs=50)
    state = _train(_start(), schedule)
    assert [r.stage for r in state.log.history] == ["warm", "frozen", "frozen", "thawed", "thawed"]


def test_another_seed_trains_another_model_and_the_same_seed_the_same() -> None:
    one, same = _train(_start()), _train(_start())
    other = _train(_start(), replace(SCHEDULE, seed=1))
    assert _same(one.log.best, same.log.best)
    assert not _same(one.log.best, other.log.best)


def test_sgd_trains_too() -> None:
    schedule = replace(SCHEDULE, optimiser="sgd", rates=Rates.all(1.0))
    state = _train(_start(), schedule)
    assert state.log.best_nats < state.log.history[0].validation_nats - 0.1


def test_a_time_limit_ends_the_training_with_the_best_so_far(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = _train(_start())
    ticks = iter(range(10**6))
    monkeypatch.setattr("saffu.models.training.time.monotonic", lambda: float(next(ticks)))
    state = _train(_start(), replace(SCHEDULE, seconds=10.0))
    assert state.stage == "done"
    assert 10 < state.seconds < 20  # on a clock that ticks whenever it is looked at
    assert 0 < state.targets < whole.targets
    assert state.batches == 0  # what was trained last is judged, too
    assert state.log.best_nats == min(record.validation_nats for record in state.log.history)
    judged = validation_nats(state.log.best, SHAPE, HELD, SCHEDULE.validation_targets)
    assert judged == pytest.approx(state.log.best_nats, rel=1e-12)
    assert _same(state.parameters, state.log.best)


@pytest.mark.parametrize("rate", [1e3, 1e200])
@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
def test_a_training_that_diverges_keeps_what_was_best(optimiser: Any, rate: float) -> None:
    start = _start()
    schedule = replace(SCHEDULE, optimiser=optimiser, rates=Rates.all(rate))
    try:
        log = _train(start, schedule).log
    except Diverged as refusal:
        log = refusal.state.log
    assert all(np.isfinite(record.validation_nats) for record in log.history)
    judged = validation_nats(log.best, SHAPE, HELD, HELD.targets)
    assert judged <= log.history[0].validation_nats * (1 + 1e-12)


def test_a_rate_without_end_diverges() -> None:
    with pytest.raises(
        Diverged, match=r"training diverged .*lower the learning rate, which is 1e\+200"
    ) as caught:
        _train(_start(), replace(SCHEDULE, optimiser="sgd", rates=Rates.all(1e200)))
    assert isinstance(caught.value, NotConverged)
    assert _same(caught.value.state.log.best, _start().parameters)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("batch", 0),
        ("patience", 0),
        ("frozen_epochs", -1),
        ("optimiser", "rmsprop"),
        ("seconds", 0.0),
        ("project", "sphere"),
        ("checks", 0),
    ],
)
@pytest.mark.usefixtures("as_users_call")
def test_impossible_schedules_are_refused(field: str, value: object) -> None:
    with pytest.raises(BadOption, match=field):
        replace(SCHEDULE, **{field: value})  # type: ignore[arg-type]


def test_projection_by_hand() -> None:
    embedding = np.array([[0.6, -0.2, 0.6], [0.0, 1.0, 0.0]])
    expected = np.array([[0.5, 0.0, 0.5], [0.0, 1.0, 0.0]])
    np.testing.assert_allclose(project_to_simplex(embedding), expected)
