"""HTML that cannot forget to escape: text becomes markup in one place only.   (SPEC 9)

What a port says ends up in the page.  Every text that is put into an element or an attribute is
escaped on its way, unless it is `Markup` already, and only `element`, `join` and `escaped` make
that.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Final

from saffu.conformance.ports.schemas import plain

_EMPTY: Final = ("input", "meta")
"""Elements that have no end."""

_LONGEST: Final = 20_000
"""Characters of one text; whatever is quoted of a port was cut before."""


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def escaped(text: str) -> Markup:
    """A text as HTML shows it; what cannot be printed is shown as its escape.

    >>> escaped("a < b\\x1b[31m")
    'a &lt; b\\\\x1b[31m'
    """
    if isinstance(text, Markup):
        return text
    return Markup("\n".join(escape(plain(line, _LONGEST)) for line in text.split("\n")))


def element(tag: str, *inside: str | None, **attributes: str | bool | None) -> Markup:
    """An element with what is inside; what is None is left out.

    An attribute that is True stands without a value, one that is False or None is left out;
    `class_` and `aria_label` stand for class and aria-label.

    >>> element("p", "a < b", element("b", "!"), class_="said", hidden=False)
    '<p class="said">a &lt; b<b>!</b></p>'
    """
    written = "".join(
        f" {name.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{escaped(value)}"')
        for name, value in attributes.items()
        if value is not None and value is not False
    )
    if tag in _EMPTY:
        return Markup(f"<{tag}{written}>")
    return Markup(f"<{tag}{written}>{join(inside)}</{tag}>")


def join(parts: Iterable[str | None], between: str = "") -> Markup:
    """Texts and elements after one another."""
    return Markup(escaped(between).join(escaped(part) for part in parts if part is not None))
