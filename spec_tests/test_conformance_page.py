"""The page of a report: all that a run found, in words and pictures, and nothing smuggled in."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

from saffu.conformance import reference
from saffu.conformance.contract.case import Case
from saffu.conformance.contract.golden import read_suite
from saffu.conformance.diagnosis.diagnose import Diagnosis
from saffu.conformance.judging.levels import LEVELS, level_of
from saffu.conformance.judging.runner import Result
from saffu.conformance.judging.verdict import rule
from saffu.conformance.operations import OPERATIONS
from saffu.conformance.ports.protocol import Outputs
from saffu.conformance.report.explain import equation
from saffu.conformance.report.lines import Report
from saffu.conformance.report.page.document import html
from saffu.conformance.report.page.ladder import sentence
from saffu.types import Array
from spec_tests.support.reports import BAD, LINK, NASTY, Rough, report_on, skipped
from spec_tests.support.tree import Node, read


def shifted(x: Array) -> Array:
    """Every entry wrong, whatever it is."""
    return np.asarray(~x if x.dtype.kind == "b" else x + 1)


@cache
def report(which: str) -> Report:
    ports: dict[str, object] = {
        "right": reference,
        "bad": BAD,
        "empty": object(),
        "rough": Rough(shifted),
        "transposed": Rough(lambda x: x[..., None]),
    }
    return report_on(ports[which])


@cache
def page(which: str) -> Node:
    return read(html(report(which)))


EVERY = pytest.mark.parametrize("which", ["right", "bad", "empty", "rough", "transposed"])


# --- what is counted --------------------------------------------------------------------------


@EVERY
def test_each_operation_has_a_line_with_the_counts_of_the_run(which: str) -> None:
    wanted: dict[str, Counter[str]] = {}
    for result in report(which).run.results:
        wanted.setdefault(result.case.op, Counter())[str(result.ruling.verdict)] += 1
    lines = list(page(which).all("details", "operation"))
    assert [line.given["id"] for line in lines] == [f"op-{op}" for op in wanted]
    words = {"correctly refused": "rejected-ok"}
    for op, line in zip(wanted, lines, strict=True):
        (summary,) = line.all("summary")
        counts = [each.text.split(" ", 1) for each in summary.all("span", "count")]
        assert int(counts[0][0]) == wanted[op].total()
        assert {words.get(word, word): int(n) for n, word in counts[1:]} == {
            verdict: wanted[op][verdict]
            for verdict in ("passed", "rejected-ok", "failed", "skipped", "errored")
        }
        assert len(list(line.all("li", "case"))) == wanted[op].total()


def test_the_worst_error_over_its_bound_stands_in_the_line() -> None:
    results = [result for result in report("right").run.results if result.case.op == "softmax"]
    passed = [result for result in results if result.ruling.error is not None]
    errors = iter([3e-14, 7e-15])
    loose = [
        replace(each, ruling=replace(each.ruling, error=next(errors), bound=bound))
        for each, bound in zip(passed, (1e-13, 1e-14), strict=True)
    ]
    run = replace(report("right").run, results=tuple(loose))
    line = read(html(replace(report("right"), run=run))).by_id("op-softmax")
    assert next(line.all("span", "worst")).text == "worst error over bound: 0.7"


@EVERY
def test_each_case_says_its_verdict_its_section_and_what_it_is_about(which: str) -> None:
    said = {"rejected-ok": "correctly refused"}
    for result in report(which).run.results:
        item = page(which).by_id(result.case.id)
        verdict = str(result.ruling.verdict)
        (word,) = item.all("span", "verdict")
        assert word.text.partition(" (")[0] == said.get(verdict, verdict)
        assert ("good" in item.classes) is result.good
        assert result.case.about in item.text
        assert result.case.spec in item.text


@EVERY
def test_a_verdict_has_a_sign_and_not_only_a_colour(which: str) -> None:
    signs = {
        next(item.all("span", "verdict")).text.partition(" (")[0]: next(
            item.all("span", "sign")
        ).text
        for item in page(which).all("li", "case")
    }
    assert len(set(signs.values())) == len(signs)
    assert all(signs.values())


# --- levels -----------------------------------------------------------------------------------


def states(root: Node) -> list[str]:
    return [next(step.all("p")).text for step in root.by_id("levels").all("li") if step.classes]


def test_the_levels_say_what_is_reached_and_what_is_missing_for_the_next_one() -> None:
    assert states(page("right")) == [
        f"✓{name} reached" for name in ("core", "layer", "train", "full")
    ]
    only = {op: getattr(reference, op) for op in OPERATIONS if op != "sgd_step"}
    unfinished = report_on(SimpleNamespace(**only, __name__="mine"))
    root = read(html(unfinished))
    assert 'Level layer is reached. Missing for level "train": sgd_step.' in root.text
    assert states(root) == [
        "✓core reached", "✓layer reached", "✗train 1 operation missing", "–full complete in itself",
    ]  # fmt: skip


@EVERY
def test_each_level_counts_the_cases_that_it_asks_for(which: str) -> None:
    steps = [step for step in page(which).by_id("levels").all("li") if step.classes]
    for level, step in zip(LEVELS, steps, strict=True):
        here = [result for result in report(which).run.results if result.level == level]
        good = sum(result.good for result in here)
        noun = "case" if len(here) == 1 else "cases"
        assert f"{good} of {len(here)} {noun} passed" in [line.text for line in step.all("p")]
        lacking = Counter(result.case.op for result in here if not result.good)
        listed = [line.text.removeprefix("gradients of ") for line in step.all("li")]
        assert listed == [f"{op} ({number})" for op, number in lacking.items()]


def test_missing_gradients_are_called_so() -> None:
    def softmax(logits: Array) -> dict[str, Array]:
        return reference.softmax(logits=logits)

    rest = {op: getattr(reference, op) for op in OPERATIONS if op != "softmax"}
    found = report_on(SimpleNamespace(**rest, softmax=softmax, __name__="mine"))
    assert sentence(found.run).endswith('Missing for level "train": gradients of softmax.')


def test_no_level_is_named_for_a_part() -> None:
    root = read(html(report_on(reference, partial=True)))
    assert "no level is reported" in root.by_id("levels").text
    assert not any("reached" in state for state in states(root))


def test_a_level_that_was_not_requested_is_not_missing() -> None:
    run = replace(report("right").run, wanted="layer")
    root = read(html(replace(report("right"), run=run)))
    assert [state.lstrip("✓·") for state in states(root)] == [
        "core reached", "layer reached", "train not requested", "full not requested",
    ]  # fmt: skip
    assert "Level layer is reached, as requested." in root.text


# --- circumstances ----------------------------------------------------------------------------


def test_all_that_is_needed_to_repeat_the_run_is_there() -> None:
    rows = {
        next(row.all("dt")).text: next(row.all("dd")).text
        for row in page("bad").by_id("run").all("div")
    }
    assert set(rows) == {
        "Port", "Language", "Process", "Device", "Precision", "Has", "Command", "Challenge",
        "Asked for",
        "Suite", "Started", "Took", "System", "Processor", "Python", "NumPy", "saffu",
    }  # fmt: skip
    assert all(rows.values())
    assert rows["Challenge"] == "cafe (again: --challenge cafe)"
    assert rows["NumPy"] == np.__version__
    assert 64 * "0" in rows["Suite"]
    assert rows["Started"].startswith("2026-11-23T00:00:00")
    assert rows["Command"] == "saffu check planted"


def test_a_port_that_never_started_is_said_to_have_not() -> None:
    started = replace(report("empty"), run=replace(report("empty").run, port=None))
    root = read(html(started))
    assert [each.text for each in root.all("h1")] == ["The port never started"]
    assert "Language" not in root.by_id("run").text


# --- diagnosis --------------------------------------------------------------------------------


def test_the_diagnosis_names_the_mistake_the_equation_and_the_cases() -> None:
    found = next(
        each
        for each in page("bad").by_id("diagnosis").all("details")
        if next(each.all("h3")).text == "✗explicit_solution"
    )
    assert "priming-ignored: U computed with K = 1" in found.text
    assert "log F[d,i] − ((K−1)/K) · log Σ_d' F[d',i]" in next(found.all("pre")).text
    assert "#explicit_solution/norms-of-two" in [a.given["href"] for a in found.all("a")]
    (rows,) = found.all("dl", "comparison")
    facts = {next(row.all("dt")).text: next(row.all("dd")).text for row in rows.all("div")}
    truth = np.log([[3.0, 2.0, 1.0], [1.0, 2.0, 1.0]]) - 0.5 * np.log([4.0, 4.0, 2.0])
    wrong = np.log([[3.0, 2.0, 1.0], [1.0, 2.0, 1.0]])
    at = tuple(map(int, re.findall(r"\d", facts["Worst entry"])))
    assert facts["First wrong array"] == "weights (output), 2 × 3"
    assert float(facts["Expected"]) == pytest.approx(truth[at])
    assert float(facts["Got"]) == pytest.approx(wrong[at])
    assert abs(wrong - truth)[at] == abs(wrong - truth).max()
    assert facts["Wrong"] == "6 of 6 entries out of bounds"


@EVERY
def test_whatever_failed_is_in_the_diagnosis_under_its_operation(which: str) -> None:
    wrong = {
        result.case.op
        for result in report(which).run.results
        if str(result.ruling.verdict) in ("failed", "errored")
    }
    told = [each for each in page(which).all("section") if each.given["id"] == "diagnosis"]
    assert bool(told) is bool(wrong)
    cards = [card for section in told for card in section.all("details", "finding")]
    assert {next(card.all("h3")).text[1:] for card in cards} == wrong
    for card in cards:
        op = next(card.all("h3")).text[1:]
        assert equation(op).split("\n")[0] in card.text
    said = " ".join(" ".join(section.text for section in told).split())
    for each in report(which).diagnosis.sentences()[1 + len(report(which).diagnosis.findings) :]:
        assert " ".join(each.split()) in said


def test_a_skipped_case_gives_its_reason_and_the_link_of_the_port() -> None:
    item = page("bad").by_id("sgd_step/half-a-rate")
    assert "no steps" in item.text
    assert [a.given["href"] for a in item.all("a")] == [LINK]


# --- nothing but the page ---------------------------------------------------------------------


@EVERY
def test_the_page_loads_nothing_and_allows_just_its_own_script_and_style(which: str) -> None:
    root = page(which)
    nodes = list(root.all())
    assert not {"link", "img", "iframe", "object", "embed", "base", "form"} & {n.tag for n in nodes}
    assert not [name for node in nodes for name in node.given if name == "src" or name[:2] == "on"]
    assert not [node for node in nodes if "style" in node.given]
    links = [node.given["href"] for node in nodes if "href" in node.given]
    assert {link for link in links if not link.startswith("#")} <= {LINK}
    assert all(node.tag == "a" for node in nodes if "href" in node.given)
    (script,), (style,) = root.all("script"), root.all("style")
    (policy,) = (node.given["content"] for node in nodes if "http-equiv" in node.given)
    for tag, node in (("script", script), ("style", style)):
        digest = base64.b64encode(hashlib.sha256(node.text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert not re.search(r"https?:|url\(|@import|fetch|innerHTML", script.text + style.text)


@EVERY
def test_links_inside_the_page_lead_somewhere_and_no_place_is_named_twice(which: str) -> None:
    names = [node.given["id"] for node in page(which).all() if "id" in node.given]
    assert len(names) == len(set(names))
    links = [node.given["href"] for node in page(which).all("a")]
    assert {link[1:] for link in links if link.startswith("#")} <= set(names)
    labels = [word for each in page(which).all() for word in each.given.get("for", "").split()]
    assert {"words", "failing"} <= set(labels) <= set(names)


@EVERY
def test_landmarks_and_headings_are_in_order(which: str) -> None:
    root = page(which)
    assert next(root.all("html")).given["lang"] == "en"
    for tag in ("header", "nav", "main", "search", "h1", "title"):
        assert len(list(root.all(tag))) == 1, tag
    levels = [int(n.tag[1]) for n in root.all() if re.fullmatch("h[1-6]", n.tag)]
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_without_a_script_nothing_but_the_search_is_hidden() -> None:
    hidden = [node.given.get("id") for node in page("bad").all() if "hidden" in node.given]
    assert hidden == ["filter"]


class Rude:
    """A port that says in each place where it may speak what it should not."""

    __version__ = NASTY
    DEVICE = NASTY

    def perplexity(self, **_: object) -> dict[str, Array]:
        raise RuntimeError(NASTY)

    def sgd_step(self, **_: object) -> dict[str, Array]:
        raise NotImplementedError(NASTY, "https://example.org/" + NASTY)

    def priming_number(self, features: Array) -> dict[str, Array]:
        return {NASTY: features}

    def softmax(self, logits: Array) -> dict[str, Array]:
        if len(logits) > 1:
            raise ValueError(NASTY)
        return {NASTY: logits}


def test_whatever_a_port_says_is_text() -> None:
    found = report_on(Rude(), name=NASTY)
    rude = replace(found, command=NASTY, nonce=NASTY, run=replace(found.run, notes=(NASTY,)))
    text = html(rude)
    text.encode()  # and not half of a character
    root = read(text)
    assert {n.tag for n in root.all()} <= {
        n.tag for w in ("right", "bad") for n in page(w).all()
    } | {"ul"}
    assert len(list(root.all("script"))) == 1
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e]", text)
    shown = r"</td></script><script>alert('1')</script>\x1b[31m\x00 \u202e & \ud800 ]]>"
    for place in ("header", "main"):
        assert shown in next(root.all(place)).text
    for name in (
        "perplexity/one",
        "sgd_step/half-a-rate",
        "priming_number/negative",
        "softmax/even",
    ):
        assert shown[:50] in root.by_id(name).text, name
    assert shown in root.by_id("notes").text


def test_a_link_that_is_no_address_of_the_web_is_no_link() -> None:
    port = SimpleNamespace(perplexity=skipped("later"), __name__="mine")
    found = report_on(port)
    results = tuple(_linked(result, "javascript:alert(1)") for result in found.run.results)
    root = read(html(replace(found, run=replace(found.run, results=results))))
    assert all(a.given["href"].startswith("#") for a in root.all("a"))
    assert "javascript:alert(1)" in root.by_id("perplexity/one").text


def _linked(result: Result, url: str) -> Result:
    return replace(result, ruling=replace(result.ruling, url=url))


# --- size -------------------------------------------------------------------------------------


def failing(case: Case, change: Callable[[Array], Array]) -> Result:
    """A case all of whose arrays come changed; where it has to be refused, zeros come."""
    given = {name: change(each.value) for name, each in case.in_order.items()}
    answer = Outputs(given or {"zeros": np.zeros(5)})
    return Result(case, rule(case, answer, "float64"), level_of(case.op))


@pytest.mark.parametrize(
    "change", [shifted, lambda x: np.full(x.shape, np.nan)], ids=["off", "nan"]
)
def test_a_run_in_which_everything_fails_is_a_page_of_less_than_two_megabytes(
    change: Callable[[Array], Array],
) -> None:
    results = tuple(failing(case, change) for case in read_suite())
    wrong = tuple(result for result in results if not result.good)
    assert len(wrong) > 500
    run = replace(report("rough").run, results=wrong)
    diagnosis = Diagnosis(len(wrong), (), wrong)
    text = html(replace(report("rough"), run=run, diagnosis=diagnosis))
    assert len(text.encode()) < 1_300_000
    drawn = Counter(
        item.given["id"].split("/")[0]
        for item in read(text).all("li", "case")
        for _ in item.all("svg")
    )
    assert max(drawn.values()) == 2, "and one in the diagnosis"
