"""Context models: which earlier tokens a target may look at, and which of them asks.   (SPEC 3)

A document is a row of token ids from `<sod>` to `<eod>`, and every token after `<sod>` is a target.
The newest token before target t stands at t−1; it is called sample m = t−1 of the document, and all
a context model needs to know is the sample's distance from the start of the document, its `offset`:

    RadialContext(r)     slot k holds the token k steps back      pivot: slot 0
    BlockContext(b)      slot s holds position s of the block     pivot: slot (t−1) mod b
    DocumentContext()    all tokens so far, as one mean           no slots, no pivot   [T]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple, TypeAlias

import numpy as np

from saffu import checks
from saffu.arrays.namespace import average_rows, on_host
from saffu.errors import BadOption, NegativeToken, NoSamples
from saffu.types import Array, Embedding, IntArray, Pivot, SlotMask, Slots


@dataclass(frozen=True)
class RadialContext:
    """The `radius` newest tokens, nearest first."""

    kind: ClassVar[str] = "Radial"
    """its name in records"""

    radius: int

    def __post_init__(self) -> None:
        checks.whole("radius", self.radius, 1, "SPEC 3")

    @property
    def slots(self) -> int:
        """B, the number of slots."""
        return self.radius


@dataclass(frozen=True)
class BlockContext:
    """The fixed block of `length` tokens that the newest token lies in, up to that token."""

    kind: ClassVar[str] = "Block"
    """its name in records"""

    length: int

    def __post_init__(self) -> None:
        checks.whole("length", self.length, 1, "SPEC 3")

    @property
    def slots(self) -> int:
        """B, the number of slots."""
        return self.length


@dataclass(frozen=True)
class DocumentContext:
    """A bag of all earlier tokens of the document."""

    kind: ClassVar[str] = "Document"
    """its name in records"""


ContextModel: TypeAlias = RadialContext | BlockContext | DocumentContext


class Context(NamedTuple):
    """Slots of n samples: what they hold, which of them are valid, and which one asks."""

    slots: Slots
    """[n, B] token ids; 0 where the slot is invalid."""
    mask: SlotMask
    """[n, B] True where a slot holds a token."""
    pivot: Pivot
    """[n] the query's slot."""


def steps_back(model: RadialContext | BlockContext, offsets: IntArray) -> Context:
    """The same as a context, but each slot holds how many steps back its token stands.

    Parameters: `offsets` [n], how far each sample's newest token stands from its document's start.
    """
    at = on_host(offsets)[:, None].astype(np.int64)
    slot = np.arange(model.slots)[None, :]
    if isinstance(model, RadialContext):
        back = np.broadcast_to(slot, (at.shape[0], model.slots))
        pivot = np.zeros(at.shape[0], dtype=np.int64)
    else:
        back = at % model.length - slot
        pivot = at[:, 0] % model.length
    mask = (back >= 0) & (back <= at)
    return Context(np.where(mask, back, 0), mask, pivot)


def radial_context(document: IntArray, radius: int) -> Context:
    """For each target the `radius` tokens before it, nearest first; the pivot is slot 0.   (SPEC 3)

    Parameters: `document` [T], token ids, `<sod>` first; `radius` r >= 1.
    Returns the contexts of the T−1 targets, r slots each.
    Refuses: a document without a target; negative ids.

    >>> radial_context(np.array([7, 8, 9]), 2).slots.tolist()
    [[7, 0], [8, 7]]
    """
    return _tokens(document, RadialContext(radius))


def block_context(document: IntArray, length: int) -> Context:
    """For each target the block that the token before it lies in, up to that token.   (SPEC 3)

    Parameters: `document` [T], token ids, `<sod>` first; `length` b >= 1.
    Returns the contexts of the T−1 targets, b slots each; slot s is position s of the block.
    Refuses: a document without a target; negative ids.

    >>> context = block_context(np.array([7, 8, 9, 5]), 2)
    >>> context.slots.tolist(), context.pivot.tolist()
    ([[7, 0], [7, 8], [9, 0]], [0, 1, 0])
    """
    return _tokens(document, BlockContext(length))


def document_context(document: IntArray, vectors: Embedding) -> Array:
    """For each target the mean vector of all tokens before it.   (SPEC 3)

    Parameters: `document` [T], token ids, `<sod>` first; `vectors` [V, D].
    Returns [T−1, D]; unit norm if the vectors have it.
    Refuses: a document without a target; ids out of range; any vector that is not finite.

    >>> document_context(np.array([0, 1, 1]), np.eye(2)).tolist()
    [[1.0, 0.0], [0.5, 0.5]]
    """
    document = on_host(document)
    _check_document(document)
    checks.token_ids(document, vectors.shape[0], "document")
    checks.finite("vectors", vectors, "SPEC 3")
    samples = document.shape[0] - 1
    owner, earlier = earlier_samples(np.arange(samples))
    return average_rows(vectors, document[:-1][earlier], owner, samples)


def earlier_samples(offsets: IntArray) -> tuple[Array, Array]:
    """Pairs (n, j): sample n, standing at offset o, has o+1 tokens up to itself, at offsets 0 … o.

    >>> [pair.tolist() for pair in earlier_samples(np.array([0, 2]))]
    [[0, 1, 1, 1], [0, 0, 1, 2]]
    """
    lengths = on_host(offsets).astype(np.int64) + 1
    owner = np.repeat(np.arange(lengths.shape[0]), lengths)
    first = np.repeat(np.cumsum(lengths) - lengths, lengths)
    return owner, np.arange(owner.shape[0]) - first


def _tokens(document: IntArray, model: RadialContext | BlockContext) -> Context:
    document = on_host(document)
    _check_document(document)
    newest = np.arange(document.shape[0] - 1)
    back, mask, pivot = steps_back(model, newest)
    return Context(np.where(mask, document[newest[:, None] - back], 0), mask, pivot)


def _check_document(document: IntArray) -> None:
    checks.shape("document", document, (None,), "T", "SPEC 3")
    if not np.issubdtype(document.dtype, np.integer):
        raise BadOption("document.dtype", str(document.dtype), "an integer type", "SPEC 3")
    checks.refuse_where(document < 0, document, "document", "SPEC 3", NegativeToken)
    if document.shape[0] < 2:
        raise NoSamples("document (every token after <sod> is a target)", "SPEC 3")


def parse_contexts(text: str) -> tuple[ContextModel, ...]:
    """Read `radial:8,block:16,document` as context models.

    Refuses: other words; sizes that are no whole numbers >= 1.

    >>> parse_contexts("radial:8,document")
    (RadialContext(radius=8), DocumentContext())
    """
    return tuple(_context(part.strip()) for part in text.split(","))


def _context(part: str) -> ContextModel:
    name, _, size = part.partition(":")
    if name == "document" and not size:
        return DocumentContext()
    if name not in ("radial", "block"):
        expected = "radial:SLOTS, block:SLOTS or document, with commas between,"
        raise BadOption("contexts", part, expected, "SPEC 3")
    if not size.isdecimal() or int(size) < 1:
        raise BadOption("contexts", part, "a number of slots >= 1 behind the colon", "SPEC 3")
    return RadialContext(int(size)) if name == "radial" else BlockContext(int(size))
