"""A text in three parts, and the tokens that its training part is made of.   (SPEC 7)

Documents are parted at random, by the seed; the vocabulary is counted on the training part alone.
With one seed, a larger amount of training text holds every smaller one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from saffu.configuration import SMALL, Configuration
from saffu.contexts import RadialContext
from saffu.data.bible import bible
from saffu.data.corpus import Corpus
from saffu.data.counting import count_tokens
from saffu.data.prose import prose
from saffu.data.tokenisers import Words
from saffu.data.vocabulary import Vocabulary

WATCHED = 20_000
"""validation targets on which training is watched, at most"""


class Texts(NamedTuple):
    """The text of one seed."""

    vocabulary: Vocabulary
    train: Corpus
    validation: Corpus
    test: Corpus

    def amount(self, targets: int | None, seed: int) -> Corpus:
        """Training targets, drawn as whole documents; None, or more than there are: all."""
        if targets is None or targets >= self.train.targets:
            return self.train
        return self.train.take(targets, seed)

    def watched(self, seed: int) -> Corpus:
        """The validation text that is looked at during training."""
        return self.validation.take(min(WATCHED, self.validation.targets), seed)


def parted(
    documents: Sequence[str], vocabulary: int, fractions: Sequence[float], seed: int
) -> Texts:
    """Count, encode and part.

    Parameters: `vocabulary` V, tokens at most, markers included; `fractions` of the documents for
    training, validation and test; `seed` of the parting.
    """
    whole = count_tokens(documents, Words()).vocabulary(size=None)
    (train, *_) = Corpus.in_memory(documents, Words(), whole).split(fractions, seed)
    counts = train.counts(len(whole))
    seen = {whole.tokens[i]: int(counts[i]) for i in range(3, len(whole)) if counts[i]}
    known = Vocabulary.from_counts(seen, documents=train.documents, size=vocabulary)
    return Texts(known, *Corpus.in_memory(documents, Words(), known).split(fractions, seed))


@dataclass(frozen=True)
class Setting:
    """What comparisons of speed have in common: a text, parted 80/10/10, and a model's shape."""

    text: str
    configuration: Configuration
    seed: int = 1

    def texts(self) -> Texts:
        """Read the text, and part it."""
        documents = bible() if self.text == "bible" else prose()
        return parted(documents, self.configuration.vocabulary, (0.8, 0.1, 0.1), self.seed)


BIBLE = Setting("bible", SMALL)
"""The King James Bible."""

PROSE = Setting("prose", Configuration(251, (RadialContext(3),), bits=31, label_bits=29))
"""The documentation of Python, and a small model."""
