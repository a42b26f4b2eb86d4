"""The explicit solution of one SAFFU layer, attention included.   (SPEC 5)

Nobody hands attention a target.  Once the layer has feature weights U, the hidden target of its
attention is known, and both W and U are explicit solutions of counts:

    U from uniform attention   →   t = a ⊙ (1 + G − ⟨a, G⟩)   →   W from F = Σ c ⊗ t   →   U anew
                                   └────────────────────── one round ──────────────────────┘

with G_k = g · x_k · (U_k (y' − h))ᵀ for the target y' of the layer; for `surprisal` the chain rule
through −log.   [D]
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from saffu import checks
from saffu.arrays.namespace import beside, floating, namespace
from saffu.attention import gains
from saffu.counts import Cooccurrence, cooccurrence
from saffu.errors import BadOption
from saffu.explicit.hidden import hidden_targets
from saffu.explicit.smoothing import Backoff, Smoothing, smooth
from saffu.explicit.solution import explicit_solution
from saffu.explicit.temper import fit_temper, tempered_weights
from saffu.layer import LayerOptions, SaffuState, aggregate_vjp, saffu_forward
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


@dataclass(frozen=True)
class WarmSettings:
    """The numbers that a warm start needs besides the data."""

    rounds: int = 1
    """how often attention is solved, and the feature weights after it"""
    hidden_smoothing: Smoothing = Backoff(1.0)
    """for every U"""
    attention_smoothing: Smoothing = Backoff(1.0)
    """for every W"""
    output_smoothing: Smoothing = Backoff(1.0)
    """for O"""
    hidden_temper: float | None = 1.0
    """λ of every U; None: fitted to the layer's own targets"""
    hidden_scale: float = 1.0
    """a factor on λ of the finished U: the best final perplexity wants more than the best local
    loss [D]; hidden targets come from the layer as it is without the factor"""
    output_temper: float | None = 1.0
    """λ of O; None: fitted"""
    slot_tempers: tuple[tuple[float, ...], ...] = ()
    """λ of each slot of the finished U, one tuple per context model, empty where the model has no
    slots; they take the place of `hidden_temper`, which still leads to W, and `hidden_scale`
    multiplies them.  For towers of one layer with aggregation `cat`; (): one λ for all slots"""
    refits: int = 0
    """how often lower layers are solved anew for the hidden targets that the layers above imply"""

    def __post_init__(self) -> None:
        checks.whole("rounds", self.rounds, 0, "SPEC 5")
        checks.whole("refits", self.refits, 0, "SPEC 5")
        checks.positive("hidden_scale", self.hidden_scale, "SPEC 1")
        for name in ("hidden_temper", "output_temper"):
            temper = getattr(self, name)
            if temper is not None and not math.isfinite(temper):
                raise BadOption(name, temper, "a finite number, or None to fit it", "SPEC 1")
        if not all(math.isfinite(lam) for tower in self.slot_tempers for lam in tower):
            raise BadOption("slot_tempers", self.slot_tempers, "finite numbers", "SPEC 1")

    def of_tower(self, index: int) -> WarmSettings:
        """The settings of one tower: of all tempers of slots, its own."""
        return replace(self, slot_tempers=self.slot_tempers[index : index + 1])


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


def solve_softmax(
    features: Features,
    targets: Targets,
    smoothing: Smoothing,
    temper: float | None,
    scale: float = 1.0,
    slots: Sequence[float] = (),
) -> SoftmaxSolution:
    """U_λ of a softmax layer; λ given, or fitted where None, times `scale`.   (SPEC 1)

    With `slots`, λ of each slot, the temper returned is the factor `scale` alone.
    """
    state = cooccurrence(features, targets)
    counts = namespace(features).astype(
        smooth(state.counts, smoothing), floating(features).dtype
    )  # weights are as precise as the features that they meet
    if slots:
        each = scale * np.asarray(slots, dtype=np.float64)
        return SoftmaxSolution(tempered_weights(counts, each, state.priming), scale)
    lam = temper
    if lam is None:
        lam = float(fit_temper(features, targets, counts).temper[0])
    return SoftmaxSolution(tempered_weights(counts, lam * scale, state.priming), lam * scale)


def solve_layer(
    inputs: Inputs,
    mask: SlotMask,
    pivot: Pivot,
    targets: Targets,
    options: LayerOptions,
    settings: WarmSettings,
) -> LayerSolution:
    """Solve one SAFFU layer for the given targets, without backpropagation.   (SPEC 5)

    Parameters: `inputs` [n, B, D], `mask` [n, B], `pivot` [n] as for `saffu_forward`; `targets`
    [n, N_h], label embeddings or hidden targets; `settings`, with the `slot_tempers` of this tower
    alone, if any.
    Returns W [B, B], U [S, N_h], and the state of the solved layer.
    Refuses: what `saffu_forward` and `cooccurrence` refuse.
    """
    xp = namespace(inputs)
    slots = inputs.shape[1]
    mask, pivot = beside(mask, inputs), beside(pivot, inputs)
    w = xp.zeros((slots, slots), dtype=inputs.dtype, device=inputs.device)

    def forward(u: FeatureWeights | None) -> SaffuState:
        rows = inputs.shape[2] * (slots if options.aggregation == "cat" else 1)
        shape = (rows, targets.shape[1])
        blank = xp.zeros(shape, dtype=inputs.dtype, device=inputs.device)
        return saffu_forward(inputs, mask, pivot, w, blank if u is None else u, options)

    def solve(
        features: Features, scale: float = 1.0, by_slot: Sequence[float] = ()
    ) -> SoftmaxSolution:
        alpha, lam = settings.hidden_smoothing, settings.hidden_temper
        return solve_softmax(features, targets, alpha, lam, scale, by_slot)

    features = forward(None).features
    for _ in range(settings.rounds if options.attention != "uniform" else 0):
        u = solve(features).weights
        state = forward(u)
        ascent = attention_ascent(state, inputs, mask, u, targets, options)
        t = hidden_targets(state.attention, ascent)
        w = solve_attention(state.comparisons, t, settings.attention_smoothing)
        features = forward(u).features
    by_slot = settings.slot_tempers[0] if settings.slot_tempers else ()
    u, lam = solve(features, settings.hidden_scale, by_slot)
    return LayerSolution(LayerParameters(w, u), lam, forward(u))


def solve_attention(
    comparisons: SlotRows, targets: SlotRows, smoothing: Smoothing
) -> AttentionWeights:
    """W [B, B], the explicit solution for comparisons and hidden targets [n, B].   (SPEC 5)"""
    state: Cooccurrence = cooccurrence(comparisons, targets)
    weights = explicit_solution(state, smoothing).weights
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
