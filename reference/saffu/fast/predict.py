"""Prediction of all samples of a chunk.   (SPEC 4, 7)

What each kind of layer computes for whole documents: the first from tables, a document's from
running sums, higher ones densely, a few thousand samples at a time.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from saffu import checks
from saffu.batch import LayerPlan
from saffu.configuration import Configuration
from saffu.contexts import SlotContext, has_slots, is_bag
from saffu.fast.comparison_cache import Comparisons, comparisons
from saffu.fast.loss import nats_of
from saffu.fast.plans import bag_means, slices, step_in_samples, step_in_tokens
from saffu.fast.softmax import softmax_over
from saffu.fast.token_layer import ROWS, feature_table, read_table, weigh_tokens
from saffu.layer import LayerOptions, SaffuState, saffu_forward_unchecked
from saffu.model import look_up
from saffu.numerics import softmax_unchecked
from saffu.parameters import LayerParameters, Parameters
from saffu.positions import Samples
from saffu.types import Array, AttentionWeights, Hidden, Inputs, Nats, SlotMask


def token_scores(
    step: LayerPlan,
    table: Array,
    cache: Comparisons,
    weights: AttentionWeights,
    options: LayerOptions,
) -> Array:
    """s U [n, N_h] of a first layer, from its `feature_table`."""
    return read_table(
        table, step, weigh_tokens(step, cache, weights, options), len(cache.embedding)
    )


def higher_states(
    chunk: Samples,
    context: SlotContext,
    below: Hidden,
    layer: LayerParameters,
    options: LayerOptions,
) -> Iterator[tuple[slice, SaffuState, Inputs, SlotMask]]:
    """States of a higher layer, which reads the hidden states `below` of the same chunk."""
    every = step_in_samples(chunk, context)
    for part in slices(chunk.targets.shape[0], ROWS):
        step = type(every)(*(field[part] for field in every))
        x = look_up(below, step)
        state = saffu_forward_unchecked(x, step.mask, step.pivot, *layer, options)
        yield part, state, x, step.mask


def chunk_hidden(
    parameters: Parameters, configuration: Configuration, chunk: Samples, cache: Comparisons
) -> Hidden:
    """[h¹ … h^C] for all samples of a chunk; `cache` has the comparisons of E."""
    hidden = []
    options = configuration.layer
    for context, layers in zip(configuration.contexts, parameters.towers, strict=True):
        if is_bag(context):
            means = bag_means(parameters.embedding, chunk, context)
            h = softmax_unchecked(means @ layers[0].features)
        else:
            assert has_slots(context)  # for the type checker
            table = feature_table(
                parameters.embedding, layers[0].features, context.slots, options.aggregation
            )
            step = step_in_tokens(chunk, context)
            h = softmax_over(token_scores(step, table, cache, layers[0].attention, options))
            for layer in layers[1:]:
                h = np.concatenate(
                    [s.hidden for _, s, _, _ in higher_states(chunk, context, h, layer, options)]
                )
        hidden.append(h)
    return np.concatenate(hidden, axis=1)


def chunk_nats(
    parameters: Parameters,
    configuration: Configuration,
    chunk: Samples,
    cache: Comparisons | None = None,
) -> Nats:
    """Nats of every sample of a chunk [n]."""
    checks.token_ids(chunk.targets, configuration.vocabulary, "targets")
    table = comparisons(parameters.embedding) if cache is None else cache
    hidden = chunk_hidden(parameters, configuration, chunk, table)
    return np.concatenate(
        [
            nats_of(hidden[part] @ parameters.output, chunk.targets[part])
            for part in slices(chunk.targets.shape[0], ROWS // 4)
        ]
    )
