"""The page of the demo: true to the numbers, safe for any text, and needing nothing but itself."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from html.parser import HTMLParser

import pytest

from saffu.configuration import TINY
from saffu.models.transformer import Total
from saffu_lab.demo.outcome import DemoSettings, Outcome, Point, Row, Text, Tried
from saffu_lab.demo.page import HEAD, cells, html, line, remarks
from saffu_lab.demo.plots import curves
from spec_tests.support.texts import corpora

EVIL = "<script>alert('&\"')</script>"
PNG = b"\x89PNG\r\n\x1a\n picture"


def points(*pairs: tuple[float, float]) -> tuple[Point, ...]:
    return tuple(Point(*pair) for pair in pairs)


def row(name: str, nats: float, curve: Sequence[Point], targets: int = 7000) -> Row:
    seconds = curve[-1].seconds if curve else 0.0
    return Row(name, Total(nats, 1000, 4000), seconds, targets, "a note", EVIL, tuple(curve))


def outcome(longer: tuple[Point, ...], direct: float = 5000.0) -> Outcome:
    """Made up: the explicit solution stands at 2 s and perplexity 90."""
    train, held, vocabulary, tokeniser = corpora()
    rows = (
        row("unigram", 6000.0, points((0.1, 403.0))),
        row("bigram, interpolated", 5500.0, points((0.1, 245.0))),
        row("cold start: zeros", 7000.0, (), targets=0),
        row("explicit only: direct", direct, points((3.0, 70.0))),
        row("explicit only: SAFFU", 4500.0, points((2.0, 90.0))),
        row("backpropagation only, same time", 4700.0, longer[:3]),
        row("backpropagation only, longer", 4600.0, longer),
        row(
            "explicit, then backpropagation", 4400.0, points((2.0, 90.0), (2.0, 90.0), (7.0, 80.0))
        ),
    )
    tried = (Tried(0.3, 0.03, 300.0, points((0.0, 999.0), (1.0, 300.0))),)
    text = Text(EVIL, tokeniser, vocabulary, train, held, held, held)
    return Outcome(text, DemoSettings(TINY), 17, rows, tried, 23.0)


SLOW = points((0.0, 999.0), (1.0, 300.0), (2.0, 120.0), (7.0, 91.0))
QUICK = points((0.0, 999.0), (1.0, 300.0), (1.5, 88.0), (7.0, 70.0))


# --- what is said -----------------------------------------------------------------------------


def test_the_sentences_say_what_the_curves_show() -> None:
    slow, quick = list(remarks(outcome(SLOW))), list(remarks(outcome(QUICK)))
    assert slow[0] == "Lowest test perplexity: explicit, then backpropagation (81.5)."  # e^4.4
    assert slow[1] == (
        "The explicit solution of the SAFFU model took 2.0 s; backpropagation alone was not yet as "
        "good on validation text after 7.0 s."
    )
    assert quick[1] == (
        "The explicit solution of the SAFFU model took 2.0 s; backpropagation alone was as good on "
        "validation text after 1.5 s."
    )
    assert slow[2].endswith("came to 109.9 on test text, against 90.0.")  # e^4.7, e^4.5
    assert slow[3].startswith("After 7 s in all: 99.5 by backpropagation alone, 81.5 by")  # e^4.6
    assert "direct (49.4)" in next(remarks(outcome(SLOW, direct=3900.0)))  # e^3.9


def test_a_line_has_the_figures_of_its_row() -> None:
    unigram = outcome(SLOW).rows[0]
    assert cells(unigram) == ("unigram", "403.43", "2.164", "0.1", "70,000")  # e^6; 6/ln 2/4
    zeros = outcome(SLOW).rows[2]
    assert cells(zeros)[3:] == ("–", "–")
    assert len({len(line(words)) for words in (HEAD, cells(unigram), cells(zeros))}) == 1


# --- the page ---------------------------------------------------------------------------------


class Page(HTMLParser):
    """Elements, attributes and text of a page that closes what it opens."""

    VOID = frozenset({"meta", "img", "br"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: dict[str, list[str]] = {}
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)
            self.words.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.words[self.open[-1]][-1] += data


@pytest.fixture
def made() -> str:
    about = {"python": "3.11", "versions": {"numpy": "2"}, "threads": {}, "machine": EVIL}
    return html(outcome(SLOW), f"saffu demo {EVIL}", about, PNG, "")


def test_the_page_is_well_formed_and_closes_everything(made: str) -> None:
    page = Page(made)
    assert page.open == []
    assert made.startswith("<!doctype html>\n<html lang=")
    assert ("meta", {"charset": "utf-8"}) in page.tags


def test_no_text_can_become_markup(made: str) -> None:
    page = Page(made)
    assert "script" not in {tag for tag, _ in page.tags}
    assert made.count("<script") == 0
    assert page.words["dd"].count(EVIL) == 9, "eight samples and the machine"
    assert f"saffu demo {EVIL}" in page.words["dd"]
    assert any(words.startswith(EVIL) for words in page.words["dd"] if "for training" in words)


def test_the_page_needs_nothing_but_itself(made: str) -> None:
    for tag, attributes in Page(made).tags:
        assert tag not in {"link", "script", "iframe", "object"}
        for name in ("src", "href", "srcset", "data"):
            assert (attributes.get(name) or "data:").startswith("data:")
    assert "url(" not in made
    assert "@import" not in made
    assert "http" not in made


def test_the_page_fits_a_telephone(made: str) -> None:
    page = Page(made)
    viewport = {"name": "viewport", "content": "width=device-width, initial-scale=1"}
    assert ("meta", viewport) in page.tags
    tags = [tag for tag, _ in page.tags]
    assert page.tags[tags.index("table") - 1] == ("div", {"class": "wide"})
    assert "div.wide { overflow-x: auto; }" in made
    assert "img { max-width: 100%;" in made


def test_the_table_has_every_row_and_marks_the_best(made: str) -> None:
    page = Page(made)
    rows = [attributes for tag, attributes in page.tags if tag == "tr"]
    assert len(rows) == 1 + 8
    assert [bool(attributes) for attributes in rows].index(True) == 8
    assert page.words["th"] == list(HEAD)
    expected = [word for each in outcome(SLOW).rows for word in cells(each)]
    assert page.words["td"] == expected


def test_the_page_says_how_it_was_made(made: str) -> None:
    page = Page(made)
    said = dict(zip(page.words["dt"], page.words["dd"], strict=True))
    assert said["seed"] == "17"
    assert said["python"] == "3.11"
    assert said["versions"] == "numpy 2"
    assert said["threads"] == "not limited"
    assert "scale 0.3 at rate 0.03 (validation 300.0 after 1.0 s)" in said["backpropagation"]
    assert said["seconds"].startswith("23 in all")
    assert page.words["li"] == list(remarks(outcome(SLOW)))


def test_without_a_picture_the_page_says_how_to_get_it() -> None:
    page = html(outcome(SLOW), "saffu demo", {}, None, f"the plot needs {EVIL}")
    assert "img" not in {tag for tag, _ in Page(page).tags}
    assert f"the plot needs {EVIL}" in Page(page).words["p"]


# --- the plot ---------------------------------------------------------------------------------


def size(png: bytes) -> tuple[int, int]:
    """Width and height of a PNG, the checksum of its head checked."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    (checksum,) = struct.unpack(">I", png[29:33])
    assert zlib.crc32(png[12:29]) == checksum
    width, height = struct.unpack(">II", png[16:24])
    return width, height


def test_the_plot_is_a_picture_that_follows_the_curves() -> None:
    pytest.importorskip("matplotlib")
    slow, quick = curves(outcome(SLOW)), curves(outcome(QUICK))
    assert size(slow) == size(quick) == (900, 600)
    assert slow != quick
    assert slow == curves(outcome(SLOW))
