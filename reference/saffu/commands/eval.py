"""`saffu eval`: perplexity and bits per byte of a model on text.   (SPEC 7)"""

from __future__ import annotations

import argparse
import unicodedata
from collections.abc import Iterable
from typing import Any, Final

from saffu.commands.console import add_command, bars
from saffu.commands.options import add_text, place
from saffu.commands.preparation import read_paths
from saffu.data.corpus import Corpus
from saffu.models.baselines import measure, unigram_of
from saffu.models.transformer import SaffuTransformer
from saffu.positions import UNKNOWN

ABOUT: Final = """\
Perplexity and bits per byte of a model on text, with those of the unigram of its training text for
comparison.

  saffu eval model other.txt
  saffu eval model a.txt b.txt.gz notes/ --unit file
  zcat *.gz | saffu eval model -                      text from a pipe
"""


def add_parser(commands: Any, about: str) -> None:
    """Add `eval` to the commands of the program."""
    parser = add_command(commands, "eval", about, ABOUT, run)
    parser.add_argument(
        "model", metavar="MODEL", type=place, help="model file written by saffu fit"
    )
    add_text(parser)


def run(arguments: argparse.Namespace) -> int:
    """Measure and print; returns the exit status."""
    model = SaffuTransformer.load(arguments.model)
    documents = read_paths(arguments)
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
            shown.say("bits per byte do not include the text of unknown tokens: a lower bound")
            if other_form(model.vocabulary.tokens, documents):
                shown.say(
                    "the text is in another Unicode form (NFD) than the model's tokens (NFC), "
                    "so that words with accents are unknown; fit with --normalise NFC"
                )
    return 0


def other_form(tokens: Iterable[str], documents: Iterable[str]) -> bool:
    """Whether all tokens are in the form NFC of Unicode, and a document is not.

    >>> other_form(["caf\u00e9"], ["one", "cafe\u0301"])
    True
    """

    def composed(text: str) -> bool:
        return unicodedata.is_normalized("NFC", text)

    return all(map(composed, tokens)) and not all(map(composed, documents))
