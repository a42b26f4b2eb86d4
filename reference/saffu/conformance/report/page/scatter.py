"""Scatter plot of returned against expected entries, as inline SVG.   (SPEC 9)

Each entry of an array is a point, what is expected across and what came up, so everything that is
right lies on the diagonal.  Where the whole error is too small to be seen like this, its height is
got − expected instead, and what is right lies on a level line, between the bounds.  A dot is within
bounds and a cross is not: the colour only repeats it.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from saffu.conformance.report.page.divergence import Divergence, worst_first
from saffu.conformance.report.page.markup import Markup, element, join
from saffu.conformance.report.page.scale import BETWEEN, LANES, Scale, scale_of
from saffu.conformance.report.page.words import brief
from saffu.types import Array

MOST: Final = 240
"""Entries that are drawn: the worst."""

SIDE: Final = 200.0
LEFT: Final = 46.0
TOP: Final = 16.0
"""The square in which the points lie."""

_SEEN: Final = 0.02
"""The part of the axis that an error needs to be seen."""


def picture(divergence: Divergence) -> Markup:
    """An `svg` of an array that can be compared, with a description for screen readers."""
    order = worst_first(divergence.gaps, MOST)
    expected = divergence.expected.value.reshape(-1).astype(np.float64)[order]
    got = divergence.got.reshape(-1).astype(np.float64)[order]
    wrong = divergence.wrong[order]
    scale = scale_of(expected, got)
    across = scale.place(expected)
    with np.errstate(over="ignore", invalid="ignore"):
        apart = got - expected
    near = not scale.lanes and np.abs(scale.place(got) - across).max() < _SEEN
    small = bool(near and apart.any())
    if small:
        tall = 1.15 * float(np.abs(apart).max())
        up = 0.5 + apart / (2 * tall)
        frame = _level(divergence.bound * divergence.expected.scale, tall)
    else:
        up, frame = scale.place(got), _diagonal(scale)
    drawn = join(
        [
            element("rect", class_="frame", x=_n(LEFT), y=_n(TOP), width=_n(SIDE), height=_n(SIDE)),
            frame,
            _ends(scale, upright=not small),
            element("path", class_="right", d=_dots(across[~wrong], up[~wrong])),
            element("path", class_="wrong", d=_crosses(across[wrong], up[wrong])),
            _text(LEFT + SIDE, TOP + SIDE + 24, "expected →", "end"),
            _text(LEFT, TOP - 5, "got − expected ↑" if small else "got ↑", "start"),
        ]
    )
    view = f"0 0 {LEFT + SIDE + 14:g} {TOP + SIDE + 28:g}"
    return element(
        "svg", drawn, viewBox=view, role="img", aria_label=in_words(divergence, small=small)
    )


def in_words(divergence: Divergence, *, small: bool = False) -> str:
    """What the picture shows, for those who cannot see it."""
    height = "got minus expected" if small else "got"
    index = list(divergence.difference.where or ())
    at = tuple(index)
    return (
        f"Expected across, {height} up, for {drawn(divergence)} of {divergence.name}. "
        f"{out_of_bounds(divergence)}; the worst{f', entry {index},' if index else ''} "
        f"is {number(divergence.got[at])}, expected {number(divergence.expected.value[at])}."
    )


def out_of_bounds(divergence: Divergence) -> str:
    """How many entries are wrong."""
    wrong, size = int(divergence.wrong.sum()), divergence.got.size
    return f"{wrong} of {size} {'entry' if size == 1 else 'entries'} out of bounds"


def drawn(divergence: Divergence) -> str:
    """How many entries the picture holds, and which."""
    size = divergence.got.size
    if size > MOST:
        return f"the worst {MOST} of {size} entries"
    return f"all {size} entries" if size > 1 else "the only entry"


def number(x: object) -> str:
    """One entry, in all its digits.

    >>> number(np.float64(0.1)), number(np.float32(0.1)), number(np.bool_(True))
    ('0.1', '0.1', 'true')
    """
    return str(x).lower() if isinstance(x, bool | np.bool_) else str(x)


def _diagonal(scale: Scale) -> Markup:
    """Where what is right lies; and the lanes, if there are any."""
    parts = [_line("truth", 0.0, 0.0, 1.0, 1.0)]
    if scale.lanes:
        for edge in (*BETWEEN, (LANES["+∞"] + LANES["NaN"]) / 2):
            parts += [_line("lane", edge, 0.0, edge, 1.0), _line("lane", 0.0, edge, 1.0, edge)]
        for name, at in LANES.items():
            parts += [
                _text(LEFT + SIDE * at, TOP + SIDE + 11, name, "middle"),
                _text(LEFT - 3, TOP + SIDE * (1 - at) + 3, name, "end"),
            ]
    return join(parts)


def _level(allowed: float, tall: float) -> Markup:
    """Where what is right lies, and how far it may be from there."""
    half = min(0.5 * allowed / tall, 0.5)
    band = element(
        "rect", class_="bounds", x=_n(LEFT), width=_n(SIDE),
        y=_n(TOP + SIDE * (0.5 - half)), height=_n(SIDE * 2 * half),
    )  # fmt: skip
    heights = [
        _text(LEFT - 3, TOP + SIDE * (0.5 - at) + 3, label, "end")
        for at, label in ((0.0, "0"), (0.5 / 1.15, brief(tall / 1.15, 1)))
    ]
    return join([band, _line("truth", 0.0, 0.5, 1.0, 0.5), *heights])


def _ends(scale: Scale, *, upright: bool) -> Markup:
    """The least and the greatest finite number, on one axis or on both."""
    parts = []
    ends = np.array([scale.low, scale.high])
    for end, place, anchor in zip(ends, scale.place(ends), ("start", "end"), strict=True):
        at = SIDE * place
        label = brief(float(end))
        parts.append(_text(LEFT + at, TOP + SIDE + 11, label, anchor if scale.lanes else "middle"))
        if upright:
            parts.append(_text(LEFT - 3, TOP + SIDE - at + 3, label, "end"))
    return join(parts)


def _dots(across: Array, up: Array) -> str:
    return "".join(f"M{x} {y}h0" for x, y in _places(across, up))


def _crosses(across: Array, up: Array) -> str:
    return "".join(f"M{x} {y}m-3-3l6 6m0-6l-6 6" for x, y in _places(across, up))


def _places(across: Array, up: Array) -> list[tuple[str, str]]:
    """Where points lie; those that lie on one another are one."""
    places = zip(LEFT + SIDE * across, TOP + SIDE * (1 - up), strict=True)
    return list(dict.fromkeys((_n(x), _n(y)) for x, y in places))


def _line(name: str, x: float, y: float, to_x: float, to_y: float) -> Markup:
    return element(
        "line", class_=name,
        x1=_n(LEFT + SIDE * x), y1=_n(TOP + SIDE * (1 - y)),
        x2=_n(LEFT + SIDE * to_x), y2=_n(TOP + SIDE * (1 - to_y)),
    )  # fmt: skip


def _text(x: float, y: float, text: str, anchor: str) -> Markup:
    return element("text", text, x=_n(x), y=_n(y), text_anchor=anchor)


def _n(x: float) -> str:
    return f"{x:.1f}".removesuffix(".0")
