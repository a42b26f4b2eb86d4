"""Files written by an earlier version, before its modules moved, are read by this one.

`support/written_before` holds a model of SAFFU layers that was trained for two epochs, a direct
model, a network and a count file, all written by the last version that had one package; the numbers
below were printed by that version.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import saffu
from saffu.network.labels import Examples

FILES = Path(__file__).parent / "support" / "written_before"
TEXTS = [
    f"{who} {does} {where} ."
    for who in ("the cat", "the dog", "a bird")
    for does in ("sat", "slept", "sang")
    for where in ("on the mat", "near the hill", "above a tree")
]


@pytest.mark.parametrize(
    ("name", "perplexity"), [("softmax", 2.1038209334025413), ("direct", 2.659113748607583)]
)
def test_models_predict_as_they_did(name: str, perplexity: float) -> None:
    model = saffu.SaffuTransformer.load(FILES / name)
    corpus = saffu.Corpus.in_memory(TEXTS, model.tokeniser, model.vocabulary)
    _, _, test = corpus.split((0.6, 0.2, 0.2), seed=1)
    assert model.perplexity(test) == pytest.approx(perplexity, rel=1e-5)


def test_a_network_predicts_as_it_did() -> None:
    random = np.random.default_rng(0)
    features, labels = random.random((20, 5)), random.integers(0, 3, 20)
    network = saffu.SoftmaxNetwork.load(FILES / "network")
    nats = network.cross_entropy(Examples(features, labels))
    assert nats == pytest.approx(0.7663755745749519, rel=1e-9)


def test_counts_are_those_that_were_kept() -> None:
    random = np.random.default_rng(0)
    features, labels = random.random((20, 5)), random.integers(0, 3, 20)
    kept = saffu.load_counts(FILES / "counts", of="five numbers")
    expected = saffu.cooccurrence(features, np.eye(3)[labels])
    np.testing.assert_allclose(kept.counts, expected.counts, rtol=1e-12)
    assert kept.samples == 20
    assert kept.norm == pytest.approx(expected.norm)
