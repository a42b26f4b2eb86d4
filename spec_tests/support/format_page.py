"""The table of operations in golden/README.md, made from the contract itself."""

from __future__ import annotations

from collections.abc import Mapping

from saffu.conformance.operations import OPERATIONS, Operation


def rows() -> list[str]:
    """One row of Markdown for each operation."""
    return [_row(name, operation) for name, operation in OPERATIONS.items()]


def _row(name: str, operation: Operation) -> str:
    answers = _arrays(operation.outputs)
    if operation.stages:
        answers = f"({_arrays(operation.stages)}) {answers}"
    if operation.differentiable:
        answers += "; gradients at " + ", ".join(f"`{x}`" for x in operation.differentiable)
    attributes = ", ".join(f"`{attribute}`" for attribute in operation.attributes)
    return f"| `{name}` | {_arrays(operation.inputs)} | {attributes} | {answers} |"


def _arrays(shapes: Mapping[str, str]) -> str:
    return ", ".join(f"`{name}` [{shape}]" for name, shape in shapes.items())
