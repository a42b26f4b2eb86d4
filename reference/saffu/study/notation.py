"""How the choices of a model are written as words.   (SPEC 3)"""

from __future__ import annotations

from saffu.contexts import Block, ContextModel, Document, Radial
from saffu.errors import BadOption


def parse_contexts(text: str) -> tuple[ContextModel, ...]:
    """Read `radial:8,block:16,document` as context models.

    Refuses: other words; sizes that are no whole numbers >= 1.

    >>> parse_contexts("radial:8,document")
    (Radial(radius=8), Document())
    """
    return tuple(_context(part.strip()) for part in text.split(","))


def _context(part: str) -> ContextModel:
    name, _, size = part.partition(":")
    if name == "document" and not size:
        return Document()
    if name not in ("radial", "block"):
        expected = "radial:SLOTS, block:SLOTS or document, with commas between,"
        raise BadOption("contexts", part, expected, "SPEC 3")
    if not size.isdecimal() or int(size) < 1:
        raise BadOption("contexts", part, "a number of slots >= 1 behind the colon", "SPEC 3")
    return Radial(int(size)) if name == "radial" else Block(int(size))
