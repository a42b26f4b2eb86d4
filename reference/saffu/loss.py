"""Cross-entropy: the loss of predictions, in nats, as perplexity, in bits per byte.   (SPEC 0, 7)

    ℓ = −(1/M) Σ_m Σ_i y_mi log φ(z_m)_i

The loss is a mean over samples.  Perplexity is the exponential of the mean over all targets,
`<eod>` included, so a model that knows nothing has the size of its vocabulary.
"""

from __future__ import annotations

import math
import sys
from typing import Final

import numpy as np

from saffu import checks
from saffu.arrays.namespace import beside, namespace, on_host
from saffu.arrays.operation import operation
from saffu.numerics import check_logits, log_softmax_unchecked, softmax_unchecked
from saffu.types import Array, Logits, Nats, Targets, TokenIds

_SPEC_0: Final = "SPEC 0"
_SPEC_7: Final = "SPEC 7"


@operation
def cross_entropy(logits: Logits, targets: Targets) -> Array:
    """Mean cross-entropy of targets under φ(logits), in nats per sample.   (SPEC 0)

    Parameters: `logits` [M, N], finite; `targets` [M, N], non-negative, no row of zeros.  Rows need
    not add up to one: their sum weighs the sample.
    Returns a number without dimensions [].
    Refuses: what `softmax` refuses; bad targets; shapes that disagree; no samples.

    >>> z = np.log(np.array([[0.5, 0.25, 0.25]]))
    >>> round(float(cross_entropy(z, np.array([[0.0, 1.0, 0.0]]))), 12)    # log 4
    1.38629436112
    """
    _check(logits, targets)
    return cross_entropy_unchecked(logits, targets)


def cross_entropy_unchecked(logits: Logits, targets: Targets) -> Array:
    """`cross_entropy` without its checks."""
    xp = namespace(logits, targets)
    return xp.asarray(-xp.sum(targets * log_softmax_unchecked(logits)) / logits.shape[0])


@operation
def cross_entropy_gradient(logits: Logits, targets: Targets) -> Logits:
    """The gradient of `cross_entropy` in the logits: (ŷ Σ_i y_i − y) / M.   (SPEC 6)

    Parameters and refusals as `cross_entropy`.  Returns [M, N].

    >>> cross_entropy_gradient(np.zeros((1, 2)), np.array([[1.0, 0.0]])).tolist()
    [[-0.5, 0.5]]
    """
    _check(logits, targets)
    return cross_entropy_gradient_unchecked(logits, targets)


def cross_entropy_gradient_unchecked(logits: Logits, targets: Targets) -> Logits:
    """`cross_entropy_gradient` without its checks."""
    xp = namespace(logits, targets)
    weight: Array = xp.sum(targets, axis=-1, keepdims=True)
    gradient: Logits = (softmax_unchecked(logits) * weight - targets) / logits.shape[0]
    return gradient


@operation
def token_nats(logits: Logits, tokens: TokenIds) -> Nats:
    """Negative log-likelihood of one target token per sample: −log φ(z_m)[y_m].   (SPEC 7)

    Parameters: `logits` [M, N]; `tokens` [M], whole numbers in 0 … N-1.  Returns [M], nats.

    >>> token_nats(np.zeros((2, 4)), np.array([3, 0])).round(6).tolist()
    [1.386294, 1.386294]
    """
    checks.shape("logits", logits, (None, None), "M N", _SPEC_7)
    checks.shape("tokens", tokens, (logits.shape[0],), "M", _SPEC_7)
    checks.token_ids(tokens, logits.shape[1])
    check_logits(logits)
    return token_nats_unchecked(logits, tokens)


def token_nats_unchecked(logits: Logits, tokens: TokenIds) -> Nats:
    """`token_nats` without its checks."""
    xp = namespace(logits)
    picks = xp.reshape(xp.astype(beside(tokens, logits), xp.int64), (-1, 1))
    return -xp.take_along_axis(log_softmax_unchecked(logits), picks, axis=1)[:, 0]


@operation
def perplexity(nats: Nats) -> float:
    """exp of the mean nats per target.   (SPEC 7)

    Parameters: `nats` [M], the negative log-likelihood of every target.
    Returns a number >= 1 for probabilities; V for a model that knows nothing; infinity above about
    709 nats per target, where float64 overflows.
    Refuses: no samples; NaN or infinity.

    >>> perplexity(np.log(np.array([8.0, 2.0])))
    4.0
    """
    checks.shape("nats", nats, (None,), "M", _SPEC_7)
    checks.samples("nats", nats, _SPEC_7)
    checks.finite("nats", nats, _SPEC_7)
    mean = float(np.mean(on_host(nats), dtype=np.float64))
    return math.exp(mean) if mean < math.log(sys.float_info.max) else math.inf


@operation
def bits_per_byte(total_nats: float, text_bytes: int) -> float:
    """Bits needed for one byte of the raw text.   (SPEC 7)

    Parameters: `total_nats`, the sum over all targets; `text_bytes`, the length of the text in
    UTF-8.  Does not depend on the tokeniser, as long as the tokens carry the whole text: every
    `<unk>` hides what it stands for, so with unknown words the figure is a lower bound.

    >>> bits_per_byte(8 * math.log(2), 4)
    2.0
    """
    size = checks.whole("text_bytes", text_bytes, 1, _SPEC_7)
    return total_nats / math.log(2) / size


def _check(logits: Logits, targets: Targets) -> None:
    """Refuse what `cross_entropy` refuses."""
    checks.shape("logits", logits, (None, None), "M N", _SPEC_0)
    checks.samples("logits", logits, _SPEC_0)
    rows, width = logits.shape
    checks.targets(targets, rows, source=_SPEC_0, width=width)
    check_logits(logits)
