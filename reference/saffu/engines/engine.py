"""Map and reduce: what every engine promises, and the engine that is this process.   (SPEC 1)

    total = (…((f(p_1) + f(p_2)) + f(p_3)) + … ) + f(p_n)

The sum is taken from left to right, in the order of the parts, whoever computed them and whenever
they arrived.  So the same parts give the same bits on every engine, with any number of workers, and
whatever was lost and computed again.  Where the totals are whole numbers, any other parts of the
same data give the same bits too, as long as the numbers stay below 2^53.   [D]
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, Protocol, TypeVar, runtime_checkable

from saffu.errors import NoSamples

Part = TypeVar("Part")
Total = TypeVar("Total")


def nobody(done: int) -> None:
    """Hears how far the sum has come, and tells no one."""


@runtime_checkable
class Engine(Protocol):
    """Something that adds up."""

    @property
    def workers(self) -> int:
        """How many parts it works on at a time."""

    @property
    def recomputed(self) -> int:
        """How many parts were begun again, because the worker that had them was lost."""

    def map_reduce(
        self,
        function: Callable[[Part], Total],
        parts: Iterable[Part],
        add: Callable[[Total, Total], Total],
        done: Callable[[int], None] = nobody,
    ) -> Total:
        """The sum of `function(part)` over all parts, from left to right.

        Parameters: `function` and the parts must be picklable, unless the engine is `Serial`; `add`
        runs in this process; `done(n)` hears how many parts are in the sum.  Parts are asked for as
        they are needed, and only so many answers wait for their turn that memory stays bounded.
        Refuses: no parts; a part whose workers are lost again and again.
        """


class Fold(Generic[Total]):
    """A sum from left to right of answers that arrive in any order.

    >>> fold = Fold(lambda a, b: a + b, nobody)
    >>> fold.put(1, "b")
    >>> fold.put(0, "a")
    >>> fold.total("letters"), fold.next
    ('ab', 2)
    """

    def __init__(
        self, add: Callable[[Total, Total], Total], done: Callable[[int], None] = nobody
    ) -> None:
        self.next = 0
        """The first part that is not in the sum."""
        self._add = add
        self._done = done
        self._waiting: dict[int, Total] = {}
        self._total: list[Total] = []

    def put(self, index: int, answer: Total) -> None:
        """Take the answer of one part; add it when all before it are in the sum."""
        self._waiting[index] = answer
        while self.next in self._waiting:
            more = self._waiting.pop(self.next)
            self._total = [self._add(self._total[0], more) if self._total else more]
            self.next += 1
            self._done(self.next)

    def total(self, name: str = "parts") -> Total:
        """The sum.  Refuses: nothing was added."""
        if not self._total:
            raise NoSamples(name, "SPEC 1")
        return self._total[0]


class Serial:
    """This process: one part after the other.

    >>> Serial().map_reduce(len, ["a", "bc"], lambda a, b: a + b)
    3
    """

    workers = 1
    recomputed = 0

    def map_reduce(
        self,
        function: Callable[[Part], Total],
        parts: Iterable[Part],
        add: Callable[[Total, Total], Total],
        done: Callable[[int], None] = nobody,
    ) -> Total:
        """The sum of `function(part)` over all parts."""
        fold = Fold(add, done)
        for index, part in enumerate(parts):
            fold.put(index, function(part))
        return fold.total()
