"""Options of `saffu check`.   (SPEC 9)"""

from __future__ import annotations

import argparse
import os
import shlex
import textwrap
from pathlib import Path
from typing import Final

from saffu.conformance.contract.case import PRECISIONS
from saffu.conformance.judging.levels import LEVELS
from saffu.errors import BadOption

_SPEC: Final = "SPEC 9"

USAGE: Final = "saffu check [options] PORT\n       saffu check [options] -- COMMAND [argument ...]"

ABOUT: Final = """\
Verdict on an implementation (a port) of the operations of SAFFU, by the golden cases.

PORT is a Python module, or an object in one (package.module:object), with functions named as the
operations, which take arrays and attributes by keyword; `saffu` is the reference.  COMMAND is a
program in any language that answers JSON lines.  How to write either: docs/porting.md.

  saffu check mypackage.port                         a module
  saffu check --level core -- ./my-port --flag       a program, first level only
  saffu check --smoke -- node port.js                test of the harness, one case per operation
  saffu check --only softmax,refine my.port          two operations
  saffu check --only softmax/ties my.port            one case
  saffu check --challenge --report out my.port       fresh inputs, and a report in the folder out
"""

STATUS: Final = """\
Exit status: 0 all selected cases ran and passed; 1 some did not, or none ran; 2 wrong command
line, or a port that cannot be imported; 3 the port never started, or (--smoke) the harness is
broken; 4 the golden files are missing or differ from the manifest; 130 interrupted.
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """All options of `saffu check`."""
    which = parser.add_argument_group("selection of cases")
    which.add_argument(
        "--level", choices=LEVELS, default="full",
        help="highest level to test (default: full); gradients belong to train",
    )  # fmt: skip
    which.add_argument(
        "--only", metavar="ID", action="append", default=[],
        help="operation or case (OP/SLUG), or several with commas; repeatable; then no level",
    )  # fmt: skip
    which.add_argument(
        "--smoke", action="store_true",
        help="smallest case per operation, to tell a broken harness from a wrong port",
    )  # fmt: skip
    which.add_argument(
        "--challenge", metavar="NONCE", nargs="?", const="",
        help="fresh inputs, judged against the reference; NONCE repeats an earlier run",
    )  # fmt: skip
    which.add_argument(
        "--golden", metavar="FOLDER", type=Path, help="golden files other than those installed"
    )
    which.add_argument(
        "--list", action="store_true", help="list of the selected cases, without a port"
    )
    how = parser.add_argument_group("judging")
    how.add_argument(
        "--precision", choices=PRECISIONS,
        help="class of arithmetic (default: declared by the port)",
    )  # fmt: skip
    how.add_argument(
        "--timeout", metavar="S", type=seconds, default=60.0, help="for one answer (default: 60)"
    )
    how.add_argument(
        "--start-timeout", metavar="S", type=seconds, default=60.0,
        help="seconds for the first answer (default: 60)",
    )  # fmt: skip
    how.add_argument(
        "--restarts", metavar="N", type=int, default=25,
        help="largest number of restarts of the port (default: 25)",
    )  # fmt: skip
    how.add_argument(
        "--in-process", action="store_true",
        help="PORT in the process of the kit, for debuggers; a verdict to be trusted needs its own",
    )  # fmt: skip
    how.add_argument(
        "--fail-fast", action="store_true", help="end of the run at the first case that fails"
    )
    parser.add_argument(
        "--report", metavar="FOLDER", type=Path,
        help="folder for results.jsonl, junit.xml, index.html and badge.json",
    )  # fmt: skip


def seconds(text: str) -> float:
    """A positive, finite number of seconds, as argparse reads it."""
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds > 0")
    return number


def check_parser(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Add usage, description, target and options of `saffu check` to a parser."""
    parser.usage = USAGE
    parser.description = ABOUT
    parser.epilog = STATUS
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("target", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    add_options(parser)
    return parser


def read_target(args: argparse.Namespace) -> tuple[str | None, list[str]]:
    """The port, or the command; options that come after the port are read into `args`.

    Refuses: neither, both, a nonce that is the port, and a program without `--` before it.
    """
    rest: list[str] = list(args.target)
    if rest and rest[0] == "--":
        if not rest[1:]:
            raise BadOption("COMMAND", "", "a program after --", _SPEC)
        return None, rest[1:]
    if rest:
        more = argparse.ArgumentParser(prog="saffu check", usage=USAGE, add_help=False)
        add_options(more)
        before, after = (rest[1:], []) if "--" not in rest else (
            rest[1 : rest.index("--")], rest[rest.index("--") :]
        )  # fmt: skip
        if after:
            raise BadOption("PORT", rest[0], "left out where -- COMMAND is given", _SPEC)
        given, others = more.parse_known_args(before)
        if _is_program(rest[0]) or any(not each.startswith("-") for each in others):
            command = shlex.join([rest[0], *others])
            advice = f"a module (a program goes after --: saffu check -- {command})"
            raise BadOption("PORT", command, advice, _SPEC)
        if others:
            more.error(f"unrecognized arguments: {' '.join(others)}")
        for name, value in vars(given).items():
            if value != more.get_default(name):
                merged = [*args.only, *value] if name == "only" else value
                setattr(args, name, merged)
        return rest[0], []
    hint = "a module, or a program after --"
    if args.challenge:
        hint += f" (is {textwrap.shorten(args.challenge, 40)} the port? write --challenge last)"
    raise BadOption("PORT", "", hint, _SPEC)


def _is_program(name: str) -> bool:
    """Whether the name of a port is the path of a file."""
    return os.sep in name or Path(name).is_file()
