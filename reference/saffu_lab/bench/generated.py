"""A generated text of any length, as token ids on disk.

Words come by Zipf's law, and each prefers one follower, so that there is something to count.  The
ids are written some thousand documents at a time, the same for the same seed; no text and no list
of words is ever made, so that a hundred million targets take half a minute and 200 MB of disk.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from saffu.data.corpus import Corpus
from saffu.data.encoding import index_of
from saffu.data.store import OnDisk
from saffu.positions import END, MARKERS, START

SHORTEST, LONGEST = 200, 600
"""Words of a document."""
DOCUMENTS = 1000
"""Documents that are made at once."""


def write_text(folder: Path, targets: int, vocabulary: int, seed: int = 0) -> None:
    """Write `ids` and `lengths` of about a number of targets (at most a document more).

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as name:
    ...     write_text(Path(name), 5000, vocabulary=31)
    ...     text = open_text(Path(name))
    ...     5000 <= text.targets <= 5600, int(next(iter(text)).max()) < 31
    (True, True)
    """
    random = np.random.default_rng(seed)
    words = vocabulary - len(MARKERS)
    share = 1.0 / (np.arange(words) + 2.7)
    border = np.cumsum(share / share.sum())[:-1]
    every: list[int] = []
    left = targets
    with (folder / "ids").open("wb") as file:
        while left > 0:
            lengths = random.integers(SHORTEST, LONGEST, DOCUMENTS)
            reached = np.cumsum(lengths + 1)
            lengths = lengths[: int(np.searchsorted(reached, left)) + 1]
            ids = np.searchsorted(border, random.random(int(lengths.sum())), side="right")
            follows = random.random(ids.shape[0] - 1) < 0.4
            ids[1:] = np.where(follows, (ids[:-1] * 31 + 7) % words, ids[1:])
            stops = np.cumsum(lengths)
            marked = np.insert(ids + len(MARKERS), stops, END)
            marked = np.insert(
                marked, np.concatenate(([0], stops[:-1])) + np.arange(len(stops)), START
            )
            file.write(marked.astype("<u2").tobytes())
            every += (lengths + 2).tolist()
            left -= int((lengths + 1).sum())
    np.array(every, dtype="<i4").tofile(folder / "lengths")


def open_text(folder: Path) -> Corpus:
    """The corpus of what `write_text` wrote."""
    lengths = np.fromfile(folder / "lengths", dtype="<i4")
    number = lengths.shape[0]
    index = index_of(lengths, lengths, np.arange(number, dtype=np.uint64), np.zeros(number, bool))
    return Corpus(OnDisk(folder / "ids", "<u2"), index)
