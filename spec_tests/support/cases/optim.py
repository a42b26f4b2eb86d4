"""sgd_step and adam_step.   (SPEC 6)"""

# Cases are tables, laid out by hand.
# fmt: off

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from saffu.conformance.judging.generator import Draw
from saffu.types import Array
from spec_tests.support.cases.question import NAN, Question, ask, signed, stream


def sgd_step() -> Iterator[Question]:
    op = "sgd_step"
    usual = "sgd-ascends sgd-normalised sgd-signs sgd-averages sgd-rate-squared"
    for slug, about, p, q, size, rate in (
        ("plain", "a rate of 1/4", 5, 3, 4, 0.25),
        ("small-rate", "a rate of 0.001", 7, 3, 4, 0.001),
        ("large-gradient", "gradients of about 1000", 5, 3, 1024, 0.125),
        ("large-rate", "a rate of 8", 3, 7, 4, 8.0),
        ("one-number", "a single number", 1, 1, 4, 0.375),
    ):
        d = stream(f"{op}/{slug}")
        yield ask(f"{op}/{slug}", about, {"parameter": signed(d, p, q),
                  "gradient": signed(d, p, q, size=size)},
                  usual if p > 1 else "sgd-ascends sgd-rate-squared", attributes={"rate": rate})
    d = stream(f"{op}/rate-of-zero")
    yield ask(f"{op}/rate-of-zero", "a rate of zero freezes the parameter",
              {"parameter": signed(d, 5, 3), "gradient": signed(d, 5, 3)}, "sgd-decays",
              attributes={"rate": 0.0})
    d = stream(f"{op}/no-gradient")
    yield ask(f"{op}/no-gradient", "a gradient of zero moves nothing",
              {"parameter": signed(d, 5, 3), "gradient": np.zeros((5, 3))}, "sgd-decays",
              attributes={"rate": 0.5})
    d = stream(f"{op}/tiny-gradient")
    yield ask(f"{op}/tiny-gradient", "gradients of about 1e-6 on parameters of zero",
              {"parameter": np.zeros((5, 3)), "gradient": signed(d, 5, 3) * 2.0**-20}, usual,
              attributes={"rate": 0.5})
    d = stream(f"{op}/refuse")
    some = {"parameter": signed(d, 5, 3), "gradient": signed(d, 5, 3)}
    bad = some["gradient"].copy()
    bad[2, 1] = NAN
    yield ask(f"{op}/refuse-negative-rate", "a rate below zero", some, attributes={"rate": -0.5},
              reject="option")
    yield ask(f"{op}/refuse-other-gradient", "a gradient of another shape",
              {**some, "gradient": some["gradient"][:4]}, attributes={"rate": 0.5}, reject="shape")
    yield ask(f"{op}/refuse-nan-gradient", "a gradient that is NaN", {**some, "gradient": bad},
              "sgd-takes-anything", attributes={"rate": 0.5}, reject="non-finite")
    bad = some["parameter"].copy()
    bad[4, 2] = NAN
    yield ask(f"{op}/refuse-nan-parameter", "a parameter that is NaN", {**some, "parameter": bad},
              "sgd-takes-anything", attributes={"rate": 0.5}, reject="non-finite")


KINGMA = {"rate": 0.001, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}


def _moments(d: Draw, p: int, q: int, size: int = 4) -> dict[str, Array]:
    return {
        "parameter": signed(d, p, q), "gradient": signed(d, p, q, size=size),
        "mean": signed(d, p, q, size=1), "square": d.uniform(p, q, high=4),
    }


def adam_step() -> Iterator[Question]:
    op = "adam_step"
    usual = (
        "adam-without-correction adam-one-correction adam-step-off-by-one adam-betas-swapped "
        "adam-ascends adam-square-of-mean adam-uses-old-moments adam-adds-gradient "
        "adam-without-root"
    )
    epsilon = "adam-epsilon-inside-root adam-epsilon-uncorrected"
    for slug, about, step, more in (
        ("second-step", "after one step", 1, {}),
        ("tenth-step", "after nine steps", 9, {}),
        ("large-rate", "a rate of 1/2", 2, {"rate": 0.5}),
        ("other-betas", "β₁ = 1/2, β₂ = 3/4", 3, {"beta1": 0.5, "beta2": 0.75}),
        ("large-epsilon", "ε = 1/8 stands outside of the root", 3, {"epsilon": 0.125, "rate": 0.5}),
        ("beta-one-of-zero", "β₁ = 0 keeps no mean", 3, {"beta1": 0.0}),
        ("beta-two-of-zero", "β₂ = 0 keeps no square", 3, {"beta2": 0.0}),
    ):
        d = stream(f"{op}/{slug}")
        hunts = usual
        if slug == "large-epsilon":
            hunts += f" {epsilon}"
        if slug == "beta-one-of-zero":
            hunts = "adam-betas-swapped adam-square-of-mean adam-ascends"
        if slug == "beta-two-of-zero":
            hunts = "adam-betas-swapped adam-ascends"
        yield ask(f"{op}/{slug}", about, _moments(d, 5, 3), hunts,
                  attributes={**KINGMA, "step": step, **more})
    d = stream(f"{op}/first-step")
    start = {**_moments(d, 5, 3), "mean": np.zeros((5, 3)), "square": np.zeros((5, 3))}
    yield ask(f"{op}/first-step", "the first step is as long as the rate, whatever the gradient",
              start, "adam-without-correction adam-one-correction adam-ascends",
              attributes={**KINGMA, "step": 0, "rate": 0.25})
    d = stream(f"{op}/thousandth-step")
    yield ask(f"{op}/thousandth-step", "after 1000 steps the corrections are nearly over",
              _moments(d, 5, 3), "adam-without-correction adam-betas-swapped adam-ascends",
              attributes={**KINGMA, "step": 1000, "rate": 0.5})
    d = stream(f"{op}/tiny-gradients")
    tiny = {name: x * 2.0 ** (-60 if name == "square" else -30)
            for name, x in _moments(d, 5, 3).items()}
    yield ask(f"{op}/tiny-gradients", "gradients of about 1e-9, next to which ε counts",
              {**tiny, "parameter": np.zeros((5, 3))}, epsilon,
              attributes={**KINGMA, "step": 2, "rate": 0.5})
    d = stream(f"{op}/huge-gradients")
    yield ask(f"{op}/huge-gradients", "gradients of about 1000 move as far as small ones",
              _moments(d, 5, 3, 1024), usual, attributes={**KINGMA, "step": 2, "rate": 0.5})
    d = stream(f"{op}/rate-of-zero")
    yield ask(f"{op}/rate-of-zero", "a rate of zero freezes the parameter; the moments go on",
              _moments(d, 5, 3), "adam-frozen-moments", attributes={**KINGMA, "step": 2,
              "rate": 0.0})
    d = stream(f"{op}/no-gradient")
    yield ask(f"{op}/no-gradient", "without a gradient the mean still moves the parameter",
              {**_moments(d, 5, 3), "gradient": np.zeros((5, 3))}, "adam-uses-old-moments",
              attributes={**KINGMA, "step": 2, "rate": 0.5})
    yield from _adam_refusals(op)


def _adam_refusals(op: str) -> Iterator[Question]:
    some = _moments(stream(f"{op}/refuse"), 5, 3)
    usual: dict[str, Any] = {**KINGMA, "step": 2}
    for slug, about, more in (
        ("beta-of-one", "β₁ = 1 never learns", {"beta1": 1.0}),
        ("negative-beta", "β₂ below zero", {"beta2": -0.5}),
        ("epsilon-of-zero", "ε = 0 divides by zero", {"epsilon": 0.0}),
        ("negative-rate", "a rate below zero", {"rate": -0.5}),
        ("negative-step", "−1 steps made", {"step": -1}),
    ):
        yield ask(f"{op}/refuse-{slug}", about, some, "adam-takes-anything",
                  attributes={**usual, **more}, reject="option")
    for name in ("gradient", "mean", "square"):
        yield ask(f"{op}/refuse-other-{name}", f"{name} of another shape",
                  {**some, name: some[name][:4]}, attributes=usual, reject="shape")
    for slug, about, name, entry, reason in (
        ("nan-gradient", "a gradient that is NaN", "gradient", NAN, "non-finite"),
        ("nan-parameter", "a parameter that is NaN", "parameter", NAN, "non-finite"),
        ("nan-mean", "a mean that is NaN", "mean", NAN, "non-finite"),
        ("nan-square", "a square that is NaN", "square", NAN, "non-finite"),
        ("negative-square", "a square below zero", "square", -0.5, "negative"),
    ):
        bad = some[name].copy()
        bad[2, 1] = entry
        yield ask(f"{op}/refuse-{slug}", about, {**some, name: bad}, "adam-takes-anything",
                  attributes=usual, reject=reason)
