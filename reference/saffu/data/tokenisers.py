"""Tokenisers: from text to tokens and back.   [D]

A tokeniser is two functions.  `Characters` and `Bytes` lose nothing, `join(tokenise(s)) == s`;
`Words` drops the kind of white space (and, on request, the case), but no token:

    tokenise(join(tokenise(s))) == tokenise(s)

What a tokeniser of Hugging Face does not know is `<unk>`, whatever it calls it itself, so that it
is counted as unknown.  `Normalised` brings text to one Unicode form first.  Each tokeniser is
written into a model file by `to_json` and read back by `tokeniser_from_json`.
"""

from __future__ import annotations

import json
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
    """The interface of a tokeniser."""

    @property
    def name(self) -> str:
        """The name by which `tokeniser_from_json` finds it."""
        ...

    def tokenise(self, text: str) -> list[str]:
        """The tokens of a text, in order."""
        ...

    def join(self, tokens: Sequence[str]) -> str:
        """A readable text with these tokens."""
        ...

    def to_json(self) -> dict[str, Any]:
        """Everything needed to build an equal tokeniser."""
        ...


@dataclass(frozen=True)
class Characters:
    """One token per character (Unicode code point).

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
        """Its name; it has no settings."""
        return {"name": self.name}


@dataclass(frozen=True)
class Bytes:
    """One token per byte of the text's UTF-8: 256 tokens for every language.

    Byte b is spelled as the character with code point b, so ASCII reads as itself.

    >>> Bytes().tokenise("é.")
    ['Ã', '©', '.']
    """

    name: ClassVar[str] = "bytes"

    def tokenise(self, text: str) -> list[str]:
        """Its bytes.  Refuses lone surrogates, which have no UTF-8."""
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
        """Its name; it has no settings."""
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
    """Whether letters are changed to lower case first."""

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
        """Its name and whether it changes letters to lower case."""
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
    """Any tokeniser of the package `tokenizers` (BPE, WordPiece, WordLevel, Unigram), by its JSON.

    The JSON is kept as text and goes into the model file, so the model needs no other file.  Its
    own markers, truncation and padding are not used: documents are marked here.  Whatever it maps
    to its unknown token becomes `<unk>`; one without an unknown token gets one, so that no text is
    dropped.  BPE dropout, which is meant for training, is switched off:
    a text has one tokenisation.
    Refuses: a file that the package cannot read; text that it cannot tokenise; the package missing.
    """

    definition: str
    """The text of `tokenizer.json`."""

    name: ClassVar[str] = "huggingface"

    @classmethod
    def from_file(cls, path: str | Path) -> HuggingFace:
        """Read a `tokenizer.json`."""
        advice = "give a tokenizer.json of Hugging Face"
        if Path(path).exists() and not Path(path).is_file():
            raise BadFile(path, "it is no regular file", advice)
        try:
            tokeniser = cls(Path(path).read_text(encoding="utf-8"))
            tokeniser.tokenise("")  # a bad definition is refused here, under the file's name
        except (OSError, UnicodeDecodeError, BadRecord) as problem:
            raise BadFile(path, str(problem), advice) from problem
        return tokeniser

    @cached_property
    def _tokenizer(self) -> tuple[Any, int]:
        """The tokeniser of the package, and its id of whatever is unknown."""
        try:
            from tokenizers import Tokenizer
        except ImportError as missing:
            install = "pip install 'saffu[tokenizers]'"
            raise Missing("this tokeniser", "the package tokenizers", install) from missing
        try:
            definition, unknown = _with_unknown(json.loads(self.definition))
            tokenizer = Tokenizer.from_str(json.dumps(definition))
        except Exception as problem:  # the package raises nothing narrower
            raise BadRecord("huggingface tokeniser", str(problem)) from problem
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer, unknown

    def tokenise(self, text: str) -> list[str]:
        """Its tokens, without the tokeniser's own markers; `<unk>` for whatever is unknown.

        Refuses: text that the package cannot tokenise.
        """
        tokenizer, unknown = self._tokenizer
        try:
            encoding = tokenizer.encode(text, add_special_tokens=False)
        except Exception as problem:  # the package raises nothing narrower
            raise BadRecord("huggingface tokeniser", f"it fails at {text!r:.60} ({problem})") from (
                problem
            )
        return [
            MARKERS[UNKNOWN] if token_id == unknown else token
            for token, token_id in zip(encoding.tokens, encoding.ids, strict=True)
        ]

    def join(self, tokens: Sequence[str]) -> str:
        """The text that its own decoder makes of them; joined by spaces if it has none."""
        decoder = self._tokenizer[0].decoder
        return " ".join(tokens) if decoder is None else str(decoder.decode(list(tokens)))

    def to_json(self) -> dict[str, Any]:
        """Its name and its whole definition."""
        return {"name": self.name, "definition": self.definition}


def _with_unknown(definition: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """The definition with an unknown token and without dropout, and the id of that token.

    The package drops what a BPE without an unknown token does not know, and fails at it in the
    other models.  The id follows those of the model, before those of added tokens.
    """
    model = dict(definition["model"])
    model.pop("dropout", None)
    vocabulary = model["vocab"]
    if isinstance(vocabulary, list):  # Unigram: pieces with their scores, ids by position
        if model.get("unk_id") is None:
            lowest = min((score for _, score in vocabulary), default=0.0)
            model["vocab"] = [*vocabulary, [MARKERS[UNKNOWN], lowest]]
            model["unk_id"] = len(vocabulary)
        return definition | {"model": model}, model["unk_id"]
    model["unk_token"] = name = model.get("unk_token") or MARKERS[UNKNOWN]
    if name not in vocabulary:
        model["vocab"] = {**vocabulary, name: 1 + max(vocabulary.values(), default=-1)}
    return definition | {"model": model}, model["vocab"][name]


FORMS: Final = ("NFC", "NFD", "NFKC", "NFKD")
"""Normalisation forms of Unicode."""


@dataclass(frozen=True)
class Normalised:
    """Another tokeniser on text in one Unicode normalisation form.

    The same word can be written in two ways, é as one character or as e and an accent, and is then
    two tokens.

    >>> Normalised(Characters(), "NFC").tokenise("e\u0301") == Characters().tokenise("\u00e9")
    True
    """

    of: Tokeniser
    """The tokeniser of the normalised text."""
    form: str
    """One of `FORMS`."""

    name: ClassVar[str] = "normalised"

    def __post_init__(self) -> None:
        if self.form not in FORMS:
            raise BadOption("form", self.form, " or ".join(map(repr, FORMS)), "SPEC 3")

    def tokenise(self, text: str) -> list[str]:
        """The tokens of the normalised text."""
        return self.of.tokenise(unicodedata.normalize(self.form, text))  # type: ignore[arg-type]

    def join(self, tokens: Sequence[str]) -> str:
        """The text that the other tokeniser makes of them."""
        return self.of.join(tokens)

    def to_json(self) -> dict[str, Any]:
        """Its name, the form and the other tokeniser."""
        return {"name": self.name, "form": self.form, "of": self.of.to_json()}


def utf8(text: str) -> bytes:
    """The UTF-8 of a text; lone surrogates, which have none, are refused."""
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as problem:
        where = f"text[{problem.start}]"
        expected = "a character that UTF-8 can encode (read the file as UTF-8)"
        raise BadOption(where, text[problem.start], expected, "SPEC 8") from None


def tokeniser_from_json(record: Mapping[str, Any]) -> Tokeniser:
    """The tokeniser that `to_json` described; any other record is refused.

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
        case {"name": "normalised", "form": str(form), "of": dict(of), **rest} if not rest:
            if form in FORMS and of.get("name") != "normalised":
                return Normalised(tokeniser_from_json(of), form)
    raise BadRecord("tokeniser", f"{dict(record)!r:.200} names no tokeniser with its settings")
