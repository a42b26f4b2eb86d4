"""Arrays of other libraries, and the reference as a port that works on them.   (SPEC 9)

    strict     array-api-strict on a device that it only plays: whatever moves to the host unasked,
               meets an array of the host, or is not in the standard raises.  It stands in for a GPU
    torch      PyTorch on the CPU, which has types and habits of its own
    cupy       a GPU

An array goes over by `Library.take`, and comes home by `saffu.arrays.namespace.on_host`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import numpy as np

from saffu.arrays.namespace import on_host
from saffu.conformance import reference
from saffu.conformance.operations import OPERATIONS
from saffu.types import Array
from spec_tests.conftest import shapes_unchecked


class Library(NamedTuple):
    """An array library other than NumPy."""

    name: str
    xp: Any
    take: Callable[[Array], Any]
    """An array of NumPy's as one of its own, on its device."""
    kind: type
    """What its arrays are."""
    device: object
    """Where they have to lie."""

    def owns(self, x: object) -> bool:
        """Whether something is an array of this library, and lies where it should."""
        return isinstance(x, self.kind) and x.device == self.device  # type: ignore[attr-defined]


def strict() -> Library:
    import array_api_strict as xp

    device = xp.Device("device2")

    def take(x: Array) -> Any:  # the standard has no float16
        return xp.asarray(x.astype(np.float32) if x.dtype == np.float16 else x, device=device)

    return Library("strict", xp, take, type(xp.zeros(1)), device)


def torch() -> Library:
    import torch

    def take(x: Array) -> Any:
        return torch.asarray(np.require(x, requirements=["C", "W"]).copy())

    return Library("torch", torch, take, torch.Tensor, torch.device("cpu"))


def cupy() -> Library:
    import cupy

    return Library("cupy", cupy, cupy.asarray, cupy.ndarray, cupy.cuda.Device())


LIBRARIES: Final[Mapping[str, Callable[[], Library]]] = {
    "strict": strict, "torch": torch, "cupy": cupy,
}  # fmt: skip
"""Each imports its library only when it is called."""


class ForeignPort:
    """The reference, given arrays of another library; answers are NumPy's.

    What belongs on the device must come back as an array of the library, and nothing else may.
    With `text_on_host`, whole numbers and truth values are left to NumPy.
    """

    def __init__(self, library: Library, *, text_on_host: bool = False) -> None:
        self.library = library
        self.text_on_host = text_on_host
        self.calls = 0
        """calls that a foreign array went into"""

    def __getattr__(self, op: str) -> Callable[..., dict[str, Array]]:
        if op.startswith("_"):
            raise AttributeError(op)
        function = getattr(reference, op)

        def call(**given: Any) -> dict[str, Array]:
            taken = self._take(given)
            if op == "warm_start":  # text goes in, so it is told where to compute
                taken["like"] = self.library.take(np.zeros(1))
            self.calls += any(self.library.owns(x) for x in taken.values())
            with shapes_unchecked():
                answer: dict[str, Any] = function(**taken)
                home = {name for name, x in answer.items() if not self.library.owns(x)}
                assert home == set(OPERATIONS[op].on_host), f"{op}: on the host are {home}"
                return {name: on_host(x) for name, x in answer.items()}

        return call

    def _take(self, given: Any) -> Any:
        if isinstance(given, dict):
            return {name: self._take(x) for name, x in given.items()}
        if not isinstance(given, np.ndarray) or (self.text_on_host and given.dtype.kind in "iub"):
            return given
        return self.library.take(given)
