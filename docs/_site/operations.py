"""One page per operation of the contract: equation, code, tests, golden cases, mistakes, chapters.

The contents are collected from the row of the operation in `saffu.conformance.operations`, its
golden files, its tests, and the chapters that mention it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import saffu
from saffu.conformance.operations import OPERATIONS, Operation

INTRODUCTION = """\
The contract: {} pure functions and their {} golden cases. Each operation has a page with its
equation, code, tests, golden cases, and the mistakes that these detect. The {{ref}}`index
<genindex>` leads to the same pages from names, equations, golden cases and mistakes. Functions
outside the contract are in the table of [equations](equations.md).
"""


class Page(NamedTuple):
    """Everything collected about an operation."""

    name: str
    row: Operation
    cases: tuple[dict[str, Any], ...]
    mistakes: tuple[dict[str, str], ...]
    chapters: tuple[Path, ...]

    @property
    def section(self) -> str:
        """Number of the section of the specification."""
        return self.row.spec.removeprefix("SPEC ")

    @property
    def module(self) -> str:
        """Where the function is defined."""
        return saffu.MODULES[self.name]

    @property
    def test(self) -> str:
        """Name of the test file, without `test_` and `.py`."""
        return self.module.removeprefix("saffu.").replace(".", "_")


def pages(root: Path) -> tuple[Page, ...]:
    """All operations, in the order of the contract."""
    mistakes = json.loads((root / "golden" / "mistakes.json").read_text(encoding="utf-8"))
    chapters = sorted((root / "docs" / "chapters").glob("*.md"))
    texts = {page: page.read_text(encoding="utf-8") for page in chapters}
    return tuple(
        Page(
            name,
            row,
            cases=tuple(
                json.loads(path.read_text(encoding="utf-8"))
                for path in sorted((root / "golden" / name).glob("*.json"))
            ),
            mistakes=tuple(mistake for mistake in mistakes if mistake["op"] == name),
            chapters=explaining(name, saffu.MODULES[name], texts),
        )
        for name, row in OPERATIONS.items()
    )


def explaining(name: str, module: str, texts: Mapping[Path, str]) -> tuple[Path, ...]:
    """The chapters that name an operation; those that link to its module, if there are any."""
    file = module.replace(".", "/") + ".py"
    named = tuple(page for page, text in texts.items() if re.search(rf"\b{name}\b", text))
    return tuple(page for page in named if file in texts[page]) or named


def overview(all_of_them: Sequence[Page]) -> str:
    """The page that lists the operations."""
    rows = [
        f"| [`{o.name}`](operations/{o.name}.md) | {o.row.equation} | {o.row.summary} "
        f"| {{ref}}`SPEC {o.section} <spec-{o.section}>` | {len(o.cases)} |"
        for o in all_of_them
    ]
    total = sum(len(o.cases) for o in all_of_them)
    return "\n".join(
        [
            "# Operations",
            "",
            INTRODUCTION.format(len(all_of_them), total),
            "",
            "| operation | equation | | section | cases |",
            "| --- | --- | --- | --- | ---: |",
            *rows,
            "",
            "```{toctree}",
            ":hidden:",
            "",
            *(f"operations/{o.name}" for o in all_of_them),
            "```",
            "",
        ]
    )


def page(operation: Page) -> str:
    """The page of one operation."""
    o = operation
    chapters = ", ".join(f"[{title(p)}](../chapters/{p.name})" for p in o.chapters)
    judged = [case for case in o.cases if "reject" not in case]
    refused = [case for case in o.cases if "reject" in case]
    hunted = {mistake["id"] for mistake in o.mistakes}
    lines = [
        f"# {o.name}",
        "",
        *index(o),
        o.row.summary,
        "",
        "$$",
        o.row.latex,
        "$$",
        "",
        "| | |",
        "| --- | --- |",
        f"| in Python | {{py:obj}}`saffu.{o.name} <{o.module}.{o.name}>` |",
        f"| module | [`{o.module}`](../api/{o.module.removeprefix('saffu.')}.md) |",
        f"| in plain text | {o.row.equation} |",
        f"| defined | {{ref}}`section {o.section} of the specification <spec-{o.section}>` |",
        f"| tested | [tests of {o.test.replace('_', ' ')}](../tests/test_{o.test}.md) |",
        *([f"| explained | {chapters} |"] if chapters else []),
        "",
        f"## Golden cases with a result: {len(judged)}",
        "",
        "| case | about | detects |",
        "| --- | --- | --- |",
        *(
            f"| {file(case)} | {cell(case['about'])} "
            f"| {', '.join(mistake_link(m, m in hunted) for m in case['hunts'])} |"
            for case in judged
        ),
        "",
    ]
    if refused:
        lines += [
            f"## Golden cases that are refused: {len(refused)}",
            "",
            "| case | about | reason | detects |",
            "| --- | --- | --- | --- |",
            *(
                f"| {file(case)} | {cell(case['about'])} | `{case['reject']}` "
                f"| {', '.join(mistake_link(m, m in hunted) for m in case['hunts'])} |"
                for case in refused
            ),
            "",
        ]
    if o.mistakes:
        lines += ["## Mistakes that they detect", ""]
        for mistake in o.mistakes:
            lines += [f"(mistake-{mistake['id']})=", f"`{mistake['id']}`: {mistake['about']}.", ""]
    return "\n".join(lines)


def index(o: Page) -> list[str]:
    """Entries of the index: the name, the equation, golden cases and mistakes."""
    entries = [f"{o.name} (operation)", f"equations; {o.row.equation.strip('`')} ({o.name})"]
    entries += [f"golden cases; {case['id']}" for case in o.cases]
    entries += [f"mistakes; {mistake['id']}" for mistake in o.mistakes]
    lines = [f"   single: {entry}" for entry in entries if "!" not in entry]
    return ["```{eval-rst}", ".. index::", *lines, "```", ""]


def mistake_link(name: str, described: bool) -> str:
    """A link to the description of a mistake, if it is on this page."""
    return f"[`{name}`](#mistake-{name})" if described else f"`{name}`"


def file(case: dict[str, Any]) -> str:
    """A link to the case's own file."""
    slug = case["id"].split("/")[1]
    return f"[{slug}](../golden/{case['id']}.json)"


def cell(text: str) -> str:
    """A text escaped for a cell of a table."""
    return re.sub(r"([|*_$<{\\])", r"\\\1", text)


def title(page: Path) -> str:
    """The first heading of a page."""
    heading = re.search(r"^# (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return heading[1] if heading else page.stem
