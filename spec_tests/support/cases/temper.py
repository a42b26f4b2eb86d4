"""tempered_logits, fit_temper.   (SPEC 1)"""

# Cases are tables, laid out by hand.
# fmt: off

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from saffu.conformance.judging.generator import Draw
from saffu.types import Array
from spec_tests.support.cases.drawing import sparse
from spec_tests.support.cases.question import NAN, Question, ask, signed, stream


def positive(draw: Draw, d: int, n: int, high: int = 16) -> Array:
    return draw.uniform(d, n, high=high)


def tempered_logits() -> Iterator[Question]:
    op = "tempered_logits"
    usual = (
        "tempered-prior-too tempered-without-prior tempered-totals-of-rows tempered-inverse "
        "tempered-untempered"
    )
    for slug, about, lam in (
        ("one", "λ = 1 is the explicit solution", 1.0),
        ("zero", "λ = 0 leaves the prior", 0.0),
        ("below-one", "evidence that repeats itself is trusted less", 0.375),
        ("above-one", "evidence is trusted more", 2.5),
        ("negative", "evidence is turned around", -0.75),
        ("large", "λ = 64", 64.0),
    ):
        d = stream(f"{op}/{slug}")
        hunts = {0.0: "tempered-without-prior tempered-untempered",
                 1.0: "tempered-without-prior tempered-totals-of-rows"}.get(lam, usual)
        yield ask(f"{op}/{slug}", about, {"features": sparse(d, 7, 5), "counts": positive(d, 5, 3),
                  "temper": np.array([lam])}, hunts)
    slots = "tempered-first-slot tempered-slots-interleaved tempered-mean-of-slots"
    for slug, about, s, width in (
        ("three-slots", "one λ for each of three slots of five features", 3, 5),
        ("five-slots", "one λ for each of five slots of two features", 5, 2),
        ("slots-of-one", "one λ a feature", 7, 1),
    ):
        d = stream(f"{op}/{slug}")
        yield ask(f"{op}/{slug}", about,
                  {"features": sparse(d, 11, s * width), "counts": positive(d, s * width, 13),
                   "temper": signed(d, s, size=2)},
                  f"{usual} {slots}" if width > 1 else f"{usual} tempered-first-slot")
    d = stream(f"{op}/zero-rows")
    h = sparse(d, 7, 5)
    h[[0, 3]] = 0
    yield ask(f"{op}/zero-rows", "samples without features get the prior", {"features": h,
              "counts": positive(d, 5, 3), "temper": np.array([0.5])}, usual)
    d = stream(f"{op}/one-hot")
    yield ask(f"{op}/one-hot", "one-hot features pick a row", {"features": d.one_hot(7, 5),
              "counts": positive(d, 5, 3), "temper": np.array([0.5])}, usual)
    d = stream(f"{op}/counts-of-all-sizes")
    counts = positive(d, 5, 3) * 2.0 ** d.whole(-40, 40, 5, 3)
    yield ask(f"{op}/counts-of-all-sizes", "counts from 1e-12 to 1e12",
              {"features": sparse(d, 7, 5), "counts": counts, "temper": np.array([0.5])}, usual)
    yield from _temper_refusals(op, {"temper": np.array([0.5])}, {})
    d = stream(f"{op}/refuse")
    some = {"features": sparse(d, 7, 6), "counts": positive(d, 6, 5)}
    yield ask(f"{op}/refuse-uneven-slots", "six features do not lie in four slots",
              {**some, "temper": np.full(4, 0.5)}, reject="option")
    yield ask(f"{op}/refuse-nan-temper", "a λ that is NaN", {**some, "temper": np.array([NAN])},
              "tempered-takes-anything", reject="non-finite")


def _temper_refusals(
    op: str, more: dict[str, Array], attributes: dict[str, object]
) -> Iterator[Question]:
    taken = {"tempered_logits": "tempered-takes-anything", "fit_temper": "temper-takes-anything"}[
        op
    ]
    d = stream(f"{op}/refuse")
    h, f = sparse(d, 7, 5), positive(d, 5, 3)
    for slug, about, which, entry, reason in (
        ("zero-count", "a count of zero has no logarithm", "counts", 0.0, "zero-count"),
        ("negative-count", "a negative count", "counts", -1.0, "negative"),
        ("negative-feature", "a negative feature", "features", -1.0, "negative"),
        ("nan-feature", "a feature that is NaN", "features", NAN, "non-finite"),
    ):
        given = {"features": h.copy(), "counts": f.copy(), **more}
        given[which][3, 1] = entry
        yield ask(f"{op}/refuse-{slug}", about, given, taken, attributes=attributes, reject=reason)
    yield ask(f"{op}/refuse-other-features", "five features, counts of four",
              {"features": h, "counts": f[:4], **more}, attributes=attributes, reject="shape")


def _repeated(d: Draw, m: int, times: int) -> dict[str, Array]:
    """Features that all say the same thing several times over, and noisy targets."""
    h = np.tile(d.one_hot(m, 3), times)
    best = np.argmax(h[:, :3], axis=1)
    y = np.eye(5)[np.where(d.whole(0, 2, m) > 0, best, d.whole(0, 4, m))]
    return {"features": h, "targets": y, "counts": h.T @ y + 0.5}


def fit_temper() -> Iterator[Question]:
    op = "fit_temper"
    usual = "temper-one-step temper-without-prior"
    d = stream(f"{op}/repeated-evidence")
    yield ask(f"{op}/repeated-evidence", "each feature is repeated three times, so λ is about 1/3",
              _repeated(d, 29, 3), f"{usual} temper-is-one", attributes={"slots": 1, "start": 1.0})
    for slug, about, start in (
        ("from-zero", "the result does not depend on the start: 0", 0.0),
        ("from-far", "the result does not depend on the start: 20", 20.0),
        ("from-very-far", "the result does not depend on the start: 400", 400.0),
        ("from-below", "the result does not depend on the start: −3", -3.0),
    ):
        d = stream(f"{op}/{slug}")
        yield ask(f"{op}/{slug}", about, _repeated(d, 31, 2), usual,
                  attributes={"slots": 1, "start": start})
    d = stream(f"{op}/held-out-counts")
    some = _repeated(d, 29, 1)
    other = _repeated(d, 37, 1)["counts"] * 8
    yield ask(f"{op}/held-out-counts", "counts of other samples, eight times as many",
              {**some, "counts": other}, usual, attributes={"slots": 1, "start": 1.0})
    d = stream(f"{op}/misleading")
    some = _repeated(d, 29, 1)
    yield ask(f"{op}/misleading", "features that say the opposite of the truth get λ < 0",
              {**some, "counts": some["counts"].max() + 1 - some["counts"]},
              f"{usual} temper-clamped", attributes={"slots": 1, "start": 1.0})
    d = stream(f"{op}/above-one")
    some = _repeated(d, 29, 1)
    yield ask(f"{op}/above-one", "counts that were smoothed too much get λ > 1",
              {**some, "counts": some["counts"] + 16}, f"{usual} temper-clamped",
              attributes={"slots": 1, "start": 1.0})
    d = stream(f"{op}/weighted-targets")
    some = _repeated(d, 23, 2)
    yield ask(f"{op}/weighted-targets", "targets weigh their samples",
              {**some, "targets": some["targets"] * d.uniform(23, 1, high=4) + d.uniform(23, 5)},
              f"{usual} temper-mass-ignored", attributes={"slots": 1, "start": 1.0})
    slots = "temper-one-for-all temper-slots-alone"
    d = stream(f"{op}/two-slots")
    yield ask(f"{op}/two-slots", "one λ for each of two slots of unequal worth", _slots(d, 41, 2),
              f"{slots} temper-one-step", attributes={"slots": 2, "start": 1.0})
    d = stream(f"{op}/three-slots")
    yield ask(f"{op}/three-slots", "one λ for each of three slots, starts of their own",
              _slots(d, 53, 3), slots,
              attributes={"slots": 3, "start": [0.5, -1.0, 2.0]})
    d = stream(f"{op}/silent-slot")
    some = _slots(d, 41, 3)
    some["features"][:, 5:10] = 0
    yield ask(f"{op}/silent-slot", "a slot that says nothing keeps its start", some,
              "temper-silent-slot-to-zero temper-silent-slot-to-one",
              attributes={"slots": 3, "start": [0.5, 0.25, 2.0]})
    d = stream(f"{op}/weak-evidence")
    some = _repeated(d, 29, 1)
    yield ask(f"{op}/weak-evidence", "features of 2^-12, so λ is in the thousands, and many steps "
              "away", {**some, "features": some["features"] * 2.0**-12}, usual,
              attributes={"slots": 1, "start": 1.0})
    faint = {"features": np.eye(3)[[2, 0, 2, 1, 0]] * 2.0**-40,
             "targets": np.eye(3)[[1, 1, 1, 0, 2]],
             "counts": np.array([[5.0, 1.0, 1.0], [1.0, 5.0, 1.0], [5.0, 1.0, 1.0]])}
    yield ask(f"{op}/faint-evidence", "features of 2^-40: λ is −2·10^12, large but finite", faint,
              usual, attributes={"slots": 1, "start": 1.0})
    d = stream(f"{op}/faint-slot")
    some = _slots(d, 41, 2)
    some["features"] = some["features"] * np.repeat([1.0, 2.0**-46], 5)
    yield ask(f"{op}/faint-slot", "a slot of 2^-46 beside one of usual size", some,
              "temper-one-for-all", attributes={"slots": 2, "start": 1.0})
    d = stream(f"{op}/uneven-evidence")
    some = _slots(d, 53, 3)
    some["features"] = some["features"] * np.repeat([1.0, 2.0**-12, 2.0**12], 5)
    yield ask(f"{op}/uneven-evidence", "slots of features of 1, 2^-12 and 2^12: tempers from 1e-4 "
              "to 1e4", some, slots, attributes={"slots": 3, "start": [1.0, 1.0, 1.0]})
    d = stream(f"{op}/nothing-said")
    some = _repeated(d, 23, 1)
    yield ask(f"{op}/nothing-said", "features that are all zero: the start stays, the prior alone "
              "predicts", {**some, "features": np.zeros((23, 3))},
              "temper-silent-slot-to-zero temper-silent-slot-to-one",
              attributes={"slots": 1, "start": 0.5})
    d = stream(f"{op}/one-sided-slot")
    some = _slots(d, 41, 2)
    some["counts"][5:] = some["counts"].sum(axis=0) / 8
    yield ask(f"{op}/one-sided-slot", "a slot that says the same of every target says nothing, and "
              "keeps its start however far that of the other slot is", some,
              "temper-silent-slot-to-zero temper-silent-slot-to-one",
              attributes={"slots": 2, "start": [24.0, 0.25]})
    yield from _temper_refusals(
        op, {"targets": stream(f"{op}/refuse-targets").one_hot(7, 3)}, {"slots": 1, "start": 1.0}
    )
    yield from _fit_refusals(op)


def _slots(d: Draw, m: int, s: int) -> dict[str, Array]:
    """Slots of five one-hot features: the first says most, every further one less."""
    right = d.whole(0, 6, m)
    slots = [
        np.eye(5)[np.where(d.whole(0, 2 + k, m) == 0, right % 5, d.whole(0, 4, m))]
        for k in range(s)
    ]
    h, y = np.concatenate(slots, axis=1), np.eye(7)[right]
    return {"features": h, "targets": y, "counts": h.T @ y + 1.0}


def _fit_refusals(op: str) -> Iterator[Question]:
    h = np.eye(3)[[0, 1, 2, 0, 1]]
    some = {"features": h, "targets": h, "counts": np.eye(3) * 4 + 1}
    yield ask(f"{op}/refuse-an-optimum-at-infinity", "the scores separate the targets: every "
              "larger λ is better", some, "temper-stops-anywhere",
              attributes={"slots": 1, "start": 1.0}, reject="not-converged")
    yield ask(f"{op}/refuse-a-flat-optimum-at-infinity", "the same from a start so far out that "
              "the loss is flat in float64", some, "temper-stops-anywhere",
              attributes={"slots": 1, "start": 10000.0}, reject="not-converged")
    yield ask(f"{op}/refuse-a-faint-optimum-at-infinity", "the same from features of 2^-52, so "
              "that no step gains anything", {**some, "features": h * 2.0**-52},
              "temper-stops-anywhere", attributes={"slots": 1, "start": 1.0},
              reject="not-converged")
    yield ask(f"{op}/refuse-other-samples", "five samples of features, three of targets",
              {**some, "targets": h[:3]}, attributes={"slots": 1, "start": 1.0}, reject="shape")
    for slug, about, slots in (("uneven-slots", "three features in two slots", 2),
                               ("no-slots", "no slots", 0)):
        yield ask(f"{op}/refuse-{slug}", about, some, attributes={"slots": slots, "start": 1.0},
                  reject="option")
    empty = {**some, "targets": some["targets"] * np.array([[1], [1], [0], [1], [1]])}
    yield ask(f"{op}/refuse-empty-target", "a sample that asks for nothing", empty,
              "temper-takes-anything", attributes={"slots": 1, "start": 1.0},
              reject="zero-target")
