"""Measurement of the models of a map, as small tasks.   (SPEC 7)

    explicit    every model: its explicit solution, evaluated on validation text
    train       the randomly drawn models and the best: backpropagation from the explicit solution,
                for the drawn ones also from random weights; each setting evaluated on validation
                text
    test        when all of this is done, the test text, once: the Pareto front, the model with the
                most parameters, the best model after training and its explicit start, baselines

Which models are drawn is fixed before anything is measured.  Cold starts exist for cipher
embeddings only, not for radial ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from typing import Final, NamedTuple

import numpy as np

from saffu.models.baselines import fit_baselines
from saffu_lab.records.results import Line
from saffu_lab.roadmap.analysis import pareto_front
from saffu_lab.roadmap.design import models_of
from saffu_lab.roadmap.roadmap_file import Roadmap
from saffu_lab.roadmap.space import Levels
from saffu_lab.study.recipes import complete, model_path
from saffu_lab.study.selection import by_document, fit_and_judge, nats_of_test, read_test
from saffu_lab.study.sources import Sources, text_digest
from saffu_lab.study.task import Answers, Task, digest
from saffu_lab.study.texts import texts

NAME: Final = "roadmap"


class Drawn(NamedTuple):
    """One model of a map."""

    levels: Levels
    drawn: bool
    """whether it is trained regardless of its explicit solution"""


def models_to_walk(roadmap: Roadmap) -> list[Drawn]:
    """The models, and which of them are drawn for training; the same for the same file.

    Refuses: what `models_of` refuses.
    """
    models = models_of(roadmap.space, roadmap.models, roadmap.draw)
    count = math.ceil(roadmap.training.random_share * len(models))
    places = np.random.default_rng([roadmap.draw, 1]).permutation(len(models))[:count]
    chosen = set(places.tolist())
    return [Drawn(levels, i in chosen) for i, levels in enumerate(models)]


def walk(
    roadmap: Roadmap, models: Sequence[Drawn], sources: Sources, answers: Answers
) -> list[Task]:
    """All tasks that can be named so far; `models` are those of `models_to_walk`."""
    common = {
        "study": NAME,
        "targets": roadmap.targets,
        "seed": roadmap.seed,
        "text": text_digest(sources),
    }
    keys = [{**common, "do": "explicit", **_of(roadmap, model)} for model in models]
    todo = [Task(key, explicit, _seconds(key, 8.0)) for key in keys]
    for model in models:
        if model.drawn:
            todo += _trainings(roadmap, common, model)
    firsts = [line for key in keys if (line := answers.get(key)) is not None]
    if len(firsts) < len(keys):
        return todo
    for line in best_of(firsts, roadmap.training.best):
        if not line["drawn"]:
            todo += _trainings(roadmap, common, Drawn(line["levels"], drawn=False))
    done = [line for task in todo if (line := answers.get(task.key)) is not None]
    if len(done) == len(todo):
        vocabulary = roadmap.space.shared["vocabulary"]
        todo.append(Task({**common, "do": "baselines", "vocabulary": vocabulary}, baselines, 10.0))
        todo += [Task({**common, "do": "test", **about}, read_test, 3.0) for about in to_test(done)]
    return todo


def _of(roadmap: Roadmap, model: Drawn) -> Line:
    """The fields of a key that name a model."""
    recipe = roadmap.space.recipe(model.levels)
    return {"levels": model.levels, "drawn": model.drawn, "recipe": recipe}


def _trainings(roadmap: Roadmap, common: Line, model: Drawn) -> list[Task]:
    """One task per training setting of a model."""
    about, how = _of(roadmap, model), roadmap.training
    limits = {name: getattr(how, name) for name in ("frozen", "thawed", "checks", "batch")}
    recipes = [("warm", {**about["recipe"], "rate": rate, **limits}) for rate in how.rates]
    if model.drawn and how.cold and not about["recipe"].get("radii"):
        for rate, scale in product(how.rates, how.scales):
            cold = {"start": "cold", "scale": scale, "rate": rate, **limits}
            recipes.append(("cold", {**about["recipe"], **cold}))
    keys = [
        {**common, **about, "do": "train", "begin": begin, "recipe": recipe}
        for begin, recipe in recipes
    ]
    epochs = how.frozen + 1.5 * how.thawed
    return [Task(key, fit_and_judge, _seconds(key, 40.0 * epochs)) for key in keys]


def _seconds(key: Line, at_a_million: float) -> float:
    """Estimated duration of one task; it grows with the cube of the depth."""
    recipe = complete(key["recipe"])
    return at_a_million * (key["targets"] or 1_000_000) / 1_000_000 * float(recipe["depth"]) ** 3


def best_of(lines: Sequence[Line], count: int) -> list[Line]:
    """The best lines on validation text, without failed ones."""
    good = [line for line in lines if "failed" not in line]
    return sorted(good, key=lambda line: float(line["validation_nats"]))[:count]


def front_of(lines: Sequence[Line]) -> list[Line]:
    """The Pareto front of parameters against validation loss, by increasing parameters."""
    good = [line for line in lines if "failed" not in line]
    sizes = np.array([line["parameters"] for line in good], dtype=np.float64)
    losses = np.array([line["validation_nats"] for line in good], dtype=np.float64)
    return [good[i] for i in pareto_front(sizes, losses)]


def largest_of(lines: Sequence[Line]) -> Line:
    """The model with the most parameters; among equals, the best on validation text."""
    return max(best_of(lines, len(lines)), key=lambda line: int(line["parameters"]))


def to_test(lines: Sequence[Line]) -> list[Line]:
    """The models to be tested, as parts of keys, each once."""
    solved = [line for line in lines if line["do"] == "explicit" and "failed" not in line]
    if not solved:
        return []
    chosen = [*front_of(solved), largest_of(solved)]
    for best in best_of([line for line in lines if line["do"] == "train"], 1):
        chosen += [line for line in solved if line["levels"] == best["levels"]]
        chosen.append(best)
    parts = [{"levels": line["levels"], "recipe": line["recipe"]} for line in chosen]
    return list({digest(part): part for part in parts}.values())


def explicit(key: Line, sources: Sources) -> Line:
    """In a worker: an explicit solution, evaluated on validation text.

    Its model file is kept only if the model was drawn for training: hundreds of files would fill
    the disk, and any model can be solved again in seconds.
    """
    line = fit_and_judge(key, sources)
    if not key["drawn"]:
        path = model_path(key["recipe"], key["targets"], key["seed"], sources)
        for file in (path, path.with_suffix(".json")):
            file.unlink(missing_ok=True)
    return line


def baselines(key: Line, sources: Sources) -> Line:
    """In a worker: unigram and interpolated bigram, on validation text and on the test text."""
    common = texts(sources, key["vocabulary"], key["seed"])
    size = len(common.vocabulary)
    both = fit_baselines(common.amount(key["targets"], key["seed"]), common.validation, size)
    by_name: Line = {}
    for name, model in both._asdict().items():
        nats, targets = by_document(model.nats, common.validation)
        by_name[name] = {
            "validation_nats": float(nats.sum() / targets.sum()),
            **nats_of_test(model.nats, common.test),
        }
    return by_name
