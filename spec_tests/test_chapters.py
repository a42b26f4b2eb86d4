"""The chapters say where everything is, show only what is drawn, and leave no equation out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import saffu
from docs.chapters import draw

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs" / "chapters"
CHAPTERS = sorted(FOLDER.glob("[0-9][0-9]-*.md"))
LINK = re.compile(r"\[`(saffu[\w.]*)`\]\(([^)]+)\)")
SHOWN = re.compile(r"!\[[^\]]+\]\(pictures/([\w-]+)\.svg\)")
ROW = re.compile(r"^\| \[\d\].*\|$", re.MULTILINE)
LETTERS = re.compile(r"<text[^>]*>([^<]*)</text>")

chapters = pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)


def _function(row: str) -> str:
    return row.split(" | ")[2].strip("`")


def _equations() -> dict[str, str]:
    """Rows of the table of equations, by function, with links as from a chapter."""
    page = (ROOT / "docs" / "equations.md").read_text()
    return {_function(row): row.replace("](", "](../") for row in ROW.findall(page)}


def test_chapters_are_numbered_and_listed_in_order() -> None:
    assert [int(path.name[:2]) for path in CHAPTERS] == list(range(1, 16))
    titles = [path.read_text().splitlines()[0].removeprefix("# ") for path in CHAPTERS]
    listed = re.findall(r"^\| \[([^\]]+)\]\(([^)]+)\)", (FOLDER / "index.md").read_text(), re.M)
    assert [name for _, name in listed] == [path.name for path in CHAPTERS]
    for title, (short, _) in zip(titles, listed, strict=True):
        assert title.startswith(short)


@chapters
def test_a_chapter_asks_a_question_computes_and_says_where_it_is(chapter: Path) -> None:
    text = chapter.read_text()
    assert "\n**The question.** " in text
    assert re.findall(r"^## (By computation|Where it is)$", text, re.M) == [
        "By computation",
        "Where it is",
    ]
    assert text.split("## By computation")[1].count("```python\n>>> ") >= 2


@chapters
def test_a_chapter_opens_with_the_modules_that_it_is_about(chapter: Path) -> None:
    opening = chapter.read_text().split("**The question.**")[0]
    modules = LINK.findall(opening)
    assert modules
    for module, target in modules:
        path = (chapter.parent / target).resolve()
        assert path == ROOT / "reference" / f"{module.replace('.', '/')}.py"
        assert path.is_file()


@chapters
def test_rows_are_those_of_the_table_of_equations(chapter: Path) -> None:
    text = chapter.read_text()
    opening, ending = text.split("**The question.**")[0], text.split("## Where it is")[1]
    assert "[equations](../equations.md)" in ending
    for row in ROW.findall(ending):
        assert row == _equations()[_function(row)]
        assert LINK.search(row)[1] in opening, row  # type: ignore[index]


@chapters
def test_a_function_in_the_rows_is_computed_with_in_its_chapter(chapter: Path) -> None:
    text = chapter.read_text()
    examples = "".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    for row in ROW.findall(text.split("## Where it is")[1]):
        assert re.search(rf"\b{_function(row)}\(", examples), _function(row)


def test_every_equation_has_one_chapter() -> None:
    rows = [
        _function(row)
        for path in CHAPTERS
        for row in ROW.findall(path.read_text().split("## Where it is")[1])
    ]
    assert sorted(rows) == sorted(_equations())
    assert set(rows) <= set(saffu.MODULES)


def test_every_picture_is_shown_once_and_drawn_by_the_program() -> None:
    shown = [name for path in CHAPTERS for name in SHOWN.findall(path.read_text())]
    assert shown == list(draw.DRAWN)
    assert sorted(path.name for path in draw.PICTURES.iterdir()) == [
        f"{name}.svg" for name in sorted(shown)
    ]
    for path in CHAPTERS:
        assert all(name.startswith(path.name[:2]) for name in SHOWN.findall(path.read_text()))


@pytest.mark.slow
def test_the_program_draws_the_pictures_that_are_there(tmp_path: Path) -> None:
    for path in draw.draw(tmp_path):
        kept = (draw.PICTURES / path.name).read_text()
        assert LETTERS.findall(path.read_text()) == LETTERS.findall(kept), path.name
        assert len(kept.encode()) < 60_000
