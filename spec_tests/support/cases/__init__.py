"""What the golden cases ask: inputs, attributes, and the mistakes that each of them hunts.

One module a family of operations; a function named as the operation yields its cases.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules

from saffu.conformance.operations import OPERATIONS
from spec_tests.support.cases.question import Question


def questions() -> tuple[Question, ...]:
    """All of them, in the order of the operations of the contract."""
    modules = [import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__)]
    makers = {
        name: getattr(module, name)
        for module in modules
        for name in OPERATIONS
        if getattr(module, name, None) is not None
    }
    return tuple(question for name in OPERATIONS for question in _asked(makers.get(name)))


def _asked(maker: object) -> Iterator[Question]:
    if callable(maker):
        yield from maker()
