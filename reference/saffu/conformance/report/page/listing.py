"""Operations on the page: one line of counts each, which opens into the cases.   (SPEC 9)"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from saffu.conformance.judging.verdict import Verdict
from saffu.conformance.operations import OPERATIONS
from saffu.conformance.report.explain import equation
from saffu.conformance.report.lines import Report
from saffu.conformance.report.page.entries import drawable, entry
from saffu.conformance.report.page.markup import Markup, element
from saffu.conformance.report.page.words import WORDS, Word, ratio, sign
from saffu.conformance.report.tally import Tally, tallies

PICTURED: Final = 3
"""Largest number of failing cases per operation that are drawn."""
_OPEN: Final = 3
"""Failing operations up to which they are open at once."""


def operations(report: Report, above: Collection[str]) -> Markup:
    """The section of all operations.

    Parameters: `above`, ids of the cases that are drawn in the diagnosis.
    """
    every = tallies(report.run.results)
    failing = [tally for tally in every if tally.good < len(tally.results)]
    opened = {tally.op for tally in failing} if len(failing) <= _OPEN else set()
    columns = ["operation", "section", "cases", *(w.text for w in WORDS.values()), "error ÷ bound"]
    head = element(
        "div", *(element("span", name) for name in columns), class_="columns", aria_hidden="true"
    )
    return element(
        "section",
        element("h2", "Operations"),
        _SEARCH,
        head,
        *(_operation(report, tally, above, opened=tally.op in opened) for tally in every),
        id="operations",
    )


def _operation(report: Report, tally: Tally, above: Collection[str], *, opened: bool) -> Markup:
    worst = tally.worst
    mark = _mark(tally)
    numbers = [_count(len(tally.results), "cases" if len(tally.results) > 1 else "case", "all")]
    numbers += [_count(tally.count(v), word.text, word.tone) for v, word in WORDS.items()]
    summary = element(
        "summary",
        element(
            "h3",
            sign(mark.sign),
            tally.op,
            element("span", f" {mark.text}", class_="unseen"),
        ),
        element("span", OPERATIONS[tally.op].spec, class_="spec"),
        *numbers,
        element(
            "span",
            element("span", "worst error over bound: ", class_="word") if worst else None,
            ratio(worst),
            class_="worst",
        ),
    )
    here = [r.case.id for r in tally.results if drawable(r) and r.case.id not in above]
    drawn = set(here[: PICTURED - sum(r.case.id in above for r in tally.results)])
    cases = (
        entry(
            result,
            report.matches(result),
            drawn_here=result.case.id in drawn,
            drawn_above=result.case.id in above,
        )
        for result in tally.results
    )
    return element(
        "details",
        summary,
        says(tally.op),
        element("ol", *cases, class_="cases"),
        id=f"op-{tally.op}",
        class_=f"operation {mark.tone}",
        open=opened,
    )


def _mark(tally: Tally) -> Word:
    """The verdict on all cases of an operation."""
    if tally.good == len(tally.results):
        return Word("✓", "complete", "good")
    skipped = tally.good + tally.count(Verdict.SKIPPED) == len(tally.results)
    return Word("–", "incomplete", "lacking") if skipped else Word("✗", "wrong", "bad")


def _count(number: int, word: str, tone: str) -> Markup:
    empty = "" if number else " none"
    label = element("span", f" {word}", class_="word")
    return element("span", str(number), label, class_=f"count {tone}{empty}")


def says(op: str) -> Markup:
    """The description of an operation, with the equations of its module."""
    about, *written, place = equation(op).split("\n")
    return element(
        "div",
        element("p", about.strip()),
        element("pre", _set(written)) if written else None,
        element("p", element("code", place.strip("[]")), class_="note"),
        class_="about",
    )


def _set(written: list[str]) -> str:
    """Equations without their indent; a single one needs no columns either."""
    lines = [line[4:] for line in written]
    return "\n".join(lines) if len(lines) > 1 else re.sub(" {4,}", "    ", lines[0])


_SEARCH: Final = element(
    "search",
    element("label", "Search operations and cases", for_="words"),
    element("input", type="search", id="words", placeholder="id, section, verdict, mistake …"),
    element("label", element("input", type="checkbox", id="failing"), " only what did not pass"),
    element("button", "Open all", type="button", id="all"),
    element("output", "", for_="words failing", aria_live="polite"),
    id="filter",
    hidden=True,
)
