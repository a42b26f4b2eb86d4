"""`saffu eval`: how well a model predicts text.   (SPEC 7)"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Final

from saffu.commands.console import add_common, bars
from saffu.commands.options import add_text
from saffu.data.corpus import Corpus
from saffu.data.readers import read_documents
from saffu.models.baselines import measure, unigram_of
from saffu.models.transformer import SaffuTransformer
from saffu.positions import UNKNOWN

ABOUT: Final = """\
Perplexity and bits per byte of a model on text, beside the unigram of the text that the model was
made of.

  saffu eval model other.txt
  saffu eval model a.txt b.txt.gz notes/ --unit file
"""


def add_parser(commands: Any, about: str) -> None:
    """Add `eval` to the commands of the program."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "eval",
        help=about,
        description=ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", metavar="MODEL", type=Path, help="a file that saffu fit wrote")
    add_text(parser)
    add_common(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Measure and print; returns the exit status."""
    model = SaffuTransformer.load(arguments.model)
    documents = read_documents(arguments.paths, unit=arguments.unit)
    with bars(arguments) as shown:
        text = Corpus.on_disk(documents, model.tokeniser, model.vocabulary, progress=shown.shown)
        counts = text.counts(len(model.vocabulary))
        unknown = int(counts[UNKNOWN]) / text.targets
        shown.say(
            f"{text.documents:,} documents, {text.targets:,} targets, {text.bytes:,} bytes, "
            f"{unknown:.2%} of targets unknown",
            f"{'':<12} {'perplexity':>12} {'bits per byte':>14}",
        )
        for name, total in (
            ("unigram", measure(unigram_of(model.vocabulary), text)),
            ("model", model.nats(text)),
        ):
            shown.say(f"{name:<12} {total.perplexity:>12.2f} {total.bits_per_byte:>14.3f}")
        if unknown:
            shown.say("bits per byte leave out what <unk> stands for: a lower bound")
    return 0
