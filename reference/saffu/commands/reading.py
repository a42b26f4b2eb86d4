"""Before anything is computed: the output's place, the text, and what is resumed.   (SPEC 7, 8)"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final, NamedTuple

from saffu.commands.console import Bars
from saffu.configuration import PRESETS
from saffu.data.corpus import Corpus
from saffu.data.counting import count_tokens
from saffu.data.readers import read_documents
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


def check_place(path: Path, *, resume: bool) -> None:
    """Look at what lies at the output's place before any work is done.

    Refuses: a folder that is not there; a place where nothing can be written; something that is no
    model; an interrupted training, unless it is to be resumed; nothing to resume.
    """
    if not path.parent.is_dir():
        raise BadFile(path, f"there is no folder {path.parent}", "make it first")
    if path.exists():
        _check_old(path, resume=resume)
    elif resume:
        raise BadFile(path, "there is no such file to resume", "leave out --resume to begin")
    check_writable(path)


def _check_old(path: Path, *, resume: bool) -> None:
    """Look at the file that is there already."""
    try:
        unfinished = "training" in read_about(path).header
    except BadFile as stranger:
        advice = "choose another place, or delete what is there"
        raise BadFile(path, "it is there, and it is no whole model file", advice) from stranger
    if unfinished and not resume:
        advice = "add --resume to go on with it, or delete it"
        raise BadFile(path, "it holds an interrupted training", advice)
    if resume and not unfinished:
        advice = "leave out --resume to train again"
        raise BadFile(path, "it holds a finished model", advice)


def read_text(arguments: argparse.Namespace, tokeniser: Tokeniser, shown: Bars) -> Text:
    """The text that the command line names, encoded and parted.

    Refuses: what `read_documents` refuses; fewer documents than can be parted.
    """
    documents = read_documents(arguments.paths, unit=arguments.unit)
    tally = count_tokens(documents, tokeniser, progress=shown.shown)
    vocabulary = tally.vocabulary(arguments.vocabulary or PRESETS[arguments.preset].vocabulary)
    corpus = Corpus.on_disk(documents, tokeniser, vocabulary, progress=shown.shown)
    try:
        parts = corpus.split(FRACTIONS, arguments.seed)
    except BadOption as few:
        expected = "a unit of which there are some dozens, for training, validation and test"
        raise BadOption("--unit", arguments.unit, expected, "SPEC 7") from few
    targets = sum(vocabulary.occurrences[1:])
    unknown = vocabulary.occurrences[UNKNOWN] / targets
    shown.say(
        f"text: {corpus.documents:,} documents, {corpus.targets:,} targets, {corpus.bytes:,} bytes",
        f"vocabulary: {len(vocabulary):,} of {len(tally.counts) + len(MARKERS):,} tokens, "
        f"{unknown:.1%} of the text unknown",
    )
    for name, part in zip(("training", "validation", "test"), parts, strict=True):
        shown.say(f"  {name:<12} {part.documents:>9,} documents {part.targets:>12,} targets")
    return Text(vocabulary, *parts)


def check_same(model: SaffuTransformer, path: Path) -> None:
    """Refuse to resume with another model than the one that was interrupted."""
    before = SaffuTransformer.load(path)
    for name in ("tokeniser", "vocabulary"):
        if getattr(model, name) != getattr(before, name):
            raise BadFile(path, f"it began with another {name}", "give the same text and options")
    now, then = model.configuration.to_json(), before.configuration.to_json()
    for field, value in now.items():
        if value != then[field]:
            expected = f"{then[field]!r}, as before the interruption,"
            raise BadOption(field, value, expected, "SPEC 6")
