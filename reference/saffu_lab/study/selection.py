"""Model selection: several settings tried on validation text, the best of them tested.   (SPEC 7)

A row of a table has trials, each of which fits one model and judges it on validation text.  When
all of them are done, the best stands for the row, and it alone is tested: its nats are kept
document by document, so that rows can be compared in pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from saffu.data.corpus import Corpus
from saffu.direct import DirectParameters
from saffu.fast.comparison_cache import comparisons
from saffu.fast.predict import chunk_nats
from saffu.models.transformer import SaffuTransformer
from saffu.positions import Samples
from saffu.search.direct import direct_nats
from saffu.types import Array, Nats
from saffu_lab.records.results import Line
from saffu_lab.study.recipes import build_model, complete, size_of
from saffu_lab.study.sources import Sources, text_digest
from saffu_lab.study.task import Answers, Task, digest
from saffu_lab.study.texts import texts

Predictor: TypeAlias = Callable[[Samples], Nats]


class Row(NamedTuple):
    """One line of a table, at one amount of text and one seed."""

    name: str
    trials: Sequence[Line]
    """recipes, the best of which stands for the row; see `saffu_lab.study.recipes`"""
    targets: int | None
    """of training text; None: all"""
    seed: int
    seconds: float = 5.0
    """a guess for one trial"""
    test: bool = True
    """whether the best is tested"""


def row_key(study: str, row: Row, sources: Sources, do: str, recipe: Line) -> Line:
    """The key of a trial or a test."""
    return {
        "study": study,
        "do": do,
        "row": row.name,
        "targets": row.targets,
        "seed": row.seed,
        "recipe": dict(recipe),
        "text": text_digest(sources),
    }


def row_tasks(study: str, rows: Iterable[Row], sources: Sources, answers: Answers) -> list[Task]:
    """All trials, and the tests of those rows whose trials are done."""
    tasks: list[Task] = []
    for row in rows:
        keys = [row_key(study, row, sources, "trial", recipe) for recipe in row.trials]
        tasks += [Task(key, fit_and_judge, row.seconds) for key in keys]
        best = best_trial(study, row, sources, answers)
        if row.test and best is not None:
            tasks.append(Task(row_key(study, row, sources, "test", best["recipe"]), read_test, 1.0))
    return tasks


def best_trial(study: str, row: Row, sources: Sources, answers: Answers) -> Line | None:
    """The line of the best trial on validation text; None while any of them is not done."""
    lines = [answers.get(row_key(study, row, sources, "trial", recipe)) for recipe in row.trials]
    done = [line for line in lines if line is not None]
    good = [line for line in done if "failed" not in line]
    if len(done) < len(lines) or not good:
        return None
    return min(good, key=lambda line: float(line["validation_nats"]))


def kept_at(key: Line, sources: Sources, suffix: str) -> Path:
    """Where a model that is not made from a recipe alone lies between its trial and its test."""
    same = {name: key[name] for name in ("row", "recipe", "targets", "seed", "text")}
    path = sources.models / f"{digest(same)}{suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def fit_and_judge(key: Line, sources: Sources) -> Line:
    """In a worker: fit one model and judge it on validation text."""
    made = build_model(key["recipe"], key["targets"], key["seed"], sources)
    common = _texts(key, sources)
    return trial_line(
        by_document(predictor(made.model), common.validation),
        cpu_seconds=made.cpu_seconds,
        parameters=size_of(made.model),
        trained_on=common.amount(key["targets"], key["seed"]).targets,
        chosen=made.chosen,
        history=made.history,
    )


def trial_line(
    validation: tuple[Array, Array],
    *,
    cpu_seconds: float,
    parameters: int,
    trained_on: int,
    **more: Any,
) -> Line:
    """What every trial leaves behind, whichever model it fitted.

    Parameters: `validation`: nats and targets of each document of the validation text, as
    `by_document` gives them; `cpu_seconds` from the training text to the model; `parameters`, how
    many numbers the model has; `trained_on` targets; `more` fields, left out where they are empty.

    >>> nats = np.array([3.0, 1.0]), np.array([1, 3])
    >>> trial_line(nats, cpu_seconds=0.12345, parameters=9, trained_on=4, history=[])
    {'validation_nats': 1.0, 'fit_cpu_seconds': 0.123, 'parameters': 9, 'trained_on': 4}
    """
    nats, targets = validation
    line: Line = {
        "validation_nats": float(nats.sum() / targets.sum()),
        "fit_cpu_seconds": round(cpu_seconds, 3),
        "parameters": parameters,
        "trained_on": trained_on,
    }
    return {**line, **{name: value for name, value in more.items() if value}}


def read_test(key: Line, sources: Sources) -> Line:
    """In a worker: the test text, once."""
    model = build_model(key["recipe"], key["targets"], key["seed"], sources).model
    return nats_of_test(predictor(model), _texts(key, sources).test)


def nats_of_test(predict: Predictor, corpus: Corpus) -> Line:
    """Nats and targets of each document of the test text."""
    return test_line(by_document(predict, corpus), corpus)


def test_line(tested: tuple[Array, Array], corpus: Corpus) -> Line:
    """What every test leaves behind: nats and targets of each document of the test text."""
    nats, targets = tested
    return {
        "nats": nats.round(4).tolist(),
        "targets_tested": targets.tolist(),
        "bytes_tested": corpus.bytes,
    }


def _texts(key: Mapping[str, Any], sources: Sources) -> Any:
    return texts(sources, complete(key["recipe"])["vocabulary"], key["seed"])


def predictor(model: SaffuTransformer) -> Predictor:
    """Nats of each sample, by a model."""
    parameters, configuration = model.parameters, model.configuration
    if isinstance(parameters, DirectParameters):
        return partial(direct_nats, parameters, configuration)
    assert parameters is not None
    cache = comparisons(parameters.embedding)
    return lambda chunk: chunk_nats(parameters, configuration, chunk, cache)


def by_document(predict: Predictor, corpus: Corpus) -> tuple[Array, Array]:
    """Nats and targets of each document: what intervals are made of."""
    nats, targets = [], []
    for chunk in corpus.chunks(min(1 << 13, corpus.targets)):
        starts = np.flatnonzero(chunk.offsets == 0)
        nats.append(np.add.reduceat(predict(chunk).astype(np.float64), starts))
        targets.append(np.diff(np.append(starts, chunk.targets.shape[0])))
    return np.concatenate(nats), np.concatenate(targets)
