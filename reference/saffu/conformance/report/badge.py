"""A badge for a port's README, as a shields.io endpoint.   (SPEC 9)"""

from __future__ import annotations

from typing import Any, Final

from saffu.conformance.judging.levels import LEVELS
from saffu.conformance.judging.runner import Run

_COLOURS: Final = dict(zip(LEVELS, ("yellow", "yellowgreen", "green", "brightgreen"), strict=True))


def badge(run: Run) -> dict[str, Any]:
    """The record of a badge: the level reached and the share of cases that passed.

    >>> badge(Run(None, "float64", (), "full"))["message"]
    'nothing ran'
    """
    good = sum(result.good for result in run.results)
    share = f"{good}/{len(run.results)}"
    if not run.results:
        message, colour = "nothing ran", "lightgrey"
    elif run.interrupted or run.partial:
        message, colour = f"{share} of a partial run", "lightgrey"
    elif run.level is None:
        message, colour = f"{share} passed", "red"
    else:
        grade = "" if run.precision == "float64" else f" in {run.precision}"
        message, colour = f"{run.level}{grade}, {share}", _COLOURS[run.level]
    return {"schemaVersion": 1, "label": "saffu conformance", "message": message, "color": colour}
