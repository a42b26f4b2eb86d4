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
    return tuple(_context(part.strip(), text) for part in text.split(","))


def _context(part: str, text: str) -> ContextModel:
    name, _, size = part.partition(":")
    if name == "document" and not size:
        return Document()
    if name in ("radial", "block") and size.isdecimal() and int(size) >= 1:
        return Radial(int(size)) if name == "radial" else Block(int(size))
    raise BadOption("contexts", text, "a list such as radial:8,block:16,document", "SPEC 3")
