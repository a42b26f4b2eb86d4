"""What takes the spec tests abroad is itself tested: nothing comes home by another door."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from saffu.arrays.namespace import namespace, on_host
from saffu.batch import DocumentPlan, TowerPlan
from saffu.batch import place as batch_place
from saffu.model import model_forward, model_gradient, model_loss
from saffu.optim import adam_start, adam_step
from saffu.parameters import cast, cold_start, flatten, place, unflatten
from saffu.types import Array
from saffu.warm.layer import WarmSettings
from saffu.warm.start import warm_start
from spec_tests.support.array_libraries import LIBRARIES, Library
from spec_tests.support.models import TEXT, random_parameters, small, whole
from spec_tests.support.through_library import Crossing, ThroughLibrary


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

    abroad = ThroughLibrary(library)
    wrapped_inner, wrapped = abroad.wrapped("inner", inner), abroad.wrapped("outer", outer)
    assert wrapped(X).tolist() == [2.0, 6.0]
    assert all(map(library.owns, seen))
    assert abroad.calls == {"outer": 1}
    assert not abroad.inside


def test_a_call_without_numbers_does_not_count(library: Library) -> None:
    abroad = ThroughLibrary(library)
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
    wrapped = ThroughLibrary(LIBRARIES["strict"]()).wrapped("sneak", sneak)
    with pytest.raises((RuntimeError, TypeError, ValueError)):
        wrapped(X)


# --- a whole model abroad ---------------------------------------------------------------------


def trained(like: Array, batch_like: Array) -> list[Array]:
    """Solve a model of three towers, train it for some steps, and bring it home."""
    shape = small(depth=2)
    parameters = warm_start(TEXT, shape, WarmSettings(refits=1), like=like).parameters
    batch = batch_place(whole(TEXT, shape), batch_like)
    state = adam_start(flatten(parameters))
    for _ in range(3):
        gradient = model_gradient(parameters, batch, shape.layer, signed=True)
        new, state = adam_step(flatten(parameters), flatten(gradient), state, 0.01)
        parameters = unflatten(parameters, new)
    there = place(cast(parameters, namespace(like).float64), like)
    loss = model_loss(there, batch, shape.layer, signed=True)
    return [*(on_host(x) for x in flatten(there)), np.asarray(loss)]


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize("batch_abroad", [False, True])
def test_a_model_is_solved_and_trained(library: Library, batch_abroad: bool) -> None:
    home = np.zeros(1)
    there: Array = library.take(home)
    expected = trained(home, home)
    got = trained(there, there if batch_abroad else home)
    for mine, theirs in zip(got, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-8, atol=1e-10)


@pytest.mark.usefixtures("as_users_call")
def test_a_model_travels(library: Library) -> None:
    shape = small()
    parameters = random_parameters(shape)
    there = place(parameters, library.take(np.zeros(1)))
    assert all(map(library.owns, flatten(there)))
    assert place(there, there.output).output is there.output
    batch = batch_place(whole(TEXT, shape), there.output)
    assert library.owns(batch.targets)
    assert all(library.owns(x) for tower in batch.towers for x in flat(tower))
    expected = model_forward(parameters, whole(TEXT, shape), shape.layer).logits
    got = model_forward(there, batch, shape.layer).logits
    np.testing.assert_allclose(on_host(got), expected, rtol=1e-12)
    single = cast(there, library.xp.float32)
    assert all(x.dtype == library.xp.float32 for x in flatten(single))
    cold = cold_start(shape, there.embedding, scale=0.5, seed=3)
    assert all(map(library.owns, flatten(cold)))
    at_home = cold_start(shape, parameters.embedding, scale=0.5, seed=3)
    for mine, theirs in zip(flatten(cold), flatten(at_home), strict=True):
        assert np.array_equal(on_host(mine), theirs)


def test_the_example_of_the_page_about_arrays(tmp_path: Path) -> None:
    page = (Path(__file__).parent.parent / "docs" / "arrays.md").read_text(encoding="utf-8")
    _, example, _ = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    (tmp_path / "example.py").write_text(example, encoding="utf-8")
    assert example.count("assert ") == 2
    command = [sys.executable, "-W", "error", str(tmp_path / "example.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def flat(tower: TowerPlan) -> list[Array]:
    return list(tower) if isinstance(tower, DocumentPlan) else [x for step in tower for x in step]
