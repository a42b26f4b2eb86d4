"""A plugin for pytest that runs the examples of the documents: `pytest -p spec_tests.documents`.

Pages (README.md, docs/) are read by Sybil: every block marked `python` or `pycon` is run, those of
one page in order and in one namespace.  A block that must not run is preceded by a comment that
says why, `<!--- skip: next "needs a GPU" -->`.  Docstrings are read by doctest, each on its own.
Pages and docstrings run in an empty folder, so that no example leaves a file or leans on one.
"""

from __future__ import annotations

import ast
import doctest
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "reference"


def enter_an_empty_folder(namespace: dict[str, Any]) -> None:
    """Before the first example of a page."""
    namespace["__folder__"] = folder = tempfile.TemporaryDirectory()
    os.chdir(folder.name)


def leave_it(namespace: dict[str, Any]) -> None:
    """After its last."""
    os.chdir(ROOT)
    namespace["__folder__"].cleanup()


pytest_collect_file = Sybil(
    parsers=[
        PythonCodeBlockParser(doctest_optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE),
        SkipParser(),
    ],
    path=str(ROOT),
    patterns=["*.md"],
    setup=enter_an_empty_folder,
    teardown=leave_it,
).pytest()


@pytest.fixture(autouse=True)
def in_an_empty_folder(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same for each docstring."""
    if isinstance(request.node, pytest.DoctestItem):
        monkeypatch.chdir(tmp_path)


def docstrings_with_examples(path: Path) -> Iterator[str]:
    """Name each docstring of a module that holds an example, as doctest would."""
    module = ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")

    def within(node: ast.Module | ast.ClassDef | ast.FunctionDef, name: str) -> Iterator[str]:
        if ">>> " in (ast.get_docstring(node) or ""):
            yield name
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef | ast.FunctionDef):
                yield from within(child, f"{name}.{child.name}")

    yield from within(ast.parse(path.read_text(encoding="utf-8")), module)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Doctest passes over what a decorator hides from it; here that is an error."""
    package = SOURCE / "saffu"
    asked_for = {Path(config.invocation_params.dir, argument) for argument in config.args}
    broken = session.testsfailed > 0  # modules that cannot be imported fail by themselves
    if package not in asked_for or broken:
        return
    found = {item.name for item in items if isinstance(item, pytest.DoctestItem)}
    written = {name for path in package.rglob("*.py") for name in docstrings_with_examples(path)}
    if overlooked := sorted(written - found):
        raise pytest.UsageError(f"doctest overlooks the examples of {', '.join(overlooked)}")
