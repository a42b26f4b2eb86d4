"""Common parts of long measurements: workers, progress, interruption, folder of results."""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from tqdm import tqdm

from saffu.commands.options import whole
from saffu.errors import BadFile, BadOption, Interrupted
from saffu.files import check_writable
from saffu_lab.records.results import Line
from saffu_lab.study.running import Crew, State, open_crew


def make_folder(folder: Path) -> None:
    """Make the folder of the results before any work, and find out whether it can be written to.

    Refuses: a file of that name; a folder that cannot be made or written to.
    """
    if folder.exists() and not folder.is_dir():
        raise BadFile(folder, "expected a folder, got a file", "choose another --out")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise BadFile(folder, f"it cannot be made ({problem})", "choose another --out") from problem
    check_writable(folder / ".results")


def add_crew(parser: argparse.ArgumentParser) -> None:
    """Options of the engine: `--engine`, `--workers`, `--scheduler`."""
    group = parser.add_argument_group("engine")
    group.add_argument(
        "--engine", choices=("serial", "pool", "dask"), default="pool",
        help="this process, several processes, or a cluster (default: %(default)s)",
    )  # fmt: skip
    group.add_argument(
        "--workers", type=whole(1), metavar="N", help="number of processes (default: one per core)"
    )
    group.add_argument(
        "--scheduler", metavar="ADDRESS",
        help="address of a Dask scheduler, whose workers see the data under the same path "
        "(default: a cluster on this machine)",
    )  # fmt: skip


def crew_of(arguments: argparse.Namespace) -> AbstractContextManager[Crew]:
    """The crew that the options name.

    Refuses: a scheduler without `--engine dask`; what `open_crew` refuses.
    """
    if arguments.scheduler is not None and arguments.engine != "dask":
        raise BadOption("--scheduler", arguments.scheduler, "used with --engine dask", "SPEC 8")
    return open_crew(arguments.engine, workers=arguments.workers, scheduler=arguments.scheduler)


@contextmanager
def stoppable(arguments: argparse.Namespace) -> Iterator[None]:
    """Ctrl-C ends what happens here, and says how to go on."""
    try:
        yield
    except KeyboardInterrupt as stopped:
        again = shlex.join(["saffu", *arguments.words])
        raise Interrupted(f"stopped; what is done is kept; go on with:\n  {again}") from stopped


EVERY = 60.0
"""seconds between two lines where there is no terminal"""


class Watching:
    """A bar of the pieces of work, and about how long the rest takes; a line a minute in a log.

    The guesses of the tasks are held against the clock: what was left and is done now took so long.
    """

    def __init__(self, shown: bool | None) -> None:
        self.shown = sys.stderr.isatty() if shown is None else shown
        self.logged = shown is None and not self.shown
        self._said = time.monotonic()
        self._bar: Any = None
        self._before: State | None = None
        self._at = time.monotonic()
        self._took = self._done = 0.0

    def __enter__(self) -> Watching:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def __call__(self, state: State, line: Line | None) -> None:
        """Move the bar; hears of every line."""
        if not (self.shown or self.logged):
            return
        now = time.monotonic()
        if self._before is not None and self._before.known == state.known:
            self._done += self._before.seconds_left - state.seconds_left
            self._took += now - self._at  # where new tasks were named, nothing can be compared
        self._before, self._at = state, now
        left = ""
        if self._done > 0:
            seconds = self._took * state.seconds_left / self._done
            left = f"about {seconds / 60:.1f} min left"
        if self.shown:
            self._draw(state, line, left)
        elif time.monotonic() - self._said >= EVERY:
            self._said = time.monotonic()
            words = f"{state.done} of {state.known} pieces" + (f", {left}" if left else "")
            sys.stderr.write(f"{words}\n")
            sys.stderr.flush()

    def _draw(self, state: State, line: Line | None, left: str) -> None:
        if self._bar is None:
            self._bar = tqdm(
                total=state.known, initial=state.done, unit=" pieces", file=sys.stderr,
                bar_format="{desc} {n}/{total} |{bar}| {elapsed}{postfix}",
            )  # fmt: skip
        self._bar.total = state.known
        self._bar.set_description_str(str((line or {}).get("do", "")), refresh=False)
        if left:
            self._bar.set_postfix_str(left, refresh=False)
        self._bar.update(state.done - self._bar.n)
        self._bar.refresh()
