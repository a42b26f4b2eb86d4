"""Diagnosis on the page: the mistake, the right equation, and a picture."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from saffu.conformance.diagnosis.diagnose import Finding
from saffu.conformance.judging.runner import Result
from saffu.conformance.judging.verdict import Verdict
from saffu.conformance.report.lines import Report
from saffu.conformance.report.page.entries import comparison, drawable, figure
from saffu.conformance.report.page.listing import says
from saffu.conformance.report.page.markup import Markup, element, join
from saffu.conformance.report.page.words import counted, sign
from saffu.conformance.report.tally import Tally, tallies

_OPEN: Final = 3
"""Operations whose diagnosis is open at once."""


def diagnosis(report: Report) -> Markup | None:
    """The section of the diagnosis; None where nothing failed.

    Grouped by operation; sentences that concern no single operation come first.
    """
    diagnosed = report.diagnosis
    if not diagnosed.failures:
        return None
    first, *rest = diagnosed.sentences()
    rest = rest[len(diagnosed.findings) :]
    failing = [tally for tally in tallies(report.run.results) if _wrong(tally)]
    general = [line for line in rest if not any(_speaks_of(line, tally) for tally in failing)]
    return element(
        "section",
        element("h2", "Diagnosis"),
        element("p", f"{first}, in {counted(len(failing), 'operation')}."),
        *(element("p", line) for line in general),
        *(_card(report, tally, rest, opened=n < _OPEN) for n, tally in enumerate(failing)),
        id="diagnosis",
    )


def pictured(report: Report) -> frozenset[str]:
    """Ids of the cases that are drawn in the diagnosis: the first of each operation."""
    of_each = (_first(_wrong(tally)) for tally in tallies(report.run.results))
    return frozenset(result.case.id for result in of_each if result and drawable(result))


def _wrong(tally: Tally) -> list[Result]:
    skipped = Verdict.SKIPPED
    return [each for each in tally.results if not each.good and each.ruling.verdict != skipped]


def _first(wrong: list[Result]) -> Result | None:
    """The first case that can be drawn; where none can, the first."""
    return next(filter(drawable, wrong), next(iter(wrong), None))


def _speaks_of(line: str, tally: Tally) -> bool:
    return line.startswith(f"{tally.op}/")


def _card(report: Report, tally: Tally, sentences: Iterable[str], *, opened: bool) -> Markup:
    findings = [each for each in report.diagnosis.findings if each.mistake.op == tally.op]
    others = [line for line in sentences if _speaks_of(line, tally)]
    wrong = _wrong(tally)
    shown = _first(wrong) or wrong[0]
    names = ", ".join(name for each in findings for name in each.names[: 1 + bool(each.other)])
    return element(
        "details",
        element(
            "summary",
            element("h3", sign("✗"), tally.op),
            element("span", f"{len(wrong)} of {counted(len(tally.results), 'case')} wrong"),
            element("span", names or "no known mistake", class_="names"),
        ),
        element(
            "div",
            element(
                "div",
                *(_finding(each) for each in findings),
                *(element("p", line) for line in others),
                says(tally.op),
                element("p", "For example ", element("a", shown.case.id, href=f"#{shown.case.id}")),
                comparison(shown),
                element("p", element("a", f"All cases of {tally.op}", href=f"#op-{tally.op}")),
                class_="said",
            ),
            figure(shown, id=f"drawn-{tally.op}"),
            class_="beside",
        ),
        class_="finding",
        open=opened,
    )


def _finding(finding: Finding) -> Markup:
    mistake, other = finding.mistake, finding.other
    named = [element("code", mistake.id), f": {mistake.about}"]
    if other:
        named += [", together with ", element("code", other.id), f": {other.about}"]
    slugs = ((each, each.partition("/")[2]) for each in finding.cases)
    links = join((element("a", slug, href=f"#{each}") for each, slug in slugs), ", ")
    parts = [f"See {mistake.spec}. Explains {counted(len(finding.cases), 'case')}: ", links, "."]
    if finding.alike:
        parts += [" Same results here: ", join(map(_code, finding.alike), ", "), "."]
    if finding.against:
        many = counted(len(finding.against), "case")
        parts.append(f" This mistake would also fail {many} that the port passes.")
    return join([element("p", *named, class_="mistake"), element("p", *parts)])


def _code(name: str) -> Markup:
    return element("code", name)
