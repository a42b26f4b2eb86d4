"""Ports that harm the kit, or try to: one failed case each, a verdict, and nothing left behind."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import pytest

from saffu.conformance.contract.arrays import decode
from saffu.conformance.judging.verdict import rule
from saffu.conformance.ports.module import ModulePort, load
from saffu.conformance.ports.process import telling
from saffu.conformance.ports.protocol import (
    Answer,
    BadMessage,
    Broken,
    Errored,
    Outputs,
    Rejected,
    Request,
    parse,
    read_answer,
)
from saffu.conformance.report.lines import read
from saffu.errors import BadRecord
from spec_tests import campaign_ports
from spec_tests.support.patience import PATIENCE, alive, until
from spec_tests.support.planted.cases import case, write_suite
from spec_tests.support.planted.hostile import plant
from spec_tests.test_conformance_process import ASKED, PROGRAM, judge

CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]")
"""Control characters, but for the end of a line."""


class Checked(NamedTuple):
    """What a run of `saffu check` left."""

    code: int
    text: str
    cases: dict[str, str]
    """verdicts by id; empty without a report"""


class Check(Protocol):
    """Run `saffu check` on a planted module."""

    def __call__(self, way: str, *words: str, ops: tuple[str, ...] = ...) -> Checked: ...


@pytest.fixture
def check(tmp_path: Path) -> Check:
    """Run `saffu check` on a planted module, in a process of its own."""
    golden = write_suite(tmp_path / "golden")

    def run(
        way: str, *words: str, ops: tuple[str, ...] = ("priming_number", "perplexity")
    ) -> Checked:
        out = tmp_path / "out"
        only = [word for op in ops for word in ("--only", op)]
        done = subprocess.run(
            [sys.executable, "-m", "saffu.conformance", "check", "--golden", golden, *only,
             "--report", out, *words, plant(tmp_path, way)],
            cwd=tmp_path, capture_output=True, text=True, check=False, timeout=PATIENCE,
        )  # fmt: skip
        results = out / "results.jsonl"
        lines = read(results)[1] if results.exists() else []
        verdicts = {each["id"]: each["verdict"] for each in lines}
        return Checked(done.returncode, done.stdout + done.stderr, verdicts)

    return run


GOOD = {
    "priming_number/unequal-norms": "passed",
    "priming_number/below-one": "passed",
    "priming_number/negative": "rejected-ok",
}


# --- a run without a verdict never exits 0 -----------------------------------------------------


@pytest.mark.parametrize("mode", [(), ("--in-process",)])
@pytest.mark.parametrize("way", ["sys-exit-at-import", "_exit-at-import", "panic-at-import"])
def test_a_module_that_ends_the_process_at_import_is_not_passed(
    check: Check, way: str, mode: tuple[str, ...]
) -> None:
    done = check(way, *mode)
    assert done.code == 2, done.text
    assert "an importable package.module" in done.text
    assert "'hostile_" in done.text


def test_a_module_that_ends_natively_at_import_is_a_port_that_never_started(check: Check) -> None:
    done = check("native-exit-at-import")
    assert done.code == 3, done.text
    assert set(done.cases.values()) == {"failed"}


@pytest.mark.parametrize("mode", [(), ("--in-process",)])
@pytest.mark.parametrize("way", ["_exit", "execv", "sys-exit", "panic", "silent-error"])
def test_a_function_that_ends_the_process_is_one_failed_case(
    check: Check, way: str, mode: tuple[str, ...]
) -> None:
    done = check(way, *mode)
    wrong = {"perplexity/eight-and-two": "errored", "perplexity/one": "errored"}
    assert (done.code, done.cases) == (1, {**GOOD, **wrong}), done.text
    assert "FAILED: 3 of 5 cases passed, 2 did not" in done.text


def test_a_function_that_ends_natively_is_one_crash(check: Check) -> None:
    done = check("native-exit")
    wrong = {"perplexity/eight-and-two": "failed", "perplexity/one": "failed"}
    assert (done.code, done.cases) == (1, {**GOOD, **wrong}), done.text
    assert "ended with status 0" in " ".join(done.text.split())


def test_the_interrupt_of_a_module_does_not_interrupt_the_kit(check: Check) -> None:
    done = check("keyboard")
    assert (done.code, done.cases["perplexity/one"]) == (1, "errored"), done.text


# --- memory and time ---------------------------------------------------------------------------


def test_a_large_answer_to_a_bad_input_is_not_kept() -> None:
    huge = np.zeros(2**22, dtype=np.int64)
    for arrays in ({"priming": huge}, {f"a{i}": np.zeros(()) for i in range(100_000)}):
        ruling = rule(case("priming_number/negative"), Outputs(arrays), "float64")
        assert ruling.kind == "accepted"
        assert not ruling.arrays
    kept = rule(case("priming_number/negative"), Outputs({"priming": np.zeros(())}), "float64")
    assert set(kept.arrays) == {"priming"}, "the diagnosis needs what is small"


def test_dimensions_are_counted_before_they_are_multiplied() -> None:
    for shape in ([10] * 400_000, [1] * 9):
        with pytest.raises(BadRecord, match=f"at most 8 whole numbers, got a list of {len(shape)}"):
            decode({"dtype": "float64", "shape": shape, "data": []})
    assert decode({"dtype": "float64", "shape": [1] * 8, "data": [2.0]}).shape == (1,) * 8
    with pytest.raises(BadRecord, match="whole numbers >= 0"):
        decode({"dtype": "float64", "shape": [2**63], "data": []})


def test_entries_that_are_no_numbers_are_quoted_by_their_size() -> None:
    for depth in range(900, 1000):  # near the end of what Python can read
        text = '{"seq": 1, "outputs": {"a": {"dtype": "float64", "shape": [1], "data": [%s%s]}}}'
        try:
            message = parse((text % ("[" * depth, "]" * depth)).encode())
        except BadMessage:
            continue
        _, answer = read_answer(message)
        assert isinstance(answer, Broken)
        assert "got a list of" in answer.message


def test_an_answer_without_end_is_one_failed_case(check: Check) -> None:
    done = check("endless-array")
    assert (done.code, done.cases["perplexity/one"]) == (1, "errored"), done.text
    assert "entries" in done.text


@pytest.mark.skipif(sys.platform == "win32", reason="the time limit needs signals")
def test_a_late_answer_does_not_pass_although_the_time_out_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    port = load(plant(tmp_path, "late"), timeout=0.2)
    one = case("perplexity/one")
    assert port.run(Request(1, one.op, {}, one.inputs)) == Broken(
        "time-out", "no answer within 0.2 s"
    )


@pytest.mark.skipif(sys.platform == "win32", reason="the time limit needs signals")
def test_a_function_that_catches_every_time_out_does_not_hang_the_kit(check: Check) -> None:
    done = check("never", "--timeout", "0.2", "--in-process", ops=("perplexity",))
    assert (done.code, done.cases) == (3, {}), done.text
    assert "without --in-process" in done.text


def test_in_a_process_of_its_own_it_is_killed(check: Check) -> None:
    done = check("never", "--timeout", "3")
    assert done.code == 1
    assert done.cases["perplexity/one"] == "failed"
    assert "no answer within 3 s" in done.text


# --- what a port leaves behind -----------------------------------------------------------------


@pytest.mark.parametrize("mode", [(), ("--in-process",)])
def test_a_thread_that_never_ends_does_not_keep_the_kit(
    check: Check, mode: tuple[str, ...]
) -> None:
    done = check("thread", *mode)
    assert done.code == 0, done.text
    assert "PASSED: 5 of 5 cases" in done.text


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only the process group is killed")
@pytest.mark.parametrize("way", ["escapes", "escapes-twice"])
def test_a_child_in_a_session_of_its_own_does_not_outlive_the_port(
    way: str, tmp_path: Path
) -> None:
    pids = tmp_path / "pids"
    assert judge(way, str(pids)).passed
    (child,) = map(int, pids.read_text().split())
    until(lambda: not alive(child))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only the process group is killed")
def test_nothing_outlives_a_kit_that_is_killed(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    code = (
        "import sys, time\n"
        "from saffu.conformance.ports.process import ProcessPort\n"
        "print(ProcessPort(sys.argv[1:]).start(), flush=True)\n"
        "time.sleep(3600)\n"
    )
    kit = subprocess.Popen(
        [sys.executable, "-c", code, sys.executable, "-I", "-S", PROGRAM, "escapes", pids],
        stdout=subprocess.PIPE,
    )
    assert kit.stdout is not None
    assert b"Started" in kit.stdout.readline()
    kit.kill()
    kit.wait(PATIENCE)
    kit.stdout.close()
    until(lambda: not alive(int(pids.read_text())))


# --- what a port says, and where it reaches ----------------------------------------------------


@pytest.mark.parametrize("mode", [(), ("--in-process",)])
@pytest.mark.parametrize("way", ["coloured", "silent-version", "long-error"])
def test_control_characters_do_not_reach_the_terminal(
    check: Check, way: str, mode: tuple[str, ...]
) -> None:
    done = check(way, *mode)
    assert done.code == 1, done.text
    assert not CONTROL.search(done.text)


def test_what_a_module_prints_or_reads_does_not_disturb_the_conversation(check: Check) -> None:
    for way in ("prints", "reads"):
        done = check(way)
        assert (done.code, "PASSED: 5 of 5 cases" in done.text) == (0, True), done.text
        assert not CONTROL.search(done.text)


@pytest.mark.parametrize("way", ["patches-the-kit", "reads-frames"])
def test_only_in_its_own_process_a_port_reaches_neither_kit_nor_answers(
    check: Check, way: str
) -> None:
    fooled = check(way, "--in-process", ops=("perplexity",))
    assert fooled.code == 0, "in the process of the kit a port can do what it likes"
    done = check(way, ops=("perplexity",))
    assert (done.code, set(done.cases.values())) == (1, {"failed"}), done.text


def test_the_address_of_a_skipped_case_is_one_line() -> None:
    message = {"seq": 1, "skipped": {"reason": "later", "url": "https://example.org\n"}}
    with pytest.raises(BadMessage, match="url must match"):
        read_answer(message)


# --- what a dying program said -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("port.mjs:3\n  throw new RangeError('far')\n  ^\n\nRangeError: far\n    at a\n\nNode v20",
         "RangeError: far"),
        (("Traceback (most recent call last):\n  File 'p.py', line 1\n    raise KeyError\n"
         "KeyError: 1\n\nDuring handling of the above exception, another occurred:\n\nIOError: 2"),
         "KeyError: 1"),
        ("loading\nthread 'main' panicked at src/main.rs:7:\nindex out of bounds\nnote: run with",
         "thread 'main' panicked at src/main.rs:7:"),
        ("panic: runtime error: integer divide by zero\n\ngoroutine 1 [running]:\nexit status 2",
         "panic: runtime error: integer divide by zero"),
        ("no licence\nbye", "bye"),
    ],
)  # fmt: skip
def test_the_line_that_tells_why_a_program_ended(text: str, line: str) -> None:
    assert telling([each for each in text.splitlines() if each.strip()]) == line


def test_the_report_holds_the_last_ten_lines_of_a_program_that_ended() -> None:
    run = judge("last-words")
    ruling = run.results[1].ruling
    assert ruling.kind == "crash"
    assert "standard error: Error: the seventh of 20" in ruling.reason
    assert ruling.stderr == tuple(f"line {i}" for i in range(10, 20))
    assert [result.ruling.stderr for result in run.results if result.good] == [()] * 3


# --- exceptions --------------------------------------------------------------------------------


class Panic(BaseException):
    pass


class Silent(Exception):
    def __str__(self) -> str:
        raise Panic


class Unreasonable(ValueError):
    @property
    def reason(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (Panic("native"), Errored("Panic: native")),
        (Silent(), Errored("Silent: a Silent that cannot be written as text")),
        (Unreasonable("no"), Rejected(None, "no")),
        (GeneratorExit(), Errored("GeneratorExit: ")),
    ],
)
def test_whatever_is_raised_is_an_answer(error: BaseException, answer: Answer) -> None:
    def perplexity(nats: object) -> None:
        raise error

    port = ModulePort(type("Port", (), {"perplexity": staticmethod(perplexity)})())
    one = case("perplexity/one")
    assert port.run(Request(1, one.op, {}, one.inputs)) == answer


# --- giving up ---------------------------------------------------------------------------------


def test_a_port_that_never_answered_is_given_up_after_two_equal_faults() -> None:
    run = judge("noise-everywhere", asked=(*ASKED, *ASKED))
    kinds = [result.ruling.kind for result in run.results]
    assert kinds == ["garbage"] * 2 + ["given-up"] * 6
    assert "two in a row ended in garbage" in run.results[-1].ruling.reason
    later = judge("noise", asked=(ASKED[0], *[ASKED[1]] * 3, ASKED[2]))
    assert [result.ruling.kind for result in later.results] == ["", *["garbage"] * 3, ""]


# --- a sample of the campaign ------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked for in /proc")
@pytest.mark.parametrize("seed", [3, 5])
def test_a_drawn_hostile_port_does_no_harm(seed: int, tmp_path: Path) -> None:
    write_suite(tmp_path / "golden")
    assert campaign_ports.judge(seed, tmp_path).faults == ()
