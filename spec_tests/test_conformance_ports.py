"""A port in this process: what it may return, and what becomes of everything that it may raise."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from saffu.conformance import reference
from saffu.conformance.judging.levels import LEVELS, level_of, reached, within
from saffu.conformance.judging.runner import Run, Runner
from saffu.conformance.judging.verdict import Verdict
from saffu.conformance.operations import OPERATIONS
from saffu.conformance.ports.module import ModulePort, load
from saffu.conformance.ports.protocol import (
    Broken,
    Errored,
    Outputs,
    Rejected,
    Request,
    Skipped,
)
from saffu.errors import BadOption
from saffu.types import Array
from spec_tests.support.patience import PATIENCE
from spec_tests.support.planted.cases import CASES, case


class Counts(NamedTuple):
    counts: Array
    norm: float
    samples: int


@dataclass
class AlsoCounts:
    counts: Array
    norm: float
    samples: int


def port_with(**functions: Callable[..., Any]) -> ModulePort:
    port = type("Port", (), {k: staticmethod(f) for k, f in functions.items()})()
    return ModulePort(port, timeout=PATIENCE)


def asked(op: str, **inputs: Any) -> Request:
    return Request(1, op, {}, {name: np.asarray(x) for name, x in inputs.items()})


def verdicts(run: Run) -> list[str]:
    return [str(result.ruling.verdict) for result in run.results]


def test_the_reference_passes() -> None:
    run = Runner(ModulePort(reference, timeout=PATIENCE)).run(CASES)
    assert run.passed, [result.ruling.reason for result in run.results]
    assert run.level == "full"
    assert run.port is not None
    assert set(run.port.operations) == set(OPERATIONS)
    assert set(run.port.gradients) == {op for op, it in OPERATIONS.items() if it.differentiable}


@pytest.mark.parametrize("kind", [Counts, AlsoCounts, dict])
def test_several_outputs_come_by_name(kind: Callable[..., Any]) -> None:
    port = port_with(cooccurrence=lambda **_: kind(counts=np.eye(2), norm=2.0, samples=2))
    answer = port.run(asked("cooccurrence", features=np.eye(2), targets=np.eye(2)))
    assert isinstance(answer, Outputs)
    assert {name: x.shape for name, x in answer.arrays.items()} == {
        "counts": (2, 2), "norm": (), "samples": (),
    }  # fmt: skip


@pytest.mark.parametrize(
    "result", [6.0, np.float32(6.0), np.array(6.0), {"priming": 6}, [6.0], np.array("x"), None]
)
def test_one_output_may_come_bare(result: Any) -> None:
    answer = port_with(priming_number=lambda **_: result).run(asked("priming_number"))
    if result is None or getattr(result, "dtype", None) == np.dtype("<U1"):
        assert isinstance(answer, Broken)
        assert answer.kind == "form"
    else:
        assert isinstance(answer, Outputs)
        np.testing.assert_array_equal(answer.arrays["priming"].reshape(-1), 6.0)


def test_several_outputs_do_not_come_bare() -> None:
    answer = port_with(cooccurrence=lambda **_: (np.eye(2), 2.0, 2)).run(asked("cooccurrence"))
    assert isinstance(answer, Broken)
    assert "a mapping, a NamedTuple or a dataclass" in answer.message


class Refusal(ValueError):
    reason = "negative"


def raising(error: BaseException) -> Callable[..., Any]:
    def function(**_: Any) -> Any:
        raise error

    return function


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (ValueError("no"), Rejected(None, "no")),
        (Refusal("below zero"), Rejected("negative", "below zero")),
        (NotImplementedError("no sums"), Skipped("no sums", None)),
        (NotImplementedError("a", "https://b.org"), Skipped("a", "https://b.org")),
        (NotImplementedError("a", "javascript:alert(1)"), Skipped("a", None)),
        (NotImplementedError(), Errored("NotImplementedError without a reason")),
        (TypeError("what?"), Errored("TypeError: what?")),
        (ZeroDivisionError("0"), Errored("ZeroDivisionError: 0")),
        (SystemExit(3), Errored("SystemExit: 3")),
    ],
)
def test_whatever_is_raised_is_an_answer(error: BaseException, answer: Any) -> None:
    assert port_with(perplexity=raising(error)).run(asked("perplexity")) == answer


def test_ctrl_c_fails_what_is_left_and_the_run_is_still_complete() -> None:
    port = port_with(
        perplexity=raising(KeyboardInterrupt()), priming_number=reference.priming_number
    )
    asked = ("priming_number/below-one", "perplexity/one", "priming_number/below-one")
    run = Runner(port).run([case(name) for name in asked])
    assert verdicts(run) == ["passed", "failed", "failed"]
    assert run.interrupted
    assert not run.passed


@pytest.mark.skipif(sys.platform == "win32", reason="the time limit needs signals")
def test_an_endless_function_is_stopped_even_if_it_catches_everything() -> None:
    def endless(**_: Any) -> None:
        while True:
            with suppress(Exception):
                time.sleep(0.01)

    port = ModulePort(type("Port", (), {"perplexity": staticmethod(endless)})(), timeout=0.2)
    assert port.run(asked("perplexity")) == Broken("time-out", "no answer within 0.2 s")


def test_outside_of_the_main_thread_there_is_no_time_limit_but_an_answer() -> None:
    port, answers = port_with(perplexity=lambda **_: 1.0), list[Any]()
    thread = threading.Thread(target=lambda: answers.append(port.run(asked("perplexity"))))
    thread.start()
    thread.join()
    assert isinstance(answers[0], Outputs)


def test_a_port_that_changes_its_inputs_spoils_nothing() -> None:
    def spoil(features: Array) -> float:
        result = float(features.sum() / len(features))
        features[:] = 0
        return result

    run = Runner(port_with(priming_number=spoil)).run([case("priming_number/unequal-norms")] * 2)
    assert run.passed


def test_gradients_are_asked_for_only_where_there_is_a_parameter_for_them() -> None:
    def plain(logits: Array) -> Array:
        return np.full_like(logits, 1 / logits.shape[1])

    port = port_with(softmax=plain)
    assert port.start().gradients == ()
    run = Runner(port).run([case("softmax/pulled")])
    assert verdicts(run) == ["skipped"]
    assert run.results[0].ruling.reason == "the port lists no gradients of softmax"
    assert run.level == "layer", "the values are right, so only gradients are wanting"
    assert Runner(port, wanted="layer").run([case("softmax/pulled")]).passed


def test_a_wrong_gradient_costs_the_level_of_gradients_only() -> None:
    def flat(logits: Array, cotangents: Any = None) -> Any:
        p = np.full_like(logits, 1 / logits.shape[1])
        return {"probabilities": p, "gradient.logits": 0 * p}

    run = Runner(port_with(softmax=flat)).run([case("softmax/pulled")])
    assert verdicts(run) == ["failed"]
    assert run.results[0].ruling.diverged == "gradient.logits"
    assert run.level == "layer"


def test_a_refusal_with_another_reason_is_a_failure() -> None:
    for error, verdict in (
        (Refusal(), Verdict.REJECTED), (ValueError(), Verdict.REJECTED),
        (type("Other", (ValueError,), {"reason": "shape"})(), Verdict.FAILED),
    ):  # fmt: skip
        run = Runner(port_with(priming_number=raising(error))).run(
            [case("priming_number/negative")]
        )
        assert run.results[0].ruling.verdict is verdict


def test_a_good_input_refused_is_a_failure() -> None:
    run = Runner(port_with(perplexity=raising(ValueError("shy")))).run([case("perplexity/one")])
    assert run.results[0].ruling.kind == "refused"
    assert "shy" in run.results[0].ruling.reason


def test_a_wrong_stage_is_named_first() -> None:
    def wrong(**given: Any) -> Any:
        answer = reference.explicit_solution(**given)
        return {**answer, "priming": answer["priming"] + 1, "weights": answer["weights"] + 1}

    run = Runner(port_with(explicit_solution=wrong)).run([case("explicit_solution/one-hot")])
    assert run.results[0].ruling.diverged == "priming"


def test_nothing_run_is_not_passed() -> None:
    run = Runner(ModulePort(reference, timeout=PATIENCE)).run([])
    assert not run.passed
    assert run.level is None


def test_cases_beyond_the_level_are_not_asked() -> None:
    run = Runner(ModulePort(reference, timeout=PATIENCE), wanted="core").run(CASES)
    assert {result.case.op for result in run.results} == {
        "softmax", "priming_number", "explicit_solution",
    }  # fmt: skip
    assert run.passed
    assert run.level == "core"


def test_a_class_of_arithmetic_without_a_bound_is_not_judged() -> None:
    from dataclasses import replace

    only_float64 = replace(case("perplexity/one"), tolerance={"float64": 1e-13})
    run = Runner(ModulePort(reference, timeout=PATIENCE), precision="loose").run(
        [only_float64, *CASES[:1]]
    )
    assert len(run.results) == 1
    assert run.notes == ("1 cases have no bound for loose: not asked",)


def test_levels_hold_one_another_and_every_operation_has_one() -> None:
    assert {level_of(op) for op in OPERATIONS} == set(LEVELS)
    assert level_of("an operation of a later suite") == "full"
    for at, level in enumerate(LEVELS):
        assert reached([level]) == (LEVELS[at - 1] if at else None)
        assert [within(other, level) for other in LEVELS] == [i <= at for i in range(len(LEVELS))]
    for op, it in OPERATIONS.items():
        if it.differentiable:
            assert within(level_of(op), level_of(op, gradients=True))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("no_such_package.port", "No module named"),
        ("saffu.conformance.reference:nothing", "no attribute"),
        ("json", "a module with functions such as softmax"),
        ("broken_port", "RuntimeError: at import"),
    ],
)
def test_a_port_that_cannot_be_loaded(
    name: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_port.py").write_text("raise RuntimeError('at import')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    with pytest.raises(BadOption, match=said):
        load(name)


def test_a_port_says_its_precision_and_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "coarse_port.py").write_text(
        "PRECISION, DEVICE, __version__ = 'float32', 'abacus', '1.2'\n"
        "class Inner:\n    @staticmethod\n    def perplexity(nats): return 1.0\n"
        "perplexity = Inner.perplexity\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    said = load("coarse_port").start()
    assert (said.name, said.version, said.precision, said.device) == (
        "coarse_port", "1.2", "float32", "abacus",
    )  # fmt: skip
    assert load("coarse_port:Inner").start().operations == ("perplexity",)
    run = Runner(load("coarse_port", timeout=PATIENCE)).run([case("perplexity/one")])
    assert run.precision == "float32"
