"""radial_context, block_context, document_context.   (SPEC 3)"""

# Cases are tables, laid out by hand.
# fmt: off

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from spec_tests.support.cases.drawing import documents
from spec_tests.support.cases.question import Question, ask, stream


def _contexts(op: str, name: str, hunts: Mapping[int, str]) -> Iterator[Question]:
    """Documents of several lengths under contexts of several sizes."""
    for size, length in ((1, 7), (2, 7), (3, 11), (5, 13), (7, 5), (3, 2), (4, 9), (2, 23)):
        id_ = f"{op}/{name}-{size}-of-{length}"
        yield ask(id_, f"{name} {size}, a document of {length} tokens",
                  {"document": documents(stream(id_), 17, length)["document_0"]},
                  hunts[min(size, 2)] if length > 2 else hunts[0], attributes={name: size})
    yield ask(f"{op}/repeated-tokens", "tokens that recur, so that only positions tell them apart",
              {"document": np.array([0, 3, 3, 4, 3, 3, 4, 3, 1])}, hunts[2],
              attributes={name: 3})
    yield ask(f"{op}/markers-inside", "ids 0 and 1 inside of a document are tokens like others",
              {"document": np.array([0, 1, 0, 5, 0, 1, 1])}, hunts[0], attributes={name: 2})
    taken = f"{op.removesuffix('_context')}-context-takes-anything"
    for slug, about, document, size, reason in (
        ("one-token", "a document without a target", [0], 3, "no-samples"),
        ("no-token", "an empty document", np.zeros(0, dtype=np.int64), 3, "no-samples"),
        (f"{name}-zero", "a context without slots", [0, 3, 1], 0, "option"),
        (f"negative-{name}", "a context of −2 slots", [0, 3, 1], -2, "option"),
        ("negative-token", "a negative token id", [0, 3, -4, 1], 3, "token-range"),
        ("two-documents", "documents come one at a time", [[0, 3, 1], [0, 4, 1]], 3, "shape"),
    ):
        yield ask(f"{op}/refuse-{slug}", about, {"document": np.asarray(document)}, taken,
                  attributes={name: size}, reject=reason)


def radial_context() -> Iterator[Question]:
    wide = (
        "radial-context-reversed radial-context-with-target radial-context-pivot-last "
        "radial-context-unmasked radial-context-keeps-id"
    )
    always = "radial-context-with-target"
    yield from _contexts("radial_context", "radius", {0: always, 1: always, 2: wide})


def block_context() -> Iterator[Question]:
    always = "block-of-the-target"
    wide = (
        "block-of-the-target block-slides block-pivot-first block-pivot-off-by-one "
        "block-sees-the-future block-reversed"
    )
    yield from _contexts(
        "block_context", "length", {0: "block-sees-the-future", 1: always, 2: wide}
    )


def document_context() -> Iterator[Question]:
    op = "document_context"
    usual = "document-with-target document-sum document-without-start document-types document-whole"
    for slug, about, length, size, width in (
        ("plain", "a document of seven tokens", 7, 11, 5),
        ("long", "a document of 37 tokens", 37, 13, 3),
        ("wide", "vectors of 23 entries", 5, 7, 23),
    ):
        d = stream(f"{op}/{slug}")
        yield ask(f"{op}/{slug}", about, {"document": documents(d, size, length)["document_0"],
                  "vectors": d.simplex(size, width)}, usual)
    d = stream(f"{op}/one-target")
    yield ask(f"{op}/one-target", "only the start and the end", {"document": np.array([0, 1]),
              "vectors": d.simplex(5, 3)}, "document-with-target document-without-start")
    d = stream(f"{op}/repeated-tokens")
    yield ask(f"{op}/repeated-tokens", "tokens count as often as they occur",
              {"document": np.array([0, 4, 4, 4, 3, 4, 1]), "vectors": d.simplex(5, 3)},
              "document-types")
    d = stream(f"{op}/one-hot")
    yield ask(f"{op}/one-hot", "one-hot vectors: shares of tokens",
              {"document": documents(d, 7, 13)["document_0"], "vectors": np.eye(7)}, usual)
    d = stream(f"{op}/norms-of-all-sizes")
    yield ask(f"{op}/norms-of-all-sizes", "vectors of norms from 1e-6 to 1e6",
              {"document": documents(d, 11, 17)["document_0"],
               "vectors": d.simplex(11, 5) * 2.0 ** d.whole(-20, 20, 11, 1)},
              f"{usual} document-normalised")
    for slug, about, document, reason in (
        ("one-token", "a document without a target", [0], "no-samples"),
        ("token-out-of-range", "token 11 of a vocabulary of 11", [0, 11, 3, 1], "token-range"),
        (
            "negative-token",
            "token −1 is not the last of the vocabulary",
            [0, -1, 3, 1],
            "token-range",
        ),
    ):
        vectors = stream(f"{op}/refuse").simplex(11, 5)
        yield ask(f"{op}/refuse-{slug}", about,
                  {"document": np.asarray(document), "vectors": vectors},
                  "document-wraps-ids", reject=reason)
    for slug, about, value, row in (
        ("nan", "NaN among the vectors", np.nan, 3),
        ("infinity", "infinity among the vectors", np.inf, 3),
        ("unread-nan", "NaN in a vector that no target reads", np.nan, 7),
    ):
        vectors = stream(f"{op}/refuse").simplex(11, 5)
        vectors[row, 2] = value
        yield ask(f"{op}/refuse-{slug}", about,
                  {"document": np.array([0, 3, 5, 1]), "vectors": vectors},
                  "document-takes-non-finite", reject="non-finite")
