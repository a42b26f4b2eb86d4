"""What the documents say was measured is what the kept results say.   (SPEC 7)"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from saffu_lab.bench import race, shapes
from saffu_lab.bench.memory import STAGES

DOCS = Path(__file__).parent.parent / "docs"
WARM = STAGES.index("warm")


def page(name: str) -> set[str]:
    """The lines of a page, tables without the spaces that line their cells up."""
    return {plain(line) for line in (DOCS / name).read_text(encoding="utf-8").splitlines()}


def plain(line: str) -> str:
    return " ".join(line.split())


def kept(name: str) -> Any:
    return json.loads((DOCS / "results" / name).read_text(encoding="utf-8"))


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
    for heat in record["races"].values():
        rivals = ", ".join(f"{n} {np.median(t):.3f} s" for n, t in heat["rivals"].items())
        ours = [np.inf if seconds is None else seconds for seconds in heat["ours"]]
        assert heat["missed"] == np.isinf(ours).sum()
        cells = f"| {np.median(ours):.3f} s | {rivals} | {heat['ratio']:.2f} |"
        (row,) = (line for line in lines if cells in line)
        missed = f"missed: {heat['missed']} of {len(ours)} rounds never got there"
        assert (missed in row) == bool(heat["missed"])


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
