"""A third witness: PyTorch's autograd gives the gradients of the golden files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from saffu.conformance.contract.case import Case
from saffu.conformance.contract.golden import read_suite
from saffu.conformance.judging.tolerance import judge
from saffu.types import Array

pytestmark = pytest.mark.torch

CASES = read_suite()


def answered(op: str) -> list[Case]:
    return [case for case in CASES if case.op == op and case.reject is None]


def differentiated(op: str) -> list[Case]:
    return [case for case in answered(op) if case.gradients]


def agree(case: Case, answer: dict[str, Array]) -> None:
    judgement = judge(case, answer)
    assert judgement.passed, f"{case.id}: {judgement}"


def gradients(end: Any, leaves: Sequence[Any]) -> list[Array]:
    import torch

    found = torch.autograd.grad(end, leaves, allow_unused=True, materialize_grads=True)
    return [each.numpy() for each in found]


@pytest.mark.parametrize(
    ("op", "output"), [("softmax", "probabilities"), ("log_softmax", "log_probabilities")]
)
def test_softmax(op: str, output: str) -> None:
    torch = pytest.importorskip("torch")
    for case in differentiated(op):
        z = torch.tensor(case.inputs["logits"], requires_grad=True)
        valid = torch.tensor(
            case.inputs.get("mask", case.inputs["logits"] == case.inputs["logits"])
        )
        answer = getattr(torch, op)(z.masked_fill(~valid, float("-inf")), dim=1)
        products = torch.where(valid, answer, 0.0) * torch.tensor(case.cotangents[output])
        (pulled,) = gradients(products.sum(), [z])
        agree(case, {output: answer.detach().numpy(), "gradient.logits": pulled})


def test_cross_entropy() -> None:
    torch = pytest.importorskip("torch")
    for case in answered("cross_entropy"):
        z = torch.tensor(case.inputs["logits"], requires_grad=True)
        wanted = torch.tensor(case.inputs["targets"])
        loss = torch.nn.functional.cross_entropy(z, wanted)
        (pulled,) = gradients(loss, [z])
        agree(case, {"loss": loss.detach().numpy(), "gradient": pulled})


def test_compare() -> None:
    torch = pytest.importorskip("torch")
    for case in differentiated("compare"):
        x = torch.tensor(case.inputs["inputs"], requires_grad=True)
        query = x[torch.arange(len(x)), torch.tensor(case.inputs["pivot"])]
        c = torch.einsum("nd,nkd->nk", query, x)
        (pulled,) = gradients((c * torch.tensor(case.cotangents["comparisons"])).sum(), [x])
        agree(case, {"comparisons": c.detach().numpy(), "gradient.inputs": pulled})


def test_saffu_backward() -> None:
    torch = pytest.importorskip("torch")
    from spec_tests.support.torch_layer import layer, tensor

    for case in answered("saffu_backward"):
        x, W, U = (tensor(case.inputs[name]) for name in ("inputs", *WEIGHTS))
        options = [case.attributes[name] for name in ("aggregation", "attention", "gain")]
        h = layer(x, case.inputs["mask"], case.inputs["pivot"], W, U, *options)
        pulled = gradients((h * torch.tensor(case.inputs["d_hidden"])).sum(), [W, U, x])
        agree(case, dict(zip((*WEIGHTS, "inputs"), pulled, strict=True)))


WEIGHTS = ("attention_weights", "feature_weights")


def test_model_gradient() -> None:
    pytest.importorskip("torch")
    from spec_tests.support.torch_model import loss_and_gradients

    for case in answered("model_gradient"):
        record = case.attributes["configuration"]
        towers = [
            [
                (part(case, c, i, "attention"), part(case, c, i, "features"))
                for i in range(1 if kind == "Document" else record["depth"])
            ]
            for c, (kind, *_) in enumerate(record["contexts"])
        ]
        documents = [x for name, x in case.inputs.items() if name.startswith("document_")]
        contexts = [(kind, size[0] if size else 0) for kind, *size in record["contexts"]]
        choices = tuple(record["layer"][name] for name in ("aggregation", "attention", "gain"))
        _, found = loss_and_gradients(
            documents, case.inputs["embedding"], towers, case.inputs["output"], contexts, choices
        )
        names = ["embedding"]
        for c, layers in enumerate(towers):
            names += [f"tower{c}.layer{i}.{name}" for i, _ in enumerate(layers) for name in PARTS]
        agree(case, dict(zip([*names, "output"], found, strict=True)))


PARTS = ("attention", "features")


def part(case: Case, tower: int, level: int, name: str) -> Array:
    """A document tower has no attention; PyTorch then gets something that it does not look at."""
    return case.inputs.get(f"tower{tower}.layer{level}.{name}", np.zeros((1, 1)))
