"""Baselines of language models: the unigram and the interpolated bigram.   (SPEC 7)

    unigram   q_y = (n_y + 1) / (Σ n + V)
    bigram    P(y | x) = λ n_xy / n_x + (1 − λ) q_y,   one λ for all x seen about equally often
              (Jelinek & Mercer 1980; the classes are 0, 1, 2–3, 4–7, 8–15, … occurrences)

The λ maximise the likelihood of held-out text.  It is concave in λ, so expectation-maximisation
converges to the maximum; one imagined sample for each of the two terms keeps λ inside (0, 1) where
a class has little held-out text.   [D for the imagined samples]
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from saffu import checks
from saffu.data.corpus import Corpus
from saffu.data.tokenisers import Tokeniser
from saffu.data.vocabulary import Vocabulary
from saffu.engines.passes import Source
from saffu.explicit.smoothing import shares_of_totals
from saffu.models.sampling import Drawing, sample_text
from saffu.models.transformer import Total
from saffu.pairs import Pairs, pair_counts
from saffu.positions import START, Samples
from saffu.types import Array, IntArray, Nats

CHUNK = 1 << 16
"""Targets read at a time."""
STEPS = 200
"""The largest number of steps of expectation-maximisation."""


@runtime_checkable
class Baseline(Protocol):
    """A model whose context is at most one token."""

    def nats(self, samples: Samples) -> Nats:
        """Nats of each sample [M]."""
        ...

    def follows(self, newest: int) -> Array:
        """The probability of every token [V] after the newest one."""
        ...


class Unigram(NamedTuple):
    """Relative frequencies in the training text, whatever the context."""

    shares: Array
    """q [V]"""

    def nats(self, samples: Samples) -> Nats:
        """Nats of each sample [M]."""
        return np.asarray(-np.log(self.shares[samples.targets]))

    def follows(self, newest: int) -> Array:  # noqa: ARG002
        """The probability of every token [V], the same after every token."""
        return self.shares


class Bigram(NamedTuple):
    """Relative frequencies after the newest token, mixed with the unigram."""

    shares: Array
    """q [V]"""
    after: Pairs
    """n_xy / n_x [V, V], sparse"""
    trust: Array
    """λ [V] of each x; 0 where x was never seen"""

    def nats(self, samples: Samples) -> Nats:
        """Nats of each sample [M]."""
        trust = self.trust[samples.tokens]
        seen = _looked_up(self.after, samples)
        return np.asarray(-np.log(trust * seen + (1 - trust) * self.shares[samples.targets]))

    def follows(self, newest: int) -> Array:
        """The probability of every token [V] after the newest one."""
        seen = self.after[[newest]].toarray()[0]
        return np.asarray(self.trust[newest] * seen + (1 - self.trust[newest]) * self.shares)


class Baselines(NamedTuple):
    """Both baselines, from one pass over the training text."""

    unigram: Unigram
    bigram: Bigram


def fit_baselines(train: Source, validation: Source, size: int) -> Baselines:
    """Count the training text; choose the λ on held-out text.   (SPEC 7)

    Parameters: `train` and `validation`, corpora; `size` V >= 2, tokens of the vocabulary.
    Refuses: ids that are not below `size`.

    >>> from saffu.engines.passes import Everything
    >>> from saffu.positions import make_samples
    >>> text = Everything(make_samples([np.array([0, 3, 4, 3, 4, 1])]))
    >>> both = fit_baselines(text, text, size=5)
    >>> both.unigram.shares.tolist()
    [0.1, 0.2, 0.1, 0.3, 0.3]
    >>> both.bigram.after[[3]].toarray().tolist(), both.bigram.trust.round(2).tolist()
    ([[0.0, 0.0, 0.0, 0.0, 1.0]], [0.61, 0.0, 0.0, 0.76, 0.76])
    """
    checks.whole("size", size, 2, "SPEC 7")
    counts: Pairs = sparse.csr_array((size, size))
    for chunk in train.chunks(CHUNK):
        checks.token_ids(chunk.targets, size, "train")
        counts = counts + pair_counts(chunk.tokens, chunk.targets, size)
    seen: Array = np.asarray(counts.sum(axis=1))
    shares = shares_of_totals(np.asarray(counts.sum(axis=0)))
    after = counts.multiply(1 / np.maximum(seen, 1)[:, None]).tocsr()
    classes = _classes(seen)
    trust = _fit_trust(validation, shares, after, classes)
    of_each = np.where(seen > 0, trust[classes], 0.0)
    return Baselines(Unigram(shares), Bigram(shares, after, of_each))


def unigram_of(vocabulary: Vocabulary) -> Unigram:
    """The unigram of the text that a vocabulary was counted in.   (SPEC 7)

    >>> vocabulary = Vocabulary.from_counts({"a": 3, "b": 1}, documents=1)
    >>> unigram_of(vocabulary).shares.tolist()
    [0.1, 0.2, 0.1, 0.4, 0.2]
    """
    targets = vocabulary.counts.copy()
    targets[START] = 0
    return Unigram(shares_of_totals(targets))


def measure(model: Baseline, corpus: Corpus) -> Total:
    """Nats over all targets of a text.   (SPEC 7)"""
    nats = sum(float(model.nats(chunk).sum()) for chunk in corpus.chunks(CHUNK))
    return Total(nats, corpus.targets, corpus.bytes)


def continue_text(
    model: Baseline,
    tokeniser: Tokeniser,
    vocabulary: Vocabulary,
    prompt: str = "",
    *,
    tokens: int = 60,
    temperature: float = 1.0,
    top_k: int | None = 40,
    seed: int = 0,
) -> str:
    """Continue a text, as `SaffuTransformer.generate` does.   (SPEC 4)"""

    def follow(ids: IntArray) -> Array:
        return np.asarray(np.log(model.follows(int(ids[-1]))))

    drawing = Drawing(tokens, temperature, top_k, seed)
    return sample_text(follow, tokeniser, vocabulary, prompt, drawing)


def _classes(seen: Array) -> NDArray[np.int64]:
    """The bit length of each count: 0 for 0, 1 for 1, 2 for 2–3, 3 for 4–7, …"""
    bits: NDArray[Any] = np.ceil(np.log2(seen + 1))
    return bits.astype(np.int64)


def _fit_trust(validation: Source, shares: Array, after: Pairs, classes: IntArray) -> Array:
    """λ of each class, by expectation-maximisation."""
    of, bigram, unigram = [], [], []
    for chunk in validation.chunks(CHUNK):
        checks.token_ids(chunk.targets, shares.shape[0], "validation")
        of.append(classes[chunk.tokens])
        bigram.append(_looked_up(after, chunk))
        unigram.append(shares[chunk.targets])
    which, p, q = np.concatenate(of), np.concatenate(bigram), np.concatenate(unigram)
    number = int(classes.max()) + 1
    samples = np.bincount(which, minlength=number)
    trust = np.full(number, 0.5)
    for _ in range(STEPS):
        claim = trust[which] * p
        claim /= claim + (1 - trust[which]) * q
        better = (np.bincount(which, claim, minlength=number) + 1) / (samples + 2)
        moved = float(np.abs(better - trust).max())
        trust = better
        if moved < 1e-7:
            break
    return trust


def _looked_up(after: Pairs, samples: Samples) -> Array:
    """n_xy / n_x of each sample [M]."""
    return np.asarray(after[samples.tokens, samples.targets]).reshape(-1)
