"""A fresh mistake, and the few ways in which most of them are made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final, TypeAlias
from unittest.mock import patch

import numpy as np

from saffu.conformance.diagnosis.mistake import Mistake
from saffu.conformance.operations import OPERATIONS, run
from saffu.types import Array

Given: TypeAlias = Mapping[str, Any]
Answer: TypeAlias = Mapping[str, Any]
Wrong: TypeAlias = Callable[[Given], Answer]

NUMERICAL: Final = "numerical"
SIZE: Final = "size"
VALUE: Final = "value"
FLOAT32: Final = "float32"
INFINITY: Final = "infinity"
REFUSAL: Final = "refusal"
LEGAL: Final = "legal"
STATE: Final = "state"
KINDS: Final[Mapping[str, str]] = {
    NUMERICAL: "an equation that is not the specification's",
    SIZE: "right for small inputs only",
    VALUE: "right for ordinary values only",
    FLOAT32: "one input or option kept in float32 in a port that declares float64",
    INFINITY: "an infinity of one sign accepted",
    REFUSAL: "bad input accepted, or refused for another reason",
    LEGAL: "legal input refused",
    STATE: "something left over from an earlier call, or an input that was changed",
}
COMMON: Final = "common"
RARE: Final = "rare"


@dataclass(frozen=True)
class FreshMistake:
    """One mistake, its kind, and calls that show it."""

    id: str
    about: str
    op: str
    kind: str
    likely: str
    """`common` or `rare`: a guess, made before any case was looked at"""
    port: Callable[[], Wrong]
    """a new port with this mistake, so that nothing is left over from earlier runs"""
    calls: tuple[Given, ...]
    """calls in order; the reference answers the last one otherwise"""

    @property
    def mistake(self) -> Mistake:
        """The same as a record of the kit."""
        return Mistake(self.id, self.about, OPERATIONS[self.op].spec, self.op, self.port())


class Refusal(ValueError):
    """The refusal of a port."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason: Final = reason


def fresh(
    op: str, kind: str, likely: str, slug: str, about: str, wrong: Wrong, *calls: Given
) -> FreshMistake:
    """A mistake without state."""
    return FreshMistake(f"fresh-{slug}", about, op, kind, likely, lambda: wrong, calls)


def right(op: str, given: Given) -> dict[str, Any]:
    """The answer of the reference."""
    return dict(run(op, dict(given), {}))


def changed(op: str, **changes: Callable[[Any], Any]) -> Wrong:
    """The reference on other inputs or attributes; it refuses what it refuses."""

    def wrong(given: Given) -> Answer:
        right(op, given)
        return right(op, {n: changes[n](x) if n in changes else x for n, x in given.items()})

    return wrong


def spoiled(op: str, **changes: Callable[[Any], Any]) -> Wrong:
    """The reference with other outputs; a dot in a name of an output is written as two lines."""

    def wrong(given: Given) -> Answer:
        answer = right(op, given)
        for name, change in changes.items():
            name = name.replace("__", ".")
            if name in answer:
                answer[name] = change(answer[name])
        return answer

    return wrong


def unchecked(op: str, when: Callable[[Given], Any]) -> Wrong:
    """Bad input that the reference refuses goes through, and NaN comes out."""

    def wrong(given: Given) -> Answer:
        try:
            return right(op, given)
        except ValueError:
            if not _holds(when, given):
                raise
        return {name: np.array(np.nan) for name in OPERATIONS[op].outputs}

    return wrong


def refusing(op: str, when: Callable[[Given], Any], reason: str) -> Wrong:
    """Input that the reference accepts is refused."""

    def wrong(given: Given) -> Answer:
        answer = right(op, given)
        if _holds(when, given):
            raise Refusal(reason)
        return answer

    return wrong


def misnamed(op: str, when: Callable[[Given], Any], reason: str) -> Wrong:
    """Input that the reference refuses is refused for another reason."""

    def wrong(given: Given) -> Answer:
        try:
            return right(op, given)
        except ValueError:
            if _holds(when, given):
                raise Refusal(reason) from None
            raise

    return wrong


def _holds(when: Callable[[Given], Any], given: Given) -> bool:
    """Whether a condition holds; not where it has no meaning, as on arrays of other shapes."""
    try:
        return bool(when(given))
    except (ValueError, IndexError, KeyError, TypeError, AttributeError):
        return False


def inside(op: str, replaced: Mapping[str, Any]) -> Wrong:
    """The reference with other functions inside of it, by dotted name."""

    def wrong(given: Given) -> Answer:
        with ExitStack() as stack:
            for name, value in replaced.items():
                stack.enter_context(patch(name, value))
            return right(op, given)

    return wrong


def single(x: Any) -> Any:
    """A number, a list or an array as float32 holds it."""
    if isinstance(x, list):
        return [single(entry) for entry in x]
    if x is None:
        return None
    if isinstance(x, int | float):
        return float(np.float32(x))
    return x.astype(np.float32).astype(np.float64) if x.dtype.kind == "f" else x


def some(x: Array) -> bool:
    """Whether any entry is true."""
    return bool(np.any(x))


def of(name: str, bad: Callable[[Any], Any]) -> Callable[[Given], bool]:
    """Whether an input or attribute is bad."""
    return lambda given: bool(bad(given[name]))
