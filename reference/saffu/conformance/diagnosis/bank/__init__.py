"""The bank of mistakes: every module here holds some, in a tuple `MISTAKES`.   (SPEC 9)

The same mistakes judge the golden files (each must be exposed by a case) and explain what is wrong
with a port that fails.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from saffu.conformance.diagnosis.mistake import Mistake
from saffu.errors import BadOption


@cache
def bank() -> tuple[Mistake, ...]:
    """Every mistake, by the names of the modules and then in their order.

    Refuses: two mistakes with one id.
    """
    found: dict[str, Mistake] = {}
    for module in sorted(each.name for each in iter_modules(__path__)):
        for mistake in import_module(f"{__name__}.{module}").MISTAKES:
            if mistake.id in found:
                raise BadOption("id", mistake.id, "an id that no other mistake has", "SPEC 9")
            found[mistake.id] = mistake
    return tuple(found.values())
