"""Map-reduce in a fixed order: the interface of engines, and the serial one.   (SPEC 1)

    total = (…((f(p_1) + f(p_2)) + f(p_3)) + … ) + f(p_n)

The sum is taken from left to right, in the order of the parts, whichever worker computed them and
whenever they arrived.  So the same parts give the same bits on every engine, with any number of
workers, and whatever was lost and computed again.  Where the totals are whole numbers below 2^53,
any other parts of the same data give the same bits, too.   [D]
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, Protocol, TypeVar, runtime_checkable

from saffu.errors import NoSamples

Part = TypeVar("Part")
Total = TypeVar("Total")


def nobody(done: int) -> None:
    """Ignore the progress of the sum."""


@runtime_checkable
class Engine(Protocol):
    """A way to add up the answers of many parts."""

    @property
    def workers(self) -> int:
        """The number of parts that it works on at a time."""

    @property
    def recomputed(self) -> int:
        """The number of parts that were begun again, because their worker was lost."""

    def map_reduce(
        self,
        function: Callable[[Part], Total],
        parts: Iterable[Part],
        add: Callable[[Total, Total], Total],
        done: Callable[[int], None] = nobody,
    ) -> Total:
        """The sum of `function(part)` over all parts, from left to right.

        Parameters: `function` and the parts must be picklable, unless the engine is `Serial`; `add`
        runs in this process; `done(n)` is called with the number of parts in the sum.  Parts are
        requested as they are needed, and the number of answers that wait for their turn is bounded,
        and with it the memory.
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
