"""Chapters of the report and their claims, made from a study's lines alone.   (SPEC 7)"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

from saffu_lab.records.evidence import UNFINISHED_RIVAL, Answer, Verdict, compare, over_all
from saffu_lab.records.results import Line
from saffu_lab.study.sources import Sources
from saffu_lab.study.task import Answers, Task


class Claim(NamedTuple):
    """One claim and its evidence."""

    statement: str
    """in one sentence"""
    source: str
    """[P1], [P2], [T], or [D] for questions of our own"""
    answers: Sequence[Answer]
    """one per size, data set or pair of rows that the claim covers"""
    evidence: str
    """the numbers, with their conditions; one or two sentences"""
    seeds: str
    """number of seeds"""
    size: str
    """amount of data: training targets or images"""

    @property
    def verdict(self) -> Verdict:
        """The verdict by 95 % intervals, each on its own."""
        return over_all(self.answers)

    def verdict_at(self, threshold: float) -> Verdict:
        """The verdict if only p-values up to a threshold count."""
        return over_all(self.answers, threshold)


def amounts(sizes: Iterable[int], unit: str = "targets") -> str:
    """A range of sizes in words.

    >>> amounts([30_000, 10_000]), amounts([7]), amounts([])
    ('10,000–30,000 targets', '7 targets', '–')
    """
    known = sorted(set(sizes))
    if not known:
        return "–"
    ends = known if len(known) == 1 else [known[0], known[-1]]
    return "–".join(f"{size:,}" for size in ends) + f" {unit}"


def seeds_of(lines: Iterable[Line]) -> str:
    """Number of seeds of the lines; a range if rows or sizes differ.

    >>> seeds_of([{"row": "a", "seed": 1}, {"row": "a", "seed": 2}, {"row": "b", "seed": 1}])
    '1–2'
    """
    by_place: dict[tuple[str, str], set[int]] = {}
    for line in lines:
        by_place.setdefault((str(line["row"]), str(line.get("targets"))), set()).add(line["seed"])
    counts = sorted({len(seeds) for seeds in by_place.values()})
    return "–".join(str(n) for n in dict.fromkeys((counts[0], counts[-1]))) if counts else "–"


class Pairs(NamedTuple):
    """Pairwise comparisons of rows that decide one claim."""

    answers: list[Answer]
    words: str
    """every change of perplexity, in words"""
    seeds: str
    size: str


def compared(
    pairs: Mapping[str, tuple[Sequence[Line], Sequence[Line]]],
    unfinished: Collection[str] = (),
) -> Pairs:
    """Compare rows in pairs, by name; pairs not measured on both sides are left out.

    Parameters: `unfinished`: names of pairs whose second row was still improving when it reached
    its epoch limit, so that its loss decides nothing in favour of the first.
    """
    answers, words, lines = [], [], []
    for name, (ones, others) in pairs.items():
        comparison = compare(ones, others)
        if comparison is None:
            continue
        answer, note = comparison.answer, ""
        if name in unfinished and answer.favours:
            answer, note = Answer(None), f" [{UNFINISHED_RIVAL}]"
        answers.append(answer)
        words.append(f"{name}: {comparison.percent}{note}")
        both = {a["seed"] for a in ones} & {b["seed"] for b in others}
        lines += [{**a, "row": name} for a in ones if a["seed"] in both]
    sizes = [line["targets"] for line in lines if line.get("targets")]
    return Pairs(answers, "; ".join(words), seeds_of(lines), amounts(sizes))


class Chapter(NamedTuple):
    """The result of a study."""

    title: str
    text: str
    """Markdown below the title: setting, tables, choices; pictures by name, as
    `![about](replication/NAME.png)`"""
    claims: Sequence[Claim]
    pictures: Mapping[str, Callable[[], Any]]
    """functions that draw matplotlib figures, by file name"""


@runtime_checkable
class Study(Protocol):
    """A module of this package: one study."""

    NAME: str
    """its name on the command line, and that of its file of lines"""
    ABOUT: str
    """description in a few words, for `saffu replicate --list`"""

    def tasks(self, sources: Sources, answers: Answers) -> Sequence[Task]:
        """All tasks that can be named, given the answers so far."""
        ...

    def chapter(self, lines: Sequence[Line]) -> Chapter:
        """The chapter made from the lines of one text; the run may be unfinished."""
        ...


def select(lines: Sequence[Line], **fields: Any) -> list[Line]:
    """The lines with these field values.

    >>> select([{"row": "a", "seed": 1}, {"row": "b"}], row="a")
    [{'row': 'a', 'seed': 1}]
    """
    return [
        line
        for line in lines
        if all(name in line and line[name] == value for name, value in fields.items())
    ]
