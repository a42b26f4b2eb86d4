"""A SAFFU transformer: prediction, loss, and the whole gradient by chaining adjoints.   (SPEC 4, 6)

    logits = [h¹ … h^C] O,    ŷ = φ(logits),    d logits = (ŷ − y)/M
    dO = Hᵀ d logits,         dh = d logits Oᵀ

Each tower's hidden state is pulled back through its layers by `saffu_backward`; what reaches the
embedding is added up by token.  Nothing is kept between calls: the backward pass gets the stages of
the forward pass as an argument.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from saffu import checks
from saffu.arrays.namespace import add_rows, average_rows, average_rows_vjp, beside, namespace
from saffu.arrays.operation import operation
from saffu.batch import Batch, DocumentPlan, LayerPlan, TowerPlan, place
from saffu.errors import SignedInput
from saffu.layer import (
    LayerOptions,
    SaffuState,
    check_context,
    check_inputs,
    check_weights,
    saffu_backward_unchecked,
    saffu_forward_unchecked,
)
from saffu.loss import cross_entropy_gradient_unchecked, token_nats_unchecked
from saffu.numerics import softmax_unchecked, softmax_vjp_unchecked
from saffu.parameters import LayerParameters, Parameters
from saffu.types import Aggregate, Array, Embedding, Hidden, Inputs, Logits, Targets, TokenIds

_SPEC: Final = "SPEC 4"


class DocumentState(NamedTuple):
    """A document tower's mean embedding and hidden state."""

    features: Aggregate
    hidden: Hidden


class ModelState(NamedTuple):
    """Every stage of every layer, and the logits."""

    towers: tuple[tuple[SaffuState | DocumentState, ...], ...]
    hidden: Hidden
    """[M, C·N_h]"""
    logits: Logits
    """[M, V]"""


@operation
def model_forward(
    parameters: Parameters, batch: Batch, options: LayerOptions, *, signed: bool = False
) -> ModelState:
    """Predict a batch.   (SPEC 4)

    Parameters: `parameters`; `batch` from `plan`; `options` of the layers; `signed=True` lets a
    trained embedding leave the simplex.
    Returns all stages; `.logits` [M, V].
    Refuses: what `saffu_forward` refuses; any parameter that is not finite, read or not.
    """
    batch = place(batch, parameters.output)
    _check(parameters, batch, options)
    state = _forward(parameters, batch, options, signed)
    checks.finite("logits", state.logits, _SPEC)  # finite parameters may still overflow
    return state


def _forward(
    parameters: Parameters, batch: Batch, options: LayerOptions, signed: bool
) -> ModelState:
    """The stages of all towers, and the output layer."""
    towers = tuple(
        _tower_forward(layers, parameters.embedding, tower, options, signed, batch.targets.shape[0])
        for layers, tower in zip(parameters.towers, batch.towers, strict=True)
    )
    xp = namespace(parameters.output)
    hidden = xp.concat([tower[-1].hidden for tower in towers], axis=-1)
    logits: Logits = hidden @ parameters.output
    return ModelState(towers, hidden, logits)


@operation
def model_loss(
    parameters: Parameters, batch: Batch, options: LayerOptions, *, signed: bool = False
) -> float:
    """Mean nats per target of a batch.   (SPEC 0)

    Parameters and refusals as `model_forward`.
    """
    checks.token_ids(batch.targets, parameters.output.shape[1], "targets")
    logits = model_forward(parameters, batch, options, signed=signed).logits
    return float(namespace(logits).mean(token_nats_unchecked(logits, batch.targets)))


@operation
def model_gradient(
    parameters: Parameters,
    batch: Batch,
    options: LayerOptions,
    *,
    signed: bool = False,
    state: ModelState | None = None,
) -> Parameters:
    """The gradient of `model_loss` in all parameters, E included.   (SPEC 6)

    Parameters as `model_forward`; `state` of `model_forward` for the same
    arguments, computed unless given.
    Returns the gradient in the form of the parameters.
    """
    batch = place(batch, parameters.output)
    checks.token_ids(batch.targets, parameters.output.shape[1], "targets")
    if state is None:
        state = model_forward(parameters, batch, options, signed=signed)
    xp = namespace(parameters.output)
    one = one_hot(batch.targets, parameters.output.shape[1], state.logits)
    d_logits = cross_entropy_gradient_unchecked(state.logits, one)
    d_output: Array = state.hidden.T @ d_logits
    d_hidden: Array = d_logits @ parameters.output.T
    d_embedding = xp.zeros_like(parameters.embedding)
    d_towers = []
    width = state.towers[0][-1].hidden.shape[1]
    for c, (layers, tower) in enumerate(zip(parameters.towers, batch.towers, strict=True)):
        d_layers, d_table = _tower_backward(
            d_hidden[:, c * width : (c + 1) * width],
            state.towers[c],
            layers,
            parameters.embedding,
            tower,
            options,
        )
        d_towers.append(d_layers)
        d_embedding = d_embedding + d_table
    return Parameters(d_embedding, tuple(d_towers), d_output)


def one_hot(tokens: TokenIds, size: int, like: Array) -> Targets:
    """Rows [M, size] of the identity, one per token, in the precision of `like` and beside it."""
    xp = namespace(like)
    every = xp.arange(size, device=like.device)
    hits = xp.reshape(beside(tokens, like), (-1, 1)) == xp.reshape(every, (1, -1))
    return xp.astype(hits, like.dtype)


def look_up(table: Array, layer: LayerPlan) -> Inputs:
    """The vectors in a layer's slots: `table[slots]` [n, B, D].  Invalid slots hold row 0."""
    xp = namespace(table)
    n, slots = layer.slots.shape
    rows = xp.take(table, xp.reshape(beside(layer.slots, table), (n * slots,)), axis=0)
    return xp.reshape(rows, (n, slots, table.shape[1]))


def look_up_vjp(d_inputs: Inputs, layer: LayerPlan, rows: int) -> Array:
    """Pull `d_inputs`, zero in invalid slots, back to the table [rows, D]."""
    xp = namespace(d_inputs)
    n, slots = layer.slots.shape
    flat = xp.reshape(d_inputs, (n * slots, d_inputs.shape[2]))
    index = xp.reshape(beside(layer.slots, d_inputs), (n * slots,))
    return add_rows(index, flat, rows)


def _check(parameters: Parameters, batch: Batch, options: LayerOptions) -> None:
    """Refuse parameters that are not finite or do not fit the batch, and broken contexts."""
    checks.finite("embedding", parameters.embedding, _SPEC)
    width = parameters.embedding.shape[1]
    for c, (layers, tower) in enumerate(zip(parameters.towers, batch.towers, strict=True)):
        names = [
            (f"tower{c}.layer{i}.attention", f"tower{c}.layer{i}.features")
            for i in range(len(layers))
        ]
        if isinstance(tower, DocumentPlan):
            check_weights(*layers[0], (0, width), LayerOptions("sum"), names[0])
            continue
        below = width
        for layer, step, name in zip(layers, tower, names, strict=True):
            n, slots = step.slots.shape
            check_context(step.mask, step.pivot, (n, slots))
            check_weights(*layer, (slots, below), options, name)
            below = layer.features.shape[1]
    checks.finite("output", parameters.output, _SPEC)


def _tower_forward(
    layers: tuple[LayerParameters, ...],
    embedding: Embedding,
    tower: TowerPlan,
    options: LayerOptions,
    signed: bool,
    samples: int,
) -> tuple[SaffuState | DocumentState, ...]:
    if isinstance(tower, DocumentPlan):
        s = average_rows(embedding, tower.token, tower.owner, samples)
        if not signed:
            checks.non_negative("document features", s, _SPEC, SignedInput)
        return (DocumentState(s, softmax_unchecked(s @ layers[0].features)),)
    states: list[SaffuState] = []
    table = embedding
    for layer, step in zip(layers, tower, strict=True):
        x = look_up(table, step)
        if not states:
            check_inputs(x, step.mask, signed=signed)
        states.append(saffu_forward_unchecked(x, step.mask, step.pivot, *layer, options))
        table = states[-1].hidden
    return tuple(states)


def _tower_backward(
    d_hidden: Hidden,
    states: tuple[SaffuState | DocumentState, ...],
    layers: tuple[LayerParameters, ...],
    embedding: Embedding,
    tower: TowerPlan,
    options: LayerOptions,
) -> tuple[tuple[LayerParameters, ...], Embedding]:
    """Gradients of a tower's layers and of the embedding."""
    top = states[-1]
    if isinstance(tower, DocumentPlan):
        dq = softmax_vjp_unchecked(top.hidden, d_hidden)
        d_s: Array = dq @ layers[0].features.T
        d_table = average_rows_vjp(d_s, embedding, tower.token, tower.owner, d_s.shape[0])
        return (LayerParameters(layers[0].attention, top.features.T @ dq),), d_table
    gradients: list[LayerParameters] = []
    for level in reversed(range(len(layers))):
        state, step = states[level], tower[level]
        below = states[level - 1].hidden if level else embedding
        assert isinstance(state, SaffuState)  # for the type checker
        got = saffu_backward_unchecked(
            d_hidden, state, look_up(below, step), step.mask, step.pivot, *layers[level], options
        )
        gradients.append(LayerParameters(got.attention_weights, got.feature_weights))
        d_hidden = look_up_vjp(got.inputs, step, below.shape[0])
    return tuple(reversed(gradients)), d_hidden
