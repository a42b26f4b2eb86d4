"""Mistakes in sgd_step and adam_step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from saffu.types import Array
from spec_tests.fresh_mistakes.examples import example, put, signed
from spec_tests.fresh_mistakes.record import (
    COMMON,
    FLOAT32,
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
    of,
    refusing,
    right,
    some,
    spoiled,
    unchecked,
)


class _Momentum:
    """A velocity of 0.9 stays between calls."""

    def __init__(self) -> None:
        self.velocity: dict[tuple[int, ...], Array] = {}

    def __call__(self, given: Given) -> Answer:
        right("sgd_step", given)
        g = given["gradient"]
        v = 0.9 * self.velocity.get(g.shape, np.zeros(g.shape)) + g
        self.velocity[g.shape] = v
        return {"parameter": given["parameter"] - given["rate"] * v}


def _sgd_in_place(given: Given) -> Answer:
    answer = right("sgd_step", given)
    given["parameter"][...] = answer["parameter"]
    return answer


def _length(g: Array) -> float:
    return float(np.sqrt((g**2).sum()))


def _rated(op: str, usual: Any) -> tuple[FreshMistake, ...]:
    """Refusals that both optimisers have in common."""
    word = op.split("_", maxsplit=1)[0]
    p, g = usual["parameter"], usual["gradient"]
    return (
        fresh(op, REFUSAL, COMMON, f"{word}-rate-negative", "a negative rate is accepted",
              unchecked(op, lambda g: g["rate"] < 0), {**usual, "rate": -0.1}),
        fresh(op, REFUSAL, COMMON, f"{word}-rate-nan", "a rate of NaN is accepted",
              unchecked(op, lambda g: g["rate"] != g["rate"]), {**usual, "rate": np.nan}),
        fresh(op, REFUSAL, COMMON, f"{word}-rate-infinite", "an infinite rate is accepted",
              unchecked(op, lambda g: g["rate"] == np.inf), {**usual, "rate": np.inf}),
        fresh(op, LEGAL, COMMON, f"{word}-refuses-rate-zero", "a rate of zero is refused",
              refusing(op, lambda g: g["rate"] == 0, "option"), {**usual, "rate": 0.0}),
        fresh(op, LEGAL, RARE, f"{word}-refuses-large-rate", "a rate above one is refused",
              refusing(op, lambda g: g["rate"] > 1, "option"), {**usual, "rate": 1.5}),
        fresh(op, REFUSAL, COMMON, f"{word}-frozen-nan", "at rate 0 NaN in the gradient passes",
              unchecked(op, lambda g: g["rate"] == 0 and some(np.isnan(g["gradient"]))),
              {**usual, "rate": 0.0, "gradient": put(g, (0, 0), np.nan)}),
        fresh(op, REFUSAL, COMMON, f"{word}-frozen-parameter-nan",
              "at rate 0 NaN in the parameter passes",
              unchecked(op, lambda g: g["rate"] == 0 and some(np.isnan(g["parameter"]))),
              {**usual, "rate": 0.0, "parameter": put(p, (0, 0), np.nan)}),
        fresh(op, REFUSAL, COMMON, f"{word}-parameter-nan", "NaN in the parameter is accepted",
              unchecked(op, lambda g: some(np.isnan(g["parameter"]))),
              {**usual, "parameter": put(p, (0, 0), np.nan)}),
        fresh(op, REFUSAL, COMMON, f"{word}-gradient-of-one-row", "a gradient [1, Q] is broadcast",
              unchecked(op, lambda g: len(g["gradient"]) == 1 != len(g["parameter"])),
              {**usual, "gradient": g[:1]}),
        fresh(op, REFUSAL, COMMON, f"{word}-gradient-of-one-column",
              "a gradient [P, 1] is broadcast",
              unchecked(op, lambda g: g["gradient"].shape[-1] == 1 != g["parameter"].shape[-1]),
              {**usual, "gradient": g[:, :1]}),
    )  # fmt: skip


def _sgds() -> tuple[FreshMistake, ...]:
    op, usual = "sgd_step", example("sgd_step")
    return (
        *_rated(op, usual),
        fresh(op, NUMERICAL, COMMON, "sgd-ascent", "the gradient is added",
              changed(op, gradient=lambda g: -g), usual),
        fresh(op, NUMERICAL, COMMON, "sgd-mean", "the gradient is divided by P",
              lambda g: right(op, g) and right(op, {**g, "gradient": g["gradient"]
                                                    / len(g["gradient"])}), usual),
        fresh(op, NUMERICAL, RARE, "sgd-normalised", "the gradient has length one",
              lambda g: right(op, g) and right(op, {**g, "gradient": g["gradient"]
                                                    / (_length(g["gradient"]) or 1)}), usual),
        fresh(op, NUMERICAL, RARE, "sgd-decay", "parameters decay by 1e-4 of the rate",
              lambda g: {"parameter": right(op, g)["parameter"]
                         - 1e-4 * g["rate"] * g["parameter"]}, usual),
        fresh(op, VALUE, COMMON, "sgd-clipped", "the gradient has length one at most",
              lambda g: right(op, g) and right(op, {**g, "gradient": g["gradient"]
                                                    / max(_length(g["gradient"]), 1)}), usual),
        fresh(op, VALUE, RARE, "sgd-tiny-rate", "rates below 1e-6 are zero",
              lambda g: right(op, {**g, "rate": 0.0 if 0 <= g["rate"] < 1e-6 else g["rate"]}),
              {**usual, "rate": 1e-7, "gradient": 1e6 * usual["gradient"]}),
        fresh(op, SIZE, RARE, "sgd-eight", "entries after whole groups of eight stay",
              lambda g: {"parameter": np.where(
                  np.arange(g["parameter"].size).reshape(g["parameter"].shape)
                  < (g["parameter"].size // 8 * 8 or 8), right(op, g)["parameter"],
                  g["parameter"])},
              {**usual, "parameter": signed(3, 3), "gradient": signed(3, 3, seed=1)}),
        FreshMistake("fresh-sgd-momentum", "a velocity stays between calls", op, STATE, RARE,
                     _Momentum, (usual, usual)),
        fresh(op, STATE, COMMON, "sgd-in-place", "the parameter is changed in place",
              _sgd_in_place, *[{**usual, "parameter": usual["parameter"].copy()}] * 2),
    )  # fmt: skip


def _adam(
    t: Callable[[Given], float] = lambda g: g["step"] + 1,
    mean: Callable[[Given], Array] = lambda g: (
        g["beta1"] * g["mean"] + (1 - g["beta1"]) * g["gradient"]
    ),
    square: Callable[[Given], Array] = lambda g: (
        g["beta2"] * g["square"] + (1 - g["beta2"]) * g["gradient"] ** 2
    ),
    bias: Callable[[float, float], Any] = lambda beta, t: 1 - beta**t,
    update: Callable[[Array, Array, float], Array] = lambda m, v, e: m / (np.sqrt(v) + e),
    swap: bool = False,
) -> Wrong:
    """Adam with one thing done otherwise."""

    def wrong(given: Given) -> Answer:
        right("adam_step", given)
        m, v, at = mean(given), square(given), t(given)
        b1, b2 = given["beta1"], given["beta2"]
        b1, b2 = (b2, b1) if swap else (b1, b2)
        step = update(m / bias(b1, at), v / bias(b2, at), given["epsilon"])
        new = given["parameter"] - given["rate"] * step if given["rate"] else given["parameter"]
        return {"parameter": new, "mean": m, "square": v}

    return wrong


class _Steps:
    """Steps are counted by the port."""

    def __init__(self) -> None:
        self.steps = 0

    def __call__(self, given: Given) -> Answer:
        answer = right("adam_step", {**given, "step": self.steps})
        self.steps += 1
        return right("adam_step", given) and answer


class _Moments:
    """The mean of the port's own last call is used."""

    def __init__(self) -> None:
        self.mean: dict[tuple[int, ...], Array] = {}

    def __call__(self, given: Given) -> Answer:
        answer = right("adam_step", given)
        shape = given["mean"].shape
        if shape in self.mean:
            answer = right("adam_step", {**given, "mean": self.mean[shape]})
        self.mean[shape] = answer["mean"]
        return answer


def _adam_in_place(given: Given) -> Answer:
    answer = right("adam_step", given)
    for name in ("mean", "square"):
        given[name][...] = answer[name]
    return answer


def _written_over(given: Given) -> Answer:
    """The square is made of the gradient after that has been scaled in place."""
    answer = right("adam_step", given)
    g = (1 - given["beta1"]) * given["gradient"]
    scaled = right("adam_step", {**given, "gradient": g})
    root = np.sqrt(scaled["square"] / (1 - given["beta2"] ** (given["step"] + 1)))
    mean = answer["mean"] / (1 - given["beta1"] ** (given["step"] + 1))
    return {
        **answer,
        "square": scaled["square"],
        "parameter": given["parameter"] - given["rate"] * mean / (root + given["epsilon"]),
    }


def _adams() -> tuple[FreshMistake, ...]:
    op, usual = "adam_step", example("adam_step")
    late = {**usual, "step": 12_000, "beta2": 0.9999}
    first = {**usual, "step": 0}
    m, v = usual["mean"], usual["square"]
    beta = ("beta1", "beta2")
    return (
        *_rated(op, usual),
        fresh(op, NUMERICAL, COMMON, "adam-step-behind", "bias correction with the steps made",
              _adam(t=lambda g: max(g["step"], 1)), usual),
        fresh(op, NUMERICAL, COMMON, "adam-step-ahead", "bias correction with one step more",
              _adam(t=lambda g: g["step"] + 2), usual),
        fresh(op, NUMERICAL, COMMON, "adam-uncorrected", "no bias correction",
              _adam(bias=lambda beta, t: 1.0), usual),
        fresh(op, NUMERICAL, COMMON, "adam-beta-swapped", "each bias is that of the other beta",
              _adam(swap=True), usual),
        fresh(op, NUMERICAL, COMMON, "adam-epsilon-inside", "the root of v + epsilon",
              _adam(update=lambda m, v, e: m / np.sqrt(v + e)), usual),
        fresh(op, NUMERICAL, COMMON, "adam-epsilon-uncorrected", "epsilon before the correction",
              lambda g: {**right(op, g), "parameter": g["parameter"] - (g["rate"] * (
                  right(op, g)["mean"] / (1 - g["beta1"] ** (g["step"] + 1))) * np.sqrt(
                      1 - g["beta2"] ** (g["step"] + 1)) / (
                          np.sqrt(right(op, g)["square"]) + g["epsilon"]) if g["rate"] else 0)},
              usual),
        fresh(op, NUMERICAL, COMMON, "adam-square-of-mean", "v is made of the mean's square",
              _adam(square=lambda g: g["beta2"] * g["square"] + (1 - g["beta2"]) * (
                  g["beta1"] * g["mean"] + (1 - g["beta1"]) * g["gradient"]) ** 2), usual),
        fresh(op, NUMERICAL, COMMON, "adam-absolute-gradient", "v is made of |g|",
              _adam(square=lambda g: g["beta2"] * g["square"] + (1 - g["beta2"]) * abs(
                  g["gradient"])), usual),
        fresh(op, NUMERICAL, RARE, "adam-centred", "v is made of (g - m)²",
              _adam(square=lambda g: g["beta2"] * g["square"] + (1 - g["beta2"]) * (
                  g["gradient"] - g["beta1"] * g["mean"] - (1 - g["beta1"]) * g["gradient"]) ** 2),
              usual),
        fresh(op, NUMERICAL, COMMON, "adam-betas-exchanged", "beta1 for v and beta2 for m",
              lambda g: right(op, g) and right(op, {**g, "beta1": g["beta2"],
                                                    "beta2": g["beta1"]}), usual),
        fresh(op, NUMERICAL, RARE, "adam-undamped-gradient", "m = beta1 m + g",
              _adam(mean=lambda g: g["beta1"] * g["mean"] + g["gradient"]), usual),
        fresh(op, NUMERICAL, COMMON, "adam-returns-corrected", "corrected moments are returned",
              lambda g: {**right(op, g),
                         "mean": right(op, g)["mean"] / (1 - g["beta1"] ** (g["step"] + 1)),
                         "square": right(op, g)["square"] / (1 - g["beta2"] ** (g["step"] + 1))},
              usual),
        fresh(op, NUMERICAL, RARE, "adam-largest-square", "v never falls",
              _adam(square=lambda g: np.maximum(g["square"], g["beta2"] * g["square"] + (
                  1 - g["beta2"]) * g["gradient"] ** 2)), usual),
        fresh(op, NUMERICAL, COMMON, "adam-nesterov", "the step looks ahead",
              lambda g: right(op, g) and _nesterov(g), usual),
        fresh(op, SIZE, COMMON, "adam-late-uncorrected", "no correction after 1000 steps",
              _adam(bias=lambda beta, t: 1 - beta**t if t <= 1000 else 1.0), late),
        fresh(op, SIZE, RARE, "adam-late-in-int8", "steps are kept in eight bits",
              _adam(t=lambda g: (g["step"] + 1) % 256 or 256), late),
        fresh(op, FLOAT32, COMMON, "adam-bias-in-float32", "the bias correction in float32",
              _adam(bias=lambda beta, t: float(
                  np.float32(1) - np.float32(beta) ** np.float32(t))), usual),
        fresh(op, FLOAT32, RARE, "adam-late-bias-in-float32", "it is float32 after 1000 steps",
              _adam(bias=lambda beta, t: 1 - beta**t if t <= 1000 else float(
                  np.float32(1) - np.float32(beta) ** np.float32(t))), late),
        fresh(op, VALUE, COMMON, "adam-frozen-state", "at rate 0 the state stays",
              lambda g: right(op, g) if g["rate"] else {**right(op, g), "mean": g["mean"],
                                                        "square": g["square"]},
              {**usual, "rate": 0.0}),
        fresh(op, VALUE, RARE, "adam-clipped", "the gradient has length one at most",
              lambda g: right(op, g) and right(op, {**g, "gradient": g["gradient"]
                                                    / max(_length(g["gradient"]), 1)}), usual),
        fresh(op, VALUE, RARE, "adam-default-betas", "betas of 0.9 and 0.999 always",
              lambda g: right(op, g) and right(op, {**g, "beta1": 0.9, "beta2": 0.999}), usual),
        fresh(op, VALUE, RARE, "adam-default-epsilon", "epsilon of 1e-8 always",
              lambda g: right(op, g) and right(op, {**g, "epsilon": 1e-8}), usual),
        fresh(op, VALUE, RARE, "adam-first-step-afresh", "the first step starts from zero moments",
              lambda g: right(op, g) and right(op, g if g["step"] else {
                  **g, "mean": 0 * g["mean"], "square": 0 * g["square"]}), first),
        *(
            fresh(op, REFUSAL, COMMON, f"adam-{name}-one", f"{name} = 1 is accepted",
                  unchecked(op, of(name, lambda x: x == 1)), {**usual, name: 1.0})
            for name in beta
        ),
        *(
            fresh(op, REFUSAL, COMMON, f"adam-{name}-negative", f"a negative {name} is accepted",
                  unchecked(op, of(name, lambda x: x < 0)), {**usual, name: -0.1})
            for name in beta
        ),
        *(
            fresh(op, REFUSAL, COMMON, f"adam-{name}-nan", f"a {name} of NaN is accepted",
                  unchecked(op, of(name, np.isnan)), {**usual, name: np.nan})
            for name in (*beta, "epsilon")
        ),
        *(
            fresh(op, LEGAL, COMMON, f"adam-refuses-{name}-zero", f"{name} = 0 is refused",
                  refusing(op, of(name, lambda x: x == 0), "option"), {**usual, name: 0.0})
            for name in beta
        ),
        fresh(op, REFUSAL, COMMON, "adam-epsilon-zero", "epsilon = 0 is accepted",
              unchecked(op, lambda g: g["epsilon"] == 0), {**usual, "epsilon": 0.0}),
        fresh(op, REFUSAL, COMMON, "adam-epsilon-negative", "a negative epsilon is accepted",
              unchecked(op, lambda g: g["epsilon"] < 0), {**usual, "epsilon": -1e-8}),
        fresh(op, REFUSAL, COMMON, "adam-epsilon-infinite", "an infinite epsilon is accepted",
              unchecked(op, lambda g: g["epsilon"] == np.inf), {**usual, "epsilon": np.inf}),
        fresh(op, REFUSAL, COMMON, "adam-step-negative", "a negative step is accepted",
              unchecked(op, lambda g: g["step"] < 0), {**usual, "step": -1}),
        fresh(op, REFUSAL, COMMON, "adam-step-fractional", "a step of 2.5 is accepted",
              unchecked(op, lambda g: g["step"] != int(g["step"])), {**usual, "step": 2.5}),
        fresh(op, LEGAL, COMMON, "adam-refuses-step-zero", "no steps made are refused",
              refusing(op, lambda g: g["step"] == 0, "option"), first),
        fresh(op, REFUSAL, COMMON, "adam-mean-nan", "NaN in the mean is accepted",
              unchecked(op, lambda g: some(np.isnan(g["mean"]))),
              {**usual, "mean": put(m, (0, 0), np.nan)}),
        fresh(op, REFUSAL, COMMON, "adam-square-nan", "NaN in the square is accepted",
              unchecked(op, lambda g: some(np.isnan(g["square"]))),
              {**usual, "square": put(v, (0, 0), np.nan)}),
        fresh(op, REFUSAL, COMMON, "adam-square-negative", "a negative square is accepted",
              unchecked(op, lambda g: some(g["square"] < 0)),
              {**usual, "square": put(v, (0, 0), -1e-3)}),
        fresh(op, REFUSAL, COMMON, "adam-mean-of-one-row", "a mean [1, Q] is broadcast",
              unchecked(op, lambda g: len(g["mean"]) == 1 != len(g["parameter"])),
              {**usual, "mean": m[:1]}),
        fresh(op, REFUSAL, COMMON, "adam-square-of-one-row", "a square [1, Q] is broadcast",
              unchecked(op, lambda g: len(g["square"]) == 1 != len(g["parameter"])),
              {**usual, "square": v[:1]}),
        FreshMistake("fresh-adam-counts-steps", "steps are counted by the port", op, STATE, COMMON,
                     _Steps, (usual,)),
        FreshMistake("fresh-adam-own-mean", "the port's own mean is used", op, STATE, COMMON,
                     _Moments, (usual, usual)),
        fresh(op, STATE, COMMON, "adam-in-place", "moments are changed in place", _adam_in_place,
              *[{**usual, "mean": m.copy(), "square": v.copy()}] * 2),
        fresh(op, STATE, RARE, "adam-gradient-scaled-in-place",
              "the gradient is scaled in place before it is squared", _written_over, usual),
        fresh(op, NUMERICAL, RARE, "adam-mean-not-returned", "the mean comes back as it was",
              lambda g: {**right(op, g), "mean": g["mean"]}, usual),
        fresh(op, FLOAT32, COMMON, "adam-square-in-float32-out", "the square is stored in float32",
              spoiled(op, square=lambda x: x.astype(np.float32)), usual),
    )  # fmt: skip


def _nesterov(g: Given) -> Answer:
    answer = right("adam_step", g)
    ahead = right("adam_step", {**g, "mean": answer["mean"]})
    return {**answer, "parameter": ahead["parameter"]}


MISTAKES: Final = (*_sgds(), *_adams())

CONTROLS: Final = (("adam_step", _adam()),)
"""the plain version that mistakes are made in, without a mistake"""
