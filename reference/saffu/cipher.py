"""The bit-cipher: a short binary code per token, with fewest ones for frequent tokens.   (SPEC 2)

Codes come in levels; level k holds codes with exactly k ones.  Level 1 is the standard basis.  Each
further level adds one basis vector to the codes of the level before, both in reverse order, so that
the codes assigned first differ most from those already in use.   [P3, T, I]

A code divided by its number of ones is a vector of unit norm, the embedding of its token.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final

import numpy as np

from saffu import checks
from saffu.arrays.namespace import beside, namespace, on_host
from saffu.arrays.operation import operation
from saffu.errors import TooFewBits
from saffu.types import Array, Codes, Embedding, TokenCounts

_SPEC: Final = "SPEC 2"


def bit_cipher(size: int, bits: int) -> Codes:
    """The codes of `size` ranks, most frequent first.   (SPEC 2)

    Parameters: `size` V >= 1, the number of tokens; `bits` b >= 1.
    Returns [V, b] of zeros and ones; all rows distinct, none zero.  `b >= V` gives one-hot rows.
    Refuses: 2^b - 1 < V.

    >>> [set(np.flatnonzero(code).tolist()) for code in bit_cipher(9, 5)[5:]]
    [{3, 4}, {2, 4}, {1, 4}, {0, 4}]
    """
    size = checks.whole("size", size, 1, _SPEC)
    bits = checks.whole("bits", bits, 1, _SPEC)
    if 2**bits - 1 < size:
        raise TooFewBits(size, bits)
    return bit_cipher_unchecked(size, bits)


def bit_cipher_unchecked(size: int, bits: int) -> Codes:
    """`bit_cipher` without its checks."""
    width = -(-bits // 8)
    packed = b"".join(code.to_bytes(width, "little") for code in islice(_in_order(bits), size))
    octets = np.frombuffer(packed, dtype=np.uint8).reshape(size, width)
    return np.unpackbits(octets, axis=1, count=bits, bitorder="little").astype(np.int8)


def _in_order(bits: int) -> Iterator[int]:
    """All non-zero codes as whole numbers, bit j for dimension j, in the order of assignment."""
    basis = [1 << bit for bit in range(bits)]
    level = basis
    yield from level
    for ones in range(2, bits + 1):
        before, level, taken = level, [], set()
        for e in reversed(basis):
            for p in reversed(before):
                candidate = p ^ e
                if candidate.bit_count() == ones and candidate not in taken:
                    taken.add(candidate)
                    level.append(candidate)
                    yield candidate


@operation
def rank_tokens(counts: TokenCounts) -> Array:
    """Token ids from the most frequent to the rarest, ties by ascending id.   (SPEC 2)

    Parameters: `counts` [V], non-negative.  Returns [V], token ids.

    >>> rank_tokens(np.array([2, 9, 2, 5])).tolist()
    [1, 3, 0, 2]
    """
    counts = on_host(counts)
    checks.shape("counts", counts, (None,), "V", _SPEC)
    checks.non_negative("counts", counts, _SPEC)
    return rank_tokens_unchecked(counts)


def rank_tokens_unchecked(counts: TokenCounts) -> Array:
    """`rank_tokens` without its checks, for counts on the host."""
    rising: Array = np.argsort(counts[::-1], kind="stable")  # unsigned counts have no negative
    ranks: Array = counts.shape[0] - 1 - rising[::-1]
    return ranks


@operation
def cipher_embedding(counts: TokenCounts, bits: int) -> Embedding:
    """Each token's code over its number of ones, in the order of the token ids.   (SPEC 2)

    Parameters: `counts` [V], how often each token occurs; `bits` b.
    Returns [V, b]: non-negative, rows of unit norm.
    Refuses: negative counts; too few bits.

    >>> cipher_embedding(np.array([1, 5, 3]), 2).tolist()
    [[0.5, 0.5], [1.0, 0.0], [0.0, 1.0]]
    """
    ranks = rank_tokens(counts)
    return _normalised(ranks, bit_cipher(counts.shape[0], bits))


def cipher_embedding_unchecked(counts: TokenCounts, bits: int) -> Embedding:
    """`cipher_embedding` without its checks, for counts on the host."""
    return _normalised(rank_tokens_unchecked(counts), bit_cipher_unchecked(counts.shape[0], bits))


def _normalised(ranks: Array, codes: Codes) -> Embedding:
    """Codes of unit norm, in the order of the token ids."""
    embedding = np.empty(codes.shape)
    embedding[ranks] = codes / codes.sum(axis=1, keepdims=True, dtype=np.float64)
    return embedding


@operation
def cipher_decode(vectors: Array, codes: Codes, *, method: str = "dot") -> Array:
    """The rank of the code that each vector points to.   (SPEC 2)

    Parameters: `vectors` [M, b], non-negative, for instance predicted distributions over bits;
    `codes` [V, b] from `bit_cipher`; `method`
    `"dot"`: the largest dot product with the un-normalised code [I];
    `"likelihood"`: the largest normalised log-likelihood, the mean of log v over the code's ones.
    Returns [M], ranks.  Ties go to the more frequent token; sums that differ by rounding alone tie.
    Refuses: shapes that disagree; no codes; negative or non-finite vectors.

    A code inside a longer code has the same dot product, so ties are the rule:

    >>> codes = bit_cipher(6, 3)
    >>> cipher_decode(codes / codes.sum(axis=1, keepdims=True), codes).tolist()
    [0, 1, 2, 3, 4, 5]
    """
    checks.choice("method", method, ("dot", "likelihood"), _SPEC)
    checks.shape("codes", codes, (None, None), "V b", _SPEC)
    checks.samples("codes", codes, _SPEC)
    checks.shape("vectors", vectors, (None, codes.shape[1]), "M b", _SPEC)
    checks.non_negative("vectors", vectors, _SPEC)
    xp = namespace(vectors)
    ones = xp.astype(beside(codes, vectors), vectors.dtype)
    if method == "dot":
        scores = vectors @ ones.T
        slack = 1e-12 * xp.sum(vectors, axis=1, keepdims=True)
    else:
        shares = ones / xp.sum(ones, axis=1, keepdims=True)
        floor = xp.where(vectors > 0, vectors, xp.zeros_like(vectors) + 1e-300)
        scores = xp.log(floor) @ shares.T
        slack = 1e-12 * xp.sum(xp.zeros_like(vectors) + 1.0, axis=1, keepdims=True)
    near = scores >= xp.max(scores, axis=1, keepdims=True) - slack
    return xp.argmax(xp.astype(near, xp.int64), axis=1)
