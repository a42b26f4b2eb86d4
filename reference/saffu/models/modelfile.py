"""Models and training states as named arrays, and back.   (SPEC 8)"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from scipy import sparse

from saffu.configuration import Configuration
from saffu.direct import DirectParameters, DirectTower
from saffu.errors import BadFile
from saffu.files import array_in, number_in, rows_in, whole_in
from saffu.files.contents import ADVICE
from saffu.models.training import Record, TrainingState
from saffu.optim import AdamState
from saffu.parameters import Parameters, assemble, flatten, names, shapes
from saffu.progress.early_stopping import TrainingLog
from saffu.types import Array

FIELDS: Final = ("stage", "epoch", "position", "seconds", "targets", "batches", "batch_nats")
"""Plain values of a training state."""
STAGES: Final = ("warm", "frozen", "thawed", "done")


def to_arrays(parameters: Parameters | DirectParameters) -> dict[str, Array]:
    """Every array of a model under its name."""
    if isinstance(parameters, Parameters):
        return _named("", parameters)
    arrays = {"embedding": parameters.embedding, "prior": parameters.prior}
    for c, tower in enumerate(parameters.towers):
        arrays[f"tower{c}.attention"] = tower.attention
        arrays[f"tower{c}.temper"] = tower.temper
        for k, table in enumerate(tower.tables):
            for part in ("data", "indices", "indptr"):
                arrays[f"tower{c}.table{k}.{part}"] = getattr(table, part)
    return arrays


def check_arrays(
    path: str | Path, configuration: Configuration, arrays: Mapping[str, Array], dtype: str
) -> None:
    """Check every array of a model before it is used.   (SPEC 8)

    Refuses (`BadFile`): an array that is missing, of another shape or type, or not finite; tables
    whose columns or rows lie outside of the vocabulary, or out of order.
    """
    if configuration.output == "softmax":
        _check_named(path, configuration, "", arrays, dtype)
        return
    v = configuration.vocabulary
    array_in(path, arrays, "embedding", (v, configuration.width), dtype=dtype)
    array_in(path, arrays, "prior", (v,), dtype="float")
    for c, context in enumerate(configuration.contexts):
        slots = context.slots
        array_in(path, arrays, f"tower{c}.attention", (slots, slots), dtype="float")
        array_in(path, arrays, f"tower{c}.temper", (slots,), dtype="float")
        for k in range(slots):
            _check_table(path, arrays, f"tower{c}.table{k}", v)


def _check_table(path: str | Path, arrays: Mapping[str, Array], name: str, size: int) -> None:
    """A sparse table [V, V] by rows: what SciPy would follow without looking."""
    starts = array_in(path, arrays, f"{name}.indptr", (size + 1,), dtype="integer", least=0)
    entries = int(starts[-1])
    columns = array_in(
        path, arrays, f"{name}.indices", (entries,), dtype="integer", least=0, below=size
    )
    array_in(path, arrays, f"{name}.data", (entries,), dtype="float")
    if starts[0] != 0 or (np.diff(starts.astype(np.int64)) < 0).any():
        raise BadFile(path, f"the rows of {name} do not follow one another", ADVICE)
    steps = np.diff(columns.astype(np.int64))
    within = np.ones(entries + 1, dtype=bool)
    within[starts] = False  # a step into the first column of a row
    if (steps[within[1:entries]] <= 0).any():
        raise BadFile(path, f"the columns of a row of {name} do not rise", ADVICE)


def _check_named(
    path: str | Path,
    configuration: Configuration,
    prefix: str,
    arrays: Mapping[str, Array],
    dtype: str,
    least: float | None = None,
) -> None:
    """Every array of `Parameters` under its name."""
    if configuration.depth > len(arrays):
        problem = f"expected {configuration.depth} layers in a tower, got {len(arrays)} arrays"
        raise BadFile(path, problem, ADVICE)
    expected = zip(_array_names(configuration), shapes(configuration), strict=True)
    for name, shape in expected:
        array_in(path, arrays, prefix + name, shape, dtype=dtype, least=least)


HISTORY: Final = ((str,), (int,), (int,), (float,), (float, type(None)), (float,))
"""The types of the fields of a `Record`."""


def history_in(path: str | Path, header: Mapping[str, Any]) -> list[Record]:
    """The validations of a training.  Refuses (`BadFile`): rows of another form."""
    return [Record(*row) for row in rows_in(path, header, "history", HISTORY)]


def check_state(
    path: str | Path,
    configuration: Configuration,
    header: Mapping[str, Any],
    arrays: Mapping[str, Array],
    dtype: str,
) -> None:
    """Check the state of a training before it is used.   (SPEC 8)

    Refuses (`BadFile`): a field that is missing or impossible; what `check_arrays` refuses.
    """
    for field in ("epoch", "position", "waited", "targets", "batches", "step"):
        whole_in(path, header, field)
    number_in(path, header, "seconds", 0.0)
    number_in(path, header, "batch_nats")
    if header.get("best_nats", math.nan) is not None:
        number_in(path, header, "best_nats")
    if header.get("stage") not in STAGES:
        problem = f"expected a stage of {', '.join(STAGES)}, got {header.get('stage')!r:.60}"
        raise BadFile(path, problem, ADVICE)
    for prefix, least in (("now.", None), ("mean.", None), ("square.", 0.0)):
        _check_named(path, configuration, prefix, arrays, dtype, least)


def parameters_from_arrays(
    configuration: Configuration, arrays: Mapping[str, Array]
) -> Parameters | DirectParameters:
    """The inverse of `to_arrays`, for arrays that were checked."""
    if configuration.output == "softmax":
        return _assembled(configuration, "", arrays)
    size = configuration.vocabulary
    towers = []
    for c, context in enumerate(configuration.contexts):
        tables = tuple(
            sparse.csr_array(
                tuple(arrays[f"tower{c}.table{k}.{p}"] for p in ("data", "indices", "indptr")),
                shape=(size, size),
            )
            for k in range(context.slots)
        )
        towers.append(
            DirectTower(arrays[f"tower{c}.attention"], arrays[f"tower{c}.temper"], tables)
        )
    return DirectParameters(arrays["embedding"], arrays["prior"], tuple(towers))


def state_to_file(state: TrainingState) -> tuple[dict[str, Any], dict[str, Array]]:
    """A training state as plain values and named arrays; its best parameters are the model's."""
    header = {field: getattr(state, field) for field in FIELDS} | {
        "waited": state.log.waited,
        "best_nats": state.log.best_nats if state.log.history else None,
        "step": state.optimiser.step,
    }
    arrays = _named("now.", state.parameters)
    for field in ("mean", "square"):
        moments = getattr(state.optimiser, field)
        for name, array in zip(names(state.parameters), moments, strict=True):
            arrays[f"{field}.{name}"] = array
    return header, arrays


def state_from_file(
    configuration: Configuration,
    header: Mapping[str, Any],
    arrays: Mapping[str, Array],
    history: Sequence[Record],
) -> TrainingState:
    """The inverse of `state_to_file`."""
    now = _assembled(configuration, "now.", arrays)
    moments = AdamState(
        header["step"],
        *(tuple(arrays[f"{field}.{name}"] for name in names(now)) for field in ("mean", "square")),
    )
    best, best_nats = _assembled(configuration, "", arrays), header["best_nats"]
    best_nats = math.inf if best_nats is None else float(best_nats)
    log = TrainingLog(best, best_nats, header["waited"], tuple(history))
    fields = {name: header[name] for name in FIELDS}
    return TrainingState(parameters=now, optimiser=moments, log=log, **fields)


def _named(prefix: str, parameters: Parameters) -> dict[str, Array]:
    return {
        prefix + name: np.ascontiguousarray(array)
        for name, array in zip(names(parameters), flatten(parameters), strict=True)
    }


def _assembled(
    configuration: Configuration, prefix: str, arrays: Mapping[str, Array]
) -> Parameters:
    return assemble(configuration, [arrays[prefix + name] for name in _array_names(configuration)])


def _array_names(configuration: Configuration) -> list[str]:
    """The names of the arrays of `Parameters`, in their order."""
    inner = [
        f"tower{c}.layer{level}.{part}"
        for c, context in enumerate(configuration.contexts)
        for level in range(configuration.layers(context))
        for part in ("attention", "features")
    ]
    return ["embedding", *inner, "output"]
