"""Reports to look at: right, wrong in one thing, in many, unfinished, and rude."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from saffu.conformance import reference
from saffu.conformance.contract.case import Case
from saffu.conformance.diagnosis.diagnose import diagnose
from saffu.conformance.diagnosis.mistake import Mistake
from saffu.conformance.judging.runner import Runner
from saffu.conformance.operations import OPERATIONS
from saffu.conformance.ports.module import ModulePort
from saffu.conformance.report.lines import Report
from saffu.types import Array
from spec_tests.support.patience import PATIENCE
from spec_tests.support.planted.cases import CASES
from spec_tests.support.planted.mistakes import MISTAKES, Wrong

NASTY = "</td></script><script>alert('1')</script>\x1b[31m\x00 \u202e & \ud800 ]]>"
LINK = "https://example.org/issues/7?a=1&b=2"


def report_on(
    port: object,
    cases: Sequence[Case] = CASES,
    *,
    partial: bool = False,
    name: str = "planted",
    mistakes: Sequence[Mistake] = MISTAKES,
) -> Report:
    """What is found of a port, by a challenge that is called cafe."""
    run = Runner(ModulePort(port, name=name, timeout=PATIENCE)).run(cases, partial=partial)
    return Report(
        run, diagnose(run, mistakes), "saffu check planted", "0.0.1", 64 * "0",
        datetime(2026, 11, 23, tzinfo=UTC), "cafe",
    )  # fmt: skip


def said(message: str) -> Callable[..., Any]:
    """An operation that fails inside, with a message."""

    def function(**_: Any) -> Any:
        raise RuntimeError(message)

    return function


def skipped(message: str) -> Callable[..., Any]:
    """An operation that is not done yet."""

    def function(**_: Any) -> Any:
        raise NotImplementedError(message, LINK)

    return function


class Bad(Wrong):
    """Wrong, errored, skipped: everything that a report can hold."""

    perplexity = staticmethod(said(NASTY))
    sgd_step = staticmethod(skipped("no steps"))


BAD = Bad([mistake for mistake in MISTAKES if mistake.id == "priming-ignored"])


class Rough:
    """Every array that an operation returns is passed through a function."""

    def __init__(self, change: Callable[[Array], Array]) -> None:
        for op in OPERATIONS:
            setattr(self, op, _changed(getattr(reference, op), change))


def _changed(
    right: Callable[..., dict[str, Array]], change: Callable[[Array], Array]
) -> Callable[..., dict[str, Array]]:
    def function(*, cotangents: Any = None, **given: Any) -> dict[str, Array]:
        more = {"cotangents": cotangents} if cotangents else {}
        return {name: change(np.asarray(x)) for name, x in right(**given, **more).items()}

    return function
