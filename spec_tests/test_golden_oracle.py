"""The oracle: independent of the package, and right where it can be checked by other means."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saffu.types import Array
from spec_tests.support import oracle
from spec_tests.support.cases import questions
from spec_tests.support.cases.question import Question
from spec_tests.support.oracle import VARIANTS, Exact, Sizes, answer
from spec_tests.support.oracle.answer import OPERATIONS
from spec_tests.support.oracle.arithmetic import Number, Sized
from spec_tests.support.oracle.tape import Tape
from spec_tests.support.oracle.text import cipher

FOLDER = Path(oracle.__file__).parent
QUESTIONS = {question.id: question for question in questions()}


def truth(question: Question, ar: Exact | None = None) -> dict[str, Array]:
    return answer(
        ar or Exact(), question.op, question.attributes, question.inputs, question.cotangents
    )


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: str(path.stem))
def test_the_oracle_imports_nothing_of_the_package(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        for name in names:
            assert name.split(".")[0] != "saffu"
            assert not name.startswith("spec_tests.support.") or ".oracle" in name


def test_the_oracle_answers_every_operation() -> None:
    assert set(OPERATIONS) == {question.op for question in QUESTIONS.values()}


@pytest.mark.parametrize(
    "case_id",
    ["softmax/gradient", "fit_temper/three-slots", "saffu_backward/cat-surprisal-count",
     "refine/slack", "warm_start/surprisal", "model_gradient/document"],
)  # fmt: skip
def test_fifty_digits_are_enough(case_id: str) -> None:
    question = QUESTIONS[case_id]
    more = truth(question, Exact(80))
    for name, value in truth(question).items():
        np.testing.assert_array_equal(value, more[name])


numbers = st.floats(-3, 3).filter(lambda x: abs(x) > 0.01)


@given(numbers, numbers)
def test_the_tape_differentiates(a: float, b: float) -> None:
    """Against central differences at 50 digits, which are right to about 30."""
    ar = Exact()

    def formula(tape: Tape, x: Number, y: Number) -> Number:
        e = tape.exp(x)
        s = tape.total([e * y, tape.dot([x, e], [y, y]), 2 - x, 1 / e])
        return tape.log(s * s + 1) / (e + 3) - tape.sqrt(s * s + 2)

    tape = Tape(ar)
    x, y = tape.number(a), tape.number(b)
    dx, dy = tape.gradient(formula(tape, x, y), [x, y])
    h = ar.number(10.0) ** -17

    def value(x: Number, y: Number) -> Number:
        return formula(tape, tape.node(x), tape.node(y)).value

    p, q = ar.number(a), ar.number(b)
    assert abs((value(p + h, q) - value(p - h, q)) / (2 * h) - dx) < 1e-25
    assert abs((value(p, q + h) - value(p, q - h)) / (2 * h) - dy) < 1e-25


def test_the_tape_adds_up_paths() -> None:
    tape = Tape(Exact())
    x, unused = tape.number(3.0), tape.number(5.0)
    square = x * x
    assert [float(d) for d in tape.gradient(square + square, [x, unused])] == [12.0, 0.0]


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=7))
def test_a_magnitude_is_what_would_be_without_cancelling(terms: list[float]) -> None:
    ar = Sizes()
    total = ar.total(ar.number(x) for x in terms)
    assert total.value == pytest.approx(sum(terms), abs=1e-12)
    assert total.size == pytest.approx(sum(abs(x) for x in terms))
    assert total.size >= abs(total.value) * (1 - 1e-12)


def test_magnitudes_multiply_and_start_anew() -> None:
    ar = Sizes()
    nothing = Sized(3.0) - Sized(3.0)
    assert (nothing.value, nothing.size) == (0.0, 6.0)
    assert ((nothing * Sized(-2.0)).size, (nothing / Sized(-2.0)).size) == (12.0, 3.0)
    assert ar.exp(nothing).size == 1.0
    assert ar.log(ar.number(1.0) + 1e-9).size == pytest.approx(1.0)
    assert ar.fresh(nothing).size == 0.0


@pytest.mark.parametrize("precision", VARIANTS)
def test_every_arithmetic_computes_the_same_to_its_precision(precision: str) -> None:
    question = QUESTIONS["explicit_solution/backoff-1"]
    right = truth(question)
    roundoff = {"float64": 1e-13, "float32": 1e-5, "loose": 2e-2}[precision]
    for ar in VARIANTS[precision].values():
        got = answer(ar, question.op, question.attributes, question.inputs, {})
        np.testing.assert_allclose(got["weights"], right["weights"], rtol=0, atol=roundoff)
        assert not np.array_equal(got["weights"], right["weights"])


@pytest.mark.parametrize("precision", VARIANTS)
def test_the_order_of_sums_shows(precision: str) -> None:
    terms = np.random.default_rng(7).standard_normal(1009)
    sums = [float(ar.total([ar.number(x) for x in terms])) for ar in VARIANTS[precision].values()]
    assert len(set(sums)) == len(sums)
    assert sums == pytest.approx([terms.sum()] * len(sums), abs=1e-4)


def test_eight_bits_are_rounded_to_the_nearest_even() -> None:
    (loose, *_) = VARIANTS["loose"].values()
    for x, rounded in ((1 + 2**-8, 1.0), (1 + 3 * 2**-8, 1 + 2**-6), (1 + 2**-7, 1 + 2**-7)):
        assert float(loose.dot([np.float32(x)], [np.float32(1)])) == rounded


def test_the_cipher_begins_as_the_specification_says() -> None:
    given_out = [set(code) for code in cipher(15, 5)]
    assert given_out == [
        {0}, {1}, {2}, {3}, {4},
        {3, 4}, {2, 4}, {1, 4}, {0, 4}, {2, 3}, {1, 3}, {0, 3}, {1, 2}, {0, 2}, {0, 1},
    ]  # fmt: skip


def test_one_hot_features_are_at_the_optimum() -> None:
    """SPEC 1: with K = 1 the rows of φ(U) are the shares of the (smoothed) counts."""
    found = truth(QUESTIONS["explicit_solution/one-hot-backoff"])
    counts = found["smoothed_counts"]
    shares = np.exp(found["weights"])
    shares /= shares.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shares, counts / counts.sum(axis=1, keepdims=True), rtol=1e-14)


def test_the_best_temper_is_stationary() -> None:
    question = QUESTIONS["fit_temper/two-slots"]
    fit = truth(question)
    inputs = {name: question.inputs[name] for name in ("features", "counts")}

    def loss(temper: Array) -> float:
        logits = answer(Exact(), "tempered_logits", {}, {**inputs, "temper": temper})["logits"]
        given_ = {"logits": logits, "targets": question.inputs["targets"]}
        return float(answer(Exact(), "cross_entropy", {}, given_)["loss"])

    here = loss(fit["temper"])
    assert here == pytest.approx(float(fit["loss"]), rel=1e-14)
    for step in (np.array([1e-3, 0.0]), np.array([0.0, 1e-3])):
        assert loss(fit["temper"] + step) > here
        assert loss(fit["temper"] - step) > here


def test_hidden_targets_before_clipping_are_the_descent_direction() -> None:
    """SPEC 5: t − a = −∂ℓ/∂z for a = φ(z), ℓ = −⟨G, a⟩."""
    question = QUESTIONS["hidden_targets/not-clipped"]
    a, g = question.inputs["attention"], question.inputs["ascent"]
    t = truth(question)["targets"]
    pulled = answer(Exact(), "softmax", {}, {"logits": np.log(a)}, {"probabilities": g})
    np.testing.assert_allclose(t - a, pulled["gradient.logits"], rtol=0, atol=1e-14)
