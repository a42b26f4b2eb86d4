"""Mistakes in the warm start.   (SPEC 5)"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from saffu.arrays.namespace import average_rows
from saffu.batch import DocumentPlan, LayerPlan, plan
from saffu.cipher import cipher_embedding
from saffu.configuration import Configuration
from saffu.conformance.diagnosis.bank.explicit_solution import smooth
from saffu.conformance.diagnosis.bank.hidden_targets import hidden_targets
from saffu.conformance.diagnosis.bank.model import numbered, text_samples
from saffu.conformance.diagnosis.bank.saffu_forward import softmax
from saffu.conformance.diagnosis.bank.temper import newton, scored
from saffu.conformance.diagnosis.variants import Arrays, mistakes, variant
from saffu.embedding import radial_embedding
from saffu.layer import LayerOptions, SaffuState, saffu_backward, saffu_forward
from saffu.model import look_up, look_up_vjp
from saffu.types import Array
from saffu.warm.layer import attention_ascent

Settings = dict[str, Any]


def _tempered(evidence: Array, prior: Array, lam: float, k: float) -> Array:
    return lam * evidence + prior / k


class Warm:
    """A warm start, with a name for every place in which porters go wrong."""

    def __init__(self, settings: Settings, options: LayerOptions, places: Mapping[str, Any]):
        self.settings = settings
        self.options = options
        self.clips: bool = places.get("clips", True)
        self.renewed: bool = places.get("renewed", True)
        self.scale_in_rounds: bool = places.get("scale_in_rounds", False)
        self.full: Callable[[Array], Array] = places.get("full", lambda full: full)
        self.tempered: Callable[..., Array] = places.get("tempered", _tempered)
        self.gain: Callable[[Array], Array] = places.get("gain", lambda ascent: ascent)

    def solve(self, h: Array, y: Array, layer: str, scale: float = 1.0) -> Array:
        """Weights of a softmax layer."""
        full = self.full(smooth(h.T @ y, self.settings[f"{layer}_smoothing"]))
        prior, _ = scored(h[:1], full, 1)
        lam = self.settings.get(f"{layer}_temper", 1.0)
        if lam is None:
            lam = float(newton(*scored(h, full, 1), y, np.zeros(1))[0])
        k = float(np.sum(h)) / h.shape[0]
        return self.tempered(np.log(full) - prior, prior, lam * scale, k)

    def layer(self, x: Array, step: LayerPlan, y: Array) -> tuple[Array, Array, SaffuState]:
        """W and U of one layer, and what it computes."""
        slots, width = x.shape[1:]
        w = np.zeros((slots, slots))
        scale = self.settings["hidden_scale"]

        def forward(u: Array) -> SaffuState:
            return saffu_forward(x, step.mask, step.pivot, w, u, self.options)

        rows = width * (slots if self.options.aggregation == "cat" else 1)
        features = forward(np.zeros((rows, y.shape[1]))).features
        rounds = 0 if self.options.attention == "uniform" else self.settings["rounds"]
        for _ in range(rounds):
            u = self.solve(features, y, "hidden", scale if self.scale_in_rounds else 1.0)
            state = forward(u)
            ascent = self.gain(attention_ascent(state, x, step.mask, u, y, self.options))
            t = hidden_targets(state.attention, ascent, self.clips)["targets"]
            w = self.solve(state.comparisons, t, "attention")
            features = forward(u).features if self.renewed else features
        u = self.solve(features, y, "hidden", scale)
        return w, u, forward(u)

    def tower(self, table: Array, tower: tuple[LayerPlan, ...], y: Array) -> list[Any]:
        """All layers of a tower; then anew for what the layers above imply."""
        goals = [y] * len(tower)
        solved: list[Any] = []
        for turn in range(1 + (self.settings["refits"] if len(tower) > 1 else 0)):
            if turn:
                goals = self.implied(tower, solved, y)
            below, solved = table, []
            for step, goal in zip(tower, goals, strict=True):
                solved.append(self.layer(look_up(below, step), step, goal))
                below = solved[-1][2].hidden
        return solved

    def implied(self, tower: tuple[LayerPlan, ...], solved: list[Any], y: Array) -> list[Array]:
        """Hidden targets of the lower layers."""
        goals = [y]
        d_hidden = -y / solved[-1][2].hidden
        for level in reversed(range(1, len(tower))):
            (w, u, state), step, below = solved[level], tower[level], solved[level - 1][2].hidden
            x = look_up(below, step)
            got = saffu_backward(d_hidden, state, x, step.mask, step.pivot, w, u, self.options)
            d_hidden = look_up_vjp(got.inputs, step, below.shape[0])
            goals.append(hidden_targets(below, -d_hidden, True)["targets"])
        return goals[::-1]


def warm_start(
    configuration: Mapping[str, Any],
    settings: Mapping[str, Any],
    *,
    changed: Callable[[Settings], Settings] = lambda settings: settings,
    labelled: Callable[[Array, Array], Array] = lambda tokens, targets: targets,
    embedded: Callable[[Array, Array], Array] = lambda tokens, targets: tokens,
    embeds_wide: bool = True,
    **given: Any,
) -> Arrays:
    """Parameters under their names, and the label embedding."""
    shape = Configuration.from_json(configuration)
    documents = numbered(given)
    places = {name: x for name, x in given.items() if not name.startswith("document_")}
    text, _ = text_samples(documents, shape.vocabulary)
    documents = [document % shape.vocabulary for document in documents]
    tokens, batch = np.concatenate(documents), plan(text, shape)
    size = shape.vocabulary
    counts = np.bincount(embedded(tokens, text.targets), minlength=size)
    table = cipher_embedding(counts, shape.bits)
    if shape.radii and embeds_wide:
        table = radial_embedding(documents, table, shape.radii, combine=shape.combine)
    counts = np.bincount(labelled(tokens, text.targets), minlength=size)
    labels = cipher_embedding(counts, shape.label_bits)
    y = labels[batch.targets]
    warm = Warm(changed(dict(settings)), shape.layer, places)
    parameters, tops = {"labels": labels, "embedding": table}, []
    for c, tower in enumerate(batch.towers):
        if isinstance(tower, DocumentPlan):
            s = average_rows(table, tower.token, tower.owner, y.shape[0])
            u = warm.solve(s, y, "hidden", warm.settings["hidden_scale"])
            parameters[f"tower{c}.layer0.features"] = u
            tops.append(softmax(s @ u))
            continue
        solved = warm.tower(table, tower, y)
        for i, (w, u, _) in enumerate(solved):
            (
                parameters[f"tower{c}.layer{i}.attention"],
                parameters[f"tower{c}.layer{i}.features"],
            ) = w, u
        tops.append(solved[-1][2].hidden)
    parameters["output"] = warm.solve(
        np.concatenate(tops, axis=1), np.eye(size)[batch.targets], "output"
    )
    return parameters


def _with(**more: Any) -> Callable[[Settings], Settings]:
    return lambda settings: {**settings, **more}


def _swapped(settings: Settings) -> Settings:
    hidden, output = settings["hidden_smoothing"], settings["output_smoothing"]
    return {**settings, "hidden_smoothing": output, "output_smoothing": hidden}


MISTAKES = mistakes(
    "warm_start", warm_start,
    variant("warm-labels-of-tokens", "labels ranked by how often tokens occur, <sod> among them",
        labelled=lambda tokens, targets: tokens),
    variant("warm-embedding-of-targets", "tokens ranked by how often they are targets",
        embedded=lambda tokens, targets: targets),
    variant("warm-without-attention", "W stays zero", changed=_with(rounds=0)),
    variant("warm-old-features", "U from evenly attended features, though W is solved",
        renewed=False),
    variant("warm-one-round", "one round, however many are asked for", changed=_with(rounds=1)),
    variant("warm-hidden-targets-unclipped", "hidden targets not clipped", clips=False),
    variant("warm-hidden-targets-sign", "hidden targets that go uphill",
        gain=lambda ascent: -ascent),
    variant("warm-scale-ignored", "the factor on λ left out", changed=_with(hidden_scale=1.0)),
    variant("warm-scale-in-targets", "hidden targets of a layer with the factor on λ",
        scale_in_rounds=True),
    variant("warm-temper-ignored", "λ = 1 everywhere",
        changed=_with(hidden_temper=1.0, output_temper=1.0)),
    variant("warm-temper-on-prior", "λ multiplies the prior too",
        tempered=lambda evidence, prior, lam, k: lam * (evidence + prior / k)),
    variant("warm-smoothings-swapped", "smoothing of hidden and of output layers swapped",
        changed=_swapped),
    variant("warm-without-refits", "lower layers not solved anew", changed=_with(refits=0)),
    variant("warm-tiny-for-zero", "log 0 hidden as the logarithm of something tiny",
        full=lambda full: np.maximum(full, 1e-300), accepts="zero-count"),
    variant("warm-takes-anything", "bad documents not refused",
        accepts="token-range no-samples option"),
)  # fmt: skip
