"""`saffu digits`: the same explicit solution, on images."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Final

from saffu.commands.console import add_common, bars
from saffu.commands.options import whole
from saffu_lab.digits.mnist import printed, run_digits

ABOUT: Final = """\
Explicit solutions of softmax layers on images of digits, beside naive Bayes and backpropagation.
Accuracy and mean nats are of test images, which are looked at once for each row.

  saffu digits                   scikit-learn's 1,797 digits
  saffu digits --tiny            seconds; the numbers mean nothing
  saffu digits --mnist FOLDER    MNIST, from the four files that it comes in, also as .gz

A row is what was done; images, how many it learned from; seconds, what its weights took.
"""


def add_parser(commands: Any, about: str) -> None:
    """Add `digits` to the commands of the program."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "digits",
        help=about,
        description=ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--mnist", metavar="FOLDER", type=Path, help="where MNIST's files are")
    parser.add_argument("--tiny", action="store_true", help="few images, every step once")
    parser.add_argument(
        "--seed", type=whole(0), default=1, help="of the split and of random starts (default: 1)"
    )
    add_common(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Measure and print; returns the exit status."""
    with bars(arguments) as shown:
        rows = run_digits(
            arguments.mnist, tiny=arguments.tiny, seed=arguments.seed, progress=shown.note
        )
        shown.say(printed(rows))
    return 0
