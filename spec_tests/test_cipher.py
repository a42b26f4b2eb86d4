"""The bit-cipher: which codes, in which order, and back again.   (SPEC 2)"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from saffu.cipher import bit_cipher, cipher_decode, cipher_embedding, rank_tokens
from saffu.errors import (
    BadOption,
    NegativeEntry,
    NonFiniteEntry,
    NoSamples,
    TooFewBits,
    WrongShape,
)
from saffu.types import Array
from spec_tests.support import strategies as draw
from spec_tests.support.strategies import Seeded

FIVE_BITS = """
    {0} {1} {2} {3} {4} | {3,4} {2,4} {1,4} {0,4} {2,3} {1,3} {0,3} {1,2} {0,2} {0,1} |
"""
"""The first codes for b = 5, as the specification lists them."""


def naive_cipher(size: int, bits: int) -> list[list[int]]:
    """The levels as SPEC 2 tells them, on tuples of bits."""

    def basis(j: int) -> tuple[int, ...]:
        return tuple(1 if position == j else 0 for position in range(bits))

    def xor(p: tuple[int, ...], e: tuple[int, ...]) -> tuple[int, ...]:
        return tuple((a + b) % 2 for a, b in zip(p, e, strict=True))

    assigned = [basis(j) for j in range(bits)]
    last_level = list(assigned)
    k = 2
    while len(assigned) < size:
        this_level: list[tuple[int, ...]] = []
        for j in range(bits - 1, -1, -1):
            for p in last_level[::-1]:
                candidate = xor(p, basis(j))
                if sum(candidate) == k and candidate not in this_level:
                    this_level.append(candidate)
        assigned += this_level
        last_level = this_level
        k += 1
    return [list(code) for code in assigned[:size]]


ENOUGH = st.integers(1, 8).flatmap(
    lambda bits: st.tuples(st.integers(1, 2**bits - 1), st.just(bits))
)
"""A size of vocabulary with a number of bits that suffices."""


def test_the_order_is_the_one_that_the_specification_lists() -> None:
    listed = [
        {int(j) for j in code.strip("{}").split(",")} for code in FIVE_BITS.split() if code != "|"
    ]
    codes = bit_cipher(len(listed), 5)
    assert [set(np.flatnonzero(code).tolist()) for code in codes] == listed


@given(ENOUGH)
def test_the_order_is_the_one_that_the_specification_tells(enough: tuple[int, int]) -> None:
    size, bits = enough
    np.testing.assert_array_equal(bit_cipher(size, bits), naive_cipher(size, bits))


@given(ENOUGH)
def test_codes_are_distinct_binary_and_not_zero(enough: tuple[int, int]) -> None:
    codes = bit_cipher(*enough)
    assert codes.shape == enough
    assert set(np.unique(codes)) <= {0, 1}
    assert len({tuple(code) for code in codes.tolist()}) == enough[0]
    assert codes.any(axis=1).all()


@given(ENOUGH)
def test_levels_fill_up_one_after_the_other(enough: tuple[int, int]) -> None:
    size, bits = enough
    ones = bit_cipher(size, bits).sum(axis=1)
    assert np.all(np.diff(ones) >= 0)
    levels = [math.comb(bits, k) for k in range(1, bits + 1)]
    full = np.repeat(np.arange(1, bits + 1), levels)
    np.testing.assert_array_equal(ones, full[:size])


@given(ENOUGH, st.integers(1, 255))
def test_a_smaller_vocabulary_has_the_first_codes_of_a_larger(
    enough: tuple[int, int], fewer: int
) -> None:
    size, bits = enough
    fewer = min(fewer, size)
    np.testing.assert_array_equal(bit_cipher(fewer, bits), bit_cipher(size, bits)[:fewer])


@given(st.integers(1, 40), st.integers(0, 9))
def test_enough_bits_make_one_hot_codes(size: int, more: int) -> None:
    codes = bit_cipher(size, size + more)
    np.testing.assert_array_equal(codes, np.eye(size, size + more))


def test_all_codes_of_a_width_can_be_used() -> None:
    codes = bit_cipher(2**7 - 1, 7)
    assert codes.sum() == 7 * 2**6


# --- ranks and embeddings ---------------------------------------------------------------------


@given(st.integers(1, 23).flatmap(lambda size: draw.whole((size,), 0, 4)))
def test_ranks_fall_with_the_count_and_rise_with_the_id(counts: Array) -> None:
    expected = sorted(range(len(counts)), key=lambda token: (-counts[token], token))
    ranks = rank_tokens(counts)
    assert ranks.tolist() == expected


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize("dtype", [np.uint8, np.uint64, np.int32, np.float64])
def test_ranks_of_counts_of_other_types(dtype: type) -> None:
    assert rank_tokens(np.array([3, 0, 200, 3, 7], dtype=dtype)).tolist() == [2, 4, 0, 3, 1]


@given(ENOUGH, st.data())
def test_an_embedding_is_the_code_over_its_ones(
    enough: tuple[int, int], data: st.DataObject
) -> None:
    size, bits = enough
    counts = data.draw(draw.whole((size,), 0, 9))
    embedding = cipher_embedding(counts, bits)
    codes = naive_cipher(size, bits)
    by_rank = sorted(range(size), key=lambda token: (-counts[token], token))
    for rank, token in enumerate(by_rank):
        share = float(Fraction(1, sum(codes[rank])))
        assert embedding[token].tolist() == [share * bit for bit in codes[rank]]


# --- decoding ---------------------------------------------------------------------------------


@given(ENOUGH)
def test_decoding_undoes_encoding(enough: tuple[int, int]) -> None:
    codes = bit_cipher(*enough)
    vectors = codes / codes.sum(axis=1, keepdims=True)
    assert cipher_decode(vectors, codes).tolist() == list(range(enough[0]))


@given(ENOUGH, st.data())
def test_decoding_takes_the_largest_dot_product(
    enough: tuple[int, int], data: st.DataObject
) -> None:
    codes = bit_cipher(*enough)
    vectors = data.draw(draw.whole((3, enough[1]), 0, 4))
    for v, got in zip(vectors, cipher_decode(vectors * 0.125, codes), strict=True):
        dots = [sum(int(a) * int(b) for a, b in zip(v, code, strict=True)) for code in codes]
        assert got == dots.index(max(dots)), "ties go to the more frequent"


@given(ENOUGH, draw.generators())
def test_sums_that_differ_by_rounding_alone_tie(enough: tuple[int, int], rng: Seeded) -> None:
    codes = bit_cipher(*enough)
    weights = rng.random((1, enough[1]))
    weights[0, rng.random(enough[1]) < 0.5] = 0.0
    exact = [
        sum(
            (Fraction(float(w)) for w, bit in zip(weights[0], code, strict=True) if bit),
            Fraction(0),
        )
        for code in codes
    ]
    assert cipher_decode(weights, codes).tolist() == [exact.index(max(exact))]


@given(ENOUGH, draw.generators())
def test_decoding_by_likelihood_takes_the_largest_mean_logarithm(
    enough: tuple[int, int], rng: Seeded
) -> None:
    codes = bit_cipher(*enough)
    vectors = draw.simplex(rng, 3, max(2, enough[1]))[:, : enough[1]]
    for v, got in zip(vectors, cipher_decode(vectors, codes, method="likelihood"), strict=True):
        scores = [
            math.fsum(math.log(x) for x, bit in zip(v, code, strict=True) if bit) / code.sum()
            for code in codes
        ]
        best = max(scores)
        assume(sum(score > best - 1e-9 for score in scores) == 1)
        assert got == scores.index(best)


def test_the_two_ways_to_decode_disagree() -> None:
    codes, v = bit_cipher(6, 3), np.array([[0.5, 0.3, 0.2]])
    assert cipher_decode(v, codes).tolist() == [5]
    assert set(np.flatnonzero(codes[5])) == {0, 1}
    assert cipher_decode(v, codes, method="likelihood").tolist() == [0]


def test_likelihood_of_what_cannot_be() -> None:
    codes, v = bit_cipher(6, 3), np.array([[0.0, 0.6, 0.4]])
    assert cipher_decode(v, codes[3:], method="likelihood").tolist() == [0]
    assert set(np.flatnonzero(codes[3])) == {1, 2}


# --- refusals ---------------------------------------------------------------------------------


@given(st.integers(1, 12), st.integers(0, 5))
def test_too_few_bits(bits: int, more: int) -> None:
    size = 2**bits + more
    with pytest.raises(
        TooFewBits, match=rf"{size} tokens, got {bits}: {bits} bits give {2**bits - 1}"
    ) as no:
        bit_cipher(size, bits)
    needed = int(str(no.value).split("at least ")[1].split()[0])
    assert 2**needed - 1 >= size > 2 ** (needed - 1) - 1


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize("bad", [0, -1, 2.5, True, None])
def test_sizes_and_bits_that_are_none(bad: object) -> None:
    with pytest.raises(BadOption, match=r"size must be a whole number >= 1, got "):
        bit_cipher(bad, 5)  # type: ignore[arg-type]
    with pytest.raises(BadOption, match=r"bits must be a whole number >= 1, got "):
        bit_cipher(3, bad)  # type: ignore[arg-type]


def test_counts_that_are_none() -> None:
    with pytest.raises(NegativeEntry, match=r"counts\[1\] must be >= 0, got -2"):
        rank_tokens(np.array([1, -2, 3, -4]))
    with pytest.raises(NegativeEntry, match=r"counts\[1\] must be >= 0, got -2"):
        cipher_embedding(np.array([1, -2, 3, -4]), 7)
    with pytest.raises(TooFewBits):
        cipher_embedding(np.array([1, 2, 3, 4]), 2)


@pytest.mark.usefixtures("as_users_call")
def test_vectors_that_cannot_be_decoded() -> None:
    codes = bit_cipher(5, 3)
    with pytest.raises(WrongShape, match=r"vectors must have shape .*\(any, 3\).*, got \(2, 5\)"):
        cipher_decode(np.zeros((2, 5)), codes)
    with pytest.raises(NegativeEntry, match=r"vectors\[1, 0\] must be >= 0, got -1\.0"):
        cipher_decode(np.array([[1.0, 0, 0], [-1.0, 0, 0]]), codes)
    with pytest.raises(NonFiniteEntry, match=r"vectors\[0, 2\] must be a finite number, got nan"):
        cipher_decode(np.array([[1.0, 0, np.nan]]), codes)
    for method in ("dot", "likelihood"):
        with pytest.raises(NoSamples, match="codes must hold at least one sample, got none"):
            cipher_decode(np.zeros((2, 3)), codes[:0], method=method)
    with pytest.raises(WrongShape, match=r"codes must have shape .*, got \(3,\)"):
        cipher_decode(np.zeros((2, 3)), codes[0])
    with pytest.raises(BadOption, match="method must be 'dot' or 'likelihood', got 'cosine'"):
        cipher_decode(np.zeros((2, 3)), codes, method="cosine")
    with pytest.raises(WrongShape, match=r"counts must have shape .*, got \(2, 3\)"):
        rank_tokens(np.zeros((2, 3), dtype=np.int64))
