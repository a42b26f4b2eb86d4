"""Checkpoints: where a training resumes, and whether it is the same training.   (SPEC 6, 8)

A training resumes only where it is asked to (`resume=True`), from the file that it named as its
checkpoint, and only with the settings that it began with.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from saffu.errors import BadOption
from saffu.files.atomic import check_writable


def place_to_resume(checkpoint: str | Path | None, *, resume: bool) -> Path | None:
    """The file that a training resumes from; None where it begins.

    Refuses: resuming without a checkpoint; a checkpoint where nothing can be written, before any
    work is done.
    """
    if checkpoint is not None:
        check_writable(checkpoint)
    elif resume:
        raise BadOption("checkpoint", None, "the file to resume from", "SPEC 6")
    return Path(checkpoint) if resume and checkpoint is not None else None


def check_same_settings(
    began: Mapping[str, Any], now: Mapping[str, Any], *, free: Collection[str]
) -> None:
    """Refuse to resume with other settings than at the beginning, except those that are `free`.

    >>> check_same_settings({"rate": 0.1, "epochs": 3}, {"rate": 0.1, "epochs": 5}, free=["epochs"])
    """
    for name, value in began.items():
        if name not in free and now.get(name) != value:
            raise BadOption(name, now.get(name), f"{value!r}, as when training began", "SPEC 6")
