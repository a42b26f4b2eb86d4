"""Passes over a text too long for memory: chunk by chunk, adding up.   (SPEC 1, 5)

Every pass of the warm start is a sum over samples, so it needs one chunk at a time and no more.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from saffu.batch import LayerPlan
from saffu.contexts import Block, Radial, steps_back
from saffu.types import Array
from saffu.vocabulary import Samples


@runtime_checkable
class Source(Protocol):
    """A text that can be read again and again; `saffu.corpus.Corpus` is one."""

    @property
    def targets(self) -> int:
        """M, how many samples one reading gives."""

    def chunks(self, targets_per_chunk: int, seed: int | None = None) -> Iterator[Samples]:
        """All samples, some whole documents at a time."""


@runtime_checkable
class Progress(Protocol):
    """Is told how far a pass has come."""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """`done` of `total` targets of a stage."""


def silent(stage: str, done: int, total: int) -> None:
    """Progress that nobody looks at."""


class Passes(NamedTuple):
    """How to read a source."""

    source: Source
    progress: Progress = silent
    chunk: int = 1 << 15
    """targets read at a time"""

    def read(
        self, stage: str, *, most: int | None = None, seed: int | None = None
    ) -> Iterator[Samples]:
        """One pass; with `most`, only as many whole chunks as hold about that many targets."""
        total = self.source.targets if most is None else min(most, self.source.targets)
        size, done = min(self.chunk, total), 0
        self.progress(stage, done, total)
        for chunk in self.source.chunks(size, seed):
            yield chunk
            done += chunk.targets.shape[0]
            enough = most is not None and done + size // 2 >= total
            self.progress(stage, total if enough else min(done, total), total)
            if enough:
                break


class Everything(NamedTuple):
    """Samples in memory, as a source that has one chunk."""

    samples: Samples

    @property
    def targets(self) -> int:
        """M"""
        return int(self.samples.targets.shape[0])

    def chunks(self, targets_per_chunk: int, seed: int | None = None) -> Iterator[Samples]:
        """All of them at once."""
        yield self.samples


def step_in_tokens(chunk: Samples, context: Radial | Block) -> LayerPlan:
    """What the first layer looks up for all samples of a chunk: token ids."""
    at, mask, pivot = step_in_samples(chunk, context)
    return LayerPlan(np.where(mask, chunk.tokens[at], 0).astype(np.int64), mask, pivot)


def step_in_samples(chunk: Samples, context: Radial | Block) -> LayerPlan:
    """What a higher layer looks up for all samples of a chunk: samples of the chunk."""
    back, mask, pivot = steps_back(context, chunk.offsets)
    at = np.arange(chunk.targets.shape[0])[:, None] - back
    return LayerPlan(np.where(mask, at, 0), mask, pivot)


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
