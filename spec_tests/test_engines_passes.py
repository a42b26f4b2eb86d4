"""Passes read all of a text, or about as much of it as was asked for.   (SPEC 5)"""

from __future__ import annotations

import pytest

from saffu.engines.passes import Passes
from spec_tests.support.texts import Chunked, random_documents

LENGTHS = [7] * 61
"""61 documents of 8 targets each."""


def taken(chunk: int, most: int | None) -> tuple[int, list[tuple[int, int]]]:
    told: list[tuple[int, int]] = []
    source = Chunked(random_documents(3, 23, LENGTHS))

    def note(stage: str, done: int, total: int) -> None:
        told.append((done, total))

    passes = Passes(source, note, chunk)
    parts = list(passes.read("stage", most=most, seed=1))
    return sum(part.targets.shape[0] for part in parts), told


@pytest.mark.parametrize("chunk", [1, 40, 10_000])
def test_a_pass_reads_everything_once(chunk: int) -> None:
    read, told = taken(chunk, None)
    assert read == 61 * 8
    assert told[0] == (0, 61 * 8)
    assert told[-1] == (61 * 8, 61 * 8)


@pytest.mark.parametrize("chunk", [8, 40, 10_000])
@pytest.mark.parametrize("most", [8, 100, 300])
def test_a_sample_is_about_as_large_as_asked(chunk: int, most: int) -> None:
    read, told = taken(chunk, most)
    assert abs(read - most) <= min(chunk, most) / 2 + 8
    assert told[-1] == (most, most)
