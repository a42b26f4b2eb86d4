"""Files that are whole or refused: what is written comes back, and nothing else does."""

from __future__ import annotations

import json
import os
import stat
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from saffu.errors import BadFile, BadOption, SaffuError
from saffu.files import check_writable, read_about, read_file, write_file, write_whole
from saffu.progress.unfinished_files import LOCKS
from saffu.types import Array

KINDS = ("?", "i1", "u2", "i4", "u8", "f2", "f4", "f8", "c8", "c16")

dtypes = st.tuples(st.sampled_from("<>"), st.sampled_from(KINDS)).map(
    lambda t: np.dtype("".join(t))
)
shapes = arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)
names = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True)
words = st.text(max_size=5)
numbers = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
)
plain = st.recursive(
    numbers | words, lambda x: st.lists(x, max_size=3) | st.dictionaries(words, x, max_size=3)
)
headers = st.dictionaries(words, plain, max_size=4)

HEADER = {"name": "Ada", "sizes": [2, 3], "rate": 0.1, "nested": {"yes": True, "no": None}}
ARRAYS = {"weights": np.arange(6, dtype=np.float64).reshape(2, 3) / 7, "ids": np.array([3, -5])}


@st.composite
def any_array(draw: st.DrawFn) -> Array:
    """Any entries (NaN among them), byte order, memory layout and stride."""
    array: Array = draw(arrays.arrays(draw(dtypes), draw(shapes)))
    layout = draw(st.sampled_from(("rows", "columns", "reversed", "strided")))
    if layout == "columns":
        return np.asfortranarray(array) if array.ndim else array
    if layout == "reversed" and array.ndim:
        return array[::-1]
    if layout == "strided" and array.ndim:
        return np.repeat(array, 2, axis=0)[::2]
    return array


def same(a: Array, b: Array) -> bool:
    """The same numbers bit by bit, whatever the byte order."""
    native = a.astype(a.dtype.newbyteorder("="))
    return native.dtype == b.dtype and native.shape == b.shape and native.tobytes() == b.tobytes()


def inside(folder: str | Path) -> list[str]:
    return sorted(path.name for path in Path(folder).iterdir())


def example(path: Path) -> Path:
    write_file(path, "test.example", 1, HEADER, ARRAYS)
    return path


# --- what is written comes back -----------------------------------------------------------------


@given(headers, st.dictionaries(names, any_array(), max_size=4), st.integers(1, 99))
def test_what_is_written_comes_back(
    header: dict[str, Any], contents: dict[str, Array], version: int
) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "file")
        write_file(path, "test", version, header, contents)
        got = read_file(str(path), "test", newest=version)
        assert got.header == header
        assert list(got.arrays) == sorted(contents)
        for name, array in contents.items():
            assert same(array, got.arrays[name])
            assert got.arrays[name].dtype.isnative
            assert got.arrays[name].flags.writeable
        about = read_about(path)
        assert (about.schema, about.version, about.header) == ("test", version, header)
        assert inside(folder) == ["file"]


@given(st.dictionaries(names, any_array(), min_size=2, max_size=3))
def test_equal_contents_give_equal_bytes(contents: dict[str, Array]) -> None:
    with TemporaryDirectory() as folder:
        one, two = Path(folder, "one"), Path(folder, "two")
        write_file(one, "test", 1, {"a": 1, "b": 2}, contents)
        other = {
            name: np.asfortranarray(x.astype(x.dtype.newbyteorder()))
            for name, x in reversed(contents.items())
            if x.ndim
        }
        scalars = {name: x for name, x in contents.items() if not x.ndim}
        os.utime(one, (0, 0))
        write_file(two, "test", 1, {"b": 2, "a": 1}, {**other, **scalars})
        assert one.read_bytes() == two.read_bytes()


def test_other_programs_can_read_it_too(tmp_path: Path) -> None:
    """The form, taken apart with what Python and NumPy bring along."""
    path = example(tmp_path / "file.npz")
    with np.load(path, allow_pickle=False) as loaded:
        for name, array in ARRAYS.items():
            np.testing.assert_array_equal(loaded[name], array)
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["about.json", "ids.npy", "weights.npy"]
        assert archive.testzip() is None
        about = json.loads(archive.read("about.json"))
    weights = sha256(ARRAYS["weights"].astype("<f8").tobytes(order="C")).hexdigest()
    assert about["arrays"]["weights"] == {"dtype": "<f8", "shape": [2, 3], "sha256": weights}
    assert about["header"] == HEADER


def test_a_large_array_comes_back(tmp_path: Path) -> None:
    """Larger than any buffer on the way."""
    array = np.random.default_rng(7).integers(0, 256, 5_000_011, dtype=np.uint8)
    write_file(tmp_path / "file", "test", 1, {}, {"a": array})
    np.testing.assert_array_equal(read_file(tmp_path / "file", "test").arrays["a"], array)


# --- what is not as it was written ----------------------------------------------------------------


@pytest.mark.usefixtures("as_users_call")
def test_any_changed_byte_is_refused_or_of_no_account(tmp_path: Path) -> None:
    """Dates and permissions of members may change: nobody reads them.  Everything else may not."""
    good = example(tmp_path / "good").read_bytes()
    bad = tmp_path / "bad"
    refused = 0
    for at in range(len(good)):
        bad.write_bytes(good[:at] + bytes([good[at] ^ (1 + at * 37 % 255)]) + good[at + 1 :])
        try:
            got = read_file(bad, "test.example")
        except BadFile:
            refused += 1
        else:
            assert got.header == HEADER, f"byte {at}"
            assert set(got.arrays) == set(ARRAYS), f"byte {at}"
            assert all(same(ARRAYS[name], got.arrays[name]) for name in ARRAYS), f"byte {at}"
    assert refused > 0.8 * len(good)


@pytest.mark.usefixtures("as_users_call")
def test_a_file_cut_short_anywhere_is_refused(tmp_path: Path) -> None:
    good = example(tmp_path / "good").read_bytes()
    bad = tmp_path / "bad"
    for length in range(len(good)):
        bad.write_bytes(good[:length])
        with pytest.raises(BadFile, match="no file of saffu" if length < 4 else "cut short"):
            read_file(bad, "test.example")


def rewritten(
    path: Path,
    change: Callable[[dict[str, bytes]], Any],
    *,
    packed: int = zipfile.ZIP_STORED,
) -> Path:
    """The example, its members changed, in a zip that is sound by itself."""
    with zipfile.ZipFile(example(path)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w", packed) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def npy(array: Array, *, allow_pickle: bool = False) -> bytes:
    out = BytesIO()
    np.lib.format.write_array(out, array, allow_pickle=allow_pickle)
    return out.getvalue()


def with_about(change: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, bytes]], None]:
    def changed(members: dict[str, bytes]) -> None:
        about = json.loads(members["about.json"])
        change(about)
        members["about.json"] = json.dumps(about).encode()

    return changed


def strange(description: str) -> bytes:
    """An array that is described by this text."""
    text = description.encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


class Bomb:
    """Unpickling it would leave a file."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("pickle-was-read"),))


CHANGES: dict[str, tuple[Callable[[dict[str, bytes]], Any], str]] = {
    "entries": (
        lambda m: m.update({"ids.npy": npy(np.array([3, -4]))}),
        "array 'ids' changed, its checksum does not match",
    ),
    "shape": (
        lambda m: m.update({"weights.npy": npy(ARRAYS["weights"].reshape(3, 2))}),
        "array 'weights' changed since",
    ),
    "columns": (
        lambda m: m.update({"weights.npy": npy(np.asfortranarray(ARRAYS["weights"]))}),
        "array 'weights' is not described as saffu",
    ),
    "type": (
        lambda m: m.update({"ids.npy": npy(np.array([3, -5]).astype("<u8"))}),
        "array 'ids' changed since",
    ),
    "short": (lambda m: m.update({"ids.npy": m["ids.npy"][:-3]}), "array 'ids' changed"),
    "long": (lambda m: m.update({"ids.npy": m["ids.npy"] + b"\0"}), "array 'ids' changed"),
    "no array": (lambda m: m.update({"ids.npy": b"hello"}), "damaged"),
    "empty": (lambda m: m.update({"ids.npy": b""}), "damaged"),
    "lost": (lambda m: m.pop("ids.npy"), r"lacks ids\.npy"),
    "added": (lambda m: m.update({"more.npy": npy(np.ones(2))}), r"also holds more\.npy"),
    "objects": (
        lambda m: m.update({"ids.npy": npy(np.array([Bomb()], object), allow_pickle=True)}),
        "in array 'ids', got object",
    ),
    "text": (lambda m: m.update({"ids.npy": npy(np.array(["a"]))}), "in array 'ids', got <U1"),
    "records": (
        lambda m: m.update({"ids.npy": npy(np.zeros(2, [("a", "i4")]))}),
        "expected numbers or booleans",
    ),
    "nameless": (lambda m: m.pop("about.json"), r"holds no about\.json"),
    "no JSON": (lambda m: m.update({"about.json": b"{"}), "damaged"),
    "deep": (lambda m: m.update({"about.json": b"[" * 100_000}), "damaged"),
    "no UTF-8": (lambda m: m.update({"about.json": b"\xff\xfe\xfd"}), "damaged"),
    "a list": (lambda m: m.update({"about.json": b"[]"}), "does not say"),
    "no version": (with_about(lambda a: a.pop("version")), "does not say"),
    "wrong types": (with_about(lambda a: a.update(header=[])), "does not say"),
    "vague": (with_about(lambda a: a["arrays"].update(ids=7)), "array 'ids' changed"),
    "checksum": (
        with_about(lambda a: a["arrays"]["ids"].update(sha256="0" * 64)),
        "array 'ids' changed, its checksum does not match",
    ),
    "version": (with_about(lambda a: a.update(version=0)), "expected a version >= 1, got 0"),
    "NaN": (with_about(lambda a: a["header"].update(x=float("nan"))), "damaged"),
    "brackets": (
        lambda m: m.update({"ids.npy": strange("(" * 3000 + ")" * 3000)}),
        "damaged|array 'ids'",
    ),
    "format": (with_about(lambda a: a.update(saffu_file=2)), "expected format 1, got 2"),
    "newer": (with_about(lambda a: a.update(version=2)), "expected version 1 of .*, got version 2"),
    "schema": (
        with_about(lambda a: a.update(schema="x")),
        "expected a record of schema 'test.example', got 'x'",
    ),
}


@pytest.mark.parametrize("kind", list(CHANGES))
def test_what_was_changed_is_refused(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    change, message = CHANGES[kind]
    path = rewritten(tmp_path / "file", change)
    with pytest.raises(BadFile, match=message) as refusal:
        read_file(path, "test.example")
    assert refusal.value.path == path
    assert isinstance(refusal.value, SaffuError)
    assert str(path) in str(refusal.value)
    assert inside(tmp_path) == ["file"], "something was unpickled"


def test_the_unchanged_members_in_another_zip_are_read(tmp_path: Path) -> None:
    """So the refusals above come from the changes."""
    path = rewritten(tmp_path / "file", lambda _: None)
    assert read_file(path, "test.example").header == HEADER


def test_packed_members_are_refused(tmp_path: Path) -> None:
    path = rewritten(tmp_path / "file", lambda _: None, packed=zipfile.ZIP_DEFLATED)
    with pytest.raises(BadFile, match="packed"):
        read_file(path, "test.example")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_twice_is_refused(tmp_path: Path) -> None:
    path = example(tmp_path / "file")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("ids.npy", npy(np.array([3, -5])))
    with pytest.raises(BadFile, match=r"holds ids\.npy twice"):
        read_file(path, "test.example")


def npy_saying(description: str) -> bytes:
    """An array of two float64 that is described like this."""
    text = description.ljust(118).encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + bytes(16)


DESCRIPTIONS = {
    "vast": "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,)}",
    "vaster": f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({2**62}, {2**62})}}",
    "negative": "{'descr': '<f8', 'fortran_order': False, 'shape': (-1, -2)}",
    "no numbers": "{'descr': '<f8', 'fortran_order': False, 'shape': ('2',)}",
    "a truth": "{'descr': '<f8', 'fortran_order': False, 'shape': (2, True)}",
    "no type": "{'descr': 'nonsense', 'fortran_order': False, 'shape': (2,)}",
    "no type at all": "{'descr': 3.5, 'fortran_order': False, 'shape': (2,)}",
    "more": "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), 'more': 1}",
    "less": "{'descr': '<f8', 'fortran_order': False}",
    "a call": "__import__('pathlib').Path('was-run').touch()",
    "endless": "{'descr': '<f8', 'fortran_order': False, 'shape': (2,",
    "deep": "-" * 3000 + "1",
    "long": " " * 5000,
}


@pytest.mark.parametrize("kind", list(DESCRIPTIONS))
def test_arrays_that_are_described_strangely_are_refused(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without taking the memory that is announced, and without running anything."""
    monkeypatch.chdir(tmp_path)
    strange = npy_saying(DESCRIPTIONS[kind])
    path = rewritten(tmp_path / "file", lambda m: m.update({"ids.npy": strange}))
    with pytest.raises(BadFile, match=r"damaged|'ids' changed"):
        read_file(path, "test.example")
    assert inside(tmp_path) == ["file"]


def test_the_same_described_as_it_is_is_read(tmp_path: Path) -> None:
    """So the refusals above come from the descriptions."""
    plain = npy_saying("{'descr': '<f8', 'fortran_order': False, 'shape': (2,)}")
    digest = sha256(bytes(16)).hexdigest()
    said = {"dtype": "<f8", "shape": [2], "sha256": digest}

    def change(members: dict[str, bytes]) -> None:
        members["ids.npy"] = plain
        with_about(lambda a: a["arrays"].update(ids=said))(members)

    path = rewritten(tmp_path / "file", change)
    assert read_file(path, "test.example").arrays["ids"].tolist() == [0, 0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no file of saffu"),
        (b"a diary, in plain words", "no file of saffu"),
        (b"\x80\x04K\x01.", "no file of saffu"),
        (b"PK\x03\x04 and so on", "cut short"),
    ],
    ids=["empty", "text", "pickle", "beginning"],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "file").write_bytes(content)
    for read in (lambda p: read_file(p, "test"), read_about):
        with pytest.raises(BadFile, match=message):
            read(tmp_path / "file")


def test_an_npz_of_somebody_else_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "file.npz", a=np.ones(2))
    with pytest.raises(BadFile, match=r"no file of saffu: it holds no about\.json"):
        read_file(tmp_path / "file.npz", "test")


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="there is no such file"):
        read_file(tmp_path / "nowhere", "test")
    with pytest.raises(BadFile, match="expected a regular file, got a folder"):
        read_file(tmp_path, "test")
    os.mkfifo(tmp_path / "pipe")
    for read in (lambda path: read_file(path, "test"), read_about):
        with pytest.raises(BadFile, match="expected a regular file, got a pipe or a device"):
            read(tmp_path / "pipe")


def test_a_newer_version_is_read_by_who_knows_it(tmp_path: Path) -> None:
    write_file(tmp_path / "file", "test", 3, HEADER, {})
    assert read_file(tmp_path / "file", "test", newest=3).header == HEADER
    with pytest.raises(BadFile, match="update saffu"):
        read_file(tmp_path / "file", "test", newest=2)


# --- what is not written --------------------------------------------------------------------------

UNWRITABLE: dict[str, tuple[Mapping[str, Any], Mapping[str, Any], str]] = {
    "objects": (
        {},
        {"a": np.array([None, 1], object)},
        r"arrays\['a'\]\.dtype must be .*, got 'object'",
    ),
    "text": ({}, {"a": np.array(["x"])}, "no objects, text or records, got '<U1'"),
    "records": ({}, {"a": np.zeros(2, [("x", "f8")])}, "no objects, text or records"),
    "dates": ({}, {"a": np.array(["2024-05-02"], "M8[D]")}, "datetime64"),
    "extended": ({}, {"a": np.zeros(2, np.longdouble)}, "up to 64 bits"),
    "no array": ({}, {"a": [1.0, 2.0]}, r"np\.asarray"),
    "no name": ({}, {"": np.ones(2)}, "named with letters"),
    "a path": ({}, {"../a": np.ones(2)}, "named with letters"),
    "a space": ({}, {"a b": np.ones(2)}, "named with letters"),
    "hidden": ({}, {".a": np.ones(2)}, "named with letters"),
    "tuple": ({"a": (1, 2)}, {}, "no tuples"),
    "number as key": ({"a": {1: 2}}, {}, "as JSON has them"),
    "NaN": ({"a": float("nan")}, {}, "finite numbers"),
    "infinity": ({"a": [float("inf")]}, {}, "finite numbers"),
    "array in the header": ({"a": np.ones(2)}, {}, "as JSON has them"),
    "bytes": ({"a": b"x"}, {}, "made of strings"),
}


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize("kind", list(UNWRITABLE))
def test_what_would_not_come_back_is_not_written(kind: str, tmp_path: Path) -> None:
    header, contents, message = UNWRITABLE[kind]
    if kind == "extended" and np.dtype(np.longdouble).itemsize == 8:
        pytest.skip("this machine has no longer numbers than 64 bits")
    before = example(tmp_path / "file").read_bytes()
    with pytest.raises(BadOption, match=message):
        write_file(tmp_path / "file", "test", 1, header, contents)
    assert (tmp_path / "file").read_bytes() == before
    assert inside(tmp_path) == ["file"]


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize("version", [0, -1, 1.5, "1", True])
def test_versions_are_counted_from_one(version: Any, tmp_path: Path) -> None:
    with pytest.raises(BadOption, match="version"):
        write_file(tmp_path / "file", "test", version, {}, {})


# --- whole or not at all --------------------------------------------------------------------------


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, ZeroDivisionError])
def test_a_failure_in_the_middle_leaves_no_trace(
    error: type[BaseException], tmp_path: Path
) -> None:
    before = example(tmp_path / "file").read_bytes()

    def half(file: IO[bytes]) -> None:
        file.write(before[:100])
        raise error

    with pytest.raises(error):
        write_whole(tmp_path / "file", half)
    assert (tmp_path / "file").read_bytes() == before
    assert inside(tmp_path) == ["file"]


def test_a_full_disk_leaves_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = example(tmp_path / "file").read_bytes()

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BadFile, match="No space left on device"):
        write_file(tmp_path / "file", "test", 1, {}, {"a": np.ones(3)})
    assert (tmp_path / "file").read_bytes() == before
    assert inside(tmp_path) == ["file"]


def test_places_that_cannot_be_written_are_named(tmp_path: Path) -> None:
    example(tmp_path / "file")
    for place in (tmp_path / "no" / "folder", tmp_path / "file" / "below", tmp_path):
        with pytest.raises(BadFile, match="cannot be written"):
            write_file(place, "test", 1, {}, {})
    assert inside(tmp_path) == ["file"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "file")
    example(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert read_file(tmp_path / "file", "test.example").header == HEADER


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444])
def test_a_file_that_is_replaced_keeps_its_permissions(tmp_path: Path, mode: int) -> None:
    path = example(tmp_path / "private")
    path.chmod(mode)
    write_file(path, "test.example", 1, {}, {})
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_no_file_takes_the_place_of_a_pipe_a_device_or_a_folder(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    for place in ("pipe", "folder", "link"):
        for use in (check_writable, lambda path: write_file(path, "test", 1, {}, {})):
            with pytest.raises(BadFile, match="expected a regular file or nothing there"):
                use(tmp_path / place)
    assert (tmp_path / "pipe").is_fifo()
    assert (tmp_path / "folder").is_dir()


def test_whether_a_place_can_be_written_is_found_out_without_a_trace(tmp_path: Path) -> None:
    check_writable(example(tmp_path / "there"))
    check_writable(tmp_path / "new")
    assert [path.name for path in tmp_path.iterdir()] == ["there"]
    with pytest.raises(BadFile, match="it cannot be written"):
        check_writable(tmp_path / "nowhere" / "new")


def test_the_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"")
    mode = example(tmp_path / "file").stat().st_mode
    assert mode == (tmp_path / "other").stat().st_mode


KILLED_IN_THE_MIDDLE = """
import sys
from saffu.files import write_whole

def half(file):
    file.write(b"PK" * 5000)
    file.flush()
    print("half", flush=True)
    sys.stdin.read()            # until killed

write_whole(sys.argv[1], half)
"""

ALWAYS_WRITING = """
import sys
import numpy as np
from saffu.files import write_file

for number in range(1_000_000):
    write_file(sys.argv[1], "test", 1, {"number": number}, {"a": np.full(50_000, number)})
    print(number, flush=True)
"""


def started(program: str, path: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_run_killed_in_the_middle_of_writing_leaves_the_last_good_file(tmp_path: Path) -> None:
    before = example(tmp_path / "file").read_bytes()
    with started(KILLED_IN_THE_MIDDLE, tmp_path / "file") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "half\n"
        process.kill()
    (remains,) = set(inside(tmp_path)) - {"file"}
    assert remains.startswith(".file.")
    assert remains.endswith(".writing")
    assert (tmp_path / "file").read_bytes() == before
    assert example(tmp_path / "file").read_bytes() == before, "the remains stand in nobody's way"
    if LOCKS:
        assert inside(tmp_path) == ["file"], "who writes the file again removes them"


def test_a_run_killed_at_any_time_leaves_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for lines in (1, 3, 8):
        with started(ALWAYS_WRITING, path) as process:
            assert process.stdout is not None
            finished = [int(process.stdout.readline()) for _ in range(lines)][-1]
            during = read_file(path, "test")
            process.kill()
        after = read_file(path, "test")
        for got in (during, after):
            number = got.header["number"]
            assert number >= finished
            np.testing.assert_array_equal(got.arrays["a"], np.full(50_000, number))
