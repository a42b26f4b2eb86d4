"""Documents: several texts in an order, and nothing else that Python iterates over."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from saffu.data import count_tokens
from saffu.data.corpus import Corpus
from saffu.data.counting import Tally
from saffu.data.documents import check_documents
from saffu.data.tokenisers import Words
from saffu.data.vocabulary import Vocabulary
from saffu.errors import BadOption

VOCABULARY = Vocabulary.from_counts({"good": 2, "day": 1}, documents=2)

Use = Callable[[Any, Path], object]
USES: dict[str, Use] = {
    "count": lambda documents, _: count_tokens(documents, Words()),
    "in memory": lambda documents, _: Corpus.in_memory(documents, Words(), VOCABULARY),
    "on disk": lambda documents, folder: Corpus.on_disk(
        documents, Words(), VOCABULARY, folder=folder
    ),
}


class Frame:
    """A table as pandas has it: iterating gives the names of its columns."""

    columns = ("text", "author")

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)


class Scalar:
    """An entry of an Arrow array."""

    def as_py(self) -> str:
        return "good day"


class Texts:
    """Documents that can be read again, and whose entries no checker of types looks at."""

    def __init__(self, entries: list[Any]) -> None:
        self.entries = entries

    def __iter__(self) -> Iterator[Any]:
        return iter(self.entries)


NO_DOCUMENTS = {
    "one string": ("good day", "put one text into a list: [text]"),
    "a frame": (Frame(), "pass the column of texts of a table"),
    "a dictionary": ({"good": "day"}, "list(….values())"),
    "a set": ({"good", "day"}, "a set has no order"),
}
NO_TEXTS = {
    "None": (None, "drop the documents without a text"),
    "NaN": (float("nan"), "drop the documents without a text"),
    "bytes": (b"good day", "decode it"),
    "an Arrow scalar": (Scalar(), ".to_pylist()"),
    "a number": (3, "a str"),
    "a list of tokens": (["good", "day"], "a str"),
}


@pytest.mark.parametrize("use", USES.values(), ids=list(USES))
@pytest.mark.parametrize(("documents", "advice"), NO_DOCUMENTS.values(), ids=list(NO_DOCUMENTS))
def test_what_is_no_sequence_of_texts_is_refused(
    use: Use, documents: object, advice: str, tmp_path: Path
) -> None:
    with pytest.raises(BadOption, match=f"documents must be .*{re.escape(advice)}.*, got "):
        use(documents, tmp_path)


@pytest.mark.parametrize("documents", [b"good day", bytearray(b"good day"), None, 3], ids=repr)
def test_so_is_what_no_annotation_allows(documents: object) -> None:
    with pytest.raises(BadOption, match=r"put it into a list|put one text into a list"):
        check_documents(documents)


@pytest.mark.parametrize("use", USES.values(), ids=list(USES))
@pytest.mark.parametrize(("entry", "advice"), NO_TEXTS.values(), ids=list(NO_TEXTS))
def test_an_entry_that_is_no_text_is_refused_with_its_place(
    use: Use, entry: object, advice: str, tmp_path: Path
) -> None:
    with pytest.raises(BadOption, match=rf"documents\[1\] must be .*{re.escape(advice)}.*, got "):
        use(Texts(["good day", entry, "day"]), tmp_path)


@pytest.mark.parametrize("use", USES.values(), ids=list(USES))
@pytest.mark.parametrize(
    "documents",
    [["good day", "day"], ("good day", "day"), np.array(["good day", "day"])],
    ids=["list", "tuple", "array"],
)
def test_sequences_of_texts_are_taken(use: Use, documents: Iterable[str], tmp_path: Path) -> None:
    taken = use(documents, tmp_path)
    if isinstance(taken, Corpus):
        ids = {token: number for number, token in enumerate(VOCABULARY.tokens)}
        start, end, good, day = (ids[token] for token in ("<sod>", "<eod>", "good", "day"))
        assert [each.tolist() for each in taken] == [[start, good, day, end], [start, day, end]]
    else:
        assert isinstance(taken, Tally)
        assert (dict(taken.counts), taken.documents) == ({"good": 1, "day": 2}, 2)
