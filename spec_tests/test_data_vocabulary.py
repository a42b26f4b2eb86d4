"""Vocabulary: the order of the ids, what becomes <unk>, the samples of documents.   (SPEC 2, 3)"""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saffu.data.vocabulary import Vocabulary
from saffu.errors import (
    BadOption,
    BadRecord,
    DuplicateToken,
    NegativeEntry,
    NegativeToken,
    NoSamples,
    SaffuError,
    TokenOutOfRange,
    WrongShape,
)
from saffu.positions import END, MARKERS, START, UNKNOWN, make_samples
from saffu.types import IntArray

words = st.text(alphabet="abcé<>sod", min_size=1, max_size=5)
tallies = st.dictionaries(
    words.filter(lambda word: word not in MARKERS), st.integers(1, 4), min_size=1, max_size=23
)


def vocabulary_of(counts: dict[str, int], **options: Any) -> Vocabulary:
    return Vocabulary.from_counts(counts, documents=7, **options)


# --- the order of the ids ---------------------------------------------------------------------


@given(tallies)
def test_ids_go_by_count_and_ties_by_code_points(counts: dict[str, int]) -> None:
    vocabulary = vocabulary_of(counts)
    assert vocabulary.tokens[:3] == ("<sod>", "<eod>", "<unk>")
    kept = vocabulary.tokens[3:]
    assert set(kept) == set(counts)
    for earlier, later in pairwise(kept):
        assert counts[earlier] >= counts[later]
        assert counts[earlier] > counts[later] or earlier < later


@given(tallies, st.data())
def test_the_order_of_the_tally_does_not_matter(
    counts: dict[str, int], data: st.DataObject
) -> None:
    shuffled = dict(data.draw(st.permutations(list(counts.items()))))
    assert vocabulary_of(shuffled) == vocabulary_of(counts)


@given(tallies, st.integers(4, 29), st.integers(0, 11))
def test_what_does_not_fit_counts_as_unknown(
    counts: dict[str, int], size: int, unknown: int
) -> None:
    vocabulary = vocabulary_of(counts, size=size, unknown=unknown)
    assert len(vocabulary) == min(size, 3 + len(counts))
    dropped = set(counts) - set(vocabulary.tokens)
    assert all(counts[kept] >= counts[gone] for kept in vocabulary.tokens[3:] for gone in dropped)
    assert vocabulary.counts[UNKNOWN] == unknown + sum(counts[gone] for gone in dropped)
    assert vocabulary.counts[3:].tolist() == [counts[kept] for kept in vocabulary.tokens[3:]]
    assert vocabulary.counts[[START, END]].tolist() == [7, 7]


def test_a_text_cannot_bring_in_markers() -> None:
    vocabulary = vocabulary_of({"<sod>": 5, "a": 2, "<eod>": 11, "<unk>": 13})
    assert vocabulary.tokens == (*MARKERS, "a")
    assert vocabulary.occurrences == (7, 7, 5 + 11 + 13, 2)
    assert vocabulary.encode(["<sod>", "<eod>", "<unk>", "a"]).tolist() == [2, 2, 2, 3]


def test_counts_are_whole_and_cannot_be_overwritten() -> None:
    counts = vocabulary_of({"a": 2**40}).counts
    assert counts.dtype == np.int64
    assert counts[3] == 2**40
    with pytest.raises(ValueError, match="read-only"):
        counts[3] = 0


# --- there and back ---------------------------------------------------------------------------


@given(tallies, st.lists(words, max_size=13))
def test_decoding_gives_the_tokens_back_but_for_unknown_ones(
    counts: dict[str, int], text: list[str]
) -> None:
    vocabulary = vocabulary_of(counts)
    ids = vocabulary.encode(text)
    assert ids.dtype == np.int32
    assert vocabulary.decode(ids) == [word if word in counts else "<unk>" for word in text]
    document = vocabulary.document(text)
    assert document.tolist() == [START, *ids.tolist(), END]
    assert vocabulary.decode(document) == ["<sod>", *vocabulary.decode(ids), "<eod>"]
    assert vocabulary.decode(document, markers=False) == vocabulary.decode(ids)


@given(tallies)
def test_every_id_comes_back(counts: dict[str, int]) -> None:
    vocabulary = vocabulary_of(counts)
    ids = np.arange(2, len(vocabulary))
    assert vocabulary.encode(vocabulary.decode(ids)).tolist() == ids.tolist()


@given(tallies)
def test_a_record_survives_json(counts: dict[str, int]) -> None:
    vocabulary = vocabulary_of(counts, unknown=3)
    assert Vocabulary.from_json(json.loads(json.dumps(vocabulary.to_json()))) == vocabulary


# --- refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counts", "options", "message"),
    [
        ({"a": 1}, {"size": 3}, r"size must be a whole number >= 4.*, got 3"),
        ({"a": 0}, {}, r"counts\['a'\] must be a whole number >= 1.*, got 0"),
        ({"a": 1.5}, {}, r"counts\['a'\] must be a whole number >= 1.*, got 1.5"),
        ({"a": 1}, {"documents": 0}, r"documents must be a whole number >= 1.*, got 0"),
        ({"a": 1}, {"unknown": -1}, r"unknown must be a whole number >= 0.*, got -1"),
    ],
    ids=["size", "zero", "half", "documents", "unknown"],
)
def test_options_out_of_range_are_refused(
    as_users_call: None, counts: dict[str, int], options: dict[str, int], message: str
) -> None:
    with pytest.raises(BadOption, match=message):
        Vocabulary.from_counts(counts, **{"documents": 7, **options})


@pytest.mark.parametrize("counts", [{}, {"<sod>": 2}], ids=["nothing", "markers"])
def test_nothing_to_number_is_refused(counts: dict[str, int]) -> None:
    with pytest.raises(NoSamples):
        vocabulary_of(counts)


def test_a_token_twice_is_refused_with_its_place() -> None:
    with pytest.raises(DuplicateToken, match=r"tokens\[5\] must be .*, got 'a'") as caught:
        Vocabulary((*MARKERS, "a", "b", "a"), (1, 1, 0, 2, 2, 2))
    assert caught.value.index == (5,)


@pytest.mark.parametrize(
    "tokens",
    [MARKERS, ("<eod>", "<sod>", "<unk>", "a"), ("a", "b", "c", "d"), ()],
    ids=["three", "swapped", "none", "empty"],
)
def test_a_vocabulary_begins_with_the_markers_and_goes_on(tokens: tuple[str, ...]) -> None:
    with pytest.raises(BadOption, match="tokens"):
        Vocabulary(tokens, (1,) * len(tokens))


def test_counts_that_do_not_fit_are_refused() -> None:
    with pytest.raises(BadOption, match=r"len\(occurrences\) must be 4.*, got 3"):
        Vocabulary((*MARKERS, "a"), (1, 1, 0))
    with pytest.raises(NegativeEntry, match=r"occurrences\[3\] must be >= 0, got -2"):
        Vocabulary((*MARKERS, "a"), (1, 1, 0, -2))


@pytest.mark.parametrize("bad", [-1, 4])
def test_an_id_out_of_range_is_refused(bad: int) -> None:
    with pytest.raises(TokenOutOfRange, match=rf"ids\[1\] must be .* 0 … 3.*, got {bad}") as caught:
        vocabulary_of({"a": 1}).decode(np.array([3, bad]))
    assert caught.value.size == 4


def test_ids_in_two_dimensions_are_refused() -> None:
    with pytest.raises(WrongShape, match=r"ids must have shape .*, got \(1, 2\)"):
        vocabulary_of({"a": 1}).decode(np.array([[3, 3]]))


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({}, "tokens must be a list, got NoneType"),
        ({"tokens": [*MARKERS, "a"]}, "counts must be a list, got NoneType"),
        ({"tokens": "abcd", "counts": [1, 1, 1, 1]}, "tokens must be a list, got str"),
        ({"tokens": [*MARKERS, 5], "counts": [1, 1, 1, 1]}, r"tokens\[3\] must be str, got 5"),
        ({"tokens": [*MARKERS, "a"], "counts": [1, 1, 1, True]}, r"counts\[3\] must be int.*True"),
        ({"tokens": [*MARKERS, "a"], "counts": [1, 1, 1.0, 1]}, r"counts\[2\] must be int.*1.0"),
    ],
    ids=["empty", "half", "text", "number", "truth", "decimal"],
)
def test_a_wrong_record_is_refused(record: dict[str, Any], message: str) -> None:
    with pytest.raises(BadRecord, match=message):
        Vocabulary.from_json(record)


# --- samples ----------------------------------------------------------------------------------

documents = st.lists(
    st.lists(st.integers(1, 96), min_size=1, max_size=7).map(
        lambda rest: np.array([START, *rest], dtype=np.int32)
    ),
    min_size=1,
    max_size=5,
)


@given(documents)
def test_samples_are_the_definition(documents: list[IntArray]) -> None:
    expected = [(int(d[t - 1]), int(d[t]), t - 1) for d in documents for t in range(1, d.shape[0])]
    got = make_samples(documents)
    assert list(zip(*(column.tolist() for column in got), strict=True)) == expected
    assert {column.dtype for column in got} == {np.dtype(np.int32)}


@given(documents, documents)
def test_samples_of_more_documents_are_more_samples(
    some: list[IntArray], more: list[IntArray]
) -> None:
    for both, first, second in zip(
        make_samples(some + more), make_samples(some), make_samples(more), strict=True
    ):
        np.testing.assert_array_equal(both, np.concatenate([first, second]))


@pytest.mark.parametrize(
    ("document", "error", "message"),
    [
        (
            np.array([START]),
            NoSamples,
            r"documents\[1\] .* must hold at least one sample, got none",
        ),
        (np.array([5, END]), BadOption, r"documents\[1\]\[0\] must be 0, the id of <sod>.*, got 5"),
        (np.array([START, -1]), NegativeToken, r"documents\[1\]\[1\] must be .*, got -1"),
        (np.array([[START, END]]), WrongShape, r"documents\[1\] must have shape .*, got \(1, 2\)"),
        (
            np.array([0.0, 1.0]),
            BadOption,
            r"documents\[1\].dtype must be an integer type, got 'float64'",
        ),
    ],
    ids=["short", "unmarked", "negative", "matrix", "decimal"],
)
def test_a_document_without_samples_is_refused(
    as_users_call: None, document: IntArray, error: type[SaffuError], message: str
) -> None:
    with pytest.raises(error, match=message):
        make_samples([np.array([START, END]), document])


def test_no_documents_are_refused() -> None:
    with pytest.raises(NoSamples):
        make_samples([])


@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.int32, np.uint64, int])
def test_counts_of_any_integer_type_rank_alike_and_can_be_saved(kind: type) -> None:
    """An unsigned count has no negative to be sorted by."""
    counts = {token: kind(n) for token, n in {"a": 1, "b": 100, "c": 27}.items()}
    vocabulary = Vocabulary.from_counts(counts, documents=kind(2), unknown=kind(100))
    assert vocabulary.tokens[3:] == ("b", "c", "a")
    assert vocabulary.occurrences == (2, 2, 100, 100, 27, 1)
    assert Vocabulary.from_json(json.loads(json.dumps(vocabulary.to_json()))) == vocabulary


def test_truth_values_are_no_counts() -> None:
    with pytest.raises(BadOption, match="a whole number >= 1"):
        Vocabulary.from_counts({"a": True}, documents=1)
    with pytest.raises(BadOption, match="a whole number >= "):
        Vocabulary((*MARKERS, "a"), (1, 1, 0, True))


@pytest.mark.parametrize("kind", [np.int64, np.uint32, np.uint64])
def test_ids_beyond_int32_are_refused_and_do_not_wrap(kind: type) -> None:
    largest = make_samples([np.array([0, 2**31 - 1], dtype=kind)])
    assert largest.targets.tolist() == [2**31 - 1]
    for token in (2**31, 2**32 - 1):
        with pytest.raises(TokenOutOfRange, match=rf"documents\[1\]\[2\] must be .*, got {token}"):
            make_samples([np.array([0, 1], dtype=kind), np.array([0, 5, token], dtype=kind)])
