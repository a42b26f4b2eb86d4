"""From files to samples: reading text, tokens, ids, corpora and their cache; images."""

from __future__ import annotations

from saffu.data.bible import bible
from saffu.data.counting import Tally, count_tokens
from saffu.data.images import Images, digits, mnist, read_idx
from saffu.data.prose import prose
from saffu.data.readers import TextFiles, read_documents

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
