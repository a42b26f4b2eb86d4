"""What docs/scale.md says was measured is what the kept results say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from saffu.data.packing import PACKED
from saffu.data.readers import MOST
from saffu.engines import ENGINES, POOL_PAYS
from saffu.engines.passes import Passes
from saffu.engines.pool import ATTEMPTS
from saffu_lab.bench import growth, worker_scaling

DOCS = Path(__file__).parent.parent / "docs"
TIMES = {3: "three times"}


def plain(text: str) -> str:
    return " ".join(text.split())


PAGE = plain((DOCS / "scale.md").read_text(encoding="utf-8"))


def kept(name: str) -> Any:
    return json.loads((DOCS / "results" / name).read_text(encoding="utf-8"))


def of_growth() -> str:
    record = kept("growth.json")
    points = [growth.Point(**point) for point in record["points"]]
    judged = growth.judged(points)
    assert judged.keys() <= record.keys()
    for name, value in judged.items():  # exponents come from least squares, by way of LAPACK
        if isinstance(value, bool):
            assert record[name] is value
        else:
            assert record[name] == pytest.approx(value, rel=1e-9)
    return growth.summary(points, record)


def of_clusters() -> str:
    record = kept("cluster.json")
    for kind, ratio in record["ratios"].items():
        assert ratio == pytest.approx(worker_scaling.ratio(record["seconds"], kind), rel=1e-12)
    assert record["same_bits"] == (len(set(record["digests"].values())) == 1)
    return worker_scaling.summary(record)


@pytest.mark.parametrize("summary", [of_growth, of_clusters])
def test_the_page_is_made_of_the_results(summary: Any) -> None:
    lines = [plain(line) for line in summary().splitlines() if line and ":--" not in line]
    assert len(lines) >= 6
    missing = [line for line in lines if line not in PAGE]
    assert not missing


def test_the_texts_are_as_long_as_the_page_says() -> None:
    measured = [point["targets"] for point in kept("growth.json")["points"]]
    assert [round(targets, -6) for targets in measured] == list(growth.GrowthSizes().targets)


def test_the_page_gives_the_numbers_of_the_code() -> None:
    assert f"a pool from {POOL_PAYS:,} targets on" in PAGE
    assert f"at most {MOST:,} characters" in PAGE
    assert f"at most {TIMES[ATTEMPTS]} in total" in PAGE
    assert f"one chunk of {Passes._field_defaults['chunk']:,} targets" in PAGE
    assert all(f"| `{engine}`" in PAGE for engine in ENGINES)
    assert all(f"`{suffix}`" in PAGE for suffix in PACKED)
