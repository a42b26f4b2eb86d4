"""Words and phrases: what the evidence is by its definition, and that it nests n-grams.   [D]"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saffu.explicit.smoothing import shares_of_totals
from saffu.positions import Samples, make_samples
from saffu.types import Array
from saffu_lab.models.log_linear_ngrams import (
    CLASSES,
    classes,
    count_model,
    evidence_of,
    fit_tempers,
    phrase_keys,
    phrase_nats,
)
from spec_tests.support.texts import sentences

SIZE, DISCOUNT = 7, 0.75


def drawn(seed: int, number: int = 23) -> Samples:
    """Documents of ids 3 … 6, none of them even."""
    random = np.random.default_rng(seed)
    chances = np.array([0.5, 0.3, 0.15, 0.05])
    documents = [
        np.concatenate([[0], 3 + random.choice(4, random.integers(1, 12), p=chances), [1]])
        for _ in range(number)
    ]
    return make_samples([document.astype(np.int64) for document in documents])


def share(counts: dict[tuple[int, ...], Array], context: Sequence[int], q: Array) -> Array:
    """Interpolated absolute discounting, straight from its definition: P(· | context) [V]."""
    if not context:
        return q
    lower = share(counts, context[:-1], q)
    seen = counts.get(tuple(context))
    if seen is None:
        return lower
    n, kinds = seen.sum(), (seen > 0).sum()
    return np.asarray((np.maximum(seen - DISCOUNT, 0) + DISCOUNT * kinds * lower) / n)


def counted(text: Samples, longest: int) -> dict[tuple[int, ...], Array]:
    """How often each target followed each context, newest token first."""
    counts: dict[tuple[int, ...], Array] = {}
    for m in range(text.targets.shape[0]):
        for length in range(1, min(longest, int(text.offsets[m]) + 1) + 1):
            context = tuple(int(x) for x in text.tokens[m - np.arange(length)])
            counts.setdefault(context, np.zeros(SIZE))[text.targets[m]] += 1
    return counts


@pytest.mark.parametrize("longest", [1, 2, 3, 4])
def test_with_tempers_of_one_it_is_interpolated_absolute_discounting(longest: int) -> None:
    train, other = drawn(1), drawn(2, number=5)
    model = count_model(train, SIZE, 2, longest, DISCOUNT)
    nats = phrase_nats(model, other)
    q = shares_of_totals(np.bincount(train.targets, minlength=SIZE))
    counts = counted(train, longest)
    for m in range(other.targets.shape[0]):
        length = min(longest, int(other.offsets[m]) + 1)
        context = [int(x) for x in other.tokens[m - np.arange(length)]]
        wanted = share(counts, context, q)
        assert wanted.sum() == pytest.approx(1.0)
        assert nats[m] == pytest.approx(-np.log(wanted[other.targets[m]]), abs=1e-5)


def test_fitted_tempers_are_no_worse_on_what_they_were_fitted_on() -> None:
    train, judge = drawn(1, 199), drawn(3, 199)
    model = count_model(train, SIZE, 3, 3, DISCOUNT)
    fitted = fit_tempers(model, judge)
    before, after = (float(phrase_nats(m, judge).mean()) for m in (model, fitted))
    assert after < before
    step = np.random.default_rng(4).normal(size=fitted.temper.shape)
    for small in (0.05, -0.05):
        near = fitted._replace(temper=fitted.temper + small * step)
        assert float(phrase_nats(near, judge).mean()) > after - 1e-3


def test_a_phrase_that_was_never_seen_says_nothing() -> None:
    train = make_samples([np.array([0, 3, 4, 3, 1])])
    other = make_samples([np.array([0, 5, 6, 1])])
    model = count_model(train, SIZE, 1, 3, DISCOUNT)
    ((_, evidence, _),) = evidence_of(model, other, np.arange(3))
    assert not evidence[1:].any()
    assert evidence[0, 0].any()


def test_phrases_do_not_reach_over_the_start_of_a_document() -> None:
    text = make_samples([np.array([0, 3, 1]), np.array([0, 4, 5, 1])])
    keys, valid = phrase_keys(text, 2, SIZE)
    assert valid.tolist() == [False, True, False, True, True]
    assert keys[valid].tolist() == [3 + 7 * 0, 4 + 7 * 0, 5 + 7 * 4]


@given(st.integers(0, 10**9))
def test_classes_grow_with_the_count(n: int) -> None:
    here, next_one = classes(np.array([n, n + 1]))
    assert 0 <= here <= next_one < CLASSES


def test_longer_phrases_help_where_the_text_repeats_them() -> None:
    words = [" ".join(sentences(i, 5)).split() for i in range(200)]
    names = {w: 3 + i for i, w in enumerate(sorted({w for d in words for w in d}))}
    size = 3 + len(names)
    documents = [np.array([0, *(names[w] for w in d), 1]) for d in words]
    train, judge = make_samples(documents[:150]), make_samples(documents[150:])
    nats = [
        float(
            phrase_nats(fit_tempers(count_model(train, size, 1, n, DISCOUNT), judge), judge).mean()
        )
        for n in (1, 2)
    ]
    assert nats[1] < nats[0]
