"""Sphinx configuration, with hooks that adapt autodoc to this package.

The pages are not built in place: `python -m docs._site.assemble FOLDER` gathers them first, and
`nox -s docs` does both.  This file can be imported without Sphinx.
"""

from __future__ import annotations

import inspect
import re
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from docs._site import docstrings, reference  # noqa: E402 - found by way of the line above

project = "saffu"
author = copyright = "The saffu contributors"  # noqa: A001 - Sphinx names it
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.mathjax", "sphinx.ext.viewcode"]

html_theme = "furo"
html_title = "saffu"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_search_summary = False  # read with fetch, which a page opened from disk may not do
html_theme_options = {"navigation_with_keys": True}

myst_enable_extensions = ["dollarmath", "amsmath", "attrs_inline", "deflist"]
myst_heading_anchors = 4
myst_all_links_external = False

MATHJAX = ("django-static-mathjax", "es5/tex-svg-full.js")
"""The package that brings MathJax, and the one file of it that the site needs; it has no fonts."""
mathjax_path = "tex-svg-full.js"

PUBLIC = reference.MODULES
ARRAYS = re.findall(
    r"^(\w+): TypeAlias", (ROOT / "reference" / "saffu" / "types.py").read_text(), re.MULTILINE
)
add_module_names = False
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
autodoc_type_aliases = {name: f"saffu.types.{name}" for name in ARRAYS}
nitpick_ignore_regex = [
    (r"py:.*", r"(?!saffu\b).*"),  # other packages' names, and letters of shapes; ours have to hold
]


def setup(app: Any) -> None:
    """Connect the hooks."""
    app.connect("config-inited", bring_mathjax)
    app.connect("autodoc-process-docstring", plain_docstring)
    app.connect("autodoc-process-signature", plain_signature)
    app.connect("missing-reference", array_by_its_role)


def bring_mathjax(app: Any, config: Any) -> None:
    """Copy MathJax from its installed package, so that no page fetches it."""
    package, wanted = MATHJAX
    try:
        files = metadata.files(package) or []
    except metadata.PackageNotFoundError:
        raise SystemExit(
            f"the site needs the package {package}, which is not installed; use nox -s docs"
        ) from None
    (found,) = (file for file in files if str(file).endswith(wanted))
    config.html_static_path.append(str(found.locate()))


def plain_docstring(
    app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]
) -> None:
    """Convert a docstring; a parameter's name is not linked to the function of that name."""
    own = set(PUBLIC) & parameters(thing)
    if lines and lines[0].startswith("Alias for field number"):  # Python's, of a field without
        lines.clear()
    lines[:] = docstrings.reading(lines, PUBLIC, own)


def plain_signature(
    app: Any, what: str, name: str, thing: Any, options: Any, signature: str, returned: str
) -> tuple[str | None, str | None]:
    """Print an optional array as the other arrays are printed."""
    return tuple(  # type: ignore[return-value]
        text and re.sub(r"TypeAliasForwardRef\('([\w.]+)'\)", r"~\1", text)
        for text in (signature, returned)
    )


def parameters(thing: Any) -> set[str]:
    """The names of a function's parameters."""
    try:
        return set(inspect.signature(thing).parameters)
    except (TypeError, ValueError):
        return set()


def array_by_its_role(app: Any, env: Any, node: Any, contnode: Any) -> Any:
    """Link arrays in signatures to the symbol table, and leave private names unlinked."""
    target = node.get("reftarget", "")
    if node.get("reftype") != "class" or not target.startswith("saffu."):
        return None
    module, _, name = target.rpartition(".")
    if module == "saffu.types" and name in ARRAYS:
        return env.domains["py"].resolve_xref(
            env, node["refdoc"], app.builder, "data", target, node, contnode
        )
    return None if name in PUBLIC else contnode
