"""Networks and states of their training as named arrays in files, and back.   (SPEC 8)"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from saffu.errors import BadFile
from saffu.files import read_file, write_file
from saffu.network.layers import flatten, unflatten
from saffu.network.training import Epoch, TrainingSettings, TrainingState
from saffu.optim import AdamState
from saffu.types import Array

SCHEMA, VERSION = "saffu-network", 1
TRAINING = "saffu-network-training"
PARTS = ("weights", "bias")


def named(prefix: str, arrays: Sequence[Array]) -> dict[str, Array]:
    """Arrays in the order of `flatten` under the names of their layers.

    >>> import numpy as np
    >>> list(named("now.", [np.ones((3, 2)), np.ones(2)]))
    ['now.layer0.weights', 'now.layer0.bias']
    """
    return {
        f"{prefix}layer{index // 2}.{PARTS[index % 2]}": array for index, array in enumerate(arrays)
    }


def unnamed(prefix: str, arrays: Mapping[str, Array]) -> tuple[Array, ...]:
    """The inverse of `named`.  Refuses (`KeyError`) a gap between the layers."""
    count = sum(name.startswith(f"{prefix}layer") for name in arrays)
    return tuple(arrays[f"{prefix}layer{index // 2}.{PARTS[index % 2]}"] for index in range(count))


def write_state(path: str | Path, state: TrainingState, settings: TrainingSettings) -> None:
    """Write a state of training, with the settings that it belongs to."""
    header = {
        "settings": asdict(settings),
        "step": state.optimiser.step,
        "history": [list(epoch) for epoch in state.history],
    }
    arrays = {
        **named("now.", flatten(state.layers)),
        **named("best.", flatten(state.best)),
        **named("mean.", state.optimiser.mean),
        **named("square.", state.optimiser.square),
    }
    write_file(path, TRAINING, VERSION, header, arrays)


def read_state(path: str | Path, settings: TrainingSettings) -> TrainingState:
    """The state that `write_state` wrote.

    Refuses (`BadFile`): what `saffu.files.read_file` refuses; other settings, except `epochs` and
    `patience`, which only say when to stop.
    """
    header, arrays = read_file(path, TRAINING, newest=VERSION)
    try:
        asked = asdict(settings)
        free = ("epochs", "patience")
        differing = [n for n in asked if header["settings"][n] != asked[n] and n not in free]
        state = TrainingState(
            unflatten(unnamed("now.", arrays)),
            AdamState(header["step"], unnamed("mean.", arrays), unnamed("square.", arrays)),
            unflatten(unnamed("best.", arrays)),
            tuple(Epoch(*epoch) for epoch in header["history"]),
        )
    except (KeyError, TypeError, ValueError) as wrong:
        raise BadFile(path, f"it is no state of a training ({wrong})", "delete it") from wrong
    if differing:
        problem = f"it belongs to a training with another {', '.join(differing)}"
        raise BadFile(path, problem, "delete it to begin anew, or give another path")
    return state
