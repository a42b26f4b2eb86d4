"""An explicit SAFFU layer, refined without a learning rate: hidden targets and iterative scaling.

The hidden units of a solved model get the targets that the layer above implies (SPEC 5), and both
layers take steps of iterative scaling (SPEC 1) towards what they should have counted:

    p = φ(h O)              G = (y − p) Oᵀ             t = h ⊙ (1 + G − ⟨h, G⟩), clipped
    O ← O + log( F̄ / E̅ )                               F = Hᵀ Y, smoothed;  E = Hᵀ P
    U ← U + (1/K) log( (Sᵀ T + 1) / (Sᵀ H + 1) )       K, the mean norm of the features s

Rows of F and E are divided by their sums, so that smoothing leaves each row its weight.  Each step
is one pass over the training text; when to stop is seen on validation text.   [D]
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import numpy as np

from saffu.configuration import Configuration
from saffu.contexts import has_slots
from saffu.data.corpus import Corpus
from saffu.explicit.hidden import hidden_targets
from saffu.explicit.smoothing import Backoff, smooth
from saffu.fast.plans import slices, step_in_tokens
from saffu.fast.predict import chunk_nats
from saffu.layer import saffu_forward
from saffu.model import look_up
from saffu.models.transformer import SaffuTransformer
from saffu.numerics import softmax
from saffu.parameters import LayerParameters, Parameters
from saffu.positions import Samples
from saffu.types import Array, Features, Hidden
from saffu_lab.records.corpora import Texts
from saffu_lab.records.results import Line
from saffu_lab.study.recipes import build_model, complete, size_of
from saffu_lab.study.selection import by_document, kept_at, nats_of_test, predictor, trial_line
from saffu_lab.study.sources import Sources
from saffu_lab.study.texts import texts

ROWS = 2_048
"""samples that are held densely at once"""
PATIENCE = 2
"""steps that may be worse on validation text, one after the other"""


class Statistics(NamedTuple):
    """What one pass over the training text adds up."""

    counted: Array
    """Hᵀ Y [N_h, V]"""
    expected: Array
    """Hᵀ P [N_h, V]"""
    wanted: Array
    """Sᵀ T [S, N_h]"""
    given: Array
    """Sᵀ H [S, N_h]"""
    norm: float
    """K, the mean norm of the features"""


def blocks(
    parameters: Parameters, configuration: Configuration, chunk: Samples
) -> Iterator[tuple[Features, Hidden, Array]]:
    """Features, hidden states and targets of a model with one layer, by blocks of samples."""
    (context,) = configuration.contexts
    assert has_slots(context)
    ((layer,),) = parameters.towers
    every = step_in_tokens(chunk, context)
    for part in slices(chunk.targets.shape[0], ROWS):
        step = type(every)(*(field[part] for field in every))
        x = look_up(parameters.embedding, step)
        state = saffu_forward(x, step.mask, step.pivot, *layer, configuration.layer)
        yield state.features, state.hidden, chunk.targets[part]


def add_up(
    parameters: Parameters, configuration: Configuration, chunk: Samples, *, units: bool
) -> Statistics:
    """One pass.  Without `units`, what U needs is left at zero."""
    ((layer,),) = parameters.towers
    wide, output = layer.features.shape, parameters.output
    counted, expected = np.zeros(output.shape), np.zeros(output.shape)
    wanted, given, norm = np.zeros(wide), np.zeros(wide), 0.0
    for s, h, targets in blocks(parameters, configuration, chunk):
        rows = np.arange(targets.shape[0])
        p = softmax(h @ output)
        expected += h.T @ p
        np.add.at(counted.T, targets, h)
        if units:
            p[rows, targets] -= 1  # p − y
            t = hidden_targets(h, -(p @ output.T))
            wanted += s.T @ t
            given += s.T @ h
            norm += float(s.sum())
    return Statistics(counted, expected, wanted, given, norm / chunk.targets.shape[0])


def step(
    parameters: Parameters, seen: Statistics, smoothing: Backoff, *, units: bool
) -> Parameters:
    """Both layers, one step further."""
    ((layer,),) = parameters.towers
    full = smooth(seen.counted, smoothing)
    shares = full / full.sum(axis=1, keepdims=True)
    believed = seen.expected / seen.expected.sum(axis=1, keepdims=True)
    output = parameters.output + np.log(shares / believed).astype(parameters.output.dtype)
    features = layer.features
    if units:
        more = np.log((seen.wanted + 1) / (seen.given + 1)) / seen.norm
        features = features + more.astype(features.dtype)
    tower = (LayerParameters(layer.attention, features),)
    return Parameters(parameters.embedding, (tower,), output)


def refined(
    parameters: Parameters,
    configuration: Configuration,
    train: Samples,
    judge: Corpus,
    smoothing: Backoff,
    *,
    steps: int,
    units: bool,
) -> tuple[Parameters, list[float]]:
    """The best model on the way, and the nats of every one on validation text, the start first."""

    def judged(model: Parameters) -> float:
        nats, targets = by_document(partial(chunk_nats, model, configuration), judge)
        return float(nats.sum() / targets.sum())

    best = now = parameters
    losses = [judged(parameters)]
    for _ in range(steps):
        now = step(now, add_up(now, configuration, train, units=units), smoothing, units=units)
        losses.append(judged(now))
        if losses[-1] == min(losses):
            best = now
        if len(losses) - 1 - int(np.argmin(losses)) >= PATIENCE:
            break
    return best, losses


def common_texts(key: Line, sources: Sources) -> Texts:
    """The texts of a task."""
    return texts(sources, complete(key["recipe"]["base"])["vocabulary"], key["seed"])


def trial_refined(key: Line, sources: Sources) -> Line:
    """In a worker: refine one model, keep it, and judge it on validation text.

    In the recipe, `base` is solved; `steps`, at most, and `units` say how it goes on.
    """
    recipe, targets, seed = key["recipe"], key["targets"], key["seed"]
    start = build_model(recipe["base"], targets, seed, sources)
    model, common = start.model, common_texts(key, sources)
    assert isinstance(model.parameters, Parameters)
    corpus = common.amount(targets, seed)
    (train,) = corpus.chunks(corpus.targets)
    began = time.process_time()
    model.parameters, losses = refined(
        *(model.parameters, model.configuration, train, common.watched(seed)),
        Backoff(start.chosen["smoothing"]),
        steps=recipe["steps"],
        units=recipe["units"],
    )
    spent = start.cpu_seconds + time.process_time() - began
    model.save(kept_at(key, sources, ".saffu"))
    return trial_line(
        by_document(predictor(model), common.validation),
        cpu_seconds=spent,
        parameters=size_of(model),
        trained_on=corpus.targets,
        losses=[round(loss, 5) for loss in losses],
    )


def read_refined(key: Line, sources: Sources) -> Line:
    """In a worker: the test text, once."""
    path = kept_at(key, sources, ".saffu")
    if not path.exists():
        trial_refined(key, sources)
    return nats_of_test(predictor(SaffuTransformer.load(path)), common_texts(key, sources).test)
