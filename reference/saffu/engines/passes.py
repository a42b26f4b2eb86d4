"""Passes over a text too long for memory: sums over its chunks.   (SPEC 1, 5)

Every pass of the warm start is a sum over samples, so it needs one chunk at a time; and several
workers can take parts of the text, whose sums are added up in the order of the text.

    chunk     in memory at a time            whole documents, some ten thousand targets
    part      given to a worker at a time    some chunks

The parts of a text depend on nothing but the text.  A sum of floating-point numbers takes them as
they are, so that it is the same to the last bit on every engine.  A sum of whole numbers is exact,
so it may take larger parts.   [D]
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Generic, NamedTuple, Protocol, TypeVar, runtime_checkable

from saffu.engines.engine import Engine, Serial
from saffu.positions import Samples
from saffu.progress import Progress, silent


@runtime_checkable
class Source(Protocol):
    """A text that can be read again and again; `saffu.data.corpus.Corpus` is one."""

    @property
    def targets(self) -> int:
        """M, the number of samples of one reading."""

    def chunks(self, targets_per_chunk: int, seed: int | None = None) -> Iterator[Samples]:
        """All samples, some whole documents at a time."""

    def parts(self, targets_per_part: int) -> Iterable[Source]:
        """The same text in consecutive parts of whole documents; picklable."""


PART = 1 << 18
"""targets of a part"""

SHARES = 4
"""parts per worker, where sums are exact and parts may therefore be larger"""

LARGEST = 1 << 22
"""targets of such a larger part, at most"""


Total = TypeVar("Total")


class Sample(NamedTuple):
    """A part of a source: about `most` targets, in whole chunks."""

    most: int | None = None
    """targets; None: all of them, in their order"""
    seed: int | None = None
    """of the draw; None: the first ones"""


EVERYTHING: Final = Sample()


class Passes(NamedTuple):
    """How to read a source."""

    source: Source
    progress: Progress = silent
    chunk: int = 1 << 14
    """targets read at a time"""
    engine: Engine = Serial()
    part: int = PART
    """targets in a part"""

    def read(
        self, stage: str, *, most: int | None = None, seed: int | None = None
    ) -> Iterator[Samples]:
        """One pass; with `most`, only whole chunks with about that number of targets."""
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

    def add_up(
        self,
        stage: str,
        count: Callable[[Iterable[Samples]], Total],
        *,
        sample: Sample = EVERYTHING,
        exact: bool = False,
    ) -> Total:
        """One pass on the engine: Σ of `count(chunks)` over the parts.

        Parameters: `count`, picklable, returns something that has a `+`; `sample`, which this
        process draws, and whose parts are sent to the workers; `exact`, whether its sums are exact,
        so that it does not matter where one part ends and the next begins.
        """
        most, seed = sample
        if most is not None:
            total = min(most, self.source.targets)
            quiet = self._replace(progress=silent)
            parts: Iterable[Source] = _grouped(quiet.read(stage, most=most, seed=seed), self.part)
        else:
            total = self.source.targets
            workers = self.engine.workers
            share = min(total // (SHARES * workers) if workers > 1 else total, LARGEST)
            size = max(self.part, share) if exact else self.part
            parts = self.source.parts(size)
        targets: list[int] = [0]

        def counted_parts() -> Iterator[Source]:
            for part in parts:
                targets.append(targets[-1] + part.targets)
                yield part

        def done(parts: int) -> None:
            if targets[parts] < total:
                self.progress(stage, targets[parts], total)

        self.progress(stage, 0, total)
        answer = self.engine.map_reduce(
            _OfChunks(count, min(self.chunk, total)), counted_parts(), _added, done
        )
        self.progress(stage, total, total)  # a sample may hold a little more, or a little less
        return answer


def _added(one: Total, more: Total) -> Total:
    both: Total = operator.add(one, more)
    return both


@dataclass(frozen=True)
class _OfChunks(Generic[Total]):
    """A part of a text, chunk by chunk."""

    count: Callable[[Iterable[Samples]], Total]
    chunk: int

    def __call__(self, part: Source) -> Total:
        """The count of one part."""
        return self.count(part.chunks(self.chunk))


class _Chunks(NamedTuple):
    """Some chunks in memory, as a source."""

    held: tuple[Samples, ...]

    @property
    def targets(self) -> int:
        """M"""
        return sum(chunk.targets.shape[0] for chunk in self.held)

    def chunks(self, targets_per_chunk: int, seed: int | None = None) -> Iterator[Samples]:
        """The chunks, as they are."""
        yield from self.held

    def parts(self, targets_per_part: int) -> Iterator[Source]:
        """Itself."""
        yield self


def _grouped(chunks: Iterable[Samples], size: int) -> Iterator[_Chunks]:
    """Neighbouring chunks in groups of at least `size` targets."""
    held: list[Samples] = []
    for chunk in chunks:
        held.append(chunk)
        if sum(each.targets.shape[0] for each in held) >= size:
            yield _Chunks(tuple(held))
            held = []
    if held:
        yield _Chunks(tuple(held))


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

    def parts(self, targets_per_part: int) -> Iterator[Source]:
        """Itself: where a document ends is not known."""
        yield self
