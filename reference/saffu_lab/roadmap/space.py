"""Space of models: factors, each with its possible values.   (SPEC 2–5)

    contexts × embedding × bits × label_bits × aggregation × attention × gain × depth × rounds

A choice may have no effect on a model: a layer with uniform attention has no rounds, and a document
context has no slots to concatenate.  Such a choice is set to the first value of its list
(`canonical`), so that two combinations are the same model exactly if they are equal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from saffu import checks
from saffu.contexts import parse_contexts
from saffu.errors import BadOption, SaffuError
from saffu_lab.study.recipes import configuration_of

_SPEC: Final = "SPEC 4"

Levels: TypeAlias = dict[str, Any]
"""A value for each factor: one point of the space."""

FACTORS: Final[Mapping[str, str]] = {
    "contexts": "context models, such as radial:8 or block:16,document",
    "embedding": "cipher, or radial over radii: sum:8, cat:2,8",
    "bits": "width of the token cipher",
    "label_bits": "width of the label cipher and of hidden states",
    "aggregation": "sum or cat: how slots become features",
    "attention": "softmax, surprisal or uniform",
    "gain": "unit or count: whether features grow with the context",
    "depth": "SAFFU layers in each tower",
    "rounds": "how often attention is solved; 0 leaves it uniform",
}
"""The factors that may vary, and their descriptions."""

WHOLE: Final = {"bits": 1, "label_bits": 1, "depth": 1, "rounds": 0}
"""Factors that are whole numbers, and their minimum."""

WORDS: Final = {
    "aggregation": ("sum", "cat"),
    "attention": ("softmax", "surprisal", "uniform"),
    "gain": ("unit", "count"),
}
"""Factors that take one of several words."""


@dataclass(frozen=True)
class Space:
    """Factors and their values, settings shared by all models, and skipped combinations."""

    factors: Mapping[str, Sequence[Any]]
    shared: Mapping[str, Any]
    """recipe fields that do not vary"""
    skip: Sequence[Mapping[str, Any]] = ()
    """per entry, one or several values of some factors; combinations that match all are left out"""

    def recipe(self, levels: Levels) -> dict[str, Any]:
        """The recipe of a point.

        >>> space = Space({"contexts": ["radial:3"], "embedding": ["cat:2,5"]}, {"vocabulary": 251})
        >>> space.recipe({"contexts": "radial:3", "embedding": "cat:2,5"})
        {'vocabulary': 251, 'contexts': 'radial:3', 'combine': 'cat', 'radii': [2, 5]}
        """
        fields = {**self.shared, **levels}
        if "embedding" in fields:
            fields |= parse_embedding(fields.pop("embedding"))
        return fields

    def canonical(self, levels: Levels) -> Levels:
        """The same model, with every choice without effect set to the first value of its list."""
        recipe = self.recipe(levels)
        void = {name: self.factors[name][0] for name in meaningless(recipe) if name in self.factors}
        return {**levels, **void}

    def allowed(self, levels: Levels) -> bool:
        """Whether a point is a valid model and not skipped."""
        for one in self.skip:
            if all(levels[name] in several(value) for name, value in one.items()):
                return False
        try:
            configuration_of(self.recipe(levels))
        except SaffuError:
            return False
        return True


def several(value: Any) -> Sequence[Any]:
    """A list unchanged; anything else as a list of one."""
    return value if isinstance(value, list) else [value]


def meaningless(recipe: Mapping[str, Any]) -> tuple[str, ...]:
    """Fields that have no effect on the model of a recipe.   (SPEC 3, 4)

    >>> meaningless({"attention": "uniform"}), meaningless({"attention": "surprisal"})
    (('rounds',), ('gain',))
    """
    if set(recipe.get("contexts", "radial:8").replace(" ", "").split(",")) == {"document"}:
        return ("aggregation", "attention", "gain", "depth", "rounds")
    match recipe.get("attention", "softmax"):
        case "uniform":
            return ("rounds",)
        case "surprisal":
            return ("gain",)
    return ()


def parse_embedding(text: str) -> dict[str, Any]:
    """Read `cipher`, `sum:8` or `cat:2,8` as fields of a recipe.

    Refuses: other words.

    >>> parse_embedding("cipher"), parse_embedding("sum:8")
    ({'combine': 'sum', 'radii': []}, {'combine': 'sum', 'radii': [8]})
    """
    if text == "cipher":
        return {"combine": "sum", "radii": []}
    how, _, radii = str(text).partition(":")
    parts = radii.split(",")
    if how not in ("sum", "cat") or not all(part.isdecimal() for part in parts):
        raise BadOption("embedding", text, "cipher, or radii such as sum:8 or cat:2,8", "SPEC 2")
    return {"combine": how, "radii": [int(part) for part in parts]}


def check_level(factor: str, value: Any) -> None:
    """Refuse a value that its factor cannot take, whatever the other factors are.

    >>> check_level("bits", 0)
    Traceback (most recent call last):
    saffu.errors.BadOption: bits must be a whole number >= 1, got 0 (SPEC 4)
    """
    if factor in WHOLE:
        if type(value) is not int or value < WHOLE[factor]:
            raise BadOption(factor, value, f"a whole number >= {WHOLE[factor]}", _SPEC)
        return
    if not isinstance(value, str):
        raise BadOption(factor, value, f"a text ({FACTORS[factor]})", _SPEC)
    if factor in WORDS:
        checks.choice(factor, value, WORDS[factor], _SPEC)
    elif factor == "contexts":
        parse_contexts(value)
    else:
        configuration_of(parse_embedding(value))
