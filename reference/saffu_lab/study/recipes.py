"""A language model from a record of plain values: its shape, its start, its training.   (SPEC 4–6)

    {"contexts": "radial:8", "bits": 128, "attention": "softmax", …}     the shape
    {"start": "explicit", "rounds": 1}  or  {"start": "cold", "scale": 0.3}
    {"rate": 0.01, "frozen": 24, "thawed": 8}                            training, if any

What a record leaves out is as in `DEFAULTS`.  The same record, amount of text and seed give the
same model to the last bit, so that a model which was lost is simply made again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from saffu.configuration import SMALL, Configuration
from saffu.contexts import ContextModel, parse_contexts
from saffu.data.tokenisers import Words
from saffu.direct import DirectParameters
from saffu.errors import BadOption
from saffu.explicit.smoothing import Backoff, Discount
from saffu.models.training import Rates, Record, Schedule
from saffu.models.transformer import SaffuTransformer
from saffu.parameters import Parameters, flatten
from saffu.search.direct import DirectChoice, DirectSearch
from saffu.search.warm import ChosenStart, Search
from saffu_lab.records.corpora import Texts
from saffu_lab.records.results import Line
from saffu_lab.records.whole import keep
from saffu_lab.study.sources import Sources, text_digest
from saffu_lab.study.task import digest
from saffu_lab.study.texts import texts

SHAPE: Mapping[str, Any] = {
    "vocabulary": SMALL.vocabulary,
    "contexts": "radial:8",
    "bits": SMALL.bits,
    "label_bits": SMALL.label_bits,
    "radii": [],
    "combine": "sum",
    "aggregation": "cat",
    "attention": "softmax",
    "gain": "count",
    "depth": 1,
    "output": "softmax",
}
"""The fields of a shape, and what they are when a record leaves them out."""

START: Mapping[str, Any] = {
    "start": "explicit",
    "scale": 1.0,
    "rounds": 1,
    "hidden": [1.0, 10.0, 100.0, 1000.0, 10_000.0],
    "factors": [1.0, 1.5, 2.0, 3.0, 4.0, 6.0],
    "smoothing": [1.0, 10.0, 30.0, 100.0, 300.0],
    "discount": [0.6, 0.75, 0.9],
    "dtype": "float32",
    "start_targets": None,
    "slot_tempers": False,
}
"""Where the parameters come from: α of U, factors on its λ and α of O that are tried, discounts of
direct models; the standard deviation of random weights.  `start_targets`: what an explicit start
reads before training (None: all that is trained on).  `slot_tempers`: one λ for each slot of U."""

TRAINING: Mapping[str, Any] = {
    "rate": None,
    "frozen": 24,
    "thawed": 8,
    "patience": 4,
    "batch": 1024,
    "checks": 2,
    "thaw_rate": None,
}
"""Backpropagation; without a rate there is none.  `thaw_rate`: of E, by default a tenth."""

DEFAULTS: Mapping[str, Any] = {**SHAPE, **START, **TRAINING}


class Made(NamedTuple):
    """A model, and how it came about."""

    model: SaffuTransformer
    history: list[list[Any]]
    """of its training: stage, targets seen, CPU seconds, nats of validation text"""
    chosen: Line
    """what an explicit solution chose"""
    cpu_seconds: float
    """from the training text to the model, that of an explicit start included"""


def complete(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe with everything that it leaves out.

    Refuses: fields that there are not.

    >>> complete({"bits": 64})["label_bits"]
    128
    """
    for name in recipe:
        if name not in DEFAULTS:
            raise BadOption("name in a recipe", name, f"one of {', '.join(DEFAULTS)}", "SPEC 4")
    return {**DEFAULTS, **recipe}


def configuration_of(recipe: Mapping[str, Any]) -> Configuration:
    """The shape in a recipe.

    Refuses: what `Configuration` refuses.

    >>> configuration_of({"contexts": "radial:4,document", "attention": "uniform"}).contexts
    (RadialContext(radius=4), DocumentContext())
    """
    all_of = complete(recipe)
    contexts: tuple[ContextModel, ...] = parse_contexts(all_of["contexts"])
    plain = ("vocabulary", "bits", "label_bits", "combine", "depth", "output")
    layer = {name: all_of[name] for name in ("aggregation", "attention", "gain")}
    return replace(
        SMALL,
        **{name: all_of[name] for name in plain},
        contexts=contexts,
        radii=tuple(all_of["radii"]),
        layer=replace(SMALL.layer, **layer),
    )


def size_of(model: SaffuTransformer) -> int:
    """How many numbers a model has, its embedding counted; for direct models, cells and tempers."""
    parameters = model.parameters
    if isinstance(parameters, Parameters):
        return sum(int(leaf.size) for leaf in flatten(parameters))
    assert isinstance(parameters, DirectParameters)
    sizes = [parameters.embedding.size, parameters.prior.size]
    for tower in parameters.towers:
        sizes += [tower.attention.size, tower.temper.size, *(t.nnz for t in tower.tables)]
    return int(sum(sizes))


def build_model(
    recipe: Mapping[str, Any], targets: int | None, seed: int, sources: Sources
) -> Made:
    """The model of a recipe on a number of targets; from its file, if it has been made before.

    Parameters: `targets`, None for all; `seed` of parting, drawing, random weights and order.
    """
    all_of = complete(recipe)
    common = texts(sources, all_of["vocabulary"], seed)
    path = model_path(recipe, targets, seed, sources)
    if path.exists():
        return _read(path)
    began, before_that = time.process_time(), 0.0
    train = common.amount(targets, seed)
    # a text may have fewer tokens than the vocabulary would hold
    shape = replace(configuration_of(recipe), vocabulary=len(common.vocabulary))
    model = SaffuTransformer(shape, Words(), common.vocabulary, dtype=all_of["dtype"])
    history: list[list[Any]] = []
    chosen: Line = {}
    if all_of["rate"] is None:
        chosen = _begin(model, all_of, common, train, seed)
    else:
        after = {*TRAINING, "start_targets"}
        before = {name: value for name, value in recipe.items() if name not in after}
        if all_of["start"] == "explicit":
            start = build_model(before, all_of["start_targets"] or targets, seed, sources)
            model, before_that = start.model, start.cpu_seconds
            model.history = []
            began = time.process_time()
        else:
            _begin(model, all_of, common, train, seed)
        history = _train(model, all_of, train, common, seed)
    spent = round(before_that + time.process_time() - began, 3)
    made = Made(model, history, chosen, spent)
    _write(made, path)
    return made


def _write(made: Made, path: Path) -> None:
    """Keep a model, and beside it how it came about."""
    about = {"history": made.history, "chosen": made.chosen, "cpu_seconds": made.cpu_seconds}
    keep(path.with_suffix(".json"), json.dumps(about))
    made.model.save(path)


def _read(path: Path) -> Made:
    """What `_write` wrote."""
    about = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    return Made(SaffuTransformer.load(path), **about)


def model_path(recipe: Mapping[str, Any], targets: int | None, seed: int, sources: Sources) -> Path:
    """Where a model lies between tasks."""
    differing = {k: v for k, v in complete(recipe).items() if v != DEFAULTS[k]}
    key = {"recipe": differing, "targets": targets, "seed": seed}
    return sources.models / f"{digest({**key, 'text': text_digest(sources)})}.saffu"


def _begin(
    model: SaffuTransformer, recipe: Mapping[str, Any], common: Texts, train: Any, seed: int
) -> Line:
    """Parameters from counts or from chance."""
    if recipe["start"] == "cold":
        model.cold_start(train, scale=recipe["scale"], seed=seed)
        return {}
    if recipe["start"] != "explicit":
        raise BadOption("start", recipe["start"], "explicit or cold", "SPEC 5")
    search: Search | DirectSearch = Search(
        hidden=tuple(Backoff(a) for a in recipe["hidden"]),
        scales=tuple(recipe["factors"]),
        output=tuple(Backoff(a) for a in recipe["smoothing"]),
        rounds=recipe["rounds"],
        slot_tempers=recipe["slot_tempers"],
    )
    if recipe["output"] == "direct":
        search = DirectSearch(smoothing=tuple(Discount(d) for d in recipe["discount"]))
    chosen = model.warm_start(train, common.validation, search=search, seed=seed, engine="serial")
    return choices(chosen)


def choices(chosen: ChosenStart | DirectChoice) -> Line:
    """What an explicit solution chose, for the record."""
    if isinstance(chosen, DirectChoice):
        tempers = [float(t) for tower in chosen.parameters.towers for t in tower.temper]
        return {"smoothing": str(chosen.smoothing), "tempers": [round(t, 4) for t in tempers]}
    settings = chosen.settings
    by_slot = [[round(lam, 4) for lam in tower] for tower in chosen.slot_tempers]
    return {
        **({"tempers": by_slot} if by_slot else {}),
        "hidden": settings.hidden_smoothing.strength,
        "factor": settings.hidden_scale,
        "smoothing": settings.output_smoothing.strength,
        "temper": settings.output_temper,
    }


def _train(
    model: SaffuTransformer, recipe: Mapping[str, Any], train: Any, common: Texts, seed: int
) -> list[list[Any]]:
    """Backpropagation; each validation as [stage, targets seen, CPU seconds, nats]."""
    history: list[list[Any]] = []
    began = time.process_time()

    def note(record: Record) -> None:
        used = round(time.process_time() - began, 3)
        history.append([record.stage, record.targets, used, round(record.validation_nats, 6)])

    rates = Rates.all(recipe["rate"])
    if recipe["thaw_rate"] is not None:
        rates = replace(rates, embedding=recipe["thaw_rate"])
    schedule = Schedule(
        rates=rates,
        seed=seed,
        batch=recipe["batch"],
        frozen_epochs=recipe["frozen"],
        thawed_epochs=recipe["thawed"],
        patience=recipe["patience"],
        checks=recipe["checks"],
    )
    model.train(train, common.watched(seed), schedule, on_record=note)
    return history
