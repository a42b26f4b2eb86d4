"""`saffu demo`: the papers' claims on one text, in one minute."""

from __future__ import annotations

import argparse
import shlex
import textwrap
from pathlib import Path
from typing import Any, Final

from saffu.commands.console import Bars, add_command, bars
from saffu.commands.options import place, real, seed
from saffu.data.readers import UNITS
from saffu_lab.commands.measuring import make_folder
from saffu_lab.demo.demo import run_demo, write
from saffu_lab.demo.outcome import Text
from saffu_lab.demo.page import HEAD, cells, line, remarks

ABOUT: Final = """\
The papers' claims on this machine: explicit solutions against backpropagation on one text, with
classical baselines for comparison.  Prints a table and writes a page of results.

  saffu demo                           English prose that comes with Python; one minute
  saffu demo --tiny                    a few seconds; the numbers mean nothing
  saffu demo --corpus book.txt notes/  your own text; 100,000 words are enough
  saffu demo --seconds 300             more time for backpropagation
"""


INDENT: Final[dict[str, Any]] = {"initial_indent": "  ", "subsequent_indent": "  "}


def add_parser(commands: Any, about: str) -> None:
    """Add `demo` to the commands of the program."""
    parser = add_command(commands, "demo", about, ABOUT, run)
    parser.add_argument("--tiny", action="store_true", help="small model, little text")
    parser.add_argument(
        "--out", metavar="FOLDER", type=place, default=Path("saffu-demo"),
        help="folder of index.html, results.json and curves.png (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--seed", type=seed, default=0, help="seed of all random numbers (default: 0)"
    )
    parser.add_argument(
        "--corpus", metavar="PATH", nargs="+", type=place, default=[],
        help="text files or folders",
    )  # fmt: skip
    parser.add_argument(
        "--unit", choices=UNITS, default="paragraph",
        help="part of a file that makes one document (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--seconds", type=real(0.0), metavar="S",
        help="approximate time in all; never less than the explicit solutions need",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Run, write and print; returns the exit status."""
    folder: Path = arguments.out
    make_folder(folder)
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
        written = write(outcome, folder, shlex.join(["saffu", *arguments.words]))
        shown.say("", *remarks(outcome))
        for row in outcome.rows:
            shown.say("", f"{row.name}:", *textwrap.wrap(row.sample, 96, **INDENT))
        shown.say("")
        shown.say(*written)
    return 0


def head(text: Text, shown: Bars) -> None:
    """Print the sizes of the text and the head of the table."""
    shown.say(
        text.name,
        f"{text.train.targets:,} targets for training, {text.validation.targets:,} for choices, "
        f"{text.test.targets:,} for the test; {len(text.vocabulary):,} tokens",
        "",
        line(HEAD),
    )
