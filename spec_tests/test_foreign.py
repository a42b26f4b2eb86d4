"""What takes the spec tests abroad is itself tested: nothing comes home by another door."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest

from saffu.types import Array
from spec_tests.support.abroad import Abroad, Crossing
from spec_tests.support.foreign import LIBRARIES, Library


class Row(NamedTuple):
    x: Any
    name: str


@dataclass(frozen=True)
class Record:
    x: Any
    rows: tuple[Row, ...]


X, MASK, IDS = np.array([0.5, 1.5]), np.array([True, False]), np.array([1, 0])


@pytest.mark.usefixtures("as_users_call")
def test_numbers_go_over_wherever_they_are_and_come_home(library: Library) -> None:
    given = Record(X, (Row(X.copy(), "a"), Row([X, {"x": X}], "b")))
    crossing = Crossing(library, given)
    there = crossing.over(given)
    inner = (there.x, there.rows[0].x, there.rows[1].x[0], there.rows[1].x[1]["x"])
    assert all(map(library.owns, inner))
    assert there.rows[1].name == "b"
    assert crossing.numbers == 2
    made = crossing.back(Row(there.x * 2, "new"))
    assert type(made.x) is np.ndarray
    assert made.x.tolist() == [1.0, 3.0]
    assert made.x.flags.writeable
    assert crossing.back(there).rows[0].x is given.rows[0].x  # what comes back is what went in


@pytest.mark.usefixtures("as_users_call")
def test_what_holds_no_array_is_left_as_it_is(library: Library) -> None:
    given = (Record(3.0, ()), [1, "a"], None)
    crossing = Crossing(library, given)
    assert crossing.over(given) is given
    assert crossing.over(np.float64) is library.xp.float64


@pytest.mark.usefixtures("as_users_call")
def test_text_goes_over_but_not_to_torch(library: Library) -> None:
    crossing = Crossing(library, (MASK, IDS))
    went = [library.owns(crossing.over(x)) for x in (MASK, IDS)]
    assert went == [library.name != "torch"] * 2
    assert crossing.numbers == 0


@pytest.mark.torch
@pytest.mark.usefixtures("as_users_call")
def test_torch_gets_numbers_of_one_type() -> None:
    pytest.importorskip("torch")
    given = (X + 1j, X)
    crossing = Crossing(LIBRARIES["torch"](), given)
    z, x = crossing.over(given)
    assert z.dtype == x.dtype == crossing.library.xp.complex128
    assert crossing.back(x) is X


def test_inside_of_a_call_there_is_no_numpy(library: Library) -> None:
    seen: list[Any] = []

    def inner(x: Array) -> Array:
        seen.append(x)
        return x + x

    def outer(x: Array) -> Array:
        twice: Array = wrapped_inner(x) * 2
        return twice

    abroad = Abroad(library)
    wrapped_inner, wrapped = abroad.wrapped("inner", inner), abroad.wrapped("outer", outer)
    assert wrapped(X).tolist() == [2.0, 6.0]
    assert all(map(library.owns, seen))
    assert abroad.calls == {"outer": 1}
    assert not abroad.inside


def test_a_call_without_numbers_does_not_count(library: Library) -> None:
    abroad = Abroad(library)
    same = abroad.wrapped("same", lambda x: x)
    assert same(3) == 3
    assert same(IDS) is IDS
    assert abroad.calls.total() == 0


@pytest.mark.parametrize(
    "sneak",
    [np.exp, np.asarray, lambda x: x + X, lambda x: float(np.max(x))],
    ids=["exp", "asarray", "sum", "max"],
)
def test_what_moves_to_the_host_unasked_is_seen(sneak: Any) -> None:
    wrapped = Abroad(LIBRARIES["strict"]()).wrapped("sneak", sneak)
    with pytest.raises((RuntimeError, TypeError, ValueError)):
        wrapped(X)
