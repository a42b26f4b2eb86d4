"""What each layer looks up for the samples of a chunk; running means of documents.   (SPEC 3)"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from saffu.batch import LayerPlan
from saffu.contexts import BlockContext, RadialContext
from saffu.positions import Samples
from saffu.types import Array


def step_in_tokens(chunk: Samples, context: RadialContext | BlockContext) -> LayerPlan:
    """What the first layer looks up for all samples of a chunk: token ids."""
    at, mask, pivot = step_in_samples(chunk, context)
    slots = np.take(chunk.tokens, at).astype(np.int64, copy=False)
    slots *= mask
    return LayerPlan(slots, mask, pivot)


def step_in_samples(chunk: Samples, context: RadialContext | BlockContext) -> LayerPlan:
    """What a higher layer looks up for all samples of a chunk: samples of the chunk.

    What `saffu.contexts.steps_back` says, in as few passes as can be.
    """
    n, slot = chunk.targets.shape[0], np.arange(context.slots)
    if isinstance(context, RadialContext):
        at = np.arange(n)[:, None] - slot
        mask = slot <= chunk.offsets[:, None]
        pivot = np.zeros(n, dtype=np.int64)
    else:
        pivot = (chunk.offsets % context.length).astype(np.int64)
        at = (np.arange(n) - pivot)[:, None] + slot
        mask = slot <= pivot[:, None]
    at *= mask
    return LayerPlan(at, mask, pivot)


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
