"""Cache of encoded corpora on disk, each made once.

A corpus lies in a folder named by a digest of everything that determines its contents: the
documents, the tokeniser, the tokens of the vocabulary, the length at which documents are cut.  It
is made beside its place and moved there when it is complete, so a reader never sees half of one;
what a killed process left half made is removed by the next one.
What is read is compared with the digests that were written with it, and checked for what any
corpus has: columns of one length, documents from `<sod>` to `<eod>`, ids of the vocabulary.   [D]

    ids         token ids, raw little-endian uint16, or uint32 above 65,536 tokens
    lengths     int32 per document            sizes       int32         origins     uint64
    continued   one byte per document         about.json  the key, the type of the ids, the digests
"""

from __future__ import annotations

import json
import os
import unicodedata
from collections.abc import Iterable, Mapping
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from saffu.data.documents import check_documents, each_text
from saffu.data.encoding import encode_into, id_type, index_of
from saffu.data.store import Index, OnDisk
from saffu.data.tokenisers import Tokeniser, utf8
from saffu.data.vocabulary import Vocabulary
from saffu.errors import BadFile, BadOption
from saffu.positions import END, START
from saffu.progress.unfinished_files import clear_abandoned, unfinished
from saffu.types import IntArray

FORMAT = 2
COLUMNS = {"lengths": "<i4", "sizes": "<i4", "origins": "<u8", "continued": "|b1"}
MAKING = ".making-"
"""Beginning of the names of folders in which a corpus is being made."""
BLOCK = 1 << 17
"""Bytes of ids that are read at once."""
ADVICE = "delete this folder, and the corpus is encoded again"


@runtime_checkable
class Source(Protocol):
    """Documents that know a digest of themselves."""

    @property
    def fingerprint(self) -> str:
        """A digest of all documents."""
        ...


def cache_folder() -> Path:
    """`$SAFFU_CACHE`, or `$XDG_CACHE_HOME/saffu`, or `~/.cache/saffu`; `~` is the home folder.

    Refuses: a `~` where no home folder is known.
    """
    variables = (("SAFFU_CACHE", ""), ("XDG_CACHE_HOME", "saffu"))
    chosen = ((os.environ[name], below) for name, below in variables if os.environ.get(name))
    place, below = next(chosen, ("~/.cache", "saffu"))
    try:
        return Path(place).expanduser() / below
    except RuntimeError as problem:
        raise BadOption("SAFFU_CACHE", place, "the path of a folder", "SPEC 8") from problem


def fingerprint_of(documents: Iterable[str]) -> str:
    """A digest of the documents: their own, if they have one, or else of all their texts in order.

    Refuses: an iterator, which could not be read a second time; what `each_text` refuses.

    >>> fingerprint_of(["a", "b"]) == fingerprint_of(["ab"])
    False
    """
    if isinstance(documents, Source):
        return documents.fingerprint
    check_documents(documents)
    if iter(documents) is documents:
        expected = "documents that can be read twice: a list, or read_documents(…)"
        raise BadOption("documents", type(documents).__name__, expected, "SPEC 8")
    digest = sha256()
    for text in each_text(documents):
        raw = utf8(text)
        digest.update(len(raw).to_bytes(8, "little") + raw)
    return digest.hexdigest()


def on_disk(
    documents: Iterable[str],
    tokeniser: Tokeniser,
    vocabulary: Vocabulary,
    *,
    longest: int,
    folder: str | Path | None,
    progress: bool,
) -> tuple[OnDisk, Index]:
    """The corpus from the cache, made first if it is not there."""
    key = {
        "format": FORMAT,
        "documents": fingerprint_of(documents),
        "tokeniser": tokeniser.to_json(),
        "tokens": list(vocabulary.tokens),
        "longest": longest,
        "unicode": unicodedata.unidata_version,
    }
    digest = sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
    home = Path(folder or cache_folder()) / "corpora" / digest[:32]
    clear_abandoned(home.parent, MAKING, "")
    if not home.exists():
        home.parent.mkdir(parents=True, exist_ok=True)
        with unfinished(home.parent, MAKING, "", Path.mkdir) as beside:
            made = beside / "corpus"
            made.mkdir()
            with (made / "ids").open("wb") as file:
                index = encode_into(
                    lambda ids: file.write(ids.tobytes()),
                    *(documents, tokeniser, vocabulary),
                    longest=longest,
                    progress=progress,
                )
            _describe(made, index, digest, id_type(vocabulary))
            try:
                made.rename(home)
            except OSError:
                if not home.exists():  # else another process was quicker, with the same corpus
                    raise
    return _open(home, digest, len(vocabulary))


def _describe(made: Path, index: Index, key: str, dtype: str) -> None:
    """Write all but the ids."""
    for name, kind in COLUMNS.items():
        getattr(index, name).astype(kind).tofile(made / name)
    digests = {name: _digest(made / name) for name in ("ids", *COLUMNS)}
    about = {"key": key, "dtype": dtype, "sha256": digests}
    (made / "about.json").write_text(json.dumps(about, indent=1, sort_keys=True), encoding="utf-8")


def _open(home: Path, key: str, size: int) -> tuple[OnDisk, Index]:
    """Read all but the ids, and check that everything is as it was written."""
    try:
        about: Mapping[str, Any] = json.loads((home / "about.json").read_text(encoding="utf-8"))
        dtype, digests = about["dtype"], dict(about["sha256"])
        if about["key"] != key or dtype not in ("<u2", "<u4"):
            raise BadFile(home, "about.json belongs to another corpus", ADVICE)
        changed = [name for name in COLUMNS if _digest(home / name) != digests[name]]
        columns = {name: np.fromfile(home / name, dtype=kind) for name, kind in COLUMNS.items()}
        totals = _scan(home / "ids", dtype)
        if totals.digest != digests["ids"]:
            changed.insert(0, "ids")
    except BadFile:
        raise
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as problem:
        raise BadFile(home, f"it cannot be read ({problem!r})", ADVICE) from problem
    if changed:
        raise BadFile(home, f"{', '.join(changed)} changed since it was written", ADVICE)
    store = OnDisk(home / "ids", dtype)
    if wrong := _wrong(store, columns, totals, size):
        raise BadFile(home, wrong, ADVICE)
    return store, index_of(*columns.values())


class _Totals(NamedTuple):
    """What one pass over a file of ids finds."""

    digest: str
    ids: int
    starts: int
    """How often `<sod>` occurs."""
    ends: int
    """How often `<eod>` occurs."""
    largest: int


def _scan(path: Path, dtype: str) -> _Totals:
    """Read all ids once, block by block."""
    digest, count, starts, ends, largest = sha256(), 0, 0, 0, -1
    width = np.dtype(dtype).itemsize
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
            if len(block) % width:
                raise ValueError("ids ends within an id")
            ids: NDArray[Any] = np.frombuffer(block, dtype=dtype)
            count += ids.shape[0]
            starts += int(np.count_nonzero(ids == START))
            ends += int(np.count_nonzero(ids == END))
            largest = max(largest, int(ids.max()))
    return _Totals(digest.hexdigest(), count, starts, ends, largest)


def _wrong(
    store: OnDisk, columns: Mapping[str, NDArray[Any]], totals: _Totals, size: int
) -> str | None:
    """What keeps these columns and ids from being a corpus, if anything does."""
    lengths = columns["lengths"]
    documents = lengths.shape[0]
    if documents == 0 or any(column.shape[0] != documents for column in columns.values()):
        return f"its columns have {[len(column) for column in columns.values()]} entries"
    if lengths.min() < 2 or lengths.sum(dtype=np.int64) != totals.ids:
        return f"the lengths of its documents do not add up to its {totals.ids} ids"
    if columns["sizes"].min() < 0:
        return "a document has a negative size"
    flags = columns["continued"].view(np.uint8)
    if flags.max() > 1 or flags[0]:
        return "continued holds something else than the rests of documents"
    if totals.largest >= size:
        return f"it holds the id {totals.largest}, and the vocabulary ends at {size - 1}"
    if not totals.starts == totals.ends == documents or not _marked(store, lengths):
        return "its documents do not go from <sod> to <eod>"
    return None


def _marked(store: OnDisk, lengths: IntArray) -> bool:
    """Whether every document begins with `<sod>` and ends with `<eod>`."""
    stops = np.cumsum(lengths, dtype=np.int64)
    ids: NDArray[Any] = np.memmap(store.path, dtype=store.dtype, mode="r")
    return bool((ids[stops - lengths] == START).all() and (ids[stops - 1] == END).all())


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
