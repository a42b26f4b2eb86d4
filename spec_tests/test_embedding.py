"""Radial embeddings: the company that tokens keep.   (SPEC 2)"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saffu.cipher import cipher_embedding
from saffu.embedding import annulus, radial_embedding
from saffu.errors import (
    BadOption,
    NegativeEntry,
    NonFiniteEntry,
    NoSamples,
    TokenOutOfRange,
    WrongShape,
)
from saffu.types import Array
from spec_tests.support import strategies as draw

VOCABULARY, BITS = 7, 5
COUNTS = np.array([3, 1, 4, 1, 5, 9, 2])
VECTORS = cipher_embedding(COUNTS, BITS)
DOCUMENTS = st.lists(
    st.integers(0, 11).flatmap(lambda length: draw.whole((length,), 0, VOCABULARY - 2)),
    min_size=1,
    max_size=3,
)
"""The last token never occurs."""
RADII = st.lists(st.integers(1, 6), min_size=1, max_size=3, unique=True).map(sorted)


def company(documents: list[Array], token: int, low: int, high: int, vectors: Array) -> Array:
    """Σ of the vectors at distances low < |δ| <= high from each occurrence of a token."""
    total = np.zeros(vectors.shape[1])
    for document in documents:
        words = document.tolist()
        for t in range(len(words)):
            if words[t] == token:
                for distance in range(low + 1, high + 1):
                    if t - distance >= 0:
                        total += vectors[words[t - distance]]
                    if t + distance < len(words):
                        total += vectors[words[t + distance]]
    return total


def naive_embedding(documents: list[Array], vectors: Array, radii: list[int]) -> Array:
    """SPEC 2, one token after the other."""
    rows = []
    for token in range(len(vectors)):
        rings = [
            company(documents, token, low, high, vectors)
            for low, high in zip([0, *radii[:-1]], radii, strict=True)
        ]
        near = np.concatenate(rings)
        alone = np.concatenate([vectors[token], np.zeros(len(near) - vectors.shape[1])])
        rows.append(near / near.sum() if near.any() else alone)
    return np.array(rows)


def test_by_hand() -> None:
    """0 1 2 1: a token's neighbours within one step, and at two steps."""
    e, documents = np.eye(5), [np.array([0, 1, 2, 1])]
    near = radial_embedding(documents, e, [1])
    third = 1 / 3
    assert near.tolist() == [
        [0, 1, 0, 0, 0],
        [third, 0, 2 * third, 0, 0],
        [0, 1, 0, 0, 0],
        [0, 0, 0, 1, 0],
        [0, 0, 0, 0, 1],
    ]
    rings = radial_embedding(documents, e, [1, 2], combine="cat")
    assert rings.shape == (5, 10)
    assert rings[0].tolist() == [*(0, 0.5, 0, 0, 0), *(0, 0, 0.5, 0, 0)]
    assert rings[1].tolist() == [*(0.2, 0, 0.4, 0, 0), *(0, 0.4, 0, 0, 0)]
    assert rings[2].tolist() == [*(0, 2 * third, 0, 0, 0), *(third, 0, 0, 0, 0)]
    assert rings[3].tolist() == [*(0, 0, 0, 1, 0), *(0, 0, 0, 0, 0)]


@given(DOCUMENTS, st.integers(1, 6))
def test_sum_is_the_definition(documents: list[Array], radius: int) -> None:
    near = radial_embedding(documents, VECTORS, [radius])
    np.testing.assert_allclose(near, naive_embedding(documents, VECTORS, [radius]), rtol=1e-13)


@given(DOCUMENTS, RADII)
def test_cat_is_the_definition(documents: list[Array], radii: list[int]) -> None:
    near = radial_embedding(documents, VECTORS, radii, combine="cat")
    np.testing.assert_allclose(near, naive_embedding(documents, VECTORS, radii), rtol=1e-13)


@given(DOCUMENTS, RADII)
def test_rows_are_on_the_simplex(documents: list[Array], radii: list[int]) -> None:
    near = radial_embedding(documents, VECTORS, radii, combine="cat")
    assert near.shape == (VOCABULARY, len(radii) * BITS)
    assert np.all(near >= 0)
    np.testing.assert_allclose(near.sum(axis=1), 1.0, rtol=1e-14)


@given(DOCUMENTS, RADII)
def test_rings_add_up_to_the_disc(documents: list[Array], radii: list[int]) -> None:
    rings = radial_embedding(documents, VECTORS, radii, combine="cat")
    disc = radial_embedding(documents, VECTORS, [radii[-1]])
    added = rings.reshape(VOCABULARY, len(radii), BITS).sum(axis=1)
    np.testing.assert_allclose(added, disc, rtol=1e-13)


@given(DOCUMENTS, st.integers(1, 6))
def test_tokens_without_a_neighbour_keep_their_cipher(documents: list[Array], radius: int) -> None:
    alone = set(range(VOCABULARY))
    for document in documents:
        if len(document) > 1:
            alone -= set(document.tolist())
    near = radial_embedding(documents, VECTORS, [radius])
    assert VOCABULARY - 1 in alone
    for token in alone:
        np.testing.assert_array_equal(near[token], VECTORS[token])


def test_windows_end_at_the_border_of_a_document() -> None:
    e = np.eye(5)
    apart = radial_embedding([np.array([0, 1]), np.array([2, 3])], e, [4])
    assert apart.tolist() == [
        e[1].tolist(),
        e[0].tolist(),
        e[3].tolist(),
        e[2].tolist(),
        [0] * 4 + [1],
    ]
    together = radial_embedding([np.array([0, 1, 2, 3])], e, [4])
    assert not np.array_equal(apart, together)


@given(RADII)
def test_the_ring_of_a_distance(radii: list[int]) -> None:
    borders = [0, *radii]
    for distance in range(1, radii[-1] + 1):
        j = annulus(distance, radii)
        assert borders[j] < distance <= borders[j + 1]


# --- refusals ---------------------------------------------------------------------------------

GOOD = [np.array([0, 1, 2])]


@pytest.mark.parametrize(
    ("radii", "combine", "wanted"),
    [
        ([], "sum", "one radius"),
        ([1, 2], "sum", "one radius"),
        ([], "cat", "rising radii"),
        ([2, 2], "cat", "rising radii"),
        ([1, 3, 2], "cat", "rising radii"),
        ([0], "sum", "a whole number >= 1"),
        ([0, 1], "cat", "a whole number >= 1"),
    ],
)
def test_radii_that_are_none(radii: list[int], combine: str, wanted: str) -> None:
    with pytest.raises(BadOption, match=f"radii must be {wanted}.*, got .*SPEC 2"):
        radial_embedding(GOOD, VECTORS, radii, combine=combine)


def test_other_ways_to_combine() -> None:
    with pytest.raises(BadOption, match="combine must be 'sum' or 'cat', got 'mean'"):
        radial_embedding(GOOD, VECTORS, [1], combine="mean")


def test_documents_that_are_none() -> None:
    with pytest.raises(NoSamples, match="documents must hold at least one sample, got none"):
        radial_embedding([], VECTORS, [1])
    with pytest.raises(TokenOutOfRange, match=r"documents\[1\]\[2\] must be .*0 … 6.*, got 7"):
        radial_embedding([*GOOD, np.array([0, 6, 7])], VECTORS, [1])
    with pytest.raises(TokenOutOfRange, match=r"documents\[0\]\[1\] must be .*, got -1"):
        radial_embedding([np.array([0, -1])], VECTORS, [1])


@pytest.mark.usefixtures("as_users_call")
def test_arrays_of_other_shapes_and_types() -> None:
    with pytest.raises(WrongShape, match=r"documents\[0\] must have shape .*, got \(1, 3\)"):
        radial_embedding([GOOD[0][None, :]], VECTORS, [1])
    with pytest.raises(
        BadOption, match=r"documents\[0\]\.dtype must be an integer type, got 'float64'"
    ):
        radial_embedding([np.array([0.0, 1.0])], VECTORS, [1])
    with pytest.raises(WrongShape, match=r"vectors must have shape .*, got \(5,\)"):
        radial_embedding(GOOD, VECTORS[0], [1])


@pytest.mark.parametrize(("bad", "error"), [(-0.5, NegativeEntry), (np.nan, NonFiniteEntry)])
def test_vectors_that_leave_the_simplex(bad: float, error: type[Exception]) -> None:
    vectors = VECTORS.copy()
    vectors[3, 1] = bad
    with pytest.raises(error, match=r"vectors\[3, 1\] must be .*, got (-0\.5|nan)"):
        radial_embedding(GOOD, vectors, [1])
