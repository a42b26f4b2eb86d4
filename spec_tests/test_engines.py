"""Engines: the same sum, to the last bit, whoever takes it and whoever is lost.   (SPEC 1)"""

from __future__ import annotations

import copy
import operator
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import reduce
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saffu.engines import POOL_PAYS, Engine, Pool, Serial, open_engine, opening
from saffu.engines.engine import Fold
from saffu.engines.pool import AHEAD, ATTEMPTS, QUEUE, cores, held_back
from saffu.errors import (
    BadFile,
    BadOption,
    Interrupted,
    Missing,
    NoSamples,
    NoScheduler,
    NotFitted,
    NotUtf8,
    SaffuError,
    TokenOutOfRange,
    WorkerLost,
    WrongShape,
)
from spec_tests.support import workers
from spec_tests.support.patience import alive, until

PARTS = 23
LETTERS = "".join(f"<{part}>" for part in range(PARTS))


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool(2) as pool:
        yield pool


# --- the sum ----------------------------------------------------------------------------------


@given(st.permutations(range(13)))
def test_answers_are_added_in_the_order_of_the_parts(order: list[int]) -> None:
    told: list[int] = []
    fold: Fold[str] = Fold(operator.add, told.append)
    for part in order:
        fold.put(part, workers.letters(part))
    assert fold.total() == "".join(f"<{part}>" for part in range(13))
    assert told == list(range(1, 14))


def test_every_engine_adds_from_left_to_right(pool: Pool) -> None:
    assert isinstance(pool, Engine)
    assert isinstance(Serial(), Engine)
    for engine in (Serial(), pool):
        told: list[int] = []
        total = engine.map_reduce(workers.letters, range(PARTS), operator.add, told.append)
        assert total == LETTERS
        assert told == list(range(1, PARTS + 1))


def test_sums_of_floating_point_numbers_are_the_same_bits(pool: Pool) -> None:
    numbers = [10.0 ** (part % 17) / 3.0 for part in range(301)]
    expected = reduce(operator.add, numbers)
    assert expected != reduce(operator.add, reversed(numbers))
    for engine in (Serial(), pool):
        assert engine.map_reduce(workers.thirds, range(301), operator.add) == expected


def test_other_processes_do_the_work(pool: Pool) -> None:
    seen = pool.map_reduce(workers.process_of, range(PARTS), operator.or_)
    assert os.getpid() not in seen
    assert 1 <= len(seen) <= 2


@pytest.mark.parametrize("kind", ["serial", "pool"])
def test_a_sum_of_nothing_is_refused(kind: str, pool: Pool) -> None:
    engine = Serial() if kind == "serial" else pool
    with pytest.raises(NoSamples):
        engine.map_reduce(workers.letters, [], operator.add)


def test_parts_are_asked_for_as_they_are_needed(pool: Pool, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    asked: list[int] = []

    def parts() -> Iterator[int]:
        for part in range(PARTS):
            asked.append(part)
            yield part

    def open_later() -> None:
        time.sleep(0.5)
        seen.append(len(asked))
        gate.touch()

    seen: list[int] = []
    opener = Thread(target=open_later)
    opener.start()
    assert pool.map_reduce(workers.Waiting(gate), parts(), operator.add) == LETTERS
    opener.join()
    assert seen[0] <= 2 * AHEAD + 2 * QUEUE < PARTS


# --- workers that are lost --------------------------------------------------------------------


def test_a_lost_worker_costs_the_part_that_it_was_at(tmp_path: Path) -> None:
    deadly = workers.Deadly(tmp_path, deadly=7, times=1)
    with Pool(2) as pool:
        assert pool.map_reduce(deadly, range(PARTS), operator.add) == LETTERS
        assert pool.recomputed == 1
        assert [deadly.begun(part) for part in range(PARTS)] == [
            2 if part == 7 else 1 for part in range(PARTS)
        ]
        assert pool.map_reduce(workers.letters, range(PARTS), operator.add) == LETTERS
        assert pool.recomputed == 1


@pytest.mark.parametrize("attempts", [1, ATTEMPTS])
def test_a_part_that_loses_every_worker_is_given_up(tmp_path: Path, attempts: int) -> None:
    deadly = workers.Deadly(tmp_path, deadly=5, times=99)
    with Pool(2, attempts=attempts) as pool:
        with pytest.raises(WorkerLost, match=f"part 5 of the data was begun {attempts} times"):
            pool.map_reduce(deadly, range(PARTS), operator.add)
        assert deadly.begun(5) == attempts
        assert pool.recomputed == attempts - 1
        assert pool.map_reduce(workers.letters, range(PARTS), operator.add) == LETTERS


def test_a_worker_may_die_with_nothing_to_do() -> None:
    with Pool(2) as pool:
        seen = pool.map_reduce(workers.process_of, range(PARTS), operator.or_)
        for process in seen:
            os.kill(process, signal.SIGKILL)
        time.sleep(0.3)
        assert pool.map_reduce(workers.letters, range(PARTS), operator.add) == LETTERS
        assert pool.recomputed <= len(seen)


def test_what_a_worker_refuses_is_refused_here(pool: Pool) -> None:
    with pytest.raises(BadFile, match="part 3: it is bad; take another") as caught:
        pool.map_reduce(workers.Refusing(3), range(PARTS), operator.add)
    assert (caught.value.path, caught.value.problem) == ("part 3", "it is bad")
    assert pool.map_reduce(workers.letters, range(PARTS), operator.add) == LETTERS


@pytest.mark.parametrize(
    "refusal",
    [
        WrongShape("x", "[M]", (2, 3), "SPEC 1"),
        TokenOutOfRange("tokens", (3,), 9, 7),
        WorkerLost(3, 2),
        BadFile("a.txt", "it is bad", "take another"),
        NotUtf8("a.txt", 3, 0x80),
        Missing("this", "the package that", "pip install that"),
        NoScheduler("tcp://127.0.0.1:9", "it does not answer"),
        NotFitted("model"),
        Interrupted("stopped"),
    ],
    ids=lambda refusal: type(refusal).__name__,
)
def test_a_refusal_arrives_as_it_was(refusal: SaffuError) -> None:
    arrived = copy.deepcopy(refusal)  # by the same protocol as between processes
    assert arrived is not refusal
    assert type(arrived) is type(refusal)
    assert str(arrived) == str(refusal)
    assert vars(arrived) == vars(refusal)
    assert arrived.args == refusal.args
    assert getattr(arrived, "msg", None) == getattr(refusal, "msg", None)  # of an ImportError


# --- processes --------------------------------------------------------------------------------

SCRIPT = """
import operator, sys
from saffu.engines import Pool
print("begun", flush=True)
with Pool(2) as pool:
    print(pool.map_reduce(len, ["a", "bc", "def"], operator.add), flush=True)
"""


def test_a_script_is_not_run_again_by_its_workers(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    ran = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert ran.stdout.split() == ["begun", "6"]


ORPHANS = """
import operator, sys, time
from saffu.engines import Pool
from spec_tests.support import workers
with Pool(2) as pool:
    print(*pool.map_reduce(workers.process_of, range(23), operator.or_), flush=True)
    time.sleep(600)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are of Unix")
def test_workers_end_with_the_process_that_started_them() -> None:
    root = Path(__file__).parent.parent
    child = subprocess.Popen(
        [sys.executable, "-c", ORPHANS], cwd=root, stdout=subprocess.PIPE, text=True
    )
    with child:
        assert child.stdout is not None
        seen = [int(word) for word in child.stdout.readline().split()]
        child.kill()
    assert seen
    until(lambda: not any(alive(process) for process in seen))


STOPPED = """
import operator, signal, sys
from saffu.engines import Pool
from spec_tests.support import workers

def stop(*_):
    raise KeyboardInterrupt

signal.signal(signal.SIGTERM, stop)
print("begun", flush=True)
try:
    with Pool(2) as pool:
        pool.map_reduce(workers.Slow(60.0), range(23), operator.add)
except KeyboardInterrupt:
    print("stopped", file=sys.stderr)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are of Unix")
@pytest.mark.parametrize("signals", [[signal.SIGINT], [signal.SIGTERM], [signal.SIGINT] * 2])
@pytest.mark.parametrize("delay", [0.02, 0.2, 0.5, 1.5])
def test_an_interrupted_pool_says_nothing_of_its_own(
    delay: float, signals: list[signal.Signals]
) -> None:
    """The signal goes to all processes, as Ctrl-C does; workers may be starting, or at work."""
    root = Path(__file__).parent.parent
    child = subprocess.Popen(
        [sys.executable, "-c", STOPPED], cwd=root, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    with child:
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(delay)
        for each in signals:
            os.killpg(child.pid, each)
        _, errors = child.communicate(timeout=50)  # parts take a minute: nobody waits for them
    assert errors.splitlines() in (["stopped"], [])
    assert child.returncode in (0, *(-each for each in signals))
    deadline = time.monotonic() + 10
    while in_group(child.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not in_group(child.pid)


def in_group(group: int) -> bool:
    """Whether any process of a group is there."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.skipif(sys.platform == "win32", reason="signals are of Unix")
def test_signals_that_are_held_back_arrive_later() -> None:
    arrived: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: arrived.append(number))
    try:
        with held_back(signal.SIGUSR1):
            os.kill(os.getpid(), signal.SIGUSR1)
            time.sleep(0.05)
            assert arrived == []
        assert arrived == [signal.SIGUSR1]
        with pytest.raises(KeyboardInterrupt):
            interrupted(arrived)
        assert arrived == [signal.SIGUSR1, 0]
        with held_back(signal.SIGUSR1):
            signal.signal(signal.SIGUSR2, signal.SIG_DFL)
        signal.raise_signal(signal.SIGUSR1)
        assert arrived[2:] == [signal.SIGUSR1]
    finally:
        signal.signal(signal.SIGUSR1, before)


def interrupted(arrived: list[int]) -> None:
    with held_back(signal.SIGINT):
        os.kill(os.getpid(), signal.SIGINT)
        arrived.append(0)


def test_a_killed_pool_works_on() -> None:
    with Pool(2) as pool:
        seen = pool.map_reduce(workers.process_of, range(PARTS), operator.or_)
        pool.kill()
        assert not any(alive(process) for process in seen)
        again = pool.map_reduce(workers.process_of, range(PARTS), operator.or_)
        assert not seen & again
        assert pool.recomputed == 0


DAEMON = """
import multiprocessing
from saffu.engines import POOL_PAYS, open_engine
from saffu.errors import BadOption

def work(connection):
    with open_engine("auto", workers=2, targets=POOL_PAYS) as engine:
        connection.send(type(engine).__name__)
    try:
        with open_engine("pool", workers=2):
            pass
    except BadOption as problem:
        connection.send(str(problem))

if __name__ == "__main__":
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=work, args=(theirs,), daemon=True)
    process.start()
    print(ours.recv(), ours.recv(), sep="\\n")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="forks are of Unix")
def test_a_daemonic_process_starts_no_others() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", DAEMON], capture_output=True, text=True, check=True, timeout=120
    )
    kind, refusal = ran.stdout.splitlines()
    assert kind == "Serial"
    assert "'serial' in a daemonic process, which may start no others" in refusal


# --- which engine -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("available", "targets", "workers", "kind"),
    [
        (2, POOL_PAYS, None, Pool),
        (2, POOL_PAYS - 1, None, Serial),
        (1, POOL_PAYS, None, Serial),
        (8, POOL_PAYS, 1, Serial),
        (1, POOL_PAYS, 3, Pool),
    ],
)
def test_auto_takes_a_pool_for_long_texts(
    available: int,
    targets: int,
    workers: int | None,
    kind: type,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(opening, "cores", lambda: available)
    with open_engine(targets=targets, workers=workers) as engine:
        assert type(engine) is kind


def test_an_engine_is_taken_by_name_or_as_it_is() -> None:
    mine = Serial()
    with open_engine(mine) as engine:
        assert engine is mine
    with open_engine("serial", targets=POOL_PAYS) as engine:
        assert type(engine) is Serial
    with open_engine("pool", workers=3) as engine:
        assert type(engine) is Pool
        assert engine.workers == 3
    assert Pool().workers == cores()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"engine": "spark"},
            r"engine must be 'auto' or 'serial' or 'pool' or 'dask'.*, got 'spark'",
        ),
        ({"engine": "pool", "workers": 0}, r"workers must be a whole number >= 1.*, got 0"),
        ({"engine": "serial", "workers": 2}, r"workers must be 1 with engine='serial'.*, got 2"),
        (
            {"engine": "pool", "scheduler": "tcp://a:1"},
            r"scheduler must be None with.*, got 'tcp://a:1'",
        ),
        (
            {"scheduler": "tcp://a:1", "workers": 2},
            r"workers must be None with a scheduler.*, got 2",
        ),
    ],
    ids=["name", "none", "serial", "pool", "scheduler"],
)
def test_options_that_do_not_go_together_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(BadOption, match=message), open_engine(**options):
        pass
