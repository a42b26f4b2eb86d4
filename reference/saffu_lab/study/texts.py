"""The text of the report's studies, parted: 92 % to train on, 4 % to choose on, 4 % to test on."""

from __future__ import annotations

from functools import lru_cache

from saffu_lab.records.corpora import Texts, parted
from saffu_lab.study.sources import Sources, documents

FRACTIONS = (0.92, 0.04, 0.04)


@lru_cache(maxsize=3)
def texts(sources: Sources, vocabulary: int, seed: int) -> Texts:
    """Read and part.

    Parameters: `vocabulary` V, tokens at most, markers included; `seed` of the parting.
    """
    return parted(documents(sources.text, sources.unit), vocabulary, FRACTIONS, seed)
