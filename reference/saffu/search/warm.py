"""A warm start whose smoothing and tempers are chosen on held-out text.   (SPEC 1, 5)

    α of each U          by the layer's own loss at its best λ
    λ of U               that λ, or one for each slot, times the factor under which the *final* loss
                         is least
    α and λ of O         by the final loss

The best local λ of a hidden layer is too low for what is read from it, so the factor is judged by
the whole model [D].  Nothing here uses a gradient of the network: what is compared are explicit
solutions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from saffu.configuration import Configuration
from saffu.counts import Cooccurrence
from saffu.engines.passes import Everything, Passes
from saffu.explicit.smoothing import Backoff, Smoothing, smooth
from saffu.explicit.temper import tempered_weights
from saffu.fast.warm import (
    Ingredients,
    Solved,
    assemble_warm,
    fit_layer,
    fit_output,
    hidden_reader,
    ingredients,
    layer_above,
    output_counts,
    solve_tower,
)
from saffu.positions import Samples
from saffu.search.slots import check_slots, with_slot_tempers
from saffu.types import Array
from saffu.warm.layer import WarmSettings
from saffu.warm.start import WarmStart


@dataclass(frozen=True)
class Search:
    """What is tried."""

    hidden: tuple[Smoothing, ...] = tuple(Backoff(a) for a in (1.0, 10.0, 100.0, 1000.0))
    scales: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0)
    output: tuple[Smoothing, ...] = tuple(Backoff(a) for a in (1.0, 3.0, 10.0, 30.0, 100.0, 300.0))
    rounds: int = 1
    slot_tempers: bool = False
    """whether each slot of a `cat` layer gets a λ of its own, once its W is known"""
    attention_smoothing: Smoothing = Backoff(1.0)
    attention_targets: int = 20_000
    """targets that the pass for W reads"""
    scale_targets: int = 30_000
    """training targets on which the factors are compared"""
    judges: int = 2048
    """held-out targets on which factors, and smoothings of O, are compared, and λ of slots fitted;
    λ of the best O is then fitted on all of them"""


class Tried(NamedTuple):
    """One line of the search."""

    what: str
    value: float
    loss: float
    """nats"""


class ChosenStart(NamedTuple):
    """A warm start, and how its settings were found."""

    start: WarmStart
    settings: WarmSettings
    tried: tuple[Tried, ...]
    loss: float
    """final loss on the held-out samples, nats"""
    slot_tempers: tuple[tuple[float, ...], ...] = ()
    """λ of the slots of each tower that has its own, the factor included; the temper that `start`
    names is then the factor alone"""


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
    `search`, what to try.
    Refuses: `slot_tempers` for what has no slots side by side, or several layers.
    """
    if search.slot_tempers:
        check_slots(configuration)
    tried: list[Tried] = []
    found = ingredients(passes, configuration, dtype)
    alpha, known = _hidden_smoothing(passes, configuration, found, judge, search, tried)
    settings = WarmSettings(
        rounds=search.rounds,
        hidden_smoothing=alpha,
        attention_smoothing=search.attention_smoothing,
        hidden_temper=None,
    )
    sample = Passes(Everything(_sample(passes, search.scale_targets)))
    build = _Towers(configuration, found, settings, judge, search.attention_targets, seed)
    towers = build.solve(passes, 1.0, known)
    best: tuple[float, float] = (np.inf, 1.0)
    few = _spread(judge.targets.shape[0], search.judges)
    if search.slot_tempers:
        towers = tuple(
            tuple(with_slot_tempers(layer, found.labels, judge, few) for layer in tower)
            for tower in towers
        )
    for scale in search.scales:
        scaled = build.scale(sample, towers, scale)
        state = output_counts(sample, scaled, configuration.vocabulary)
        middle = search.output[len(search.output) // 2 :][:1]
        hidden = hidden_reader(scaled)(judge)
        loss = _output(state, hidden[few], judge.targets[few], middle).loss
        tried.append(Tried("factor on λ of U", scale, loss))
        best = min(best, (loss, scale))
    scale = best[1]
    towers = build.scale(passes, towers, scale)
    state = output_counts(passes, towers, configuration.vocabulary)
    hidden = hidden_reader(towers)(judge)
    top = _output(state, hidden[few], judge.targets[few], search.output)
    tried += [Tried("α of O", s.strength, loss) for s, loss in top.tried]
    if few.shape[0] < hidden.shape[0]:
        top = _output(state, hidden, judge.targets, [top.smoothing], top.temper)
    weights = tempered_weights(smooth(state.counts, top.smoothing), top.temper, state.priming)
    start = assemble_warm(found, towers, weights, top.temper, dtype)
    chosen = replace(
        settings,
        hidden_scale=scale,
        output_smoothing=top.smoothing,
        output_temper=top.temper,
    )
    by_slot = tuple(
        tuple((layer.temper * layer.slots).tolist())
        for tower in towers
        for layer in tower
        if layer.slots is not None
    )
    return ChosenStart(start, chosen, tuple(tried), top.loss, by_slot)


class _Towers(NamedTuple):
    """How to solve all towers of a model."""

    configuration: Configuration
    found: Ingredients
    settings: WarmSettings
    judge: Samples
    attention_targets: int
    seed: int

    def solve(
        self, passes: Passes, scale: float, known: Cooccurrence | None = None
    ) -> tuple[tuple[Solved, ...], ...]:
        """All towers, with a factor on λ of U; `known`, counts of the first one's first layer."""
        settings = replace(self.settings, hidden_scale=scale)
        return tuple(
            solve_tower(
                passes,
                self.found,
                self.configuration,
                c,
                settings,
                self.judge,
                self.attention_targets,
                self.seed,
                None if c else known,
            )
            for c in range(len(self.configuration.contexts))
        )

    def scale(
        self, passes: Passes, towers: tuple[tuple[Solved, ...], ...], scale: float
    ) -> tuple[tuple[Solved, ...], ...]:
        """Towers with another factor: one layer by arithmetic, several by solving anew."""
        if self.configuration.depth > 1:
            return self.solve(passes, scale)
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
        fits.append((s, *fit_output(smooth(state.counts, s), hidden, targets, start)))
    smoothing, temper, loss = min(fits, key=lambda fit: fit[2])
    return _Output(smoothing, temper, loss, tuple((s, value) for s, _, value in fits))


def _spread(size: int, most: int) -> Array:
    """At most so many of 0 … size−1, evenly spread."""
    return np.linspace(0, size - 1, min(size, most)).round().astype(np.int64)


def _hidden_smoothing(
    passes: Passes,
    configuration: Configuration,
    found: Ingredients,
    judge: Samples,
    search: Search,
    tried: list[Tried],
) -> tuple[Smoothing, Cooccurrence]:
    """α of U by the local loss of the first tower's first layer under uniform attention.

    Also what was counted for that.
    """
    layer = layer_above((), found, configuration, 0)
    state = layer.feature_counts(passes, "features", layer.start)
    losses = [
        (fit_layer(layer, layer.start, smooth(state.counts, s), found.labels, judge)[1], i)
        for i, s in enumerate(search.hidden)
    ]
    tried += [Tried("α of U", search.hidden[i].strength, loss) for loss, i in losses]
    return search.hidden[min(losses)[1]], state


def _sample(passes: Passes, most: int) -> Samples:
    """Some whole documents from anywhere in the text."""
    small = passes._replace(chunk=min(passes.chunk, most))
    parts = list(small.read("sampling", most=most, seed=0))
    starts = [np.concatenate(field) for field in zip(*parts, strict=True)]
    return Samples(*starts)
