"""choose_smoothing.   (SPEC 1)"""

# Cases are tables, laid out by hand.
# fmt: off

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from saffu.conformance.judging.generator import Draw
from saffu.types import Array
from spec_tests.support.cases.drawing import smoothing, sparse
from spec_tests.support.cases.question import Question, ask, stream

TRIED = [
    smoothing("backoff", 0.125), smoothing("backoff", 1.0), smoothing("backoff", 8.0),
    smoothing("additive", 0.5), smoothing("additive", 4.0),
]


def choose_smoothing() -> Iterator[Question]:
    op = "choose_smoothing"
    held = "choice-in-sample choice-largest choice-priming-of-held-out choice-held-out-counted"
    for temper in (False, True):
        slug = "held-out-tempered" if temper else "held-out"
        d = stream(f"{op}/{slug}")
        yield ask(f"{op}/{slug}", "explicit solutions judged on held-out samples, "
                  + ("each at its best temper" if temper else "at K of the training samples"),
                  _split(d), held if not temper else "choice-untempered choice-in-sample",
                  attributes={"candidates": TRIED, "temper": temper})
    d = stream(f"{op}/leave-one-out")
    h, y = np.eye(5)[d.whole(0, 4, 31)], np.eye(3)[d.whole(0, 2, 31)]
    all_kinds = [*TRIED, smoothing("discount", 0.5), smoothing("discount", 0.875)]
    left = "choice-nothing-left-out choice-shares-of-all choice-largest"
    yield ask(f"{op}/leave-one-out", "without held-out samples each sample is predicted from all "
              "others", {"features": h, "targets": y}, left,
              attributes={"candidates": all_kinds, "temper": False})
    for kind, strengths in (("backoff", (0.25, 1.0, 4.0)), ("additive", (0.25, 1.0, 4.0)),
                            ("discount", (0.25, 0.5, 0.75))):
        d = stream(f"{op}/leave-one-out-{kind}")
        h, y = np.eye(7)[d.whole(0, 6, 29)], np.eye(5)[d.whole(0, 4, 29)]
        yield ask(f"{op}/leave-one-out-{kind}", f"{kind} smoothing, judged without held-out "
                  "samples", {"features": h, "targets": y},
                  left if kind != "additive" else "choice-nothing-left-out",
                  attributes={"candidates": [smoothing(kind, s) for s in strengths],
                              "temper": False})
    h = np.eye(5)[[0, 0, 0, 1, 1, 2, 3, 3, 4]]
    y = np.eye(3)[[0, 0, 1, 1, 1, 2, 2, 0, 0]]
    yield ask(f"{op}/leave-one-out-lonely-features", "features that occur once leave an empty row "
              "behind, from which the shares of the targets predict",
              {"features": h, "targets": y}, left,
              attributes={"candidates": all_kinds, "temper": False})
    yield ask(f"{op}/leave-one-out-unsmoothed", "no smoothing is needed where every cell holds two",
              {"features": np.eye(2)[[0] * 11 + [1] * 20],
               "targets": np.eye(2)[[0] * 9 + [1] * 2 + [0] * 8 + [1] * 12]},
              "choice-nothing-left-out", attributes={"candidates": [
                  smoothing("backoff", 0.0), smoothing("additive", 0.0), TRIED[1]],
                  "temper": False})
    yield ask(f"{op}/leave-one-out-of-two", "two samples: each is predicted from the other alone",
              {"features": np.eye(3)[[1, 1]], "targets": np.eye(5)[[3, 0]]},
              "choice-nothing-left-out",
              attributes={"candidates": [TRIED[1], TRIED[3]], "temper": False})
    d = stream(f"{op}/ties")
    yield ask(f"{op}/ties", "equal candidates tie, and the first is taken", _split(d),
              "choice-last-of-ties", attributes={
                  "candidates": [TRIED[1], *[TRIED[3]] * 3], "temper": False})
    d = stream(f"{op}/ties-of-the-best")
    yield ask(f"{op}/ties-of-the-best", "the best candidate twice", _split(d),
              "choice-last-of-ties", attributes={
                  "candidates": [*TRIED, *TRIED], "temper": False})
    d = stream(f"{op}/one-candidate")
    yield ask(f"{op}/one-candidate", "a single candidate", _split(d), "choice-in-sample",
              attributes={"candidates": [TRIED[1]], "temper": False})
    yield from _choice_refusals(op)


def _split(d: Draw) -> dict[str, Array]:
    """Training and held-out samples of unequal norms and numbers; targets follow the features."""

    def samples(m: int, scale: float) -> tuple[Array, Array]:
        h = sparse(d, m, 5)
        best = np.argmax(h, axis=1)
        return h * scale, np.eye(3)[(best + d.whole(0, 1, m)) % 3]

    h, y = samples(13, 1.0)
    held_h, held_y = samples(7, 0.5)
    return {"features": h, "targets": y, "held_features": held_h, "held_targets": held_y}


def _choice_refusals(op: str) -> Iterator[Question]:
    some = {"candidates": TRIED, "temper": False}
    d = stream(f"{op}/refuse")
    split = _split(d)
    yield ask(f"{op}/refuse-no-candidates", "nothing to choose from", split,
              attributes={"candidates": [], "temper": False}, reject="option")
    weighted = {name: split[name] for name in ("features", "targets")}
    yield ask(f"{op}/refuse-leave-one-out-of-weights", "leaving one out needs one-hot features",
              weighted, "choice-leaves-out-anything", attributes=some, reject="option")
    one_hot = {"features": d.one_hot(11, 5), "targets": d.one_hot(11, 3)}
    soft = {"features": d.one_hot(11, 5), "targets": d.simplex(11, 3)}
    yield ask(f"{op}/refuse-leave-one-out-of-soft-targets", "leaving one out needs one-hot targets",
              soft, "choice-leaves-out-anything", attributes=some, reject="option")
    yield ask(f"{op}/refuse-tempered-leave-one-out", "a temper needs held-out samples", one_hot,
              "choice-leaves-out-anything", attributes={"candidates": TRIED, "temper": True},
              reject="option")
    yield ask(f"{op}/refuse-other-held-out-features", "held-out samples of four features, not five",
              {**split, "held_features": split["held_features"][:, :4]}, attributes=some,
              reject="shape")
    yield ask(f"{op}/refuse-zero-count", "a candidate that leaves a zero",
              {**split, "features": split["features"] * np.array([1, 1, 0, 1, 1])},
              "choice-skips-what-it-cannot-judge",
              attributes={"candidates": [TRIED[1], smoothing("additive", 0.0)], "temper": False},
              reject="zero-count")
    h, y = np.eye(3)[[0, 0, 1, 1, 2, 2]], np.eye(5)[[0, 0, 1, 1, 2, 2]]
    yield ask(f"{op}/refuse-leave-one-out-zero-count", "a candidate that leaves a zero, though no "
              "sample lies there", {"features": h, "targets": y},
              "choice-skips-what-it-cannot-judge",
              attributes={"candidates": [TRIED[1], smoothing("additive", 0.0)], "temper": False},
              reject="zero-count")
    h, y = np.eye(2)[[0, 0, 0, 0, 1, 1, 1]], np.eye(2)[[0, 0, 1, 1, 0, 0, 1]]
    yield ask(f"{op}/refuse-leave-one-out-lonely-sample", "a candidate that gives a sample alone "
              "in its cell no chance", {"features": h, "targets": y},
              "choice-skips-what-it-cannot-judge",
              attributes={"candidates": [TRIED[1], smoothing("backoff", 0.0)], "temper": False},
              reject="zero-count")
    yield ask(f"{op}/refuse-leave-one-out-of-one", "a single sample, and nothing to predict it "
              "from", {"features": np.eye(3)[[1]], "targets": np.eye(5)[[3]]},
              "choice-leaves-out-anything", attributes=some, reject="option")
