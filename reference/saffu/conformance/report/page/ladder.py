"""Levels on the page: the level reached, and what is missing for the next one.   (SPEC 9)"""

from __future__ import annotations

from saffu.conformance.judging.levels import LEVELS, level_of, within
from saffu.conformance.judging.runner import Result, Run
from saffu.conformance.report.page.markup import Markup, element
from saffu.conformance.report.page.words import counted, sign


def levels(run: Run) -> Markup:
    """The section of the levels."""
    return element(
        "section",
        element("h2", "Levels"),
        element("p", sentence(run)),
        element("ol", *(_step(run, level) for level in LEVELS), class_="ladder"),
        id="levels",
    )


def sentence(run: Run) -> str:
    """The level reached, and the operations that the next one lacks.

    >>> sentence(Run(None, "float64", (), "full"))
    'No case was run, so no level is reported.'
    """
    if not run.results:
        return "No case was run, so no level is reported."
    if run.partial:
        return "Only some cases were run, so no level is reported."
    kept = f"Level {run.level} is reached" if run.level else "No level is reached yet"
    following = LEVELS[LEVELS.index(run.level) + 1 :] if run.level else LEVELS
    if not following:
        return f"{kept}: all cases pass."
    if not within(following[0], run.wanted):
        return f"{kept}, as requested."
    lacking = ", ".join(missing(run, following[0]))
    return f'{kept}. Missing for level "{following[0]}": {lacking}.'


def missing(run: Run, level: str) -> dict[str, int]:
    """Failing operations of one level, or their gradients, with the number of cases."""
    lacking: dict[str, int] = {}
    for result in run.results:
        if not result.good and result.level == level:
            lacking[_asked(result)] = lacking.get(_asked(result), 0) + 1
    return lacking


def _asked(result: Result) -> str:
    op = result.case.op
    return op if result.level == level_of(op) else f"gradients of {op}"


def _step(run: Run, level: str) -> Markup:
    here = [result for result in run.results if result.level == level]
    lacking = missing(run, level)
    if not within(level, run.wanted):
        mark, label, tone = "·", "not requested", "unasked"
    elif lacking:
        mark, label, tone = "✗", f"{counted(len(lacking), 'operation')} missing", "bad"
    elif run.level and within(level, run.level):
        mark, label, tone = "✓", "reached", "good"
    elif not here:
        mark, label, tone = "·", "no case run", "unasked"
    else:
        mark, label, tone = "–", "complete in itself", "lacking"
    good = sum(result.good for result in here)
    return element(
        "li",
        element("p", sign(mark), element("strong", level), f" {label}"),
        element("p", f"{good} of {counted(len(here), 'case')} passed") if here else None,
        element("ul", *(element("li", f"{name} ({n})") for name, n in lacking.items()))
        if lacking
        else None,
        class_=tone,
        aria_current="step" if level == run.level else None,
    )
