"""Less-data study: explicit only, the best cold start, and training from a warm start.   [P1]

Models are made from 10,000 to 1,000,000 training targets of one text.  The cold start is tuned over
learning rate *and* initial scale, the warm start over the learning rate; both on validation text
with the first seed, and the other seeds use the settings chosen there.  All runs at one size have
the same epoch limits and the same early stopping; where most runs reached those limits, one run of
each kind is repeated with three times as many epochs.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

from saffu_lab.models.log_linear_ngrams import read_phrases, trial_phrases
from saffu_lab.models.refined_layer import read_refined, trial_refined
from saffu_lab.records.results import Line
from saffu_lab.replication.less_data.chapter import chapter
from saffu_lab.rivals.external_baselines import (
    TINY_VOCABULARY,
    VOCABULARY,
    counted_tasks,
    read_decoder,
    read_slots,
    torch_there,
    trial_decoder,
    trial_slots,
    tried_tasks,
)
from saffu_lab.study.selection import Row, best_trial, row_tasks
from saffu_lab.study.sources import Sources
from saffu_lab.study.task import Answers, Task

NAME = "less-data"
ABOUT = "10,000 to 1,000,000 targets: explicit, cold, warm, and external baselines"

__all__ = ["ABOUT", "NAME", "chapter", "tasks"]


class Size(NamedTuple):
    """One amount of training text, and what is tried on it."""

    targets: int
    cold: Sequence[tuple[float, float]]
    """learning rate, initial scale"""
    frozen: int
    """epoch limit with frozen embeddings"""
    thawed: int
    """epoch limit with thawed embeddings"""
    checks: int
    """validations per epoch"""
    seconds: float
    """estimated duration of one training"""
    decoder: Line
    """epochs and dropout of the standard transformer"""
    decoder_rates: Sequence[float] | None
    """learning rates of the transformer; None: the best one at the previous size"""
    slot_rates: Sequence[float] | None
    """learning rates of trained one-hot slots; None: the best one at the previous size; empty: not
    trained"""
    wide: Sequence[tuple[float, float]] = ((0.01, 0.3),)
    """learning rate and initial scale of 512-bit cold starts"""
    wide_seeds: int = 1
    """number of seeds with which 512-bit models are trained"""
    wide_warm: Sequence[float] = (0.003,)
    """learning rates of 512-bit warm starts"""
    longer: bool = False
    """whether one run of each kind is repeated with three times as many epochs"""


MANY = (*product((0.003, 0.01, 0.03), (0.3, 1.0)), (0.01, 0.1))
FEWER = ((0.003, 0.3), (0.003, 1.0), (0.01, 0.3), (0.01, 1.0), (0.03, 1.0))
FEWEST = ((0.003, 1.0), (0.01, 0.3))
WARM = (0.003, 0.01)
"""learning rates of warm starts"""
DECODER_RATES = (0.0003, 0.001, 0.003, 0.01)
SLOT_RATES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
SIZES = (
    Size(
        *(10_000, MANY, 24, 8, 1, 15, {"epochs": 24, "dropout": 0.2}, DECODER_RATES, SLOT_RATES),
        *(FEWEST, 3, WARM, True),
    ),
    Size(
        *(30_000, MANY, 24, 8, 1, 35, {"epochs": 18, "dropout": 0.2}, DECODER_RATES, SLOT_RATES),
        *(FEWEST, 3, WARM),
    ),
    Size(
        *(100_000, MANY, 24, 8, 2, 70, {"epochs": 12, "dropout": 0.1}, None, SLOT_RATES),
        *(FEWEST, 3, WARM),
    ),
    Size(300_000, FEWER, 12, 4, 2, 150, {"epochs": 6, "dropout": 0.1}, None, None, longer=True),
    Size(1_000_000, FEWEST, 5, 2, 2, 210, {"epochs": 3, "dropout": 0.0}, None, (), longer=True),
)
LONGER = 3
"""factor on the epoch limits of longer runs"""
SEEDS = (1, 2, 3)

LAYERS: Sequence[Line] = (
    {},
    {"rounds": 0},
    {"rounds": 3},
    {"attention": "uniform"},
    {"depth": 2},
    {"radii": [1, 4], "combine": "cat"},
    {"contexts": "radial:4"},
    {"contexts": "radial:8,document"},
    {"bits": 256, "label_bits": 256},
    {"bits": 512, "label_bits": 512},
    {"bits": 512, "label_bits": 512, "contexts": "radial:4"},
    {"bits": 512, "label_bits": 512, "contexts": "radial:4", "rounds": 3},
    {"bits": 512, "label_bits": 512, "contexts": "radial:8,document"},
    {"bits": 1024, "label_bits": 512},
    {"bits": 1024, "label_bits": 1024, "contexts": "radial:4"},
    {"bits": 2048, "label_bits": 2048, "contexts": "radial:4"},
    {"slot_tempers": True, "attention": "uniform"},
    {"slot_tempers": True, "bits": 512, "label_bits": 512},
    {"slot_tempers": True, "bits": 512, "label_bits": 512, "contexts": "radial:4", "rounds": 3},
    {"slot_tempers": True, "bits": 512, "label_bits": 512, "contexts": "radial:8,document"},
    {
        "slot_tempers": True,
        "bits": 512,
        "label_bits": 512,
        "contexts": "radial:16",
        "attention": "uniform",
    },
    {"slot_tempers": True, "bits": 1024, "label_bits": 1024, "contexts": "radial:4"},
    {"slot_tempers": True, "bits": 2048, "label_bits": 1024, "contexts": "radial:4"},
)
"""Explicit models with a hidden layer, the best of which represents the family; codes of 2048 bits
are one-hot vectors."""
_TABLES: Line = {"output": "direct", "attention": "uniform"}
DIRECT: Sequence[Line] = (
    {**_TABLES, "contexts": "radial:4"},
    {**_TABLES, "contexts": "radial:8"},
    {**_TABLES, "contexts": "radial:16"},
    {**_TABLES, "contexts": "radial:8,block:8"},
    {**_TABLES, "contexts": "radial:8", "attention": "softmax"},
)
"""Explicit models on one-hot slots, with discounts and one temper per slot."""
PHRASES: Sequence[Line] = (
    {"phrases": 4, "discount": 0.75},
    {"phrases": 3, "discount": 0.75},
    {"phrases": 2, "discount": 0.75},
    {"phrases": 1, "discount": 0.75},
    {"phrases": 4, "discount": 0.9},
)
"""One-hot slots with phrases of up to a number of tokens."""
REFINED: Sequence[tuple[Line, int, bool]] = (
    ({}, 20, False),
    ({}, 20, True),
    ({"contexts": "radial:4", "rounds": 3}, 20, True),
)
"""Refined explicit layers: recipe, limit of steps, and whether U is refined too."""
REFINED_UP_TO = 300_000
"""targets; each step computes the probabilities of all words for every target"""
WIDE: Line = {"bits": 512, "label_bits": 512}
"""The larger width at which models are also trained from random weights."""

TINY_SHAPE: Line = {"vocabulary": 251, "contexts": "radial:3", "bits": 31, "label_bits": 29}
TINY_DECODER: Line = {"epochs": 1, "dropout": 0.0, "width": 16, "blocks": 1, "context": 8}
TINY_COLD = ((0.03, 0.3), (0.03, 1.0))
TINY_SIZES = (
    Size(2_000, TINY_COLD, 1, 1, 1, 1, TINY_DECODER, (0.003,), (0.1,), longer=True),
    Size(6_000, TINY_COLD, 1, 1, 1, 1, TINY_DECODER, None, None),
)
TINY_WIDE: Line = {"bits": 61, "label_bits": 61}
TINY_LAYERS: Sequence[Line] = ({}, TINY_WIDE)
TINY_DIRECT: Sequence[Line] = ({"output": "direct", "attention": "uniform"},)


def tasks(sources: Sources, answers: Answers) -> list[Task]:
    """All tasks that can be named so far."""
    todo: list[Task] = []
    sizes = TINY_SIZES if sources.tiny else SIZES
    seeds = SEEDS[:2] if sources.tiny else SEEDS
    for size in sizes:
        for seed in seeds:
            todo += row_tasks(NAME, rows(size, seed, sources, answers), sources, answers)
            todo += counted_tasks(NAME, size.targets, seed, sources)
            todo += phrase_tasks(size, seed, sources, answers)
            todo += refined_tasks(size, seed, sources, answers)
    if torch_there():
        todo += outside_tasks(sizes, sources, answers)
    return todo


def refined_tasks(size: Size, seed: int, sources: Sources, answers: Answers) -> list[Task]:
    """Refined explicit layers; later seeds use the first seed's choice."""
    if size.targets > REFINED_UP_TO:
        return []
    shape = TINY_SHAPE if sources.tiny else {}
    trials = [
        {"base": {**shape, **base}, "steps": 1 if sources.tiny else steps, "units": units}
        for base, steps, units in REFINED
    ]
    row = Row("explicit refined", trials, size.targets, SEEDS[0], 2 * size.seconds)
    if seed != SEEDS[0]:
        best = best_trial(NAME, row, sources, answers)
        row = row._replace(seed=seed, trials=[best["recipe"]] if best else [])
    if not row.trials:
        return []
    return tried_tasks(NAME, row, sources, answers, trial_refined, read_refined)


def phrase_tasks(size: Size, seed: int, sources: Sources, answers: Answers) -> list[Task]:
    """One-hot slots and phrases, explicit only; later seeds use the first seed's choice."""
    shape = {"vocabulary": TINY_VOCABULARY if sources.tiny else VOCABULARY, "slots": 8}
    trials = [{**shape, **more} for more in (PHRASES[:1] if sources.tiny else PHRASES)]
    row = Row("explicit phrases", trials, size.targets, SEEDS[0], 15.0)
    if seed != SEEDS[0]:
        best = best_trial(NAME, row, sources, answers)
        row = row._replace(seed=seed, trials=[best["recipe"]] if best else [])
    if not row.trials:
        return []
    return tried_tasks(NAME, row, sources, answers, trial_phrases, read_phrases)


def rows(size: Size, seed: int, sources: Sources, answers: Answers) -> list[Row]:
    """The rows for one amount of text and one seed."""
    shape = TINY_SHAPE if sources.tiny else {}
    limits = {"frozen": size.frozen, "thawed": size.thawed, "checks": size.checks}
    cold = [{**shape, "start": "cold", "scale": s, "rate": r, **limits} for r, s in size.cold]
    warm = [{**shape, "rate": rate, **limits} for rate in WARM]
    layers = [{**shape, **more} for more in (TINY_LAYERS if sources.tiny else LAYERS)]
    direct = [{**shape, **more} for more in (TINY_DIRECT if sources.tiny else DIRECT)]
    width = TINY_WIDE if sources.tiny else WIDE
    wide = [
        {**shape, **width, "start": "cold", "scale": s, "rate": r, **limits} for r, s in size.wide
    ]
    after = [{**shape, **width, "rate": rate, **limits} for rate in size.wide_warm]
    as_wide = [recipe for recipe in layers if recipe.items() >= width.items()]
    named = [
        Row("explicit", [dict(shape)], size.targets, seed, 5.0),
        Row("explicit layers", layers, size.targets, seed, 10.0),
        Row("explicit wide", as_wide, size.targets, seed, 10.0),
        Row("explicit direct", direct, size.targets, seed, 8.0),
        Row("warm", warm, size.targets, seed, size.seconds),
        Row("cold", cold, size.targets, seed, size.seconds),
        Row("cold wide", wide, size.targets, seed, 5 * size.seconds),
        Row("warm wide", after, size.targets, seed, 4 * size.seconds),
    ]
    if seed == SEEDS[0]:
        return named + (longer(named, size, sources, answers) if size.longer else [])
    if seed not in SEEDS[: size.wide_seeds]:
        named = [row for row in named if row.name not in ("cold wide", "warm wide")]
    first = [row._replace(seed=SEEDS[0]) for row in named]
    chosen = [best_trial(NAME, row, sources, answers) for row in first]
    return [
        row._replace(trials=[best["recipe"]])
        for row, best in zip(named, chosen, strict=True)
        if best is not None
    ]


def longer(named: Sequence[Row], size: Size, sources: Sources, answers: Answers) -> list[Row]:
    """The chosen trainings, each repeated with several times as many epochs."""
    rows = []
    for row in named:
        best = best_trial(NAME, row, sources, answers) if row.name in ("warm", "cold") else None
        if best is not None:
            more = {"frozen": LONGER * size.frozen, "thawed": LONGER * size.thawed}
            recipe, seconds = {**best["recipe"], **more}, LONGER * size.seconds
            rows.append(Row(f"{row.name} longer", [recipe], size.targets, row.seed, seconds))
    return rows


def outside_tasks(sizes: Sequence[Size], sources: Sources, answers: Answers) -> list[Task]:
    """PyTorch models, with the first seed.

    A size without learning rates of its own waits for the best one at the previous size.
    """
    tasks: list[Task] = []
    decoder_rates, slot_rates = sizes[0].decoder_rates, sizes[0].slot_rates
    for size in sizes:
        decoder_rates = decoder_rates if size.decoder_rates is None else size.decoder_rates
        decoder = [{"rate": rate, **size.decoder} for rate in decoder_rates or ()]
        row = Row("transformer", decoder, size.targets, SEEDS[0], 3 * size.seconds)
        tasks += tried_tasks(NAME, row, sources, answers, trial_decoder, read_decoder)
        decoder_rates = chosen_rate(row, sources, answers)
        slot_rates = slot_rates if size.slot_rates is None else size.slot_rates
        slots = [{"rate": rate, "epochs": size.frozen} for rate in slot_rates or ()]
        row = Row("one-hot cold", slots, size.targets, SEEDS[0], size.seconds)
        tasks += tried_tasks(NAME, row, sources, answers, trial_slots, read_slots)
        slot_rates = chosen_rate(row, sources, answers)
    return tasks


def chosen_rate(row: Row, sources: Sources, answers: Answers) -> Sequence[float]:
    """The learning rate of the best trial; empty until it is known."""
    best = best_trial(NAME, row, sources, answers)
    return () if best is None else (best["recipe"]["rate"],)
