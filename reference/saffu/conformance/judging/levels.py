"""How much of the contract a port keeps: core, layer, train, full.   (SPEC 9)

Each level holds those before it:

    core    softmax, explicit solutions, cipher, embeddings     (SPEC 0–2)
    layer   contexts, the SAFFU layer, the model forward        (SPEC 3–4)
    train   hidden targets, warm start, every gradient, optim   (SPEC 5–6)
    full    all that has golden cases
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from saffu.conformance.operations import OPERATIONS

LEVELS: Final = ("core", "layer", "train", "full")
"""From the least to the most."""

_OUT_OF_PLACE: Final = {"model_loss": "layer"}
"""Its equation stands in SPEC 0, but it needs a model."""


def level_of(op: str, *, gradients: bool = False) -> str:
    """The lowest level that asks for an operation, or for its gradients.

    >>> level_of("softmax"), level_of("softmax", gradients=True), level_of("perplexity")
    ('core', 'train', 'full')
    """
    if op in _OUT_OF_PLACE:
        return _OUT_OF_PLACE[op]
    found = re.search(r"\d+", OPERATIONS[op].spec if op in OPERATIONS else "")
    section = int(found.group()) if found else 99
    if section <= 2 and not gradients:
        return "core"
    if section <= 4 and not gradients:
        return "layer"
    return "train" if section <= 6 else "full"


def within(level: str, bound: str) -> bool:
    """Whether one level is asked for by another.

    >>> within("core", "layer"), within("full", "layer")
    (True, False)
    """
    return LEVELS.index(level) <= LEVELS.index(bound)


def reached(wanting: Iterable[str]) -> str | None:
    """The highest level of which nothing is wanting; None if the core is not kept.

    Parameters: `wanting`, the level of each case that did not pass.

    >>> reached(["train", "full"]), reached([]), reached(["core"])
    ('layer', 'full', None)
    """
    lowest = min((LEVELS.index(level) for level in wanting), default=len(LEVELS))
    return LEVELS[lowest - 1] if lowest else None
