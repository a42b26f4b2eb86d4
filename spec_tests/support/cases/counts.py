"""cooccurrence, priming_number.   (SPEC 1)"""

# Cases are tables, laid out by hand.
# fmt: off

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from saffu.types import Array
from spec_tests.support.cases.drawing import refuse_samples, sparse, spoilt
from spec_tests.support.cases.question import NAN, Question, ask, stream


def cooccurrence() -> Iterator[Question]:
    op = "cooccurrence"
    usual = "cooccurrence-transposed cooccurrence-mean cooccurrence-presence"
    norms = "cooccurrence-norm-euclidean cooccurrence-norm-mean"
    d = stream(f"{op}/plain")
    yield ask(f"{op}/plain", "weighted features and targets that are distributions",
              {"features": sparse(d, 7, 5), "targets": d.simplex(7, 3)},
              f"{usual} {norms} cooccurrence-largest-target")
    d = stream(f"{op}/one-hot")
    yield ask(f"{op}/one-hot", "one-hot features and targets: a table of counts",
              {"features": d.one_hot(53, 5), "targets": d.one_hot(53, 3)},
              "cooccurrence-transposed cooccurrence-mean")
    d = stream(f"{op}/one-sample")
    yield ask(f"{op}/one-sample", "a single sample: an outer product",
              {"features": sparse(d, 1, 5), "targets": d.simplex(1, 3)},
              "cooccurrence-transposed cooccurrence-presence")
    d = stream(f"{op}/targets-of-unequal-mass")
    yield ask(f"{op}/targets-of-unequal-mass", "targets need not add up to one",
              {"features": sparse(d, 7, 5), "targets": d.uniform(7, 3, high=5)},
              f"{usual} cooccurrence-targets-normalised")
    d = stream(f"{op}/zero-rows")
    h = sparse(d, 7, 5)
    h[[1, 4]] = 0
    h[:, 3] = 0
    yield ask(f"{op}/zero-rows", "samples without features count as samples; feature 3 never "
              "occurs and keeps its row",
              {"features": h, "targets": d.simplex(7, 3)}, f"{norms} cooccurrence-drops-empty")
    d = stream(f"{op}/huge-and-tiny")
    scale = 2.0 ** d.whole(-40, 40, 7, 1)
    yield ask(f"{op}/huge-and-tiny", "norms from 1e-12 to 1e12",
              {"features": sparse(d, 7, 5) * scale, "targets": d.simplex(7, 3)},
              f"{usual} {norms}")
    for slug, about, sizes in (
        ("two-shards", "the counts of two shards add up to those of their union", (3, 5)),
        ("shards-of-one-sample", "five shards of a sample each", (1, 1, 1, 1, 1)),
        ("uneven-shards", "three shards of very different sizes", (2, 31, 3)),
    ):
        d = stream(f"{op}/{slug}")
        given: dict[str, Array] = {}
        for i, m in enumerate(sizes):
            given[f"features_{i}"] = sparse(d, m, 5)
            given[f"targets_{i}"] = d.simplex(m, 3)
        yield ask(f"{op}/{slug}", about, given,
                  "cooccurrence-first-shard cooccurrence-last-shard cooccurrence-shards-averaged")
    d = stream(f"{op}/eleven-shards")
    given = {}
    for i in range(11):
        given[f"features_{i}"] = d.one_hot(2, 5) * d.whole(1, 9, 2, 1)
        given[f"targets_{i}"] = d.one_hot(2, 3)
    yield ask(f"{op}/eleven-shards", "more shards than digits, so that 10 must not come before 2; "
              "whole counts, exact in any order", given,
              "cooccurrence-first-shard cooccurrence-last-shard")
    yield from refuse_samples(op, "cooccurrence-takes-anything")


def priming_number() -> Iterator[Question]:
    op = "priming_number"
    usual = "priming-sum priming-euclidean priming-largest priming-mean-of-entries"
    d = stream(f"{op}/plain")
    yield ask(f"{op}/plain", "features of unequal norms", {"features": sparse(d, 7, 5)}, usual)
    d = stream(f"{op}/one-hot")
    yield ask(f"{op}/one-hot", "one-hot features have mean norm one",
              {"features": d.one_hot(7, 5)}, "priming-sum priming-mean-of-entries")
    d = stream(f"{op}/below-one")
    yield ask(f"{op}/below-one", "a mean norm below one is nothing special",
              {"features": sparse(d, 7, 5) / 16}, f"{usual} priming-clamped")
    d = stream(f"{op}/zero-rows")
    h = sparse(d, 7, 5)
    h[[0, 5]] = 0
    yield ask(f"{op}/zero-rows", "samples without features count as samples",
              {"features": h}, f"{usual} priming-drops-empty")
    d = stream(f"{op}/one-sample")
    yield ask(f"{op}/one-sample", "a single sample", {"features": d.uniform(1, 5)},
              "priming-euclidean priming-mean-of-entries")
    d = stream(f"{op}/huge-and-tiny")
    h = sparse(d, 7, 5) * 2.0 ** d.whole(-40, 40, 7, 1)
    yield ask(f"{op}/huge-and-tiny", "norms from 1e-12 to 1e12", {"features": h},
              f"{usual} priming-median")
    d = stream(f"{op}/wide")
    yield ask(f"{op}/wide", "101 features", {"features": sparse(d, 3, 101)}, usual)
    d = stream(f"{op}/tall")
    yield ask(f"{op}/tall", "53 samples", {"features": sparse(d, 53, 2)}, f"{usual} priming-median")
    yield ask(f"{op}/refuse-all-zero", "without any feature there is no priming number",
              {"features": np.zeros((3, 5))}, "priming-takes-anything", reject="zero-norm")
    yield ask(f"{op}/refuse-no-samples", "nothing to average", {"features": np.zeros((0, 5))},
              "priming-takes-anything", reject="no-samples")
    for slug, entry, reason in (("negative", -0.25, "negative"), ("nan", NAN, "non-finite")):
        d = stream(f"{op}/refuse-{slug}")
        yield ask(f"{op}/refuse-{slug}", f"a feature that is {entry}",
                  {"features": spoilt(sparse(d, 7, 5), entry)}, "priming-takes-anything",
                  reject=reason)
