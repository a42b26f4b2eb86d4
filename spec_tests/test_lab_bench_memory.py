"""The measurement of memory: its texts, its peaks, its verdict.   (SPEC 5)"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from saffu_lab.bench.memory import GOAL, STAGES, Peak, generate, main, peak, summary


def test_a_text_has_the_length_asked_for_and_is_the_same_again(tmp_path: Path) -> None:
    for name, targets in (("a", 9_001), ("b", 9_001), ("c", 70_001)):
        generate(tmp_path / name, targets)
    first = (tmp_path / "a").read_text(encoding="utf-8")
    assert first == (tmp_path / "b").read_text(encoding="utf-8")
    for name, targets in (("a", 9_001), ("c", 70_001)):
        documents = (tmp_path / name).read_text(encoding="utf-8").splitlines()
        words = sum(len(document.split()) for document in documents)
        assert abs(words + len(documents) - targets) <= 1
        assert all(document.strip() for document in documents)


def test_words_are_as_unequal_as_in_real_text(tmp_path: Path) -> None:
    generate(tmp_path / "text", 50_000)
    words = (tmp_path / "text").read_text(encoding="utf-8").split()
    counts = np.sort(np.unique(words, return_counts=True)[1])[::-1]
    assert counts.shape[0] > 5_000
    assert counts[:100].sum() > 0.2 * len(words)
    assert (counts == 1).sum() > 1_000


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell the peak")
def test_the_peak_is_in_megabytes_and_at_least_what_is_held() -> None:
    held = np.ones(1 << 25)
    assert held.nbytes / 1e6 < peak() < 30_000


@pytest.mark.parametrize(("grown", "word"), [(1.01, "kept"), (3.0, "missed")])
def test_the_verdict_follows_the_peaks(grown: float, word: str) -> None:
    short = Peak("small", 1_000, (50.0, 60.0, 70.0, 80.0, 100.0), (1.0,) * 5)
    long = Peak("small", 10_000, (50.0, 60.0, 70.0, 80.0, 100.0 * grown), (9.0,) * 5)
    said = summary([short, long])
    assert f"10 times the text takes {grown:.2f} times the memory" in said
    assert f"the goal of at most {GOAL:g} is {word}" in said


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell the peak")
def test_every_text_is_fitted_in_a_process_of_its_own(tmp_path: Path) -> None:
    out = tmp_path / "memory.json"
    main(["--tiny", "--out", str(out)])
    peaks = json.loads(out.read_text(encoding="utf-8"))["peaks"]
    assert [each["model"] for each in peaks] == ["tiny", "tiny"]
    for each in peaks:
        assert len(each["megabytes"]) == len(STAGES)
        assert each["megabytes"] == sorted(each["megabytes"])
        assert each["seconds"] == sorted(each["seconds"])
        assert 10 < each["megabytes"][-1] < 1_000
