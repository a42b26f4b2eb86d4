"""Every operation, container, data type and layout: the same numbers, or one SaffuError.  (SPEC 8)

The inputs are those of golden cases, rounded to what the data type holds; what has to come out is
what comes out of the same numbers in float64, in C order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from saffu.arrays.operation import EXACT, array, numbers, operation
from saffu.configuration import TINY
from saffu.conformance.contract.case import Case
from saffu.conformance.contract.golden import read_suite
from saffu.conformance.operations import OPERATIONS, run
from saffu.counts import Cooccurrence, cooccurrence
from saffu.data.vocabulary import Vocabulary
from saffu.errors import InexactEntry, NotAnArray, SaffuError, WrongType
from saffu.loss import bits_per_byte, cross_entropy, cross_entropy_gradient, token_nats
from saffu.models.transformer import SaffuTransformer
from saffu.network import (
    Examples,
    ExplicitSettings,
    HiddenLayer,
    SoftmaxLayer,
    SoftmaxNetwork,
    TrainingSettings,
)
from saffu.numerics import log_softmax, softmax
from saffu.optim import adam_start, adam_step
from saffu.parameters import flatten
from saffu.types import Array
from spec_tests.support.texts import corpora

pytestmark = pytest.mark.usefixtures("as_users_call")

EXPECTED = [case for case in read_suite() if case.reject is None and case.inputs]
CASES: dict[str, list[Case]] = {
    op: [case for case in EXPECTED if case.op == op][::4] for op in OPERATIONS
}
"""A quarter of the cases of each operation."""

Arrays = Mapping[str, Array]


def rounded(x: Array, dtype: Any) -> Array:
    """Numbers near those of x that the data type holds, in that data type."""
    if x.dtype.kind != "f":
        return x
    kind = np.dtype(dtype).kind
    if kind == "b":
        return np.asarray(x > np.median(x))
    if kind in "iu":
        near = np.clip(np.rint(3 * np.nan_to_num(x)), 0 if kind == "u" else -9, 9)
        return np.asarray(near.astype(dtype))
    with np.errstate(over="ignore"):
        return np.asarray(x.astype(dtype))


def outcome(case: Case, inputs: Arrays) -> dict[str, Array] | SaffuError:
    """The answer of the reference, or what it raises on purpose."""
    try:
        with np.errstate(all="ignore"):
            return {
                name: np.asarray(x) for name, x in run(case.op, case.attributes, inputs).items()
            }
    except SaffuError as refusal:
        return refusal


def agree(one: Any, other: Any, rtol: float) -> None:
    """The same numbers, or the same refusal."""
    if isinstance(one, SaffuError) or isinstance(other, SaffuError):
        assert type(one) is type(other), (one, other)
        return
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_allclose(one[name], other[name], rtol=rtol, atol=rtol, err_msg=name)


DTYPES = (
    *(np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64),
    *(np.bool_, np.float16, np.float64, np.longdouble),
)


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: np.dtype(dtype).name)
@pytest.mark.parametrize("op", CASES)
def test_every_data_type_gives_what_float64_gives(op: str, dtype: Any) -> None:
    for case in CASES[op]:
        given = {name: rounded(x, dtype) for name, x in case.inputs.items()}
        plain = {
            name: x.astype(np.float64) if case.inputs[name].dtype.kind == "f" else x
            for name, x in given.items()
        }
        agree(outcome(case, given), outcome(case, plain), 1e-12)


@pytest.mark.parametrize("op", CASES)
def test_single_precision_is_single(op: str) -> None:
    for case in CASES[op]:
        given = {name: rounded(x, np.float32) for name, x in case.inputs.items()}
        plain = {
            name: x.astype(np.float64) if x.dtype == np.float32 else x for name, x in given.items()
        }
        got, wanted = outcome(case, given), outcome(case, plain)
        if isinstance(wanted, SaffuError) or "float32" not in case.tolerance:
            assert isinstance(got, (dict, SaffuError))
        else:
            agree(got, wanted, 100 * case.tolerance["float32"] + 1e-3)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int64, np.uint64])
@pytest.mark.parametrize("op", CASES)
def test_ids_and_counts_of_every_width(op: str, dtype: Any) -> None:
    for case in CASES[op]:
        given = {
            name: x.astype(dtype)
            if x.dtype.kind in "iu" and (x >= 0).all() and (x < 128).all()
            else x
            for name, x in case.inputs.items()
        }
        agree(outcome(case, given), outcome(case, case.inputs), 0)


def apart(x: Array) -> Array:
    """Every second entry of a larger array."""
    wide = np.zeros(tuple(2 * n for n in x.shape), dtype=x.dtype)
    view = wide[tuple(slice(None, None, 2) for _ in x.shape)]
    view[...] = x
    return view


def locked(x: Array) -> Array:
    copy = x.copy()
    copy.flags.writeable = False
    return copy


def turned(x: Array) -> Array:
    """The same entries with negative strides."""
    back = tuple(slice(None, None, -1) for _ in x.shape)
    return x[back].copy()[back]


LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "columns first": np.asfortranarray,
    "negative strides": turned,
    "every second entry": apart,
    "read-only": locked,
    "big-endian": lambda x: x.astype(x.dtype.newbyteorder(">")),
    "little-endian": lambda x: x.astype(x.dtype.newbyteorder("<")),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("op", CASES)
def test_every_layout_gives_the_same(op: str, layout: str) -> None:
    for case in CASES[op]:
        given = {name: LAYOUTS[layout](x) for name, x in case.inputs.items()}
        agree(outcome(case, given), outcome(case, case.inputs), 1e-11)


class Frame:
    """A table as pandas has it."""

    def __init__(self, x: Array) -> None:
        self.values, self.shape, self.ndim = x, x.shape, x.ndim

    def to_numpy(self) -> Array:
        return self.values


CONTAINERS: dict[str, tuple[Callable[[Array], object], str]] = {
    "list": (lambda x: x.tolist(), r"got (list|float|int|bool); use np\.asarray"),
    "tuple": (lambda x: tuple(x.reshape(-1).tolist()), r"got tuple; use np\.asarray"),
    "matrix": (lambda x: x.reshape(len(x), -1).view(np.matrix), "numpy.matrix"),
    "masked": (lambda x: np.ma.masked_array(x, mask=x != x), r"MaskedArray; drop .* x\.filled"),
    "frame": (Frame, r"Frame; use x\.to_numpy\(\)"),
    "sparse": (lambda x: sparse.csr_array(np.atleast_2d(x.reshape(len(x), -1))), r"x\.toarray\(\)"),
    "objects": (lambda x: x.astype(object), "must be a data type of numbers"),
    "text": (lambda x: x.astype(str), "must be a data type of numbers"),
    "one text": (lambda _: "text", "got str; pass numbers"),
    "bytes": (lambda _: b"text", "got bytes; pass numbers"),
    "number": (lambda _: 7.5, r"got float; use np\.asarray"),
    "dates": (lambda x: x.astype(int).astype("M8[s]"), "must be a data type of numbers"),
}


NUMBERS_PASS = {("tempered_logits", "temper", "number")}
"""Where a number says the same for all."""


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("op", CASES)
def test_what_is_no_array_of_numbers_is_refused(op: str, container: str) -> None:
    make, said = CONTAINERS[container]
    case = CASES[op][0]
    for name, x in case.inputs.items():
        if x.ndim == 0 or x.size == 0 or (op, name, container) in NUMBERS_PASS:
            continue
        given: dict[str, Any] = {**case.inputs, name: make(x)}
        with pytest.raises(SaffuError, match=said):
            run(op, case.attributes, given)


# --- by hand ------------------------------------------------------------------------------------


def test_pixels_and_one_hots_of_small_types_are_counted() -> None:
    pixels = np.full((3, 2), 255, dtype=np.uint8)
    for kind in (bool, np.int8, np.uint8, np.int32, np.uint64, np.float16):
        counted = cooccurrence(np.tile(pixels, (100, 1)), np.tile(np.eye(3), (100, 1)).astype(kind))
        assert counted.counts.tolist() == [[25500.0] * 3] * 2


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.uint64, np.float16])
def test_logits_of_small_types_do_not_wrap(dtype: Any) -> None:
    z = np.array([[0, 100], [127, 3]], dtype=dtype)
    double = z.astype(np.float64)
    y = np.eye(2, dtype=dtype)
    assert softmax(z).tolist() == softmax(double).tolist()
    assert log_softmax(z).tolist() == log_softmax(double).tolist()
    assert float(cross_entropy(z, y)) == float(cross_entropy(double, np.eye(2)))
    assert (
        cross_entropy_gradient(z, y).tolist() == cross_entropy_gradient(double, np.eye(2)).tolist()
    )
    assert token_nats(z, np.array([1, 0])).tolist() == token_nats(double, np.array([1, 0])).tolist()


def test_the_loss_of_logits_as_far_apart_as_floats_go() -> None:
    z = np.array([[1e308, -1e308, 0.0]])
    assert float(cross_entropy(z, np.array([[1.0, 0.0, 0.0]]))) == 0
    assert float(cross_entropy(z, np.array([[0.0, 0.0, 1.0]]))) == 1e308
    assert token_nats(z, np.array([1])).tolist() == [np.finfo(np.float64).max]
    assert cross_entropy_gradient(z, np.array([[1.0, 0.0, 0.0]])).tolist() == [[0.0, 0.0, 0.0]]


@pytest.mark.parametrize(
    ("x", "where"),
    [
        (np.array([[0, EXACT + 1]]), r"x\[0, 1\] must be .*, got 9007199254740993"),
        (np.array([2**63 - 1]), r"x\[0\] must be .*, got 9223372036854775807"),
        (np.array([-EXACT - 1]), r"x\[0\] must be .*, got -9007199254740993"),
        (np.array([2**64 - 1], dtype=np.uint64), r"x\[0\] must be .*, got 18446744073709551615"),
    ],
)
def test_whole_numbers_that_float64_would_round_are_refused(x: Array, where: str) -> None:
    with pytest.raises(InexactEntry, match=where):
        numbers("x", x)


def test_whole_numbers_that_float64_holds_are_taken() -> None:
    x = np.array([EXACT, EXACT + 2, 2**62, -(2**63)])
    assert [int(each) for each in numbers("x", x)] == x.tolist()
    assert numbers("x", np.array([2**63], dtype=np.uint64)).tolist() == [2.0**63]


@pytest.mark.skipif(np.finfo(np.longdouble).nmant <= 52, reason="longdouble is float64 here")
def test_longer_floats_are_taken_if_float64_holds_them() -> None:
    long = np.array([0.1, np.nan, np.inf, -0.0], dtype=np.longdouble)
    assert numbers("x", long).tolist()[2:] == [np.inf, 0.0]
    for each in (np.longdouble(1) + np.finfo(np.longdouble).eps, np.longdouble(1e308) * 10):
        with pytest.raises(InexactEntry):
            numbers("x", np.array([each]))
    with pytest.raises(SaffuError, match="complex128 at most"):
        numbers("x", np.array([1.0], dtype=np.clongdouble))


def test_complex_numbers_and_floats_are_not_touched() -> None:
    for dtype in (np.float32, np.float64, np.complex64, np.complex128):
        x = np.ones(3, dtype=dtype)
        assert numbers("x", x) is x


def test_an_array_on_disk_is_an_array(tmp_path: Path) -> None:
    on_disk = np.memmap(tmp_path / "x", dtype=np.float32, mode="w+", shape=(2, 3))
    assert type(array("x", on_disk)) is np.ndarray
    assert softmax(on_disk).tolist() == softmax(np.zeros((2, 3), dtype=np.float32)).tolist()


@operation
def joined(records: Cooccurrence, pair: tuple[Array, Array], many: tuple[Array, ...]) -> Any:
    return records, pair, many


def test_records_and_sequences_are_read_entry_by_entry() -> None:
    small, plain = np.ones((2, 3), dtype=np.int8), np.ones(2)
    record, pair, many = joined(
        Cooccurrence(small, 1.0, 2), pair=(small, plain), many=(plain, small, small)
    )
    assert {x.dtype.name for x in (record.counts, *pair, *many)} == {"float64"}
    assert pair[1] is many[0] is plain
    with pytest.raises(NotAnArray, match=r"many\[1\]: expected a NumPy array, got list"):
        joined(record, pair, (plain, [1.0]))  # type: ignore[arg-type]
    with pytest.raises(NotAnArray, match=r"records\.counts: .* got NoneType; pass numbers"):
        joined(Cooccurrence(None, 1.0, 2), pair, many)  # type: ignore[arg-type]


def test_a_step_on_whole_numbers_is_one_on_numbers() -> None:
    whole, slope = np.array([3, 5]), np.array([1.0, -1.0])
    (new,), _ = adam_step([whole], [slope], adam_start([whole]), 0.5)
    np.testing.assert_allclose(new, [2.5, 5.5], rtol=1e-6)


def test_whole_numbers_of_other_libraries(library: Any) -> None:
    for dtype in (np.uint8, np.int64, np.bool_):
        p = softmax(library.take(np.array([[0, 1], [1, 0]], dtype=dtype)))
        assert library.owns(p)
        assert p.dtype == library.xp.float64
    with pytest.raises(InexactEntry):
        softmax(library.take(np.array([[EXACT + 1, 0]])))


# --- methods of public classes ------------------------------------------------------------------

PIXELS: Array = np.random.default_rng(7).integers(0, 9, (23, 5))
LABELS: Array = np.arange(23) % 3
DATA = Examples(PIXELS.astype(np.float64), LABELS)
SMOOTHED = ExplicitSettings(temper=1.0)


def solved(data: Examples, axes: int = 1, classes: int = 3) -> SoftmaxNetwork:
    """A network of two layers."""
    network = SoftmaxNetwork(5, classes, [HiddenLayer(axes=axes)])
    network.warm_start(data, settings=SMOOTHED)
    return network


def trained(data: Examples) -> Array:
    """Weights after an epoch."""
    network = solved(DATA)
    network.train(data, DATA, TrainingSettings(epochs=1))
    return network.layers[0].weights


def with_weights(weights: Any) -> Array:
    """Predictions of a network whose weights are set."""
    network = SoftmaxNetwork(5, 23)
    network.layers = (SoftmaxLayer(weights, np.zeros(23)),)
    return network.predict_log_probabilities(DATA.features)


COUNTED = cooccurrence(DATA.features, DATA.features)
METHODS: dict[str, Callable[[Any], Any]] = {
    "warm_start": lambda x: solved(Examples(x, LABELS)).layers[1].weights,
    "validation": lambda x: solved(DATA).warm_start(DATA, Examples(x, LABELS), SMOOTHED)[0].nats,
    "fit": lambda x: SoftmaxNetwork(5, 3).fit(Examples(x, LABELS), explicit=SMOOTHED).sizes,
    "train": lambda x: trained(Examples(x, LABELS)),
    "predict_log_probabilities": lambda x: solved(DATA).predict_log_probabilities(x),
    "accuracy": lambda x: solved(DATA).accuracy(Examples(x, LABELS)),
    "cross_entropy": lambda x: solved(DATA).cross_entropy(Examples(x, LABELS)),
    "layers": lambda x: with_weights(x.T if isinstance(x, np.ndarray) else x),
    "update": lambda x: COUNTED.update(DATA.features, x).counts,
    "merge": lambda x: Cooccurrence(np.ones((23, 5)), 1.0, 1).merge(Cooccurrence(x, 2.0, 3)).counts,
}
"""Methods that take features, or other numbers, of 23 rows and 5 columns."""


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: np.dtype(dtype).name)
@pytest.mark.parametrize("method", METHODS)
def test_methods_take_every_data_type(method: str, dtype: Any) -> None:
    given = (PIXELS > 0) if dtype is np.bool_ else PIXELS.astype(dtype)
    given[:, 0] = True  # no row of zeros
    wanted = METHODS[method](given.astype(np.float64))
    np.testing.assert_allclose(METHODS[method](given), wanted, rtol=1e-12)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("method", METHODS)
def test_methods_take_every_layout(method: str, layout: str) -> None:
    got, wanted = METHODS[method](LAYOUTS[layout](DATA.features)), METHODS[method](DATA.features)
    np.testing.assert_allclose(got, wanted, rtol=1e-9)


def of_these_labels(labels: Any) -> float:
    return solved(DATA).accuracy(Examples(DATA.features, labels))


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("method", [*METHODS, "labels"])
def test_methods_refuse_what_is_no_array_of_numbers(method: str, container: str) -> None:
    make, message = CONTAINERS[container]
    of_labels = method == "labels"
    use = of_these_labels if of_labels else METHODS[method]
    with pytest.raises(SaffuError, match=message):
        use(make(LABELS if of_labels else PIXELS))


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.bool_, np.complex128])
def test_labels_are_integers(dtype: Any) -> None:
    for method in (solved, solved(DATA).accuracy, solved(DATA).cross_entropy, trained):
        with pytest.raises(SaffuError, match="must be an integer type"):
            method(Examples(DATA.features, LABELS.astype(dtype)))


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint64])
def test_parts_of_many_classes_do_not_wrap(dtype: Any) -> None:
    """19 classes of 2^4 parts: 304 parts, beyond eight bits."""
    features = np.random.default_rng(5).random((228, 5))
    labels = np.arange(228) % 19
    got = solved(Examples(features, labels.astype(dtype)), axes=4, classes=19)
    wanted = solved(Examples(features, labels), axes=4, classes=19)
    for one, other in zip(got.layers, wanted.layers, strict=True):
        np.testing.assert_allclose(one.weights, other.weights, rtol=1e-12)


@pytest.mark.parametrize("bits", [64, 128])
def test_networks_refuse_complex_features(bits: int) -> None:
    x = DATA.features.astype(f"complex{bits}")
    for name in ("warm_start", "train", "predict_log_probabilities", "accuracy", "layers"):
        with pytest.raises(SaffuError, match="must be real numbers"):
            METHODS[name](x)


def test_numbers_beyond_single_precision_are_refused_by_a_network_that_has_it() -> None:
    network = SoftmaxNetwork(5, 3, dtype="float32")
    network.warm_start(DATA, settings=SMOOTHED)
    large = DATA.features.copy()
    large[3, 2] = 1e39
    with pytest.raises(SaffuError, match=r"features\[3, 2\] must be at most 3\.4e38.* got 1e\+39"):
        network.predict_log_probabilities(large)


TRAIN, HELD, WORDS, TOKENISER = corpora()
SHAPE = replace(TINY, vocabulary=len(WORDS))


def transformer() -> SaffuTransformer:
    model = SaffuTransformer(SHAPE, TOKENISER, WORDS)
    model.cold_start(TRAIN, scale=0.1, seed=1)
    return model


NO_CORPUS: dict[str, Any] = {
    "None": None,
    "list": ["a text"],
    "text": "a text",
    "array": np.arange(7),
    "ids": [np.arange(7)],
}
OF_CORPUS: dict[str, Callable[[SaffuTransformer, Any], object]] = {
    "warm_start": lambda model, x: model.warm_start(x, HELD),
    "judged": lambda model, x: model.warm_start(TRAIN, x),
    "fit": lambda model, x: model.fit(x, HELD),
    "train": lambda model, x: model.train(x, HELD),
    "validated": lambda model, x: model.train(TRAIN, x),
    "cold_start": lambda model, x: model.cold_start(x, scale=0.1, seed=1),
    "nats": lambda model, x: model.nats(x),
    "perplexity": lambda model, x: model.perplexity(x),
    "bits_per_byte": lambda model, x: model.bits_per_byte(x),
}


@pytest.mark.parametrize("given", NO_CORPUS)
@pytest.mark.parametrize("method", OF_CORPUS)
def test_what_is_no_corpus_is_refused(method: str, given: str) -> None:
    with pytest.raises(WrongType, match=r"expected Corpus\(.*, got "):
        OF_CORPUS[method](transformer(), NO_CORPUS[given])


ANY: Any = None
REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "examples as a tuple": (
        lambda: solved(DATA).accuracy((PIXELS, LABELS)),  # type: ignore[arg-type]
        r"data: expected Examples\(features, labels\), got tuple",
    ),
    "settings of another kind": (
        lambda: solved(DATA).warm_start(DATA, None, TrainingSettings()),  # type: ignore[arg-type]
        r"settings: expected ExplicitSettings\(.*got TrainingSettings",
    ),
    "no settings": (lambda: solved(DATA).train(DATA, None, ANY), "got NoneType"),
    "layers that are none": (
        lambda: setattr(solved(DATA), "layers", "ab"),
        "layers: expected a list or tuple, got str",
    ),
    "hidden layers as a number": (lambda: SoftmaxNetwork(5, 3, 3), "hidden: expected a list"),  # type: ignore[arg-type]
    "a path": (lambda: solved(DATA).save(3), "path: expected a path, as a str or a Path, got int"),  # type: ignore[arg-type]
    "a search that is a text": (
        lambda: transformer().warm_start(TRAIN, HELD, search="x"),  # type: ignore[call-overload]
        "search: expected Search or DirectSearch, got str",
    ),
    "a tokeniser that is none": (
        lambda: SaffuTransformer(SHAPE, "words", WORDS),  # type: ignore[arg-type]
        "tokeniser: expected Tokeniser, got str",
    ),
    "a prompt of bytes": (lambda: transformer().generate(b"a"), "prompt: expected a str"),  # type: ignore[arg-type]
    "a negative seed": (
        lambda: transformer().generate("", seed=-1),
        "seed must be a whole number >= 0, got -1",
    ),
    "a fractional seed": (lambda: transformer().generate("", seed=0.5), "seed must be .* got 0.5"),  # type: ignore[arg-type]
    "a number that is none": (
        lambda: bits_per_byte(ANY, 3),
        "total_nats must be a number, got None",
    ),
    "parameters that are none": (lambda: flatten(ANY), "parameters: expected Parameters"),
    "no statistics": (lambda: COUNTED.merge(ANY), r"other: expected Cooccurrence\("),
    "a word as tokens": (lambda: WORDS.encode("word"), "tokens: expected a list of tokens"),
    "no counts": (lambda: Vocabulary.from_counts(ANY, documents=1), "counts: expected a mapping"),
    "no fractions": (lambda: TRAIN.split(ANY, 1), "fractions: expected a list or tuple"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_other_arguments_of_another_type_are_refused(what: str) -> None:
    call, message = REFUSED[what]
    with pytest.raises(SaffuError, match=message):
        call()


def test_small_integers_of_numpy_are_integers() -> None:
    plain = transformer().generate("", tokens=7, top_k=2, seed=3)
    small = transformer().generate("", tokens=np.int8(7), top_k=np.uint8(2), seed=np.uint8(3))  # type: ignore[arg-type]
    assert small == plain
    assert HiddenLayer(axes=np.int8(5)).units(9) == 9 * 32  # type: ignore[arg-type]
    chunks = TRAIN.chunks(np.uint8(200))  # type: ignore[arg-type]
    assert sum(chunk.targets.shape[0] for chunk in chunks) == TRAIN.targets


def test_a_training_resumes_with_validation_data_if_it_began_with_it(tmp_path: Path) -> None:
    for began, now in ((None, DATA), (DATA, None)):
        path = tmp_path / f"{began is None}"
        solved(DATA).train(DATA, began, TrainingSettings(epochs=1), checkpoint=path)
        with pytest.raises(SaffuError, match=r"validation must be .* as when training began"):
            solved(DATA).train(
                *(DATA, now, TrainingSettings(epochs=2)), checkpoint=path, resume=True
            )
