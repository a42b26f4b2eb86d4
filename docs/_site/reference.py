"""API reference: one page per module with public names, in reading order, from the docstrings."""

from __future__ import annotations

import ast
import inspect
import re
from itertools import zip_longest
from pathlib import Path

from docs._site import docstrings
from saffu import MODULES

WHOLE = ("saffu.types", "saffu.errors")
"""Modules shown completely: the symbol table, and all errors."""
INTRODUCTION = """\
{} names are public, each as `saffu.NAME`. They are listed by module, in reading order: each
module imports only from modules above it, so nothing is used before it is explained. `[source]`
beside a name leads to its code, which is written to be read.
"""


def modules(root: Path) -> dict[str, list[str]]:
    """Modules with public names, in reading order, each with its names in the order of its file."""
    public = MODULES
    order = reading_order(root)

    def place(module: str) -> tuple[int, str]:
        short = module.removeprefix("saffu.")
        while short not in order and "." in short:
            short = short.rpartition(".")[0]
        return order.index(short), module

    found = {}
    for module in sorted({*public.values(), *WHOLE}, key=place):
        source = file_of(root, module).read_text(encoding="utf-8")
        names = [name for name, home in public.items() if home == module]
        found[module] = sorted(names, key=lambda name: _line(source, name))
    return found


def reading_order(root: Path) -> list[str]:
    """The one list of modules, `[tool.importlinter]` in pyproject.toml, first to last."""
    text = (root / "pyproject.toml").read_text(encoding="utf-8")
    layers = text.split("[tool.importlinter]")[1].split("layers = [")[1].split("]")[0]
    rows = re.findall(r'"([\w. |]+)"', layers)[::-1]
    return [module for row in rows for module in row.split(" | ")]


def file_of(root: Path, module: str) -> Path:
    """The file of a module, or of a package's `__init__`."""
    path = root / "reference" / Path(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def overview(root: Path) -> str:
    """The page that lists the modules."""
    found = modules(root)
    rows = [
        f"| [`{module}`]({module.removeprefix('saffu.')}.md) | {idea(root, module)} "
        f"| {', '.join(f'{{py:obj}}`{n} <{module}.{n}>`' for n in names)} |"
        for module, names in found.items()
    ]
    return "\n".join(
        [
            "# The package",
            "",
            INTRODUCTION.format(len(MODULES)),
            "",
            "| module | idea | public |",
            "| --- | --- | --- |",
            *rows,
            "",
            "```{toctree}",
            ":hidden:",
            "",
            *(module.removeprefix("saffu.") for module in found),
            "```",
            "",
        ]
    )


def idea(root: Path, module: str) -> str:
    """The first sentence of a module."""
    text = ast.get_docstring(ast.parse(file_of(root, module).read_text(encoding="utf-8"))) or ""
    first = re.split(r"\.\s|\.$", text.replace("\n", " "), maxsplit=1)[0]
    return re.sub(r"([|*_$<{\\])", r"\\\1", first)


def page(root: Path, module: str, names: list[str]) -> str:
    """The page of one module: functions and classes by autodoc, constants with their source."""
    values = written_values(root, module)
    shown = {name: value for name, value in values.items() if module in WHOLE or name in names}
    rest = [name for name in names if name not in values]
    lines = [f"# {module.removeprefix('saffu.')}", "", "```{eval-rst}", f".. automodule:: {module}"]
    if module == "saffu.errors":
        lines += ["   :members:", "   :member-order: bysource"]
    elif rest:
        lines += [f"   :members: {', '.join(rest)}", "   :undoc-members:"]
        lines += ["   :member-order: bysource"]
    lines.append("")
    for name, (value, about) in shown.items():
        lines += [f".. py:data:: {name}", f"   :module: {module}", f"   :value: {value}", ""]
        described = docstrings.reading(about.splitlines(), MODULES) if about else []
        lines += [*(f"   {line}".rstrip() for line in described), ""]
    return "\n".join([*lines, "```", ""])


def written_values(root: Path, module: str) -> dict[str, tuple[str, str]]:
    """The constants and aliases of a module: source of the value, and docstring."""
    body = ast.parse(file_of(root, module).read_text(encoding="utf-8")).body
    found = {}
    for node, after in zip_longest(body, body[1:]):
        if isinstance(node, ast.AnnAssign | ast.Assign) and node.value is not None:
            target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
            docstring = getattr(after, "value", None) if isinstance(after, ast.Expr) else None
            about = (
                inspect.cleandoc(str(docstring.value))
                if isinstance(docstring, ast.Constant)
                else ""
            )
            found[ast.unparse(target)] = (ast.unparse(node.value), about)
    return found


def _line(source: str, name: str) -> int:
    """The line of a module at which a name is first bound."""
    found = re.search(rf"^(?:class |def )?{name}\b", source, re.MULTILINE)
    return source.count("\n", 0, found.start()) if found else 0
