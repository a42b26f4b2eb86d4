"""Running cases against a mutant, in a child process that may loop for ever, crash or eat memory.

The child writes a byte a case: `.` if it is answered rightly, `x` if not.  If it dies, the case at
which it died is the first without a byte, and that one kills too.  Time is the child's own
computing time, so that a busy machine does not turn slow into wrong.  (POSIX only.)
"""

from __future__ import annotations

import os
import resource
import signal
import traceback
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from saffu.conformance.contract.case import Case
from spec_tests.mutants.mutant import Mutant, put_in
from spec_tests.mutants.suite import right

SECONDS = 2.0
"""Computing time that a case may take: two hundred times what the slowest takes."""
BYTES = 4 * 2**30
"""Address space of a child."""


@dataclass(frozen=True)
class Outcome:
    """What the cases said of a mutant."""

    mutant: Mutant
    killed_by: tuple[str, ...]
    """ids of the cases that fail, as far as they were run"""
    died: bool
    """whether the last of them never came to an end"""


def outcomes(
    work: Iterable[tuple[Mutant, Sequence[Case]]], *, jobs: int, first_only: bool
) -> Iterator[Outcome]:
    """Each mutant against its cases, as they come to an end, `jobs` at a time.

    `first_only` stops at the first case that kills: enough for a score, not for a matrix.
    """
    running: dict[int, tuple[Mutant, Sequence[Case], int]] = {}
    for mutant, cases in work:
        if len(running) == jobs:
            yield _finished(running)
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            _child(mutant, cases, writer, first_only)
        os.close(writer)
        running[child] = (mutant, cases, reader)
    while running:
        yield _finished(running)


def _child(mutant: Mutant, cases: Sequence[Case], writer: int, first_only: bool) -> None:
    """Answer the cases and end; never returns."""
    try:
        resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        put_in(mutant)
        for case in cases:
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            good = _answered(case)
            os.write(writer, b"." if good else b"x")
            if first_only and not good:
                break
        os._exit(0)
    except BaseException:  # noqa: BLE001  (whatever it is, the child must not go on as a parent)
        traceback.print_exc()
        os._exit(3)


def _answered(case: Case) -> bool:
    try:
        return right(case)
    except Exception:  # noqa: BLE001  (breaking down is one way to be wrong)
        return False


def _finished(running: dict[int, tuple[Mutant, Sequence[Case], int]]) -> Outcome:
    """Wait for a child and read what it wrote."""
    child, status = os.wait()
    mutant, cases, reader = running.pop(child)
    with os.fdopen(reader, "rb") as pipe:
        said = pipe.read()
    if os.waitstatus_to_exitcode(status) == 3:
        raise RuntimeError(f"{mutant.name} could not be put in; see the traceback above")
    died = os.waitstatus_to_exitcode(status) != 0
    if died:
        said += b"x"
    killers = tuple(case.id for case, byte in zip(cases, said, strict=False) if byte == ord("x"))
    return Outcome(mutant, killers, died)
