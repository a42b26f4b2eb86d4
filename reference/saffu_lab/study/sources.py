"""What is measured on: named texts, the user's own files, images.   (SPEC 7)

Nothing is fetched and nothing is copied: data are read from where they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from saffu.data.bible import bible
from saffu.data.cache import cache_folder, fingerprint_of
from saffu.data.prose import prose
from saffu.data.readers import UNITS, read_documents
from saffu.errors import BadOption

NAMED = {"bible": bible, "prose": prose}
"""Texts that need no file: the King James Bible by chapters (Debian's program `bible`), and the
English prose of this Python by paragraphs."""


@dataclass(frozen=True)
class Sources:
    """Where the data are, and how much of them is looked at."""

    text: tuple[str, ...] = ("bible", "prose")
    """names in `NAMED`, or paths of files and folders"""
    unit: str = "paragraph"
    """what a document of a file is"""
    mnist: str | None = None
    """the folder with the four files of MNIST"""
    tiny: bool = False
    """every step once, in seconds; the numbers mean nothing"""
    cache: str | None = None
    """folder for models between tasks; by default below `saffu.data.cache.cache_folder()`"""
    kenlm: tuple[str, str] = ("lmplz", "query")
    """the two programs of KenLM"""

    def __post_init__(self) -> None:
        if not self.text:
            raise BadOption("text", self.text, f"{' or '.join(NAMED)}, or paths", "SPEC 7")
        if self.unit not in UNITS:
            raise BadOption("unit", self.unit, f"one of {', '.join(UNITS)}", "SPEC 7")

    @property
    def models(self) -> Path:
        """The folder of models between tasks."""
        return Path(self.cache) if self.cache else cache_folder() / "study"


@lru_cache(maxsize=2)
def documents(text: tuple[str, ...], unit: str) -> list[str]:
    """All documents of some sources, one source after the other.

    Refuses: what `bible`, `prose` and `read_documents` refuse.
    """
    parts: list[str] = []
    for name in text:
        parts += NAMED[name]() if name in NAMED else read_documents([Path(name)], unit=unit)
    return parts


@lru_cache(maxsize=2)
def text_digest(sources: Sources) -> str:
    """Sixteen hexadecimal digits for the text of some sources."""
    return fingerprint_of(documents(sources.text, sources.unit))[:16]
