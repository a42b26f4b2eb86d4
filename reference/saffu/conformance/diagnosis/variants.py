"""Mistakes as variants of a plain operation that differs in one place.   (SPEC 9)

An operation is written once, plainly, with a keyword for each place in which porters go wrong; a
variant puts something else there.  A variant refuses what the contract refuses, except for the
reasons that it accepts: most ports with wrong numbers have right refusals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from saffu.conformance.diagnosis.mistake import Mistake
from saffu.conformance.operations import OPERATIONS, run
from saffu.errors import SaffuError
from saffu.types import Array

Arrays = dict[str, Array]
Plain = Callable[..., Mapping[str, Any]]
"""An operation that checks nothing: inputs, attributes and `cotangents` by keyword."""


class Variant(NamedTuple):
    """The replacements that make one mistake."""

    id: str
    about: str
    accepts: frozenset[str]
    """reasons for which the contract refuses and this variant does not"""
    replaced: Mapping[str, Any]
    """keywords of the plain operation, with what stands there instead"""


def variant(id: str, about: str, *, accepts: str = "", **replaced: Any) -> Variant:  # noqa: A002
    """A variant; `accepts` are reason codes separated by spaces."""
    return Variant(id, about, frozenset(accepts.split()), replaced)


def mistakes(op: str, plain: Plain, *variants: Variant) -> tuple[Mistake, ...]:
    """The mistakes that variants of a plain operation make.

    >>> import numpy as np
    >>> def plain(nats, middle=np.mean):
    ...     return {"perplexity": np.exp(middle(nats))}
    >>> (one,) = mistakes("perplexity", plain, variant("of-sum", "the sum", middle=np.sum))
    >>> float(one.wrong({"nats": np.log([2.0, 3.0])})["perplexity"]), one.spec
    (6.0, 'SPEC 7')
    """
    spec = OPERATIONS[op].spec
    return tuple(Mistake(one.id, one.about, spec, op, Varied(op, plain, one)) for one in variants)


@dataclass(frozen=True, eq=False)
class Varied:
    """A plain operation with one or more places replaced."""

    op: str
    plain: Plain
    variant: Variant

    def __call__(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """The outputs of the variant; refuses what the contract refuses and it does not accept."""
        _refuse(self.op, given, self.variant.accepts)
        return self.plain(**given, **self.variant.replaced)


def together(one: Mistake, other: Mistake) -> Mistake | None:
    """Both mistakes at once; None where they replace the same place or different operations."""
    first, second = one.wrong, other.wrong
    if not isinstance(first, Varied) or not isinstance(second, Varied):
        return None
    replaced = {**first.variant.replaced, **second.variant.replaced}
    shared = first.variant.replaced.keys() & second.variant.replaced.keys()
    if first.plain is not second.plain or shared:
        return None
    accepts = first.variant.accepts | second.variant.accepts
    about = f"{one.about}, and {other.about}"
    both = Variant(f"{one.id}-with-{other.id}", about, accepts, replaced)
    return Mistake(both.id, both.about, one.spec, one.op, Varied(one.op, first.plain, both))


def _refuse(op: str, given: Mapping[str, Any], accepts: frozenset[str]) -> None:
    """Refuse what the contract refuses, except for these reasons."""
    try:
        run(op, {}, given)
    except SaffuError as refusal:
        if refusal.reason not in accepts:
            raise
