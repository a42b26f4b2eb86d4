"""One page per operation of the contract: equation, code, tests, golden cases, mistakes, chapters.

The contents are collected from the table of `equations.md`, the golden files, the tests that the
table names, and the chapters that mention the operation.  Only the typeset equation and one line of
introduction are written by hand, in `operations.toml`.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
INTRODUCTION = """\
The contract: {} pure functions and their {} golden cases. Each operation has a page with its
equation, code, tests, golden cases, and the mistakes that these detect. The {{ref}}`index
<genindex>` leads to the same pages from names, equations, golden cases and mistakes. Functions
outside the contract are in the table of [equations](equations.md).
"""


class Operation(NamedTuple):
    """Everything collected about an operation."""

    name: str
    says: str
    equation: str
    """in LaTeX"""
    section: str
    """of the specification"""
    short: str
    """the equation as the table of equations prints it"""
    module: str
    test: str
    """the name of the test file, without `test_` and `.py`"""
    cases: tuple[dict[str, Any], ...]
    mistakes: tuple[dict[str, str], ...]
    chapters: tuple[Path, ...]


def operations(root: Path) -> tuple[Operation, ...]:
    """All operations, in the order of the specification."""
    about = tomllib.loads((HERE / "operations.toml").read_text(encoding="utf-8"))
    rows = table(root)
    mistakes = json.loads((root / "golden" / "mistakes.json").read_text(encoding="utf-8"))
    chapters = sorted((root / "docs" / "chapters").glob("*.md"))
    texts = {page: page.read_text(encoding="utf-8") for page in chapters}
    found = []
    for name in names(root):
        section, short, module, test = rows[name]
        files = sorted((root / "golden" / name).glob("*.json"))
        found.append(
            Operation(
                name,
                **about[name],
                section=section,
                short=short,
                module=module,
                test=test,
                cases=tuple(json.loads(file.read_text(encoding="utf-8")) for file in files),
                mistakes=tuple(mistake for mistake in mistakes if mistake["op"] == name),
                chapters=telling(name, module, texts),
            )
        )
    return tuple(found)


def telling(name: str, module: str, texts: Mapping[Path, str]) -> tuple[Path, ...]:
    """The chapters that name an operation; if there are, those that also lead to its module."""
    file = module.replace(".", "/") + ".py"
    found = tuple(page for page, text in texts.items() if re.search(rf"\b{name}\b", text))
    return tuple(page for page in found if file in texts[page]) or found


def names(root: Path) -> list[str]:
    """The operations that the specification lists."""
    text = (root / "docs" / "specification.md").read_text(encoding="utf-8")
    return re.findall(r"`(\w+)`", text.split("## 9. Operations")[1].split("Each is")[0])


def table(root: Path) -> dict[str, tuple[str, str, str, str]]:
    """The table of equations: function to section, equation, module and test."""
    text = (root / "docs" / "equations.md").read_text(encoding="utf-8")
    rows = [[c.strip() for c in line.strip("|").split(" | ")] for line in text.splitlines()]
    found = {}
    for row in rows:
        if len(row) == 6 and row[2].startswith("`"):
            section, module = row[0].strip("| ")[1], row[3].split("`")[1]
            found[row[2].strip("`")] = (section, row[1], module, row[4].split("]")[0].strip("["))
    return found


def overview(all_of_them: Sequence[Operation]) -> str:
    """The page that lists the operations."""
    rows = [
        f"| [`{o.name}`](operations/{o.name}.md) | {o.short} | {o.says} "
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


def page(operation: Operation) -> str:
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
        o.says,
        "",
        "$$",
        o.equation.strip(),
        "$$",
        "",
        "| | |",
        "| --- | --- |",
        f"| in Python | {{py:obj}}`saffu.{o.name} <{o.module}.{o.name}>` |",
        f"| module | [`{o.module}`](../api/{o.module.removeprefix('saffu.')}.md) |",
        f"| in plain text | {o.short} |",
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


def index(o: Operation) -> list[str]:
    """Entries of the index: the name, the equation, golden cases and mistakes."""
    entries = [f"{o.name} (operation)", f"equations; {o.short.strip('`')} ({o.name})"]
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
    found = re.search(r"^# (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else page.stem
