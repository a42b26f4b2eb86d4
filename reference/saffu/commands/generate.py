"""`saffu generate`: text continued by a model."""

from __future__ import annotations

import argparse
from typing import Any, Final

from saffu.commands.console import add_command, bars
from saffu.commands.options import place, real, seed, whole
from saffu.models.transformer import SaffuTransformer

ABOUT: Final = """\
A text continued by a model, token by token.  Equal seeds give equal texts.

  saffu generate model
  saffu generate model --prompt "In the beginning" --tokens 100
  saffu generate model --temperature 0          the likeliest token each time
  saffu generate model --samples 5 --top-k 10   five texts from likelier tokens
"""


def add_parser(commands: Any, about: str) -> None:
    """Add `generate` to the commands of the program."""
    parser = add_command(commands, "generate", about, ABOUT, run)
    parser.add_argument(
        "model", metavar="MODEL", type=place, help="model file written by saffu fit"
    )
    parser.add_argument("--prompt", default="", metavar="TEXT", help="beginning of the text")
    parser.add_argument(
        "--tokens",
        type=whole(0),
        default=60,
        metavar="N",
        help="maximum number of new tokens (default: 60)",
    )
    parser.add_argument(
        "--temperature", type=real(0.0, itself=True), default=1.0, metavar="T",
        help="divisor of the logits: below 1 likelier tokens, above 1 rarer ones (default: 1)",
    )  # fmt: skip
    parser.add_argument(
        "--top-k", type=whole(0), default=40, metavar="K",
        help="number of likeliest tokens to draw from; 0: all (default: 40)",
    )  # fmt: skip
    parser.add_argument("--seed", type=seed, default=0, help="seed of the draws (default: 0)")
    parser.add_argument(
        "--samples", type=whole(1), default=1, metavar="N", help="number of texts, separated by ---"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the texts; returns the exit status."""
    model = SaffuTransformer.load(arguments.model)
    with bars(arguments) as shown:
        for sample in range(arguments.samples):
            if shown.unread:
                break
            text = model.generate(
                arguments.prompt,
                tokens=arguments.tokens,
                temperature=arguments.temperature,
                top_k=arguments.top_k or None,
                seed=arguments.seed + sample,
            )
            shown.say(*(["---"] if sample else []), text)
    return 0
