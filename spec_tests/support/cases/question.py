"""A case before it is answered: what goes in, what it is about, and which mistakes it hunts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import numpy as np

from saffu.conformance.judging.generator import Draw, seed_of
from saffu.types import Array

NAN: Final = float("nan")
INF: Final = float("inf")

Arrays: TypeAlias = dict[str, Array]
Record: TypeAlias = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Question:
    """What is asked; the oracle answers, unless it has to be refused."""

    id: str
    about: str
    inputs: Mapping[str, Array]
    hunts: tuple[str, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    cotangents: Mapping[str, Array] = field(default_factory=dict)
    reject: str | None = None

    @property
    def op(self) -> str:
        return self.id.split("/")[0]


def ask(
    id: str,  # noqa: A002  (the field's name)
    about: str,
    inputs: Mapping[str, Any],
    hunts: str = "",
    *,
    attributes: Mapping[str, Any] | None = None,
    cotangents: Mapping[str, Any] | None = None,
    reject: str | None = None,
) -> Question:
    """A question; `hunts` are ids separated by spaces."""
    return Question(
        id,
        about,
        {name: np.asarray(x) for name, x in inputs.items()},
        tuple(hunts.split()),
        attributes or {},
        {name: np.asarray(x) for name, x in (cotangents or {}).items()},
        reject,
    )


def stream(id: str) -> Draw:  # noqa: A002
    """The numbers of a case."""
    return Draw(seed_of(id))


def signed(draw: Draw, *shape: int, size: int = 4) -> Array:
    """Numbers in (−size, size], eleven bits each."""
    return draw.uniform(*shape, low=-size, high=size, bits=11)


def mask(draw: Draw, rows: int, width: int) -> Array:
    """Booleans, at least one True a row, about two of three."""
    drawn = draw.whole(0, 2, rows, width) > 0
    drawn[np.arange(rows), draw.whole(0, width - 1, rows)] = True
    return drawn
