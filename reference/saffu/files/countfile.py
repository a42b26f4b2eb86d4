"""Counts in files: what a machine has seen, to be added to what others have.   (SPEC 1, 8)

Counts of parts add up to the counts of the whole, if a feature and a target mean the same in all of
them.  Two tables of one shape add up in any case; so a file says what its counts are counts *of*, a
word that the parts have to share, and that is compared when it is read.   [D]
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from saffu.arrays.namespace import on_host
from saffu.counts import Cooccurrence
from saffu.errors import BadFile
from saffu.files import read_file, write_file

SCHEMA: Final = "saffu.cooccurrence"


def save_counts(state: Cooccurrence, path: str | Path, *, of: str) -> None:
    """Write what was counted, whole or not at all.

    Parameters: `state`, on any device; `of`, what the features and targets mean: for tokens best
    `vocabulary.fingerprint`, with whatever else decides what a feature is.
    Refuses: a place that cannot be written.

    >>> from saffu.counts import cooccurrence
    >>> parts = [cooccurrence(np.eye(2), np.eye(2)), cooccurrence(np.ones((1, 2)), np.eye(2)[:1])]
    >>> for i, part in enumerate(parts):
    ...     save_counts(part, f"{i}.counts", of="two words")
    >>> whole = load_counts("0.counts", of="two words") + load_counts("1.counts", of="two words")
    >>> whole.counts.tolist(), whole.samples
    ([[2.0, 0.0], [1.0, 1.0]], 3)
    """
    header = {"of": of, "samples": state.samples}
    arrays = {"counts": on_host(state.counts), "norm": np.asarray(state.norm, dtype=np.float64)}
    write_file(path, SCHEMA, 1, header, arrays)


def load_counts(path: str | Path, *, of: str) -> Cooccurrence:
    """Read what `save_counts` wrote.

    Parameters: `of` as it was written.
    Refuses (`BadFile`): counts of something else; whatever `saffu.files.read_file` refuses.
    """
    header, arrays = read_file(path, SCHEMA)
    if header.get("of") != of:
        raise BadFile(
            path,
            f"it holds counts of {header.get('of')!r}, not of {of!r}",
            "count again with the vocabulary and the features that all parts share",
        )
    try:
        return Cooccurrence(arrays["counts"], float(arrays["norm"]), int(header["samples"]))
    except (KeyError, TypeError, ValueError) as wrong:
        raise BadFile(path, f"it is no table of counts ({wrong})", "count again") from wrong
