"""Training logs, and programs that are interrupted."""

from __future__ import annotations

import math
import os
import signal
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saffu.progress import TrainingLog, interruptible

LOSSES = st.lists(st.floats(0, 100), min_size=1, max_size=20)


@given(LOSSES)
def test_the_best_is_the_first_of_the_lowest_losses(losses: list[float]) -> None:
    log = TrainingLog[int, float](-1)
    for index, loss in enumerate(losses):
        log = log.after(loss, index, loss)
    assert (log.best, log.best_nats) == (losses.index(min(losses)), min(losses))
    assert log.waited == len(losses) - 1 - log.best
    assert log.history == tuple(losses)


def test_without_a_loss_the_last_is_the_best_and_patience_never_ends() -> None:
    log = TrainingLog[str, str]("start")
    for name in ("one", "two", "three"):
        log = log.after(name, name, None)
    assert (log.best, log.best_nats, log.waited) == ("three", math.inf, 0)


@pytest.fixture
def as_python_sets_them() -> None:
    """Handlers that nobody has changed, as in a program that has just begun."""
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        pytest.skip("somebody else listens to SIGINT here")


@pytest.mark.usefixtures("as_python_sets_them")
def test_the_second_interruption_does_not_stop_the_saving_that_the_first_began() -> None:
    saved = False
    with interruptible(signal.SIGINT):
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        saved = True
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert saved
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_handlers_of_others_stay() -> None:
    numbers: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: numbers.append(number))
    try:
        with interruptible(signal.SIGTERM):
            os.kill(os.getpid(), signal.SIGTERM)
        assert numbers == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.usefixtures("as_python_sets_them")
def test_blocks_may_lie_in_one_another_and_in_threads() -> None:
    with interruptible(signal.SIGINT), interruptible(signal.SIGINT):
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
    done = []

    def work() -> None:
        with interruptible(signal.SIGINT):
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [True]
