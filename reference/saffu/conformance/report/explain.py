"""A golden case as readable text: equation, arrays, bounds, mistakes.   (SPEC 9)"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np

from saffu.conformance import reference
from saffu.conformance.contract.case import Case, Expected
from saffu.conformance.diagnosis.mistake import Mistake
from saffu.conformance.judging.levels import level_of
from saffu.types import Array


def explain(case: Case, bank: Iterable[Mistake]) -> str:
    """The equation, inputs, expected outputs, bounds and exposed mistakes of a case.

    Parameters: `bank`, mistakes with descriptions; others are named by their id.
    """
    parts = [f"{case.id}   ({case.spec}, level {level_of(case.op)})", textwrap.fill(case.about, 96)]
    parts.append("Operation\n" + textwrap.indent(equation(case.op), "  "))
    if case.attributes:
        parts.append(
            "Attributes\n" + "\n".join(f"  {k} = {v!r}" for k, v in case.attributes.items())
        )
    parts.append(_block("Inputs", case.inputs))
    if case.reject is not None:
        parts.append(f"Has to be refused, with the reason {case.reject!r}")
    else:
        parts.append(_block("Stages, in order", _values(case.stages)))
        parts.append(_block("Expected", _values(case.outputs)))
        parts.append(_block("Cotangents given", case.cotangents))
        parts.append(_block("Gradients expected", _values(case.gradients)))
        parts.append(_bounds(case))
    known = {mistake.id: mistake.about for mistake in bank}
    hunted = [f"  {name}" + (f": {known[name]}" if name in known else "") for name in case.hunts]
    parts.append("Mistakes that it exposes\n" + "\n".join(hunted) if hunted else "")
    return "\n\n".join(part for part in parts if part) + "\n"


def equation(op: str) -> str:
    """The first line of the function's docstring, and the equations that open its module.

    >>> print(equation("priming_number"))
    K, the mean norm of the inputs: Σ_m ‖h_m‖₁ / M.   (SPEC 1)
    ...
        K = Σ_m ‖h_m‖₁ / M              priming number: the mean norm of the inputs ...
    [saffu.counts.priming_number]
    """
    adapter = inspect.getdoc(getattr(reference, op)) or ""
    place = adapter.split("`")[1]
    module, _, name = place.rpartition(".")
    source = import_module(module)
    if name in vars(source):
        about = inspect.getdoc(vars(source)[name]) or ""
    else:
        source = import_module(place)
        about = inspect.getdoc(source) or ""
    written = [line for line in (inspect.getdoc(source) or "").splitlines() if line[:4] == "    "]
    return "\n".join([about.split("\n")[0], *written, f"[{place}]"])


def listing(cases: Sequence[Case]) -> str:
    """One line per case: id, section, description."""
    wide = max((len(case.id) for case in cases), default=0)
    return "".join(
        f"{case.id:<{wide}}  {case.spec:<7}  "
        f"{textwrap.shorten(case.about, max(30, 108 - wide), placeholder='…')}\n"
        for case in cases
    )


def _values(expected: Mapping[str, Expected]) -> dict[str, Array]:
    return {name: each.value for name, each in expected.items()}


def _block(title: str, arrays: Mapping[str, Array]) -> str:
    if not arrays:
        return ""
    return title + "\n" + "\n".join(_array(name, x) for name, x in arrays.items())


def _array(name: str, x: Array) -> str:
    with np.printoptions(precision=6, suppress=False, linewidth=92, threshold=120, edgeitems=4):
        text = str(x)
    head = f"  {name} {x.dtype}{list(x.shape)}"
    return f"{head} = {text}" if x.ndim == 0 else f"{head}\n{textwrap.indent(text, '    ')}"


def _bounds(case: Case) -> str:
    rows = [f"  {name:<8} {bound:.2g}" for name, bound in case.tolerance.items()]
    text = "Largest error allowed, in units of the scale of an array\n" + "\n".join(rows)
    if case.certificate is None:
        return text
    measured: dict[str, Any] = dict(case.certificate.legitimate)
    rows = [f"  {name:<8} {m.error:.2g} by {m.who}" for name, m in measured.items()]
    text += "\nWorst of right computations\n" + "\n".join(rows)
    least = case.certificate.mistake
    if least is not None:
        text += f"\nLeast of the mistakes\n  {least.error:.2g} by {least.who}"
    return text
