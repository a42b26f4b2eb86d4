"""Vocabulary: token ids and token counts.   (SPEC 0, 3)

A vocabulary gives every token an id: three markers first, then the tokens of the text by descending
count, ties by the order of their code points.   [D for the ties]  The bit-cipher needs the counts,
so they are kept with the ids.

A document of T targets is d_0 = <sod>, d_1, …, d_T = <eod>.  Every token after <sod> is a target,
and sample m of the document asks for the token after the newest one:

    tokens[m] = d_m        targets[m] = d_{m+1}        offsets[m] = m        m = 0 … T−1
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any, Final, SupportsIndex

import numpy as np

from saffu import checks
from saffu.arrays.operation import operation
from saffu.errors import (
    BadOption,
    BadRecord,
    DuplicateToken,
    NegativeEntry,
    NoSamples,
    WrongType,
)
from saffu.positions import END, MARKERS, START, UNKNOWN
from saffu.types import IntArray, TokenCounts, TokenIds

_SPEC_2: Final = "SPEC 2"
_SPEC_3: Final = "SPEC 3"


@dataclass(frozen=True)
class Vocabulary:
    """The tokens in the order of their ids, and how often each occurred.

    Counts of any integer type become Python's own, so that they are exact and can be saved.
    Refuses: fewer than four tokens; other markers; a token twice, or one that is no text; a count
    that is negative or not whole.

    >>> vocabulary = Vocabulary.from_counts({"b": 2, "a": 2, "c": 9}, documents=1)
    >>> vocabulary.tokens
    ('<sod>', '<eod>', '<unk>', 'c', 'a', 'b')
    """

    tokens: tuple[str, ...]
    occurrences: tuple[int, ...]

    def __post_init__(self) -> None:
        size = len(self.tokens)
        if self.tokens[:3] != MARKERS or size < 4:
            expected = f"{', '.join(MARKERS)} and at least one token of the text"
            raise BadOption("tokens[:4]", self.tokens[:4], expected, _SPEC_3)
        if len(self.occurrences) != size:
            got = len(self.occurrences)
            raise BadOption("len(occurrences)", got, f"{size}, one per token", _SPEC_2)
        seen: set[str] = set()
        for i, token in enumerate(self.tokens):
            if not isinstance(token, str):
                raise BadOption(f"tokens[{i}]", token, "a str", _SPEC_2)
            if token in seen:
                raise DuplicateToken("tokens", (i,), repr(token), _SPEC_2)
            seen.add(token)
        for i, count in enumerate(self.occurrences):
            number = checks.whole(f"occurrences[{i}]", count, -sys.maxsize, _SPEC_2)
            if number < 0:
                raise NegativeEntry("occurrences", (i,), count, _SPEC_2)
            if number >= 2**63:
                raise BadOption(f"occurrences[{i}]", count, "a count below 2^63", _SPEC_2)
        object.__setattr__(self, "occurrences", tuple(map(int, self.occurrences)))

    @classmethod
    def from_counts(
        cls,
        counts: Mapping[str, SupportsIndex],
        *,
        documents: SupportsIndex,
        size: SupportsIndex | None = None,
        unknown: SupportsIndex = 0,
    ) -> Vocabulary:
        """A vocabulary of the most frequent tokens.   (SPEC 2)

        Parameters: `counts`, occurrences >= 1 of each token of the text; `documents` >= 1, which is
        how often `<sod>` and `<eod>` occurred; `size` V >= 4, markers included, is the most that is
        kept (all, if None); `unknown`, occurrences of tokens that were not counted one by one.
        What is not kept counts as `<unk>`, and so does a token that is spelled like a marker.
        Ties in the count go by the code points of the tokens, lowest first.
        Refuses: a size below four; a count or a number of documents below one; nothing to number.

        >>> Vocabulary.from_counts({"a": 5, "b": 2, "c": 1}, documents=3, size=4).occurrences
        (3, 3, 3, 5)
        """
        if not isinstance(counts, Mapping):
            raise WrongType("counts", "a mapping of tokens to counts", counts)
        ends = checks.whole("documents", documents, 1, _SPEC_3)
        uncounted = checks.whole("unknown", unknown, 0, _SPEC_3)
        least = len(MARKERS) + 1
        room = None if size is None else checks.whole("size", size, least, _SPEC_3)
        numbers = {
            token: checks.whole(f"counts[{token!r}]", count, 1, _SPEC_2)
            for token, count in counts.items()
        }
        ranked = sorted(numbers.keys() - set(MARKERS), key=lambda token: (-numbers[token], token))
        kept = ranked if room is None else ranked[: room - len(MARKERS)]
        if not kept:
            raise NoSamples("counts", _SPEC_2)
        often = [numbers[token] for token in kept]
        rest = sum(numbers.values()) - sum(often) + uncounted
        return cls((*MARKERS, *kept), (ends, ends, rest, *often))

    def __len__(self) -> int:
        return len(self.tokens)

    @cached_property
    def counts(self) -> TokenCounts:
        """[V] int64, how often each id occurred; not to be written to."""
        counts = np.array(self.occurrences, dtype=np.int64)
        counts.setflags(write=False)
        return counts

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {token: i for i, token in enumerate(self.tokens) if i >= len(MARKERS)}

    def encode(self, tokens: Iterable[str]) -> TokenIds:
        """The ids of tokens of a text, [n] int32, without markers.   (SPEC 3)

        A token that the vocabulary lacks becomes `<unk>`.  So does one that is spelled like a
        marker: no text can close its own document.

        >>> Vocabulary.from_counts({"a": 2, "b": 1}, documents=1).encode(["b", "<eod>", "z", "a"])
        array([4, 2, 2, 3], dtype=int32)
        """
        if isinstance(tokens, (str, bytes)) or not isinstance(tokens, Iterable):
            raise WrongType("tokens", "a list of tokens, as tokenise() returns", tokens)
        known = self._ids
        return np.array([known.get(token, UNKNOWN) for token in tokens], dtype=np.int32)

    def document(self, tokens: Iterable[str]) -> TokenIds:
        """The ids of a whole document, [n + 2] int32: `<sod>`, the tokens, `<eod>`.

        >>> Vocabulary.from_counts({"a": 2, "b": 1}, documents=1).document(["b"])
        array([0, 4, 1], dtype=int32)
        """
        return np.concatenate(([START], self.encode(tokens), [END]), dtype=np.int32)

    @operation
    def decode(self, ids: IntArray, *, markers: bool = True) -> list[str]:
        """The tokens of the ids [n], with or without `<sod>` and `<eod>`.

        Refuses: an id outside of 0 … V−1.

        >>> Vocabulary.from_counts({"a": 2}, documents=1).decode(np.array([0, 3, 1]))
        ['<sod>', 'a', '<eod>']
        """
        checks.shape("ids", ids, (None,), "n", _SPEC_3)
        checks.token_ids(ids, len(self), "ids")
        dropped = () if markers else (START, END)
        return [self.tokens[i] for i in ids.tolist() if i not in dropped]

    @property
    def fingerprint(self) -> str:
        """64 hexadecimal digits (SHA-256) for its tokens and their counts.

        >>> one, other = (Vocabulary.from_counts({"a": n}, documents=1) for n in (2, 3))
        >>> one.fingerprint == other.fingerprint, len(one.fingerprint)
        (False, 64)
        """
        return sha256(json.dumps(self.to_json(), ensure_ascii=False).encode()).hexdigest()

    @cached_property
    def encoding(self) -> str:
        """64 hexadecimal digits (SHA-256) for its tokens alone: equal ones give a text equal ids.

        >>> one, other = (Vocabulary.from_counts({"a": n}, documents=1) for n in (2, 3))
        >>> one.encoding == other.encoding
        True
        """
        return sha256(json.dumps(self.tokens, ensure_ascii=False).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """A record of plain lists, from which `from_json` makes an equal vocabulary."""
        return {"tokens": list(self.tokens), "counts": list(self.occurrences)}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Vocabulary:
        """Read back what `to_json` wrote; whatever is not that is refused.

        >>> vocabulary = Vocabulary.from_counts({"a": 2}, documents=1)
        >>> Vocabulary.from_json(vocabulary.to_json()) == vocabulary
        True
        """
        lists = {}
        for field, kind in (("tokens", str), ("counts", int)):
            entries = record.get(field)
            if not isinstance(entries, list):
                kind_given = type(entries).__name__
                raise BadRecord("vocabulary", f"{field} must be a list, got {kind_given}")
            for i, entry in enumerate(entries):
                if type(entry) is not kind:
                    expected = f"{field}[{i}] must be {kind.__name__}"
                    raise BadRecord("vocabulary", f"{expected}, got {entry!r}")
            lists[field] = tuple(entries)
        return cls(lists["tokens"], lists["counts"])
