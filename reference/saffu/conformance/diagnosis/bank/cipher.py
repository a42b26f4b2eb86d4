"""Mistakes in the bit-cipher and its decoding.   (SPEC 2)"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations, islice

import numpy as np

from saffu.conformance.diagnosis.variants import Arrays, mistakes, variant
from saffu.types import Array

Codes = list[frozenset[int]]


def _in_order(bits: int, size: int, *, basis: int = -1, level: int = -1) -> Codes:
    """All codes as sets of ones; ±1 goes through the basis, and the level before, that way."""
    last: Codes = [frozenset([j]) for j in range(bits)]
    scores = list(last)
    while len(scores) < size and len(last[0]) < bits:
        ones = [before | {j} for j in range(bits)[::basis] for before in last[::level]
                if j not in before]  # fmt: skip
        last = list(dict.fromkeys(ones))
        scores += last
    return scores


def _binary(bits: int, size: int) -> Codes:
    numbers = range(1, min(size + 1, 2**bits))
    return [frozenset(j for j in range(bits) if n >> j & 1) for n in numbers]


def _lexicographic(bits: int, size: int) -> Codes:
    every = (c for ones in range(1, bits + 1) for c in combinations(range(bits), ones))
    return [frozenset(c) for c in islice(every, size)]


def _ranks(counts: Array) -> Array:
    return np.array(sorted(range(counts.shape[0]), key=lambda i: (-counts[i], i)), dtype=np.int64)


def _last_of_ties(counts: Array) -> Array:
    return np.array(sorted(range(counts.shape[0]), key=lambda i: (-counts[i], -i)))


def _share(codes: Array) -> Array:
    ones: Array = np.sum(codes, axis=1, keepdims=True)
    return codes / ones


def bit_cipher(
    counts: Array,
    bits: int,
    *,
    order: Callable[[int, int], Codes] = _in_order,
    mirrored: bool = False,
    ranks: Callable[[Array], Array] = _ranks,
    norm: Callable[[Array], Array] = _share,
    unseen: bool = True,
) -> Arrays:
    """Ranks, codes by rank, embedding by id; after the last code the first one comes again."""
    size = counts.shape[0]
    known = order(bits, size) if bits else []
    codes = np.zeros((size, bits))
    for rank in range(size if known else 0):
        codes[rank, list(known[rank % len(known)])] = 1
    codes = codes[:, ::-1] if mirrored else codes
    ranked = ranks(counts)
    embedding = np.zeros((size, bits))
    embedding[ranked] = norm(codes)
    if not unseen:
        embedding[counts == 0] = 0
    return {"ranks": ranked, "codes": codes.astype(np.int64), "embedding": embedding}


def _mean_logs(v: Array, codes: Array) -> Array:
    logs: Array = np.log(np.where(v > 0, v, 1e-300)) @ _share(codes).T
    return logs


def _logs_of_what_is_there(v: Array, codes: Array) -> Array:
    there = (v > 0).astype(float)
    logs: Array = np.log(np.where(v > 0, v, 1.0)) @ codes.T
    scores: Array = logs / np.maximum(there @ codes.T, 1)
    return scores


def _distance(v: Array, codes: Array) -> Array:
    scores: Array = -np.sqrt(np.sum((v[:, None, :] - _share(codes)[None]) ** 2, axis=-1))
    return scores


def cipher_decode(
    vectors: Array,
    codes: Array,
    method: str,
    *,
    dot: Callable[[Array, Array], Array] = lambda v, codes: v @ codes.T,
    likelihood: Callable[[Array, Array], Array] = _mean_logs,
    sign: float = 1.0,
    last: bool = False,
) -> Arrays:
    """The rank of the best code; ties go to the first."""
    scores = sign * (dot if method == "dot" else likelihood)(vectors, codes.astype(float))
    size = np.sum(np.abs(vectors), axis=1, keepdims=True) if method == "dot" else 1.0
    near = scores >= np.max(scores, axis=1, keepdims=True) - 1e-12 * size
    if last:
        return {"ranks": codes.shape[0] - 1 - np.argmax(near[:, ::-1], axis=1)}
    return {"ranks": np.argmax(near, axis=1)}


MISTAKES = (
    *mistakes(
        "bit_cipher", bit_cipher,
        variant("cipher-basis-forward", "basis vectors tried in order, not in reverse",
            order=lambda bits, size: _in_order(bits, size, basis=1)),
        variant("cipher-level-forward", "the level before gone through in order, not in reverse",
            order=lambda bits, size: _in_order(bits, size, level=1)),
        variant("cipher-binary-counting", "the numbers 1, 2, 3 … in binary", order=_binary),
        variant("cipher-lexicographic", "codes of a level in lexicographic order",
            order=_lexicographic),
        variant("cipher-bits-mirrored", "bits from right to left", mirrored=True),
        variant("cipher-not-normalised", "codes not divided by their number of ones",
            norm=lambda codes: codes),
        variant("cipher-norm-euclidean", "codes divided by their Euclidean norms",
            norm=lambda codes: codes / np.sqrt(np.sum(codes, axis=1, keepdims=True))),
        variant("cipher-by-id", "codes given out by id, not by rank",
            ranks=lambda counts: np.arange(counts.shape[0])),
        variant("cipher-rarest-first", "the rarest token ranked first",
            ranks=lambda counts: np.argsort(counts, kind="stable")),
        variant("cipher-ties-to-the-last", "ties go to the higher id", ranks=_last_of_ties),
        variant("cipher-drops-unseen", "tokens that never occurred get no code", unseen=False),
        variant("cipher-counts-in-float32", "counts compared in float32",
            ranks=lambda counts: _ranks(counts.astype(np.float32))),
        variant("cipher-wraps-around", "codes used twice where there are too few", accepts="bits"),
        variant("cipher-takes-anything", "no bits, or negative counts, not refused",
            accepts="option negative"),
    ),
    *mistakes(
        "cipher_decode", cipher_decode,
        variant("decode-normalised-dot", "dot products with normalised codes",
            dot=lambda v, codes: v @ _share(codes).T),
        variant("decode-cosine", "cosines in place of dot products",
            dot=lambda v, codes: v @ (codes / np.sqrt(np.sum(codes, axis=1, keepdims=True))).T),
        variant("decode-nearest", "the nearest normalised code", dot=_distance),
        variant("decode-smallest", "the smallest score taken", sign=-1.0),
        variant("decode-ties-to-the-last", "ties go to the rarer token", last=True),
        variant("decode-sum-of-logs", "log-likelihoods added up, not averaged over the ones",
            likelihood=lambda v, codes: np.log(np.where(v > 0, v, 1e-300)) @ codes.T),
        variant("decode-largest-dot", "dot products, though the likelihood was asked for",
            likelihood=lambda v, codes: v @ codes.T),
        variant("decode-skips-zeros", "zeros left out of the likelihood",
            likelihood=_logs_of_what_is_there),
        variant("decode-takes-anything", "negative or non-finite vectors not refused",
            accepts="negative non-finite"),
    ),
)  # fmt: skip
