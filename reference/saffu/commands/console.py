"""What a command shows while it works: bars on stderr, results on stdout.

Bars are drawn where somebody sits at a terminal, or when they are asked for; results are plain
lines, so that they can be kept in a file.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tqdm import tqdm


class Bars:
    """Progress bars, one stage after the other; a `saffu.progress.Progress`.

    >>> bars = Bars(shown=False)
    >>> bars("counting", 3, 7)
    >>> bars.say("unigram 207.1")
    unigram 207.1
    """

    def __init__(self, shown: bool) -> None:
        self.shown = shown
        self._bar: Any = None
        self._stage = ""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Move the bar of a stage; another stage begins another bar."""
        if not self.shown:
            return
        if stage != self._stage or self._bar is None:
            self.clear()
            self._stage = stage
            self._bar = tqdm(
                total=total,
                desc=stage,
                unit=" targets",
                unit_scale=True,
                leave=False,
                file=sys.stderr,
            )
        self._bar.total = total
        self._bar.update(done - self._bar.n)

    def note(self, doing: str) -> None:
        """Say what is going on, where bars are shown."""
        if self.shown:
            self.clear()
            sys.stderr.write(f"{doing}\n")

    def clear(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def say(self, *lines: str) -> None:
        """Print results, where no bar is in the way."""
        self.clear()
        sys.stdout.writelines(f"{line}\n" for line in lines)
        sys.stdout.flush()


def add_common(parser: argparse.ArgumentParser) -> None:
    """What every command understands: `--progress`, `--no-progress`, `--debug`."""
    parser.add_argument(
        "--debug",
        action="store_true",
        default=argparse.SUPPRESS,  # it may also stand before the command
        help="show the traceback of an error",
    )
    parser.add_argument(
        "--progress",
        action=argparse.BooleanOptionalAction,
        help="progress bars on stderr (default: if it is a terminal)",
    )


@contextmanager
def bars(arguments: argparse.Namespace) -> Iterator[Bars]:
    """The bars that the command line asks for, gone at the end whatever happens."""
    asked = arguments.progress
    shown = Bars(sys.stderr.isatty() if asked is None else asked)
    try:
        yield shown
    finally:
        shown.clear()
