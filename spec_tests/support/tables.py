"""Tables and lists of operations in documents and schemas, written from the rows of the contract.

`written` gives each file as it has to be; the recorder shows and accepts the differences.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import saffu
from saffu.conformance.operations import OPERATIONS, Operation

SCHEMAS = ("case", "manifest", "mistakes")


def written(root: Path) -> dict[str, str]:
    """The files below `root` that list operations, with the lists of the contract."""
    texts = {name: (root / name).read_text("utf-8") for name in ("golden/README.md", *_DOCUMENTS)}
    texts["golden/README.md"] = _between(
        texts["golden/README.md"], "| operation | inputs |", "\n".join(rows())
    )
    texts["docs/specification.md"] = _specified(texts["docs/specification.md"])
    texts["docs/equations.md"] = _equated(texts["docs/equations.md"])
    for name in SCHEMAS:
        path = f"golden/schema/{name}.schema.json"
        schema = json.loads((root / path).read_text("utf-8"))
        texts[path] = json.dumps(_enumerated(schema), indent=2, ensure_ascii=False) + "\n"
    return texts


_DOCUMENTS = ("docs/specification.md", "docs/equations.md")


def rows() -> list[str]:
    """The table of golden/README.md: one row of Markdown for each operation."""
    return [_row(name, operation) for name, operation in OPERATIONS.items()]


def equation(name: str) -> str:
    """The row of an operation in docs/equations.md."""
    operation, module = OPERATIONS[name], saffu.MODULES[name]
    test = module.removeprefix("saffu.").replace(".", "_")
    cells = (
        f"[{operation.spec.removeprefix('SPEC ')}](specification.md)",
        operation.equation,
        f"`{name}`",
        f"[`{module}`](../reference/{module.replace('.', '/')}.py)",
        f"[{test}](../spec_tests/test_{test}.py)",
        f"[{name}](../golden/{name}/)",
    )
    return f"| {' | '.join(cells)} |"


def _row(name: str, operation: Operation) -> str:
    answers = _arrays(operation.outputs)
    if operation.stages:
        answers = f"({_arrays(operation.stages)}) {answers}"
    if operation.differentiable:
        answers += "; gradients at " + ", ".join(f"`{x}`" for x in operation.differentiable)
    attributes = ", ".join(f"`{attribute}`" for attribute in operation.attributes)
    return f"| `{name}` | {_arrays(operation.inputs)} | {attributes} | {answers} |"


def _arrays(shapes: Mapping[str, str]) -> str:
    return ", ".join(f"`{name}` [{shape}]" for name, shape in shapes.items())


def _between(page: str, head: str, table: str) -> str:
    """The page with other rows in the table whose first line begins with `head`."""
    before, first, after = re.split(rf"^({re.escape(head)}.*\n.*\n)", page, flags=re.MULTILINE)
    rest = re.sub(r"\A(?:\|.*\n)*", "", after)
    return f"{before}{first}{table}\n{rest}"


def _specified(page: str) -> str:
    """The specification with the operations listed in section 9."""
    listed = textwrap.fill(", ".join(f"`{name}`" for name in OPERATIONS) + ".", 104)
    return re.sub(
        r"(## 9\. Operations\n\n).*?(\s+Each is a)",
        lambda found: f"{found[1]}{listed}{found[2]}",
        page,
        flags=re.DOTALL,
    )


def _equated(page: str) -> str:
    """The table of equations with a row for each operation, new ones last in their section."""
    lines = page.splitlines()
    for name in OPERATIONS:
        row = equation(name)
        at = next((i for i, line in enumerate(lines) if f"| `{name}` | [" in line), None)
        if at is not None:
            lines[at] = row
            continue
        section = row.split("(")[0]
        earlier = [i for i, line in enumerate(lines) if re.match(r"\| \[\d\]", line)]
        last = max(i for i in earlier if lines[i].split("(")[0] <= section)
        lines.insert(last + 1, row)
    return "\n".join(lines) + "\n"


def _enumerated(schema: Any) -> Any:
    """A schema in which every list of operations is that of the contract."""
    if isinstance(schema, dict):
        return {
            key: list(OPERATIONS)
            if key == "enum" and "softmax" in value
            else _enumerated(value)
            for key, value in schema.items()
        }  # fmt: skip
    return [_enumerated(value) for value in schema] if isinstance(schema, list) else schema
