"""A SAFFU transformer: prediction, loss and the whole gradient.   (SPEC 4, 6)"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saffu.batch import Batch, plan
from saffu.configuration import Configuration
from saffu.contexts import BlockContext, ContextModel, DocumentContext, RadialContext
from saffu.errors import NonFiniteEntry, SignedInput
from saffu.layer import LayerOptions
from saffu.loss import perplexity, token_nats
from saffu.model import ModelState, model_forward, model_gradient, model_loss
from saffu.parameters import Parameters, cast, cold_start, flatten, names, unflatten
from saffu.positions import make_samples
from saffu.types import Array
from spec_tests.conftest import shapes_unchecked
from spec_tests.support import naive_model
from spec_tests.support.models import (
    ALL_OPTIONS,
    LABEL_BITS,
    TEXT,
    THREE_CONTEXTS,
    VOCABULARY,
    Documents,
    configurations,
    naive_choices,
    naive_logits,
    random_parameters,
    small,
    texts,
    whole,
    words,
)

every_option = pytest.mark.parametrize(
    "options", ALL_OPTIONS, ids=lambda o: f"{o.aggregation}-{o.attention}-{o.gain}"
)
every_depth = pytest.mark.parametrize("depth", [1, 2, 3])


# --- forward --------------------------------------------------------------------------------------


@every_depth
@every_option
def test_forward_is_the_loop_over_samples(options: LayerOptions, depth: int) -> None:
    configuration = small(THREE_CONTEXTS, depth, options)
    parameters = random_parameters(configuration, depth)
    state = model_forward(parameters, whole(TEXT, configuration), options)
    expected = naive_logits(parameters, TEXT, configuration)
    assert state.logits.shape == (14, VOCABULARY)
    np.testing.assert_allclose(state.logits, expected, rtol=1e-11, atol=1e-12)


@given(texts(), configurations(), st.integers(0, 99))
def test_loss_is_the_mean_over_all_targets(
    documents: Documents, configuration: Configuration, seed: int
) -> None:
    parameters = random_parameters(configuration, seed)
    batch = whole(documents, configuration)
    rows = naive_logits(parameters, documents, configuration)
    expected = naive_model.mean_nats(rows, [document.tolist() for document in documents])
    assert model_loss(parameters, batch, configuration.layer) == pytest.approx(expected, rel=1e-11)


@every_option
def test_every_stage_is_that_of_the_loop_over_samples(options: LayerOptions) -> None:
    """Stages of the lower layers too; their rows are the samples in order, all of them needed."""
    configuration = small(THREE_CONTEXTS, 3, options)
    parameters = random_parameters(configuration, 4)
    state = model_forward(parameters, whole(TEXT, configuration), options)
    for c, context in enumerate(configuration.contexts):
        towers = [
            naive_model.tower(
                document.tolist(),
                parameters.embedding,
                words(context),
                parameters.towers[c],
                naive_choices(options),
            )
            for document in TEXT
        ]
        assert len(state.towers[c]) == (1 if isinstance(context, DocumentContext) else 3)
        for level, got in enumerate(state.towers[c]):
            traces = [trace for tower in towers for trace in tower[level]]
            for stage in ("features", "hidden"):
                expected = np.array([getattr(trace, stage) for trace in traces])
                np.testing.assert_allclose(getattr(got, stage), expected, rtol=1e-11, atol=1e-13)
            if isinstance(context, DocumentContext):
                continue
            for stage in ("comparisons", "attention", "weights"):
                rows = np.zeros((len(traces), context.slots))
                for row, trace in zip(rows, traces, strict=True):
                    row[trace.slots] = getattr(trace, stage)
                np.testing.assert_allclose(getattr(got, stage), rows, rtol=1e-11, atol=1e-13)
    tops = [tower[-1].hidden for tower in state.towers]
    assert np.array_equal(state.hidden, np.concatenate(tops, axis=1))
    assert state.hidden.shape == (14, 3 * LABEL_BITS)
    np.testing.assert_allclose(state.hidden.sum(axis=1), 3.0, rtol=1e-12)


@given(texts(), configurations())
def test_zeros_have_the_perplexity_of_the_vocabulary(
    documents: Documents, configuration: Configuration
) -> None:
    embedding = random_parameters(configuration).embedding
    cold = cold_start(configuration, embedding, scale=0.0, seed=0)
    batch = whole(documents, configuration)
    logits = model_forward(cold, batch, configuration.layer).logits
    assert perplexity(token_nats(logits, batch.targets)) == pytest.approx(VOCABULARY, rel=1e-12)
    loss = model_loss(cold, batch, configuration.layer)
    assert loss == pytest.approx(np.log(VOCABULARY), rel=1e-12)


@every_option
def test_single_precision_stays_single_and_is_near(options: LayerOptions) -> None:
    configuration = small(THREE_CONTEXTS, 2, options)
    parameters = random_parameters(configuration)
    single = cast(parameters, np.float32)
    batch = whole(TEXT, configuration)
    logits = model_forward(single, batch, options).logits
    assert logits.dtype == np.float32
    expected = model_forward(parameters, batch, options).logits
    np.testing.assert_allclose(logits, expected, rtol=1e-3, atol=1e-4)
    gradient = flatten(model_gradient(single, batch, options))
    assert {leaf.dtype for leaf in gradient} == {np.dtype(np.float32)}
    for got, wanted in zip(
        gradient, flatten(model_gradient(parameters, batch, options)), strict=True
    ):
        np.testing.assert_allclose(got, wanted, rtol=1e-2, atol=1e-4)


# --- a trained embedding may leave the simplex ----------------------------------------------------


def signed_parameters(configuration: Configuration) -> Parameters:
    parameters = random_parameters(configuration)
    embedding = parameters.embedding.copy()
    embedding[9, 2] = -0.75
    return parameters._replace(embedding=embedding)


@pytest.mark.parametrize("context", [RadialContext(3), BlockContext(2), DocumentContext()], ids=str)
def test_an_embedding_off_the_simplex_is_refused_unless_signed(context: ContextModel) -> None:
    configuration = small([context], 2)
    parameters, batch = signed_parameters(configuration), whole(TEXT, configuration)
    for call in (model_forward, model_loss, model_gradient):
        with pytest.raises(SignedInput, match=r"must be >= 0, got -0\.\d+:.*signed=True"):
            call(parameters, batch, configuration.layer)
    logits = model_forward(parameters, batch, configuration.layer, signed=True).logits
    expected = naive_logits(parameters, TEXT, configuration)
    np.testing.assert_allclose(logits, expected, rtol=1e-11, atol=1e-12)
    loss = model_loss(parameters, batch, configuration.layer, signed=True)
    nats = naive_model.mean_nats(expected, [document.tolist() for document in TEXT])
    assert loss == pytest.approx(nats, rel=1e-11)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("index", [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11])  # 5 has no numbers
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # inf·0, on the way to refusal
def test_parameters_that_are_not_finite_are_refused(index: int, value: float) -> None:
    """Wherever they come in, no loss and no gradient comes out."""
    configuration = small(THREE_CONTEXTS, 2)
    arrays = [leaf.copy() for leaf in flatten(random_parameters(configuration))]
    arrays[index][-1 if index else 9, 0] = value
    parameters = unflatten(random_parameters(configuration), arrays)
    for call in (model_loss, model_gradient):
        with pytest.raises(NonFiniteEntry):
            call(parameters, whole(TEXT, configuration), configuration.layer)


# --- gradient: the complex step -------------------------------------------------------------------


def complex_loss(parameters: Parameters, batch: Batch, options: LayerOptions) -> Any:
    """The loss as an analytic function of complex parameters."""
    z = model_forward(parameters, batch, options, signed=True).logits
    nats = np.log(np.exp(z - z.real.max()).sum(axis=1)) + z.real.max()
    return np.mean(nats - z[np.arange(z.shape[0]), batch.targets])


STEP = 1e-30


def slope_along(
    parameters: Parameters, directions: Sequence[Array], batch: Batch, options: LayerOptions
) -> float:
    """The derivative of the loss along a direction in all arrays at once, to rounding."""
    arrays = zip(flatten(parameters), directions, strict=True)
    moved = unflatten(parameters, [array + 1j * STEP * v for array, v in arrays])
    return float(complex_loss(moved, batch, options).imag / STEP)


def whole_slope(parameters: Parameters, batch: Batch, options: LayerOptions) -> list[Array]:
    """The derivative by every single number."""
    flat = np.concatenate([leaf.ravel() for leaf in flatten(parameters)])
    ends = np.cumsum([leaf.size for leaf in flatten(parameters)])
    slopes = np.empty_like(flat)

    def shaped(row: Array) -> list[Array]:
        pieces = np.split(row, ends[:-1])
        return [p.reshape(leaf.shape) for p, leaf in zip(pieces, flatten(parameters), strict=True)]

    with shapes_unchecked():
        for i in range(flat.size):
            moved = flat.astype(np.complex128)
            moved[i] += 1j * STEP
            slopes[i] = (
                complex_loss(unflatten(parameters, shaped(moved)), batch, options).imag / STEP
            )
    return shaped(slopes)


def check_gradient(got: Parameters, expected: Sequence[Array], rtol: float = 1e-10) -> None:
    for name, mine, wanted in zip(names(got), flatten(got), expected, strict=True):
        assert mine.shape == wanted.shape, name
        scale = np.abs(wanted).max(initial=1e-6)
        np.testing.assert_allclose(mine, wanted, rtol=rtol, atol=rtol * scale, err_msg=name)


@every_option
def test_the_whole_gradient_by_the_complex_step(options: LayerOptions) -> None:
    """By each number of each array, in stacks of two layers; a smaller model, to be quick."""
    configuration = replace(small(THREE_CONTEXTS, 2, options), vocabulary=7, label_bits=3)
    parameters = random_parameters(configuration, 7)
    batch = whole([document % 7 for document in TEXT], configuration)
    got = model_gradient(parameters, batch, options)
    check_gradient(got, whole_slope(parameters, batch, options))


@given(texts(), configurations(), st.integers(0, 99), st.data())
def test_the_gradient_along_any_direction(
    documents: Documents, configuration: Configuration, seed: int, data: st.DataObject
) -> None:
    """⟨∇ℓ, v⟩ is the slope along v, in any stack of one to three layers, for any samples."""
    parameters = random_parameters(configuration, seed)
    text = make_samples(documents)
    count = text.targets.shape[0]
    select = np.array(data.draw(st.lists(st.integers(0, count - 1), min_size=1, max_size=9)))
    batch = plan(text, configuration, select)
    gradient = flatten(model_gradient(parameters, batch, configuration.layer))
    random = np.random.default_rng(seed)
    directions = [random.normal(size=leaf.shape) for leaf in gradient]
    with shapes_unchecked():
        slope = slope_along(parameters, directions, batch, configuration.layer)
    terms = [np.sum(g * v) for g, v in zip(gradient, directions, strict=True)]
    size = sum(np.sum(np.abs(g * v)) for g, v in zip(gradient, directions, strict=True))
    assert sum(terms) == pytest.approx(slope, abs=1e-11 * (1 + size))


# --- gradient: central differences ----------------------------------------------------------------


@every_depth
@every_option
def test_the_gradient_by_central_differences(options: LayerOptions, depth: int) -> None:
    """Array by array, of `model_loss` itself, along a random direction."""
    configuration = small(THREE_CONTEXTS, depth, options)
    parameters = random_parameters(configuration, 11)
    batch = whole(TEXT, configuration)
    random = np.random.default_rng(13)
    gradient = flatten(model_gradient(parameters, batch, options))
    h = 1e-5

    def loss_at(k: int, step: Array) -> float:
        arrays = list(flatten(parameters))
        arrays[k] = arrays[k] + step
        with shapes_unchecked():
            return model_loss(unflatten(parameters, arrays), batch, options, signed=True)

    for k, name in enumerate(names(parameters)):
        v = random.normal(size=gradient[k].shape)
        slope = (loss_at(k, h * v) - loss_at(k, -h * v)) / (2 * h)
        assert np.sum(gradient[k] * v) == pytest.approx(slope, rel=1e-6, abs=1e-8), name


# --- what a gradient must be ----------------------------------------------------------------------


def test_a_state_at_hand_gives_the_same_gradient() -> None:
    configuration = small(THREE_CONTEXTS, 2)
    parameters, batch = random_parameters(configuration), whole(TEXT, configuration)
    state: ModelState = model_forward(parameters, batch, configuration.layer)
    with_state = model_gradient(parameters, batch, configuration.layer, state=state)
    without = model_gradient(parameters, batch, configuration.layer)
    for one, two in zip(flatten(with_state), flatten(without), strict=True):
        assert one.tobytes() == two.tobytes()


def test_tokens_that_are_not_looked_at_get_no_gradient() -> None:
    """Token 12 stands nowhere, and token 1 only at the end of documents."""
    configuration = small(THREE_CONTEXTS, 2)
    gradient = model_gradient(
        random_parameters(configuration), whole(TEXT, configuration), configuration.layer
    )
    seen = np.unique(make_samples(TEXT).tokens)
    unseen = np.setdiff1d(np.arange(VOCABULARY), seen)
    assert {1, 12} <= set(unseen.tolist())
    assert not gradient.embedding[unseen].any()
    assert gradient.embedding[seen].any(axis=1).all()


def test_uniform_attention_gives_its_unused_weights_no_gradient() -> None:
    options = LayerOptions(attention="uniform")
    configuration = small(THREE_CONTEXTS, 2, options)
    gradient = model_gradient(random_parameters(configuration), whole(TEXT, configuration), options)
    assert not any(layer.attention.any() for tower in gradient.towers for layer in tower)


@given(texts(), configurations(), st.data())
def test_gradients_of_parts_of_a_batch_add_up(
    documents: Documents, configuration: Configuration, data: st.DataObject
) -> None:
    """The loss is a mean, so parts weigh as many samples as they hold."""
    parameters = random_parameters(configuration)
    text = make_samples(documents)
    count = text.targets.shape[0]
    order = np.array(data.draw(st.permutations(range(count))))
    cut = data.draw(st.integers(0, count))
    total = [np.zeros_like(leaf) for leaf in flatten(parameters)]

    def gradient(part: Array) -> tuple[Array, ...]:
        batch = plan(text, configuration, part)
        return flatten(model_gradient(parameters, batch, configuration.layer))

    with shapes_unchecked():
        for part in (order[:cut], order[cut:]):
            if part.size:
                weighed = [part.size / count * g for g in gradient(part)]
                total = [t + g for t, g in zip(total, weighed, strict=True)]
        got = gradient(np.arange(count))
    for mine, wanted in zip(total, got, strict=True):
        np.testing.assert_allclose(mine, wanted, rtol=1e-9, atol=1e-12)


@every_option
@pytest.mark.usefixtures("as_users_call")
def test_steps_down_the_gradient_lower_the_loss(options: LayerOptions) -> None:
    configuration = small(THREE_CONTEXTS, 3, options)
    parameters, batch = random_parameters(configuration), whole(TEXT, configuration)
    losses = [model_loss(parameters, batch, options)]
    for _ in range(5):
        gradient = flatten(model_gradient(parameters, batch, options, signed=True))
        arrays = [p - 0.02 * g for p, g in zip(flatten(parameters), gradient, strict=True)]
        parameters = unflatten(parameters, arrays)
        losses.append(model_loss(parameters, batch, options, signed=True))
    assert all(after < before for before, after in pairwise(losses))


# --- witness --------------------------------------------------------------------------------------


@pytest.fixture
def torch_gradients() -> Callable[..., tuple[float, list[Array]]]:
    pytest.importorskip("torch")
    from spec_tests.support.torch_model import loss_and_gradients

    def run(parameters: Parameters, configuration: Configuration) -> tuple[float, list[Array]]:
        return loss_and_gradients(
            TEXT,
            parameters.embedding,
            parameters.towers,
            parameters.output,
            [words(context) for context in configuration.contexts],
            naive_choices(configuration.layer),
        )

    return run


@pytest.mark.torch
@every_depth
@every_option
def test_autograd_of_torch(
    options: LayerOptions,
    depth: int,
    torch_gradients: Callable[..., tuple[float, list[Array]]],
) -> None:
    configuration = small(THREE_CONTEXTS, depth, options)
    parameters = random_parameters(configuration, 17)
    batch = whole(TEXT, configuration)
    loss, gradients = torch_gradients(parameters, configuration)
    assert model_loss(parameters, batch, options) == pytest.approx(loss, rel=1e-12)
    check_gradient(model_gradient(parameters, batch, options), gradients)
