"""The program `saffu`: what a command line asks for, and what becomes of errors.

A command is imported when it is asked for, so that `saffu --help` answers at once.  Whatever goes
wrong is one message on stderr, never a traceback (but with `--debug`).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from typing import Final

from saffu.errors import SaffuError

DONE, FAILED, REFUSED, INTERRUPTED = 0, 1, 2, 130
"""Exit status: all is well; a bug of ours; bad input or options; Ctrl-C."""

COMMANDS: Final = {
    "demo": "the claims of the papers, tried on this machine in a minute",
    "fit": "make a language model of text files",
    "eval": "how well a model predicts text",
    "generate": "let a model continue a text",
    "info": "what a model file holds",
    "replicate": "every claim of the papers measured, with a verdict",
    "digits": "the same explicit solution on images of digits",
    "roadmap": "a map of many models: parameters against perplexity",
    "check": "judge an implementation by the golden cases",
    "golden": "list, show, explain, verify, export or record the golden cases",
}
CONFORMANCE: Final = ("check", "golden")

ABOUT: Final = """\
Language models whose parameters are computed from counts, instead of by gradient descent.

  saffu demo                                       a minute's tour: table, samples, plot
  saffu fit book.txt notes/ -o model               a model of your own text
  saffu eval model other.txt                       its perplexity on other text
  saffu generate model --prompt "In the"           its own words
"""

MORE: Final = """\
saffu COMMAND --help tells more.  Exit status: 0 done; 1 a bug of saffu; 2 bad input or options;
130 stopped by Ctrl-C (check and golden have more, see there).
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the command line says; returns the exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    arguments = program(words).parse_args(words, argparse.Namespace(words=words))
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
        case KeyboardInterrupt():
            return "stopped", INTERRUPTED
        case SaffuError():
            return str(problem), INTERRUPTED if problem.reason == "interrupted" else REFUSED
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
    if asked in CONFORMANCE:
        import_module("saffu.conformance.command").add_parsers(commands)
        return parser
    for name, about in COMMANDS.items():
        if name != asked:
            commands.add_parser(name, help=about)
        else:
            import_module(f"saffu.commands.{name}").add_parser(commands, about)
    return parser


if __name__ == "__main__":
    sys.exit(main())
