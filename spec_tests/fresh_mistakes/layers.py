"""Mistakes in compare, saffu_forward, saffu_backward and hidden_targets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from saffu.types import Array
from spec_tests.fresh_mistakes.examples import backward, example, layer, put, rows, signed
from spec_tests.fresh_mistakes.record import (
    COMMON,
    LEGAL,
    NUMERICAL,
    RARE,
    REFUSAL,
    SIZE,
    STATE,
    VALUE,
    Answer,
    FreshMistake,
    Given,
    Wrong,
    changed,
    fresh,
    misnamed,
    of,
    refusing,
    right,
    some,
    spoiled,
    unchecked,
)


def _comparisons(compare: Callable[[Array, Array], Array]) -> Wrong:
    """Other comparisons of inputs [n, B, D] with the pivot's [n, D]."""

    def wrong(given: Given) -> Answer:
        answer = right("compare", given)
        x, p = given["inputs"], given["pivot"]
        return {**answer, "comparisons": compare(x, x[np.arange(len(x)), p])}

    return wrong


def _pulled(pull: Callable[[Array, Array, Array], Array]) -> Wrong:
    """Another adjoint, of inputs, pivot and dc."""

    def wrong(given: Given) -> Answer:
        answer = right("compare", given)
        if "cotangents" in given:
            dc = given["cotangents"]["comparisons"]
            answer["gradient.inputs"] = pull(given["inputs"], given["pivot"], dc)
        return answer

    return wrong


def _once(x: Array, p: Array, dc: Array) -> Array:
    """The pivot's own comparison gets one of its two terms."""
    n = np.arange(len(x))
    d = dc[..., None] * x[n, p][:, None]
    rest = dc.copy()
    rest[n, p] = 0
    d[n, p] += (rest[..., None] * x).sum(1)
    return d


def _unit(x: Array) -> Array:
    unit: Array = x / np.maximum(np.sqrt((x**2).sum(-1, keepdims=True)), 1e-300)
    return unit


class _PivotsOfBefore:
    """Pivots are kept by their number."""

    def __init__(self) -> None:
        self.pivots: dict[tuple[int, ...], Array] = {}

    def __call__(self, given: Given) -> Answer:
        right("compare", given)
        shape = given["inputs"].shape[:2]
        return right("compare", {**given, "pivot": self.pivots.setdefault(shape, given["pivot"])})


def _compares() -> tuple[FreshMistake, ...]:
    op, usual = "compare", example("compare")
    pulled = {**usual, "cotangents": {"comparisons": signed(5, 3)}}
    wide = {"inputs": rows(2, 9, 3), "pivot": np.array([8, 0])}
    deep = {"inputs": rows(2, 3, 9), "pivot": np.array([1, 0])}
    x, p = usual["inputs"], usual["pivot"]
    return (
        fresh(op, NUMERICAL, COMMON, "compare-first-slot", "the pivot is slot 0",
              _comparisons(lambda x, q: np.einsum("nbd,nd->nb", x, x[:, 0])), usual),
        fresh(op, NUMERICAL, COMMON, "compare-cosine", "the cosine",
              _comparisons(lambda x, q: np.einsum("nbd,nd->nb", _unit(x), _unit(q))), usual),
        fresh(op, NUMERICAL, COMMON, "compare-scaled", "divided by the root of D",
              spoiled(op, comparisons=lambda c: 0.5 * c), usual),
        fresh(op, NUMERICAL, RARE, "compare-not-with-itself", "the pivot's own comparison is 0",
              lambda g: {**right(op, g), "comparisons": right(op, g)["comparisons"] * (
                  np.arange(g["inputs"].shape[1]) != g["pivot"][:, None])}, usual),
        fresh(op, NUMERICAL, RARE, "compare-distance", "minus the squared distance",
              _comparisons(lambda x, q: -((x - q[:, None]) ** 2).sum(-1)), usual),
        fresh(op, VALUE, RARE, "compare-not-negative", "negative comparisons are 0",
              spoiled(op, comparisons=lambda c: np.maximum(c, 0.0)),
              {**usual, "inputs": signed(5, 3, 4)}),
        fresh(op, NUMERICAL, COMMON, "compare-gradient-without-pivot", "only dc_k x_p",
              _pulled(lambda x, p, dc: dc[..., None] * x[np.arange(len(x)), p][:, None]), pulled),
        fresh(op, NUMERICAL, COMMON, "compare-gradient-own-term-once",
              "the pivot's square has one of its two terms", _pulled(_once), pulled),
        fresh(op, NUMERICAL, RARE, "compare-gradient-to-first", "the pivot's sum goes to slot 0",
              _pulled(lambda x, p, dc: dc[..., None] * x[np.arange(len(x)), p][:, None] + (
                  np.arange(x.shape[1]) == 0)[None, :, None] * (dc[..., None] * x).sum(
                      1, keepdims=True)), pulled),
        fresh(op, SIZE, RARE, "compare-eight-slots", "comparisons after the eighth are zero",
              spoiled(op, comparisons=lambda c: c * (np.arange(c.shape[1]) < 8)), wide),
        fresh(op, SIZE, RARE, "compare-eight-wide", "entries after the eighth are not read",
              lambda g: right(op, g) and changed(op, inputs=lambda x: x[..., :8])(g), deep),
        fresh(op, LEGAL, COMMON, "compare-refuses-negative", "negative inputs are refused",
              refusing(op, lambda g: some(g["inputs"] < 0), "negative"),
              {**usual, "inputs": signed(5, 3, 4)}),
        fresh(op, LEGAL, COMMON, "compare-refuses-zero-row", "a slot of zeros is refused",
              refusing(op, lambda g: some((g["inputs"] == 0).all(-1)), "zero-norm"),
              {**usual, "inputs": put(x, (0, 1), 0.0)}),
        fresh(op, LEGAL, COMMON, "compare-refuses-other-norms", "inputs have to add up to one",
              refusing(op, lambda g: some(abs(g["inputs"].sum(-1) - 1) > 1e-6), "simplex"),
              {**usual, "inputs": 2 * x}),
        fresh(op, REFUSAL, COMMON, "compare-negative-pivot", "pivot -1 is the last slot",
              unchecked(op, lambda g: some(g["pivot"] < 0)), {**usual, "pivot": put(p, 0, -1)}),
        fresh(op, REFUSAL, COMMON, "compare-pivot-beyond", "pivot B is the last slot",
              unchecked(op, lambda g: some(g["pivot"] == g["inputs"].shape[1])),
              {**usual, "pivot": put(p, 0, 3)}),
        fresh(op, REFUSAL, COMMON, "compare-one-pivot", "a single pivot is for all contexts",
              unchecked(op, lambda g: g["pivot"].shape == (1,) != g["inputs"].shape[:1]),
              {**usual, "pivot": p[:1]}),
        FreshMistake("fresh-compare-pivots-of-before", "pivots of an earlier call are used", op,
                     STATE, RARE, _PivotsOfBefore, (usual, {**usual, "pivot": p[::-1] * 0 + 2})),
    )  # fmt: skip


def _phi(z: Array) -> Array:
    w = np.exp(z - z.max(-1, keepdims=True))
    phi: Array = w / w.sum(-1, keepdims=True)
    return phi


class Layer:
    """A SAFFU layer in plain NumPy; mistakes override a part of it."""

    def x(self, g: Given) -> Array:
        """Inputs, zero where invalid."""
        return np.where(g["mask"][..., None], g["inputs"], 0.0)

    def c(self, g: Given, x: Array) -> Array:
        """Comparisons."""
        c: Array = np.einsum("nbd,nd->nb", x, x[np.arange(len(x)), g["pivot"]])
        return c

    def z(self, g: Given, c: Array) -> Array:
        """Attention logits."""
        z: Array = 0 * c if g["attention"] == "uniform" else c @ g["attention_weights"]
        return z

    def a(self, g: Given, z: Array) -> Array:
        """Attention."""
        return _phi(np.where(g["mask"], z, -np.inf))

    def log_a(self, g: Given, z: Array, a: Array) -> Array:
        """Its logarithm, on valid slots."""
        low = np.where(g["mask"], z, -np.inf)
        low = low - low.max(1, keepdims=True)
        logs: Array = np.where(g["mask"], low - np.log(np.exp(low).sum(1, keepdims=True)), 0.0)
        return logs

    def gain(self, g: Given) -> Array:
        """g [n, 1]."""
        count = g["mask"].sum(1, keepdims=True)
        gain: Array = count * 1.0 if g["gain"] == "count" else np.ones(count.shape)
        return gain

    def w(self, g: Given, z: Array, a: Array) -> Array:
        """Feature weights."""
        if g["attention"] == "surprisal":
            return -self.log_a(g, z, a)
        return self.gain(g) * a

    def s(self, g: Given, x: Array, w: Array) -> Array:
        """Features."""
        wx = w[..., None] * x
        return wx.sum(1) if g["aggregation"] == "sum" else wx.reshape(len(x), -1)

    def h(self, g: Given, s: Array) -> Array:
        """Hidden states."""
        return _phi(s @ g["feature_weights"])

    def forward(self, g: Given) -> Answer:
        """All stages."""
        x = self.x(g)
        c = self.c(g, x)
        z = self.z(g, c)
        a = self.a(g, z)
        w = self.w(g, z, a)
        s = self.s(g, x, w)
        return {"hidden": self.h(g, s), "x": x, "c": c, "z": z, "a": a, "w": w, "s": s}

    def dq(self, g: Given, f: Answer) -> Array:
        """The gradient at s U."""
        dh, h = g["d_hidden"], f["hidden"]
        dq: Array = h * (dh - (dh * h).sum(1, keepdims=True))
        return dq

    def da(self, g: Given, f: Answer, dw: Array) -> Array:
        """The gradient at a; for surprisal times a."""
        return self.gain(g) * dw

    def dz(self, g: Given, f: Answer, dw: Array) -> Array:
        """The gradient at z."""
        if g["attention"] == "uniform":
            return 0 * dw
        if g["attention"] == "surprisal":
            valid = np.where(g["mask"], dw, 0.0)
            surprise: Array = f["a"] * valid.sum(1, keepdims=True) - valid
            return surprise
        da = self.da(g, f, dw)
        dz: Array = f["a"] * (da - (f["a"] * da).sum(1, keepdims=True))
        return dz

    def dx(self, g: Given, f: Answer, ds: Array, dc: Array) -> Array:
        """The gradient at x."""
        n, x = np.arange(len(dc)), f["x"]
        dx = f["w"][..., None] * ds + dc[..., None] * x[n, g["pivot"]][:, None]
        dx[n, g["pivot"]] += (dc[..., None] * x).sum(1)
        return np.where(g["mask"][..., None], dx, 0.0)

    def backward(self, g: Given) -> Answer:
        """Gradients."""
        f = self.forward(g)
        dq = self.dq(g, f)
        ds = dq @ g["feature_weights"].T
        ds = ds[:, None] + 0 * f["x"] if g["aggregation"] == "sum" else ds.reshape(f["x"].shape)
        dz = self.dz(g, f, (ds * f["x"]).sum(-1))
        dc = dz @ g["attention_weights"].T
        return {
            "attention_weights": f["c"].T @ dz, "feature_weights": f["s"].T @ dq,
            "inputs": self.dx(g, f, ds, dc),
        }  # fmt: skip


def _port(op: str, **parts: Callable[..., Any]) -> Wrong:
    """The plain layer with other parts, each of which gets the layer first."""
    kind = type("Wrong", (Layer,), dict(parts))

    def wrong(given: Given) -> Answer:
        right(op, given)
        made = kind()
        if op == "saffu_forward":
            return {"hidden": made.forward(given)["hidden"]}
        return dict(made.backward(given))

    return wrong


def _both(
    slug: str, about: str, kind: str, likely: str, usual: Any, **parts: Callable[..., Any]
) -> tuple[FreshMistake, ...]:
    """One mistake in the layer, seen forward and seen backward."""
    back = {**usual, "d_hidden": signed(len(usual["inputs"]), usual["feature_weights"].shape[1])}
    return (
        fresh("saffu_forward", kind, likely, f"layer-{slug}", about,
              _port("saffu_forward", **parts), usual),
        fresh("saffu_backward", kind, likely, f"backward-{slug}", f"forward, {about}",
              _port("saffu_backward", **parts), back),
    )  # fmt: skip


def _full_mask(g: Given) -> Given:
    return {**g, "mask": np.ones_like(g["mask"])}


def _wide_sum(self: Any, g: Given, x: Array, w: Array) -> Array:
    wx = w[..., None] * x
    wx = np.where(np.arange(w.shape[1])[:, None] < 8, wx, 0.0)
    return wx.sum(1) if g["aggregation"] == "sum" else wx.reshape(len(x), -1)


def _layers() -> tuple[FreshMistake, ...]:
    usual, surprisal = layer(), layer(attention="surprisal")
    uniform, total = layer(attention="uniform"), layer(aggregation="sum")
    sharp = {**surprisal, "attention_weights": 3000 * surprisal["attention_weights"]}
    hot = {**usual, "feature_weights": 2000 * usual["feature_weights"]}
    wide = layer(9, 9, 2, 3)
    scaled = {**usual, "inputs": 1.7 * usual["inputs"]}
    one = layer(1)
    full = layer(4, 4)
    return (
        *_both("transposed", "z = c Wᵀ", NUMERICAL, COMMON, usual,
               z=lambda self, g, c: c @ g["attention_weights"].T
               if g["attention"] != "uniform" else 0 * c),
        *_both("unmasked", "attention to invalid slots", NUMERICAL, COMMON, usual,
               a=lambda self, g, z: _phi(z)),
        *_both("mask-after", "attention masked after the softmax", NUMERICAL, COMMON, usual,
               a=lambda self, g, z: _phi(z) * g["mask"]),
        *_both("gain-of-all-slots", "the gain is B", NUMERICAL, COMMON, usual,
               gain=lambda self, g: np.full((len(g["mask"]), 1), 1.0 if g["gain"] == "unit"
                                            else g["mask"].shape[1])),
        *_both("gain-of-one", "the gain is 1 always", NUMERICAL, COMMON, usual,
               gain=lambda self, g: np.ones((len(g["mask"]), 1))),
        *_both("gain-of-count", "the gain is the number of valid slots always", NUMERICAL, COMMON,
               layer(gain="unit"), gain=lambda self, g: 1.0 * g["mask"].sum(1, keepdims=True)),
        *_both("gain-of-first", "the gain of the first context is that of all", NUMERICAL, RARE,
               usual, gain=lambda self, g: np.full((len(g["mask"]), 1), 1.0 if g["gain"] == "unit"
                                                   else g["mask"][0].sum())),
        *_both("surprisal-with-gain", "surprisal is multiplied by the gain", NUMERICAL, COMMON,
               surprisal, w=lambda self, g, z, a: self.gain(g) * (
                   -self.log_a(g, z, a) if g["attention"] == "surprisal" else a)),
        *_both("surprisal-positive", "surprisal is log a", NUMERICAL, RARE, surprisal,
               log_a=lambda self, g, z, a: -Layer.log_a(self, g, z, a)),
        *_both("surprisal-bits", "surprisal in bits", NUMERICAL, RARE, surprisal,
               log_a=lambda self, g, z, a: Layer.log_a(self, g, z, a) / np.log(2)),
        *_both("surprisal-of-softmax", "surprisal is the logarithm of the softmax", VALUE, COMMON,
               sharp, log_a=lambda self, g, z, a: np.log(np.where(g["mask"], a, 1.0))),
        *_both("surprisal-epsilon", "surprisal is -log(a + 1e-8)", VALUE, COMMON, sharp,
               log_a=lambda self, g, z, a: np.log(np.where(g["mask"], a + 1e-8, 1.0))),
        *_both("uniform-over-all-slots", "uniform attention is 1/B", NUMERICAL, COMMON, uniform,
               a=lambda self, g, z: Layer.a(self, g, z) if g["attention"] != "uniform"
               else g["mask"] / g["mask"].shape[1]),
        *_both("uniform-reads-w", "uniform attention is softmax", NUMERICAL, RARE, uniform,
               z=lambda self, g, c: c @ g["attention_weights"]),
        *_both("uniform-without-gain", "uniform weights are 1/K", NUMERICAL, COMMON, uniform,
               w=lambda self, g, z, a: a if g["attention"] == "uniform"
               else Layer.w(self, g, z, a)),
        *_both("cat-by-entry", "features are ordered by entry, then slot", NUMERICAL, COMMON, usual,
               s=lambda self, g, x, w: Layer.s(self, g, x, w) if g["aggregation"] == "sum"
               else (w[..., None] * x).transpose(0, 2, 1).reshape(len(x), -1)),
        *_both("mean-for-sum", "the mean of slots for the sum", NUMERICAL, RARE, total,
               s=lambda self, g, x, w: Layer.s(self, g, x, w) / (
                   x.shape[1] if g["aggregation"] == "sum" else 1)),
        *_both("first-slot-asks", "the pivot is slot 0", NUMERICAL, COMMON, usual,
               c=lambda self, g, x: np.einsum("nbd,nd->nb", x, x[:, 0])),
        *_both("last-slot-asks", "the pivot is the last valid slot", NUMERICAL, COMMON,
               {**full, "pivot": 0 * full["pivot"]},
               c=lambda self, g, x: np.einsum("nbd,nd->nb", x, x[np.arange(len(x)), len(
                   g["mask"][0]) - 1 - np.argmax(g["mask"][:, ::-1], axis=1)])),
        *_both("scaled", "comparisons over the root of D", NUMERICAL, RARE, usual,
               c=lambda self, g, x: Layer.c(self, g, x) / np.sqrt(x.shape[2])),
        *_both("inputs-normalised", "inputs are normalised first", VALUE, COMMON, scaled,
               x=lambda self, g: Layer.x(self, g) / np.where(
                   Layer.x(self, g).sum(-1, keepdims=True) == 0, 1,
                   Layer.x(self, g).sum(-1, keepdims=True))),
        *_both("hidden-unshifted", "hidden states without a shift", VALUE, COMMON, hot,
               h=lambda self, g, s: np.exp(s @ g["feature_weights"]) / np.exp(
                   s @ g["feature_weights"]).sum(1, keepdims=True)),
        *_both("attention-clipped", "attention is at least 1e-6", VALUE, COMMON,
               {**sharp, "attention": "softmax"},
               a=lambda self, g, z: np.where(g["mask"], np.maximum(Layer.a(self, g, z), 1e-6), 0)),
        *_both("eight-slots", "slots after the eighth are not read", SIZE, RARE, wide,
               s=_wide_sum),
        *_both("logits-clipped", "attention logits are within 30", VALUE, RARE,
               {**surprisal, "attention_weights": 150 * surprisal["attention_weights"],
                "feature_weights": 0.01 * surprisal["feature_weights"]},
               z=lambda self, g, c: np.clip(Layer.z(self, g, c), -30, 30)),
        *_both("sigmoid", "attention by the sigmoid", NUMERICAL, RARE, one,
               a=lambda self, g, z: g["mask"] / (1 + np.exp(-z))),
    )  # fmt: skip


_NAMES: Final = ("sum", "cat", "unit", "count", "softmax", "surprisal", "uniform")


class _Workspace:
    """Invalid slots keep the inputs of an earlier call."""

    def __init__(self) -> None:
        self.x: dict[tuple[int, ...], Array] = {}

    def __call__(self, given: Given) -> Answer:
        answer = right("saffu_forward", given)
        x = np.where(given["mask"][..., None], given["inputs"], 0.0)
        if x.shape in self.x:
            x = np.where(given["mask"][..., None], x, self.x[x.shape])
            full = {**given, "inputs": x, "mask": np.ones_like(given["mask"])}
            answer = {"hidden": right("saffu_forward", full)["hidden"]}
        self.x[x.shape] = x
        return answer


class _Gradients:
    """Gradients of weights are added to those of an earlier call."""

    def __init__(self) -> None:
        self.sums: dict[tuple[int, ...], Array] = {}

    def __call__(self, given: Given) -> Answer:
        answer = right("saffu_backward", given)
        for name in ("attention_weights", "feature_weights"):
            x = answer[name]
            self.sums[x.shape] = self.sums.get(x.shape, 0.0) + x
            answer[name] = self.sums[x.shape].copy()
        return answer


def _checks(op: str, usual: Any) -> tuple[FreshMistake, ...]:
    """Refusals that forward and backward have in common."""
    word = "layer" if op == "saffu_forward" else "backward"
    x, w, u = usual["inputs"], usual["attention_weights"], usual["feature_weights"]
    mask, pivot = usual["mask"], usual["pivot"]
    valid = put(x, (0, 0, 0), -0.5)
    uniform = {**usual, "attention": "uniform"}
    garbage = np.where(mask[..., None], x, np.nan)
    single = {name: a[:1] if name in ("inputs", "mask", "pivot", "d_hidden") else a
              for name, a in usual.items()}  # fmt: skip

    def negative(g: Given) -> bool:
        return some((g["inputs"] < 0) & g["mask"][..., None]) and not g.get("signed")

    return (
        fresh(op, REFUSAL, COMMON, f"{word}-negative-inputs", "negative inputs are accepted",
              unchecked(op, negative), {**usual, "inputs": valid}),
        fresh(op, LEGAL, COMMON, f"{word}-signed-not-read", "signed is not read",
              refusing(op, lambda g: some((g["inputs"] < 0) & g["mask"][..., None]), "negative"),
              {**usual, "inputs": valid, "signed": True}),
        fresh(op, VALUE, RARE, f"{word}-signed-clipped", "negative inputs are put to zero",
              changed(op, inputs=lambda x: np.where(x < 0, 0.0, x)),
              {**usual, "inputs": valid, "signed": True}),
        fresh(op, LEGAL, COMMON, f"{word}-refuses-garbage", "NaN in an invalid slot is refused",
              refusing(op, lambda g: not np.isfinite(g["inputs"]).all(), "non-finite"),
              {**usual, "inputs": garbage}),
        fresh(op, LEGAL, COMMON, f"{word}-refuses-negative-garbage",
              "a negative entry in an invalid slot is refused",
              refusing(op, lambda g: some(g["inputs"] < 0) and not g.get("signed"), "negative"),
              {**usual, "inputs": np.where(mask[..., None], x, -1.0)}),
        fresh(op, LEGAL, COMMON, f"{word}-refuses-other-norms", "inputs have to add up to one",
              refusing(op, lambda g: some((abs(g["inputs"].sum(-1) - 1) > 1e-6) & g["mask"]),
                       "simplex"), {**usual, "inputs": 2 * x}),
        fresh(op, LEGAL, COMMON, f"{word}-refuses-zero-input", "a valid slot of zeros is refused",
              refusing(op, lambda g: some((g["inputs"] == 0).all(-1) & g["mask"]), "zero-norm"),
              {**usual, "inputs": put(x, (0, 0), 0.0)}),
        fresh(op, LEGAL, RARE, f"{word}-refuses-one-hidden", "one hidden unit is refused",
              refusing(op, lambda g: g["feature_weights"].shape[1] == 1, "shape"),
              {**usual, "feature_weights": u[:, :1],
               **({"d_hidden": signed(5, 1)} if "d_hidden" in usual else {})}),
        fresh(op, LEGAL, RARE, f"{word}-refuses-one-context", "a single context is refused",
              refusing(op, lambda g: len(g["inputs"]) == 1, "shape"), single),
        fresh(op, VALUE, COMMON, f"{word}-garbage-times-zero", "invalid slots are multiplied by 0",
              lambda g: {n: np.where(some(np.isnan(g["inputs"])), np.nan, a)
                         for n, a in right(op, g).items()}, {**usual, "inputs": garbage}),
        fresh(op, REFUSAL, COMMON, f"{word}-pivot-invalid", "a pivot on an invalid slot passes",
              unchecked(op, _pivot_invalid), {**usual, "pivot": put(pivot, 0, 2)}),
        fresh(op, REFUSAL, COMMON, f"{word}-pivot-negative", "pivot -1 is the last slot",
              unchecked(op, lambda g: some(g["pivot"] < 0)),
              {**usual, "pivot": put(pivot, 2, -1)}),
        fresh(op, REFUSAL, COMMON, f"{word}-pivot-beyond", "pivot B is the last slot",
              unchecked(op, lambda g: some(g["pivot"] >= g["inputs"].shape[1])),
              {**usual, "pivot": put(pivot, 2, 3)}),
        fresh(op, REFUSAL, COMMON, f"{word}-empty-mask", "a context without valid slots passes",
              unchecked(op, lambda g: not g["mask"].any(-1).all()),
              {**usual, "mask": mask & (np.arange(5) != 1)[:, None]}),
        fresh(op, REFUSAL, COMMON, f"{word}-empty-mask-is-pivot",
              "a context without valid slots is reported as a pivot",
              misnamed(op, lambda g: not g["mask"].any(-1).all(), "pivot"),
              {**usual, "mask": mask & (np.arange(5) != 1)[:, None]}),
        fresh(op, REFUSAL, COMMON, f"{word}-no-contexts", "no contexts have no hidden states",
              unchecked(op, lambda g: len(g["inputs"]) == 0),
              {n: a[:0] if n in ("inputs", "mask", "pivot", "d_hidden") else a
               for n, a in usual.items()}),
        fresh(op, REFUSAL, COMMON, f"{word}-mask-of-one-row", "a mask of one row is broadcast",
              unchecked(op, lambda g: len(g["mask"]) == 1 != len(g["inputs"])),
              {**usual, "mask": mask[2:3]}),
        fresh(op, REFUSAL, COMMON, f"{word}-uniform-nan", "NaN in a W that nothing reads passes",
              unchecked(op, lambda g: g["attention"] == "uniform" and some(
                  np.isnan(g["attention_weights"]))),
              {**uniform, "attention_weights": put(w, (0, 0), np.nan)}),
        fresh(op, REFUSAL, COMMON, f"{word}-uniform-infinite",
              "infinity in a W that nothing reads passes",
              unchecked(op, lambda g: g["attention"] == "uniform" and some(
                  np.isinf(g["attention_weights"]))),
              {**uniform, "attention_weights": put(w, (0, 0), -np.inf)}),
        fresh(op, REFUSAL, COMMON, f"{word}-uniform-shape", "a W that nothing reads has any shape",
              unchecked(op, lambda g: g["attention"] == "uniform" and g[
                  "attention_weights"].shape != (g["inputs"].shape[1],) * 2),
              {**uniform, "attention_weights": w[:2, :2]}),
        fresh(op, REFUSAL, COMMON, f"{word}-weights-of-one-row", "W of one row is broadcast",
              unchecked(op, lambda g: g["attention_weights"].shape[0] == 1 != g[
                  "inputs"].shape[1]), {**usual, "attention_weights": w[:1]}),
        fresh(op, REFUSAL, COMMON, f"{word}-features-too-many", "rows of U beyond S are not read",
              unchecked(op, lambda g: g["feature_weights"].shape[0] > g["inputs"].shape[2] * (
                  g["inputs"].shape[1] if g["aggregation"] == "cat" else 1)),
              {**usual, "feature_weights": signed(7, 4)}),
        *(
            fresh(op, REFUSAL, COMMON, f"{word}-unknown-{name}", f"unknown {name} is the default",
                  unchecked(op, of(name, lambda word: word not in _NAMES)),
                  {**usual, name: "mean"})
            for name in ("aggregation", "gain", "attention")
        ),
    )  # fmt: skip


def _pivot_invalid(g: Given) -> bool:
    pivot, mask = g["pivot"], g["mask"]
    if pivot.shape != mask.shape[:1] or some((pivot < 0) | (pivot >= mask.shape[1])):
        return False
    return bool(mask.any(-1).all()) and not mask[np.arange(len(mask)), pivot].all()


def _backwards() -> tuple[FreshMistake, ...]:
    op, usual = "saffu_backward", backward()
    surprisal, uniform = backward(attention="surprisal"), backward(attention="uniform")
    garbage = {**usual, "inputs": np.where(usual["mask"][..., None], usual["inputs"], 7.0)}

    def part(slug: str, about: str, likely: str, call: Any, **parts: Callable[..., Any]) -> Any:
        return fresh(op, NUMERICAL, likely, f"backward-{slug}", about, _port(op, **parts), call)

    def no_pivot(self: Any, g: Given, f: Answer, ds: Array, dc: Array) -> Array:
        dx = (
            f["w"][..., None] * ds + dc[..., None] * f["x"][np.arange(len(dc)), g["pivot"]][:, None]
        )
        return np.where(g["mask"][..., None], dx, 0.0)

    def pivot_set(self: Any, g: Given, f: Answer, ds: Array, dc: Array) -> Array:
        dx = Layer.dx(self, g, f, ds, dc)
        n = np.arange(len(dc))
        dx[n, g["pivot"]] = (dc[..., None] * f["x"]).sum(1)
        return dx

    return (
        part("softmax-without-mean", "dq = h dh", COMMON, usual,
             dq=lambda self, g, f: f["hidden"] * g["d_hidden"]),
        part("identity-softmax", "dq = dh", RARE, usual, dq=lambda self, g, f: g["d_hidden"]),
        part("without-gain", "da = dw", COMMON, usual, da=lambda self, g, f, dw: dw),
        part("attention-without-mean", "dz = a da", COMMON, usual,
             dz=lambda self, g, f, dw: Layer.dz(self, g, f, dw) if g["attention"] != "softmax"
             else f["a"] * self.da(g, f, dw)),
        part("surprisal-sign", "dz of surprisal has the other sign", COMMON, surprisal,
             dz=lambda self, g, f, dw: Layer.dz(self, g, f, dw) * (
                 -1 if g["attention"] == "surprisal" else 1)),
        part("surprisal-as-softmax", "dz of surprisal is that of softmax", COMMON, surprisal,
             dz=lambda self, g, f, dw: Layer.dz(self, {**g, "attention": "softmax"} if g[
                 "attention"] == "surprisal" else g, f, dw)),
        part("surprisal-gain-in-dz", "dz of surprisal is multiplied by the gain", COMMON, surprisal,
             dz=lambda self, g, f, dw: Layer.dz(self, g, f, dw) * (
                 self.gain(g) if g["attention"] == "surprisal" else 1)),
        part("uniform-gradient", "W of uniform attention gets a gradient", COMMON, uniform,
             dz=lambda self, g, f, dw: Layer.dz(self, {**g, "attention": "softmax"} if g[
                 "attention"] == "uniform" else g, f, dw)),
        part("without-attention", "nothing flows through attention", COMMON, usual,
             dx=lambda self, g, f, ds, dc: np.where(
                 g["mask"][..., None], f["w"][..., None] * ds, 0.0)),
        part("without-values", "nothing flows past attention", RARE, usual,
             dx=lambda self, g, f, ds, dc: Layer.dx(self, g, f, 0 * ds, dc)),
        part("without-pivot", "the pivot does not get its sum", COMMON, usual, dx=no_pivot),
        part("pivot-overwritten", "the pivot gets nothing but its sum", RARE, usual, dx=pivot_set),
        part("invalid-slots", "invalid slots get a gradient", COMMON, garbage,
             dx=lambda self, g, f, ds, dc: Layer.dx(self, _full_mask(g), f, ds, dc)),
        fresh(op, NUMERICAL, COMMON, "backward-attention-weights-transposed", "dW = dzᵀ c",
              spoiled(op, attention_weights=lambda w: w.T), usual),
        fresh(op, NUMERICAL, COMMON, "backward-mean", "gradients are divided by n",
              lambda g: {n: x / len(g["inputs"]) if n.endswith("weights") else x
                         for n, x in right(op, g).items()}, usual),
        fresh(op, VALUE, COMMON, "backward-surprisal-through-a", "dz of surprisal divides by a",
              _port(op, dz=lambda self, g, f, dw: Layer.dz(self, g, f, dw) if g["attention"]
                    != "surprisal" else _through_a(g, f, dw)),
              {**surprisal, "attention_weights": 3000 * surprisal["attention_weights"]}),
        fresh(op, VALUE, RARE, "backward-clipped", "d_hidden is within 1",
              changed(op, d_hidden=lambda d: np.where(np.isfinite(d), np.clip(d, -1, 1), d)),
              {**usual, "d_hidden": 3 * usual["d_hidden"]}),
        fresh(op, REFUSAL, COMMON, "backward-d-hidden-of-one-row", "d_hidden [1, H] is broadcast",
              unchecked(op, lambda g: len(g["d_hidden"]) == 1 != len(g["inputs"])),
              {**usual, "d_hidden": usual["d_hidden"][:1]}),
        fresh(op, REFUSAL, COMMON, "backward-d-hidden-of-one-column", "d_hidden [n, 1] broadcast",
              unchecked(op, lambda g: g["d_hidden"].shape[-1] == 1 != g[
                  "feature_weights"].shape[1]), {**usual, "d_hidden": usual["d_hidden"][:, :1]}),
        fresh(op, REFUSAL, COMMON, "backward-d-hidden-nan", "NaN in d_hidden is accepted",
              unchecked(op, lambda g: some(np.isnan(g["d_hidden"]))),
              {**usual, "d_hidden": put(usual["d_hidden"], (0, 0), np.nan)}),
        FreshMistake("fresh-backward-accumulates", "gradients are not reset", op, STATE, COMMON,
                     _Gradients, (usual, usual)),
        FreshMistake("fresh-layer-workspace", "invalid slots keep earlier inputs", "saffu_forward",
                     STATE, COMMON, _Workspace, (layer(), layer())),
    )  # fmt: skip


def _through_a(g: Given, f: Answer, dw: Array) -> Array:
    da = np.where(g["mask"], -dw / f["a"], 0.0)
    dz: Array = f["a"] * (da - (f["a"] * da).sum(1, keepdims=True))
    return dz


def _targets(
    t: Callable[[Array, Array], Array],
    clip: Callable[[Array], Array] = lambda t: (
        np.maximum(t, 0) / np.maximum(t, 0).sum(-1, keepdims=True)
    ),
    asked: Callable[[bool], bool] = lambda clip: clip,
) -> Wrong:
    def wrong(given: Given) -> Answer:
        right("hidden_targets", given)
        made = t(given["attention"], given["ascent"])
        return {"targets": clip(made) if asked(given["clip"]) else made}

    return wrong


def _inner(a: Array, g: Array) -> Array:
    inner: Array = (a * g).sum(-1, keepdims=True)
    return inner


def _plain(a: Array, g: Array) -> Array:
    far = np.where(a > 0, g, -np.inf).max(-1, keepdims=True, initial=-np.inf)
    return _unshifted(a, g - far)


def _unshifted(a: Array, g: Array) -> Array:
    plain: Array = a * (1 + g - _inner(a, g))
    return plain


def _hiddens() -> tuple[FreshMistake, ...]:
    op, usual = "hidden_targets", example("hidden_targets")
    a, g = usual["attention"], usual["ascent"]
    far = {**usual, "ascent": 9e15 + 2 * np.round(4 * g)}
    open_ = {**usual, "clip": False}
    off = {**usual, "attention": a * (1 + 5e-5)}
    single = {"attention": np.array([[1.0, 0.0]]), "ascent": np.array([[1.0, 1e300]]), "clip": True}
    return (
        fresh(op, NUMERICAL, COMMON, "targets-sign", "G is the gradient, not minus it",
              _targets(lambda a, g: _plain(a, -g)), usual),
        fresh(op, NUMERICAL, COMMON, "targets-without-mean", "a (1 + G)",
              _targets(lambda a, g: a * (1 + g)), usual),
        fresh(op, NUMERICAL, COMMON, "targets-unweighted-mean", "the mean of G is not weighted",
              _targets(lambda a, g: a * (1 + g - g.mean(-1, keepdims=True))), usual),
        fresh(op, NUMERICAL, COMMON, "targets-difference", "t - a is returned",
              _targets(lambda a, g: a * (g - _inner(a, g)), asked=lambda c: False), open_),
        fresh(op, NUMERICAL, COMMON, "targets-exponential", "a exp G, normalised",
              _targets(lambda a, g: a * np.exp(g - g.max(-1, keepdims=True)) / _inner(
                  a, np.exp(g - g.max(-1, keepdims=True)))), usual),
        fresh(op, NUMERICAL, COMMON, "targets-not-normalised", "clipped rows are not normalised",
              _targets(_plain, lambda t: np.maximum(t, 0)), {**usual, "ascent": 3 * g}),
        fresh(op, NUMERICAL, COMMON, "targets-absolute", "negative entries lose their sign",
              _targets(_plain, lambda t: abs(t) / abs(t).sum(-1, keepdims=True)),
              {**usual, "ascent": 3 * g}),
        fresh(op, NUMERICAL, COMMON, "targets-always-clipped", "clip is not read",
              _targets(_plain, asked=lambda c: True), {**open_, "ascent": 3 * g}),
        fresh(op, NUMERICAL, COMMON, "targets-never-clipped", "clip is not read",
              _targets(_plain, asked=lambda c: False), {**usual, "ascent": 3 * g}),
        fresh(op, NUMERICAL, RARE, "targets-shifted", "the least entry is taken off when negative",
              _targets(_plain, lambda t: (t - np.minimum(t.min(-1, keepdims=True), 0)) / (
                  t - np.minimum(t.min(-1, keepdims=True), 0)).sum(-1, keepdims=True)),
              {**usual, "ascent": 3 * g}),
        fresh(op, NUMERICAL, RARE, "targets-epsilon", "clipped at 1e-6",
              _targets(_plain, lambda t: np.maximum(t, 1e-6) / np.maximum(t, 1e-6).sum(
                  -1, keepdims=True)), {**usual, "ascent": 3 * g}),
        fresh(op, VALUE, COMMON, "targets-cancel", "1 + G - <a, G> without a shift of G",
              _targets(_unshifted), far),
        fresh(op, VALUE, COMMON, "targets-shift-by-masked", "G is shifted by its largest entry",
              _targets(lambda a, g: _unshifted(a, g - g.max(-1, keepdims=True))), single),
        fresh(op, VALUE, RARE, "targets-of-normalised-attention", "attention is normalised first",
              lambda given: right(op, given) and changed(
                  op, attention=lambda a: a / a.sum(-1, keepdims=True))(given), off),
        fresh(op, LEGAL, COMMON, "targets-refuses-rounding", "sums off by 5e-5 are refused",
              refusing(op, lambda g: some(abs(g["attention"].sum(-1) - 1) > 1e-6), "simplex"), off),
        fresh(op, LEGAL, COMMON, "targets-refuses-zeros", "attention of zero is refused",
              refusing(op, lambda g: some(g["attention"] == 0), "zero-count"), single),
        fresh(op, LEGAL, COMMON, "targets-refuses-no-rows", "no rows are refused",
              refusing(op, lambda g: len(g["attention"]) == 0, "no-samples"),
              {**usual, "attention": a[:0], "ascent": g[:0]}),
        fresh(op, REFUSAL, COMMON, "targets-off-by-a-thousandth", "sums off by 1e-3 pass",
              unchecked(op, lambda g: _off(g, 1e-4, 1e-2)), {**usual, "attention": a * 1.001}),
        fresh(op, REFUSAL, COMMON, "targets-off-below", "sums below one pass",
              unchecked(op, lambda g: some(g["attention"].sum(-1) < 1 - 1e-4)
                        and not some(g["attention"] < 0)), {**usual, "attention": a * 0.9}),
        fresh(op, REFUSAL, COMMON, "targets-negative-attention", "negative attention passes",
              unchecked(op, lambda g: some(g["attention"] < 0)),
              {**usual, "attention": put(put(a, (0, 0), a[0, 0] + 2 * a[0, 1]), (0, 1),
                                         -a[0, 1])}),
        fresh(op, REFUSAL, COMMON, "targets-ascent-of-one-row", "an ascent of one row is broadcast",
              unchecked(op, lambda g: len(g["ascent"]) == 1 != len(g["attention"])),
              {**usual, "ascent": g[:1]}),
        fresh(op, REFUSAL, COMMON, "targets-nan-where-zero", "NaN in G where a is 0 passes",
              unchecked(op, lambda g: some(np.isnan(g["ascent"]) & (g["attention"] == 0))),
              {**single, "ascent": np.array([[1.0, np.nan]])}),
        fresh(op, REFUSAL, COMMON, "targets-infinity-where-zero", "-inf in G where a is 0 passes",
              unchecked(op, lambda g: some(np.isinf(g["ascent"]) & (g["attention"] == 0))),
              {**single, "ascent": np.array([[1.0, -np.inf]])}),
    )  # fmt: skip


def _off(g: Given, low: float, high: float) -> bool:
    gap = abs(g["attention"].sum(-1) - 1)
    return some((low < gap) & (gap <= high))


MISTAKES: Final = (
    *_compares(), *_layers(), *_checks("saffu_forward", layer()),
    *_checks("saffu_backward", backward()), *_backwards(), *_hiddens(),
)  # fmt: skip

CONTROLS: Final = (
    ("saffu_forward", _port("saffu_forward")), ("saffu_backward", _port("saffu_backward")),
    ("hidden_targets", _targets(_plain)),
)  # fmt: skip
"""the plain versions that mistakes are made in, without a mistake"""
