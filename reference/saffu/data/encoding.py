"""Encoding of documents as token ids: `<sod>`, the tokens, `<eod>`.   (SPEC 3)

A document of more than `longest` tokens is cut into consecutive documents, each between markers of
its own.   [D]  The bytes of its text are shared among the pieces by their number of tokens, so that
sums over all pieces are exact.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sized
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from saffu import checks
from saffu.data.documents import check_documents, each_text
from saffu.data.store import Index
from saffu.data.tokenisers import Tokeniser, utf8
from saffu.data.vocabulary import Vocabulary
from saffu.errors import NoSamples
from saffu.types import IntArray, TokenIds

LONGEST = 8192
"""Tokens of a document between its markers, beyond which it is cut."""


class Piece(NamedTuple):
    """One document, as it goes into a corpus."""

    ids: TokenIds
    size: int
    origin: int
    continued: bool


def pieces(tokens: int, longest: int) -> int:
    """The number of documents that a text of `tokens` tokens becomes: at least one.

    >>> [pieces(tokens, 3) for tokens in (0, 3, 4, 7)]
    [1, 1, 2, 3]
    """
    return max(1, -(-tokens // longest))


def encoded(
    documents: Iterable[str], tokeniser: Tokeniser, vocabulary: Vocabulary, longest: int
) -> Iterator[Piece]:
    """The documents one by one, cut where they are too long."""
    for text in documents:
        raw = utf8(text)
        origin = int.from_bytes(blake2b(raw, digest_size=8).digest(), "little")
        tokens = tokeniser.tokenise(text)
        for piece in range(pieces(len(tokens), longest)):
            first, last = piece * longest, min((piece + 1) * longest, len(tokens))
            size = len(raw)
            if len(tokens) > longest:
                size = len(raw) * last // len(tokens) - len(raw) * first // len(tokens)
            yield Piece(vocabulary.document(tokens[first:last]), size, origin, piece > 0)


def watched(documents: Iterable[str], doing: str, progress: bool) -> Iterator[str]:
    """The documents, each a str, with a bar that counts them if `progress`.

    Refuses: what `each_text` refuses.
    """
    check_documents(documents)
    total = len(documents) if isinstance(documents, Sized) else None
    texts = each_text(documents)
    yield from tqdm(texts, doing, total, unit=" documents", disable=not progress)


def id_type(vocabulary: Vocabulary) -> str:
    """The narrowest little-endian type that holds every id."""
    return "<u2" if len(vocabulary) <= 1 << 16 else "<u4"


def encode_into(
    append: Callable[[IntArray], object],
    documents: Iterable[str],
    tokeniser: Tokeniser,
    vocabulary: Vocabulary,
    *,
    longest: int,
    progress: bool,
) -> Index:
    """Pass the ids of each document to `append`; return the index of the documents.

    Refuses: no documents; what `each_text` refuses.
    """
    checks.whole("longest", longest, 1, "SPEC 3")
    lengths, sizes, origins, continued = array("i"), array("i"), array("Q"), array("b")
    dtype = id_type(vocabulary)
    texts = watched(documents, "encoding", progress)
    for piece in encoded(texts, tokeniser, vocabulary, longest):
        append(piece.ids.astype(dtype))
        lengths.append(piece.ids.shape[0])
        sizes.append(piece.size)
        origins.append(piece.origin)
        continued.append(piece.continued)
    if not lengths:
        raise NoSamples("documents", "SPEC 3")
    return index_of(
        np.frombuffer(lengths, dtype=np.int32),
        np.frombuffer(sizes, dtype=np.int32),
        np.frombuffer(origins, dtype=np.uint64),
        np.frombuffer(continued, dtype=np.bool_),
    )


def index_of(
    lengths: IntArray, sizes: IntArray, origins: IntArray, continued: NDArray[np.bool_]
) -> Index:
    """An index of documents that lie one behind the other from position 0."""
    starts = np.cumsum(lengths, dtype=np.int64) - lengths
    return Index(starts, lengths, sizes, origins, continued)
