"""Training logs, and programs that are interrupted."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saffu.progress.early_stopping import TrainingLog
from saffu.progress.interruption import interruptible
from saffu.progress.unfinished_files import LOCKS, clear_abandoned, unfinished

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


AFTER_THE_WORK = """
import os, signal
from saffu.progress.interruption import interruptible
try:
    with interruptible(signal.SIGINT, signal.SIGTERM, to_the_end=True):
        os.kill(os.getpid(), signal.{first})
except KeyboardInterrupt:
    print("stopped")
os.kill(os.getpid(), signal.SIGINT)
os.kill(os.getpid(), signal.SIGTERM)
print("said how")
"""


@pytest.mark.parametrize("first", ["SIGINT", "SIGTERM"])
def test_when_the_work_is_over_signals_do_not_hide_how_it_ended(first: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", AFTER_THE_WORK.format(first=first)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "stopped\nsaid how\n", "")


# --- unfinished files ---------------------------------------------------------------------------


def make_file(path: Path) -> None:
    path.open("xb").close()


@pytest.mark.parametrize("make", [make_file, Path.mkdir])
def test_what_is_unfinished_is_gone_unless_it_is_moved(
    make: Callable[[Path], object], tmp_path: Path
) -> None:
    with unfinished(tmp_path, ".a.", ".part", make) as path:
        assert list(tmp_path.iterdir()) == [path]
    assert not list(tmp_path.iterdir())
    with pytest.raises(ZeroDivisionError), unfinished(tmp_path, ".a.", ".part", make):
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())
    with unfinished(tmp_path, ".a.", ".part", make) as path:
        path.rename(tmp_path / "done")
    assert [each.name for each in tmp_path.iterdir()] == ["done"]


WORKING = """
import sys
from pathlib import Path
from saffu.progress.unfinished_files import unfinished
folder, kind = Path(sys.argv[1]), sys.argv[2]
make = Path.mkdir if kind == "folder" else Path.touch
with unfinished(folder, ".a.", ".part", make) as path:
    if kind == "folder":
        (path / "inside").write_text("half")
    print(path.name, flush=True)
    sys.stdin.read()
"""


@pytest.mark.skipif(not LOCKS, reason="no locks that end with their process")
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_a_killed_process_was_making_is_cleared_and_nothing_else(
    kind: str, tmp_path: Path
) -> None:
    others = [".a.0123456789ab.other", ".a.note.part", ".b.0123456789ab.part"]
    for name in others:
        (tmp_path / name).touch()
    with subprocess.Popen(
        [sys.executable, "-c", WORKING, str(tmp_path), kind],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        name = process.stdout.readline().strip()
        clear_abandoned(tmp_path, ".a.", ".part")
        assert (tmp_path / name).exists(), "a process works at it"
        with unfinished(tmp_path, ".a.", ".part", make_file):
            assert (tmp_path / name).exists()
        process.kill()
    assert (tmp_path / name).exists()
    with unfinished(tmp_path, ".a.", ".part", make_file) as own:
        assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*others, own.name])


@pytest.mark.skipif(not LOCKS, reason="no locks that end with their process")
def test_what_is_cleared_before_it_is_locked_is_made_again(tmp_path: Path) -> None:
    made: list[Path] = []

    def make(path: Path) -> None:
        path.touch()
        made.append(path)
        if len(made) < 3:
            clear_abandoned(tmp_path, ".a.", ".part")

    with unfinished(tmp_path, ".a.", ".part", make) as path:
        assert path == made[2]
        assert list(tmp_path.iterdir()) == [path]


def test_clearing_a_folder_that_is_not_there_does_nothing(tmp_path: Path) -> None:
    clear_abandoned(tmp_path / "none", ".a.", ".part")
    assert not list(tmp_path.iterdir())
