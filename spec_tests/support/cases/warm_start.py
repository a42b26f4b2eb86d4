"""warm_start.   (SPEC 5)"""

# Cases are tables, laid out by hand.
# fmt: off

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from spec_tests.support.cases.drawing import documents
from spec_tests.support.cases.model import DOCUMENT, MODELS, RADIAL, configuration
from spec_tests.support.cases.question import Question, Record, ask, stream

BACKOFF = {"kind": "backoff", "strength": 1.0}


def settings(**more: Any) -> Record:
    """The record of the settings of a warm start."""
    return {
        "rounds": 1, "hidden_smoothing": BACKOFF, "attention_smoothing": BACKOFF,
        "output_smoothing": BACKOFF, "hidden_temper": 1.0, "hidden_scale": 1.0,
        "output_temper": 1.0, "refits": 0, **more,
    }


def warm_start() -> Iterator[Question]:
    op = "warm_start"
    always = "warm-labels-of-tokens warm-embedding-of-targets"
    attends = "warm-without-attention warm-old-features warm-hidden-targets-sign"
    attended = ("radial", "radial-sum", "surprisal", "block", "two-towers", "two-layers")
    for name in MODELS:
        about, record, lengths = MODELS[name]
        if name in ("one-target",):
            continue
        texts = documents(stream(f"{op}/{name}"), record["vocabulary"], *lengths, 6)
        if name == "rings":
            texts = documents(stream(f"{op}/{name}"), record["vocabulary"], 13, 11)
        hunts = f"{always} {attends}" if name in attended else always
        yield ask(f"{op}/{name}", about, texts, hunts,
                  attributes={"configuration": record, "settings": settings()})
    yield from _settings(op, f"{attends} warm-hidden-targets-unclipped")
    yield from _warm_refusals(op)


def _settings(op: str, attends: str) -> Iterator[Question]:
    radial, stack = configuration([RADIAL]), configuration([["Radial", 2]], depth=2)
    both = configuration([["Radial", 2], DOCUMENT])
    for slug, about, record, more, hunts in (
        ("no-rounds", "no rounds: even attention", radial, {"rounds": 0}, "warm-one-round"),
        (
            "two-rounds",
            "attention solved twice",
            radial,
            {"rounds": 2},
            f"{attends} warm-one-round",
        ),
        ("gain-of-one", "gain unit", configuration([RADIAL], gain="unit"), {},
         attends.replace("warm-hidden-targets-unclipped", "")),
        (
            "scaled",
            "λ of U times four, which the hidden targets do not see",
            radial,
            {"hidden_scale": 4.0},
            "warm-scale-ignored warm-scale-in-targets",
        ),
        (
            "scaled-documents",
            "λ of U times four in a document tower too",
            both,
            {"hidden_scale": 4.0},
            "warm-scale-ignored",
        ),
        (
            "tempered",
            "λ of U and of O given",
            radial,
            {"hidden_temper": 0.5, "output_temper": 0.75},
            "warm-temper-ignored warm-temper-on-prior",
        ),
        (
            "fitted",
            "λ of U and of O fitted",
            both,
            {"hidden_temper": None, "output_temper": None, "rounds": 1},
            "warm-temper-ignored",
        ),
        (
            "smoothed-otherwise",
            "every layer smoothed in its own way",
            radial,
            {
                "hidden_smoothing": {"kind": "additive", "strength": 0.25},
                "attention_smoothing": {"kind": "backoff", "strength": 8.0},
                "output_smoothing": {"kind": "additive", "strength": 0.5},
            },
            "warm-smoothings-swapped",
        ),
        (
            "refitted",
            "the lower layer solved anew for the targets that the upper one implies",
            stack,
            {"refits": 1},
            "warm-without-refits",
        ),
        (
            "refitted-twice",
            "refitted twice, blocks, surprisal attention",
            configuration([["Block", 3]], depth=2, attention="surprisal"),
            {"refits": 2},
            "warm-without-refits",
        ),
        (
            "three-layers-refitted",
            "three layers, the lower two solved anew",
            configuration([["Radial", 2]], depth=3),
            {"refits": 1},
            "warm-without-refits",
        ),
        (
            "three-layers-clipped",
            "targets of the middle layer are clipped; the gradient on to the lowest is not",
            configuration([["Radial", 2]], depth=3),
            {"refits": 1, "hidden_scale": 4.0},
            "warm-without-refits",
        ),
        (
            "wide-labels",
            "wider label codes than token codes",
            configuration([["Radial", 2]], bits=4, label_bits=11),
            {},
            "warm-labels-of-tokens",
        ),
    ):
        texts = documents(stream(f"{op}/{slug}"), record["vocabulary"], 9, 7, 5)
        yield ask(f"{op}/{slug}", about, texts, hunts,
                  attributes={"configuration": record, "settings": settings(**more)})
    yield ask(f"{op}/unseen-tokens", "tokens that never occur have vectors, codes and rows",
              {"document_0": np.array([0, 9, 4, 9, 1]), "document_1": np.array([0, 4, 1])},
              attributes={"configuration": radial, "settings": settings()})


def _warm_refusals(op: str) -> Iterator[Question]:
    record = configuration([RADIAL])
    attributes: Record = {"configuration": record, "settings": settings()}
    texts = documents(stream(f"{op}/refuse"), 11, 7, 5)
    for slug, about, document, reason in (
        ("token-out-of-range", "token 11 of a vocabulary of 11", [0, 4, 11, 1], "token-range"),
        (
            "negative-token",
            "token −1 is not the last of the vocabulary",
            [0, 4, -1, 1],
            "token-range",
        ),
        ("document-without-target", "a document of a single token", [0], "no-samples"),
        ("document-without-start", "a document that begins in the middle", [4, 5, 1], "option"),
    ):
        yield ask(f"{op}/refuse-{slug}", about, {**texts, "document_1": np.array(document)},
                  "warm-takes-anything", attributes=attributes, reject=reason)
    yield ask(f"{op}/refuse-direct-output", "direct output has no hidden layer to solve", texts,
              attributes={**attributes, "configuration": {**record, "output": "direct"}},
              reject="option")
    yield ask(f"{op}/refuse-too-few-bits", "three bits for a vocabulary of 11", texts,
              attributes={**attributes, "configuration": {**record, "bits": 3}}, reject="bits")
    yield ask(f"{op}/refuse-negative-rounds", "−1 rounds", texts,
              attributes={**attributes, "settings": settings(rounds=-1)}, reject="option")
    yield ask(f"{op}/refuse-zero-count", "no smoothing where label bits never occur together",
              texts, "warm-tiny-for-zero", attributes={**attributes, "settings": settings(
                  hidden_smoothing={"kind": "additive", "strength": 0.0})}, reject="zero-count")
    yield ask(f"{op}/refuse-discount-of-fractions", "discounting takes whole counts apart", texts,
              attributes={**attributes, "settings": settings(
                  hidden_smoothing={"kind": "discount", "strength": 0.5})}, reject="fraction")
