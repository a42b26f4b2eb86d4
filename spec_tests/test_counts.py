"""Co-occurrences: the definition, and the monoid that makes them easy to distribute.   (SPEC 1)"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from saffu.counts import Cooccurrence, cooccurrence, priming_number
from saffu.errors import (
    BadOption,
    EmptyTarget,
    NegativeEntry,
    NonFiniteEntry,
    NoSamples,
    WrongShape,
    ZeroNorm,
)
from saffu.types import Array
from spec_tests.support import strategies as draw
from spec_tests.support.naive_counts import naive_cooccurrence
from spec_tests.support.strategies import Seeded

GENERATORS = draw.generators()


@st.composite
def whole_samples(draw_: st.DrawFn) -> tuple[Array, Array]:
    """Whole numbers as features and targets, no target without a one."""
    m, d, n = draw_(draw.sizes(3))
    y = draw_(draw.tidy((m, n), 0, 2))
    y[np.arange(m), draw_(draw.whole((m,), 0, n - 1))] += 1
    return draw_(draw.tidy((m, d), 0, 5)), y


@st.composite
def partitions(draw_: st.DrawFn, size: int) -> list[list[int]]:
    """The numbers below size, in any order, in any number of parts."""
    order = draw_(st.permutations(range(size)))
    cuts = sorted(draw_(st.sets(st.integers(1, size - 1))))
    return [order[a:b] for a, b in zip([0, *cuts], [*cuts, size], strict=True)]


def same(a: Cooccurrence, b: Cooccurrence) -> bool:
    """Bit for bit."""
    return np.array_equal(a.counts, b.counts) and (a.norm, a.samples) == (b.norm, b.samples)


@given(draw.sizes(3), GENERATORS)
def test_counts_are_the_definition(shape: tuple[int, ...], rng: Seeded) -> None:
    m, d, n = shape
    h, y = draw.features(rng, m, d), draw.targets(rng, m, n)
    state = cooccurrence(h, y)
    assert state.counts.shape == (d, n)
    np.testing.assert_allclose(state.counts, naive_cooccurrence(h, y), rtol=1e-13)
    assert state.norm == pytest.approx(sum(sum(row) for row in h.tolist()), rel=1e-13)
    assert state.samples == m


@given(draw.sizes(2), GENERATORS)
def test_the_priming_number_is_the_mean_norm(shape: tuple[int, ...], rng: Seeded) -> None:
    h = draw.features(rng, *shape) * rng.choice([0.01, 1.0, 30.0])
    expected = sum(sum(row) for row in h.tolist()) / shape[0]
    assert priming_number(h) == pytest.approx(expected, rel=1e-13)
    assert cooccurrence(h, np.ones((shape[0], 13))).priming == pytest.approx(expected, rel=1e-13)


@given(whole_samples().filter(lambda pair: len(pair[0]) > 1), st.data())
def test_every_partition_in_every_order_gives_the_same_bits(
    pair: tuple[Array, Array], data: st.DataObject
) -> None:
    h, y = pair
    parts = data.draw(partitions(len(h)))
    shards = [cooccurrence(h[part], y[part]) for part in parts]
    total = Cooccurrence.zero(h.shape[1], y.shape[1])
    for shard in shards:
        total = total + shard
    assert same(total, cooccurrence(h, y))
    one_by_one = Cooccurrence.zero(h.shape[1], y.shape[1])
    for part in parts:
        one_by_one = one_by_one.update(h[part], y[part])
    assert same(one_by_one, total)


@given(draw.sizes(3), GENERATORS)
def test_a_commutative_monoid(shape: tuple[int, ...], rng: Seeded) -> None:
    m, d, n = shape
    a, b, c = (cooccurrence(draw.features(rng, m, d), draw.targets(rng, m, n)) for _ in range(3))
    zero = Cooccurrence.zero(d, n)
    assert same(a + b, b + a)
    assert same(a + zero, a)
    assert same(zero + a, a)
    assert same(a.merge(b), a + b)
    left, right = (a + b) + c, a + (b + c)
    np.testing.assert_allclose(left.counts, right.counts, rtol=1e-15)
    assert left.norm == pytest.approx(right.norm, rel=1e-15)
    assert left.samples == right.samples == 3 * m


@given(whole_samples())
def test_merging_changes_neither_shard(pair: tuple[Array, Array]) -> None:
    h, y = pair
    a, b = cooccurrence(h, y), cooccurrence(h + 1, y)
    kept = [(state, replace(state, counts=state.counts.copy())) for state in (a, b)]
    for total in (a.merge(b), a + b, a.update(h + 1, y)):
        assert not same(total, a)
        assert total.samples == 2 * len(h)
        total.counts[:] = -1.0  # nor do they share memory with the sum
    assert all(same(state, before) for state, before in kept)


@given(whole_samples(), whole_samples())
def test_shards_of_other_sizes_are_refused(
    one: tuple[Array, Array], two: tuple[Array, Array]
) -> None:
    a, b = cooccurrence(*one), cooccurrence(*two)
    assume(a.counts.shape != b.counts.shape)
    with pytest.raises(WrongShape, match=r"other\.counts"):
        a.merge(b)


# --- precision --------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_counts_grow_beyond_the_largest_run_of_integers_of_the_input(dtype: type) -> None:
    """2^24 + 1 is no float32, and 2^11 + 1 is no float16: a sum in that precision stops there."""
    single: Array = np.ones((1, 1), dtype)
    one = cooccurrence(single, single)
    assert one.counts.dtype == np.float64
    many = Cooccurrence(np.array([[2.0**24]], np.float32), 2.0**24, 2**24)
    assert (many + one).counts.tolist() == [[2.0**24 + 1]]
    assert (one + many).counts.tolist() == [[2.0**24 + 1]]
    rows: Array = np.ones((2**12 + 1, 1), dtype)
    assert cooccurrence(rows, rows).counts.tolist() == [[2.0**12 + 1]]
    assert cooccurrence(rows, rows).norm == 2**12 + 1
    assert Cooccurrence.zero(1, 1, like=rows).counts.dtype == np.float64


@given(st.lists(whole_samples(), min_size=1, max_size=4))
def test_sum_adds_shards(pairs: list[tuple[Array, Array]]) -> None:
    width, targets = pairs[0][0].shape[1], pairs[0][1].shape[1]
    pairs = [(h, y) for h, y in pairs if (h.shape[1], y.shape[1]) == (width, targets)]
    shards = [cooccurrence(h, y) for h, y in pairs]
    whole = cooccurrence(*(np.concatenate(arrays) for arrays in zip(*pairs, strict=True)))
    total = sum(shards)
    assert isinstance(total, Cooccurrence)
    assert same(total, whole)
    assert sum(shards[:1]) is shards[0]


def test_nothing_but_zero_stands_before_a_sum() -> None:
    state = cooccurrence(np.full((3, 5), 0.5), np.full((3, 2), 0.5))
    other: Any
    for other in (1, 0.0, None, "0"):
        with pytest.raises(TypeError):
            _ = other + state


# --- refusals ---------------------------------------------------------------------------------

H, Y = np.full((3, 5), 0.5), np.full((3, 2), 0.5)


def with_entry(x: Array, index: tuple[int, ...], value: float) -> Array:
    out = x.copy()
    out[index] = value
    return out


def test_features_and_targets_that_are_none() -> None:
    with pytest.raises(
        NegativeEntry, match=r"features\[2, 4\] must be >= 0, got -1\.5: .*rectify.*SPEC 1"
    ):
        cooccurrence(with_entry(H, (2, 4), -1.5), Y)
    with pytest.raises(NonFiniteEntry, match=r"features\[0, 1\] must be a finite number, got nan"):
        cooccurrence(with_entry(H, (0, 1), np.nan), Y)
    with pytest.raises(NegativeEntry, match=r"targets\[1, 0\] must be >= 0, got -0\.25"):
        cooccurrence(H, with_entry(Y, (1, 0), -0.25))
    with pytest.raises(NonFiniteEntry, match=r"targets\[2, 1\] must be a finite number, got inf"):
        cooccurrence(H, with_entry(Y, (2, 1), np.inf))
    with pytest.raises(EmptyTarget, match=r"targets\[2\] must have a positive entry"):
        cooccurrence(H, Y * np.array([[1.0], [1.0], [0.0]]))
    with pytest.raises(NoSamples, match="features must hold at least one sample, got none"):
        cooccurrence(H[:0], Y[:0])


def test_the_first_offender_is_named() -> None:
    x = with_entry(with_entry(H, (1, 3), -2.0), (2, 0), -1.0)
    with pytest.raises(NegativeEntry) as caught:
        cooccurrence(x, Y)
    error = caught.value
    assert (error.name, error.index, error.value) == ("features", (1, 3), -2.0)
    with pytest.raises(NegativeEntry, match=r"features\[1, 3\]"):
        priming_number(x)


@pytest.mark.usefixtures("as_users_call")
def test_shapes_that_disagree() -> None:
    with pytest.raises(
        WrongShape, match=r"targets must have shape .*\[M N\] = \(3, any\).*, got \(2, 2\)"
    ):
        cooccurrence(H, Y[:2])
    with pytest.raises(WrongShape, match=r"features must have shape .*, got \(5,\)"):
        cooccurrence(H[0], Y)
    with pytest.raises(WrongShape, match=r"features must have shape .*, got \(5,\)"):
        priming_number(H[0])
    with pytest.raises(
        WrongShape, match=r"other\.counts must have shape .*\(5, 2\).*, got \(5, 3\)"
    ):
        cooccurrence(H, Y).merge(cooccurrence(H, np.ones((3, 3))))


def test_norms_that_prime_nothing() -> None:
    with pytest.raises(ZeroNorm, match=r"features: the mean norm of the features must be > 0"):
        priming_number(np.zeros((3, 5)))
    with pytest.raises(NoSamples):
        priming_number(H[:0])
    with pytest.raises(ZeroNorm, match=r"priming: .*K > 0"):
        _ = cooccurrence(np.zeros((3, 5)), Y).priming
    with pytest.raises(BadOption, match=r"samples must be a whole number >= 1.*, got 0"):
        _ = Cooccurrence.zero(5, 2).priming


@pytest.mark.parametrize(("features", "targets"), [(0, 2), (5, 0), (-1, 2)])
def test_sizes_that_are_none(features: int, targets: int) -> None:
    with pytest.raises(
        BadOption, match=r"(features|targets) must be a whole number >= 1, got (0|-1)"
    ):
        Cooccurrence.zero(features, targets)
