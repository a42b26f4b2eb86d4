"""The SAFFU layer from SPEC 4 in plain PyTorch, so that autograd can say what its gradient is.

One context after the other, on the sub-block of its valid slots: no masks, no batching.
"""

from __future__ import annotations

from typing import Any

import torch

from saffu.types import Array


def tensor(x: Array, *, grad: bool = True) -> Any:
    """A float64 tensor that asks for its gradient."""
    return torch.tensor(x, dtype=torch.float64, requires_grad=grad)


def layer(
    x: Any,
    mask: Array,
    pivot: Array,
    W: Any,
    U: Any,
    aggregation: str,
    attention: str,
    gain: str,
) -> Any:
    """Hidden states [n, H] of contexts x [n, B, D]."""
    hidden = []
    width = x.shape[-1]
    for n in range(x.shape[0]):
        valid = [k for k in range(x.shape[1]) if mask[n, k]]
        inputs = x[n][valid]
        c = inputs @ x[n, int(pivot[n])]
        z = c @ W[valid][:, valid]
        g = float(len(valid)) if gain == "count" else 1.0
        if attention == "softmax":
            w = g * torch.softmax(z, dim=0)
        elif attention == "surprisal":
            w = -torch.log_softmax(z, dim=0)
        else:
            w = torch.full_like(z, g / len(valid))
        weighted = w[:, None] * inputs
        if aggregation == "sum":
            q = weighted.sum(dim=0) @ U
        else:
            rows = [k * width + d for k in valid for d in range(width)]
            q = weighted.reshape(-1) @ U[rows]
        hidden.append(torch.softmax(q, dim=0))
    return torch.stack(hidden)
