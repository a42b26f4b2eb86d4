"""The baselines against counting by hand: dictionaries, and every λ of a grid."""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saffu.data import count_tokens
from saffu.data.corpus import Corpus
from saffu.data.tokenisers import Characters
from saffu.engines.passes import Everything
from saffu.errors import BadOption, TokenOutOfRange
from saffu.models.baselines import (
    Baselines,
    Bigram,
    Unigram,
    continue_text,
    fit_baselines,
    measure,
    unigram_of,
)
from saffu.positions import END, START, UNKNOWN, make_samples
from saffu.types import IntArray
from spec_tests.support.texts import Chunked, random_documents

SIZE = 13
documents = st.lists(
    st.lists(st.integers(3, SIZE - 2), max_size=11).map(lambda inner: np.array([0, *inner, 1])),
    min_size=1,
    max_size=7,
)
"""The last id never occurs."""


def pairs(documents: list[IntArray]) -> list[tuple[int, int]]:
    return [(int(x), int(y)) for d in documents for x, y in pairwise(d)]


def naive_unigram(train: list[IntArray]) -> list[float]:
    often = Counter(y for _, y in pairs(train))
    return [(often[y] + 1) / (often.total() + SIZE) for y in range(SIZE)]


def share_after(train: list[IntArray], x: int, y: int) -> float:
    followed = [b for a, b in pairs(train) if a == x]
    return followed.count(y) / len(followed) if followed else 0.0


def fitted(train: list[IntArray], validation: list[IntArray]) -> Baselines:
    return fit_baselines(Chunked(train), Chunked(validation), SIZE)


@given(documents, documents)
def test_the_unigram_is_add_one(train: list[IntArray], validation: list[IntArray]) -> None:
    unigram = fitted(train, validation).unigram
    np.testing.assert_allclose(unigram.shares, naive_unigram(train), rtol=1e-13)
    np.testing.assert_allclose(
        unigram.nats(make_samples(validation)),
        [-math.log(naive_unigram(train)[y]) for _, y in pairs(validation)],
        rtol=1e-13,
    )


@given(documents, documents)
def test_the_bigram_is_a_mixture(train: list[IntArray], validation: list[IntArray]) -> None:
    bigram = fitted(train, validation).bigram
    q = naive_unigram(train)
    expected = []
    for x, y in pairs(validation):
        trust = bigram.trust[x]
        expected.append(-math.log(trust * share_after(train, x, y) + (1 - trust) * q[y]))
    np.testing.assert_allclose(bigram.nats(make_samples(validation)), expected, rtol=1e-12)


@given(documents, documents)
def test_tokens_seen_about_equally_often_share_a_weight(
    train: list[IntArray], validation: list[IntArray]
) -> None:
    trust = fitted(train, validation).bigram.trust
    seen = Counter(x for x, _ in pairs(train))
    for x in range(SIZE):
        assert (trust[x] == 0) == (seen[x] == 0)
        for other in range(x):
            if seen[x] and seen[other] and len(bin(seen[x])) == len(bin(seen[other])):
                assert trust[x] == trust[other]


@given(st.integers(0, 1000), st.integers(0, 1000))
def test_no_other_weight_makes_held_out_text_likelier(one: int, other: int) -> None:
    """Each class against a grid, the two imagined samples included."""
    train = random_documents(one, SIZE - 1, [17, 23, 5])
    validation = random_documents(other, SIZE - 1, [19, 11])
    trust = fitted(train, validation).bigram.trust
    q = naive_unigram(train)
    seen = Counter(x for x, _ in pairs(train))
    for bits in {len(bin(often)) for often in seen.values()}:
        of_class = [x for x in seen if len(bin(seen[x])) == bits]
        held = [(x, y) for x, y in pairs(validation) if x in of_class]

        def log_likelihood(a: float, held: list[tuple[int, int]] = held) -> float:
            each = [math.log(a * share_after(train, x, y) + (1 - a) * q[y]) for x, y in held]
            return sum(each) + math.log(a) + math.log(1 - a)

        best = log_likelihood(float(trust[of_class[0]]))
        assert best >= max(log_likelihood(i / 97) for i in range(1, 97)) - 1e-6


@given(documents, documents)
def test_what_follows_is_a_distribution_and_the_one_that_is_measured(
    train: list[IntArray], validation: list[IntArray]
) -> None:
    text = make_samples(validation)
    for model in fitted(train, validation):
        for x in range(SIZE):
            follows = model.follows(x)
            assert follows.min() > 0
            assert follows.sum() == pytest.approx(1, abs=1e-12)
        probabilities = [model.follows(int(x))[y] for x, y in pairs(validation)]
        np.testing.assert_allclose(model.nats(text), -np.log(probabilities), rtol=1e-12)


def test_chunks_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    train, validation = random_documents(5, SIZE, [31, 7, 23]), random_documents(6, SIZE, [13, 29])
    whole = fit_baselines(
        Everything(make_samples(train)), Everything(make_samples(validation)), SIZE
    )
    monkeypatch.setattr("saffu.models.baselines.CHUNK", 11)
    parts = fitted(train, validation)
    np.testing.assert_array_equal(parts.unigram.shares, whole.unigram.shares)
    np.testing.assert_array_equal(parts.bigram.after.toarray(), whole.bigram.after.toarray())
    np.testing.assert_allclose(parts.bigram.trust, whole.bigram.trust, rtol=1e-12)


# --- on a corpus --------------------------------------------------------------------------------

TEXTS = ["abab", "abc", "abca", "b", "ccab", "abcab", "baab"]


def corpus() -> tuple[Corpus, Baselines]:
    vocabulary = count_tokens(TEXTS, Characters()).vocabulary()
    text = Corpus.in_memory(TEXTS, Characters(), vocabulary)
    return text, fit_baselines(text, text, len(vocabulary))


def test_a_text_is_measured_as_a_whole() -> None:
    text, (unigram, _) = corpus()
    total = measure(unigram, text)
    letters = Counter("".join(TEXTS))
    letters["end"] = len(TEXTS)
    size = len(letters) + 2
    nats = -sum(n * math.log((n + 1) / (letters.total() + size)) for n in letters.values())
    assert total.nats == pytest.approx(nats, rel=1e-12)
    assert (total.targets, total.bytes) == (letters.total(), sum(map(len, TEXTS)))
    assert total.perplexity == pytest.approx(math.exp(nats / letters.total()))
    assert total.bits_per_byte == pytest.approx(nats / math.log(2) / total.bytes)


def test_the_vocabulary_knows_the_unigram() -> None:
    text, (unigram, _) = corpus()
    vocabulary = count_tokens(TEXTS, Characters()).vocabulary()
    np.testing.assert_array_equal(unigram_of(vocabulary).shares, unigram.shares)
    assert text.counts(len(vocabulary))[START] == len(TEXTS), "<sod> occurs, but is no target"
    assert unigram.shares[START] == min(unigram.shares)


def test_text_is_continued_by_what_follows() -> None:
    vocabulary = count_tokens(["abcabcabcabc"], Characters()).vocabulary()
    text = Corpus.in_memory(["abcabcabcabc"], Characters(), vocabulary)
    bigram = fit_baselines(text, text, len(vocabulary)).bigram
    said = continue_text(bigram, Characters(), vocabulary, "ab", tokens=7, temperature=0.0)
    assert said == "abcabcabc"


def test_markers_are_never_drawn() -> None:
    shares = np.full(5, 1e-9)
    shares[[START, UNKNOWN]] = 0.4
    shares[END] = 1e-300
    vocabulary = count_tokens(["ab"], Characters()).vocabulary()
    said = continue_text(Unigram(shares), Characters(), vocabulary, tokens=41, top_k=None, seed=3)
    assert said
    assert set(said) <= {"a", "b"}


def test_a_text_ends_at_its_end() -> None:
    shares = np.full(5, 1e-300)
    shares[END] = 1.0
    vocabulary = count_tokens(["ab"], Characters()).vocabulary()
    assert continue_text(Unigram(shares), Characters(), vocabulary, "ba", seed=3) == "ba"


def test_the_same_seed_draws_the_same_text() -> None:
    bigram = corpus()[1].bigram
    vocabulary = count_tokens(TEXTS, Characters()).vocabulary()

    def drawn(model: Bigram, seed: int) -> str:
        return continue_text(model, Characters(), vocabulary, tokens=30, seed=seed)

    assert drawn(bigram, 5) == drawn(bigram, 5)
    assert len({drawn(bigram, seed) for seed in range(9)}) > 1


@pytest.mark.parametrize("which", ["train", "validation"])
def test_a_token_that_the_vocabulary_lacks_is_refused(which: str) -> None:
    good, bad = Chunked([np.array([0, 3, 1])]), Chunked([np.array([0, 3, 4, 1])])
    train, validation = (bad, good) if which == "train" else (good, bad)
    with pytest.raises(TokenOutOfRange, match=rf"{which}\[1\] must be .*, got 4"):
        fit_baselines(train, validation, size=4)


def test_a_vocabulary_of_one_is_refused() -> None:
    text = Chunked([np.array([0, 1])])
    with pytest.raises(BadOption, match=r"size must be .*, got 1"):
        fit_baselines(text, text, size=1)
