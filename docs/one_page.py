"""A SAFFU language model on one page of NumPy: count, solve, attend, predict, pull back.

Nothing here imports saffu; `spec_tests/test_one_page.py` holds every number to the package's.
The letters, and the sections in brackets, are those of specification.md: M samples, V tokens,
B slots of a context, D numbers per embedded token, N_h hidden units; φ is the softmax.
"""

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

Array = Any  # one of NumPy's


class Model(NamedTuple):
    """logits = φ([w_1 x_1 … w_B x_B] U) O,  x = E[tokens],  w = g φ(x_1 Xᵀ W),  g filled slots"""

    E: Array  # [V, D]      embedding: one code per token
    W: Array  # [B, B]      attention: from comparisons to weights of the slots
    U: Array  # [B·D, N_h]  from features to hidden units
    O: Array  # [N_h, V]    from hidden units to tokens  # noqa: E741


def softmax(z: Array) -> Array:
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def softmax_vjp(p: Array, dp: Array) -> Array:
    return p * (dp - (p * dp).sum(axis=-1, keepdims=True))


# Count ------------------------------------------------------------------------------------------
def cipher(counts: Array, bits: int) -> Array:
    """One binary code per token, over its number of ones; frequent tokens have fewer ones. [2]"""
    basis = [1 << bit for bit in range(bits)]
    codes, level = list(basis), basis
    while len(codes) < len(counts):  # one bit more in each code; no code twice
        level = list(dict.fromkeys(p | e for e in basis[::-1] for p in level[::-1] if not p & e))
        codes += level
    ones = np.array(codes[: len(counts)])[:, None] >> np.arange(bits) & 1
    E = np.empty(ones.shape)
    E[np.argsort(-counts, kind="stable")] = ones / ones.sum(axis=1, keepdims=True)
    return E


def contexts(documents: Sequence[Array], B: int) -> tuple[Array, Array, Array]:
    """The B tokens before each target, nearest first; which of them exist; the targets. [3]"""
    pairs = [(d[t - 1 :: -1][:B], d[t]) for d in documents for t in range(1, len(d))]
    tokens, exists = np.zeros((len(pairs), B), dtype=int), np.zeros((len(pairs), B), dtype=bool)
    for m, (earlier, _) in enumerate(pairs):
        tokens[m, : len(earlier)], exists[m, : len(earlier)] = earlier, True
    return tokens, exists, np.array([target for _, target in pairs])


# Solve ------------------------------------------------------------------------------------------
def solve(H: Array, Y: Array) -> Array:
    """U with φ(H U) ≈ Y, from one pass: F = Hᵀ Y, U = log F − ((K−1)/K) log Σ_d F_d. [1]"""
    F, K = H.T @ Y, H.sum() / len(H)
    n = F.sum(axis=0)
    F = F + (n + 1) / (n.sum() + len(n))  # one more observation per feature, so that no F is zero
    return np.log(F) - (K - 1) / K * np.log(F.sum(axis=0))


def hidden_targets(a: Array, G: Array) -> Array:
    """The targets of a softmax a inside a network, given G = −∂loss/∂a. [5]"""
    t = np.maximum(a * (1 + G - (a * G).sum(axis=1, keepdims=True)), 0)
    return t / t.sum(axis=1, keepdims=True)


def warm_start(documents: Sequence[Array], V: int, B: int, bits: int, hidden: int) -> Model:
    """The whole model from counts, bottom-up, without one step of gradient descent. [5]"""
    tokens, exists, targets = contexts(documents, B)
    E = cipher(np.bincount(np.concatenate(documents), minlength=V), bits)
    Y = cipher(np.bincount(targets, minlength=V), hidden)[targets]  # what hidden units aim at
    x, c, a, _, s = attend(E, np.zeros((B, B)), tokens, exists)  # at first, attention is uniform
    U = solve(s, Y)
    ascent = ((Y - softmax(s @ U)) @ U.T).reshape(x.shape)  # −∂loss/∂s
    W = solve(c, hidden_targets(a, exists.sum(axis=1, keepdims=True) * (ascent * x).sum(axis=2)))
    *_, s = attend(E, W, tokens, exists)
    U = solve(s, Y)  # again, from the features that attention weights
    return Model(E, W, U, solve(softmax(s @ U), np.eye(V)[targets]))


# Attend and predict -----------------------------------------------------------------------------
def attend(E: Array, W: Array, tokens: Array, exists: Array) -> tuple[Array, ...]:
    """Vectors, comparisons with the newest token, attention, weights of slots, features. [4]"""
    x = np.where(exists[:, :, None], E[tokens], 0.0)
    c = np.einsum("mkd,md->mk", x, x[:, 0])
    a = softmax(np.where(exists, c @ W, -np.inf))
    w = exists.sum(axis=1, keepdims=True) * a
    return x, c, a, w, (w[:, :, None] * x).reshape(len(x), -1)


def predict(model: Model, tokens: Array, exists: Array) -> Array:
    """Logits [M, V] of the next token. [4]"""
    *_, s = attend(model.E, model.W, tokens, exists)
    return softmax(s @ model.U) @ model.O


def loss(logits: Array, targets: Array) -> float:
    """Mean negative log-likelihood; its exponential is the perplexity. [0, 7]"""
    return float(-np.log(softmax(logits)[np.arange(len(targets)), targets]).mean())


# Pull back --------------------------------------------------------------------------------------
def gradient(model: Model, tokens: Array, exists: Array, targets: Array) -> Model:
    """The gradient of the loss in E, W, U and O, by the chain rule from the top down. [6]"""
    x, c, a, w, s = attend(model.E, model.W, tokens, exists)
    h = softmax(s @ model.U)
    d_logits = (softmax(h @ model.O) - np.eye(len(model.E))[targets]) / len(targets)
    dq = softmax_vjp(h, d_logits @ model.O.T)  # q = s U
    ds = (dq @ model.U.T).reshape(x.shape)
    dw = (ds * x).sum(axis=2)
    dz = softmax_vjp(a, exists.sum(axis=1, keepdims=True) * dw)  # z = c W
    dc = dz @ model.W.T
    dx = w[:, :, None] * ds + dc[:, :, None] * x[:, :1]
    dx[:, 0] += np.einsum("mk,mkd->md", dc, x)  # the newest token is in every comparison
    dE = np.zeros_like(model.E)
    np.add.at(dE, tokens[exists], dx[exists])
    return Model(dE, c.T @ dz, s.T @ dq, h.T @ d_logits)


def main() -> None:
    """Sentences whose verb agrees with a noun four words earlier, solved, then trained."""
    verbs = {"cat": "sits", "cats": "sit", "dog": "runs", "dogs": "run"}
    fields = ["cat cats dog dogs", "near behind with", "a the two", "tree hills sea", "now ."]
    choices = itertools.product(*(field.split() for field in fields))
    texts = [f"<sod> the {n} {p} {a} {m} {verbs[n]} {e} <eod>".split() for n, p, a, m, e in choices]
    words = sorted(set(itertools.chain(*texts)))
    ids = [np.array([words.index(word) for word in text]) for text in texts]
    np.random.default_rng(1).shuffle(ids)
    samples, (*unseen, targets) = contexts(ids[:150], 6), contexts(ids[150:], 6)
    model = warm_start(ids[:150], len(words), B=6, bits=12, hidden=12)
    best = len(texts) ** (1 / 8)  # eight targets per sentence, all sentences equally likely
    print(f"perplexity on unseen sentences: {len(words)} by guessing, {best:.3f} at best")
    for step in range(101):
        if step in (0, 10, 100):
            perplexity = np.exp(loss(predict(model, *unseen), targets))
            print(f"explicit solution and {step:3} steps of gradient descent: {perplexity:.3f}")
        model = Model(*(p - 0.3 * g for p, g in zip(model, gradient(model, *samples), strict=True)))


if __name__ == "__main__":
    main()
