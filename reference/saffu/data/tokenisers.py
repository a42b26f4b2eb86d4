"""Text becomes tokens, and tokens become text again.   [D]

A tokeniser is two functions.  `Characters` and `Bytes` lose nothing, `join(tokenise(s)) == s`;
`Words` forgets the kind of white space (and, if asked, the case), but never a token:

    tokenise(join(tokenise(s))) == tokenise(s)

Each is written into a model file by `to_json`, and comes back through `tokeniser_from_json`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, ClassVar, Final, Protocol, runtime_checkable

from saffu.errors import BadFile, BadOption, BadRecord, Missing
from saffu.positions import MARKERS, UNKNOWN


@runtime_checkable
class Tokeniser(Protocol):
    """What every tokeniser can do."""

    @property
    def name(self) -> str:
        """The word by which `tokeniser_from_json` knows it."""
        ...

    def tokenise(self, text: str) -> list[str]:
        """The tokens of a text, in order."""
        ...

    def join(self, tokens: Sequence[str]) -> str:
        """A readable text with these tokens."""
        ...

    def to_json(self) -> dict[str, Any]:
        """Everything that is needed to make the same tokeniser again."""
        ...


@dataclass(frozen=True)
class Characters:
    """One token a character (Unicode code point).

    >>> Characters().tokenise("so é")
    ['s', 'o', ' ', 'é']
    """

    name: ClassVar[str] = "characters"

    def tokenise(self, text: str) -> list[str]:
        """Its characters."""
        return list(text)

    def join(self, tokens: Sequence[str]) -> str:
        """The characters side by side."""
        return "".join(tokens)

    def to_json(self) -> dict[str, Any]:
        """Its name is all there is."""
        return {"name": self.name}


@dataclass(frozen=True)
class Bytes:
    """One token a byte of the text's UTF-8: 256 tokens for every language.

    Byte b is spelled as the character with code point b, so ASCII reads as itself.

    >>> Bytes().tokenise("é.")
    ['Ã', '©', '.']
    """

    name: ClassVar[str] = "bytes"

    def tokenise(self, text: str) -> list[str]:
        """Its bytes.  Refuses lone surrogates, which UTF-8 cannot spell."""
        return list(utf8(text).decode("latin-1"))

    def join(self, tokens: Sequence[str]) -> str:
        """The text with these bytes; `<unk>`, and bytes that are not UTF-8, become U+FFFD.

        >>> Bytes().join(["H", "Ã", "<unk>", "Ã", "©"])
        'H��é'
        """
        unknown = "\ufffd".encode()
        parts = [
            unknown if token == MARKERS[UNKNOWN] else token.encode("latin-1") for token in tokens
        ]
        return b"".join(parts).decode("utf-8", errors="replace")

    def to_json(self) -> dict[str, Any]:
        """Its name is all there is."""
        return {"name": self.name}


OPENING: Final = frozenset("([{¿¡«“‘„$£€#@")
"""No space after these."""
CLOSING: Final = frozenset(".,;:!?)]}»”’…%")
"""No space before these."""
LINKS: Final = frozenset("-/")
"""No space around these between two words."""


@dataclass(frozen=True)
class Words:
    """Words, numbers and punctuation marks, of any script that puts spaces between words.

    A word is letters, digits, underscores, combining marks and apostrophes inside it; a number is
    digits with points and commas inside it; any other character that is no white space is a token
    of its own.

    >>> Words().tokenise("Don't pay 1,000.50 (or so).")
    ["Don't", 'pay', '1,000.50', '(', 'or', 'so', ')', '.']
    >>> Words(lower=True).join(["we", "pay", "(", "gladly", ")", "."])
    'we pay (gladly).'
    """

    lower: bool = False
    """Whether all letters are made lower case first."""

    name: ClassVar[str] = "words"

    def tokenise(self, text: str) -> list[str]:
        """Its words, numbers and marks."""
        return _word_pattern().findall(text.lower() if self.lower else text)

    def join(self, tokens: Sequence[str]) -> str:
        """The tokens with a space wherever one is usual in English print."""
        pieces: list[str] = []
        quotes: dict[str, bool] = {'"': False, "'": False}
        joined = True
        for i, token in enumerate(tokens):
            before = tokens[i - 1] if i else ""
            close = joined or token in CLOSING or _links(tokens, i)
            joined = token in OPENING or _links(tokens, i)
            if token in quotes:
                possessive = token == "'" and not quotes[token] and before.lower().endswith("s")
                close = close or quotes[token] or possessive
                if not possessive:
                    joined = quotes[token] = not quotes[token]
            pieces += [token] if close else [" ", token]
        return "".join(pieces)

    def to_json(self) -> dict[str, Any]:
        """Its name and whether it makes letters lower case."""
        return {"name": self.name, "lower": self.lower}


def _links(tokens: Sequence[str], i: int) -> bool:
    """Whether token i is a hyphen or slash between two words (or more such links)."""

    def word(token: str) -> bool:
        return token[:1].isalnum() or token in LINKS

    inside = tokens[i] in LINKS and 0 < i < len(tokens) - 1
    return inside and word(tokens[i - 1]) and word(tokens[i + 1])


@cache
def _word_pattern() -> re.Pattern[str]:
    """Numbers, words, marks; `\\w` alone would break most Indic words at their vowels."""
    spans: list[list[int]] = [[0x200C, 0x200D]]  # the joiners
    for plane in (range(0x300, 0x20000), range(0xE0100, 0xE01F0)):
        for point in plane:
            if unicodedata.category(chr(point)).startswith("M"):  # combining marks
                if spans[-1][1] == point - 1:
                    spans[-1][1] = point
                else:
                    spans.append([point, point])
    marks = "".join(f"{chr(first)}-{chr(last)}" for first, last in spans)
    inside = rf"\w[\w{marks}]*"
    number = rf"\d+(?:[.,]\d+)*(?![\w{marks}])"
    return re.compile(rf"{number}|{inside}(?:['’]{inside})*|\S")


@dataclass(frozen=True)
class HuggingFace:
    """Any tokeniser of the package `tokenizers` (BPE, WordPiece, Unigram), by its own JSON.

    The JSON is held as text and goes into the model file, so the model needs no other file.  Its
    own markers, truncation and padding are left out: documents are marked here.
    Refuses: a file that the package does not read; the package missing.
    """

    definition: str
    """The text of `tokenizer.json`."""

    name: ClassVar[str] = "huggingface"

    @classmethod
    def from_file(cls, path: str | Path) -> HuggingFace:
        """Read a `tokenizer.json`."""
        try:
            tokeniser = cls(Path(path).read_text(encoding="utf-8"))
            tokeniser.tokenise("")  # a bad definition is refused here, under the file's name
        except (OSError, UnicodeDecodeError, BadRecord) as problem:
            raise BadFile(path, str(problem), "give a tokenizer.json of Hugging Face") from problem
        return tokeniser

    @cached_property
    def _tokenizer(self) -> Any:
        try:
            from tokenizers import Tokenizer
        except ImportError as missing:
            install = "pip install 'saffu[tokenizers]'"
            raise Missing("this tokeniser", "the package tokenizers", install) from missing
        try:
            tokenizer = Tokenizer.from_str(self.definition)
        except Exception as problem:  # the package raises nothing narrower
            raise BadRecord("huggingface tokeniser", str(problem)) from problem
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer

    def tokenise(self, text: str) -> list[str]:
        """Its tokens, without markers of the tokeniser's own."""
        tokens: list[str] = self._tokenizer.encode(text, add_special_tokens=False).tokens
        return tokens

    def join(self, tokens: Sequence[str]) -> str:
        """The text that its own decoder makes of them; with spaces between, if it has none."""
        decoder = self._tokenizer.decoder
        return " ".join(tokens) if decoder is None else str(decoder.decode(list(tokens)))

    def to_json(self) -> dict[str, Any]:
        """Its name and its whole definition."""
        return {"name": self.name, "definition": self.definition}


def utf8(text: str) -> bytes:
    """The UTF-8 of a text; lone surrogates, which it cannot spell, are refused."""
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as problem:
        where = f"text[{problem.start}]"
        expected = "a character that UTF-8 can spell; read the file as UTF-8"
        raise BadOption(where, text[problem.start], expected, "SPEC 8") from None


def tokeniser_from_json(record: Mapping[str, Any]) -> Tokeniser:
    """Read back what `to_json` of any tokeniser wrote; whatever is not that is refused.

    >>> tokeniser_from_json({"name": "words", "lower": True})
    Words(lower=True)
    """
    match dict(record):
        case {"name": "characters", **rest} if not rest:
            return Characters()
        case {"name": "bytes", **rest} if not rest:
            return Bytes()
        case {"name": "words", "lower": bool(lower), **rest} if not rest:
            return Words(lower)
        case {"name": "huggingface", "definition": str(definition), **rest} if not rest:
            return HuggingFace(definition)
    raise BadRecord("tokeniser", f"{dict(record)!r:.200} names no tokeniser with its settings")
