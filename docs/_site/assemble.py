"""Sphinx sources of the site, gathered in one folder: `python -m docs._site.assemble FOLDER`.

A page of `docs/` may link to any file of the repository.  On the site such a link leads to the page
about that file: a module to its reference, a test to its listing, golden cases to their operation.
Any other file is copied unchanged.
"""

from __future__ import annotations

import posixpath
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from docs._site import operations, reference

ROOT = Path(__file__).parent.parent.parent
PAGES = {
    "README.md": "readme.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "golden/README.md": "golden.md",
}
"""Pages outside `docs/`, and their places on the site."""
ONE_PAGE = "docs/one_page.py"
"""The program that has a page of its own."""
NOT_YET = "# Replication report\n\nNot measured yet: `nox -s replicate` writes this page.\n"
LINK = re.compile(r"(\]\()([^)#\s]+)((?:#[^)]*)?\))")
ANCHOR = re.compile(r'^<a id="([\w-]+)"></a>\n+', re.MULTILINE)
"""An anchor in plain Markdown; MyST writes `(name)=`."""
FENCE = re.compile(r"^(```+|~~~+).*?^\1\s*$", re.MULTILINE | re.DOTALL)


class Site(NamedTuple):
    """The site's map: which page describes which file of the repository."""

    root: Path
    pages: dict[str, str]
    """from a page in the repository to its place on the site"""
    modules: dict[str, list[str]]
    """modules with a page of their own"""
    tests: frozenset[str]
    """test files with a page of their own"""

    @classmethod
    def of(cls, root: Path) -> Site:
        """The map of the site for a repository."""
        docs = root / "docs"
        inside = (page.relative_to(docs) for page in sorted(docs.rglob("*.md")))
        pages = {
            f"docs/{page.as_posix()}": page.as_posix()
            for page in inside
            if not any(part.startswith((".", "_")) for part in page.parts)
        }
        pages.setdefault("docs/replication.md", "replication.md")
        pages.setdefault("docs/chapters", "chapters/index.md")
        equations = (root / "docs" / "equations.md").read_text(encoding="utf-8")
        tests = frozenset(re.findall(r"spec_tests/(test_\w+)\.py", equations))
        return cls(root, pages | PAGES, reference.modules(root), tests)

    def home(self, path: str) -> str:
        """The place on the site to which a link to a path of the repository leads."""
        file = Path(path)
        if path == ONE_PAGE:
            return "one_page.md"
        if path in self.pages:
            return self.pages[path]
        if f"{path}/README.md" in self.pages and path != "golden":
            return self.pages[f"{path}/README.md"]
        if file.parts[0] == "golden" and (self.root / path).is_dir():
            return f"operations/{file.name}.md" if len(file.parts) == 2 else "operations.md"
        if file.parts[0] == "spec_tests" and file.stem in self.tests:
            return f"tests/{file.stem}.md"
        module = ".".join(file.with_suffix("").parts[1:])
        if file.parts[0] == "reference" and module in self.modules:
            return f"api/{module.removeprefix('saffu.')}.md"
        if file.parts[0] == "docs":
            place = Path(*file.parts[1:]).as_posix()
            return f"{place}/index.md" if (self.root / path).is_dir() else place
        return path if file.parts[0] == "golden" else f"files/{path}"

    def linked(self, page: str) -> str:
        """The text of a page, its links between files turned into links between pages."""
        here, where = posixpath.dirname(page), posixpath.dirname(self.pages[page])

        def moved(link: re.Match[str]) -> str:
            before, target, after = link.groups()
            if re.match(r"[a-z]+:", target):
                return link[0]
            goal = self.home(posixpath.normpath(posixpath.join(here, target)))
            return f"{before}{posixpath.relpath(goal, where or '.')}{after}"

        text = (self.root / page).read_text(encoding="utf-8")
        text = ANCHOR.sub(r"(\1)=\n", text)
        return outside_of_fences(text, lambda part: LINK.sub(moved, part))


def assemble(folder: Path, root: Path = ROOT) -> None:
    """Write every page, and the files that pages show or lead to, into a folder of their own."""
    site = Site.of(root)
    shutil.rmtree(folder, ignore_errors=True)
    _copy_files(site, folder)
    for where, text in texts(site).items():
        (folder / where).parent.mkdir(parents=True, exist_ok=True)
        (folder / where).write_text(text, encoding="utf-8")


def texts(site: Site) -> dict[str, str]:
    """Every page of the site by its place: hand-written pages first, then generated ones."""
    root = site.root
    written = {
        where: site.linked(page) for page, where in site.pages.items() if (root / page).is_file()
    }
    written.setdefault("replication.md", NOT_YET)
    written["specification.md"] = re.sub(
        r"^## (\d)\. ", r"(spec-\1)=\n## \1. ", written["specification.md"], flags=re.MULTILINE
    )
    contract = operations.pages(root)
    made = {
        "chapters/index.md": chapters(written),
        "decisions/README.md": written["decisions/README.md"] + _toctree("[0-9]*"),
        "one_page.md": "# One page\n\n```{literalinclude} one_page.py\n:language: python\n```\n",
        "operations.md": operations.overview(contract),
        "api/index.md": reference.overview(root),
    }
    made |= {f"operations/{o.name}.md": operations.page(o) for o in contract}
    for module, names in site.modules.items():
        made[f"api/{module.removeprefix('saffu.')}.md"] = reference.page(root, module, names)
    for folder in sorted((root / "docs").rglob("*/")):
        place = folder.relative_to(root / "docs").as_posix()
        led = any(f"({posixpath.basename(place)}/index.md)" in text for text in written.values())
        if led and f"{place}/index.md" not in written:
            made.setdefault(f"{place}/index.md", contents(folder, place))
    made |= {f"tests/{name}.md": listing(name) for name in sorted(site.tests)}
    return written | made


def chapters(written: dict[str, str]) -> str:
    """The index of the chapters, in the order of their names."""
    found = [where for where in sorted(written) if re.match(r"chapters/(?!index|README)", where)]
    opening = written.get("chapters/index.md", written.get("chapters/README.md", ""))
    if not found:
        return opening or "# Chapters\n\nThere are none yet.\n"
    if "{toctree}" in opening:
        return opening
    return (opening or "# Chapters\n") + _toctree(*(Path(where).stem for where in found))


def listing(name: str) -> str:
    """The page that shows a test file."""
    heading = f"# Tests of {name.removeprefix('test_').replace('_', ' ')}"
    shown = f"```{{literalinclude}} ../files/spec_tests/{name}.py\n:language: python\n```\n"
    return f"---\norphan: true\n---\n\n{heading}\n\n`spec_tests/{name}.py`\n\n{shown}"


def contents(folder: Path, place: str) -> str:
    """A page that lists the files of a folder, for folders that are linked to but have no page."""
    files = (file.name for file in sorted(folder.iterdir()) if file.is_file())
    rows = [f"- [{name}]({name})" for name in files if not name.startswith((".", "_"))]
    return "\n".join(["---", "orphan: true", "---", "", f"# {place}/", "", *rows, ""])


def _toctree(*entries: str) -> str:
    """A list of pages for the navigation."""
    return "\n".join(["", "```{toctree}", ":glob:", ":maxdepth: 1", "", *entries, "```", ""])


def _copy_files(site: Site, folder: Path) -> None:
    """Copy pictures, figures, golden files, and every other file that a page links to."""
    root = site.root
    hidden = shutil.ignore_patterns("_*", "*.md", "conf.py", "*.o", "saffu-port*")
    shutil.copytree(root / "docs", folder, ignore=hidden)
    shutil.copytree(root / "golden", folder / "golden", ignore=hidden)
    wanted = {f"spec_tests/{name}.py" for name in site.tests}
    for page, where in site.pages.items():
        if (root / page).is_file():
            base = posixpath.dirname(where)
            for link in LINK.finditer(site.linked(page)):
                goal = posixpath.normpath(posixpath.join(base, link[2]))
                if goal.startswith("files/"):
                    wanted.add(goal.removeprefix("files/"))
    for path in wanted:
        (folder / "files" / path).parent.mkdir(parents=True, exist_ok=True)
        if (root / path).is_file():
            shutil.copy(root / path, folder / "files" / path)


def outside_of_fences(text: str, change: Callable[[str], str]) -> str:
    """Change the text outside code blocks."""
    written, end = [], 0
    for fence in FENCE.finditer(text):
        written += [change(text[end : fence.start()]), fence[0]]
        end = fence.end()
    return "".join([*written, change(text[end:])])


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: python -m docs._site.assemble FOLDER")
    assemble(Path(sys.argv[1]))
