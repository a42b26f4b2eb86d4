"""A small suite whose truths can be seen by looking: written by hand, not by any code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from saffu.conformance.contract.arrays import canonical
from saffu.conformance.contract.case import Case, Certificate, Expected, Measured
from saffu.conformance.contract.golden import write_manifest
from saffu.types import Array

TIGHT = {"float64": 1e-13, "float32": 1e-5, "loose": 1e-2}
ORACLE = {"arithmetic": "mpmath", "digits": 50}
"""As the schema wants it; these are easier."""
PROOF = Certificate({"float64": Measured(0.0, "by hand")}, None)


def by_hand(
    slug: str,
    op: str,
    inputs: Mapping[str, object],
    outputs: Mapping[str, object] | None = None,
    **more: Any,
) -> Case:
    def arrays(named: Mapping[str, object]) -> dict[str, Array]:
        return {name: np.array(x) for name, x in named.items()}

    def expected(named: Mapping[str, object]) -> dict[str, Expected]:
        return {
            name: Expected(x, float(np.abs(x).max(initial=1.0)) if x.dtype.kind == "f" else 0.0)
            for name, x in arrays(named).items()
        }

    answered: dict[str, Any] = {"tolerance": TIGHT, "certificate": PROOF, "oracle": ORACLE}
    return Case(
        id=f"{op}/{slug}",
        suite="0.0.1",
        op=op,
        spec=more.pop("spec", "SPEC 1"),
        about=more.pop("about", f"{slug}, by hand"),
        hunts=more.pop("hunts", ()),
        attributes=more.pop("attributes", {}),
        inputs=arrays(inputs),
        outputs=expected(outputs or {}),
        stages=expected(more.pop("stages", {})),
        cotangents=arrays(more.pop("cotangents", {})),
        gradients=expected(more.pop("gradients", {})),
        **({} if outputs is None else answered),
        **more,
    )


CASES = (
    by_hand(
        "even", "softmax", {"logits": [[0.0, 0.0], [7.0, 7.0], [-3.0, -3.0]]},
        {"probabilities": [[0.5, 0.5], [0.5, 0.5], [0.5, 0.5]]},
        spec="SPEC 0", hunts=("softmax-columns",),
    ),
    by_hand(
        "pulled", "softmax", {"logits": [[0.0, 0.0]]}, {"probabilities": [[0.5, 0.5]]},
        spec="SPEC 0", cotangents={"probabilities": [[1.0, 0.0]]},
        gradients={"logits": [[0.25, -0.25]]},
    ),
    by_hand("not-a-number", "softmax", {"logits": [[0.0, np.nan]]}, reject="non-finite"),
    by_hand("unequal-norms", "priming_number", {"features": [[1.0, 2.0, 0.0], [0.0, 5.0, 4.0]]},
            {"priming": 6.0}),
    by_hand("below-one", "priming_number", {"features": [[0.25, 0.0], [0.0, 0.5], [0.0, 0.0]]},
            {"priming": 0.25}),
    by_hand("negative", "priming_number", {"features": [[1.0, -1.0]]}, reject="negative"),
    by_hand("eight-and-two", "perplexity", {"nats": np.log([8.0, 2.0])}, {"perplexity": 4.0},
            spec="SPEC 7"),
    by_hand("one", "perplexity", {"nats": [0.0, 0.0, 0.0]}, {"perplexity": 1.0}, spec="SPEC 7"),
    by_hand(
        "half-a-rate", "sgd_step", {"parameter": [[1.0, 2.0, 3.0]], "gradient": [[2.0, 0.0, -4.0]]},
        {"parameter": [[0.0, 2.0, 5.0]]}, spec="SPEC 6", attributes={"rate": 0.5},
    ),
    by_hand(
        "two-of-three", "radial_context", {"document": [0, 7, 5]},
        {"slots": [[0, 0], [7, 0]], "mask": [[True, False], [True, True]], "pivot": [0, 0]},
        spec="SPEC 3", attributes={"radius": 2},
    ),
    by_hand(
        "one-hot", "explicit_solution",
        {"features": [[1.0, 0.0], [0.0, 1.0]], "targets": [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]},
        {"weights": np.log([[2.0, 1.0, 1.0], [1.0, 2.0, 1.0]])},
        stages={"counts": [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], "priming": 1.0,
                "smoothed_counts": [[2.0, 1.0, 1.0], [1.0, 2.0, 1.0]]},
        attributes={"smoothing": {"kind": "additive", "strength": 1.0}},
    ),
    by_hand(
        "norms-of-two", "explicit_solution",
        {"features": [[2.0, 0.0], [1.0, 1.0]], "targets": [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]},
        {"weights": np.log([[3.0, 2.0, 1.0], [1.0, 2.0, 1.0]]) - 0.5 * np.log([4.0, 4.0, 2.0])},
        stages={"counts": [[2.0, 1.0, 0.0], [0.0, 1.0, 0.0]], "priming": 2.0,
                "smoothed_counts": [[3.0, 2.0, 1.0], [1.0, 2.0, 1.0]]},
        attributes={"smoothing": {"kind": "additive", "strength": 1.0}},
    ),
)  # fmt: skip
"""Every kind of case: gradients, stages, whole numbers, rejections, attributes."""


def case(name: str) -> Case:
    """The case of an id."""
    (found,) = (each for each in CASES if each.id == name)
    return found


def write_suite(root: Path) -> Path:
    """The suite as files, with a manifest."""
    for each in CASES:
        path = root / f"{each.id}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(canonical(each.to_json()), encoding="utf-8")
    write_manifest(root)
    return root
