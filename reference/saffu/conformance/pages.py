"""A run as JUnit XML for build servers, and as one HTML page that needs nothing else.   (SPEC 9)

What a port says is quoted in both, so it is escaped here, and nowhere trusted.
"""

from __future__ import annotations

import re
from html import escape
from typing import Final
from xml.etree import ElementTree

from saffu.conformance.badge import badge
from saffu.conformance.report import Report
from saffu.conformance.runner import Result
from saffu.conformance.verdict import Verdict

_NOT_XML: Final = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(report: Report) -> str:
    """JUnit XML: one test case a case; `errored` is an error, `skipped` is skipped."""
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
    found = report.matches(result)
    match = f" (matches {', '.join(found)})" if found else ""
    return f"{result.ruling.reason}{match}"


def html(report: Report) -> str:
    """One page, with its style inside, no script, and nothing loaded from anywhere."""
    run, about = report.run, badge(report.run)
    port = run.port
    facts = {
        "Port": f"{port.name} {port.version}" if port else "never started",
        "Language": port.language if port else "",
        "Device": port.device if port else "",
        "Suite": f"{report.suite} ({report.suite_sha256[:12]})",
        "Judged as": run.precision,
        "Level asked for": run.wanted + (", some cases only" if run.partial else ""),
        "Challenge": report.nonce or "",
        "Command": report.command,
        "Started": report.started.isoformat(timespec="seconds"),
    }
    rows = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>\n"
        for name, value in facts.items()
        if value
    )
    said = "".join(
        f"<li>{escape(text)}</li>\n" for text in (*report.diagnosis.sentences(), *run.notes)
    )
    return _PAGE.format(
        title=escape(f"{about['label']}: {about['message']}"),
        word="passed" if report.ok else "failed",
        facts=rows,
        said=f"<h2>Diagnosis and notes</h2>\n<ul>\n{said}</ul>" if said else "",
        cases="".join(_row(report, result) for result in run.results),
    )


def _row(report: Report, result: Result) -> str:
    case, ruling = result.case, result.ruling
    why = escape(_why(report, result))
    if ruling.url:
        why += f' <a href="{escape(ruling.url)}" rel="nofollow">{escape(ruling.url)}</a>'
    size = "" if ruling.error is None else f"{ruling.error:.1e}"
    cells = (
        f'<td title="{escape(case.about)}">{escape(case.id)}</td><td>{escape(case.spec)}</td>'
        f"<td>{ruling.verdict}</td><td>{size}</td>"
        f"<td>{'' if ruling.bound is None else f'{ruling.bound:.1e}'}</td><td>{why}</td>"
    )
    return f'<tr class="{ruling.verdict}">{cells}</tr>\n'


_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem }}
table {{ border-collapse: collapse }}
th, td {{ border-bottom: 1px solid #ddd; padding: .2rem .6rem; text-align: left;
  vertical-align: top }}
.passed, .rejected-ok {{ background: #f0fff0 }}
.failed, .errored {{ background: #fff0f0 }}
.skipped {{ background: #fffbe6 }}
</style>
</head>
<body>
<h1 class="{word}">{title}</h1>
<table>
{facts}</table>
{said}
<h2>Cases</h2>
<table>
<thead>
<tr><th>Case</th><th>Section</th><th>Verdict</th><th>Error</th><th>Bound</th><th>Why</th></tr>
</thead>
<tbody>
{cases}</tbody>
</table>
</body>
</html>
"""
