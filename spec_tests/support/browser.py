"""Chromium without a window, watched: what a page complains of, and what it asks for."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

SCREENSHOTS = Path(__file__).parent.parent.parent / "build" / "screenshots"
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
    """The running program; a test module that imports this fixture has one of its own."""
    from playwright.sync_api import sync_playwright

    program = chromium()
    with sync_playwright() as drive:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        running = drive.chromium.launch(executable_path=program, args=arguments)
        yield running
        running.close()


@contextmanager
def tab_of(browser: Any, **options: Any) -> Iterator[Any]:
    """A tab as wide as a phone; its `complaints` are errors, and requests beyond files."""
    tab = browser.new_page(viewport=PHONE, **options)
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
