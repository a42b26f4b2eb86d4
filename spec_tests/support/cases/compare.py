"""compare.   (SPEC 4)"""

# Cases are tables, laid out by hand.
# fmt: off

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from spec_tests.support.cases.question import INF, NAN, Question, ask, signed, stream


def compare() -> Iterator[Question]:
    op = "compare"
    usual = "compare-first-slot compare-last-slot compare-cosine compare-scaled"
    for slug, about, n, b, width in (
        ("plain", "pivots at every slot", 7, 3, 5),
        ("many-slots", "23 slots", 2, 23, 3),
        ("wide", "53 entries a vector", 3, 2, 53),
    ):
        d = stream(f"{op}/{slug}")
        yield ask(f"{op}/{slug}", about, {"inputs": d.simplex(n, b, width),
                  "pivot": (np.arange(n) + 1) % b}, usual)
    d = stream(f"{op}/one-slot")
    yield ask(f"{op}/one-slot", "a single slot compares with itself",
              {"inputs": d.simplex(7, 1, 5), "pivot": np.zeros(7, dtype=np.int64)},
              "compare-cosine compare-scaled")
    d = stream(f"{op}/zero-rows")
    x = d.simplex(7, 3, 5)
    x[:, 2] = 0
    yield ask(f"{op}/zero-rows", "empty slots compare as zero",
              {"inputs": x, "pivot": d.whole(0, 1, 7)}, "compare-first-slot compare-last-slot")
    d = stream(f"{op}/one-hot")
    yield ask(f"{op}/one-hot", "one-hot vectors: equal or not",
              {"inputs": d.one_hot(21, 5).reshape(7, 3, 5), "pivot": d.whole(0, 2, 7)},
              "compare-first-slot compare-last-slot compare-scaled")
    d = stream(f"{op}/norms-of-all-sizes")
    yield ask(f"{op}/norms-of-all-sizes", "norms from 1e-6 to 1e6 are not divided out",
              {"inputs": d.simplex(7, 3, 5) * 2.0 ** d.whole(-20, 20, 7, 3, 1),
               "pivot": d.whole(0, 2, 7)}, usual)
    for slug, about, b in (
        ("gradient", "the pivot's own comparison is a square and counts twice", 3),
        ("gradient-one-slot", "a single slot: the gradient of a square", 1),
        ("gradient-many-slots", "seventeen slots", 17),
    ):
        d = stream(f"{op}/{slug}")
        hunts = "compare-pivot-dropped compare-square-once compare-keys-dropped"
        yield ask(f"{op}/{slug}", about, {"inputs": d.simplex(7, b, 5),
                  "pivot": (np.arange(7) + 1) % b}, hunts,
                  cotangents={"comparisons": signed(d, 7, b)})
    d = stream(f"{op}/refuse")
    some = {"inputs": d.simplex(7, 3, 5), "pivot": d.whole(0, 2, 7)}
    for slug, about, entry in (("pivot", "pivot 3 in a context of three slots", 3),
                               ("negative-pivot", "a pivot before the first slot", -1)):
        pivot = some["pivot"].copy()
        pivot[4] = entry
        yield ask(f"{op}/refuse-{slug}", about, {**some, "pivot": pivot}, "compare-takes-anything",
                  reject="pivot")
    for slug, about, bad in (("nan-input", "an input that is NaN", NAN),
                             ("infinite-input", "an infinite input", INF)):
        x = some["inputs"].copy()
        x[5, 2, 1] = bad
        yield ask(f"{op}/refuse-{slug}", about, {**some, "inputs": x}, "compare-takes-anything",
                  reject="non-finite")
    yield ask(f"{op}/refuse-other-pivots", "seven contexts, six pivots",
              {**some, "pivot": some["pivot"][:6]}, reject="shape")
