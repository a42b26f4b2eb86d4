"""Softmax and its logarithm, each with its adjoint under it.   (SPEC 0, 6)

    φ(z)_i = exp(z_i) / Σ_j exp(z_j)

These are the delicate primitives: written once here, and used everywhere else.  A mask says which
entries take part; masked entries have probability 0, and a row without any valid entry is refused,
since any number put there would be an invention.
"""

from __future__ import annotations

from saffu import checks
from saffu.arrays.namespace import beside, namespace, real
from saffu.arrays.operation import operation
from saffu.errors import WrongShape
from saffu.types import Array, RowMask, Rows


@operation
def softmax(logits: Rows, mask: RowMask | None = None) -> Rows:
    """Probabilities from logits, along the last axis: φ(z).   (SPEC 0)

    Parameters: `logits` [..., N], finite; `mask` [..., N] or None, True where an entry takes part.
    Returns [..., N]: non-negative, each row adds up to one, zero where masked.
    Refuses: NaN or infinite logits on valid entries; rows without a valid entry.

    Large logits do not overflow, because the largest of each row is taken off first:

    >>> import numpy as np
    >>> softmax(np.array([1000.0, 1000.0])).tolist()
    [0.5, 0.5]
    >>> softmax(np.array([0.0, 7.0, 0.0]), np.array([True, False, True])).tolist()
    [0.5, 0.0, 0.5]
    """
    check_logits(logits, mask)
    return softmax_unchecked(logits, mask)


def softmax_unchecked(logits: Rows, mask: RowMask | None = None) -> Rows:
    """`softmax` without its checks."""
    xp = namespace(logits)
    shifted, valid = _shifted(logits, mask)
    weight: Array = xp.exp(shifted)
    if valid is not None:
        weight = xp.where(valid, weight, xp.zeros_like(weight))
    p: Rows = weight / xp.sum(weight, axis=-1, keepdims=True)
    return p


@operation
def softmax_vjp(p: Rows, dp: Rows) -> Rows:
    """Pull `dp`, the gradient at p = φ(z), back to z: p ⊙ (dp − ⟨p, dp⟩).   (SPEC 6)

    Parameters: `p`, `dp` [..., N].  Returns [..., N].  Masked entries (p = 0) get zero.

    >>> import numpy as np
    >>> softmax_vjp(np.array([0.25, 0.75]), np.array([1.0, 0.0])).tolist()
    [0.1875, -0.1875]
    """
    return softmax_vjp_unchecked(p, dp)


def softmax_vjp_unchecked(p: Rows, dp: Rows) -> Rows:
    """`softmax_vjp` for arrays that are converted already."""
    xp = namespace(p)
    dz: Rows = p * (dp - xp.sum(p * dp, axis=-1, keepdims=True))
    return dz


@operation
def log_softmax(logits: Rows, mask: RowMask | None = None) -> Rows:
    """Log-probabilities from logits, along the last axis: log φ(z).   (SPEC 0)

    Parameters and refusals as `softmax`.  Returns [..., N] in nats, −inf where masked.

    The logarithm of the softmax loses small probabilities, this does not:

    >>> import numpy as np
    >>> log_softmax(np.array([0.0, 1000.0])).tolist()
    [-1000.0, 0.0]
    """
    check_logits(logits, mask)
    return log_softmax_unchecked(logits, mask)


def log_softmax_unchecked(logits: Rows, mask: RowMask | None = None) -> Rows:
    """`log_softmax` without its checks."""
    xp = namespace(logits)
    shifted, valid = _shifted(logits, mask)
    weight: Array = xp.exp(shifted)
    if valid is not None:
        weight = xp.where(valid, weight, xp.zeros_like(weight))
    logs: Array = shifted - xp.log(xp.sum(weight, axis=-1, keepdims=True))
    if valid is not None:
        logs = xp.where(valid, logs, xp.zeros_like(logs) - float("inf"))
    return logs


@operation
def log_softmax_vjp(p: Rows, dlogp: Rows) -> Rows:
    """Pull `dlogp`, the gradient at log φ(z), back to z: dlogp − p Σ dlogp.   (SPEC 6)

    Parameters: `p` = φ(z) and `dlogp` [..., N]; `dlogp` must be zero where masked.
    Returns [..., N].

    >>> import numpy as np
    >>> log_softmax_vjp(np.array([0.25, 0.75]), np.array([1.0, 0.0])).tolist()
    [0.75, -0.75]
    """
    return log_softmax_vjp_unchecked(p, dlogp)


def log_softmax_vjp_unchecked(p: Rows, dlogp: Rows) -> Rows:
    """`log_softmax_vjp` for arrays that are converted already."""
    xp = namespace(p)
    dz: Rows = dlogp - p * xp.sum(dlogp, axis=-1, keepdims=True)
    return dz


def check_logits(logits: Rows, mask: RowMask | None = None) -> None:
    """Refuse what `softmax` refuses."""
    if logits.ndim == 0 or logits.shape[-1] == 0:
        raise WrongShape("logits", "[… N] with N >= 1", tuple(logits.shape), "SPEC 0")
    if mask is not None:
        checks.same_shape("mask", mask, logits.shape, "logits", "SPEC 4")
        checks.mask_rows(mask)
        mask = beside(mask, logits)
    checks.finite("logits", logits, "SPEC 0", where=mask)


def _shifted(logits: Rows, mask: RowMask | None) -> tuple[Rows, RowMask | None]:
    """Logits less the largest valid one of their row; masked ones are set to zero."""
    xp = namespace(logits)
    if mask is None:
        return _less(logits, xp.max(real(logits), axis=-1, keepdims=True)), None
    mask = beside(mask, logits)
    quiet: Array = xp.where(mask, logits, xp.zeros_like(logits))
    low = xp.zeros_like(real(logits)) - float("inf")
    top = xp.max(xp.where(mask, real(logits), low), axis=-1, keepdims=True)
    return xp.where(mask, _less(quiet, xp.where(mask, top, quiet)), xp.zeros_like(quiet)), mask


def _less(logits: Array, top: Array) -> Array:
    """logits − top, which is at most zero; at least the lowest finite number, never −∞.

    >>> import numpy as np
    >>> _less(np.array([-1e308, 1e308]), np.array([1e308])).tolist()
    [-1.7976931348623157e+308, 0.0]
    """
    xp = namespace(logits)
    if xp.isdtype(logits.dtype, "complex floating"):
        return logits - top
    most = float(xp.finfo(logits.dtype).max)
    floor = xp.where(top > 0, top, xp.zeros_like(top)) - most
    return xp.where(logits < floor, floor, logits) - top
