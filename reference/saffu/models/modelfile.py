"""Models and training states as named arrays, and back.   (SPEC 8)"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import sparse

from saffu.configuration import Configuration
from saffu.contexts import DocumentContext
from saffu.direct import DirectParameters, DirectTower
from saffu.models.training import Record, TrainingState
from saffu.optim import AdamState
from saffu.parameters import Parameters, assemble, flatten, names
from saffu.types import Array


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


def parameters_from_arrays(
    configuration: Configuration, arrays: Mapping[str, Array]
) -> Parameters | DirectParameters:
    """The inverse of `to_arrays`."""
    if configuration.output == "softmax":
        return _assembled(configuration, "", arrays)
    size = configuration.vocabulary
    towers = []
    for c, context in enumerate(configuration.contexts):
        slots = 0 if isinstance(context, DocumentContext) else context.slots
        tables = tuple(
            sparse.csr_array(
                tuple(arrays[f"tower{c}.table{k}.{p}"] for p in ("data", "indices", "indptr")),
                shape=(size, size),
            )
            for k in range(slots)
        )
        towers.append(
            DirectTower(arrays[f"tower{c}.attention"], arrays[f"tower{c}.temper"], tables)
        )
    return DirectParameters(arrays["embedding"], arrays["prior"], tuple(towers))


def state_to_file(state: TrainingState) -> tuple[dict[str, Any], dict[str, Array]]:
    """A training state as plain values and named arrays; its best parameters are the model's."""
    header = {
        field: getattr(state, field)
        for field in (
            "stage",
            "epoch",
            "position",
            "waited",
            "seconds",
            "targets",
            "batches",
            "batch_nats",
            "best_nats",
        )
    } | {"step": state.optimiser.step}
    if np.isinf(state.best_nats):
        header["best_nats"] = None
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
    fields = {name: header[name] for name in header.keys() - {"settings", "step"}}
    if fields["best_nats"] is None:
        fields["best_nats"] = float("inf")
    return TrainingState(
        parameters=now,
        optimiser=moments,
        best=_assembled(configuration, "", arrays),
        history=tuple(history),
        **fields,
    )


def _named(prefix: str, parameters: Parameters) -> dict[str, Array]:
    return {
        prefix + name: np.ascontiguousarray(array)
        for name, array in zip(names(parameters), flatten(parameters), strict=True)
    }


def _assembled(
    configuration: Configuration, prefix: str, arrays: Mapping[str, Array]
) -> Parameters:
    found = ["embedding"]
    for c, context in enumerate(configuration.contexts):
        for level in range(configuration.layers(context)):
            found += [f"tower{c}.layer{level}.{part}" for part in ("attention", "features")]
    found.append("output")
    return assemble(configuration, [arrays[prefix + name] for name in found])
