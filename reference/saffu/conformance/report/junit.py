"""A run as JUnit XML, for build servers.   (SPEC 9)"""

from __future__ import annotations

import re
from typing import Final
from xml.etree import ElementTree

from saffu.conformance.judging.runner import Result
from saffu.conformance.judging.verdict import Verdict
from saffu.conformance.report.lines import Report

_NOT_XML: Final = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(report: Report) -> str:
    """JUnit XML: one test case per golden case; `errored` is an error, `skipped` is skipped."""
    run = report.run
    suite = ElementTree.Element(
        "testsuite",
        name="saffu conformance",
        tests=str(len(run.results)),
        failures=str(run.count(Verdict.FAILED)),
        errors=str(run.count(Verdict.ERRORED)),
        skipped=str(run.count(Verdict.SKIPPED)),
        time=f"{sum(result.seconds for result in run.results):.3f}",
    )
    tags = {Verdict.FAILED: "failure", Verdict.ERRORED: "error", Verdict.SKIPPED: "skipped"}
    for result in run.results:
        case, ruling = result.case, result.ruling
        test = ElementTree.SubElement(
            suite, "testcase", classname=case.op, name=case.id, time=f"{result.seconds:.3f}"
        )
        if tag := tags.get(ruling.verdict):
            text = _NOT_XML.sub("\ufffd", _why(report, result))
            ElementTree.SubElement(test, tag, message=text, type=ruling.kind)
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _why(report: Report, result: Result) -> str:
    matches = report.matches(result)
    match = f" (matches {', '.join(matches)})" if matches else ""
    return f"{result.ruling.reason}{match}"
