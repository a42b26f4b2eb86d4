"""The quick versions give what the plain ones give.   (SPEC 5, 6)"""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saffu.batch import plan
from saffu.configuration import Configuration
from saffu.contexts import BlockContext, DocumentContext, RadialContext, document_context
from saffu.engines.passes import Everything, Passes
from saffu.errors import BadOption, NonFiniteEntry
from saffu.explicit.smoothing import Additive, Backoff
from saffu.explicit.temper import fit_temper, slot_scores, temper_curve
from saffu.fast import comparison_cache as cache
from saffu.fast.adam import BLOCK, adam_in_blocks
from saffu.fast.comparison_cache import comparisons
from saffu.fast.frozen import freeze
from saffu.fast.loss import nats_and_gradient, nats_of
from saffu.fast.plans import running_means
from saffu.fast.predict import chunk_hidden, chunk_nats
from saffu.fast.softmax import SAFE, softmax_over
from saffu.fast.step import step_gradient
from saffu.fast.tempering import curve, fit_one, of_rows, of_tokens
from saffu.fast.token_layer import attend_tokens, feature_table, read_table
from saffu.fast.warm import stream_warm_start
from saffu.layer import LayerOptions, saffu_forward
from saffu.loss import cross_entropy_gradient, token_nats
from saffu.model import look_up, model_forward, model_gradient, model_loss
from saffu.numerics import softmax
from saffu.optim import adam_start, adam_step
from saffu.parameters import cast, cold_start, flatten, names
from saffu.positions import make_samples
from saffu.warm.layer import WarmSettings
from saffu.warm.start import warm_start
from spec_tests.support.texts import Chunked, random_documents

V = 23
DOCUMENTS = random_documents(3, V, (5, 11, 2, 17, 7))
OPTIONS = [
    LayerOptions(aggregation=a, attention=k, gain=g)  # type: ignore[arg-type]
    for a, k, g in product(("sum", "cat"), ("softmax", "surprisal", "uniform"), ("unit", "count"))
]
EVERYTHING = Configuration(
    V, (RadialContext(3), BlockContext(5), DocumentContext()), bits=7, label_bits=6, depth=2
)


def _name(value: Any) -> str:
    if isinstance(value, LayerOptions):
        return f"{value.aggregation}-{value.attention}-{value.gain}"
    return str(value)


@pytest.mark.parametrize("options", OPTIONS, ids=_name)
@pytest.mark.parametrize("chunk", [1, 13, 1000])
def test_a_streamed_warm_start_is_the_plain_one(options: LayerOptions, chunk: int) -> None:
    configuration = replace(EVERYTHING, layer=options, radii=(1, 3), combine="cat")
    settings = WarmSettings(
        rounds=2,
        hidden_temper=0.7,
        hidden_scale=1.5,
        hidden_smoothing=Backoff(2.0),
        attention_smoothing=Additive(0.5),
        output_smoothing=Backoff(3.0),
        output_temper=1.25,
    )
    plain = warm_start(DOCUMENTS, configuration, settings)
    passes = Passes(Chunked(DOCUMENTS), chunk=chunk)
    quick = stream_warm_start(passes, configuration, settings, make_samples(DOCUMENTS[:1]))
    for name, a, b in zip(
        names(plain.parameters), flatten(plain.parameters), flatten(quick.parameters), strict=True
    ):
        np.testing.assert_allclose(b, a, rtol=1e-9, atol=1e-10, err_msg=name)
    assert quick.hidden_tempers == plain.hidden_tempers
    assert quick.output_temper == plain.output_temper


def test_tempers_fitted_on_the_same_samples_agree() -> None:
    configuration = replace(EVERYTHING, depth=1)
    settings = WarmSettings(hidden_temper=None, output_temper=None)
    plain = warm_start(DOCUMENTS, configuration, settings)
    quick = stream_warm_start(
        Passes(Everything(make_samples(DOCUMENTS))),
        configuration,
        settings,
        make_samples(DOCUMENTS),
    )
    np.testing.assert_allclose(quick.hidden_tempers, plain.hidden_tempers, rtol=1e-5)
    assert quick.output_temper == pytest.approx(plain.output_temper, rel=1e-5)


@pytest.mark.parametrize("attention", ["softmax", "surprisal", "uniform"])
def test_tempers_of_slots_are_the_plain_ones(attention: Any) -> None:
    options = LayerOptions(attention=attention)
    configuration = replace(EVERYTHING, layer=options, depth=1)
    tempers = ((0.5, 1.25, 2.0), (1.0, 0.3, 0.7, 0.2, -0.1), ())
    settings = WarmSettings(slot_tempers=tempers, hidden_temper=0.6, hidden_scale=1.5)
    plain = warm_start(DOCUMENTS, configuration, settings)
    quick = stream_warm_start(
        Passes(Chunked(DOCUMENTS), chunk=13), configuration, settings, make_samples(DOCUMENTS[:1])
    )
    for a, b in zip(flatten(plain.parameters), flatten(quick.parameters), strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-9, atol=1e-10)
    assert quick.hidden_tempers == plain.hidden_tempers == ((1.5,), (1.5,), (0.6 * 1.5,))
    for other in (((1.0,) * 3,) * 3, tempers[:2], ((1.0,) * 4, *tempers[1:])):
        wrong = replace(settings, slot_tempers=other)
        with pytest.raises(
            BadOption, match=r"slot_tempers must be .*tuples of 3, 5, 0 numbers.*, got "
        ):
            warm_start(DOCUMENTS, configuration, wrong)
        with pytest.raises(
            BadOption, match=r"slot_tempers must be .*tuples of 3, 5, 0 numbers.*, got "
        ):
            stream_warm_start(
                Passes(Chunked(DOCUMENTS)), configuration, wrong, make_samples(DOCUMENTS)
            )
    with pytest.raises(BadOption, match=r"slot_tempers must be .*finite numbers, got "):
        WarmSettings(slot_tempers=((float("nan"),),))


def test_refits_are_refused_in_a_stream() -> None:
    with pytest.raises(BadOption, match="refits must be 0 in a streamed warm start, got 1"):
        stream_warm_start(
            Passes(Chunked(DOCUMENTS)), EVERYTHING, WarmSettings(refits=1), make_samples(DOCUMENTS)
        )


def test_a_sample_for_attention_reads_no_more_than_asked() -> None:
    told: list[tuple[str, int, int]] = []
    passes = Passes(Chunked(DOCUMENTS), lambda *said: told.append(said), chunk=5)
    stream_warm_start(
        passes,
        replace(EVERYTHING, depth=1),
        WarmSettings(),
        make_samples(DOCUMENTS),
        attention_targets=9,
    )
    attention = [done for stage, done, _ in told if "attention" in stage]
    assert max(attention) == 9
    every = [total for stage, _, total in told if "features" in stage]
    assert set(every) == {make_samples(DOCUMENTS).targets.shape[0]}


def test_single_precision_stays_close() -> None:
    configuration, settings = replace(EVERYTHING, depth=1), WarmSettings()
    plain = warm_start(DOCUMENTS, configuration, settings).parameters
    passes = Passes(Chunked(DOCUMENTS))
    quick = stream_warm_start(
        passes, configuration, settings, make_samples(DOCUMENTS), dtype=np.float32
    ).parameters
    assert {a.dtype for a in flatten(quick)} == {np.dtype(np.float32)}
    for a, b in zip(flatten(plain), flatten(quick), strict=True):
        np.testing.assert_allclose(b, a, rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("options", OPTIONS, ids=_name)
def test_a_frozen_step_has_the_plain_loss_and_gradient(options: LayerOptions, depth: int) -> None:
    configuration = replace(EVERYTHING, layer=options, depth=depth)
    parameters, batch = _model(configuration)
    loss, gradient = step_gradient(parameters, batch, options, freeze(parameters.embedding))
    assert loss == pytest.approx(model_loss(parameters, batch, options), rel=1e-12)
    plain = model_gradient(parameters, batch, options)
    assert not gradient.embedding.any()
    for name, a, b in zip(names(plain)[1:], flatten(plain)[1:], flatten(gradient)[1:], strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-9, atol=1e-13, err_msg=name)


@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("options", OPTIONS, ids=_name)
def test_a_thawed_step_has_the_plain_loss_and_gradient(options: LayerOptions, depth: int) -> None:
    configuration = replace(EVERYTHING, layer=options, depth=depth)
    parameters, batch = _model(configuration)
    trained = parameters.embedding - 0.1 * np.random.default_rng(5).random((V, configuration.width))
    assert trained.min() < 0, "off the simplex, as trained embeddings are"
    parameters = parameters._replace(embedding=trained)
    loss, gradient = step_gradient(parameters, batch, options)
    assert loss == pytest.approx(model_loss(parameters, batch, options, signed=True), rel=1e-12)
    plain = model_gradient(parameters, batch, options, signed=True)
    assert gradient.embedding.any()
    for name, a, b in zip(names(plain), flatten(plain), flatten(gradient), strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-9, atol=1e-13, err_msg=name)


@pytest.mark.parametrize("frozen", [True, False])
def test_a_step_keeps_to_single_precision(frozen: bool) -> None:
    parameters, batch = _model(EVERYTHING)
    small = cast(parameters, np.float32)
    kept = freeze(small.embedding) if frozen else None
    _, gradient = step_gradient(small, batch, EVERYTHING.layer, kept)
    assert {x.dtype for x in flatten(gradient)} == {np.dtype(np.float32)}


@given(st.integers(0, 2**32 - 1), st.sampled_from([np.float32, np.float64]))
def test_adam_in_blocks_is_adam_to_the_last_bit(seed: int, dtype: type) -> None:
    random = np.random.default_rng(seed)
    shapes = ((3, 5), (BLOCK // 7 + 1, 11), (0, 2), (BLOCK,))
    p: tuple[Any, ...] = tuple(random.standard_normal(s).astype(dtype) for s in shapes)
    before = [x.copy() for x in p]
    settings = {"beta1": 0.75, "beta2": 0.97, "epsilon": 1e-3}
    rates = [0.01, 0.3, 0.5, 0.0]
    quick, plain = (p, adam_start(p)), (p, adam_start(p))
    for _ in range(3):
        g: tuple[Any, ...] = tuple(random.standard_normal(s).astype(dtype) for s in shapes)
        quick = adam_in_blocks(quick[0], g, quick[1], rates, **settings)
        plain = adam_step(plain[0], g, plain[1], rates, **settings)
    assert quick[1].step == plain[1].step == 3
    groups = ((quick[0], plain[0]), (quick[1].mean, plain[1].mean))
    for ours, theirs in (*groups, (quick[1].square, plain[1].square)):
        for a, b in zip(ours, theirs, strict=True):
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)
    assert quick[0][3] is p[3]
    for x, kept in zip(p, before, strict=True):
        np.testing.assert_array_equal(x, kept)


def test_adam_in_blocks_takes_columns_for_rows() -> None:
    random = np.random.default_rng(3)
    p, g = (np.asfortranarray(random.standard_normal((5, 3))) for _ in range(2))
    (plain,), _ = adam_step([p], [g], adam_start([p]), 0.1)
    for old, slope in ((p, g), (p.copy(order="C"), g), (p, g.copy(order="C"))):
        (quick,), state = adam_in_blocks([old], [slope], adam_start([old]), 0.1)
        np.testing.assert_array_equal(quick, plain)
        np.testing.assert_array_equal(state.square[0], (1 - 0.999) * g * g)


def test_adam_in_blocks_refuses_what_adam_refuses() -> None:
    p = (np.array([1.0]),)
    for bad in ({"beta1": 1.0}, {"beta2": -0.1}, {"epsilon": 0.0}):
        with pytest.raises(BadOption):
            adam_in_blocks(p, p, adam_start(p), 0.1, **bad)
    with pytest.raises(NonFiniteEntry):
        adam_in_blocks(p, (np.array([np.nan]),), adam_start(p), 0.1)


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("options", OPTIONS, ids=_name)
def test_whole_chunks_are_predicted_as_single_samples_are(
    options: LayerOptions, depth: int
) -> None:
    configuration = replace(EVERYTHING, layer=options, depth=depth)
    parameters, _ = _model(configuration)
    text = make_samples(DOCUMENTS)
    state = model_forward(parameters, plan(text, configuration), options)
    gram = comparisons(parameters.embedding)
    np.testing.assert_allclose(
        chunk_hidden(parameters, configuration, text, gram), state.hidden, rtol=1e-10
    )
    nats = token_nats(state.logits, text.targets.astype(np.int64))
    np.testing.assert_allclose(chunk_nats(parameters, configuration, text), nats, rtol=1e-10)


@pytest.mark.parametrize("options", OPTIONS, ids=_name)
def test_look_ups_replace_products(options: LayerOptions) -> None:
    configuration = Configuration(V, (BlockContext(5),), bits=7, label_bits=6, layer=options)
    parameters, batch = _model(configuration)
    (step,), layer = batch.towers[0], parameters.towers[0][0]
    x = look_up(parameters.embedding, step)
    w, u = layer
    state = saffu_forward(x, step.mask, step.pivot, w, u, options)
    gram = comparisons(parameters.embedding)
    seen = attend_tokens(step, gram, layer.attention, options)
    np.testing.assert_allclose(seen.comparisons, state.comparisons, atol=1e-15)
    np.testing.assert_allclose(seen.weights, state.weights, rtol=1e-12)
    table = feature_table(parameters.embedding, layer.features, 5, options.aggregation)
    read = read_table(table, step, seen.weights, V)
    np.testing.assert_allclose(read, state.features @ layer.features, rtol=1e-10, atol=1e-12)


def test_running_means_are_the_document_context() -> None:
    table = np.random.default_rng(1).random((V, 5))
    expected = np.concatenate([document_context(d, table) for d in DOCUMENTS])
    np.testing.assert_allclose(running_means(table, make_samples(DOCUMENTS)), expected, rtol=1e-12)


@given(st.integers(0, 2**32 - 1), st.floats(-3, 3), st.integers(1, 700))
def test_the_curve_of_one_temper_is_the_plain_one(seed: int, lam: float, m: int) -> None:
    random = np.random.default_rng(seed)
    features, counts = random.random((m, 3)), random.random((3, 7)) + 0.1
    targets = random.random((m, 7)) * (random.random((m, 7)) < 0.5)
    targets[:, 2] += 0.5
    prior, scores = slot_scores(features, counts)
    plain = temper_curve(np.array([lam]), prior, scores, targets)
    quick = curve(of_rows(prior, scores[:, 0, :], targets), lam)
    assert quick.value == pytest.approx(plain.value, rel=1e-10)
    np.testing.assert_allclose(quick.slope, plain.slope, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(quick.bend, plain.bend, rtol=1e-7, atol=1e-10)


def test_one_temper_is_fitted_as_in_the_plain_version() -> None:
    random = np.random.default_rng(2)
    features, counts = random.random((300, 3)), random.random((3, 7)) + 0.1
    tokens = random.integers(0, 7, 300)
    prior, scores = slot_scores(features, counts)
    plain = fit_temper(features, np.eye(7)[tokens], counts)
    for evidence in (
        of_tokens(prior, scores[:, 0, :], tokens),
        of_rows(prior, scores[:, 0, :], np.eye(7)[tokens]),
    ):
        lam, loss = fit_one(evidence, tolerance=1e-10)
        assert lam == pytest.approx(plain.temper[0], abs=1e-7)
        assert loss == pytest.approx(plain.loss, rel=1e-12)


@pytest.mark.parametrize("power", [10, 30, 52, 100])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_temper_is_found_however_faint_the_scores(power: int, dtype: type) -> None:
    """The best λ, found with forty digits, is −1.9967562181 for scores of usual size."""
    counts = np.array([[5.0, 1.0, 1.0], [1.0, 5.0, 1.0], [5.0, 1.0, 1.0]])
    prior, scores = slot_scores(np.eye(3)[[2, 0, 2, 1, 0]], counts)
    said: Any = scores[:, 0, :].astype(dtype)
    size = dtype(0.5**power)
    for evidence in (
        of_tokens(prior, said * size, np.array([1, 1, 1, 0, 2])),
        of_rows(prior, said * size, np.eye(3)[[1, 1, 1, 0, 2]]),
    ):
        lam, loss = fit_one(evidence)
        assert lam * float(size) == pytest.approx(-1.9967562181, rel=1e-4)
        assert loss == pytest.approx(0.682572, abs=1e-5)


def test_nats_and_their_gradient_are_the_plain_ones() -> None:
    random = np.random.default_rng(4)
    logits, tokens = 40 * random.standard_normal((11, 7)), random.integers(0, 7, 11)
    expected = token_nats(logits, tokens)
    nats, gradient = nats_and_gradient(logits.copy(), tokens)
    np.testing.assert_allclose(nats, expected, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(nats_of(logits.copy(), tokens), expected, rtol=1e-12, atol=1e-15)
    plain = cross_entropy_gradient(logits, np.eye(7)[tokens])
    np.testing.assert_allclose(gradient, plain, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("spread", [1.0, 40.0, 900.0], ids=["near", "apart", "far"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nats_hold_however_far_logits_lie_apart(spread: float, dtype: type) -> None:
    """One number for all rows keeps exponentials in range, or the largest of each row has to."""
    random = np.random.default_rng(6)
    logits: Any = (spread * random.standard_normal((11, 7))).astype(dtype)
    logits[3] += dtype(2 * spread)
    tokens = logits.argmax(axis=1)
    tokens[5] = logits[5].argmin()
    far = logits.max() - logits.min() > SAFE[np.dtype(dtype)]
    assert far == (spread > (300 if dtype is np.float64 else 10))
    expected = token_nats(logits.astype(np.float64), tokens)
    rtol, atol = (2e-5, 1e-5) if dtype is np.float32 else (1e-12, 1e-13)
    np.testing.assert_allclose(nats_of(logits.copy(), tokens), expected, rtol=rtol, atol=atol)
    plain = softmax(logits.astype(np.float64))
    np.testing.assert_allclose(softmax_over(logits.copy()), plain, rtol=rtol, atol=atol)


def _model(configuration: Configuration) -> tuple[Any, Any]:
    random = np.random.default_rng(7)
    embedding = random.random((V, configuration.width)) * (random.random((V, 1)) < 0.9) + 0.01
    parameters = cold_start(
        configuration, embedding / embedding.sum(axis=1, keepdims=True), scale=0.7, seed=11
    )
    return parameters, plan(
        make_samples(DOCUMENTS), configuration, np.array([3, 1, 20, 20, 36, 8, 2])
    )


# --- the comparison cache -----------------------------------------------------------------------


@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.sampled_from([1, 40, 1 << 22]))
def test_comparisons_are_the_same_with_and_without_the_gram_matrix(
    seed: int, samples_: int, numbers: int
) -> None:
    random = np.random.default_rng(seed)
    dense = random.random((V, 7))
    sparse = np.eye(V, 7)
    asks, slots = random.integers(0, V, samples_), random.integers(0, V, (samples_, 3))
    for embedding in (dense, sparse):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(cache, "MOST_NUMBERS", numbers)
            patch.setattr(cache, "MOST_CELLS", V * V - 1)
            without = cache.comparisons(embedding)
            patch.setattr(cache, "MOST_CELLS", V * V)
            kept = cache.comparisons(embedding)
            assert (without.gram is None, kept.gram is None) == (True, False)
            expected = np.einsum("nd,nkd->nk", embedding[asks], embedding[slots])
            for each in (without, kept):
                found = each.look_up(asks, slots)
                np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-15)


def test_a_model_of_many_words_needs_no_gram_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    passes, judge = Passes(Chunked(DOCUMENTS), chunk=13), make_samples(DOCUMENTS[:1])
    settings = WarmSettings(hidden_temper=0.7, output_temper=1.25)
    kept = stream_warm_start(passes, EVERYTHING, settings, judge)
    monkeypatch.setattr(cache, "MOST_CELLS", 0)
    without = stream_warm_start(passes, EVERYTHING, settings, judge)
    for a, b in zip(flatten(kept.parameters), flatten(without.parameters), strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-9, atol=1e-10)
    text = make_samples(DOCUMENTS)
    np.testing.assert_allclose(
        chunk_nats(without.parameters, EVERYTHING, text),
        chunk_nats(kept.parameters, EVERYTHING, text, cache.comparisons(kept.parameters.embedding)),
        rtol=1e-9,
    )
