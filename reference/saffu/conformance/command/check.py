"""The command `saffu check`: verdict, report and exit status for a port.   (SPEC 9)"""

from __future__ import annotations

import argparse
import hashlib
import json
import secrets
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tqdm import tqdm

from saffu.conformance.command import options
from saffu.conformance.contract.case import Case
from saffu.conformance.contract.golden import golden_root, read_manifest, read_suite
from saffu.conformance.diagnosis.bank import bank
from saffu.conformance.diagnosis.diagnose import diagnose
from saffu.conformance.judging.challenge import Challenge, challenge
from saffu.conformance.judging.levels import level_of, within
from saffu.conformance.judging.runner import Result, Run, Runner
from saffu.conformance.judging.verdict import Verdict
from saffu.conformance.operations import OPERATIONS
from saffu.conformance.ports.limits import end_in_time
from saffu.conformance.ports.module import Port, load
from saffu.conformance.ports.process import ProcessPort, isolated, telling
from saffu.conformance.ports.serve import NOT_LOADED
from saffu.conformance.ports.signals import Terminated
from saffu.conformance.report.badge import badge
from saffu.conformance.report.explain import listing
from saffu.conformance.report.junit import junit
from saffu.conformance.report.lines import NAME, Report, lines
from saffu.conformance.report.page.document import html
from saffu.conformance.report.smoke import broken, harness, smallest
from saffu.conformance.report.table import summary
from saffu.errors import BadFile, BadOption, BadRecord, SaffuError

PASSED, WRONG, USAGE, BROKEN, NO_FILES, INTERRUPTED = 0, 1, 2, 3, 4, 130
"""Exit statuses; `options.STATUS` explains them."""


def add_parser(commands: Any, about: str) -> None:
    """Add `check` to the commands of a program.

    It sets `run`, a function of the parsed arguments that returns the exit status.
    """
    parser = commands.add_parser("check", help=about)
    options.check_parser(parser)
    parser.set_defaults(run=run_check)


def run_check(args: argparse.Namespace) -> int:
    """Judge a port; returns the exit status."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # names in any script, any terminal
    try:
        listed = args.list and not args.target
        name, command = (None, []) if listed else options.read_target(args)
        root = args.golden or golden_root()
        cases = chosen(read_suite(root), args)
        if args.list:
            sys.stdout.write(listing(cases))
            return PASSED
        port = _port(name, command, args)
    except (BadFile, BadRecord) as damaged:
        return _refuse(damaged, NO_FILES)
    except SaffuError as wrong:
        return _refuse(wrong, USAGE)
    drawn = None
    if args.challenge is not None:
        drawn = challenge(cases, args.challenge or secrets.token_hex(4))
        cases = drawn.cases
    started = datetime.now(UTC)
    run = _run(port, cases, args, drawn)
    report = Report(
        run,
        diagnose(run, bank()),
        shlex.join(["saffu", *args.words]),
        str(read_manifest(root)["suite"]),
        hashlib.sha256((root / "MANIFEST.json").read_bytes()).hexdigest(),
        started,
        drawn.nonce if drawn else None,
        in_process=args.in_process and name is not None,
    )
    if args.report is not None:
        write(report, args.report)
    code = status(report, smoke=args.smoke)
    if name and run.port is None and isinstance(port, ProcessPort) and port.status == NOT_LOADED:
        sys.stderr.write(f"saffu check: {telling(port.stderr) if port.stderr else name}\n")
        return USAGE
    sys.stdout.write(summary(report))
    if args.smoke:
        sys.stdout.write(harness(run))
    if report.in_process:
        end_in_time(code)
    return code


def chosen(cases: Sequence[Case], args: argparse.Namespace) -> tuple[Case, ...]:
    """The cases that the options select.  Refuses an unknown operation or case."""
    only = {each for several in args.only for each in several.split(",")}
    ids = {case.id for case in cases}
    for each in only:
        if "/" in each and each not in ids:
            raise BadOption("--only", each, "a case that `saffu golden list` shows", "SPEC 9")
        if "/" not in each and each not in OPERATIONS:
            raise BadOption("--only", each, f"one of {', '.join(OPERATIONS)}", "SPEC 9")
    order = list(OPERATIONS)
    asked = [
        case
        for case in sorted(cases, key=lambda case: (order.index(case.op), case.id))
        if (not only or {case.op, case.id} & only) and within(level_of(case.op), args.level)
    ]
    return smallest(asked) if args.smoke else tuple(asked)


def status(report: Report, *, smoke: bool = False) -> int:
    """The exit status of a report."""
    if report.run.interrupted:
        return INTERRUPTED
    if report.run.port is None or (smoke and broken(report.run)):
        return BROKEN
    return PASSED if report.ok else WRONG


def write(report: Report, folder: Path) -> None:
    """The four files of a report."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        NAME: "".join(f"{line}\n" for line in lines(report)),
        "junit.xml": junit(report),
        "index.html": html(report),
        "badge.json": json.dumps(badge(report.run)) + "\n",
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")


def _port(name: str | None, command: Sequence[str], args: argparse.Namespace) -> Port:
    if name is None:
        return ProcessPort(command, timeout=args.timeout, start_timeout=args.start_timeout)
    if args.in_process:
        return load(name, timeout=args.timeout)
    return isolated(name, timeout=args.timeout, start_timeout=args.start_timeout)


def _run(
    port: Port, cases: Sequence[Case], args: argparse.Namespace, drawn: Challenge | None
) -> Run:
    runner = Runner(port, precision=args.precision, wanted=args.level, restarts=args.restarts)
    partial = bool(args.only) or args.smoke
    with (
        ends_by_signal() as end_if_signalled,
        tqdm(total=len(cases), unit="case", disable=None, leave=False) as bar,
    ):

        def progress(result: Result) -> None:
            end_if_signalled()
            bar.update()
            if args.fail_fast and result.ruling.verdict in (Verdict.FAILED, Verdict.ERRORED):
                runner.give_up(f"{result.case.id} failed, and --fail-fast ends the run there")

        run = runner.run(cases, partial=partial, progress=progress)
    if drawn and drawn.left_out:
        note = f"no fresh inputs could be drawn for {', '.join(drawn.left_out)}"
        run = replace(run, notes=(*run.notes, note))
    return run


@contextmanager
def ends_by_signal() -> Iterator[Callable[[], None]]:
    """Let SIGTERM and SIGHUP end the program in good order, so that no port is left running.

    Yields a function that ends the program if a port has caught the signal.
    """
    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():
        names = []
    pending: list[int] = []

    def end(number: int, _: object) -> None:
        pending.append(number)
        raise Terminated(number)

    def again() -> None:
        if pending:
            raise Terminated(pending[0])

    before = {name: signal.signal(getattr(signal, name), end) for name in names}
    try:
        yield again
    except Terminated as signalled:
        sys.exit(128 + signalled.number)
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)


def _refuse(wrong: SaffuError, code: int) -> int:
    sys.stderr.write(f"saffu check: {wrong}\n")
    return code
