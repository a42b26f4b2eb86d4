"""A task, and the line that it leaves.   (SPEC 7)"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from saffu_lab.records.results import Line, Results
from saffu_lab.study.sources import Sources

Work: TypeAlias = Callable[[Line, Sources], Line]
"""What is done in a worker: a function of a module, from a key to an answer."""


class Task(NamedTuple):
    """One piece of a measurement, seconds to minutes long."""

    key: Line
    """what it is: JSON values only; the line that it leaves begins with them"""
    work: Work
    seconds: float = 1.0
    """a guess at how long it takes, for the progress bar"""


class Answers:
    """The lines of a measurement, found by the key of their task.

    >>> from pathlib import Path
    >>> answers = Answers(Results(Path("lines.jsonl")))
    >>> answers.add({"what": "a", "size": 3}, {"nats": 1.5})["nats"]
    1.5
    >>> answers.get({"size": 3, "what": "a"})["nats"], answers.get({"what": "b"})
    (1.5, None)
    """

    def __init__(self, results: Results) -> None:
        self.results = results
        self._by_id = {line["id"]: line for line in results.lines}

    def get(self, key: Line) -> Line | None:
        """The line of a task, if it is done."""
        return self._by_id.get(digest(key))

    def add(self, key: Line, answer: Line) -> Line:
        """Keep the line of a task; returns it."""
        self.results.add({"id": digest(key), **key, **answer})
        line = self.results.lines[-1]
        self._by_id[line["id"]] = line
        return line


TaskNamer: TypeAlias = Callable[[Answers], Sequence[Task]]
"""All tasks that can be named, given the lines that are there; those that are done may be among
them.  It is asked again whenever a line came in, so that later tasks can depend on earlier ones."""


def digest(record: Mapping[str, Any]) -> str:
    """Sixteen hexadecimal digits for a record, whatever the order of its fields.

    >>> digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1})
    True
    """
    text = json.dumps(record, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
