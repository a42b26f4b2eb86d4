"""Mistakes in context models.   (SPEC 3)"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from saffu.conformance.diagnosis.variants import Arrays, mistakes, variant
from saffu.types import Array


def _radial(newest: int, slots: int) -> tuple[list[int], list[bool], int]:
    places = [newest - k for k in range(slots)]
    return places, [place >= 0 for place in places], 0


def _block(newest: int, slots: int) -> tuple[list[int], list[bool], int]:
    pivot = newest % slots if slots > 0 else 0
    places = [newest - pivot + s for s in range(slots)]
    return places, [place <= newest for place in places], pivot


def _slides(newest: int, slots: int) -> tuple[list[int], list[bool], int]:
    places = [newest - slots + 1 + s for s in range(slots)]
    return places, [place >= 0 for place in places], slots - 1


def _newest_first(newest: int, slots: int) -> tuple[list[int], list[bool], int]:
    pivot = newest % slots if slots > 0 else 0
    return [newest - s for s in range(slots)], [s <= pivot for s in range(slots)], 0


def context(
    document: Array,
    *,
    radius: int | None = None,
    length: int | None = None,
    places: Callable[[int, int], tuple[list[int], list[bool], int]] | None = None,
    late: int = 0,
    reverse: bool = False,
    pivot: Callable[[int, int], int] = lambda pivot, slots: pivot,
    valid: Callable[[list[int], list[bool], int], list[bool]] = lambda places, mask, size: mask,
    keep: bool = False,
) -> Arrays:
    """Slots, mask and pivot of every target."""
    text = document.reshape(-1)
    slots = max(radius if radius is not None else length or 0, 0)
    look = places or (_radial if radius is not None else _block)
    held, masks, pivots = [], [], []
    for newest in range(max(text.shape[0] - 1, 0)):
        where, mask, asks = look(newest + late, slots)
        mask = valid(where, mask, text.shape[0])
        row = [int(text[w % text.shape[0]]) if ok or keep else 0
               for w, ok in zip(where, mask, strict=True)]  # fmt: skip
        held.append(row[::-1] if reverse else row)
        masks.append(mask[::-1] if reverse else mask)
        pivots.append(pivot(asks, slots))
    n = len(pivots)
    return {
        "slots": np.array(held, dtype=np.int64).reshape(n, slots),
        "mask": np.array(masks, dtype=bool).reshape(n, slots),
        "pivot": np.array(pivots, dtype=np.int64),
    }


def document_context(
    document: Array,
    vectors: Array,
    *,
    upto: Callable[[int, int], int] = lambda newest, size: newest + 1,
    first: int = 0,
    distinct: bool = False,
    mean: Callable[[Array], Array] = lambda rows: np.mean(rows, axis=0),
) -> Arrays:
    """The mean of the vectors of all earlier tokens; ids beyond the vocabulary wrap around."""
    text = document % vectors.shape[0]
    rows = []
    for newest in range(text.shape[0] - 1):
        seen = text[first : upto(newest, text.shape[0])]
        seen = np.unique(seen) if distinct else seen
        rows.append(mean(vectors[seen]) if seen.size else np.zeros(vectors.shape[1]))
    return {"features": np.array(rows).reshape(-1, vectors.shape[1])}


def _unit(rows: Array) -> Array:
    total: Array = np.sum(rows, axis=0)
    mean: Array = np.divide(total, np.sum(total))
    return mean


def _both(name: str) -> Any:
    return (
        variant(f"{name}-context-takes-anything", "bad documents, or no slots, not refused",
            accepts="no-samples option token-range shape"),
    )  # fmt: skip


MISTAKES = (
    *mistakes(
        "radial_context", context, *_both("radial"),
        variant("radial-context-with-target", "the target itself in slot 0", late=1),
        variant("radial-context-reversed", "the farthest token first", reverse=True),
        variant("radial-context-pivot-last", "the last slot asks",
            pivot=lambda pivot, slots: slots - 1),
        variant("radial-context-unmasked", "slots before the document taken for valid",
            valid=lambda places, mask, size: [True] * len(mask)),
        variant("radial-context-keeps-id", "invalid slots hold the id at a negative place",
            keep=True),
    ),
    *mistakes(
        "block_context", context, *_both("block"),
        variant("block-of-the-target", "the block up to the target, not up to the token before it",
            late=1),
        variant("block-slides", "the newest tokens, not a fixed block", places=_slides),
        variant("block-pivot-first", "the first slot asks", pivot=lambda pivot, slots: 0),
        variant("block-pivot-off-by-one", "the pivot is t mod b, not (t−1) mod b",
            pivot=lambda pivot, slots: (pivot + 1) % slots),
        variant("block-sees-the-future", "slots after the pivot taken for valid",
            valid=lambda places, mask, size: [place < size for place in places]),
        variant("block-reversed", "the newest token in slot 0", places=_newest_first),
    ),
    *mistakes(
        "document_context", document_context,
        variant("document-with-target", "the target among the earlier tokens",
            upto=lambda newest, size: newest + 2),
        variant("document-sum", "the sum of the vectors, not their mean",
            mean=lambda rows: np.sum(rows, axis=0)),
        variant("document-without-start", "the first token left out", first=1),
        variant("document-types", "each kind of token counted once", distinct=True),
        variant("document-whole", "the mean of the whole document for every target",
            upto=lambda newest, size: size),
        variant("document-normalised", "the mean divided by its norm", mean=_unit),
        variant("document-wraps-ids", "token ids out of range wrap around",
            accepts="token-range no-samples"),
        variant("document-takes-non-finite", "NaN and infinity among the vectors not refused",
            accepts="non-finite"),
    ),
)  # fmt: skip
