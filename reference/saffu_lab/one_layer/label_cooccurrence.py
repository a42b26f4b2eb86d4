"""Co-occurrence counts of features and class labels, without one-hot targets.   (SPEC 1)

    F[d, i] = Σ_{m: y_m = i} h_md

What `saffu.counts.cooccurrence` gives for one-hot targets.  Features are read once, a block at a
time: each block is checked and multiplied while it is in the cache, and what the checks need beyond
that is read off the sums.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from saffu import checks
from saffu.counts import Cooccurrence
from saffu.types import Features, TokenIds

_SPEC: Final = "SPEC 1"

BLOCK: Final = 1 << 20
"""numbers that are read at once"""


def count_classes(features: Features, labels: TokenIds, classes: int) -> Cooccurrence:
    """Count how much of each feature was seen with each class.   (SPEC 1)

    Parameters: `features` H [M, D], non-negative; `labels` [M], whole numbers 0 … classes−1.
    Returns F [D, N] in double precision, Σ‖h‖ and M.  Sums within a block of features are made in
    the precision of the features.
    Refuses: negative, NaN or infinite entries; labels out of range; shapes that disagree; no
    samples.

    >>> count_classes(np.array([[1.0, 0.0], [1.0, 2.0]]), np.array([0, 2]), 3).counts.tolist()
    [[1.0, 0.0, 1.0], [0.0, 0.0, 2.0]]
    """
    checks.shape("features", features, (None, None), "M D", _SPEC)
    checks.samples("features", features, _SPEC)
    samples, width = features.shape
    checks.labels(labels, samples, checks.whole("classes", classes, 1, _SPEC))
    one_hot = np.eye(classes, dtype=features.dtype)
    total = np.zeros((classes, width))
    rows = max(1, BLOCK // max(width, 1))
    for start in range(0, samples, rows):
        block = features[start : start + rows]
        if not block.min(initial=0) >= 0:  # not <, which NaN would pass
            checks.features(features)
        with np.errstate(invalid="ignore"):  # infinite features, which are refused below
            total += one_hot[labels[start : start + rows]].T @ block
    norm = float(total.sum())
    if not np.isfinite(norm):
        checks.features(features)
    return Cooccurrence(np.ascontiguousarray(total.T), norm, samples)
