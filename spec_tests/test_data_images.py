"""Images: the IDX format to the byte, and digits as features in 0 … 1."""

from __future__ import annotations

import gzip
import lzma
import os
import struct
import sys
import tracemalloc
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from saffu.data import digits, mnist, read_idx
from saffu.errors import BadFile, Missing

CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def idx(array: np.ndarray[Any, Any]) -> bytes:
    """The format as its author describes it."""
    code = CODES[array.dtype.str[1:]]
    shape = struct.pack(f">{array.ndim}I", *array.shape)
    entries = array.astype(array.dtype.newbyteorder(">")).tobytes()
    return bytes([0, 0, code, array.ndim]) + shape + entries


# --- the format -------------------------------------------------------------------------------


@given(st.data(), st.sampled_from(list(CODES)))
def test_arrays_come_back_as_they_were(data: st.DataObject, kind: str) -> None:
    shape = data.draw(arrays.array_shapes(max_dims=4, min_side=0, max_side=5))
    elements = arrays.from_dtype(np.dtype(kind), allow_nan=False, allow_infinity=False)
    array = data.draw(arrays.arrays(np.dtype(kind), shape, elements=elements))
    with TemporaryDirectory() as folder:
        for name, pack in (("a", bytes), ("a.gz", gzip.compress), ("a.xz", lzma.compress)):
            path = Path(folder, name)
            path.write_bytes(pack(idx(array)))
            got = read_idx(path)
            assert got.dtype == array.dtype
            assert got.dtype.isnative
            np.testing.assert_array_equal(got, array)


def test_entries_are_big_endian_and_row_major(tmp_path: Path) -> None:
    header = bytes([0, 0, 0x0B, 2, 0, 0, 0, 2, 0, 0, 0, 3])
    (tmp_path / "a").write_bytes(header + bytes([0, 1, 0, 2, 0, 3, 1, 0, 255, 255, 0, 5]))
    assert read_idx(str(tmp_path / "a")).tolist() == [[1, 2, 3], [256, -1, 5]]


GOOD = idx(np.arange(35, dtype=np.uint8).reshape(5, 7))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "ends 4 bytes too early"),
        (GOOD[:3], "ends 1 bytes too early"),
        (GOOD[:9], "ends 3 bytes too early"),
        (GOOD[:-1], "ends 1 bytes too early"),
        (GOOD + b"\0", "goes on after the 35 entries"),
        (b"\1" + GOOD[1:], "begins with 01 00 08 02"),
        (b"\0\0\x0a" + GOOD[3:], "begins with 00 00 0a 02"),
        (b"\0\0\x08\0" + GOOD[4:], "begins with 00 00 08 00"),
        (gzip.compress(GOOD), "begins with 1f 8b"),
    ],
    ids=["empty", "magic", "shape", "entries", "more", "zero", "type", "dimensions", "packed"],
)
def test_what_is_not_idx_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    for name, pack in (("a", bytes), ("a.gz", gzip.compress)):
        path = tmp_path / name
        path.write_bytes(pack(content))
        with pytest.raises(BadFile, match=message) as caught:
            read_idx(path)
        assert caught.value.path == path


@pytest.mark.parametrize("harm", ["plain", "cut", "changed"])
def test_broken_packing_is_refused(tmp_path: Path, harm: str) -> None:
    packed = bytearray(gzip.compress(GOOD * 50))
    if harm == "cut":
        packed = bytearray(gzip.compress(GOOD))[:-9]
    if harm == "changed":
        packed = bytearray(gzip.compress(GOOD))
        packed[-6] ^= 0xFF
    (tmp_path / "a.gz").write_bytes(GOOD if harm == "plain" else packed)
    with pytest.raises(BadFile, match="cannot be unpacked"):
        read_idx(tmp_path / "a.gz")


def test_a_boastful_header_takes_no_memory(tmp_path: Path) -> None:
    header = struct.pack(">4B3I", 0, 0, 0x0E, 3, *(2**32 - 1,) * 3)
    (tmp_path / "a").write_bytes(header + b"\0" * 800)
    (tmp_path / "a.gz").write_bytes(gzip.compress(header + b"\0" * 800))
    for name in ("a", "a.gz"):
        tracemalloc.start()
        with pytest.raises(BadFile, match="too early"):
            read_idx(tmp_path / name)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 10_000_000


@pytest.mark.parametrize("entry", [np.nan, np.inf, -np.inf])
def test_entries_that_are_no_numbers_are_refused(tmp_path: Path, entry: float) -> None:
    array = np.zeros((2, 3))
    array[1, 2] = entry
    (tmp_path / "a").write_bytes(idx(array))
    with pytest.raises(BadFile, match=r"entry \[1, 2\] is"):
        read_idx(tmp_path / "a")


def test_more_dimensions_than_numpy_has_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes([0, 0, 8, 64]) + b"\0\0\0\1" * 64 + b"\7")
    assert read_idx(tmp_path / "a").ndim == 64
    (tmp_path / "a").write_bytes(bytes([0, 0, 8, 65]) + b"\0\0\0\1" * 65 + b"\7")
    with pytest.raises(BadFile, match="65 dimensions, and 64 is the most"):
        read_idx(tmp_path / "a")


def test_a_shape_beyond_all_memory_is_refused_though_it_is_empty(tmp_path: Path) -> None:
    sizes = struct.pack(">3I", 0, 2**32 - 1, 2**32 - 1)
    (tmp_path / "a").write_bytes(bytes([0, 0, 0x0E, 3]) + sizes)
    with pytest.raises(BadFile, match="cannot have the shape"):
        read_idx(tmp_path / "a")


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a")
    with pytest.raises(BadFile, match="no regular file"):
        read_idx(tmp_path / "a")


def test_a_later_member_that_is_damaged_is_refused(tmp_path: Path) -> None:
    second = bytearray(lzma.compress(GOOD[9:]))
    second[2] ^= 0xFF
    (tmp_path / "a.xz").write_bytes(lzma.compress(GOOD[:9]) + bytes(second))
    with pytest.raises(BadFile, match="cannot be unpacked"):
        read_idx(tmp_path / "a.xz")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="no such file"):
        read_idx(tmp_path / "a")


# --- MNIST ------------------------------------------------------------------------------------


def small_mnist(folder: Path, **changes: np.ndarray[Any, Any]) -> dict[str, np.ndarray[Any, Any]]:
    """The four files, of 11 and 3 images of 5 × 7 pixels."""
    drawn = np.random.default_rng(13)
    files = {
        "train-images-idx3": drawn.integers(0, 256, (11, 5, 7), dtype=np.uint8),
        "train-labels-idx1": drawn.integers(0, 10, 11, dtype=np.uint8),
        "t10k-images-idx3": drawn.integers(0, 256, (3, 5, 7), dtype=np.uint8),
        "t10k-labels-idx1": drawn.integers(0, 10, 3, dtype=np.uint8),
    }
    files |= {name.replace("_", "-"): array for name, array in changes.items()}
    for number, (name, array) in enumerate(files.items()):
        if number % 2:
            (folder / f"{name}-ubyte").write_bytes(idx(array))
        else:
            (folder / f"{name}-ubyte.gz").write_bytes(gzip.compress(idx(array)))
    return files


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_mnist_is_four_files(tmp_path: Path, dtype: type[np.floating[Any]]) -> None:
    files = small_mnist(tmp_path)
    images = mnist(str(tmp_path), dtype)
    for flat, square in zip(
        (images.train_images, images.test_images),
        (files["train-images-idx3"], files["t10k-images-idx3"]),
        strict=True,
    ):
        assert flat.dtype == dtype
        assert flat.shape == (square.shape[0], prod(square.shape[1:]))
        np.testing.assert_array_equal(np.rint(flat * 255).reshape(square.shape), square)
        assert flat.min() >= 0
        assert flat.max() <= 1
    assert images.train_images[3, 2 * 7 + 5] == dtype(files["train-images-idx3"][3, 2, 5]) / 255
    assert images.train_labels.tolist() == files["train-labels-idx1"].tolist()
    assert images.test_labels.tolist() == files["t10k-labels-idx1"].tolist()
    assert images.train_labels.dtype == np.int64


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train_labels_idx1": np.zeros(7, np.uint8)}, "expected 11 labels, one per image, got 7"),
        ({"t10k_labels_idx1": np.array([1, 10, 3], np.uint8)}, "label 1 is 10, not a digit"),
        ({"t10k_images_idx3": np.zeros((3, 5, 5), np.uint8)}, "25 pixels, not 35"),
        ({"train_images_idx3": np.zeros((11, 35), np.uint8)}, r"uint8 of shape \(11, 35\)"),
        ({"train_images_idx3": np.zeros((11, 5, 7), np.float32)}, "float32 of shape"),
        ({"t10k_images_idx3": np.zeros((0, 5, 7), np.uint8)}, r"shape \(0, 5, 7\)"),
        ({"train_labels_idx1": np.zeros((11, 1), np.uint8)}, "uint8 in 1 dimensions"),
    ],
    ids=["number", "label", "pixels", "flat", "type", "none", "column"],
)
def test_files_that_do_not_fit_are_refused(
    tmp_path: Path, changes: dict[str, np.ndarray[Any, Any]], message: str
) -> None:
    small_mnist(tmp_path, **changes)
    with pytest.raises(BadFile, match=message):
        mnist(tmp_path)


@pytest.mark.parametrize("packing", ["", ".gz"])
def test_names_with_a_point_are_known(tmp_path: Path, packing: str) -> None:
    written = small_mnist(tmp_path)
    for path in list(tmp_path.iterdir()):
        name = path.name.removesuffix(".gz").replace("-idx", ".idx")
        content = path.read_bytes()
        plain = gzip.decompress(content) if path.suffix == ".gz" else content
        path.unlink()
        (tmp_path / f"{name}{packing}").write_bytes(gzip.compress(plain) if packing else plain)
    images = mnist(tmp_path)
    assert images.train_labels.tolist() == written["train-labels-idx1"].tolist()


def test_a_folder_without_the_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="train-images-idx3-ubyte: there is no such file, nor train"):
        mnist(tmp_path)


# --- the small digits -------------------------------------------------------------------------


@pytest.mark.torch
def test_the_small_digits_are_all_there_once() -> None:
    from sklearn.datasets import load_digits

    images = digits()
    whole = load_digits()
    assert images.train_images.shape == (1437, 64)
    assert images.test_images.shape == (360, 64)
    both = np.concatenate([images.train_images, images.test_images])
    labels = np.concatenate([images.train_labels, images.test_labels])
    assert both.max() == 1
    assert both.min() == 0
    ours = sorted((*(16 * row).tolist(), label) for row, label in zip(both, labels, strict=True))
    theirs = sorted(
        (*row.tolist(), label) for row, label in zip(whole.data, whole.target, strict=True)
    )
    assert ours == theirs
    assert np.bincount(images.test_labels).min() >= 20
    np.testing.assert_array_equal(digits().test_images, images.test_images)


def test_a_missing_package_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(Missing, match=r"scikit-learn.*pip install 'saffu\[images\]'"):
        digits()
