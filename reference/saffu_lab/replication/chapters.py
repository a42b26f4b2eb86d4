"""What a study says: a chapter of the report, made of its lines and of nothing else.   (SPEC 7)"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

from saffu_lab.records.evidence import Verdict
from saffu_lab.records.results import Line
from saffu_lab.study.sources import Sources
from saffu_lab.study.task import Answers, Task


class Claim(NamedTuple):
    """One claim, and what was found."""

    statement: str
    """in one sentence"""
    source: str
    """[P1], [P2], [T], or [D] for questions of our own"""
    verdict: Verdict
    evidence: str
    """the numbers, with their conditions; one or two sentences"""


class Chapter(NamedTuple):
    """What came out of a study."""

    title: str
    text: str
    """Markdown below the title: the setting, tables, what was chosen how; pictures by their name,
    as `![about](replication/NAME.png)`"""
    claims: Sequence[Claim]
    pictures: Mapping[str, Callable[[], Any]]
    """matplotlib figures by the name of their file, drawn when asked for"""


@runtime_checkable
class Study(Protocol):
    """A module of this package: one study."""

    NAME: str
    """its word on the command line, and the name of its file of lines"""
    ABOUT: str
    """in a few words, for `saffu replicate --list`"""

    def tasks(self, sources: Sources, answers: Answers) -> Sequence[Task]:
        """All tasks that can be named, given the answers so far."""
        ...

    def chapter(self, lines: Sequence[Line]) -> Chapter:
        """What the lines say; they are of one text, and may be of a run that is not finished."""
        ...


def select(lines: Sequence[Line], **fields: Any) -> list[Line]:
    """The lines that have these fields.

    >>> select([{"row": "a", "seed": 1}, {"row": "b"}], row="a")
    [{'row': 'a', 'seed': 1}]
    """
    return [
        line
        for line in lines
        if all(name in line and line[name] == value for name, value in fields.items())
    ]
