"""Hidden targets: targets of a softmax inside a network, from the gradient there.   (SPEC 5)

A softmax a = φ(z) inside a network has no target of its own; it is reached by G = −∂ℓ/∂a, so its
direction of descent is −∂ℓ/∂z = a ⊙ (G − ⟨a, G⟩).  That of a softmax layer with a known target t is
t − a.  Set them equal:

    t = a ⊙ (1 + G − ⟨a, G⟩)                                                       [D]

t adds up to one, and with it the explicit solution applies to any softmax inside a network.  (The
lecture calls the idea a differential criterion [T].)
"""

from __future__ import annotations

from typing import Final

from saffu import checks
from saffu.arrays.namespace import namespace
from saffu.arrays.operation import operation
from saffu.types import Array, Rows

_SPEC: Final = "SPEC 5"


@operation
def hidden_targets(attention: Rows, ascent: Rows, *, clip: bool = True) -> Rows:
    """The targets t = a ⊙ (1 + G − ⟨a, G⟩) of a softmax inside a network.   (SPEC 5)

    Parameters: `attention` a [..., N], rows on the simplex (zero where masked); `ascent`
    G = −∂ℓ/∂a [..., N] for the loss of each sample; `clip` sets negative entries to zero and
    normalises again.
    Returns t [..., N]; rows add up to one; zero where a is zero.  Before clipping t − a = −∂ℓ/∂z.
    Refuses: shapes that disagree; non-finite entries; attention that is no distribution.

    >>> import numpy as np
    >>> a, G = np.array([0.5, 0.5]), np.array([1.0, 0.0])
    >>> hidden_targets(a, G).tolist()
    [0.75, 0.25]
    >>> hidden_targets(a, 10 * G, clip=False).tolist(), hidden_targets(a, 10 * G).tolist()
    ([3.0, -2.0], [1.0, 0.0])
    """
    checks.same_shape("ascent", ascent, attention.shape, "attention", _SPEC)
    checks.probabilities("attention", attention, _SPEC)
    checks.finite("ascent", ascent, _SPEC)
    return hidden_targets_unchecked(attention, ascent, clip=clip)


def hidden_targets_unchecked(attention: Rows, ascent: Rows, *, clip: bool = True) -> Rows:
    """`hidden_targets` without its checks."""
    xp = namespace(attention, ascent)
    low = xp.zeros_like(ascent) - float("inf")
    top = xp.max(xp.where(attention > 0, ascent, low), axis=-1, keepdims=True)
    below_top: Array = ascent - top  # a shift of G leaves t as it is; this one keeps 1 + … exact
    mean: Array = xp.sum(attention * below_top, axis=-1, keepdims=True)
    t: Array = attention * (1 + below_top - mean)
    if not clip:
        return t
    kept = xp.where(t > 0, t, xp.zeros_like(t))
    clipped: Rows = kept / xp.sum(kept, axis=-1, keepdims=True)
    return clipped
