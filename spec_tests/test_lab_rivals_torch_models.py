"""The rivals in PyTorch are the same models: equal forward, equal first step.   (SPEC 4, 6)"""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np
import pytest

from saffu.batch import plan
from saffu.configuration import Configuration
from saffu.contexts import BlockContext, RadialContext
from saffu.errors import BadOption, Missing
from saffu.loss import token_nats
from saffu.model import model_forward, model_gradient
from saffu.optim import adam_start, adam_step
from saffu.parameters import flatten
from saffu.positions import make_samples
from saffu_lab.rivals.torch_models import (
    Contexts,
    TorchSaffu,
    TorchSlots,
    torch_nats,
    torch_or_refuse,
    train_epoch,
)
from spec_tests.support.models import random_parameters
from spec_tests.support.texts import random_documents

V = 13
TEXT = make_samples(random_documents(7, V, (5, 11, 2, 17, 1)))
MODEL = Configuration(V, (RadialContext(3),), bits=5, label_bits=7)


@pytest.fixture
def torch() -> Any:
    return pytest.importorskip("torch")


@pytest.mark.torch
@pytest.mark.parametrize("embeddings", [True, False], ids=["all", "frozen"])
def test_the_rival_predicts_what_the_model_predicts(torch: Any, embeddings: bool) -> None:
    parameters = random_parameters(MODEL, seed=3)
    rival = TorchSaffu(MODEL, parameters, embeddings=embeddings)
    batch = plan(TEXT, MODEL)
    ours = token_nats(model_forward(parameters, batch, MODEL.layer).logits, batch.targets)
    np.testing.assert_allclose(torch_nats(rival, TEXT, rows=11), ours, rtol=1e-10)


@pytest.mark.torch
def test_one_step_of_the_rival_is_a_step_of_ours(torch: Any) -> None:
    parameters = random_parameters(MODEL, seed=3)
    rival = TorchSaffu(MODEL, parameters, embeddings=True)
    text = Contexts(torch, TEXT, rival.context)
    done = train_epoch(rival, text, rival.optimisers(0.01), batch=1000, seed=0)
    assert done == TEXT.targets.shape[0]
    batch = plan(TEXT, MODEL)
    old, gradient = flatten(parameters), flatten(model_gradient(parameters, batch, MODEL.layer))
    new, _ = adam_step(old, gradient, adam_start(old), 0.01)
    for name, ours, theirs in zip("EWUO", new, rival.tensors, strict=True):
        np.testing.assert_allclose(
            theirs.detach().numpy(), ours, rtol=1e-6, atol=1e-9, err_msg=name
        )


@pytest.mark.torch
def test_frozen_embeddings_stand_still_and_the_loss_falls(torch: Any) -> None:
    parameters = random_parameters(MODEL, seed=3)
    rival = TorchSaffu(MODEL, parameters, embeddings=False)
    before = torch_nats(rival, TEXT).mean()
    text = Contexts(torch, TEXT, rival.context)
    optimisers = rival.optimisers(0.05)
    for epoch in range(5):
        train_epoch(rival, text, optimisers, batch=7, seed=epoch)
    assert torch_nats(rival, TEXT).mean() < before
    np.testing.assert_array_equal(rival.E.numpy(), parameters.embedding)


@pytest.mark.torch
def test_tables_add_up_over_valid_slots(torch: Any) -> None:
    rival = TorchSlots(MODEL)
    np.testing.assert_allclose(torch_nats(rival, TEXT), np.log(V), rtol=1e-6)
    text = Contexts(torch, TEXT, rival.context)
    steps = train_epoch(rival, text, rival.optimisers(0.3), batch=5, seed=1, steps=3)
    assert steps == 15
    tables, bias = rival.T.detach().numpy().reshape(3, V, V), rival.bias.detach().numpy()
    assert np.any(tables != 0)
    for m in range(TEXT.targets.shape[0]):
        back = min(3, int(TEXT.offsets[m]) + 1)
        z = bias + sum(tables[k, TEXT.tokens[m - k]] for k in range(back))
        np.testing.assert_allclose(
            rival.logits(text.slots[m : m + 1], text.mask[m : m + 1]).detach().numpy()[0],
            z,
            rtol=1e-5,
            atol=1e-6,
        )


@pytest.mark.torch
def test_other_shapes_are_refused(torch: Any) -> None:
    other = Configuration(V, (BlockContext(3),), bits=5, label_bits=7)
    with pytest.raises(BadOption, match="Radial"):
        TorchSaffu(other, random_parameters(other), embeddings=False)
    with pytest.raises(BadOption, match="Radial"):
        TorchSlots(other)


def test_without_torch_the_refusal_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    present = builtins.__import__

    def without_torch(name: str, *rest: Any, **more: Any) -> Any:
        if name == "torch":
            raise ImportError(name)
        return present(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without_torch)
    with pytest.raises(Missing, match="pip install torch"):
        torch_or_refuse()
