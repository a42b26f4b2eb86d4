"""External baselines of the less-data study: n-grams (KenLM) and PyTorch models.   (SPEC 7)

    counted                  unigram, interpolated bigram, Kneser–Ney of orders 2–5 by KenLM
    by backpropagation       a standard transformer of nanoGPT's small size, and the one-hot slots
                             of the direct model as free parameters, both in PyTorch

They get the same texts, the same vocabulary, the same split and the same test.  Those whose program
is not on the machine are left out, and the report says so.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from saffu.configuration import SMALL
from saffu.models.baselines import fit_baselines
from saffu.types import Array
from saffu_lab.records.corpora import Texts
from saffu_lab.records.results import Line
from saffu_lab.rivals.decoder import Decoder, Shape, fit_decoder
from saffu_lab.rivals.kenlm import Kenlm, kneser_ney
from saffu_lab.rivals.torch_models import TorchSlots, fit_slots, torch_nats
from saffu_lab.study.selection import (
    Predictor,
    Row,
    best_trial,
    by_document,
    kept_at,
    nats_of_test,
    row_key,
    test_line,
    trial_line,
)
from saffu_lab.study.sources import Sources
from saffu_lab.study.task import Answers, Task, Work
from saffu_lab.study.texts import texts

ORDERS = (2, 3, 4, 5)
VOCABULARY = SMALL.vocabulary
TINY_VOCABULARY = 251


def counted_tasks(study: str, targets: int, seed: int, sources: Sources) -> list[Task]:
    """Unigram, bigram and, if its programs are there, KenLM: fitted and tested in one task."""
    tasks = []
    for name in ("unigram", "bigram"):
        row = Row(name, [], targets, seed)
        tasks.append(Task(row_key(study, row, sources, "test", {}), read_baseline, 3.0))
    if all(shutil.which(program) for program in sources.kenlm):
        for order in ORDERS:
            row = Row(f"kneser-ney {order}", [], targets, seed)
            key = row_key(study, row, sources, "test", {"order": order})
            tasks.append(Task(key, read_kenlm, 3.0))
    return tasks


def torch_there() -> bool:
    """Whether PyTorch is installed."""
    return find_spec("torch") is not None


def tried_tasks(
    study: str, row: Row, sources: Sources, answers: Answers, trial: Work, test: Work
) -> list[Task]:
    """Trials of a model that is not made from a recipe, then the test of the best."""
    keys = [row_key(study, row, sources, "trial", recipe) for recipe in row.trials]
    tasks = [Task(key, trial, row.seconds) for key in keys]
    best = best_trial(study, row, sources, answers)
    if best is not None:
        tasks.append(Task(row_key(study, row, sources, "test", best["recipe"]), test, 5.0))
    return tasks


def common_texts(key: Line, sources: Sources) -> Texts:
    """The texts of a task."""
    size = TINY_VOCABULARY if sources.tiny else VOCABULARY
    return texts(sources, size, key["seed"])


def read_baseline(key: Line, sources: Sources) -> Line:
    """In a worker: unigram or bigram."""
    common = common_texts(key, sources)
    train = common.amount(key["targets"], key["seed"])
    both = fit_baselines(train, common.validation, len(common.vocabulary))
    model = both.unigram if key["row"] == "unigram" else both.bigram
    return nats_of_test(model.nats, common.test)


def read_kenlm(key: Line, sources: Sources) -> Line:
    """In a worker: a model of KenLM, which reports one perplexity for the whole test text."""
    common = common_texts(key, sources)
    train = common.amount(key["targets"], key["seed"])
    programs = Kenlm(*(Path(shutil.which(name) or name) for name in sources.kenlm))
    row = kneser_ney(programs, key["recipe"]["order"], train, common.test)
    targets = common.test.targets
    whole = np.array([np.log(row.perplexity) * targets]), np.array([targets])
    return {**test_line(whole, common.test), "fit_seconds": round(row.seconds, 3)}


def _keep(path: Path, arrays: dict[str, Array]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".npz", delete=False) as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # any names are allowed
    Path(file.name).replace(path)


def trial_decoder(key: Line, sources: Sources) -> Line:
    """In a worker: train one transformer and judge it on validation text."""
    common = common_texts(key, sources)
    train, recipe = common.amount(key["targets"], key["seed"]), key["recipe"]
    model = Decoder(_shape(recipe, common), key["seed"])
    history: list[list[Any]] = []

    def note(seen: int, spent: float, nats: float) -> None:
        history.append(["cold", seen, round(spent, 3), round(nats, 6)])

    began = time.process_time()
    fit_decoder(
        *(model, train, common.watched(key["seed"])),
        rate=recipe["rate"],
        epochs=recipe["epochs"],
        seed=key["seed"],
        note=note,
    )
    spent = time.process_time() - began
    _keep(kept_at(key, sources, ".npz"), model.state())
    return trial_line(
        model.nats(common.validation),
        cpu_seconds=spent,
        parameters=model.size,
        trained_on=train.targets,
        history=history,
    )


def read_decoder(key: Line, sources: Sources) -> Line:
    """In a worker: the test text, once."""
    common, path = common_texts(key, sources), kept_at(key, sources, ".npz")
    if not path.exists():
        trial_decoder(key, sources)
    model = Decoder(_shape(key["recipe"], common), key["seed"])
    with np.load(path, allow_pickle=False) as kept:
        model.load(dict(kept))
    return test_line(model.nats(common.test), common.test)


def _shape(recipe: Line, common: Texts) -> Shape:
    sizes = {name: recipe[name] for name in ("width", "blocks", "context") if name in recipe}
    return Shape(len(common.vocabulary), dropout=recipe["dropout"], **sizes)


def trial_slots(key: Line, sources: Sources) -> Line:
    """In a worker: train the tables of all slots from zeros and judge them on validation text."""
    common, recipe = common_texts(key, sources), key["recipe"]
    corpus, watched = common.amount(key["targets"], key["seed"]), common.watched(key["seed"])
    (train,), (judges,) = corpus.chunks(corpus.targets), watched.chunks(watched.targets)
    model = _slots(common)
    history: list[list[Any]] = []
    began = time.process_time()

    def note(seen: int, nats: float) -> None:
        spent = round(time.process_time() - began, 3)
        history.append(["cold", seen, spent, round(nats, 6)])

    fit_slots(
        *(model, train, judges),
        rate=recipe["rate"],
        batch=1024,
        epochs=recipe["epochs"],
        patience=3,
        note=note,
    )
    spent = time.process_time() - began
    tables, bias = model.state()
    _keep(kept_at(key, sources, ".npz"), {"tables": tables, "bias": bias})
    return trial_line(
        by_document(_predict(model), common.validation),
        cpu_seconds=spent,
        parameters=int(tables.size + bias.size),
        trained_on=corpus.targets,
        history=history,
    )


def read_slots(key: Line, sources: Sources) -> Line:
    """In a worker: the test text, once."""
    common, path = common_texts(key, sources), kept_at(key, sources, ".npz")
    if not path.exists():
        trial_slots(key, sources)
    model = _slots(common)
    with np.load(path, allow_pickle=False) as kept:
        model.load((kept["tables"], kept["bias"]))
    return nats_of_test(_predict(model), common.test)


def _slots(common: Texts) -> TorchSlots:
    model = TorchSlots(replace(SMALL, vocabulary=len(common.vocabulary)))
    model.torch.set_num_threads(1)
    return model


def _predict(model: TorchSlots) -> Predictor:
    return partial(torch_nats, model)
