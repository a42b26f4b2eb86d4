"""Documents from text files: paragraphs, lines or whole files.   [D]

Files are UTF-8, also compressed as .gz, .xz, .bz2 or .zst, and are read as a stream: one document
at a time is in memory, and no more than `MOST` characters of it; a longer one is cut there, and its
rest is the next document.  A line ends with a line feed, a carriage return, or both; a byte order
mark at the beginning of a line is left out, as files joined to one have it.

A folder stands for all files in it, in the order of their paths.  Hidden entries (names that begin
with a point) are left out; links to folders, links to nothing, pipes and devices are left out and
listed in `TextFiles.skipped`.  A pipe that is named by itself, and `-` for the standard input, are
read once, into a temporary file, because documents are read more than once.
"""

from __future__ import annotations

import codecs
import re
import shutil
import sys
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from hashlib import file_digest, sha256
from itertools import chain, groupby
from pathlib import Path
from tempfile import mkdtemp
from typing import IO, Final

from saffu import checks
from saffu.data.packing import blocks_of, check_packing, packing_of, unpacked
from saffu.errors import BadFile, BadOption, NoSamples, NotUtf8

_SPEC: Final = "SPEC 8"

UNITS = ("paragraph", "line", "file")
MOST = 1 << 24
"""Characters of a document; the Bible has a quarter of that."""
STANDARD_INPUT: Final = "-"
LINE_END: Final = re.compile(r"(?<=\n)|(?<=\r)(?!\n)")
"""Just behind the end of a line."""
OTHER_FORMS: Final = {
    b"\xff\xfe\0\0": "it begins as UTF-32 does: iconv -f UTF-32 -t UTF-8",
    b"\0\0\xfe\xff": "it begins as UTF-32 does: iconv -f UTF-32 -t UTF-8",
    b"\xff\xfe": "it begins as UTF-16 does: iconv -f UTF-16 -t UTF-8",
    b"\xfe\xff": "it begins as UTF-16 does: iconv -f UTF-16 -t UTF-8",
    b"\x1f\x8b": "it begins as gzip does: let its name end in .gz",
    b"\xfd7zXZ": "it begins as xz does: let its name end in .xz",
    b"\x28\xb5\x2f\xfd": "it begins as zstd does: let its name end in .zst",
    b"PK\x03\x04": "it begins as a zip archive does: unpack it",
}
"""First bytes of files that are no plain text, and what to do with them."""


@dataclass(frozen=True)
class TextFiles:
    """The documents of some files; each `iter()` reads the files again."""

    files: tuple[Path, ...]
    unit: str
    skipped: tuple[tuple[Path, str], ...] = ()
    """Entries of folders that were left out, each with the reason."""

    def __iter__(self) -> Iterator[str]:
        for path in self.files:
            yield from documents_of(path, self.unit)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the unit, and of the contents and the compression of every file, in order.

        Names and folders do not matter, except that a name says how the bytes are unpacked.
        """
        digest = sha256(self.unit.encode())
        for path in self.files:
            with path.open("rb") as file:
                digest.update(packing_of(path).encode() + b"\0")
                digest.update(file_digest(file, "sha256").digest())
        return digest.hexdigest()


def read_documents(
    paths: str | Path | Sequence[str | Path],
    *,
    unit: str = "paragraph",
    suffixes: Sequence[str] | None = None,
) -> TextFiles:
    """The documents of files and folders, read again at every `iter()`.

    Parameters: `paths`, one or more, `"-"` for the standard input; `unit`, the part of a file that
    makes one document: `"paragraph"`, lines without a blank line between them; `"line"`; or
    `"file"`.  Blank documents are left out.  `suffixes`, for example `(".txt", ".md")`, selects
    files of folders, in upper or lower case; `.txt` also selects `.txt.gz`.  A file named by itself
    is always read.
    Refuses: an empty path; a path that does not exist, or is given twice; no files; an archive such
    as .zip; while reading, a file that is not UTF-8, holds NUL, or cannot be unpacked to its end.

    >>> _ = Path("talk.txt").write_text("Good\\nmorning.\\n\\nGood night.\\n", encoding="utf-8")
    >>> list(read_documents("talk.txt"))
    ['Good\\nmorning.', 'Good night.']
    >>> list(read_documents("talk.txt", unit="line"))
    ['Good', 'morning.', 'Good night.']
    """
    checks.choice("unit", unit, UNITS, "SPEC 3")
    if isinstance(suffixes, str) or any(not s.startswith(".") for s in suffixes or ()):
        raise BadOption("suffixes", suffixes, "a list such as ('.txt', '.md')", _SPEC)
    given = [paths] if isinstance(paths, str | Path) else list(paths)
    if "" in given:
        raise BadOption("paths", paths, "names of files or folders, '.' for this folder", _SPEC)
    files: list[Path] = []
    skipped: list[tuple[Path, str]] = []
    with ExitStack() as on_failure:
        for path in map(Path, given):
            if path.is_dir():
                files += files_in(path, suffixes, skipped)
            elif path.is_file():
                files.append(path)
            elif str(path) == STANDARD_INPUT or path.is_fifo():
                folder = Path(mkdtemp(prefix="saffu-"))
                on_failure.callback(shutil.rmtree, folder, ignore_errors=True)
                files.append(_kept(path, folder))
            else:
                raise BadFile(path, "it is neither a file nor a folder", "check the path")
        seen: set[Path] = set()
        for path in files:
            check_packing(path)
            if path.resolve() in seen:
                advice = "name each file once, by itself or its folder"
                raise BadFile(path, "it is given twice", advice)
            seen.add(path.resolve())
        if not files:
            raise NoSamples(f"paths={paths!r} (with suffixes={suffixes!r})", _SPEC)
        documents = TextFiles(tuple(files), unit, tuple(skipped))
        weakref.finalize(documents, on_failure.pop_all().close)  # what was kept goes with them
    return documents


def _kept(path: Path, folder: Path) -> Path:
    """All that a pipe or the standard input gives, in a file of `folder`."""

    def copied(stream: IO[bytes], name: str) -> Path:
        with (folder / name).open("xb") as file:
            shutil.copyfileobj(stream, file)
        return folder / name

    if str(path) != STANDARD_INPUT:
        with path.open("rb") as stream:
            return copied(stream, path.name)
    given: IO[bytes] | None = getattr(sys.stdin, "buffer", None)
    if given is None:
        raise BadFile("standard input", "it is closed", "pipe a text into it, or name files")
    return copied(given, "standard input")


def files_in(
    folder: Path, suffixes: Sequence[str] | None, skipped: list[tuple[Path, str]]
) -> list[Path]:
    """The files in a folder and its folders, by path, without hidden ones.

    Appends to `skipped` the entries that are left out for what they are, each with the reason.
    """
    accepted = None if suffixes is None else {suffix.lower() for suffix in suffixes}
    files = []
    for entry in sorted(folder.iterdir(), key=lambda path: path.name):
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            if entry.is_symlink():
                skipped.append((entry, "a link to a folder"))
            else:
                files += files_in(entry, suffixes, skipped)
        elif accepted is not None and unpacked(entry).suffix.lower() not in accepted:
            continue
        elif entry.is_file():
            files.append(entry)
        else:
            reason = "a link to nothing" if entry.is_symlink() else "no regular file"
            skipped.append((entry, reason))
    return files


def documents_of(path: Path, unit: str) -> Iterator[str]:
    """The documents of one file."""
    if unit == "file":
        for lines in _together(lines_of(path)):
            text = "".join(lines)
            if text.strip():
                yield text
    elif unit == "line":
        yield from (line.rstrip("\r\n") for line in lines_of(path) if line.strip())
    else:
        for written, paragraph in groupby(lines_of(path), key=lambda line: bool(line.strip())):
            if written:
                for lines in _together(paragraph):
                    yield "\n".join(line.rstrip("\r\n") for line in lines)


def _together(lines: Iterable[str]) -> Iterator[list[str]]:
    """Groups of neighbouring lines of at most `MOST` characters, each of at least one line."""
    held: list[str] = []
    size = 0
    for line in lines:
        if held and size + len(line) > MOST:
            yield held
            held, size = [], 0
        held.append(line)
        size += len(line)
    if held:
        yield held


def lines_of(path: Path) -> Iterator[str]:
    """The lines of one file with their ends; one of more than `MOST` characters comes in pieces."""
    begun, first = "", True  # of the line that goes on in the next block: its text, its beginning
    for text in chain(texts_of(path), ("",)):
        at_end = not text
        *lines, begun = _split(begun + text, at_end)
        for line in lines:
            *pieces, last = _pieces(line.removeprefix("\ufeff") if first else line)
            yield from pieces
            yield last
            first = True
        if len(begun) > MOST:
            *pieces, begun = _pieces(begun.removeprefix("\ufeff") if first else begun)
            yield from pieces
            first = False
    if begun := begun.removeprefix("\ufeff") if first else begun:
        yield begun


def _split(text: str, at_end: bool) -> list[str]:
    """Whole lines with their ends, and last the beginning of the next one.

    A carriage return at the end of a block may belong to a line feed in the next one.
    """
    if "\r" not in text:
        *lines, begun = text.split("\n")
        return [*(f"{line}\n" for line in lines), begun]
    waiting = "\r" if text.endswith("\r") and not at_end else ""
    *lines, begun = LINE_END.split(text.removesuffix(waiting))
    return [*lines, begun + waiting]


def _pieces(line: str) -> list[str]:
    """A line in pieces of at most `MOST` characters, cut at white space if there is some.

    The end of the line does not count.
    """
    pieces = []
    while len(line.rstrip("\r\n")) > MOST:
        border = 1 + max(line.rfind(space, MOST // 2, MOST) for space in " \t") or MOST
        pieces.append(line[:border])
        line = line[border:]
    return [*pieces, line]


def texts_of(path: Path) -> Iterator[str]:
    """The text of one file, block by block; no block is empty.

    Refuses: bytes that are not UTF-8; NUL, which no text has.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    offset = 0
    beginning = b""
    for block in chain(blocks_of(path), (b"",)):
        beginning = beginning or block[:8]
        waiting = decoder.getstate()[0]
        known = waiting + block
        problem = "is NUL, which no text has"
        end = known.find(b"\0")
        text = ""
        try:
            text = decoder.decode(block, final=not block)
        except UnicodeDecodeError as wrong:
            if not 0 <= end < wrong.start:
                end, problem = wrong.start, "is not UTF-8"
        if end >= 0:  # what stands before it is good
            if good := known[:end].decode("utf-8", errors="ignore"):
                yield good
            at = offset - len(waiting) + end
            raise _not_text(path, at, known[end], problem, beginning) from None
        offset += len(block)
        if text:
            yield text


def _not_text(path: Path, offset: int, byte: int, problem: str, beginning: bytes) -> BadFile:
    """The refusal of a byte, with advice by the first bytes of the file."""
    forms = (advice for start, advice in OTHER_FORMS.items() if beginning.startswith(start))
    advice = next(forms, None)
    if byte:
        return NotUtf8(path, offset, byte, advice)
    if advice is None and b"\0" in beginning:
        advice = "if it is UTF-16 without a mark, convert it: iconv -f UTF-16LE -t UTF-8"
    return BadFile(
        path, f"byte {offset} {problem}", advice or "leave the file out, or remove those bytes"
    )
