"""Warm start with smoothing and tempers chosen on held-out text.   (SPEC 1, 5)

    α, one for every U   by the loss of the first tower's first layer, at its best λ
    λ of U               that λ, or one per slot, times the factor with the least *final* loss
    α and λ of O         by the final loss

The λ that minimises a hidden layer's own loss is too small for the layers above it; it is
multiplied by a factor chosen on the loss of the whole model [D].  No gradient of the network is
used: the search compares explicit solutions.  It ends in `saffu.fast.warm.stream_warm_start`, which
gives the same model from the settings found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from saffu.configuration import Configuration
from saffu.counts import Cooccurrence
from saffu.engines.passes import Everything, Passes, Sample
from saffu.explicit.smoothing import Backoff, Smoothing, smooth_computed
from saffu.fast.warm import (
    Counted,
    Problem,
    Towers,
    fit_layer,
    fit_output,
    hidden_reader,
    ingredients,
    layer_above,
    output_counts,
    solve_towers,
    stream_warm_start,
)
from saffu.positions import Samples
from saffu.search.slots import towers_by_slot
from saffu.search.tempers import evenly_spaced
from saffu.types import Array, IntArray
from saffu.warm.layer import WarmSettings
from saffu.warm.start import WarmStart, check_slots


@dataclass(frozen=True)
class Search:
    """The settings to try."""

    hidden: tuple[Smoothing, ...] = tuple(Backoff(a) for a in (1.0, 10.0, 100.0, 1000.0))
    scales: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0)
    output: tuple[Smoothing, ...] = tuple(Backoff(a) for a in (1.0, 3.0, 10.0, 30.0, 100.0, 300.0))
    rounds: int = 1
    slot_tempers: bool = False
    """whether each slot of a `cat` layer has its own λ, fitted once W is known"""
    attention_smoothing: Smoothing = Backoff(1.0)
    attention_targets: int = 20_000
    """training targets that the pass for W reads"""
    scale_targets: int = 30_000
    """training targets on which the factors are compared"""
    judges: int = 2048
    """held-out targets on which factors and smoothings of O are compared and λ of slots fitted; the
    λ of the best O is then fitted on all held-out targets"""


class Tried(NamedTuple):
    """One line of the search."""

    what: str
    value: float
    loss: float
    """nats"""


class ChosenStart(NamedTuple):
    """A warm start with the settings found for it; `stream_warm_start` repeats it from them."""

    start: WarmStart
    settings: WarmSettings
    tried: tuple[Tried, ...]
    loss: float
    """final loss on the held-out samples, nats"""
    slot_tempers: tuple[tuple[float, ...], ...] = ()
    """λ of the slots of each tower that has slots, the factor included; the temper in `start` is
    then the factor alone"""


def choose_warm_start(
    passes: Passes,
    configuration: Configuration,
    judge: Samples,
    search: Search = Search(),
    *,
    seed: int = 0,
    dtype: type = np.float64,
) -> ChosenStart:
    """The warm start with the least held-out loss among those tried.   (SPEC 1, 5)

    Parameters: `passes` over the training text; `judge`, held-out samples (some thousands);
    `search`, the settings to try.
    `stream_warm_start` with the settings returned, the same held-out samples, the search's
    `attention_targets`, `seed` and `dtype` gives the same start.
    Refuses: `slot_tempers` for layers without slots side by side, or several layers per tower.
    """
    if search.slot_tempers:
        check_slots(configuration)
    tried: list[Tried] = []
    problem = Problem(
        passes,
        configuration,
        WarmSettings(
            rounds=search.rounds,
            attention_smoothing=search.attention_smoothing,
            hidden_temper=None,
        ),
        judge,
        ingredients(passes, configuration, dtype),
        Sample(search.attention_targets, seed),
    )
    alpha, first = _hidden_smoothing(problem, search, tried)
    problem = _with(problem, hidden_smoothing=alpha)
    towers = solve_towers(problem, first)
    few = evenly_spaced(judge.targets.shape[0], search.judges)
    if search.slot_tempers:
        towers, by_slot = towers_by_slot(towers, judge, few)
        problem = _with(problem, slot_tempers=by_slot)
    problem = _with(problem, hidden_scale=_factor(problem, towers, search, few, tried))
    towers = _scaled(problem, towers)
    state = output_counts(passes, towers, configuration.vocabulary)
    hidden = hidden_reader(towers)(judge)
    top = _output(state, hidden[few], judge.targets[few], search.output)
    tried += [Tried("α of O", s.strength, loss) for s, loss in top.tried]
    if few.shape[0] < hidden.shape[0]:
        top = _output(state, hidden, judge.targets, [top.smoothing], top.temper)
    problem = _with(problem, output_smoothing=top.smoothing, output_temper=top.temper)
    start = stream_warm_start(
        passes,
        configuration,
        problem.settings,
        judge,
        dtype=dtype,
        counted=Counted(problem.ingredients, towers, state),
    )
    scale = problem.settings.hidden_scale
    by_slot = tuple(
        tuple(scale * lam for lam in tower) for tower in problem.settings.slot_tempers if tower
    )
    return ChosenStart(start, problem.settings, tuple(tried), top.loss, by_slot)


def _with(problem: Problem, **chosen: object) -> Problem:
    """The problem with further settings."""
    return replace(problem, settings=replace(problem.settings, **chosen))  # type: ignore[arg-type]


def _hidden_smoothing(
    problem: Problem, search: Search, tried: list[Tried]
) -> tuple[Smoothing, Cooccurrence]:
    """α of U by the own loss of the first tower's first layer under uniform attention.

    Also the counts of that layer.
    """
    layer = layer_above((), problem.ingredients, problem.configuration, 0)
    state = layer.feature_counts(problem.passes, "features", layer.start)
    losses = [
        (fit_layer(layer, layer.start, smooth_computed(state.counts, s), problem.judge)[1], i)
        for i, s in enumerate(search.hidden)
    ]
    tried += [Tried("α of U", search.hidden[i].strength, loss) for loss, i in losses]
    return search.hidden[min(losses)[1]], state


def _factor(
    problem: Problem, towers: Towers, search: Search, few: IntArray, tried: list[Tried]
) -> float:
    """The factor on λ of U by the final loss, with O counted on a sample of the training text."""
    sample = Passes(Everything(_sample(problem.passes, search.scale_targets)))
    on_sample, judge = replace(problem, passes=sample), problem.judge
    middle = search.output[len(search.output) // 2 :][:1]
    losses: list[tuple[float, float]] = []
    for scale in search.scales:
        scaled = _scaled(_with(on_sample, hidden_scale=scale), towers)
        state = output_counts(sample, scaled, problem.configuration.vocabulary)
        hidden = hidden_reader(scaled)(judge)
        loss = _output(state, hidden[few], judge.targets[few], middle).loss
        tried.append(Tried("factor on λ of U", scale, loss))
        losses.append((loss, scale))
    return min(losses)[1]


def _scaled(problem: Problem, towers: Towers) -> Towers:
    """Towers with the problem's factor: one layer by arithmetic, several by solving them again."""
    if problem.configuration.depth > 1:
        return solve_towers(problem)
    scale = problem.settings.hidden_scale
    return tuple(tuple(layer.scaled(scale) for layer in tower) for tower in towers)


class _Output(NamedTuple):
    smoothing: Smoothing
    temper: float
    loss: float
    tried: tuple[tuple[Smoothing, float], ...]


def _output(
    state: Cooccurrence,
    hidden: Array,
    targets: Array,
    options: Sequence[Smoothing],
    start: float = 1.0,
) -> _Output:
    """The best smoothing of O, each at its best λ; the search for the first λ begins at `start`."""
    fits: list[tuple[Smoothing, float, float]] = []
    for s in options:
        start = fits[-1][1] if fits else start
        fits.append((s, *fit_output(smooth_computed(state.counts, s), hidden, targets, start)))
    smoothing, temper, loss = min(fits, key=lambda fit: fit[2])
    return _Output(smoothing, temper, loss, tuple((s, value) for s, _, value in fits))


def _sample(passes: Passes, most: int) -> Samples:
    """Some whole documents from anywhere in the text."""
    small = passes._replace(chunk=min(passes.chunk, most))
    parts = list(small.read("sampling", most=most, seed=0))
    starts = [np.concatenate(field) for field in zip(*parts, strict=True)]
    return Samples(*starts)
