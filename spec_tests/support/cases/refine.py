"""refine.   (SPEC 1)"""

# Cases are tables, laid out by hand.
# fmt: off

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from spec_tests.support.cases.drawing import sparse
from spec_tests.support.cases.question import NAN, Question, ask, signed, stream


def refine() -> Iterator[Question]:
    op = "refine"
    usual = "refine-without-capacity refine-inverse-ratio refine-mean-expected refine-gradient-step"
    slack = "refine-mean-capacity refine-without-slack"
    for slug, about, norm, steps in (
        ("common-norm-one-step", "features of norm 3, one step", 3, 1),
        ("common-norm", "features of norm 3, five steps", 3, 5),
    ):
        d = stream(f"{op}/{slug}")
        yield ask(f"{op}/{slug}", about, {"weights": signed(d, 5, 3),
                  "features": norm * d.simplex(11, 5), "targets": d.simplex(11, 3)},
                  usual + (" refine-one-step" if steps > 1 else ""), attributes={"steps": steps})
    for slug, about, steps in (
        ("slack-one-step", "features of unequal norms get a slack feature, one step", 1),
        ("slack", "features of unequal norms, five steps", 5),
        ("from-zero", "from zero weights, three steps", 3),
    ):
        d = stream(f"{op}/{slug}")
        weights = signed(d, 5, 3) if slug != "from-zero" else np.zeros((5, 3))
        yield ask(f"{op}/{slug}", about, {"weights": weights,
                  "features": sparse(d, 11, 5), "targets": d.simplex(11, 3)},
                  f"{usual} {slack}", attributes={"steps": steps})
    d = stream(f"{op}/no-steps")
    yield ask(f"{op}/no-steps", "no steps leave the weights as they are", {
              "weights": signed(d, 5, 3), "features": sparse(d, 11, 5),
              "targets": d.simplex(11, 3)}, "refine-one-too-many", attributes={"steps": 0})
    d = stream(f"{op}/one-hot")
    yield ask(f"{op}/one-hot", "one-hot features: norm one", {"weights": signed(d, 5, 3),
              "features": d.one_hot(29, 5), "targets": np.eye(3)[[0, 1, 2, *d.whole(0, 2, 26)]]},
              "refine-inverse-ratio refine-mean-expected", attributes={"steps": 1})
    d = stream(f"{op}/unseen-cells")
    yield ask(f"{op}/unseen-cells", "cells that were never seen keep their weights",
              {"weights": signed(d, 5, 7), "features": sparse(d, 5, 5), "targets": d.one_hot(5, 7)},
              f"{slack} refine-unseen-to-nothing", attributes={"steps": 2})
    d = stream(f"{op}/targets-of-unequal-mass")
    yield ask(f"{op}/targets-of-unequal-mass", "targets weigh their samples",
              {"weights": signed(d, 5, 3), "features": sparse(d, 11, 5),
               "targets": d.uniform(11, 3, high=4)}, "refine-mass-ignored",
              attributes={"steps": 2})
    d = stream(f"{op}/zero-rows")
    h = sparse(d, 11, 5)
    h[[2, 7]] = 0
    yield ask(f"{op}/zero-rows", "samples without features are all slack",
              {"weights": signed(d, 5, 3), "features": h, "targets": d.simplex(11, 3)},
              f"{usual} {slack}", attributes={"steps": 2})
    d = stream(f"{op}/norms-of-all-sizes")
    yield ask(f"{op}/norms-of-all-sizes", "norms from 1/64 to 8",
              {"weights": signed(d, 5, 3, size=1),
               "features": d.simplex(11, 5) * 2.0 ** d.whole(-6, 3, 11, 1),
               "targets": d.simplex(11, 3)}, f"{usual} {slack}", attributes={"steps": 3})
    every = np.eye(3)[np.repeat(np.arange(3), 5)], np.eye(5)[np.tile(np.arange(5), 3)]
    yield ask(f"{op}/at-the-optimum", "weights that cannot be better: all steps are made, and the "
              "loss stays", {"weights": np.zeros((3, 5)), "features": every[0],
              "targets": every[1]}, "refine-one-step", attributes={"steps": 3})
    yield from _refine_refusals(op)


def _refine_refusals(op: str) -> Iterator[Question]:
    d = stream(f"{op}/refuse")
    some = {"weights": signed(d, 5, 3), "features": sparse(d, 7, 5), "targets": d.simplex(7, 3)}
    for slug, about, which, entry, reason in (
        ("negative-feature", "a negative feature", "features", -1.0, "negative"),
        ("nan-feature", "a feature that is NaN", "features", NAN, "non-finite"),
        ("negative-target", "a negative target", "targets", -1.0, "negative"),
        ("nan-weight", "a weight that is NaN", "weights", NAN, "non-finite"),
    ):
        given = {name: x.copy() for name, x in some.items()}
        given[which][2, 1] = entry
        yield ask(f"{op}/refuse-{slug}", about, given, "refine-takes-anything",
                  attributes={"steps": 2}, reject=reason)
    yield ask(f"{op}/refuse-no-features", "features that are all zero",
              {**some, "features": np.zeros((7, 5))}, "refine-takes-anything",
              attributes={"steps": 2}, reject="zero-norm")
    yield ask(f"{op}/refuse-other-weights", "weights of four features, not five",
              {**some, "weights": some["weights"][:4]}, attributes={"steps": 2}, reject="shape")
    yield ask(f"{op}/refuse-other-samples", "seven samples of features, five of targets",
              {**some, "targets": some["targets"][:5]}, attributes={"steps": 2}, reject="shape")
    yield ask(f"{op}/refuse-negative-steps", "−1 steps", some, attributes={"steps": -1},
              reject="option")
