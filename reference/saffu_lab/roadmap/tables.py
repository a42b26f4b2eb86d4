"""The tables of a map's page.   (SPEC 7)"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from saffu_lab.records.comparison import gap, perplexity
from saffu_lab.records.evidence import Estimate
from saffu_lab.records.results import Line, table
from saffu_lab.roadmap.analysis import Effects, levels_of
from saffu_lab.roadmap.summary import Findings, Trained, identity, in_words

MISSING = "–"


def models_table(findings: Findings, lines: Sequence[Line]) -> str:
    """Explicit models, with their perplexity after training."""
    factors = list(levels_of([line["levels"] for line in findings.solved]))
    head = ["model", "parameters", "CPU s", "validation", "after training", "test"]
    rows = []
    for line in lines:
        after = [one for one in findings.trained if one.levels == line["levels"]]
        rows.append(
            [
                in_words(line["levels"], factors),
                f"{line['parameters']:,}",
                f"{line['fit_cpu_seconds']:.1f}",
                perplexity_of(line),
                perplexity_of(after[0].warm) if after else MISSING,
                _on_test(findings, line),
            ]
        )
    return table(head, rows)


def perplexity_of(line: Line) -> str:
    """Validation perplexity of a line."""
    return f"{np.exp(line['validation_nats']):.1f}"


def _on_test(findings: Findings, line: Line) -> str:
    test = findings.tests.get(identity(line))
    return MISSING if test is None else f"{perplexity(test):.1f}"


def percent(nats: Estimate) -> list[str]:
    """A change of perplexity in per cent, and its interval."""
    mean, low, high = (100 * (float(np.exp(x)) - 1) for x in nats)
    return [f"{mean:+.1f} %", f"{low:+.1f} … {high:+.1f}"]


def trained_table(findings: Findings, trained: Sequence[Trained]) -> str:
    """Models by their perplexity after training."""
    factors = list(levels_of([line["levels"] for line in findings.solved]))
    rows = []
    for one in trained:
        tests = [
            findings.tests.get(identity(line)) for line in (_start_of(findings, one), one.warm)
        ]
        change = MISSING
        if tests[0] is not None and tests[1] is not None:
            change = gap(tests[1], tests[0]).percent
        rows.append(
            [
                in_words(one.levels, factors),
                f"{one.parameters:,}",
                f"{np.exp(one.explicit):.1f}",
                perplexity_of(one.warm),
                MISSING if one.cold is None else perplexity_of(one.cold),
                _on_test(findings, one.warm),
                change,
            ]
        )
    head = ["model", "parameters", "explicit", "warm", "cold", "test, warm", "test, change"]
    return table(head, rows)


def _start_of(findings: Findings, one: Trained) -> Line:
    return next(line for line in findings.solved if line["levels"] == one.levels)


def effects_table(effects: Effects) -> str:
    """The main effect of every value; the widest factor first."""
    order = list(effects.spans)
    rows = [
        [
            *(effect.factor.replace("_", " "), str(effect.value), str(effect.models)),
            *percent(effect.nats),
        ]
        for effect in sorted(effects.effects, key=lambda one: order.index(one.factor))
    ]
    return table(["factor", "value", "models", "perplexity", "95 % interval"], rows)
