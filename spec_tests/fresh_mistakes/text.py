"""Mistakes in ciphers, radial embeddings and contexts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np

from saffu.types import Array
from spec_tests.fresh_mistakes.examples import documents, draw, example, put, rows, signed
from spec_tests.fresh_mistakes.record import (
    COMMON,
    LEGAL,
    NUMERICAL,
    RARE,
    REFUSAL,
    SIZE,
    STATE,
    VALUE,
    Answer,
    FreshMistake,
    Given,
    Wrong,
    changed,
    fresh,
    misnamed,
    refusing,
    right,
    some,
    spoiled,
    unchecked,
)


def _order(
    bits: int,
    basis: Callable[[list[int]], list[int]] = lambda e: e[::-1],
    before: Callable[[list[int]], list[int]] = lambda p: p[::-1],
    ones: Callable[[int, int], bool] = lambda code, level: code.bit_count() == level,
    below: Callable[[int], int] = lambda level: level - 1,
) -> Iterator[int]:
    """Codes in another order of assignment."""
    e = [1 << bit for bit in range(bits)]
    levels = {1: e}
    taken = set(e)
    yield from e
    for level in range(2, bits + 1):
        levels[level] = []
        for one in basis(e):
            for p in before(levels[below(level)]):
                code = p ^ one
                if code and ones(code, level) and code not in taken:
                    taken.add(code)
                    levels[level].append(code)
                    yield code


def _ciphered(given: Given, ranks: Array, codes: Array) -> Answer:
    embedding = np.zeros(codes.shape)
    total = codes.sum(1, keepdims=True)
    embedding[ranks] = codes / np.where(total == 0, 1, total)
    return {"ranks": ranks, "codes": codes, "embedding": embedding}


def _codes(**other: Any) -> Wrong:
    def wrong(given: Given) -> Answer:
        answer = right("bit_cipher", given)
        bits, size = given["bits"], len(given["counts"])
        found: list[int] = []
        for code in _order(bits, **other):
            found.append(code)
            if len(found) == size:
                break
        found += [0] * (size - len(found))
        codes = np.array([[code >> bit & 1 for bit in range(bits)] for code in found])
        return _ciphered(given, answer["ranks"], codes.reshape(size, bits))

    return wrong


def _ranked(key: Callable[[Array], Array]) -> Wrong:
    def wrong(given: Given) -> Answer:
        answer = right("bit_cipher", given)
        return _ciphered(given, key(given["counts"]), answer["codes"])

    return wrong


def _falling(counts: Array) -> Array:
    return np.argsort(-counts, kind="stable")


def _int32(counts: Array) -> Array:
    return (counts.astype(np.int64) + 2**31) % 2**32 - 2**31


class _CipherOfBefore:
    """Codes are kept by V, whatever the number of bits."""

    def __init__(self) -> None:
        self.codes: dict[int, Array] = {}

    def __call__(self, given: Given) -> Answer:
        answer = right("bit_cipher", given)
        codes = self.codes.setdefault(len(given["counts"]), answer["codes"])
        return _ciphered(given, answer["ranks"], codes)


def _ciphers() -> tuple[FreshMistake, ...]:
    op, usual = "bit_cipher", example("bit_cipher")
    c = usual["counts"]
    return (
        fresh(op, NUMERICAL, COMMON, "cipher-basis-forward", "basis vectors from first to last",
              _codes(basis=list), usual),
        fresh(op, NUMERICAL, COMMON, "cipher-level-forward", "codes of the level below in order",
              _codes(before=list), {"counts": np.arange(14), "bits": 4}),
        fresh(op, NUMERICAL, COMMON, "cipher-both-forward", "neither order is reversed",
              _codes(basis=list, before=list), usual),
        fresh(op, NUMERICAL, RARE, "cipher-level-two-only", "every level is built on level one",
              _codes(below=lambda level: 1, ones=lambda code, level: True),
              {"counts": np.arange(14), "bits": 4}),
        fresh(op, NUMERICAL, COMMON, "cipher-bits-reversed", "the first bit is the last",
              lambda g: _ciphered(g, right(op, g)["ranks"], right(op, g)["codes"][:, ::-1]),
              usual),
        fresh(op, NUMERICAL, COMMON, "cipher-binary", "codes are the ranks in binary",
              lambda g: _ciphered(g, right(op, g)["ranks"], np.array(
                  [[(r + 1) >> b & 1 for b in range(g["bits"])] for r in range(len(g["counts"]))]
              ).reshape(len(g["counts"]), g["bits"])), usual),
        fresh(op, SIZE, RARE, "cipher-ones-of-a-byte", "ones are counted in the low eight bits",
              _codes(ones=lambda code, level: (code & 255).bit_count() == level),
              {"counts": np.arange(40), "bits": 9}),
        fresh(op, SIZE, RARE, "cipher-sixteen-bits", "bit 15 of a code is lost",
              lambda g: _ciphered(g, right(op, g)["ranks"], right(op, g)["codes"] * (
                  np.arange(g["bits"]) != 15)), {"counts": np.arange(30), "bits": 16}),
        fresh(op, SIZE, RARE, "cipher-five-levels", "level six repeats in the order of level five",
              _codes(before=lambda p: p if p[0].bit_count() >= 5 else p[::-1]),
              {"counts": np.arange(127), "bits": 7}),
        fresh(op, SIZE, RARE, "cipher-four-levels", "from level five on, levels are not reversed",
              _codes(before=lambda p: p if p[0].bit_count() >= 4 else p[::-1]),
              {"counts": np.arange(63), "bits": 6}),
        fresh(op, SIZE, COMMON, "cipher-ids-of-eight-bits", "token ids are kept in int8",
              spoiled(op, ranks=lambda r: r.astype(np.int8)), {"counts": np.arange(130),
                                                               "bits": 8}),
        fresh(op, SIZE, RARE, "cipher-ids-of-sixteen-bits", "token ids are kept in int16",
              spoiled(op, ranks=lambda r: r.astype(np.int16)), {"counts": np.zeros(32770, int),
                                                                "bits": 16}),
        fresh(op, SIZE, RARE, "cipher-refuses-31-bits", "2^b overflows at 31 bits",
              refusing(op, lambda g: g["bits"] >= 31, "bits"), {"counts": c, "bits": 33}),
        fresh(op, SIZE, RARE, "cipher-refuses-64-bits", "2^b overflows at 64 bits",
              refusing(op, lambda g: g["bits"] >= 64, "bits"), {"counts": c, "bits": 65}),
        fresh(op, NUMERICAL, COMMON, "cipher-ties-descending", "ties by descending id",
              _ranked(lambda x: len(x) - 1 - np.argsort(-x[::-1], kind="stable")), usual),
        fresh(op, NUMERICAL, COMMON, "cipher-ascending", "rare tokens first",
              _ranked(lambda x: np.argsort(x, kind="stable")), usual),
        fresh(op, NUMERICAL, COMMON, "cipher-ranks-inverted", "ranks by token for tokens by rank",
              spoiled(op, ranks=np.argsort), usual),
        fresh(op, NUMERICAL, COMMON, "cipher-embedding-by-rank", "the embedding is by rank",
              lambda g: {**right(op, g), "embedding": right(op, g)["embedding"][
                  right(op, g)["ranks"]]}, usual),
        fresh(op, NUMERICAL, COMMON, "cipher-embedding-of-ones", "the embedding is not normalised",
              spoiled(op, embedding=lambda e: (e > 0) * 1.0), usual),
        fresh(op, NUMERICAL, COMMON, "cipher-embedding-euclidean", "codes of Euclidean norm one",
              spoiled(op, embedding=lambda e: e / np.sqrt((e**2).sum(1, keepdims=True))), usual),
        fresh(op, VALUE, COMMON, "cipher-unstable-sort", "ties as an unstable sort leaves them",
              _ranked(lambda x: np.argsort(-x, kind="quicksort")),
              {"counts": np.arange(40) % 3, "bits": 6}),
        fresh(op, VALUE, COMMON, "cipher-counts-in-int32", "counts overflow at 2^31",
              _ranked(lambda x: _falling(_int32(x))),
              {"counts": np.array([5, 2**32 + 1, 7]), "bits": 2}),
        fresh(op, VALUE, COMMON, "cipher-counts-in-float32", "counts are compared as float32",
              _ranked(lambda x: _falling(x.astype(np.float32))),
              {"counts": np.array([2**24, 2**24 + 1, 7]), "bits": 2}),
        fresh(op, VALUE, COMMON, "cipher-counts-in-float64", "counts are compared as float64",
              _ranked(lambda x: _falling(x.astype(np.float64))),
              {"counts": np.array([2**53, 2**53 + 1, 7]), "bits": 2}),
        fresh(op, VALUE, RARE, "cipher-counts-in-uint16", "counts are kept in sixteen bits",
              _ranked(lambda x: _falling(x.astype(np.int64) % 2**16)),
              {"counts": np.array([5, 2**16 + 1, 7]), "bits": 2}),
        fresh(op, VALUE, RARE, "cipher-zero-counts-last", "tokens without counts by descending id",
              _ranked(lambda x: np.concatenate([
                  _falling(x)[: int((x > 0).sum())], np.flatnonzero(x == 0)[::-1]])),
              {"counts": np.array([0, 5, 0]), "bits": 2}),
        fresh(op, REFUSAL, COMMON, "cipher-one-code-too-many", "2^b tokens are accepted",
              unchecked(op, lambda g: len(g["counts"]) == 2 ** max(g["bits"], 0)),
              {"counts": np.arange(8), "bits": 3}),
        fresh(op, LEGAL, COMMON, "cipher-refuses-all-codes", "2^b - 1 tokens are refused",
              refusing(op, lambda g: len(g["counts"]) == 2 ** g["bits"] - 1, "bits"),
              {"counts": np.arange(7), "bits": 3}),
        fresh(op, LEGAL, COMMON, "cipher-refuses-more-bits-than-tokens", "b > V is refused",
              refusing(op, lambda g: g["bits"] > len(g["counts"]), "bits"),
              {"counts": np.arange(3), "bits": 5}),
        fresh(op, LEGAL, COMMON, "cipher-refuses-no-counts", "counts that are all zero are refused",
              refusing(op, lambda g: not some(g["counts"]), "zero-count"),
              {"counts": np.zeros(3, int), "bits": 2}),
        fresh(op, LEGAL, RARE, "cipher-refuses-one-token", "a single token is refused",
              refusing(op, lambda g: len(g["counts"]) == 1, "option"),
              {"counts": np.array([3]), "bits": 1}),
        fresh(op, REFUSAL, COMMON, "cipher-no-bits", "bits = 0 is reported as too few bits",
              misnamed(op, lambda g: g["bits"] == 0, "bits"), {"counts": c, "bits": 0}),
        fresh(op, REFUSAL, COMMON, "cipher-fractional-bits", "bits of 4.5 are 4",
              unchecked(op, lambda g: g["bits"] != int(g["bits"])), {"counts": c, "bits": 4.5}),
        fresh(op, REFUSAL, COMMON, "cipher-negative-count", "a negative count is the rarest",
              unchecked(op, lambda g: some(g["counts"] < 0)), {"counts": put(c, 0, -1),
                                                               "bits": 5}),
        fresh(op, REFUSAL, COMMON, "cipher-nan-count", "a count of NaN is the rarest",
              unchecked(op, lambda g: some(np.isnan(g["counts"].astype(float)))),
              {"counts": put(c.astype(float), 0, np.nan), "bits": 5}),
        fresh(op, REFUSAL, COMMON, "cipher-infinite-count", "an infinite count is the first",
              unchecked(op, lambda g: some(g["counts"] == np.inf)),
              {"counts": put(c.astype(float), 0, np.inf), "bits": 5}),
        FreshMistake("fresh-cipher-of-before", "codes are kept by V", op, STATE, COMMON,
                     _CipherOfBefore, ({**usual, "bits": 4}, usual)),
    )  # fmt: skip


def _decoded(
    scores: Callable[[Array, Array], Array],
    slack: Callable[[Array], Any],
    method: str,
    pick: Callable[[Array], Array] = lambda near: np.argmax(near, axis=1),
) -> Wrong:
    def wrong(given: Given) -> Answer:
        answer = right("cipher_decode", given)
        if given["method"] != method or not len(given["vectors"]):
            return answer
        v, codes = given["vectors"], given["codes"].astype(float)
        s = scores(v, codes)
        return {"ranks": pick(s >= s.max(1, keepdims=True) - slack(v))}

    return wrong


def _plain_slack(v: Array) -> Array:
    slack: Array = 1e-12 * v.sum(1, keepdims=True)
    return slack


def _dots(v: Array, codes: Array) -> Array:
    dots: Array = v @ codes.T
    return dots


def _means(v: Array, codes: Array) -> Array:
    share = codes / codes.sum(1, keepdims=True)
    means: Array = np.log(np.where(v > 0, v, 1e-300)) @ share.T
    return means


def _last(near: Array) -> Array:
    last: Array = near.shape[1] - 1 - np.argmax(near[:, ::-1], axis=1)
    return last


def _decodes() -> tuple[FreshMistake, ...]:
    op, usual = "cipher_decode", example("cipher_decode")
    codes = usual["codes"]
    v = usual["vectors"]
    like = {**usual, "method": "likelihood"}
    rounding = {**usual, "vectors": np.array([[0.1, 0.2, 0.3, 0.0]]),
                "codes": np.array([[1, 1, 1, 0], [0, 0, 0, 1], [1, 1, 1, 1]])}  # fmt: skip
    exact = {**rounding, "vectors": np.array([[0.1, 0.2, 0.3, 1e-17]])}
    nine = {"vectors": put(np.full((1, 9), 0.1), (0, 8), 0.9), "codes": np.eye(9, dtype=int),
            "method": "dot"}  # fmt: skip
    far = {"vectors": np.eye(140)[[139]], "codes": np.eye(140, dtype=int), "method": "dot"}
    zero = {**usual, "vectors": put(v, 0, 0.0)}
    return (
        fresh(op, NUMERICAL, COMMON, "decode-normalised", "the normalised code",
              _decoded(lambda v, c: v @ (c / c.sum(1, keepdims=True)).T, _plain_slack, "dot"),
              usual),
        fresh(op, NUMERICAL, COMMON, "decode-cosine", "the cosine",
              _decoded(lambda v, c: v @ (c / np.sqrt(c.sum(1, keepdims=True))).T, _plain_slack,
                       "dot"), usual),
        fresh(op, NUMERICAL, COMMON, "decode-last-of-ties", "ties go to the rarest",
              _decoded(_dots, _plain_slack, "dot", _last), {**usual, "vectors": codes * 0.5}),
        fresh(op, VALUE, COMMON, "decode-exact-ties", "sums that differ by rounding do not tie",
              _decoded(_dots, lambda v: 0.0, "dot"),
              {**exact, "vectors": np.array([[0.1, 0.2, 0.3, 3e-16]])}),
        fresh(op, VALUE, COMMON, "decode-absolute-ties", "ties are within 1e-12",
              _decoded(_dots, lambda v: 1e-12, "dot"),
              {**usual, "vectors": 1e-13 * np.arange(1.0, 5.0)[None, :]}),
        fresh(op, VALUE, RARE, "decode-loose-ties", "ties are within 1e-6 of the sum",
              _decoded(_dots, lambda v: 1e-6 * v.sum(1, keepdims=True), "dot"),
              {**rounding, "vectors": np.array([[0.1, 0.2, 0.3, 1e-7]])}),
        fresh(op, VALUE, COMMON, "decode-zero-is-last", "a vector of zeros is the last rank",
              lambda g: {"ranks": np.where(g["vectors"].sum(1) == 0, len(g["codes"]) - 1,
                                           right(op, g)["ranks"])}, zero),
        fresh(op, VALUE, RARE, "decode-refuses-zero", "a vector of zeros is refused",
              refusing(op, lambda g: some((g["vectors"] == 0).all(-1)), "zero-norm"), zero),
        fresh(op, NUMERICAL, COMMON, "decode-sum-of-logs", "the sum of logs, not the mean",
              _decoded(lambda v, c: np.log(np.where(v > 0, v, 1e-300)) @ c.T,
                       lambda v: 1e-12 * v.shape[1], "likelihood"),
              {**like, "vectors": np.array([[0.3, 0.3, 0.4, 0.9]]) * 4}),
        fresh(op, VALUE, COMMON, "decode-log-floor", "values below 1e-3 are 1e-3",
              _decoded(lambda v, c: np.log(np.maximum(v, 1e-3)) @ (
                  c / c.sum(1, keepdims=True)).T, lambda v: 1e-12 * v.shape[1], "likelihood"),
              {"vectors": np.array([[1e-5, 1e-9]]), "codes": np.array([[0, 1], [1, 0], [1, 1]]),
               "method": "likelihood"}),
        fresh(op, VALUE, COMMON, "decode-zero-times-log", "0 log 0 is NaN",
              _decoded(lambda v, c: np.nan_to_num((c[None] * np.log(v)[:, None]).sum(2)
                                                  / c.sum(1), nan=-np.inf),
                       lambda v: 1e-12 * v.shape[1], "likelihood"),
              {**like, "vectors": np.array([[0.0, 0.3, 0.4, 0.9]])}),
        fresh(op, NUMERICAL, COMMON, "decode-method-ignored", "always the dot product",
              lambda g: right(op, g) and right(op, {**g, "method": "dot"}),
              {**like, "vectors": np.array([[0.3, 0.3, 0.4, 0.9]])}),
        fresh(op, NUMERICAL, RARE, "decode-distance", "the least Euclidean distance",
              _decoded(lambda v, c: 2 * v @ c.T - (c**2).sum(1), _plain_slack, "dot"), usual),
        fresh(op, SIZE, RARE, "decode-eight-bits", "bits after the eighth are not read",
              _decoded(lambda v, c: v[:, :8] @ c[:, :8].T, _plain_slack, "dot"), nine),
        fresh(op, SIZE, RARE, "decode-int8-ranks", "ranks are kept in int8",
              spoiled(op, ranks=lambda r: r.astype(np.int8)), far),
        fresh(op, LEGAL, RARE, "decode-refuses-no-vectors", "no vectors are refused",
              refusing(op, lambda g: len(g["vectors"]) == 0, "no-samples"),
              {**usual, "vectors": v[:0]}),
        fresh(op, LEGAL, COMMON, "decode-refuses-other-norms", "vectors have to add up to one",
              refusing(op, lambda g: some(abs(g["vectors"].sum(-1) - 1) > 1e-6), "simplex"),
              usual),
        fresh(op, REFUSAL, COMMON, "decode-no-codes", "no codes are accepted",
              unchecked(op, lambda g: len(g["codes"]) == 0), {**usual, "codes": codes[:0]}),
        fresh(op, REFUSAL, COMMON, "decode-unknown-method", "an unknown method is dot",
              unchecked(op, lambda g: g["method"] not in ("dot", "likelihood")),
              {**usual, "method": "cosine"}),
        fresh(op, REFUSAL, COMMON, "decode-negative", "negative vectors are accepted",
              unchecked(op, lambda g: some(g["vectors"] < 0)),
              {**usual, "vectors": put(v, (0, 0), -1.0)}),
        fresh(op, REFUSAL, COMMON, "decode-nan", "NaN is accepted",
              unchecked(op, lambda g: some(np.isnan(g["vectors"]))),
              {**usual, "vectors": put(v, (0, 0), np.nan)}),
        fresh(op, REFUSAL, COMMON, "decode-one-column", "vectors of one column are broadcast",
              unchecked(op, lambda g: g["vectors"].ndim == 2
                        and g["vectors"].shape[1] == 1 != g["codes"].shape[1]),
              {**usual, "vectors": v[:, :1]}),
    )  # fmt: skip


def _texts(given: Given) -> list[Array]:
    count = sum(name.startswith("document_") for name in given)
    return [given[f"document_{i}"] for i in range(count)]


def _embedded(
    texts: Callable[[list[Array]], list[Array]] = lambda t: t,
    near: Callable[[int, int, int], bool] = lambda delta, low, high: low < abs(delta) <= high,
    lower: Callable[[list[int]], list[int]] = lambda r: [0, *r[:-1]],
    norm: Callable[[Array, Array, int], Array] = lambda e, seen, bits: e.sum(1, keepdims=True),
    lonely: Callable[[Array, int], Array] | None = lambda v, blocks: np.hstack(
        [v, np.zeros((len(v), v.shape[1] * (blocks - 1)))]
    ),
) -> Wrong:
    """Radial embeddings with one thing done otherwise."""

    def wrong(given: Given) -> Answer:
        right("radial_embedding", given)
        v, radii = given["vectors"], given["radii"]
        blocks = [np.zeros(v.shape) for _ in radii]
        seen = np.zeros((len(v), 1))
        for text in texts(_texts(given)):
            for t, token in enumerate(text):
                for s, other in enumerate(text):
                    for block, low, high in zip(blocks, lower(radii), radii, strict=True):
                        if near(int(s - t), low, high):
                            block[token] += v[other]
                            seen[token] += 1
        full = np.hstack(blocks)
        total = norm(full, seen, v.shape[1])
        empty = full.sum(1) == 0
        answer = full / np.where(total == 0, 1.0, total)
        if lonely is not None:
            answer[empty] = lonely(v, len(radii))[empty]
        return {"embedding": answer}

    return wrong


def _norms(e: Array, seen: Array, bits: int) -> Array:
    blocks = e.reshape(len(e), -1, bits).sum(2)
    return np.repeat(np.where(blocks == 0, 1.0, blocks), bits, axis=1)


class _NearOfBefore:
    """Sums are not reset between calls of one shape."""

    def __init__(self) -> None:
        self.sums: dict[tuple[int, ...], Array] = {}

    def __call__(self, given: Given) -> Answer:
        e = right("radial_embedding", given)["embedding"]
        self.sums[e.shape] = self.sums.get(e.shape, 0.0) + e
        total = self.sums[e.shape]
        norm = total.sum(1, keepdims=True)
        return {"embedding": total / np.where(norm == 0, 1.0, norm)}


def _unread(given: Given) -> Array:
    """Rows of vectors that no document reads."""
    names = [x for n, x in given.items() if n.startswith("document")]
    flags = np.ones(len(given["vectors"]), bool)
    for text in names:
        flags[text[(text >= 0) & (text < len(flags))]] = False
    return flags


def _radials() -> tuple[FreshMistake, ...]:
    op, usual = "radial_embedding", example("radial_embedding")
    v = usual["vectors"]
    many = {**documents(*[[0, 2, 3, 1 + k % 7, 1] for k in range(12)], [0, 7, 1]),
            "vectors": rows(8, 4), "radii": [2], "combine": "sum"}  # fmt: skip
    long = {**documents([0, 3, 4, 5, 6, 7, 2, 3, 5, 6, 1]), "vectors": rows(8, 4), "radii": [9],
            "combine": "sum"}  # fmt: skip
    other = {**usual, "vectors": draw(8, 4)}
    silent = {**usual, "vectors": put(v, 4, 0.0)}
    dumb = {**documents([0, 3, 1]), "vectors": put(put(v, 0, 0.0), 1, 0.0), "radii": [1],
            "combine": "sum"}  # fmt: skip
    return (
        fresh(op, NUMERICAL, COMMON, "radial-with-itself", "the token itself is counted",
              _embedded(near=lambda d, low, high: low < abs(d) <= high or (d == 0 == low)), usual),
        fresh(op, NUMERICAL, COMMON, "radial-left-only", "only tokens before",
              _embedded(near=lambda d, low, high: low < -d <= high), usual),
        fresh(op, NUMERICAL, COMMON, "radial-right-only", "only tokens after",
              _embedded(near=lambda d, low, high: low < d <= high), usual),
        fresh(op, NUMERICAL, COMMON, "radial-open", "the radius itself is outside",
              _embedded(near=lambda d, low, high: low <= abs(d) < high and d != 0), usual),
        fresh(op, NUMERICAL, COMMON, "radial-discs", "whole discs for rings",
              _embedded(lower=lambda r: [0] * len(r)), usual),
        fresh(op, NUMERICAL, COMMON, "radial-across-documents", "windows cross documents",
              _embedded(texts=lambda t: [np.concatenate(t)]), usual),
        fresh(op, NUMERICAL, COMMON, "radial-euclidean", "rows over their Euclidean norm",
              _embedded(norm=lambda e, seen, b: np.sqrt((e**2).sum(1, keepdims=True))), usual),
        fresh(op, NUMERICAL, COMMON, "radial-blocks-normalised", "each block has norm one",
              _embedded(norm=_norms), usual),
        fresh(op, VALUE, COMMON, "radial-by-neighbours", "divided by the number of neighbours",
              _embedded(norm=lambda e, seen, b: seen), other),
        fresh(op, VALUE, RARE, "radial-vectors-normalised", "vectors are normalised first",
              lambda g: right(op, g) and changed(op, vectors=lambda x: x / np.where(
                  x.sum(1, keepdims=True) == 0, 1, x.sum(1, keepdims=True)))(g), other),
        fresh(op, NUMERICAL, COMMON, "radial-lonely-zero", "a token without neighbours is zero",
              _embedded(lonely=None), usual),
        fresh(op, NUMERICAL, COMMON, "radial-lonely-everywhere", "its cipher is in every block",
              _embedded(lonely=lambda v, blocks: np.hstack([v] * blocks) / blocks), usual),
        fresh(op, NUMERICAL, RARE, "radial-lonely-last", "its cipher is in the last block",
              _embedded(lonely=lambda v, blocks: np.hstack(
                  [np.zeros((len(v), v.shape[1] * (blocks - 1))), v])), usual),
        fresh(op, VALUE, RARE, "radial-lonely-normalised", "its cipher is normalised",
              _embedded(lonely=lambda v, blocks: np.hstack(
                  [v / np.maximum(v.sum(1, keepdims=True), 1e-300),
                   np.zeros((len(v), v.shape[1] * (blocks - 1)))])), other),
        fresh(op, VALUE, RARE, "radial-silent-neighbours-zero", "with neighbours of zero, zero",
              lambda g: right(op, g) if _heard(g).all() else {"embedding": np.where(
                  _heard(g)[:, None], right(op, g)["embedding"], 0.0)}, dumb),
        fresh(op, SIZE, COMMON, "radial-ten-documents", "documents after the tenth are not read",
              _embedded(texts=lambda t: t[:10]), many),
        fresh(op, SIZE, COMMON, "radial-first-document", "only the first document is read",
              _embedded(texts=lambda t: t[:1]), usual),
        fresh(op, SIZE, RARE, "radial-radius-five", "the radius is at most five",
              _embedded(near=lambda d, low, high: low < abs(d) <= min(high, 5)), long),
        fresh(op, SIZE, RARE, "radial-two-radii", "a third radius is the second again",
              _embedded(near=lambda d, low, high: low < abs(d) <= high and low < 3),
              {**usual, "radii": [1, 3, 5]}),
        fresh(op, SIZE, RARE, "radial-int8-ids", "tokens are kept in int8",
              lambda g: right(op, g) if len(g["vectors"]) <= 128 else {
                  "embedding": np.where((np.arange(len(g["vectors"])) < 128)[:, None],
                                        right(op, g)["embedding"], 0.0)},
              {**documents([0, 129, 1]), "vectors": rows(130, 8), "radii": [1],
               "combine": "sum"}),
        fresh(op, LEGAL, COMMON, "radial-refuses-zero-vector", "a vector of zeros is refused",
              refusing(op, lambda g: some((g["vectors"] == 0).all(-1)), "zero-norm"), silent),
        fresh(op, LEGAL, COMMON, "radial-refuses-other-norms", "vectors have to add up to one",
              refusing(op, lambda g: some(abs(g["vectors"].sum(-1) - 1) > 1e-6), "simplex"), other),
        fresh(op, LEGAL, COMMON, "radial-refuses-short-document", "a document of one token fails",
              refusing(op, lambda g: any(len(t) == 1 for t in _texts(g)), "no-samples"),
              {**usual, "document_1": np.array([5])}),
        fresh(op, LEGAL, COMMON, "radial-refuses-empty-document", "an empty document is refused",
              refusing(op, lambda g: any(len(t) == 0 for t in _texts(g)), "no-samples"),
              {**usual, "document_1": np.array([], int)}),
        fresh(op, LEGAL, RARE, "radial-refuses-other-start", "documents have to begin with 0",
              refusing(op, lambda g: any(len(t) and t[0] != 0 for t in _texts(g)), "option"),
              {**usual, "document_1": np.array([5, 3])}),
        fresh(op, REFUSAL, COMMON, "radial-negative-token", "token -1 is the last",
              unchecked(op, lambda g: any(some(t < 0) for t in _texts(g))),
              {**usual, "document_1": np.array([0, -1, 3])}),
        fresh(op, REFUSAL, COMMON, "radial-token-beyond-in-later", "only the first document is "
              "looked at", unchecked(op, lambda g: any(
                  some(t >= len(g["vectors"])) for t in _texts(g)[1:])),
              {**usual, "document_2": np.array([0, 8, 3])}),
        fresh(op, REFUSAL, COMMON, "radial-falling-radii", "radii are sorted",
              unchecked(op, lambda g: g["radii"] != sorted(g["radii"])),
              {**usual, "radii": [3, 1]}),
        fresh(op, REFUSAL, COMMON, "radial-equal-radii", "a radius twice is an empty ring",
              unchecked(op, lambda g: len(set(g["radii"])) < len(g["radii"])),
              {**usual, "radii": [2, 2]}),
        fresh(op, REFUSAL, COMMON, "radial-two-radii-of-sum", "sum takes the last radius",
              unchecked(op, lambda g: g["combine"] == "sum" and len(g["radii"]) > 1),
              {**usual, "combine": "sum"}),
        fresh(op, REFUSAL, COMMON, "radial-radius-zero", "a radius of zero is accepted",
              unchecked(op, lambda g: 0 in g["radii"]), {**usual, "radii": [0, 2]}),
        fresh(op, REFUSAL, COMMON, "radial-no-radii", "no radii are accepted",
              unchecked(op, lambda g: not g["radii"]), {**usual, "radii": []}),
        fresh(op, REFUSAL, COMMON, "radial-fractional-radius", "a radius of 1.5 is accepted",
              unchecked(op, lambda g: any(r != int(r) for r in g["radii"])),
              {**usual, "radii": [1.5]}),
        fresh(op, REFUSAL, COMMON, "radial-no-documents", "no documents leave the cipher",
              unchecked(op, lambda g: not _texts(g)),
              {"vectors": v, "radii": [1], "combine": "sum"}),
        fresh(op, REFUSAL, COMMON, "radial-unread-nan", "NaN in a vector that nothing reads passes",
              unchecked(op, lambda g: some(np.isnan(g["vectors"][_unread(g)]))),
              {**usual, "vectors": put(v, (7, 0), np.nan)}),
        fresh(op, REFUSAL, COMMON, "radial-unread-negative", "an unread negative vector passes",
              unchecked(op, lambda g: some(g["vectors"][_unread(g)] < 0)),
              {**usual, "vectors": put(v, (7, 0), -1.0)}),
        FreshMistake("fresh-radial-accumulates", "sums are not reset between calls", op, STATE,
                     COMMON, _NearOfBefore, (usual, {**usual, "vectors": rows(8, 4, seed=9)})),
    )  # fmt: skip


def _heard(given: Given) -> Array:
    """Tokens that have no neighbour, or one whose vector is not zero."""
    one = {**given, "vectors": np.ones(given["vectors"].shape)}
    v = given["vectors"]
    heard = np.ones(len(v), bool)
    for token in range(len(v)):
        near = [other for text in _texts(one) for t, at in enumerate(text) if at == token
                for s, other in enumerate(text)
                if 0 < abs(s - t) <= given["radii"][-1]]  # fmt: skip
        heard[token] = not near or some(v[near])
    return heard


def _slots(op: str, change: Callable[[Answer, Given], dict[str, Any]]) -> Wrong:
    def wrong(given: Given) -> Answer:
        answer = right(op, given)
        return {**answer, **change(answer, given)}

    return wrong


def _shift(text: Array, by: int, size: int) -> Answer:
    """Radial contexts whose slot k holds token t - 1 - k + by."""
    m = len(text) - 1
    at = np.arange(m)[:, None] - np.arange(size)[None, :] + by
    mask = (at >= 0) & (at < len(text))
    return {"slots": np.where(mask, text[np.clip(at, 0, len(text) - 1)], 0), "mask": mask,
            "pivot": np.zeros(m, int)}  # fmt: skip


def _of_either(op: str, size: str, usual: Given) -> tuple[FreshMistake, ...]:
    """Mistakes that radial and block contexts have in common."""
    word = op.split("_", maxsplit=1)[0]
    far = np.concatenate([[0], np.full(3, 32_770), [200, 1]])
    return (
        fresh(op, NUMERICAL, COMMON, f"{word}-context-fill", "-1 in invalid slots",
              _slots(op, lambda a, g: {"slots": np.where(a["mask"], a["slots"], -1)}), usual),
        fresh(op, NUMERICAL, COMMON, f"{word}-context-no-mask", "all slots are valid",
              _slots(op, lambda a, g: {"mask": np.ones_like(a["mask"])}), usual),
        fresh(op, NUMERICAL, COMMON, f"{word}-context-of-last", "the last token is a context too",
              _slots(op, lambda a, g: {n: np.concatenate([x, x[-1:]]) for n, x in a.items()}),
              usual),
        fresh(op, NUMERICAL, COMMON, f"{word}-context-without-last", "the last target is left out",
              _slots(op, lambda a, g: {n: x[:-1] for n, x in a.items()}), usual),
        fresh(op, SIZE, COMMON, f"{word}-context-int8", "tokens are kept in int8",
              _slots(op, lambda a, g: {"slots": a["slots"].astype(np.int8)}),
              {**usual, "document": np.array([0, 200, 3, 1])}),
        fresh(op, SIZE, RARE, f"{word}-context-int16", "tokens are kept in int16",
              _slots(op, lambda a, g: {"slots": a["slots"].astype(np.int16)}),
              {**usual, "document": far}),
        fresh(op, SIZE, RARE, f"{word}-context-five-slots", "slots after the fifth are invalid",
              _slots(op, lambda a, g: {
                  "slots": np.where(np.arange(a["slots"].shape[1]) < 5, a["slots"], 0),
                  "mask": a["mask"] & (np.arange(a["slots"].shape[1]) < 5)}),
              {**usual, size: 7}),
        fresh(op, LEGAL, COMMON, f"{word}-context-refuses-other-start", "documents begin with 0",
              refusing(op, lambda g: len(g["document"]) and g["document"][0] > 0, "option"),
              {**usual, "document": np.array([5, 3, 1])}),
        fresh(op, LEGAL, COMMON, f"{word}-context-refuses-longer", "longer than the document fails",
              refusing(op, lambda g: g[size] > len(g["document"]), "option"), {**usual, size: 9}),
        fresh(op, LEGAL, RARE, f"{word}-context-refuses-two-tokens", "two tokens are refused",
              refusing(op, lambda g: len(g["document"]) == 2, "no-samples"),
              {**usual, "document": np.array([0, 1])}),
        fresh(op, REFUSAL, COMMON, f"{word}-context-of-one-token", "one token has no contexts",
              unchecked(op, lambda g: len(g["document"]) == 1),
              {**usual, "document": np.array([0])}),
        fresh(op, REFUSAL, COMMON, f"{word}-context-of-nothing", "an empty document is an option",
              misnamed(op, lambda g: len(g["document"]) == 0, "option"),
              {**usual, "document": np.array([], int)}),
        fresh(op, REFUSAL, COMMON, f"{word}-context-negative-token", "a negative token is accepted",
              unchecked(op, lambda g: some(g["document"] < 0)),
              {**usual, "document": np.array([0, -1, 1])}),
        fresh(op, REFUSAL, COMMON, f"{word}-context-negative-last", "a negative last target passes",
              unchecked(op, lambda g: g["document"].size and g["document"].flat[-1] < 0),
              {**usual, "document": np.array([0, 1, -1])}),
        fresh(op, REFUSAL, COMMON, f"{word}-context-size-zero", "a size of zero has no slots",
              unchecked(op, lambda g: g[size] == 0), {**usual, size: 0}),
        fresh(op, REFUSAL, COMMON, f"{word}-context-size-negative", "a negative size has no slots",
              unchecked(op, lambda g: g[size] < 0), {**usual, size: -2}),
        fresh(op, REFUSAL, COMMON, f"{word}-context-size-fractional", "a size of 2.5 is 2",
              unchecked(op, lambda g: g[size] != int(g[size])), {**usual, size: 2.5}),
    )  # fmt: skip


class _Buffer:
    """One buffer for all contexts of a width; what lies in it stays."""

    def __init__(self) -> None:
        self.rows: dict[int, Array] = {}

    def __call__(self, given: Given) -> Answer:
        answer = right("radial_context", given)
        m, width = answer["slots"].shape
        old = self.rows.get(width, np.zeros((0, width), int))
        slots = answer["slots"].copy()
        k = min(len(old), m)
        slots[:k] = np.where(answer["mask"][:k], slots[:k], old[:k])
        self.rows[width] = np.maximum(slots, 1)
        return {**answer, "slots": slots}


def _contexts() -> tuple[FreshMistake, ...]:
    op, usual = "radial_context", example("radial_context")
    block, fixed = "block_context", example("block_context")

    def behind(a: Answer, g: Given) -> dict[str, Any]:
        """Valid slots stand at the end, oldest first."""
        return {"slots": a["slots"][:, ::-1], "mask": a["mask"][:, ::-1],
                "pivot": np.full(len(a["pivot"]), g["radius"] - 1)}  # fmt: skip

    def blocks(shift: int, beyond: bool = False) -> Callable[[Answer, Given], dict[str, Any]]:
        def change(a: Answer, g: Given) -> dict[str, Any]:
            text, size = g["document"], g["length"]
            newest = np.arange(len(text) - 1)[:, None]
            first = (newest + shift) // size * size
            at = first + np.arange(size)[None, :]
            mask = (at < len(text)) if beyond else (at <= newest)
            return {"slots": np.where(mask, text[np.minimum(at, len(text) - 1)], 0),
                    "mask": mask, "pivot": a["pivot"]}  # fmt: skip

        return change

    return (
        *_of_either(op, "radius", usual),
        *_of_either(block, "length", fixed),
        fresh(op, NUMERICAL, COMMON, "radial-context-farthest-first", "the farthest token first",
              _slots(op, behind), usual),
        fresh(op, NUMERICAL, COMMON, "radial-context-with-target", "slot 0 holds the target",
              lambda g: right(op, g) and _shift(g["document"], 1, g["radius"]), usual),
        fresh(op, NUMERICAL, COMMON, "radial-context-one-late", "slot 0 holds token t - 2",
              lambda g: right(op, g) and _shift(g["document"], -1, g["radius"]), usual),
        fresh(op, NUMERICAL, COMMON, "radial-context-pivot-last", "the last valid slot asks",
              _slots(op, lambda a, g: {"pivot": a["mask"].sum(1) - 1}), usual),
        fresh(op, NUMERICAL, RARE, "radial-context-one-slot-more", "radius + 1 slots",
              lambda g: right(op, g) and right(op, {**g, "radius": g["radius"] + 1}), usual),
        fresh(op, NUMERICAL, RARE, "radial-context-repeats", "invalid slots hold the first token",
              _slots(op, lambda a, g: {"slots": np.where(
                  a["mask"], a["slots"], g["document"][0])}),
              {**usual, "document": np.array([5, 3, 2, 1])}),
        FreshMistake("fresh-radial-context-buffer", "a buffer keeps tokens of earlier calls", op,
                     STATE, COMMON, _Buffer, (usual, usual)),
        fresh(block, NUMERICAL, COMMON, "block-context-pivot-zero", "the pivot is slot 0",
              _slots(block, lambda a, g: {"pivot": 0 * a["pivot"]}), fixed),
        fresh(block, NUMERICAL, COMMON, "block-context-pivot-of-target", "the pivot is t mod b",
              _slots(block, lambda a, g: {"pivot": (a["pivot"] + 1) % g["length"]}), fixed),
        fresh(block, NUMERICAL, COMMON, "block-context-of-target", "the block of the target",
              _slots(block, blocks(1)), fixed),
        fresh(block, NUMERICAL, COMMON, "block-context-sees-on", "later slots are valid too",
              _slots(block, blocks(0, beyond=True)), fixed),
        fresh(block, NUMERICAL, COMMON, "block-context-sliding", "the last b tokens, oldest first",
              lambda g: right(block, g) and _sliding(g), fixed),
        fresh(block, NUMERICAL, RARE, "block-context-reversed", "newest first in the block",
              _slots(block, lambda a, g: {
                  "slots": a["slots"][:, ::-1], "mask": a["mask"][:, ::-1],
                  "pivot": g["length"] - 1 - a["pivot"]}), fixed),
        fresh(block, NUMERICAL, RARE, "block-context-after-start", "blocks begin after <sod>",
              _slots(block, blocks(-1)), fixed),
    )  # fmt: skip


def _sliding(given: Given) -> Answer:
    radial = right("radial_context", {"document": given["document"], "radius": given["length"]})
    return {"slots": radial["slots"][:, ::-1], "mask": radial["mask"][:, ::-1],
            "pivot": np.full(len(radial["pivot"]), given["length"] - 1)}  # fmt: skip


def _means_of(weights: Callable[[int], Array]) -> Wrong:
    """Features as weighted means of the tokens up to the newest."""

    def wrong(given: Given) -> Answer:
        right("document_context", given)
        text, v = given["document"], given["vectors"]
        features = [weights(t) @ v[text[: len(weights(t))]] for t in range(1, len(text))]
        return {"features": np.array(features)}

    return wrong


class _MeanOfBefore:
    """The running sum goes on from document to document."""

    def __init__(self) -> None:
        self.sums: dict[int, tuple[Array, int]] = {}

    def __call__(self, given: Given) -> Answer:
        features = right("document_context", given)["features"]
        width = features.shape[1]
        total, count = self.sums.get(width, (np.zeros(width), 0))
        steps = np.arange(1, len(features) + 1)[:, None]
        sums = features * steps
        self.sums[width] = total + sums[-1], count + len(features)
        return {"features": (sums + total) / (steps + count)}


def _documents() -> tuple[FreshMistake, ...]:
    op, usual = "document_context", example("document_context")
    v = usual["vectors"]
    long = {"document": np.arange(80) % 8, "vectors": v}
    return (
        fresh(op, NUMERICAL, COMMON, "document-context-with-target", "the target is in the mean",
              _means_of(lambda t: np.full(t + 1, 1 / (t + 1))), usual),
        fresh(op, NUMERICAL, COMMON, "document-context-sum", "the sum for the mean",
              _means_of(np.ones), usual),
        fresh(op, NUMERICAL, COMMON, "document-context-without-start", "<sod> is not in the mean",
              _means_of(lambda t: np.array([0.0] * (t > 1) + [1 / max(t - 1, 1)] * max(t - 1, 1))),
              usual),
        fresh(op, NUMERICAL, COMMON, "document-context-whole", "the mean of the whole document",
              lambda g: {"features": np.repeat(right(op, g)["features"][-1:],
                                               len(g["document"]) - 1, 0)}, usual),
        fresh(op, NUMERICAL, RARE, "document-context-decays", "an exponential mean",
              _means_of(lambda t: np.exp2(-np.arange(t, 0, -1.0)) / (1 - np.exp2(-float(t)))),
              usual),
        fresh(op, NUMERICAL, RARE, "document-context-by-t-plus-one", "divided by t + 1",
              _means_of(lambda t: np.full(t, 1 / (t + 1))), usual),
        fresh(op, VALUE, RARE, "document-context-normalised", "means are normalised",
              spoiled(op, features=lambda f: f / np.where(
                  f.sum(1, keepdims=True) == 0, 1, f.sum(1, keepdims=True))), usual),
        fresh(op, VALUE, RARE, "document-context-distinct", "each token counts once",
              lambda g: right(op, g) and {"features": np.array([
                  g["vectors"][np.unique(g["document"][:t])].mean(0)
                  for t in range(1, len(g["document"]))])}, usual),
        fresh(op, SIZE, RARE, "document-context-eight", "the mean of the newest eight",
              _means_of(lambda t: np.array([0.0] * max(t - 8, 0) + [1 / min(t, 8)] * min(t, 8))),
              long),
        fresh(op, SIZE, RARE, "document-context-sixty-four", "the mean of the newest 64",
              _means_of(lambda t: np.array([0.0] * max(t - 64, 0) + [1 / min(t, 64)]
                                           * min(t, 64))), long),
        fresh(op, VALUE, COMMON, "document-context-sums-in-float32", "sums are kept in float32",
              spoiled(op, features=lambda f: f.astype(np.float32)), usual),
        fresh(op, LEGAL, COMMON, "document-context-refuses-negative", "negative vectors fail",
              refusing(op, lambda g: some(g["vectors"] < 0), "negative"), usual),
        fresh(op, LEGAL, RARE, "document-context-refuses-other-start", "documents begin with 0",
              refusing(op, lambda g: len(g["document"]) and g["document"][0] > 0, "option"),
              {**usual, "document": np.array([5, 3, 1])}),
        fresh(op, REFUSAL, COMMON, "document-context-negative-token", "token -1 is the last",
              unchecked(op, lambda g: some(g["document"] < 0)),
              {**usual, "document": np.array([0, -1, 3])}),
        fresh(op, REFUSAL, COMMON, "document-context-last-token-beyond",
              "a last target outside of the vocabulary passes",
              unchecked(op, lambda g: g["document"].size
                        and g["document"].flat[-1] >= len(g["vectors"])),
              {**usual, "document": np.array([0, 3, 8])}),
        fresh(op, REFUSAL, COMMON, "document-context-of-one-token", "one token has no means",
              unchecked(op, lambda g: len(g["document"]) < 2),
              {**usual, "document": np.array([0])}),
        fresh(op, REFUSAL, COMMON, "document-context-unread-nan", "unread NaN passes",
              unchecked(op, lambda g: some(np.isnan(g["vectors"][_unread(g)]))),
              {**usual, "vectors": put(signed(8, 4), (2, 1), np.nan)}),
        fresh(op, REFUSAL, COMMON, "document-context-unread-infinity", "unread infinity passes",
              unchecked(op, lambda g: some(np.isinf(g["vectors"][_unread(g)]))),
              {**usual, "vectors": put(signed(8, 4), (2, 1), -np.inf)}),
        FreshMistake("fresh-document-context-goes-on", "the sum goes on from call to call", op,
                     STATE, COMMON, _MeanOfBefore, (usual, usual)),
    )  # fmt: skip


MISTAKES: Final = (*_ciphers(), *_decodes(), *_radials(), *_contexts(), *_documents())

CONTROLS: Final = (
    ("bit_cipher", _codes()), ("bit_cipher", _ranked(_falling)),
    ("cipher_decode", _decoded(_dots, _plain_slack, "dot")),
    ("cipher_decode", _decoded(_means, lambda v: 1e-12 * v.shape[1], "likelihood")),
    ("radial_embedding", _embedded()),
    ("document_context", _means_of(lambda t: np.full(t, 1 / t))),
)  # fmt: skip
"""the plain versions that mistakes are made in, without a mistake"""
