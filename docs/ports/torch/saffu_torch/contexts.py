"""Contexts: what a prediction may look at.   (SPEC 3)

    Radial(r)     slot k holds token t−1−k; the pivot is slot 0
    Block(b)      the fixed block of b positions in which token t−1 lies, up to that token
    Document()    the mean of all earlier tokens

No context crosses the border of a document.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from saffu_torch import checks


class Context(NamedTuple):
    """Slots [m B], which of them are valid [m B], and the one that asks [m]."""

    slots: Tensor
    mask: Tensor
    pivot: Tensor


class Text(NamedTuple):
    """Every token after the first of a document is a target, in order; M of them in all."""

    tokens: Tensor
    """the token before each target [M]"""
    targets: Tensor
    """[M]"""
    offsets: Tensor
    """how far `tokens` stand from the start of their document [M]"""
    lengths: list[int]
    """targets of each document"""


def steps_back(kind: str, size: int, offsets: Tensor) -> Context:
    """Slots as steps back from the newest token, for tokens at these offsets [m].   (SPEC 3)"""
    at, slot = offsets[:, None], torch.arange(size, device=offsets.device)
    pivot = torch.zeros_like(offsets) if kind == "Radial" else offsets % size
    back = slot.expand(len(offsets), size) if kind == "Radial" else pivot[:, None] - slot
    mask = (back >= 0) & (back <= at)
    return Context(back.where(mask, 0), mask, pivot)


def radial_context(document: Tensor, radius: int) -> Context:
    """Slot k of target t holds token t−1−k; the pivot is slot 0.   (SPEC 3)"""
    return _context(document, "Radial", radius)


def block_context(document: Tensor, length: int) -> Context:
    """Slot s of target t holds position s of the block of token t−1.   (SPEC 3)"""
    return _context(document, "Block", length)


def document_context(document: Tensor, vectors: Tensor) -> Tensor:
    """(1/t) Σ_{u<t} e_{x_u} for each target t [m D].   (SPEC 3)"""
    _check(document)
    checks.tokens(document, len(vectors))
    checks.finite(vectors, "vectors")
    return running_means(vectors[document[:-1]])


def running_means(rows: Tensor) -> Tensor:
    """(1/t) Σ_{u ≤ t} x_u for each row t."""
    return rows.cumsum(dim=0) / torch.arange(1, len(rows) + 1, device=rows.device)[:, None]


def samples(documents: Sequence[Tensor], vocabulary: int) -> Text:
    """The targets of documents that begin with token 0, and what stands before them.   (SPEC 3)"""
    checks.require(len(documents) > 0, "no-samples", "at least one document")
    for document in documents:
        _check(document)
        checks.require(document[0] == 0, "option", "a document that begins with token 0")
        checks.tokens(document, vocabulary)
    lengths = [len(document) - 1 for document in documents]
    offsets = [torch.arange(length, device=documents[0].device) for length in lengths]
    return Text(
        torch.cat([document[:-1] for document in documents]),
        torch.cat([document[1:] for document in documents]),
        torch.cat(offsets),
        lengths,
    )


def _context(document: Tensor, kind: str, size: int) -> Context:
    _check(document)
    checks.whole(size, 1, "slots")
    newest = torch.arange(len(document) - 1, device=document.device)
    back, mask, pivot = steps_back(kind, size, newest)
    return Context(document[newest[:, None] - back].where(mask, 0), mask, pivot)


def _check(document: Tensor) -> None:
    checks.tokens(document)
    checks.require(len(document) > 1, "no-samples", "a token after the first, which is a target")
