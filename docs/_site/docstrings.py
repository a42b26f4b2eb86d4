"""Conversion of plain-text docstrings to reStructuredText, for Sphinx.

Indented text becomes a literal block, examples stay examples, names between backticks become code,
and public names become links to their documentation.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence

LABELS = re.compile(r"(?:(?<=^)|(?<=\.  )|(?<=\. ))(Parameters|Returns|Refuses|Shapes):? ")
SPEC = re.compile(r"\(SPEC (\d)((?:[.,–]| and)[^)]*)?\)")
SPECIAL = re.compile(r"([\\*|]|_(?!\w))")


def reading(
    lines: Sequence[str], public: Mapping[str, str], own: Collection[str] = ()
) -> list[str]:
    """A docstring as reStructuredText; `public` names link to their modules, except `own` ones.

    >>> reading(["Weights of `x`, a*b.   (SPEC 1)", "", "    U = log F"], {})[0]
    'Weights of ``x``, a\\\\*b.   (:ref:`SPEC 1 <spec-1>`)'
    """
    written: list[str] = []
    for kind, block in _blocks(lines):
        if kind == "literal":
            written += [".. code-block:: text", "", *(f"   {line}" for line in block), ""]
        elif kind == "example":
            written += [*block, ""]
        else:
            written += [*_text(block, public, own), ""]
    return written


def _blocks(lines: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """The docstring split into paragraphs, examples and literal blocks."""
    kind, block = "text", list[str]()
    for line in [*lines, ""]:
        if kind == "example":
            here = "example" if line.strip() else "text"
        elif line.lstrip().startswith(">>> "):
            here = "example"
        elif not line.strip():
            here = kind if kind == "literal" else "text"
        elif line.startswith("    "):
            here = "literal"
        else:
            here = "text"
        if block and (here != kind or (here == "text" and not line.strip())):
            while block and not block[-1].strip():
                block.pop()
            yield kind, block
            block = []
        kind = here
        if line.strip() or block:
            block.append(line)
    if block := [line for line in block if line.strip()]:
        yield kind, block


def _text(block: Sequence[str], public: Mapping[str, str], own: Collection[str]) -> list[str]:
    """One paragraph or list; parameters, results and refusals each begin a line."""
    if block[0].lstrip().startswith("- "):
        return [_marked(line, public, own) for line in block]
    paragraphs: list[str] = []
    for line in block:
        if paragraphs and not LABELS.match(line):
            paragraphs[-1] += " " + line.strip()
        else:
            paragraphs.append(line.strip())
    cut = [part for text in paragraphs for part in LABELS.sub(r"\n\1: ", text).split("\n") if part]
    written: list[str] = []
    for part in cut:
        label, colon, rest = part.partition(": ")
        known = bool(colon) and label in ("Parameters", "Returns", "Refuses", "Shapes")
        line = f"**{label}:** {_marked(rest, public, own)}" if known else _marked(part, public, own)
        written += [line.rstrip(), ""]
    return written[:-1]


def _marked(line: str, public: Mapping[str, str], own: Collection[str]) -> str:
    """Backticks as code or as links; characters that are markup in reStructuredText are escaped."""
    parts = line.split("`")
    if len(parts) % 2 == 0:  # a backtick without its partner
        return SPECIAL.sub(r"\\\1", line).replace("`", "\\`")
    for index, part in enumerate(parts):
        if index % 2 == 0:
            escaped = SPECIAL.sub(r"\\\1", part)
            parts[index] = SPEC.sub(r"(:ref:`SPEC \1 <spec-\1>`\2)", escaped)
        elif part in public and part not in own:
            parts[index] = f":py:obj:`{part} <{public[part]}.{part}>`"
        elif part:
            parts[index] = f"``{part}``"
    return "".join(parts)
