"""Report as one self-contained HTML page, readable without its script.   (SPEC 9)

The style and the script stand in the page, and a policy in its head allows just these two, by their
hashes: a browser that keeps to it runs nothing that a port may have smuggled in, and asks nobody
for anything.  Without the script everything is there; with it, it can be searched.
"""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files

from saffu.conformance.report.badge import badge
from saffu.conformance.report.lines import Report
from saffu.conformance.report.page.facts import facts
from saffu.conformance.report.page.findings import diagnosis, pictured
from saffu.conformance.report.page.ladder import levels
from saffu.conformance.report.page.listing import operations
from saffu.conformance.report.page.markup import Markup, element
from saffu.conformance.report.page.words import WORDS, counted, named, sign


def html(report: Report) -> str:
    """The whole page."""
    about = badge(report.run)
    style, script = _inside("style.css"), _inside("script.js")
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    port = report.run.port
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", f"{port.name if port else 'no port'}: {about['label']}"),
        element("style", style),
    )
    diagnosed = diagnosis(report)
    places = {"levels": "Levels", "diagnosis": "Diagnosis" if diagnosed else "", "notes": "",
              "operations": "Operations", "run": "The run"}  # fmt: skip
    links = (element("a", title, href=f"#{place}") for place, title in places.items() if title)
    body = element(
        "body",
        _header(report),
        element("nav", *links, aria_label="Parts of the page"),
        element(
            "main",
            levels(report.run),
            diagnosed,
            _notes(report),
            operations(report, pictured(report)),
            facts(report),
        ),
        element("script", script),
    )
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def _header(report: Report) -> Markup:
    run = report.run
    good = sum(result.good for result in run.results)
    counts = [f"{n} {word.text}" for v, word in WORDS.items() if (n := run.count(v))]
    reached = f"level {run.level} reached" if run.level else "no level reached"
    level = "" if run.partial or not run.results else f"{reached}; "
    stopped = "interrupted; " if run.interrupted else ""
    word = "Passed" if report.ok else "Failed"
    return element(
        "header",
        element("p", "Conformance to the operations of SAFFU", class_="note"),
        element("h1", named(run.port) if run.port else "The port never started"),
        element(
            "p",
            sign("✓" if report.ok else "✗"),
            element("strong", word),
            f": {stopped}{level}{good} of {counted(len(run.results), 'case')} passed",
            f" ({', '.join(counts)})" if counts else None,
            class_=f"result {'good' if report.ok else 'bad'}",
        ),
    )


def _notes(report: Report) -> Markup | None:
    if not report.run.notes:
        return None
    notes = element("ul", *(element("li", note) for note in report.run.notes))
    return element("section", element("h2", "Notes"), notes, id="notes")


def _inside(name: str) -> Markup:
    """A file that stands in the page as it is; it comes with the package."""
    return Markup((files("saffu.conformance.report.page") / name).read_text("utf-8"))


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"
