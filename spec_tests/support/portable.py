"""Every operation on arrays, called with the arrays of any library.   (SPEC 9)

A case takes `of`, which turns a NumPy array into the library's, and returns what the operation
returned.  `test_arrays_namespace.py` compares the results with those of NumPy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import product
from typing import Any

import numpy as np

from saffu.arrays.namespace import add_rows, average_rows, average_rows_vjp, combine_rows
from saffu.attention import attend, attend_vjp, compare, compare_vjp
from saffu.batch import LayerPlan
from saffu.cipher import bit_cipher, cipher_decode
from saffu.counts import Cooccurrence, cooccurrence, priming_number
from saffu.explicit.choice import choose_smoothing, leave_one_out_nats
from saffu.explicit.hidden import hidden_targets
from saffu.explicit.refinement import refine, refined_logits
from saffu.explicit.smoothing import Additive, Backoff, Discount, smooth
from saffu.explicit.solution import explicit_solution
from saffu.explicit.temper import fit_temper, tempered_logits, tempered_weights
from saffu.layer import LayerOptions, saffu_backward, saffu_forward
from saffu.loss import cross_entropy, cross_entropy_gradient, perplexity, token_nats
from saffu.model import look_up, look_up_vjp, one_hot
from saffu.numerics import log_softmax, log_softmax_vjp, softmax, softmax_vjp
from saffu.pairs import slot_counts
from saffu.types import Array
from spec_tests.support import strategies as draw

Of = Callable[[Array], Any]
Case = Callable[[Of], Any]

RNG = draw.Seeded(7)
M, D, N, B, H = 11, 6, 5, 3, 7
Z, DZ = RNG.normal(0, 2, (M, N)), RNG.normal(size=(M, N))
VALID = RNG.random((M, N)) < 0.7
VALID[:, 1] = True
P = softmax(Z, VALID)
X, Y = draw.features(RNG, M, D), 0.1 + draw.targets(RNG, M, N)
F = np.exp(RNG.normal(size=(D, N)))
WHOLE = RNG.integers(0, 4, (D, N)).astype(np.float64)
WHOLE[:, 0] += 1
ONE_HOT = np.eye(D)[RNG.integers(0, D, M)], np.eye(N)[RNG.integers(0, N, M)]
TOKENS = RNG.integers(0, N, M)
CONTEXT = draw.simplex(RNG, M, B, D)
MASK = RNG.random((M, B)) < 0.6
PIVOT = RNG.integers(0, B, M)
MASK[np.arange(M), PIVOT] = True
CONTEXT = np.where(MASK[..., None], CONTEXT, 0.0)
W, DH = RNG.normal(size=(B, B)), RNG.normal(size=(M, H))
U = {"sum": RNG.normal(size=(D, H)), "cat": RNG.normal(size=(B * D, H))}
SLOTS, W_SLOTS = RNG.integers(0, N, (M, B)), RNG.random((M, B))
OWNER = np.array([0, 0, 1, 2, 2, 2, 2, 3, 3, 3, 4])


def layer(options: LayerOptions) -> Case:
    def both(of: Of) -> Any:
        x, mask, pivot, w, u = map(of, (CONTEXT, MASK, PIVOT, W, U[options.aggregation]))
        state = saffu_forward(x, mask, pivot, w, u, options)
        return state, saffu_backward(of(DH), state, x, mask, pivot, w, u, options)

    return both


def attention(kind: str, gain: str) -> Case:
    def both(of: Of) -> Any:
        mask, w, c = of(MASK), of(W), compare(of(CONTEXT), of(PIVOT))
        seen = attend(c, mask, w, kind, gain)
        return seen, attend_vjp(of(DH[:, :B]), seen, mask, w, kind, gain)

    return both


def refinement(of: Of) -> Any:
    fit = refine(of(np.zeros((D, N))), of(X), of(Y), steps=3)
    return fit, refined_logits(of(X), fit)


def rows(of: Of) -> tuple[Any, Any]:
    """E [V, D] and L [V, N_h] of N tokens."""
    return of(F.T), of(P[:N, :2].copy())


CASES: dict[str, Case] = {
    "softmax": lambda of: softmax(of(Z)),
    "softmax, masked": lambda of: softmax(of(Z), of(VALID)),
    "softmax_vjp": lambda of: softmax_vjp(of(P), of(DZ)),
    "log_softmax": lambda of: log_softmax(of(Z)),
    "log_softmax, masked": lambda of: log_softmax(of(Z), of(VALID)),
    "log_softmax_vjp": lambda of: log_softmax_vjp(of(P), of(DZ)),
    "cross_entropy": lambda of: cross_entropy(of(Z), of(Y)),
    "cross_entropy_gradient": lambda of: cross_entropy_gradient(of(Z), of(Y)),
    "token_nats": lambda of: token_nats(of(Z), of(TOKENS)),
    "perplexity": lambda of: perplexity(of(Z[:, 0])),
    "compare": lambda of: compare(of(CONTEXT), of(PIVOT)),
    "compare_vjp": lambda of: compare_vjp(of(DH[:, :B]), of(CONTEXT), of(PIVOT)),
    "cooccurrence": lambda of: cooccurrence(of(X), of(Y)),
    "merge with nothing": lambda of: (
        Cooccurrence.zero(D, N, like=of(X)) + cooccurrence(of(X), of(Y))
    ),
    "merge": lambda of: cooccurrence(of(X), of(Y)).update(of(X), of(Y)),
    "priming_number": lambda of: priming_number(of(X)),
    "smooth, Additive": lambda of: smooth(of(WHOLE), Additive(0.3)),
    "smooth, Backoff": lambda of: smooth(of(WHOLE), Backoff(0.3)),
    "smooth, Discount": lambda of: smooth(of(WHOLE), Discount(0.3)),
    "explicit_solution": lambda of: explicit_solution(cooccurrence(of(X), of(Y))).weights,
    "tempered_logits": lambda of: tempered_logits(of(X), of(F), np.array([0.3, 0.9])),
    "tempered_weights": lambda of: tempered_weights(of(F), np.array([0.3, 0.9]), 1.7),
    "fit_temper": lambda of: fit_temper(of(X), of(Y), of(F), slots=3)[:2],
    "leave_one_out": lambda of: [
        leave_one_out_nats(of(WHOLE), each) for each in (Additive(), Backoff(), Discount())
    ],
    "choose_smoothing": lambda of: [
        loss for _, loss in choose_smoothing(cooccurrence(of(X), of(Y)), (of(X), of(Y))).tried
    ],
    "choose_smoothing, leave-one-out": lambda of: [
        loss for _, loss in choose_smoothing(cooccurrence(*map(of, ONE_HOT))).tried
    ],
    "refine": refinement,
    "hidden_targets": lambda of: hidden_targets(of(P), of(DZ)),
    "hidden_targets, not clipped": lambda of: hidden_targets(of(P), of(DZ), clip=False),
    "cipher_decode": lambda of: cipher_decode(of(X), bit_cipher(20, D)),
    "cipher_decode, likelihood": lambda of: cipher_decode(
        of(X), bit_cipher(20, D), method="likelihood"
    ),
    "add_rows": lambda of: add_rows(of(TOKENS), of(DH), N + 2),
    "combine_rows": lambda of: combine_rows(of(Z[:, 0]), of(TOKENS), of(OWNER), of(F.T), N + 2),
    "slot_counts, cat": lambda of: slot_counts(
        of(SLOTS), of(W_SLOTS), of(TOKENS), *rows(of), "cat"
    ),
    "slot_counts, sum": lambda of: slot_counts(
        of(SLOTS), of(W_SLOTS), of(TOKENS), *rows(of), "sum"
    ),
    "one_hot": lambda of: one_hot(of(TOKENS), N, of(DZ)),
    "look_up": lambda of: look_up(of(F.T), LayerPlan(*map(of, (SLOTS, MASK, PIVOT)))),
    "look_up_vjp": lambda of: look_up_vjp(
        of(CONTEXT), LayerPlan(*map(of, (SLOTS, MASK, PIVOT))), N
    ),
    "average_rows": lambda of: average_rows(of(F.T), of(TOKENS), of(OWNER), 5),
    "average_rows_vjp": lambda of: average_rows_vjp(of(F.T), of(F.T), of(TOKENS), of(OWNER), 5),
}
CASES |= {
    f"attend, {kind}, {gain}": attention(kind, gain)
    for kind, gain in product(("softmax", "surprisal", "uniform"), ("unit", "count"))
}
CASES |= {
    f"saffu, {options.aggregation}, {options.attention}": layer(options)
    for options in (
        LayerOptions("sum", "softmax"),
        LayerOptions("sum", "surprisal"),
        LayerOptions("sum", "uniform", "unit"),
        LayerOptions("cat", "softmax", "unit"),
        LayerOptions("cat", "surprisal", "unit"),
        LayerOptions("cat", "uniform"),
    )
}


def numbers(result: Any) -> Iterable[Any]:
    """All arrays and numbers of a result, in order."""
    if hasattr(result, "__dataclass_fields__"):
        result = tuple(getattr(result, name) for name in result.__dataclass_fields__)
    if isinstance(result, tuple | list):
        for part in result:
            yield from numbers(part)
    else:
        yield result
