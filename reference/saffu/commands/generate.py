"""`saffu generate`: let a model continue a text."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Final

from saffu.commands.console import add_common, bars
from saffu.commands.options import real, whole
from saffu.models.transformer import SaffuTransformer

ABOUT: Final = """\
Let a model continue a text, token by token.  The same seed gives the same text.

  saffu generate model
  saffu generate model --prompt "In the beginning" --tokens 100
  saffu generate model --temperature 0          the likeliest token each time
  saffu generate model --samples 5 --top-k 10   five texts, less daring
"""


def add_parser(commands: Any, about: str) -> None:
    """Add `generate` to the commands of the program."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "generate",
        help=about,
        description=ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", metavar="MODEL", type=Path, help="a file that saffu fit wrote")
    parser.add_argument("--prompt", default="", metavar="TEXT", help="what to continue")
    parser.add_argument(
        "--tokens", type=whole(0), default=60, metavar="N", help="new tokens at most (default: 60)"
    )
    parser.add_argument(
        "--temperature", type=real(0.0, itself=True), default=1.0, metavar="T",
        help="below 1 likelier words, above 1 rarer ones (default: 1)",
    )  # fmt: skip
    parser.add_argument(
        "--top-k", type=whole(0), default=40, metavar="K",
        help="draw from so many likeliest tokens; 0: from all (default: 40)",
    )  # fmt: skip
    parser.add_argument("--seed", type=whole(0), default=0, help="of the draws (default: 0)")
    parser.add_argument(
        "--samples", type=whole(1), default=1, metavar="N", help="texts, a line between"
    )
    add_common(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the texts; returns the exit status."""
    model = SaffuTransformer.load(arguments.model)
    with bars(arguments) as shown:
        for sample in range(arguments.samples):
            text = model.generate(
                arguments.prompt,
                tokens=arguments.tokens,
                temperature=arguments.temperature,
                top_k=arguments.top_k or None,
                seed=arguments.seed + sample,
            )
            shown.say(*(["---"] if sample else []), text)
    return 0
