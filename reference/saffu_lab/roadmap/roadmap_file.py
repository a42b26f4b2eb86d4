"""TOML file of a map: text, choices, number of models, training.

    [text]       the text, and how much of it is used
    [space]      the choices: per factor, the list of its values
    [[skip]]     combinations to leave out; any number of such tables
    [search]     the values that explicit solutions try on validation text
    [walk]       the number of models, and the seed of the draw
    [training]   which models are trained by backpropagation, and how

`saffu roadmap --example` prints a file that explains every field.  Defaults of omitted fields are
in `saffu_lab.roadmap.fields`; unknown fields are refused.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, NamedTuple

from saffu.errors import BadFile, BadOption, SaffuError
from saffu_lab.roadmap.fields import FIELDS, section
from saffu_lab.roadmap.space import FACTORS, Space, check_level, several
from saffu_lab.study.sources import NAMED, Sources

_SPEC: Final = "SPEC 4"

EXAMPLE: Final = "saffu roadmap --example"


class Training(NamedTuple):
    """Which models are trained, and how."""

    best: int
    """number of best explicit models that are trained"""
    random_share: float
    """share of all models that is drawn for training before anything is measured"""
    rates: tuple[float, ...]
    frozen: int
    thawed: int
    checks: int
    batch: int
    cold: bool
    """whether the drawn models are also trained from random weights"""
    scales: tuple[float, ...]
    """standard deviations of the random weights"""


@dataclass(frozen=True)
class Roadmap:
    """Contents of a map's file."""

    text: tuple[str, ...]
    unit: str
    targets: int | None
    """training targets; None: all"""
    seed: int
    """seed of splitting and sampling the text, of random weights and of batch order"""
    space: Space
    models: int
    draw: int
    """seed of the draw of models"""
    training: Training

    def sources(self, cache: Path | None = None) -> Sources:
        """The text, and the folder for models between tasks, with absolute paths for other
        machines."""
        text = tuple(name if name in NAMED else str(Path(name).resolve()) for name in self.text)
        return Sources(text=text, unit=self.unit, cache=None if cache is None else str(cache))


def bundled() -> str:
    """The map of the replication report, as TOML text: 250 models on a million targets."""
    return files("saffu_lab.roadmap").joinpath("transformers.toml").read_text(encoding="utf-8")


def read_roadmap(path: Path) -> Roadmap:
    """Read a file.

    Refuses: files that cannot be read or are not TOML; unknown sections and fields; values that a
    field cannot have.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as problem:
        reason = problem.strerror or str(problem)
        raise BadFile(path, reason, f"'{EXAMPLE}' prints one to begin with") from problem
    except UnicodeDecodeError as problem:
        raise BadFile(path, "it is not UTF-8 text", f"'{EXAMPLE}' prints one") from problem
    return parse_roadmap(text, path)


def parse_roadmap(text: str, path: object) -> Roadmap:
    """Parse the text of a file; `path` names it in errors."""
    try:
        record = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise BadFile(
            path, f"it is not TOML: {problem}", f"compare it with '{EXAMPLE}'"
        ) from problem
    try:
        return _roadmap(record)
    except SaffuError as problem:
        raise BadFile(path, str(problem), f"compare it with '{EXAMPLE}'") from problem


def _roadmap(record: Mapping[str, Any]) -> Roadmap:
    for name in record:
        if name not in (*FIELDS, "space", "skip"):
            known = ", ".join(f"[{one}]" for one in (*FIELDS, "space")) + " or [[skip]]"
            raise BadOption("section", f"[{name}]", f"one of {known}", "SPEC 8")
    given = {name: section(name, record.get(name, {})) for name in FIELDS}
    text, walk, search = given["text"], given["walk"], given["search"]
    search = {name: [float(one) for one in values] for name, values in search.items()}
    training = Training(**{k: _frozen(v) for k, v in given["training"].items()})
    if training.frozen + training.thawed == 0 and training.best + training.random_share > 0:
        raise BadOption("[training] frozen + thawed", 0, "at least 1", "SPEC 6")
    shared = {"vocabulary": text["vocabulary"], **search}
    return Roadmap(
        text=tuple(text["names"]),
        unit=text["unit"],
        targets=text["targets"],
        seed=text["seed"],
        space=_space(record.get("space"), record.get("skip", []), shared),
        models=walk["models"],
        draw=walk["seed"],
        training=training,
    )


def _frozen(value: Any) -> Any:
    return tuple(float(one) for one in value) if isinstance(value, list) else value


def _space(factors: Any, skip: Any, shared: Mapping[str, Any]) -> Space:
    if not isinstance(factors, Mapping) or not factors:
        raise BadOption("[space]", factors, f"a section with {', '.join(FACTORS)}", _SPEC)
    for name, values in factors.items():
        _known("[space]", name)
        if not isinstance(values, list) or not values:
            raise BadOption(f"[space] {name}", values, "a list of values", _SPEC)
        for i, value in enumerate(values):
            _level(f"[space] {name}[{i}]", name, value)
    if not isinstance(skip, list) or not all(isinstance(one, Mapping) and one for one in skip):
        raise BadOption("skip", skip, "tables [[skip]], each with at least one factor", _SPEC)
    for i, one in enumerate(skip):
        for name, value in one.items():
            _known(f"[[skip]] {i + 1}", name)
            if not all(each in factors.get(name, ()) for each in several(value)):
                expected = f"one of the values of [space] {name}, or a list of some"
                raise BadOption(f"[[skip]] {i + 1}: {name}", value, expected, _SPEC)
    return Space({name: tuple(values) for name, values in factors.items()}, shared, tuple(skip))


def _known(where: str, name: str) -> None:
    if name not in FACTORS:
        raise BadOption(f"{where}: factor", name, f"one of {', '.join(FACTORS)}", _SPEC)


def _level(where: str, name: str, value: Any) -> None:
    try:
        check_level(name, value)
    except SaffuError as problem:
        raise BadOption(
            where, value, f"a level that a model can have ({problem})", _SPEC
        ) from problem


WIDTHS: Final = (11, 13, 17, 19, 23, 29, 31)
"""Code widths of the tiny map."""


def tiny(roadmap: Roadmap) -> Roadmap:
    """A map that takes seconds: two values per factor, narrow codes, few slots, little text."""
    factors: dict[str, tuple[Any, ...]] = {}
    for name, values in roadmap.space.factors.items():
        ends = tuple(dict.fromkeys((values[0], values[-1])))
        if values.count(values[0]) > 1:
            ends = (values[0], *ends)  # drawn more often, as in the whole map
        if name == "contexts":
            ends = tuple(dict.fromkeys(re.sub(r"\d{2,}|[4-9]", "3", value) for value in ends))
        factors[name] = WIDTHS[: len(set(ends))] if name in ("bits", "label_bits") else ends
    shared = {
        name: value[:1] if isinstance(value, list) else 251
        for name, value in roadmap.space.shared.items()
    }
    training = roadmap.training
    return replace(
        roadmap,
        text=("prose",),
        unit="paragraph",
        targets=1_000,
        space=Space(factors, shared),
        models=min(roadmap.models, 12),
        training=training._replace(
            best=min(training.best, 2), rates=training.rates[:1], scales=training.scales[:1]
        ),
    )
