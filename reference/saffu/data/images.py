"""Images of handwritten digits as non-negative features: MNIST from its files, and a small cousin.

Pixels are divided by the largest value they can take, so features lie in 0 … 1.  The scale matters
to an explicit solution: it counts what it is given.   [P2 for MNIST]
"""

from __future__ import annotations

import gzip
import lzma
import math
import zlib
from io import BufferedIOBase
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from saffu.data.order import shuffled
from saffu.errors import BadFile, Missing
from saffu.types import Features, IntArray

IDX_TYPES: Final = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
ADVICE: Final = "fetch it again"
STEP: Final = 1 << 20


class Images(NamedTuple):
    """Images and what they show, in two parts."""

    train_images: Features
    """[M, D] in 0 … 1, one image a row, its pixels row by row."""
    train_labels: IntArray
    """[M] int64, the digit, 0 … 9."""
    test_images: Features
    test_labels: IntArray


def mnist(folder: str | Path, dtype: type[np.floating[Any]] = np.float64) -> Images:
    """MNIST, or any data set in four files of the same names and form.

    Parameters: `folder` with `train-images-idx3-ubyte`, `train-labels-idx1-ubyte` and the same of
    `t10k`, also as `.gz`; `dtype` of the features.
    Refuses: a file missing or not whole; images and labels of different number; a label above 9.
    """
    arrays: list[NDArray[Any]] = []
    for part in ("train", "t10k"):
        images_path = _either(Path(folder) / f"{part}-images-idx3-ubyte")
        labels_path = _either(Path(folder) / f"{part}-labels-idx1-ubyte")
        images, labels = read_idx(images_path), read_idx(labels_path)
        for path, array, dimensions in ((images_path, images, 3), (labels_path, labels, 1)):
            if array.ndim != dimensions or array.dtype != np.uint8 or array.size == 0:
                problem = (
                    f"it holds {array.dtype} of shape {array.shape}, "
                    f"and bytes in {dimensions} dimensions are expected"
                )
                raise BadFile(path, problem, ADVICE)
        if images.shape[0] != labels.shape[0]:
            problem = f"it labels {labels.shape[0]} images, and there are {images.shape[0]}"
            raise BadFile(labels_path, problem, ADVICE)
        if labels.max() > 9:
            at = int(np.argmax(labels > 9))
            raise BadFile(labels_path, f"label {at} is {labels[at]}, not a digit", ADVICE)
        if arrays and arrays[0].shape[1] != images[0].size:
            problem = f"its images have {images[0].size} pixels, not {arrays[0].shape[1]}"
            raise BadFile(images_path, problem, ADVICE)
        flat = images.reshape(images.shape[0], -1)
        arrays += [flat.astype(dtype) / dtype(255), labels.astype(np.int64)]
    return Images(*arrays)


def digits() -> Images:
    """scikit-learn's 1,797 digits of 8 × 8 pixels: 1,437 drawn for training, 360 left for testing.

    The split is the same everywhere and for ever.
    Refuses: scikit-learn missing.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as missing:
        install = "pip install 'saffu[images]'"
        raise Missing("digits()", "the package scikit-learn", install) from missing
    bunch = load_digits()
    images, labels = bunch.data / 16.0, bunch.target.astype(np.int64)
    order = shuffled(images.shape[0], seed=0)
    train, test = np.sort(order[:1437]), np.sort(order[1437:])
    return Images(images[train], labels[train], images[test], labels[test])


def read_idx(path: str | Path) -> NDArray[Any]:
    """An array in LeCun's IDX format, also packed as .gz or .xz, in the machine's byte order.

    The file is two zero bytes, a byte for the type, one for the number of dimensions, each
    dimension as a big-endian uint32, and the entries, row-major, big-endian.
    Refuses: another beginning; a file that ends early, or goes on.
    """
    opened: Any = {".gz": gzip.open, ".xz": lzma.open}.get(Path(path).suffix, open)
    try:
        with opened(path, "rb") as file:
            return _parsed(file, path)
    except (gzip.BadGzipFile, lzma.LZMAError, zlib.error, EOFError) as problem:
        raise BadFile(path, f"it cannot be unpacked ({problem})", ADVICE) from problem
    except FileNotFoundError as problem:
        raise BadFile(path, "there is no such file", "check the path") from problem


def _parsed(file: BufferedIOBase, path: str | Path) -> NDArray[Any]:
    magic = _exactly(file, 4, path)
    if magic[:2] != b"\0\0" or magic[2] not in IDX_TYPES or magic[3] == 0:
        problem = f"it begins with {magic.hex(' ')}, which is not how an IDX file begins"
        raise BadFile(path, problem, "give an IDX file, such as those of MNIST")
    dtype = np.dtype(IDX_TYPES[magic[2]])
    shape = tuple(np.frombuffer(_exactly(file, 4 * magic[3], path), dtype=">u4").tolist())
    entries = np.frombuffer(_exactly(file, math.prod(shape) * dtype.itemsize, path), dtype=dtype)
    if file.read(1):
        raise BadFile(path, f"it goes on after the {math.prod(shape)} entries it announces", ADVICE)
    return entries.reshape(shape).astype(dtype.newbyteorder("="))


def _exactly(file: BufferedIOBase, size: int, path: str | Path) -> bytes:
    """So many bytes, read step by step: what a broken header announces may not fit in memory."""
    read = bytearray()
    while len(read) < size:
        step = file.read(min(STEP, size - len(read)))
        if not step:
            raise BadFile(path, f"it ends {size - len(read)} bytes too early", ADVICE)
        read += step
    return bytes(read)


def _either(path: Path) -> Path:
    """The file itself, or else the same with `.gz`."""
    packed = path.with_name(f"{path.name}.gz")
    if not path.is_file() and not packed.is_file():
        raise BadFile(path, "there is no such file, nor one with .gz", "check the folder")
    return path if path.is_file() else packed
