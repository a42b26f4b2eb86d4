"""Batch plans: which rows each layer looks up.   (SPEC 3, 4)"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from saffu.batch import Batch, DocumentPlan, LayerPlan, plan
from saffu.configuration import Configuration
from saffu.contexts import BlockContext, ContextModel, DocumentContext, RadialContext
from saffu.errors import BadOption, NoSamples, TokenOutOfRange
from saffu.model import model_forward
from saffu.positions import make_samples
from spec_tests.support.models import (
    TEXT,
    THREE_CONTEXTS,
    Documents,
    configurations,
    naive_logits,
    random_parameters,
    small,
    texts,
    whole,
    words,
)
from spec_tests.support.naive_model import slots_of

# --- brute force: what a target looks at, followed down to the tokens ---------------------------


def all_targets(documents: Documents) -> list[tuple[int, int]]:
    """Pairs (document, target) in the order of the samples."""
    return [(d, t) for d, document in enumerate(documents) for t in range(1, len(document))]


def expected_tree(
    document: NDArray[np.int64], target: int, context: ContextModel, depth: int
) -> Any:
    """The slots that the top layer looks at, each with what it looks at in turn, down to tokens.

    A slot of a higher layer holds the sample at that position, whose target is the next token.
    """
    if isinstance(context, DocumentContext):
        return sorted(document[:target].tolist())
    pairs, pivot = slots_of(words(context), target)
    if depth == 1:
        return pivot, {slot: int(document[position]) for slot, position in pairs}
    return pivot, {
        slot: expected_tree(document, position + 1, context, depth - 1) for slot, position in pairs
    }


def needed(target: int, context: ContextModel, depth: int) -> list[set[int]]:
    """The targets of a document whose samples each layer computes for one target, top first."""
    layers = [{target}]
    for _ in range(depth - 1):
        below = [slots_of(words(context), t)[0] for t in layers[-1]]
        layers.append({position + 1 for pairs in below for _, position in pairs})
    return layers


def planned_tree(tower: tuple[LayerPlan, ...], row: int) -> Any:
    """What a row of the top layer looks at, followed down through a plan."""
    *below, top = tower
    found = {}
    for slot in np.flatnonzero(top.mask[row]).tolist():
        at = int(top.slots[row, slot])
        found[slot] = planned_tree(tuple(below), at) if below else at
    return int(top.pivot[row]), found


def planned_trees(batch: Batch, tower: int) -> list[Any]:
    steps = batch.towers[tower]
    rows = range(batch.targets.shape[0])
    if isinstance(steps, DocumentPlan):
        return [sorted(steps.token[steps.owner == row].tolist()) for row in rows]
    return [planned_tree(steps, row) for row in rows]


@given(texts(), configurations(), st.data())
def test_every_sample_looks_at_what_the_context_models_say(
    documents: Documents, configuration: Configuration, data: st.DataObject
) -> None:
    every = all_targets(documents)
    select = np.array(data.draw(st.lists(st.integers(0, len(every) - 1), min_size=1, max_size=5)))
    batch = plan(make_samples(documents), configuration, select)
    chosen = [every[m] for m in select]
    assert batch.targets.tolist() == [documents[d][t] for d, t in chosen]
    assert len(batch.towers) == len(configuration.contexts)
    for c, context in enumerate(configuration.contexts):
        expected = [expected_tree(documents[d], t, context, configuration.depth) for d, t in chosen]
        assert planned_trees(batch, c) == expected


def assert_nothing_to_spare(
    documents: Documents, configuration: Configuration, select: NDArray[np.int64]
) -> None:
    """Each layer has one row for each sample that the layer above looks at, and no other."""
    every = all_targets(documents)
    batch = plan(make_samples(documents), configuration, select)
    for context, tower in zip(configuration.contexts, batch.towers, strict=True):
        if isinstance(tower, DocumentPlan):
            assert isinstance(context, DocumentContext)
            continue
        layers: list[set[tuple[int, int]]] = [set() for _ in range(configuration.depth)]
        for d, t in (every[m] for m in select):
            for layer, wanted in zip(layers, needed(t, context, configuration.depth), strict=True):
                layer |= {(d, other) for other in wanted}
        assert [step.slots.shape[0] for step in tower] == [len(layer) for layer in layers[::-1]]
        for step, below in zip(tower[1:], tower[:-1], strict=True):
            looked_up = np.unique(step.slots[step.mask])
            assert looked_up.tolist() == list(range(below.slots.shape[0]))


@given(texts(), configurations(), st.data())
def test_nothing_is_computed_twice_and_nothing_that_is_not_needed(
    documents: Documents, configuration: Configuration, data: st.DataObject
) -> None:
    order = data.draw(st.permutations(range(len(all_targets(documents)))))
    select = np.array(order[: data.draw(st.integers(1, len(order)))])
    assert_nothing_to_spare(documents, configuration, select)


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("context", [RadialContext(3), BlockContext(2), BlockContext(5)], ids=str)
def test_a_sample_alone_or_with_one_other_needs_no_third(context: ContextModel, depth: int) -> None:
    count = len(all_targets(TEXT))
    for m in range(count):
        for n in range(m):
            assert_nothing_to_spare(TEXT, small([context], depth), np.array([m, n]))
        assert_nothing_to_spare(TEXT, small([context], depth), np.array([m]))


@given(texts(), configurations())
def test_what_invalid_slots_hold_is_row_zero(
    documents: Documents, configuration: Configuration
) -> None:
    for tower in whole(documents, configuration).towers:
        if not isinstance(tower, DocumentPlan):
            assert not any(step.slots[~step.mask].any() for step in tower)


# --- what predictions may depend on -----------------------------------------------------------


def logits(documents: Documents, configuration: Configuration, seed: int = 3) -> NDArray[Any]:
    parameters = random_parameters(configuration, seed)
    return model_forward(parameters, whole(documents, configuration), configuration.layer).logits


@given(texts(), configurations(), st.data())
def test_no_target_sees_itself_or_what_comes_later(
    documents: Documents, configuration: Configuration, data: st.DataObject
) -> None:
    every = all_targets(documents)
    m = data.draw(st.integers(0, len(every) - 1))
    d, t = every[m]
    ids = st.integers(0, configuration.vocabulary - 1)
    changed = [document.copy() for document in documents]
    later = st.lists(ids, min_size=len(documents[d]) - t, max_size=len(documents[d]) - t)
    changed[d][t:] = data.draw(later)
    before, after = logits(documents, configuration), logits(changed, configuration)
    upto = [n for n, (e, u) in enumerate(every) if e != d or u <= t]
    np.testing.assert_allclose(after[upto], before[upto], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize(
    "context",
    [RadialContext(1), RadialContext(3), BlockContext(2), BlockContext(5), DocumentContext()],
    ids=str,
)
def test_a_prediction_depends_on_exactly_the_tokens_in_reach(
    context: ContextModel, depth: int
) -> None:
    """Change one token at a time, and see which predictions move.

    A layer of RadialContext(r) reaches r−1 tokens further back than the one below; a block of any
    depth stays in its block; a document reaches back to its start.
    """
    document = np.array([0, 3, 11, 5, 7, 4, 9, 2, 6, 8, 10, 12])
    configuration = small([context], depth)
    parameters = random_parameters(configuration)
    text = make_samples([document])

    def predict(tokens: NDArray[np.int32]) -> NDArray[Any]:
        batch = plan(text._replace(tokens=tokens), configuration)
        return model_forward(parameters, batch, configuration.layer).logits

    before = predict(text.tokens)
    for j in range(len(text.tokens)):
        tokens = text.tokens.copy()
        tokens[j] = 1
        moved = np.abs(predict(tokens) - before).max(axis=1) > 1e-9
        for newest in range(len(text.tokens)):
            if isinstance(context, RadialContext):
                first = newest - (context.radius - 1) * depth
            elif isinstance(context, BlockContext):
                first = newest // context.length * context.length
            else:
                first = 0
            assert moved[newest] == (first <= j <= newest), (j, newest)


@given(texts(), configurations())
def test_documents_never_see_each_other(documents: Documents, configuration: Configuration) -> None:
    together = logits(documents, configuration)
    alone = [logits([document], configuration) for document in documents]
    np.testing.assert_allclose(together, np.concatenate(alone), rtol=1e-12, atol=1e-12)


@given(texts(), configurations(), st.data())
def test_selected_samples_get_the_logits_that_they_get_among_all(
    documents: Documents, configuration: Configuration, data: st.DataObject
) -> None:
    text = make_samples(documents)
    count = text.targets.shape[0]
    select = np.array(data.draw(st.lists(st.integers(0, count - 1), min_size=1, max_size=7)))
    parameters = random_parameters(configuration)
    some = model_forward(parameters, plan(text, configuration, select), configuration.layer)
    every = naive_logits(parameters, documents, configuration)
    np.testing.assert_allclose(some.logits, every[select], rtol=1e-10, atol=1e-12)


# --- refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("index", "token"), [((1, 2), 13), ((2, 5), 99), ((0, 8), 13)])
def test_ids_outside_of_the_vocabulary_are_refused(index: tuple[int, int], token: int) -> None:
    documents = [document.copy() for document in TEXT]
    documents[1] = np.array([0, 4, 4])
    documents[index[0]][index[1]] = token
    with pytest.raises(
        TokenOutOfRange, match=rf"must be a token id in 0 … 12, got {token}"
    ) as found:
        whole(documents, small())
    assert found.value.value == token


def test_the_first_id_outside_is_named() -> None:
    with pytest.raises(TokenOutOfRange, match=r"tokens\[2\] must be .*, got 17"):
        whole([np.array([0, 4, 17, 4, 99, 1])], small())


def test_no_samples_are_refused() -> None:
    with pytest.raises(NoSamples):
        plan(make_samples(TEXT), small(), np.array([], dtype=np.int64))


@pytest.mark.parametrize(("select", "where"), [([0, 14], 1), ([3, 2, -1], 2)])
def test_samples_that_are_not_there_are_refused(select: list[int], where: int) -> None:
    with pytest.raises(
        BadOption, match=rf"select\[{where}\] must be .*14 samples.*, got {select[where]}"
    ):
        plan(make_samples(TEXT), small(THREE_CONTEXTS), np.array(select))
