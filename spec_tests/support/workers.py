"""What workers of other processes do in tests; they import it by its name."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from saffu.errors import BadFile


def letters(part: int) -> str:
    """A string for each part; strings do not commute."""
    return f"<{part}>"


def thirds(part: int) -> float:
    """Numbers whose sum depends on its order."""
    return 10.0 ** (part % 17) / 3.0


def process_of(part: int) -> set[int]:
    return {os.getpid()}


@dataclass(frozen=True)
class Deadly:
    """Part `deadly` takes its worker with it, the first `times` times that it is begun."""

    notes: Path
    deadly: int
    times: int

    def __call__(self, part: int) -> str:
        with (self.notes / str(part)).open("a") as file:
            file.write("begun\n")
        if part == self.deadly and self.begun(part) <= self.times:
            time.sleep(0.3)  # in the middle of it; and what it said before has arrived
            os._exit(1)
        return letters(part)

    def begun(self, part: int) -> int:
        """How often a part was begun."""
        return len((self.notes / str(part)).read_text().splitlines())


@dataclass(frozen=True)
class Refusing:
    """One part is refused."""

    part: int

    def __call__(self, part: int) -> str:
        if part == self.part:
            raise BadFile(f"part {part}", "it is bad", "take another")
        return letters(part)


@dataclass(frozen=True)
class Waiting:
    """Part 0 waits until a file is there."""

    gate: Path

    def __call__(self, part: int) -> str:
        while part == 0 and not self.gate.exists():
            time.sleep(0.01)
        return letters(part)


@dataclass(frozen=True)
class Slow:
    """Every part takes some seconds."""

    seconds: float

    def __call__(self, part: int) -> str:
        time.sleep(self.seconds)
        return letters(part)
