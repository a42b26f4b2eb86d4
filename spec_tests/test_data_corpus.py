"""Corpora: one order in any chunks, the same on disk and in memory, in parts and whole."""

from __future__ import annotations

import gzip
import json
import random
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from itertools import permutations
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saffu.data import corpus as corpus_module
from saffu.data import count_tokens, read_documents
from saffu.data import store as store_module
from saffu.data.cache import COLUMNS, cache_folder, fingerprint_of
from saffu.data.corpus import Corpus
from saffu.data.order import shuffled, splitmix
from saffu.data.store import InMemory, gather
from saffu.data.tokenisers import Characters, Words
from saffu.data.vocabulary import Vocabulary
from saffu.errors import (
    BadFile,
    BadOption,
    NoSamples,
    NotUtf8,
    SaffuError,
    TokenOutOfRange,
)
from saffu.positions import MARKERS, UNKNOWN, Samples, make_samples
from saffu.progress.unfinished_files import LOCKS
from saffu.types import IntArray

VOCABULARY = Vocabulary((*MARKERS, "a", "b", "c"), (1, 1, 0, 3, 2, 1))
"""`d` is unknown to it."""
TEXTS = ["abcd", "", "b", "cab", "ddd", "aaaaaaa", "bc", "b", "acacacacaca"]

texts = st.lists(st.text(alphabet="abcdé", max_size=11), min_size=1, max_size=13)
seeds = st.integers(0, 2**64 - 1)
longest = st.sampled_from([1, 2, 3, 5, 8192])


def encode(documents: Iterable[str], longest: int = 8192) -> Corpus:
    return Corpus.in_memory(documents, Characters(), VOCABULARY, longest=longest)


def listed(corpus: Corpus) -> list[list[int]]:
    return [document.tolist() for document in corpus]


def joined(chunks: Iterable[Samples]) -> Samples:
    columns = zip(*chunks, strict=True)
    return Samples(*(np.concatenate(column) for column in columns))


def assert_same(one: Samples, other: Samples) -> None:
    for left, right in zip(one, other, strict=True):
        assert left.dtype == right.dtype == np.int32
        np.testing.assert_array_equal(left, right)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks and pools so small that a few documents fill several."""
    monkeypatch.setattr(corpus_module, "BLOCK", 7)
    monkeypatch.setattr(corpus_module, "POOL", 3)
    monkeypatch.setattr(store_module, "GAP", 2)
    monkeypatch.setattr(store_module, "SPAN", 11)


# --- documents --------------------------------------------------------------------------------


@given(texts)
def test_a_corpus_holds_its_documents(texts: list[str]) -> None:
    corpus = encode(texts)
    assert listed(corpus) == [VOCABULARY.document(list(text)).tolist() for text in texts]
    assert corpus.documents == len(texts)
    assert corpus.targets == sum(len(text) + 1 for text in texts)
    assert corpus.bytes == sum(len(text.encode()) for text in texts)
    assert corpus.cuts == 0


@given(texts, longest)
def test_long_documents_are_cut_and_nothing_is_lost(texts: list[str], longest: int) -> None:
    corpus = encode(texts, longest)
    assert all(3 <= len(d) <= longest + 2 or d == [0, 1] for d in listed(corpus))
    inside = [i for document in listed(corpus) for i in document[1:-1]]
    assert inside == [i for text in texts for i in VOCABULARY.encode(list(text)).tolist()]
    assert corpus.cuts == sum(max(0, -(-len(text) // longest) - 1) for text in texts)
    assert corpus.documents == len(texts) + corpus.cuts
    assert corpus.bytes == sum(len(text.encode()) for text in texts)


def test_only_full_pieces_are_cut_off() -> None:
    corpus = encode(["abcab", "ab", "c"], longest=2)
    assert listed(corpus) == [[0, 3, 4, 1], [0, 5, 3, 1], [0, 4, 1], [0, 3, 4, 1], [0, 5, 1]]
    assert corpus.index.sizes.tolist() == [2, 2, 1, 2, 1]
    assert corpus.cuts == 2


@given(texts)
def test_counts_are_those_of_the_ids(texts: list[str]) -> None:
    corpus = encode(texts)
    expected = Counter(i for document in listed(corpus) for i in document)
    counts = corpus.counts(7)
    assert counts.tolist() == [expected[i] for i in range(7)]
    assert counts.sum() == corpus.targets + corpus.documents


def test_a_count_beyond_the_vocabulary_is_refused_with_its_place(small_blocks: None) -> None:
    with pytest.raises(TokenOutOfRange, match=r"corpus\[12\] must be .* 0 … 4.*, got 5"):
        encode(["ab", "", "b", "bac"]).counts(5)


def test_no_documents_are_refused() -> None:
    with pytest.raises(NoSamples):
        encode([])
    with pytest.raises(NoSamples):
        count_tokens([], Characters())


@pytest.mark.parametrize(("size", "width"), [(2**16, 2), (2**16 + 3, 4)])
def test_ids_take_two_bytes_or_where_needed_four(
    small_blocks: None, tmp_path: Path, size: int, width: int
) -> None:
    tokens = tuple(chr(point) for point in range(0x10000, 0x10000 + size - 3))
    vocabulary = Vocabulary((*MARKERS, *tokens), (1,) * size)
    texts = [tokens[-1] * n for n in (9, 8, 7)]
    memory = Corpus.in_memory(texts, Characters(), vocabulary)
    disk = Corpus.on_disk(texts, Characters(), vocabulary, folder=tmp_path)
    for corpus in (memory, disk):
        assert listed(corpus) == [[0, *[size - 1] * n, 1] for n in (9, 8, 7)]
    (home,) = kept(tmp_path)
    assert (home / "ids").stat().st_size == width * (11 + 10 + 9)


# --- chunks -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("small_blocks")
class TestChunks:
    @staticmethod
    def whole(corpus: Corpus) -> Samples:
        return make_samples(list(corpus))

    @given(texts=texts, room=st.integers(1, 40))
    def test_together_they_are_the_corpus(self, texts: list[str], room: int) -> None:
        corpus = encode(texts)
        assert_same(joined(corpus.chunks(room)), self.whole(corpus))

    @given(texts=texts, room=st.integers(1, 40), other=st.integers(1, 40), seed=seeds)
    def test_their_size_does_not_change_the_order(
        self, texts: list[str], room: int, other: int, seed: int
    ) -> None:
        corpus = encode(texts)
        assert_same(joined(corpus.chunks(room, seed)), joined(corpus.chunks(other, seed)))

    @given(texts=texts, room=st.integers(1, 40), seed=st.none() | seeds)
    def test_each_holds_whole_documents_as_many_as_fit(
        self, texts: list[str], room: int, seed: int | None
    ) -> None:
        chunks = list(encode(texts).chunks(room, seed))
        for chunk, following in zip(chunks, [*chunks[1:], None], strict=True):
            ends = np.flatnonzero(chunk.targets == 1)
            assert chunk.offsets[0] == 0
            assert ends[-1] == chunk.targets.shape[0] - 1
            assert chunk.targets.shape[0] <= room or ends.shape[0] == 1
            if following is not None:
                next_document = int(np.flatnonzero(following.targets == 1)[0]) + 1
                assert chunk.targets.shape[0] + next_document > room

    @given(texts=texts, seed=seeds)
    def test_a_seed_mixes_the_documents_and_keeps_them(self, texts: list[str], seed: int) -> None:
        corpus = encode(texts)
        mixed = joined(corpus.chunks(1, seed))
        documents = np.split(mixed.targets, np.flatnonzero(mixed.targets == 1)[:-1] + 1)
        assert Counter(tuple(d.tolist()) for d in documents) == Counter(
            tuple(d[1:]) for d in listed(corpus)
        )

    def test_seeds_differ_and_reach_across_pools(self) -> None:
        corpus = encode(["a" * n for n in range(1, 60)])
        orders = {
            tuple(chunk.targets.shape[0] - 1 for chunk in corpus.chunks(1, seed))
            for seed in range(5)
        }
        assert len(orders) == 5
        for order in orders:
            assert sorted(order) == list(range(1, 60))
            assert min(order[:20]) < 20
            assert max(order[:20]) > 40

    def test_no_room_is_refused_at_once(self) -> None:
        for room in (0, -3):
            with pytest.raises(BadOption, match=f"targets_per_chunk must be .*>= 1, got {room}"):
                encode(TEXTS).chunks(room)

    def test_a_seed_out_of_range_is_refused_at_once(self) -> None:
        for seed in (-1, 2**64):
            with pytest.raises(BadOption, match=f"seed must be .*, got {seed}"):
                encode(TEXTS).chunks(5, seed)


def test_seeds_differ_within_one_block() -> None:
    corpus = encode(["a" * n for n in range(1, 20)])
    orders = {tuple(joined(corpus.chunks(50, seed)).targets.tolist()) for seed in range(5)}
    assert len(orders) == 5


@given(st.lists(st.integers(1, 9), min_size=1, max_size=23), st.data())
def test_gathering_reads_what_was_asked_for(lengths: list[int], data: st.DataObject) -> None:
    ids = np.arange(sum(lengths))
    starts = np.cumsum([0, *lengths[:-1]])
    which = sorted(data.draw(st.sets(st.integers(0, len(lengths) - 1), min_size=1)))
    expected = [at for i in which for at in range(starts[i], starts[i] + lengths[i])]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store_module, "GAP", data.draw(st.integers(0, 9)))
        patch.setattr(store_module, "SPAN", data.draw(st.integers(1, 30)))
        got = gather(InMemory(ids), starts[which], np.array(lengths)[which])
    assert got.tolist() == expected


def test_neighbours_are_read_together() -> None:
    read: list[tuple[int, int]] = []

    class Noted(InMemory):
        def read(self, start: int, stop: int) -> IntArray:
            read.append((start, stop))
            return super().read(start, stop)

    store = Noted(np.arange(3 * 10**6))
    starts = np.array([0, 10, 500, 10**6, 10**6 + 20, 2 * 10**6])
    gather(store, starts, np.full(6, 10))
    assert read == [(0, 510), (10**6, 10**6 + 30), (2 * 10**6, 2 * 10**6 + 10)]


# --- samples of a corpus ----------------------------------------------------------------------


@given(texts, seeds, st.data())
def test_a_draw_holds_enough_and_no_document_too_many(
    texts: list[str], seed: int, data: st.DataObject
) -> None:
    corpus = encode(texts)
    targets = data.draw(st.integers(1, corpus.targets))
    drawn = corpus.take(targets, seed)
    assert drawn.targets >= targets
    assert drawn.targets - targets < max(len(d) - 1 for d in listed(drawn))
    rest = iter(listed(corpus))
    assert all(document in rest for document in listed(drawn)), "not in the order of the corpus"
    assert listed(corpus.take(targets, seed)) == listed(drawn)


@given(texts, seeds, st.data())
def test_larger_draws_hold_smaller_ones(texts: list[str], seed: int, data: st.DataObject) -> None:
    corpus = encode(texts)
    less = data.draw(st.integers(1, corpus.targets))
    more = data.draw(st.integers(less, corpus.targets))
    few, many = (Counter(map(tuple, listed(corpus.take(n, seed)))) for n in (less, more))
    assert few <= many


def test_a_draw_of_everything_is_the_corpus() -> None:
    corpus = encode(TEXTS, longest=3)
    drawn = corpus.take(corpus.targets, seed=3)
    assert listed(drawn) == listed(corpus)
    assert drawn.fingerprint == corpus.fingerprint
    assert (drawn.bytes, drawn.cuts) == (corpus.bytes, corpus.cuts)


def test_draws_depend_on_the_seed() -> None:
    corpus = encode(["a" * n for n in range(1, 60)])
    assert len({corpus.take(100, seed).fingerprint for seed in range(7)}) == 7


def test_more_than_there_is_cannot_be_drawn() -> None:
    with pytest.raises(BadOption, match=r"targets must be at most 41.*, got 42"):
        encode(TEXTS).take(42, seed=0)
    assert encode(TEXTS).take(41, seed=0).targets == 41


# --- parts ------------------------------------------------------------------------------------


@given(st.lists(st.text("abc", max_size=9), min_size=5, max_size=23, unique=True), seeds, longest)
def test_parts_share_nothing_and_lose_nothing(texts: list[str], seed: int, longest: int) -> None:
    twice = texts + texts[:3]
    corpus = encode(twice, longest)
    parts = corpus.split((0.6, 0.2, 0.2), seed)
    positions = [position for part in parts for position in part.index.starts.tolist()]
    assert sorted(positions) == corpus.index.starts.tolist()
    origins = [set(part.index.origins.tolist()) for part in parts]
    assert sum(map(len, origins)) == len(set.union(*origins)) == len(texts)
    assert sum(part.targets for part in parts) == corpus.targets
    assert sum(part.bytes for part in parts) == corpus.bytes
    again = corpus.split((0.6, 0.2, 0.2), seed)
    assert [listed(part) for part in again] == [listed(part) for part in parts]
    for part, fraction in zip(parts, (0.6, 0.2, 0.2), strict=True):
        assert abs(len(set(part.index.origins.tolist())) - fraction * len(texts)) <= 1


def test_pieces_of_one_text_stay_together() -> None:
    words = ["ab", "bc", "ca", "cb", "ba", "ac", "aabb"]
    whole = encode([word * 5 for word in words])
    cut = encode([word * 5 for word in words], longest=3)
    for seed in range(5):
        for coarse, fine in zip(
            whole.split((0.5, 0.5), seed), cut.split((0.5, 0.5), seed), strict=True
        ):
            inside = [[i for d in listed(part) for i in d[1:-1]] for part in (coarse, fine)]
            assert inside[0] == inside[1]


def test_parts_of_parts_are_read_as_they_should_be(small_blocks: None) -> None:
    texts = ["ab" * n + "c" for n in range(29)]
    train, test = encode(texts).split((0.7, 0.3), seed=5)
    held, rest = train.split((0.5, 0.5), seed=6)
    assert sorted(listed(held) + listed(rest) + listed(test)) == sorted(listed(encode(texts)))
    assert_same(joined(held.chunks(9)), make_samples(list(held)))


def test_splits_depend_on_the_seed() -> None:
    corpus = encode(["a" * n for n in range(1, 60)])
    assert len({corpus.split((0.5, 0.5), seed)[0].fingerprint for seed in range(7)}) == 7


@pytest.mark.parametrize(
    ("fractions", "message"),
    [
        ((0.8, 0.1), "numbers that add up to 1"),
        ((), "numbers that add up to 1"),
        ((1.5, -0.5), r"fractions must be a finite number > 0.*, got -0.5"),
        ((1.0, 0.0), r"fractions must be a finite number > 0.*, got 0.0"),
        ((0.99, 0.01), "every part gets one of the 8 distinct texts"),
    ],
    ids=["short", "none", "negative", "zero", "too-fine"],
)
def test_fractions_that_are_no_parts_are_refused(
    fractions: tuple[float, ...], message: str
) -> None:
    with pytest.raises(BadOption, match=message):
        encode(TEXTS).split(fractions, seed=1)


# --- on disk ----------------------------------------------------------------------------------


@pytest.mark.usefixtures("small_blocks")
class TestOnDisk:
    @given(texts=texts, room=st.integers(1, 40), seed=seeds, longest=longest)
    def test_it_is_the_corpus_in_memory_bit_for_bit(
        self, texts: list[str], room: int, seed: int, longest: int
    ) -> None:
        memory = encode(texts, longest)
        with TemporaryDirectory() as folder:
            disk = Corpus.on_disk(texts, Characters(), VOCABULARY, longest=longest, folder=folder)
            for left, right in zip(disk.index, memory.index, strict=True):
                assert left.dtype == right.dtype
                np.testing.assert_array_equal(left, right)
            assert disk.fingerprint == memory.fingerprint
            assert disk.counts(6).tolist() == memory.counts(6).tolist()
            assert_same(joined(disk.chunks(room, seed)), joined(memory.chunks(room, seed)))
            assert listed(disk.take(1, seed)) == listed(memory.take(1, seed))
            for left_part, right_part in zip(
                disk.split((1.0,), seed), memory.split((1.0,), seed), strict=True
            ):
                assert listed(left_part) == listed(right_part)


def test_fingerprints_tell_corpora_apart() -> None:
    different = [["ab", "c"], ["a", "bc"], ["abc"], ["c", "ab"], ["ab", "c", ""], ["ab", "é"]]
    assert len({encode(texts).fingerprint for texts in different}) == len(different)
    assert encode(["d"]).fingerprint != encode(["é"]).fingerprint, "they differ in bytes of text"


class Watched:
    """Documents that count how often they are read, and may do something in between."""

    fingerprint = "watched"

    def __init__(self, texts: list[str], meanwhile: Callable[[], object] = lambda: None) -> None:
        self.texts = texts
        self.meanwhile = meanwhile
        self.read = 0

    def __iter__(self) -> Iterator[str]:
        self.read += 1
        yield from self.texts
        self.meanwhile()


def kept(folder: Path) -> list[Path]:
    return sorted((folder / "corpora").iterdir())


def test_a_corpus_is_encoded_once(tmp_path: Path) -> None:
    documents = Watched(TEXTS)
    first = Corpus.on_disk(documents, Characters(), VOCABULARY, folder=tmp_path)
    again = Corpus.on_disk(documents, Characters(), VOCABULARY, folder=str(tmp_path))
    assert documents.read == 1
    assert first.fingerprint == again.fingerprint
    assert len(kept(tmp_path)) == 1


def test_whatever_decides_the_ids_decides_the_place(tmp_path: Path) -> None:
    other = Vocabulary((*MARKERS, "b", "a", "c"), VOCABULARY.occurrences)
    for texts, tokeniser, vocabulary, longest in (
        (TEXTS, Characters(), VOCABULARY, 5),
        (TEXTS[1:], Characters(), VOCABULARY, 5),
        (TEXTS, Words(), VOCABULARY, 5),
        (TEXTS, Words(lower=True), VOCABULARY, 5),
        (TEXTS, Characters(), other, 5),
        (TEXTS, Characters(), VOCABULARY, 3),
    ):
        disk = Corpus.on_disk(texts, tokeniser, vocabulary, longest=longest, folder=tmp_path)
        memory = Corpus.in_memory(texts, tokeniser, vocabulary, longest=longest)
        assert disk.fingerprint == memory.fingerprint
    assert len(kept(tmp_path)) == 6


def test_what_breaks_off_leaves_nothing_behind(tmp_path: Path) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Corpus.on_disk(Watched(TEXTS, stop), Characters(), VOCABULARY, folder=tmp_path)
    assert kept(tmp_path) == []
    whole = Corpus.on_disk(Watched(TEXTS), Characters(), VOCABULARY, folder=tmp_path)
    assert whole.documents == len(TEXTS)


def test_a_corpus_that_cannot_be_moved_to_its_place_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, target: Path) -> None:
        assert sorted(each.name for each in path.iterdir())[0] == "about.json", "not complete"
        raise OSError("no room")

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(OSError, match="no room"):
        Corpus.on_disk(TEXTS, Characters(), VOCABULARY, folder=tmp_path)
    assert kept(tmp_path) == []


def test_two_that_encode_at_once_get_the_same(tmp_path: Path) -> None:
    def another() -> None:
        Corpus.on_disk(Watched(TEXTS), Characters(), VOCABULARY, folder=tmp_path)

    slow = Corpus.on_disk(Watched(TEXTS, another), Characters(), VOCABULARY, folder=tmp_path)
    assert slow.fingerprint == encode(TEXTS).fingerprint
    assert len(kept(tmp_path)) == 1


@pytest.mark.parametrize("name", ["ids", "lengths", "sizes", "origins", "continued", "about.json"])
@pytest.mark.parametrize("harm", ["changed", "short", "gone"])
def test_a_changed_file_is_refused(tmp_path: Path, name: str, harm: str) -> None:
    Corpus.on_disk(TEXTS, Characters(), VOCABULARY, folder=tmp_path)
    (home,) = kept(tmp_path)
    content = bytearray((home / name).read_bytes())
    content[len(content) // 2] ^= 0x15
    (home / name).unlink()
    if harm != "gone":
        (home / name).write_bytes(content if harm == "changed" else content[:-1])
    with pytest.raises(BadFile, match=r"delete this folder") as caught:
        Corpus.on_disk(TEXTS, Characters(), VOCABULARY, folder=tmp_path)
    assert caught.value.path == home


@pytest.mark.parametrize(
    "about",
    [b"[]", b"{}", b'{"key": 1, "dtype": "<u2", "sha256": {}}', b"\xff"],
    ids=["list", "empty", "key", "bytes"],
)
def test_a_wrong_description_is_refused(tmp_path: Path, about: bytes) -> None:
    Corpus.on_disk(TEXTS, Characters(), VOCABULARY, folder=tmp_path)
    (home,) = kept(tmp_path)
    (home / "about.json").write_bytes(about)
    with pytest.raises(BadFile):
        Corpus.on_disk(TEXTS, Characters(), VOCABULARY, folder=tmp_path)


def tampered(home: Path, name: str, column: IntArray) -> None:
    """Put another column in its place, with its digest set right."""
    column.tofile(home / name)
    about = json.loads((home / "about.json").read_text())
    about["sha256"][name] = sha256((home / name).read_bytes()).hexdigest()
    (home / "about.json").write_text(json.dumps(about))


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("ids", lambda ids: np.where(ids == 3, 6, ids).astype("<u2"), "id 6, and .* ends at 5"),
        ("ids", lambda ids: np.where(ids == 3, 0, ids).astype("<u2"), "from <sod> to <eod>"),
        ("ids", lambda ids: np.where(ids == 0, 3, ids).astype("<u2"), "from <sod> to <eod>"),
        ("ids", lambda ids: np.roll(ids, 1), "from <sod> to <eod>"),
        ("ids", lambda ids: ids[:-1], "do not add up to its"),
        ("ids", lambda ids: ids.view("<u1")[:-1], "within an id"),
        ("lengths", lambda n: n - np.eye(1, len(n), dtype="<i4")[0] * 100, "do not add up"),
        ("lengths", lambda n: np.roll(n, 1), "from <sod> to <eod>"),
        ("lengths", lambda n: np.full_like(n, 2**31 - 1), "do not add up"),
        ("lengths", lambda n: n[:-1], "its columns have"),
        ("lengths", lambda n: n[:0], "its columns have"),
        ("sizes", lambda n: -n - 1, "negative size"),
        ("continued", lambda flags: flags.view(np.uint8) + 2, "continued holds"),
        ("continued", lambda flags: ~flags, "continued holds"),
    ],
    ids=[
        "beyond",
        "sod inside",
        "no sod",
        "moved",
        "cut",
        "half",
        "other lengths",
        "lengths moved",
        "huge",
        "lengths cut",
        "none",
        "sizes",
        "flags",
        "all flags",
    ],
)
def test_columns_that_no_corpus_has_are_refused_whatever_their_digests_say(
    tmp_path: Path, name: str, change: Callable[[IntArray], IntArray], message: str
) -> None:
    Corpus.on_disk(TEXTS, Characters(), VOCABULARY, folder=tmp_path)
    (home,) = kept(tmp_path)
    dtype = {"ids": "<u2", **COLUMNS}[name]
    tampered(home, name, change(np.fromfile(home / name, dtype=dtype)))
    with pytest.raises(BadFile, match=message):
        Corpus.on_disk(TEXTS, Characters(), VOCABULARY, folder=tmp_path)


def test_a_name_that_unpacks_otherwise_has_a_corpus_of_its_own(tmp_path: Path) -> None:
    """The same bytes are one document as .gz, and no text at all without."""
    content = gzip.compress(b"abc")
    (tmp_path / "a.gz").write_bytes(content)
    Corpus.on_disk(read_documents(tmp_path / "a.gz"), Characters(), VOCABULARY, folder=tmp_path)
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(NotUtf8, match=r"let its name end in \.gz"):
        Corpus.on_disk(
            read_documents(tmp_path / "a.txt"), Characters(), VOCABULARY, folder=tmp_path
        )


@pytest.mark.parametrize("variable", ["SAFFU_CACHE", "XDG_CACHE_HOME"])
def test_a_tilde_is_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    for name in ("SAFFU_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    below = "saffu" if variable == "XDG_CACHE_HOME" else ""
    for value in ("~/corpora here", str(tmp_path / "corpora here")):
        monkeypatch.setenv(variable, value)
        assert cache_folder() == tmp_path / "corpora here" / below
    monkeypatch.delenv(variable)
    assert cache_folder() == tmp_path / ".cache" / "saffu"
    monkeypatch.setenv(variable, "~nobody-of-this-name/x")
    with pytest.raises(BadOption, match="the path of a folder"):
        cache_folder()


def test_a_type_that_no_corpus_has_is_refused(tmp_path: Path) -> None:
    Corpus.on_disk(TEXTS, Characters(), VOCABULARY, folder=tmp_path)
    (home,) = kept(tmp_path)
    about = json.loads((home / "about.json").read_text())
    (home / "about.json").write_text(json.dumps({**about, "dtype": "O"}))
    with pytest.raises(BadFile, match="belongs to another corpus"):
        Corpus.on_disk(TEXTS, Characters(), VOCABULARY, folder=tmp_path)


def test_another_corpus_in_its_place_is_refused(tmp_path: Path) -> None:
    Corpus.on_disk(TEXTS, Characters(), VOCABULARY, folder=tmp_path)
    (home,) = kept(tmp_path)
    home.rename(tmp_path / "aside")
    Corpus.on_disk(TEXTS[1:], Characters(), VOCABULARY, folder=tmp_path)
    (other,) = kept(tmp_path)
    (tmp_path / "aside").rename(home)
    other.rename(tmp_path / "aside")
    home.rename(other)
    with pytest.raises(BadFile, match="belongs to another corpus"):
        Corpus.on_disk(TEXTS[1:], Characters(), VOCABULARY, folder=tmp_path)


def test_a_file_cut_short_while_it_is_in_use_is_refused(tmp_path: Path) -> None:
    corpus = Corpus.on_disk(TEXTS, Characters(), VOCABULARY, folder=tmp_path)
    (home,) = kept(tmp_path)
    (home / "ids").write_bytes((home / "ids").read_bytes()[:-2])
    with pytest.raises(BadFile, match="ends before token"):
        list(corpus.chunks(1000))


def test_documents_that_can_be_read_once_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadOption, match="can be read twice"):
        Corpus.on_disk(iter(TEXTS), Characters(), VOCABULARY, folder=tmp_path)
    assert encode(iter(TEXTS)).documents == len(TEXTS)


@given(st.lists(st.text("ab", max_size=3), max_size=5), st.lists(st.text("ab", max_size=3)))
def test_fingerprints_of_texts_tell_them_apart(one: list[str], other: list[str]) -> None:
    assert (fingerprint_of(one) == fingerprint_of(other)) == (one == other)


def test_the_cache_lies_where_the_user_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    monkeypatch.setenv("SAFFU_CACHE", "/chosen")
    assert cache_folder() == Path("/chosen")
    monkeypatch.delenv("SAFFU_CACHE")
    assert cache_folder() == Path("/caches/saffu")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert cache_folder() == Path("/home/someone/.cache/saffu")


@pytest.mark.skipif(not LOCKS, reason="no locks that end with their process")
@pytest.mark.parametrize("already_there", [False, True])
def test_what_a_killed_process_left_half_made_is_removed(
    already_there: bool, tmp_path: Path
) -> None:
    if already_there:
        Corpus.on_disk(TEXTS, Characters(), VOCABULARY, folder=tmp_path)
    half = tmp_path / "corpora" / ".making-0123456789ab" / "corpus"
    half.mkdir(parents=True)
    (half / "ids").write_bytes(b"some")
    Corpus.on_disk(TEXTS, Characters(), VOCABULARY, folder=tmp_path)
    (whole,) = (tmp_path / "corpora").iterdir()
    assert not whole.name.startswith(".")


def test_the_cache_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAFFU_CACHE", str(tmp_path / "new"))
    Corpus.on_disk(TEXTS, Characters(), VOCABULARY)
    assert len(kept(tmp_path / "new")) == 1


@pytest.mark.parametrize("bad", [0, -1, 2.5])
def test_a_length_that_is_none_is_refused(as_users_call: None, tmp_path: Path, bad: int) -> None:
    calls: list[Callable[[], object]] = [
        lambda: encode(TEXTS, bad),
        lambda: Corpus.on_disk(TEXTS, Characters(), VOCABULARY, longest=bad, folder=tmp_path),
        lambda: count_tokens(TEXTS, Characters(), longest=bad),
    ]
    for call in calls:
        with pytest.raises(BadOption, match=f"longest must be .*>= 1, got {bad}"):
            call()
    assert list(tmp_path.iterdir()) == []


# --- counting tokens --------------------------------------------------------------------------


@given(texts, longest)
def test_a_vocabulary_counts_the_corpus_that_it_encodes(texts: list[str], longest: int) -> None:
    tally = count_tokens([*texts, "a"], Characters(), longest=longest)
    for size in (None, 4, 5):
        vocabulary = tally.vocabulary(size)
        corpus = Corpus.in_memory([*texts, "a"], Characters(), vocabulary, longest=longest)
        assert corpus.counts(len(vocabulary)).tolist() == vocabulary.counts.tolist()


@given(st.lists(st.text("abcdefgh", max_size=7), min_size=1), st.integers(2, 7))
def test_forgetting_loses_no_more_than_it_says(texts: list[str], limit: int) -> None:
    exact = Counter("".join(texts))
    tally = count_tokens(texts, Characters(), limit=limit)
    assert len(tally.counts) <= limit
    assert sum(tally.counts.values()) + tally.unknown == exact.total()
    for token, count in exact.items():
        assert 0 <= count - tally.counts.get(token, 0) <= tally.bound
    if len(exact) <= limit:
        assert tally == (dict(exact), len(texts), 0, 0)


def test_common_tokens_outlive_a_flood_of_rare_ones() -> None:
    drawn = random.Random(7)
    texts = [f"the {drawn.random()} and {drawn.random()} the" for _ in range(500)]
    tally = count_tokens(texts, Words(), limit=53)
    assert tally.counts["the"] == 1000
    assert tally.vocabulary(5).tokens == (*MARKERS, "the", "and")
    assert tally.vocabulary(5).counts[UNKNOWN] == 1000


def test_progress_is_shown_when_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for progress in (False, True):
        count_tokens(TEXTS, Characters(), progress=progress)
        Corpus.in_memory(TEXTS, Characters(), VOCABULARY, progress=progress)
        folder = tmp_path / str(progress)
        Corpus.on_disk(TEXTS, Characters(), VOCABULARY, folder=folder, progress=progress)
        shown = capsys.readouterr()
        assert shown.out == ""
        assert ("counting: 100%" in shown.err) == progress
        assert shown.err.count("encoding: 100%") == 2 * progress


# --- memory -----------------------------------------------------------------------------------


class Long:
    """So many documents of 2,000 tokens, written as they are read."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.fingerprint = f"long {number}"

    def __iter__(self) -> Iterator[str]:
        return ("abc"[i % 3] + "abcde" * 400 for i in range(self.number))


def peak_of(work: Callable[[], object]) -> int:
    """The most bytes that were held at once while working."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        work()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_corpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corpus_module, "BLOCK", 1 << 11)
    few, many = 60, 400

    def peaks(number: int) -> dict[str, int]:
        documents = Long(number)

        def encode() -> Corpus:
            return Corpus.on_disk(documents, Characters(), VOCABULARY, folder=tmp_path)

        def use(chunks: Iterable[Samples]) -> None:
            for _ in chunks:
                pass

        made = peak_of(encode)
        corpus = encode()
        return {
            "count": peak_of(lambda: count_tokens(documents, Characters())),
            "encode": made,
            "open": peak_of(encode),
            "in order": peak_of(lambda: use(corpus.chunks(5000))),
            "mixed": peak_of(lambda: use(corpus.chunks(5000, seed=1))),
            "of a part": peak_of(lambda: use(corpus.split((0.5, 0.5), 1)[0].chunks(5000, seed=1))),
            "counts": peak_of(lambda: corpus.counts(6)),
            "fingerprint": peak_of(lambda: corpus.fingerprint),
            "draw": peak_of(lambda: corpus.take(5000, seed=1)),
        }

    small, large = peaks(few), peaks(many)
    growth = {step: large[step] - small[step] for step in small}
    ids = 2 * 2002 * (many - few)
    assert {step for step, grown in growth.items() if grown > 0.1 * ids} == set(), growth


# --- orders -----------------------------------------------------------------------------------


def test_splitmix_is_splitmix() -> None:
    """The first numbers from state 1234567, as published with the generator's other ports."""
    golden = 0x9E3779B97F4A7C15
    states = [(1234567 + i * golden) % 2**64 for i in range(5)]
    assert splitmix(np.array(states, dtype=np.uint64)).tolist() == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


@given(st.integers(0, 97), seeds)
def test_an_order_holds_every_number_once(n: int, seed: int) -> None:
    assert sorted(shuffled(n, seed).tolist()) == list(range(n))


@given(st.integers(0, 23), seeds)
def test_an_order_is_what_plain_integers_give(n: int, seed: int) -> None:
    def mix(state: int) -> int:
        z = (state + 0x9E3779B97F4A7C15) % 2**64
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ z >> 27) * 0x94D049BB133111EB % 2**64
        return z ^ z >> 31

    assert shuffled(n, seed).tolist() == sorted(range(n), key=lambda i: mix(mix(i) ^ mix(seed)))


def test_all_orders_are_about_equally_likely() -> None:
    drawn = Counter(tuple(shuffled(3, seed).tolist()) for seed in range(1200))
    assert set(drawn) == set(permutations(range(3)))
    assert all(140 < often < 260 for often in drawn.values()), "5 standard deviations"


def test_every_refusal_is_one_of_ours() -> None:
    with pytest.raises(SaffuError):
        shuffled(3, seed=-1)
