"""Where documents and images come from."""

from __future__ import annotations

from saffu.corpora.bible import bible
from saffu.corpora.counting import Tally, count_tokens
from saffu.corpora.images import Images, digits, mnist, read_idx
from saffu.corpora.prose import prose
from saffu.corpora.readers import TextFiles, read_documents

__all__ = [
    "Images",
    "Tally",
    "TextFiles",
    "bible",
    "count_tokens",
    "digits",
    "mnist",
    "prose",
    "read_documents",
    "read_idx",
]
