"""explicit_solution.   (SPEC 1)"""

# Cases are tables, laid out by hand.
# fmt: off

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from spec_tests.support.cases.drawing import refuse_samples, smoothing, sparse
from spec_tests.support.cases.question import Question, ask, stream

PRIMED = (
    "priming-ignored priming-sum-for-mean priming-per-sample factor-without-division factor-added "
    "explicit-priming-euclidean"
)


SUMS = (
    "totals-of-rows totals-unsmoothed smoothing-after-log smoothing-of-totals-only weights-in-bits"
)


def explicit_solution() -> Iterator[Question]:
    op = "explicit_solution"
    for kind, strength in (("backoff", 1.0), ("additive", 0.5), ("backoff", 100.0),
                           ("additive", 2.0**-10), ("backoff", 0.125)):
        slug = f"{kind}-{str(strength).replace('.', '-').replace('e-', 'e')}".removesuffix("-0")
        if strength == 2.0**-10:
            slug = "additive-small"
        d = stream(f"{op}/{slug}")
        kinds = "backoff-without-one backoff-even" if kind == "backoff" else ""
        yield ask(f"{op}/{slug}", f"features of unequal norms, {kind} smoothing of {strength:g}",
                  {"features": sparse(d, 11, 5), "targets": d.simplex(11, 3)},
                  f"{PRIMED} {SUMS} {kinds}", attributes={"smoothing": smoothing(kind, strength)})
    yield from _one_hot(op)
    yield from _primed(op)
    yield from _zeros(op)
    yield from refuse_samples(op, "explicit-takes-anything", smoothing=smoothing("backoff", 1.0))
    yield from _explicit_refusals(op)


def _one_hot(op: str) -> Iterator[Question]:
    for kind, strength in (("additive", 1.0), ("backoff", 1.0), ("discount", 0.75)):
        slug = f"one-hot-{kind}"
        d = stream(f"{op}/{slug}")
        extra = {"discount": "discount-not-returned discount-of-whole-table",
                 "additive": "additive-to-seen"}.get(kind, "")
        h = np.eye(5)[[0, 1, 2, 3, 4, *d.whole(0, 4, 32)]]
        yield ask(f"{op}/{slug}", "one-hot features have K = 1: rows of U are log-counts",
                  {"features": h, "targets": d.one_hot(37, 7)},
                  f"factor-without-priming totals-always {extra}",
                  attributes={"smoothing": smoothing(kind, strength)})
    d = stream(f"{op}/discount-whole-weights")
    h = d.whole(0, 3, 11, 5).astype(float) + d.one_hot(11, 5)
    yield ask(f"{op}/discount-whole-weights", "discounting whole counts of features of unequal "
              "norms", {"features": h, "targets": d.one_hot(11, 3)},
              f"{PRIMED} discount-not-returned discount-of-whole-table discount-unseen-too",
              attributes={"smoothing": smoothing("discount", 0.5)})
    d = stream(f"{op}/discount-singletons")
    h = np.eye(5)[[0, 1, 2, 3, 4, 0, 1]]
    yield ask(f"{op}/discount-singletons", "nearly all cells were seen once or never",
              {"features": h, "targets": np.eye(11)[[3, 1, 4, 1, 5, 9, 2]]},
              "discount-not-returned discount-of-whole-table discount-unseen-too",
              attributes={"smoothing": smoothing("discount", 0.875)})


def _primed(op: str) -> Iterator[Question]:
    some = {"smoothing": smoothing("backoff", 1.0)}
    d = stream(f"{op}/common-norm")
    yield ask(f"{op}/common-norm", "inputs of one norm, 3: the logits of naive Bayes",
              {"features": 3 * d.simplex(11, 5), "targets": d.one_hot(11, 3)},
              f"{PRIMED} {SUMS}".replace("priming-per-sample", ""), attributes=some)
    d = stream(f"{op}/norms-below-one")
    yield ask(f"{op}/norms-below-one", "K < 1 makes (K−1)/K negative; nothing is clamped",
              {"features": sparse(d, 11, 5) / 8, "targets": d.simplex(11, 3)},
              "priming-ignored explicit-priming-clamped", attributes=some)
    for slug, about, k in (
        ("given-priming", "K is given and not measured", 2.5),
        ("given-priming-of-one", "K = 1 although the norms are larger: no totals", 1.0),
        ("given-priming-below-one", "K = 1/4 is given", 0.25),
        ("given-priming-huge", "K = 2^20: nearly the whole logarithm of the totals", 2.0**20),
    ):
        d = stream(f"{op}/{slug}")
        yield ask(f"{op}/{slug}", about,
                  {"features": sparse(d, 11, 5), "targets": d.simplex(11, 3)},
                  "given-priming-ignored", attributes={**some, "priming": k})
    d = stream(f"{op}/unequal-norms")
    yield ask(f"{op}/unequal-norms", "norms from 1/64 to 64: the mean norm is not the norm of any "
              "sample",
              {"features": d.simplex(11, 5) * 2.0 ** d.whole(-6, 6, 11, 1),
               "targets": d.one_hot(11, 3)}, PRIMED, attributes=some)
    d = stream(f"{op}/huge-features")
    yield ask(f"{op}/huge-features", "features of about 1e9, whose counts dwarf the smoothing",
              {"features": sparse(d, 11, 5) * 2.0**30, "targets": d.simplex(11, 3)}, PRIMED,
              attributes=some)
    d = stream(f"{op}/tiny-features")
    yield ask(f"{op}/tiny-features", "features of about 1e-9, which the smoothing dwarfs",
              {"features": sparse(d, 11, 5) * 2.0**-30, "targets": d.simplex(11, 3)},
              "priming-ignored", attributes=some)


def _zeros(op: str) -> Iterator[Question]:
    d = stream(f"{op}/no-smoothing")
    yield ask(f"{op}/no-smoothing", "where every cell was seen, α = 0 is allowed",
              {"features": d.uniform(11, 5, high=2), "targets": d.simplex(11, 3)},
              f"{PRIMED} totals-of-rows smoothing-at-least-one",
              attributes={"smoothing": smoothing("backoff", 0.0)})
    d = stream(f"{op}/unseen-feature")
    h = sparse(d, 11, 5)
    h[:, 2] = 0
    yield ask(f"{op}/unseen-feature", "a feature that never occurs gets the shares of the targets",
              {"features": h, "targets": d.one_hot(11, 3)},
              "backoff-without-one backoff-even additive-to-seen",
              attributes={"smoothing": smoothing("backoff", 2.0)})
    d = stream(f"{op}/unseen-target")
    y = d.one_hot(11, 5)
    y[:, 3] = 0
    y[y.sum(axis=1) == 0, 1] = 1
    yield ask(f"{op}/unseen-target", "a target that never occurs gets a share all the same",
              {"features": sparse(d, 11, 7), "targets": y}, "backoff-without-one backoff-even",
              attributes={"smoothing": smoothing("backoff", 1.0)})
    d = stream(f"{op}/one-sample")
    yield ask(f"{op}/one-sample", "a single sample", {"features": sparse(d, 1, 5),
              "targets": d.one_hot(1, 3)}, "backoff-without-one factor-without-division",
              attributes={"smoothing": smoothing("backoff", 1.0)})
    d = stream(f"{op}/wide-targets")
    yield ask(f"{op}/wide-targets", "more targets than samples",
              {"features": sparse(d, 7, 3), "targets": d.one_hot(7, 37)}, f"{PRIMED} {SUMS}",
              attributes={"smoothing": smoothing("backoff", 1.0)})


def _explicit_refusals(op: str) -> Iterator[Question]:
    d = stream(f"{op}/refuse-zero-count")
    given = {"features": d.one_hot(7, 5), "targets": d.one_hot(7, 3)}
    for kind in ("additive", "backoff"):
        yield ask(f"{op}/refuse-zero-count-{kind}", "log 0 has to be decided, not hidden", given,
                  "explicit-tiny-for-zero", attributes={"smoothing": smoothing(kind, 0.0)},
                  reject="zero-count")
    h = np.eye(5)[[0, 1, 3, 4, 0, 1, 3]]
    yield ask(f"{op}/refuse-discount-of-nothing", "a feature without counts has nothing to give "
              "back", {"features": h, "targets": given["targets"]}, "explicit-tiny-for-zero",
              attributes={"smoothing": smoothing("discount", 0.5)}, reject="zero-count")
    d = stream(f"{op}/refuse-discount-of-fractions")
    yield ask(f"{op}/refuse-discount-of-fractions", "discounting takes whole counts apart",
              {"features": d.uniform(7, 5), "targets": d.one_hot(7, 3)}, "explicit-takes-anything",
              attributes={"smoothing": smoothing("discount", 0.5)}, reject="fraction")
    for slug, how in (
        ("negative-strength", smoothing("backoff", -1.0)),
        ("discount-of-one", smoothing("discount", 1.0)),
        ("discount-of-zero", smoothing("discount", 0.0)),
    ):
        yield ask(f"{op}/refuse-{slug}", f"{how['kind']} smoothing of {how['strength']:g}", given,
                  "explicit-takes-anything", attributes={"smoothing": how}, reject="option")
    for slug, k in (("zero", 0.0), ("negative", -2.0)):
        yield ask(f"{op}/refuse-{slug}-priming", f"K = {k:g} leaves (K−1)/K without a meaning",
                  given, "explicit-takes-anything",
                  attributes={"smoothing": smoothing("backoff", 1.0), "priming": k},
                  reject="option")
    yield ask(f"{op}/refuse-no-features", "features that are all zero have no mean norm",
              {"features": np.zeros((7, 5)), "targets": given["targets"]},
              "explicit-takes-anything", attributes={"smoothing": smoothing("backoff", 1.0)},
              reject="zero-norm")
