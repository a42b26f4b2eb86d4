"""Words and signs for verdicts, counts and numbers on the page.   (SPEC 9)"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from saffu.conformance.judging.verdict import Verdict
from saffu.conformance.ports.protocol import Started
from saffu.conformance.report.page.markup import Markup, element
from saffu.conformance.report.tally import Measure


class Word(NamedTuple):
    """How a verdict is shown: a colour is never all there is."""

    sign: str
    text: str
    tone: str
    """good, bad or lacking"""


WORDS: Final[Mapping[Verdict, Word]] = {
    Verdict.PASSED: Word("✓", "passed", "good"),
    Verdict.REJECTED: Word("⊘", "correctly refused", "good"),
    Verdict.FAILED: Word("✗", "failed", "bad"),
    Verdict.SKIPPED: Word("–", "skipped", "lacking"),
    Verdict.ERRORED: Word("!", "errored", "bad"),
}


def sign(text: str) -> Markup:
    """A sign beside the word for the same, which is not read aloud."""
    return element("span", text, class_="sign", aria_hidden="true")


def ratio(measured: Measure | None) -> str:
    """An error over its bound, as one number.

    >>> ratio(Measure(0.02, 2e-15, 1e-13)), ratio(Measure(0.0, 0.0, 1e-13)), ratio(None)
    ('0.02', 'exact', '')
    """
    if measured is None:
        return ""
    if measured.ratio == float("inf"):
        return "∞"
    return brief(measured.ratio, 2) if measured.ratio else "exact"


def brief(x: float, digits: int = 3) -> str:
    """A number in few digits.

    >>> brief(-1234567.0), brief(0.00001), brief(0.5)
    ('−1.23e6', '1e−5', '0.5')
    """
    return re.sub("e[+]?(-?)0*", r"e\1", f"{x:.{digits}g}").replace("-", "−")


def counted(number: int, noun: str) -> str:
    """A number of things.

    >>> counted(1, "case"), counted(3, "case")
    ('1 case', '3 cases')
    """
    return f"{number} {noun}" + ("" if number == 1 else "s")


def named(port: Started) -> str:
    """A port by its name, and its version if it has one."""
    return port.name if port.version == "unknown" else f"{port.name} {port.version}"


def shape(of: tuple[int, ...]) -> str:
    """The shape of an array.

    >>> shape((2, 3)), shape((5,)), shape(())
    ('2 × 3', '5', 'a single number')
    """
    return " × ".join(map(str, of)) or "a single number"
