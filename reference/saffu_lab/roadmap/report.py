"""Report of a map as files: the page and its pictures.   (SPEC 7)"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from saffu.errors import Missing
from saffu_lab.records.pictures import save
from saffu_lab.records.results import Line
from saffu_lab.records.whole import keep
from saffu_lab.roadmap.drawings import drawings
from saffu_lab.roadmap.page import page
from saffu_lab.roadmap.roadmap_file import Roadmap
from saffu_lab.roadmap.summary import findings
from saffu_lab.roadmap.walk import NAME, Drawn, walk
from saffu_lab.study.sources import Sources
from saffu_lab.study.task import Answers


def own_lines(
    roadmap: Roadmap, models: Sequence[Drawn], sources: Sources, answers: Answers
) -> list[Line]:
    """The lines of this map, each once; the file may hold lines of other maps too."""
    tasks = walk(roadmap, models, sources, answers)
    return [line for task in tasks if (line := answers.get(task.key)) is not None]


def write_report(lines: Sequence[Line], folder: Path) -> Iterator[str]:
    """Write `roadmap.md`, and the pictures as PNG and SVG; yields what was written.

    Without matplotlib the page is written without pictures.
    """
    summary = findings(lines)
    path = folder / f"{NAME}.md"
    keep(path, f"# The map\n\n{page(NAME, summary, lines)}\n")
    yield f"{path}: written"
    for name, draw in drawings(NAME, summary).items():
        try:
            save(draw(), folder / name)
        except Missing as problem:
            yield str(problem)
            return
        yield f"{folder / name}.png, .svg: written"
