"""A mutant: one function of the package with one token changed.

It is put in the place of the original by giving the function object another code, so that everybody
who imported the function meets the mutant; nothing is written to disk and nothing imported again.
"""

from __future__ import annotations

import inspect
import sys
from dataclasses import dataclass
from importlib import import_module
from types import CodeType, FunctionType
from typing import Any


@dataclass(frozen=True)
class Mutant:
    """One change of one function."""

    module: str
    function: str
    """`name` or `Class.name`"""
    was: str
    """the changed lines, joined to one"""
    becomes: str
    source: str
    """the whole changed function, not indented and without decorators"""
    twin: int = 0
    """tells mutants apart whose lines read the same"""

    @property
    def place(self) -> str:
        """The function, from the package down: `numerics.softmax`."""
        return f"{self.module.removeprefix('saffu.')}.{self.function}"

    @property
    def name(self) -> str:
        """What it is called in lists; stays the same while the lines do."""
        twin = f" ({self.twin + 1})" if self.twin else ""
        return f"{self.place}: {self.was} → {self.becomes}{twin}"


def original(module: str, function: str) -> FunctionType:
    """The function object that is in use.

    >>> original("saffu.counts", "Cooccurrence.priming").__name__
    'priming'
    """
    found: Any = sys.modules.get(module) or import_module(module)
    *classes, name = function.split(".")
    for each in classes:
        found = getattr(found, each)
    found = vars(found)[name]
    found = inspect.unwrap(getattr(found, "fget", None) or getattr(found, "__func__", found))
    if not isinstance(found, FunctionType):
        raise TypeError(f"{module}.{function} is no plain function, so it cannot be changed")
    return found


def compiled(mutant: Mutant) -> FunctionType:
    """The mutant as a function of its module."""
    flags = annotations.compiler_flag  # annotations stay texts, as in the modules
    code = compile(mutant.source, mutant.place, "exec", flags=flags, dont_inherit=True)
    made: dict[str, Any] = {}
    exec(code, vars(sys.modules[mutant.module]), made)  # noqa: S102  (what mutants are for)
    (function,) = made.values()
    assert isinstance(function, FunctionType)
    return function


def put_in(mutant: Mutant) -> None:
    """Let the mutant take the place of the original, for the rest of this process."""
    place, new = original(mutant.module, mutant.function), compiled(mutant)
    place.__code__ = new.__code__
    place.__defaults__, place.__kwdefaults__ = new.__defaults__, new.__kwdefaults__


def same(one: FunctionType, other: FunctionType) -> bool:
    """Whether two functions are the same to the last instruction."""
    defaults = [(f.__defaults__, f.__kwdefaults__) for f in (one, other)]
    return defaults[0] == defaults[1] and _same_code(one.__code__, other.__code__)


def _same_code(one: CodeType, other: CodeType) -> bool:
    if len(one.co_consts) != len(other.co_consts):
        return False
    return (one.co_code, one.co_names, one.co_varnames) == (
        other.co_code,
        other.co_names,
        other.co_varnames,
    ) and all(
        _same_code(a, b)
        if isinstance(a, CodeType) and isinstance(b, CodeType)
        else repr(a) == repr(b)
        for a, b in zip(one.co_consts, other.co_consts, strict=True)
    )
