"""hidden_targets.   (SPEC 5)"""

# Cases are tables, laid out by hand.
# fmt: off

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from spec_tests.support.cases.question import NAN, Question, ask, signed, stream


def hidden_targets() -> Iterator[Question]:
    op = "hidden_targets"
    usual = "hidden-without-mean hidden-even-mean hidden-sign hidden-exponential"
    for slug, about, size, clip in (
        ("plain", "an ascent of ordinary size, some entries clipped", 2, True),
        ("not-clipped", "t − a is the descent direction of the softmax", 2, False),
        ("mostly-clipped", "a steep ascent: most entries are clipped", 64, True),
        ("steep-not-clipped", "a steep ascent, negative targets", 64, False),
    ):
        d = stream(f"{op}/{slug}")
        hunts = f"{usual} hidden-never-clipped hidden-not-renormalised hidden-absolute"
        yield ask(f"{op}/{slug}", about, {"attention": d.simplex(7, 5),
                  "ascent": signed(d, 7, 5, size=size)}, hunts if clip else
                  f"{usual} hidden-always-clipped", attributes={"clip": clip})
    d = stream(f"{op}/gentle")
    yield ask(f"{op}/gentle", "an ascent of about 2^-20 moves little and clips nothing",
              {"attention": d.simplex(7, 5), "ascent": signed(d, 7, 5) * 2.0**-20}, usual,
              attributes={"clip": True})
    d = stream(f"{op}/no-ascent")
    yield ask(f"{op}/no-ascent", "without a gradient the target is the attention itself",
              {"attention": d.simplex(7, 5), "ascent": np.zeros((7, 5))}, "hidden-without-one",
              attributes={"clip": True})
    d = stream(f"{op}/even-ascent")
    yield ask(f"{op}/even-ascent", "an ascent that is the same everywhere has no effect",
              {"attention": d.simplex(7, 5), "ascent": np.full((7, 5), 3.0)},
              "hidden-without-mean", attributes={"clip": False})
    d = stream(f"{op}/masked")
    a = d.simplex(7, 3)
    wide = np.zeros((7, 5))
    wide[:, [0, 1, 3]] = a
    yield ask(f"{op}/masked", "what attention does not see stays without a target",
              {"attention": wide, "ascent": signed(d, 7, 5)}, usual,
              attributes={"clip": True})
    d = stream(f"{op}/one-hot-attention")
    yield ask(f"{op}/one-hot-attention", "certain attention cannot be moved",
              {"attention": d.one_hot(7, 5), "ascent": signed(d, 7, 5)},
              "hidden-without-mean hidden-even-mean", attributes={"clip": True})
    d = stream(f"{op}/one-slot")
    yield ask(f"{op}/one-slot", "a single slot keeps everything",
              {"attention": np.ones((7, 1)), "ascent": signed(d, 7, 1)},
              "hidden-without-mean", attributes={"clip": False})
    d = stream(f"{op}/wide")
    yield ask(f"{op}/wide", "53 slots", {"attention": d.simplex(3, 53),
              "ascent": signed(d, 3, 53)}, usual, attributes={"clip": True})
    d = stream(f"{op}/refuse")
    a, g = d.simplex(7, 5), signed(d, 7, 5)
    yield ask(f"{op}/refuse-other-ascent", "an ascent of four slots for five",
              {"attention": a, "ascent": g[:, :4]}, attributes={"clip": True}, reject="shape")
    bad = a.copy()
    bad[3, 1] = -bad[3, 1]
    yield ask(f"{op}/refuse-negative-attention", "attention is not negative",
              {"attention": bad, "ascent": g}, "hidden-takes-anything", attributes={"clip": True},
              reject="negative")
    bad = g.copy()
    bad[3, 1] = NAN
    yield ask(f"{op}/refuse-nan-ascent", "an ascent that is NaN", {"attention": a, "ascent": bad},
              "hidden-takes-anything", attributes={"clip": True}, reject="non-finite")
    yield ask(f"{op}/refuse-off-the-simplex", "attention adds up to one",
              {"attention": a * 2, "ascent": g}, "hidden-takes-anything",
              attributes={"clip": True}, reject="simplex")
