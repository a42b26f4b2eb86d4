"""saffu_forward.   (SPEC 4)"""

# Cases are tables, laid out by hand.
# fmt: off

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from spec_tests.support.cases.layers import COMBINATIONS, USUAL, edges, layer, options
from spec_tests.support.cases.question import NAN, Question, ask, stream


def _forward_hunts(aggregation: str, attention: str, gain: str) -> str:
    hunts = ["saffu-without-softmax"]
    if aggregation == "cat":
        hunts += ["saffu-cat-by-feature", "saffu-sum-where-cat"]
    if attention == "uniform":
        hunts += ["saffu-uniform-attends"]
        if gain == "count":
            hunts += ["saffu-gain-of-slots"]
        else:
            hunts += ["saffu-uniform-over-slots", "saffu-gain-always"]
        return " ".join(hunts)
    hunts += ["saffu-w-transposed", "saffu-mask-ignored", "saffu-masks-comparisons",
              "saffu-pivot-first", "saffu-keys-scaled"]
    if attention == "surprisal":
        return " ".join([*hunts, "saffu-surprisal-sign", "saffu-surprisal-gain",
                         "saffu-surprisal-ignored"])
    hunts += ["saffu-gain-of-slots", "saffu-gain-ignored"] if gain == "count" else [
        "saffu-gain-always"]
    return " ".join(hunts)


def saffu_forward() -> Iterator[Question]:
    op = "saffu_forward"
    for combination in COMBINATIONS:
        slug = "-".join(combination)
        d = stream(f"{op}/{slug}")
        yield ask(f"{op}/{slug}", "{}, {} attention, gain {}; contexts full and partly valid"
                  .format(*combination), layer(d, combination[0]), _forward_hunts(*combination),
                  attributes=options(*combination))
    for attention in ("softmax", "surprisal"):
        combination = ("cat", attention, "count")
        for edge in edges(op, attention):
            hunts = _forward_hunts(*combination)
            if edge.slug == "saturated":
                for hidden in ("saffu-keys-scaled", "saffu-mask-ignored", "saffu-pivot-first"):
                    hunts = hunts.replace(hidden, "")
            if edge.slug == "one-hot":
                hunts = hunts.replace("saffu-pivot-first", "")
            if edge.even:
                hunts = "saffu-without-softmax" if attention == "softmax" else ""
            yield ask(f"{op}/{attention}-{edge.slug}", f"{edge.about}, {attention} attention",
                      edge.given, hunts, attributes=options(*combination))
    d = stream(f"{op}/garbage-in-empty-slots")
    given = layer(d, "cat")
    for slug, about, entry in (
        ("garbage-in-empty-slots", "what invalid slots hold does not matter", 77.0),
        ("nan-in-empty-slots", "not even where it is NaN", NAN),
    ):
        x = np.where(given["mask"][..., None], given["inputs"], entry)
        yield ask(f"{op}/{slug}", about, {**given, "inputs": x},
                  "saffu-mask-ignored saffu-compares-empty-slots", attributes=USUAL)
    d = stream(f"{op}/signed")
    given = layer(d, "cat")
    given["inputs"] = given["inputs"] - 0.25 * given["mask"][..., None]
    yield ask(f"{op}/signed", "a trained embedding that left the simplex, with signed=true", given,
              "saffu-clamps-inputs", attributes={**USUAL, "signed": True})
    d = stream(f"{op}/below-any-big-negative-number")
    given = layer(d, "cat")
    given["attention_weights"] = -(2.0**50) - d.whole(0, 7, 3, 3) * 2.0**44
    yield ask(f"{op}/below-any-big-negative-number", "logits of about −1e15, so that invalid slots "
              "masked by −1e10 win", given, "saffu-mask-big-negative saffu-mask-ignored",
              attributes=USUAL)
    d = stream(f"{op}/many-contexts")
    yield ask(f"{op}/many-contexts", "29 contexts of five slots",
              layer(d, "sum", 29, 5, 7, 3), "saffu-w-transposed saffu-mask-ignored",
              attributes=options("sum", "softmax", "count"))
    yield from _forward_refusals(op)


def _forward_refusals(op: str) -> Iterator[Question]:
    d = stream(f"{op}/refuse")
    some = layer(d, "cat")
    taken = "saffu-takes-anything"
    valid = np.argwhere(some["mask"])[2]
    empty = np.argwhere(~some["mask"])[0]
    for slug, about, entry, reason in (
        ("negative-input", "an input off the simplex, without signed=true", -0.25, "negative"),
        ("nan-input", "an input that is NaN, in a valid slot", NAN, "non-finite"),
    ):
        x = some["inputs"].copy()
        x[valid[0], valid[1], 3] = entry
        yield ask(f"{op}/refuse-{slug}", about, {**some, "inputs": x}, taken, attributes=USUAL,
                  reject=reason)
    nan = some["inputs"].copy()
    nan[valid[0], valid[1], 3] = NAN
    yield ask(f"{op}/refuse-nan-signed-input", "NaN is refused with signed=true too",
              {**some, "inputs": nan}, taken, attributes={**USUAL, "signed": True},
              reject="non-finite")
    pivot = some["pivot"].copy()
    pivot[empty[0]] = empty[1]
    yield ask(f"{op}/refuse-pivot-on-empty-slot", "a query that is not there",
              {**some, "pivot": pivot}, taken, attributes=USUAL, reject="pivot")
    for slug, at in (("beyond", 3), ("negative", -1)):
        pivot = some["pivot"].copy()
        pivot[4] = at
        yield ask(f"{op}/refuse-pivot-{slug}", f"pivot {at} in a context of three slots",
                  {**some, "pivot": pivot}, "saffu-wraps-pivot", attributes=USUAL,
                  reject="pivot")
    valid_slots = some["mask"].copy()
    valid_slots[5] = False
    yield ask(f"{op}/refuse-empty-context", "a context without a valid slot",
              {**some, "mask": valid_slots}, taken, attributes=USUAL, reject="empty-mask")
    for name, x in (
        ("mask", some["mask"][:, :2]),
        ("pivot", some["pivot"][:5]),
        ("attention_weights", some["attention_weights"][:2]),
        ("feature_weights", some["feature_weights"][:5]),
    ):
        slug = name.replace("_", "-")
        yield ask(f"{op}/refuse-other-{slug}", f"{name} of another shape", {**some, name: x},
                  attributes=USUAL, reject="shape")
    nothing = {name: some[name][:0] for name in ("inputs", "mask", "pivot")}
    yield ask(f"{op}/refuse-no-contexts", "no contexts", {**some, **nothing},
              attributes=USUAL, reject="no-samples")
    for name in ("aggregation", "attention", "gain"):
        yield ask(f"{op}/refuse-other-{name}", f"{name} that nobody knows", some,
                  attributes={**USUAL, name: "linear"}, reject="option")
