"""Roadmap study: 250 transformers, and whether the best are the most parameterised.   [P1]

The map is described by `roadmap/transformers.toml` and measured by `saffu_lab.roadmap`; this module
makes it a study of the report.  The rule of its verdict is stated in `saffu_lab.roadmap.sizes`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from saffu_lab.records.evidence import Answer, Estimate, of_interval
from saffu_lab.records.results import Line
from saffu_lab.replication.chapters import Chapter, Claim, amounts
from saffu_lab.roadmap.drawings import drawings
from saffu_lab.roadmap.page import page
from saffu_lab.roadmap.roadmap_file import Roadmap, bundled, parse_roadmap, tiny
from saffu_lab.roadmap.sizes import not_the_largest, where_the_best_are
from saffu_lab.roadmap.summary import Findings, findings
from saffu_lab.roadmap.walk import NAME, Drawn, models_to_walk, walk
from saffu_lab.study.sources import Sources
from saffu_lab.study.task import Answers, Task

__all__ = ["ABOUT", "NAME", "chapter", "tasks"]

ABOUT = "250 transformers on a million tokens: parameters against perplexity, effect of each choice"


@lru_cache(maxsize=2)
def described(small: bool) -> tuple[Roadmap, tuple[Drawn, ...]]:
    """The map of the report and its models; `small`: a version that takes seconds."""
    roadmap = parse_roadmap(bundled(), "transformers.toml")
    roadmap = tiny(roadmap) if small else roadmap
    return roadmap, tuple(models_to_walk(roadmap))


def tasks(sources: Sources, answers: Answers) -> list[Task]:
    """All tasks that can be named so far."""
    return walk(*described(sources.tiny), sources, answers)


def chapter(lines: Sequence[Line]) -> Chapter:
    """The chapter made from the lines."""
    summary = findings(lines)
    end = f"To repeat it: `saffu replicate {NAME}`; to draw a map of your own, `saffu roadmap`."
    return Chapter(
        title="The roadmap: many transformers, explicitly solved",
        text="\n\n".join(
            [page(NAME, summary, lines, "replication/").replace("\n## ", "\n### "), end]
        ),
        claims=[size_claim(summary), ranking_claim(summary)],
        pictures=drawings(NAME, summary),
    )


def size_claim(summary: Findings) -> Claim:
    """Claim (e) of the first paper."""
    sizes = where_the_best_are(summary)
    evidence = "Not measured."
    if sizes is not None:
        evidence = (
            f"Of the {sizes.best} best of {len(summary.solved)} models on validation text, "
            f"{sizes.below_median} have fewer parameters than the median model and "
            f"{sizes.below_upper_quarter} fewer than the upper quartile; the best model has "
            f"{sizes.share:.0%} of the parameters of the largest."
        )
        if sizes.against_largest is not None:
            evidence += (
                " On the test text, the perplexity of the best model below the median differs from "
                f"that of the largest model by {sizes.against_largest.percent}."
            )
        if summary.sizes is not None:
            evidence += f" Rank correlation between parameters and perplexity: {summary.sizes:.2f}."
    return Claim(
        "Some of the best models are not the most parameterised",
        "[P1]",
        not_the_largest(sizes),
        evidence,
        *("1", _size(summary)),
    )


def _size(summary: Findings) -> str:
    return amounts(line["targets"] for line in summary.solved if "targets" in line)


def ranking_claim(summary: Findings) -> Claim:
    """Whether explicit solutions rank models in the same order as training."""
    answers: list[Answer] = []
    evidence = "Not measured."
    if summary.agreement is not None:
        drawn = sum(one.drawn for one in summary.trained)
        evidence = (
            f"Over {drawn} randomly drawn models, the rank correlation between perplexity before "
            f"and after backpropagation is {summary.agreement:.2f}."
        )
        mean, low, high = summary.agreement
        against = of_interval(Estimate(-mean, -high, -low))
        answers = [against.answer, against.less(-STRONG).answer]
    return Claim(
        "Explicit solutions alone predict which models are good after backpropagation",
        "[D]",
        answers,
        f"Rule: the whole interval is above {STRONG:g} (with conditions: above 0). {evidence}",
        *("1", _size(summary)),
    )


STRONG = 0.5
"""A rank correlation whose whole interval is above this counts as agreement."""
