"""Documents from text files: paragraphs, lines or whole files.   [D]

Files are UTF-8, also packed as .gz, .xz, .bz2 or .zst, and are read as a stream: one document at a
time is in memory, and no more than `MOST` characters of it; what is longer is cut there, and goes
on as the next document.  Folders are read with all that is in them, in the order of their paths;
what is hidden (a name that begins with a point) is left out.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import file_digest, sha256
from itertools import chain, groupby
from pathlib import Path

from saffu import checks
from saffu.data.packing import PACKED, blocks_of, check_packing
from saffu.errors import BadFile, BadOption, NoSamples, NotUtf8

UNITS = ("paragraph", "line", "file")
MOST = 1 << 24
"""Characters of a document; the Bible has a quarter of that."""


@dataclass(frozen=True)
class TextFiles:
    """The documents of some files; each `iter()` reads them anew."""

    files: tuple[Path, ...]
    unit: str

    def __iter__(self) -> Iterator[str]:
        for path in self.files:
            yield from documents_of(path, self.unit)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the unit and of every file, in order; where the files lie is of no account."""
        digest = sha256(self.unit.encode())
        for path in self.files:
            with path.open("rb") as file:
                digest.update(file_digest(file, "sha256").digest())
        return digest.hexdigest()


def read_documents(
    paths: str | Path | Sequence[str | Path],
    *,
    unit: str = "paragraph",
    suffixes: Sequence[str] | None = None,
) -> TextFiles:
    """The documents of files and folders, read anew at every `iter()`.

    Parameters: `paths`, one or more; `unit` is what makes a document: `"paragraph"`, lines without
    a blank one between them; `"line"`; or `"file"`.  Blank documents are left out.  `suffixes`, say
    `(".txt", ".md")`, picks files of folders; `.txt` also picks `.txt.gz`.  A file named by itself
    is always read.
    Refuses: a path that is not there, or given twice; no files; an archive such as .zip; when it is
    read, a file that is not UTF-8 or whose packing is broken.

    >>> _ = Path("talk.txt").write_text("Good\\nmorning.\\n\\nGood night.\\n", encoding="utf-8")
    >>> list(read_documents("talk.txt"))
    ['Good\\nmorning.', 'Good night.']
    >>> list(read_documents("talk.txt", unit="line"))
    ['Good', 'morning.', 'Good night.']
    """
    checks.choice("unit", unit, UNITS, "SPEC 3")
    if isinstance(suffixes, str) or any(not s.startswith(".") for s in suffixes or ()):
        raise BadOption("suffixes", suffixes, "a list such as ('.txt', '.md')", "SPEC 8")
    files: list[Path] = []
    for path in map(Path, [paths] if isinstance(paths, str | Path) else paths):
        if path.is_dir():
            files += files_in(path, suffixes)
        elif path.is_file():
            files.append(path)
        else:
            raise BadFile(path, "it is neither a file nor a folder", "check the path")
    seen: set[Path] = set()
    for path in files:
        check_packing(path)
        if path.resolve() in seen:
            raise BadFile(path, "it is given twice", "name each file once, by itself or its folder")
        seen.add(path.resolve())
    if not files:
        raise NoSamples(f"paths={paths!r} (with suffixes={suffixes!r})", "SPEC 8")
    return TextFiles(tuple(files), unit)


def files_in(folder: Path, suffixes: Sequence[str] | None) -> list[Path]:
    """The files in a folder and its folders, by path, without hidden ones; links lead no deeper."""
    found = []
    for entry in sorted(folder.iterdir(), key=lambda path: path.name):
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            if not entry.is_symlink():
                found += files_in(entry, suffixes)
        elif entry.is_file() and (suffixes is None or unpacked(entry).suffix in suffixes):
            found.append(entry)
    return found


def unpacked(path: Path) -> Path:
    """The path without the suffix of its packing.

    >>> unpacked(Path("a.txt.gz")).name
    'a.txt'
    """
    return path.with_suffix("") if path.suffix in PACKED else path


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
    """As many neighbouring lines as have `MOST` characters, and at least one."""
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
    begun = ""
    for text in texts_of(path):
        *lines, begun = (begun + text).split("\n")
        for line in lines:
            *pieces, last = _pieces(line)
            yield from pieces
            yield last + "\n"
        *pieces, begun = _pieces(begun)
        yield from pieces
    if begun:
        yield begun


def _pieces(line: str) -> list[str]:
    """A line in pieces of at most `MOST` characters, cut at white space if there is some."""
    pieces = []
    while len(line) > MOST:
        border = 1 + max(line.rfind(space, MOST // 2, MOST) for space in " \t") or MOST
        pieces.append(line[:border])
        line = line[border:]
    return [*pieces, line]


def texts_of(path: Path) -> Iterator[str]:
    """The text of one file, block by block, a byte order mark left out."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    offset = 0
    mark = True
    for block in chain(blocks_of(path), (b"",)):
        waiting = decoder.getstate()[0]
        try:
            text = decoder.decode(block, final=not block)
        except UnicodeDecodeError as problem:  # what stands before it is good
            known, start = waiting + block, problem.start
            yield known[:start].decode("utf-8").removeprefix("\ufeff" if mark else "")
            raise NotUtf8(path, offset - len(waiting) + start, known[start]) from None
        offset += len(block)
        if text:
            yield text.removeprefix("\ufeff") if mark else text
            mark = False
