"""What a contest is given, and its outcome: records without any computation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from saffu.configuration import SMALL, Configuration
from saffu.data.corpus import Corpus
from saffu.data.tokenisers import Tokeniser
from saffu.data.vocabulary import Vocabulary
from saffu.models.transformer import Total


@dataclass(frozen=True)
class DemoSettings:
    """How much is tried."""

    shape: Configuration = SMALL
    seconds: float = 40.0
    """for everything; what is left of it at the end goes to backpropagation"""
    least: float = 3.0
    """seconds that each of the two last runs gets in any case"""
    starts: tuple[tuple[float, float], ...] = ((0.3, 0.03), (0.3, 0.1), (1.0, 0.03), (1.0, 0.1))
    """initial scales and learning rates of backpropagation alone"""
    warm_rate: float = 0.01
    """the only rate of backpropagation after the explicit solution"""
    watched: int = 6_000
    """validation targets that are looked at during training"""


class Text(NamedTuple):
    """A text, in tokens and in parts."""

    name: str
    tokeniser: Tokeniser
    vocabulary: Vocabulary
    train: Corpus
    validation: Corpus
    watched: Corpus
    """the part of the validation text on which curves are drawn"""
    test: Corpus


class Point(NamedTuple):
    """A place on a curve."""

    seconds: float
    perplexity: float
    """on the watched validation text"""


class Row(NamedTuple):
    """One way to a model, and how far it led."""

    name: str
    test: Total
    seconds: float
    """wall-clock seconds to its parameters"""
    targets: int
    """training targets that went by in that time, repetitions counted"""
    note: str
    sample: str
    curve: tuple[Point, ...]


class Tried(NamedTuple):
    """A random start that was tried."""

    scale: float
    rate: float
    perplexity: float
    """the best on its curve"""
    curve: tuple[Point, ...]


class Outcome(NamedTuple):
    """All rows, and what else there is to know of them."""

    text: Text
    settings: DemoSettings
    seed: int
    rows: tuple[Row, ...]
    tried: tuple[Tried, ...]
    seconds: float
    """for everything"""

    def row(self, name: str) -> Row:
        """The row of a name."""
        return next(row for row in self.rows if row.name == name)
