"""Files of networks: weights and training states as named arrays, and back.   (SPEC 8)"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

from saffu.errors import BadFile
from saffu.files import array_in, read_file, rows_in, whole_in, write_file
from saffu.files.checkpoints import check_same_settings
from saffu.network.layers import Layers, flatten, unflatten
from saffu.network.training import Epoch, TrainingSettings, TrainingState
from saffu.optim import AdamState
from saffu.progress.early_stopping import TrainingLog
from saffu.types import Array

SCHEMA, VERSION = "saffu-network", 1
TRAINING = "saffu-network-training"
PARTS = ("weights", "bias")
ADVICE = "train without resume=True, or give another path"


def named(prefix: str, arrays: Sequence[Array]) -> dict[str, Array]:
    """Arrays in the order of `flatten` under the names of their layers.

    >>> import numpy as np
    >>> list(named("now.", [np.ones((3, 2)), np.ones(2)]))
    ['now.layer0.weights', 'now.layer0.bias']
    """
    return {
        f"{prefix}layer{index // 2}.{PARTS[index % 2]}": array for index, array in enumerate(arrays)
    }


def layers_in(
    path: str | Path, prefix: str, arrays: Mapping[str, Array], sizes: Sequence[int], dtype: str
) -> Layers:
    """The layers of a network of these sizes; the inverse of `named`.

    Refuses (`BadFile`): an array that is missing, of another shape or type, or not finite; a
    further layer.
    """
    layers = unflatten(_in_order(path, prefix, arrays, sizes, dtype))
    count = sum(name.startswith(f"{prefix}layer") for name in arrays)
    if count != len(PARTS) * len(layers):
        problem = f"expected {len(PARTS) * len(layers)} arrays {prefix}layer…, got {count}"
        raise BadFile(path, problem, "save the network again")
    return layers


def _in_order(
    path: str | Path,
    prefix: str,
    arrays: Mapping[str, Array],
    sizes: Sequence[int],
    dtype: str,
    least: float | None = None,
) -> tuple[Array, ...]:
    """The arrays of a network of these sizes, in the order of `flatten`."""
    return tuple(
        array_in(path, arrays, f"{prefix}layer{i}.{part}", shape, dtype=dtype, least=least)
        for i, (d, n) in enumerate(pairwise(sizes))
        for part, shape in zip(PARTS, ((d, n), (n,)), strict=True)
    )


def history_in(path: str | Path, header: Mapping[str, Any]) -> tuple[Epoch, ...]:
    """The epochs of a training.  Refuses (`BadFile`): rows of another form."""
    nats = (float, type(None))
    return tuple(
        Epoch(*row) for row in rows_in(path, header, "history", ((int,), nats, nats, (float,)))
    )


def _sizes(path: str | Path, arrays: Mapping[str, Array]) -> list[int]:
    """The widths of the layers of a state, the features first."""
    sizes: list[int] = []
    while (name := f"now.layer{max(0, len(sizes) - 1)}.weights") in arrays or not sizes:
        below = sizes[-1] if sizes else None
        weights = array_in(path, arrays, name, (below, None))
        sizes = sizes or [weights.shape[0]]
        sizes.append(weights.shape[1])
    return sizes


def write_state(path: str | Path, state: TrainingState, settings: TrainingSettings) -> None:
    """Write a state of training, with the settings that it belongs to."""
    header = {
        "settings": asdict(settings),
        "step": state.optimiser.step,
        "history": [list(epoch) for epoch in state.log.history],
    }
    arrays = {
        **named("now.", flatten(state.layers)),
        **named("best.", flatten(state.log.best)),
        **named("mean.", state.optimiser.mean),
        **named("square.", state.optimiser.square),
    }
    write_file(path, TRAINING, VERSION, header, arrays)


def read_state(path: str | Path, settings: TrainingSettings) -> TrainingState:
    """The state that `write_state` wrote.

    Refuses: what `saffu.files.read_file` refuses; other settings (`BadOption`), except `epochs` and
    `patience`, which only say when to stop.
    """
    header, arrays = read_file(path, TRAINING, newest=VERSION)
    asked, begun = asdict(settings), header.get("settings")
    if not isinstance(begun, dict) or asked.keys() - begun.keys():
        raise BadFile(path, "it holds no training of a network", ADVICE)
    sizes = _sizes(path, arrays)
    dtype = str(arrays["now.layer0.weights"].dtype)
    history = history_in(path, header)
    if not history:
        raise BadFile(path, "it holds no training of a network (its history is empty)", ADVICE)
    log = TrainingLog[Layers, Epoch](layers_in(path, "best.", arrays, sizes, dtype))
    for epoch in history:
        nats = epoch.validation_nats
        log = log.after(epoch, log.best, None if nats is None else float(nats))
    state = TrainingState(
        layers_in(path, "now.", arrays, sizes, dtype),
        AdamState(
            whole_in(path, header, "step"),
            _in_order(path, "mean.", arrays, sizes, dtype),
            _in_order(path, "square.", arrays, sizes, dtype, least=0.0),
        ),
        log,
    )
    check_same_settings(begun, asked, free=("epochs", "patience"))
    return state
