"""What long work needs: reports of progress, early stopping, interruption, unfinished files.

Early stopping is in `early_stopping`, Ctrl-C and SIGTERM in `interruption`, and what a killed
process leaves behind in `unfinished_files`; all of it serves every estimator and command alike.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable


@runtime_checkable
class Progress(Protocol):
    """Is called with the position of a pass."""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """`done` of `total` targets of a stage."""


def silent(stage: str, done: int, total: int) -> None:
    """Progress that nobody looks at."""
