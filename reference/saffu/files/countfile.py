"""Count files: the co-occurrences that one machine counted, to be added to those of others.

(SPEC 1, 8)  Counts of parts add up to the counts of the whole if a feature and a target mean the
same in all parts.  Two tables of one shape can always be added, so a file records what its counts
are counts *of*, a label that all parts have to share and that is compared when it is read.   [D]
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from saffu import checks
from saffu.arrays.namespace import on_host
from saffu.arrays.operation import operation
from saffu.counts import Cooccurrence
from saffu.errors import BadFile
from saffu.files import array_in, read_file, whole_in, write_file

SCHEMA: Final = "saffu.cooccurrence"


@operation
def save_counts(state: Cooccurrence, path: str | Path, *, of: str) -> None:
    """Write co-occurrences to a file, complete or not at all.

    Parameters: `state`, on any device; `of`, a label of what features and targets mean: for tokens
    best `vocabulary.fingerprint`, with everything else that determines the features.
    Refuses: a place that cannot be written.

    >>> from saffu.counts import cooccurrence
    >>> parts = [cooccurrence(np.eye(2), np.eye(2)), cooccurrence(np.ones((1, 2)), np.eye(2)[:1])]
    >>> for i, part in enumerate(parts):
    ...     save_counts(part, f"{i}.counts", of="two words")
    >>> whole = load_counts("0.counts", of="two words") + load_counts("1.counts", of="two words")
    >>> whole.counts.tolist(), whole.samples
    ([[2.0, 0.0], [1.0, 1.0]], 3)
    """
    samples = checks.whole("state.samples", state.samples, 0, "SPEC 8")
    checks.positive("state.norm", state.norm, "SPEC 8", zero=True)
    header = {"of": of, "samples": samples}
    arrays = {"counts": on_host(state.counts), "norm": np.asarray(state.norm, dtype=np.float64)}
    write_file(path, SCHEMA, 1, header, arrays)


@operation
def load_counts(path: str | Path, *, of: str) -> Cooccurrence:
    """The co-occurrences that `save_counts` wrote.

    Parameters: `of` as it was written.
    Refuses (`BadFile`): counts of something else; counts that are negative, not finite or no table;
    what `saffu.files.read_file` refuses.
    """
    header, arrays = read_file(path, SCHEMA)
    if header.get("of") != of:
        raise BadFile(
            path,
            f"expected counts of {of!r}, got counts of {header.get('of')!r}",
            "count again with the vocabulary and the features that all parts share",
        )
    counts = array_in(path, arrays, "counts", (None, None), least=0)
    norm = float(array_in(path, arrays, "norm", (), dtype="float64", least=0))
    samples = whole_in(path, header, "samples")
    if 0 in counts.shape or (samples == 0 and (norm > 0 or counts.any())):
        problem = f"its counts of shape {counts.shape} do not belong to {samples} samples"
        raise BadFile(path, problem, "count again")
    return Cooccurrence(counts, norm, samples)
