"""The numbers of a model, as one immutable record, and as a flat row of arrays.   (SPEC 4)"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from saffu import checks
from saffu.arrays.namespace import beside, namespace
from saffu.arrays.operation import operation
from saffu.configuration import Configuration
from saffu.errors import BadOption
from saffu.types import Array, AttentionWeights, Embedding, FeatureWeights, Weights

_SPEC: Final = "SPEC 4"


class LayerParameters(NamedTuple):
    """One SAFFU layer.  The layer of a bag has no slots, so its W is [0, 0]."""

    attention: AttentionWeights
    """W [B, B]"""
    features: FeatureWeights
    """U [S, N_h]"""


class Parameters(NamedTuple):
    """A whole model.  Gradients have the same form."""

    embedding: Embedding
    """E [V, D]"""
    towers: tuple[tuple[LayerParameters, ...], ...]
    """one per context model, from the bottom up"""
    output: Weights
    """O [C·N_h, V]"""


@operation
def flatten(parameters: Parameters) -> tuple[Array, ...]:
    """All arrays in a fixed order: E, then W and U of each layer of each tower, then O."""
    inner = [array for tower in parameters.towers for layer in tower for array in layer]
    return (parameters.embedding, *inner, parameters.output)


@operation
def unflatten(like: Parameters, arrays: Sequence[Array]) -> Parameters:
    """The inverse of `flatten`, in the form of `like`.  Refuses another number of arrays.

    >>> p = Parameters(np.zeros((2, 1)), ((LayerParameters(np.zeros((1, 1)), np.ones((1, 3))),),),
    ...                np.zeros((3, 2)))
    >>> unflatten(p, flatten(p)).towers[0][0].features.tolist()
    [[1.0, 1.0, 1.0]]
    """
    expected = len(names(like))
    if len(arrays) != expected:
        raise BadOption("arrays", len(arrays), f"a sequence of {expected} arrays", _SPEC)
    inner = iter(arrays[1:-1])
    towers = tuple(
        tuple(LayerParameters(next(inner), next(inner)) for _ in tower) for tower in like.towers
    )
    return Parameters(arrays[0], towers, arrays[-1])


def names(parameters: Parameters) -> tuple[str, ...]:
    """A name for each array of `flatten`, for messages and files."""
    inner = [
        f"tower{c}.layer{i}.{name}"
        for c, tower in enumerate(parameters.towers)
        for i, _ in enumerate(tower)
        for name in LayerParameters._fields
    ]
    return ("embedding", *inner, "output")


def shapes(configuration: Configuration) -> tuple[tuple[int, int], ...]:
    """The shape of each array of `flatten`."""
    inner: list[tuple[int, int]] = []
    for context in configuration.contexts:
        slots = context.slots
        for level in range(configuration.layers(context)):
            inner += [
                (slots, slots),
                (configuration.features(context, level), configuration.label_bits),
            ]
    read = len(configuration.contexts) * configuration.label_bits
    v = configuration.vocabulary
    return ((v, configuration.width), *inner, (read, v))


@operation
def assemble(configuration: Configuration, arrays: Sequence[Array]) -> Parameters:
    """The parameters that `flatten` returned.  Refuses shapes that the configuration lacks."""
    expected = shapes(configuration)
    if len(arrays) != len(expected):
        raise BadOption("arrays", len(arrays), f"a sequence of {len(expected)} arrays", _SPEC)
    inner = iter(zip(arrays[1:-1], expected[1:-1], strict=True))
    for index, (array, shape) in enumerate(zip(arrays, expected, strict=True)):
        checks.same_shape(f"arrays[{index}]", array, shape, "the configuration", _SPEC)
    towers = tuple(
        tuple(
            LayerParameters(next(inner)[0], next(inner)[0])
            for _ in range(configuration.layers(context))
        )
        for context in configuration.contexts
    )
    return Parameters(arrays[0], towers, arrays[-1])


@operation
def cold_start(
    configuration: Configuration, embedding: Embedding, *, scale: float, seed: int
) -> Parameters:
    """Random normal weights of standard deviation `scale`, zeros for `scale=0`; E as given.

    >>> from saffu.configuration import TINY
    >>> cold_start(TINY, np.ones((256, 32)), scale=0.0, seed=1).output.any().item()
    False
    """
    checks.positive("scale", scale, "SPEC 7", zero=True)
    random = np.random.default_rng(seed)
    drawn = [
        namespace(embedding).asarray(
            scale * random.standard_normal(shape),
            dtype=embedding.dtype,
            device=embedding.device,
        )
        for shape in shapes(configuration)[1:]
    ]
    return assemble(configuration, (embedding, *drawn))


def place(parameters: Parameters, like: Array) -> Parameters:
    """The same numbers as arrays of the library and on the device of `like`, from NumPy's."""
    return unflatten(parameters, [beside(array, like) for array in flatten(parameters)])


def cast(parameters: Parameters, dtype: object) -> Parameters:
    """The same numbers in another precision."""
    arrays = flatten(parameters)
    xp = namespace(*arrays)
    return unflatten(parameters, [xp.astype(a, dtype) for a in arrays])
