"""The experiment on digits: what it measures, on what, and that the test images choose nothing."""

from __future__ import annotations

import json
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from saffu.data.images import mnist
from saffu.errors import BadFile
from saffu.explicit.smoothing import Additive
from saffu.network import Examples, ExplicitSettings, HiddenLayer, SoftmaxNetwork
from saffu.types import Array
from saffu_lab.digits.digits import Bench, Data, DigitsRow, load
from saffu_lab.digits.mnist import TINY, main, measured, run_digits

SHAPE = (5, 7)
"""Pixels of the images below."""


def write_idx(path: Path, array: Array) -> None:
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    path.write_bytes(header + array.astype(np.uint8).tobytes())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files like those of MNIST: ten faint patterns, two ways of writing each, and noise."""
    rng = np.random.default_rng(5)
    patterns = rng.integers(0, 2, (10, 2, *SHAPE))
    place = tmp_path_factory.mktemp("mnist")
    for part, size in (("train", 701), ("t10k", 211)):
        labels, way = rng.integers(0, 10, size), rng.integers(0, 2, size)
        noise = rng.integers(0, 200, (size, *SHAPE))
        images = np.minimum(90 * patterns[labels, way] + noise, 255)
        write_idx(place / f"{part}-images-idx3-ubyte", images)
        write_idx(place / f"{part}-labels-idx1-ubyte", labels)
    return place


@pytest.fixture
def data(folder: Path) -> Data:
    return load(folder, seed=1)


def bench(data: Data, **changes: Any) -> Bench:
    return Bench(data, lambda _: None, (0.003, 0.03), 3, 1)._replace(**changes)


# --- the data -----------------------------------------------------------------------------------


def test_a_tenth_is_set_aside_and_the_test_images_stay_apart(folder: Path, data: Data) -> None:
    images = mnist(folder, np.float32)
    sizes = [part.labels.shape[0] for part in data]
    assert sizes == [631, 70, 211]
    both = np.concatenate([data.train.features, data.validation.features])
    assert sorted(map(bytes, both)) == sorted(map(bytes, images.train_images))
    by_image = dict(zip(map(bytes, images.train_images), images.train_labels, strict=True))
    for part in data[:2]:
        assert [by_image[bytes(x)] for x in part.features] == part.labels.tolist()
    assert np.array_equal(data.test.features, images.test_images)
    assert np.array_equal(data.test.labels, images.test_labels)
    assert data.train.features.dtype == np.float32


def test_the_seed_decides_the_split(folder: Path, data: Data) -> None:
    again, other = load(folder, seed=1), load(folder, seed=2)
    assert np.array_equal(again.validation.features, data.validation.features)
    assert not np.array_equal(other.validation.features, data.validation.features)


def test_few_images_are_the_first_of_the_training_images(data: Data) -> None:
    few = data.take(97)
    assert np.array_equal(few.train.features, data.train.features[:97])
    assert np.array_equal(few.train.labels, data.train.labels[:97])
    assert few[1:] == data[1:]


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="train-images-idx3-ubyte"):
        run_digits(tmp_path, tiny=True, progress=lambda _: None)


# --- one row ------------------------------------------------------------------------------------


def test_an_explicit_row_is_what_the_network_says(data: Data) -> None:
    row = bench(data).explicit("name", [HiddenLayer(axes=1)], ExplicitSettings())
    network = SoftmaxNetwork(35, 10, [HiddenLayer(axes=1)], dtype="float32")
    (record,) = network.warm_start(data.train, data.validation)
    assert (row.name, row.samples) == ("name", 631)
    assert row.accuracy == network.accuracy(data.test)
    assert row.cross_entropy == pytest.approx(network.cross_entropy(data.test), rel=1e-5)
    assert row.validation == pytest.approx(record.nats, rel=1e-5)
    assert row.settings == ", then ".join(f"λ {lam:.3f} α 1" for lam in record.tempers)
    assert row.seconds > 0


def test_iterative_scaling_improves_on_what_it_starts_from(data: Data) -> None:
    settings = ExplicitSettings(Additive(1.0))
    before = bench(data).explicit("before", (), settings)
    still = bench(data).scaled("still", settings, 0)
    after = bench(data).scaled("after", settings, 20)
    assert still.cross_entropy == pytest.approx(before.cross_entropy, rel=1e-4)
    assert still.accuracy == before.accuracy
    first, last = (float(nats.split()[0]) for nats in after.settings.split(": ")[1].split(" to "))
    assert last < first
    assert after.validation < before.validation


def test_the_run_that_is_tested_is_the_best_on_validation_images(data: Data) -> None:
    told: list[str] = []
    hidden = [HiddenLayer(axes=1)]
    one = bench(data, progress=told.append)
    row = one.trained("both", one.cold(hidden, ((0.1, 1.0), (0.1, 5.0))))
    assert told == [
        f"both: scale 0.1 and {scale}, rate {rate}" for scale in (1, 5) for rate in (0.003, 0.03)
    ]
    alone = [
        bench(data, rates=(rate,)).trained("alone", one.cold(hidden, ((0.1, scale),)))
        for scale in (1.0, 5.0)
        for rate in (0.003, 0.03)
    ]
    best = min(alone, key=lambda each: each.validation)
    assert row[1:3] == best[1:3]
    assert row.validation == best.validation
    assert row.settings == best.settings.replace("best of 1", "best of 4")


def test_explicit_starts_are_softened(data: Data) -> None:
    hidden = [HiddenLayer(axes=1)]
    starts = dict(bench(data).warm(hidden, (1.0, 0.5)))
    assert list(starts) == ["λ × 1", "λ × 0.5"]
    whole, half = (network.layers[0].weights for network in starts.values())
    np.testing.assert_allclose(half, whole / 2, rtol=1e-6)


# --- all rows -----------------------------------------------------------------------------------


def rows_of(data: Data) -> list[DigitsRow]:
    return list(measured(data, TINY, 1, lambda _: None))


def test_the_test_images_choose_nothing(data: Data) -> None:
    """With other test labels the test results change, and nothing else."""
    other = data._replace(test=Examples(data.test.features, (data.test.labels + 1) % 10))
    for one, two in zip(rows_of(data), rows_of(other), strict=True):
        assert (one.name, one.validation) == (two.name, two.validation)
        if "naive Bayes" not in one.name:
            assert one.settings == two.settings
        assert one.cross_entropy != two.cross_entropy


def test_every_claim_has_its_rows(folder: Path) -> None:
    told: list[str] = []
    rows = run_digits(folder, tiny=True, progress=told.append)
    assert len(told) >= len(rows)
    names = [(row.name, row.samples) for row in rows if "naive Bayes" not in row.name]
    assert names == [
        ("explicit, one layer, λ = 1", 300),
        ("explicit, one layer, λ fitted", 300),
        ("explicit, one layer, α and λ chosen", 300),
        ("explicit, one layer, iterative scaling", 300),
        ("explicit, two layers, classes in 4 bits", 300),
        ("explicit, two layers, 2 parts a class", 300),
        ("explicit, two layers, 2 parts a class, refitted", 300),
        *((name, size) for size in (100, 300) for name in by_size(size)),
    ]
    for row in rows:
        assert 0 < row.accuracy < 1
        assert 0 < row.cross_entropy < 10


def by_size(size: int) -> list[str]:
    alone = ["explicit, one layer", "explicit, two layers"] if size < 300 else []
    trained = [f"{n} trained from {s}" for n in ("one layer,", "two layers,") for s in STARTS[n]]
    return [*alone, *trained]


STARTS = {"one layer,": ("explicit", "zeros"), "two layers,": ("explicit", "random")}


def test_the_program_prints_a_table_and_keeps_the_rows(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["--tiny", "--mnist", str(folder), "--out", str(tmp_path / "out"), "--seed", "3"])
    printed = capsys.readouterr().out.splitlines()
    lines = [
        json.loads(line)
        for line in (tmp_path / "out" / "results.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert len(printed) == len(lines) + 2
    for text, line in zip(printed[2:], lines, strict=True):
        cells = [cell.strip() for cell in text.strip("|").split("|")]
        assert cells[0] == line["name"]
        assert float(cells[2]) == pytest.approx(line["accuracy"], abs=1e-4)
        assert float(cells[3]) == pytest.approx(line["cross_entropy"], abs=1e-4)
        assert (line["data"], line["seed"]) == ("MNIST", 3)
        assert line["versions"]["numpy"] == np.__version__


def test_without_the_witness_its_row_is_left_out(
    data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.naive_bayes", None)
    told: list[str] = []
    one = bench(data, progress=told.append)
    assert list(one.naive_bayes("NB", ExplicitSettings(Additive(1.0), temper=1.0))) == []
    assert told == ["NB: scikit-learn is not installed, left out"]


@pytest.mark.torch
def test_the_witness_agrees(data: Data) -> None:
    pytest.importorskip("sklearn")
    settings = ExplicitSettings(Additive(1.0), temper=1.0)
    (row,) = bench(data).naive_bayes("NB", settings)
    ours = bench(data).explicit("ours", (), settings)
    assert row.accuracy == ours.accuracy
    assert row.cross_entropy == pytest.approx(ours.cross_entropy, rel=1e-4)
    assert float(row.settings.split()[2]) < 1e-3
