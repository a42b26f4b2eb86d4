"""A text in three parts, and the tokens that its training part is made of.   (SPEC 7)

    92 % of the documents to train on, 4 % to choose on, 4 % to test on, drawn by the seed

The vocabulary is counted on the training part alone.  With one seed, a larger amount of training
text holds every smaller one.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from saffu.corpora.counting import count_tokens
from saffu.corpus import Corpus
from saffu.study.sources import Sources, documents
from saffu.tokenisers import Words
from saffu.vocabulary import Vocabulary

FRACTIONS = (0.92, 0.04, 0.04)
WATCHED = 20_000
"""validation targets on which training is watched, at most"""


class Texts(NamedTuple):
    """The text of one seed."""

    vocabulary: Vocabulary
    train: Corpus
    validation: Corpus
    test: Corpus

    def amount(self, targets: int | None, seed: int) -> Corpus:
        """So many training targets, drawn as whole documents; None, or more than there are: all."""
        if targets is None or targets >= self.train.targets:
            return self.train
        return self.train.take(targets, seed)

    def watched(self, seed: int) -> Corpus:
        """The validation text that is looked at during training."""
        return self.validation.take(min(WATCHED, self.validation.targets), seed)


@lru_cache(maxsize=3)
def texts(sources: Sources, vocabulary: int, seed: int) -> Texts:
    """Read, part, count and encode.

    Parameters: `vocabulary` V, tokens at most, markers included; `seed` of the parting.
    """
    read = documents(sources.text, sources.unit)
    whole = count_tokens(read, Words()).vocabulary(size=None)
    (train, *_) = Corpus.in_memory(read, Words(), whole).split(FRACTIONS, seed)
    counts = train.counts(len(whole))
    seen = {whole.tokens[i]: int(counts[i]) for i in range(3, len(whole)) if counts[i]}
    known = Vocabulary.from_counts(seen, documents=train.documents, size=vocabulary)
    return Texts(known, *Corpus.in_memory(read, Words(), known).split(FRACTIONS, seed))
