"""What the documents say was measured is what the kept results say.   (SPEC 7)"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from saffu.experiments import race, shapes, verdicts
from saffu.experiments.memory import STAGES
from saffu.experiments.results import Line, Results

DOCS = Path(__file__).parent.parent / "docs"
AMOUNTS = (30_000, 150_000)
WARM = STAGES.index("warm")


def page(name: str) -> set[str]:
    """The lines of a page, tables without the spaces that line their cells up."""
    return {plain(line) for line in (DOCS / name).read_text(encoding="utf-8").splitlines()}


def plain(line: str) -> str:
    return " ".join(line.split())


def kept(name: str) -> Any:
    return json.loads((DOCS / "results" / name).read_text(encoding="utf-8"))


def lines_of_seed(seed: int) -> list[Line]:
    return Results(DOCS / "results" / "claims.jsonl").all(seed=seed)


@pytest.mark.parametrize("part", ["results_table", "verdicts", "tried_table"])
def test_the_page_of_the_claims_is_made_of_the_results(part: str) -> None:
    said = getattr(verdicts, part)(lines_of_seed(1), AMOUNTS).splitlines()
    wanted = [plain(line) for line in said if line and not re.fullmatch(r"[|:\- ]+", line)]
    assert len(wanted) >= 8
    missing = [line for line in wanted if line not in page("claims.md")]
    assert not missing


def test_the_second_seed_is_quoted_as_it_was_measured() -> None:
    text = plain((DOCS / "claims.md").read_text(encoding="utf-8"))
    found = {
        line["row"]: f"{verdicts.perplexity(line):.1f}"
        for line in verdicts.judged(lines_of_seed(2))
    }
    quoted = (
        f"unigram {found['unigram']}, bigram {found['bigram']}, SAFFU explicit "
        f"{found['explicit']}, with wide codes {found['explicit wide']}."
    )
    assert len(found) == 4
    assert quoted in text


def test_speeds_are_the_medians_that_were_measured() -> None:
    record, lines = kept("speed.json"), page("performance.md")
    for name, rounds in record["targets_per_second"].items():
        cpu = np.median(record["targets_per_cpu_second"][name])
        cells = f"{np.median(rounds):,.0f} | {cpu:,.0f} |"
        assert any(cells in line for line in lines), (name, cells)
    text = plain((DOCS / "performance.md").read_text(encoding="utf-8"))
    assert f"The ratio is **{record['ratio_wall']:.1f}**" in text
    assert f"load average was {record['load_before']:.1f}" in text


def test_peaks_of_memory_are_those_that_were_measured() -> None:
    lines = page("performance.md")
    for each in kept("memory.json")["peaks"]:
        warm = f"{each['megabytes'][WARM]:.0f} MB"
        start = f"| `{each['model']}` | {each['targets']:,} |"
        assert any(line.startswith(start) and warm in line for line in lines), (start, warm)


def test_the_comparison_with_kenlm_is_the_one_that_was_made() -> None:
    found = kept("kenlm.json")
    sizes = sorted({row["targets"] for row in found["rows"]})
    lines = page("claims.md")
    assert f"| model | {' | '.join(f'{size:,} targets' for size in sizes)} |" in lines
    for name in {row["name"] for row in found["rows"]}:
        mine = sorted((row for row in found["rows"] if row["name"] == name), key=targets_of)
        cells = [f"{row['perplexity']:.1f} ({row['seconds']:.1f} s)" for row in mine]
        assert f"| {name} | {' | '.join(cells)} |" in lines
    text = plain((DOCS / "claims.md").read_text(encoding="utf-8"))
    assert f"whose load average was {found['load_before']:.1f}" in text


def targets_of(row: Line) -> int:
    return int(row["targets"])


def test_the_curves_are_those_that_were_measured() -> None:
    curves = [
        shapes.Curve(each["size"], tuple(each["values"]), tuple(each["cpu_seconds"]))
        for each in kept("shapes.json")["curves"]
    ]
    lines = [plain(line) for line in shapes.summary(curves).splitlines() if ":--" not in line]
    assert len(lines) == 5
    assert {*lines} <= page("performance.md")


def test_races_are_told_as_they_were_run() -> None:
    record, lines = kept("race.json"), page("performance.md")
    assert set(record["races"]) == set(race.GOALS)
    for found in record["races"].values():
        rivals = ", ".join(f"{n} {np.median(t):.3f} s" for n, t in found["rivals"].items())
        cells = f"| {np.median(found['ours']):.3f} s | {rivals} | {found['ratio']:.2f} |"
        assert any(cells in line for line in lines), cells


def test_the_way_to_the_same_loss_is_told_as_it_was() -> None:
    for found in kept("reach.json")["sizes"]:
        start = f"| {found['targets']:,} | {np.exp(found['nats']):.1f} |"
        end = f"| {found['ratio']:.1f} | {found['ratio_tuned']:.1f} |"
        lines = page("performance.md")
        assert any(line.startswith(start) and line.endswith(end) for line in lines), start


def test_starting_takes_what_is_said() -> None:
    text = plain((DOCS / "performance.md").read_text(encoding="utf-8"))
    record = kept("startup.json")
    assert f"takes {record['ratio']:.2f} times as long as NumPy" in text
    assert f"`saffu --help` {1e3 * np.median(record['seconds']['saffu --help']):.0f} ms" in text
