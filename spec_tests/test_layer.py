"""The SAFFU layer: the definition, the sub-block law, the adjoint, and autograd.   (SPEC 4, 6)"""

from __future__ import annotations

from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saffu.arrays.namespace import add_rows
from saffu.contexts import BlockContext, RadialContext
from saffu.errors import (
    BadOption,
    EmptyMask,
    InvalidPivot,
    NonFiniteEntry,
    NoSamples,
    SignedInput,
    WrongShape,
)
from saffu.layer import (
    LayerOptions,
    SaffuState,
    aggregate,
    aggregate_vjp,
    saffu_backward,
    saffu_forward,
)
from saffu.types import Array
from spec_tests.support import strategies as draw
from spec_tests.support.adjoint import assert_adjoint
from spec_tests.support.naive_layer import naive_layer
from spec_tests.support.strategies import Contexts

CHOICES: list[tuple[Any, ...]] = [
    ("sum", "cat"),
    ("softmax", "surprisal", "uniform"),
    ("unit", "count"),
]
OPTIONS = [LayerOptions(*each) for each in product(*CHOICES)]
ANY_OPTIONS = st.sampled_from(OPTIONS)
CASES = ANY_OPTIONS.flatmap(
    lambda options: st.tuples(st.just(options), draw.contexts(options.aggregation))
)
FULL_CASES = ANY_OPTIONS.flatmap(
    lambda options: st.tuples(st.just(options), draw.contexts(options.aggregation, full=True))
)


def words(options: LayerOptions) -> tuple[str, str, str]:
    return options.aggregation, options.attention, options.gain


@given(CASES)
def test_forward_is_the_definition(case: tuple[LayerOptions, Contexts]) -> None:
    options, given_ = case
    state = saffu_forward(*given_, options)
    x, mask, pivot, W, U = given_
    for n in range(len(x)):
        naive = naive_layer(x[n], mask[n], pivot[n], W, U, *words(options))
        for name, got, expected in zip(SaffuState._fields, state, naive, strict=True):
            want = np.array(expected, dtype=np.float64)
            kept = mask[n] if name == "logits" else np.ones(want.shape, dtype=np.bool_)
            np.testing.assert_allclose(got[n][kept], want[kept], rtol=1e-10, atol=1e-13)


@given(CASES)
def test_hidden_states_are_on_the_simplex(case: tuple[LayerOptions, Contexts]) -> None:
    options, given_ = case
    h = saffu_forward(*given_, options).hidden
    assert np.all(h >= 0)
    np.testing.assert_allclose(h.sum(axis=1), 1.0, rtol=1e-14)


@given(CASES)
def test_a_context_uses_the_sub_block_of_its_valid_slots(
    case: tuple[LayerOptions, Contexts],
) -> None:
    options, (x, mask, pivot, W, U) = case
    state = saffu_forward(x, mask, pivot, W, U, options)
    slots, width = x.shape[1:]
    for n in range(len(x)):
        valid = np.flatnonzero(mask[n])
        rows = U if options.aggregation == "sum" else U.reshape(slots, width, -1)[valid]
        small = saffu_forward(
            x[n : n + 1, valid],
            np.ones((1, len(valid)), dtype=np.bool_),
            np.array([valid.tolist().index(pivot[n])]),
            W[np.ix_(valid, valid)],
            rows.reshape(-1, U.shape[1]),
            options,
        )
        np.testing.assert_allclose(state.hidden[n], small.hidden[0], rtol=1e-11)
        np.testing.assert_allclose(state.weights[n, valid], small.weights[0], atol=1e-12)


@given(CASES, st.sampled_from([np.nan, np.inf, -3.0, 1e300]))
def test_what_invalid_slots_hold_does_not_matter(
    case: tuple[LayerOptions, Contexts], rubbish: float
) -> None:
    options, (x, mask, pivot, W, U) = case
    noisy = np.where(mask[..., None], x, rubbish)
    clean, dirty = (saffu_forward(each, mask, pivot, W, U, options) for each in (x, noisy))
    for a, b in zip(clean, dirty, strict=True):
        np.testing.assert_array_equal(a, b)
    d = np.linspace(-1.0, 2.0, clean.hidden.size).reshape(clean.hidden.shape)
    back, forth = (
        saffu_backward(d, clean, each, mask, pivot, W, U, options) for each in (x, noisy)
    )
    for a, b in zip(back, forth, strict=True):
        np.testing.assert_array_equal(a, b)
    assert np.all(back.inputs[~mask] == 0)


@given(FULL_CASES, draw.generators())
def test_the_order_of_slots_is_a_matter_of_the_weights(
    case: tuple[LayerOptions, Contexts], rng: np.random.Generator
) -> None:
    options, (x, mask, pivot, W, U) = case
    slots, width = x.shape[1:]
    order = rng.permutation(slots)
    rows = U if options.aggregation == "sum" else U.reshape(slots, width, -1)[order]
    moved = saffu_forward(
        x[:, order],
        mask,
        np.argsort(order)[pivot],
        W[np.ix_(order, order)],
        rows.reshape(U.shape),
        options,
    )
    kept = saffu_forward(x, mask, pivot, W, U, options)
    np.testing.assert_allclose(moved.hidden, kept.hidden, rtol=1e-10)


@given(CASES)
def test_one_valid_slot(case: tuple[LayerOptions, Contexts]) -> None:
    options, (x, mask, pivot, W, U) = case
    alone = np.zeros_like(mask)
    np.put_along_axis(alone, pivot[:, None], True, axis=1)
    state = saffu_forward(x, alone, pivot, W, U, options)
    if options.attention == "surprisal":
        assert np.all(state.features == 0)
        np.testing.assert_allclose(state.hidden, 1 / U.shape[1], rtol=1e-15)
    else:
        np.testing.assert_array_equal(state.weights, alone.astype(np.float64))


# --- the way back -----------------------------------------------------------------------------


@given(CASES, draw.generators())
def test_the_backward_pass_is_the_adjoint(
    case: tuple[LayerOptions, Contexts], rng: np.random.Generator
) -> None:
    """The complex step through W, U and X, all options, partly valid contexts."""
    options, (x, mask, pivot, W, U) = case
    state = saffu_forward(x, mask, pivot, W, U, options)

    def pulled(d: Array) -> Any:
        return saffu_backward(d, state, x, mask, pivot, W, U, options)

    def hidden(x: Array, W: Array, U: Array) -> Array:
        return saffu_forward(x, mask, pivot, W, U, options).hidden

    tolerance = 1e-11
    assert_adjoint(lambda v: hidden(x, v, U), lambda d: pulled(d)[0], W, rng, tolerance)
    assert_adjoint(lambda v: hidden(x, W, v), lambda d: pulled(d)[1], U, rng, tolerance)
    assert_adjoint(lambda v: hidden(v, W, U), lambda d: pulled(d)[2], x, rng, tolerance)


@given(FULL_CASES, draw.generators())
def test_the_backward_pass_where_inputs_left_the_simplex(
    case: tuple[LayerOptions, Contexts], rng: np.random.Generator
) -> None:
    options, (x, mask, pivot, W, U) = case
    x = x - 0.3
    state = saffu_forward(x, mask, pivot, W, U, options, signed=True)
    naive = naive_layer(x[0], mask[0], pivot[0], W, U, *words(options))
    np.testing.assert_allclose(state.hidden[0], naive.hidden, rtol=1e-10, atol=1e-14)
    assert_adjoint(
        lambda v: saffu_forward(v, mask, pivot, W, U, options, signed=True).hidden,
        lambda d: saffu_backward(d, state, x, mask, pivot, W, U, options).inputs,
        x,
        rng,
        1e-11,
    )


@given(CASES, draw.generators())
def test_aggregation_and_its_adjoint(
    case: tuple[LayerOptions, Contexts], rng: np.random.Generator
) -> None:
    options, given_ = case
    x, kind = given_.inputs, options.aggregation
    w = rng.normal(size=x.shape[:2])
    assert_adjoint(
        lambda v: aggregate(x, v, kind), lambda d: aggregate_vjp(d, x, w, kind)[0], w, rng
    )
    assert_adjoint(
        lambda v: aggregate(v, w, kind), lambda d: aggregate_vjp(d, x, w, kind)[1], x, rng
    )


# --- another implementation -------------------------------------------------------------------


def assert_same_gradient(got: Array, expected: Any) -> None:
    """Equal to 1e-10 of the largest entry."""
    want = expected.numpy()
    assert got.shape == want.shape
    assert np.abs(got - want).max() <= 1e-10 * np.abs(want).max()


@pytest.mark.torch
@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(words(options)))
@given(data=st.data())
def test_autograd_agrees(options: LayerOptions, data: st.DataObject) -> None:
    torch = pytest.importorskip("torch")
    from spec_tests.support.torch_layer import layer, tensor

    x, mask, pivot, W, U = data.draw(draw.contexts(options.aggregation))
    state = saffu_forward(x, mask, pivot, W, U, options)
    d = data.draw(draw.generators()).normal(size=state.hidden.shape)
    got = saffu_backward(d, state, x, mask, pivot, W, U, options)
    leaves = [tensor(each) for each in (W, U, x)]
    h = layer(leaves[2], mask, pivot, leaves[0], leaves[1], *words(options))
    np.testing.assert_allclose(state.hidden, h.detach().numpy(), rtol=1e-10, atol=1e-15)
    expected = torch.autograd.grad(
        (torch.tensor(d) * h).sum(), leaves, allow_unused=True, materialize_grads=True
    )
    for mine, theirs in zip(got, expected, strict=True):
        if torch.any(theirs != 0):
            assert_same_gradient(mine, theirs)
        else:
            assert np.abs(mine).max() <= 1e-14


@pytest.mark.torch
@pytest.mark.parametrize("model", [RadialContext(3), BlockContext(5)], ids=["radial", "block"])
@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(words(options)))
def test_autograd_agrees_on_a_stack_of_three(options: LayerOptions, model: Any) -> None:
    """Layer after layer over the samples of a document, from the embedding up and back."""
    torch = pytest.importorskip("torch")
    from spec_tests.support.torch_layer import layer, tensor

    rng = np.random.default_rng(3)
    samples, vocabulary, widths = 11, 13, (2, 7, 3, 5)
    E = draw.simplex(rng, vocabulary, widths[0])
    tokens = rng.integers(0, vocabulary, samples)
    offsets = np.concatenate([np.arange(7), np.arange(4)])
    back, mask, pivot = model.steps_back(offsets)
    below = np.arange(samples)[:, None] - back
    B = model.slots
    rows = 1 if options.aggregation == "sum" else B
    weights = [
        (rng.normal(0, 2, (B, B)), rng.normal(0, 2, (rows * low, high)))
        for low, high in pairwise(widths)
    ]
    d = rng.normal(size=(samples, widths[-1]))

    h, states, inputs = E[tokens], [], []
    for W, U in weights:
        inputs.append(h[below])
        states.append(saffu_forward(inputs[-1], mask, pivot, W, U, options))
        h = states[-1].hidden
    pulled: Array = d
    gradients: list[Array] = []
    for (W, U), state, x in zip(weights[::-1], states[::-1], inputs[::-1], strict=True):
        got = saffu_backward(pulled, state, x, mask, pivot, W, U, options)
        gradients = [got.attention_weights, got.feature_weights, *gradients]
        pulled = add_rows(below.ravel(), got.inputs.reshape(-1, x.shape[2]), samples)
    gradients.append(add_rows(tokens, pulled, vocabulary))

    leaves = [tensor(each) for pair in weights for each in pair] + [tensor(E)]
    t = leaves[-1][tokens]
    for W, U in zip(leaves[0:6:2], leaves[1:6:2], strict=True):
        t = layer(t[below], mask, pivot, W, U, *words(options))
    np.testing.assert_allclose(h, t.detach().numpy(), rtol=1e-10)
    expected = torch.autograd.grad(
        (torch.tensor(d) * t).sum(), leaves, allow_unused=True, materialize_grads=True
    )
    for mine, theirs in zip(gradients, expected, strict=True):
        assert_same_gradient(mine, theirs)
    changed = sum(bool(np.any(each != 0)) for each in gradients)
    assert changed == (4 if options.attention == "uniform" else 7)


# --- refusals ---------------------------------------------------------------------------------

N, B, D, H = 2, 3, 5, 7
GOOD: dict[str, Any] = {
    "inputs": np.full((N, B, D), 1 / D),
    "mask": np.array([[True, True, False], [True, False, True]]),
    "pivot": np.array([1, 2]),
    "attention_weights": np.eye(B),
    "feature_weights": np.ones((B * D, H)),
}


def call(**changes: Any) -> SaffuState:
    return saffu_forward(**{**GOOD, **changes})


def changed(name: str, index: tuple[int, ...], value: float) -> Array:
    out = np.array(GOOD[name])
    out[index] = value
    return out


def test_inputs_off_the_simplex() -> None:
    x = changed("inputs", (1, 2, 4), -0.25)
    with pytest.raises(
        SignedInput, match=r"inputs\[1, 2, 4\] must be >= 0, got -0\.25: .*signed=True"
    ) as caught:
        call(inputs=x)
    assert (caught.value.index, caught.value.value) == ((1, 2, 4), -0.25)
    assert np.all(call(inputs=x, signed=True).hidden > 0)
    for signed in (False, True):
        with pytest.raises(
            NonFiniteEntry, match=r"inputs\[0, 1, 0\] must be a finite number, got nan"
        ):
            call(inputs=changed("inputs", (0, 1, 0), np.nan), signed=signed)


@pytest.mark.parametrize("name", ["attention_weights", "feature_weights"])
def test_weights_that_are_no_numbers(name: str) -> None:
    with pytest.raises(NonFiniteEntry, match=rf"{name}\[2, 1\] must be a finite number, got inf"):
        call(**{name: changed(name, (2, 1), np.inf)})


@pytest.mark.parametrize(("pivot", "row"), [([2, 2], 0), ([0, 1], 1), ([1, 3], 1), ([-1, 0], 0)])
def test_a_pivot_that_holds_nothing(pivot: list[int], row: int) -> None:
    with pytest.raises(
        InvalidPivot, match=rf"pivot\[{row}\] must be .*3 slots.*, got {pivot[row]}"
    ) as caught:
        call(pivot=np.array(pivot))
    assert (caught.value.row, caught.value.pivot) == (row, pivot[row])


def test_a_context_without_a_valid_slot() -> None:
    with pytest.raises(EmptyMask, match=r"mask\[1\] must have at least one valid entry, got none"):
        call(mask=GOOD["mask"] & np.array([[True], [False]]))


def test_no_contexts() -> None:
    with pytest.raises(NoSamples, match="inputs must hold at least one sample, got none"):
        call(inputs=GOOD["inputs"][:0], mask=GOOD["mask"][:0], pivot=GOOD["pivot"][:0])


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("inputs", np.ones((N, D)), r"\[n B D\]"),
        ("mask", np.ones((N, B + 2), dtype=np.bool_), r"\[n B\] = \(2, 3\)"),
        ("pivot", np.zeros(N + 1, dtype=np.int64), r"\[n\] = \(2\)"),
        ("attention_weights", np.eye(D), r"\[B B\] = \(3, 3\)"),
        ("feature_weights", np.ones((D, H)), r"\[B·D H\] = \(15, any\)"),
    ],
)
def test_shapes_that_disagree(name: str, value: Array, expected: str) -> None:
    with pytest.raises(WrongShape, match=rf"{name} must have shape .*{expected}.*, got ") as caught:
        call(**{name: value})
    assert (caught.value.name, caught.value.got) == (name, value.shape)


@pytest.mark.usefixtures("as_users_call")
def test_types_that_disagree() -> None:
    with pytest.raises(WrongShape, match=r"feature_weights .*\[D H\] = \(5, any\)"):
        call(options=LayerOptions(aggregation="sum"))
    with pytest.raises(BadOption, match=r"mask\.dtype must be booleans.*, got 'float64'"):
        call(mask=np.ones((N, B)))
    with pytest.raises(BadOption, match=r"pivot\.dtype must be an integer type.*, got 'float64'"):
        call(pivot=np.array([1.0, 2.0]))


@pytest.mark.usefixtures("as_users_call")
def test_gradients_that_are_none() -> None:
    given_, state = [GOOD[name] for name in GOOD], call()
    for bad in (np.nan, -np.inf):
        d = np.ones((N, H))
        d[1, 4] = bad
        with pytest.raises(
            NonFiniteEntry, match=rf"d_hidden\[1, 4\] must be a finite number, got {bad}"
        ):
            saffu_backward(d, state, *given_)
    with pytest.raises(
        WrongShape, match=r"d_hidden must have shape .*\[n H\] = \(2, 7\).*, got \(2, 1\)"
    ):
        saffu_backward(np.ones((N, 1)), state, *given_)


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("aggregation", "'sum' or 'cat'"),
        ("attention", "'softmax' or 'surprisal' or 'uniform'"),
        ("gain", "'unit' or 'count'"),
    ],
)
def test_other_options(name: str, allowed: str) -> None:
    with pytest.raises(BadOption, match=f"{name} must be {allowed}, got 'max' .*SPEC 4"):
        LayerOptions(**{name: "max"})  # type: ignore[arg-type]
