"""Positions of a text: after `<sod>`, every token of a document is a target.   (SPEC 3)"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from saffu import checks
from saffu.arrays.namespace import on_host
from saffu.arrays.operation import operation
from saffu.errors import BadOption, NegativeToken, NoSamples
from saffu.types import IntArray, TokenIds

_SPEC: Final = "SPEC 3"

START: Final = 0
"""The id of `<sod>`, which opens every document and is never a target."""


END: Final = 1
"""The id of `<eod>`, which closes every document and is a target like any other."""


UNKNOWN: Final = 2
"""The id of `<unk>`, which stands for every token that the vocabulary lacks."""


MARKERS: Final = ("<sod>", "<eod>", "<unk>")


class Samples(NamedTuple):
    """M samples of any number of documents, one after the other."""

    tokens: TokenIds
    """[M] int32, the newest token."""
    targets: TokenIds
    """[M] int32, the token that follows it."""
    offsets: TokenIds
    """[M] int32, how far the newest token stands from the `<sod>` of its document."""


@operation
def make_samples(documents: Sequence[IntArray]) -> Samples:
    """All samples of some documents, in order.   (SPEC 3)

    Parameters: `documents`, each [T+1] token ids that begin with `<sod>`; an open end is allowed.
    Refuses: no documents; a document without a target, or without `<sod>`; ids outside of
    0 … 2^31−1, the range of int32.

    >>> both = make_samples([np.array([0, 5, 1]), np.array([0, 1])])
    >>> both.tokens.tolist(), both.targets.tolist(), both.offsets.tolist()
    ([0, 5, 0], [5, 1, 1], [0, 1, 0])
    """
    if len(documents) == 0:
        raise NoSamples("documents", _SPEC)
    documents = [on_host(document) for document in documents]
    for i, document in enumerate(documents):
        name = f"documents[{i}]"
        checks.shape(name, document, (None,), "T+1", _SPEC)
        if not np.issubdtype(document.dtype, np.integer):
            raise BadOption(f"{name}.dtype", str(document.dtype), "an integer type", _SPEC)
        if document.shape[0] < 2:
            raise NoSamples(f"{name} (every token after <sod> is a target)", _SPEC)
        if document[0] != START:
            raise BadOption(f"{name}[0]", int(document[0]), f"{START}, the id of <sod>", _SPEC)
        checks.refuse_where(document < 0, document, name, _SPEC, NegativeToken)
        checks.token_ids(document, 2**31, name)
    lengths = np.array([document.shape[0] for document in documents], dtype=np.int64)
    return lay_out(np.concatenate(documents), lengths)


def lay_out(ids: IntArray, lengths: IntArray) -> Samples:
    """The samples of documents that lie one behind the other in one array.   (SPEC 3)

    Parameters: `ids` [Σ lengths]; `lengths` [documents] >= 2, markers included; none is checked.
    """
    stops = np.cumsum(lengths, dtype=np.int64)
    newest = np.ones(ids.shape[0], dtype=bool)
    newest[stops - 1] = False
    target = np.ones(ids.shape[0], dtype=bool)
    target[stops - lengths] = False
    offsets = np.arange(ids.shape[0]) - np.repeat(stops - lengths, lengths)
    return Samples(
        ids[newest].astype(np.int32), ids[target].astype(np.int32), offsets[newest].astype(np.int32)
    )
