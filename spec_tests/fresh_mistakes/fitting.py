"""Mistakes in tempered_logits, fit_temper, choose_smoothing and refine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from saffu.types import Array
from spec_tests.fresh_mistakes.examples import BACKOFF, draw, example, hot, put, signed
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
    changed,
    fresh,
    inside,
    misnamed,
    refusing,
    right,
    some,
    spoiled,
    unchecked,
)


def _logits(
    scores: Callable[[Array, Array, Array], Array], prior: Callable[[Array], Array] = np.log
) -> Wrong:
    """Another evidence of features [M, D], counts and λ per feature [D], or another prior."""

    def wrong(given: Given) -> Answer:
        right("tempered_logits", given)
        h, f, lam = given["features"], given["counts"], given["temper"]
        each = np.repeat(lam, f.shape[0] // len(lam))
        return {"logits": prior(f.sum(0)) + scores(h, f, each)}

    return wrong


def _tempers(per_feature: Callable[[Array, int], Array]) -> Wrong:
    def wrong(given: Given) -> Answer:
        right("tempered_logits", given)
        h, f = given["features"], given["counts"]
        each = per_feature(given["temper"], f.shape[0])
        return {"logits": np.log(f.sum(0)) + (h * each) @ np.log(f / f.sum(0))}

    return wrong


def _uneven(given: Given) -> bool:
    slots = given["temper"].shape
    return bool(len(slots) == 1 and slots[0] and given["counts"].shape[0] % slots[0])


def _tempered() -> tuple[FreshMistake, ...]:
    op, usual = "tempered_logits", example("tempered_logits")
    three = {**usual, "temper": np.array([0.7, 1.3, 0.2])}
    many = {"features": draw(4, 18), "counts": draw(18, 3, seed=1, low=1, high=5),
            "temper": draw(9, seed=2)}  # fmt: skip
    negative = {**usual, "temper": np.array([-0.7, 1.3])}
    return (
        fresh(op, NUMERICAL, COMMON, "tempers-interleaved", "lambda k is that of features k mod S",
              _tempers(lambda lam, d: np.tile(lam, d // len(lam))), usual),
        fresh(op, NUMERICAL, COMMON, "tempers-on-prior", "lambda multiplies log n too",
              lambda g: {"logits": right(op, g)["logits"]
                         + (g["temper"][0] - 1) * np.log(g["counts"].sum(0))}, usual),
        fresh(op, NUMERICAL, COMMON, "tempers-without-prior", "log n is missing",
              _logits(lambda h, f, lam: (h * lam) @ np.log(f / f.sum(0)), np.zeros_like), usual),
        fresh(op, NUMERICAL, COMMON, "tempers-normalised-prior", "the prior is log(n / sum n)",
              _logits(lambda h, f, lam: (h * lam) @ np.log(f / f.sum(0)),
                      lambda n: np.log(n / n.sum())), usual),
        fresh(op, NUMERICAL, COMMON, "tempers-rows", "F is divided by its row sums",
              _logits(lambda h, f, lam: (h * lam) @ np.log(f / f.sum(1, keepdims=True))), usual),
        fresh(op, NUMERICAL, RARE, "tempers-log-counts", "log F for log(F / n)",
              _logits(lambda h, f, lam: (h * lam) @ np.log(f)), usual),
        fresh(op, NUMERICAL, RARE, "tempers-epsilon", "log(F / n + 1e-9)",
              _logits(lambda h, f, lam: (h * lam) @ np.log(f / f.sum(0) + 1e-9)), usual),
        fresh(op, SIZE, RARE, "tempers-two-slots", "the third temper is the first again",
              _tempers(lambda lam, d: np.repeat(lam[np.arange(len(lam)) % 2 * (len(lam) > 1)],
                                                d // len(lam))), three),
        fresh(op, SIZE, RARE, "tempers-eight-slots", "tempers after the eighth are the eighth",
              _tempers(lambda lam, d: np.repeat(lam[np.minimum(np.arange(len(lam)), 7)],
                                                d // len(lam))), many),
        fresh(op, VALUE, COMMON, "tempers-at-least-zero", "negative tempers are put to zero",
              changed(op, temper=lambda lam: np.where(lam < 0, 0.0, lam)), negative),
        fresh(op, VALUE, RARE, "tempers-absolute", "tempers lose their sign",
              changed(op, temper=lambda lam: np.where(lam < 0, -lam, lam)), negative),
        fresh(op, VALUE, RARE, "tempers-at-most-one", "tempers are at most 1",
              changed(op, temper=lambda lam: np.where(lam > 1, np.where(
                  np.isfinite(lam), 1.0, lam), lam)), usual),
        fresh(op, LEGAL, COMMON, "tempers-refuses-negative", "negative tempers are refused",
              refusing(op, lambda g: some(g["temper"] < 0), "negative"), negative),
        fresh(op, LEGAL, COMMON, "tempers-refuses-zero", "a temper of zero is refused",
              refusing(op, lambda g: some(g["temper"] == 0), "option"),
              {**usual, "temper": np.array([0.0, 1.0])}),
        fresh(op, LEGAL, COMMON, "tempers-refuses-zero-row", "a sample without features is refused",
              refusing(op, lambda g: some((g["features"] == 0).all(-1)), "zero-norm"),
              {**usual, "features": put(usual["features"], 0, 0.0)}),
        fresh(op, LEGAL, RARE, "tempers-refuses-fractions", "counts below one are refused",
              refusing(op, lambda g: some((g["counts"] > 0) & (g["counts"] < 1)), "fraction"),
              {**usual, "counts": 0.1 * usual["counts"]}),
        fresh(op, REFUSAL, COMMON, "tempers-uneven", "D not divisible by S is accepted",
              unchecked(op, _uneven), {**usual, "temper": draw(4)}),
        fresh(op, REFUSAL, COMMON, "tempers-uneven-shape", "an uneven D is reported as a shape",
              misnamed(op, _uneven, "shape"), {**usual, "temper": draw(4)}),
        fresh(op, REFUSAL, COMMON, "tempers-no-samples", "no samples are no logits",
              unchecked(op, lambda g: g["features"].shape[0] == 0),
              {**usual, "features": usual["features"][:0]}),
        fresh(op, REFUSAL, COMMON, "tempers-zero-count", "a zero count is given log 1e-300",
              unchecked(op, lambda g: some(g["counts"] == 0)),
              {**usual, "counts": put(usual["counts"], (0, 0), 0.0)}),
        fresh(op, REFUSAL, COMMON, "tempers-counts-of-one-row", "counts of one row are broadcast",
              unchecked(op, lambda g: g["counts"].shape[0] == 1 != g["features"].shape[1]),
              {**usual, "counts": usual["counts"][:1], "temper": np.ones(1)}),
    )  # fmt: skip


def _scores(given: Given) -> tuple[Array, Array, Array]:
    """log n [N], the scores of slots [M, S, N], and the targets."""
    h, f, slots = given["features"], given["counts"], given["slots"]
    table = np.log(f / f.sum(0)).reshape(slots, -1, f.shape[1])
    return np.log(f.sum(0)), np.einsum(
        "msd,sdn->msn", h.reshape(len(h), slots, -1), table), given["targets"]  # fmt: skip


def _curve(lam: Array, given: Given) -> tuple[float, Array, Array]:
    """Loss, gradient and Hessian."""
    prior, scores, y = _scores(given)
    z = prior + np.einsum("s,msn->mn", lam, scores)
    z = z - z.max(1, keepdims=True)
    logs = z - np.log(np.exp(z).sum(1, keepdims=True))
    p, mass, m = np.exp(logs), y.sum(1, keepdims=True), len(y)
    slope = np.einsum("msn,mn->s", scores, mass * p - y) / m
    mean = np.einsum("msn,mn->ms", scores, p)
    away = scores - mean[..., None]
    bend = np.einsum("msn,mtn,mn->st", away, away, mass * p) / m
    return float(-(y * logs).sum() / m), slope, bend


def _start(given: Given) -> Array:
    return np.broadcast_to(np.asarray(given["start"], float), (given["slots"],)).copy()


def _fit(better: Callable[[Array, Given], Array]) -> Wrong:
    """λ by another way, from the right λ; the loss is that of the returned λ."""

    def wrong(given: Given) -> Answer:
        answer = right("fit_temper", given)
        lam = better(answer["temper"], given)
        return {"temper": lam, "loss": np.asarray(_curve(lam, given)[0])}

    return wrong


def _newton(steps: int, *, at_start: bool, damp: float = 0.0, diagonal: bool = False) -> Wrong:
    """Plain Newton steps, without a look at the loss."""

    def way(_: Array, given: Given) -> Array:
        lam = _start(given) if at_start else np.zeros(given["slots"])
        for _step in range(steps):
            _loss, slope, bend = _curve(lam, given)
            bend = np.diag(np.diag(bend)) if diagonal else bend
            step = np.linalg.pinv(bend + damp * np.eye(len(lam))) @ slope
            if not np.isfinite(step).all():
                break
            lam = lam - step
        return lam

    return _fit(way)


class _Warm:
    """The search begins at λ of an earlier call, and makes three steps."""

    def __init__(self) -> None:
        self.before: dict[int, Array] = {}

    def __call__(self, given: Given) -> Answer:
        right("fit_temper", given)
        start = self.before.get(given["slots"], np.zeros(given["slots"]))
        answer = _newton(3, at_start=True)({**given, "start": start})
        self.before[given["slots"]] = answer["temper"]
        return answer


def _slots_at_most(most: int) -> Wrong:
    return _fit(lambda lam, g: np.where(np.arange(len(lam)) < most, lam, _start(g)))


def _quiet(given: Given) -> Array:
    """Slots whose scores are all equal."""
    scores = _scores(given)[1]
    flat: Array = np.ptp(scores, axis=2).max(0) < 1e-12
    return flat


def _one_temper(given: Given) -> Answer:
    answer = right("fit_temper", given)
    one = right("fit_temper", {**given, "slots": 1, "start": 1.0})
    return {**answer, "temper": np.repeat(one["temper"], given["slots"]), "loss": one["loss"]}


def _start_length(given: Given) -> int:
    return len(given["start"]) if isinstance(given["start"], list) else given["slots"]


_NEGATIVE: Final[dict[str, Any]] = {
    "features": hot([0] * 10 + [1] * 10, 2), "targets": hot([1] + [0] * 9 + [0] + [1] * 9, 2),
    "counts": np.array([[1.0, 3.0], [3.0, 1.0]]), "slots": 1, "start": 1.0,
}  # fmt: skip
_QUIET: Final[dict[str, Any]] = {
    "features": np.hstack([draw(7, 2, seed=1), draw(7, 2, seed=2)]),
    "targets": draw(7, 3, seed=3), "slots": 2, "start": [0.4, 7.0],
    "counts": np.vstack([draw(2, 3, seed=4, low=1, high=9), np.full((2, 3), 2.0)]),
}  # fmt: skip


def _quiet_now() -> dict[str, Any]:
    """The second slot's rows are in proportion to n, so that its scores are all equal."""
    first = np.array([[1.0, 4.0, 2.0], [3.0, 4.0, 6.0]])
    return {**_QUIET, "counts": np.vstack([first, np.full((2, 1), 0.5) * first.sum(0)])}


def _fits() -> tuple[FreshMistake, ...]:
    op, usual = "fit_temper", example("fit_temper")
    quiet = _quiet_now()
    nine: dict[str, Any] = {
        "features": draw(40, 9), "targets": draw(40, 3, seed=1), "slots": 9, "start": 1.0,
        "counts": draw(9, 3, seed=2, low=1, high=5),
    }  # fmt: skip
    alone = {**usual, "slots": 1, "start": 1.0, "counts": usual["counts"]}
    return (
        fresh(op, VALUE, COMMON, "temper-undamped", "Newton steps of full length from start",
              _newton(30, at_start=True),
              {**usual, "features": 12 * usual["features"], "slots": 1, "start": 30.0}),
        fresh(op, VALUE, COMMON, "temper-undamped-from-one", "Newton steps of full length from 1",
              lambda g: _newton(30, at_start=True)({**g, "start": 1.0}),
              {**usual, "features": 60 * usual["features"], "slots": 1, "start": 1.0}),
        fresh(op, VALUE, COMMON, "temper-five-steps", "five Newton steps from zero",
              _newton(5, at_start=False), {**_NEGATIVE, "targets": np.where(
                  _NEGATIVE["features"] > 0, 1e-6, 1.0)}),
        fresh(op, VALUE, COMMON, "temper-three-steps", "three Newton steps from zero",
              _newton(3, at_start=False), {**usual, "features": 12 * usual["features"]}),
        fresh(op, VALUE, COMMON, "temper-near", "the search stops within 1e-4 of the optimum",
              _fit(lambda lam, g: lam + np.where(_quiet(g), 0, 1e-4)), usual),
        fresh(op, VALUE, COMMON, "temper-nearer", "the search stops within 1e-7 of the optimum",
              _fit(lambda lam, g: lam + np.where(_quiet(g), 0, 1e-7)), usual),
        fresh(op, VALUE, RARE, "temper-damped-always", "1e-6 is added to the Hessian, 8 steps",
              _newton(8, at_start=False, damp=1e-6),
              {**usual, "features": 1e-3 * usual["features"]}),
        fresh(op, NUMERICAL, RARE, "temper-diagonal", "20 steps with the Hessian's diagonal alone",
              _newton(20, at_start=False, diagonal=True), usual),
        fresh(op, NUMERICAL, COMMON, "temper-one-for-all", "one lambda for all slots",
              _one_temper, usual),
        fresh(op, VALUE, COMMON, "temper-at-least-zero", "negative optima are put to zero",
              _fit(lambda lam, g: np.where(_quiet(g), lam, np.maximum(lam, 0.0))), _NEGATIVE),
        fresh(op, VALUE, COMMON, "temper-at-most-ten", "optima above 10 are put to 10",
              _fit(lambda lam, g: np.where(_quiet(g), lam, np.minimum(lam, 10.0))),
              {**_NEGATIVE, "features": -0.0 + 0.05 * _NEGATIVE["features"],
               "targets": 1 - _NEGATIVE["targets"]}),
        fresh(op, VALUE, COMMON, "temper-of-normalised-targets", "targets are normalised first",
              lambda g: right(op, g) and changed(
                  op, targets=lambda y: y / y.sum(1, keepdims=True))(g), usual),
        fresh(op, VALUE, COMMON, "temper-quiet-one", "lambda of an uninformative slot is 1",
              _fit(lambda lam, g: np.where(_quiet(g), 1.0, lam)), quiet),
        fresh(op, VALUE, COMMON, "temper-quiet-zero", "lambda of an uninformative slot is 0",
              _fit(lambda lam, g: np.where(_quiet(g), 0.0, lam)), quiet),
        fresh(op, VALUE, COMMON, "temper-quiet-first-start", "every slot starts at the first start",
              _fit(lambda lam, g: np.where(_quiet(g), _start(g)[0], lam)), quiet),
        fresh(op, VALUE, RARE, "temper-quiet-refused", "an uninformative slot does not converge",
              refusing(op, lambda g: right(op, g) and some(_quiet(g)), "not-converged"), quiet),
        fresh(op, NUMERICAL, COMMON, "temper-loss-sum", "the loss is summed",
              lambda g: {**right(op, g), "loss": right(op, g)["loss"] * len(g["features"])},
              usual),
        fresh(op, NUMERICAL, COMMON, "temper-loss-at-one", "the loss is that of lambda = 1",
              lambda g: {**right(op, g), "loss": np.asarray(_curve(np.ones(g["slots"]), g)[0])},
              usual),
        fresh(op, NUMERICAL, RARE, "temper-loss-by-mass", "the loss is divided by all targets",
              lambda g: {**right(op, g), "loss": right(op, g)["loss"] * len(g["features"])
                         / g["targets"].sum()}, usual),
        fresh(op, SIZE, RARE, "temper-eight-slots", "slots after the eighth are not fitted",
              _slots_at_most(8), nine),
        fresh(op, SIZE, RARE, "temper-two-slots", "slots after the second are not fitted",
              _slots_at_most(2), {**usual, "slots": 3, "start": 1.0}),
        fresh(op, VALUE, COMMON, "temper-faint-refused", "optima above 1e4 count as infinite",
              refusing(op, lambda g: some(abs(right(op, g)["temper"]) > 1e4), "not-converged"),
              {**usual, "features": 1e-6 * usual["features"]}),
        fresh(op, VALUE, RARE, "temper-faint-uninformative", "scores below 1e-6 are uninformative",
              _fit(lambda lam, g: np.where(np.ptp(_scores(g)[1], axis=2).max(0) < 1e-6,
                                           _start(g), lam)),
              {**usual, "features": 1e-8 * usual["features"]}),
        fresh(op, REFUSAL, COMMON, "temper-infinite-optimum", "an optimum at infinity is cut",
              unchecked(op, lambda g: _reason(op, g) == "not-converged"),
              {**usual, "features": hot([0, 1], 6), "targets": hot([0, 1], 3), "slots": 1,
               "counts": np.ones((6, 3)) + np.eye(6, 3), "start": 1.0}),
        fresh(op, REFUSAL, COMMON, "temper-start-broadcast", "a list of one start is for all slots",
              unchecked(op, lambda g: _start_length(g) == 1 != g["slots"]),
              {**usual, "start": [1.0]}),
        fresh(op, REFUSAL, COMMON, "temper-start-too-long", "starts beyond the slots are ignored",
              unchecked(op, lambda g: _start_length(g) > g["slots"]),
              {**usual, "start": [1.0, 2.0, 3.0]}),
        fresh(op, REFUSAL, COMMON, "temper-start-option", "a list of the wrong length is an option",
              misnamed(op, lambda g: _start_length(g) != g["slots"], "option"),
              {**usual, "start": [1.0]}),
        fresh(op, REFUSAL, COMMON, "temper-start-nan", "a start of NaN that nothing reads passes",
              unchecked(op, lambda g: some(np.isnan(np.asarray(g["start"], float)))),
              {**usual, "start": np.nan}),
        fresh(op, REFUSAL, COMMON, "temper-start-infinite", "an infinite start passes",
              unchecked(op, lambda g: some(np.isinf(np.asarray(g["start"], float)))),
              {**usual, "start": [np.inf, 1.0]}),
        fresh(op, REFUSAL, COMMON, "temper-no-slots", "slots = 0 are one slot",
              unchecked(op, lambda g: g["slots"] == 0), {**usual, "slots": 0, "start": 1.0}),
        fresh(op, REFUSAL, COMMON, "temper-uneven-slots", "D not divisible by S is accepted",
              unchecked(op, lambda g: g["slots"] > 0 and g["counts"].shape[0] % g["slots"]),
              {**usual, "slots": 4, "start": 1.0}),
        fresh(op, REFUSAL, COMMON, "temper-zero-count", "a zero count is given log 1e-300",
              unchecked(op, lambda g: some(g["counts"] == 0)),
              {**usual, "counts": put(usual["counts"], (0, 0), 0.0)}),
        fresh(op, LEGAL, COMMON, "temper-refuses-negative-start", "a negative start is refused",
              refusing(op, lambda g: some(np.asarray(g["start"], float) < 0), "option"),
              {**usual, "start": -1.0}),
        fresh(op, LEGAL, RARE, "temper-refuses-far-start", "a start beyond 100 is refused",
              refusing(op, lambda g: some(np.asarray(g["start"], float) > 100), "option"),
              {**usual, "start": 1e3}),
        fresh(op, LEGAL, COMMON, "temper-refuses-zero-row", "a sample without features is refused",
              refusing(op, lambda g: some((g["features"] == 0).all(-1)), "zero-norm"),
              {**usual, "features": put(usual["features"], 0, 0.0)}),
        fresh(op, LEGAL, RARE, "temper-refuses-list-for-one", "a list of one start is refused",
              refusing(op, lambda g: g["slots"] == 1 and isinstance(g["start"], list), "shape"),
              {**alone, "start": [1.0]}),
        FreshMistake("fresh-temper-starts-at-last", "three steps from lambda of an earlier call",
                     op, STATE, RARE, _Warm, (usual, {**usual, "features": 12 * draw(7, 6)})),
    )  # fmt: skip


def _reason(op: str, given: Given) -> str:
    try:
        right(op, given)
    except ValueError as refusal:
        return str(getattr(refusal, "reason", ""))
    return ""


_LEFT: Final[dict[str, Any]] = {
    "features": hot([0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 3], 4),
    "targets": hot([0, 0, 0, 1, 1, 1, 2, 0, 2, 2, 1], 3),
    "temper": False,
    "candidates": [BACKOFF, {"kind": "additive", "strength": 0.2},
                   {"kind": "discount", "strength": 0.6}],
}  # fmt: skip


def _leaves_one_out(given: Given) -> bool:
    return given.get("held_features") is None


def _left_out(
    probability: Callable[[Array, Array, Array, Array, float, int], Mapping[str, Any]],
    mean: Callable[[Array, Array], Any] = lambda f, nats: (f * nats).sum() / f.sum(),
) -> Wrong:
    """Leave-one-out by another probability: of cell counts, row sums, cells, n_i, Σn and N."""

    def wrong(given: Given) -> Answer:
        answer = right("choose_smoothing", given)
        if not _leaves_one_out(given):
            return answer
        counts = given["features"].T @ given["targets"]
        d, i = np.nonzero(counts)
        f, row, n = counts[d, i], counts.sum(1)[d], counts.sum(0)[i]
        cells = (counts > 0).sum(1)[d].astype(float)
        losses = []
        for number, one in enumerate(given["candidates"]):
            p = probability(f, row, cells, n, counts.sum(), counts.shape[1])
            full = p[one["kind"]](one["strength"]) if one["kind"] in p else None
            losses.append(answer["losses"][number] if full is None else mean(f, -np.log(full)))
        return {"losses": np.array(losses), "choice": np.asarray(np.argmin(losses))}

    return wrong


def _kinds(f: Array, row: Array, cells: Array, q: Any, n: Any, less: float = 1.0) -> dict[str, Any]:
    """The probabilities of the three smoothings, of counts that are already less."""
    return {
        "additive": lambda a: (f + a) / (row + a * n),
        "backoff": lambda a: (f + a * q) / (row + a),
        "discount": lambda d: np.where(
            row > 0,
            (np.maximum(f - d, 0) + d * (cells - less * (f == 0)) * q) / np.maximum(row, 1),
            q,
        ),
    }


def _choices() -> tuple[FreshMistake, ...]:
    op, held = "choose_smoothing", example("choose_smoothing")
    names = ("features", "targets")
    doubled = {**_LEFT, **{n: np.concatenate([_LEFT[n]] * 2) for n in names}}
    tied = {**held, "candidates": [BACKOFF, BACKOFF]}
    dense = {**_LEFT, **{n: np.repeat(x, 2, axis=0) for n, x in (
        ("features", hot([0, 0, 1, 1], 2)), ("targets", hot([0, 1, 0, 1], 2)))},
        "candidates": [{"kind": "additive", "strength": 0.0}]}  # fmt: skip
    tempered = {**held, "temper": True}
    twelve = {**held, "candidates": [{"kind": "backoff", "strength": 0.1 * (k + 1)}
                                     for k in range(12)]}  # fmt: skip

    third = [{"kind": "backoff", "strength": s} for s in (1e-3, 1e-2, 1e3)]

    def left(**other: Any) -> Wrong:
        def p(f: Array, row: Array, cells: Array, n: Array, all_: Any, width: int) -> Any:
            given: dict[str, Any] = {
                "f": f - 1, "row": row - 1, "cells": cells, "n": width,
                "q": n / (all_ - 1 + width), "less": 1.0,
            }  # fmt: skip
            for name, change in other.items():
                given[name] = change(f, row, cells, n, all_, width)
            return _kinds(**given)

        return _left_out(p)

    def less(f: Array, row: Array, cells: Array, n: Array, all_: Any, width: int) -> float:
        return 0.0

    return (
        fresh(op, NUMERICAL, COMMON, "choice-share-of-all", "q is that of all samples",
              left(q=lambda f, row, c, n, all_, w: (n + 1) / (all_ + w)), _LEFT),
        fresh(op, NUMERICAL, COMMON, "choice-total-of-all", "only n is less one, not its sum",
              left(q=lambda f, row, c, n, all_, w: n / (all_ + w)), _LEFT),
        fresh(op, NUMERICAL, COMMON, "choice-row-of-all", "the row sum keeps the sample",
              left(row=lambda f, row, c, n, all_, w: row), _LEFT),
        fresh(op, NUMERICAL, COMMON, "choice-nothing-left-out", "the training loss",
              left(f=lambda f, row, c, n, all_, w: f, row=lambda f, row, c, n, all_, w: row),
              _LEFT),
        fresh(op, NUMERICAL, COMMON, "choice-cells-of-all", "r+ still counts the emptied cell",
              left(less=less), _LEFT),
        fresh(op, VALUE, COMMON, "choice-last-of-row-uniform", "an emptied row is uniform",
              _emptied(lambda n, all_, width: np.full(len(n), 1 / width)), _LEFT),
        fresh(op, NUMERICAL, COMMON, "choice-mean-of-cells", "cells are not weighted by counts",
              _unweighted, _LEFT),
        fresh(op, NUMERICAL, COMMON, "choice-sum", "losses are summed over samples",
              lambda g: {**right(op, g), "losses": right(op, g)["losses"]
                         * len(g.get("held_features", g["features"]))}, held),
        fresh(op, NUMERICAL, RARE, "choice-last-of-ties", "ties go to the last",
              lambda g: {**right(op, g), "choice": np.asarray(
                  len(g["candidates"]) - 1 - int(np.argmin(right(op, g)["losses"][::-1])))}, tied),
        fresh(op, NUMERICAL, COMMON, "choice-from-one", "candidates are counted from one",
              spoiled(op, choice=lambda c: c + 1), held),
        fresh(op, NUMERICAL, RARE, "choice-largest", "the candidate of largest loss",
              lambda g: {**right(op, g), "choice": np.asarray(
                  np.argmax(right(op, g)["losses"]))}, held),
        fresh(op, NUMERICAL, COMMON, "choice-priming-of-held-out", "K of the held-out samples",
              _priming_of_held_out, held),
        fresh(op, NUMERICAL, COMMON, "choice-priming-one", "K = 1 on held-out samples",
              inside(op, {"saffu.explicit.choice.explicit_weights":
                          lambda f, k: np.log(f)}), held),
        fresh(op, NUMERICAL, COMMON, "choice-never-tempered", "temper is not read",
              lambda g: right(op, g) and right(op, {**g, "temper": False}), tempered),
        fresh(op, NUMERICAL, COMMON, "choice-always-tempered", "temper is always fitted",
              lambda g: right(op, g) and (right(op, g) if _leaves_one_out(g) else right(
                  op, {**g, "temper": True})), held),
        fresh(op, NUMERICAL, COMMON, "choice-tempered-on-training",
              "lambda is fitted to the training samples", _tempered_on_training, tempered),
        fresh(op, VALUE, COMMON, "choice-targets-normalised", "held-out targets are normalised",
              lambda g: right(op, g) and changed(
                  op, held_targets=lambda y: y / y.sum(1, keepdims=True))(g), held),
        fresh(op, SIZE, RARE, "choice-eight-candidates", "candidates after the eighth have loss 0",
              spoiled(op, losses=lambda x: np.where(np.arange(len(x)) < 8, x, 0.0)), twelve),
        fresh(op, SIZE, RARE, "choice-two-candidates", "only the first two can be chosen",
              lambda g: {**right(op, g), "choice": np.asarray(
                  np.argmin(right(op, g)["losses"][:2]))},
              {**held, "candidates": third}),
        fresh(op, REFUSAL, COMMON, "choice-one-sample", "leaving out the only sample is accepted",
              unchecked(op, lambda g: _leaves_one_out(g) and len(g["features"]) == 1),
              {**_LEFT, "features": hot([0], 2), "targets": hot([0], 3)}),
        fresh(op, REFUSAL, COMMON, "choice-not-one-hot", "one is left out of any features",
              unchecked(op, lambda g: _leaves_one_out(g) and some(g["features"] % 1 != 0)),
              {"features": held["features"], "targets": held["targets"], "temper": False,
               "candidates": [BACKOFF]}),
        fresh(op, REFUSAL, COMMON, "choice-several-ones", "one is left out of features of several "
              "ones", unchecked(op, lambda g: _leaves_one_out(g) and some(
                  g["features"].sum(1) > 1) and not some(g["features"] % 1)),
              {**_LEFT, "features": np.ones((11, 4))}),
        fresh(op, REFUSAL, COMMON, "choice-targets-not-one-hot", "targets of two ones are accepted",
              unchecked(op, lambda g: _leaves_one_out(g) and some(g["targets"].sum(1) != 1)),
              {**_LEFT, "targets": 2 * _LEFT["targets"]}),
        fresh(op, REFUSAL, COMMON, "choice-tempered-leave-one-out", "temper is ignored there",
              unchecked(op, lambda g: _leaves_one_out(g) and g["temper"]),
              {**_LEFT, "temper": True}),
        fresh(op, REFUSAL, COMMON, "choice-no-candidates", "no candidates have no losses",
              unchecked(op, lambda g: not g["candidates"]), {**held, "candidates": []}),
        fresh(op, REFUSAL, COMMON, "choice-strength-zero-of-ones", "alpha = 0 needs cells above 0",
              unchecked(op, lambda g: _leaves_one_out(g) and any(
                  c["strength"] == 0 for c in g["candidates"]) and some(
                      g["features"].T @ g["targets"] == 1)
                  and not some(g["features"].T @ g["targets"] == 0)),
              {**_LEFT, "features": hot([0, 0, 0, 1, 1, 1], 2),
               "targets": hot([0, 0, 1, 0, 1, 1], 2),
               "candidates": [{"kind": "additive", "strength": 0.0}]}),
        fresh(op, REFUSAL, COMMON, "choice-second-candidate-unchecked",
              "only the first candidate is looked at",
              unchecked(op, lambda g: any(not 0 <= c["strength"] < np.inf
                                          for c in g["candidates"][1:])),
              {**held, "candidates": [BACKOFF, {"kind": "backoff", "strength": -1.0}]}),
        fresh(op, REFUSAL, COMMON, "choice-held-out-of-other-width",
              "held-out features of one column are broadcast",
              unchecked(op, lambda g: not _leaves_one_out(g)
                        and g["held_features"].shape[1] == 1 != g["features"].shape[1]),
              {**held, "held_features": held["held_features"][:, :1]}),
        fresh(op, REFUSAL, COMMON, "choice-held-out-zero-target", "a held-out target of 0 passes",
              unchecked(op, lambda g: not _leaves_one_out(g) and some(
                  (g["held_targets"] == 0).all(-1))),
              {**held, "held_targets": put(held["held_targets"], 0, 0.0)}),
        fresh(op, REFUSAL, COMMON, "choice-no-held-out-samples", "no held-out samples pass",
              unchecked(op, lambda g: not _leaves_one_out(g) and len(g["held_features"]) == 0),
              {**held, "held_features": held["held_features"][:0],
               "held_targets": held["held_targets"][:0]}),
        fresh(op, REFUSAL, COMMON, "choice-discounted-fractions", "fractions are discounted",
              unchecked(op, lambda g: any(c["kind"] == "discount"
                                          for c in g["candidates"]) and some((
                  g["features"].T @ g["targets"]) % 1)),
              {**held, "candidates": [{"kind": "discount", "strength": 0.5}]}),
        fresh(op, LEGAL, COMMON, "choice-refuses-strength-zero", "alpha = 0 is refused always",
              refusing(op, lambda g: any(c["strength"] == 0 for c in g["candidates"]),
                       "option"), dense),
        fresh(op, LEGAL, RARE, "choice-refuses-held-out-zero-row",
              "a held-out sample without features is refused",
              refusing(op, lambda g: not _leaves_one_out(g) and some(
                  (g["held_features"] == 0).all(-1)), "zero-norm"),
              {**held, "held_features": put(held["held_features"], 0, 0.0)}),
        fresh(op, LEGAL, RARE, "choice-refuses-twins", "a candidate twice is refused",
              refusing(op, lambda g: any(a == b for k, a in enumerate(g["candidates"])
                                          for b in g["candidates"][:k]), "option"), tied),
        FreshMistake("fresh-choice-best-so-far", "the best loss of earlier calls is kept", op,
                     STATE, RARE, _BestSoFar, (
                         {**held, "held_targets": 0.01 * held["held_targets"]},
                         {**held, "candidates": held["candidates"][::-1]},
                         held, {**held, "candidates": held["candidates"][::-1]})),
        fresh(op, NUMERICAL, RARE, "choice-additive-over-features", "alpha is multiplied by D",
              left(n=lambda f, row, c, n, all_, w: w + 1), doubled),
    )  # fmt: skip


class _BestSoFar:
    """The least loss of all calls decides."""

    def __init__(self) -> None:
        self.least, self.choice = np.inf, 0

    def __call__(self, given: Given) -> Answer:
        answer = right("choose_smoothing", given)
        if answer["losses"].min() < self.least:
            self.least, self.choice = answer["losses"].min(), int(answer["choice"])
        return {**answer, "choice": np.asarray(self.choice)}


def _emptied(q: Callable[[Array, float, int], Array]) -> Wrong:
    def p(f: Array, row: Array, cells: Array, n: Array, all_: Any, width: int) -> Any:
        usual = _kinds(f - 1, row - 1, cells, n / (all_ - 1 + width), width)
        alone = q(n, all_, width)
        return {"discount": lambda d: np.where(row > 1, usual["discount"](d), alone)}

    return _left_out(p)


def _unweighted(given: Given) -> Answer:
    def p(f: Array, row: Array, cells: Array, n: Array, all_: Any, width: int) -> Any:
        return _kinds(f - 1, row - 1, cells, n / (all_ - 1 + width), width)

    return _left_out(p, lambda _, nats: nats.mean())(given)


def _priming_of_held_out(given: Given) -> Answer:
    answer = right("choose_smoothing", given)
    if _leaves_one_out(given) or given["temper"]:
        return answer
    h, y = given["held_features"], given["held_targets"]
    losses = []
    for one in given["candidates"]:
        full = {"features": given["features"], "targets": given["targets"], "smoothing": one}
        fit = right("explicit_solution", {**full, "priming": max(h.sum() / len(h), 1e-9)})
        losses.append(right("cross_entropy", {"logits": h @ fit["weights"], "targets": y})["loss"])
    return {"losses": np.array(losses), "choice": np.asarray(np.argmin(losses))}


def _tempered_on_training(given: Given) -> Answer:
    answer = right("choose_smoothing", given)
    if not given["temper"]:
        return answer
    losses = []
    for one in given["candidates"]:
        data = {"features": given["features"], "targets": given["targets"]}
        full = right("explicit_solution", {**data, "smoothing": one})["smoothed_counts"]
        lam = right("fit_temper", {**data, "counts": full, "slots": 1, "start": 1.0})["temper"]
        z = right(
            "tempered_logits", {"features": given["held_features"], "counts": full, "temper": lam}
        )["logits"]
        losses.append(
            right("cross_entropy", {"logits": z, "targets": given["held_targets"]})["loss"]
        )
    return {"losses": np.array(losses), "choice": np.asarray(np.argmin(losses))}


def _refined(
    capacity: Callable[[Array], float] = lambda norm: float(norm.max()),
    slack: Callable[[Array, float], Array] = lambda norm, k: np.where(
        k - norm > 1e-12 * k, k - norm, 0.0
    ),
    mass: bool = True,
    unseen: float = 0.0,
    underflow: float = 0.0,
    steps: Callable[[int], int] = lambda steps: steps,
    move_slack: bool = True,
    at_once: bool = True,
) -> Wrong:
    """Iterative scaling with one thing done otherwise."""

    def wrong(given: Given) -> Answer:
        right("refine", given)
        h, y = given["features"], given["targets"]
        norm = h.sum(1, keepdims=True)
        k = capacity(norm)
        full = np.hstack([h, slack(norm, k)])
        u = np.vstack([given["weights"], np.zeros((1, y.shape[1]))])
        seen, weight = full.T @ y, y.sum(1, keepdims=True) if mass else np.ones((len(y), 1))

        def loss() -> float:
            z = full @ u
            return float(right("cross_entropy", {"logits": z, "targets": y})["loss"])

        def gaps() -> Array:
            p = right("softmax", {"logits": full @ u})["probabilities"]
            expected = full.T @ (weight * p)
            both = (seen > 0) & (expected > 0)
            ratio = np.log(np.where(both, seen, 1.0)) - np.log(np.where(both, expected, 1.0))
            ratio = np.where((seen == 0) & (expected > 0), unseen, ratio)
            return np.where((seen > 0) & (expected == 0), underflow, ratio)

        losses = [loss()]
        for _ in range(steps(given["steps"])):
            if at_once:
                gap = gaps() / k
                gap[-1] = gap[-1] if move_slack else 0.0
                u = u + gap
            else:
                for d in range(len(u)):
                    u[d] = u[d] + gaps()[d] / k
            losses.append(loss())
        answer = {"weights": u[:-1], "slack": u[-1], "capacity": np.asarray(k)}
        return {**answer, "losses": np.array(losses)}

    return wrong


def _stopping(gain: float) -> Wrong:
    """Stops where a step gains no more than this."""

    def wrong(given: Given) -> Answer:
        losses = right("refine", given)["losses"]
        gains = losses[:-1] - losses[1:]
        small = np.flatnonzero(gains <= gain)
        stop = int(small[0]) + 1 if small.size else len(gains)
        return right("refine", {**given, "steps": stop})

    return wrong


class _SlackOfBefore:
    """The slack weights of an earlier call are where the next begins."""

    def __init__(self) -> None:
        self.slack: dict[int, Array] = {}

    def __call__(self, given: Given) -> Answer:
        answer = right("refine", given)
        n = answer["slack"].shape[0]
        self.slack[n] = self.slack.get(n, 0.0) + answer["slack"]
        return {**answer, "slack": self.slack[n].copy()}


def _refinements() -> tuple[FreshMistake, ...]:
    op, usual = "refine", example("refine")
    h, y = usual["features"], usual["targets"]
    even = {**usual, "features": hot([0, 1, 2, 3, 4, 5, 5], 6)}
    gaps = {**usual, "targets": hot([0, 1, 2, 0, 1, 2, 2], 3),
            "features": hot([0, 0, 1, 2, 3, 4, 5], 6)}  # fmt: skip
    under = {**gaps, "weights": put(usual["weights"], (0, 0), -1e3)}
    third = h / h.sum(1, keepdims=True) * 3
    off = third + 0.0
    off[0, 0] += 1e-14
    return (
        fresh(op, NUMERICAL, COMMON, "refine-mean-norm", "K is the mean norm",
              _refined(capacity=lambda norm: float(norm.mean())), usual),
        fresh(op, NUMERICAL, COMMON, "refine-without-slack", "there is no slack feature",
              _refined(slack=lambda norm, k: 0 * norm), usual),
        fresh(op, NUMERICAL, COMMON, "refine-slack-stays", "the slack weights stay zero",
              _refined(move_slack=False), usual),
        fresh(op, NUMERICAL, RARE, "refine-slack-of-one", "the slack is that to norm one",
              _refined(slack=lambda norm, k: np.maximum(1 - norm, 0)), usual),
        fresh(op, NUMERICAL, RARE, "refine-slack-of-zero", "the slack weights are not returned",
              spoiled(op, slack=np.zeros_like), usual),
        fresh(op, VALUE, COMMON, "refine-exact-norms", "norms that differ by rounding get a slack",
              _refined(slack=lambda norm, k: k - norm), {**usual, "features": off}),
        fresh(op, VALUE, RARE, "refine-loose-norms", "norms within 1e-3 count as equal",
              _refined(slack=lambda norm, k: np.where(k - norm > 1e-3 * k, k - norm, 0.0)),
              {**usual, "features": put(third, (0, 0), third[0, 0] + 1e-3)}),
        fresh(op, VALUE, COMMON, "refine-without-mass", "the softmax is not multiplied by sum y",
              _refined(mass=False), usual),
        fresh(op, VALUE, COMMON, "refine-unseen-falls", "unseen cells fall by log(1e-10)",
              _refined(unseen=float(np.log(1e-10))), gaps),
        fresh(op, VALUE, COMMON, "refine-unseen-infinite", "unseen cells go to -1e30",
              _refined(unseen=-1e30), gaps),
        fresh(op, VALUE, COMMON, "refine-underflow", "where the expectation underflows, +700",
              _refined(underflow=700.0), under),
        fresh(op, NUMERICAL, RARE, "refine-one-row-at-a-time", "rows are scaled one after another",
              _refined(at_once=False), usual),
        fresh(op, NUMERICAL, COMMON, "refine-one-step-less", "one step less is made",
              _refined(steps=lambda steps: max(steps - 1, 0)), usual),
        fresh(op, SIZE, RARE, "refine-five-steps", "at most five steps are made",
              _refined(steps=lambda steps: min(steps, 5)), {**usual, "steps": 7}),
        fresh(op, VALUE, COMMON, "refine-stops-early", "it stops where a step gains nothing",
              _stopping(0.0), {**even, "weights": np.zeros((6, 3)), "steps": 4}),
        fresh(op, VALUE, COMMON, "refine-stops-near", "it stops where a step gains 1e-4 or less",
              _stopping(1e-4), {**even, "weights": np.zeros((6, 3)), "steps": 4}),
        fresh(op, NUMERICAL, COMMON, "refine-losses-from-first-step", "no loss before step one",
              spoiled(op, losses=lambda x: x[1:]), usual),
        fresh(op, NUMERICAL, RARE, "refine-losses-before", "each loss is that before its step",
              spoiled(op, losses=lambda x: np.concatenate([x[:1], x[:-1]])), usual),
        fresh(op, NUMERICAL, COMMON, "refine-loss-sum", "losses are summed over samples",
              lambda g: {**right(op, g), "losses": right(op, g)["losses"] * len(g["features"])},
              usual),
        fresh(op, LEGAL, COMMON, "refine-refuses-no-steps", "no steps are refused",
              refusing(op, lambda g: g["steps"] == 0, "option"), {**usual, "steps": 0}),
        fresh(op, LEGAL, COMMON, "refine-refuses-zero-row", "a sample without features is refused",
              refusing(op, lambda g: some((g["features"] == 0).all(-1)) and some(g["features"]),
                       "zero-norm"), {**usual, "features": put(h, 0, 0.0)}),
        fresh(op, REFUSAL, COMMON, "refine-negative-steps", "negative steps are no steps",
              unchecked(op, lambda g: g["steps"] < 0), {**usual, "steps": -1}),
        fresh(op, REFUSAL, COMMON, "refine-fractional-steps", "steps of 2.5 are 2",
              unchecked(op, lambda g: g["steps"] != int(g["steps"])), {**usual, "steps": 2.5}),
        fresh(op, REFUSAL, COMMON, "refine-zero-features", "K = 0 is accepted",
              unchecked(op, lambda g: g["features"].size and not some(g["features"])),
              {**usual, "features": 0 * h}),
        fresh(op, REFUSAL, COMMON, "refine-weights-of-one-row", "weights of one row are broadcast",
              unchecked(op, lambda g: g["weights"].shape[0] == 1 != g["features"].shape[1]),
              {**usual, "weights": signed(1, 3)}),
        fresh(op, REFUSAL, COMMON, "refine-weights-of-one-column",
              "weights of one column are broadcast",
              unchecked(op, lambda g: g["weights"].shape[1] == 1 != g["targets"].shape[1]),
              {**usual, "weights": signed(6, 1)}),
        fresh(op, REFUSAL, COMMON, "refine-weights-nan", "NaN in weights is accepted",
              unchecked(op, lambda g: some(np.isnan(g["weights"]))),
              {**usual, "weights": put(usual["weights"], (0, 0), np.nan)}),
        fresh(op, REFUSAL, COMMON, "refine-zero-target", "a row of zeros is accepted",
              unchecked(op, lambda g: some((g["targets"] == 0).all(-1))),
              {**usual, "targets": put(y, 0, 0.0)}),
        FreshMistake("fresh-refine-slack-of-before", "slack weights of earlier calls are added",
                     op, STATE, RARE, _SlackOfBefore, (usual, usual)),
    )  # fmt: skip


MISTAKES: Final = (*_tempered(), *_fits(), *_choices(), *_refinements())

CONTROLS: Final = (
    ("tempered_logits", _tempers(lambda lam, d: np.repeat(lam, d // len(lam)))),
    ("fit_temper", _fit(lambda lam, _: lam)),
    ("choose_smoothing", _left_out(lambda f, row, cells, n, total, width: _kinds(
        f - 1, row - 1, cells, n / (total - 1 + width), width))),
    ("refine", _refined()),
)  # fmt: skip
"""the plain versions that mistakes are made in, without a mistake"""
