"""Sums of outer products by counting pairs of tokens.   (SPEC 5)"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saffu.pairs import add_pairs, pair_counts, slot_counts, slot_pairs

V, D, H, B = 7, 5, 3, 2


@given(st.integers(0, 2**32 - 1), st.sampled_from(["cat", "sum"]))
def test_small_products_around_pairs_equal_the_sum_of_outer_products(
    seed: int, aggregation: str
) -> None:
    random = np.random.default_rng(seed)
    n = 13
    slots = random.integers(0, V, (n, B))
    mask = random.random((n, B)) < 0.7
    weights = np.where(mask, random.random((n, B)), 0.0)
    targets = random.integers(0, V, n)
    embedding, labels = random.random((V, D)), random.random((V, H))
    pairs = slot_pairs(slots, mask, weights, targets, V, aggregation)
    expected = np.zeros((B, D, H))
    for m in range(n):
        for k in range(B):
            if mask[m, k]:
                expected[k] += np.outer(weights[m, k] * embedding[slots[m, k]], labels[targets[m]])
    flat = expected.sum(axis=0) if aggregation == "sum" else expected.reshape(B * D, H)
    around = np.concatenate([embedding.T @ (c @ labels) for c in pairs])
    np.testing.assert_allclose(around, flat, rtol=1e-12)
    at_once = slot_counts(slots, weights, targets, embedding, labels, aggregation)
    np.testing.assert_allclose(at_once, flat, rtol=1e-12)


@given(st.integers(0, 2**32 - 1), st.integers(1, 10))
def test_any_split_gives_the_same_pair_counts(seed: int, cut: int) -> None:
    random = np.random.default_rng(seed)
    x, y = random.integers(0, V, (2, 11))
    whole = [pair_counts(x, y, V)]
    parts = add_pairs([pair_counts(x[cut:], y[cut:], V)], [pair_counts(x[:cut], y[:cut], V)])
    assert np.array_equal(whole[0].toarray(), parts[0].toarray())


def test_weights_are_added_up_by_pair() -> None:
    pairs = pair_counts(np.array([1, 1, 0]), np.array([2, 2, 1]), 3, np.array([0.5, 0.25, 2.0]))
    assert pairs.toarray().tolist() == [[0, 2, 0], [0, 0, 0.75], [0, 0, 0]]
    assert pairs.nnz == 2


def test_slots_that_hold_nothing_are_not_counted() -> None:
    mask = np.array([[True, False]])
    pairs = slot_pairs(np.array([[1, 0]]), mask, np.ones((1, 2)), np.array([2]), 3, "cat")
    assert [c.sum() for c in pairs] == pytest.approx([1, 0])
