"""The levels on the page: what was reached, and what is wanting for the next one.   (SPEC 9)"""

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
    'No case was asked, so no level can be named.'
    """
    if not run.results:
        return "No case was asked, so no level can be named."
    if run.partial:
        return "Only some cases were asked, so no level can be named."
    kept = f"Level {run.level} is reached" if run.level else "No level is reached yet"
    following = LEVELS[LEVELS.index(run.level) + 1 :] if run.level else LEVELS
    if not following:
        return f"{kept}: nothing is wanting."
    if not within(following[0], run.wanted):
        return f"{kept}, and no more was asked for."
    return f"{kept}. For {following[0]} there is wanting: {', '.join(wanting(run, following[0]))}."


def wanting(run: Run, level: str) -> dict[str, int]:
    """What one level lacks by itself: operations, or gradients of them, and how many cases."""
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
    lacking = wanting(run, level)
    if not within(level, run.wanted):
        mark, said, tone = "·", "not asked for", "unasked"
    elif lacking:
        mark, said, tone = "✗", f"lacks {counted(len(lacking), 'operation')}", "bad"
    elif run.level and within(level, run.level):
        mark, said, tone = "✓", "reached", "good"
    elif not here:
        mark, said, tone = "·", "no case asked", "unasked"
    else:
        mark, said, tone = "–", "complete in itself", "lacking"
    good = sum(result.good for result in here)
    return element(
        "li",
        element("p", sign(mark), element("strong", level), f" {said}"),
        element("p", f"{good} of {counted(len(here), 'case')} good") if here else None,
        element("ul", *(element("li", f"{name} ({n})") for name, n in lacking.items()))
        if lacking
        else None,
        class_=tone,
        aria_current="step" if level == run.level else None,
    )
