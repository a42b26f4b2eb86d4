"""Drawing the next token.   (SPEC 4)"""

from __future__ import annotations

import numpy as np

from saffu.batch import plan
from saffu.configuration import Configuration
from saffu.contexts import has_slots
from saffu.direct import DirectParameters, direct_logits
from saffu.fast.cache import comparisons
from saffu.fast.plans import step_in_tokens
from saffu.fast.token_layer import attend_tokens
from saffu.model import model_forward
from saffu.numerics import softmax
from saffu.parameters import Parameters
from saffu.positions import Samples
from saffu.types import Array, IntArray


def next_logits(
    parameters: Parameters | DirectParameters, configuration: Configuration, ids: IntArray
) -> Array:
    """Logits [V] of the token that follows a document's beginning `ids`, `<sod>` first."""
    n = ids.shape[0]
    text = Samples(ids, np.zeros_like(ids), np.arange(n))
    last = np.array([n - 1])
    if isinstance(parameters, Parameters):
        batch = plan(text, configuration, last)
        logits = model_forward(parameters, batch, configuration.layer, signed=True).logits
        return np.asarray(logits[0], dtype=np.float64)
    steps = [step_in_tokens(text, context) for context in filter(has_slots, configuration.contexts)]
    steps = [type(step)(*(field[last] for field in step)) for step in steps]
    cache = comparisons(parameters.embedding)
    weights = [
        attend_tokens(step, cache, tower.attention, configuration.layer).weights
        for step, tower in zip(steps, parameters.towers, strict=True)
    ]
    return np.asarray(direct_logits(parameters, steps, weights)[0])


def pick(logits: Array, temperature: float, top_k: int | None, random: np.random.Generator) -> int:
    """One token, the likeliest at temperature 0.

    >>> pick(np.array([0.0, 2.0, 1.0]), 0.0, None, np.random.default_rng(0))
    1
    """
    if temperature == 0:
        return int(np.argmax(logits))
    kept = logits
    if top_k is not None and top_k < logits.shape[0]:
        edge = np.partition(logits, -top_k)[-top_k]
        kept = np.where(logits >= edge, logits, -np.inf)
    valid = np.isfinite(kept)
    with np.errstate(over="ignore"):  # beside the likeliest, at the least temperatures: exp(-inf)
        scaled = (np.where(valid, kept, 0.0) - kept.max()) / temperature
    return int(random.choice(logits.shape[0], p=softmax(scaled, valid)))
