"""The project about itself: what its files say of each other, held to it."""

from __future__ import annotations

import ast
import re
import tomllib
from importlib.metadata import metadata, requires
from pathlib import Path
from typing import Any

import jaxtyping
import numpy as np
import pytest
from packaging.requirements import Requirement

from spec_tests.conftest import shapes_unchecked

ROOT = Path(__file__).parent.parent
REFERENCE = ROOT / "reference"
PACKAGE = REFERENCE / "saffu"
LABORATORY = REFERENCE / "saffu_lab"
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
ROWS: list[str] = PROJECT["tool"]["importlinter"]["contracts"][0]["layers"]
"""The rows of the reading order, last to first; modules of one row stand beside each other."""
LAYERS: list[str] = [module for row in ROWS for module in row.split(" | ")]
TEST_COMMAND = 'python3 -m venv .venv && .venv/bin/pip install -q "nox[uv]" && .venv/bin/nox'


def read(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


# --- order of imports -------------------------------------------------------------------------


def modules_with_contents() -> list[str]:
    """Every module but the package itself, and but subpackages that hold no code of their own."""
    return [
        dotted(path)
        for path in sorted(PACKAGE.rglob("*.py"))
        if path != PACKAGE / "__init__.py"
        and not (path.name == "__init__.py" and len(ast.parse(path.read_text()).body) <= 1)
    ]


@pytest.mark.parametrize("module", modules_with_contents())
def test_every_module_has_one_place_in_the_reading_order(module: str) -> None:
    places = [layer for layer in LAYERS if f"{module}.".startswith(f"{layer}.")]
    assert len(places) == 1, (
        f"saffu.{module} stands in {len(places)} rows of the contract in pyproject.toml; "
        "give it its one place in [tool.importlinter]"
    )


def test_no_module_stands_in_two_rows() -> None:
    assert len(LAYERS) == len(set(LAYERS))


def test_the_reference_fits_on_one_page() -> None:
    """What a reader sees first: a folder of at most 36 entries, on at most 17 floors."""
    entries = {path.name for path in PACKAGE.iterdir() if path.name != "__pycache__"}
    assert len(entries) <= 36
    assert len(ROWS) <= 17


def test_no_top_level_module_bears_the_name_of_a_public_function() -> None:
    """`saffu.x` is either a function or a module: importing one never hides the other."""
    import saffu

    modules = {path.stem for path in PACKAGE.iterdir()} - {"__init__", "__main__", "__pycache__"}
    assert len(modules) > 20
    assert not modules & set(saffu.MODULES)


SHARED_NAMES = {
    "__init__": "door sign of a package",
    "__main__": "what `python -m` runs",
    "attention": "attention of a layer: plain, fast, its study",
    "chapter": "chapter of a study",
    "claims": "claims of a study",
    "pictures": "pictures of a study, and the module that draws them",
    "tasks": "tasks of a study",
    "demo": "the demo: the command, and what it does",
    "digits": "images of digits: the command, and what it does",
    "direct": "the direct model: its mathematics, and its search",
    "golden": "golden cases: the files, and the command that shows them",
    "layer": "one SAFFU layer: its mathematics, and its solution",
    "loss": "the loss of logits: plain, fast",
    "options": "options of a command",
    "page": "an HTML page",
    "report": "a report in Markdown",
    "training": "training of an estimator",
    "warm": "warm start of a text: streamed, and searched for",
}
"""File names that stand below reference/ more than once, and the one idea that they stand for."""


def test_no_file_name_stands_for_two_ideas() -> None:
    """But in the bank of mistakes, whose files bear the names of what the mistakes are made in."""
    paths = [path for path in REFERENCE.glob("saffu*/**/*.py") if path.parent.name != "bank"]
    names = [path.stem for path in paths]
    assert {name for name in names if names.count(name) > 1} == SHARED_NAMES.keys()


# --- versions, dependencies, licence ----------------------------------------------------------


def test_the_version_is_the_same_wherever_it_is_written() -> None:
    version = PROJECT["project"]["version"]
    assert metadata("saffu")["Version"] == version
    newest = next(line for line in read("CHANGELOG.md").splitlines() if line.startswith("## "))
    assert newest.split()[1] == version
    assert f"\nversion: {version}\n" in read("CITATION.cff")


def test_the_licence_is_the_same_wherever_it_is_written() -> None:
    assert PROJECT["project"]["license"] == "Apache-2.0"
    assert "\nlicense: Apache-2.0\n" in read("CITATION.cff")
    opening = [line.strip() for line in read("LICENSE").splitlines() if line.strip()][:2]
    assert opening == ["Apache License", "Version 2.0, January 2004"]


def test_the_core_stays_light() -> None:
    needed = {Requirement(each) for each in requires("saffu") or []}
    core = {each.name for each in needed if each.marker is None}
    assert core == {"numpy", "scipy", "jaxtyping", "tqdm"}


# --- what the sessions promise ----------------------------------------------------------------


def sessions() -> list[ast.FunctionDef]:
    return [
        node
        for node in ast.parse(read("noxfile.py")).body
        if isinstance(node, ast.FunctionDef) and "nox.session" in map(_called, node.decorator_list)
    ]


def _called(decorator: ast.expr) -> str:
    return ast.unparse(decorator.func if isinstance(decorator, ast.Call) else decorator)


def test_the_list_of_sessions_reads_as_a_manual() -> None:
    assert len(sessions()) >= 9
    for session in sessions():
        docstring = ast.get_docstring(session) or ""
        assert "\n" not in docstring, f"session {session.name}: one line, as nox -l shows it"
        assert re.search(r" \(.+\)\.$", docstring), (
            f"session {session.name}: the line ends with how long it takes, as in '(20 s).'"
        )


def test_every_program_of_the_laboratory_is_run_by_its_session() -> None:
    (listed,) = (
        ast.literal_eval(node.value)
        for node in ast.parse(read("noxfile.py")).body
        if isinstance(node, ast.AnnAssign)
        and node.value is not None
        and ast.unparse(node.target) == "PROGRAMS"
    )
    programs = sorted(
        ".".join(path.relative_to(LABORATORY).with_suffix("").parts)
        for path in LABORATORY.rglob("*.py")
        if 'if __name__ == "__main__"' in path.read_text(encoding="utf-8")
    )
    assert sorted(listed) == programs


@pytest.mark.parametrize("path", ["README.md", "CONTRIBUTING.md", ".ci/run"])
def test_everybody_is_told_the_same_command(path: str) -> None:
    assert TEST_COMMAND in [line.strip() for line in read(path).splitlines()]


# --- decisions --------------------------------------------------------------------------------

DECISIONS = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))


def test_decisions_are_numbered_without_gaps() -> None:
    numbers = [int(path.name[:4]) for path in DECISIONS]
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_states_context_choice_and_cost(path: Path) -> None:
    headings = [
        line.removeprefix("## ")
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.startswith("## ")
    ]
    assert headings == ["Context", "Choice", "Cost"]
    assert f"]({path.name})" in read("docs/decisions/README.md"), "not in the index"


# --- the checks of shapes ---------------------------------------------------------------------


def test_shapes_are_checked_under_pytest() -> None:
    from saffu.numerics import softmax_vjp

    good, bad = np.full((2, 5), 0.2), np.full((3, 5), 0.2)
    with pytest.raises(jaxtyping.TypeCheckError):
        softmax_vjp(good, bad)


def test_complex_numbers_pass_the_checks() -> None:
    from saffu.numerics import softmax

    assert softmax(np.array([[0.0, 1e-30j]]))[0, 1].imag == pytest.approx(0.25e-30)


def test_the_checks_can_be_left_aside() -> None:
    from saffu.errors import WrongShape
    from saffu.loss import cross_entropy

    with shapes_unchecked(), pytest.raises(WrongShape):
        cross_entropy(np.zeros(3), np.zeros(3))
    with pytest.raises(jaxtyping.TypeCheckError):
        cross_entropy(np.zeros(3), np.zeros(3))
