"""Mistakes as right operations that differ in one place.   (SPEC 9)

An operation is written once, plainly, with a name for each place in which porters go wrong; a slip
puts something else there.  What the contract refuses, a slip refuses too, unless it says that it
accepts it: most ports with wrong numbers have right refusals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from saffu.conformance.diagnosis.mistake import Mistake
from saffu.conformance.operations import run
from saffu.errors import SaffuError
from saffu.types import Array

Arrays = dict[str, Array]
Plain = Callable[..., Mapping[str, Any]]
"""An operation that checks nothing: inputs, attributes and `cotangents` by keyword."""


class Slip(NamedTuple):
    """What is put where."""

    id: str
    about: str
    accepts: frozenset[str]
    """reasons for which the contract refuses, and this does not"""
    place: Mapping[str, Any]


def slip(id: str, about: str, *, accepts: str = "", **place: Any) -> Slip:  # noqa: A002
    """A slip; `accepts` are reason codes separated by spaces."""
    return Slip(id, about, frozenset(accepts.split()), place)


def mistakes(op: str, spec: str, plain: Plain, *slips: Slip) -> tuple[Mistake, ...]:
    """The mistakes that slips make of a plain operation.

    >>> import numpy as np
    >>> def plain(nats, middle=np.mean):
    ...     return {"perplexity": np.exp(middle(nats))}
    >>> (one,) = mistakes("perplexity", "SPEC 7", plain, slip("of-sum", "the sum", middle=np.sum))
    >>> float(one.wrong({"nats": np.log([2.0, 3.0])})["perplexity"])
    6.0
    """

    return tuple(Mistake(one.id, one.about, spec, op, Slipped(op, plain, one)) for one in slips)


@dataclass(frozen=True, eq=False)
class Slipped:
    """A plain operation with something else in one place, or in several."""

    op: str
    plain: Plain
    slip: Slip

    def __call__(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """What it returns, unless it refuses."""
        _refuse(self.op, given, self.slip.accepts)
        return self.plain(**given, **self.slip.place)


def together(one: Mistake, other: Mistake) -> Mistake | None:
    """Both mistakes at once; None if they want the same place, or are no slips of one operation."""
    first, second = one.wrong, other.wrong
    if not isinstance(first, Slipped) or not isinstance(second, Slipped):
        return None
    if first.plain is not second.plain or first.slip.place.keys() & second.slip.place.keys():
        return None
    accepts = first.slip.accepts | second.slip.accepts
    both = Slip(f"{one.id}-with-{other.id}", f"{one.about}, and {other.about}", accepts,
                {**first.slip.place, **second.slip.place})  # fmt: skip
    return Mistake(both.id, both.about, one.spec, one.op, Slipped(one.op, first.plain, both))


def _refuse(op: str, given: Mapping[str, Any], accepts: frozenset[str]) -> None:
    """Refuse what the contract refuses, but for some reasons."""
    try:
        run(op, {}, given)
    except SaffuError as refusal:
        if refusal.reason not in accepts:
            raise
