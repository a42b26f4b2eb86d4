"""Damaged and hostile files of every kind: an error of saffu or the right numbers, nothing else.

The same over 100,000 mutations: `python -m spec_tests.campaign_files`.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from saffu.errors import BadFile
from saffu.files import read_file, write_file
from saffu.models.transformer import SCHEMA, SaffuTransformer
from saffu.types import Array
from spec_tests.support.hostile_files import OTHER, REFUSED, Kind, attempt, good_numbers, kinds

NAMES = (
    *("softmax.model", "direct.model", "interrupted.model", "counts"),
    *("network", "network.state", "images.idx", "images.gz", "corpus"),
)
FEW = 40
"""Mutations of each kind in every run."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Kind]:
    return {kind.name: kind for kind in kinds(tmp_path_factory.mktemp("good"))}


def test_every_kind_of_file_is_tried(made: dict[str, Kind]) -> None:
    assert set(made) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_mutation_is_refused_or_gives_right_numbers(
    made: dict[str, Kind], name: str, tmp_path: Path
) -> None:
    kind = made[name]
    right = good_numbers(kind, tmp_path)
    outcomes = Counter(attempt(kind, tmp_path, seed, right) for seed in range(FEW))
    assert sum(count for (outcome, _), count in outcomes.items() if outcome == REFUSED) > FEW / 4
    assert (OTHER, "bytes") not in outcomes or name == "images.idx"


@pytest.mark.parametrize(
    ("name", "seed"),
    [
        ("direct.model", 3764),
        ("direct.model", 7905),
        ("direct.model", 41477),
        ("interrupted.model", 8248),
    ],
)
def test_what_was_a_fault_in_a_campaign_is_refused(
    made: dict[str, Kind], name: str, seed: int, tmp_path: Path
) -> None:
    kind = made[name]
    assert attempt(kind, tmp_path, seed, good_numbers(kind, tmp_path))[0] == REFUSED


def shifted(array: Array, at: int, value: float) -> Array:
    changed = array.copy()
    changed.reshape(-1)[at] = value
    return changed


@pytest.mark.parametrize(
    ("array", "change", "message"),
    [
        ("indices", lambda x: shifted(x, 3, 10**6), "below 15, got 1000000"),
        ("indices", lambda x: shifted(x, 3, -1), ">= 0, got -1"),
        ("indices", lambda x: x.astype(np.float64), "of integer, got float64"),
        ("indices", lambda x: x[:-1], "of shape"),
        ("indices", lambda x: x[::-1].copy(), "do not rise"),
        ("indptr", lambda x: shifted(x, 2, 10**6), "do not follow one another"),
        ("indptr", lambda x: shifted(x, 0, 1), "do not follow one another"),
        ("indptr", lambda x: shifted(x, -1, 10**6), "of shape"),
        ("indptr", lambda x: x[:-1], "of shape"),
        ("data", lambda x: shifted(x, 0, np.nan), "finite, got nan"),
        ("data", lambda x: x + 1j, "of float, got complex128"),
        ("data", lambda x: x.astype(np.int16), "of float, got int16"),
        ("data", lambda x: x.astype(np.float16), "of float, got float16"),
        ("data", lambda x: x[None], "of shape"),
    ],
    ids=[
        *("beyond", "below", "real", "short", "turned", "rows", "first", "last", "few rows"),
        *("NaN", "complex", "whole", "half", "flat"),
    ],
)
def test_a_table_that_leads_out_of_memory_is_refused(
    made: dict[str, Kind], tmp_path: Path, array: str, change: object, message: str
) -> None:
    """Every checksum is right: an index would be followed wherever it leads."""
    header, arrays = read_file(made["direct.model"].path, SCHEMA)
    name = f"tower0.table1.{array}"
    arrays[name] = change(arrays[name])  # type: ignore[operator]
    write_file(tmp_path / "model", SCHEMA, 1, header, arrays)
    with pytest.raises(BadFile, match=message):
        SaffuTransformer.load(tmp_path / "model")


@pytest.mark.parametrize("name", ["softmax.model", "direct.model"])
def test_every_array_of_a_model_is_finite(made: dict[str, Kind], tmp_path: Path, name: str) -> None:
    header, arrays = read_file(made[name].path, SCHEMA)
    for array in arrays:
        if arrays[array].dtype.kind == "f" and arrays[array].size:
            changed = arrays | {array: shifted(arrays[array], -1, np.inf)}
            write_file(tmp_path / "model", SCHEMA, 1, header, changed)
            with pytest.raises(BadFile, match=f"entries of array '{array}' finite, got inf"):
                SaffuTransformer.load(tmp_path / "model")
