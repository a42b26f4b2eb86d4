"""The first minute: what the papers claim, tried on text that is on every machine.   (SPEC 7)

English prose that comes with every Python (or files of the user's), in words, documents parted
80/10/10 at random; every way to a model of it in turn, within a minute on two cores.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO, Any

from saffu.configuration import TINY
from saffu.data.corpus import Corpus
from saffu.data.counting import count_tokens
from saffu.data.prose import prose, running_text, topics
from saffu.data.readers import read_documents
from saffu.data.tokenisers import Words
from saffu.errors import Missing
from saffu.files import write_whole
from saffu.progress import Progress, silent
from saffu_lab.demo.contest import Contest, unheard
from saffu_lab.demo.outcome import DemoSettings, Outcome, Row, Text
from saffu_lab.demo.page import html
from saffu_lab.demo.plots import curves
from saffu_lab.records.results import circumstances

FULL = DemoSettings()
TINY_SETTINGS = DemoSettings(shape=TINY, seconds=4.0, least=0.3, starts=((0.3, 0.03), (1.0, 0.1)))


def run_demo(
    paths: Sequence[Path] = (),
    *,
    tiny: bool = False,
    unit: str = "paragraph",
    seconds: float | None = None,
    seed: int = 0,
    progress: Progress = silent,
    on_text: Callable[[Text], None] | None = None,
    on_row: Callable[[Row], None] = unheard,
) -> Outcome:
    """Every way to a model of a text, in turn.

    Parameters: `paths`, text files, none for Python's own prose; `tiny`, a small model of little
    text, in seconds; `unit` of the files' documents; `seconds`, about how long it takes in all;
    `on_text` and `on_row` hear of what is done.
    Refuses: what `read_documents` and `Corpus.split` refuse.
    """
    began = time.perf_counter()
    settings = TINY_SETTINGS if tiny else FULL
    if seconds is not None:
        settings = replace(settings, seconds=seconds)
    text = read_text(paths, settings, tiny=tiny, unit=unit, seed=seed)
    settings = replace(settings, shape=replace(settings.shape, vocabulary=len(text.vocabulary)))
    if on_text is not None:
        on_text(text)
    return Contest(text, settings, seed, progress, on_row).run(began)


def read_text(
    paths: Sequence[Path], settings: DemoSettings, *, tiny: bool, unit: str, seed: int
) -> Text:
    """The text of these files or the prose that comes with Python, in parts."""
    if paths:
        documents = list(read_documents(paths, unit=unit))
        name = ", ".join(str(path) for path in paths)
    elif tiny:
        documents = ["\n".join(running_text(topic)) for topic in topics()]
        name = "topics of Python's help()"
    else:
        documents, name = prose(), "English prose from Python's standard library"
    tokeniser = Words()
    vocabulary = count_tokens(documents, tokeniser).vocabulary(settings.shape.vocabulary)
    corpus = Corpus.in_memory(documents, tokeniser, vocabulary)
    train, validation, test = corpus.split((0.8, 0.1, 0.1), seed)
    watched = validation.take(min(settings.watched, validation.targets), seed)
    return Text(name, tokeniser, vocabulary, train, validation, watched, test)


def record(outcome: Outcome, command: str, about: Mapping[str, Any]) -> dict[str, Any]:
    """Everything as JSON says it: rows, curves, settings, `about` the machine."""
    text, settings = outcome.text, outcome.settings
    return {
        "command": command,
        "seed": outcome.seed,
        "seconds": outcome.seconds,
        **about,
        "text": {
            "name": text.name,
            "vocabulary": len(text.vocabulary),
            **{
                part: {"documents": c.documents, "targets": c.targets, "bytes": c.bytes}
                for part, c in (
                    ("train", text.train),
                    ("validation", text.validation),
                    ("watched", text.watched),
                    ("test", text.test),
                )
            },
        },
        "settings": {
            "configuration": settings.shape.to_json(),
            "starts": [list(start) for start in settings.starts],
            "warm_rate": settings.warm_rate,
            "seconds": settings.seconds,
        },
        "rows": [
            {
                "name": row.name,
                "perplexity": row.test.perplexity,
                "bits_per_byte": row.test.bits_per_byte,
                "seconds": row.seconds,
                "targets": row.targets,
                "note": row.note,
                "sample": row.sample,
                "curve": [list(point) for point in row.curve],
            }
            for row in outcome.rows
        ],
        "tried": [
            {
                "scale": tried.scale,
                "rate": tried.rate,
                "perplexity": tried.perplexity,
                "curve": [list(point) for point in tried.curve],
            }
            for tried in outcome.tried
        ],
    }


def write(outcome: Outcome, folder: Path, command: str) -> list[str]:
    """Write `results.json`, `index.html` and, if it can be drawn, `curves.png`, each complete.

    The results are written first, so that a failing plot does not cost them.
    Returns one line per file, and the reason if there is no plot.
    Refuses: a place that cannot be written.
    """
    about = circumstances("matplotlib")
    results = json.dumps(record(outcome, command, about), indent=1).encode()
    write_whole(folder / "results.json", partial(_write, results))
    picture, missing = None, ""
    try:
        picture = curves(outcome)
    except Missing as refusal:
        missing = str(refusal)
    except Exception as problem:  # noqa: BLE001 (whatever is wrong with matplotlib)
        missing = f"there is no plot: matplotlib failed ({type(problem).__name__}: {problem})"
    page = html(outcome, command, about, picture, missing).encode()
    paths = [str(folder / "results.json")]
    for name, content in (("curves.png", picture), ("index.html", page)):
        if content is not None:
            write_whole(folder / name, partial(_write, content))
            paths.append(str(folder / name))
    return [*paths, missing] if missing else paths


def _write(content: bytes, file: IO[bytes]) -> None:
    file.write(content)
