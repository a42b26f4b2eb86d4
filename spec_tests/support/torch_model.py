"""A SAFFU transformer in PyTorch, for its autograd: a second implementation, in float64.

Written from SPEC 3 and 4 over whole documents, with masks, and without any name of `saffu`;
gradients are PyTorch's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from spec_tests.support.naive_model import Choices, ContextWords


def positions(context: ContextWords, targets: int) -> tuple[Any, Any]:
    """Where each slot of each target looks, −1 for nowhere, [T, B]; and the pivots [T]."""
    kind, size = context
    newest = torch.arange(targets)[:, None]
    slot = torch.arange(size)[None, :]
    if kind == "Radial":
        return torch.clamp(newest - slot, min=-1), torch.zeros(targets, dtype=torch.int64)
    at = newest - newest % size + slot
    return torch.where(at <= newest, at, -1), (newest % size)[:, 0]


def saffu_layer(rows: Any, context: ContextWords, W: Any, U: Any, choices: Choices) -> Any:
    """Hidden states [T, H] over the rows [T, D] of a document."""
    aggregation, attention, gain = choices
    at, pivot = positions(context, rows.shape[0])
    valid = at >= 0
    x = rows[at.clamp(min=0)] * valid[:, :, None]
    query = x[torch.arange(x.shape[0]), pivot]
    z = torch.einsum("td,tkd->tk", query, x) @ W
    if attention == "uniform":
        z = torch.zeros_like(z)
    log_a = torch.log_softmax(z.masked_fill(~valid, float("-inf")), dim=1)
    count = valid.sum(dim=1, keepdim=True) if gain == "count" else 1
    w = -log_a if attention == "surprisal" else count * log_a.exp()
    weighted = torch.where(valid, w, 0.0)[:, :, None] * x
    s = weighted.sum(dim=1) if aggregation == "sum" else weighted.flatten(start_dim=1)
    return torch.softmax(s @ U, dim=1)


def document_logits(
    document: Any,
    E: Any,
    towers: Sequence[Sequence[tuple[Any, Any]]],
    O: Any,  # noqa: E741  (the equation's own letter)
    contexts: Sequence[ContextWords],
    choices: Choices,
) -> Any:
    """Logits of all targets of a document, [T, V]."""
    hidden = []
    for context, layers in zip(contexts, towers, strict=True):
        rows = E[document[:-1]]
        if context[0] == "Document":
            mean = rows.cumsum(dim=0) / torch.arange(1, len(rows) + 1)[:, None]
            rows = torch.softmax(mean @ layers[0][1], dim=1)
        else:
            for W, U in layers:
                rows = saffu_layer(rows, context, W, U, choices)
        hidden.append(rows)
    return torch.cat(hidden, dim=1) @ O


def loss_and_gradients(
    documents: Sequence[Any],
    E: Any,
    towers: Sequence[Sequence[tuple[Any, Any]]],
    O: Any,  # noqa: E741
    contexts: Sequence[ContextWords],
    choices: Choices,
) -> tuple[float, list[Any]]:
    """Mean nats per target, and its gradients: E, then W and U of each layer, then O."""

    def leaf(array: Any) -> Any:
        return torch.tensor(array, dtype=torch.float64, requires_grad=True)

    e, o = leaf(E), leaf(O)
    inner = [[(leaf(W), leaf(U)) for W, U in layers] for layers in towers]
    texts = [torch.tensor(document) for document in documents]
    rows = [document_logits(text, e, inner, o, contexts, choices) for text in texts]
    wanted = torch.cat([text[1:] for text in texts])
    loss = torch.nn.functional.cross_entropy(torch.cat(rows), wanted)
    leaves = [e, *[w for layers in inner for layer in layers for w in layer], o]
    grown = torch.autograd.grad(loss, leaves, allow_unused=True)
    zeros = [torch.zeros_like(w) if g is None else g for w, g in zip(leaves, grown, strict=True)]
    return float(loss.detach()), [g.numpy() for g in zeros]
