"""Programs that behave badly: each is one failed case, and the run goes on."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from saffu.conformance.judging.runner import Run, Runner
from saffu.conformance.ports import pipes, process
from saffu.conformance.ports.process import ProcessPort
from saffu.conformance.ports.protocol import Answer, Request
from spec_tests.support.patience import PATIENCE, alive, until
from spec_tests.support.planted.cases import case

PROGRAM = Path(__file__).parent / "support" / "planted" / "program.py"
ASKED = ("softmax/pulled", "priming_number/unequal-norms", "perplexity/one", "sgd_step/half-a-rate")
"""Badly behaved programs do it at the second."""


@pytest.fixture(autouse=True)
def no_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine a program that has said its last word may take long to end."""
    monkeypatch.setattr(process, "_PARTING", PATIENCE)
    monkeypatch.setattr(process, "_DYING", PATIENCE)
    monkeypatch.setattr(pipes, "_PATIENCE", PATIENCE)


class Port(ProcessPort):
    """Waits long for every answer, but for those to the operation at which programs hang."""

    def run(self, request: Request) -> Answer:
        self.timeout = 1.0 if request.op == "priming_number" else PATIENCE
        return super().run(request)


def judge(
    way: str,
    *more: str,
    kind: type[ProcessPort] = ProcessPort,
    start_timeout: float = PATIENCE,
    asked: tuple[str, ...] = ASKED,
) -> Run:
    command = [sys.executable, "-I", "-S", str(PROGRAM), way, *more]
    port = kind(command, timeout=PATIENCE, start_timeout=start_timeout)
    return Runner(port, restarts=3).run([case(name) for name in asked], partial=True)


def verdicts(run: Run) -> list[str]:
    return [str(result.ruling.verdict) for result in run.results]


def test_the_right_program_passes() -> None:
    run = judge("right", asked=(*ASKED, "softmax/not-a-number", "radial_context/two-of-three"))
    assert run.passed
    assert verdicts(run)[-2:] == ["rejected-ok", "passed"]
    assert run.port is not None
    assert run.port.language == "Python, bare"


@pytest.mark.parametrize(
    ("way", "kind", "said"),
    [
        ("crash", "crash", "status 7; standard error: thread 'main' panic"),
        ("segfault", "crash", "SIGSEGV"),
        ("half-a-line", "crash", "unfinished line"),
        ("other-number", "order", "answer to number 2, got number 3"),
        ("noise", "garbage", "debug: entering"),
        ("binary", "garbage", r"\\xff\\xfe\\x00\\x1b"),
        ("json-nan", "garbage", "JSON has no NaN"),
        ("flood", "flood", "a line of more than"),
        ("flood-lines", "flood", "answers to earlier cases"),
        ("bomb", "garbage", "a list of"),
        ("deep", "garbage", "not JSON"),
        ("skips-silently", "garbage", "lacks the field 'reason'"),
        ("two-answers-in-one", "garbage", "unknown field"),
    ],
)
def test_a_broken_conversation_is_one_failed_case_and_a_new_start(
    way: str, kind: str, said: str
) -> None:
    run = judge(way)
    expected = ["passed", "failed", "passed", "passed"]
    if way == "flood-lines":  # they answer the first case again
        expected[0] = "failed"
    assert verdicts(run) == expected
    assert run.results[1].ruling.kind == kind
    assert said.replace("\\\\", "\\") in run.results[1].ruling.reason
    assert run.notes == ("the port was restarted once",)


@pytest.mark.parametrize("way", ["hang", "half-a-line-hang"])
def test_no_answer_in_time_is_one_failed_case(way: str) -> None:
    run = judge(way, kind=Port)
    assert verdicts(run) == ["passed", "failed", "passed", "passed"]
    assert run.results[1].ruling.kind == "time-out"


@pytest.mark.parametrize(
    ("way", "kind", "said"),
    [
        ("short-array", "form", "6 entries for shape [2, 3], got 1"),
        ("other-shape", "values", "shape (1,) instead of ()"),
        ("nan", "values", "nan instead of 6.0"),
        ("other-name", "missing", "expected an array priming, got K"),
        ("twice", "order", "answered a second time"),
    ],
)
def test_a_wrong_answer_is_one_failed_case_and_no_new_start(way: str, kind: str, said: str) -> None:
    run = judge(way)
    assert verdicts(run) == ["passed", "failed", "passed", "passed"]
    assert run.results[1].ruling.kind == kind
    assert said in run.results[1].ruling.reason
    assert run.notes == ()


def test_what_is_written_after_the_last_answer_fails_that_case() -> None:
    for way in ("twice", "noise-after"):
        run = judge(way, asked=ASKED[:2])
        assert verdicts(run) == ["passed", "failed"]
        assert run.results[1].ruling.kind == "order"
    assert verdicts(judge("last-word")) == ["passed", "passed", "passed", "failed"]


def test_noise_after_an_answer_fails_the_case_that_meets_it() -> None:
    run = judge("noise-after")
    assert verdicts(run) == ["passed", "passed", "failed", "passed"]
    assert "debug: leaving" in run.results[2].ruling.reason


def test_much_on_standard_error_is_no_fault() -> None:
    assert judge("flood-stderr").passed


def test_bad_input_accepted_is_a_failure() -> None:
    run = judge("accepts", asked=("priming_number/negative",))
    assert run.results[0].ruling.kind == "accepted"


def test_a_skipped_case_says_why_and_is_not_passed() -> None:
    run = judge("skips")
    assert verdicts(run) == ["passed", "skipped", "passed", "passed"]
    assert run.results[1].ruling.reason == "no sums yet"
    assert run.results[1].ruling.url == "https://example.org/issues/7"
    assert not run.passed


def test_an_operation_that_is_claimed_and_lacking_is_an_error() -> None:
    run = judge("claims", asked=("explicit_solution/one-hot", "perplexity/one"))
    assert verdicts(run) == ["errored", "passed"]


def test_an_operation_that_is_not_claimed_is_skipped() -> None:
    run = judge("right", asked=("explicit_solution/one-hot", "perplexity/one"))
    assert verdicts(run) == ["skipped", "passed"]
    assert not run.passed


@pytest.mark.parametrize(
    ("way", "said"),
    [
        ("crash-at-start", "no licence found"),
        ("banner", "Welcome to my port!"),
        ("other-protocol", "protocol 2"),
        ("no-introduction", "lacks the field 'protocol'"),
    ],
)
def test_a_program_that_does_not_start_fails_every_case(way: str, said: str) -> None:
    run = judge(way)
    assert run.port is None
    assert verdicts(run) == ["failed"] * 4
    assert {result.ruling.kind for result in run.results} == {"given-up"}
    assert all(said in result.ruling.reason for result in run.results)


def test_a_program_that_never_answers_start_is_given_up() -> None:
    run = judge("deaf", start_timeout=0.5)
    assert run.port is None
    assert "no answer within 0.5 s" in run.results[0].ruling.reason


def test_a_program_that_is_not_there() -> None:
    port = ProcessPort(["./no-such-program"])
    run = Runner(port).run([case("perplexity/one")])
    assert run.port is None
    assert "'./no-such-program' cannot be run" in run.results[0].ruling.reason


def test_after_too_many_new_starts_the_rest_fails_with_that_reason() -> None:
    asked = ("priming_number/unequal-norms",) * 3 + ("perplexity/one",) * 2
    command = [sys.executable, "-I", "-S", str(PROGRAM), "crash"]
    run = Runner(ProcessPort(command), restarts=2).run([case(name) for name in asked])
    assert [result.ruling.kind for result in run.results] == ["crash"] * 3 + ["given-up"] * 2
    assert "restarted 2 times" in run.results[-1].ruling.reason


def test_how_a_program_ends_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert judge("ends-badly").notes == ("the port ended with status 9 after stop",)
    monkeypatch.setattr(process, "_PARTING", 2.0)
    assert judge("refuses-to-stop").notes == (
        "the port did not end within 2 s after stop, and was killed",
    )


@pytest.mark.skipif(sys.platform == "win32", reason="process groups are of Unix")
@pytest.mark.parametrize("way", ["orphan", "orphan-that-talks"])
def test_no_process_is_left_over(way: str, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    before = time.monotonic()
    assert judge(way, str(pids)).passed
    assert time.monotonic() - before < PATIENCE, "a child that holds the pipes holds up the run"
    (child,) = map(int, pids.read_text().split())
    until(lambda: not alive(child))
