"""Training step of a transformer: the gradient of all parameters for one batch.   (SPEC 6)

What the first layer of a tower does depends on whether the embeddings are fixed (`frozen`) or are
trained too (`thawed`); layers above it are those of `saffu.layer`.  What remains is the output
layer: three dense products and one exponential a logit.  The loss is that of
`fast.loss`; loss and gradient are those of `saffu.model`, to rounding.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from saffu.arrays.namespace import average_rows, average_rows_vjp
from saffu.batch import Batch, DocumentPlan, TowerPlan
from saffu.fast.frozen import FrozenEmbedding, backward_frozen, forward_frozen
from saffu.fast.loss import nats_and_gradient
from saffu.fast.thawed import backward_thawed, forward_thawed
from saffu.layer import LayerOptions, SaffuState, saffu_backward_unchecked, saffu_forward_unchecked
from saffu.model import look_up, look_up_vjp
from saffu.numerics import softmax_unchecked, softmax_vjp_unchecked
from saffu.parameters import LayerParameters, Parameters
from saffu.types import Array, Hidden


class BagState(NamedTuple):
    """What the backward pass of a document layer needs."""

    features: Array
    hidden: Hidden


def step_gradient(
    parameters: Parameters,
    batch: Batch,
    options: LayerOptions,
    frozen: FrozenEmbedding | None = None,
) -> tuple[float, Parameters]:
    """Mean nats of a batch and their gradient.   (SPEC 6)

    Parameters as for `saffu.model.model_gradient`; `frozen`, E prepared by `freeze`: then the
    gradient in E is left at zero.  E may have left the simplex.  Nothing is checked: numbers that
    are not finite come out as a loss that is not finite.
    """
    towers = zip(parameters.towers, batch.towers, strict=True)
    samples = batch.targets.shape[0]
    runs = [Tower(parameters, layers, plan, options, frozen, samples) for layers, plan in towers]
    states = [run.forward() for run in runs]
    hidden = np.concatenate([tower[-1].hidden for tower in states], axis=1)
    nats, d_logits = nats_and_gradient(hidden @ parameters.output, batch.targets)
    d_output = hidden.T @ d_logits
    d_hidden = np.split(d_logits @ parameters.output.T, len(runs), axis=1)
    d_embedding = np.zeros_like(parameters.embedding)
    d_towers = []
    for run, state, d_h in zip(runs, states, d_hidden, strict=True):
        d_layers, d_table = run.backward(d_h, state)
        d_towers.append(d_layers)
        if d_table is not None:
            d_embedding = d_embedding + d_table
    return float(np.mean(nats, dtype=np.float64)), Parameters(
        d_embedding, tuple(d_towers), d_output
    )


class Tower(NamedTuple):
    """One tower and one batch."""

    parameters: Parameters
    layers: tuple[LayerParameters, ...]
    plan: TowerPlan
    options: LayerOptions
    frozen: FrozenEmbedding | None
    samples: int

    def forward(self) -> list[Any]:
        """States of the layers, from the bottom up."""
        table, layers, options = self.parameters.embedding, self.layers, self.options
        if isinstance(self.plan, DocumentPlan):
            s = average_rows(table, self.plan.token, self.plan.owner, self.samples)
            return [BagState(s, softmax_unchecked(s @ layers[0].features))]
        first: Any
        if self.frozen is None:
            first = forward_thawed(layers[0], table, self.plan[0], options)
        else:
            first = forward_frozen(layers[0], self.frozen, self.plan[0], options)
        states = [first]
        for layer, step in zip(layers[1:], self.plan[1:], strict=True):
            x = look_up(states[-1].hidden, step)
            states.append(saffu_forward_unchecked(x, step.mask, step.pivot, *layer, options))
        return states

    def backward(
        self, d_hidden: Hidden, states: list[Any]
    ) -> tuple[tuple[LayerParameters, ...], Array | None]:
        """Gradients of the layers, from the bottom up, and that of E, if it is trained."""
        table, options = self.parameters.embedding, self.options
        if isinstance(self.plan, DocumentPlan):
            return self._backward_bag(d_hidden, states[0], self.plan)
        above: list[LayerParameters] = []
        for level in range(len(self.layers) - 1, 0, -1):
            state: SaffuState = states[level]
            step, below, layer = self.plan[level], states[level - 1].hidden, self.layers[level]
            x = look_up(below, step)
            got = saffu_backward_unchecked(
                d_hidden, state, x, step.mask, step.pivot, *layer, options
            )
            above.insert(0, LayerParameters(got.attention_weights, got.feature_weights))
            d_hidden = look_up_vjp(got.inputs, step, below.shape[0])
        first, step = self.layers[0], self.plan[0]
        if self.frozen is not None:
            return (backward_frozen(d_hidden, states[0], first, step, options), *above), None
        d_first, d_table = backward_thawed(d_hidden, states[0], first, table, step, options)
        return (d_first, *above), d_table

    def _backward_bag(
        self, d_hidden: Hidden, bag: BagState, plan: DocumentPlan
    ) -> tuple[tuple[LayerParameters, ...], Array | None]:
        (layer,) = self.layers
        dq = softmax_vjp_unchecked(bag.hidden, d_hidden)
        d_layer = LayerParameters(layer.attention, bag.features.T @ dq)
        if self.frozen is not None:
            return (d_layer,), None
        ds = dq @ layer.features.T
        table = self.parameters.embedding
        return (d_layer,), average_rows_vjp(ds, table, plan.token, plan.owner, self.samples)
