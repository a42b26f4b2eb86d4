"""Compressed files, block by block: .gz, .xz, .bz2 and .zst.   [D]

A file that is cut short or changed is refused, and never read as if it were shorter: every member
of a file of several members is unpacked to its end, and what follows the last one must be nothing.
An empty file with such a name is refused as well.  Archives hold files of their own, and are
refused by name.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Final

from saffu.errors import BadFile, Missing

BLOCK: Final = 1 << 20
"""Bytes read at once."""
SMALL: Final = 1 << 10
"""Bytes of a .zst file unpacked at once: a few can unpack to very many."""


def _gz(path: Path) -> Iterator[bytes]:
    """The blocks of a .gz file; the standard library checks all its members."""
    with gzip.open(path, "rb") as file:
        while block := file.read(BLOCK):
            yield block


def _members(decompressor: Callable[[], Any], padding: int) -> Callable[[Path], Iterator[bytes]]:
    """The blocks of all members of a file.

    The openers of the standard library take a damaged later member for the end of the file, so the
    members are unpacked here.  Parameters: `padding`, the multiple in which zero bytes may follow a
    member; 0 if none may.
    """

    def read(path: Path) -> Iterator[bytes]:
        with path.open("rb") as file:
            packed = file.read(BLOCK)
            while packed:
                member = decompressor()
                while not member.eof:
                    if member.needs_input and not packed and not (packed := file.read(BLOCK)):
                        raise EOFError("it ends before the end of its last member")
                    yield member.decompress(packed, BLOCK)
                    packed = b""
                packed = member.unused_data
                if padding:
                    packed = _after_padding(packed, file, padding)
                packed = packed or file.read(BLOCK)

    return read


def _after_padding(packed: bytes, file: IO[bytes], padding: int) -> bytes:
    """What follows the zero bytes behind a member, as far as it has been read."""
    zeros = 0
    while packed or (packed := file.read(BLOCK)):
        rest = packed.lstrip(b"\0")
        zeros += len(packed) - len(rest)
        packed = rest
        if rest:
            break
    if zeros % padding:
        raise EOFError(f"{zeros} zero bytes follow a member, not a multiple of {padding}")
    return packed


def _zst(path: Path) -> Iterator[bytes]:
    """The blocks of a .zst file, of any number of frames, the last one complete."""
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
            raise EOFError("it ends before the end of its last frame")


PACKED: Final[dict[str, Callable[[Path], Iterator[bytes]]]] = {
    ".gz": _gz,
    ".xz": _members(lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ), padding=4),
    ".bz2": _members(bz2.BZ2Decompressor, padding=0),
    ".zst": _zst,
}
ARCHIVES: Final = frozenset(
    (".zip", ".tar", ".tgz", ".tbz2", ".txz", ".tzst", ".7z", ".rar", ".lz4", ".br", ".lzma", ".z")
)
"""Suffixes of archives and of compressions that are not read here."""
BROKEN: Final = (gzip.BadGzipFile, lzma.LZMAError, zlib.error, EOFError)


def packing_of(path: Path) -> str:
    """The compression that a name announces, as a suffix in lower case; "" for none.

    >>> packing_of(Path("TALK.TXT.GZ")), packing_of(Path("talk.txt"))
    ('.gz', '')
    """
    suffix = path.suffix.lower()
    return suffix if suffix in PACKED else ""


def unpacked(path: Path) -> Path:
    """The path without the suffix of its compression.

    >>> unpacked(Path("a.txt.gz")).name
    'a.txt'
    """
    return path.with_suffix("") if packing_of(path) else path


def check_packing(path: Path) -> None:
    """Refuse an archive, or a compression that is not read here.

    >>> check_packing(Path("talk.txt.gz"))
    >>> check_packing(Path("talks.tar.gz"))
    Traceback (most recent call last):
    saffu.errors.BadFile: talks.tar.gz: it is packed as .tar, which is not read; ...
    """
    for suffix in path.suffixes[-2:] if packing_of(path) else path.suffixes[-1:]:
        if suffix.lower() in ARCHIVES:
            advice = f"unpack it, or pack each file as one of {', '.join(PACKED)}"
            problem = f"it is packed as {suffix}, which is not read"
            raise BadFile(path, problem, f"{advice}; or leave it out by suffixes=(…)")


def blocks_of(path: Path) -> Iterator[bytes]:
    """The bytes of one file, unpacked, block by block; no block is empty.

    Refuses: a file that cannot be unpacked to its end; an empty file whose name says that it is
    compressed.
    """
    packing = packing_of(path)
    if not packing:
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                yield block
        return
    advice = f"fetch or pack it again, or rename it if it is no {packing} file"
    if path.stat().st_size == 0:
        raise BadFile(path, f"it cannot be unpacked: it is empty, which no {packing} is", advice)
    try:
        yield from filter(None, PACKED[packing](path))
    except BadFile:
        raise
    except (*BROKEN, OSError) as problem:
        if isinstance(problem, OSError) and problem.errno is not None:
            raise
        raise BadFile(path, f"it cannot be unpacked ({problem})", advice) from problem
