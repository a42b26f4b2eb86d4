"""Atomic writing: a file is there complete or not at all.

A file is written beside its place, flushed to the disk, and moved there in one step: a reader sees
the old file or the new one, and a run that is killed leaves the last good file as it was.  What it
leaves beside that is removed when the same file is written again.   [D]
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, Final

from saffu.errors import BadFile, SaffuError
from saffu.progress.unfinished_files import unfinished

ADVICE: Final = "check that the folder is there, may be written to, and has room"


def write_whole(path: str | Path, write: Callable[[IO[bytes]], None]) -> None:
    """Write a file beside its place and move it there when it is complete.

    Parameters: `path`, also a link, which stays one; `write` fills an open, seekable file.
    A file that is replaced keeps its permissions.  After any failure the old file is unchanged, and
    nothing else is left behind; only a process that is killed may leave a hidden
    `.NAME.….writing`, which the next writing of the same file removes.
    Refuses: a place that cannot be written; a folder, a pipe or a device.

    >>> write_whole("greeting", lambda file: None if file.write(b"good day") else None)
    >>> Path("greeting").read_text()
    'good day'
    """
    place = Path(os.path.realpath(path))
    _refuse_special(path, place)
    try:
        with _beside(place) as beside:
            with beside.open("wb") as file:
                if place.exists():
                    beside.chmod(stat.S_IMODE(place.stat().st_mode))
                write(file)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(place)
        _flush_folder(place.parent)
    except SaffuError:
        raise
    except OSError as problem:
        raise BadFile(path, f"it cannot be written ({problem})", ADVICE) from problem


def check_writable(path: str | Path) -> None:
    """Find out, before any work is done, whether a file can be written.

    An empty hidden file is made beside the place and removed again.
    Refuses: what `write_whole` refuses.

    >>> check_writable("greeting")
    >>> Path("greeting").exists()
    False
    """
    place = Path(os.path.realpath(path))
    _refuse_special(path, place)
    try:
        with _beside(place):
            pass
    except OSError as problem:
        raise BadFile(path, f"it cannot be written ({problem})", ADVICE) from problem


def _beside(place: Path) -> AbstractContextManager[Path]:
    """An empty hidden file in the same folder."""

    def make(path: Path) -> None:
        path.open("xb").close()

    return unfinished(place.parent, f".{place.name}.", ".writing", make)


def _refuse_special(path: str | Path, place: Path) -> None:
    """Refuse to put a file in the place of something that is none."""
    if os.path.lexists(place) and not os.path.isfile(place):  # noqa: PTH113 (never raises)
        kind = "a folder" if place.is_dir() else "a pipe or a device"
        problem = f"it cannot be written (expected a regular file or nothing there, got {kind})"
        raise BadFile(path, problem, "choose another place")


def _flush_folder(folder: Path) -> None:
    """Make the move itself last; only POSIX systems let folders be flushed."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
