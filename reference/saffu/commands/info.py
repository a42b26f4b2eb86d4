"""`saffu info`: what a model file holds, without reading its arrays."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from saffu.commands.console import add_common, bars
from saffu.configuration import Configuration
from saffu.data.vocabulary import Vocabulary
from saffu.errors import BadFile
from saffu.files import About, read_about
from saffu.models.training import Record
from saffu.models.transformer import SCHEMA

ABOUT: Final = """\
What a model file holds: its shape, its vocabulary, and how it was trained.

  saffu info model
"""


def add_parser(commands: Any, about: str) -> None:
    """Add `info` to the commands of the program."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "info",
        help=about,
        description=ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", metavar="MODEL", type=Path, help="a file that saffu fit wrote")
    add_common(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print what the file says of itself; returns the exit status."""
    about = read_about(arguments.model)
    if about.schema != SCHEMA:
        raise BadFile(arguments.model, f"it holds {about.schema!r}", "give a model of saffu fit")
    try:
        lines = list(described(about))
    except (KeyError, TypeError, AttributeError) as wrong:
        problem = f"it does not describe a model ({wrong!r})"
        raise BadFile(arguments.model, problem, "make it again") from wrong
    with bars(arguments) as shown:
        shown.say(f"{arguments.model}: {arguments.model.stat().st_size:,} bytes", *lines)
    return 0


def described(about: About) -> Iterator[str]:
    """One line for each thing that is worth knowing."""
    header = about.header
    configuration = Configuration.from_json(header["configuration"])
    vocabulary = Vocabulary.from_json(header["vocabulary"])
    for field, value in configuration.to_json().items():
        yield f"  {field:<12} {value}"
    settings = {k: v for k, v in header["tokeniser"].items() if k != "definition"}
    yield f"  {'tokeniser':<12} {settings}"
    common = ", ".join(repr(token) for token in vocabulary.tokens[3:11])
    yield f"  {'tokens':<12} {len(vocabulary):,}; the commonest: {common}"
    parameters = ("embedding", "output", "prior", "tower")
    arrays = {name: a for name, a in about.arrays.items() if name.startswith(parameters)}
    numbers = sum(math.prod(array["shape"]) for array in arrays.values())
    yield f"  {'numbers':<12} {numbers:,} in {len(arrays)} arrays, {header['dtype']}"
    for name, array in arrays.items():
        yield f"    {name:<24} {array['dtype']:<4} {' × '.join(map(str, array['shape']))}"
    yield f"  {'training':<12} {trained(header)}"


def trained(header: dict[str, Any]) -> str:
    """How backpropagation went, in a sentence."""
    history = [Record(*record) for record in header["history"]]
    if not history:
        return "none: an explicit solution"
    first, best = history[0], min(history, key=lambda record: record.validation_nats)
    state = "interrupted (go on with --resume)" if "training" in header else "finished"
    return (
        f"{state}: validation perplexity {math.exp(first.validation_nats):.2f} before, "
        f"{math.exp(best.validation_nats):.2f} at best, {history[-1].targets:,} targets seen, "
        f"{history[-1].seconds:.1f} s"
    )
