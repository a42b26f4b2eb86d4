"""The comparison with KenLM: the same words are asked for, and what it says is read right."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from saffu.data.corpus import Corpus
from saffu.data.tokenisers import Words
from saffu.data.vocabulary import Vocabulary
from saffu.errors import BadFile
from saffu_lab.rivals.kenlm import Kenlm, kneser_ney, read_summary, write_words

VOCABULARY = Vocabulary.from_counts({"a": 3, "b": 2}, documents=2, size=5)
CORPUS = Corpus.in_memory(["a b a", "b strange"], Words(), VOCABULARY)


def program(folder: Path, name: str, lines: str) -> Path:
    path = folder / name
    path.write_text(f"#!{sys.executable}\nimport sys\n{lines}\n")
    path.chmod(0o755)
    return path


def planted(folder: Path, tokens: str) -> Kenlm:
    """Programs that keep what they get, and say what they are told to."""
    keep = f"open({str(folder)!r} + '/%s', 'w').write(sys.stdin.read())"
    said = f"print('Perplexity including OOVs:\\t12.5\\nOOVs:\\t0\\nTokens:\\t{tokens}')"
    return Kenlm(
        program(folder, "lmplz", keep % "fitted"),
        program(folder, "query", f"{keep % 'asked'}\n{said}"),
    )


def test_a_document_is_a_line_of_words(tmp_path: Path) -> None:
    assert write_words(CORPUS, tmp_path / "words") == 7
    assert (tmp_path / "words").read_text().splitlines() == ["w3 w4 w3 ", "w4 w2 "]


def test_what_is_fitted_and_asked_is_the_text(tmp_path: Path) -> None:
    row = kneser_ney(planted(tmp_path, "7"), 3, CORPUS, CORPUS)
    assert row.perplexity == 12.5
    assert row.seconds > 0
    assert (tmp_path / "fitted").read_text() == (tmp_path / "asked").read_text()
    assert (tmp_path / "asked").read_text().splitlines() == ["w3 w4 w3 ", "w4 w2 "]


def test_another_number_of_targets_is_not_compared(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="6 tokens, not 7"):
        kneser_ney(planted(tmp_path, "6"), 3, CORPUS, CORPUS)


def test_numbers_with_exponents_are_read() -> None:
    assert read_summary("Perplexity including OOVs:\t1.5e+03\nTokens:\t9\n") == (1500.0, 9)
