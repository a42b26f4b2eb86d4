"""Label codes: the first targets of hidden layers, the cipher of parts of the classes.   (SPEC 2)

The data has no targets for hidden layers.  The first ones are label codes [T]: each class is
divided into parts, and the layer predicts the cipher of the parts, at the width of the layer.

A part of a class is an orthant about the class's mean: the samples on the same sides of it along
the principal axes of the class, 2^axes parts in all.   [D]  Means and axes come from Σ x and Σ x xᵀ
of each class.  They add up over shards of the data as co-occurrences do, so this step is explicit
too.  With no axes, the parts are the classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Int
from scipy import linalg

from saffu import checks
from saffu.arrays.namespace import on_host
from saffu.cipher import cipher_embedding
from saffu.errors import BadOption, NotAnArray, TooLargeEntry
from saffu.types import Array, Embedding, Features, IntArray, Targets, TokenIds


class Examples(NamedTuple):
    """Features and labels of M examples."""

    features: Array
    """[M, D], non-negative"""
    labels: IntArray
    """[M], whole numbers 0 … classes−1"""


@dataclass(frozen=True)
class HiddenLayer:
    """Size and first targets of a hidden layer."""

    axes: int = 0
    """principal axes along which each class is divided, into 2^axes parts"""
    width: int | None = None
    """units; None: one per part.  With fewer, the parts share units, by their cipher."""

    def __post_init__(self) -> None:
        own = object.__setattr__  # Python's integers: NumPy's would wrap in 2^axes
        own(self, "axes", checks.whole("axes", self.axes, 0, "SPEC 5"))
        if self.width is not None:
            own(self, "width", checks.whole("width", self.width, 1, "SPEC 2"))

    def units(self, classes: int) -> int:
        """The width in a network with this number of classes."""
        return classes << self.axes if self.width is None else self.width


class Parts(NamedTuple):
    """Means and principal axes, by which classes are divided."""

    means: Array
    """[N, D]"""
    axes: Array
    """[N, D, k], of unit length"""


def find_parts(examples: Examples, classes: int, axes: int) -> Parts:
    """Means and principal axes of every class.   [D]

    Parameters: `axes` k <= D, those along which the class varies most.
    Returns [N, D] and [N, D, k].  The largest entry of an axis is positive, so that signs are
    determined.
    Refuses: a class without examples; more axes than features.

    >>> X = np.array([[0.0, 1.0], [4.0, 1.0], [2.0, 0.0], [2.0, 2.0], [2.0, 1.0], [3.0, 1.0]])
    >>> find_parts(Examples(X, np.zeros(6, dtype=int)), 1, 1).axes.round(3).tolist()
    [[[1.0], [0.0]]]
    """
    width = examples.features.shape[1]
    if axes > width:
        raise BadOption("axes", axes, f"at most {width}, the number of features", "SPEC 5")
    means = np.zeros((classes, width))
    directions = np.zeros((classes, width, axes))
    for i in range(classes):
        own = examples.features[examples.labels == i]
        if not own.shape[0]:
            raise BadOption(
                "labels", f"no example of class {i}", "such that every class has examples", "SPEC 1"
            )
        means[i] = own.mean(axis=0, dtype=np.float64)
        if axes:
            last = (width - axes, width - 1)
            vectors = linalg.eigh(_scatter(own, means[i]), subset_by_index=last)[1][:, ::-1]
            top = np.argmax(np.abs(vectors), axis=0)
            directions[i] = vectors * np.sign(vectors[top, np.arange(axes)])
    return Parts(means, directions)


def _scatter(own: Features, mean: Array) -> Array:
    """Σ x xᵀ − M μ μᵀ [D, D]"""
    second: Array = (own.T @ own).astype(np.float64)
    return np.asarray(second - own.shape[0] * np.outer(mean, mean))


def part_of(parts: Parts, examples: Examples) -> Int[Array, "M"]:
    """The part that each example belongs to: class · 2^k + the sides it is on, as bits.   [D]

    >>> parts = Parts(np.array([[1.0, 1.0]]), np.array([[[1.0], [0.0]]]))
    >>> part_of(parts, Examples(np.array([[0.0, 5.0], [2.0, 0.0]]), np.array([0, 0]))).tolist()
    [0, 1]
    """
    classes, _, axes = parts.axes.shape
    sides = np.zeros(examples.labels.shape[0], dtype=np.int64)
    for i in range(classes if axes else 0):
        own = examples.labels == i
        beyond = (examples.features[own] - parts.means[i]) @ parts.axes[i] > 0
        sides[own] = beyond @ (1 << np.arange(axes))
    return np.asarray(examples.labels * (1 << axes) + sides)


def part_codes(part: TokenIds, size: int, width: int) -> Embedding:
    """The code of each part [size, width], rows of unit norm; frequent parts have few bits set.

    Refuses: more units than parts (some would have no target); too few for distinct codes.

    >>> part_codes(np.array([1, 1, 0, 2]), 3, 2).tolist()
    [[0.0, 1.0], [1.0, 0.0], [0.5, 0.5]]
    """
    if width > size:
        expected = f"at most {size}, one unit per part (raise axes for more parts)"
        raise BadOption("width", width, expected, "SPEC 2")
    return cipher_embedding(np.bincount(part, minlength=size), width)


def owners(codes: Embedding, classes: int) -> Targets:
    """The units of the parts of each class: [N, width] of zeros and ones.

    >>> owners(np.eye(4), 2).tolist()
    [[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]]
    """
    of_class = codes.reshape(classes, -1, codes.shape[1])
    return np.asarray((of_class > 0).any(axis=1).astype(np.float64))


def in_precision(name: str, given: Array, dtype: str) -> Array:
    """Features or weights in the precision of a network.

    Refuses: arrays of other libraries than NumPy; complex numbers; numbers beyond single precision
    where the network has it.
    """
    if not isinstance(given, np.ndarray):
        raise NotAnArray(name, type(given).__name__, "use saffu.arrays.namespace.on_host(x)")
    if given.dtype.kind == "c":
        raise BadOption(f"{name}.dtype", str(given.dtype), "real numbers", "SPEC 1")
    with np.errstate(over="ignore"):
        x = given.astype(dtype, copy=False)
    beyond = ~np.isfinite(x) & np.isfinite(given)
    checks.refuse_where(beyond, given, name, "SPEC 1", TooLargeEntry)
    return np.asarray(x)


def checked_examples(
    name: str, examples: Examples, features: int, classes: int, dtype: str
) -> Examples:
    """The examples in the precision of a network, their labels in int64.

    Refuses: features and labels that do not belong to each other, or not to the network.
    """
    checks.shape(f"{name}.features", examples.features, (None, features), "M D", "SPEC 1")
    checks.features(examples.features, f"{name}.features")
    checks.labels(examples.labels, examples.features.shape[0], classes, f"{name}.labels")
    x = in_precision(f"{name}.features", examples.features, dtype)
    return Examples(x, np.asarray(on_host(examples.labels), dtype=np.int64))
