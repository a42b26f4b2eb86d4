"""Encoded corpora on disk, each made once.

A corpus lives in a folder named by a digest of all that decides its contents: the documents, the
tokeniser, the tokens of the vocabulary, the length at which documents are cut.  It is made beside
its place and moved there when it is complete, so a reader never meets half of one; what is read is
compared with digests written down when it was made.   [D]

    ids         token ids, raw little-endian uint16, or uint32 above 65,536 tokens
    lengths     int32, one a document         sizes       int32         origins     uint64
    continued   one byte a document           about.json  the key, the type of the ids, the digests
"""

from __future__ import annotations

import json
import os
import tempfile
import unicodedata
from collections.abc import Iterable, Mapping
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from saffu.data.encoding import encode_into, id_type, index_of
from saffu.data.store import Index, OnDisk
from saffu.data.tokenisers import Tokeniser, utf8
from saffu.data.vocabulary import Vocabulary
from saffu.errors import BadFile, BadOption

FORMAT = 1
COLUMNS = {"lengths": "<i4", "sizes": "<i4", "origins": "<u8", "continued": "|b1"}
ADVICE = "delete this folder, and the corpus is encoded again"


@runtime_checkable
class Source(Protocol):
    """Documents that know a digest of themselves."""

    @property
    def fingerprint(self) -> str:
        """A digest of all documents."""
        ...


def cache_folder() -> Path:
    """`$SAFFU_CACHE`, or `$XDG_CACHE_HOME/saffu`, or `~/.cache/saffu`."""
    if chosen := os.environ.get("SAFFU_CACHE"):
        return Path(chosen)
    if caches := os.environ.get("XDG_CACHE_HOME"):
        return Path(caches) / "saffu"
    return Path.home() / ".cache" / "saffu"


def fingerprint_of(documents: Iterable[str]) -> str:
    """A digest of the documents: what they say of themselves, or else of all their texts in order.

    Refuses: an iterator, which could not be read a second time.

    >>> fingerprint_of(["a", "b"]) == fingerprint_of(["ab"])
    False
    """
    if isinstance(documents, Source):
        return documents.fingerprint
    if iter(documents) is documents:
        expected = "documents that can be read twice: a list, or read_documents(…)"
        raise BadOption("documents", type(documents).__name__, expected, "SPEC 8")
    digest = sha256()
    for text in documents:
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
    if not home.exists():
        home.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=home.parent, prefix=".making-") as beside:
            made = Path(beside) / "corpus"
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
    return _open(home, digest)


def _describe(made: Path, index: Index, key: str, dtype: str) -> None:
    """Write all but the ids."""
    for name, kind in COLUMNS.items():
        getattr(index, name).astype(kind).tofile(made / name)
    digests = {name: _digest(made / name) for name in ("ids", *COLUMNS)}
    about = {"key": key, "dtype": dtype, "sha256": digests}
    (made / "about.json").write_text(json.dumps(about, indent=1, sort_keys=True), encoding="utf-8")


def _open(home: Path, key: str) -> tuple[OnDisk, Index]:
    """Read all but the ids, and look whether everything is as it was written."""
    try:
        about: Mapping[str, Any] = json.loads((home / "about.json").read_text(encoding="utf-8"))
        dtype, digests = about["dtype"], about["sha256"]
        if about["key"] != key or dtype not in ("<u2", "<u4"):
            raise BadFile(home, "about.json belongs to another corpus", ADVICE)
        changed = [name for name in ("ids", *COLUMNS) if _digest(home / name) != digests[name]]
    except (OSError, ValueError, LookupError, TypeError) as problem:
        if isinstance(problem, BadFile):
            raise
        raise BadFile(home, f"it cannot be read ({problem!r})", ADVICE) from problem
    if changed:
        raise BadFile(home, f"{', '.join(changed)} changed since it was written", ADVICE)
    columns = (np.fromfile(home / name, dtype=kind) for name, kind in COLUMNS.items())
    return OnDisk(home / "ids", dtype), index_of(*columns)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
