"""Configuration of a SAFFU transformer: a record of its choices, and presets.   (SPEC 2, 3, 4)

Every context model carries a tower of SAFFU layers.  The hidden states of all towers are put side
by side and read by one output layer, so it can tell the contexts apart:

    logits = [h¹ … h^C] O
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final, Literal

from saffu import checks
from saffu.contexts import (
    CONTEXTS,
    BlockContext,
    ContextModel,
    DocumentContext,
    RadialContext,
    has_slots,
)
from saffu.embedding import check_radii
from saffu.errors import BadOption, SaffuError, TooFewBits
from saffu.layer import LayerOptions

_SPEC_2: Final = "SPEC 2"
_SPEC_4: Final = "SPEC 4"


@dataclass(frozen=True)
class Configuration:
    """The shape of a model."""

    vocabulary: int
    """V, the number of token ids"""
    contexts: tuple[ContextModel, ...] = (RadialContext(8),)
    """one tower each"""
    bits: int = 128
    """b, width of the token cipher"""
    label_bits: int = 128
    """N_h, width of the label cipher and of every hidden state"""
    radii: tuple[int, ...] = ()
    """radial embedding over these radii; empty: the cipher itself"""
    combine: Literal["sum", "cat"] = "sum"
    """how the radial embedding joins its radii"""
    layer: LayerOptions = field(default_factory=LayerOptions)
    depth: int = 1
    """SAFFU layers of each tower (a tower without slots always has one)"""
    output: Literal["softmax", "direct"] = "softmax"
    """`softmax`: hidden states and an output layer; `direct`: neither, one table a slot"""

    def __post_init__(self) -> None:
        for name, least, source in (
            ("vocabulary", 2, _SPEC_2),
            ("bits", 1, _SPEC_2),
            ("label_bits", 1, _SPEC_2),
            ("depth", 1, _SPEC_4),
        ):
            number = checks.whole(name, getattr(self, name), least, source)
            object.__setattr__(self, name, number)  # NumPy's integers become Python's
        checks.choice("combine", self.combine, ("sum", "cat"), _SPEC_2)
        checks.choice("output", self.output, ("softmax", "direct"), _SPEC_4)
        if not isinstance(self.layer, LayerOptions):
            raise BadOption("layer", self.layer, "a LayerOptions", _SPEC_4)
        for bits in (self.bits, self.label_bits):
            if bits < self.vocabulary.bit_length():
                raise TooFewBits(self.vocabulary, bits)
        if self.radii:
            object.__setattr__(self, "radii", check_radii(self.radii, self.combine))
        if not self.contexts:
            raise BadOption(
                "contexts", self.contexts, "a tuple of at least one context model", "SPEC 3"
            )
        for c, context in enumerate(self.contexts):
            if type(context) not in CONTEXTS.values():
                expected = f"a context model ({', '.join(CONTEXTS)})"
                raise BadOption(f"contexts[{c}]", context, expected, "SPEC 3")
        if self.output == "direct" and (self.depth > 1 or not all(map(has_slots, self.contexts))):
            raise BadOption(
                "output", "direct", "'softmax' for depth > 1 or a DocumentContext", _SPEC_4
            )

    @property
    def width(self) -> int:
        """D, the width of a token's embedding."""
        return self.bits * (len(self.radii) if self.combine == "cat" and self.radii else 1)

    def layers(self, context: ContextModel) -> int:
        """How many layers the tower of a context model has."""
        return self.depth if has_slots(context) else 1

    def features(self, context: ContextModel, level: int) -> int:
        """S, the number of features that layer `level` (from 0) of a tower reads."""
        below = self.width if level == 0 else self.label_bits
        side_by_side = has_slots(context) and self.layer.aggregation == "cat"
        return context.slots * below if side_by_side else below

    def to_json(self) -> dict[str, Any]:
        """Plain lists, numbers and words."""
        record = asdict(self)
        record["contexts"] = [[c.kind, *asdict(c).values()] for c in self.contexts]
        record["radii"] = list(self.radii)
        return record

    @staticmethod
    def from_json(record: Mapping[str, Any]) -> Configuration:
        """The configuration that `to_json` wrote; refuses unknown fields."""
        fields = dict(record)
        try:
            fields["contexts"] = tuple(
                CONTEXTS[name](*sizes) for name, *sizes in fields["contexts"]
            )
            fields["radii"] = tuple(fields["radii"])
            fields["layer"] = LayerOptions(**fields["layer"])
            return Configuration(**fields)
        except SaffuError:
            raise
        except (KeyError, TypeError, ValueError) as wrong:
            raise BadOption(
                "configuration",
                dict(record),
                f"a record of the fields of Configuration ({wrong})",
                "SPEC 8",
            ) from None


TINY = Configuration(vocabulary=256, contexts=(RadialContext(4),), bits=32, label_bits=32)
"""Seconds on anything; for tests and first looks."""

SMALL = Configuration(vocabulary=2048, contexts=(RadialContext(8),), bits=128, label_bits=128)
"""The setting in which the claims are measured."""

BASE = Configuration(
    vocabulary=8192, contexts=(RadialContext(8), DocumentContext()), bits=256, label_bits=256
)
"""A local and a document context, wider codes."""

DIRECT = replace(SMALL, output="direct", layer=LayerOptions(attention="uniform"))
"""No hidden layer: one table and one temper per slot.   (SPEC 1, 4)"""

PAPER = Configuration(
    vocabulary=16384,
    contexts=(BlockContext(64), RadialContext(16), DocumentContext()),
    bits=512,
    label_bits=512,
    radii=(16,),
)
"""All three context models of the lecture at once, over radial embeddings [T].  The papers' own
sizes are not known to us, so those of this preset are our choice."""

PRESETS: dict[str, Configuration] = {
    "tiny": TINY,
    "small": SMALL,
    "base": BASE,
    "direct": DIRECT,
    "paper": PAPER,
}
