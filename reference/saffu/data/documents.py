"""What may be given as documents: several texts in an order, each a `str`.   (SPEC 8)

Python iterates over many things that are no documents: the letters of one text, the column names of
a table, the keys of a dictionary, the members of a set in another order at every run.  They are
refused here, at the one place where documents are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Final

from saffu.errors import BadOption

EXPECTED: Final = "several texts, such as a list of str or read_documents(…)"


def check_documents(documents: object) -> None:
    """Refuse what cannot be documents, before anything is read.

    >>> check_documents(["one text", "another"])
    >>> check_documents("one text")
    Traceback (most recent call last):
    saffu.errors.BadOption: documents must be several texts, such as ...
    """
    advice = None
    if isinstance(documents, str | bytes | bytearray):
        advice = "put one text into a list: [text]"
    elif hasattr(documents, "columns") or hasattr(documents, "column_names"):
        advice = 'pass the column of texts of a table, as with list(table["text"])'
    elif isinstance(documents, Mapping):
        advice = "pass the values of a dictionary, as with list(….values())"
    elif isinstance(documents, Set):
        advice = "a set has no order; pass sorted(…)"
    elif not isinstance(documents, Iterable):
        advice = "put it into a list"
    if advice is not None:
        raise BadOption("documents", _short(documents), f"{EXPECTED} ({advice})", "SPEC 8")


def each_text(documents: Iterable[str]) -> Iterator[str]:
    """The documents, one by one.  Refuses: what `check_documents` refuses; an entry that is no str.

    >>> list(each_text(("a", "b")))
    ['a', 'b']
    """
    check_documents(documents)
    for number, text in enumerate(documents):
        if not isinstance(text, str):
            raise BadOption(f"documents[{number}]", _short(text), f"a str{_advice(text)}", "SPEC 8")
        yield text


def _advice(entry: object) -> str:
    """How a text is made of an entry."""
    if entry is None or entry != entry:
        return " (drop the documents without a text)"
    if isinstance(entry, bytes | bytearray):
        return ' (decode it, as with entry.decode("utf-8"))'
    if hasattr(entry, "as_py"):
        return " (convert the whole column with .to_pylist())"
    return ""


def _short(value: object) -> object:
    """The value itself if it is short, or else its type."""
    shown = repr(value)
    return value if len(shown) <= 60 else f"{type(value).__name__} {shown[:40]}…"
