"""Files that are there whole or not at all.

A file is written beside its place, flushed to the disk, and moved there in one step: who reads it
meets the old one or the new one, and a run that is killed leaves the last good one as it was.   [D]
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import IO

from saffu.errors import BadFile, SaffuError


def write_whole(path: str | Path, write: Callable[[IO[bytes]], None]) -> None:
    """Have a file written, and put it in its place when it is complete.

    Parameters: `path`, also a link, which stays one; `write` fills an open, seekable file.
    On any failure what was there before stays, and nothing else is left behind; only a process that
    is killed may leave a hidden `.NAME.….writing`, which can be deleted.
    Refuses: a place that cannot be written.

    >>> write_whole("greeting", lambda file: None if file.write(b"good day") else None)
    >>> Path("greeting").read_text()
    'good day'
    """
    place = Path(os.path.realpath(path))
    beside = place.with_name(f".{place.name}.{secrets.token_hex(6)}.writing")
    try:
        try:
            with beside.open("xb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(place)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
        _flush_folder(place.parent)
    except SaffuError:
        raise
    except OSError as problem:
        advice = "check that the folder is there, may be written to, and has room"
        raise BadFile(path, f"it cannot be written ({problem})", advice) from problem


def _flush_folder(folder: Path) -> None:
    """Make the move itself last; only POSIX systems let folders be flushed."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
