"""Look-up plans of whole chunks: the rows that each layer reads; running means.   (SPEC 3)"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from saffu.arrays.namespace import average_rows
from saffu.batch import LayerPlan
from saffu.contexts import BagContext, BlockContext, DocumentContext, RadialContext, SlotContext
from saffu.positions import Samples
from saffu.types import Array


def step_in_tokens(chunk: Samples, context: SlotContext) -> LayerPlan:
    """What the first layer looks up for all samples of a chunk: token ids."""
    at, mask, pivot = step_in_samples(chunk, context)
    slots = np.take(chunk.tokens, at).astype(np.int64, copy=False)
    slots *= mask
    return LayerPlan(slots, mask, pivot)


def step_in_samples(chunk: Samples, context: SlotContext) -> LayerPlan:
    """What a higher layer looks up for all samples of a chunk: samples of the chunk.

    The same as `steps_back` of the context model, in fewer passes where `QUICK_STEPS` has a way.
    """
    at, mask, pivot = QUICK_STEPS.get(type(context), _plain_step)(chunk, context)
    at *= mask
    return LayerPlan(at, mask, pivot)


def _plain_step(chunk: Samples, context: SlotContext) -> LayerPlan:
    """Of any context model."""
    back, mask, pivot = context.steps_back(chunk.offsets)
    return LayerPlan(np.arange(chunk.targets.shape[0])[:, None] - back, mask, pivot)


def _radial_step(chunk: Samples, context: RadialContext) -> LayerPlan:
    """Of a radial context."""
    n, slot = chunk.targets.shape[0], np.arange(context.slots)
    mask = slot <= chunk.offsets[:, None]
    return LayerPlan(np.arange(n)[:, None] - slot, mask, np.zeros(n, dtype=np.int64))


def _block_step(chunk: Samples, context: BlockContext) -> LayerPlan:
    """Of a block context."""
    n, slot = chunk.targets.shape[0], np.arange(context.slots)
    pivot = (chunk.offsets % context.length).astype(np.int64)
    at = (np.arange(n) - pivot)[:, None] + slot
    return LayerPlan(at, slot <= pivot[:, None], pivot)


QUICK_STEPS: dict[type, Callable[[Samples, Any], LayerPlan]] = {
    RadialContext: _radial_step,
    BlockContext: _block_step,
}
"""Quicker ways than `steps_back`, by context model."""


def bag_means(table: Array, chunk: Samples, context: BagContext) -> Array:
    """For each sample the mean row of `table` over the tokens of its bag, [n, D]."""
    if type(context) is DocumentContext:
        return running_means(table, chunk)
    owner, member = context.members(chunk.offsets)
    start = np.arange(chunk.tokens.shape[0]) - chunk.offsets
    return average_rows(table, chunk.tokens[start[owner] + member], owner, start.shape[0])


def running_means(table: Array, chunk: Samples) -> Array:
    """For each sample the mean row of `table` over its document's tokens so far, [n, D].

    >>> chunk = Samples(np.array([0, 1, 1]), np.array([1, 1, 1]), np.array([0, 1, 0]))
    >>> running_means(np.array([[0.0], [1.0]]), chunk).tolist()
    [[0.0], [0.5], [1.0]]
    """
    total = np.cumsum(table[chunk.tokens], axis=0, dtype=np.float64)
    start = np.arange(chunk.tokens.shape[0]) - chunk.offsets
    before = np.where((start > 0)[:, None], total[start - 1], 0.0)
    return np.asarray(((total - before) / (chunk.offsets[:, None] + 1.0)).astype(table.dtype))


def slices(n: int, size: int) -> Iterator[slice]:
    """0 … n in pieces of at most `size`."""
    yield from (slice(i, min(i + size, n)) for i in range(0, n, size))
