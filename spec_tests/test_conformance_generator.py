"""The numbers of the golden files: SplitMix64, and what is drawn from it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saffu.conformance.judging.generator import Draw, seed_of

seeds = st.integers(0, 2**64 - 1)
sizes = st.integers(1, 7)


def test_the_stream_is_that_of_the_published_program() -> None:
    """The first numbers of splitmix64.c (Vigna 2015) from the state 1234567."""
    draw = Draw(1234567)
    assert [draw.next() for _ in range(5)] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


@pytest.mark.parametrize(
    ("text", "seed"),
    [("", 0xCBF29CE484222325), ("a", 0xAF63DC4C8601EC8C), ("foobar", 0x85944171F73967E8)],
)
def test_seeds_are_the_published_hash(text: str, seed: int) -> None:
    assert seed_of(text) == seed


@given(seeds, sizes, sizes)
def test_the_same_seed_draws_the_same_numbers(seed: int, m: int, n: int) -> None:
    one, two = Draw(seed), Draw(seed)
    np.testing.assert_array_equal(one.uniform(m, n), two.uniform(m, n))
    assert one.shuffled(range(n)) == two.shuffled(range(n))
    assert one.next() == two.next()


@given(seeds, st.integers(-5, 5), st.integers(0, 9), sizes)
def test_whole_numbers_lie_between_their_ends(seed: int, low: int, width: int, n: int) -> None:
    drawn = Draw(seed).whole(low, low + width, n)
    assert drawn.dtype == np.int64
    assert ((drawn >= low) & (drawn <= low + width)).all()


def test_all_whole_numbers_come_about_as_often() -> None:
    often = np.bincount(Draw(1).whole(0, 6, 7000), minlength=7)
    assert (abs(often - 1000) < 150).all()


@given(seeds, sizes, sizes)
def test_floats_are_the_same_in_float32(seed: int, m: int, n: int) -> None:
    draw = Draw(seed)
    for x in (draw.uniform(m, n), draw.uniform(m, n, low=-4, high=4, bits=11)):
        assert x.shape == (m, n)
        np.testing.assert_array_equal(x, x.astype(np.float32))
    assert ((draw.uniform(m, n) > 0) & (draw.uniform(m, n) <= 1)).all()


@given(seeds, sizes, sizes, sizes)
def test_rows_of_the_simplex_add_up_to_exactly_one(seed: int, k: int, m: int, n: int) -> None:
    rows = Draw(seed).simplex(k, m, n)
    assert rows.shape == (k, m, n)
    assert (rows > 0).all()
    assert (rows.sum(axis=-1) == 1).all()
    np.testing.assert_array_equal(rows, rows.astype(np.float32))


@given(seeds, sizes, sizes)
def test_one_hot_rows_have_one_one(seed: int, m: int, n: int) -> None:
    rows = Draw(seed).one_hot(m, n)
    assert rows.shape == (m, n)
    assert (np.sort(rows, axis=1)[:, -1] == 1).all()
    assert (rows.sum(axis=1) == 1).all()


@given(seeds, st.lists(st.integers()))
def test_shuffling_keeps_what_there_is(seed: int, items: list[int]) -> None:
    assert sorted(Draw(seed).shuffled(items)) == sorted(items)


def test_shuffling_reaches_every_order() -> None:
    draw = Draw(3)
    assert len({tuple(draw.shuffled(range(3))) for _ in range(200)}) == 6
