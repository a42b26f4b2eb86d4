"""Public functions, called with NumPy's arrays and run on another library's.   (SPEC 9)

A wrapped function takes NumPy's arrays (also inside of records, lists and mappings) over to the
library, runs, and brings its results home.  Calls that the functions make among themselves are not
touched, so within a call all arithmetic is the library's.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np

from saffu.arrays.namespace import on_host
from saffu.types import Array
from spec_tests.conftest import shapes_unchecked
from spec_tests.support.array_libraries import Library


class Crossing:
    """Arrays of one call on their way to another library, and back."""

    def __init__(self, library: Library, given: Any) -> None:
        self.library = library
        self.whole = library.name != "torch"
        """whether whole numbers and truth values go over as well"""
        self.numbers = 0
        """arrays of numbers with a fraction that went over"""
        self.foreign = False
        """whether there was an array of the library already"""
        self.one_type = library.name == "torch" and any(map(np.iscomplexobj, arrays_in(given)))
        """whether real numbers go over as complex ones: PyTorch multiplies numbers of one type"""
        self.there: dict[int, Any] = {}
        self.here: dict[int, Any] = {}
        self.kept: list[Any] = []

    def over(self, x: Any) -> Any:
        """The same with arrays of the library; what holds none is passed on as it is."""
        return self._every(x, self._take)

    def back(self, x: Any) -> Any:
        """The same with NumPy's arrays; an argument that comes back is the argument itself."""
        return self._every(x, self._fetch)

    def _take(self, x: Any) -> Any:
        self.foreign |= self.library.owns(x)
        if isinstance(x, type) and issubclass(x, np.generic):
            return getattr(self.library.xp, x.__name__)
        if not isinstance(x, np.ndarray) or x.dtype.kind not in ("fciub" if self.whole else "fc"):
            return x
        if id(x) not in self.there:
            wide = self.one_type and x.dtype.kind == "f"
            foreign = self.library.take(x.astype(np.complex128) if wide else x)
            self.numbers += x.dtype.kind in "fc"
            self.there[id(x)], self.here[id(foreign)] = foreign, x
            self.kept += [x, foreign]  # as long as they live, their ids are theirs
        return self.there[id(x)]

    def _fetch(self, x: Any) -> Any:
        if not self.library.owns(x):
            return x
        return self.here[id(x)] if id(x) in self.here else np.array(on_host(x))

    def _every(self, x: Any, leaf: Callable[[Any], Any]) -> Any:
        if isinstance(x, (tuple, list)):
            parts = [self._every(part, leaf) for part in x]
            if all(new is old for new, old in zip(parts, x, strict=True)):
                return x
            return type(x)(*parts) if hasattr(x, "_fields") else type(x)(parts)
        if isinstance(x, dict):
            return {name: self._every(part, leaf) for name, part in x.items()}
        if dataclasses.is_dataclass(x) and not isinstance(x, type):
            fields = {f.name: getattr(x, f.name) for f in dataclasses.fields(x) if f.init}
            new = {name: self._every(part, leaf) for name, part in fields.items()}
            changed = any(new[name] is not fields[name] for name in fields)
            return dataclasses.replace(x, **new) if changed else x
        return leaf(x)


def arrays_in(x: Any) -> Iterator[Array]:
    """All of NumPy's arrays in what a function is given."""
    if isinstance(x, np.ndarray):
        yield x
    elif dataclasses.is_dataclass(x) and not isinstance(x, type):
        yield from arrays_in([getattr(x, f.name) for f in dataclasses.fields(x)])
    elif isinstance(x, (tuple, list, dict)):
        for part in x.values() if isinstance(x, dict) else x:
            yield from arrays_in(part)


class ThroughLibrary:
    """The wrapped functions, and how often each was called with foreign numbers."""

    def __init__(self, library: Library, left_alone: frozenset[str] = frozenset()) -> None:
        self.library = library
        self.left_alone = left_alone
        self.calls: Counter[str] = Counter()
        self.functions: list[str] = []
        self.inside = False

    def wrap(self, module: ModuleType) -> None:
        """Put a wrapper in the place of every public function of a module.

        Inner functions (`…_unchecked`) are not wrapped: each runs within its public operation.
        """
        for symbol, function in list(vars(module).items()):
            name = f"{module.__name__.removeprefix('saffu.')}.{symbol}"
            ours = inspect.isfunction(function) and function.__module__ == module.__name__
            inner = symbol.startswith("_") or symbol.endswith("_unchecked")
            if ours and not inner and name not in self.left_alone:
                setattr(module, symbol, self.wrapped(name, function))

    def wrapped(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """A function that takes and returns NumPy's arrays, and runs on the library's."""
        self.functions.append(name)

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            if self.inside:
                return function(*args, **kwargs)
            with self.abroad():
                crossing = Crossing(self.library, (args, kwargs))
                there, named = crossing.over(args), crossing.over(kwargs)
                if name == "warm.start.warm_start":  # text alone goes in
                    named["like"] = crossing.over(np.zeros(1))
                if crossing.foreign or not crossing.there:  # a test that takes over by itself
                    return function(*args, **kwargs)
                self.calls[name] += crossing.numbers > 0
                return crossing.back(function(*there, **named))

        return call

    @contextmanager
    def abroad(self) -> Iterator[None]:
        """While a function runs: no wrapper inside, and no checks of NumPy's shapes."""
        self.inside = True
        try:
            with shapes_unchecked():
                yield
        finally:
            self.inside = False
