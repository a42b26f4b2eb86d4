"""Gradients of whatever the loops compute, in the arithmetic that they compute in.

Every operation leaves a node that knows its parents and its derivatives in them; going through the
nodes backwards adds up, for each, the derivative of the end in it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

from spec_tests.support.oracle.arithmetic import Arithmetic, Number, Row

_count = itertools.count()


class Node:
    """A value on the tape."""

    __slots__ = ("order", "parents", "tape", "value")

    def __init__(self, tape: Tape, value: Number, *parents: tuple[Node, Number]) -> None:
        self.tape = tape
        self.value = value
        self.parents = parents
        self.order = next(_count)

    def __add__(self, other: Number) -> Node:
        b = self.tape.node(other)
        one = self.tape.one
        return Node(self.tape, self.value + b.value, (self, one), (b, one))

    def __neg__(self) -> Node:
        return Node(self.tape, -self.value, (self, -self.tape.one))

    def __sub__(self, other: Number) -> Node:
        return self + (-self.tape.node(other))

    def __rsub__(self, other: Number) -> Node:
        return self.tape.node(other) - self

    def __mul__(self, other: Number) -> Node:
        b = self.tape.node(other)
        return Node(self.tape, self.value * b.value, (self, b.value), (b, self.value))

    def __truediv__(self, other: Number) -> Node:
        b = self.tape.node(other)
        quotient = self.value / b.value
        return Node(self.tape, quotient, (self, 1 / b.value), (b, -quotient / b.value))

    def __rtruediv__(self, other: Number) -> Node:
        return self.tape.node(other) / self

    __radd__ = __add__
    __rmul__ = __mul__

    def __lt__(self, other: Number) -> bool:
        return bool(self.value < self.tape.node(other).value)

    def __gt__(self, other: Number) -> bool:
        return bool(self.value > self.tape.node(other).value)


class Tape:
    """An arithmetic whose numbers remember how they came about."""

    def __init__(self, inner: Arithmetic) -> None:
        self.inner = inner
        self.near = inner.near
        self.one = inner.number(1)

    def node(self, x: Number) -> Node:
        """A number of the inner arithmetic, or a plain one, as a node without parents."""
        if isinstance(x, Node):
            return x
        return Node(self, self.inner.number(x) if isinstance(x, (int, float)) else x)

    def number(self, x: float) -> Number:
        return Node(self, self.inner.number(x))

    def fresh(self, x: Number) -> Number:
        return Node(self, self.inner.fresh(x.value))

    def exp(self, x: Number) -> Number:
        y = self.inner.exp(x.value)
        return Node(self, y, (x, y))

    def log(self, x: Number) -> Number:
        return Node(self, self.inner.log(x.value), (x, 1 / x.value))

    def sqrt(self, x: Number) -> Number:
        y = self.inner.sqrt(x.value)
        return Node(self, y, (x, 1 / (2 * y)))

    def total(self, terms: Iterable[Number]) -> Number:
        nodes = [self.node(term) for term in terms]
        value = self.inner.total(node.value for node in nodes)
        return Node(self, value, *((node, self.one) for node in nodes))

    def dot(self, a: Sequence[Number], b: Sequence[Number]) -> Number:
        left, right = [self.node(x) for x in a], [self.node(x) for x in b]
        value = self.inner.dot([x.value for x in left], [x.value for x in right])
        pairs = list(zip(left, right, strict=True))
        locals_ = [(x, y.value) for x, y in pairs] + [(y, x.value) for x, y in pairs]
        return Node(self, value, *locals_)

    def rounded(self, x: Number) -> float:
        return self.inner.rounded(x.value)

    def leaves(self, x: Number) -> Number:
        """Nodes without parents in place of the numbers of a table of any depth."""
        return [self.leaves(entry) for entry in x] if isinstance(x, list) else self.node(x)

    def gradient(self, end: Node, at: Number) -> Number:
        """The derivatives of `end` in the nodes of a table of any depth."""
        reached = {end}
        stack = [end]
        while stack:
            for parent, _ in stack.pop().parents:
                if parent not in reached:
                    reached.add(parent)
                    stack.append(parent)
        arrived: dict[Node, tuple[Row, Row]] = {node: ([], []) for node in reached}
        arrived[end] = ([self.one], [self.one])
        found: dict[Node, Number] = {}
        for node in sorted(reached, key=lambda one: -one.order):
            found[node] = self.inner.dot(*arrived[node])
            for parent, local in node.parents:
                arrived[parent][0].append(found[node])
                arrived[parent][1].append(local)
        return self._pick(found, at)

    def _pick(self, found: dict[Node, Number], at: Number) -> Number:
        if isinstance(at, list):
            return [self._pick(found, entry) for entry in at]
        return found.get(at, self.inner.number(0))
