"""Files block by block, unpacked: .gz, .xz, .bz2 and .zst.   [D]

A file that is cut short or changed is refused, and never read as if it were shorter.  Archives hold
files of their own, and are refused by name.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from saffu.errors import BadFile, Missing

BLOCK: Final = 1 << 20
"""Bytes that are read at once."""
SMALL: Final = 1 << 10
"""Bytes of a .zst file that are unpacked at once: a few can unpack to very many."""


def _zst(path: Path) -> Iterator[bytes]:
    """The blocks of a .zst file, of any number of frames, the last one whole."""
    try:
        import zstandard
    except ImportError as missing:
        install = "pip install 'saffu[zstd]'"
        raise Missing(f"reading {path}", "the package zstandard", install) from missing
    with path.open("rb") as file:
        frame: Any = None
        packed = file.read(SMALL)
        while packed:
            frame = frame or zstandard.ZstdDecompressor().decompressobj()
            try:
                yield frame.decompress(packed)
            except zstandard.ZstdError as problem:
                raise EOFError(str(problem)) from problem
            packed = b""
            if frame.eof:
                packed, frame = frame.unused_data, None
            packed = packed or file.read(SMALL)
        if frame is not None:
            raise EOFError("it ended before the end of its last frame")


def _by(opener: Callable[[Path, str], Any]) -> Callable[[Path], Iterator[bytes]]:
    """The blocks that an opener of the standard library gives."""

    def read(path: Path) -> Iterator[bytes]:
        with opener(path, "rb") as file:
            while block := file.read(BLOCK):
                yield block

    return read


PACKED: Final[dict[str, Callable[[Path], Iterator[bytes]]]] = {
    ".gz": _by(gzip.open),
    ".xz": _by(lzma.open),
    ".bz2": _by(bz2.open),
    ".zst": _zst,
}
ARCHIVES: Final = frozenset(
    (".zip", ".tar", ".tgz", ".tbz2", ".txz", ".tzst", ".7z", ".rar", ".lz4", ".br", ".lzma", ".z")
)
"""What is packed in a way that is not read here."""
BROKEN: Final = (gzip.BadGzipFile, lzma.LZMAError, zlib.error, EOFError)


def check_packing(path: Path) -> None:
    """Refuse an archive, or a file packed in a way that is not read here.

    >>> check_packing(Path("talk.txt.gz"))
    >>> check_packing(Path("talks.tar.gz"))
    Traceback (most recent call last):
    saffu.errors.BadFile: talks.tar.gz: it is packed as .tar, which is not read; ...
    """
    for suffix in path.suffixes[-2:] if path.suffix in PACKED else path.suffixes[-1:]:
        if suffix.lower() in ARCHIVES:
            advice = f"unpack it, or pack each file as one of {', '.join(PACKED)}"
            problem = f"it is packed as {suffix}, which is not read"
            raise BadFile(path, problem, f"{advice}; or leave it out by suffixes=(…)")


def blocks_of(path: Path) -> Iterator[bytes]:
    """The bytes of one file, unpacked, some at a time.

    Refuses: a file that cannot be unpacked to its end.
    """
    if path.suffix not in PACKED:
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                yield block
        return
    try:
        yield from PACKED[path.suffix](path)
    except BadFile:
        raise
    except (*BROKEN, OSError) as problem:
        if isinstance(problem, OSError) and problem.errno is not None:
            raise
        advice = f"fetch or pack it again, or rename it if it is no {path.suffix} file"
        raise BadFile(path, f"it cannot be unpacked ({problem})", advice) from problem
