"""Log-linear n-gram model: evidence of slots and of n-grams ("phrases"), weighted by tempers.

(Kneser–Ney models by KenLM: `saffu_lab.rivals.kenlm`; the bigram: `saffu.models.baselines`.)

The direct model of SPEC 4 has one feature for each token in each slot.  Here there is also one for
each phrase, the j newest tokens together.  Its evidence is what it adds to the shorter phrase:

    z = log q + Σ_k λ_k R_k[x_k] + Σ_j μ_j S_j[x_0 … x_{j−1}]
    R_k[x, y] = log P_k(y|x) − log q_y           S_j[p, y] = log P_j(y|p) − log P_{j−1}(y|p′)
    P_j(y|p) = (max(C − δ, 0) + δ r⁺ P_{j−1}(y|p′)) / n,     P_0 = q,     p′ = p less its oldest

so that λ_0 = μ_j = 1, with all other λ at 0, is interpolated absolute discounting (Ney, Essen &
Kneser 1994), and the softmax is its own normaliser there.  For a y that never followed p, S_j is
the same whatever y, so after a shift S is as sparse as the counts.  The tempers λ and μ depend on
how often the feature was seen (n = 1, 2–7, 8–31, …), since evidence from few counts is worth less;
the loss is still convex in them, and they are fitted on validation text.   [D]
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from saffu.direct import evidence_table, log_shares
from saffu.explicit.newton import Curve, minimise_convex
from saffu.explicit.smoothing import Discount
from saffu.fast.plans import slices
from saffu.pairs import Pairs, pair_counts
from saffu.positions import Samples
from saffu.search.tempers import EvidenceBlock, evidence_curve
from saffu.types import Array, IntArray, Nats
from saffu_lab.records.corpora import Texts
from saffu_lab.records.results import Line
from saffu_lab.study.selection import by_document, nats_of_test, trial_line
from saffu_lab.study.sources import Sources
from saffu_lab.study.texts import texts

CLASSES = 6
"""of features, by how often they were seen"""
ROWS = 64
"""samples whose evidence is held densely at once"""
FITTED = 6_000
"""validation targets on which tempers are fitted, at most"""
TRUST = 1e-4
"""what a temper pays, in nats, for the square of its distance from absolute discounting: next to
nothing, but enough for classes that the validation text hardly has"""


class Level(NamedTuple):
    """All phrases of one length, in the order of their keys."""

    keys: IntArray
    """[P] Σ_i x_i V^i, ascending"""
    evidence: Pairs
    """S [P, V], sparse"""
    seen: IntArray
    """n [P], how often each phrase stood before a target"""


class PhraseModel(NamedTuple):
    """Counts, and a temper for each feature and class."""

    prior: Array
    """log q [V]"""
    slots: tuple[Level, ...]
    """single tokens; keys are all token ids"""
    phrases: tuple[Level, ...]
    """of 2, 3, … tokens"""
    temper: Array
    """[K + J, CLASSES]"""


def phrase_keys(samples: Samples, length: int, size: int, skip: int = 0) -> tuple[IntArray, Array]:
    """The key of the `length` tokens from `skip` steps back, and where there are that many.

    >>> from saffu.positions import make_samples
    >>> keys, valid = phrase_keys(make_samples([np.array([0, 3, 4, 1])]), 2, 5)
    >>> keys[valid].tolist()
    [3, 19]
    """
    at = np.arange(samples.tokens.shape[0])
    valid = samples.offsets >= skip + length - 1
    keys = np.zeros(at.shape[0], dtype=np.int64)
    for i in range(length):
        back = np.maximum(at - skip - i, 0)
        keys += samples.tokens[back].astype(np.int64) * size**i
    return keys, valid


def count_model(
    samples: Samples, size: int, slots: int, longest: int, discount: float
) -> PhraseModel:
    """Everything but the tempers, which are those of absolute discounting.

    Parameters: `samples` of the training text; `size` V; `slots` K; `longest`, tokens of a phrase
    at most (1: none); `discount` δ.
    """
    prior = log_shares(np.bincount(samples.targets, minlength=size))
    q, singles = np.exp(prior), []
    tokens: IntArray = np.arange(size)
    first: Pairs = None
    for k in range(slots):
        x, valid = phrase_keys(samples, 1, size, skip=k)
        counts = pair_counts(x[valid], samples.targets[valid], size)
        first = counts if k == 0 else first
        seen = np.asarray(counts.sum(axis=1)).astype(np.int64)
        singles.append(Level(tokens, evidence_table(counts, q, Discount(discount)), seen))
    levels: list[Level] = []
    below_keys, below = tokens, _shares_of_cells(first, q[first.indices], discount)
    for length in range(2, longest + 1):
        keys, valid = phrase_keys(samples, length, size)
        phrases, row = np.unique(keys[valid], return_inverse=True)
        counts = _counts(row, samples.targets[valid], phrases.shape[0], size)
        shorter = np.searchsorted(below_keys, phrases % size ** (length - 1))
        wanted = _codes(counts, shorter, size)
        lower = below[1][np.searchsorted(below[0], wanted)]
        levels.append(_level(phrases, counts, lower, discount))
        below_keys, below = phrases, _shares_of_cells(counts, lower, discount)
    temper = np.zeros((slots + len(levels), CLASSES))
    temper[0] = 1.0
    temper[slots:] = 1.0
    return PhraseModel(prior, tuple(singles), tuple(levels), temper)


def _counts(rows: IntArray, targets: IntArray, height: int, size: int) -> Any:
    ones = np.ones(rows.shape[0])
    counts = sparse.coo_array((ones, (rows, targets)), shape=(height, size)).tocsr()
    counts.sum_duplicates()
    return counts


def _codes(counts: Any, rows: IntArray, size: int) -> IntArray:
    """One number for each cell: row · V + target, rows renamed by `rows`."""
    of_row = np.repeat(rows, np.diff(counts.indptr)).astype(np.int64)
    return np.asarray(of_row * size + counts.indices)


def _shares_of_cells(counts: Any, lower: Array, discount: float) -> tuple[IntArray, Array]:
    """The code of every cell, ascending, and P(y|p) there."""
    counts.sort_indices()
    cells = np.diff(counts.indptr)
    n = np.repeat(np.asarray(counts.sum(axis=1)), cells)
    rest = discount * np.repeat(cells, cells) * lower
    codes = _codes(counts, np.arange(counts.shape[0]), counts.shape[1])
    return codes, (counts.data - discount + rest) / n


def _level(keys: IntArray, counts: Any, lower: Array, discount: float) -> Level:
    """S from counts and the shares of the shorter phrase at the same cells."""
    cells = np.diff(counts.indptr)
    rest = discount * np.repeat(cells, cells) * lower
    table = counts.copy()
    table.data = np.log((counts.data - discount + rest) / rest)
    return Level(keys, table, np.asarray(counts.sum(axis=1)).astype(np.int64))


def classes(seen: IntArray) -> IntArray:
    """The class of each feature, by half the number of binary digits of its count.

    >>> classes(np.array([0, 1, 2, 7, 8, 31, 32, 10_000])).tolist()
    [0, 0, 1, 1, 2, 2, 3, 5]
    """
    digits = np.ceil(np.log2(seen + 1)).astype(np.int64)
    return np.minimum(digits // 2, CLASSES - 1)


def evidence_of(
    model: PhraseModel, samples: Samples, select: IntArray
) -> Iterator[tuple[IntArray, Array, Array]]:
    """By blocks of samples: which they are, evidence [n, K + J, V], class of each feature [n, K+J].

    A phrase that was never seen says nothing.
    """
    size = model.prior.shape[0]
    rows, known = [], []
    for k, level in enumerate(model.slots):
        x, valid = phrase_keys(samples, 1, size, skip=k)
        rows.append(x)
        known.append(valid & (level.seen[x] > 0))
    for j, level in enumerate(model.phrases):
        keys, valid = phrase_keys(samples, j + 2, size)
        at = np.minimum(np.searchsorted(level.keys, keys), level.keys.shape[0] - 1)
        rows.append(at)
        known.append(valid & (level.keys[at] == keys))
    levels = (*model.slots, *model.phrases)
    which = [classes(level.seen) for level in levels]
    for block in slices(select.shape[0], ROWS):
        part = select[block]
        dense, of = [], []
        for level, row, ok, kind in zip(levels, rows, known, which, strict=True):
            part_evidence = level.evidence[row[part]].toarray().astype(np.float32)
            dense.append(part_evidence * ok[part][:, None])
            of.append(kind[row[part]])
        yield part, np.stack(dense, axis=1), np.stack(of, axis=1)


def fit_tempers(model: PhraseModel, judge: Samples) -> PhraseModel:
    """The same model with the best tempers for (some of) the judge's samples."""
    m = judge.targets.shape[0]
    select = np.linspace(0, m - 1, min(m, FITTED)).astype(np.int64)
    prior, shape = model.prior.astype(np.float32), model.temper.shape
    offsets = np.arange(shape[0]) * shape[1]
    blocks = [
        EvidenceBlock(evidence, kind + offsets, judge.targets[part])
        for part, evidence, kind in evidence_of(model, judge, select)
    ]
    start = model.temper.ravel()

    def curve(place: Array) -> Curve:
        value, slope, bend = evidence_curve(place, prior, blocks)
        away = place - start
        return Curve(
            value + TRUST * float(away @ away),
            slope + 2 * TRUST * away,
            bend + 2 * TRUST * np.eye(place.shape[0]),
        )

    minimum = minimise_convex(curve, start, tolerance=1e-3)
    return model._replace(temper=minimum.place.reshape(shape))


def phrase_nats(model: PhraseModel, samples: Samples) -> Nats:
    """Nats of every sample [M]."""
    parts = []
    features = np.arange(model.temper.shape[0])
    for part, evidence, kind in evidence_of(model, samples, np.arange(samples.targets.shape[0])):
        weights = model.temper[features, kind].astype(np.float32)
        z = np.matmul(weights[:, None, :], evidence)[:, 0].astype(np.float64) + model.prior
        z -= z.max(axis=1, keepdims=True)
        right = z[np.arange(part.shape[0]), samples.targets[part]]
        parts.append(np.log(np.exp(z).sum(axis=1)) - right)
    return np.concatenate(parts)


def size_of(model: PhraseModel) -> int:
    """Cells of counts and tempers."""
    levels = (*model.slots, *model.phrases)
    return int(model.temper.size + model.prior.size + sum(level.evidence.nnz for level in levels))


def made(key: Line, sources: Sources) -> tuple[PhraseModel, Texts]:
    """The model of a task: `phrases`, `slots`, `discount` and `vocabulary` are in its recipe."""
    recipe, seed = key["recipe"], key["seed"]
    common = texts(sources, recipe["vocabulary"], seed)
    corpus = common.amount(key["targets"], seed)
    (train,) = corpus.chunks(corpus.targets)
    held = common.validation
    (judge,) = held.chunks(held.targets)
    model = count_model(
        train, len(common.vocabulary), recipe["slots"], recipe["phrases"], recipe["discount"]
    )
    return fit_tempers(model, judge), common


def trial_phrases(key: Line, sources: Sources) -> Line:
    """In a worker: fit one model and judge it on validation text."""
    began = time.process_time()
    model, common = made(key, sources)
    spent = time.process_time() - began
    return trial_line(
        by_document(partial(phrase_nats, model), common.validation),
        cpu_seconds=spent,
        parameters=size_of(model),
        trained_on=common.amount(key["targets"], key["seed"]).targets,
        tempers=model.temper.round(3).tolist(),
    )


def read_phrases(key: Line, sources: Sources) -> Line:
    """In a worker: the test text, once; the model is made again, which takes seconds."""
    model, common = made(key, sources)
    return nats_of_test(partial(phrase_nats, model), common.test)
