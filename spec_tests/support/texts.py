"""Small texts with structure, and a source that hands them out in chunks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from saffu.data.corpus import Corpus
from saffu.data.tokenisers import Words
from saffu.data.vocabulary import Vocabulary
from saffu.positions import Samples, make_samples
from saffu.types import IntArray


class Chunked(NamedTuple):
    """Documents as a source of chunks of whole documents."""

    documents: Sequence[IntArray]

    @property
    def targets(self) -> int:
        return sum(len(d) - 1 for d in self.documents)

    def chunks(self, targets_per_chunk: int, seed: int | None = None) -> Iterator[Samples]:
        order = list(range(len(self.documents)))
        if seed is not None:
            np.random.default_rng(seed).shuffle(order)
        held: list[IntArray] = []
        for i in order:
            held.append(self.documents[i])
            if sum(len(d) - 1 for d in held) >= targets_per_chunk:
                yield make_samples(held)
                held = []
        if held:
            yield make_samples(held)

    def parts(self, targets_per_part: int) -> Iterator[Chunked]:
        held: list[IntArray] = []
        for document in self.documents:
            held.append(document)
            if sum(len(d) - 1 for d in held) >= targets_per_part:
                yield Chunked(held)
                held = []
        if held:
            yield Chunked(held)


def random_documents(seed: int, size: int, lengths: Sequence[int]) -> list[IntArray]:
    """Documents of a random walk: each token prefers a few followers; ids 3 … size-1."""
    random = np.random.default_rng(seed)
    follow = random.integers(3, size, (size, 3))
    documents = []
    for length in lengths:
        tokens, now = [0], int(random.integers(3, size))
        for _ in range(length):
            tokens.append(now)
            free = random.random() < 0.2
            now = int(random.integers(3, size) if free else random.choice(follow[now]))
        documents.append(np.array([*tokens, 1]))
    return documents


WORDS = ("the", "cat", "dog", "sat", "ran", "on", "a", "mat", "hill", "and", "slept", ".")


def sentences(seed: int, count: int) -> list[str]:
    """Sentences of a small grammar."""
    random = np.random.default_rng(seed)

    def one() -> str:
        noun, verb = random.choice(["cat", "dog"]), random.choice(["sat", "ran", "slept"])
        place = random.choice(["mat", "hill"])
        return f"the {noun} {verb} on {random.choice(['a', 'the'])} {place} ."

    return [" and ".join(one() for _ in range(random.integers(1, 4))) for _ in range(count)]


def corpora(seed: int = 5, count: int = 60) -> tuple[Corpus, Corpus, Vocabulary, Words]:
    """Training and validation corpora of sentences."""
    tokeniser = Words()
    texts = sentences(seed, count)
    counts: dict[str, int] = {}
    for text in texts:
        for token in tokeniser.tokenise(text):
            counts[token] = counts.get(token, 0) + 1
    vocabulary = Vocabulary.from_counts(counts, documents=count)
    cut = count * 3 // 4
    train = Corpus.in_memory(texts[:cut], tokeniser, vocabulary)
    held = Corpus.in_memory(texts[cut:], tokeniser, vocabulary)
    return train, held, vocabulary, tokeniser
