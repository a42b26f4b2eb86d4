"""Console output of the commands: progress bars on stderr, results on stdout; their common options.

Bars are drawn on a terminal, or with `--progress`; results are plain lines, so that they can be
kept in a file.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
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
        """Move the bar of a stage; another stage starts another bar."""
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
        """Print a line on stderr, where bars are shown."""
        if self.shown:
            self.clear()
            sys.stderr.write(f"{doing}\n")

    def clear(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def say(self, *lines: str) -> None:
        """Print results, after removing the bar."""
        self.clear()
        sys.stdout.writelines(f"{line}\n" for line in lines)
        sys.stdout.flush()

    @property
    def unread(self) -> bool:
        """Whether nobody reads the results any more."""
        return getattr(sys.stdout, "lost", None) is not None


def add_command(
    commands: Any,
    name: str,
    about: str,
    description: str,
    run: Callable[[argparse.Namespace], int],
) -> argparse.ArgumentParser:
    """Add a command to the program: its help, the common options and what it runs."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=about,
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_common(parser)
    parser.set_defaults(run=run)
    return parser


def add_common(parser: argparse.ArgumentParser) -> None:
    """The options of every command: `--progress`, `--no-progress`, `--debug`."""
    parser.add_argument(
        "--debug",
        action="store_true",
        default=argparse.SUPPRESS,  # it may also stand before the command
        help="traceback of errors",
    )
    parser.add_argument(
        "--progress",
        action=argparse.BooleanOptionalAction,
        help="progress bars on stderr (default: on a terminal)",
    )


@contextmanager
def bars(arguments: argparse.Namespace) -> Iterator[Bars]:
    """The progress bars of a command line, removed at the end in any case."""
    asked = arguments.progress
    shown = Bars(sys.stderr.isatty() if asked is None else asked)
    try:
        yield shown
    finally:
        shown.clear()
