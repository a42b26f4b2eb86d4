"""Priming study: loss of the explicit solution as a function of K and λ.   (SPEC 1)

With F smoothed and n_i = Σ_d F[d,i], the logits of U[d,i] = log F[d,i] − ((K−1)/K) log n_i are

    z = s + κ t,     s_i = Σ_d h_d log(F[d,i]/n_i),     t_i = ‖h‖ log n_i,     κ = 1/K

so cross-entropy is convex in κ, and in (λ, κ) for z = λ s + κ t: Newton's method finds the best K,
the best λ and the best pair to the last digit.  κ ‖h‖ is the weight of the prior log n; at K = ‖h‖
it is 1.   [D]
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from saffu.data.corpus import Corpus
from saffu.explicit.newton import Minimum, minimise_convex
from saffu.explicit.smoothing import Backoff, smooth
from saffu.explicit.temper import temper_curve
from saffu.loss import token_nats
from saffu.positions import Samples
from saffu.types import Array, IntArray, Logits
from saffu_lab.one_layer.convex_problem import one_hot
from saffu_lab.records.results import Line
from saffu_lab.replication.images.classifiers import images
from saffu_lab.replication.images.intervals import judge_all
from saffu_lab.study.sources import Sources
from saffu_lab.study.texts import texts

RADIUS = 5
OCTAVES = 8
"""reach of the curves on either side of the mean norm, in octaves"""
FITTED = 3
"""reach within which λ is fitted for each K, in octaves"""


class Part(NamedTuple):
    """Features and labels of the training, validation or test part."""

    features: Any
    """H [M, D], dense or sparse"""
    labels: IntArray
    borders: IntArray | None
    """index of the first sample of each document; None for images"""


class Bench(NamedTuple):
    """One data set."""

    train: Part
    validation: Part
    test: Part
    classes: int


@lru_cache(maxsize=1)
def _bench(name: str, scale: float, sources: Sources) -> Bench:
    if name in ("mnist", "digits"):
        data = images(name, sources, 1)
        train, held, test = (Part(scale * x.astype(np.float64), y, None) for x, y in data)
        return Bench(train, held, test, 10)
    size, amounts = (512, (100_000, 4_000, 10_000))
    if sources.tiny:
        size, amounts = 67, (2_000, 500, 500)
    common = texts(sources, size, 1)
    ends = np.array([i for i, t in enumerate(common.vocabulary.tokens) if t in ".?!"])
    three = zip((common.train, common.validation, common.test), amounts, strict=True)
    taken = [corpus.take(min(most, corpus.targets), 1) for corpus, most in three]
    train, held, test = (_text_part(name, corpus, size, ends) for corpus in taken)
    return Bench(train, held, test, size)


def bench_of(key: Line, sources: Sources) -> Bench:
    """The data set named by a key."""
    return _bench(key["data"], key["scale"], sources)


def _text_part(name: str, corpus: Corpus, size: int, ends: IntArray) -> Part:
    if name == "slots":
        text = one_hot(corpus, RADIUS, size)
        return Part(text.features, text.targets, text.borders)
    (chunk,) = corpus.chunks(corpus.targets)
    features = sentence_bags(chunk, size, ends)
    if name == "sentence means":
        norms = np.asarray(features.sum(axis=1)).ravel()
        features = sparse.diags_array(1 / norms) @ features
    return Part(features.tocsr(), chunk.targets, np.flatnonzero(chunk.offsets == 0))


def sentence_bags(chunk: Samples, size: int, ends: IntArray) -> Any:
    """Bags of words of the sentence so far: H [M, V], sparse.

    Parameters: `ends`, the tokens that end a sentence; the first target after one still has it in
    its bag, which would be empty otherwise.

    >>> chunk = Samples(np.array([0, 3, 4, 3]), np.array([3, 4, 3, 1]), np.array([0, 1, 2, 3]))
    >>> sentence_bags(chunk, 5, np.array([4])).toarray().astype(int).tolist()
    [[1, 0, 0, 0, 0], [1, 0, 0, 1, 0], [0, 0, 0, 0, 1], [0, 0, 0, 1, 1]]
    """
    samples = chunk.tokens.shape[0]
    begins = (chunk.offsets == 0) | np.isin(chunk.tokens, ends)
    first = np.maximum.accumulate(np.where(begins, np.arange(samples), 0))
    lengths = np.arange(samples) - first + 1
    row = np.repeat(np.arange(samples), lengths)
    at = np.arange(row.shape[0]) - np.repeat(np.cumsum(lengths) - lengths, lengths) + first[row]
    return sparse.coo_array(
        (np.ones(row.shape[0]), (row, chunk.tokens[at])), shape=(samples, size)
    ).tocsr()


class Terms(NamedTuple):
    """Terms of the logits of some samples: evidence and prior."""

    evidence: Logits
    """s [M, N]"""
    prior: Logits
    """t [M, N]"""
    labels: IntArray

    def logits(self, lam: float, kappa: float) -> Logits:
        """λ s + κ t"""
        z: Logits = lam * self.evidence + kappa * self.prior
        return z

    def judged(self, lam: float, kappa: float) -> tuple[float, float]:
        """Mean nats, and accuracy."""
        z = self.logits(lam, kappa)
        right = float((z.argmax(axis=1) == self.labels).mean())
        return float(token_nats(z, self.labels).mean()), right

    def fit(self, free: str, lam: float, kappa: float) -> tuple[float, float]:
        """The best λ, κ or both (`free`: "lambda", "kappa", "both"); the other stays as given.

        Refuses: an optimum at infinity (`NotConverged`).
        """
        targets = np.eye(self.evidence.shape[1])[self.labels]
        two = np.stack([self.evidence, self.prior], axis=1)
        if free == "both":
            minimum = _minimum(np.zeros_like(self.evidence), two, targets, [lam, kappa])
            return float(minimum.place[0]), float(minimum.place[1])
        if free == "lambda":
            minimum = _minimum(kappa * self.prior, two[:, :1], targets, [lam])
            return float(minimum.place[0]), kappa
        minimum = _minimum(lam * self.evidence, two[:, 1:], targets, [kappa])
        return lam, float(minimum.place[0])


def _minimum(fixed: Logits, scores: Array, targets: Array, start: list[float]) -> Minimum:
    """The best factors of some scores, which are first scaled to unit mean square."""
    size = np.sqrt(np.mean(np.square(scores), axis=(0, 2)))
    minimum = minimise_convex(
        lambda x: temper_curve(x, fixed, scores / size[:, None], targets), np.array(start) * size
    )
    return minimum._replace(place=minimum.place / size)


def terms_of(train: Part, classes: int, strength: float, part: Part) -> tuple[Terms, float]:
    """s and t of `part`, from the co-occurrences of `train`; and the mean norm of `train`, K.

    >>> one = Part(np.array([[1.0, 1.0], [2.0, 0.0]]), np.array([0, 1]), None)
    >>> terms, mean = terms_of(one, 2, 1.0, one)
    >>> mean, terms.evidence.shape
    (2.0, (2, 2))
    """
    targets = np.eye(classes)[train.labels]
    counts = smooth(np.asarray(train.features.T @ targets), Backoff(strength))
    totals = counts.sum(axis=0)
    mean = float(train.features.sum()) / train.labels.shape[0]
    norms = np.asarray(part.features.sum(axis=1)).reshape(-1, 1)
    evidence = np.asarray(part.features @ np.log(counts / totals))
    return Terms(evidence, norms * np.log(totals), part.labels), mean


def sweep(key: Line, sources: Sources) -> Line:
    """In a worker: loss against K, and the best K, λ and both, on validation data."""
    bench = bench_of(key, sources)
    terms, mean = terms_of(bench.train, bench.classes, key["strength"], bench.validation)
    lam, kappa = 1.0, 1 / mean
    ways = {
        "mean": (lam, kappa),
        "unit": (lam, 1.0),
        "best": terms.fit("kappa", lam, kappa),
        "tempered": terms.fit("lambda", lam, kappa),
        "both": terms.fit("both", lam, kappa),
    }
    curve = []
    for octave in np.arange(-OCTAVES, OCTAVES + 0.5, 1.0):
        k = mean * 2.0**octave
        nats, right = terms.judged(1.0, 1 / k)
        point = [_short(k), _short(nats), _short(right)]
        if abs(octave) <= FITTED:
            cool = terms.fit("lambda", ways["tempered"][0], 1 / k)
            point.append(_short(terms.judged(*cool)[0]))
        curve.append(point)
    norms = np.asarray(bench.train.features.sum(axis=1)).ravel()
    return {
        "mean_norm": _short(mean),
        "norms": [_short(q) for q in np.quantile(norms, (0.05, 0.5, 0.95))],
        "ways": {
            name: {
                "lambda": way[0],
                "kappa": way[1],
                "nats": _short(terms.judged(*way)[0]),
                "accuracy": _short(terms.judged(*way)[1]),
            }
            for name, way in ways.items()
        },
        "curve": curve,
    }


def read_test(key: Line, sources: Sources) -> Line:
    """In a worker: read the test data once, for every way with the smoothing chosen for it."""
    bench = bench_of(key, sources)
    logits = {}
    for name, chosen in key["chosen"].items():
        terms, _ = terms_of(bench.train, bench.classes, chosen["strength"], bench.test)
        logits[name] = terms.logits(chosen["lambda"], chosen["kappa"])
    return judge_all(logits, bench.test.labels, bench.test.borders)


def _short(value: float) -> float:
    return float(f"{value:.6g}")
