"""Command line interface: the program `saffu`, its commands and exit status.

A command is imported only when it is used, so that `saffu --help` answers at once.  Every error is
one message on stderr, without a traceback unless `--debug` is given.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import distribution, version
from types import ModuleType
from typing import Final

from saffu.commands.streams import standard_streams
from saffu.errors import Interrupted, SaffuError
from saffu.progress.interruption import interruptible

DONE, FAILED, REFUSED, INTERRUPTED = 0, 1, 2, 130
"""Exit status: success; a bug of saffu; bad input or options; Ctrl-C or SIGTERM."""

COMMANDS: Final = {
    "fit": ("saffu.commands.fit", "a language model from text files"),
    "eval": ("saffu.commands.eval", "perplexity and bits per byte of a model on text"),
    "generate": ("saffu.commands.generate", "text continued by a model"),
    "info": ("saffu.commands.info", "contents of a model file"),
    "check": (
        "saffu.conformance.command.check",
        "conformance of an implementation",
    ),
    "golden": (
        "saffu.conformance.command.golden",
        "the golden cases: list, show, explain, verify, export, record",
    ),
}
"""Commands by name: the module and a description of each."""

ENTRY_POINTS: Final = "saffu.commands"
"""The entry point group of further tables like this one."""

ABOUT: Final = """\
Language models whose parameters are computed from counts, instead of by gradient descent.

  saffu demo                                       a first look, one minute: table, samples, plot
  saffu fit book.txt notes/ -o model               a model of your own text
  saffu eval model other.txt                       its perplexity on other text
  saffu generate model --prompt "In the"           text that it generates
"""

MORE: Final = """\
`saffu COMMAND --help` describes a command.  Exit status: 0 done; 1 a bug of saffu; 2 bad input or
options; 130 stopped by Ctrl-C or SIGTERM (`check` and `golden` have further ones).
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command of a command line; returns the exit status.

    Nothing that is printed can fail; what could not be printed is reported at the end.
    Parameters: `argv`, the words after `saffu`; None in the program itself, for those of
    `sys.argv`: once its work is over, Ctrl-C and SIGTERM no longer change how it ends.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    with standard_streams() as out:
        try:
            with interruptible(signal.SIGINT, signal.SIGTERM, to_the_end=argv is None):
                arguments = program(words).parse_args(words, argparse.Namespace(words=words))
                status: int = arguments.run(arguments)
        except (Exception, KeyboardInterrupt) as problem:
            if "--debug" in words:
                raise
            message, status = message_and_status(problem)
            print(f"saffu: {message}", file=sys.stderr)
        out.flush()
        if out.lost is not None and not isinstance(out.lost, BrokenPipeError):
            print(f"saffu: the output is not complete ({out.lost})", file=sys.stderr)
            status = status or REFUSED
    return status


def message_and_status(problem: BaseException) -> tuple[str, int]:
    """The message about an error, and the exit status.

    >>> message_and_status(SaffuError("bits must be a whole number >= 1, got 0"))
    ('bits must be a whole number >= 1, got 0', 2)
    """
    match problem:
        case SaffuError():
            return str(problem), INTERRUPTED if isinstance(problem, Interrupted) else REFUSED
        case KeyboardInterrupt():
            return "stopped", INTERRUPTED
        case OSError():
            return str(problem), REFUSED
        case ImportError():
            return f"{problem}; install saffu and its packages again", REFUSED
        case MemoryError():
            return "there is not enough memory; take less text or a smaller model", REFUSED
    name = type(problem).__name__
    return f"{name}: {problem}; this is a bug of saffu: report what --debug shows", FAILED


def program(words: Sequence[str]) -> argparse.ArgumentParser:
    """The parser, with the options of the one command that is used."""
    parser = argparse.ArgumentParser(
        prog="saffu",
        description=ABOUT,
        epilog=MORE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"saffu {version('saffu')}")
    parser.add_argument("--debug", action="store_true", help="traceback of errors")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", title="commands")
    asked = next((word for word in words if not word.startswith("-")), None)
    for name, (module, about) in known_commands().items():
        if name != asked:
            commands.add_parser(name, help=about)
        else:
            _loaded(name, module).add_parser(commands, about)
    return parser


def _loaded(command: str, module: str) -> ModuleType:
    """The module of a command.  Raises `ImportError` whatever keeps it from being imported."""
    try:
        return import_module(module)
    except Exception as problem:
        what = f"{type(problem).__name__}: {problem}"
        raise ImportError(f"the command {command!r} cannot be loaded ({what})") from problem


def known_commands() -> dict[str, tuple[str, str]]:
    """The commands above, and those that other packages of the distribution add."""
    tables = distribution("saffu").entry_points.select(group=ENTRY_POINTS)
    return COMMANDS | {name: row for table in tables for name, row in table.load().items()}


if __name__ == "__main__":
    sys.exit(main())
