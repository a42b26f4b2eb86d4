"""What hand-made lines say: every verdict both ways, and pages of runs that are not finished."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from saffu.errors import Missing
from saffu_lab.records.evidence import over_all
from saffu_lab.records.results import Line
from saffu_lab.replication.roadmap.tasks import chapter
from saffu_lab.roadmap.drawings import drawings
from saffu_lab.roadmap.page import page
from saffu_lab.roadmap.report import write_report
from saffu_lab.roadmap.sizes import not_the_largest, where_the_best_are
from saffu_lab.roadmap.summary import cost, findings, identity, in_words
from saffu_lab.roadmap.walk import largest_of, to_test

DOCUMENTS = np.array([11.0, 7.0, 13.0, 5.0, 17.0, 3.0])


def explicit(i: int, parameters: int, nats: float, *, drawn: bool = False) -> Line:
    levels = {"bits": (11, 13)[i % 2], "attention": ("softmax", "uniform", "surprisal")[i % 3]}
    return {
        "do": "explicit",
        "levels": {**levels, "contexts": f"radial:{i + 1}"},
        "drawn": drawn,
        "recipe": {"model": i},
        "parameters": parameters,
        "validation_nats": nats,
        "fit_cpu_seconds": 2.0,
        "cpu_seconds": 3.0,
        "trained_on": 1000,
    }


def training(line: Line, nats: float, begin: str = "warm", rate: float = 0.01) -> Line:
    return {
        **line,
        "do": "train",
        "begin": begin,
        "validation_nats": nats,
        "fit_cpu_seconds": 30.0,
        "recipe": {**line["recipe"], "begin": begin, "rate": rate, "frozen": 2, "thawed": 1},
        "cpu_seconds": 31.0,
    }


def outcome(line: Line, mean: float) -> Line:
    noise = 0.01 * np.arange(6)
    nats = (DOCUMENTS * (mean + noise)).tolist()
    own = {"do": "test", "levels": line["levels"], "recipe": line["recipe"]}
    return {**own, "nats": nats, "targets_tested": DOCUMENTS.tolist(), "cpu_seconds": 1.0}


def models(slope: float, count: int = 41) -> list[Line]:
    """Log perplexity falls (slope < 0) or rises with the logarithm of the parameters."""
    return [
        explicit(i, 1000 * 2 ** (i // 2) + i, 4.0 + slope * i / count, drawn=i % 10 == 3)
        for i in range(count)
    ]


def test_small_models_that_are_best_make_the_claim_hold() -> None:
    lines = models(+1.0)
    found = findings([*lines, outcome(lines[0], 3.0), outcome(lines[-1], 4.0)])
    sizes = where_the_best_are(found)
    assert sizes is not None
    assert (sizes.best, sizes.below_median, sizes.below_upper_quarter) == (10, 10, 10)
    assert sizes.larger == 40
    assert sizes.share == pytest.approx(lines[0]["parameters"] / lines[-1]["parameters"])
    assert sizes.against_largest is not None
    assert sizes.against_largest.nats == pytest.approx(-1.0)
    assert sizes.against_best is None  # it is the best itself
    assert over_all(not_the_largest(sizes)) == "holds"
    assert found.sizes is not None
    assert found.sizes.mean == pytest.approx(1.0)


def test_large_models_that_are_best_refute_it() -> None:
    lines = models(-1.0)
    lower = next(line for line in reversed(lines) if line["parameters"] < lines[20]["parameters"])
    found = findings([*lines, outcome(lower, 4.0), outcome(lines[-1], 3.0)])
    sizes = where_the_best_are(found)
    assert sizes is not None
    assert (sizes.below_median, sizes.below_upper_quarter, sizes.larger) == (0, 0, 0)
    assert sizes.against_best is not None  # the best is the largest
    assert sizes.against_best == sizes.against_largest
    assert sizes.against_best.nats == pytest.approx(1.0)
    assert sizes.share == 1.0
    assert over_all(not_the_largest(sizes)) == "does not hold"


def test_the_test_text_has_the_last_word() -> None:
    lines = models(+1.0)
    worse = findings([*lines, outcome(lines[0], 4.0), outcome(lines[-1], 3.0)])
    assert over_all(not_the_largest(where_the_best_are(worse))) == "holds with conditions"
    assert over_all(not_the_largest(where_the_best_are(findings(lines)))) == "not measured"
    assert over_all(not_the_largest(where_the_best_are(findings([])))) == "not measured"


def test_the_middle_holds_with_conditions() -> None:
    lines = models(-1.0)
    lines[25]["validation_nats"] = 2.0  # above the median, below the upper quarter
    largest, lower = lines[-1], lines[19]
    found = findings([*lines, outcome(lower, 4.0), outcome(largest, 3.0)])
    assert over_all(not_the_largest(where_the_best_are(found))) == "holds with conditions"


def test_of_equally_large_models_the_best_is_compared() -> None:
    lines = models(-1.0)
    twins = [explicit(i, 10**10, nats) for i, nats in ((100, 4.5), (101, 4.4), (102, 4.6))]
    assert largest_of([*lines, *twins]) is twins[1]
    assert twins[1]["recipe"] in [part["recipe"] for part in to_test([*lines, *twins])]
    lower = next(line for line in reversed(lines) if line["parameters"] < lines[22]["parameters"])
    found = findings([*lines, *twins, outcome(lower, 3.0), outcome(twins[1], 4.0)])
    sizes = where_the_best_are(found)
    assert sizes is not None
    assert sizes.against_largest is not None
    assert sizes.against_largest.nats == pytest.approx(-1.0)


def test_the_best_of_few_models_are_a_quarter_of_them() -> None:
    assert [len(findings(models(1.0, n)).best) for n in (1, 7, 8, 39, 40, 47)] == [
        1,
        1,
        2,
        9,
        10,
        10,
    ]


def test_trainings_are_read_by_their_models() -> None:
    lines = models(+1.0)
    drawn = [line for line in lines if line["drawn"]]
    runs: list[Line] = []
    for i, line in enumerate(drawn):
        runs += [training(line, 3.5 - 0.1 * i), training(line, 3.9, rate=0.1)]
    runs += [training(drawn[0], 5.0, "cold"), training(drawn[0], 4.5, "cold", 0.1)]
    runs.append(training(lines[0], 3.0))
    found = findings([*lines, *runs])
    assert [one.levels for one in found.trained] == [lines[0]["levels"]] + [
        line["levels"] for line in drawn
    ]
    assert [one.drawn for one in found.trained] == [False, *([True] * len(drawn))]
    first = found.trained[1]
    assert first.warm["validation_nats"] == 3.5
    assert first.cold is not None
    assert first.cold["validation_nats"] == 4.5
    assert first.seconds == 28.0
    assert found.agreement is not None  # worse before, better after
    assert found.agreement.mean == pytest.approx(-1.0)
    assert found.warm_over_cold is not None
    assert found.warm_over_cold.mean == pytest.approx(3.5 - 4.5)
    assert found.gained is not None
    expected = np.mean([3.5 - 0.1 * i - line["validation_nats"] for i, line in enumerate(drawn)])
    assert found.gained.mean == pytest.approx(expected)
    spent = cost(found, [*lines, *runs])
    assert spent is not None
    assert spent == pytest.approx((41 * 3.0, len(runs) * 31.0, 41 * 28.0))


def test_failures_are_counted_and_left_out() -> None:
    lines = models(+1.0)
    failed: Line = {**lines[0], "failed": "no Newton step", "recipe": {"model": 99}}
    del failed["validation_nats"], failed["parameters"]
    found = findings([*lines, failed])
    assert (len(found.solved), found.failed) == (41, 1)
    assert "1 more did not converge" in page("roadmap", found, lines)


def finished() -> list[Line]:
    lines = models(+1.0)
    runs = [training(line, line["validation_nats"] - 0.3) for line in lines if line["drawn"]]
    runs += [training(lines[3], 3.95, "cold"), training(lines[0], 3.1)]
    tests = [outcome(line, line["validation_nats"]) for line in (lines[0], lines[-1], runs[-1])]
    base = {"validation_nats": 5.0, "nats": [50.0], "targets_tested": [10]}
    about: Line = {"do": "baselines", "unigram": base, "bigram": {**base, "validation_nats": 4.4}}
    return [*lines, *runs, *tests, {**about, "cpu_seconds": 1.0}]


def test_claims_get_the_verdict_that_their_lines_deserve() -> None:
    lines = finished()
    agreeing = [claim.verdict for claim in chapter(lines).claims]
    assert agreeing == ["holds", "holds"]
    turned = [
        {**line, "validation_nats": 9 - line["validation_nats"]} if line["do"] == "train" else line
        for line in lines
    ]
    assert [claim.verdict for claim in chapter(turned).claims][1] == "does not hold"
    assert {claim.verdict for claim in chapter([]).claims} == {"not measured"}
    assert all(claim.evidence for claim in chapter([]).claims)


@pytest.mark.parametrize("count", [0, 1, 2, 5, 41, 44, 46, 49, 50])
def test_a_page_can_be_made_at_any_time(count: int) -> None:
    lines = finished()[:count]
    found = chapter(lines)
    assert found.text
    assert "nan" not in found.text
    for name, draw in found.pictures.items():
        assert f"replication/{name}.png" in found.text
        assert draw().axes


def test_a_finished_page_has_its_numbers() -> None:
    lines = finished()
    text = page("roadmap", findings(lines), lines)
    assert "41 SAFFU transformers" in text
    assert f"{np.exp(4.0):.1f}" in text  # validation perplexity of the best
    assert f"{np.exp(3.1):.1f}" in text  # after training
    assert f"{np.exp(5.0):.1f}" in text  # the baselines on the test text
    assert "Both were trained for 3 epochs" in text
    count = sum(line["validation_nats"] < 4.4 for line in lines[:41])
    assert f"{count} of the explicit solutions are better than the bigram" in text
    assert "not finished" not in text
    assert "not finished" in page("roadmap", findings(lines[:41]), lines[:41])


def test_a_report_is_a_page_and_pictures(tmp_path: Path, monkeypatch: Any) -> None:
    lines = finished()
    said = list(write_report(lines, tmp_path / "map"))
    names = sorted(path.name for path in (tmp_path / "map").iterdir())
    pictures = [f"roadmap-{what}" for what in ("effects", "map", "trained")]
    assert set(drawings("roadmap", findings(lines))) <= set(pictures)
    drawn = [name for name in pictures if f"{name}.png" in names]
    assert names == sorted(["roadmap.md", *(f"{n}{e}" for n in drawn for e in (".png", ".svg"))])
    assert len(said) == 1 + len(drawn)
    page_text = (tmp_path / "map" / "roadmap.md").read_text(encoding="utf-8")
    for name in drawn:
        assert f"]({name}.png)" in page_text

    def no_matplotlib(*_: object) -> None:
        raise Missing("the plot", "the package matplotlib", "pip install")

    monkeypatch.setattr("saffu_lab.roadmap.report.save", no_matplotlib)
    (*_, last) = write_report(lines, tmp_path / "bare")
    assert "matplotlib" in last
    assert [path.name for path in (tmp_path / "bare").iterdir()] == ["roadmap.md"]


def test_a_model_is_found_by_its_recipe() -> None:
    line = models(1.0)[0]
    assert identity(line) == identity(outcome(line, 3.0))
    assert identity(line) != identity(training(line, 3.0))


def test_models_are_named_by_what_varies() -> None:
    levels = {"contexts": "radial:2", "label_bits": 11, "gain": "unit"}
    assert in_words(levels, ["contexts", "label_bits"]) == "radial:2, label bits 11"
    assert in_words(levels, ["gain"]) == "gain unit"
