"""Mistakes in cooccurrence, priming_number and explicit_solution."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from saffu.types import Array
from spec_tests.fresh_mistakes.examples import BACKOFF, draw, example, hot, put
from spec_tests.fresh_mistakes.record import (
    COMMON,
    LEGAL,
    NUMERICAL,
    RARE,
    REFUSAL,
    SIZE,
    STATE,
    VALUE,
    Answer,
    FreshMistake,
    Given,
    Wrong,
    fresh,
    refusing,
    right,
    some,
    spoiled,
    unchecked,
)


def _pairs(given: Given) -> list[tuple[Array, Array]]:
    if "features" in given:
        return [(given["features"], given["targets"])]
    count = sum(name.startswith("features_") for name in given)
    return [(given[f"features_{i}"], given[f"targets_{i}"]) for i in range(count)]


def _shards(*pairs: tuple[Array, Array]) -> dict[str, Array]:
    return {
        f"{name}_{i}": x
        for i, pair in enumerate(pairs)
        for name, x in zip(("features", "targets"), pair, strict=True)
    }


def _some_shards(keep: Callable[[int], bool]) -> Wrong:
    def wrong(given: Given) -> Answer:
        right("cooccurrence", given)
        if "features" in given:
            return right("cooccurrence", given)
        kept = [pair for i, pair in enumerate(_pairs(given)) if keep(i)]
        return right("cooccurrence", _shards(*kept))

    return wrong


def _mean_of_norms(given: Given) -> Answer:
    answer = right("cooccurrence", given)
    norms = [h.sum() for h, _ in _pairs(given)]
    return {**answer, "norm": np.mean(norms)}


def _last_shard_samples(given: Given) -> Answer:
    return {**right("cooccurrence", given), "samples": np.asarray(len(_pairs(given)[-1][0]))}


def _mismatched_shards(given: Given) -> Answer:
    """Shards are found as the names are sorted: features by number, targets as text."""
    right("cooccurrence", given)
    if "features" in given:
        return right("cooccurrence", given)
    pairs = _pairs(given)
    order = sorted(range(len(pairs)), key=str)
    if any(len(pairs[i][0]) != len(pairs[j][1]) for i, j in enumerate(order)):
        raise IndexError("rows")
    return right("cooccurrence", _shards(*[
        (pairs[i][0], pairs[j][1]) for i, j in enumerate(order)]))  # fmt: skip


class _Accumulator:
    """Counts are added to those of an earlier call of the same shape."""

    def __init__(self) -> None:
        self.counts: dict[tuple[int, ...], Array] = {}

    def __call__(self, given: Given) -> Answer:
        answer = right("cooccurrence", given)
        shape = answer["counts"].shape
        self.counts[shape] = self.counts.get(shape, 0.0) + answer["counts"]
        return {**answer, "counts": self.counts[shape].copy()}


class _Samples:
    """The number of samples is never reset."""

    def __init__(self) -> None:
        self.samples = 0

    def __call__(self, given: Given) -> Answer:
        answer = right("cooccurrence", given)
        self.samples += int(answer["samples"])
        return {**answer, "samples": np.asarray(self.samples)}


def _later(given: Given, bad: Callable[[Array], Any], which: int) -> bool:
    return any(some(bad(pair[which])) for pair in _pairs(given)[1:])


_H: Final = draw(7, 6, seed=1)
_Y: Final = draw(7, 3, seed=2)
_TWO: Final = _shards((_H[:3], _Y[:3]), (_H[3:], _Y[3:]))
_MANY: Final = _shards(*[(draw(2, 3, seed=s), draw(2, 2, seed=40 + s)) for s in range(16)])
_BIG: Final = {"features": np.array([[2.0**33, 1.0], [0.0, 3.0]]), "targets": np.eye(2)}


def _cooccurrences() -> tuple[FreshMistake, ...]:
    op, usual = "cooccurrence", example("cooccurrence")
    square = {"features": draw(7, 3, seed=1), "targets": draw(7, 3, seed=2)}
    return (
        fresh(op, NUMERICAL, COMMON, "counts-transposed", "F is [N, D]",
              spoiled(op, counts=lambda f: f.T), usual),
        fresh(op, SIZE, RARE, "counts-transposed-if-square", "F is transposed where D = N",
              spoiled(op, counts=lambda f: f.T if f.shape[0] == f.shape[1] else f), square),
        fresh(op, NUMERICAL, COMMON, "counts-mean", "F is divided by M",
              lambda g: {**right(op, g), "counts": right(op, g)["counts"]
                         / right(op, g)["samples"]}, usual),
        fresh(op, NUMERICAL, COMMON, "norm-euclidean", "the norm is the Euclidean one",
              lambda g: {**right(op, g), "norm": sum(
                  np.sqrt((h**2).sum(1)).sum() for h, _ in _pairs(g))}, usual),
        fresh(op, NUMERICAL, COMMON, "norm-mean", "the mean norm for the sum",
              lambda g: {**right(op, g), "norm": right(op, g)["norm"] / right(op, g)["samples"]},
              usual),
        fresh(op, NUMERICAL, RARE, "norm-of-targets", "the norm is that of the targets",
              lambda g: {**right(op, g), "norm": sum(y.sum() for _, y in _pairs(g))}, usual),
        fresh(op, NUMERICAL, RARE, "norm-mean-of-shards", "norms of shards are averaged",
              _mean_of_norms, _TWO),
        fresh(op, NUMERICAL, RARE, "samples-of-last-shard", "samples of the last shard alone",
              _last_shard_samples, _TWO),
        fresh(op, SIZE, COMMON, "shards-one-digit", "shards of two digits are not seen",
              _some_shards(lambda i: i < 10), _MANY),
        fresh(op, SIZE, RARE, "shards-two", "shards after the second are not seen",
              _some_shards(lambda i: i < 2), _MANY),
        fresh(op, SIZE, RARE, "shards-eight", "shards after the eighth are not seen",
              _some_shards(lambda i: i < 8), _MANY),
        fresh(op, SIZE, COMMON, "shards-as-text", "targets of shards are sorted as text",
              _mismatched_shards, _MANY),
        fresh(op, VALUE, COMMON, "counts-in-int32", "F is added up in int32",
              spoiled(op, counts=lambda f: np.where(
                  f == np.floor(f), (f + 2.0**31) % 2.0**32 - 2.0**31, f)), _BIG),
        fresh(op, VALUE, COMMON, "counts-in-float32", "F is rounded to float32",
              spoiled(op, counts=lambda f: f.astype(np.float32)), usual),
        fresh(op, VALUE, COMMON, "counts-whole", "F is rounded to whole numbers",
              spoiled(op, counts=np.rint), usual),
        fresh(op, VALUE, COMMON, "features-as-flags", "features count as 0 or 1",
              lambda g: right(op, g) and right(op, {n: (x > 0) * 1.0 if n.startswith("f") else x
                                                    for n, x in g.items()}), usual),
        fresh(op, VALUE, RARE, "targets-largest", "each sample counts for its largest target",
              lambda g: right(op, g) and right(op, {
                  n: np.eye(x.shape[1])[x.argmax(1)] if n.startswith("t") else x
                  for n, x in g.items()}), usual),
        fresh(op, VALUE, RARE, "zero-rows-not-counted", "samples without features do not count",
              lambda g: {**right(op, g), "samples": np.asarray(sum(
                  int((h.sum(1) > 0).sum()) for h, _ in _pairs(g)))},
              {"features": put(_H, 0, 0.0), "targets": _Y}),
        fresh(op, REFUSAL, COMMON, "shards-empty-one", "an empty shard adds nothing",
              unchecked(op, lambda g: any(len(h) == 0 for h, _ in _pairs(g))),
              _shards((_H, _Y), (_H[:0], _Y[:0]))),
        fresh(op, REFUSAL, COMMON, "shards-nan-later", "only the first shard is looked at for NaN",
              unchecked(op, lambda g: _later(g, np.isnan, 0)),
              _shards((_H, _Y), (put(_H, (1, 1), np.nan), _Y))),
        fresh(op, REFUSAL, COMMON, "shards-zero-target-later",
              "only the first shard is looked at for targets of zero",
              unchecked(op, lambda g: _later(g, lambda y: (y == 0).all(1), 1)),
              _shards((_H, _Y), (_H, put(_Y, 1, 0.0)))),
        fresh(op, REFUSAL, COMMON, "shards-negative-later",
              "only the first shard is looked at for negative features",
              unchecked(op, lambda g: _later(g, lambda h: h < 0, 0)),
              _shards((_H, _Y), (put(_H, (1, 1), -1.0), _Y))),
        fresh(op, REFUSAL, COMMON, "shards-of-other-width", "a shard of one feature is broadcast",
              unchecked(op, lambda g: len({h.shape[1] for h, _ in _pairs(g)}) > 1),
              _shards((_H, _Y), (_H[:, :1], _Y))),
        fresh(op, REFUSAL, COMMON, "targets-of-one-row", "targets of one row are broadcast",
              unchecked(op, lambda g: any(len(y) == 1 != len(h) for h, y in _pairs(g))),
              {"features": _H, "targets": _Y[:1]}),
        fresh(op, LEGAL, COMMON, "refuses-zero-features", "features that are all zero are refused",
              refusing(op, lambda g: all((h == 0).all() for h, _ in _pairs(g)), "zero-norm"),
              {"features": 0 * _H, "targets": _Y}),
        fresh(op, LEGAL, COMMON, "refuses-zero-row", "a sample without features is refused",
              refusing(op, lambda g: some((_pairs(g)[0][0] == 0).all(1)), "zero-norm"),
              {"features": put(_H, 0, 0.0), "targets": _Y}),
        fresh(op, LEGAL, RARE, "refuses-minus-zero", "a feature of -0 is negative",
              refusing(op, lambda g: some(np.signbit(_pairs(g)[0][0])), "negative"),
              {"features": put(_H, (0, 0), -0.0), "targets": _Y}),
        FreshMistake("fresh-counts-accumulate", "F is added to that of an earlier call", op, STATE,
                     COMMON, _Accumulator, (usual, usual)),
        FreshMistake("fresh-samples-accumulate", "M is added to that of earlier calls", op, STATE,
                     COMMON, _Samples, (usual, usual)),
    )  # fmt: skip


def _priming(norm: Callable[[Array], Any]) -> Wrong:
    def wrong(given: Given) -> Answer:
        right("priming_number", given)
        return {"priming": norm(given["features"])}

    return wrong


def _primings() -> tuple[FreshMistake, ...]:
    op, usual = "priming_number", example("priming_number")
    return (
        fresh(op, NUMERICAL, COMMON, "priming-largest", "the largest norm",
              _priming(lambda h: h.sum(1).max()), usual),
        fresh(op, NUMERICAL, COMMON, "priming-euclidean", "the mean Euclidean norm",
              _priming(lambda h: np.sqrt((h**2).sum(1)).mean()), usual),
        fresh(op, NUMERICAL, COMMON, "priming-mean-of-entries", "the mean of all entries",
              _priming(np.mean), usual),
        fresh(op, NUMERICAL, RARE, "priming-count-of-features", "the number of features above 0",
              _priming(lambda h: (h > 0).sum(1).mean()), usual),
        fresh(op, VALUE, COMMON, "priming-at-least-one", "K below 1 is put to 1",
              spoiled(op, priming=lambda k: np.maximum(k, 1.0)), {"features": 0.1 * _H}),
        fresh(op, VALUE, COMMON, "priming-without-zero-rows", "samples without features are left "
              "out", _priming(lambda h: h.sum() / (h.sum(1) > 0).sum()),
              {"features": put(_H, 0, 0.0)}),
        fresh(op, SIZE, RARE, "priming-eight", "samples after whole groups of eight are lost",
              _priming(lambda h: h[: len(h) // 8 * 8 or len(h)].sum() / len(h)),
              {"features": draw(9, 3)}),
        fresh(op, REFUSAL, COMMON, "priming-zero-features", "K = 0 is returned",
              unchecked(op, lambda g: g["features"].size and not g["features"].any()),
              {"features": 0 * _H}),
        fresh(op, REFUSAL, COMMON, "priming-negative", "negative features are accepted",
              unchecked(op, lambda g: some(g["features"] < 0)), {"features": put(_H, 0, -1.0)}),
        fresh(op, REFUSAL, COMMON, "priming-one-dimension", "features [D] are one sample",
              unchecked(op, lambda g: g["features"].ndim == 1), {"features": _H[0]}),
        fresh(op, LEGAL, COMMON, "priming-refuses-zero-row", "a sample without features is refused",
              refusing(op, lambda g: some((g["features"] == 0).all(-1)) and some(g["features"]),
                       "zero-norm"), {"features": put(_H, 0, 0.0)}),
        fresh(op, LEGAL, RARE, "priming-refuses-below-one", "K below 1 is refused",
              refusing(op, lambda g: 0 < g["features"].sum() < len(g["features"]), "option"),
              {"features": 0.1 * _H}),
    )  # fmt: skip


def _totals(f: Array) -> Array:
    total: Array = f.sum(0)
    return total


def _solution(
    counts: Callable[[Array, str, float], Array | None] = lambda *_: None,
    priming: Callable[[float], float] = lambda k: k,
    weights: Callable[[Array, float], Array] = (
        lambda f, k: np.log(f) - (k - 1) / k * np.log(_totals(f))
    ),
) -> Wrong:
    """Another smoothing, another K or another equation."""

    def wrong(given: Given) -> Answer:
        answer = right("explicit_solution", given)
        kind, strength = given["smoothing"]["kind"], given["smoothing"]["strength"]
        full = counts(answer["counts"], kind, strength)
        full = answer["smoothed_counts"] if full is None else full
        return {"weights": weights(full, priming(float(answer["priming"])))}

    return wrong


def _share(n: Array, plus: float = 1.0, width: int | None = None) -> Array:
    share: Array = (n + plus) / (n.sum() + plus * (len(n) if width is None else width))
    return share


def _backoff(q: Callable[[Array], Array]) -> Wrong:
    return _solution(lambda f, kind, a: f + a * q(f) if kind == "backoff" else None)


def _discount(fill: Callable[[Array, float], Array]) -> Wrong:
    return _solution(lambda f, kind, d: fill(f, d) if kind == "discount" else None)


def _cells(f: Array, above: float = 0.0) -> Array:
    cells: Array = (f > above).sum(1, keepdims=True)
    return cells


class _Features:
    """Counts are added to those of an earlier call of the same shape."""

    def __init__(self) -> None:
        self.before: dict[tuple[int, ...], Given] = {}

    def __call__(self, given: Given) -> Answer:
        answer = right("explicit_solution", given)
        shape = answer["weights"].shape
        old = self.before.get(shape)
        both: dict[str, Any] = dict(given)
        if old is not None:
            for name in ("features", "targets"):
                both[name] = np.concatenate([old[name], given[name]])
        self.before[shape] = both
        return {"weights": right("explicit_solution", both)["weights"]}


_ONE_HOT: Final = {
    "features": hot([0, 0, 0, 1, 1, 2, 2, 2, 2], 3),
    "targets": hot([0, 0, 1, 1, 2, 0, 1, 2, 2], 3),
}
_DISCOUNT: Final = {**_ONE_HOT, "smoothing": {"kind": "discount", "strength": 0.6}}


def _bad_strength(value: Callable[[float], bool]) -> Callable[[Given], bool]:
    return lambda g: value(g["smoothing"]["strength"])


def _smoothed(kind: str, strength: float) -> dict[str, Any]:
    return {**_ONE_HOT, "smoothing": {"kind": kind, "strength": strength}}


def _solutions() -> tuple[FreshMistake, ...]:
    op, usual = "explicit_solution", example("explicit_solution")
    given_k = {**usual, "priming": 2.3}
    faint = {**usual, "features": 0.1 * usual["features"]}
    return (
        fresh(op, NUMERICAL, COMMON, "solution-rows", "log of row sums instead of column sums",
              _solution(weights=lambda f, k: np.log(f) - (k - 1) / k * np.log(
                  f.sum(1, keepdims=True))), usual),
        fresh(op, NUMERICAL, COMMON, "solution-without-prior", "log(F / n) alone",
              _solution(weights=lambda f, k: np.log(f) - np.log(_totals(f))), usual),
        fresh(op, NUMERICAL, COMMON, "solution-inverse-factor", "K/(K-1) for (K-1)/K",
              _solution(weights=lambda f, k: np.log(f) - k / (k - 1) * np.log(_totals(f))), usual),
        fresh(op, NUMERICAL, RARE, "solution-plus", "the second term is added",
              _solution(weights=lambda f, k: np.log(f) + (k - 1) / k * np.log(_totals(f))), usual),
        fresh(op, NUMERICAL, RARE, "solution-base-two", "logarithms of base 2",
              _solution(weights=lambda f, k: (np.log(f) - (k - 1) / k * np.log(_totals(f)))
                        / np.log(2)), usual),
        fresh(op, NUMERICAL, RARE, "solution-of-normalised-counts", "F is divided by its sum",
              _solution(weights=lambda f, k: np.log(f / f.sum()) - (k - 1) / k * np.log(
                  _totals(f / f.sum()))), usual),
        fresh(op, NUMERICAL, COMMON, "solution-epsilon", "log(F + 1e-10)",
              _solution(weights=lambda f, k: np.log(f + 1e-10) - (k - 1) / k * np.log(_totals(f))),
              {**faint, "smoothing": {"kind": "additive", "strength": 1e-3}}),
        fresh(op, NUMERICAL, COMMON, "solution-totals-before-smoothing", "n from F unsmoothed",
              lambda g: {"weights": np.log(right(op, g)["smoothed_counts"])
                         - (right(op, g)["priming"] - 1) / right(op, g)["priming"]
                         * np.log(_totals(right(op, g)["counts"]))}, usual),
        fresh(op, VALUE, COMMON, "solution-priming-at-least-one", "K below 1 is put to 1",
              _solution(priming=lambda k: max(k, 1.0)), faint),
        fresh(op, VALUE, COMMON, "solution-given-priming-ignored", "K of the data is used always",
              lambda g: right(op, g) and right(op, {n: x for n, x in g.items() if n != "priming"}),
              given_k),
        fresh(op, VALUE, RARE, "solution-priming-rounded", "K is rounded to a whole number",
              _solution(priming=lambda k: max(round(k), 1)), usual),
        fresh(op, NUMERICAL, COMMON, "backoff-without-one", "q = n / sum n",
              _backoff(lambda f: _share(_totals(f), 0.0)), usual),
        fresh(op, NUMERICAL, COMMON, "backoff-uniform", "q = 1 / N",
              _backoff(lambda f: np.full(f.shape[1], 1 / f.shape[1])), usual),
        fresh(op, NUMERICAL, RARE, "backoff-denominator-of-features", "q divides by sum n + D",
              _backoff(lambda f: _share(_totals(f), 1.0, f.shape[0])), usual),
        fresh(op, NUMERICAL, RARE, "backoff-denominator-one", "q divides by sum n + 1",
              _backoff(lambda f: _share(_totals(f), 1.0, 1)), usual),
        fresh(op, NUMERICAL, RARE, "additive-over-targets", "alpha / N is added",
              _solution(lambda f, kind, a: f + a / f.shape[1] if kind == "additive" else None),
              _smoothed("additive", 0.4)),
        fresh(op, NUMERICAL, RARE, "additive-where-zero", "alpha is added to zeros only",
              _solution(lambda f, kind, a: np.where(f > 0, f, a) if kind == "additive" else None),
              _smoothed("additive", 0.4)),
        fresh(op, NUMERICAL, COMMON, "discount-of-all-cells", "r+ counts all N cells",
              _discount(lambda f, d: np.maximum(f - d, 0) + d * f.shape[1] * _share(_totals(f))),
              _DISCOUNT),
        fresh(op, NUMERICAL, COMMON, "discount-uniform", "the discount is spread evenly",
              _discount(lambda f, d: np.maximum(f - d, 0) + d * _cells(f) / f.shape[1]),
              {"features": hot([0, 0, 0, 1, 1], 2), "targets": hot([0, 0, 1, 1, 2], 3),
               "smoothing": {"kind": "discount", "strength": 0.6}}),
        fresh(op, NUMERICAL, COMMON, "discount-to-unseen", "only unseen cells get a share",
              _discount(lambda f, d: np.where(f > 0, f - d, d * _cells(f) * _share(_totals(f)))),
              _DISCOUNT),
        fresh(op, NUMERICAL, RARE, "discount-below-zero", "zeros are discounted too",
              _discount(lambda f, d: np.abs(f - d) + d * _cells(f) * _share(_totals(f))),
              _DISCOUNT),
        fresh(op, NUMERICAL, RARE, "discount-repeated-cells", "r+ counts cells above one",
              _discount(lambda f, d: np.maximum(f - d, 0) + d * np.maximum(_cells(f, 1.0), 1)
                        * _share(_totals(f))), _DISCOUNT),
        fresh(op, NUMERICAL, RARE, "discount-cells-of-column", "r+ is that of the column",
              _discount(lambda f, d: np.maximum(f - d, 0) + d * (f > 0).sum(0)
                        * _share(_totals(f))),
              {"features": hot([0, 0, 0, 1, 1], 2), "targets": hot([0, 0, 1, 1, 2], 3),
               "smoothing": {"kind": "discount", "strength": 0.6}}),
        fresh(op, REFUSAL, COMMON, "discount-of-fractions", "counts that are not whole pass",
              unchecked(op, lambda g: g["smoothing"]["kind"] == "discount" and some(
                  (g["features"].T @ g["targets"]) % 1 != 0)),
              {**usual, "smoothing": {"kind": "discount", "strength": 0.6}}),
        fresh(op, REFUSAL, COMMON, "discount-of-empty-row", "a feature without counts passes",
              unchecked(op, lambda g: g["smoothing"]["kind"] == "discount" and some(
                  (g["features"] == 0).all(0))),
              {**_DISCOUNT, "features": hot([0, 0, 0, 1, 1, 2, 2, 2, 2], 4)}),
        fresh(op, REFUSAL, COMMON, "zero-count-by-epsilon", "alpha = 0 takes log(F + 1e-300)",
              unchecked(op, lambda g: g["smoothing"]["strength"] == 0 and some(
                  g["features"].T @ g["targets"] == 0)), _smoothed("backoff", 0.0)),
        fresh(op, REFUSAL, COMMON, "zero-count-of-additive-only",
              "Backoff(0) with a zero is accepted", unchecked(
                  op, lambda g: g["smoothing"] == {"kind": "backoff", "strength": 0} and some(
                      g["features"].T @ g["targets"] == 0)), _smoothed("backoff", 0.0)),
        fresh(op, REFUSAL, COMMON, "discount-of-one", "delta = 1 is accepted",
              unchecked(op, lambda g: g["smoothing"] == {"kind": "discount", "strength": 1}),
              _smoothed("discount", 1.0)),
        fresh(op, REFUSAL, COMMON, "discount-of-zero", "delta = 0 is accepted",
              unchecked(op, lambda g: g["smoothing"] == {"kind": "discount", "strength": 0}),
              _smoothed("discount", 0.0)),
        fresh(op, REFUSAL, COMMON, "strength-negative", "a negative strength is accepted",
              unchecked(op, _bad_strength(lambda a: a < 0)), _smoothed("additive", -0.1)),
        fresh(op, REFUSAL, COMMON, "strength-nan", "a strength of NaN is accepted",
              unchecked(op, _bad_strength(lambda a: a != a)), _smoothed("backoff", np.nan)),
        fresh(op, REFUSAL, COMMON, "strength-infinite", "an infinite strength is accepted",
              unchecked(op, _bad_strength(lambda a: a == np.inf)), _smoothed("backoff", np.inf)),
        fresh(op, REFUSAL, COMMON, "smoothing-unknown", "an unknown smoothing is additive",
              unchecked(op, lambda g: g["smoothing"]["kind"] not in (
                  "additive", "backoff", "discount")), _smoothed("laplace", 1.0)),
        fresh(op, REFUSAL, COMMON, "priming-given-zero", "K = 0 is accepted",
              unchecked(op, lambda g: g.get("priming") == 0), {**usual, "priming": 0.0}),
        fresh(op, REFUSAL, COMMON, "priming-given-negative", "a negative K is accepted",
              unchecked(op, lambda g: g.get("priming") is not None and g["priming"] < 0),
              {**usual, "priming": -1.0}),
        fresh(op, REFUSAL, COMMON, "priming-given-infinite", "an infinite K is accepted",
              unchecked(op, lambda g: g.get("priming") == np.inf), {**usual, "priming": np.inf}),
        fresh(op, REFUSAL, COMMON, "priming-given-nan", "K of NaN is accepted",
              unchecked(op, lambda g: g.get("priming") is not None
                        and g["priming"] != g["priming"]), {**usual, "priming": np.nan}),
        fresh(op, LEGAL, COMMON, "refuses-strength-zero", "a strength of 0 is refused always",
              refusing(op, lambda g: g["smoothing"]["strength"] == 0, "option"),
              {**usual, "smoothing": {"kind": "additive", "strength": 0.0}}),
        fresh(op, LEGAL, RARE, "refuses-zero-features-with-priming",
              "all-zero features are refused though K is given",
              refusing(op, lambda g: "priming" in g and not g["features"].any(), "zero-norm"),
              {**usual, "features": 0 * usual["features"], "priming": 2.0}),
        fresh(op, LEGAL, COMMON, "refuses-fractions", "fractions are refused by any smoothing",
              refusing(op, lambda g: some((g["features"].T @ g["targets"]) % 1 != 0), "fraction"),
              usual),
        fresh(op, VALUE, COMMON, "solution-counts-in-int32", "F is added up in int32",
              _solution(lambda f, kind, a: None if f.max() < 2**31 else (
                  np.maximum((f + 2.0**31) % 2.0**32 - 2.0**31, 0) + a)),
              {**_BIG, "smoothing": BACKOFF}),
        FreshMistake("fresh-solution-accumulates", "F is added to that of an earlier call", op,
                     STATE, COMMON, _Features, (usual, usual)),
    )  # fmt: skip


MISTAKES: Final = (*_cooccurrences(), *_primings(), *_solutions())

CONTROLS: Final = (("explicit_solution", _solution()),)
"""the plain version that mistakes are made in, without a mistake"""
