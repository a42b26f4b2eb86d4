"""The program `saffu`: what a command line asks for, and what becomes of errors.

A command is imported when it is asked for, so that `saffu --help` answers at once.  Whatever goes
wrong is one message on stderr, never a traceback (but with `--debug`).
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import distribution, version
from typing import Final

from saffu.errors import Interrupted, SaffuError
from saffu.progress import interruptible

DONE, FAILED, REFUSED, INTERRUPTED = 0, 1, 2, 130
"""Exit status: all is well; a bug of ours; bad input or options; Ctrl-C or SIGTERM."""

COMMANDS: Final = {
    "fit": ("saffu.commands.fit", "make a language model of text files"),
    "eval": ("saffu.commands.eval", "how well a model predicts text"),
    "generate": ("saffu.commands.generate", "let a model continue a text"),
    "info": ("saffu.commands.info", "what a model file holds"),
    "check": ("saffu.conformance.command.check", "judge an implementation by the golden cases"),
    "golden": (
        "saffu.conformance.command.golden",
        "list, show, explain, verify, export or record the golden cases",
    ),
}
"""Name of a command: its module, and what it does."""

ENTRY_POINTS: Final = "saffu.commands"
"""The group in which the distribution names further tables like this one."""

ABOUT: Final = """\
Language models whose parameters are computed from counts, instead of by gradient descent.

  saffu demo                                       a minute's tour: table, samples, plot
  saffu fit book.txt notes/ -o model               a model of your own text
  saffu eval model other.txt                       its perplexity on other text
  saffu generate model --prompt "In the"           its own words
"""

MORE: Final = """\
saffu COMMAND --help tells more.  Exit status: 0 done; 1 a bug of saffu; 2 bad input or options;
130 stopped by Ctrl-C or SIGTERM (check and golden have more, see there).
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the command line says; returns the exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    arguments = program(words).parse_args(words, argparse.Namespace(words=words))
    with interruptible(signal.SIGINT, signal.SIGTERM):
        return _run(arguments)


def _run(arguments: argparse.Namespace) -> int:
    """Run the command; whatever goes wrong becomes a message and an exit status."""
    try:
        status: int = arguments.run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # whoever read our output has enough; without this, Python complains at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except (Exception, KeyboardInterrupt) as problem:
        if arguments.debug:
            raise
        message, status = said(problem)
        print(f"saffu: {message}", file=sys.stderr)
    return status


def said(problem: BaseException) -> tuple[str, int]:
    """What is said of an error, and the exit status.

    >>> said(SaffuError("bits=0, but …"))
    ('bits=0, but …', 2)
    """
    match problem:
        case SaffuError():
            return str(problem), INTERRUPTED if isinstance(problem, Interrupted) else REFUSED
        case KeyboardInterrupt():
            return "stopped", INTERRUPTED
        case OSError():
            return str(problem), REFUSED
        case MemoryError():
            return "there is not enough memory; take less text or a smaller model", REFUSED
    name = type(problem).__name__
    return f"{name}: {problem}; this is a bug of saffu: report what --debug shows", FAILED


def program(words: Sequence[str]) -> argparse.ArgumentParser:
    """The parser, with the options of the one command that is asked for."""
    parser = argparse.ArgumentParser(
        prog="saffu",
        description=ABOUT,
        epilog=MORE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"saffu {version('saffu')}")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", title="commands")
    asked = next((word for word in words if not word.startswith("-")), None)
    for name, (module, about) in known_commands().items():
        if name != asked:
            commands.add_parser(name, help=about)
        else:
            import_module(module).add_parser(commands, about)
    return parser


def known_commands() -> dict[str, tuple[str, str]]:
    """The commands above, and those that other packages of the distribution add."""
    tables = distribution("saffu").entry_points.select(group=ENTRY_POINTS)
    return COMMANDS | {name: row for table in tables for name, row in table.load().items()}


if __name__ == "__main__":
    sys.exit(main())
