"""Context study: radial, block and document contexts, combined, by length; padding.   [T]

All models are explicit only, so that each takes seconds.  "Dynamic" contexts use only the slots
that hold a token; "padded" ones always use all slots and fill the missing ones with the
start-of-document token, which is then treated like any other token.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from saffu.arrays.namespace import add_rows
from saffu.configuration import SMALL
from saffu.contexts import RadialContext
from saffu.counts import Cooccurrence
from saffu.explicit.smoothing import Backoff, smooth
from saffu.explicit.temper import tempered_weights
from saffu.fast.plans import step_in_tokens
from saffu.fast.warm import fit_output
from saffu.layer import saffu_forward
from saffu.loss import token_nats
from saffu.positions import Samples
from saffu.types import Array
from saffu.warm.layer import LayerInputs, WarmSettings, solve_layer
from saffu.warm.start import embed, label_embedding
from saffu_lab.records.results import Line
from saffu_lab.replication.contexts.chapter import chapter
from saffu_lab.study.selection import Row, row_tasks
from saffu_lab.study.sources import Sources, text_digest
from saffu_lab.study.task import Answers, Task
from saffu_lab.study.texts import texts

NAME = "contexts"
ABOUT = "block, radial and document contexts, alone and together; lengths; dynamic or padded"

TARGETS = 300_000
SEEDS = (1, 2, 3)
ALONE = (
    *(f"radial:{r}" for r in (1, 2, 4, 8, 16, 32)),
    *(f"block:{b}" for b in (4, 8, 16, 32)),
    "document",
)
TOGETHER = (
    "radial:8,document",
    "block:8,document",
    "radial:8,block:16",
    "radial:4,radial:16",
    "radial:8,block:16,document",
)
FILLED_TARGETS, FILLED_RADIUS = 20_000, 8
TINY: Line = {"vocabulary": 251, "bits": 31, "label_bits": 29}

__all__ = ["ABOUT", "NAME", "chapter", "tasks"]


def tasks(sources: Sources, answers: Answers) -> list[Task]:
    """All tasks that can be named so far."""
    base = TINY if sources.tiny else {}
    lists = ("radial:2", "document") if sources.tiny else (*ALONE, *TOGETHER)
    amount = 2_000 if sources.tiny else TARGETS
    seeds = SEEDS[:1] if sources.tiny else SEEDS
    rows = [Row(name, [{**base, "contexts": name}], amount, seed, 7.0)
            for seed in seeds for name in lists]  # fmt: skip
    todo = row_tasks(NAME, rows, sources, answers)
    for seed in seeds:
        for filled in (False, True):
            key = {
                "study": NAME,
                "do": "filled",
                "row": "padded" if filled else "dynamic",
                "targets": 1_000 if sources.tiny else FILLED_TARGETS,
                "seed": seed,
                "tiny": sources.tiny,
                "text": text_digest(sources),
            }
            todo.append(Task(key, solve_filled, 15.0))
    return todo


def solve_filled(key: Line, sources: Sources) -> Line:
    """In a worker: one explicit layer by the plain functions, with dynamic or padded slots.

    Smoothing is fixed and tempers are fitted.  Nats are those of validation text, also separately
    for the first targets of each document.
    """
    small = TINY if sources.tiny else {"vocabulary": SMALL.vocabulary}
    configuration = replace(SMALL, contexts=(RadialContext(FILLED_RADIUS),), **small)
    common = texts(sources, configuration.vocabulary, key["seed"])
    train = common.amount(key["targets"], key["seed"])
    held = common.validation.take(min(key["targets"], common.validation.targets), key["seed"])
    filled = key["row"] == "padded"
    embedding = embed(list(train), configuration)
    (data,), (judge,) = train.chunks(train.targets), held.chunks(held.targets)
    labels = label_embedding(data.targets, configuration)
    given = LayerInputs(*_slots(data, embedding, filled=filled))
    settings = WarmSettings(hidden_smoothing=Backoff(100.0), hidden_temper=None, hidden_scale=2.0)
    options = configuration.layer
    layer = solve_layer(given, labels[data.targets], options, settings)
    hidden = layer.state.hidden
    counts = np.ascontiguousarray(add_rows(data.targets, hidden, configuration.vocabulary).T)
    state = Cooccurrence(counts, float(counts.sum()), data.targets.shape[0])
    smoothed = smooth(state.counts, Backoff(10.0))
    seen = saffu_forward(*_slots(judge, embedding, filled=filled), *layer.parameters, options)
    lam, _ = fit_output(smoothed, seen.hidden, judge.targets)
    logits = seen.hidden @ tempered_weights(smoothed, lam, state.priming)
    nats: Array = token_nats(logits, judge.targets)
    early = judge.offsets < FILLED_RADIUS - 1
    return {
        "nats": round(float(nats.mean()), 6),
        "early_nats": round(float(nats[early].mean()), 6),
        "late_nats": round(float(nats[~early].mean()), 6),
        "early_share": round(float(early.mean()), 4),
        "temper": round(float(lam), 4),
    }


def _slots(chunk: Samples, embedding: Array, *, filled: bool) -> tuple[Array, Array, Array]:
    """Vectors [n, B, D], mask and pivot; `filled` makes every slot valid."""
    step = step_in_tokens(chunk, RadialContext(FILLED_RADIUS))
    mask = np.ones_like(step.mask) if filled else step.mask
    return embedding[step.slots] * mask[:, :, None], mask, step.pivot
