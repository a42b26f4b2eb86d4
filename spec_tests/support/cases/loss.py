"""cross_entropy, perplexity.   (SPEC 0, 7)"""

# Cases are tables, laid out by hand.
# fmt: off

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from spec_tests.support.cases.question import INF, NAN, Question, ask, signed, stream


def cross_entropy() -> Iterator[Question]:
    plain = (
        "cross-entropy-sum cross-entropy-mean-of-all cross-entropy-bits "
        "cross-entropy-gradient-unscaled cross-entropy-gradient-sign"
    )
    mass = "cross-entropy-mass-ignored cross-entropy-targets-normalised"
    op = "cross_entropy"
    for slug, about, m, n in (
        ("one-hot", "one-hot targets", 7, 5),
        ("one-sample", "a single sample", 1, 5),
        ("wide", "101 targets", 3, 101),
        ("two-targets", "53 samples of two targets", 53, 2),
    ):
        d = stream(f"{op}/{slug}")
        given = {"logits": signed(d, m, n), "targets": d.one_hot(m, n)}
        hunts = plain if m > 1 else "cross-entropy-bits cross-entropy-gradient-sign"
        yield ask(f"{op}/{slug}", about, given, hunts)
    d = stream(f"{op}/soft-targets")
    yield ask(
        f"{op}/soft-targets", "targets that are distributions",
        {"logits": signed(d, 7, 5), "targets": d.simplex(7, 5)},
        f"{plain} cross-entropy-largest-target",
    )
    d = stream(f"{op}/targets-of-unequal-mass")
    yield ask(
        f"{op}/targets-of-unequal-mass", "rows of targets weigh their samples by their sums",
        {"logits": signed(d, 7, 5), "targets": d.uniform(7, 5, high=3) * (d.whole(0, 1, 7, 5))
         + d.one_hot(7, 5)}, mass,
    )
    d = stream(f"{op}/tiny-targets")
    yield ask(
        f"{op}/tiny-targets", "targets of about 1e-9",
        {"logits": signed(d, 7, 5), "targets": d.uniform(7, 5) * 2.0**-30}, mass,
    )
    d = stream(f"{op}/confident-and-wrong")
    logits, right = signed(d, 5, 7, size=1), d.whole(0, 6, 5)
    logits[np.arange(5), (right + 1) % 7] += 1024
    yield ask(
        f"{op}/confident-and-wrong", "targets whose probability underflows cost their logits",
        {"logits": logits, "targets": np.eye(7)[right]},
        "cross-entropy-log-of-softmax cross-entropy-clipped",
    )
    d = stream(f"{op}/confident-and-right")
    logits, right = signed(d, 5, 7, size=1), d.whole(0, 6, 5)
    logits[np.arange(5), right] += 16
    yield ask(
        f"{op}/confident-and-right", "losses of about 1e-6, gradients as small",
        {"logits": logits, "targets": np.eye(7)[right]}, "cross-entropy-sum",
    )
    d = stream(f"{op}/targets-at-vanishing-entries")
    logits = signed(d, 5, 3, size=1)
    logits[:, 2] -= 4096
    yield ask(
        f"{op}/targets-at-vanishing-entries",
        "entries of probability zero that no target asks for cost nothing",
        {"logits": logits, "targets": np.eye(3)[d.whole(0, 1, 5)]}, "cross-entropy-log-of-softmax",
    )
    d = stream(f"{op}/large-logits")
    yield ask(
        f"{op}/large-logits", "logits of about 1000",
        {"logits": 1000 + signed(d, 5, 3), "targets": d.one_hot(5, 3)},
        "cross-entropy-no-shift",
    )
    d = stream(f"{op}/ties")
    yield ask(
        f"{op}/ties", "a model that knows nothing costs log N",
        {"logits": np.zeros((7, 5)), "targets": d.one_hot(7, 5)}, plain,
    )
    yield from _cross_entropy_refusals()


def _cross_entropy_refusals() -> Iterator[Question]:
    op = "cross_entropy"
    for slug, about, entry, reason in (
        ("negative-target", "a negative target", -0.5, "negative"),
        ("nan-target", "a target that is NaN", NAN, "non-finite"),
    ):
        d = stream(f"{op}/refuse-{slug}")
        y = d.simplex(5, 3)
        y[3, 1] = entry
        yield ask(
            f"{op}/refuse-{slug}", about, {"logits": signed(d, 5, 3), "targets": y},
            "cross-entropy-takes-anything", reject=reason,
        )
    d = stream(f"{op}/refuse-empty-target")
    y = d.one_hot(5, 3)
    y[3] = 0
    yield ask(
        f"{op}/refuse-empty-target", "a row of targets that asks for nothing",
        {"logits": signed(d, 5, 3), "targets": y}, "cross-entropy-takes-anything",
        reject="zero-target",
    )
    d = stream(f"{op}/refuse-nan-logit")
    z = signed(d, 5, 3)
    z[0, 2] = NAN
    yield ask(
        f"{op}/refuse-nan-logit", "a logit that is NaN", {"logits": z, "targets": d.one_hot(5, 3)},
        "cross-entropy-takes-anything", reject="non-finite",
    )
    d = stream(f"{op}/refuse-other-targets")
    yield ask(
        f"{op}/refuse-other-targets", "logits of three targets, targets of two",
        {"logits": signed(d, 5, 3), "targets": d.one_hot(5, 2)}, reject="shape",
    )
    yield ask(
        f"{op}/refuse-no-samples", "no samples have no mean",
        {"logits": np.zeros((0, 3)), "targets": np.zeros((0, 3))},
        "cross-entropy-takes-anything", reject="no-samples",
    )


def perplexity() -> Iterator[Question]:
    op = "perplexity"
    all_of_them = (
        "perplexity-in-bits perplexity-of-sum perplexity-mean-of-exponentials perplexity-of-median"
    )
    d = stream(f"{op}/plain")
    yield ask(f"{op}/plain", "eleven targets", {"nats": d.uniform(11, high=8)}, all_of_them)
    d = stream(f"{op}/many")
    yield ask(f"{op}/many", "211 targets", {"nats": d.uniform(211, high=16)}, all_of_them)
    d = stream(f"{op}/one-target")
    yield ask(f"{op}/one-target", "a single target", {"nats": d.uniform(1, high=8)},
              "perplexity-in-bits")
    yield ask(f"{op}/certain", "a model that is always certain and right has perplexity 1",
              {"nats": np.zeros(7)}, "perplexity-without-exponential")
    yield ask(
        f"{op}/knows-nothing", "log 13 for every target: the perplexity of a vocabulary of 13",
        {"nats": np.full(5, np.log(13.0))}, "perplexity-in-bits perplexity-of-sum",
    )
    d = stream(f"{op}/one-bad-target")
    nats = d.uniform(7, high=2)
    nats[4] = 1024.0
    yield ask(
        f"{op}/one-bad-target", "one target of 1024 nats among easy ones, whose exponential "
        "overflows",
        {"nats": nats}, "perplexity-mean-of-exponentials perplexity-of-median",
    )
    d = stream(f"{op}/tiny")
    yield ask(f"{op}/tiny", "nats of about 1e-9", {"nats": d.uniform(5) * 2.0**-30},
              "perplexity-without-exponential")
    d = stream(f"{op}/near-overflow")
    yield ask(f"{op}/near-overflow", "a perplexity of about 1e300", {"nats": 690 + d.uniform(5)},
              all_of_them)
    yield ask(f"{op}/refuse-no-targets", "no targets have no mean", {"nats": np.zeros(0)},
              "perplexity-takes-anything", reject="no-samples")
    for slug, entry in (("nan", NAN), ("infinity", INF)):
        d = stream(f"{op}/refuse-{slug}")
        nats = d.uniform(5, high=4)
        nats[2] = entry
        yield ask(f"{op}/refuse-{slug}", f"a target that costs {slug}", {"nats": nats},
                  "perplexity-takes-anything", reject="non-finite")
