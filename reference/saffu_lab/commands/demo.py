"""`saffu demo`: the first minute."""

from __future__ import annotations

import argparse
import shlex
import textwrap
from pathlib import Path
from typing import Any, Final

from saffu.commands.console import Bars, add_common, bars
from saffu.commands.options import real, whole
from saffu.data.readers import UNITS
from saffu.errors import BadFile
from saffu_lab.demo.demo import run_demo, write
from saffu_lab.demo.outcome import Text
from saffu_lab.demo.page import HEAD, cells, line, remarks

ABOUT: Final = """\
The papers' claims, tried on this machine: explicit solutions against backpropagation on one text,
with the classical baselines beside them.  Prints a table, and writes a page to look at later.

  saffu demo                           English prose that comes with Python; within a minute
  saffu demo --tiny                    a few seconds; the numbers mean nothing
  saffu demo --corpus book.txt notes/  your own text; some 100,000 words are enough
  saffu demo --seconds 300             more time for backpropagation
"""


INDENT: Final[dict[str, Any]] = {"initial_indent": "  ", "subsequent_indent": "  "}


def add_parser(commands: Any, about: str) -> None:
    """Add `demo` to the commands of the program."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "demo",
        help=about,
        description=ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--tiny", action="store_true", help="a small model of little text")
    parser.add_argument(
        "--out", metavar="FOLDER", type=Path, default=Path("saffu-demo"),
        help="where index.html, results.json and curves.png go (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--seed", type=whole(0), default=0, help="of all that is drawn (default: 0)"
    )
    parser.add_argument(
        "--corpus", metavar="PATH", nargs="+", type=Path, default=[],
        help="text files or folders of your own",
    )  # fmt: skip
    parser.add_argument(
        "--unit", choices=UNITS, default="paragraph",
        help="what a document of them is (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--seconds", type=real(0.0), metavar="S",
        help="about how long it takes in all; less than the explicit solutions need is not kept",
    )  # fmt: skip
    add_common(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run, print and write; returns the exit status."""
    folder: Path = arguments.out
    if folder.exists() and not folder.is_dir():
        raise BadFile(folder, "it is there, and no folder", "choose another --out")
    with bars(arguments) as shown:
        outcome = run_demo(
            arguments.corpus,
            tiny=arguments.tiny,
            unit=arguments.unit,
            seconds=arguments.seconds,
            seed=arguments.seed,
            progress=shown,
            on_text=lambda text: head(text, shown),
            on_row=lambda row: shown.say(line(cells(row))),
        )
        shown.say("", *remarks(outcome))
        for row in outcome.rows:
            shown.say("", f"{row.name}:", *textwrap.wrap(row.sample, 96, **INDENT))
        shown.say("")
        folder.mkdir(parents=True, exist_ok=True)
        command = shlex.join(["saffu", *arguments.words])
        shown.say(*write(outcome, folder, command))
    return 0


def head(text: Text, shown: Bars) -> None:
    """What is about to be measured, and the head of the table."""
    shown.say(
        text.name,
        f"{text.train.targets:,} targets for training, {text.validation.targets:,} for choices, "
        f"{text.test.targets:,} for the test; {len(text.vocabulary):,} tokens",
        "",
        line(HEAD),
    )
