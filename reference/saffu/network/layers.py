"""A stack of softmax layers, forward and back, as pure functions.   (SPEC 1, 6)

    h₀ = x,    z_l = h_{l−1} U_l + b_l,    h_l = φ(z_l),    ℓ = −mean log h_L[y]

The bias b is the log-prior of the tempered solution: how frequent each target is, whatever the norm
of the input.  Above the first layer inputs have norm one, so b could be added to every row of U
there; it is kept apart so that all layers have the same form.   [D]
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Inexact

from saffu import checks
from saffu.loss import token_nats_unchecked
from saffu.numerics import softmax_unchecked, softmax_vjp_unchecked
from saffu.types import Array, Features, Logits, TokenIds, Weights


class SoftmaxLayer(NamedTuple):
    """Weights of one layer."""

    weights: Weights
    """U [D, N]"""
    bias: Inexact[Array, "N"]
    """b [N]"""


Layers: TypeAlias = tuple[SoftmaxLayer, ...]


class NetworkState(NamedTuple):
    """Intermediate results of a forward pass."""

    inputs: tuple[Array, ...]
    """the inputs of each layer, [M, D] each: the features, then the hidden states"""
    logits: Logits
    """z_L [M, N]"""


def network_forward(layers: Layers, features: Features) -> NetworkState:
    """Inputs of every layer, and the logits of the last.   (SPEC 1)

    Parameters: `layers`, at least one, the width of each being the number of features of the next;
    `features` [M, D].  Both are checked already.
    Refuses: logits that are not finite, as finite weights may still overflow.

    >>> U = np.log(np.array([[3.0, 1.0], [1.0, 1.0]]))
    >>> logits = network_forward((SoftmaxLayer(U, np.zeros(2)),), np.eye(2)).logits
    >>> softmax_unchecked(logits).tolist()
    [[0.75, 0.25], [0.5, 0.5]]
    """
    inputs = [features]
    for layer in layers[:-1]:
        inputs.append(softmax_unchecked(inputs[-1] @ layer.weights + layer.bias))
    logits = inputs[-1] @ layers[-1].weights + layers[-1].bias
    checks.finite("logits", logits, "SPEC 1")
    return NetworkState(tuple(inputs), logits)


class Errors(NamedTuple):
    """The gradient of the loss in the logits and hidden states of every layer."""

    logits: tuple[Array, ...]
    """at z_l of every layer"""
    hidden: tuple[Array, ...]
    """at h_l of every hidden layer"""


def network_errors(layers: Layers, state: NetworkState, labels: TokenIds) -> Errors:
    """Pull ŷ − y of each sample back through the layers.   (SPEC 6)

    Of the loss of each sample, not divided by the number of samples.

        dz_L = ŷ − y,    dh_{l−1} = dz_l U_lᵀ,    dz_{l−1} = h ⊙ (dh − ⟨h, dh⟩)
    """
    one_hot = np.eye(state.logits.shape[1], dtype=state.logits.dtype)[labels]
    d_logits = [softmax_unchecked(state.logits) - one_hot]
    d_hidden: list[Array] = []
    for layer, below in zip(layers[:0:-1], state.inputs[:0:-1], strict=True):
        d_hidden.append(d_logits[-1] @ layer.weights.T)
        d_logits.append(softmax_vjp_unchecked(below, d_hidden[-1]))
    return Errors(tuple(d_logits[::-1]), tuple(d_hidden[::-1]))


def network_gradient(
    layers: Layers, features: Features, labels: TokenIds
) -> tuple[float, tuple[Array, ...]]:
    """The loss, and its gradient in every array of `flatten(layers)`.   (SPEC 6)

        dU_l = h_{l−1}ᵀ dz_l / M,    db_l = Σ_m dz_l / M

    >>> layers = cold_layers((3, 2), (0.1,), seed=1)
    >>> loss, (dU, db) = network_gradient(layers, np.eye(3), np.array([0, 1, 0]))
    >>> dU.shape, db.shape
    ((3, 2), (2,))
    """
    state = network_forward(layers, features)
    loss = float(token_nats_unchecked(state.logits, labels).mean(dtype=np.float64))
    gradient: list[Array] = []
    for below, dz in zip(state.inputs, network_errors(layers, state, labels).logits, strict=True):
        gradient += [below.T @ dz / dz.shape[0], dz.mean(axis=0)]
    return loss, tuple(gradient)


def flatten(layers: Layers) -> tuple[Array, ...]:
    """All arrays as one tuple: U_1, b_1, U_2, b_2, …"""
    return tuple(array for layer in layers for array in layer)


def unflatten(arrays: Sequence[Array]) -> Layers:
    """The layers whose `flatten` these are.  Refuses (`ValueError`) an odd number."""
    return tuple(map(SoftmaxLayer._make, zip(arrays[::2], arrays[1::2], strict=True)))


def cold_layers(
    sizes: Sequence[int], scales: Sequence[float], seed: int, dtype: str = "float64"
) -> Layers:
    """Random layers: normal weights, one standard deviation per layer, and no bias.

    >>> [layer.weights.shape for layer in cold_layers((7, 3, 2), (1.0, 0.1), seed=1)]
    [(7, 3), (3, 2)]
    """
    random = np.random.default_rng(seed)
    return tuple(
        SoftmaxLayer(
            (scale * random.normal(size=(d, n))).astype(dtype),
            np.zeros(n, dtype=dtype),
        )
        for (d, n), scale in zip(pairwise(sizes), scales, strict=True)
    )
