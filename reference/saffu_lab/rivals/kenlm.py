"""Models of the program KenLM: interpolated Kneser–Ney of any order.   (SPEC 7)

KenLM (Heafield 2011; Heafield, Pouzyrevsky, Clark & Koehn 2013) gets the same words, each document
a sentence, and is asked for the perplexity of the same targets, ends included.  Words of the
vocabulary that the training part does not have are one unknown word to KenLM, which is in its
favour: it does not have to say which of them comes.  Its programs are built from its source,
github.com/kpu/kenlm.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from saffu.data.corpus import Corpus
from saffu.errors import BadFile
from saffu.positions import END


class Kenlm(NamedTuple):
    """KenLM's two programs."""

    lmplz: Path
    query: Path


class Fitted(NamedTuple):
    """What is known of one model."""

    seconds: float
    """from the training text to the model; reading and tokenising not counted"""
    perplexity: float
    """of the test text"""


def write_words(corpus: Corpus, path: Path) -> int:
    """A line for each document, its tokens as words; returns how many targets there are."""
    count = 0
    with path.open("w", encoding="ascii") as file:
        for chunk in corpus.chunks(1 << 16):
            count += len(chunk.targets)
            for token in chunk.targets.tolist():
                file.write("\n" if token == END else f"w{token} ")
    return count


def kneser_ney(programs: Kenlm, order: int, train: Corpus, test: Corpus) -> Fitted:
    """Fit and ask one model.  Refuses: other numbers of targets than ours."""
    with tempfile.TemporaryDirectory() as folder:
        lines, model, asked = (Path(folder) / name for name in ("train", "model.arpa", "test"))
        write_words(train, lines)
        expected = write_words(test, asked)
        fit = [str(programs.lmplz), "-o", str(order), "--discount_fallback", "-S", "1G"]
        clock = time.perf_counter()
        with lines.open("rb") as words, model.open("wb") as arpa:
            subprocess.run(
                [*fit, "-T", folder], stdin=words, stdout=arpa, stderr=subprocess.PIPE, check=True
            )
        seconds = time.perf_counter() - clock
        with asked.open("rb") as words:
            output = subprocess.run(
                [str(programs.query), "-v", "summary", str(model)],
                stdin=words, capture_output=True, check=True, text=True,
            ).stdout  # fmt: skip
    perplexity, tokens = read_summary(output)
    if tokens != expected:
        problem = f"KenLM saw {tokens} tokens, not {expected}"
        raise BadFile(asked, problem, "write one document per line")
    return Fitted(seconds, perplexity)


def read_summary(output: str) -> tuple[float, int]:
    """Perplexity and number of tokens in what `query` prints.

    >>> read_summary("Perplexity including OOVs:\\t48.5\\nOOVs:\\t3\\nTokens:\\t100\\n")
    (48.5, 100)
    """
    numbers = dict(re.findall(r"^([A-Z][\w ]*):\s*([\d.e+]+)", output, flags=re.MULTILINE))
    return float(numbers["Perplexity including OOVs"]), int(numbers["Tokens"])
