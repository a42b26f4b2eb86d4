"""Token counts: one pass over any number of documents, in bounded memory.   (SPEC 5)

New rare tokens keep appearing in text.  Above a limit, the rarer half is forgotten and its
occurrences added to `unknown`; a forgotten token that comes back starts from zero.  The result says
by how much any one count may be too low, which is zero if nothing was forgotten.   [D]
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from saffu import checks
from saffu.arrays.operation import operation
from saffu.data.encoding import LONGEST, pieces, watched
from saffu.data.tokenisers import Tokeniser
from saffu.data.vocabulary import Vocabulary
from saffu.errors import NoSamples

LIMIT = 1 << 20
"""Distinct tokens that are held at once."""


class Tally(NamedTuple):
    """Counts of tokens, and what was not counted one by one."""

    counts: dict[str, int]
    documents: int
    """Documents, with each piece of a long one counted as one."""
    unknown: int
    """Occurrences of tokens that were forgotten."""
    bound: int
    """No token occurred more than this often beyond its count; 0 if nothing was forgotten."""

    def merge(self, other: Tally) -> Tally:
        """The tally of both texts together, wherever they were counted.

        >>> Tally({"to": 2, "be": 1}, 1, 0, 0).merge(Tally({"be": 3}, 4, 5, 1))
        Tally(counts={'to': 2, 'be': 4}, documents=5, unknown=5, bound=1)
        """
        counts = Counter(self.counts)
        counts.update(other.counts)
        return Tally(
            dict(counts),
            self.documents + other.documents,
            self.unknown + other.unknown,
            self.bound + other.bound,
        )

    def vocabulary(self, size: int | None = None) -> Vocabulary:
        """Number the commonest tokens: see `Vocabulary.from_counts`."""
        return Vocabulary.from_counts(
            self.counts, documents=self.documents, size=size, unknown=self.unknown
        )


@operation
def count_tokens(
    documents: Iterable[str],
    tokeniser: Tokeniser,
    *,
    longest: int = LONGEST,
    limit: int = LIMIT,
    progress: bool = False,
) -> Tally:
    """Count the tokens of all documents.   (SPEC 5, step 1)

    Parameters: `documents`, read once; `longest`, as for `Corpus`; `limit` >= 1, distinct tokens
    that are held at once, beyond which the rarer half is forgotten; `progress` shows a bar.
    Refuses: no documents; what is no sequence of texts, such as one string or a table.

    >>> from saffu.data.tokenisers import Words
    >>> count_tokens(["to be", "or not to be"], Words())
    Tally(counts={'to': 2, 'be': 2, 'or': 1, 'not': 1}, documents=2, unknown=0, bound=0)
    """
    checks.whole("longest", longest, 1, "SPEC 3")
    checks.whole("limit", limit, 1, "SPEC 5")
    counts: Counter[str] = Counter()
    number = unknown = bound = 0
    for text in watched(documents, "counting", progress):
        tokens = tokeniser.tokenise(text)
        counts.update(tokens)
        number += pieces(len(tokens), longest)
        if len(counts) > limit:
            counts, lost, threshold = _without_the_rarer_half(counts, limit)
            unknown += lost
            bound += threshold
    if number == 0:
        raise NoSamples("documents", "SPEC 5")
    return Tally(dict(counts), number, unknown, bound)


def _without_the_rarer_half(counts: Counter[str], limit: int) -> tuple[Counter[str], int, int]:
    """What is left, how many occurrences went, and the largest count among them."""
    often = np.fromiter(counts.values(), dtype=np.int64, count=len(counts))
    keep = limit // 2
    threshold = int(np.partition(often, often.shape[0] - keep - 1)[often.shape[0] - keep - 1])
    left = Counter({token: count for token, count in counts.items() if count > threshold})
    return left, int(often.sum()) - left.total(), threshold
