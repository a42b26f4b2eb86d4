"""Pages, pictures and notes of a measurement, each complete or not there."""

from __future__ import annotations

from pathlib import Path
from typing import IO

from saffu.files import write_whole


def keep(path: Path, content: str | bytes) -> None:
    """Write a file, text as UTF-8, in one step; its folder is made first.

    Refuses: a place that cannot be written.

    >>> keep(Path("notes/page.md"), "# α")
    >>> Path("notes/page.md").read_text(encoding="utf-8")
    '# α'
    """
    raw = content.encode() if isinstance(content, str) else content

    def write(file: IO[bytes]) -> None:
        file.write(raw)

    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, write)
