"""Single-layer study: solving, minimising, training and testing.   (SPEC 1, 6)

Every work function takes a key that names the context radius, the vocabulary size and the amount of
text. Weights that later tasks need are kept in a file, and computed again if the file is gone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from saffu.counts import Cooccurrence
from saffu.data.corpus import Corpus
from saffu.explicit.newton import minimise_convex
from saffu.explicit.smoothing import Backoff, Discount, smooth
from saffu.explicit.solution import explicit_weights
from saffu.explicit.temper import temper_curve
from saffu.fast.adam import adam_in_blocks
from saffu.fast.loss import nats_and_gradient, nats_of
from saffu.fast.tempering import fit_one, of_tokens
from saffu.optim import adam_start
from saffu.types import Weights
from saffu_lab.one_layer.convex_problem import (
    Course,
    Problem,
    centred,
    minimise,
    one_hot,
    sample_nats,
    scale_iteratively,
)
from saffu_lab.records.results import Line
from saffu_lab.replication.single_layer.setting import (
    Setting,
    cosine,
    explicit_of,
    keep,
    recall,
    rms,
    rounded,
    setting_of,
    slot_evidence,
    tempered,
)
from saffu_lab.study.sources import Sources
from saffu_lab.study.texts import texts

TEMPER_SAMPLES = 2_000
"""validation targets on which the tempers per slot are fitted"""
BATCH = 512
PATIENCE = 2
"""epochs without a better validation loss after which Adam stops"""


def solve(key: Line, sources: Sources) -> Line:
    """In a worker: explicit solutions with one smoothing, evaluated on validation text."""
    setting = setting_of(key, sources)
    kind = Discount if key["kind"] == "discount" else Backoff
    weights = slot_evidence(setting, kind(key["strength"]))
    y = setting.validation.targets
    scores = (setting.validation.features @ weights).astype(np.float32)
    lam, nats = fit_one(of_tokens(setting.prior, scores, y))
    tempers = fit_slots(setting, weights)
    by_slot = sample_nats(tempered(weights, tempers), setting.prior, setting.validation)
    line: Line = {
        "one": {"nats": rounded(sample_nats(weights, setting.prior, setting.validation).mean())},
        "tempered": {"nats": rounded(nats), "tempers": [rounded(lam)]},
        "slots": {"nats": rounded(by_slot.mean()), "tempers": [rounded(t) for t in tempers]},
    }
    if key["kind"] == "backoff":
        line["plain"] = {"nats": rounded(plain_nats(setting, key["strength"]))}
    return line


def plain_nats(setting: Setting, strength: float) -> float:
    """Validation nats of the formula in [P2] as published: logits h U, K the mean norm, no bias."""
    norm = float(setting.train.features.sum())
    state = Cooccurrence(setting.counts, norm, setting.train.targets.shape[0])
    weights = explicit_weights(smooth(state.counts, Backoff(strength)), state.priming)
    logits = setting.validation.features @ weights
    return float(nats_of(logits, setting.validation.targets).mean())


def fit_slots(setting: Setting, weights: Weights) -> list[float]:
    """One λ per slot, by Newton's method on a subset of validation samples (a convex loss)."""
    text = setting.validation
    few = np.linspace(0, text.targets.shape[0] - 1, TEMPER_SAMPLES).astype(np.int64)
    few = np.unique(few)
    features = text.features[few].tocsc()
    v = setting.size
    scores = np.stack(
        [
            features[:, k * v : (k + 1) * v] @ weights[k * v : (k + 1) * v]
            for k in range(setting.radius)
        ],
        axis=1,
    )
    targets = np.eye(v)[text.targets[few]]
    start = np.full(setting.radius, setting.radius**-0.8)
    minimum = minimise_convex(
        lambda lam: temper_curve(lam, setting.prior, scores, targets), start, tolerance=1e-4
    )
    return [float(t) for t in minimum.place]


def descend(key: Line, sources: Sources) -> Line:
    """In a worker: minimise P(α) from zeros or an explicit solution, or by iterative scaling."""
    setting = setting_of(key, sources)
    problem = Problem(setting.train, setting.prior, key["strength"], setting.counts)
    course = _course(key, setting, problem)
    if key["keep"]:
        keep(key, sources, course.weights)
    nats = sample_nats(course.weights, setting.prior, setting.validation).mean()
    line: Line = {
        "validation_nats": rounded(nats),
        "train_nats": rounded(_train_nats(setting, course.weights)),
        "values": [rounded(value, 9) for value in _thinned(course.values)],
        "iterations": len(course.values) - 1,
        "evaluations": course.evaluations,
        "largest_slope": course.slope,
        "slope_length": course.length,
    }
    if key["keep"]:
        line["explicit"] = _explicit_against(key, setting, problem, course.weights)
    return line


def _course(key: Line, setting: Setting, problem: Problem) -> Course:
    if key["start"] == "zeros":
        start = np.zeros_like(setting.counts)
    else:
        start = explicit_of(setting, key["from"])
    if key["by"] == "scaling":
        return scale_iteratively(problem, start, key["most"], setting.radius)
    return minimise(problem, start, most=key["most"])


def _explicit_against(key: Line, setting: Setting, problem: Problem, best: Weights) -> Line:
    """Explicit solutions against the optimum: P(α), training nats, gradient norm, distance."""
    zero, mark = np.zeros_like(best), centred(best)
    own = {"kind": "backoff", "strength": key["strength"], "tempers": [1.0]}
    comparisons: Line = {}
    for name, chosen in {"same α, λ = 1": own, **key["explicit"], "unigram": None}.items():
        weights = zero if chosen is None else explicit_of(setting, chosen)
        value, slope = problem.value_and_slope(weights)
        comparisons[name] = {
            "objective": rounded(value, 9),
            "train_nats": rounded(_train_nats(setting, weights)),
            "slope_length": float(np.linalg.norm(slope)),
            "distance": rounded(rms(weights - mark)),
            "cosine": rounded(cosine(weights, mark)),
        }
    return comparisons


def train(key: Line, sources: Sources) -> Line:
    """In a worker: Adam on the training loss with early stopping, and its distance to marks."""
    setting = setting_of(key, sources)
    marks = {name: explicit_of(setting, chosen) for name, chosen in key["explicit"].items()}
    marks["optimum"] = centred(recall(key["optimum"], sources, descend))
    start = begin(key, setting, marks)
    weights, nats, best = start, np.inf, 0
    history: list[list[Any]] = []
    for epoch, now in enumerate(_adam(setting, start, key)):
        validation = float(sample_nats(now, setting.prior, setting.validation).mean())
        row = centred(now.astype(np.float64))
        where = [[rounded(rms(row - m)), rounded(cosine(row, m))] for m in marks.values()]
        history.append([epoch, rounded(validation), *where])
        if validation < nats:
            weights, nats, best = now, validation, epoch
        elif epoch - best >= PATIENCE:
            break
    keep(key, sources, weights)
    return {"validation_nats": rounded(nats), "marks": list(marks), "history": history}


def begin(key: Line, setting: Setting, marks: dict[str, Weights]) -> Weights:
    """Initial weights of Adam: one of the marks, or random normal weights (zeros at scale 0)."""
    if key["start"] in marks:
        return marks[key["start"]].astype(np.float32)
    random = np.random.default_rng(key["seed"])
    normal = random.normal(size=setting.counts.shape)
    return np.asarray(key["scale"] * normal, dtype=np.float32)


def _adam(setting: Setting, start: Weights, key: Line) -> Iterator[Weights]:
    """The weights before the first epoch, then after each epoch."""
    h, y = setting.train.features.astype(np.float32), setting.train.targets
    prior = setting.prior.astype(np.float32)
    (weights,), state = (start,), adam_start((start,))
    yield weights
    for epoch in range(1, key["epochs"] + 1):
        order = np.random.default_rng([key["seed"], epoch]).permutation(y.shape[0])
        for first in range(0, y.shape[0], BATCH):
            rows = order[first : first + BATCH]
            some = h[rows]
            _, dz = nats_and_gradient(some @ weights + prior, y[rows])
            (weights,), state = adam_in_blocks((weights,), (some.T @ dz,), state, key["rate"])
        yield weights


def read_test(key: Line, sources: Sources) -> Line:
    """In a worker: read the test text of one radius once, for every chosen model."""
    setting = setting_of(key, sources)
    corpus: Corpus = texts(sources, key["vocabulary"], key["seed"]).test
    test = one_hot(corpus, key["radius"], key["vocabulary"])
    zero = np.zeros_like(setting.counts)
    nats = {"unigram": sample_nats(zero, setting.prior, test)}
    for name, chosen in key["explicit"].items():
        nats[name] = sample_nats(explicit_of(setting, chosen), setting.prior, test)
    for name, made in key["made"].items():
        work = train if made["do"] == "train" else descend
        nats[name] = sample_nats(recall(made, sources, work), setting.prior, test)
    lengths = np.diff(np.append(test.borders, test.targets.shape[0]))
    return {
        "nats": {
            name: np.add.reduceat(each, test.borders).round(2).tolist()
            for name, each in nats.items()
        },
        "targets_tested": lengths.tolist(),
    }


def _train_nats(setting: Setting, weights: Weights) -> float:
    return float(sample_nats(weights, setting.prior, setting.train).mean())


def _thinned(values: list[float]) -> list[float]:
    """The first 60 values, then every tenth, and the last."""
    return [*values[:60], *values[60::10], *(values[-1:] if len(values) > 60 else [])]
