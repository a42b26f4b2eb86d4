"""Adam in blocks of a few thousand numbers, which stay in the cache.   (SPEC 6)

The plain step of `saffu.optim` makes a dozen passes over arrays of millions; here all its
operations are done on one block before the next, in the same order, so the results are the same to
the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from saffu.optim import AdamState, check_adam
from saffu.types import Array

BLOCK: Final = 1 << 14
"""numbers of each array that are held at once: five arrays of them fit a cache of 512 KiB"""


def adam_in_blocks(
    parameters: Sequence[Array],
    gradients: Sequence[Array],
    state: AdamState,
    rates: float | Sequence[float],
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
) -> tuple[tuple[Array, ...], AdamState]:
    """The step of `saffu.optim.adam_step`, for NumPy arrays.   (SPEC 6)

    Parameters, results and refusals as there, but numbers in parameters and state, which come from
    the step before, are not looked at; nothing that is passed in is written over.
    """
    each = check_adam(parameters, gradients, state, rates, beta1, beta2, epsilon)
    t = state.step + 1
    new, means, squares = [], [], []
    for p, g, m, v, rate in zip(parameters, gradients, state.mean, state.square, each, strict=True):
        mean, square = np.empty(m.shape, m.dtype), np.empty(v.shape, v.dtype)
        after = np.empty(p.shape, p.dtype) if rate else p
        flat = [np.reshape(x, -1) for x in (p, g, m, v)]
        out = [np.reshape(x, -1) for x in (after, mean, square)]
        scratch = np.empty((2, min(BLOCK, p.size)), dtype=p.dtype)
        for start in range(0, p.size, BLOCK):
            part = slice(start, start + BLOCK)
            old_p, grad, old_m, old_v = (x[part] for x in flat)
            new_p, new_m, new_v = (x[part] for x in out)
            step, root = scratch[:, : grad.size]
            np.multiply(old_m, beta1, out=new_m)
            new_m += np.multiply(grad, 1 - beta1, out=step)
            np.multiply(grad, 1 - beta2, out=step)
            np.multiply(old_v, beta2, out=new_v)
            new_v += np.multiply(step, grad, out=step)
            if rate:
                np.sqrt(np.divide(new_v, 1 - beta2**t, out=root), out=root)
                root += epsilon
                np.divide(new_m, 1 - beta1**t, out=step)
                step *= rate
                step /= root
                np.subtract(old_p, step, out=new_p)
        new.append(after)
        means.append(mean)
        squares.append(square)
    return tuple(new), AdamState(t, tuple(means), tuple(squares))
