"""The bit-cipher, its decoding, and radial embeddings.   (SPEC 2)

Level k holds the codes with exactly k ones.  A code is first reached by its highest bit e, which
leaves the code p below it; so the level is all pairs (e, p) with the bits of p below e, e from the
last to the first, p in the reverse of its own order.  No code has to be looked up.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from saffu_torch import checks


class Cipher(NamedTuple):
    """Token ids by rank [V], codes by rank [V b], and vectors by token id [V b]."""

    ranks: Tensor
    codes: Tensor
    embedding: Tensor


def bit_codes(size: int, bits: int, device: torch.device | None = None) -> Tensor:
    """The codes [V b] of V ranks: the basis, then level k from level k−1.   (SPEC 2)"""
    checks.whole(size, 1, "size")
    checks.whole(bits, 1, "bits")
    checks.require(bits >= size.bit_length(), "bits", f"bits for {size} codes")
    bit = torch.arange(bits, device=device)
    level, top, found = torch.eye(bits, dtype=torch.int64, device=device), bit, bits
    levels = [level]
    while found < size:
        e, p = torch.nonzero(bit.flip(0)[:, None] > top.flip(0)[None, :], as_tuple=True)
        top = bit.flip(0)[e]
        level = level.flip(0)[p]
        level.scatter_(1, top[:, None], 1)
        levels.append(level)
        found += len(level)
    return torch.cat(levels)[:size]


def bit_cipher(counts: Tensor, bits: int) -> Cipher:
    """Codes by descending count, ties by ascending id; a vector is code / ones.   (SPEC 2)"""
    checks.shape(counts, (None,), "counts")
    checks.non_negative(counts, "counts")
    codes = bit_codes(len(counts), bits, counts.device)
    ranks = counts.argsort(descending=True, stable=True)
    vectors = codes / codes.sum(dim=1, keepdim=True, dtype=torch.float64)
    return Cipher(ranks, codes, torch.empty_like(vectors).index_copy(0, ranks, vectors))


def cipher_decode(vectors: Tensor, codes: Tensor, method: str = "dot") -> Tensor:
    """argmax over ranks of ⟨v, code⟩, or of the mean of log v at the code's ones.   (SPEC 2)"""
    checks.one_of(method, ("dot", "likelihood"), "method")
    checks.shape(codes, (None, None), "codes")
    checks.require(len(codes) > 0, "no-samples", "at least one code")
    checks.shape(vectors, (None, codes.shape[1]), "vectors")
    checks.non_negative(vectors, "vectors")
    ones = codes.to(vectors)
    if method == "dot":
        scores, size = vectors @ ones.mT, vectors.sum(dim=1, keepdim=True)
    else:
        floor = vectors.where(vectors > 0, torch.finfo(vectors.dtype).tiny)
        scores, size = floor.log() @ (ones / ones.sum(dim=1, keepdim=True)).mT, codes.shape[1]
    ties = scores >= scores.amax(dim=1, keepdim=True) - 1e-12 * size
    return ties.int().argmax(dim=1)


def radial_embedding(
    documents: Sequence[Tensor], vectors: Tensor, radii: Sequence[int], combine: str = "sum"
) -> Tensor:
    """Σ_{|δ| ≤ r} e_{x_{t+δ}} over a token's places t, normalised [V D].   (SPEC 2)

    `cat` has a block for each ring; a token without neighbours keeps its own vector.
    """
    check_radii(radii, combine)
    checks.require(len(documents) > 0, "no-samples", "at least one document")
    checks.shape(vectors, (None, None), "vectors")
    checks.non_negative(vectors, "vectors")
    size, bits = vectors.shape
    for document in documents:
        checks.tokens(document, size)
    near = vectors.new_zeros(len(radii), size, bits)
    for document in documents:
        for distance in range(1, min(radii[-1] + 1, len(document))):
            ring = next(j for j, radius in enumerate(radii) if distance <= radius)
            left, right = document[:-distance], document[distance:]
            near[ring].index_add_(0, left, vectors[right])
            near[ring].index_add_(0, right, vectors[left])
    near = near.transpose(0, 1).reshape(size, -1)
    norm = near.sum(dim=1, keepdim=True)
    alone = torch.zeros_like(near)
    alone[:, :bits] = vectors
    return torch.where(norm > 0, near / norm, alone)


def check_radii(radii: Sequence[int], combine: str) -> None:
    """Rising whole numbers; one of them for `sum`."""
    checks.one_of(combine, ("sum", "cat"), "combine")
    for radius in radii:
        checks.whole(radius, 1, "radius")
    rising = all(a < b for a, b in pairwise(radii))
    good = rising and (len(radii) == 1 if combine == "sum" else len(radii) > 0)
    checks.require(good, "option", "rising radii, or one for sum")
