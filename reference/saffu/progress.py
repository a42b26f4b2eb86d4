"""How far a sum over a text is: what a pass reports to whoever watches."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


@runtime_checkable
class Progress(Protocol):
    """Is told how far a pass has come."""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """`done` of `total` targets of a stage."""


def silent(stage: str, done: int, total: int) -> None:
    """Progress that nobody looks at."""
