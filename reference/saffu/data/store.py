"""Token ids of many documents, concatenated in memory or in a file.

Both forms answer one question, "which ids stand at start … stop", and the file is read piece by
piece, never mapped, so that what has been read once does not stay in memory.  What is known of each
document (where it begins, how long it is) is an `Index`: 25 bytes per document, whatever its
length.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from saffu.errors import BadFile
from saffu.types import IntArray

GAP = 1 << 12
"""Unwanted ids between two documents that are rather read than skipped."""
SPAN = 1 << 18
"""Ids that are read at once, unless a document is longer."""


@runtime_checkable
class TokenStore(Protocol):
    """Token ids by their position."""

    def read(self, start: int, stop: int) -> IntArray:
        """The ids at start … stop−1."""
        ...

    def span(self, start: int, stop: int, /) -> tuple[TokenStore, int]:
        """A store that has what stands at start … stop−1, and the position at which it begins."""
        ...


@dataclass(frozen=True, eq=False)
class InMemory:
    """All ids in one array."""

    ids: IntArray

    def read(self, start: int, stop: int) -> IntArray:
        """The ids at start … stop−1."""
        return self.ids[start:stop]

    def span(self, start: int, stop: int, /) -> tuple[TokenStore, int]:
        """These ids alone."""
        return InMemory(self.ids[start:stop]), start


@dataclass(frozen=True)
class OnDisk:
    """All ids in one raw file of little-endian whole numbers."""

    path: Path
    dtype: str
    """`<u2` or `<u4`."""

    def read(self, start: int, stop: int) -> IntArray:
        """The ids at start … stop−1.  Refuses: a file that has become shorter."""
        width = np.dtype(self.dtype).itemsize
        ids: NDArray[Any] = np.fromfile(
            self.path, dtype=self.dtype, count=stop - start, offset=start * width
        )
        if ids.shape[0] != stop - start:
            problem = f"it ends before token {stop}"
            raise BadFile(self.path, problem, "delete its folder and encode the corpus again")
        return ids

    def span(self, _start: int, _stop: int, /) -> tuple[TokenStore, int]:
        """The file itself: where it is takes no room."""
        return self, 0


class Index(NamedTuple):
    """What is known of each document, in the order of the file."""

    starts: IntArray
    """[documents] int64, where its ids begin."""
    lengths: IntArray
    """[documents] int32, how many ids it has, both markers included."""
    sizes: IntArray
    """[documents] int32, bytes of its text in UTF-8."""
    origins: IntArray
    """[documents] uint64, a digest of the text that it comes from; equal texts have equal ones."""
    continued: NDArray[np.bool_]
    """[documents] True where it is the rest of a longer document that was cut."""

    def pick(self, which: IntArray) -> Index:
        """The same for some of the documents."""
        return Index(
            self.starts[which],
            self.lengths[which],
            self.sizes[which],
            self.origins[which],
            self.continued[which],
        )

    def cut(self, first: int, last: int) -> Index:
        """The same for the documents first … last−1."""
        some = slice(first, last)
        return Index(
            self.starts[some],
            self.lengths[some],
            self.sizes[some],
            self.origins[some],
            self.continued[some],
        )


def gather(store: TokenStore, starts: IntArray, lengths: IntArray) -> IntArray:
    """The ids of documents in rising order of `starts`, one behind the other, [Σ lengths] int32.

    Neighbours are read together, and so are documents with little between them.
    """
    stops = starts + lengths
    jumps = np.flatnonzero(starts[1:] - stops[:-1] > GAP) + 1
    parts = []
    first = 0
    count = starts.shape[0]
    while first < count:
        jump = int(np.searchsorted(jumps, first, side="right"))
        near = int(jumps[jump]) if jump < jumps.shape[0] else count
        last = int(np.searchsorted(stops[first:near], starts[first] + SPAN, side="right")) + first
        last = max(last, first + 1)
        ids = store.read(int(starts[first]), int(stops[last - 1]))
        parts.append(ids[spans(starts[first:last] - starts[first], lengths[first:last])])
        first = last
    return np.concatenate(parts).astype(np.int32)


def spans(starts: IntArray, lengths: IntArray) -> NDArray[np.int64]:
    """The positions start … start+length−1 of each span, one behind the other.

    >>> spans(np.array([5, 0]), np.array([2, 3])).tolist()
    [5, 6, 0, 1, 2]
    """
    stops = np.cumsum(lengths, dtype=np.int64)
    steps = np.arange(int(lengths.sum(dtype=np.int64)))
    positions: NDArray[np.int64] = steps + np.repeat(starts - (stops - lengths), lengths)
    return positions
