"""The messages between kit and port: what the schemas say, and what is refused."""

from __future__ import annotations

import copy
import json
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from saffu.conformance.contract.arrays import encode
from saffu.conformance.ports import protocol, schemas
from saffu.conformance.ports.protocol import (
    BadMessage,
    Broken,
    Errored,
    Outputs,
    Rejected,
    Request,
    Skipped,
)
from spec_tests.support.planted.cases import CASES

ONE = {"dtype": "float64", "shape": [], "data": [1.0]}
MESSAGES: list[tuple[str, dict[str, Any]]] = [
    ("request", {"cmd": "start", "protocol": 1}),
    ("request", {"cmd": "stop"}),
    ("request", {"cmd": "run", "seq": 3, "op": "softmax", "attributes": {}, "inputs": {"x": ONE}}),
    (
        "started",
        {"protocol": 1, "name": "p", "version": "1", "language": "C", "precision": "float32",
         "operations": ["softmax"], "gradients": [], "device": "gpu"},
    ),
    ("answer", {"seq": 3, "outputs": {"probabilities": ONE}}),
    ("answer", {"seq": 3, "rejected": {"reason": "shape"}}),
    ("answer", {"seq": 3, "skipped": {"reason": "not yet", "url": "https://example.org/1"}}),
    ("answer", {"seq": 3, "errored": {"message": "out of memory"}}),
]  # fmt: skip


def agrees(name: str, definition: str, value: Any) -> bool:
    """Whether the kit's check and the library say the same of a value; what they say."""
    schema = schemas.load(name)
    whole = {**schema, "$ref": f"#/$defs/{definition}"}
    valid = jsonschema.Draft202012Validator(whole).is_valid(value)
    assert (schemas.problem(name, definition, value) is None) == valid
    return bool(valid)


@pytest.mark.parametrize("name", ["protocol", "report"])
def test_the_schemas_are_schemas_and_keep_to_the_keywords_that_the_kit_knows(name: str) -> None:
    schema = schemas.load(name)
    jsonschema.Draft202012Validator.check_schema(schema)

    def visit(node: Any) -> None:
        if isinstance(node, list):
            for inner in node:
                visit(inner)
        elif isinstance(node, dict):
            assert set(node) <= schemas.KNOWN
            for key, inner in node.items():
                if key in ("properties", "$defs"):
                    for each in inner.values():
                        visit(each)
                elif key not in ("enum", "const", "required"):
                    visit(inner)

    visit(schema)


@pytest.mark.parametrize(("definition", "message"), MESSAGES)
def test_messages_are_as_their_schema_says(definition: str, message: dict[str, Any]) -> None:
    assert agrees("protocol", definition, message)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "x", "float64", "nan"])
    | st.floats(-2, 2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=5,
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner: list[tuple[Any, Any]] = []
    if isinstance(value, dict | list):
        inner = list(value.items() if isinstance(value, dict) else enumerate(value))
    return [path, *(place for key, each in inner for place in places(each, (*path, key)))]


@given(st.sampled_from(MESSAGES), st.data())
def test_the_kit_and_a_library_agree_on_spoilt_messages(
    start: tuple[str, dict[str, Any]], data: st.DataObject
) -> None:
    definition, message = start[0], copy.deepcopy(start[1])
    path = data.draw(st.sampled_from(places(message)[1:]))
    holder: Any = message
    for key in path[:-1]:
        holder = holder[key]
    what = data.draw(st.sampled_from(["replace", "drop", "add"]))
    if what == "drop":
        del holder[path[-1]]
    elif what == "add" and isinstance(holder, dict):
        holder[data.draw(st.sampled_from(["reasons", "seq", "outputs", "gradients"]))] = data.draw(
            JUNK
        )
    else:
        holder[path[-1]] = data.draw(JUNK)
    agrees("protocol", definition, message)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_request_keeps_to_the_schema_and_holds_no_answer(case: Any) -> None:
    request = Request(7, case.op, case.attributes, case.inputs, case.cotangents)
    message = json.loads(protocol.line(protocol.run(request)))
    assert agrees("protocol", "run", message)
    assert set(message) <= {"cmd", "seq", "op", "attributes", "inputs", "cotangents"}
    assert case.id.split("/")[1] not in json.dumps(message)


@given(
    arrays.arrays(
        st.sampled_from([np.float64, np.float32, np.int64, np.bool_]),
        arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
    )
)
def test_arrays_cross_the_wire_bit_for_bit(x: Any) -> None:
    sent = protocol.line({"seq": 2, "outputs": {"weights": encode(x)}})
    seq, answer = protocol.read_answer(protocol.parse(sent))
    assert seq == 2
    assert isinstance(answer, Outputs)
    got = answer.arrays["weights"]
    assert (got.dtype, got.shape) == (x.dtype, x.shape)
    np.testing.assert_array_equal(got, x)


def test_the_four_answers() -> None:
    def read(body: dict[str, Any]) -> Any:
        return protocol.read_answer({"seq": 1, **body})[1]

    assert read({"rejected": {}}) == Rejected()
    assert read({"rejected": {"reason": "shape", "message": "2"}}) == Rejected("shape", "2")
    assert read({"skipped": {"reason": "later"}}) == Skipped("later")
    assert read({"errored": {"message": "boom"}}) == Errored("boom")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"hello\n", "not JSON"),
        (b"\xff\n", "not JSON"),
        (b"[" * 10**5, "not JSON"),
        (b'{"seq": 1' + b"0" * 5000 + b"}", "not JSON"),
        (b"[1]\n", "expected a JSON object"),
        (b'{"seq": NaN}\n', "JSON has no NaN"),
        (b'{"seq": 1, "seq": 2}\n', "twice"),
        (b"\n", "not JSON"),
    ],
)
def test_what_is_no_message_is_refused_with_the_reason(line: bytes, said: str) -> None:
    with pytest.raises(BadMessage, match=said):
        protocol.parse(line)


@pytest.mark.parametrize(
    "record",
    [
        {"dtype": "float64", "shape": [2, 3], "data": [1.0]},
        {"dtype": "float16", "shape": [], "data": [1.0]},
        {"dtype": "bool", "shape": [1], "data": [1]},
        {"dtype": "int64", "shape": [1], "data": [1e30]},
        {"dtype": "float64", "shape": [10**30, 0], "data": []},
        [1.0, 2.0],
    ],
)
def test_an_array_that_is_none_leaves_the_conversation_in_step(record: Any) -> None:
    seq, answer = protocol.read_answer({"seq": 5, "outputs": {"weights": record}})
    assert seq == 5
    assert isinstance(answer, Broken)
    assert answer.kind == "form"
    assert "weights" in answer.message


def test_another_protocol_is_refused() -> None:
    introduction = {**MESSAGES[3][1], "protocol": 2}
    with pytest.raises(BadMessage, match="expected protocol 1, got protocol 2"):
        protocol.read_started(introduction)


@given(st.text())
def test_what_a_port_says_is_printed_without_control_characters(text: str) -> None:
    shown = schemas.plain(text, 50)
    assert shown.isprintable()
    assert len(shown) <= 10 * 51
    shown.encode("utf-8")  # no surrogates, which cannot be written
