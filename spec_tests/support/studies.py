"""A little text, and a study run on it in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from saffu_lab.records.results import Line, Results
from saffu_lab.replication.chapters import Study
from saffu_lab.study import sources as places
from saffu_lab.study.running import State, open_crew, run_tasks
from saffu_lab.study.sources import Sources
from saffu_lab.study.task import Answers
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


def run_some(
    study: Study, sources: Sources, path: Path, lines: list[Line], most: int | None = None
) -> None:
    """Do what `path` does not have yet, line by line; stop, as if killed, when there are `most`."""

    class Enough(Exception):
        pass

    def watch(state: State, line: Line | None) -> None:
        if line is not None:
            lines.append(line)
            if len(lines) == most:
                raise Enough

    answers = Answers(Results(path))
    with open_crew("serial") as crew, suppress(Enough):
        run_tasks(lambda seen: study.tasks(sources, seen), answers, sources, crew, watch)


def whole_in_parts(
    study: Study, sources: Sources, path: Path, most: int, between: Callable[[], object] = bool
) -> list[Line]:
    """All lines of a study that is stopped after `most` of them, goes on, and has no more to do."""
    lines: list[Line] = []
    run_some(study, sources, path, lines, most)
    assert len(lines) == most
    assert study.chapter(lines).title
    between()
    run_some(study, sources, path, lines)
    whole = len(lines)
    run_some(study, sources, path, lines)
    assert most < whole == len(lines) == len({line["id"] for line in lines})
    return lines


def run_tiny(study: Study, folder: Path) -> Answers:
    """Every task of a study, made tiny."""
    sources = Sources(text=("prose",), tiny=True, cache=str(folder / "models"))
    answers = Answers(Results(folder / f"{study.NAME}.jsonl"))
    with open_crew("serial") as crew:
        run_tasks(lambda seen: study.tasks(sources, seen), answers, sources, crew)
    return answers
