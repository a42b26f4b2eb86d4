"""Counted models beside KenLM's: interpolated Kneser–Ney of orders 2 to 5.   (SPEC 7)

    python -m saffu.experiments.kenlm --lmplz bin/lmplz --query bin/query     # minutes
    python -m saffu.experiments.kenlm --tiny                                  # seconds

Both count n-grams of one kind or another and smooth them, and both take seconds.  KenLM (Heafield
2011; Heafield, Pouzyrevsky, Clark & Koehn 2013) gets the same words, each chapter a sentence, and
is asked for the perplexity of the same targets, ends included.  Words of the vocabulary that the
training part does not have are one unknown word to KenLM, which is in its favour: it does not have
to say which of them comes.  The test text is read once a row; ours choose on validation text, and
that is in their time.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from saffu.configuration import DIRECT
from saffu.corpus import Corpus
from saffu.errors import BadFile, Missing
from saffu.experiments.claims import TINY as TINY_CLAIMS
from saffu.experiments.claims import Plan, Texts, texts
from saffu.experiments.results import circumstances, table
from saffu.tokenisers import Words
from saffu.transformer import SaffuTransformer
from saffu.vocabulary import END

ORDERS = (2, 3, 4, 5)


class Kenlm(NamedTuple):
    """KenLM's two programs."""

    lmplz: Path
    query: Path


class Row(NamedTuple):
    """One model of one amount of text."""

    name: str
    targets: int
    seconds: float
    """from the training text to the model; reading and tokenising not counted"""
    perplexity: float
    """of the test text"""


def find(lmplz: str, query: str) -> Kenlm:
    """The programs.  Refuses: programs that are not there."""
    found = [shutil.which(name) for name in (lmplz, query)]
    for name, path in zip((lmplz, query), found, strict=True):
        if path is None:
            raise Missing(
                "the comparison with KenLM",
                f"the program {name}",
                "cmake and make in its source, see github.com/kpu/kenlm; then name its programs",
            )
    return Kenlm(*(Path(path) for path in found if path))


def write_words(corpus: Corpus, path: Path) -> int:
    """A line for each document, its tokens as words; returns how many targets there are."""
    count = 0
    with path.open("w", encoding="ascii") as file:
        for chunk in corpus.chunks(1 << 16):
            count += len(chunk.targets)
            for token in chunk.targets.tolist():
                file.write("\n" if token == END else f"w{token} ")
    return count


def kneser_ney(programs: Kenlm, order: int, train: Corpus, test: Corpus) -> Row:
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
            said = subprocess.run(
                [str(programs.query), "-v", "summary", str(model)],
                stdin=words, capture_output=True, check=True, text=True,
            ).stdout  # fmt: skip
    perplexity, tokens = read_summary(said)
    if tokens != expected:
        raise BadFile(asked, f"KenLM saw {tokens} tokens, not {expected}", "one line a document")
    return Row(f"Kneser–Ney, order {order}", train.targets, seconds, perplexity)


def read_summary(said: str) -> tuple[float, int]:
    """Perplexity and number of tokens in what `query` prints.

    >>> read_summary("Perplexity including OOVs:\\t48.5\\nOOVs:\\t3\\nTokens:\\t100\\n")
    (48.5, 100)
    """
    numbers = dict(re.findall(r"^([A-Z][\w ]*):\s*([\d.e+]+)", said, flags=re.MULTILINE))
    return float(numbers["Perplexity including OOVs"]), int(numbers["Tokens"])


def explicit(name: str, output: str, train: Corpus, common: Texts, plan: Plan) -> Row:
    """An explicit solution, everything chosen on validation text."""
    shape = replace(plan.configuration, vocabulary=len(common.vocabulary))
    if output == "direct":
        shape = replace(shape, output="direct", layer=DIRECT.layer)
    model = SaffuTransformer(shape, Words(), common.vocabulary)
    clock = time.perf_counter()
    model.warm_start(train, common.validation, seed=plan.seed)
    seconds = time.perf_counter() - clock
    return Row(name, train.targets, seconds, model.perplexity(common.test))


def rows(plan: Plan, sizes: Sequence[int], programs: Kenlm | None) -> Iterator[Row]:
    """Every model at every size."""
    common = texts(plan)
    for size in sizes:
        train = common.train.take(min(size, common.train.targets), plan.seed)
        yield explicit("explicit, one-hot, a temper a slot", "direct", train, common, plan)
        yield explicit("explicit, SAFFU layer", "softmax", train, common, plan)
        if programs is not None:
            for order in ORDERS:
                yield kneser_ney(programs, order, train, common.test)


def main(arguments: Sequence[str] | None = None) -> None:
    """The program."""
    parser = argparse.ArgumentParser(
        prog="python -m saffu.experiments.kenlm",
        description="Explicit solutions beside Kneser–Ney: seconds and perplexity.",
    )
    parser.add_argument("--tiny", action="store_true", help="little text, in seconds")
    parser.add_argument("--lmplz", default="lmplz", help="KenLM's program that fits (lmplz)")
    parser.add_argument("--query", default="query", help="KenLM's program that asks (query)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where to keep the figures (JSON)")
    chosen = parser.parse_args(arguments)
    plan = TINY_CLAIMS if chosen.tiny else Plan()
    sizes = plan.targets if chosen.tiny else (*plan.targets, 10**9)
    try:
        programs = find(chosen.lmplz, chosen.query)
    except Missing as missing:
        programs = None
        print(f"without KenLM: {missing}")
    before = os.getloadavg()[0]
    found = list(rows(plan, sizes, programs))
    head = ["model", "targets", "seconds", "perplexity"]
    cells = [
        [row.name, f"{row.targets:,}", f"{row.seconds:.2f}", f"{row.perplexity:.1f}"]
        for row in found
    ]
    print(table(head, cells))
    if chosen.out:
        chosen.out.parent.mkdir(parents=True, exist_ok=True)
        record = {
            "load_before": before, "rows": [row._asdict() for row in found], **circumstances(),
        }  # fmt: skip
        chosen.out.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
