"""Levels of conformance: core, layer, train, full.   (SPEC 9)

Each level includes those before it:

    core    softmax, explicit solutions, cipher, embeddings     (SPEC 0–2)
    layer   contexts, the SAFFU layer, the model forward        (SPEC 3–4)
    train   hidden targets, warm start, every gradient, optim   (SPEC 5–6)
    full    all that has golden cases
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from saffu.conformance.operations import OPERATIONS

LEVELS: Final = ("core", "layer", "train", "full")
"""From the least to the most."""

_OF_SECTION: Final = {
    f"SPEC {section}": level
    for level, sections in (("core", "012"), ("layer", "34"), ("train", "56"), ("full", "7"))
    for section in sections
}


def level_of(op: str, *, gradients: bool = False) -> str:
    """The lowest level that asks for an operation, or for its gradients.

    >>> level_of("softmax"), level_of("softmax", gradients=True), level_of("perplexity")
    ('core', 'train', 'full')
    """
    row = OPERATIONS.get(op)
    if row is None:  # of a later suite
        return "full"
    level = row.level or _OF_SECTION[row.spec]
    return max(level, "train", key=LEVELS.index) if gradients else level


def within(level: str, bound: str) -> bool:
    """Whether one level is asked for by another.

    >>> within("core", "layer"), within("full", "layer")
    (True, False)
    """
    return LEVELS.index(level) <= LEVELS.index(bound)


def reached(failing: Iterable[str]) -> str | None:
    """The highest level whose cases all pass; None if some case of the core does not.

    Parameters: `failing`, the level of each case that did not pass.

    >>> reached(["train", "full"]), reached([]), reached(["core"])
    ('layer', 'full', None)
    """
    lowest = min((LEVELS.index(level) for level in failing), default=len(LEVELS))
    return LEVELS[lowest - 1] if lowest else None
