"""Radial embeddings: a token is represented by the tokens around it.   (SPEC 2)

The cipher depends on a token's rank alone, not on its use.  A radial embedding adds up the cipher
vectors of all tokens found within a radius r of a token's occurrences: `sum` over the whole disc,
`cat` over one annulus r_{j-1} < |δ| <= r_j at a time, side by side.   [T, P3; annuli: D]
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np

from saffu import checks
from saffu.arrays.namespace import beside, on_host
from saffu.arrays.operation import operation
from saffu.errors import BadOption, NoSamples
from saffu.types import Array, CodeVectors, Embedding, IntArray

_SPEC: Final = "SPEC 2"


@operation
def radial_embedding(
    documents: Sequence[IntArray],
    vectors: CodeVectors,
    radii: Sequence[int],
    *,
    combine: str = "sum",
) -> Embedding:
    """The tokens around each token, as a vector of unit norm.   (SPEC 2)

    Parameters: `documents`, each [T] token ids; windows never leave a document; `vectors` [V, b] of
    unit norm, usually `cipher_embedding`; `radii`, rising integers >= 1; `combine`
    `"sum"` takes one radius and returns [V, b]; `"cat"` takes q radii and returns [V, q·b].
    A token without any neighbour keeps its cipher vector (for `cat` in the first block).
    Refuses: no documents; ids out of range; negative or non-finite vectors; radii that do not rise;
    several radii for `sum`.

    >>> E = np.eye(3)
    >>> radial_embedding([np.array([0, 1, 1])], E, [1]).tolist()
    [[0.0, 1.0, 0.0], [0.3333333333333333, 0.6666666666666666, 0.0], [0.0, 0.0, 1.0]]
    """
    edges = check_radii(radii, combine)
    if not documents:
        raise NoSamples("documents", _SPEC)
    checks.shape("vectors", vectors, (None, None), "V b", _SPEC)
    checks.non_negative("vectors", vectors, _SPEC)
    text = [on_host(document) for document in documents]
    for number, document in enumerate(text):
        checks.shape(f"documents[{number}]", document, (None,), "T", _SPEC)
        checks.token_ids(document, vectors.shape[0], f"documents[{number}]")
    return radial_embedding_unchecked(text, vectors, edges)


def radial_embedding_unchecked(
    documents: Sequence[IntArray], vectors: CodeVectors, edges: Sequence[int]
) -> Embedding:
    """`radial_embedding` without its checks, for documents on the host."""
    size, bits = vectors.shape
    codes = on_host(vectors)
    near = np.zeros((size, len(edges), bits))
    for document in documents:
        for t, token in enumerate(document):
            for u, other in enumerate(document):
                if 0 < abs(t - u) <= edges[-1]:
                    near[token, annulus(abs(t - u), edges)] += codes[other]
    return beside(normalise_or_fall_back(near.reshape(size, -1), codes), vectors)


def annulus(distance: int, edges: Sequence[int]) -> int:
    """The index of the annulus of a distance: the first j with distance <= edges[j].

    >>> [annulus(d, [1, 3]) for d in (1, 2, 3)]
    [0, 1, 1]
    """
    return next(j for j, edge in enumerate(edges) if distance <= edge)


def normalise_or_fall_back(near: Array, vectors: CodeVectors) -> Embedding:
    """Rows of `near` [V, q·b] over their norm; rows of zeros become the cipher vector."""
    bits = vectors.shape[1]
    norm = near.sum(axis=1, keepdims=True)
    lonely = norm[:, 0] == 0
    embedding = near / np.where(norm == 0, 1.0, norm)
    embedding[lonely, :bits] = vectors[lonely]
    return embedding


def check_radii(radii: Sequence[int], combine: str) -> tuple[int, ...]:
    """The radii as rising integers.  Refuses others."""
    checks.choice("combine", combine, ("sum", "cat"), _SPEC)
    edges = tuple(checks.whole("radii", r, 1, _SPEC) for r in radii)
    rising = all(a < b for a, b in pairwise(edges))
    if not edges or not rising or (combine == "sum" and len(edges) != 1):
        count = "one radius" if combine == "sum" else "rising radii"
        raise BadOption("radii", tuple(radii), f"{count} for combine={combine!r}", _SPEC)
    return edges
