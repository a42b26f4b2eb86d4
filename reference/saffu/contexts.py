"""Context models: the earlier tokens that a target is predicted from, and the pivot.   (SPEC 3)

A document is a row of token ids from `<sod>` to `<eod>`, and every token after `<sod>` is a target.
The newest token before target t stands at t−1; it is called sample m = t−1 of the document.  A
context model depends on the sample's distance from the start of the document, its `offset`, alone:

    RadialContext(r)     slot k holds the token k steps back      pivot: slot 0
    BlockContext(b)      slot s holds position s of the block     pivot: slot (t−1) mod b
    DocumentContext()    all tokens so far, as one mean           no slots, no pivot   [T]
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import (
    Any,
    ClassVar,
    Final,
    NamedTuple,
    Protocol,
    TypeAlias,
    TypeGuard,
    runtime_checkable,
)

import numpy as np

from saffu import checks
from saffu.arrays.namespace import average_rows, on_host
from saffu.arrays.operation import operation
from saffu.errors import BadOption, NegativeToken, NoSamples
from saffu.types import Array, Embedding, IntArray, Pivot, SlotMask, Slots

_SPEC: Final = "SPEC 3"


class Context(NamedTuple):
    """Slots of n samples: their contents, which of them are valid, and the pivot."""

    slots: Slots
    """[n, B] token ids, or how many steps back each token stands; 0 where the slot is invalid."""
    mask: SlotMask
    """[n, B] True where a slot holds a token."""
    pivot: Pivot
    """[n] the query's slot."""


@runtime_checkable
class SlotContext(Protocol):
    """A context model with slots: the layers of its tower attend to them."""

    kind: ClassVar[str]
    """its name in records; in lower case, on the command line"""
    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def slots(self) -> int:
        """B >= 1, the number of slots."""

    def steps_back(self, offsets: IntArray) -> Context:
        """For samples at some offsets [n], how many steps back the token of each slot stands."""


@runtime_checkable
class BagContext(Protocol):
    """A context model without slots: one layer reads the mean embedding of its tokens."""

    kind: ClassVar[str]
    """its name in records; in lower case, on the command line"""
    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def slots(self) -> int:
        """0."""

    def members(self, offsets: IntArray) -> tuple[Array, Array]:
        """For samples at some offsets [n], pairs (sample, offset of a token of its bag)."""


ContextModel: TypeAlias = SlotContext | BagContext
"""A frozen dataclass, registered in `CONTEXTS`, whose fields are whole numbers."""


def has_slots(context: ContextModel) -> TypeGuard[SlotContext]:
    """Whether the layers of a context model attend to slots."""
    return context.slots > 0


def is_bag(context: ContextModel) -> TypeGuard[BagContext]:
    """Whether a context model is the mean of its tokens."""
    return context.slots == 0


@dataclass(frozen=True)
class RadialContext:
    """The `radius` newest tokens, nearest first."""

    kind: ClassVar[str] = "Radial"

    radius: int

    def __post_init__(self) -> None:
        checks.whole("radius", self.radius, 1, _SPEC)

    @property
    def slots(self) -> int:
        """B, the number of slots."""
        return self.radius

    def steps_back(self, offsets: IntArray) -> Context:
        """Slot k stands k steps back; the pivot is slot 0."""
        at = on_host(offsets)[:, None].astype(np.int64)
        back = np.broadcast_to(np.arange(self.radius)[None, :], (at.shape[0], self.radius))
        return _inside(back, at, np.zeros(at.shape[0], dtype=np.int64))


@dataclass(frozen=True)
class BlockContext:
    """The fixed block of `length` tokens that contains the newest token, up to that token."""

    kind: ClassVar[str] = "Block"

    length: int

    def __post_init__(self) -> None:
        checks.whole("length", self.length, 1, _SPEC)

    @property
    def slots(self) -> int:
        """B, the number of slots."""
        return self.length

    def steps_back(self, offsets: IntArray) -> Context:
        """Slot s is position s of the block; the pivot is the newest token."""
        at = on_host(offsets)[:, None].astype(np.int64)
        newest = at % self.length
        return _inside(newest - np.arange(self.length)[None, :], at, newest[:, 0])


@dataclass(frozen=True)
class DocumentContext:
    """A bag of all earlier tokens of the document."""

    kind: ClassVar[str] = "Document"

    @property
    def slots(self) -> int:
        """0: a bag."""
        return 0

    def members(self, offsets: IntArray) -> tuple[Array, Array]:
        """All tokens up to the newest one."""
        return earlier_samples(offsets)


CONTEXTS: Final[dict[str, Any]] = {
    model.kind: model for model in (RadialContext, BlockContext, DocumentContext)
}
"""The context models by the names that records give them."""


def _inside(back: Array, at: Array, pivot: Pivot) -> Context:
    """Slots `back` [n, B] steps back of samples at offsets `at` [n, 1], valid in the document."""
    mask = (back >= 0) & (back <= at)
    return Context(np.where(mask, back, 0), mask, pivot)


@operation
def radial_context(document: IntArray, radius: int) -> Context:
    """For each target the `radius` tokens before it, nearest first; the pivot is slot 0.   (SPEC 3)

    Parameters: `document` [T], token ids, `<sod>` first; `radius` r >= 1.
    Returns the contexts of the T−1 targets, r slots each.
    Refuses: a document without a target; negative ids.

    >>> radial_context(np.array([7, 8, 9]), 2).slots.tolist()
    [[7, 0], [8, 7]]
    """
    return _tokens(document, RadialContext(radius))


@operation
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


@operation
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
    checks.finite("vectors", vectors, _SPEC)
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


def _tokens(document: IntArray, model: SlotContext) -> Context:
    document = on_host(document)
    _check_document(document)
    newest = np.arange(document.shape[0] - 1)
    back, mask, pivot = model.steps_back(newest)
    return Context(np.where(mask, document[newest[:, None] - back], 0), mask, pivot)


def _check_document(document: IntArray) -> None:
    checks.shape("document", document, (None,), "T", _SPEC)
    if not np.issubdtype(document.dtype, np.integer):
        raise BadOption("document.dtype", str(document.dtype), "an integer type", _SPEC)
    checks.refuse_where(document < 0, document, "document", _SPEC, NegativeToken)
    if document.shape[0] < 2:
        raise NoSamples("document (every token after <sod> is a target)", _SPEC)


def parse_contexts(text: str) -> tuple[ContextModel, ...]:
    """Read `radial:8,block:16,document` as context models.

    Refuses: other words; sizes that are no whole numbers >= 1.

    >>> parse_contexts("radial:8,document")
    (RadialContext(radius=8), DocumentContext())
    """
    return tuple(_context(part.strip()) for part in text.split(","))


def _context(part: str) -> ContextModel:
    models = {kind.lower(): model for kind, model in CONTEXTS.items()}
    word, *sizes = part.split(":")
    if word not in models or (sizes and not fields(models[word])):
        words = [f"{w}:SLOTS" if fields(model) else w for w, model in models.items()]
        expected = f"{', '.join(words[:-1])} or {words[-1]}, separated by commas"
        raise BadOption("contexts", part, expected, _SPEC)
    numbers = [int(size) for size in sizes if size.isdecimal() and int(size) >= 1]
    if len(numbers) != len(sizes) or len(sizes) != len(fields(models[word])):
        raise BadOption(
            "contexts",
            part,
            f"{word}:SLOTS, with a number of slots >= 1" if fields(models[word]) else word,
            _SPEC,
        )
    model: ContextModel = models[word](*numbers)
    return model
