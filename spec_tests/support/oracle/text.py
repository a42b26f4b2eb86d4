"""From tokens to numbers: the cipher, embeddings, contexts.   (SPEC 2, 3)"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from spec_tests.support.oracle.arithmetic import Arithmetic, Row, Table

Code = frozenset[int]
"""A code as the set of its ones."""


def ranks(counts: Sequence[int]) -> list[int]:
    """Token ids by descending count, ties by ascending id."""
    return sorted(range(len(counts)), key=lambda token: (-counts[token], token))


def cipher(size: int, bits: int) -> list[Code]:
    """The first `size` codes, as the specification gives them out."""
    level: list[Code] = [frozenset([e]) for e in range(bits)]
    given = list(level)
    for ones in range(2, bits + 1):
        here: list[Code] = []
        for e in range(bits - 1, -1, -1):
            for p in level[::-1]:
                candidate = p ^ {e}
                if len(candidate) == ones and candidate not in here:
                    here.append(candidate)
        given += here
        level = here
        if len(given) >= size:
            break
    return given[:size]


def bits_of(code: Code, bits: int) -> list[int]:
    """Zeros and ones."""
    return [1 if bit in code else 0 for bit in range(bits)]


def cipher_embedding(ar: Arithmetic, counts: Sequence[int], bits: int) -> Table:
    """Each token's code over its number of ones, by token id."""
    rows: Table = [[] for _ in counts]
    for token, code in zip(ranks(counts), cipher(len(counts), bits), strict=True):
        rows[token] = [ar.number(bit) / len(code) for bit in bits_of(code, bits)]
    return rows


def decode(ar: Arithmetic, v: Row, codes: Sequence[Sequence[int]], method: str) -> int:
    """The rank of the best code, ties to the first."""
    best, most = -1, None
    for rank, code in enumerate(codes):
        ones = [v[bit] for bit, one in enumerate(code) if one]
        if method == "dot":
            score = ar.total(ones)
        elif all(one > 0 for one in ones):
            score = ar.total(ar.log(one) for one in ones) / len(ones)
        else:
            continue
        if most is None or score - most > 1e-30:
            best, most = rank, score
    return max(best, 0)


def radial_embedding(
    ar: Arithmetic,
    documents: Sequence[Sequence[int]],
    vectors: Table,
    radii: Sequence[int],
    combine: str,
) -> Table:
    """Sums over the neighbours in each ring (for `sum`, one disc), then norm one."""
    bits = len(vectors[0])
    embedding: Table = []
    for token, own in enumerate(vectors):
        blocks: Table = []
        for ring, outer in enumerate(radii):
            inner = radii[ring - 1] if ring and combine == "cat" else 0
            found = [
                vectors[document[u]]
                for document in documents
                for t in range(len(document))
                for u in range(len(document))
                if document[t] == token and inner < abs(t - u) <= outer
            ]
            blocks.append([ar.total(vector[bit] for vector in found) for bit in range(bits)])
        near = [entry for block in blocks for entry in block]
        norm = ar.total(near)
        if norm > 0:
            embedding.append([entry / norm for entry in near])
        else:
            embedding.append([*own, *near[bits:]])
    return embedding


class Context(NamedTuple):
    """Slots, mask and pivot of every target of a document."""

    slots: list[list[int]]
    mask: list[list[bool]]
    pivot: list[int]


def radial_context(length: int, radius: int) -> Context:
    """Places in a document of `length` tokens: target t looks at t−1, t−2, ….  Invalid: 0."""
    slots = [[max(t - 1 - k, 0) for k in range(radius)] for t in range(1, length)]
    mask = [[t - 1 - k >= 0 for k in range(radius)] for t in range(1, length)]
    return Context(slots, mask, [0] * (length - 1))


def block_context(length: int, block: int) -> Context:
    """Places: target t looks at the block that holds t−1, from its start to t−1."""
    slots, mask, pivot = [], [], []
    for t in range(1, length):
        start = (t - 1) // block * block
        places = [start + s for s in range(block)]
        valid = [place <= t - 1 for place in places]
        slots.append([place if ok else 0 for place, ok in zip(places, valid, strict=True)])
        mask.append(valid)
        pivot.append(t - 1 - start)
    return Context(slots, mask, pivot)


def tokens_at(document: Sequence[int], context: Context) -> list[list[int]]:
    """The tokens in the slots; 0 where a slot is invalid."""
    return [
        [document[place] if ok else 0 for place, ok in zip(row, valid, strict=True)]
        for row, valid in zip(context.slots, context.mask, strict=True)
    ]


def document_means(ar: Arithmetic, document: Sequence[int], vectors: Table) -> Table:
    """For each target the mean vector of all tokens before it."""
    rows = []
    for t in range(1, len(document)):
        seen = [vectors[token] for token in document[:t]]
        width = range(len(vectors[0]))
        rows.append([ar.total(vector[d] for vector in seen) / t for d in width])
    return rows
