"""`saffu digits`: explicit solutions on images of digits."""

from __future__ import annotations

import argparse
from typing import Any, Final

from saffu.commands.console import add_command, bars
from saffu.commands.options import place, seed
from saffu_lab.digits.mnist import printed, run_digits

ABOUT: Final = """\
Explicit solutions of softmax layers on images of digits, with naive Bayes and backpropagation for
comparison.  Accuracy and mean nats are those of test images, which each row reads once.

  saffu digits                   scikit-learn's 1,797 digits
  saffu digits --tiny            seconds; the numbers mean nothing
  saffu digits --mnist FOLDER    MNIST, from its four files, also as .gz

Columns: the method; images, the number of training images; seconds, the time for the weights.
"""


def add_parser(commands: Any, about: str) -> None:
    """Add `digits` to the commands of the program."""
    parser = add_command(commands, "digits", about, ABOUT, run)
    parser.add_argument(
        "--mnist", metavar="FOLDER", type=place, help="folder of the four files of MNIST"
    )
    parser.add_argument("--tiny", action="store_true", help="few images, one pass of every step")
    parser.add_argument(
        "--seed", type=seed, default=1, help="seed of the split and of random starts (default: 1)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Measure and print; returns the exit status."""
    with bars(arguments) as shown:
        rows = run_digits(
            arguments.mnist, tiny=arguments.tiny, seed=arguments.seed, progress=shown.note
        )
        shown.say(printed(rows))
    return 0
