"""Unfinished files: locked while a process writes them, removed once it is gone."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Final

LOCKS: Final = find_spec("fcntl") is not None
"""Whether the system has locks that end with their process; on Windows there are none that fit."""


@contextmanager
def unfinished(
    folder: Path, prefix: str, suffix: str, make: Callable[[Path], object]
) -> Iterator[Path]:
    """A file or folder to work at, which is gone at the end of the block unless it was moved.

    Parameters: `make` makes it; its name is the prefix, twelve hexadecimal digits, the suffix.
    What killed processes left under such names is removed first; what belongs to a process that
    lives is locked, and stays.
    """
    clear_abandoned(folder, prefix, suffix)
    while True:
        path, lock = folder / f"{prefix}{secrets.token_hex(6)}{suffix}", None
        try:
            make(path)
            lock = _lock(path)
            if _still_there(path, lock):  # nobody took it for abandoned before it was locked
                yield path
                return
        finally:
            _remove(path)
            if lock is not None:
                os.close(lock)


def clear_abandoned(folder: Path, prefix: str, suffix: str) -> None:
    """Remove unfinished files and folders that no process works at.

    What cannot be removed stays; so does everything where the system has no locks.
    """
    names = re.compile(f"{re.escape(prefix)}[0-9a-f]{{12}}{re.escape(suffix)}")
    try:
        paths = [path for path in folder.iterdir() if names.fullmatch(path.name)]
    except OSError:
        return
    for path in paths:
        lock = _lock(path, wait=False)
        if lock is not None:
            _remove(path)
            os.close(lock)


def _remove(path: Path) -> None:
    """Remove a file or folder, if it is there and that is possible."""
    with suppress(OSError):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _lock(path: Path, *, wait: bool = True) -> int | None:
    """The descriptor of a locked file or folder; None where it cannot be locked."""
    if not LOCKS:
        return None
    import fcntl

    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _still_there(path: Path, lock: int | None) -> bool:
    """Whether a path leads to what is locked, or, without a lock, to anything."""
    try:
        there = path.stat()
        return lock is None or os.path.samestat(there, os.fstat(lock))
    except OSError:
        return False
