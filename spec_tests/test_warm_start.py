"""The warm start of a whole transformer, without backpropagation.   (SPEC 5)"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from saffu.batch import plan
from saffu.configuration import Configuration
from saffu.contexts import BlockContext, DocumentContext, RadialContext
from saffu.errors import (
    BadOption,
    FractionalCount,
    NoSamples,
    SaffuError,
    TokenOutOfRange,
    ZeroCount,
    ZeroNorm,
)
from saffu.explicit.smoothing import Additive, Backoff, Discount, Smoothing
from saffu.layer import LayerOptions
from saffu.model import model_forward, model_loss
from saffu.numerics import softmax
from saffu.parameters import flatten, names, shapes
from saffu.positions import make_samples
from saffu.types import Array
from saffu.warm.layer import WarmSettings
from saffu.warm.start import WarmStart, warm_start
from spec_tests.conftest import shapes_unchecked
from spec_tests.support import naive_warm
from spec_tests.support.models import (
    ALL_OPTIONS,
    TEXT,
    THREE_CONTEXTS,
    Documents,
    naive_choices,
    option_sets,
    small,
    texts,
    whole,
    words,
)

every_option = pytest.mark.parametrize(
    "options", ALL_OPTIONS, ids=lambda o: f"{o.aggregation}-{o.attention}-{o.gain}"
)


def recipe(settings: WarmSettings) -> naive_warm.Recipe:
    def spelled(smoothing: Smoothing) -> tuple[str, float]:
        return type(smoothing).__name__, smoothing.strength

    return naive_warm.Recipe(
        settings.rounds,
        spelled(settings.hidden_smoothing),
        spelled(settings.attention_smoothing),
        spelled(settings.output_smoothing),
        settings.hidden_temper,
        settings.hidden_scale,
        settings.output_temper,
        settings.refits,
    )


def check_against_loops(
    documents: Documents, configuration: Configuration, settings: WarmSettings, rtol: float = 1e-9
) -> WarmStart:
    """All parameters and tempers are those of the loops over samples."""
    got = warm_start(documents, configuration, settings)
    expected = naive_warm.warm_start(
        [document.tolist() for document in documents],
        configuration.vocabulary,
        configuration.bits,
        configuration.label_bits,
        configuration.radii,
        [words(context) for context in configuration.contexts],
        configuration.depth,
        naive_choices(configuration.layer),
        recipe(settings),
    )
    inner = [array for tower in expected.towers for layer in tower for array in layer]
    wanted = [expected.embedding, *inner, expected.output]
    assert tuple(leaf.shape for leaf in flatten(got.parameters)) == shapes(configuration)
    for name, mine, other in zip(
        names(got.parameters), flatten(got.parameters), wanted, strict=True
    ):
        np.testing.assert_allclose(mine, other, rtol=rtol, atol=rtol, err_msg=name)
    np.testing.assert_allclose(
        [lam for tower in got.hidden_tempers for lam in tower],
        [lam for tower in expected.hidden_tempers for lam in tower],
        rtol=rtol,
    )
    assert [len(tower) for tower in got.hidden_tempers] == [len(t) for t in expected.towers]
    assert got.output_temper == pytest.approx(expected.output_temper, rel=rtol)
    return got


# --- all steps, against loops -----------------------------------------------------------------


@every_option
def test_the_steps_for_every_option(options: LayerOptions) -> None:
    check_against_loops(TEXT, small(THREE_CONTEXTS, 1, options), WarmSettings())


@pytest.mark.parametrize("rounds", [0, 2, 3])
@pytest.mark.parametrize("attention", ["softmax", "surprisal"])
def test_rounds_of_attention(rounds: int, attention: Any) -> None:
    options = LayerOptions(attention=attention)
    check_against_loops(TEXT, small([RadialContext(3)], 1, options), WarmSettings(rounds=rounds))


@pytest.mark.parametrize(("depth", "refits"), [(2, 0), (2, 1), (3, 1), (2, 2)])
@pytest.mark.parametrize(
    "options", [LayerOptions(), LayerOptions("sum", "surprisal"), LayerOptions("sum", "uniform")]
)
def test_stacks_and_their_refits(options: LayerOptions, depth: int, refits: int) -> None:
    configuration = small([RadialContext(3), DocumentContext(), BlockContext(2)], depth, options)
    check_against_loops(TEXT, configuration, WarmSettings(refits=refits), rtol=1e-8)


TEMPERS = [
    WarmSettings(hidden_temper=0.6, output_temper=1.7),
    WarmSettings(hidden_temper=0.6, hidden_scale=4.0),
    WarmSettings(output_temper=None),
    WarmSettings(hidden_temper=None),
    WarmSettings(hidden_temper=None, hidden_scale=2.5, output_temper=None, rounds=2),
]


@pytest.mark.parametrize("settings", TEMPERS, ids=range(len(TEMPERS)))
def test_tempers_given_and_fitted(settings: WarmSettings) -> None:
    got = check_against_loops(TEXT, small(THREE_CONTEXTS, 2), settings, rtol=1e-6)
    if settings.hidden_temper is not None:
        product = settings.hidden_temper * settings.hidden_scale
        assert set(sum(got.hidden_tempers, ())) == {product}
    if settings.output_temper is not None:
        assert got.output_temper == settings.output_temper


@pytest.mark.parametrize(
    "settings",
    [
        WarmSettings(hidden_smoothing=Additive(0.3)),
        WarmSettings(attention_smoothing=Additive(0.3)),
        WarmSettings(output_smoothing=Additive(0.3)),
        WarmSettings(hidden_smoothing=Backoff(7.0)),
        WarmSettings(attention_smoothing=Backoff(7.0)),
        WarmSettings(output_smoothing=Backoff(7.0)),
    ],
    ids=str,
)
def test_each_smoothing_is_that_of_its_own_counts(settings: WarmSettings) -> None:
    check_against_loops(TEXT, small(THREE_CONTEXTS), settings)


@pytest.mark.parametrize(("radii", "combine"), [((2,), "sum"), ((1, 3), "cat")])
def test_radial_embeddings(radii: tuple[int, ...], combine: Any) -> None:
    configuration = replace(small(THREE_CONTEXTS), radii=radii, combine=combine)
    check_against_loops(TEXT, configuration, WarmSettings())


@given(
    texts(documents=2, targets=5),
    option_sets,
    st.integers(1, 5),
    st.integers(0, 2),
    st.integers(1, 2),
)
def test_the_steps_on_any_text(
    documents: Documents, options: LayerOptions, size: int, rounds: int, depth: int
) -> None:
    configuration = small(
        [DocumentContext(), BlockContext(size), RadialContext(size)], depth, options
    )
    settings = WarmSettings(rounds=rounds)
    lonely = size == 1 or all(len(document) == 2 for document in documents)
    if options.attention == "surprisal" and lonely:  # one slot has no surprise
        with pytest.raises(ZeroNorm):
            warm_start(documents, configuration, settings)
        return
    with shapes_unchecked():
        check_against_loops(documents, configuration, settings, rtol=1e-8)


# --- what a warm start must be ------------------------------------------------------------------


@given(st.permutations(range(4)), st.integers(0, 99), option_sets)
def test_the_order_of_documents_does_not_matter(
    order: list[int], seed: int, options: LayerOptions
) -> None:
    random = np.random.default_rng(seed)
    documents = [np.array([0, *random.integers(1, 13, size), 1]) for size in (2, 7, 3, 5)]
    configuration = small(THREE_CONTEXTS, 1, options)
    with shapes_unchecked():
        one = warm_start(documents, configuration)
        two = warm_start([documents[d] for d in order], configuration)
    for a, b in zip(flatten(one.parameters), flatten(two.parameters), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-9)


def test_the_same_text_twice_gives_the_same_model_but_for_the_smoothing() -> None:
    """Counts double; all that is read off them is a matter of shares, so α has to double too."""
    settings = WarmSettings(
        hidden_smoothing=Additive(0.5),
        attention_smoothing=Additive(0.5),
        output_smoothing=Additive(1.0),
    )
    doubled = WarmSettings(
        hidden_smoothing=Additive(1.0),
        attention_smoothing=Additive(1.0),
        output_smoothing=Additive(2.0),
    )
    configuration = small(THREE_CONTEXTS)
    batch = whole(TEXT, configuration)

    def predict(documents: Documents, chosen: WarmSettings) -> Array:
        parameters = warm_start(documents, configuration, chosen).parameters
        return softmax(model_forward(parameters, batch, configuration.layer).logits)

    once, twice = predict(TEXT, settings), predict([*TEXT, *TEXT], doubled)
    np.testing.assert_allclose(twice, once, rtol=1e-9)


def test_one_hot_codes_of_the_newest_token_are_smoothed_bigrams() -> None:
    """One slot, one-hot: K = 1, and the hidden state is exactly the share of what followed."""
    configuration = Configuration(13, (RadialContext(1),), bits=13, label_bits=13)
    settings = WarmSettings(hidden_smoothing=Additive(0.25))
    model = warm_start(TEXT, configuration, settings).parameters
    text = make_samples(TEXT)
    followed = np.full((13, 13), 0.25)
    for token, target in zip(text.tokens, text.targets, strict=True):
        followed[token, target] += 1
    state = model_forward(model, whole(TEXT, configuration), configuration.layer)
    shares = followed / followed.sum(axis=1, keepdims=True)
    code = np.argmax(naive_warm.cipher(text.targets.tolist(), 13, 13), axis=1)
    np.testing.assert_allclose(state.hidden[:, code], shares[text.tokens], rtol=1e-12)


def test_parameters_do_not_depend_on_the_width_of_the_integers() -> None:
    narrow = [document.astype(np.uint16) for document in TEXT]
    configuration = small(THREE_CONTEXTS)
    for a, b in zip(
        flatten(warm_start(TEXT, configuration).parameters),
        flatten(warm_start(narrow, configuration).parameters),
        strict=True,
    ):
        assert a.dtype == np.float64
        assert a.tobytes() == b.tobytes()


# --- what it is good for ------------------------------------------------------------------------


def grammar(seed: int, sentences: int) -> list[NDArray[np.int64]]:
    """Verses of a chain in which each of 17 tokens has two successors, the first far likelier."""
    random = np.random.default_rng(seed)
    rule = np.random.default_rng(5)
    follows = np.stack([rule.permutation(17), rule.permutation(17)], axis=1) + 2
    verses = []
    for _ in range(sentences):
        verse = [int(random.integers(2, 19))]
        for _ in range(int(random.integers(5, 12))):
            verse.append(int(follows[verse[-1] - 2, int(random.random() < 0.2)]))
        verses.append(np.array([0, *verse, 1]))
    return verses


def unigram_nats(train: Documents, test: Documents, size: int) -> float:
    counts = np.ones(size)
    for document in train:
        for token in document[1:]:
            counts[token] += 1
    shares = counts / counts.sum()
    return float(np.mean([-math.log(shares[t]) for document in test for t in document[1:]]))


@pytest.mark.parametrize("attention", ["softmax", "surprisal", "uniform"])
@pytest.mark.parametrize("aggregation", ["cat", "sum"])
@pytest.mark.parametrize(
    "contexts",
    [(RadialContext(3),), (BlockContext(3),), (RadialContext(2), DocumentContext())],
    ids=str,
)
def test_explicit_models_beat_the_unigram_on_text_with_structure(
    contexts: Any, aggregation: Any, attention: Any
) -> None:
    """On text that the model has not seen."""
    train, test = grammar(1, 60), grammar(2, 20)
    configuration = Configuration(
        19, contexts, bits=19, label_bits=19, layer=LayerOptions(aggregation, attention)
    )
    settings = WarmSettings(hidden_temper=None, output_temper=None)
    model = warm_start(train, configuration, settings).parameters
    batch = plan(make_samples(test), configuration)
    nats = model_loss(model, batch, configuration.layer)
    assert nats < unigram_nats(train, test, 19) - 0.1


def test_a_fitted_temper_is_the_best_on_the_text() -> None:
    configuration = small(THREE_CONTEXTS)
    batch = whole(TEXT, configuration)

    def nats(temper: float | None) -> tuple[float, float]:
        fit = warm_start(TEXT, configuration, WarmSettings(output_temper=temper))
        return model_loss(fit.parameters, batch, configuration.layer), fit.output_temper

    best, lam = nats(None)
    assert lam != 1.0
    for other in (0.9 * lam, 1.1 * lam, 1.0):
        assert nats(other)[0] > best


# --- refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("token", "message"), [(13, r"\[2\] must be .*, got 13"), (-1, r"\[3\] must be .*, got -1")]
)
def test_ids_out_of_range_are_refused(token: int, message: str) -> None:
    document = np.array([0, 5, token if token > 0 else 5, token if token < 0 else 5, 1])
    with pytest.raises(SaffuError, match=message):
        warm_start([document], small())


def test_an_id_that_is_only_ever_a_target_is_checked_too() -> None:
    with pytest.raises(TokenOutOfRange, match="targets"):
        warm_start([np.array([0, 5, 13])], small())


@pytest.mark.parametrize("documents", [[], [np.array([0])], [np.array([0, 5, 1]), np.array([0])]])
def test_texts_without_targets_are_refused(documents: list[NDArray[np.int64]]) -> None:
    with pytest.raises(NoSamples):
        warm_start(documents, small())


def test_a_document_that_does_not_open_is_refused() -> None:
    with pytest.raises(BadOption, match=r"documents\[1\]\[0\] must be 0, the id of <sod>, got 5"):
        warm_start([np.array([0, 1]), np.array([5, 1])], small())


def test_direct_output_is_refused_with_the_way_to_go() -> None:
    configuration = replace(small([RadialContext(3)]), output="direct")
    with pytest.raises(BadOption, match=r"output must be .*saffu\.direct.*, got 'direct'"):
        warm_start(TEXT, configuration)


@pytest.mark.parametrize(
    ("settings", "cell"),
    [
        (WarmSettings(hidden_smoothing=Additive(0.0)), "feature 0 with target 2 must be > 0"),
        (WarmSettings(attention_smoothing=Backoff(0.0)), "feature 0 with target 3 must be > 0"),
        (WarmSettings(output_smoothing=Additive(0.0)), "feature 0 with target 0 must be > 0"),
    ],
    ids=["hidden", "attention", "output"],
)
def test_zeros_without_smoothing_are_refused(settings: WarmSettings, cell: str) -> None:
    """Three targets fill three slots of five.

    Feature 0 is bit 0 of slot 0, the code of token 5.  After it come 5 and 1, of labels 0 and 1.
    """
    with pytest.raises(ZeroCount, match=cell):
        warm_start([np.array([0, 5, 5, 1])], small([RadialContext(5)]), settings)


def test_discounting_of_weighted_features_is_refused() -> None:
    with pytest.raises(FractionalCount):
        warm_start(TEXT, small(), WarmSettings(hidden_smoothing=Discount(0.75)))
