"""Pictures as PNG and SVG: the only module that imports matplotlib.   (SPEC 7)

Pictures are drawn from lines alone, so that they can be drawn again.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from saffu.errors import Missing
from saffu_lab.records.whole import keep

COLOURS = {
    "explicit": "#1f77b4",
    "trained": "#17becf",
    "cold": "#ff7f0e",
    "direct": "#2ca02c",
    "outside": "#7f7f7f",
}
"""One colour for one way to a model, in all pictures."""

INSTALL = "pip install 'saffu[plot]'"


def plain_numbers(*axes: Any, steps: Sequence[float] = (1.0, 2.0, 5.0)) -> None:
    """Label logarithmic axes with plain numbers: 50, 100, 200; `steps` of each decade."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    for axis in axes:
        axis.set_major_locator(LogLocator(subs=tuple(steps)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
        axis.set_minor_formatter(NullFormatter())


def save(figure: Any, path: Path) -> None:
    """Write `path`.png and `path`.svg, the same bytes for the same figure."""
    import matplotlib

    svg = BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": path.name, "svg.fonttype": "path"}):
        figure.savefig(svg, format="svg", metadata={"Date": None})
    keep(path.with_suffix(".svg"), svg.getvalue())
    keep(path.with_suffix(".png"), png(figure))


def canvas(width: float, height: float) -> Any:
    """An empty figure, in inches, that needs no screen.  Refuses: matplotlib missing."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as missing:
        raise Missing("the plot", "the package matplotlib", INSTALL) from missing
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def png(figure: Any, dpi: int = 110) -> bytes:
    """The picture."""
    picture = BytesIO()
    figure.savefig(picture, dpi=dpi, format="png")
    return picture.getvalue()
