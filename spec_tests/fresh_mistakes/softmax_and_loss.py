"""Mistakes in softmax, log_softmax, cross_entropy and perplexity."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from saffu.types import Array
from spec_tests.fresh_mistakes.examples import draw, example, put, signed
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
    refusing,
    right,
    some,
    spoiled,
    unchecked,
)


def _softmax(probabilities: Callable[[Array, Array], Array]) -> Wrong:
    """A port with other probabilities and the right adjoint of them."""

    def wrong(given: Given) -> Answer:
        right("softmax", given)  # refuses what is to be refused
        z = given["logits"]
        mask = given.get("mask")
        p = probabilities(z, np.ones(z.shape, bool) if mask is None else mask)
        answer = {"probabilities": p}
        if "cotangents" in given:
            dp = given["cotangents"]["probabilities"]
            answer["gradient.logits"] = p * (dp - (p * dp).sum(-1, keepdims=True))
        return answer

    return wrong


def _shares(weight: Array, axis: int = -1) -> Array:
    total: Array = weight / weight.sum(axis=axis, keepdims=True)
    return total


def _low(z: Array, mask: Array) -> Array:
    return np.where(mask, z, -np.inf)


def _tail(z: Array, mask: Array) -> Array:
    """The sum runs over whole groups of eight."""
    w = np.exp(_low(z, mask) - _low(z, mask).max(-1, keepdims=True))
    whole = z.shape[-1] // 8 * 8 if z.shape[-1] > 8 else z.shape[-1]
    shares: Array = w / w[..., :whole].sum(-1, keepdims=True)
    return shares


def _last_row(p: Array) -> Array:
    """A loop unrolled by eight forgets the single row that is left over."""
    return put(p, -1, 0.0) if p.ndim == 2 and p.shape[0] > 8 and p.shape[0] % 8 == 1 else p


def _gradient(op: str, output: str, pull: Callable[[Array, Array], Array]) -> Wrong:
    def wrong(given: Given) -> Answer:
        answer = right(op, given)
        if "cotangents" in given:
            p = right("softmax", {n: x for n, x in given.items() if n != "cotangents"})
            d = given["cotangents"][output]
            answer["gradient.logits"] = pull(p["probabilities"], d)
        return answer

    return wrong


class _MaskOfBefore:
    """The mask of an earlier call stays in force where none is given."""

    def __init__(self) -> None:
        self.masks: dict[tuple[int, ...], Array] = {}

    def __call__(self, given: Given) -> Answer:
        shape = given["logits"].shape
        if given.get("mask") is not None:
            answer = right("softmax", given)
            self.masks[shape] = given["mask"]
            return answer
        if shape in self.masks:
            return right("softmax", {**given, "mask": self.masks[shape]})
        return right("softmax", given)


def _in_place(given: Given) -> Answer:
    answer = right("softmax", given)
    given["logits"][...] = answer["probabilities"]
    return answer


def _gradient_of_changed_logits(given: Given) -> Answer:
    """Probabilities are written over the logits, and the adjoint reads those again."""
    answer = right("softmax", given)
    if "cotangents" in given:
        again = {**given, "logits": answer["probabilities"]}
        answer["gradient.logits"] = right("softmax", again)["gradient.logits"]
    return answer


class _RunningLoss:
    """The loss is added to that of earlier calls."""

    def __init__(self) -> None:
        self.total = 0.0

    def __call__(self, given: Given) -> Answer:
        answer = right("cross_entropy", given)
        self.total += float(answer["loss"])
        return {**answer, "loss": np.asarray(self.total)}


MASK: Final = np.array([[1, 1, 0], [1, 0, 1], [1, 1, 1], [0, 1, 1], [1, 0, 0]], bool)
_Z: Final = signed(5, 3)
_MASKED: Final = {"logits": put(_Z, (0, 2), 900.0), "mask": MASK}
_PULLED: Final = {"logits": _Z, "cotangents": {"probabilities": signed(5, 3, seed=1)}}
_PULLED_LOG: Final = {"logits": _Z, "cotangents": {"log_probabilities": signed(5, 3, seed=1)}}
_NAN_MASKED: Final = {"logits": put(_Z, (0, 2), np.nan), "mask": MASK}
_FAR: Final = {"logits": np.array([[0.0, 800.0, 3.0], [0.5, -60.0, 1.0]])}


def _softmaxes() -> tuple[FreshMistake, ...]:
    op, usual = "softmax", example("softmax")
    return (
        fresh(op, NUMERICAL, COMMON, "softmax-columns", "the softmax runs down the columns",
              _softmax(lambda z, m: _shares(np.exp(_low(z, m)), 0)), usual),
        fresh(op, VALUE, COMMON, "softmax-unshifted", "no largest logit is taken off",
              _softmax(lambda z, m: _shares(np.exp(_low(z, m)))), _FAR),
        fresh(op, VALUE, COMMON, "softmax-one-shift", "the largest of all logits is taken off",
              _softmax(lambda z, m: _shares(np.exp(_low(z, m) - _low(z, m).max()))), _FAR),
        fresh(op, VALUE, COMMON, "softmax-shift-by-masked", "the shift is that of a masked logit",
              _softmax(lambda z, m: _shares(np.where(
                  m, np.exp(np.where(m, z, 0) - np.nanmax(z, -1, keepdims=True)), 0))), _MASKED),
        fresh(op, VALUE, RARE, "softmax-mask-of-minus-1e4", "masked logits are put to -1e4",
              _softmax(lambda z, m: _shares(np.exp(
                  np.where(m, z, -1e4) - np.where(m, z, -1e4).max(-1, keepdims=True)))),
              {"logits": np.array([[-2e4, -2e4, 0.0]]), "mask": np.array([[True, True, False]])}),
        fresh(op, NUMERICAL, COMMON, "softmax-epsilon", "1e-8 is added to the sum",
              _softmax(lambda z, m: np.exp(_low(z, m) - _low(z, m).max(-1, keepdims=True)) / (
                  np.exp(_low(z, m) - _low(z, m).max(-1, keepdims=True)).sum(-1, keepdims=True)
                  + 1e-8)), usual),
        fresh(op, VALUE, COMMON, "softmax-mask-by-product", "masked entries are multiplied by zero",
              _softmax(lambda z, m: _shares(np.exp(z - np.max(z, -1, keepdims=True)) * m)),
              _NAN_MASKED),
        fresh(op, SIZE, RARE, "softmax-eight-columns", "a sum over whole groups of eight columns",
              _softmax(_tail), {"logits": signed(3, 9)}),
        fresh(op, SIZE, RARE, "softmax-eight-rows", "the row after whole groups of eight is zero",
              spoiled(op, probabilities=_last_row), {"logits": signed(9, 3)}),
        fresh(op, NUMERICAL, COMMON, "softmax-gradient-diagonal", "the gradient p(1 - p) dp",
              _gradient(op, "probabilities", lambda p, d: p * (1 - p) * d), _PULLED),
        fresh(op, NUMERICAL, COMMON, "softmax-gradient-without-mean", "the gradient p dp",
              _gradient(op, "probabilities", lambda p, d: p * d), _PULLED),
        fresh(op, NUMERICAL, RARE, "softmax-gradient-unweighted-mean",
              "the mean of dp is not weighted by p",
              _gradient(op, "probabilities", lambda p, d: p * (d - d.mean(-1, keepdims=True))),
              _PULLED),
        fresh(op, LEGAL, COMMON, "softmax-refuses-no-rows", "no rows are refused",
              refusing(op, lambda g: g["logits"].shape[0] == 0, "no-samples"),
              {"logits": np.zeros((0, 3))}),
        fresh(op, LEGAL, COMMON, "softmax-refuses-masked-nan", "NaN under the mask is refused",
              refusing(op, lambda g: not np.isfinite(g["logits"]).all(), "non-finite"),
              _NAN_MASKED),
        fresh(op, LEGAL, RARE, "softmax-refuses-one-column", "a single logit is refused",
              refusing(op, lambda g: g["logits"].shape[-1] == 1, "shape"),
              {"logits": np.zeros((2, 1))}),
        fresh(op, REFUSAL, COMMON, "softmax-mask-broadcast", "a mask of one row is broadcast",
              unchecked(op, lambda g: g.get("mask") is not None
                        and g["mask"].shape[0] == 1 != g["logits"].shape[0]),
              {"logits": _Z, "mask": MASK[2:3]}),
        fresh(op, REFUSAL, COMMON, "softmax-mask-of-one-dimension", "a mask [N] is broadcast",
              unchecked(op, lambda g: g.get("mask") is not None and g["mask"].ndim == 1),
              {"logits": _Z, "mask": MASK[2]}),
        fresh(op, REFUSAL, COMMON, "softmax-empty-mask", "a row without valid entry is not refused",
              unchecked(op, lambda g: g.get("mask") is not None
                        and not g["mask"].any(-1).all()),
              {"logits": _Z, "mask": MASK & (np.arange(5) != 4)[:, None]}),
        fresh(op, REFUSAL, RARE, "softmax-no-columns", "no columns are answered by no columns",
              unchecked(op, lambda g: g["logits"].shape[-1] == 0), {"logits": np.zeros((2, 0))}),
        FreshMistake("fresh-softmax-mask-of-before", "the mask of an earlier call is used again",
                     op, STATE, RARE, _MaskOfBefore, ({"logits": _Z, "mask": MASK}, usual)),
        fresh(op, STATE, COMMON, "softmax-logits-changed", "probabilities overwrite the logits",
              _in_place, *[{"logits": _Z.copy()}] * 2),
        fresh(op, STATE, COMMON, "softmax-gradient-of-changed-logits",
              "the adjoint reads logits that probabilities have been written over",
              _gradient_of_changed_logits, _PULLED),
    )  # fmt: skip


def _logs(change: Callable[[Array], Array]) -> Wrong:
    return spoiled("log_softmax", log_probabilities=change)


def _logarithms() -> tuple[FreshMistake, ...]:
    op, usual = "log_softmax", example("log_softmax")
    return (
        fresh(op, VALUE, COMMON, "log-softmax-of-softmax", "the logarithm of the softmax",
              _logs(lambda x: np.log(np.exp(x))), _FAR),
        fresh(op, VALUE, COMMON, "log-softmax-clipped", "probabilities below 1e-12 are clipped",
              _logs(lambda x: np.where(np.isfinite(x), np.maximum(x, np.log(1e-12)), x)), _FAR),
        fresh(op, NUMERICAL, COMMON, "log-softmax-epsilon", "log(p + 1e-10)",
              _logs(lambda x: np.where(np.isfinite(x), np.log(np.exp(x) + 1e-10), x)), _FAR),
        fresh(op, NUMERICAL, RARE, "log-softmax-bits", "logarithms of base 2",
              _logs(lambda x: x / np.log(2)), usual),
        fresh(op, NUMERICAL, COMMON, "log-softmax-masked-zero", "0 where masked",
              _logs(lambda x: np.where(np.isfinite(x), x, 0.0)), _MASKED),
        fresh(op, NUMERICAL, COMMON, "log-softmax-masked-large", "-1e30 where masked",
              _logs(lambda x: np.where(np.isfinite(x), x, -1e30)), _MASKED),
        fresh(op, NUMERICAL, COMMON, "log-softmax-gradient-of-softmax", "the adjoint of softmax",
              _gradient(op, "log_probabilities",
                        lambda p, d: p * (d - (p * d).sum(-1, keepdims=True))), _PULLED_LOG),
        fresh(op, NUMERICAL, RARE, "log-softmax-gradient-mean", "the mean of dlogp for its sum",
              _gradient(op, "log_probabilities",
                        lambda p, d: d - p * d.mean(-1, keepdims=True)), _PULLED_LOG),
        fresh(op, NUMERICAL, RARE, "log-softmax-gradient-of-one", "dlogp - p, as for one-hot rows",
              _gradient(op, "log_probabilities", lambda p, d: d - p), _PULLED_LOG),
        fresh(op, LEGAL, COMMON, "log-softmax-refuses-masked-nan", "NaN under the mask is refused",
              refusing(op, lambda g: not np.isfinite(g["logits"]).all(), "non-finite"),
              _NAN_MASKED),
        fresh(op, LEGAL, COMMON, "log-softmax-refuses-no-rows", "no rows are refused",
              refusing(op, lambda g: g["logits"].shape[0] == 0, "no-samples"),
              {"logits": np.zeros((0, 3))}),
        fresh(op, SIZE, RARE, "log-softmax-eight-rows", "the row after groups of eight is zero",
              _logs(_last_row), {"logits": signed(17, 3)}),
        fresh(op, REFUSAL, COMMON, "log-softmax-mask-broadcast", "a mask of one row is broadcast",
              unchecked(op, lambda g: g.get("mask") is not None
                        and g["mask"].shape[0] == 1 != g["logits"].shape[0]),
              {"logits": _Z, "mask": MASK[2:3]}),
        fresh(op, REFUSAL, COMMON, "log-softmax-empty-mask", "a row without valid entry passes",
              unchecked(op, lambda g: g.get("mask") is not None and not g["mask"].any(-1).all()),
              {"logits": _Z, "mask": MASK & (np.arange(5) != 4)[:, None]}),
    )  # fmt: skip


def _normalised(y: Array) -> Array:
    total = y.sum(-1, keepdims=True)
    return y / np.where(total > 0, total, 1.0) if y.ndim == 2 else y


def _by_mass(given: Given) -> Answer:
    answer = right("cross_entropy", given)
    scale = given["targets"].shape[0] / given["targets"].sum()
    return {name: x * scale for name, x in answer.items()}


def _plain_difference(given: Given) -> Answer:
    answer = right("cross_entropy", given)
    p = right("softmax", {"logits": given["logits"]})["probabilities"]
    return {**answer, "gradient": (p - given["targets"]) / p.shape[0]}


def _logarithm_of_p(given: Given) -> Answer:
    answer = right("cross_entropy", given)
    p = right("softmax", {"logits": given["logits"]})["probabilities"]
    return {**answer, "loss": -np.sum(given["targets"] * np.log(p)) / p.shape[0]}


def _eight_samples(given: Given) -> Answer:
    answer = right("cross_entropy", given)
    m = given["logits"].shape[0]
    if m <= 8 or m % 8 == 0:
        return answer
    few = right("cross_entropy", {name: x[: m // 8 * 8] for name, x in given.items()})
    return {**answer, "loss": few["loss"] * (m // 8 * 8) / m}


def _losses() -> tuple[FreshMistake, ...]:
    op, usual = "cross_entropy", example("cross_entropy")
    z, y = usual["logits"], usual["targets"]
    return (
        fresh(op, NUMERICAL, COMMON, "loss-sum", "the sum over samples for the mean",
              lambda g: {n: x * g["logits"].shape[0] for n, x in right(op, g).items()}, usual),
        fresh(op, NUMERICAL, COMMON, "loss-mean-of-entries", "the mean over samples and targets",
              lambda g: {n: x / g["logits"].shape[1] for n, x in right(op, g).items()}, usual),
        fresh(op, NUMERICAL, COMMON, "loss-gradient-unscaled", "the gradient is not divided by M",
              lambda g: {**right(op, g), "gradient": right(op, g)["gradient"]
                         * g["logits"].shape[0]}, usual),
        fresh(op, VALUE, COMMON, "loss-targets-normalised", "rows of targets are normalised",
              lambda g: right(op, g) and changed(op, targets=_normalised)(g), usual),
        fresh(op, VALUE, COMMON, "loss-by-mass", "divided by the sum of the targets",
              _by_mass, usual),
        fresh(op, VALUE, COMMON, "loss-gradient-plain-difference", "the gradient (p - y) / M",
              _plain_difference, usual),
        fresh(op, VALUE, COMMON, "loss-zero-times-infinity", "y log p where p underflows",
              _logarithm_of_p, {"logits": np.array([[900.0, 0.0]]),
                                "targets": np.array([[1.0, 0.0]])}),
        fresh(op, VALUE, COMMON, "loss-of-largest-target", "the target is the largest entry",
              lambda g: right(op, g) and changed(
                  op, targets=lambda t: np.eye(t.shape[1])[t.argmax(1)])(g), usual),
        fresh(op, NUMERICAL, RARE, "loss-bits", "the loss in bits",
              spoiled(op, loss=lambda x: x / np.log(2)), usual),
        fresh(op, SIZE, RARE, "loss-eight-samples", "samples after whole groups of eight are lost",
              _eight_samples, {"logits": signed(9, 3), "targets": draw(9, 3)}),
        fresh(op, LEGAL, COMMON, "loss-refuses-other-mass", "targets have to add up to one",
              refusing(op, lambda g: some(abs(g["targets"].sum(-1) - 1) > 1e-6), "simplex"),
              usual),
        fresh(op, LEGAL, RARE, "loss-refuses-minus-zero", "a target of -0 is negative",
              refusing(op, lambda g: some(np.signbit(g["targets"])), "negative"),
              {"logits": z, "targets": put(y, (0, 0), -0.0)}),
        fresh(op, REFUSAL, COMMON, "loss-targets-broadcast", "targets of one row are broadcast",
              unchecked(op, lambda g: g["targets"].shape[0] == 1 != g["logits"].shape[0]),
              {"logits": z, "targets": y[:1]}),
        fresh(op, REFUSAL, COMMON, "loss-targets-one-column", "targets of one column are broadcast",
              unchecked(op, lambda g: g["targets"].shape[-1] == 1 != g["logits"].shape[-1]),
              {"logits": z, "targets": y[:, :1]}),
        fresh(op, REFUSAL, COMMON, "loss-zero-target", "a row of zeros is accepted",
              unchecked(op, lambda g: some((g["targets"] == 0).all(-1))),
              {"logits": z, "targets": put(y, 0, 0.0)}),
        fresh(op, REFUSAL, COMMON, "loss-negative-target", "a negative target is accepted",
              unchecked(op, lambda g: some(g["targets"] < 0)),
              {"logits": z, "targets": put(y, (0, 0), -0.5)}),
        fresh(op, REFUSAL, COMMON, "loss-no-samples", "no samples have loss NaN",
              unchecked(op, lambda g: g["logits"].shape[0] == 0),
              {"logits": z[:0], "targets": y[:0]}),
        FreshMistake("fresh-loss-running", "the loss is added to that of earlier calls", op, STATE,
                     RARE, _RunningLoss, (usual, usual)),
    )  # fmt: skip


def _overflow(given: Given) -> Answer:
    answer = right("perplexity", given)
    if np.isinf(answer["perplexity"]):
        raise OverflowError("math range error")
    return answer


def _perplexities() -> tuple[FreshMistake, ...]:
    op, usual = "perplexity", example("perplexity")
    return (
        fresh(op, NUMERICAL, COMMON, "perplexity-of-sum", "exp of the sum",
              lambda g: right(op, g) and {"perplexity": np.exp(g["nats"].sum())}, usual),
        fresh(op, NUMERICAL, COMMON, "perplexity-mean-of-exponentials", "the mean of exp",
              lambda g: right(op, g) and {"perplexity": np.exp(g["nats"]).mean()}, usual),
        fresh(op, NUMERICAL, RARE, "perplexity-of-median", "exp of the median",
              lambda g: right(op, g) and {"perplexity": np.exp(np.median(g["nats"]))}, usual),
        fresh(op, NUMERICAL, RARE, "perplexity-without-end", "the last target is left out",
              lambda g: right(op, g) and {"perplexity": np.exp(
                  (g["nats"][:-1] if len(g["nats"]) > 1 else g["nats"]).mean())}, usual),
        fresh(op, VALUE, COMMON, "perplexity-overflow", "an overflow is an error",
              _overflow, {"nats": np.array([800.0, 750.0])}),
        fresh(op, VALUE, RARE, "perplexity-clipped", "nats are clipped at 100",
              changed(op, nats=lambda x: np.where(np.isfinite(x), np.minimum(x, 100.0), x)),
              {"nats": np.array([120.0, 3.0])}),
        fresh(op, LEGAL, COMMON, "perplexity-refuses-negative", "negative nats are refused",
              refusing(op, lambda g: some(g["nats"] < 0), "negative"),
              {"nats": np.array([-0.5, 2.0])}),
        fresh(op, LEGAL, RARE, "perplexity-refuses-one", "a single target is refused",
              refusing(op, lambda g: g["nats"].shape[0] == 1, "no-samples"),
              {"nats": np.array([2.0])}),
        fresh(op, REFUSAL, COMMON, "perplexity-two-dimensions", "nats [M, 1] are accepted",
              unchecked(op, lambda g: g["nats"].ndim == 2), {"nats": np.ones((3, 1))}),
        fresh(op, REFUSAL, COMMON, "perplexity-no-dimensions", "a bare number is accepted",
              unchecked(op, lambda g: g["nats"].ndim == 0), {"nats": np.asarray(1.0)}),
        fresh(op, SIZE, RARE, "perplexity-sixty-four", "only the first 64 targets are read",
              changed(op, nats=lambda x: x[:64]), {"nats": draw(65)}),
        fresh(op, SIZE, RARE, "perplexity-two-fifty-six", "only the first 256 targets are read",
              changed(op, nats=lambda x: x[:256]), {"nats": draw(300)}),
    )  # fmt: skip


MISTAKES: Final = (*_softmaxes(), *_logarithms(), *_losses(), *_perplexities())

CONTROLS: Final = (
    ("softmax", _softmax(lambda z, m: _shares(np.exp(_low(z, m) - _low(z, m).max(
        -1, keepdims=True))))),
)  # fmt: skip
"""the plain version that mistakes are made in, without a mistake"""
