"""Texts in three parts: what is trained on is never tested on.   (SPEC 7)"""

from __future__ import annotations

import numpy as np
import pytest

from saffu_lab.records import corpora as texts
from saffu_lab.records.corpora import BIBLE, PROSE, Texts, parted
from spec_tests.support.texts import sentences

DOCUMENTS = [" ".join(sentences(i, 5)) for i in range(299)]


@pytest.fixture(scope="module")
def common() -> Texts:
    return parted(DOCUMENTS, 13, (0.8, 0.1, 0.1), seed=1)


def test_parts_share_no_text_and_the_vocabulary_is_that_of_training(common: Texts) -> None:
    origins = [set(corpus.index.origins.tolist()) for corpus in common[1:]]
    assert not origins[0] & origins[1]
    assert not origins[0] & origins[2]
    assert not origins[1] & origins[2]
    counts = common.train.counts(len(common.vocabulary))
    np.testing.assert_array_equal(counts, common.vocabulary.counts)
    assert len(common.vocabulary) == 13


def test_an_amount_holds_the_smaller_ones(common: Texts) -> None:
    few, more = (
        {document.tobytes() for document in common.amount(targets, seed=3)}
        for targets in (300, 900)
    )
    assert few < more
    assert common.amount(10**9, seed=3) is common.train
    assert common.amount(None, seed=3) is common.train


def test_at_most_so_much_is_watched(common: Texts, monkeypatch: pytest.MonkeyPatch) -> None:
    assert common.watched(seed=1).targets == common.validation.targets
    monkeypatch.setattr(texts, "WATCHED", 100)
    watched = common.watched(seed=1)
    assert 100 <= watched.targets < common.validation.targets
    here = {document.tobytes() for document in common.validation}
    assert {document.tobytes() for document in watched} <= here


def test_a_setting_reads_the_text_that_it_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "prose", lambda: DOCUMENTS)
    monkeypatch.setattr(texts, "bible", lambda: DOCUMENTS[:99])
    assert sum(part.documents for part in PROSE.texts()[1:]) == 299
    assert sum(part.documents for part in BIBLE.texts()[1:]) == 99
