"""Attention study: uniform, explicit and trained self-attention, and layer options.   [P1, T]

Explicit models are measured for every combination of attention, aggregation and gain, and for
several numbers of rounds; some of them are then trained by backpropagation.  The weights W of
explicit and trained attention are recorded together with their attention over one sentence, so that
they can be inspected.
"""

from __future__ import annotations

import numpy as np

from saffu.fast.comparison_cache import comparisons
from saffu.fast.plans import step_in_tokens
from saffu.fast.token_layer import attend_tokens
from saffu.parameters import Parameters
from saffu.positions import Samples
from saffu.types import Array
from saffu_lab.records.results import Line
from saffu_lab.replication.attention.chapter import chapter
from saffu_lab.study.recipes import build_model, configuration_of
from saffu_lab.study.selection import Row, best_trial, row_tasks
from saffu_lab.study.sources import Sources, text_digest
from saffu_lab.study.task import Answers, Task
from saffu_lab.study.texts import texts

NAME = "attention"
ABOUT = "uniform, explicit and trained self-attention; aggregation, gain, surprisal, rounds"

TARGETS, TRAINED_TARGETS = 300_000, 100_000
SEEDS = (1, 2, 3)
ROUNDS = (0, 2, 3)
TINY: Line = {"vocabulary": 251, "contexts": "radial:3", "bits": 31, "label_bits": 29}
LIMITS: Line = {"frozen": 10, "thawed": 0, "patience": 3}
RATES = (0.003, 0.01)
SENTENCE = 24
"""tokens of the sentence shown in the figure"""

__all__ = ["ABOUT", "NAME", "chapter", "tasks"]


def name_of(recipe: Line) -> str:
    """The name of a row: its options in words.

    >>> name_of({"attention": "softmax", "aggregation": "cat", "gain": "count", "rounds": 2})
    'softmax cat count, 2 rounds'
    >>> name_of({"attention": "uniform", "slot_tempers": True})
    'uniform cat count, λ by slot'
    """
    words = [recipe.get("attention", "softmax"), recipe.get("aggregation", "cat")]
    if words[0] != "surprisal":
        words.append(recipe.get("gain", "count"))
    rounds = recipe.get("rounds", 1)
    more = "" if rounds == 1 or words[0] == "uniform" else f", {rounds} rounds"
    if recipe.get("slot_tempers"):
        more += ", λ by slot"
    slots = recipe.get("contexts", "radial:8")
    return " ".join(words) + more + (f", {slots}" if slots == "radial:16" else "")


def shapes() -> list[Line]:
    """All explicit models of the study."""
    recipes: list[Line] = []
    for aggregation in ("cat", "sum"):
        for gain in ("count", "unit"):
            for attention in ("uniform", "softmax"):
                options = {"attention": attention, "aggregation": aggregation, "gain": gain}
                recipes.append(dict(options))
        recipes.append({"attention": "surprisal", "aggregation": aggregation})
    for rounds in ROUNDS:
        recipes.append({"attention": "softmax", "aggregation": "cat", "rounds": rounds})
        recipes.append({"attention": "softmax", "aggregation": "sum", "rounds": rounds})
        recipes.append({"attention": "surprisal", "aggregation": "cat", "rounds": rounds})
    kinds = ("uniform", "softmax", "surprisal")
    recipes += [{"attention": kind, "slot_tempers": True} for kind in kinds]
    for kind in ("uniform", "softmax"):
        recipes.append({"attention": kind, "contexts": "radial:16"})
        recipes.append({"attention": kind, "contexts": "radial:16", "slot_tempers": True})
    return recipes


def tasks(sources: Sources, answers: Answers) -> list[Task]:
    """All tasks that can be named so far."""
    few = shapes()[:3] if sources.tiny else shapes()
    base = TINY if sources.tiny else {}
    amount = 3_000 if sources.tiny else TARGETS
    todo: list[Task] = []
    for seed in SEEDS[:1] if sources.tiny else SEEDS:
        rows = [Row(name_of(shape), [{**base, **shape}], amount, seed, 5.0) for shape in few]
        todo += row_tasks(NAME, rows, sources, answers)
    rows = trained_rows(base, tiny=sources.tiny)
    todo += row_tasks(NAME, rows, sources, answers)
    for row in rows:
        best = best_trial(NAME, row, sources, answers)
        if best is not None and "softmax" in row.name:
            todo.append(Task(map_key(row, best["recipe"], sources), read_map, 3.0))
    return todo


def trained_rows(base: Line, *, tiny: bool) -> list[Row]:
    """Explicit and trained models on one amount of text, with the first seed."""
    amount = 2_000 if tiny else TRAINED_TARGETS
    limits = {"frozen": 1, "thawed": 0} if tiny else LIMITS
    rates = RATES[:1] if tiny else RATES
    rows = []
    for attention, aggregation, by_slot in (
        ("uniform", "cat", False), ("softmax", "cat", False), ("surprisal", "cat", False),
        ("uniform", "sum", False), ("softmax", "sum", False),
        ("uniform", "cat", True), ("softmax", "cat", True),
    )[: 2 if tiny else 7]:  # fmt: skip
        shape = {**base, "attention": attention, "aggregation": aggregation}
        name = f"{attention} {aggregation}"
        if by_slot:
            shape, name = {**shape, "slot_tempers": True}, f"{name}, λ by slot"
        rows.append(Row(f"{name}: explicit", [shape], amount, SEEDS[0], 3.0))
        warm = [{**shape, "rate": rate, **limits} for rate in rates]
        rows.append(Row(f"{name}: explicit, trained", warm, amount, SEEDS[0], 40.0))
        if attention != "surprisal" and aggregation == "cat" and not by_slot:
            cold = [{**one, "start": "cold", "scale": 1.0} for one in warm]
            rows.append(Row(f"{name}: cold, trained", cold, amount, SEEDS[0], 40.0))
    return rows


def map_key(row: Row, recipe: Line, sources: Sources) -> Line:
    """The key of the task that records the attention of a model."""
    return {
        "study": NAME,
        "do": "map",
        "row": row.name,
        "targets": row.targets,
        "seed": row.seed,
        "recipe": dict(recipe),
        "text": text_digest(sources),
    }


def read_map(key: Line, sources: Sources) -> Line:
    """In a worker: W, the mean attention per slot, and the attention over one sentence."""
    recipe, seed = key["recipe"], key["seed"]
    model = build_model(recipe, key["targets"], seed, sources).model
    configuration = configuration_of(recipe)
    assert isinstance(model.parameters, Parameters)
    w = model.parameters.towers[0][0].attention
    common = texts(sources, configuration.vocabulary, seed)
    chunk = next(common.validation.chunks(8_192))
    cache = comparisons(model.parameters.embedding)
    step = step_in_tokens(chunk, configuration.contexts[0])  # type: ignore[arg-type]
    seen = attend_tokens(step, cache, w, configuration.layer).attention
    whole = step.mask.all(axis=1)
    part = sentence(chunk)
    words = common.vocabulary.decode(chunk.tokens[part])
    return {
        "weights": w.astype(np.float64).round(3).tolist(),
        "mean": seen[whole].mean(axis=0, dtype=np.float64).round(4).tolist(),
        "deviation": seen[whole].std(axis=0, dtype=np.float64).round(4).tolist(),
        "words": list(words),
        "sentence": seen[part].astype(np.float64).round(4).tolist(),
    }


def sentence(chunk: Samples) -> slice:
    """The first samples of the longest document of a chunk."""
    starts = np.flatnonzero(chunk.offsets == 0)
    lengths: Array = np.diff(np.append(starts, chunk.targets.shape[0]))
    first = int(starts[int(np.argmax(lengths))])
    return slice(first, first + min(SENTENCE, int(lengths.max())))
