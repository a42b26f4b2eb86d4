"""A known mistake of porters, with its wrong computation.   (SPEC 9)"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from saffu.conformance.operations import OPERATIONS
from saffu.errors import BadOption

_ID: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True)
class Mistake:
    """One known mistake in one operation.   (SPEC 9)

    >>> import numpy as np
    >>> bits = Mistake(
    ...     "perplexity-in-bits", "2 to the mean nats instead of e", "SPEC 7", "perplexity",
    ...     lambda given: {"perplexity": np.exp2(np.mean(given["nats"]))},
    ... )
    >>> float(bits.wrong({"nats": np.array([2.0, 4.0])})["perplexity"])
    8.0
    """

    id: str
    """words in lower case, joined by hyphens; never used again for another mistake"""
    about: str
    """what is wrong, as the end of a sentence: "U computed with K = 1" """
    spec: str
    """section of the specification that defines the right computation"""
    op: str
    wrong: Callable[[Mapping[str, Any]], Mapping[str, Any]]
    """From the inputs (arrays) and attributes of a case, under their names, and `cotangents` where
    the case has them, to what an operation with this mistake returns: all outputs, gradients as
    `gradient.<input>`, and the stages that come out wrong; an output that it leaves out is right.
    Raises ValueError where the mistake makes the operation refuse the input."""

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.id):
            raise BadOption("id", self.id, "words in lower case, joined by hyphens", "SPEC 9")
        if self.op not in OPERATIONS:
            raise BadOption("op", self.op, "an operation of the contract", "SPEC 9")
