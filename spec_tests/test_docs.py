"""The pages that mirror the code say what the code says."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

import saffu
from saffu import types
from saffu.conformance.operations import OPERATIONS

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
TAG = re.compile(r"\(SPEC (\d)")


def _functions() -> dict[str, str]:
    """Public functions with a SPEC tag, and the section."""
    found = {}
    for name in saffu.MODULES:
        thing = getattr(saffu, name)
        if inspect.isfunction(thing):
            opening = " ".join((inspect.getdoc(thing) or "").split("\n\n")[:2])
            if tag := TAG.search(opening):
                found[name] = tag[1]
    return found


def _rows() -> dict[str, tuple[str, ...]]:
    """Rows of the table of equations, by function."""
    lines = (DOCS / "equations.md").read_text().splitlines()
    table = [tuple(c.strip() for c in line.strip("|").split("|")) for line in lines if "|" in line]
    return {row[2].strip("`"): row for row in table[2:]}


def test_every_tagged_function_has_its_row_and_every_row_its_function() -> None:
    sections = {name: re.findall(r"\[(\d)\]", row[0])[0] for name, row in _rows().items()}
    assert sections == _functions()


def test_every_operation_is_public_and_in_the_table() -> None:
    assert set(OPERATIONS) <= set(saffu.MODULES)
    assert set(OPERATIONS) <= set(_rows())


@pytest.mark.parametrize("name", sorted(_rows()))
def test_a_row_leads_to_the_module_and_to_a_test_that_uses_the_function(name: str) -> None:
    row = _rows()[name]
    assert f"`{getattr(saffu, name).__module__}`" in row[3]
    (test,) = re.findall(r"\((.*)\)", row[4])
    assert re.search(rf"\b{name}\b", (DOCS / test).resolve().read_text())


def test_the_notation_names_every_array() -> None:
    source = inspect.getsource(types)
    arrays = re.findall(r'^(\w+): TypeAlias = \w+\[Array, "([^"]*)"\]', source, re.MULTILINE)
    page = (DOCS / "notation.md").read_text()
    table = re.findall(r"^\| `(\w+)` \| `\[([^`]*)\]` \|", page, re.MULTILINE)
    assert table == arrays


def _pages() -> list[Path]:
    return [*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]


@pytest.mark.parametrize("page", _pages(), ids=lambda p: str(p.relative_to(ROOT)))
def test_links_between_pages_hold(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if not target.startswith(("http:", "https:", "mailto:")):
            assert (page.parent / target).exists(), target
