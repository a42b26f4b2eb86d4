"""A little text, and a study run on it in this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from saffu.experiments.results import Results
from saffu.replication.chapters import Study
from saffu.study import sources as places
from saffu.study.running import open_crew, run_tasks
from saffu.study.sources import Sources
from saffu.study.task import Answers
from spec_tests.support.texts import sentences


@contextmanager
def little_text() -> Iterator[None]:
    """Sentences of a small grammar in place of the documentation of Python."""
    with pytest.MonkeyPatch.context() as patch:
        documents = [" ".join(sentences(i, 5)) for i in range(499)]
        patch.setitem(places.NAMED, "prose", lambda: documents)
        places.documents.cache_clear()
        places.text_digest.cache_clear()
        yield
    places.documents.cache_clear()
    places.text_digest.cache_clear()


def run_tiny(study: Study, folder: Path) -> Answers:
    """Every task of a study, made tiny."""
    sources = Sources(text=("prose",), tiny=True, cache=str(folder / "models"))
    answers = Answers(Results(folder / f"{study.NAME}.jsonl"))
    with open_crew("serial") as crew:
        run_tasks(lambda seen: study.tasks(sources, seen), answers, sources, crew)
    return answers
