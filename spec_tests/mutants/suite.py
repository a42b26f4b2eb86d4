"""The published cases, and whether one of them is answered as it says.

A mutant is killed by a case if the answer is out of its float64 bound (outputs, gradients, or the
stages on the way), if another reason is given for a refusal or none, or if it breaks down.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path
from types import FrameType

import numpy as np

from saffu.conformance.contract.case import Case
from saffu.conformance.contract.golden import golden_root, read_suite
from saffu.conformance.judging.tolerance import judge
from saffu.conformance.operations import run
from saffu.errors import SaffuError

Place = tuple[str, str]
"""A module and a function in it."""

NOT_OPERATIONS = ("saffu.conformance", "saffu.errors")
"""Modules that cases go through and that compute nothing: they name things, or write messages."""

CONVERSIONS = ("saffu.arrays.operation",)
"""Modules that read containers and data types at the door.  A golden file has one container and one
data type, so it cannot judge them: their mutants are counted and not run."""

JUDGES = ("operations", "reference", "judging.tolerance")
"""Modules of `saffu.conformance` that decide whether a case is answered rightly."""


def cases() -> list[Case]:
    """All published cases, in order."""
    return list(read_suite())


def right(case: Case) -> bool:
    """Whether the package, as it is in this process, answers a case as it says."""
    try:
        with np.errstate(all="ignore"):
            answer = run(case.op, case.attributes, case.inputs, case.cotangents)
    except SaffuError as refusal:
        return refusal.reason == case.reject
    return case.reject is None and judge(case, answer).passed


def reached(case: Case) -> set[Place]:
    """Every function of the operations that the case runs through."""
    found: set[Place] = set()

    def enter(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            module = frame.f_globals.get("__name__", "")
            name = frame.f_code.co_qualname.partition(".<locals>")[0]
            ours = module.startswith("saffu.") and not module.startswith(NOT_OPERATIONS)
            if ours and name != "<module>":
                found.add((module, name))

    sys.setprofile(enter)
    try:
        answered = right(case)
    finally:
        sys.setprofile(None)
    if not answered:
        raise AssertionError(f"{case.id} fails without any mutant; mend that first")
    return found


def state(modules: Iterable[str], asked: Sequence[Case]) -> str:
    """A hash of the code that is mutated, of what judges it, and of the cases."""
    judged = [*modules, *(f"saffu.conformance.{name}" for name in JUDGES)]
    files = [Path(str(import_module(name).__file__)) for name in sorted(judged)]
    files += [Path(__file__).parent / f"{name}.py" for name in ("execute", "mutant", "suite")]
    parts = [file.read_bytes() for file in files]
    parts += [(golden_root() / f"{case.id}.json").read_bytes() for case in asked]
    whole = hashlib.sha256()
    for part in parts:
        whole.update(hashlib.sha256(part).digest())
    return whole.hexdigest()[:16]
