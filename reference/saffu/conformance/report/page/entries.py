"""One case on the page: verdict, and for a failed case the expected and returned arrays."""

from __future__ import annotations

import numpy as np

from saffu.conformance.judging.runner import Result
from saffu.conformance.judging.verdict import Verdict
from saffu.conformance.ports.schemas import plain
from saffu.conformance.report.page.divergence import Divergence, divergence
from saffu.conformance.report.page.markup import Markup, element, join
from saffu.conformance.report.page.scatter import MOST, drawn, number, out_of_bounds, picture
from saffu.conformance.report.page.words import WORDS, shape, sign
from saffu.conformance.report.tally import measure


def entry(result: Result, matches: list[str], *, drawn_here: bool, drawn_above: bool) -> Markup:
    """A case as an item of the list of its operation.

    Parameters: `matches`, ids of the mistakes found; `drawn_here`, whether it has a picture here;
    `drawn_above`, whether it has one in the diagnosis.
    """
    case, ruling = result.case, result.ruling
    word = WORDS[ruling.verdict]
    head = element(
        "p",
        sign(word.sign),
        element("code", case.id),
        " ",
        element("span", word.text + _kind(result), class_="verdict"),
        " ",
        element("span", _size(result), class_="size"),
        class_="head",
    )
    return element(
        "li",
        head,
        element("p", f"{case.about}  ({case.spec})", class_="note"),
        _matched(matches) if matches else None,
        None
        if result.good
        else element(
            "div", _grounds(result), figure(result) if drawn_here else None, class_="beside"
        ),
        element("p", element("a", "Drawn in the diagnosis", href=f"#drawn-{case.op}"))
        if drawn_above
        else None,
        id=case.id,
        class_=f"case {word.tone}",
    )


def _size(result: Result) -> str:
    measured = measure(result)
    if measured is None:
        return ""
    if not np.isfinite(measured.error):
        return "worst error infinite"
    return (
        f"worst error {measured.error:.1e} of {measured.bound:.1e} allowed"
        if measured.error
        else "exact"
    )


def _kind(result: Result) -> str:
    """What went wrong, in one word; nothing where the verdict says it."""
    ruling = result.ruling
    return "" if ruling.kind in ("", ruling.verdict) else f" ({ruling.kind})"


def _grounds(result: Result) -> Markup:
    """Numbers for a case that failed; for others the words of the port, and its link."""
    ruling = result.ruling
    if ruling.verdict is Verdict.FAILED:
        return comparison(result)
    url = ruling.url if ruling.url and ruling.url.startswith(("https://", "http://")) else None
    link = element("a", url, href=url, rel="nofollow noreferrer") if url else ruling.url
    return element("p", ruling.reason, " " if link else None, link)


def _matched(matches: list[str]) -> Markup:
    names = join([element("code", name) for name in matches], ", ")
    return element("p", "Matches ", names, class_="matches")


def comparison(result: Result) -> Markup:
    """Expected and returned values, as a list."""
    diverged = divergence(result)
    return _listed(_of_array(diverged) if diverged else _of_answer(result))


def _of_array(diverged: Divergence) -> dict[str, str]:
    truth, got = diverged.expected.value, diverged.got
    facts = {"First wrong array": f"{diverged.name} ({diverged.role}), {shape(truth.shape)}"}
    if not diverged.comparable:
        there = plain(str(got.dtype), 40)
        return {
            **facts,
            "Expected": f"{truth.dtype}, {shape(truth.shape)}",
            "Got": f"{there}, {shape(got.shape)}",
        }
    at = diverged.difference.where or ()
    return {
        **facts,
        "Worst entry": f"{list(at)}" if at else "the only one",
        "Expected": number(truth[at]),
        "Got": number(got[at]),
        "Error": _against(diverged.difference.error, diverged.bound),
        "Wrong": out_of_bounds(diverged),
    }


def _against(error: float, bound: float) -> str:
    if not np.isfinite(error):
        return f"infinite; {bound:.2g} is allowed"
    return f"{error:.2g}, {error / bound:.2g} times the {bound:.2g} allowed"


def _of_answer(result: Result) -> dict[str, str]:
    case, ruling = result.case, result.ruling
    if case.reject is not None:
        came = ", ".join(f"{plain(k, 60)} ({shape(x.shape)})" for k, x in ruling.arrays.items())
        got = f"the arrays {came[:600]}" if came else ruling.reason
        return {"Expected": f"a refusal, with the reason {case.reject}", "Got": got}
    wanted = case.in_order if ruling.diverged is None else {
        ruling.diverged: case.in_order[ruling.diverged]
    }  # fmt: skip
    wanted_shapes = ", ".join(f"{name} ({shape(x.value.shape)})" for name, x in wanted.items())
    return {"Expected": wanted_shapes, "Got": ruling.reason}


def _listed(facts: dict[str, str]) -> Markup:
    rows = (element("div", element("dt", k), element("dd", v)) for k, v in facts.items())
    return element("dl", *rows, class_="comparison")


def drawable(result: Result) -> bool:
    """Whether a picture can be made: the first wrong array came, in the right shape."""
    diverged = divergence(result)
    return diverged is not None and diverged.comparable


def figure(result: Result, **attributes: str) -> Markup | None:
    """The picture of a case, with a line under it; None where nothing can be drawn."""
    diverged = divergence(result)
    if diverged is None or not diverged.comparable:
        return None
    shown = drawn(diverged) if diverged.got.size > MOST else "every entry"
    return element(
        "figure",
        picture(diverged),
        element(
            "figcaption",
            element("code", diverged.name), " of ", element("code", result.case.id),
            f": {shown}. Dots are within bounds, crosses are not.",
        ),
        **attributes,
    )  # fmt: skip
