"""English prose that ships with every CPython: `help()` topics and docstrings.   [D]

About 150,000 words, without a download: enough to try a language model on.  The sources are parsed,
never imported.  The words change a little between versions of Python, so a number measured on them
names the version.
"""

from __future__ import annotations

import ast
import inspect
import os
import re
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from saffu.errors import Missing, NoSamples

SKIPPED = frozenset(
    {"site-packages", "dist-packages", "test", "tests", "idle_test"}
    | {"pydoc_data", "distutils", "lib2to3", "__pycache__"}
)
"""Folders that are no part of the library, or hold the topics, or are not in all versions."""
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
COMPOUND = (*DOCUMENTED, ast.If, ast.Try, ast.With)
WORD = re.compile(r"[\"'(]*[A-Za-z][a-z'-]*[.,;:!?\"')]*")
FEWEST = 8
"""Words of a paragraph, below which it is rather a heading or a signature."""


def prose() -> list[str]:
    """The documents: each is a topic of `help()` or a docstring, one paragraph a line.

    Paragraphs that are no running text (code, tables, lists of arguments) are left out, equal
    documents appear once, and the order is that of the topics' names and the sources' paths.  Equal
    paragraphs of different documents stay; in Python 3.11, 11 % of the words stand in such.
    Refuses: a Python without its topics, or without the sources of its library.
    """
    documents = [*topics(), *docstrings(library())]
    kept = dict.fromkeys("\n".join(running_text(document)) for document in documents)
    return [document for document in kept if document]


def topics() -> list[str]:
    """What `help()` says on each topic of the language."""
    try:
        from pydoc_data.topics import topics as texts
    except ImportError as missing:
        what = "the module pydoc_data"
        raise Missing("prose()", what, "the whole standard library of Python") from missing
    return [texts[name] for name in sorted(texts)]


def library() -> list[Path]:
    """The sources of the standard library, by path.  Refuses: a library without sources."""
    root = Path(sysconfig.get_path("stdlib"))
    paths = []
    for folder, below, names in os.walk(root):
        below[:] = [name for name in below if name not in SKIPPED]
        paths += [Path(folder, name) for name in names if name.endswith(".py")]
    if not paths:
        raise NoSamples(f"the standard library at {root} (as source)", "SPEC 7")
    return sorted(paths)


def docstrings(paths: list[Path]) -> Iterator[str]:
    """The docstrings of these sources, in order, their indents removed."""
    for path in paths:
        source = path.read_bytes()
        if source.count(b'"""') >= 4:  # parsing takes nearly all of the time
            yield from docstrings_below(ast.parse(source))


def docstrings_below(node: ast.AST) -> Iterator[str]:
    """The docstring of a definition and of all within it, in the order of the source."""
    if isinstance(node, DOCUMENTED) and (text := ast.get_docstring(node)):
        yield text
    for block in ("body", "orelse", "finalbody"):
        for statement in getattr(node, block, ()):
            if isinstance(statement, COMPOUND):
                yield from docstrings_below(statement)


def running_text(text: str) -> list[str]:
    """The paragraphs of a text that are sentences, each as one line.

    >>> running_text("f(x)\\n\\nReturn what the function f makes of its\\nargument.\\n\\n>>> f(1)")
    ['Return what the function f makes of its argument.']
    """
    paragraphs = re.split(r"\n\s*\n", inspect.cleandoc(text))
    return [line for line in (sentences(paragraph) for paragraph in paragraphs) if line]


def sentences(paragraph: str) -> str:
    """The paragraph as one line; nothing, if it is not running text.

    Running text begins with a capital, ends like a sentence, has no prompt and no line that is
    indented deeper than the first, and of its words at least nine in ten are made of letters.
    """
    lines = paragraph.split("\n")
    words = paragraph.split()
    indents = [len(line) - len(line.lstrip()) for line in lines]
    plain = sum(WORD.fullmatch(word) is not None for word in words)
    running = (
        len(words) >= FEWEST
        and words[0].lstrip("\"'(")[:1].isupper()
        and words[-1].rstrip("\"')")[-1:] in (".", "?", "!", ":")
        and max(indents) == indents[0]
        and ">>>" not in paragraph
        and 10 * plain >= 9 * len(words)
    )
    return " ".join(words) if running else ""
