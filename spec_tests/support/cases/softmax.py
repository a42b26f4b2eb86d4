"""softmax, log_softmax.   (SPEC 0)"""

# Cases are tables, laid out by hand.
# fmt: off

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from spec_tests.support.cases.question import INF, NAN, Question, ask, mask, signed, stream


def softmax() -> Iterator[Question]:
    yield from _rows("softmax", "probabilities")
    hunts = "softmax-vjp-diagonal softmax-vjp-without-p softmax-vjp-batch-sum softmax-vjp-zero"
    for slug, about, size in (
        ("gradient", "the adjoint at logits of ordinary size", 4),
        ("gradient-saturated", "the adjoint where one probability of each row is nearly one", 64),
        ("gradient-flat", "the adjoint where all probabilities are nearly equal", 1),
    ):
        d = stream(f"softmax/{slug}")
        yield ask(
            f"softmax/{slug}", about, {"logits": signed(d, 7, 5, size=size)}, hunts,
            cotangents={"probabilities": signed(d, 7, 5)},
        )
    d = stream("softmax/gradient-masked")
    yield ask(
        "softmax/gradient-masked", "masked entries get no gradient",
        {"logits": signed(d, 7, 5), "mask": mask(d, 7, 5)}, hunts,
        cotangents={"probabilities": signed(d, 7, 5)},
    )
    d = stream("softmax/gradient-of-a-constant")
    yield ask(
        "softmax/gradient-of-a-constant",
        "a cotangent that is the same for all entries of a row has no effect, since rows add up "
        "to one",
        {"logits": signed(d, 7, 5)}, "softmax-vjp-diagonal",
        cotangents={"probabilities": np.full((7, 5), 3.0)},
    )


def log_softmax() -> Iterator[Question]:
    yield from _rows("log_softmax", "log-probabilities")
    hunts = "log-softmax-vjp-unsummed log-softmax-vjp-of-softmax"
    for slug, about, size in (
        ("gradient", "the adjoint at logits of ordinary size", 4),
        ("gradient-saturated", "the adjoint where probabilities underflow", 1024),
    ):
        d = stream(f"log_softmax/{slug}")
        yield ask(
            f"log_softmax/{slug}", about, {"logits": signed(d, 7, 5, size=size)}, hunts,
            cotangents={"log_probabilities": signed(d, 7, 5)},
        )
    d = stream("log_softmax/gradient-masked")
    valid = mask(d, 7, 5)
    yield ask(
        "log_softmax/gradient-masked", "masked entries get no gradient and give none",
        {"logits": signed(d, 7, 5), "mask": valid}, hunts,
        cotangents={"log_probabilities": np.where(valid, signed(d, 7, 5), 0.0)},
    )


def _rows(op: str, what: str) -> Iterator[Question]:
    """What softmax and its logarithm have in common."""
    name = op.replace("_", "-")
    small = f"{name}-columns {name}-base-two"
    logs = "log-softmax-log-of-softmax" if op == "log_softmax" else ""

    d = stream(f"{op}/plain")
    yield ask(f"{op}/plain", "seven rows of five", {"logits": signed(d, 7, 5)}, small)
    d = stream(f"{op}/one-sample")
    yield ask(f"{op}/one-sample", "a single row", {"logits": signed(d, 1, 5)}, small)
    yield ask(
        f"{op}/one-target", "a single target, which is certain whatever its logit",
        {"logits": signed(stream(f"{op}/one-target"), 7, 1)}, f"{name}-columns",
    )
    d = stream(f"{op}/large-logits")
    yield ask(
        f"{op}/large-logits", "logits of about 1000, whose exponentials overflow",
        {"logits": 1000 + signed(d, 5, 3)}, f"{name}-no-shift",
    )
    d = stream(f"{op}/very-negative-logits")
    yield ask(
        f"{op}/very-negative-logits", "logits of about −1000, whose exponentials all vanish",
        {"logits": -1000 + signed(d, 5, 3)}, f"{name}-no-shift",
    )
    d = stream(f"{op}/spread")
    yield ask(
        f"{op}/spread", "rows in which most probabilities are too small for float64",
        {"logits": signed(d, 5, 7, size=2048)}, f"{name}-no-shift {logs}",
    )
    rows = np.repeat(np.array([[0.5], [-3.0], [64.0]]), 5, axis=1)
    yield ask(f"{op}/ties", "rows of equal logits", {"logits": rows}, f"{name}-columns")
    d = stream(f"{op}/near-ties")
    near = 2.0 + d.whole(0, 7, 3, 5) * 2.0**-20
    yield ask(f"{op}/near-ties", "logits that differ by 2^-20", {"logits": near}, small)
    d = stream(f"{op}/tiny-logits")
    tiny = signed(d, 3, 5) * 2.0**-30
    yield ask(f"{op}/tiny-logits", "logits of about 1e-9", {"logits": tiny}, small)
    d = stream(f"{op}/wide")
    yield ask(f"{op}/wide", "rows of 101 entries", {"logits": signed(d, 3, 101)}, small)
    d = stream(f"{op}/tall")
    yield ask(f"{op}/tall", "53 rows of two", {"logits": signed(d, 53, 2)}, small)
    yield from _masked(op, name, what)
    yield ask(f"{op}/refuse-no-targets", "rows of nothing have no softmax",
              {"logits": np.zeros((3, 0))}, reject="shape")
    for slug, about, entry in (("nan", "NaN", NAN), ("infinity", "infinity", INF)):
        bad = signed(stream(f"{op}/refuse-{slug}"), 3, 5)
        bad[1, 2] = entry
        yield ask(
            f"{op}/refuse-{slug}", f"a logit that is {about}", {"logits": bad},
            f"{name}-takes-non-finite", reject="non-finite",
        )


def _masked(op: str, name: str, what: str) -> Iterator[Question]:
    hunts = f"{name}-mask-ignored {name}-mask-inverted"
    after = "softmax-mask-after" if op == "softmax" else "log-softmax-masked-zero"
    d = stream(f"{op}/masked")
    yield ask(
        f"{op}/masked", f"{what} over the valid entries of each row alone",
        {"logits": signed(d, 7, 5), "mask": mask(d, 7, 5)}, f"{hunts} {after}",
    )
    d = stream(f"{op}/one-valid-entry")
    yield ask(
        f"{op}/one-valid-entry", "a single valid entry a row, which is certain",
        {"logits": signed(d, 5, 7), "mask": d.one_hot(5, 7) > 0}, f"{hunts} {after}",
    )
    d = stream(f"{op}/masked-entries-are-huge")
    logits, valid = signed(d, 5, 7), mask(d, 5, 7)
    yield ask(
        f"{op}/masked-entries-are-huge",
        "masked logits of 2000: shifting by them makes all valid entries vanish",
        {"logits": np.where(valid, logits, 2000.0), "mask": valid},
        f"{name}-shift-by-masked {name}-mask-ignored",
    )
    d = stream(f"{op}/masked-entries-are-nan")
    logits, valid = signed(d, 5, 7), mask(d, 5, 7)
    yield ask(
        f"{op}/masked-entries-are-nan", "what stands in masked places is never looked at",
        {"logits": np.where(valid, logits, NAN), "mask": valid},
        f"{name}-mask-by-product {name}-mask-ignored",
    )
    d = stream(f"{op}/below-any-big-negative-number")
    logits, valid = -(2.0**40) - d.whole(0, 2, 5, 7) * 2.0**20, mask(d, 5, 7)
    valid[:, 3] = False
    yield ask(
        f"{op}/below-any-big-negative-number",
        "valid logits of about −1e12, some tied: a mask made of −1e10 lets masked entries win",
        {"logits": logits, "mask": valid}, f"{name}-mask-big-negative",
    )
    d = stream(f"{op}/refuse-empty-mask")
    valid = mask(d, 3, 5)
    valid[1] = False
    yield ask(
        f"{op}/refuse-empty-mask", "a row without a valid entry has no softmax",
        {"logits": signed(d, 3, 5), "mask": valid}, f"{name}-mask-big-negative",
        reject="empty-mask",
    )
    d = stream(f"{op}/refuse-mask-of-another-shape")
    yield ask(
        f"{op}/refuse-mask-of-another-shape", "a mask of three rows for five rows of logits",
        {"logits": signed(d, 5, 3), "mask": np.ones((3, 3), dtype=bool)}, reject="shape",
    )
