"""Context models: what a target may look at, by slicing the document.   (SPEC 3)"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saffu.contexts import (
    BlockContext,
    Context,
    RadialContext,
    block_context,
    document_context,
    earlier_samples,
    radial_context,
)
from saffu.errors import BadOption, NegativeToken, NoSamples, TokenOutOfRange, WrongShape
from saffu.types import Array
from spec_tests.support import strategies as draw
from spec_tests.support.strategies import Seeded

DOCUMENTS = st.integers(2, 17).flatmap(
    lambda length: st.permutations(range(40, 40 + length)).map(np.array)
)
"""Tokens all different and none of them 0, so that every position is known by its token."""
WIDTHS = st.integers(1, 7)


def slots_of(context: Context, m: int) -> list[int | None]:
    """The tokens of one target's slots, None where invalid."""
    found = zip(context.slots[m].tolist(), context.mask[m].tolist(), strict=True)
    return [token if valid else None for token, valid in found]


@given(DOCUMENTS, WIDTHS)
def test_radial_slots_are_the_tokens_before_nearest_first(document: Array, radius: int) -> None:
    context = radial_context(document, radius)
    assert context.slots.shape == context.mask.shape == (len(document) - 1, radius)
    for t in range(1, len(document)):
        before = document[:t].tolist()[::-1][:radius]
        assert slots_of(context, t - 1) == before + [None] * (radius - len(before))
    assert context.pivot.tolist() == [0] * (len(document) - 1)


@given(DOCUMENTS, WIDTHS)
def test_block_slots_are_the_block_up_to_the_token_before(document: Array, length: int) -> None:
    context = block_context(document, length)
    assert context.slots.shape == context.mask.shape == (len(document) - 1, length)
    for t in range(1, len(document)):
        first = (t - 1) // length * length
        block = document[first:t].tolist()
        assert slots_of(context, t - 1) == block + [None] * (length - len(block))
        assert context.pivot[t - 1] == (t - 1) % length


@given(DOCUMENTS, WIDTHS, st.sampled_from([radial_context, block_context]))
def test_the_pivot_is_valid_and_holds_the_token_before(
    document: Array, width: int, contexts: type
) -> None:
    context = contexts(document, width)
    rows = np.arange(len(document) - 1)
    assert context.mask[rows, context.pivot].all()
    np.testing.assert_array_equal(context.slots[rows, context.pivot], document[:-1])


@given(DOCUMENTS, WIDTHS, st.sampled_from([radial_context, block_context]))
def test_no_target_sees_itself_or_what_follows(document: Array, width: int, contexts: type) -> None:
    context = contexts(document, width)
    position = {token: t for t, token in enumerate(document.tolist())}
    for m in range(len(document) - 1):
        seen = [position[token] for token in slots_of(context, m) if token is not None]
        assert len(seen) == len(set(seen))
        assert max(seen) == m, "the target stands at m + 1"


@given(DOCUMENTS, WIDTHS, st.sampled_from([radial_context, block_context]))
def test_invalid_slots_hold_zero(document: Array, width: int, contexts: type) -> None:
    context = contexts(document, width)
    assert np.all(context.slots[~context.mask] == 0)


@given(
    st.lists(DOCUMENTS, min_size=1, max_size=3),
    WIDTHS,
    st.sampled_from([RadialContext, BlockContext]),
)
def test_offsets_say_the_same_as_tokens_in_any_order(
    documents: list[Array], width: int, model: type
) -> None:
    """Samples of several documents, one after the other: a slot never reaches over the border."""
    by_token = radial_context if model is RadialContext else block_context
    offsets = np.concatenate([np.arange(len(document) - 1) for document in documents])
    back, mask, pivot = model(width).steps_back(offsets)
    row = 0
    for document in documents:
        for m, expected in enumerate(zip(*by_token(document, width), strict=True)):
            slots, valid, asks = expected
            np.testing.assert_array_equal(mask[row], valid)
            np.testing.assert_array_equal(document[m - back[row]][valid], slots[valid])
            assert np.all(back[row][~valid] == 0)
            assert pivot[row] == asks
            row += 1


@given(st.lists(st.integers(0, 30), min_size=1, max_size=7), WIDTHS)
def test_steps_back_do_not_depend_on_the_other_samples(offsets: list[int], width: int) -> None:
    for model in (RadialContext(width), BlockContext(width)):
        together = model.steps_back(np.array(offsets))
        for m, offset in enumerate(offsets):
            alone = model.steps_back(np.array([offset]))
            assert all(np.array_equal(a[m], b[0]) for a, b in zip(together, alone, strict=True))


@given(st.lists(st.integers(0, 30), min_size=1, max_size=7), WIDTHS)
def test_how_many_slots_are_valid(offsets: list[int], width: int) -> None:
    radial, block = (
        model(width).steps_back(np.array(offsets)) for model in (RadialContext, BlockContext)
    )
    assert radial.mask.sum(axis=1).tolist() == [min(o + 1, width) for o in offsets]
    assert block.mask.sum(axis=1).tolist() == [o % width + 1 for o in offsets]


def test_models_know_their_slots() -> None:
    assert (RadialContext(5).slots, BlockContext(3).slots) == (5, 3)


@given(st.integers(2, 11), draw.generators())
def test_a_document_context_is_the_mean_of_all_earlier_vectors(length: int, rng: Seeded) -> None:
    document, vectors = rng.integers(0, 5, length), draw.simplex(rng, 5, 3)
    means = document_context(document, vectors)
    assert means.shape == (length - 1, 3)
    for t in range(1, length):
        expected = sum(vectors[token] for token in document[:t]) / t
        np.testing.assert_allclose(means[t - 1], expected, rtol=1e-13)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=5))
def test_earlier_samples_are_pairs_of_owner_and_offset(offsets: list[int]) -> None:
    owner, earlier = earlier_samples(np.array(offsets))
    expected = [(n, j) for n, offset in enumerate(offsets) for j in range(offset + 1)]
    assert list(zip(owner.tolist(), earlier.tolist(), strict=True)) == expected


# --- refusals ---------------------------------------------------------------------------------


def operations() -> list[object]:
    return [
        pytest.param(lambda document: radial_context(document, 3), id="radial"),
        pytest.param(lambda document: block_context(document, 3), id="block"),
        pytest.param(lambda document: document_context(document, np.eye(7)), id="document"),
    ]


@pytest.mark.parametrize("operation", operations())
def test_documents_that_are_none(operation: type) -> None:
    for short in ([], [3]):
        with pytest.raises(NoSamples, match=r"document .*every token after <sod> is a target"):
            operation(np.array(short, dtype=np.int64))
    with pytest.raises(
        NegativeToken, match=r"document\[2\] must be a token id >= 0, got -4: .*SPEC 3"
    ) as caught:
        operation(np.array([1, 2, -4, -5]))
    assert caught.value.index == (2,)


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize("operation", operations())
def test_documents_of_other_shapes_and_types(operation: type) -> None:
    with pytest.raises(WrongShape, match=r"document must have shape .*, got \(1, 3\)"):
        operation(np.array([[1, 2, 3]]))
    with pytest.raises(
        BadOption, match=r"document\.dtype must be an integer type.*, got 'float64'"
    ):
        operation(np.array([1.0, 2.0]))


def test_tokens_without_a_vector() -> None:
    with pytest.raises(TokenOutOfRange, match=r"document\[1\] must be .*0 … 4.*, got 5"):
        document_context(np.array([4, 5, 0]), np.eye(5))


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize("width", [0, -1, 1.5, True, "3"])
def test_widths_that_are_none(width: object) -> None:
    with pytest.raises(BadOption, match=r"radius must be a whole number >= 1, got "):
        RadialContext(width)  # type: ignore[arg-type]
    with pytest.raises(BadOption, match=r"length must be a whole number >= 1, got "):
        BlockContext(width)  # type: ignore[arg-type]
