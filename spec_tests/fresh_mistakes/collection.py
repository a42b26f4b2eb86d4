"""All fresh mistakes."""

from __future__ import annotations

from typing import Final

from spec_tests.fresh_mistakes import (
    counting,
    every_input,
    fitting,
    layers,
    models,
    optimisers,
    softmax_and_loss,
    text,
)
from spec_tests.fresh_mistakes.record import FreshMistake, Wrong

MISTAKES: Final[tuple[FreshMistake, ...]] = (
    *every_input.MISTAKES, *softmax_and_loss.MISTAKES, *counting.MISTAKES, *fitting.MISTAKES,
    *text.MISTAKES, *layers.MISTAKES, *models.MISTAKES, *optimisers.MISTAKES,
)  # fmt: skip

CONTROLS: Final[tuple[tuple[str, Wrong], ...]] = (
    *softmax_and_loss.CONTROLS, *counting.CONTROLS, *fitting.CONTROLS, *text.CONTROLS,
    *layers.CONTROLS, *optimisers.CONTROLS,
)  # fmt: skip
"""Ports without a mistake: the plain versions that many of the mistakes were made in."""
