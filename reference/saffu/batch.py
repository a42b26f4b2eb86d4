"""Batches: the rows that each layer looks up to predict some samples.   (SPEC 3, 4)

Layer 1 looks up tokens in the embedding.  Layer 2 looks up hidden states of layer 1: the input x
of sample j in a layer is the hidden state of the same sample in the layer below [D].  Sample j has
seen the tokens up to its newest one and nothing beyond, so no layer sees its target.

A plan lists, from the bottom up, which samples every layer must compute, as indices into the rows
of the layer below.  Nothing is computed twice, and only what the samples depend on.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np

from saffu import checks
from saffu.arrays.namespace import beside
from saffu.arrays.operation import operation
from saffu.configuration import Configuration
from saffu.contexts import ContextModel, has_slots, is_bag
from saffu.errors import BadOption
from saffu.positions import Samples
from saffu.types import Array, IntArray, Pivot, SlotMask, Slots, TokenIds


class LayerPlan(NamedTuple):
    """The rows that one SAFFU layer looks up."""

    slots: Slots
    """[n, B] rows of the layer below (of the embedding for the first layer); 0 where invalid"""
    mask: SlotMask
    pivot: Pivot


class DocumentPlan(NamedTuple):
    """The tokens that each sample of a bag averages: pairs (owner, token)."""

    owner: IntArray
    token: IntArray


TowerPlan: TypeAlias = tuple[LayerPlan, ...] | DocumentPlan


class Batch(NamedTuple):
    """M samples to predict, and the rows to look up for them."""

    targets: TokenIds
    """[M]"""
    towers: tuple[TowerPlan, ...]
    """one per context model; the top layer of each computes the M samples in order"""


@operation
def plan(samples: Samples, configuration: Configuration, select: IntArray | None = None) -> Batch:
    """The batch that predicts some samples of a text.   (SPEC 3)

    Parameters: `samples`, whole documents; `select` [M], indices of the samples to predict, all
    unless given.
    Refuses: token ids out of range; no samples; indices that are not of a sample.

    >>> from saffu.configuration import TINY
    >>> from saffu.positions import make_samples
    >>> text = make_samples([np.array([0, 7, 8, 1])])
    >>> plan(text, TINY, np.array([1])).towers[0][0].slots.tolist()
    [[7, 0, 0, 0]]
    """
    count = samples.targets.shape[0]
    chosen = np.arange(count) if select is None else select
    checks.samples("samples", chosen, "SPEC 3")
    outside = np.flatnonzero((chosen < 0) | (chosen >= count))
    if outside.size:
        first = int(outside[0])
        expected = f"the index of one of {count} samples, 0 … {count - 1}"
        raise BadOption(f"select[{first}]", int(chosen[first]), expected, "SPEC 3")
    checks.token_ids(samples.tokens, configuration.vocabulary)
    checks.token_ids(samples.targets, configuration.vocabulary, "targets")
    towers = tuple(
        _tower(samples, context, configuration.layers(context), chosen)
        for context in configuration.contexts
    )
    return Batch(samples.targets[chosen].astype(np.int64), towers)


def place(batch: Batch, like: Array) -> Batch:
    """The same batch beside `like`: a batch that is used often need not travel each time."""
    towers = tuple(
        DocumentPlan(*(beside(x, like) for x in tower))
        if isinstance(tower, DocumentPlan)
        else tuple(LayerPlan(*(beside(x, like) for x in layer)) for layer in tower)
        for tower in batch.towers
    )
    return Batch(beside(batch.targets, like), towers)


def _tower(samples: Samples, context: ContextModel, depth: int, chosen: IntArray) -> TowerPlan:
    if not has_slots(context):
        assert is_bag(context)  # for the type checker
        owner, place_in_document = context.members(samples.offsets[chosen])
        start = (chosen - samples.offsets[chosen])[owner]
        return DocumentPlan(owner, samples.tokens[start + place_in_document].astype(np.int64))
    plans: list[LayerPlan] = []
    need: Array = np.asarray(chosen)
    for level in reversed(range(depth)):
        back, mask, pivot = context.steps_back(samples.offsets[need])
        at = np.where(mask, need[:, None] - back, 0)
        if level == 0:
            slots = np.where(mask, samples.tokens[at], 0).astype(np.int64)
        else:
            need, where = np.unique(at[mask], return_inverse=True)
            slots = np.zeros(at.shape, dtype=np.int64)
            slots[mask] = where
        plans.append(LayerPlan(slots, mask, pivot))
    return tuple(reversed(plans))
