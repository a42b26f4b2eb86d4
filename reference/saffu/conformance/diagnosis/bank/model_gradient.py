"""Mistakes in the gradient of whole models.   (SPEC 6)"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from saffu.batch import DocumentPlan, LayerPlan, plan
from saffu.conformance.diagnosis.bank.model import Model, Tower, read, towers
from saffu.conformance.diagnosis.bank.saffu_forward import softmax
from saffu.conformance.diagnosis.variants import Arrays, mistakes, variant
from saffu.layer import aggregate_vjp, saffu_backward
from saffu.model import look_up
from saffu.numerics import softmax_vjp
from saffu.types import Array

Scatter = Callable[[Array, Array, Array], None]


def _add(table: Array, ids: Array, rows: Array) -> None:
    np.add.at(table, ids, rows)


def _overwrite(table: Array, ids: Array, rows: Array) -> None:
    table[ids] = rows


def model_gradient(
    configuration: Mapping[str, Any],
    *,
    scatter: Scatter = _add,
    samples: Callable[[int], int] = lambda samples: samples,
    detached: bool = False,
    unscaled: bool = False,
    joined: Callable[[list[Array]], Array] = lambda tables: sum(tables, np.zeros(())),
    top_only: bool = False,
    sign: float = 1.0,
    **arrays: Array,
) -> Arrays:
    """The gradient of the mean loss, under the names of the parameters."""
    given = read(configuration, arrays)
    batch = plan(given.samples, given.configuration)
    seen = towers(given, batch)
    hidden = np.concatenate([tower.hidden for tower in seen], axis=1)
    error = softmax(hidden @ given.parameters.output)
    error[np.arange(error.shape[0]), batch.targets] -= 1
    error *= sign / samples(error.shape[0])
    d_hidden = np.split(error @ given.parameters.output.T, len(seen), axis=1)
    gradients = {"output": hidden.T @ error}
    tables = []
    for c, (tower, d_top) in enumerate(zip(batch.towers, d_hidden, strict=True)):
        if isinstance(tower, DocumentPlan):
            table = _document(given, tower, seen[c], c, d_top, unscaled, scatter, gradients)
        else:
            table = _layers(
                given, tower, seen[c], c, d_top, (scatter, detached, top_only), gradients
            )
        tables.append(table)
    return {"embedding": joined(tables), **gradients}


def _document(
    given: Model, tower: DocumentPlan, seen: Tower, c: int, d_top: Array, unscaled: bool,
    scatter: Scatter, gradients: Arrays,
) -> Array:  # fmt: skip
    """The gradient that a document tower passes to the embedding."""
    dq = softmax_vjp(seen.hidden, d_top)
    features = seen.features if seen.features is not None else np.zeros_like(d_top)
    gradients[f"tower{c}.layer0.features"] = features.T @ dq
    ds = dq @ given.parameters.towers[c][0].features.T
    lengths = np.bincount(tower.owner)[:, None]
    shares = ds if unscaled else ds / lengths
    d_table = np.zeros_like(given.parameters.embedding)
    scatter(d_table, tower.token, shares[tower.owner])
    return d_table


def _layers(
    given: Model, tower: tuple[LayerPlan, ...], seen: Tower, c: int, d_top: Array,
    places: tuple[Scatter, bool, bool], gradients: Arrays,
) -> Array:  # fmt: skip
    """The gradient that a tower of layers passes to the embedding."""
    scatter, detached, top_only = places
    options = given.configuration.layer
    for level in reversed(range(len(tower))):
        step, state, layer = tower[level], seen.states[level], given.parameters.towers[c][level]
        below = seen.states[level - 1].hidden if level else given.parameters.embedding
        x = look_up(below, step)
        got = saffu_backward(d_top, state, x, step.mask, step.pivot, *layer, options)
        gradients[f"tower{c}.layer{level}.attention"] = got.attention_weights
        gradients[f"tower{c}.layer{level}.features"] = got.feature_weights
        dx = got.inputs
        if detached:
            ds = softmax_vjp(state.hidden, d_top) @ layer.features.T
            _, dx = aggregate_vjp(ds, x, state.weights, options.aggregation)
        d_top = np.zeros_like(below)
        if not (top_only and level):
            scatter(d_top, step.slots[step.mask], dx[step.mask])
    return d_top


MISTAKES = mistakes(
    "model_gradient", model_gradient,
    variant("gradient-embedding-last-wins", "a token that is looked up twice gets one gradient",
        scatter=_overwrite),
    variant("gradient-of-sum", "the gradient of the sum, not of the mean",
        samples=lambda samples: 1),
    variant("gradient-comparisons-detached", "inputs get nothing by way of the comparisons",
        detached=True),
    variant("gradient-document-unscaled", "document means pulled back without their lengths",
        unscaled=True),
    variant("gradient-embedding-of-last-tower", "the embedding's gradient of the last tower alone",
        joined=lambda tables: tables[-1]),
    variant("gradient-embedding-frozen", "the embedding gets no gradient",
        joined=lambda tables: np.zeros_like(tables[0])),
    variant("gradient-top-layer-only", "nothing is passed down to lower layers", top_only=True),
    variant("gradient-ascends", "the gradient with the wrong sign", sign=-1.0),
    variant("model-gradient-takes-anything", "bad documents or embeddings not refused",
        accepts="token-range no-samples option negative"),
    variant("model-gradient-takes-non-finite", "NaN and infinity among the parameters not refused",
        accepts="non-finite"),
)  # fmt: skip
