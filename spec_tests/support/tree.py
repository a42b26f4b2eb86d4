"""A page of HTML as a tree, read strictly: what is opened is closed in its place."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser

EMPTY = {"meta", "input"}
"""Elements that have no end."""


class Node:
    """An element of a page, or the page."""

    def __init__(self, tag: str, given: dict[str, str]) -> None:
        self.tag, self.given = tag, given
        self.inside: list[Node | str] = []

    @property
    def text(self) -> str:
        """All text inside."""
        return "".join(each if isinstance(each, str) else each.text for each in self.inside)

    def all(self, tag: str = "", name: str = "") -> Iterator[Node]:
        """The elements inside, of a tag and of a class if these are given, in their order."""
        for each in self.inside:
            if isinstance(each, Node):
                if tag in ("", each.tag) and (not name or name in each.classes):
                    yield each
                yield from each.all(tag, name)

    @property
    def classes(self) -> list[str]:
        """The words of its class."""
        return self.given.get("class", "").split()

    def by_id(self, name: str) -> Node:
        """The one element inside that is called so."""
        (found,) = (each for each in self.all() if each.given.get("id") == name)
        return found


class Tree(HTMLParser):
    """Reads a page, and fails where an element is not closed in its place."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.root = Node("", {})
        self.open = [self.root]
        self.feed(page)
        self.close()
        assert self.open == [self.root], "not closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Go into an element."""
        node = Node(tag, {name: value or "" for name, value in attrs})
        self.open[-1].inside.append(node)
        if tag not in EMPTY:
            self.open.append(node)

    def handle_endtag(self, tag: str) -> None:
        """Leave the element that is open, and no other."""
        assert self.open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        """Keep the text."""
        self.open[-1].inside.append(data)


def read(page: str) -> Node:
    """A page, each element in its place."""
    return Tree(page).root
