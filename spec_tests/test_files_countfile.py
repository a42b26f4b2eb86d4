"""Counts in files: what comes back is what was counted, and of the same thing.   (SPEC 1, 8)"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saffu.counts import Cooccurrence, cooccurrence
from saffu.data.counting import Tally
from saffu.data.vocabulary import Vocabulary
from saffu.errors import BadFile
from saffu.files import write_file
from saffu.files.countfile import SCHEMA, load_counts, save_counts


def counted(seed: int, samples: int) -> Cooccurrence:
    random = np.random.default_rng(seed)
    return cooccurrence(random.random((samples, 5)), random.dirichlet(np.ones(3), samples))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_comes_back_is_what_was_counted(dtype: type, tmp_path: Path) -> None:
    state = counted(1, 7)
    state = Cooccurrence(state.counts.astype(dtype), state.norm, state.samples)
    save_counts(state, tmp_path / "a", of="x")
    back = load_counts(tmp_path / "a", of="x")
    assert back.counts.dtype == dtype
    np.testing.assert_array_equal(back.counts, state.counts)
    assert (back.norm, back.samples, back.priming) == (state.norm, 7, state.priming)


def test_parts_that_travelled_add_up_to_the_whole(tmp_path: Path) -> None:
    parts = [counted(seed, 11 + seed) for seed in range(3)]
    for seed, part in enumerate(parts):
        save_counts(part, tmp_path / str(seed), of="x")
    here = parts[0] + parts[1] + parts[2]
    there = sum(
        (load_counts(tmp_path / str(seed), of="x") for seed in (1, 2)),
        load_counts(tmp_path / "0", of="x"),
    )
    np.testing.assert_array_equal(there.counts, here.counts)
    assert (there.norm, there.samples) == (here.norm, 36)


def test_counts_of_something_else_are_refused(tmp_path: Path) -> None:
    save_counts(counted(1, 7), tmp_path / "a", of="one vocabulary")
    with pytest.raises(
        BadFile, match="expected counts of 'another', got counts of 'one vocabulary'"
    ):
        load_counts(tmp_path / "a", of="another")


@pytest.mark.parametrize(
    ("header", "arrays"),
    [
        ({"of": "x", "samples": 3}, {"counts": np.ones((2, 3))}),
        ({"of": "x"}, {"counts": np.ones((2, 3)), "norm": np.ones(())}),
        ({"of": "x", "samples": 3}, {"norm": np.ones(())}),
        ({"samples": 3}, {"counts": np.ones((2, 3)), "norm": np.ones(())}),
        ({"of": "x", "samples": "many"}, {"counts": np.ones((2, 3)), "norm": np.ones(())}),
        ({"of": "x", "samples": True}, {"counts": np.ones((2, 3)), "norm": np.ones(())}),
        ({"of": "x", "samples": -1}, {"counts": np.ones((2, 3)), "norm": np.ones(())}),
        ({"of": "x", "samples": 0}, {"counts": np.ones((2, 3)), "norm": np.ones(())}),
        ({"of": "x", "samples": 3}, {"counts": np.ones(6), "norm": np.ones(())}),
        ({"of": "x", "samples": 3}, {"counts": np.ones((0, 3)), "norm": np.ones(())}),
        ({"of": "x", "samples": 3}, {"counts": -np.ones((2, 3)), "norm": np.ones(())}),
        ({"of": "x", "samples": 3}, {"counts": np.full((2, 3), np.nan), "norm": np.ones(())}),
        ({"of": "x", "samples": 3}, {"counts": np.ones((2, 3)) + 1j, "norm": np.ones(())}),
        ({"of": "x", "samples": 3}, {"counts": np.ones((2, 3)), "norm": np.ones(2)}),
        ({"of": "x", "samples": 3}, {"counts": np.ones((2, 3)), "norm": np.full((), np.inf)}),
    ],
    ids=[
        *("no norm", "no samples", "no counts", "of nothing", "not a number", "true", "less"),
        *("none", "flat", "empty", "negative", "NaN", "complex", "norms", "infinite"),
    ],
)
def test_a_file_without_all_parts_is_refused(
    header: dict[str, object], arrays: dict[str, np.ndarray], tmp_path: Path
) -> None:
    write_file(tmp_path / "a", SCHEMA, 1, header, arrays)
    with pytest.raises(BadFile):
        load_counts(tmp_path / "a", of="x")


TEXTS = st.dictionaries(st.sampled_from("abcdefg"), st.integers(1, 9), min_size=1)


@given(TEXTS, TEXTS)
def test_merged_tallies_are_those_of_both_texts(one: dict[str, int], other: dict[str, int]) -> None:
    both = Tally(one, 2, 1, 3).merge(Tally(other, 5, 0, 7))
    assert both.counts == {t: one.get(t, 0) + other.get(t, 0) for t in one.keys() | other.keys()}
    assert both[1:] == (7, 1, 10)


@given(TEXTS, TEXTS)
def test_vocabularies_have_one_fingerprint_if_they_are_equal(
    one: dict[str, int], other: dict[str, int]
) -> None:
    a, b = (Vocabulary.from_counts(counts, documents=3) for counts in (one, other))
    assert (a.fingerprint == b.fingerprint) == (a == b)
    assert Vocabulary.from_json(a.to_json()).fingerprint == a.fingerprint
