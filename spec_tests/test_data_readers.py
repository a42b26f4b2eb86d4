"""Readers: files become documents, and what is wrong with a file is said with its place."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import re
import stat
import sys
import threading
import tracemalloc
from base64 import b64encode
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from saffu.data import bible, prose, read_documents
from saffu.data import packing as packing_module
from saffu.data import prose as prose_of_corpora
from saffu.data import readers as readers_module
from saffu.errors import BadFile, BadOption, Missing, NoSamples, NotUtf8

PACK: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".xz": partial(lzma.compress, preset=0),
    ".bz2": bz2.compress,
    ".zst": zstandard.ZstdCompressor(write_checksum=True).compress,
}
lines = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=9)
newlines = st.sampled_from(["\n", "\r\n"])


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def blank(line: str) -> bool:
    return not line.strip()


# --- units ------------------------------------------------------------------------------------


@given(st.lists(lines, max_size=13), newlines, st.booleans(), st.sampled_from(list(PACK)))
def test_units_are_lines_paragraphs_and_files(
    lines: list[str], newline: str, mark: bool, packing: str
) -> None:
    text = newline.join(lines)
    paragraphs: list[list[str]] = [[]]
    for line in lines:
        if blank(line):
            paragraphs.append([])
        else:
            paragraphs[-1].append(line)
    with TemporaryDirectory() as folder:
        content = text.encode("utf-8-sig" if mark else "utf-8")
        path = write(Path(folder, f"text.txt{packing}"), PACK[packing](content))
        if lines and lines[0].startswith("\ufeff") and not mark:
            return  # the text begins with what a byte order mark looks like
        assert list(read_documents(path, unit="line")) == [
            line for line in lines if not blank(line)
        ]
        assert list(read_documents(path)) == ["\n".join(each) for each in paragraphs if each]
        assert list(read_documents(path, unit="file")) == ([] if blank(text) else [text])


def test_a_byte_order_mark_may_open_any_line(tmp_path: Path) -> None:
    """Files that were joined to one have several; within a line the character is text."""
    path = write(tmp_path / "a.txt", "\ufeff\ufeffone\n\ufefftwo \ufeff\n\ufeff\nthree")
    assert list(read_documents(path, unit="line")) == ["\ufeffone", "two \ufeff", "three"]
    assert list(read_documents(path)) == ["\ufeffone\ntwo \ufeff", "three"]


@given(st.lists(lines, max_size=13), st.integers(1, 11))
def test_a_carriage_return_alone_ends_a_line(lines: list[str], block: int) -> None:
    text = "\r".join(lines)
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        path = write(Path(folder, "a.txt"), text)
        patch.setattr(packing_module, "BLOCK", block)
        expected = [line.removeprefix("\ufeff") for line in lines]
        got = list(read_documents(path, unit="line"))
        assert got == [line for line in expected if not blank(line)]


def test_names_in_capitals_are_unpacked_too(tmp_path: Path) -> None:
    for packing, pack in PACK.items():
        write(tmp_path / f"A.TXT{packing.upper()}", pack(packing.encode() + b" text"))
    texts = {f"{packing} text" for packing in PACK}
    assert set(read_documents(tmp_path, suffixes=[".txt"])) == texts


def test_documents_are_read_anew_each_time(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "one\n\ntwo")
    documents = read_documents(path)
    assert list(documents) == list(documents) == ["one", "two"]
    path.write_text("three")
    assert list(documents) == ["three"]


def test_reading_holds_one_document_at_a_time(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", b"good\n\nstill good\n\n\xff")
    documents = iter(read_documents(path))
    assert next(documents) == "good"
    assert next(documents) == "still good"
    with pytest.raises(NotUtf8):
        next(documents)


# --- what is long -----------------------------------------------------------------------------


@given(
    st.lists(st.text("aé√ \t\r\n\ufeff", max_size=40), max_size=9),
    st.sampled_from(list(PACK)),
    st.integers(1, 29),
)
def test_blocks_of_any_size_give_the_same_documents(
    texts: list[str], packing: str, block: int
) -> None:
    """A character, a line or a byte order mark may lie in two blocks."""
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        path = write(Path(folder, f"a{packing}"), PACK[packing]("\n".join(texts).encode()))
        whole = [list(read_documents(path, unit=unit)) for unit in readers_module.UNITS]
        patch.setattr(packing_module, "BLOCK", block)
        patch.setattr(packing_module, "SMALL", block)
        assert [list(read_documents(path, unit=unit)) for unit in readers_module.UNITS] == whole


@given(st.text("ab \n", min_size=1, max_size=300), st.integers(2, 40), st.integers(1, 50))
def test_what_is_too_long_is_cut_and_nothing_is_lost(text: str, most: int, block: int) -> None:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        path = write(Path(folder, "a.txt"), text)
        patch.setattr(packing_module, "BLOCK", block)
        patch.setattr(readers_module, "MOST", most)
        for unit in readers_module.UNITS:
            documents = list(read_documents(path, unit=unit))
            assert all(len(document) <= most + 1 for document in documents)  # its end is one more
            assert re.sub(r"\s", "", "".join(documents)) == re.sub(r"\s", "", text)
        short = [line for line in text.split("\n") if line.strip() and len(line) <= most]
        assert set(short) <= set(read_documents(path, unit="line"))


def test_a_long_line_is_cut_at_white_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers_module, "MOST", 10)
    path = write(tmp_path / "a.txt", "one two three four five\nsix\n0123456789abcdef")
    assert list(read_documents(path, unit="line")) == [
        "one two ",
        "three ",
        "four five",
        "six",
        "0123456789",
        "abcdef",
    ]


@pytest.mark.parametrize("packing", list(PACK))
def test_one_endless_line_needs_no_more_memory_than_a_document(
    tmp_path: Path, packing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers_module, "MOST", 1 << 18)
    monkeypatch.setattr(packing_module, "BLOCK", 1 << 16)
    words = b64encode(Random(3).randbytes(9_000_000)).replace(b"+", b" ")
    path = write(tmp_path / f"a{packing}", PACK[packing](words))
    tracemalloc.start()
    try:
        length = sum(len(document) for document in read_documents(path, unit="line"))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert length == len(words)
    assert peak < 8 * (1 << 18) < length / 4


# --- folders ----------------------------------------------------------------------------------


def folder_of_files(root: Path) -> Path:
    for name in ("b.txt", "a/z.txt", "a/b/c.md", "B.txt", "c.txt.gz", "a.txt", "a-b.txt"):
        content = PACK[".gz" if name.endswith(".gz") else ""](name.encode())
        write(root / name, content)
    for name in (".hidden.txt", ".git/d.txt", "a/.e/f.txt"):
        write(root / name, "hidden")
    return root


def test_folders_are_read_whole_in_the_order_of_paths(tmp_path: Path) -> None:
    folder = folder_of_files(tmp_path)
    expected = ["B.txt", "a/b/c.md", "a/z.txt", "a-b.txt", "a.txt", "b.txt", "c.txt.gz"]
    assert list(read_documents(folder)) == expected
    assert list(read_documents(str(folder))) == expected


def test_suffixes_pick_the_files_of_folders(tmp_path: Path) -> None:
    folder = folder_of_files(tmp_path)
    assert list(read_documents(folder, suffixes=[".md"])) == ["a/b/c.md"]
    assert "c.txt.gz" in list(read_documents(folder, suffixes=(".txt",)))
    by_name = read_documents([folder / "b.txt", folder / "a"], suffixes=(".md",))
    assert list(by_name) == ["b.txt", "a/b/c.md"]


def test_a_hidden_file_is_read_when_it_is_named(tmp_path: Path) -> None:
    folder = folder_of_files(tmp_path)
    assert list(read_documents(folder / ".hidden.txt")) == ["hidden"]
    assert list(read_documents(folder / ".git")) == ["hidden"]


def test_links_lead_to_files_and_not_into_folders(tmp_path: Path) -> None:
    """What is left out of a folder is said."""
    outside = write(tmp_path / "outside" / "x.txt", "linked")
    inside = tmp_path / "inside"
    write(inside / "y.txt", "here")
    (inside / "file.txt").symlink_to(outside)
    (inside / "round").symlink_to(inside)
    (inside / "gone.txt").symlink_to(tmp_path / "nothing")
    os.mkfifo(inside / "pipe")
    documents = read_documents(inside)
    assert list(documents) == ["linked", "here"]
    assert documents.skipped == (
        (inside / "gone.txt", "a link to nothing"),
        (inside / "pipe", "no regular file"),
        (inside / "round", "a link to a folder"),
    )


# --- fingerprints -----------------------------------------------------------------------------


def test_a_fingerprint_follows_contents_and_not_places(tmp_path: Path) -> None:
    for place in ("one", "two"):
        write(tmp_path / place / "a.txt", "first")
        write(tmp_path / place / "b.txt", "second")
    one, two = (read_documents(tmp_path / place).fingerprint for place in ("one", "two"))
    assert one == two
    assert read_documents(tmp_path / "one", unit="file").fingerprint != one
    assert read_documents(tmp_path / "one" / "a.txt").fingerprint != one
    backwards = read_documents([tmp_path / "two" / name for name in ("b.txt", "a.txt")])
    assert backwards.fingerprint != one
    write(tmp_path / "two" / "b.txt", "2nd")
    assert read_documents(tmp_path / "two").fingerprint != one


def test_a_fingerprint_follows_the_way_of_unpacking(tmp_path: Path) -> None:
    """The same bytes under another name are other documents, if the name has them unpacked."""
    content = gzip.compress(b"a\nb\n")
    packed = read_documents(write(tmp_path / "a.gz", content))
    shouted = read_documents(write(tmp_path / "b.GZ", content))
    plain = read_documents(write(tmp_path / "a.txt", content))
    assert packed.fingerprint == shouted.fingerprint != plain.fingerprint


# --- streams ----------------------------------------------------------------------------------


@pytest.mark.parametrize("packing", ["", ".gz"])
def test_a_pipe_is_read_once_and_its_documents_any_number_of_times(
    tmp_path: Path, packing: str
) -> None:
    pipe = tmp_path / f"pipe{packing}"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(PACK[packing](b"one\n\ntwo")))
    writer.start()
    documents = read_documents([pipe, write(tmp_path / "a.txt", "three")])
    writer.join()
    assert list(documents) == list(documents) == ["one", "two", "three"]
    (kept,) = (path for path in documents.files if path.name == pipe.name)
    del documents
    assert not kept.exists()


def test_a_hyphen_is_the_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with write(tmp_path / "a.txt", "one\n\ntwo").open() as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        documents = read_documents("-")
    assert list(documents) == list(documents) == ["one", "two"]
    assert documents.fingerprint == read_documents(tmp_path / "a.txt").fingerprint
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(BadFile, match="standard input: it is closed"):
        read_documents("-")


# --- refusals ---------------------------------------------------------------------------------


def test_an_empty_path_is_refused_and_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "a.txt", "private")
    monkeypatch.chdir(tmp_path)
    for paths in ("", [""], ["a.txt", ""]):
        with pytest.raises(BadOption, match="names of files or folders"):
            read_documents(paths)


@pytest.mark.parametrize(
    ("codec", "mark", "advice"),
    [
        ("utf-16-le", b"\xff\xfe", "iconv -f UTF-16 -t UTF-8"),
        ("utf-16-be", b"\xfe\xff", "iconv -f UTF-16 -t UTF-8"),
        ("utf-32-le", b"\xff\xfe\0\0", "iconv -f UTF-32 -t UTF-8"),
        ("utf-16-le", b"", "iconv -f UTF-16LE -t UTF-8"),
    ],
)
def test_utf16_gets_the_advice_that_mends_it(
    tmp_path: Path, codec: str, mark: bytes, advice: str
) -> None:
    path = write(tmp_path / "a.txt", mark + "A word and some more.".encode(codec))
    for unit in ("line", "paragraph", "file"):
        with pytest.raises(BadFile, match=advice):
            list(read_documents(path, unit=unit))


@pytest.mark.parametrize("packing", list(PACK))
def test_nul_is_refused_with_its_place(tmp_path: Path, packing: str) -> None:
    path = write(tmp_path / f"a{packing}", PACK[packing]("é\nmore\0text".encode()))
    with pytest.raises(BadFile, match="byte 7 is NUL, which no text has"):
        list(read_documents(path))


def test_the_first_of_two_faults_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="byte 1 is NUL"):
        list(read_documents(write(tmp_path / "a.txt", b"a\0\xff")))
    with pytest.raises(NotUtf8, match=r"byte 1 \(0xff\)"):
        list(read_documents(write(tmp_path / "b.txt", b"a\xff\0")))


@pytest.mark.parametrize("packing", [".gz", ".xz", ".bz2", ".zst"])
def test_a_compressed_file_without_a_byte_is_refused(tmp_path: Path, packing: str) -> None:
    for name in (f"a{packing}", f"A{packing.upper()}"):
        with pytest.raises(BadFile, match=rf"it is empty, which no \{packing} is"):
            list(read_documents([write(tmp_path / name, b""), write(tmp_path / "b.txt", "b")]))


@pytest.mark.parametrize("packing", [".gz", ".xz", ".bz2", ".zst"])
@pytest.mark.parametrize("place", range(6))
def test_damage_at_the_beginning_of_a_later_member_is_refused(
    tmp_path: Path, packing: str, place: int
) -> None:
    """Readers of the standard library take it for the end of the file."""
    first, second = PACK[packing](b"one\n" * 40), bytearray(PACK[packing](b"two\n" * 40))
    second[min(place, 3 if packing in (".gz", ".zst") else 5)] ^= 0xFF
    path = write(tmp_path / f"a{packing}", first + bytes(second))
    with pytest.raises(BadFile, match="cannot be unpacked"):
        list(read_documents(path))


def test_padding_between_members_of_xz_is_no_end(tmp_path: Path) -> None:
    one, two = (PACK[".xz"](text) for text in (b"one\n", b"two\n"))
    for padding in (4, 8, 2048):
        path = write(tmp_path / "a.xz", one + bytes(padding) + two + bytes(padding))
        assert list(read_documents(path, unit="line")) == ["one", "two"]
    with pytest.raises(BadFile, match="cannot be unpacked"):
        list(read_documents(write(tmp_path / "a.xz", one + bytes(3) + two)))


@given(st.text("aé√\n"), st.sampled_from(list(PACK)))
def test_the_first_byte_that_is_not_utf8_is_named(before: str, packing: str) -> None:
    content = before.encode() + b"\xe9 as in latin-1"
    with TemporaryDirectory() as folder:
        path = write(Path(folder, f"a{packing}"), PACK[packing](content))
        for unit in ("line", "paragraph", "file"):
            with pytest.raises(NotUtf8, match=r"is not UTF-8") as caught:
                list(read_documents(path, unit=unit))
            assert caught.value.path == path
            assert caught.value.offset == len(before.encode())
            assert f"byte {caught.value.offset} (0xe9)" in str(caught.value)


@pytest.mark.parametrize("packing", [".gz", ".xz", ".bz2", ".zst"])
@pytest.mark.parametrize("harm", ["plain", "cut", "changed"])
def test_broken_packing_is_refused(tmp_path: Path, packing: str, harm: str) -> None:
    packed = bytearray(PACK[packing](b"some words\n" * 100))
    if harm == "cut":
        del packed[-9:]
    if harm == "changed":
        packed[len(packed) // 2] ^= 0xFF
    path = write(tmp_path / f"a{packing}", b"plain" if harm == "plain" else bytes(packed))
    with pytest.raises(BadFile, match="cannot be unpacked") as caught:
        list(read_documents(path))
    assert caught.value.path == path


def test_frames_follow_one_another_in_one_file(tmp_path: Path) -> None:
    for packing, pack in PACK.items():
        path = write(tmp_path / f"a{packing}", pack(b"one\n") + pack(b"two\n"))
        assert list(read_documents(path, unit="line")) == ["one", "two"]
    cut = PACK[".zst"](b"one\n") + PACK[".zst"](b"two\n" * 99)[:-5]
    with pytest.raises(BadFile, match="cannot be unpacked"):
        list(read_documents(write(tmp_path / "cut.zst", cut)))


def test_an_archive_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    for name in ("a.zip", "b.tar.gz", "c.TAR", "d.7z"):
        path = write(tmp_path / name / name, b"whatever")
        for paths in (path, path.parent):
            with pytest.raises(BadFile, match=r"it is packed as \.\w+, which is not read"):
                read_documents(paths)
    write(tmp_path / "mixed" / "a.zip", b"whatever")
    write(tmp_path / "mixed" / "a.v1.tar.txt", b"text")
    assert list(read_documents(tmp_path / "mixed", suffixes=[".txt"])) == ["text"]


def test_without_zstandard_its_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.txt.zst", PACK[".zst"](b"text"))
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(Missing, match=r"a\.txt\.zst needs .*pip install 'saffu\[zstd\]'"):
        list(read_documents(path))


def test_a_packed_file_that_went_away_is_no_broken_packing(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gz", gzip.compress(b"a"))
    documents = read_documents(path)
    path.unlink()
    with pytest.raises(FileNotFoundError):
        list(documents)


def test_paths_that_are_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="neither a file nor a folder"):
        read_documents(tmp_path / "nothing")


def test_a_file_given_twice_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a" / "b.txt", "b")
    with pytest.raises(BadFile, match="given twice"):
        read_documents([path, tmp_path / "a"])
    with pytest.raises(BadFile, match="given twice"):
        read_documents([path, tmp_path / "a" / ".." / "a" / "b.txt"])


def test_no_files_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", "a")
    for paths, suffixes in (([], None), (tmp_path, [".md"])):
        with pytest.raises(NoSamples):
            read_documents(paths, suffixes=suffixes)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"unit": "page"}, r"unit must be 'paragraph' or 'line' or 'file'.*, got 'page'"),
        ({"suffixes": ".txt"}, r"suffixes must be a list.*, got '.txt'"),
        ({"suffixes": ["txt"]}, r"suffixes must be a list.*, got \['txt'\]"),
    ],
    ids=["unit", "text", "point"],
)
def test_wrong_options_are_refused(tmp_path: Path, options: dict[str, str], message: str) -> None:
    with pytest.raises(BadOption, match=message):
        read_documents(write(tmp_path / "a.txt", "a"), **options)


# --- the prose in every Python ----------------------------------------------------------------


@pytest.fixture(scope="module")
def documents() -> list[str]:
    return prose()


def test_prose_is_plenty_and_in_english(documents: list[str]) -> None:
    words = re.findall(r"\w+", " ".join(documents).lower())
    assert len(words) > 100_000
    assert words.count("the") > 0.04 * len(words)
    assert any("An identifier occurring as an atom is a name." in each for each in documents)
    assert any(
        "Dict subclass for counting hashable items. Sometimes called a bag" in each
        for each in documents
    )


def test_prose_is_running_text_and_each_document_stands_once(documents: list[str]) -> None:
    assert len(set(documents)) == len(documents)
    for document in documents:
        assert ">>>" not in document
        for paragraph in document.split("\n"):
            assert len(paragraph.split()) >= 8
            assert paragraph.rstrip("\"')")[-1] in ".?!:"
            assert paragraph == " ".join(paragraph.split())


def test_sources_are_parsed_and_never_run(documents: list[str]) -> None:
    assert documents
    assert not {"antigravity", "this"} & set(sys.modules)


SOURCE = '''
"""This module is documented by one sentence of enough words."""

def f(x):
    """Return the argument as it is, which is not much.

    The second paragraph
    goes over two lines of the source text.

        indented = code() + that_is_no(prose)

    Options that this function understands are these:
        the first one is explained in more than a few words.

    >>> f(1)
    1

    Arguments: x.
    """
    if x:
        class Inner:
            """A class within a function also has a docstring here."""
    try:
        pass
    finally:
        async def g():
            """Functions in a branch that cleans up are found as well."""

raise SystemExit("this source must not be run")
'''


def test_docstrings_are_found_in_the_order_of_the_source(tmp_path: Path) -> None:
    path = write(tmp_path / "module.py", SOURCE)
    write(tmp_path / "short.py", '"""One docstring is not worth the time that parsing takes."""')
    from saffu.data.prose import docstrings, running_text

    found = [running_text(text) for text in docstrings([path, tmp_path / "short.py"])]
    assert found == [
        ["This module is documented by one sentence of enough words."],
        [
            "Return the argument as it is, which is not much.",
            "The second paragraph goes over two lines of the source text.",
        ],
        ["A class within a function also has a docstring here."],
        ["Functions in a branch that cleans up are found as well."],
    ]


def test_tests_and_installed_packages_are_no_library() -> None:
    from saffu.data.prose import library

    paths = library()
    assert paths == sorted(paths)
    assert {"abc.py", "typing.py"} <= {path.name for path in paths}
    assert not any({"test", "site-packages"} & set(path.parts) for path in paths)


def test_a_python_without_its_library_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sysconfig.get_path", lambda _: str(tmp_path))
    with pytest.raises(NoSamples, match="standard library"):
        prose_of_corpora()
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    with pytest.raises(Missing, match="pydoc_data"):
        prose_of_corpora()


# --- the Bible --------------------------------------------------------------------------------


def program(path: Path, body: str) -> str:
    """A program that stands in for Debian's `bible`."""
    path.write_text(f"#!{sys.executable}\nimport sys\n{body}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


ALL = """
assert sys.argv[1:] == ["-f", "gen1:1-rev22:21"], sys.argv
for chapter in range(1189):
    for verse in range(1, 4):
        print(f"{chapter % 3 + 1}Sa{chapter}:{verse} And {chapter}, {verse}:1 it was so.")
"""


def test_chapters_are_documents_without_labels(tmp_path: Path) -> None:
    chapters = bible(program(tmp_path / "bible", ALL))
    assert len(chapters) == 1189
    assert chapters[7] == "\n".join(f"And 7, {verse}:1 it was so." for verse in (1, 2, 3))


def test_a_missing_program_is_named_with_its_remedy() -> None:
    with pytest.raises(Missing, match=r"'no-such-bible'.*apt-get install bible-kjv"):
        bible("no-such-bible")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("print('Ge1:1 In the beginning.')", "printed 1 chapters of 1189"),
        ("", "printed 0 chapters of 1189"),
        ("print('Ge1:1 In the beginning.\\nUsage: bible')", "line 2 of its output is 'Usage"),
        ("sys.stdout.buffer.write(b'\\xff\\n')", "line 1 of its output"),
        ("sys.exit(3)", "exit status 3"),
    ],
    ids=["few", "none", "usage", "bytes", "failed"],
)
def test_another_program_is_refused(tmp_path: Path, body: str, message: str) -> None:
    with pytest.raises(BadFile, match=message):
        bible(program(tmp_path / "bible", body))


def test_a_file_that_is_no_program_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="Permission denied"):
        bible(str(write(tmp_path / "bible", "text")))
