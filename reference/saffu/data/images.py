"""Images of handwritten digits as non-negative features: MNIST from its files, and a smaller set.

Pixels are divided by the largest value they can take, so features lie in 0 … 1.  The scale matters
to an explicit solution, which counts features as they are.   [P2 for MNIST]
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from saffu.data.order import shuffled
from saffu.data.packing import blocks_of
from saffu.errors import BadFile, Missing
from saffu.types import Features, IntArray

IDX_TYPES: Final = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
ADVICE: Final = "fetch it again"
STEP: Final = 1 << 20
MOST_DIMENSIONS: Final = 64
"""Of an array of NumPy."""


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
    `t10k`, also with a point (`train-images.idx3-ubyte`), also as `.gz`; `dtype` of the features.
    Refuses: a missing or incomplete file; images and labels of different number; a label above 9.
    """
    arrays: list[NDArray[Any]] = []
    for part in ("train", "t10k"):
        images_path = _either(Path(folder), f"{part}-images", "idx3-ubyte")
        labels_path = _either(Path(folder), f"{part}-labels", "idx1-ubyte")
        images, labels = read_idx(images_path), read_idx(labels_path)
        for path, array, dimensions in ((images_path, images, 3), (labels_path, labels, 1)):
            if array.ndim != dimensions or array.dtype != np.uint8 or array.size == 0:
                problem = (
                    f"expected uint8 in {dimensions} dimensions, got {array.dtype} of shape "
                    f"{array.shape}"
                )
                raise BadFile(path, problem, ADVICE)
        if images.shape[0] != labels.shape[0]:
            problem = f"expected {images.shape[0]} labels, one per image, got {labels.shape[0]}"
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

    The split is the same on every machine and in every version.
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
    """An array in LeCun's IDX format, also as .gz or .xz, in the machine's byte order.

    The file is two zero bytes, a byte for the type, one for the number of dimensions, each
    dimension as a big-endian uint32, and the entries, row-major, big-endian.
    Refuses: what is no regular file; another beginning; more dimensions than NumPy has; a file that
    ends early, or goes on; NaN and infinity.
    """
    place = Path(path)
    if not place.is_file():
        problem = "it is no regular file" if place.exists() else "there is no such file"
        raise BadFile(path, problem, "check the path")
    try:
        with closing(_Stream(blocks_of(place))) as stream:
            array = _parsed(stream, path)
    except MemoryError as problem:
        raise BadFile(path, "its entries do not fit into memory", ADVICE) from problem
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        at = np.unravel_index(int(np.argmin(np.isfinite(array))), array.shape)
        entry = f"its entry {[int(i) for i in at]} is {array[at]}"
        raise BadFile(path, f"{entry}, and a finite number was expected", ADVICE)
    return array


class _Stream:
    """Blocks of bytes, read in pieces of any size."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self.blocks = blocks
        self.held = memoryview(b"")

    def read(self, most: int) -> memoryview:
        """At least one byte and at most `most`; none at the end."""
        while not self.held:
            block = next(self.blocks, None)
            if block is None:
                break
            self.held = memoryview(block)
        piece, self.held = self.held[:most], self.held[most:]
        return piece

    def close(self) -> None:
        """Close the file that the blocks come from."""
        if isinstance(self.blocks, Generator):
            self.blocks.close()


def _parsed(file: _Stream, path: str | Path) -> NDArray[Any]:
    magic = _exactly(file, 4, path)
    if magic[:2] != b"\0\0" or magic[2] not in IDX_TYPES or magic[3] == 0:
        problem = f"it begins with {magic.hex(' ')}, which is not how an IDX file begins"
        raise BadFile(path, problem, "give an IDX file, such as those of MNIST")
    if magic[3] > MOST_DIMENSIONS:
        problem = f"it has {magic[3]} dimensions, and {MOST_DIMENSIONS} is the most that is read"
        raise BadFile(path, problem, ADVICE)
    dtype = np.dtype(IDX_TYPES[magic[2]])
    shape = tuple(np.frombuffer(_exactly(file, 4 * magic[3], path), dtype=">u4").tolist())
    entries = np.frombuffer(_exactly(file, math.prod(shape) * dtype.itemsize, path), dtype=dtype)
    if file.read(1):
        raise BadFile(path, f"it goes on after the {math.prod(shape)} entries it announces", ADVICE)
    try:
        return entries.reshape(shape).astype(dtype.newbyteorder("="))
    except ValueError as problem:  # no entries, and sizes whose product is beyond 2^63
        raise BadFile(path, f"it cannot have the shape {shape}", ADVICE) from problem


def _exactly(file: _Stream, size: int, path: str | Path) -> bytes:
    """`size` bytes, read step by step: what a damaged header announces may not fit in memory."""
    read = bytearray()
    while len(read) < size:
        step = file.read(min(STEP, size - len(read)))
        if not step:
            raise BadFile(path, f"it ends {size - len(read)} bytes too early", ADVICE)
        read += step
    return bytes(read)


def _either(folder: Path, data: str, form: str) -> Path:
    """The file under one of its usual names, as it is or as .gz."""
    names = [f"{data}{sign}{form}{packing}" for sign in "-." for packing in ("", ".gz")]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    problem = f"there is no such file, nor {', '.join(names[1:])}"
    raise BadFile(folder / names[0], problem, "check the folder")
