"""Tokenisers: what is lost (nothing, or only white space), and what each one cuts where."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saffu.data import count_tokens
from saffu.data.tokenisers import (
    FORMS,
    Bytes,
    Characters,
    HuggingFace,
    Normalised,
    Tokeniser,
    Words,
    tokeniser_from_json,
)
from saffu.errors import BadFile, BadOption, BadRecord, Missing

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=29)
print_like = st.text(alphabet="aàBs9.,;:!?'’‘“”\"()[]-/$%_ \n\u0301क्", max_size=29)
"""Texts in which marks, quotes, digits and letters meet in every way."""


# --- what is lost -----------------------------------------------------------------------------


@pytest.mark.parametrize("tokeniser", [Characters(), Bytes()], ids=["characters", "bytes"])
@given(text=texts)
def test_characters_and_bytes_lose_nothing(tokeniser: Tokeniser, text: str) -> None:
    assert tokeniser.join(tokeniser.tokenise(text)) == text


@given(texts)
def test_bytes_are_the_bytes(text: str) -> None:
    tokens = Bytes().tokenise(text)
    assert [ord(token) for token in tokens] == list(text.encode("utf-8"))


@given(texts | print_like)
def test_words_lose_only_white_space(text: str) -> None:
    assert "".join(Words().tokenise(text)) == "".join(text.split())


@pytest.mark.parametrize("lower", [False, True])
@given(text=texts | print_like)
def test_words_come_back_from_their_own_print(lower: bool, text: str) -> None:
    words = Words(lower)
    tokens = words.tokenise(text)
    assert words.tokenise(words.join(tokens)) == tokens


@given(texts | print_like)
def test_lower_case_is_made_before_words_are(text: str) -> None:
    assert Words(lower=True).tokenise(text) == Words().tokenise(text.lower())


# --- what is cut where ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("In the beginning,", ["In", "the", "beginning", ","]),
        ("the LORD's don’t", ["the", "LORD's", "don’t"]),
        ("kings' 'tis", ["kings", "'", "'", "tis"]),
        ("1,000.50 3. 2nd 2.5a", ["1,000.50", "3", ".", "2nd", "2", ".", "5a"]),
        ("x_1 = f(y)", ["x_1", "=", "f", "(", "y", ")"]),
        ("well-known and/or", ["well", "-", "known", "and", "/", "or"]),
        ("cafe\u0301 naïve", ["cafe\u0301", "naïve"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("می‌خواهم", ["می‌خواهم"]),
        ("Привет, мир!", ["Привет", ",", "мир", "!"]),
        (" \n\t", []),
    ],
    ids=range(11),
)
def test_words_and_numbers(text: str, tokens: list[str]) -> None:
    assert Words().tokenise(text) == tokens


@pytest.mark.parametrize(
    "text",
    [
        "In the beginning God created the heaven and the earth.",
        'He said, "Let there be light": and there was light (and 1,000 stars; $5).',
        "Is the kings' house well-known? Yes, and/or no!",
        "She calls it 'home', [see] 50% of it.",
    ],
    ids=range(4),
)
def test_usual_print_is_restored_to_the_letter(text: str) -> None:
    words = Words()
    assert words.join(words.tokenise(text)) == text


def test_join_takes_any_tokens() -> None:
    assert Words().join([]) == ""
    assert Words().join(["-", "a", "-"]) == "- a -"
    assert Words().join(["the", "<unk>", "."]) == "the <unk>."


def test_bytes_that_are_no_text_are_shown_as_such() -> None:
    assert Bytes().join(["a", "\xff", "<unk>"]) == "a\ufffd\ufffd"


def test_a_lone_surrogate_is_refused_with_its_place() -> None:
    with pytest.raises(BadOption, match=r"text\[2\] must be .*, got '\\ud800'"):
        Bytes().tokenise("ab\ud800")


# --- records ----------------------------------------------------------------------------------


@pytest.mark.parametrize("tokeniser", [Characters(), Bytes(), Words(), Words(lower=True)], ids=str)
def test_a_record_survives_json(tokeniser: Tokeniser) -> None:
    record = json.loads(json.dumps(tokeniser.to_json()))
    assert record["name"] == tokeniser.name
    assert tokeniser_from_json(record) == tokeniser


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"name": "letters"},
        {"name": "words"},
        {"name": "words", "lower": 1},
        {"name": "words", "lower": True, "upper": False},
        {"name": "characters", "lower": True},
        {"name": "bytes", "size": 256},
        {"name": "huggingface", "definition": {}},
        {"name": "huggingface", "definition": "{}", "file": "a"},
    ],
    ids=str,
)
def test_a_wrong_record_is_refused(record: dict[str, Any]) -> None:
    with pytest.raises(BadRecord, match="names no tokeniser"):
        tokeniser_from_json(record)


# --- Hugging Face -----------------------------------------------------------------------------


def definition(**changes: Any) -> str:
    """A tokenizer.json of three words, as the package writes it."""
    record: dict[str, Any] = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": {"type": "Lowercase"},
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": None,
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": {"[UNK]": 0, "light": 1, "##s": 2, "be": 3, ".": 4},
        },
    }
    return json.dumps({**record, **changes})


def test_a_tokeniser_from_elsewhere_lies_whole_in_the_record(tmp_path: Path) -> None:
    pytest.importorskip("tokenizers")
    path = tmp_path / "tokenizer.json"
    path.write_text(definition(), encoding="utf-8")
    tokeniser = HuggingFace.from_file(path)
    path.unlink()
    again = tokeniser_from_json(json.loads(json.dumps(tokeniser.to_json())))
    for each in (tokeniser, again):
        assert each.tokenise("Be lights.") == ["be", "light", "##s", "."]
        assert each.join(["be", "light", "##s", "."]) == "be lights."


MODELS: dict[str, dict[str, Any]] = {
    "WordPiece": {
        "type": "WordPiece",
        "unk_token": "[UNK]",
        "continuing_subword_prefix": "##",
        "max_input_chars_per_word": 100,
        "vocab": {"[UNK]": 0, "be": 1},
    },
    "WordLevel": {"type": "WordLevel", "unk_token": "[UNK]", "vocab": {"be": 0, "[UNK]": 1}},
    "BPE": {
        "type": "BPE",
        "unk_token": "[UNK]",
        "vocab": {"b": 0, "e": 1, "be": 2, "[UNK]": 3},
        "merges": [["b", "e"]],
    },
    "Unigram": {"type": "Unigram", "unk_id": 0, "vocab": [["[UNK]", 0.0], ["be", -1.0]]},
}


def without_unknown(name: str) -> dict[str, Any]:
    """The same model, which has no token for what it does not know."""
    model = {**MODELS[name]}
    if name == "Unigram":
        return {**model, "unk_id": None, "vocab": model["vocab"][1:]}
    model["vocab"] = {t: i for i, t in enumerate(t for t in model["vocab"] if t != "[UNK]")}
    if name == "BPE":
        model["unk_token"] = None
    return model


@pytest.mark.parametrize("name", list(MODELS))
@pytest.mark.parametrize("form", ["its own", "none", "not in its vocabulary"])
def test_what_is_unknown_is_counted_as_unknown(name: str, form: str) -> None:
    """One word in three is unknown, whatever the tokeniser calls it, and none is dropped."""
    pytest.importorskip("tokenizers")
    model = {**MODELS[name]} if form == "its own" else without_unknown(name)
    if form == "not in its vocabulary" and name != "Unigram":
        model["unk_token"] = "[UNK]"
    added = {"special": True, "single_word": False, "lstrip": False, "rstrip": False}
    tokens = [{"id": 9, "content": "<s>", "normalized": False, **added}]
    tokeniser = HuggingFace(definition(model=model, added_tokens=tokens))
    assert tokeniser.tokenise("be é be be é be") == ["be", "<unk>", "be", "be", "<unk>", "be"]
    assert tokeniser.tokenise("be <s> be") == ["be", "<s>", "be"]
    vocabulary = count_tokens(["be é be be é be"], tokeniser).vocabulary()
    assert vocabulary.tokens[3:] == ("be",)
    assert vocabulary.occurrences[2] == 2
    assert tokeniser_from_json(json.loads(json.dumps(tokeniser.to_json()))) == tokeniser


def test_dropout_is_for_training_only() -> None:
    pytest.importorskip("tokenizers")
    tokeniser = HuggingFace(definition(model={**MODELS["BPE"], "dropout": 0.5}))
    assert {tuple(tokeniser.tokenise("be be be be")) for _ in range(20)} == {("be",) * 4}


class Failing:
    """A tokeniser of the package, whose errors are bare."""

    def encode(self, *_: object, **__: object) -> object:
        raise Exception("no reason given")  # noqa: TRY002


def test_text_that_the_package_cannot_tokenise_is_refused() -> None:
    tokeniser = HuggingFace(definition())
    tokeniser.__dict__["_tokenizer"] = (Failing(), 0)
    with pytest.raises(BadRecord, match=r"it fails at 'some text' \(no reason given\)"):
        tokeniser.tokenise("some text")


# --- one form of Unicode ----------------------------------------------------------------------


@given(st.text(st.characters(exclude_categories=["Cs"])), st.sampled_from(FORMS))
def test_equivalent_texts_have_equal_tokens(text: str, form: str) -> None:
    tokeniser = Normalised(Characters(), form)
    for other in ("NFC", "NFD"):
        assert tokeniser.tokenise(unicodedata.normalize(other, text)) == tokeniser.tokenise(text)
    assert tokeniser_from_json(json.loads(json.dumps(tokeniser.to_json()))) == tokeniser


def test_a_form_that_unicode_does_not_have_is_refused() -> None:
    with pytest.raises(BadOption, match="'NFC' or 'NFD'"):
        Normalised(Words(), "nfc")
    for record in (
        {"name": "normalised", "form": "X", "of": {"name": "bytes"}},
        {"name": "normalised", "form": "NFC", "of": {"name": "normalised"}},
        {"name": "normalised", "form": "NFC"},
    ):
        with pytest.raises(BadRecord):
            tokeniser_from_json(record)


def test_a_pipe_is_no_tokeniser(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "tokenizer.json")
    with pytest.raises(BadFile, match="no regular file"):
        HuggingFace.from_file(tmp_path / "tokenizer.json")


def test_it_neither_cuts_nor_pads() -> None:
    pytest.importorskip("tokenizers")
    cut = {"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0}
    pad = {
        "strategy": {"Fixed": 7},
        "direction": "Right",
        "pad_to_multiple_of": None,
        "pad_id": 0,
        "pad_type_id": 0,
        "pad_token": "[UNK]",
    }
    tokeniser = HuggingFace(definition(truncation=cut, padding=pad))
    assert tokeniser.tokenise("be light be light be") == ["be", "light", "be", "light", "be"]
    assert tokeniser.tokenise("be") == ["be"]


def test_without_a_decoder_tokens_stand_apart() -> None:
    pytest.importorskip("tokenizers")
    assert HuggingFace(definition(decoder=None)).join(["be", "light"]) == "be light"


def test_a_file_that_is_no_tokeniser_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("tokenizers")
    for content in (b"{}", b"\xff", b"no json"):
        path = tmp_path / "tokenizer.json"
        path.write_bytes(content)
        with pytest.raises(BadFile, match=r"give a tokenizer\.json"):
            HuggingFace.from_file(path)
    with pytest.raises(BadFile, match=r"missing\.json"):
        HuggingFace.from_file(tmp_path / "missing.json")


def test_a_missing_package_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(Missing, match=r"tokenizers.*pip install 'saffu\[tokenizers\]'"):
        HuggingFace(definition()).tokenise("be")
