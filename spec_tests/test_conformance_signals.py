"""A signal comes after what may not be broken off, and no port is left running by it."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

import pytest

from saffu.conformance.command.check import ends_by_signal
from saffu.conformance.ports.signals import uninterrupted
from spec_tests.support.patience import PATIENCE, alive

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are of Unix")


def test_a_signal_waits_for_the_end() -> None:
    done: list[str] = []

    def work() -> None:
        with uninterrupted():
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGTERM)
            done.append("all of it")

    with pytest.raises(SystemExit) as ended, ends_by_signal():
        work()
    assert done == ["all of it"]
    assert ended.value.code == 128 + signal.SIGTERM


def test_nothing_is_changed_where_no_signal_comes() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with uninterrupted():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before


def test_signals_that_are_ignored_stay_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with uninterrupted():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_other_threads_are_let_alone() -> None:
    seen: list[object] = []

    def work() -> None:
        with uninterrupted():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGTERM)]


def test_a_signal_at_the_moment_of_starting_leaves_no_port() -> None:
    """The handler would run before anybody knows of the process that has just begun."""
    program = """
import signal, subprocess, sys
from saffu.conformance.command.check import ends_by_signal
from saffu.conformance.ports.pipes import Running
begin = subprocess.Popen

def begun(*args, **options):
    process = begin(*args, **options)
    print(process.pid, flush=True)
    signal.raise_signal(signal.SIGTERM)
    return process

subprocess.Popen = begun
with ends_by_signal():
    Running([sys.executable, "-c", "import time; time.sleep(600)"])
"""
    ran = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert ran.returncode == 128 + signal.SIGTERM, ran.stderr
    assert not alive(int(ran.stdout))


@pytest.mark.parametrize("caught", ["ArithmeticError", "BaseException"])
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_to_the_kit_is_not_the_failure_of_the_port(name: str, caught: str) -> None:
    """The module is in the middle of a case, and may even catch everything."""
    program = f"""
import signal, sys
from saffu.cli import main

class Port:
    @staticmethod
    def perplexity(nats):
        try:
            signal.raise_signal(signal.{name})
        except {caught}:
            pass
        return 1.0

sys.modules["port"] = Port
sys.exit(main(["check", "--in-process", "--only", "perplexity", "port"]))
"""
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120
    )
    assert (ran.returncode, ran.stdout) == (128 + signal.Signals[name], ""), ran.stderr
