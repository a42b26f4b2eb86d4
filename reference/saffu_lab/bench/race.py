"""One softmax layer on MNIST against the clock: counting, and getting from there to the optimum.

    python -m saffu_lab.bench.race --mnist FOLDER      # MNIST: about five minutes
    python -m saffu_lab.bench.race --tiny              # scikit-learn's digits, seconds

Three races, each between contestants that take turns in one process (SPEC 1):

1. fitting.  Our counts, smoothing and weights, against `MultinomialNB.fit` of scikit-learn, whose
   probabilities ours have to equal;
2. to the test loss of one cold epoch of SGD in PyTorch (batches of 128, rate chosen on validation
   data), from nothing: explicit fit included;
3. to the training loss of `LogisticRegression` of scikit-learn (L-BFGS, 100 iterations).

Time stands still while a loss is measured that only the referee needs.  The rival of a race may
have its features in double or in single precision: the quicker one counts.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from saffu.errors import Missing
from saffu.explicit.smoothing import Additive, smooth
from saffu.explicit.solution import explicit_solution
from saffu.fast.loss import nats_of
from saffu.fast.tempering import fit_one, of_tokens
from saffu.network import Examples
from saffu.numerics import softmax
from saffu.types import Array, Features, Weights
from saffu_lab.digits.digits import CLASSES, Data, load
from saffu_lab.one_layer.label_cooccurrence import count_classes
from saffu_lab.one_layer.whitened_lbfgs import polish
from saffu_lab.records.results import circumstances, table
from saffu_lab.rivals.torch_models import torch_or_refuse

GOALS = {"fit": 0.5, "epoch": 1.0, "logistic": 0.25}
"""Our time over the rival's, at most."""
WITHIN = 1e-4
"""nats by which the training loss may be missed"""


@dataclass(frozen=True)
class RaceSettings:
    """What is timed."""

    rounds: int = 5
    rates: tuple[float, ...] = (0.1, 0.2, 0.3, 0.5, 1.0)
    """of SGD, chosen on validation data"""
    batch: int = 128
    iterations: int = 100
    """of scikit-learn's L-BFGS"""
    tempered: int = 2000
    """training samples on which λ is fitted"""
    few: tuple[tuple[int, float], ...] = (
        *((12288, 3.0), (16384, 1.0)),
        *((16384, 3.0), (24576, 1.0)),
    )
    """samples that are polished on in the second race, and `ridge`; chosen on validation data"""
    most: int | None = None


TINY = RaceSettings(
    rounds=1, rates=(0.3,), batch=32, iterations=20, tempered=200, few=((256, 1.0),), most=300
)

Layer: TypeAlias = tuple[Weights, Array]


class Heat(NamedTuple):
    """One race: seconds of each contestant in every round, and further facts."""

    name: str
    ours: tuple[float, ...]
    """infinite where our side never reached the loss"""
    rivals: dict[str, tuple[float, ...]]
    facts: dict[str, float]

    @property
    def missed(self) -> int:
        """Rounds in which our side never reached the loss."""
        return int(np.isinf(self.ours).sum())

    @property
    def ratio(self) -> float:
        """Our time over that of the quickest rival, the median of the rounds; missed: infinite."""
        quickest = min(self.rivals.values(), key=lambda each: float(np.median(each)))
        return float(np.median(np.array(self.ours) / np.array(quickest)))

    @property
    def verdict(self) -> str:
        """Whether the goal is reached: by the ratio, and in every round."""
        if self.missed:
            return f"missed: {self.missed} of {len(self.ours)} rounds never got there"
        return "reached" if self.ratio <= GOALS[self.name] else "missed"


class Clock:
    """Seconds of work, without those in which it is stopped."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._stopped = 0.0

    def seconds(self) -> float:
        """So far."""
        return time.perf_counter() - self._began - self._stopped

    def aside(self, work: Callable[[], bool]) -> bool:
        """Do something that does not count."""
        began = time.perf_counter()
        answer = work()
        self._stopped += time.perf_counter() - began
        return answer


def loss_of(layer: Layer, examples: Examples) -> float:
    """Mean nats."""
    u, b = layer
    return float(nats_of(examples.features @ u + b, examples.labels).mean(dtype=np.float64))


def explicit_layer(train: Examples, settings: RaceSettings) -> Layer:
    """The tempered explicit solution: U = λ log(F/n), b = log n; λ from some training samples."""
    counts = smooth(count_classes(*train, CLASSES).counts, Additive(1.0))
    classes = counts.sum(axis=0)
    scores, prior = np.log(counts / classes), np.log(classes / classes.sum())
    some = Examples(*(part[: settings.tempered] for part in train))
    lam, _ = fit_one(of_tokens(prior, some.features @ scores, some.labels))
    dtype = train.features.dtype
    return (lam * scores).astype(dtype), prior.astype(dtype)


# --- 1: fitting -------------------------------------------------------------------------------


def race_to_fit(train: Examples, test: Examples, settings: RaceSettings) -> Heat:
    """Against `MultinomialNB.fit`."""
    from sklearn.naive_bayes import MultinomialNB

    precise = train.features.astype(np.float64)

    def ours() -> Weights:
        return explicit_solution(count_classes(*train, CLASSES), Additive(1.0), priming=1.0).weights

    ours_times: list[float] = []
    times: dict[str, list[float]] = {"float64": [], "float32": []}
    for number in range(settings.rounds + 1):
        seconds = _seconds(ours)
        each = {
            "float64": _seconds(lambda: MultinomialNB().fit(precise, train.labels)),
            "float32": _seconds(lambda: MultinomialNB().fit(train.features, train.labels)),
        }
        if number:
            ours_times.append(seconds)
            for name, taken in each.items():
                times[name].append(taken)
    return Heat(
        "fit",
        tuple(ours_times),
        {f"MultinomialNB, {name}": tuple(taken) for name, taken in times.items()},
        {"largest difference of probabilities": naive_bayes_gap(train, test)},
    )


def naive_bayes_gap(train: Examples, test: Examples) -> float:
    """The largest difference of probabilities: ours from counts of single-precision features."""
    from sklearn.naive_bayes import MultinomialNB

    counts = smooth(count_classes(*train, CLASSES).counts, Additive(1.0))
    classes = counts.sum(axis=0)
    witness = MultinomialNB(class_prior=classes / classes.sum())
    witness.fit(train.features.astype(np.float64), train.labels)
    precise = test.features.astype(np.float64)
    logits = precise @ np.log(counts / classes) + np.log(classes)
    return float(np.abs(softmax(logits) - witness.predict_proba(precise)).max())


# --- 2: to what one epoch of SGD reaches ------------------------------------------------------


def sgd_epoch(
    train: Examples, rate: float, settings: RaceSettings, seed: int
) -> tuple[Layer, float]:
    """One epoch of PyTorch's SGD from zeros, and its seconds."""
    torch = torch_or_refuse()
    features, labels = (torch.from_numpy(np.ascontiguousarray(x)) for x in train)
    labels = labels.long()
    u = torch.zeros(features.shape[1], CLASSES, requires_grad=True)
    b = torch.zeros(CLASSES, requires_grad=True)
    optimiser = torch.optim.SGD([u, b], lr=rate)
    clock = Clock()
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    for rows in order.split(settings.batch):
        logits = torch.addmm(b, features[rows], u)
        loss = torch.nn.functional.cross_entropy(logits, labels[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return (u.detach().numpy(), b.detach().numpy()), clock.seconds()


def race_to_epoch(data: Data, settings: RaceSettings) -> Heat:
    """Explicit fit and polish, until the test loss is that of the epoch."""
    chosen = min(
        settings.rates,
        key=lambda rate: loss_of(sgd_epoch(data.train, rate, settings, 0)[0], data.validation),
    )
    layer, _ = sgd_epoch(data.train, chosen, settings, 0)
    goal = loss_of(layer, data.validation)
    few = min(
        settings.few, key=lambda few: polish_to(data.train, data.validation, goal, settings, few)[0]
    )
    ours, theirs, goals = [], [], []
    for seed in range(settings.rounds):
        layer, seconds = sgd_epoch(data.train, chosen, settings, seed)
        goal = loss_of(layer, data.test)
        theirs.append(seconds)
        goals.append(goal)
        ours.append(polish_to(data.train, data.test, goal, settings, few)[0])
    return Heat(
        "epoch", tuple(ours), {"SGD epoch, PyTorch": tuple(theirs)},
        {"rate": chosen, "test loss": float(np.median(goals)), "samples": few[0], "ridge": few[1]},
    )  # fmt: skip


def polish_to(
    train: Examples,
    judge: Examples,
    goal: float,
    settings: RaceSettings,
    few: tuple[int, float] | None = None,
) -> tuple[float, float]:
    """Seconds until the loss on `judge` is the goal (infinite: never), and that loss.

    Parameters: `few`, samples to polish on, and `ridge`; None: on all.  All are counted.
    """
    from threadpoolctl import threadpool_limits

    clock, reached = Clock(), [float("inf")]

    def watch(weights: Weights, bias: Array) -> bool:
        def measured() -> bool:
            reached[0] = loss_of((weights, bias), judge)
            return reached[0] <= goal

        return clock.aside(measured)

    samples, ridge = few or (len(train.labels), 0.01)
    some = Examples(*(part[:samples] for part in train))
    with threadpool_limits(1, user_api="blas"):  # products with ten columns are quickest on one
        clock = Clock()
        u, b = explicit_layer(train, settings)
        polished = polish(
            *(u, b, *some), measured=2048, ridge=ridge, tolerance=0.0, most=40, watch=watch
        )
        seconds = clock.seconds()
    return seconds if polished.stopped else float("inf"), reached[0]


# --- 3: to the loss of logistic regression ----------------------------------------------------


def race_to_logistic(train: Examples, settings: RaceSettings) -> Heat:
    """Against scikit-learn's `LogisticRegression`, in both precisions, once each."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    def fit(features: Features) -> tuple[Layer, float]:
        model = LogisticRegression(max_iter=settings.iterations)
        clock = Clock()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(features, train.labels)
        seconds = clock.seconds()
        dtype = train.features.dtype
        return (model.coef_.T.astype(dtype), model.intercept_.astype(dtype)), seconds

    times: dict[str, tuple[float, ...]] = {}
    losses: dict[str, float] = {}
    for dtype in (np.float64, np.float32):
        layer, seconds = fit(train.features.astype(dtype))
        times[f"LogisticRegression, {dtype.__name__}"] = (seconds,)
        losses[f"its training loss, {dtype.__name__}"] = loss_of(layer, train)
    goal = min(losses.values()) + WITHIN
    ours, reached = polish_to(train, train, goal, settings)
    return Heat("logistic", (ours,), times, {**losses, "our training loss": reached})


# --- the meeting ------------------------------------------------------------------------------


def _seconds(work: Callable[[], object]) -> float:
    clock = Clock()
    work()
    return clock.seconds()


def meeting(data: Data, settings: RaceSettings, threads: int) -> list[Heat]:
    """All three races; the second only where PyTorch is installed."""
    whole = Examples(
        *(np.concatenate(pair) for pair in zip(data.train, data.validation, strict=True))
    )
    heats = [race_to_fit(whole, data.test, settings)]
    try:
        torch_or_refuse(threads)
        heats.append(race_to_epoch(data, settings))
    except Missing as missing:
        print(f"without a race: {missing}")
    return [*heats, race_to_logistic(whole, settings)]


def summary(heats: Sequence[Heat]) -> str:
    """A table, with a verdict for each race."""
    rows = []
    for heat in heats:
        rivals = ", ".join(f"{name}: {np.median(t):.3f} s" for name, t in heat.rivals.items())
        ours = f"{np.median(heat.ours):.3f} s" if np.isfinite(heat.ratio) else "never"
        ratio = f"{heat.ratio:.2f}" if np.isfinite(heat.ratio) else "–"
        rows.append([heat.name, ours, rivals, ratio, f"{GOALS[heat.name]:g}, {heat.verdict}"])
    return table(["race", "ours", "rivals", "ratio", "goal"], rows)


def record(
    heats: Sequence[Heat], settings: RaceSettings, threads: int, load: float
) -> dict[str, Any]:
    """What is kept: a round in which our side never got there is null."""
    return {
        "rounds": settings.rounds,
        "torch_threads": threads,
        "load_before": load,
        "races": {
            heat.name: {
                "ours": [seconds if np.isfinite(seconds) else None for seconds in heat.ours],
                "missed": heat.missed, "rivals": heat.rivals, "facts": heat.facts,
                "ratio": heat.ratio if np.isfinite(heat.ratio) else None,
                "goal": GOALS[heat.name],
            }
            for heat in heats
        },
        **circumstances("torch", "scikit-learn"),
    }  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """The program."""
    parser = argparse.ArgumentParser(
        prog="python -m saffu_lab.bench.race",
        description="One softmax layer against scikit-learn and PyTorch, by the clock.",
    )
    parser.add_argument("--tiny", action="store_true", help="few images of scikit-learn's digits")
    parser.add_argument("--mnist", type=Path, metavar="FOLDER", help="the four files of MNIST")
    parser.add_argument("--threads", type=int, default=2, help="PyTorch's (2)")
    parser.add_argument("--rounds", type=int, help="how often each race is run (5)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where to keep the figures (JSON)")
    chosen = parser.parse_args(arguments)
    settings = TINY if chosen.tiny else RaceSettings(rounds=chosen.rounds or RaceSettings.rounds)
    before = os.getloadavg()[0]
    heats = meeting(load(chosen.mnist, 1, settings.most), settings, chosen.threads)
    print(summary(heats))
    for heat in heats:
        print(f"{heat.name}: " + ", ".join(f"{k} {v:.5g}" for k, v in heat.facts.items()))
    if chosen.out:
        chosen.out.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(record(heats, settings, chosen.threads, before), indent=1)
        chosen.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
