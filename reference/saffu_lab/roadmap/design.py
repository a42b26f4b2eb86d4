"""Experimental design: which models of a space are measured, all or a balanced draw.   [D]

A draw is balanced factor by factor: every value of a factor is given to the same number of models,
within one.  Each column of the table of models consists of random permutations of the values and is
then shuffled.  A value listed twice gets twice as many models.  Of `DRAWS` such tables, the one
with the largest det(XᵀX) is kept, where X holds the factors in effects coding (`effects_coding`),
so that the effects of the factors are separated as well as possible (D-optimality; Wald 1943).

Then every model that is refused, or occurs twice, exchanges one value with another model.  This
keeps the columns balanced, except for choices that have no effect (`Space.canonical`).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from itertools import product
from math import prod
from typing import Final

import numpy as np

from saffu.errors import BadOption, SaffuError
from saffu.types import Array, IntArray
from saffu_lab.roadmap.analysis import effects_coding
from saffu_lab.roadmap.space import Levels, Space
from saffu_lab.study.recipes import configuration_of

DRAWS: Final = 20
SMALL: Final = 10_000
"""Up to this many combinations, all are enumerated to count the distinct models."""
EXCHANGES: Final = 1_000
"""Attempted exchanges per model."""


def models_of(space: Space, most: int, seed: int) -> list[Levels]:
    """At most `most` distinct models: all of the space, or a balanced draw.

    Refuses: a space in which every combination is refused.
    """
    few = prod(len(set(values)) for values in space.factors.values()) <= SMALL
    models = list(grid(space)) if few else None
    if models is None or len(models) > most:
        models = draw(space, most, np.random.default_rng(seed))
    if not models:
        first = {name: values[0] for name, values in space.factors.items()}
        expected = "a space with at least one combination that is a model and is not skipped"
        try:
            configuration_of(space.recipe(first))
        except SaffuError as problem:
            raise BadOption("[space]", first, f"{expected} ({problem})", "SPEC 4") from problem
        raise BadOption("[space]", first, expected, "SPEC 4")
    return models


def grid(space: Space) -> Iterator[Levels]:
    """Every model of a space once, in the order of the values."""
    seen = set()
    for values in product(*map(dict.fromkeys, space.factors.values())):
        levels = space.canonical(dict(zip(space.factors, values, strict=True)))
        key = tuple(levels.values())
        if key not in seen and space.allowed(levels):
            seen.add(key)
            yield levels


def draw(space: Space, models: int, random: np.random.Generator) -> list[Levels]:
    """A balanced draw of distinct models; fewer than `models` if exchanges find no more."""
    sizes = [len(values) for values in space.factors.values()]
    tables = [balanced(sizes, models, random) for _ in range(DRAWS)]
    table = max(tables, key=_separation(space))

    def levels_of(row: IntArray) -> Levels:
        chosen = {
            name: values[i] for (name, values), i in zip(space.factors.items(), row, strict=True)
        }
        return space.canonical(chosen)

    def identity(row: IntArray) -> Hashable | None:
        levels = levels_of(row)
        return tuple(levels.values()) if space.allowed(levels) else None

    return [levels_of(row) for row in exchanged(table, identity, random)]


def balanced(sizes: list[int], rows: int, random: np.random.Generator) -> IntArray:
    """A table [rows, factors] of value indices; each value of a factor occurs equally often, within
    one.

    >>> balanced([2, 3], 6, np.random.default_rng(0)).sum(axis=0).tolist()
    [3, 6]
    """
    columns = []
    for size in sizes:
        blocks = [random.permutation(size) for _ in range(-(-rows // size))]
        column = np.concatenate(blocks)[:rows]
        columns.append(random.permutation(column))
    return np.stack(columns, axis=1)


def exchanged(
    table: IntArray, identity: Callable[[IntArray], Hashable | None], random: np.random.Generator
) -> IntArray:
    """The table after exchanges within columns, so that rows are valid and distinct models; rows
    for which no exchange was found are left out.

    Parameters: `identity`, the model of a row, or None if it is not a valid model.
    """
    table = table.copy()
    names = [identity(row) for row in table]
    taken: set[Hashable] = set()
    good = np.zeros(len(names), dtype=bool)
    for i, name in enumerate(names):
        if name is not None and name not in taken:
            good[i] = True
            taken.add(name)
    for i in np.flatnonzero(~good).tolist():
        for _ in range(EXCHANGES):
            j, column = int(random.integers(len(names))), int(random.integers(table.shape[1]))
            before = table[[i, j], column].copy()
            table[[i, j], column] = before[::-1]
            name, other = identity(table[i]), identity(table[j])
            if i == j or (good[j] and (other is None or other in taken - {names[j]})):
                table[[i, j], column] = before
                continue
            if good[j]:
                taken = (taken - {names[j]}) | {other}
            names[i], names[j] = name, other  # the bad row wanders until it fits
            if name is not None and name not in taken:
                good[i] = True
                taken.add(name)
                break
    return table[good]


def _separation(space: Space) -> Callable[[IntArray], float]:
    """log det(XᵀX) of a table: how well its effects are separated."""
    lists = list(space.factors.values())
    distinct = [list(dict.fromkeys(values)) for values in lists]
    places = [
        np.array([own.index(value) for value in values])
        for own, values in zip(distinct, lists, strict=True)
    ]

    def of(table: IntArray) -> float:
        columns = [np.ones((table.shape[0], 1))]
        for f, own in enumerate(distinct):
            columns.append(effects_coding(places[f][table[:, f]], len(own)))
        coded: Array = np.concatenate(columns, axis=1)
        sign, value = np.linalg.slogdet(coded.T @ coded)
        return float(value) if sign > 0 else -np.inf

    return of
