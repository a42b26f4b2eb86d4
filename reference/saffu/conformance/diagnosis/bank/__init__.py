"""The bank of mistakes that porters make, computed.   (SPEC 9)

A module bears the name of its operation, or of the module of `saffu` that holds a group of them,
and keeps its mistakes in a tuple `MISTAKES`.  The same mistakes judge the golden files (each must
be exposed by a case) and explain what is wrong with a port that fails.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from saffu.conformance.diagnosis.mistake import Mistake
from saffu.conformance.operations import OPERATIONS
from saffu.errors import BadOption


@cache
def bank() -> tuple[Mistake, ...]:
    """All mistakes, in the order of the operations; those of one operation as its module has them.

    Refuses: two mistakes with one id.
    """
    by_id: dict[str, Mistake] = {}
    for module in iter_modules(__path__):
        for mistake in import_module(f"{__name__}.{module.name}").MISTAKES:
            if mistake.id in by_id:
                raise BadOption("id", mistake.id, "an id that no other mistake has", "SPEC 9")
            by_id[mistake.id] = mistake
    order = list(OPERATIONS)
    return tuple(sorted(by_id.values(), key=lambda mistake: order.index(mistake.op)))
