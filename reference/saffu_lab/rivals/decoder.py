"""A standard transformer of nanoGPT's small size, as a reference from outside.   (SPEC 7)

Four blocks of pre-normalised causal attention and a feed-forward layer, four heads, width 128,
contexts of 64 tokens, learned positions, dropout, tied embeddings (Radford et al. 2019; the shape
is nanoGPT's for small machines), in PyTorch, trained by AdamW (Loshchilov & Hutter 2019) with
clipped gradients, a short warm-up and a cosine.  Windows do not reach over the border of a
document.  When it is judged, windows overlap by half, and the second half counts, so that every
token but the first ones of a document is read with at least 32 tokens before it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from saffu.data.corpus import Corpus
from saffu.types import Array
from saffu_lab.rivals.torch_models import torch_or_refuse

NOTHING = -100
"""The target that PyTorch leaves out."""


@dataclass(frozen=True)
class Shape:
    """The size of a transformer."""

    vocabulary: int
    width: int = 128
    heads: int = 4
    blocks: int = 4
    context: int = 64
    dropout: float = 0.1


def windows(corpus: Corpus, length: int, stride: int) -> tuple[Array, Array, Array]:
    """Inputs and targets [n, length], and the document of each window.

    A window begins at every multiple of `stride` of its document.  With a stride smaller than the
    length, targets that an earlier window has are left out.

    >>> from saffu.data.tokenisers import Characters
    >>> from saffu.data.vocabulary import Vocabulary
    >>> v = Vocabulary.from_counts({"a": 2, "b": 1}, documents=1)
    >>> x, y, _ = windows(Corpus.in_memory(["abab"], Characters(), v), 4, 2)
    >>> x.tolist(), y.tolist()
    ([[0, 3, 4, 3], [4, 3, 4, 0]], [[3, 4, 3, 4], [-100, -100, 1, -100]])
    """
    inputs, targets, owners = [], [], []
    for number, document in enumerate(corpus):
        last = document.shape[0] - 1
        for first in range(0, max(1, last - (length - stride)), stride):
            stop = min(first + length, last)
            x = np.zeros(length, dtype=np.int64)
            y = np.full(length, NOTHING, dtype=np.int64)
            new = length - stride if first else 0
            x[: stop - first] = document[first:stop]
            y[new : stop - first] = document[first + new + 1 : stop + 1]
            inputs.append(x)
            targets.append(y)
            owners.append(number)
    return np.stack(inputs), np.stack(targets), np.array(owners)


class Decoder:
    """The transformer, with its weights.

    Refuses: PyTorch that is not installed.
    """

    def __init__(self, shape: Shape, seed: int) -> None:
        torch = torch_or_refuse(threads=1)
        torch.manual_seed(seed)
        self.torch, self.shape = torch, shape
        nn, d = torch.nn, shape.width
        self.parts: Any = nn.ModuleDict(
            {
                "tokens": nn.Embedding(shape.vocabulary, d),
                "places": nn.Embedding(shape.context, d),
                "drop": nn.Dropout(shape.dropout),
                "blocks": nn.ModuleList(self._block() for _ in range(shape.blocks)),
                "norm": nn.LayerNorm(d),
            }
        )
        for name, weight in self.parts.named_parameters():
            if weight.dim() == 2:
                scale = 0.02 / math.sqrt(2 * shape.blocks) if name.endswith("out.weight") else 0.02
                nn.init.normal_(weight, std=scale)
            elif name.endswith("bias"):
                nn.init.zeros_(weight)

    def _block(self) -> Any:
        nn, d = self.torch.nn, self.shape.width
        return nn.ModuleDict(
            {
                "norm1": nn.LayerNorm(d),
                "qkv": nn.Linear(d, 3 * d),
                "attention_out": nn.Linear(d, d),
                "norm2": nn.LayerNorm(d),
                "up": nn.Linear(d, 4 * d),
                "feed_out": nn.Linear(4 * d, d),
            }
        )

    @property
    def size(self) -> int:
        """How many parameters there are; the output shares those of the tokens."""
        return sum(int(weight.numel()) for weight in self.parts.parameters())

    def logits(self, tokens: Any) -> Any:
        """Logits [n, T, V] of tokens [n, T]."""
        torch, parts = self.torch, self.parts
        functional = torch.nn.functional
        n, length = tokens.shape
        drop = self.shape.dropout if parts.training else 0.0
        x = parts["drop"](parts["tokens"](tokens) + parts["places"].weight[:length])
        for block in parts["blocks"]:
            q, k, v = (
                part.view(n, length, self.shape.heads, -1).transpose(1, 2)
                for part in block["qkv"](block["norm1"](x)).chunk(3, dim=2)
            )
            seen = functional.scaled_dot_product_attention(q, k, v, dropout_p=drop, is_causal=True)
            seen = seen.transpose(1, 2).reshape(n, length, -1)
            x = x + parts["drop"](block["attention_out"](seen))
            fed = functional.gelu(block["up"](block["norm2"](x)))
            x = x + parts["drop"](block["feed_out"](fed))
        return parts["norm"](x) @ parts["tokens"].weight.T

    def state(self) -> dict[str, Array]:
        """Copies of all weights."""
        return {k: v.detach().numpy().copy() for k, v in self.parts.state_dict().items()}

    def load(self, state: dict[str, Array]) -> None:
        """Take the weights of `state`."""
        self.parts.load_state_dict({k: self.torch.from_numpy(v) for k, v in state.items()})

    def nats(self, corpus: Corpus) -> tuple[Array, Array]:
        """Nats and targets of each document."""
        torch = self.torch
        x, y, owner = windows(corpus, self.shape.context, self.shape.context // 2)
        total, count = np.zeros(owner.max() + 1), np.zeros(owner.max() + 1, dtype=np.int64)
        self.parts.eval()
        with torch.no_grad():
            for first in range(0, x.shape[0], 64):
                part = slice(first, first + 64)
                logits = self.logits(torch.from_numpy(x[part]))
                loss = torch.nn.functional.cross_entropy(
                    logits.flatten(0, 1),
                    torch.from_numpy(y[part]).flatten(),
                    reduction="none",
                    ignore_index=NOTHING,
                )
                np.add.at(total, owner[part], loss.view(-1, x.shape[1]).sum(dim=1).numpy())
                np.add.at(count, owner[part], (y[part] != NOTHING).sum(axis=1))
        self.parts.train()
        return total, count


def fit_decoder(
    model: Decoder,
    train: Corpus,
    watched: Corpus,
    *,
    rate: float,
    epochs: int,
    patience: int = 3,
    batch: int = 32,
    seed: int = 0,
    note: Callable[[int, float, float], None],
) -> None:
    """Train, look at held-out text twice an epoch, and keep the best weights.

    Parameters: `note` hears of each validation: targets seen, CPU seconds, nats.  Training ends
    after `patience` epochs without a better validation.
    """
    torch, began = model.torch, time.process_time()
    x, y, _ = windows(train, model.shape.context, model.shape.context)
    steps = -(-x.shape[0] // batch)
    decay = [w for w in model.parts.parameters() if w.dim() >= 2]
    plain = [w for w in model.parts.parameters() if w.dim() < 2]
    groups = [{"params": decay, "weight_decay": 0.1}, {"params": plain, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.99))
    best, kept, waited, seen = np.inf, model.state(), 0, 0
    for step, rows in enumerate(_batches(x.shape[0], batch, epochs, seed)):
        for group in optimiser.param_groups:
            group["lr"] = rate * _share(step, steps * epochs)
        loss = torch.nn.functional.cross_entropy(
            model.logits(torch.from_numpy(x[rows])).flatten(0, 1),
            torch.from_numpy(y[rows]).flatten(),
            ignore_index=NOTHING,
        )
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parts.parameters(), 1.0)
        optimiser.step()
        seen += int((y[rows] != NOTHING).sum())
        if (step + 1) % steps in (0, steps // 2):
            nats, targets = model.nats(watched)
            mean = float(nats.sum() / targets.sum())
            note(seen, time.process_time() - began, mean)
            waited = 0 if mean < best else waited + 1
            if mean < best:
                best, kept = mean, model.state()
            if waited >= 2 * patience:
                break
    model.load(kept)


def _share(step: int, steps: int) -> float:
    """The part of the rate that a step gets: a rise, then a cosine down to a tenth."""
    rise = max(1, steps // 20)
    if step < rise:
        return (step + 1) / rise
    return 0.55 + 0.45 * math.cos(math.pi * (step - rise) / max(1, steps - rise))


def _batches(rows: int, batch: int, epochs: int, seed: int) -> Iterator[Array]:
    """The rows of each batch, in a new order each epoch."""
    for epoch in range(epochs):
        order = np.random.default_rng([seed, epoch]).permutation(rows)
        for first in range(0, rows, batch):
            yield order[first : first + batch]
