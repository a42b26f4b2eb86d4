"""The record of choices that a model is made of.   (SPEC 2, 3, 4)"""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, fields, replace
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saffu.configuration import DIRECT, PAPER, PRESETS, Configuration
from saffu.contexts import BlockContext, ContextModel, DocumentContext, RadialContext
from saffu.errors import BadOption, SaffuError, TooFewBits
from saffu.layer import LayerOptions
from spec_tests.conftest import shapes_unchecked
from spec_tests.support.models import ALL_OPTIONS, context_models, option_sets


@st.composite
def any_configuration(draw: st.DrawFn) -> Configuration:
    """Every field drawn."""
    with shapes_unchecked():
        vocabulary = draw(st.integers(2, 70_000))
        bits = st.integers(vocabulary.bit_length(), 600)
        combine: Literal["sum", "cat"] = draw(st.sampled_from(["sum", "cat"]))
        most = 1 if combine == "sum" else 4
        radii = draw(st.lists(st.integers(1, 40), max_size=most, unique=True))
        output: Literal["softmax", "direct"] = draw(st.sampled_from(["softmax", "direct"]))
        contexts = draw(st.lists(context_models, min_size=1, max_size=4))
        if output == "direct":
            contexts = [context for context in contexts if not isinstance(context, DocumentContext)]
            contexts = contexts or [RadialContext(2)]
        return Configuration(
            vocabulary=vocabulary,
            contexts=tuple(contexts),
            bits=draw(bits),
            label_bits=draw(bits),
            radii=tuple(sorted(radii)),
            combine=combine,
            layer=draw(option_sets),
            depth=1 if output == "direct" else draw(st.integers(1, 5)),
            output=output,
        )


# --- through JSON and back ----------------------------------------------------------------------


@given(any_configuration())
def test_json_brings_back_an_equal_configuration(configuration: Configuration) -> None:
    text = json.dumps(configuration.to_json(), allow_nan=False)
    back = Configuration.from_json(json.loads(text))
    assert back == configuration
    assert hash(back) == hash(configuration)
    assert [type(context) for context in back.contexts] == [
        type(context) for context in configuration.contexts
    ]


def test_the_record_is_readable() -> None:
    """What is in a file has to stay what it is, or old files could not be read."""
    configuration = Configuration(
        vocabulary=17,
        contexts=(RadialContext(3), DocumentContext(), BlockContext(2)),
        bits=11,
        label_bits=5,
        radii=(2, 7),
        combine="cat",
        layer=LayerOptions("sum", "surprisal", "unit"),
        depth=3,
    )
    assert configuration.to_json() == {
        "vocabulary": 17,
        "contexts": [["Radial", 3], ["Document"], ["Block", 2]],
        "bits": 11,
        "label_bits": 5,
        "radii": [2, 7],
        "combine": "cat",
        "layer": {"aggregation": "sum", "attention": "surprisal", "gain": "unit"},
        "depth": 3,
        "output": "softmax",
    }


RECORD = Configuration(vocabulary=17, contexts=(RadialContext(3), DocumentContext())).to_json()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        pytest.param("colour", "blue", id="unknown-field"),
        pytest.param("contexts", [["Spiral", 3]], id="unknown-context"),
        pytest.param("contexts", [["Radial"]], id="context-without-size"),
        pytest.param("contexts", [["Radial", 3, 5]], id="context-with-too-much"),
        pytest.param("contexts", [["Radial", -3]], id="context-of-negative-size"),
        pytest.param("contexts", [[]], id="context-without-name"),
        pytest.param("contexts", None, id="no-contexts"),
        pytest.param("contexts", [], id="empty-contexts"),
        pytest.param("contexts", 5, id="contexts-a-number"),
        pytest.param("radii", None, id="no-radii"),
        pytest.param("radii", [5, 2], id="falling-radii"),
        pytest.param("radii", "12", id="radii-a-word"),
        pytest.param("layer", {"colour": "blue"}, id="layer-unknown-field"),
        pytest.param("layer", {"gain": "huge"}, id="layer-unknown-word"),
        pytest.param("layer", None, id="no-layer"),
        pytest.param("vocabulary", "seventeen", id="vocabulary-a-word"),
        pytest.param("vocabulary", 17.0, id="vocabulary-a-float"),
        pytest.param("depth", True, id="depth-a-truth-value"),
        pytest.param("combine", "product", id="unknown-combine"),
        pytest.param("output", "linear", id="unknown-output"),
    ],
)
@pytest.mark.usefixtures("as_users_call")
def test_records_that_to_json_did_not_write_are_refused(field: str, value: Any) -> None:
    with pytest.raises(SaffuError):
        Configuration.from_json({**RECORD, field: value})


@pytest.mark.parametrize("field", ["vocabulary", "contexts", "radii", "layer"])
@pytest.mark.usefixtures("as_users_call")
def test_a_record_that_lacks_a_field_is_refused_by_name(field: str) -> None:
    record = {name: value for name, value in RECORD.items() if name != field}
    with pytest.raises(BadOption, match=field):
        Configuration.from_json(record)


# --- refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vocabulary": 1}, "vocabulary must be .*>= 2, got 1"),
        ({"bits": 0}, "bits must be .*>= 1, got 0"),
        ({"label_bits": 0}, "label_bits must be .*>= 1, got 0"),
        ({"depth": 0}, "depth must be .*>= 1, got 0"),
        ({"depth": 1.5}, "depth must be .*>= 1, got 1.5"),
        ({"contexts": ()}, "at least one context"),
        ({"contexts": (3,)}, r"contexts\[0\] must be a context model .*, got 3"),
        (
            {"contexts": (RadialContext(2), "Document")},
            r"contexts\[1\] must be a context model .*, got 'Document'",
        ),
        ({"layer": "cat"}, "layer must be a LayerOptions, got 'cat'"),
        ({"output": "linear"}, "output must be 'softmax' or 'direct', got 'linear'"),
        ({"combine": "product"}, "combine must be 'sum' or 'cat', got 'product'"),
        ({"combine": "product", "radii": (3,)}, "combine must be 'sum' or 'cat', got 'product'"),
        ({"radii": (2, 5)}, "one radius"),
        ({"radii": (5, 2), "combine": "cat"}, "rising radii"),
        ({"radii": (0,)}, "radii must be .*>= 1, got 0"),
        (
            {"output": "direct", "depth": 2},
            "output must be 'softmax' for depth > 1.*, got 'direct'",
        ),
        (
            {"output": "direct", "contexts": (RadialContext(2), DocumentContext())},
            "output must be 'softmax' for.*DocumentContext, got 'direct'",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else None,
)
@pytest.mark.usefixtures("as_users_call")
def test_what_cannot_be_a_model_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(BadOption, match=message):
        replace(Configuration(vocabulary=17), **changes)


@pytest.mark.parametrize("field", ["bits", "label_bits"])
@given(st.integers(2, 3000))
def test_the_fewest_bits_allowed_are_the_fewest_with_codes_enough(field: str, size: int) -> None:
    """2^b − 1 codes are there."""
    bits = next(b for b in range(1, 20) if 2**b - 1 >= size)
    enough: dict[str, Any] = {field: bits}
    assert Configuration(size, **enough).vocabulary == size
    one_less: dict[str, Any] = {field: bits - 1}
    with pytest.raises(TooFewBits, match=f"bits must be at least {bits} for"):
        Configuration(size, **one_less)


@pytest.mark.usefixtures("as_users_call")
def test_whole_numbers_of_numpy_are_whole_numbers() -> None:
    """Sizes come from arrays as often as from literals; JSON knows only Python's integers."""
    sizes: dict[str, Any] = {
        name: np.int64(size) for name, size in RECORD.items() if isinstance(size, int)
    }
    radii: Any = (np.int32(7),)
    configuration = Configuration(
        **sizes, contexts=(RadialContext(3), DocumentContext()), radii=radii
    )
    assert json.loads(json.dumps(configuration.to_json())) == {**RECORD, "radii": [7]}


def test_a_configuration_is_not_changed_but_replaced() -> None:
    configuration = Configuration(vocabulary=17)
    with pytest.raises(FrozenInstanceError):
        configuration.depth = 2  # type: ignore[misc]


# --- sizes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("radii", "combine", "width"),
    [((), "sum", 11), ((), "cat", 11), ((5,), "sum", 11), ((2, 5, 7), "cat", 33)],
)
def test_the_width_of_an_embedding(radii: tuple[int, ...], combine: Any, width: int) -> None:
    """One block of bits a ring; the cipher has one block whatever `combine` says."""
    assert Configuration(17, bits=11, radii=radii, combine=combine).width == width


@pytest.mark.parametrize(
    ("context", "aggregation", "sizes"),
    [
        (RadialContext(3), "sum", [11, 5, 5]),
        (RadialContext(3), "cat", [33, 15, 15]),
        (BlockContext(2), "sum", [11, 5, 5]),
        (BlockContext(2), "cat", [22, 10, 10]),
        (DocumentContext(), "sum", [11]),
        (DocumentContext(), "cat", [11]),
    ],
    ids=str,
)
def test_what_each_layer_reads(context: ContextModel, aggregation: Any, sizes: list[int]) -> None:
    configuration = Configuration(
        17, (context,), bits=11, label_bits=5, depth=3, layer=LayerOptions(aggregation)
    )
    assert configuration.layers(context) == len(sizes)
    levels = range(configuration.layers(context))
    assert [configuration.features(context, level) for level in levels] == sizes


# --- presets and defaults ---------------------------------------------------------------------


@pytest.mark.parametrize("name", PRESETS)
def test_presets_survive_json(name: str) -> None:
    record = json.loads(json.dumps(PRESETS[name].to_json()))
    assert Configuration.from_json(record) == PRESETS[name]


def test_presets_grow() -> None:
    names = ("tiny", "small", "base", "paper")
    sizes = [PRESETS[name].vocabulary for name in names]
    assert sizes == sorted(set(sizes))


def test_the_paper_preset_has_all_three_context_models() -> None:
    assert {type(context) for context in PAPER.contexts} == {
        RadialContext,
        BlockContext,
        DocumentContext,
    }


def test_the_direct_preset_has_no_hidden_layer() -> None:
    assert (DIRECT.output, DIRECT.depth, DIRECT.layer.attention) == ("direct", 1, "uniform")


def test_the_defaults_are_those_of_the_specification() -> None:
    """Softmax attention with as much gain as there are slots; sum and cat are both allowed."""
    options = LayerOptions()
    assert (options.attention, options.gain) == ("softmax", "count")
    assert {field.name for field in fields(LayerOptions)} == {"aggregation", "attention", "gain"}
    assert len(set(ALL_OPTIONS)) == 12
