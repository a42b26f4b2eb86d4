"""Sums of features and labels, by tables or by pairs, are sums of outer products.   (SPEC 5)"""

from __future__ import annotations

import numpy as np
import pytest

from saffu.batch import LayerPlan
from saffu.cipher import cipher_embedding
from saffu.fast.label_sums import LabelSums, whole_codes
from saffu.fast.softmax import softmax_over

V, BITS, LABEL_BITS, SLOTS, N = 23, 7, 5, 3, 41


@pytest.mark.parametrize("most", [1, 10**6], ids=["pairs", "tables"])
@pytest.mark.parametrize("aggregation", ["sum", "cat"])
@pytest.mark.parametrize("cipher", [True, False], ids=["cipher", "dense"])
def test_chunks_add_up_to_outer_products(aggregation: str, most: int, cipher: bool) -> None:
    random = np.random.default_rng(5)
    counts = random.integers(0, 99, V)
    dense = random.dirichlet(np.ones(BITS), V) * random.uniform(0.5, 2.0, (V, 1))
    embedding = cipher_embedding(counts, BITS) if cipher else dense
    labels = cipher_embedding(counts[::-1], LABEL_BITS)
    slots = random.integers(0, V, (N, SLOTS))
    mask = random.random((N, SLOTS)) < 0.7
    weights = np.where(mask, random.random((N, SLOTS)), 0.0)
    targets = random.integers(0, V, N)

    sums = LabelSums(whole_codes(embedding), whole_codes(labels), SLOTS, aggregation, most=most)
    for part in (slice(0, 17), slice(17, N)):
        pivot = np.zeros(slots[part].shape[0], dtype=np.int64)
        sums.add(LayerPlan(slots[part], mask[part], pivot), weights[part], targets[part])
    found = sums.total().divided()

    expected = np.zeros((SLOTS, BITS, LABEL_BITS))
    norm = 0.0
    for m in range(N):
        for k in range(SLOTS):
            x = weights[m, k] * embedding[slots[m, k]]
            expected[k] += np.outer(x, labels[targets[m]])
            norm += x.sum()
    flat = expected.sum(axis=0) if aggregation == "sum" else expected.reshape(-1, LABEL_BITS)
    np.testing.assert_allclose(found.counts, flat, rtol=1e-12, atol=1e-14)
    assert found.norm == pytest.approx(norm, rel=1e-12)
    assert found.samples == N


def test_tables_do_not_grow_with_the_text() -> None:
    codes = whole_codes(cipher_embedding(np.arange(V), BITS))
    sums = LabelSums(codes, codes, 1, "cat")
    before = sums.sums.nbytes
    step = LayerPlan(np.zeros((N, 1), np.int64), np.ones((N, 1), bool), np.zeros(N, np.int64))
    for _ in range(5):
        sums.add(step, np.ones((N, 1)), np.arange(N) % V)
    assert sums.sums.nbytes == before
    assert sums.total().counts.samples == 5 * N


def test_softmax_over_many_rows_is_that_of_each_row() -> None:
    logits = 50 * np.random.default_rng(2).standard_normal((9001, 3))
    expected = [np.exp(z - max(z)) / sum(np.exp(z - max(z))) for z in logits]
    np.testing.assert_allclose(softmax_over(logits.copy()), expected, rtol=1e-12)
