"""Sampling: next-token logits, temperature and top-k, and the continuation of a text.   (SPEC 4)"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np

from saffu import checks
from saffu.batch import plan
from saffu.configuration import Configuration
from saffu.contexts import has_slots
from saffu.data.tokenisers import Tokeniser
from saffu.data.vocabulary import Vocabulary
from saffu.direct import DirectParameters, direct_logits
from saffu.fast.comparison_cache import comparisons
from saffu.fast.plans import step_in_tokens
from saffu.fast.token_layer import attend_tokens
from saffu.model import model_forward
from saffu.numerics import softmax
from saffu.parameters import Parameters
from saffu.positions import END, START, UNKNOWN, Samples
from saffu.types import Array, IntArray

_SPEC: Final = "SPEC 4"


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
    valid &= np.isfinite(scaled)
    scaled = np.where(valid, scaled, 0.0)
    return int(random.choice(logits.shape[0], p=softmax(scaled, valid)))


class Drawing(NamedTuple):
    """How tokens are drawn."""

    tokens: int
    """the largest number of new tokens"""
    temperature: float
    """divides the logits; 0: the likeliest token each time"""
    top_k: int | None
    """the number of likeliest tokens to draw from; None: all"""
    seed: int


def sample_text(
    follow: Callable[[IntArray], Array],
    tokeniser: Tokeniser,
    vocabulary: Vocabulary,
    prompt: str,
    drawing: Drawing,
) -> str:
    """Prompt and continuation; it ends early at the end of the document.

    Parameters: `follow` returns the logits [V] of the token after a document's beginning [n].
    `<sod>` and `<unk>` are never drawn.
    Refuses: a negative number of tokens or temperature; `top_k` below 1.
    """
    checks.whole("tokens", drawing.tokens, 0, _SPEC)
    checks.positive("temperature", drawing.temperature, _SPEC, zero=True)
    if drawing.top_k is not None:
        checks.whole("top_k", drawing.top_k, 1, _SPEC)
    checks.whole("seed", drawing.seed, 0, _SPEC)
    random = np.random.default_rng(drawing.seed)
    ids = [START, *vocabulary.encode(tokeniser.tokenise(prompt)).tolist()]
    for _ in range(drawing.tokens):
        logits = follow(np.array(ids, dtype=np.int64))
        logits[[START, UNKNOWN]] = -np.inf
        token = pick(logits, drawing.temperature, drawing.top_k, random)
        if token == END:
            break
        ids.append(token)
    return tokeniser.join(vocabulary.decode(np.array(ids[1:], dtype=np.int64)))
