"""The page of a report in Chromium without a window: `nox -s site`.

Right, wrong in one thing, wrong in everything, unfinished, challenged: pages are written to disk
and opened as files, and pictures of them are left in `build/screenshots`.  What is marked `glance`
is looked at by `nox -s browser`, which every change runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeAlias

import numpy as np
import pytest

from saffu.conformance import reference
from saffu.conformance.contract.case import Case
from saffu.conformance.contract.golden import read_suite
from saffu.conformance.diagnosis.bank import bank
from saffu.conformance.judging.challenge import challenge
from saffu.conformance.operations import OPERATIONS
from saffu.conformance.report.page.document import html
from spec_tests.conftest import shapes_unchecked
from spec_tests.support.browser import DESK, PHONE, SCREENSHOTS, browser, tab_of
from spec_tests.support.planted.mistakes import Wrong
from spec_tests.support.reports import BAD, NASTY, Rough, report_on, skipped
from spec_tests.support.tree import read

__all__ = ["browser"]

CASES = tuple(case for case in read_suite() if OPERATIONS[case.op].spec in ("SPEC 0", "SPEC 1"))
ONE = [mistake for mistake in bank() if mistake.id == "priming-ignored"]


def off(x: np.ndarray) -> np.ndarray:
    """Wrong everywhere: a little, much, and beyond all numbers."""
    if x.dtype.kind != "f":
        return np.asarray(~x if x.dtype.kind == "b" else x + 1)
    size = np.resize([1.1, -40.0, np.nan, 1.0], x.shape) if x.ndim else np.array(1.1)
    return np.asarray(x * size)


def unfinished() -> object:
    """A port with the core, and little more."""
    done = {
        op: getattr(reference, op)
        for op, each in OPERATIONS.items()
        if each.spec in ("SPEC 0", "SPEC 1", "SPEC 2")
    }
    return SimpleNamespace(**{**done, "model_loss": skipped("later")}, PRECISION="float32")


PORTS: dict[str, Callable[[], tuple[object, tuple[Case, ...]]]] = {
    "right": lambda: (reference, read_suite()),
    "one-mistake": lambda: (Wrong(ONE), CASES),
    "all-wrong": lambda: (Rough(off), CASES),
    "unfinished": lambda: (unfinished(), read_suite()),
    "challenge": lambda: (reference, challenge(CASES, "cafe").cases),
    "rude": lambda: (SimpleNamespace(perplexity=BAD.perplexity, __version__=NASTY), read_suite()),
}
Pages: TypeAlias = dict[str, Path]
EVERY = pytest.mark.parametrize(
    "name",
    [pytest.param(x, marks=[pytest.mark.glance] if x == "one-mistake" else []) for x in PORTS],
)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Pages:
    folder = tmp_path_factory.mktemp("reports")
    for name, made in PORTS.items():
        with shapes_unchecked():  # bad input is to be refused by the operation itself
            port, cases = made()
            page = html(report_on(port, cases, name=f"port of {name}", mistakes=bank()))
        (folder / f"{name}.html").write_text(page, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in PORTS}


@pytest.fixture(scope="module")
def view(browser: Any) -> Iterator[Any]:
    with tab_of(browser) as tab:
        yield tab


@pytest.fixture(scope="module")
def bare(browser: Any) -> Iterator[Any]:
    with tab_of(browser, java_script_enabled=False) as tab:
        yield tab


def load(view: Any, page: Path) -> None:
    """Open a page anew, as wide as a phone."""
    view.complaints.clear()
    view.set_viewport_size(PHONE)
    view.goto("about:blank")
    view.goto(page.as_uri())


WIDER = """() => [document.documentElement.scrollWidth > innerWidth && 'the page'].concat(
    [...document.querySelectorAll('main *')].filter(e => {
        const box = e.getBoundingClientRect();
        if (!box.width || box.right <= innerWidth + 1) return false;
        for (let up = e; (up = up.parentElement);)
            if (/auto|scroll|hidden/.test(getComputedStyle(up).overflowX)) return false;
        return true;
    }).map(e => e.outerHTML.slice(0, 200))).filter(Boolean)"""


@EVERY
def test_a_report_loads_whole_and_fits_a_phone(view: Any, pages: Pages, name: str) -> None:
    load(view, pages[name])
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for scheme in ("light", "dark"):
        for size, width in (("", DESK), ("-phone", PHONE)):
            view.emulate_media(color_scheme=scheme)
            view.set_viewport_size(width)
            view.screenshot(path=SCREENSHOTS / f"report-{name}{size}-{scheme}.png")
    view.evaluate("() => document.querySelectorAll('details').forEach(d => d.open = true)")
    assert view.evaluate(WIDER) == []
    assert view.complaints == []
    assert view.locator("#filter").is_visible()


@EVERY
def test_colours_are_told_apart_from_the_paper(view: Any, pages: Pages, name: str) -> None:
    load(view, pages[name])
    view.evaluate("() => document.querySelectorAll('details').forEach(d => d.open = true)")
    for scheme in ("light", "dark"):
        view.emulate_media(color_scheme=scheme)
        assert view.evaluate(FAINT) == []


FAINT = """() => {
    const light = (text) => {
        const [r, g, b] = text.match(/[\\d.]+/g).map(Number).map((c) => {
            c /= 255;
            return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const paper = light(getComputedStyle(document.body).backgroundColor);
    return [...document.querySelectorAll('main *:not(svg *)')]
        .filter((e) => !e.matches('.none, .none *') && [...e.childNodes].some(
            (n) => n.nodeType === 3 && n.textContent.trim()))
        .filter((e) => {
            const ink = light(getComputedStyle(e).color);
            return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05) < 4.5;
        })
        .map((e) => e.outerHTML.slice(0, 120));
}"""


def cases_shown(view: Any) -> list[str]:
    return list(
        view.evaluate(
            "() => [...document.querySelectorAll('li.case')]"
            ".filter(e => e.checkVisibility()).map(e => e.id)"
        )
    )


@pytest.mark.glance
def test_the_search_leaves_what_has_every_word(view: Any, pages: Pages) -> None:
    load(view, pages["one-mistake"])
    every = view.locator("li.case").count()
    for words, fits in {
        "failed explicit_solution/unequal-norms": lambda case: (
            case == "explicit_solution/unequal-norms"
        ),
        "PRIMING-ignored": lambda case: case.startswith("explicit_solution/"),
        "log_softmax refused": lambda case: case.startswith("log_softmax/refuse"),
        "no such thing at all": lambda _: False,
    }.items():
        view.fill("#words", words)
        shown = cases_shown(view)
        assert all(map(fits, shown)), words
        assert bool(shown) is ("no such" not in words)
        noun = "case" if len(shown) == 1 else "cases"
        assert view.inner_text("output").startswith(f"{len(shown)} {noun} in ")
    view.fill("#words", "SPEC 1")
    root = read(pages["one-mistake"].read_text(encoding="utf-8"))
    assert set(cases_shown(view)) == {
        item.given["id"]
        for operation in root.all("details", "operation")
        for item in operation.all("li", "case")
        if "SPEC 1" in next(operation.all("summary")).text + item.text
    }
    view.fill("#words", "")
    assert view.inner_text("output") == ""
    assert view.locator("details.operation:visible").count() == len({c.op for c in CASES})
    assert view.locator("li.case[hidden]").count() == 0
    assert view.locator("li.case").count() == every


@pytest.mark.glance
def test_only_what_did_not_pass_is_left_by_the_box(view: Any, pages: Pages) -> None:
    load(view, pages["one-mistake"])
    wrong = {
        each.given["id"]
        for each in read(pages["one-mistake"].read_text(encoding="utf-8")).all("li", "case")
        if "bad" in each.classes
    }
    view.get_by_label("only what did not pass").check()
    assert set(cases_shown(view)) == wrong != set()
    view.get_by_label("Search operations and cases").fill("additive")
    left = set(cases_shown(view))
    assert left < wrong
    assert left
    load(view, pages["right"])
    view.get_by_label("only what did not pass").check()
    assert cases_shown(view) == []
    assert view.inner_text("output") == "0 cases in 0 operations"


@pytest.mark.glance
def test_the_keyboard_is_enough(view: Any, pages: Pages) -> None:
    load(view, pages["right"])
    view.get_by_label("Search operations and cases").focus()
    for key in ("Tab", "Tab", "Tab"):
        view.keyboard.press(key)
    assert view.evaluate("() => document.activeElement.tagName") == "SUMMARY"
    view.keyboard.press("Enter")
    first = view.locator("details.operation").first.get_attribute("id")
    assert {f"op-{case.split('/')[0]}" for case in cases_shown(view)} == {first}
    view.get_by_role("button", name="Open all").press("Enter")
    assert len({case.split("/")[0] for case in cases_shown(view)}) == len(OPERATIONS)


def test_a_link_opens_what_it_leads_to(view: Any, pages: Pages) -> None:
    load(view, pages["all-wrong"])
    view.fill("#words", "log_softmax")
    link = view.locator("a[href^='#cooccurrence/']").first
    href = link.get_attribute("href")
    link.evaluate("(a) => a.click()")
    view.wait_for_function("(id) => document.getElementById(id).checkVisibility()", arg=href[1:])
    assert view.input_value("#words") == ""


@EVERY
def test_without_a_script_everything_is_there(bare: Any, pages: Pages, name: str) -> None:
    load(bare, pages[name])
    assert not bare.locator("#filter").is_visible()
    assert bare.locator("h1").is_visible()
    for place in ("#levels", "#operations", "#run"):
        assert bare.locator(place).is_visible()
    root = read(pages[name].read_text(encoding="utf-8"))
    for operation in root.all("details", "operation"):
        line = bare.locator(f"#{operation.given['id']}")
        first = line.locator("ol > li").first
        assert line.locator("h3").is_visible()
        assert first.is_visible() is ("open" in operation.given)
        line.locator("summary").click()
        assert first.is_visible() is ("open" not in operation.given)
    if name in ("one-mistake", "all-wrong"):
        assert bare.locator("#diagnosis svg[role=img]").first.is_visible()
    assert bare.complaints == []


def test_on_paper_everything_is_open_and_the_search_is_not_there(view: Any, pages: Pages) -> None:
    load(view, pages["one-mistake"])
    view.emulate_media(media="print")
    try:
        assert not view.locator("#filter").is_visible()
        view.evaluate("() => dispatchEvent(new Event('beforeprint'))")
        assert len(cases_shown(view)) == view.locator("li.case").count()
    finally:
        view.emulate_media(media="screen")
