"""Preparation of a command: place of the output, text, state to resume.   (SPEC 7, 8)"""

from __future__ import annotations

import argparse
import sys
import unicodedata
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

from saffu.commands.console import Bars
from saffu.configuration import PRESETS, Configuration
from saffu.contexts import BlockContext, ContextModel, RadialContext
from saffu.data.corpus import Corpus
from saffu.data.counting import count_tokens
from saffu.data.readers import STANDARD_INPUT, TextFiles, read_documents
from saffu.data.tokenisers import Tokeniser
from saffu.data.vocabulary import Vocabulary
from saffu.errors import BadFile, BadOption
from saffu.files import check_writable, read_about
from saffu.models.transformer import SaffuTransformer
from saffu.positions import MARKERS, UNKNOWN

FRACTIONS: Final = (0.9, 0.05, 0.05)
"""Training, validation, test."""


class Text(NamedTuple):
    """A text in three parts, and the tokens that it is made of."""

    vocabulary: Vocabulary
    train: Corpus
    validation: Corpus
    test: Corpus

    @property
    def longest(self) -> int:
        """Targets of the longest document."""
        parts = (self.train, self.validation, self.test)
        return max(int(part.index.lengths.max()) for part in parts) - 1


def check_place(path: Path, *, resume: bool) -> None:
    """Check the place of the output before any work is done.

    Refuses: a folder that does not exist or cannot be written to; a file that is no model; an
    interrupted training without `resume`; with it, nothing to resume.
    """
    if not path.parent.is_dir():
        raise BadFile(path, f"there is no folder {path.parent}", "make it first")
    check_writable(path)
    if path.exists():
        _check_old(path, resume=resume)
    elif resume:
        raise BadFile(path, "there is no such file to resume", "leave out --resume to start")


def _check_old(path: Path, *, resume: bool) -> None:
    """Check the file that is there already."""
    try:
        unfinished = "training" in read_about(path).header
    except BadFile as stranger:
        advice = "choose another place, or delete what is there"
        raise BadFile(path, "it exists and is no complete model file", advice) from stranger
    if unfinished and not resume:
        advice = "add --resume to go on with it, or delete it"
        raise BadFile(path, "it holds an interrupted training", advice)
    if resume and not unfinished:
        advice = "leave out --resume to train again"
        raise BadFile(path, "it holds a finished model", advice)


def read_paths(arguments: argparse.Namespace) -> TextFiles:
    """The documents that the command line names; what was left out of a folder goes to stderr."""
    if Path(STANDARD_INPUT) in arguments.paths and sys.stdin is not None and sys.stdin.isatty():
        sys.stderr.write("reading the standard input; Ctrl-D ends it\n")
    documents = read_documents(arguments.paths, unit=arguments.unit)
    for path, reason in documents.skipped:
        sys.stderr.write(f"left out: {path} ({reason})\n")
    return documents


def spelled_twice(tokens: Iterable[str]) -> int:
    """The number of tokens that differ from another one in nothing but their Unicode form.

    >>> spelled_twice(["caf\u00e9", "cafe\u0301", "cafe"])
    1
    """
    tokens = list(tokens)
    return len(tokens) - len({unicodedata.normalize("NFC", token) for token in tokens})


def bounded(configuration: Configuration, longest: int) -> Configuration:
    """The same with no more slots per context than the longest document fills.   (SPEC 3)

    The slots beyond hold nothing in any sample, so the predictions are the same without them.
    Parameters: `longest`, targets of the longest document.

    >>> from saffu.configuration import TINY
    >>> bounded(TINY, 3).contexts
    (RadialContext(radius=3),)
    """
    contexts: list[ContextModel] = []
    for context in configuration.contexts:
        if isinstance(context, RadialContext):
            context = RadialContext(min(context.radius, longest))
        elif isinstance(context, BlockContext):
            context = BlockContext(min(context.length, longest))
        contexts.append(context)
    return replace(configuration, contexts=tuple(contexts))


def read_text(arguments: argparse.Namespace, tokeniser: Tokeniser, shown: Bars) -> Text:
    """The text that the command line names, encoded and split.

    Refuses: what `read_documents` refuses; too few documents for a split.
    """
    documents = read_paths(arguments)
    tally = count_tokens(documents, tokeniser, progress=shown.shown)
    vocabulary = tally.vocabulary(arguments.vocabulary or PRESETS[arguments.preset].vocabulary)
    corpus = Corpus.on_disk(documents, tokeniser, vocabulary, progress=shown.shown)
    try:
        parts = corpus.split(FRACTIONS, arguments.seed)
    except BadOption as few:
        if few.name != "fractions":
            raise
        expected = "a unit with some dozens of documents, for training, validation and test"
        raise BadOption("--unit", arguments.unit, expected, "SPEC 7") from few
    targets = sum(vocabulary.occurrences[1:])
    unknown = vocabulary.occurrences[UNKNOWN] / targets
    shown.say(
        f"text: {corpus.documents:,} documents, {corpus.targets:,} targets, {corpus.bytes:,} bytes",
        f"vocabulary: {len(vocabulary):,} of {len(tally.counts) + len(MARKERS):,} tokens, "
        f"{unknown:.1%} of the text unknown",
    )
    if twice := spelled_twice(tally.counts):
        shown.say(
            f"  {twice:,} tokens also occur in another Unicode form, as é and e with an accent; "
            "--normalise NFC makes them one"
        )
    for name, part in zip(("training", "validation", "test"), parts, strict=True):
        shown.say(f"  {name:<12} {part.documents:>9,} documents {part.targets:>12,} targets")
    return Text(vocabulary, *parts)


def check_same(model: SaffuTransformer, path: Path) -> None:
    """Refuse to resume a model other than the one that was interrupted."""
    before = SaffuTransformer.load(path)
    for name in ("tokeniser", "vocabulary"):
        if getattr(model, name) != getattr(before, name):
            problem = f"its training started with another {name}"
            raise BadFile(path, problem, "give the same text and options")
    now, then = model.configuration.to_json(), before.configuration.to_json()
    for field, value in now.items():
        if value != then[field]:
            expected = f"{then[field]!r}, as before the interruption"
            raise BadOption(field, value, expected, "SPEC 6")
