"""A port in this process: a module or an object with functions named as the operations.   (SPEC 9)

    def priming_number(features): ...              returns an array
    def cooccurrence(features, targets): ...       returns {"counts": …, "norm": …, "samples": …}
    def softmax(logits, mask=None, cotangents=None): ...
                    returns {"probabilities": …}, and "gradient.logits" if cotangents are given

Inputs and attributes come as keyword arguments under their names in the case files, arrays as
NumPy's.  What has one output may be returned as it is; several come as a mapping, a NamedTuple or
a dataclass.  A refusal is a ValueError, with the code as its attribute `reason` if there is one.
What the port does not do raises NotImplementedError("why", "https://… where that is tracked").
Gradients are asked for only of a function that has the parameter `cotangents`, a mapping of outputs
to arrays.
"""

from __future__ import annotations

import copy
import importlib
import inspect
import sys
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

import numpy as np

from saffu.conformance.operations import OPERATIONS
from saffu.conformance.ports import schemas
from saffu.conformance.ports.limits import Exited, OutOfTime, TimeLimit, no_exit
from saffu.conformance.ports.protocol import (
    Answer,
    Broken,
    Errored,
    Outputs,
    Rejected,
    Request,
    Skipped,
    Started,
)
from saffu.conformance.ports.signals import Terminated
from saffu.errors import BadOption
from saffu.types import Array

_SPEC: Final = "SPEC 9"


@runtime_checkable
class Port(Protocol):
    """The interface of a port for the runner.  It never raises, however bad the port."""

    def start(self) -> Started | Broken:
        """Start, or restart after a failure."""
        ...

    def run(self, request: Request) -> Answer:
        """Answer one case."""
        ...

    def twice(self) -> tuple[tuple[int, str], ...]:
        """Numbers of the cases that were answered more than once, each with a message."""
        ...

    def stop(self) -> str:
        """End; returns a note on how it ended, or an empty text."""
        ...


class ModulePort:
    """A Python module or object as a port.

    >>> class Mine:
    ...     def priming_number(self, features): return features.sum() / len(features)
    >>> port = ModulePort(Mine(), name="mine")
    >>> port.start().operations
    ('priming_number',)
    >>> asked = Request(1, "priming_number", {}, {"features": np.ones((2, 3))})
    >>> float(port.run(asked).arrays["priming"])
    3.0
    """

    def __init__(self, target: object, *, name: str = "", timeout: float | None = 60.0) -> None:
        self.target: Final = target
        self.name: Final = name or getattr(target, "__name__", type(target).__name__)
        self.timeout: Final = timeout

    def start(self) -> Started:
        """What the module says about itself, and the operations that it has."""
        have = tuple(op for op in OPERATIONS if callable(self._attribute(op, None)))
        precision = self._word("PRECISION", "float64")
        if precision not in ("float64", "float32", "loose"):
            raise BadOption(f"{self.name}.PRECISION", precision, "float64, float32 or loose", _SPEC)
        return Started(
            self.name,
            self._word("__version__", "unknown"),
            f"Python {sys.version.split()[0]}",
            precision,
            have,
            tuple(op for op in have if self._has_gradients(op)),
            self._word("DEVICE", "cpu"),
        )

    def run(self, request: Request) -> Answer:
        """Call the function; every way in which that can end is an answer.

        A right answer after the time limit is none, even if the port has caught the interruption.
        """
        limit = TimeLimit(self.timeout)
        answer: Answer = Errored("no answer")
        try:
            with no_exit(), limit.applied():
                answer = self._answer(request)
        except OutOfTime:
            pass
        if limit.over:
            return Broken("time-out", f"no answer within {self.timeout:g} s")
        return answer

    def _answer(self, request: Request) -> Answer:
        try:
            return Outputs(self._call(request))
        except (OutOfTime, KeyboardInterrupt, Terminated):
            raise
        except BaseException as failure:  # noqa: BLE001  (a port may raise anything)
            return answer_of(failure)

    def twice(self) -> tuple[tuple[int, str], ...]:
        """A function returns once."""
        return ()

    def stop(self) -> str:
        """Nothing to end."""
        return ""

    def _call(self, request: Request) -> dict[str, Array]:
        given: dict[str, Any] = {name: x.copy() for name, x in request.inputs.items()}
        given |= copy.deepcopy(dict(request.attributes))
        if request.cotangents:
            given["cotangents"] = {name: x.copy() for name, x in request.cotangents.items()}
        result = getattr(self.target, request.op)(**given)
        return arrays_of(result, tuple(OPERATIONS[request.op].outputs))

    def _attribute(self, name: str, default: object) -> Any:
        try:
            return getattr(self.target, name, default)
        except Exception:  # noqa: BLE001  (attributes of a port may be computed)
            return default

    def _word(self, name: str, default: str) -> str:
        """What the module says about itself, in harmless characters."""
        return schemas.plain(text_of(self._attribute(name, default)))[:200] or default

    def _has_gradients(self, op: str) -> bool:
        if not OPERATIONS[op].differentiable:
            return False
        try:
            return "cotangents" in inspect.signature(getattr(self.target, op)).parameters
        except Exception:  # noqa: BLE001  (a signature may be computed)
            return False


REFERENCE: Final = "saffu.conformance.reference"
"""The reference as a port; the functions of `saffu` itself have other names for some arguments."""


class BadAnswer(Exception):
    """A function returned something that is not an answer."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what: Final = what


def answer_of(failure: BaseException) -> Answer:
    """The answer of a function that has raised."""
    if isinstance(failure, BadAnswer):
        return Broken("form", failure.what)
    if isinstance(failure, Exited):
        return Errored(text_of(failure))
    if isinstance(failure, NotImplementedError):
        why, url = (*map(text_of, failure.args), "", "")[:2]
        if not why:
            return Errored("NotImplementedError without a reason")
        message = {"seq": 1, "skipped": {"reason": why[:200], "url": url}}
        return Skipped(why, None if schemas.problem("protocol", "skipped", message) else url)
    if isinstance(failure, ValueError):
        try:
            reason = getattr(failure, "reason", None)
        except Exception:  # noqa: BLE001  (an attribute may be computed)
            reason = None
        return Rejected(str.__str__(reason) if isinstance(reason, str) else None, text_of(failure))
    return Errored(f"{type(failure).__name__}: {text_of(failure)}")


def text_of(value: object) -> str:
    """The text of a value whose `__str__` may raise; not more than 1000 characters.

    >>> class Silent:
    ...     def __str__(self): raise RuntimeError
    >>> text_of(Silent())
    'a Silent that cannot be written as text'
    """
    try:
        return str.__str__(str(value))[:1000]
    except (OutOfTime, KeyboardInterrupt, Terminated):
        raise
    except BaseException:  # noqa: BLE001  (a port may raise anything)
        return f"a {type(value).__name__} that cannot be written as text"


def arrays_of(result: Any, outputs: tuple[str, ...]) -> dict[str, Array]:
    """The arrays that a function returned, by name.

    Parameters: `result`, an array where there is one output, else a mapping, a NamedTuple or a
    dataclass; `outputs`, the names that are wanted.  Fields that are not arrays are passed over,
    unless they are wanted.

    >>> arrays_of({"ranks": [2, 0, 1]}, ("ranks",))
    {'ranks': array([2, 0, 1])}
    """
    if isinstance(result, tuple) and hasattr(result, "_asdict"):
        by_name: Mapping[str, Any] = result._asdict()
    elif is_dataclass(result):
        by_name = {each.name: getattr(result, each.name) for each in fields(result)}
    elif isinstance(result, Mapping):
        by_name = result
    elif len(outputs) == 1 and result is not None:
        by_name = {outputs[0]: result}
    else:
        raise BadAnswer(
            f"for the outputs {', '.join(outputs)}, return a mapping, a NamedTuple or a dataclass, "
            f"got {type(result).__name__}"
        )
    converted: dict[str, Array] = {}
    for name, value in by_name.items():
        try:
            converted[str(name)] = as_array(str(name), value)
        except BadAnswer:
            if name in outputs:
                raise
    return converted


def as_array(name: str, value: Any) -> Array:
    """NumPy's array of a value, or BadAnswer."""
    try:
        array = np.asarray(value)
    except Exception as wrong:  # noqa: BLE001  (anybody's array may raise anything)
        raise BadAnswer(f"{name} cannot become a NumPy array: {text_of(wrong)}") from None
    if array.dtype.kind not in "fiub":
        raise BadAnswer(
            f"{name} must be an array of numbers, got {type(value).__name__} of {array.dtype}"
        )
    return array


def load(name: str, *, timeout: float | None = 60.0) -> ModulePort:
    """The port of a dotted name, `package.module` or `package.module:object`.

    The current folder is on the import path.  `saffu` is the reference.
    Refuses: names that cannot be imported; modules without any of the operations.
    """
    module, _, attribute = (REFERENCE if name == "saffu" else name).partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        with no_exit():
            target: object = importlib.import_module(module)
            for part in filter(None, attribute.split(".")):
                target = getattr(target, part)
    except (KeyboardInterrupt, Terminated):
        raise
    except BaseException as wrong:  # an import runs code that may raise anything
        raise BadOption(
            "port", name,
            "an importable package.module or package.module:object "
            f"({type(wrong).__name__}: {schemas.plain(text_of(wrong))}), or a program after --",
            _SPEC,
        ) from wrong  # fmt: skip
    port = ModulePort(target, name=name, timeout=timeout)
    if not port.start().operations:
        some = ", ".join(list(OPERATIONS)[:3])
        raise BadOption("port", name, f"a module with functions such as {some}", _SPEC)
    return port
