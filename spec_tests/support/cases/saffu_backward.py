"""saffu_backward.   (SPEC 6)"""

# Cases are tables, laid out by hand.
# fmt: off

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from spec_tests.support.cases.layers import COMBINATIONS, USUAL, edges, layer, options
from spec_tests.support.cases.question import NAN, Question, ask, signed, stream


def _backward_hunts(aggregation: str, attention: str, gain: str) -> str:
    hunts = ["backward-softmax-diagonal", "backward-features-unweighted", "backward-values-dropped"]
    if (attention, gain) == ("uniform", "count"):
        return "backward-softmax-diagonal backward-values-dropped backward-gain-dropped"
    if attention == "uniform":
        return " ".join(hunts)
    hunts += ["backward-attention-diagonal", "backward-values-only", "backward-w-transposed",
              "backward-square-once", "backward-pivot-dropped"]
    if attention == "surprisal":
        hunts += ["backward-surprisal-sign", "backward-surprisal-undivided"]
    elif gain == "count":
        hunts += ["backward-gain-dropped"]
    if aggregation == "sum":
        hunts += ["backward-slot-means"]
    return " ".join(hunts)


def saffu_backward() -> Iterator[Question]:
    op = "saffu_backward"
    for combination in COMBINATIONS:
        slug = "-".join(combination)
        d = stream(f"{op}/{slug}")
        yield ask(f"{op}/{slug}", "{}, {} attention, gain {}; contexts full and partly valid"
                  .format(*combination),
                  {**layer(d, combination[0]), "d_hidden": signed(d, 7, 2)},
                  _backward_hunts(*combination), attributes=options(*combination))
    for attention in ("softmax", "surprisal"):
        combination = ("cat", attention, "count")
        for edge in edges(op, attention):
            n, h = edge.given["inputs"].shape[0], edge.given["feature_weights"].shape[1]
            hunts = "backward-softmax-diagonal" if attention == "softmax" else ""
            few = edge.even
            if (edge.slug, attention) == ("saturated", "softmax"):
                hunts, few = "backward-softmax-diagonal backward-values-dropped", True
            yield ask(f"{op}/{attention}-{edge.slug}", f"{edge.about}, {attention} attention",
                      {**edge.given, "d_hidden": signed(edge.draw, n, h)},
                      hunts if few else _backward_hunts(*combination),
                      attributes=options(*combination))
    d = stream(f"{op}/garbage-in-empty-slots")
    given = layer(d, "cat")
    x = np.where(given["mask"][..., None], given["inputs"], 77.0)
    yield ask(f"{op}/garbage-in-empty-slots", "invalid slots give and get no gradient",
              {**given, "inputs": x, "d_hidden": signed(d, 7, 2)},
              "backward-leaks-into-empty-slots", attributes=USUAL)
    d = stream(f"{op}/even-gradient")
    yield ask(f"{op}/even-gradient", "a gradient that is the same for all hidden units has no "
              "effect, since they add up to one",
              {**layer(d, "cat"), "d_hidden": np.full((7, 2), 3.0)}, "backward-softmax-diagonal",
              attributes=USUAL)
    d = stream(f"{op}/signed")
    given = layer(d, "cat")
    given["inputs"] = given["inputs"] - 0.25 * given["mask"][..., None]
    yield ask(f"{op}/signed", "inputs off the simplex, with signed=true",
              {**given, "d_hidden": signed(d, 7, 2)}, _backward_hunts(*USUAL.values()),
              attributes={**USUAL, "signed": True})
    d = stream(f"{op}/many-contexts")
    yield ask(f"{op}/many-contexts", "29 contexts: gradients of weights add up over them",
              {**layer(d, "sum", 29, 5, 7, 3), "d_hidden": signed(d, 29, 3)},
              "backward-mean-over-contexts", attributes=options("sum", "softmax", "count"))
    d = stream(f"{op}/refuse")
    some = {**layer(d, "cat"), "d_hidden": signed(d, 7, 2)}
    pivot = some["pivot"].copy()
    pivot[4] = 3
    yield ask(f"{op}/refuse-pivot", "pivot 3 in a context of three slots",
              {**some, "pivot": pivot}, attributes=USUAL, reject="pivot")
    x = some["inputs"].copy()
    x[0, 0, 0] = -1.0
    yield ask(f"{op}/refuse-negative-input", "an input off the simplex", {**some, "inputs": x},
              "backward-takes-anything", attributes=USUAL, reject="negative")
    up = some["d_hidden"].copy()
    up[3, 1] = NAN
    yield ask(f"{op}/refuse-nan-gradient", "a gradient that is NaN", {**some, "d_hidden": up},
              "backward-takes-anything", attributes=USUAL, reject="non-finite")
    yield ask(f"{op}/refuse-other-gradient", "seven contexts, gradients of six",
              {**some, "d_hidden": some["d_hidden"][:6]}, attributes=USUAL, reject="shape")
    valid_slots = some["mask"].copy()
    valid_slots[5] = False
    yield ask(f"{op}/refuse-empty-context", "a context without a valid slot",
              {**some, "mask": valid_slots}, attributes=USUAL, reject="empty-mask")
