"""A corpus: documents of token ids, handed out as samples in chunks of any size.   (SPEC 3, 7)

The samples of a corpus are the samples of its documents, one document after the other, and a chunk
is some whole documents of them.  In whatever chunks they come, they are the same samples in one
order; with a seed, in an order that depends on the seed alone.  Whether the ids lie in memory or on
disk makes no difference to any number, only to the memory needed: a corpus on disk takes 25 bytes a
document and some megabytes, however long it is.

    texts = read_documents("books/")
    vocabulary = count_tokens(texts, Words()).vocabulary(size=4096)
    corpus = Corpus.on_disk(texts, Words(), vocabulary)
    train, validation, test = corpus.split((0.8, 0.1, 0.1), seed=1)
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np

from saffu import checks
from saffu.arrays.operation import operation
from saffu.data.cache import on_disk
from saffu.data.encoding import LONGEST, encode_into, id_type
from saffu.data.order import checked, keys, shuffled
from saffu.data.store import Index, InMemory, TokenStore, gather, spans
from saffu.data.tokenisers import Tokeniser
from saffu.data.vocabulary import Vocabulary
from saffu.errors import BadOption, TokenOutOfRange
from saffu.positions import Samples, lay_out
from saffu.types import IntArray, TokenCounts

_SPEC_5: Final = "SPEC 5"
_SPEC_7: Final = "SPEC 7"

BLOCK = 1 << 16
"""Targets of neighbouring documents that are read together."""
POOL = 16
"""Blocks from anywhere in the corpus whose documents are mixed."""


@dataclass(frozen=True, eq=False)
class Corpus:
    """Some documents of a store of token ids."""

    store: TokenStore
    index: Index
    encoding: str | None = None
    """`Vocabulary.encoding` of the vocabulary that the ids are of; None: not known"""

    @classmethod
    @operation
    def in_memory(
        cls,
        documents: Iterable[str],
        tokeniser: Tokeniser,
        vocabulary: Vocabulary,
        *,
        longest: int = LONGEST,
        progress: bool = False,
    ) -> Corpus:
        """Encode documents, read once, and keep the ids in memory.   (SPEC 3)

        Parameters: `longest` >= 1, tokens beyond which a document is cut into consecutive ones;
        `progress` shows a bar.  Refuses: no documents; text with lone surrogates.

        >>> from saffu.data.tokenisers import Characters
        >>> vocabulary = Vocabulary.from_counts({"a": 2, "b": 1}, documents=2)
        >>> corpus = Corpus.in_memory(["ab", "a"], Characters(), vocabulary)
        >>> [document.tolist() for document in corpus], corpus.targets, corpus.bytes
        ([[0, 3, 4, 1], [0, 3, 1]], 5, 3)
        """
        dtype = id_type(vocabulary)
        ids = array("B")
        index = encode_into(
            lambda part: ids.frombytes(part.tobytes()),
            *(documents, tokeniser, vocabulary),
            longest=longest,
            progress=progress,
        )
        return cls(InMemory(np.frombuffer(ids, dtype=dtype)), index, vocabulary.encoding)

    @classmethod
    @operation
    def on_disk(
        cls,
        documents: Iterable[str],
        tokeniser: Tokeniser,
        vocabulary: Vocabulary,
        *,
        longest: int = LONGEST,
        folder: str | Path | None = None,
        progress: bool = False,
    ) -> Corpus:
        """The same, with the ids in a file of the cache, made at the first call.

        The documents are read once for their digest and, at the first call, once more.
        Parameters: as for `in_memory`; `folder`, by default `saffu.data.cache.cache_folder()`.
        Refuses: the same; an iterator in place of documents; a file that was changed.
        """
        checks.whole("longest", longest, 1, "SPEC 3")
        store, index = on_disk(
            *(documents, tokeniser, vocabulary), longest=longest, folder=folder, progress=progress
        )
        return cls(store, index, vocabulary.encoding)

    @property
    def documents(self) -> int:
        """How many documents there are, each piece of a long one counted."""
        return int(self.index.lengths.shape[0])

    @cached_property
    def targets(self) -> int:
        """M, how many samples there are: every token after `<sod>`."""
        return int(self.index.lengths.sum(dtype=np.int64)) - self.documents

    @cached_property
    def bytes(self) -> int:
        """Bytes of the text in UTF-8, for bits per byte.   (SPEC 7)"""
        return int(self.index.sizes.sum(dtype=np.int64))

    @property
    def cuts(self) -> int:
        """How many documents are the rest of a longer one that was cut."""
        return int(self.index.continued.sum())

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of all ids, lengths and sizes; the same in memory and on disk."""
        digest = sha256(b"saffu corpus 1")
        for column in (self.index.lengths, self.index.sizes):
            digest.update(column.astype("<i4").tobytes())
        for ids, _ in self._blocks():
            digest.update(ids.astype("<i4").tobytes())
        return digest.hexdigest()

    def __iter__(self) -> Iterator[IntArray]:
        """The documents in order, each [T+1] int32 from `<sod>` to `<eod>`."""
        for ids, lengths in self._blocks():
            yield from np.split(ids, np.cumsum(lengths)[:-1])

    @operation
    def counts(self, size: int) -> TokenCounts:
        """How often each id occurs, [size] int64, markers included.

        Refuses: an id that is not below `size`.

        >>> vocabulary = Vocabulary.from_counts({"a": 2, "b": 1}, documents=2)
        >>> from saffu.data.tokenisers import Characters
        >>> Corpus.in_memory(["ab", "a"], Characters(), vocabulary).counts(5).tolist()
        [2, 2, 0, 2, 1]
        """
        checks.whole("size", size, 1, _SPEC_5)
        total = np.zeros(size, dtype=np.int64)
        for ids, _ in self._blocks():
            beyond = np.flatnonzero(ids >= size)
            if beyond.shape[0]:
                at = int(beyond[0])
                raise TokenOutOfRange("corpus", (int(total.sum()) + at,), int(ids[at]), size)
            total += np.bincount(ids, minlength=size)
        return total

    @operation
    def chunks(self, targets_per_chunk: int, seed: int | None = None) -> Iterator[Samples]:
        """All samples, in chunks of whole documents.   (SPEC 3)

        As many documents as fit into `targets_per_chunk` >= 1, and at least one.  Without a seed in
        the order of the files; with one (0 … 2^64−1), documents are mixed within pools of about a
        million targets, which are drawn as blocks of neighbours from all over the corpus.
        """
        checks.whole("targets_per_chunk", targets_per_chunk, 1, "SPEC 3")
        pools = self._blocks() if seed is None else self._pools(checked(seed))
        return _regrouped(pools, targets_per_chunk)

    @operation
    def parts(self, targets_per_part: int) -> Iterator[Corpus]:
        """The same text as consecutive corpora, each of about that many targets.   (SPEC 1)

        Where a part ends depends on the lengths of the documents alone.  A part of a corpus on disk
        is a place in its file, so that it can be sent to another process or machine that sees the
        file; a part of one in memory takes its ids along.

        >>> from saffu.data.tokenisers import Characters
        >>> vocabulary = Vocabulary.from_counts({"a": 2, "b": 1}, documents=3)
        >>> corpus = Corpus.in_memory(["ab", "a", "b"], Characters(), vocabulary)
        >>> [part.targets for part in corpus.parts(5)]
        [5, 2]
        """
        checks.whole("targets_per_part", targets_per_part, 1, "SPEC 1")
        for first, last in pairwise(self._borders(targets_per_part).tolist()):
            index = self.index.cut(first, last)
            start, stop = int(index.starts[0]), int(index.starts[-1] + index.lengths[-1])
            store, start = self.store.span(start, stop)
            yield Corpus(store, index._replace(starts=index.starts - start), self.encoding)

    @operation
    def take(self, targets: int, seed: int) -> Corpus:
        """Documents drawn at random until they hold `targets` targets or more, in memory.

        They stay in the order of the files.  With one seed, a larger draw holds every smaller one.
        Refuses: more targets than there are.
        """
        checks.whole("targets", targets, 1, _SPEC_5)
        if targets > self.targets:
            raise BadOption("targets", targets, f"at most {self.targets}, all there are", _SPEC_5)
        order = shuffled(self.documents, seed)
        reached = np.cumsum(self.index.lengths[order] - 1, dtype=np.int64)
        drawn = np.sort(order[: int(np.searchsorted(reached, targets)) + 1])
        index = self.index.pick(drawn)
        ids = gather(self.store, index.starts, index.lengths)
        starts = np.cumsum(index.lengths, dtype=np.int64) - index.lengths
        return Corpus(InMemory(ids), index._replace(starts=starts), self.encoding)

    @operation
    def split(self, fractions: Sequence[float], seed: int) -> tuple[Corpus, ...]:
        """Part the documents at random, say into training, validation and test.

        Equal texts, and the pieces of one text, always fall into the same part: no part knows a
        document of another.  The fractions are of distinct texts.
        Parameters: `fractions`, positive, of sum 1.
        Refuses: other fractions; a part that would be empty.
        """
        for fraction in fractions:
            checks.positive("fractions", fraction, _SPEC_7)
        if abs(sum(fractions) - 1) > 1e-9:
            raise BadOption("fractions", tuple(fractions), "numbers that add up to 1", _SPEC_7)
        texts, belongs = np.unique(self.index.origins, return_inverse=True)
        order = np.argsort(keys(texts, seed), kind="stable")
        borders = np.floor(np.cumsum(fractions)[:-1] * texts.shape[0] + 0.5).astype(np.int64)
        part = np.zeros(texts.shape[0], dtype=np.int64)
        part[order] = np.searchsorted(borders, np.arange(texts.shape[0]), side="right")
        parts = [np.flatnonzero(part[belongs] == which) for which in range(len(fractions))]
        if any(documents.shape[0] == 0 for documents in parts):
            expected = f"such that every part gets one of the {texts.shape[0]} distinct texts"
            raise BadOption("fractions", tuple(fractions), expected, _SPEC_7)
        return tuple(replace(self, index=self.index.pick(documents)) for documents in parts)

    def _borders(self, size: int) -> IntArray:
        """The document at which each block begins, and behind the last the number of documents."""
        block = (np.cumsum(self.index.lengths - 1, dtype=np.int64) - 1) // size
        return np.concatenate(([0], np.flatnonzero(np.diff(block)) + 1, [self.documents]))

    def _read(self, first: int, last: int) -> tuple[IntArray, IntArray]:
        """The ids of the documents first … last−1, and their lengths."""
        lengths = self.index.lengths[first:last]
        return gather(self.store, self.index.starts[first:last], lengths), lengths

    def _blocks(self) -> Iterator[tuple[IntArray, IntArray]]:
        """All documents, block after block."""
        borders = self._borders(BLOCK)
        for first, last in pairwise(borders.tolist()):
            yield self._read(first, last)

    def _pools(self, seed: int) -> Iterator[tuple[IntArray, IntArray]]:
        """All documents in random order: blocks in random order, and pools of them mixed."""
        borders = self._borders(BLOCK)
        blocks = shuffled(borders.shape[0] - 1, seed)
        for pool, first in enumerate(range(0, blocks.shape[0], POOL)):
            drawn = blocks[first : first + POOL].tolist()
            read = [self._read(int(borders[b]), int(borders[b + 1])) for b in drawn]
            ids = np.concatenate([block for block, _ in read])
            lengths = np.concatenate([block for _, block in read])
            order = shuffled(lengths.shape[0], (seed + pool + 1) % 2**64)
            starts = np.cumsum(lengths, dtype=np.int64) - lengths
            yield ids[spans(starts[order], lengths[order])], lengths[order]


def _regrouped(pools: Iterable[tuple[IntArray, IntArray]], room: int) -> Iterator[Samples]:
    """The same documents in the same order, as many at a time as fit."""
    waiting: list[tuple[IntArray, IntArray]] = []
    held = 0
    for ids, lengths in pools:
        stops = np.cumsum(lengths, dtype=np.int64)
        targets = np.cumsum(lengths - 1, dtype=np.int64)
        first = 0
        while first < lengths.shape[0]:
            done = int(targets[first - 1]) if first else 0
            last = int(np.searchsorted(targets, done + room - held, side="right"))
            if last == first and not waiting:
                last = first + 1
            if last > first:
                start = int(stops[first - 1]) if first else 0
                waiting.append((ids[start : stops[last - 1]], lengths[first:last]))
                held += int(targets[last - 1]) - done
            if last < lengths.shape[0]:
                yield _together(waiting)
                waiting, held = [], 0
            first = last
    if waiting:
        yield _together(waiting)


def _together(parts: list[tuple[IntArray, IntArray]]) -> Samples:
    return lay_out(np.concatenate([ids for ids, _ in parts]), np.concatenate([n for _, n in parts]))
