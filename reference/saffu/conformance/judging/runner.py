"""The run: every case is asked of a port, whatever the port does.   (SPEC 9)

After a crash, a time-out or noise the port is restarted and the run goes on; after too many of
these the remaining cases fail with that reason.  The run is always complete: a result for
each case, in their order.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from saffu.conformance.contract.case import Case
from saffu.conformance.judging.levels import level_of, reached, within
from saffu.conformance.judging.verdict import Ruling, Verdict, rule
from saffu.conformance.ports.module import Port
from saffu.conformance.ports.protocol import Answer, Broken, Request, Started

_OF_THE_HARNESS: Final = ("time-out", "garbage", "flood", "order")
"""Faults of the conversation, not of an operation."""


@dataclass(frozen=True, eq=False)
class Result:
    """One case and its verdict."""

    case: Case
    ruling: Ruling
    level: str
    """the level that asks for this; where only the gradients fail, that of gradients"""
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        """Whether the case passed."""
        return self.ruling.verdict.good


@dataclass(frozen=True, eq=False)
class Run:
    """A whole run."""

    port: Started | None
    """None if it never started"""
    precision: str
    results: tuple[Result, ...]
    wanted: str
    """the level that was asked for"""
    partial: bool = False
    """whether only some cases were selected; then no level is reported"""
    notes: tuple[str, ...] = ()
    interrupted: bool = False

    @property
    def passed(self) -> bool:
        """Whether all selected cases ran and passed; a run of no case did not pass.

        >>> Run(None, "float64", (), "full").passed
        False
        """
        return bool(self.results) and all(result.good for result in self.results)

    @property
    def level(self) -> str | None:
        """The highest level whose cases all pass."""
        if self.partial or not self.results:
            return None
        highest = reached(result.level for result in self.results if not result.good)
        return highest if highest is None or within(highest, self.wanted) else self.wanted

    def count(self, verdict: Verdict) -> int:
        """How many cases got a verdict."""
        return sum(result.ruling.verdict is verdict for result in self.results)


class Runner:
    """A port under test, with what has to be remembered from case to case.

    Parameters: `precision`, the class of arithmetic to judge by, None for the one that the port
    declares; `wanted`, the level: gradients are asked for from `train` on; `restarts`, how often
    the port may be restarted.
    """

    def __init__(
        self, port: Port, *, precision: str | None = None, wanted: str = "full", restarts: int = 25
    ) -> None:
        self.port: Final = port
        self.wanted: Final = wanted
        self.precision = precision or "float64"
        self.started: Started | None = None
        self.restarts = 0
        self._declared: Final = precision is None
        self._limit: Final = restarts
        self._up = False
        self._failed_starts = 0
        self._given_up = ""
        self._stderr: tuple[str, ...] = ()
        self._last_fault = ""
        self._heard = False
        self._asked = 0
        self._of_seq: dict[int, int] = {}
        self._results: list[Result] = []

    def run(
        self,
        cases: Sequence[Case],
        *,
        partial: bool = False,
        progress: Callable[[Result], object] = lambda _: None,
    ) -> Run:
        """Ask all cases that the wanted level holds.  Ctrl-C fails what is left of them."""
        self.begin()
        chosen = [case for case in cases if self.wants(case)]
        interrupted = False
        for number, case in enumerate(chosen):
            try:
                progress(self.ask(case))
            except KeyboardInterrupt:
                interrupted, self._given_up = True, "the run was interrupted"
                if len(self._results) == number:
                    self._keep(case, Ruling(Verdict.FAILED, "given-up", self._given_up), 0.0)
        notes = [self.end()]
        if self.restarts:
            notes.append(f"the port was restarted {_times(self.restarts)}")
        if unjudged := sum(not self.judges(case) for case in cases):
            notes.append(f"{unjudged} cases have no bound for {self.precision}: not asked")
        return Run(
            self.started,
            self.precision,
            tuple(self._results),
            self.wanted,
            partial,
            tuple(filter(None, notes)),
            interrupted,
        )

    def begin(self) -> None:
        """Start the port; twice, if the first attempt fails."""
        while not self._up and not self._given_up:
            self._ensure_started()

    def give_up(self, why: str) -> None:
        """Ask nothing more; the remaining cases fail with this reason."""
        self._given_up = self._given_up or why

    def end(self) -> str:
        """Stop the port; returns a note on how it ended."""
        note = self.port.stop()
        self._amend()
        return note

    def judges(self, case: Case) -> bool:
        """Whether a case has a bound for the port's precision; one that rejects needs none."""
        return case.reject is not None or self.precision in case.tolerance

    def wants(self, case: Case) -> bool:
        """Whether a case is asked at the wanted level and precision."""
        return within(level_of(case.op), self.wanted) and self.judges(case)

    def ask(self, case: Case) -> Result:
        """One case.  A second answer to an earlier one changes the result of that."""
        before = time.perf_counter()
        gradients = bool(case.gradients) and within("train", self.wanted)
        claimed = self.started is not None and case.op in self.started.gradients
        judged = case if gradients and claimed else replace(case, gradients={}, cotangents={})
        answer = self._answer(judged)
        ruling = answer if isinstance(answer, Ruling) else rule(judged, answer, self.precision)
        if ruling.verdict is Verdict.PASSED and gradients and not claimed:
            lacking = f"the port lists no gradients of {case.op}"
            ruling = Ruling(Verdict.SKIPPED, "skipped", lacking, outputs_right=True)
        self._amend()
        return self._keep(case, ruling, time.perf_counter() - before)

    def _answer(self, case: Case) -> Answer | Ruling:
        self._ensure_started()
        if self._given_up:
            stderr, self._stderr = self._stderr, ()
            return Broken("given-up", f"not asked: {self._given_up}", stderr)
        if not self._up or self.started is None:
            return Broken("not-started", "the port did not start again")
        if case.op not in self.started.operations:
            return Ruling(Verdict.SKIPPED, "skipped", f"the port does not list {case.op}")
        self._asked += 1
        self._of_seq[self._asked] = len(self._results)
        answer = self.port.run(
            Request(self._asked, case.op, case.attributes, case.inputs, case.cotangents)
        )
        if isinstance(answer, Broken) and answer.kind != "form":
            self._up = False
            self._note_fault(answer.kind)
        else:
            self._heard = True
        return answer

    def _note_fault(self, kind: str) -> None:
        """Give up a port that has never answered, after the same fault of its harness twice."""
        if not self._heard and kind == self._last_fault and kind in _OF_THE_HARNESS:
            self.give_up(f"no case was ever answered, and two in a row ended in {kind}")
        self._last_fault = kind

    def _ensure_started(self) -> None:
        """Start the port if it does not run; two failures in a row are the end of it."""
        if self._up or self._given_up:
            return
        if self._asked and self.restarts >= self._limit:
            self._given_up = f"the port had been restarted {_times(self.restarts)}"
            return
        if self._asked:
            self.restarts += 1
        introduction = self.port.start()
        if isinstance(introduction, Broken):
            self._failed_starts += 1
            self._stderr = introduction.stderr
            if self._failed_starts == 2:
                self._given_up = f"the port does not start: {introduction.message}"
            return
        self._up, self._failed_starts = True, 0
        if self.started is None:
            self.started = introduction
            self.precision = introduction.precision if self._declared else self.precision

    def _keep(self, case: Case, ruling: Ruling, seconds: float) -> Result:
        level = level_of(case.op, gradients=ruling.outputs_right)
        self._results.append(Result(case, ruling, level, seconds))
        return self._results[-1]

    def _amend(self) -> None:
        """Fail the cases that were answered more than once."""
        for seq, why in self.port.twice():
            at = self._of_seq[seq]
            if self._results[at].good:
                ruling = Ruling(Verdict.FAILED, "order", why)
                self._results[at] = replace(self._results[at], ruling=ruling)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
