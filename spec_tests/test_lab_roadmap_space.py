"""Spaces of models, and which of them are measured: balance, no model twice, nothing refused."""

from __future__ import annotations

from collections import Counter
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saffu.errors import BadOption, SaffuError
from saffu.types import IntArray
from saffu_lab.roadmap.design import balanced, exchanged, grid, models_of
from saffu_lab.roadmap.space import FACTORS, Space, check_level, meaningless, parse_embedding
from saffu_lab.study.recipes import configuration_of

SHARED = {"vocabulary": 251}
WIDE = Space(
    {
        "contexts": ("radial:2", "radial:3", "block:5"),
        "bits": (11, 13, 17, 19, 23),
        "label_bits": (29, 31),
        "aggregation": ("cat", "cat", "sum"),
    },
    SHARED,
)
"""Every combination is a model, and no choice is without meaning."""


@given(
    sizes=st.lists(st.integers(1, 7), min_size=1, max_size=5),
    rows=st.integers(1, 47),
    seed=st.integers(0, 1000),
)
def test_a_balanced_table_has_every_value_equally_often_give_or_take_one(
    sizes: list[int], rows: int, seed: int
) -> None:
    table = balanced(sizes, rows, np.random.default_rng(seed))
    assert table.shape == (rows, len(sizes))
    for column, size in zip(table.T, sizes, strict=True):
        counts = np.bincount(column, minlength=size)
        assert counts.shape == (size,)
        assert counts.max() - counts.min() <= 1


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_draw_is_balanced_and_repeats_nothing(seed: int) -> None:
    models = models_of(WIDE, 43, seed)
    assert len(models) == 43
    assert len({tuple(levels.values()) for levels in models}) == 43
    for factor, least, most in (("contexts", 14, 15), ("bits", 8, 9), ("label_bits", 21, 22)):
        counts = Counter(levels[factor] for levels in models)
        assert set(counts.values()) <= {least, most}
    assert Counter(levels["aggregation"] for levels in models)["sum"] in (14, 15)
    assert models == models_of(WIDE, 43, seed)
    assert models != models_of(WIDE, 43, seed + 7)


def test_a_small_space_is_taken_whole() -> None:
    models = models_of(WIDE, 60, 1)
    assert len(models) == 3 * 5 * 2 * 2
    assert models == models_of(WIDE, 1000, 9)
    assert models == list(grid(WIDE))


@given(rows=st.integers(2, 13), seed=st.integers(0, 1000))
def test_exchanges_leave_columns_as_they_are_and_end_with_different_models(
    rows: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    table = random.integers(0, 4, (rows, 3))

    def identity(row: IntArray) -> tuple[int, ...] | None:
        return None if row[0] == 3 and row[1] == 3 else tuple(row.tolist())

    found = exchanged(table, identity, random)
    names = [identity(row) for row in found]
    assert None not in names
    assert len(set(names)) == len(names)
    if len(found) == rows:
        assert np.array_equal(np.sort(found, axis=0), np.sort(table, axis=0))


def test_two_skips_at_once_are_left_in_the_end() -> None:
    # a row that breaks two rules cannot be saved by one exchange
    space = Space(
        {
            "bits": tuple(range(11, 31)),
            "label_bits": (11, 13, 17),
            "depth": (1, 1, 1, 1, 1, 1, 1, 2),
            "contexts": ("radial:2", "radial:3", "radial:5"),
        },
        SHARED,
        (
            {"depth": 2, "label_bits": [13, 17]},
            {"depth": 2, "contexts": ["radial:3", "radial:5"]},
            {"label_bits": 17, "contexts": "radial:5"},
        ),
    )
    models = models_of(space, 40, 3)
    assert len(models) == 40
    assert all(space.allowed(levels) for levels in models)


def test_skips_leave_out_exactly_their_combinations() -> None:
    space = Space(WIDE.factors, SHARED, ({"bits": [11, 23], "contexts": "block:5"},))
    points = [dict(zip(WIDE.factors, v, strict=True)) for v in product(*WIDE.factors.values())]
    for levels in points:
        skipped = levels["bits"] in (11, 23) and levels["contexts"] == "block:5"
        assert space.allowed(levels) is not skipped
    assert len(list(grid(space))) == 60 - 2 * 2 * 2


def test_what_a_configuration_refuses_is_left_out() -> None:
    space = Space({"bits": (7, 8), "label_bits": (8, 11)}, SHARED)  # 251 tokens need 8 bits
    assert [levels["bits"] for levels in grid(space)] == [8, 8]
    with pytest.raises(BadOption, match=r"at least one combination.*bits must be at least 8"):
        models_of(Space({"bits": (5, 7)}, SHARED), 3, 1)
    with pytest.raises(BadOption, match=r"at least one combination .* is not skipped, got"):
        models_of(Space({"depth": (1,)}, SHARED, ({"depth": 1},)), 3, 1)


FULL: dict[str, tuple[Any, ...]] = {
    "contexts": ("radial:3", "document"),
    "aggregation": ("cat", "sum"),
    "attention": ("softmax", "surprisal", "uniform"),
    "gain": ("count", "unit"),
    "depth": (1, 2),
    "rounds": (1, 0),
}


@given(values=st.tuples(*(st.sampled_from(v) for v in FULL.values())))
def test_a_choice_without_meaning_gets_the_first_value(values: tuple[Any, ...]) -> None:
    space = Space(FULL, SHARED)
    levels = dict(zip(FULL, values, strict=True))
    canonical = space.canonical(levels)
    assert space.canonical(canonical) == canonical
    void = meaningless(space.recipe(levels))
    for factor in FULL:
        expected = FULL[factor][0] if factor in void else levels[factor]
        assert canonical[factor] == expected


def test_choices_without_meaning_are_those_of_the_layer() -> None:
    assert meaningless({"contexts": "document"}) == (
        *("aggregation", "attention", "gain", "depth", "rounds"),
    )
    assert meaningless({"contexts": "radial:3,document"}) == ()
    assert meaningless({"contexts": "radial:3", "attention": "uniform"}) == ("rounds",)
    assert len(list(grid(Space(FULL, SHARED)))) == 1 + 2 * 2 * (4 + 2 + 2)


def test_embeddings_are_read_as_radii() -> None:
    assert parse_embedding("cat:2,11") == {"combine": "cat", "radii": [2, 11]}
    for wrong in ("", "radial", "sum", "sum:", "cat:2,x", "sum:-1", "mean:2"):
        with pytest.raises(BadOption, match="embedding"):
            parse_embedding(wrong)


GOOD = {
    "contexts": "radial:3,document",
    "embedding": "cat:2,8",
    "bits": 64,
    "label_bits": 64,
    "aggregation": "sum",
    "attention": "surprisal",
    "gain": "unit",
    "depth": 2,
    "rounds": 0,
}
BAD: dict[str, list[Any]] = {
    "contexts": ["radial", "radial:0", 3, ""],
    "embedding": ["cat:8,2", "sum:0", 5],
    "bits": [0, 64.0, "64", True],
    "label_bits": [-1],
    "aggregation": ["max", 1],
    "attention": ["dot"],
    "gain": ["none"],
    "depth": [0],
    "rounds": [-1],
}


@pytest.mark.parametrize("factor", list(FACTORS))
def test_values_are_checked_one_by_one(factor: str) -> None:
    check_level(factor, GOOD[factor])
    for wrong in BAD[factor]:
        with pytest.raises(SaffuError):
            check_level(factor, wrong)


def test_a_point_becomes_the_recipe_of_its_model() -> None:
    space = Space({name: (value,) for name, value in GOOD.items()}, SHARED)
    shape = configuration_of(space.recipe(GOOD))
    assert shape.radii == (2, 8)
    assert shape.combine == "cat"
    assert (shape.bits, shape.label_bits, shape.depth, shape.vocabulary) == (64, 64, 2, 251)
    assert (shape.layer.aggregation, shape.layer.attention, shape.layer.gain) == (
        *("sum", "surprisal", "unit"),
    )
