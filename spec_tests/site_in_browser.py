"""Every page of the site, opened from disk in Chromium without a window: `nox -s site`.

One page of each kind is marked `glance`, and looked at by `nox -s browser` with every change.
Pages are opened as files, so nothing can come from anywhere else; whatever a page asks for beyond
its own folder is an error.  Pictures of the pages are left in `build/screenshots`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag

import pytest

from docs._site.operations import Page, pages
from spec_tests.support.browser import DESK, PHONE, SCREENSHOTS, browser, tab_of

__all__ = ["browser"]

ROOT = Path(__file__).parent.parent
HTML = ROOT / "build" / "site" / "html"
PAGES = sorted(page.relative_to(HTML).as_posix() for page in HTML.rglob("*.html"))
GLANCE = (
    "api/layer.html", "argument.html", "chapters/09-attention.html", "equations.html",
    "genindex.html", "golden.html", "index.html", "operations/explicit_solution.html",
    "ports/c/README.html", "replication.html", "tutorials/first-port.html",
)  # fmt: skip
"""One page of each kind."""


@pytest.fixture(scope="module")
def view(browser: Any) -> Iterator[Any]:
    with tab_of(browser) as tab:
        yield tab


def load(view: Any, page: str) -> None:
    """Open a page of the site, and wait until its formulas are set."""
    view.complaints.clear()
    view.set_viewport_size(PHONE)
    view.goto((HTML / page).as_uri())
    view.evaluate("() => window.MathJax?.startup?.promise?.then(() => true)")


@pytest.mark.glance
def test_the_site_was_built() -> None:
    missing = set(GLANCE) - set(PAGES)
    assert not missing, f"there is no {', '.join(sorted(missing))} in {HTML}: nox -s site builds it"


@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=[pytest.mark.glance] if page in GLANCE else []) for page in PAGES],
)
def test_a_page_loads_whole_and_fits_a_phone(view: Any, page: str) -> None:
    load(view, page)
    for image in view.locator("article img").all():  # those further down load when they are seen
        image.scroll_into_view_if_needed()
    view.evaluate("() => Promise.all([...document.images].map(i => i.decode().catch(() => 0)))")
    seen = view.evaluate(
        """() => ({
            wide: [document.documentElement.scrollWidth > innerWidth && 'the page'].concat(
                [...document.querySelectorAll('article *, footer *')].filter(e => {
                    if (e.getBoundingClientRect().right <= innerWidth + 1) return false;
                    for (let up = e; (up = up.parentElement) && up.tagName != 'ARTICLE';)
                        if (/auto|scroll/.test(getComputedStyle(up).overflowX)) return false;
                    return !e.closest('mjx-assistive-mml');
                }).map(e => e.outerHTML.slice(0, 200))).filter(Boolean),
            formulas: document.querySelectorAll('.math').length,
            drawn: [...document.querySelectorAll('.math mjx-container svg')].filter(
                s => s.getBoundingClientRect().width > 0 && s.querySelector('path, use')).length,
            wrong: [...document.querySelectorAll('[data-mjx-error]')].map(e => e.dataset.mjxError),
            dark: [...document.images].filter(i => !i.naturalWidth).map(i => i.src),
            words: document.body.innerText.length,
        })"""
    )
    name = page.removesuffix(".html").replace("/", "-")
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    view.evaluate("() => scrollTo(0, 0)")
    view.screenshot(path=SCREENSHOTS / f"{name}-phone.png")
    view.set_viewport_size(DESK)
    view.screenshot(path=SCREENSHOTS / f"{name}.png")
    assert view.complaints == []
    assert seen["wrong"] == [], "formulas that MathJax cannot read"
    assert seen["drawn"] >= seen["formulas"], "formulas that were not drawn"
    assert seen["dark"] == [], "pictures that do not show"
    assert seen["wide"] == [], "wider than a phone"
    assert seen["words"] > 0


@pytest.mark.glance
def test_formulas_are_drawn_at_all(view: Any) -> None:
    load(view, "argument.html")
    assert view.locator(".math mjx-container svg path").count() > 100


@pytest.mark.glance
@pytest.mark.parametrize("word", ["softmax", "naive Bayes", "priming"])
def test_the_search_finds_something_from_disk(view: Any, word: str) -> None:
    load(view, "index.html")
    view.goto((HTML / "search.html").as_uri() + f"?q={word}")
    view.wait_for_selector("#search-results ul.search li a", timeout=20_000)
    assert view.complaints == []


class Anchors(HTMLParser):
    """What a page links to, and what in it can be linked to."""

    def __init__(self) -> None:
        super().__init__()
        self.targets: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note identifiers and links."""
        given = dict(attrs)
        self.targets |= {value for key in ("id", "name") if (value := given.get(key))}
        if tag == "a" and (target := given.get("href")):
            self.links.append(target)


def read(page: str) -> Anchors:
    """The links of a page."""
    parser = Anchors()
    parser.feed((HTML / page).read_text(encoding="utf-8"))
    return parser


@pytest.fixture(scope="module")
def anchors() -> dict[str, Anchors]:
    return {page: read(page) for page in PAGES}


@pytest.mark.glance
@pytest.mark.parametrize("page", PAGES)
def test_links_inside_the_site_hold(anchors: dict[str, Anchors], page: str) -> None:
    for link in anchors[page].links:
        if re.match(r"[a-z]+:", link):
            continue
        path, anchor = urldefrag(link)
        goal = (HTML / page).parent / unquote(path) if path else HTML / page
        assert goal.is_file(), link
        name = goal.resolve().relative_to(HTML.resolve()).as_posix()
        if anchor and name in anchors:
            assert unquote(anchor) in anchors[name].targets | {"top"}, link


@pytest.mark.glance
@pytest.mark.parametrize("operation", pages(ROOT), ids=lambda o: str(o.name))
def test_an_operation_is_two_clicks_from_the_first_page(
    anchors: dict[str, Anchors], operation: Page
) -> None:
    goal = f"operations/{operation.name}.html"
    indexed = (HTML / "genindex.html").read_text(encoding="utf-8")
    for lists in ("operations.html", "equations.html", "genindex.html"):
        assert lists in anchors["index.html"].links
        assert goal in {urldefrag(link).url for link in anchors[lists].links}
    for case in operation.cases:
        assert re.search(rf'href="{goal}#[^"]*">{case["id"]}</a>', indexed), case["id"]
