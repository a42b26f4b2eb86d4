"""JSON Schema validation of messages and report lines, without a library.   (SPEC 9)

The schemas are JSON Schema, 2020-12, so that any language can use them.  They keep to the few
keywords that `problem` knows, so that the kit itself needs nothing that is not installed with it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

KNOWN: Final = {
    "$comment", "$defs", "$id", "$ref", "$schema", "additionalProperties", "anyOf", "const",
    "description", "enum", "items", "maxItems", "maxLength", "minLength", "minimum", "pattern",
    "properties", "required", "title", "type",
}  # fmt: skip
"""The keywords that `problem` knows; a schema with another one is refused by a test."""

_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "object": (dict,), "array": (list,), "string": (str,), "boolean": (bool,),
    "null": (type(None),), "integer": (int,), "number": (int, float),
}  # fmt: skip


@cache
def load(name: str) -> dict[str, Any]:
    """The schema `name` of this package: `protocol` or `report`."""
    text = (files("saffu.conformance.ports") / "schema" / f"{name}.schema.json").read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def problem(name: str, definition: str, value: Any) -> str | None:
    """What is wrong with a value, as a sentence that names the place; None if nothing is.

    Parameters: `name` of the schema; `definition`, one of its `$defs`; `value`, as JSON is read.

    >>> problem("protocol", "stop", {"cmd": "halt"})
    "cmd must be 'stop', got 'halt'"
    >>> problem("protocol", "stop", {"cmd": "stop"})
    """
    root = load(name)
    return next(iter(_problems(root["$defs"][definition], value, "", root)), None)


def _problems(
    schema: Mapping[str, Any], value: Any, at: str, root: Mapping[str, Any]
) -> Iterable[str]:
    here = at or "it"
    if "$ref" in schema:
        yield from _problems(root["$defs"][schema["$ref"].rsplit("/", 1)[1]], value, at, root)
    if "const" in schema and not _same(value, schema["const"]):
        yield f"{here} must be {schema['const']!r}, got {short(value)}"
    if "enum" in schema and not any(_same(value, allowed) for allowed in schema["enum"]):
        yield f"{here} must be one of {', '.join(map(repr, schema['enum']))}, got {short(value)}"
    if "type" in schema and not is_a(value, schema["type"]):
        yield f"{here} must be {_article(schema['type'])}, got {short(value)}"
        return
    if "anyOf" in schema:
        alternatives = [list(_problems(each, value, at, root)) for each in schema["anyOf"]]
        if all(alternatives):
            yield min(alternatives, key=len)[0]
    if isinstance(value, str):
        yield from _of_text(schema, value, here)
    elif isinstance(value, int | float) and value < schema.get("minimum", value):
        yield f"{here} must be at least {schema['minimum']}, got {value}"
    elif isinstance(value, list):
        if len(value) > schema.get("maxItems", len(value)):
            yield f"{here} must have at most {schema['maxItems']} items, got {len(value)}"
        if "items" in schema:
            for i, item in enumerate(value):
                yield from _problems(schema["items"], item, f"{at}[{i}]", root)
    elif isinstance(value, dict):
        yield from _of_object(schema, value, at, root)


def _of_text(schema: Mapping[str, Any], value: str, here: str) -> Iterable[str]:
    if len(value) < schema.get("minLength", 0):
        yield f"{here} is empty"
    if len(value) > schema.get("maxLength", len(value)):
        yield f"{here} must have at most {schema['maxLength']} characters, got {len(value)}"
    if "pattern" in schema and not re.search(schema["pattern"].replace("$", r"\Z"), value):
        yield f"{here} must match {schema['pattern']}, got {short(value)}"


def _of_object(
    schema: Mapping[str, Any], value: Mapping[str, Any], at: str, root: Mapping[str, Any]
) -> Iterable[str]:
    for field in schema.get("required", ()):
        if field not in value:
            yield f"{at or 'it'} lacks the field {field!r}"
    properties: Mapping[str, Any] = schema.get("properties", {})
    others = schema.get("additionalProperties", True)
    for field, inner in value.items():
        place = f"{at}.{field}" if at else field
        if field in properties:
            yield from _problems(properties[field], inner, place, root)
        elif others is False:
            yield f"{at or 'it'} has the unknown field {short(field)}"
        elif others is not True:
            yield from _problems(others, inner, place, root)


def is_a(value: Any, kind: str) -> bool:
    """Whether a value is of a type of JSON: true is no number, and 2.0 is an integer."""
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES[kind])


def _same(value: Any, other: Any) -> bool:
    return isinstance(value, bool) == isinstance(other, bool) and bool(value == other)


def _article(kind: str) -> str:
    return {"array": "a list", "integer": "a whole number"}.get(
        kind, f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
    )


def short(value: Any, limit: int = 60) -> str:
    """A value as a message quotes it: on one line, in harmless characters, cut after `limit`.

    >>> short(["much", "more"]), short(1.5)
    ('a list of 2', '1.5')
    """
    if isinstance(value, str):
        return f"'{plain(value, limit)}'"
    if isinstance(value, bytes):
        text = ascii(value[: limit + 1])
    elif isinstance(value, dict | list):
        text = f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value)}"
    else:
        text = ascii(value)
    return text if len(text) <= limit else text[:limit] + "…"


def plain(text: str, limit: int = 300) -> str:
    """A text from elsewhere, safe to print: no control characters, cut after `limit`.

    >>> print(plain("λ is\\x1b[31m red", 10))
    λ is\\x1b[31m …
    """
    cut = text[:limit] + ("…" if len(text) > limit else "")
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in cut
    )
