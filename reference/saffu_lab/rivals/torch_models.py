"""PyTorch models to compare with: SAFFU, and one-hot slots as free parameters.   (SPEC 4, 6)

`TorchSaffu` is one tower of one SAFFU layer, as in the preset `small`: what it computes is equal to
`saffu.model` on the same parameters.  `TorchSlots` is of the direct model's family, one table of
logits a slot, but its entries are free parameters, trained by backpropagation:

    z = β + Σ_k T_k[x_k],    T_k [V, V]

Both are trained by PyTorch's own Adam on its own gradients.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import numpy as np

from saffu.configuration import Configuration
from saffu.contexts import RadialContext
from saffu.errors import BadOption, Missing
from saffu.fast.plans import step_in_tokens
from saffu.parameters import Parameters
from saffu.positions import Samples
from saffu.types import Array, Nats


def torch_or_refuse(threads: int | None = None) -> Any:
    """The module torch, with a number of threads.  Refuses: PyTorch that is not installed."""
    try:
        import torch
    except ImportError as missing:
        raise Missing("a rival", "the package torch", "pip install torch") from missing
    if threads is not None:
        torch.set_num_threads(threads)
    return torch


class Contexts:
    """All samples of a text as tensors, so that a batch is a selection of rows."""

    def __init__(self, torch: Any, samples: Samples, context: RadialContext) -> None:
        step = step_in_tokens(samples, context)
        self.slots = torch.from_numpy(np.ascontiguousarray(step.slots))
        self.mask = torch.from_numpy(np.ascontiguousarray(step.mask))
        self.targets = torch.from_numpy(samples.targets.astype(np.int64))

    def batches(self, torch: Any, size: int, seed: int) -> Iterator[Any]:
        """The rows of each batch of an epoch, in random order."""
        order = torch.randperm(len(self.targets), generator=torch.Generator().manual_seed(seed))
        return iter(order.split(size))


class TorchSaffu:
    """A SAFFU transformer of one tower and one layer: `cat`, softmax attention, gain `count`.

    Parameters: `parameters` to begin with; `embeddings` says whether E is trained too.
    Refuses: other configurations; PyTorch that is not installed.
    """

    def __init__(
        self, configuration: Configuration, parameters: Parameters, *, embeddings: bool
    ) -> None:
        self.torch = torch_or_refuse()
        (context, *more), layer = configuration.contexts, configuration.layer
        choices = (layer.aggregation, layer.attention, layer.gain, configuration.depth)
        plain = choices == ("cat", "softmax", "count", 1) and configuration.output == "softmax"
        if more or not isinstance(context, RadialContext) or not plain:
            expected = "one of one RadialContext, depth 1, cat, softmax and count"
            raise BadOption("configuration", configuration, expected, "SPEC 4")
        self.context = context
        ((tower,),) = parameters.towers
        self.E = self.torch.tensor(parameters.embedding, requires_grad=embeddings)
        self.W = self.torch.tensor(tower.attention, requires_grad=True)
        self.U = self.torch.tensor(tower.features, requires_grad=True)
        self.O = self.torch.tensor(parameters.output, requires_grad=True)

    @property
    def tensors(self) -> tuple[Any, ...]:
        """E, W, U, O."""
        return self.E, self.W, self.U, self.O

    def logits(self, slots: Any, mask: Any) -> Any:
        """Logits [n, V] for slots [n, B] and their mask; the pivot is slot 0."""
        x = self.E[slots] * mask[:, :, None]
        c = (x * x[:, :1]).sum(dim=2)
        z = (c @ self.W).masked_fill(~mask, -self.torch.inf)
        w = z.softmax(dim=1) * mask.sum(dim=1, keepdim=True)
        s = (w[:, :, None] * x).flatten(start_dim=1)
        return (s @ self.U).softmax(dim=1) @ self.O

    def compile(self) -> None:
        """Let PyTorch compile what follows; it does so when it is first run."""
        self.logits = self.torch.compile(self.logits)  # type: ignore[method-assign]

    def optimisers(self, rate: float) -> list[Any]:
        """PyTorch's Adam over everything that is trained."""
        trained = [tensor for tensor in self.tensors if tensor.requires_grad]
        return [self.torch.optim.Adam(trained, lr=rate)]


class TorchSlots:
    """z = β + Σ_k T_k[x_k], all zeros to begin with; gradients in T are sparse.

    Refuses: contexts without slots; PyTorch that is not installed.
    """

    def __init__(self, configuration: Configuration) -> None:
        self.torch = torch_or_refuse()
        (context, *more) = configuration.contexts
        if more or not isinstance(context, RadialContext):
            raise BadOption("configuration.contexts", context, "one RadialContext", "SPEC 4")
        self.context, size = context, configuration.vocabulary
        self.shift = size * self.torch.arange(context.slots)
        rows = size * context.slots
        self.T = self.torch.zeros(rows, size, requires_grad=True)
        self.bias = self.torch.zeros(size, requires_grad=True)

    def logits(self, slots: Any, mask: Any) -> Any:
        """Logits [n, V] for slots [n, B] and their mask."""
        bag = self.torch.nn.functional.embedding_bag
        weights = mask.to(self.T.dtype)
        return self.bias + bag(
            slots + self.shift, self.T, mode="sum", sparse=True, per_sample_weights=weights
        )

    def state(self) -> tuple[Array, Array]:
        """Copies of T and β."""
        return self.T.detach().numpy().copy(), self.bias.detach().numpy().copy()

    def load(self, state: tuple[Array, Array]) -> None:
        """Take T and β from `state`."""
        with self.torch.no_grad():
            self.T.copy_(self.torch.from_numpy(state[0]))
            self.bias.copy_(self.torch.from_numpy(state[1]))

    def optimisers(self, rate: float) -> list[Any]:
        """PyTorch's Adam, its sparse form for T: rows that a batch does not touch stand still."""
        return [
            self.torch.optim.SparseAdam([self.T], lr=rate),
            self.torch.optim.Adam([self.bias], lr=rate),
        ]


def train_epoch(
    model: TorchSaffu | TorchSlots,
    text: Contexts,
    optimisers: list[Any],
    *,
    batch: int,
    seed: int,
    steps: int | None = None,
) -> int:
    """One epoch in random order, or the first `steps` of it; returns how many targets that were."""
    torch, done = model.torch, 0
    for rows in islice(text.batches(torch, batch, seed), steps):
        loss = torch.nn.functional.cross_entropy(
            model.logits(text.slots[rows], text.mask[rows]), text.targets[rows]
        )
        for optimiser in optimisers:
            optimiser.zero_grad()
        loss.backward()
        for optimiser in optimisers:
            optimiser.step()
        done += len(rows)
    return done


def torch_nats(model: TorchSaffu | TorchSlots, samples: Samples, rows: int = 4096) -> Nats:
    """Nats of each sample [M]."""
    text, parts = Contexts(model.torch, samples, model.context), []
    with model.torch.no_grad():
        for first in range(0, samples.targets.shape[0], rows):
            part = slice(first, first + rows)
            logits = model.logits(text.slots[part], text.mask[part])
            loss = model.torch.nn.functional.cross_entropy
            parts.append(loss(logits, text.targets[part], reduction="none").numpy())
    nats: Array = np.concatenate(parts)
    return nats


def fit_slots(
    model: TorchSlots,
    train: Samples,
    judges: Samples,
    *,
    rate: float,
    batch: int,
    epochs: int,
    patience: int,
    note: Callable[[int, float], None],
) -> None:
    """Train with two validations an epoch, and keep the best tables.

    Parameters: `note` hears of each validation: targets seen, nats.  Training ends after `patience`
    validations without a better one.
    """
    text, optimisers = Contexts(model.torch, train, model.context), model.optimisers(rate)
    half = -(-len(text.targets) // (2 * batch))
    best, kept, waited, seen = np.inf, model.state(), 0, 0
    for number in range(2 * epochs):
        seen += train_epoch(model, text, optimisers, batch=batch, seed=number, steps=half)
        nats = float(torch_nats(model, judges).mean())
        note(seen, nats)
        waited = 0 if nats < best else waited + 1
        if nats < best:
            best, kept = nats, model.state()
        if waited >= patience:
            break
    model.load(kept)
