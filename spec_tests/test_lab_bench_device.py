"""The measurement on devices: what it times is what the package computes.   (SPEC 4, 5, 6)"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from saffu.errors import Missing
from saffu_lab.bench import device
from saffu_lab.bench.device import (
    DEVICES,
    TINY,
    Measured,
    Work,
    answer,
    main,
    numpy_device,
    summary,
    timed,
    works,
)

WORKS = ["product, float32", "product, float64", "copy", "predict", "step", "count"]


def test_every_work_gives_numbers_and_the_same_again() -> None:
    first, again = (
        {work.name: answer(work.do()) for work in works(TINY, numpy_device())} for _ in range(2)
    )
    assert list(first) == WORKS
    for name in WORKS:
        assert np.isfinite(first[name]).all()
        assert first[name].any()
        assert np.array_equal(first[name], again[name])


def test_work_is_timed_to_its_end() -> None:
    log: list[str] = []
    work = Work("w", "targets", 3.0, lambda: log.append("do"))
    found = timed(work, lambda: log.append("wait"), 0.0)
    assert len(found) == 3
    assert log == ["do", "wait"] * 4


def test_the_table_has_a_column_for_each_library() -> None:
    one = Measured("numpy", "processor", "copy", 5.0, "GB", 3, 0.0)
    other = one._replace(library="cupy", device="GPU", per_second=700.0, difference=2e-7)
    said = summary([one, other])
    assert "| copy, GB/s |     5 |  700 |" in said
    assert "cupy: GPU" in said
    assert said.endswith("differences <= 2.0e-07")


def test_what_was_measured_is_written_down(tmp_path: Path) -> None:
    out = tmp_path / "new" / "device.json"
    main(["--tiny", "--on", "numpy", "--out", str(out)])
    record = json.loads(out.read_text(encoding="utf-8"))
    assert [each["work"] for each in record["measured"]] == WORKS
    for each in record["measured"]:
        assert each["per_second"] > 0
        assert each["difference"] == 0
        assert each["device"]
    assert record["versions"]["numpy"] == np.__version__


@pytest.mark.torch
@pytest.mark.usefixtures("as_users_call")
def test_torch_gives_the_same_numbers(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    out = tmp_path / "device.json"
    main(["--tiny", "--on", "torch", "--out", str(out)])
    found = json.loads(out.read_text(encoding="utf-8"))["measured"]
    assert [each["work"] for each in found] == WORKS
    assert all(each["difference"] < 1e-5 for each in found)


def test_a_device_that_is_asked_for_and_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> Any:
        raise Missing("--on cupy", "cupy", "pip install it")

    monkeypatch.setitem(DEVICES, "cupy", none)
    with pytest.raises(Missing, match="cupy"):
        main(["--tiny", "--on", "cupy"])
    assert "cupy" not in [each.library for each in device.at_hand()]
