"""The numbers of a model as one record and as a flat row of arrays.   (SPEC 4)"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saffu.configuration import Configuration
from saffu.contexts import BlockContext, DocumentContext, RadialContext
from saffu.errors import BadOption, WrongShape
from saffu.layer import LayerOptions
from saffu.parameters import (
    LayerParameters,
    Parameters,
    assemble,
    cast,
    cold_start,
    flatten,
    names,
    shapes,
    unflatten,
)
from saffu.types import Array
from spec_tests.support.models import configurations, random_parameters

WIDE = Configuration(
    vocabulary=19,
    contexts=(RadialContext(3), DocumentContext(), BlockContext(2)),
    bits=5,
    label_bits=7,
    radii=(1, 4),
    combine="cat",
    layer=LayerOptions("cat"),
    depth=2,
)


def same(one: Parameters, other: Parameters) -> bool:
    """Equal form, and the very same arrays."""
    return names(one) == names(other) and all(
        a is b for a, b in zip(flatten(one), flatten(other), strict=True)
    )


# --- shapes and names ---------------------------------------------------------------------------


def test_the_shapes_of_a_model_by_hand() -> None:
    """D = 2·5 = 10, N_h = 7; W [B, B], U [B·D, N_h]; O [3·7, 19]."""
    assert shapes(WIDE) == (
        (19, 10),
        *((3, 3), (30, 7), (3, 3), (21, 7)),
        *((0, 0), (10, 7)),
        *((2, 2), (20, 7), (2, 2), (14, 7)),
        (21, 19),
    )


def test_names_say_which_array_is_which() -> None:
    assert names(random_parameters(WIDE)) == (
        "embedding",
        *("tower0.layer0.attention", "tower0.layer0.features"),
        *("tower0.layer1.attention", "tower0.layer1.features"),
        *("tower1.layer0.attention", "tower1.layer0.features"),
        *("tower2.layer0.attention", "tower2.layer0.features"),
        *("tower2.layer1.attention", "tower2.layer1.features"),
        "output",
    )


def test_leaves_stand_where_the_names_say() -> None:
    parameters = random_parameters(WIDE)
    for name, leaf in zip(names(parameters), flatten(parameters), strict=True):
        if "." not in name:
            assert leaf is getattr(parameters, name)
            continue
        tower, layer, field = name.split(".")
        holder = parameters.towers[int(tower[5:])][int(layer[5:])]
        assert leaf is getattr(holder, field)


@given(configurations())
def test_shapes_and_names_go_with_the_leaves(configuration: Configuration) -> None:
    parameters = random_parameters(configuration)
    assert tuple(leaf.shape for leaf in flatten(parameters)) == shapes(configuration)
    assert len(set(names(parameters))) == len(flatten(parameters))


# --- there and back -----------------------------------------------------------------------------


@given(configurations())
def test_rebuild_undoes_leaves_and_leaves_undo_rebuild(configuration: Configuration) -> None:
    parameters, other = random_parameters(configuration, 1), random_parameters(configuration, 2)
    assert same(unflatten(other, flatten(parameters)), parameters)
    arrays = [np.zeros(k) for k in range(len(flatten(parameters)))]  # in any shape
    back = flatten(unflatten(parameters, arrays))
    assert all(a is b for a, b in zip(back, arrays, strict=True))


@given(configurations())
def test_assemble_undoes_leaves(configuration: Configuration) -> None:
    parameters = random_parameters(configuration)
    assert same(assemble(configuration, flatten(parameters)), parameters)


@pytest.mark.parametrize("difference", [-1, 1])
def test_another_number_of_arrays_is_refused(difference: int) -> None:
    parameters = random_parameters(WIDE)
    arrays = [*flatten(parameters), np.zeros((1, 1))][: len(flatten(parameters)) + difference]
    expected = rf"arrays must be a sequence of 12 arrays.*, got {12 + difference}"
    with pytest.raises(BadOption, match=expected):
        assemble(WIDE, arrays)
    with pytest.raises(BadOption, match=expected):
        unflatten(parameters, arrays)


@pytest.mark.parametrize("index", range(12))
def test_arrays_of_other_shapes_are_refused_by_index(index: int) -> None:
    arrays: list[Array] = list(flatten(random_parameters(WIDE)))
    arrays[index] = np.zeros((arrays[index].shape[0] + 1, arrays[index].shape[1]))
    with pytest.raises(WrongShape, match=rf"arrays\[{index}\] must have shape"):
        assemble(WIDE, arrays)


# --- precision ------------------------------------------------------------------------------------


@given(configurations())
def test_cast_keeps_the_form_and_rounds_the_numbers(configuration: Configuration) -> None:
    parameters = random_parameters(configuration)
    single = cast(parameters, np.float32)
    assert names(single) == names(parameters)
    for got, given_ in zip(flatten(single), flatten(parameters), strict=True):
        assert got.dtype == np.float32
        assert got.tobytes() == given_.astype(np.float32).tobytes()
    back = cast(single, np.float64)
    for got, given_ in zip(flatten(back), flatten(single), strict=True):
        assert got.dtype == np.float64
        assert np.array_equal(got, given_)


# --- a cold start -----------------------------------------------------------------------------


def start(scale: float, seed: int = 5, dtype: Any = np.float64) -> Parameters:
    embedding = random_parameters(WIDE).embedding.astype(dtype)
    return cold_start(WIDE, embedding, scale=scale, seed=seed)


def drawn(parameters: Parameters) -> Array:
    """All numbers that a cold start draws, one after the other."""
    return np.concatenate([leaf.ravel() for leaf in flatten(parameters)[1:]])


@given(st.integers(0, 2**32), st.floats(0, 1e3))
def test_a_cold_start_is_a_matter_of_its_seed(seed: int, scale: float) -> None:
    embedding = random_parameters(WIDE).embedding
    one, two = (cold_start(WIDE, embedding, scale=scale, seed=seed) for _ in range(2))
    assert one.embedding is embedding
    assert tuple(leaf.shape for leaf in flatten(one)) == shapes(WIDE)
    assert drawn(one).tobytes() == drawn(two).tobytes()
    np.testing.assert_allclose(drawn(one), scale * drawn(start(1.0, seed)), rtol=1e-12)


def test_other_seeds_give_other_numbers() -> None:
    assert not np.any(drawn(start(1.0, 5)) == drawn(start(1.0, 6)))


def test_no_number_is_drawn_twice() -> None:
    numbers = drawn(start(1.0))
    assert len(set(numbers.tolist())) == numbers.shape[0]


def test_the_scale_is_the_standard_deviation() -> None:
    """For n numbers the mean is within 5/√n of zero, the deviation within 5/√2n of the scale."""
    numbers = drawn(start(0.25))
    n = numbers.shape[0]
    assert n > 1000
    assert abs(numbers.mean()) < 0.25 * 5 / math.sqrt(n)
    assert abs(numbers.std() / 0.25 - 1) < 5 / math.sqrt(2 * n)


def test_scale_zero_gives_zeros() -> None:
    assert not drawn(start(0.0)).any()


def test_a_cold_start_has_the_precision_of_its_embedding() -> None:
    single = start(0.5, dtype=np.float32)
    assert {leaf.dtype for leaf in flatten(single)} == {np.dtype(np.float32)}
    np.testing.assert_allclose(drawn(single), drawn(start(0.5)), rtol=1e-6)


@pytest.mark.parametrize("scale", [-0.1, math.nan, math.inf])
def test_scales_that_are_none_are_refused(scale: float) -> None:
    with pytest.raises(BadOption, match="scale must be a finite number >= 0"):
        start(scale)


def test_an_embedding_of_another_width_is_refused() -> None:
    with pytest.raises(WrongShape, match=r"arrays\[0\] must have shape .*, got \(19, 11\)"):
        cold_start(WIDE, np.ones((19, 11)), scale=0.0, seed=1)


# --- records --------------------------------------------------------------------------------------


def test_a_layer_of_a_document_has_no_attention() -> None:
    (layer,) = start(1.0).towers[1]
    assert isinstance(layer, LayerParameters)
    assert layer.attention.shape == (0, 0)
