"""End line of a study: all its tasks are done, and how many there were."""

from __future__ import annotations

from collections.abc import Sequence

from saffu_lab.records.results import Line
from saffu_lab.study.task import Answers

UNFINISHED = "*This chapter is unfinished: some of its measurements have not been made yet.*"


def write_end_line(name: str, tasks: int, answers: Answers) -> None:
    """Write the end line of a study if it has none."""
    key = {"study": name, "do": "end", "tasks": tasks}
    if answers.get(key) is None:
        answers.add(key, {})


def is_finished(lines: Sequence[Line]) -> bool:
    """Whether the study is finished: no line was added after its end line.

    >>> is_finished([{"do": "test"}, {"do": "end"}]), is_finished([{"do": "end"}, {"do": "test"}])
    (True, False)
    """
    return bool(lines) and lines[-1]["do"] == "end"
