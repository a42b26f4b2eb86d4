"""The explicit solution of one SAFFU layer, attention included.   (SPEC 5)

Attention has no target of its own.  Given feature weights U of the layer, the hidden target of its
attention follows, and both W and U are explicit solutions of counts:

    U from uniform attention   →   t = a ⊙ (1 + G − ⟨a, G⟩)   →   W from F = Σ c ⊗ t   →   U again
                                   └────────────────────── one round ───────────────────────┘

with G_k = g · x_k · (U_k (y' − h))ᵀ for the target y' of the layer; for `surprisal` the chain rule
through −log.   [D]
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np

from saffu import checks
from saffu.arrays.namespace import beside, floating, namespace
from saffu.attention import gains
from saffu.counts import cooccurrence_unchecked
from saffu.errors import BadOption
from saffu.explicit.hidden import hidden_targets_unchecked
from saffu.explicit.smoothing import Backoff, Smoothing, smooth_computed
from saffu.explicit.solution import explicit_weights
from saffu.explicit.temper import fit_temper_unchecked, tempered_weights_unchecked
from saffu.layer import (
    LayerOptions,
    SaffuState,
    aggregate_vjp,
    check_context,
    check_inputs,
    saffu_forward_unchecked,
)
from saffu.parameters import LayerParameters
from saffu.types import (
    AttentionWeights,
    Features,
    FeatureWeights,
    Inputs,
    Pivot,
    SlotMask,
    SlotRows,
    Targets,
)

_SPEC_1: Final = "SPEC 1"

_SPEC: Final = "SPEC 5"


@dataclass(frozen=True)
class SoftmaxSettings:
    """How one softmax layer is solved."""

    smoothing: Smoothing = Backoff(1.0)
    temper: float | None = 1.0
    """λ; None: fitted"""
    scale: float = 1.0
    """a factor on λ"""
    slots: tuple[float, ...] = ()
    """λ of each slot, in place of `temper`; empty: one λ for all"""


@dataclass(frozen=True)
class WarmSettings:
    """The settings of a warm start."""

    rounds: int = 1
    """how often attention, and the feature weights after it, are solved"""
    hidden_smoothing: Smoothing = Backoff(1.0)
    """for every U"""
    attention_smoothing: Smoothing = Backoff(1.0)
    """for every W"""
    output_smoothing: Smoothing = Backoff(1.0)
    """for O"""
    hidden_temper: float | None = 1.0
    """λ of every U; None: fitted to the layer's own targets"""
    hidden_scale: float = 1.0
    """a factor on λ of the finished U: the λ that minimises the layer's own loss is too small for
    the layers above it [D]; hidden targets are those of the layer without the factor"""
    output_temper: float | None = 1.0
    """λ of O; None: fitted"""
    slot_tempers: tuple[tuple[float, ...], ...] = ()
    """λ of each slot of the finished U, one tuple per context model, empty where the model has no
    slots; they take the place of `hidden_temper`, which still leads to W, and `hidden_scale`
    multiplies them.  For towers of one layer with aggregation `cat`; (): one λ for all slots"""
    refits: int = 0
    """how often lower layers are solved again for the hidden targets implied by those above"""

    def __post_init__(self) -> None:
        checks.whole("rounds", self.rounds, 0, _SPEC)
        checks.whole("refits", self.refits, 0, _SPEC)
        checks.positive("hidden_scale", self.hidden_scale, _SPEC_1)
        for name in ("hidden_temper", "output_temper"):
            temper = getattr(self, name)
            if temper is not None and not math.isfinite(temper):
                raise BadOption(name, temper, "a finite number, or None to fit it", _SPEC_1)
        if not all(math.isfinite(lam) for tower in self.slot_tempers for lam in tower):
            raise BadOption("slot_tempers", self.slot_tempers, "finite numbers", _SPEC_1)

    def of_tower(self, index: int) -> WarmSettings:
        """The settings of one tower: of all tempers of slots, its own."""
        return replace(self, slot_tempers=self.slot_tempers[index : index + 1])

    @property
    def hidden(self) -> SoftmaxSettings:
        """How every U is solved, with the tempers of slots of the first tower."""
        slots = self.slot_tempers[0] if self.slot_tempers else ()
        return SoftmaxSettings(self.hidden_smoothing, self.hidden_temper, self.hidden_scale, slots)

    @property
    def output(self) -> SoftmaxSettings:
        """How O is solved."""
        return SoftmaxSettings(self.output_smoothing, self.output_temper)


class LayerInputs(NamedTuple):
    """What a SAFFU layer reads."""

    inputs: Inputs
    """X [n, B, D]"""
    mask: SlotMask
    pivot: Pivot


class SoftmaxSolution(NamedTuple):
    """Weights of a softmax layer and the temper that is in them."""

    weights: FeatureWeights
    temper: float


class LayerSolution(NamedTuple):
    """A solved SAFFU layer."""

    parameters: LayerParameters
    temper: float
    """λ of U"""
    state: SaffuState
    """what the solved layer computes from the data that it was solved on"""


def solve_softmax(features: Features, targets: Targets, how: SoftmaxSettings) -> SoftmaxSolution:
    """U_λ of a softmax layer, from arrays that are checked already.   (SPEC 1)

    With `how.slots`, the temper returned is the factor `how.scale` alone.
    """
    state = cooccurrence_unchecked(features, targets)
    counts = namespace(features).astype(
        smooth_computed(state.counts, how.smoothing), floating(features).dtype
    )  # weights have the precision of the features
    if how.slots:
        each = how.scale * np.asarray(how.slots, dtype=np.float64)
        return SoftmaxSolution(tempered_weights_unchecked(counts, each, state.priming), how.scale)
    lam = how.temper
    if lam is None:
        fit = fit_temper_unchecked(features, targets, counts, start=np.ones(1))
        lam = float(fit.temper[0])
    lam = lam * how.scale
    return SoftmaxSolution(tempered_weights_unchecked(counts, lam, state.priming), lam)


def solve_layer(
    given: LayerInputs, targets: Targets, options: LayerOptions, settings: WarmSettings
) -> LayerSolution:
    """Solve one SAFFU layer for the given targets, without backpropagation.   (SPEC 5)

    Parameters: `given`, inputs [n, B, D], mask [n, B] and pivot [n] as for `saffu_forward`;
    `targets` [n, N_h], label embeddings or hidden targets; `settings`, with the `slot_tempers` of
    this tower alone, if any.
    Returns W [B, B], U [S, N_h], and the state of the solved layer.
    Refuses: what `saffu_forward` and `cooccurrence` refuse.
    """
    inputs, pivot = given.inputs, beside(given.pivot, given.inputs)
    mask = beside(given.mask, inputs)
    checks.shape("inputs", inputs, (None, None, None), "n B D", "SPEC 4")
    checks.samples("inputs", inputs, "SPEC 4")
    check_context(mask, pivot, inputs.shape[:2])
    check_inputs(inputs, mask, signed=False)
    checks.targets(targets, inputs.shape[0], source=_SPEC)
    return solve_layer_unchecked(given, targets, options, settings)


def solve_layer_unchecked(
    given: LayerInputs, targets: Targets, options: LayerOptions, settings: WarmSettings
) -> LayerSolution:
    """`solve_layer` without its checks."""
    inputs, mask, pivot = given
    xp = namespace(inputs)
    slots = inputs.shape[1]
    mask, pivot = beside(mask, inputs), beside(pivot, inputs)
    w = xp.zeros((slots, slots), dtype=inputs.dtype, device=inputs.device)

    def forward(u: FeatureWeights | None) -> SaffuState:
        rows = inputs.shape[2] * (slots if options.aggregation == "cat" else 1)
        shape = (rows, targets.shape[1])
        blank = xp.zeros(shape, dtype=inputs.dtype, device=inputs.device)
        return saffu_forward_unchecked(inputs, mask, pivot, w, blank if u is None else u, options)

    unscaled = replace(settings.hidden, scale=1.0, slots=())
    features = forward(None).features
    for _ in range(settings.rounds if options.attention != "uniform" else 0):
        u = solve_softmax(features, targets, unscaled).weights
        state = forward(u)
        ascent = attention_ascent(state, inputs, mask, u, targets, options)
        t = hidden_targets_unchecked(state.attention, ascent)
        w = solve_attention(state.comparisons, t, settings.attention_smoothing)
        features = forward(u).features
    u, lam = solve_softmax(features, targets, settings.hidden)
    return LayerSolution(LayerParameters(w, u), lam, forward(u))


def solve_attention(
    comparisons: SlotRows, targets: SlotRows, smoothing: Smoothing
) -> AttentionWeights:
    """W [B, B], the explicit solution for comparisons and hidden targets [n, B].   (SPEC 5)

    The arrays are checked already.
    """
    state = cooccurrence_unchecked(comparisons, targets)
    weights = explicit_weights(smooth_computed(state.counts, smoothing), state.priming)
    return namespace(comparisons).astype(weights, floating(comparisons).dtype)


def attention_ascent(
    state: SaffuState,
    inputs: Inputs,
    mask: SlotMask,
    feature_weights: FeatureWeights,
    targets: Targets,
    options: LayerOptions,
) -> SlotRows:
    """G = −∂ℓ/∂a [n, B] for ℓ = −⟨y', log h⟩ of each sample; zero where invalid.   (SPEC 5)"""
    xp = namespace(inputs)
    mask = beside(mask, inputs)
    x = xp.where(mask[..., None], inputs, xp.zeros_like(inputs))
    mass = xp.sum(targets, axis=-1, keepdims=True)
    up = (targets - mass * state.hidden) @ feature_weights.T
    towards, _ = aggregate_vjp(up, x, state.weights, options.aggregation)
    if options.attention == "surprisal":
        slope = -1.0 / xp.where(mask, state.attention, xp.ones_like(towards))
    else:
        slope = gains(mask, options.gain, towards.dtype) + xp.zeros_like(towards)
    return xp.where(mask, slope * towards, xp.zeros_like(towards))
