"""Every page of the site, opened from disk in Chromium without a window: `nox -s site`.

Pages are opened as files, so nothing can come from anywhere else; whatever a page asks for beyond
its own folder is an error.  Pictures of the pages are left in `build/screenshots`.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag

import pytest

from docs._site.operations import Operation, operations

ROOT = Path(__file__).parent.parent
HTML = ROOT / "build" / "site" / "html"
SCREENSHOTS = ROOT / "build" / "screenshots"
PAGES = sorted(page.relative_to(HTML).as_posix() for page in HTML.rglob("*.html"))
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}
NO_BROWSER = (
    "there is no Chromium here, so no page was opened and nothing is proved; install it (Debian: "
    "apt-get install chromium), or name the program in CHROMIUM"
)


def chromium() -> str:
    """The program, or a failure that says what to do."""
    names = [os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome"]
    found = [program for name in names if name and (program := shutil.which(name))]
    if not found:
        pytest.fail(NO_BROWSER)
    return found[0]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    program = chromium()
    with sync_playwright() as drive:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        running = drive.chromium.launch(executable_path=program, args=arguments)
        yield running
        running.close()


@pytest.fixture(scope="module")
def view(browser: Any) -> Iterator[Any]:
    tab = browser.new_page(viewport=PHONE)
    tab.complaints = []
    tab.on("pageerror", lambda error: tab.complaints.append(f"error: {error}"))
    tab.on("requestfailed", lambda request: tab.complaints.append(f"failed: {request.url}"))
    tab.on("console", lambda said: said.type == "error" and tab.complaints.append(said.text))
    tab.on(
        "request",
        lambda request: (
            request.url.startswith(("file:", "data:", "blob:"))
            or tab.complaints.append(f"asked the network for {request.url}")
        ),
    )
    yield tab
    tab.close()


def load(view: Any, page: str) -> None:
    """Open a page of the site, and wait until its formulas are set."""
    view.complaints.clear()
    view.set_viewport_size(PHONE)
    view.goto((HTML / page).as_uri())
    view.evaluate("() => window.MathJax?.startup?.promise?.then(() => true)")


def test_the_site_was_built() -> None:
    assert "index.html" in PAGES, f"there is no {HTML}/index.html: nox -s site builds it first"


@pytest.mark.parametrize("page", PAGES)
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


def test_formulas_are_drawn_at_all(view: Any) -> None:
    load(view, "argument.html")
    assert view.locator(".math mjx-container svg path").count() > 100


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


@pytest.mark.parametrize("operation", operations(ROOT), ids=lambda o: str(o.name))
def test_an_operation_is_two_clicks_from_the_first_page(
    anchors: dict[str, Anchors], operation: Operation
) -> None:
    goal = f"operations/{operation.name}.html"
    indexed = (HTML / "genindex.html").read_text(encoding="utf-8")
    for lists in ("operations.html", "equations.html", "genindex.html"):
        assert lists in anchors["index.html"].links
        assert goal in {urldefrag(link).url for link in anchors[lists].links}
    for case in operation.cases:
        assert re.search(rf'href="{goal}#[^"]*">{case["id"]}</a>', indexed), case["id"]
