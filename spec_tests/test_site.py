"""The pages of the site as they are gathered, before Sphinx makes them HTML."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import saffu
from docs._site import assemble, docstrings, operations, reference
from saffu.conformance.operations import OPERATIONS

ROOT = Path(__file__).parent.parent
PAGES = operations.pages(ROOT)


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    return assemble.texts(assemble.Site.of(ROOT))


def test_every_operation_of_the_contract_has_a_page(texts: dict[str, str]) -> None:
    assert [page.name for page in PAGES] == list(OPERATIONS)
    for o in PAGES:
        assert f"operations/{o.name}.md" in texts
        assert f"(operations/{o.name}.md)" in texts["operations.md"]


@pytest.mark.parametrize("operation", PAGES, ids=lambda o: str(o.name))
def test_the_page_of_an_operation_leads_to_all_that_is_known_of_it(
    texts: dict[str, str], operation: operations.Page
) -> None:
    page = texts[f"operations/{operation.name}.md"]
    home = getattr(saffu, operation.name).__module__
    assert f"../api/{home.removeprefix('saffu.')}.md" in page
    assert f"../tests/test_{operation.test}.md" in page
    assert operation.row.latex in page
    folder = ROOT / "golden" / operation.name
    for file in folder.glob("*.json"):
        assert f"../golden/{operation.name}/{file.name}" in page
        assert f"   single: golden cases; {operation.name}/{file.stem}\n" in page
    for mistake in json.loads((ROOT / "golden" / "mistakes.json").read_text()):
        assert (f"(mistake-{mistake['id']})=" in page) == (mistake["op"] == operation.name)


def test_every_public_name_is_in_the_reference_once(texts: dict[str, str]) -> None:
    for name, module in saffu.MODULES.items():
        short = module.removeprefix("saffu.")
        assert re.search(rf"(members|py:data)::?.*\b{name}\b", texts[f"api/{short}.md"]) or (
            module in reference.WHOLE
        )
        assert len(re.findall(rf"<{module}.{name}>", texts["api/index.md"])) == 1


def test_modules_come_in_reading_order() -> None:
    found = [module.removeprefix("saffu.") for module in reference.modules(ROOT)]
    places = {name: place for place, name in enumerate(reference.reading_order(ROOT))}
    order = [places.get(name, places.get(name.partition(".")[0])) for name in found]
    assert order == sorted(order, key=lambda place: -1 if place is None else place)
    assert None not in order


def test_links_lead_to_pages_and_files_that_are_there(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    assemble.assemble(folder)
    for page in folder.rglob("*.md"):
        text = assemble.FENCE.sub("", page.read_text(encoding="utf-8"))
        for link in assemble.LINK.finditer(text):
            if not re.match(r"[a-z]+:", link[2]):
                assert (page.parent / link[2]).is_file(), f"{page.relative_to(folder)}: {link[2]}"


def test_a_folder_with_a_page_of_its_own_keeps_it(texts: dict[str, str]) -> None:
    assert "{toctree}" in texts["tutorials/index.md"]


def test_a_link_in_a_block_of_code_stays_as_it_is() -> None:
    page = "a\n```md\na\n```\na"
    changed = assemble.outside_of_fences(page, lambda text: text.replace("a", "b"))
    assert changed == "b\n```md\na\n```\nb"


def test_what_the_argument_quotes_stands_in_the_report() -> None:
    argument = (ROOT / "docs" / "argument.md").read_text(encoding="utf-8")
    report = (ROOT / "docs" / "replication.md").read_text(encoding="utf-8")
    figures = re.findall(r"\| (\d+\.\d)(?= \|)", argument)
    assert len(figures) == 18
    assert [figure for figure in figures if not re.search(rf"\| +{figure} [(|]", report)] == []


@pytest.mark.parametrize(
    ("plain", "read"),
    [
        (["Two `names`, a*b and |x|."], ["Two ``names``, a\\*b and \\|x\\|."]),
        (
            ["Text:", "", "    U = log F_", "", "More."],
            ["Text:", "", ".. code-block:: text", "", "       U = log F_", "", "More."],
        ),
        (["See `softmax`."], ["See :py:obj:`softmax <saffu.numerics.softmax>`."]),
        (["Says.   (SPEC 1)"], ["Says.   (:ref:`SPEC 1 <spec-1>`)"]),
        (["Returns z.  Refuses: NaN."], ["**Returns:** z.", "", "**Refuses:** NaN."]),
        ([">>> 1", "1", "", "After."], [">>> 1", "1", "", "After."]),
    ],
    ids=["markup", "equation", "name", "section", "labels", "example"],
)
def test_plain_docstrings_are_read_as_they_are_meant(plain: list[str], read: list[str]) -> None:
    assert docstrings.reading(plain, saffu.MODULES)[:-1] == read


def test_a_parameter_does_not_lead_to_the_function_of_its_name() -> None:
    assert docstrings.reading(["`samples`"], saffu.MODULES, {"samples"})[0] == "``samples``"
