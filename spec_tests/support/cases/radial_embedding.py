"""radial_embedding.   (SPEC 2)"""

# Cases are tables, laid out by hand.
# fmt: off

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from spec_tests.support.cases.cipher import codes
from spec_tests.support.cases.drawing import documents
from spec_tests.support.cases.question import Question, ask, stream


def radial_embedding() -> Iterator[Question]:
    op = "radial_embedding"
    usual = (
        "radial-own-occurrence radial-across-documents radial-not-normalised radial-one-side "
        "radial-norm-euclidean radial-edge-left-out radial-types-not-tokens"
    )
    rings = "radial-disc-for-annulus radial-blocks-normalised radial-blocks-reversed"
    for slug, about, radii, combine, lengths in (
        ("sum-of-nearest", "the neighbours at distance one", [1], "sum", (11, 7, 5)),
        ("sum-of-three", "all neighbours up to distance three", [3], "sum", (17, 13, 2)),
        ("sum-of-everything", "a radius that is longer than any document", [29], "sum", (11, 7)),
        ("cat-of-one-ring", "one ring is one disc", [2], "cat", (13, 11)),
        ("cat-of-two-rings", "distance one, then two and three", [1, 3], "cat", (13, 11, 3)),
        ("cat-of-three-rings", "rings of widths 1, 2 and 3", [1, 3, 6], "cat", (23, 17)),
        (
            "cat-of-an-empty-ring",
            "a ring beyond all documents stays empty",
            [2, 29, 31],
            "cat",
            (11, 7),
        ),
    ):
        d = stream(f"{op}/{slug}")
        hunts = usual
        if slug == "sum-of-everything":
            hunts = "radial-own-occurrence radial-across-documents radial-not-normalised"
        if slug in ("cat-of-two-rings", "cat-of-three-rings"):
            hunts += f" {rings}"
        yield ask(f"{op}/{slug}", about,
                  {**documents(d, 11, *lengths), "vectors": d.simplex(11, 5)}, hunts,
                  attributes={"radii": radii, "combine": combine})
    d = stream(f"{op}/of-cipher-vectors")
    table = codes(13, 5)
    yield ask(f"{op}/of-cipher-vectors", "cipher vectors, as in a model",
              {**documents(d, 13, 19, 11), "vectors": table / table.sum(axis=1, keepdims=True)},
              usual, attributes={"radii": [2], "combine": "sum"})
    for combine, radii in (("sum", [2]), ("cat", [1, 2])):
        d = stream(f"{op}/lonely-tokens-{combine}")
        texts = {"document_0": np.array([4]), "document_1": np.array([0, 7, 8, 1])}
        hunts = "radial-lonely-to-zero" + (
            " radial-lonely-in-every-block" if combine == "cat" else ""
        )
        yield ask(f"{op}/lonely-tokens-{combine}", "tokens without neighbours keep their own vector"
                  + (" in the first block" if combine == "cat" else ""),
                  {**texts, "vectors": d.simplex(11, 5)}, hunts,
                  attributes={"radii": radii, "combine": combine})
    d = stream(f"{op}/repeated-token")
    yield ask(f"{op}/repeated-token", "a token next to itself is its own neighbour, twice",
              {"document_0": np.array([0, 5, 5, 5, 1]), "vectors": d.simplex(7, 3)},
              "radial-skips-itself radial-types-not-tokens",
              attributes={"radii": [1], "combine": "sum"})
    yield from _radial_refusals(op)


def _radial_refusals(op: str) -> Iterator[Question]:
    d = stream(f"{op}/refuse")
    some = {**documents(d, 11, 11, 7), "vectors": d.simplex(11, 5)}
    bad = {**some, "document_1": np.array([0, 3, 11, 1])}
    low = {**some, "document_1": np.array([0, 3, -2, 1])}
    one, taken = {"radii": [2], "combine": "sum"}, "radial-wraps-ids"
    yield ask(f"{op}/refuse-token-out-of-range", "token 11 of a vocabulary of 11", bad, taken,
              attributes=one, reject="token-range")
    yield ask(f"{op}/refuse-negative-token", "token −2 is not the last but one", low, taken,
              attributes=one, reject="token-range")
    yield ask(f"{op}/refuse-no-documents", "nothing to embed from", {"vectors": some["vectors"]},
              attributes=one, reject="no-samples")
    for slug, about, radii, combine in (
        ("falling-radii", "radii have to rise", [3, 1], "cat"),
        ("equal-radii", "a ring of no width", [2, 2], "cat"),
        ("radius-zero", "a radius of zero", [0], "sum"),
        ("no-radii", "no radii", [], "cat"),
        ("radii-for-sum", "a sum takes one radius", [1, 3], "sum"),
        ("other-combination", "a combination that nobody knows", [2], "mean"),
    ):
        yield ask(f"{op}/refuse-{slug}", about, some, "radial-takes-any-radii",
                  attributes={"radii": radii, "combine": combine}, reject="option")
