"""`saffu info`: contents of a model file, without reading its arrays."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from typing import Any, Final

from saffu.commands.console import add_command, bars
from saffu.commands.options import place
from saffu.configuration import Configuration
from saffu.data.vocabulary import Vocabulary
from saffu.errors import BadFile
from saffu.files import About, read_about
from saffu.models.training import Record
from saffu.models.transformer import SCHEMA

ABOUT: Final = """\
Contents of a model file: configuration, vocabulary, arrays and training.

  saffu info model
"""


def add_parser(commands: Any, about: str) -> None:
    """Add `info` to the commands of the program."""
    parser = add_command(commands, "info", about, ABOUT, run)
    parser.add_argument(
        "model", metavar="MODEL", type=place, help="model file written by saffu fit"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print what the file says of itself; returns the exit status."""
    about = read_about(arguments.model)
    if about.schema != SCHEMA:
        raise BadFile(
            arguments.model, f"expected a model, got {about.schema!r}", "give a model file"
        )
    try:
        lines = list(described(about))
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as wrong:
        problem = f"it does not describe a model ({wrong!r})"
        raise BadFile(arguments.model, problem, "make it again") from wrong
    with bars(arguments) as shown:
        shown.say(f"{arguments.model}: {arguments.model.stat().st_size:,} bytes", *lines)
    return 0


def described(about: About) -> Iterator[str]:
    """The lines of the description."""
    header = about.header
    configuration = Configuration.from_json(header["configuration"])
    vocabulary = Vocabulary.from_json(header["vocabulary"])
    for field, value in configuration.to_json().items():
        yield f"  {field:<12} {value}"
    settings = _without_definition(header["tokeniser"])
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


def _without_definition(tokeniser: dict[str, Any]) -> dict[str, Any]:
    """The record of a tokeniser without the long definition that one of Hugging Face has."""
    settings = {name: value for name, value in tokeniser.items() if name != "definition"}
    if isinstance(of := settings.get("of"), dict):
        settings["of"] = _without_definition(of)
    return settings


def trained(header: dict[str, Any]) -> str:
    """Progress and result of backpropagation, in one line."""
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
