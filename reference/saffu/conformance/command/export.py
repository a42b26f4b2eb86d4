"""Golden cases as NumPy or safetensors files.   (SPEC 9)

`<op>.<slug>.npz` or `.safetensors`, one per case; arrays are named inputs.logits, stages.priming,
outputs.weights, cotangents.…, gradients.…; `case` holds everything else as JSON text.  Every file
is read back and compared after it is written.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from saffu.conformance.contract.case import Case
from saffu.errors import BadFile, BadOption, Missing
from saffu.types import Array

FORMATS: Final = ("npz", "safetensors")


def arrays_of(case: Case) -> dict[str, Array]:
    """All arrays of a case, under their group and name."""
    arrays = {f"inputs.{name}": x for name, x in case.inputs.items()}
    arrays |= {f"stages.{name}": each.value for name, each in case.stages.items()}
    arrays |= {f"outputs.{name}": each.value for name, each in case.outputs.items()}
    arrays |= {f"cotangents.{name}": x for name, x in case.cotangents.items()}
    arrays |= {f"gradients.{name}": each.value for name, each in case.gradients.items()}
    return {name: np.ascontiguousarray(x).reshape(x.shape) for name, x in arrays.items()}


def rest_of(case: Case) -> str:
    """Everything but the arrays: description, attributes, scales, tolerance or reason."""
    record: dict[str, Any] = {
        "id": case.id,
        "suite": case.suite,
        "op": case.op,
        "spec": case.spec,
        "about": case.about,
        "hunts": list(case.hunts),
        "attributes": dict(case.attributes),
    }
    if case.reject is not None:
        return json.dumps({**record, "reject": case.reject}, sort_keys=True)
    groups = {"stages": case.stages, "outputs": case.outputs, "gradients": case.gradients}
    scales = {
        f"{group}.{name}": each.scale
        for group, arrays in groups.items()
        for name, each in arrays.items()
    }
    return json.dumps(
        {**record, "scales": scales, "tolerance": dict(case.tolerance)}, sort_keys=True
    )


def export(cases: Iterable[Case], folder: Path, kind: str) -> list[Path]:
    """Write a file for each case, and return their paths.

    Refuses: an unknown format; safetensors where it is not installed; a file that does not read
    back as it was written.
    """
    if kind not in FORMATS:
        raise BadOption("format", kind, " or ".join(FORMATS), "SPEC 9")
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for case in cases:
        path = folder / f"{case.id.replace('/', '.')}.{kind}"
        arrays, rest = arrays_of(case), rest_of(case)
        back = (_npz if kind == "npz" else _safetensors)(path, arrays, rest)
        if back != (_bits(arrays), rest):
            raise BadFile(path, "its contents differ from what was written", "export again")
        written.append(path)
    return written


def _bits(arrays: Mapping[str, Array]) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    return {name: (str(x.dtype), x.shape, x.tobytes()) for name, x in arrays.items()}


def _npz(path: Path, arrays: Mapping[str, Array], rest: str) -> tuple[Any, str]:
    everything: dict[str, Any] = {"case": np.array(rest), **arrays}
    np.savez(path, **everything)
    with np.load(path, allow_pickle=False) as back:
        return _bits({name: back[name] for name in back.files if name != "case"}), str(back["case"])


def _safetensors(path: Path, arrays: Mapping[str, Array], rest: str) -> tuple[Any, str]:
    try:
        from safetensors import safe_open
        from safetensors.numpy import save_file
    except ImportError:
        raise Missing(
            "export --format safetensors",
            "the package safetensors",
            "pip install 'saffu[conformance]'",
        ) from None
    save_file(dict(arrays), path, metadata={"case": rest})
    with safe_open(path, framework="numpy") as back:
        restored = {name: back.get_tensor(name) for name in back.keys()}  # noqa: SIM118  (no mapping)
        return _bits(restored), str(back.metadata()["case"])
