"""Mistakes in radial embeddings.   (SPEC 2)"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from saffu.conformance.diagnosis.variants import Arrays, mistakes, variant
from saffu.types import Array


def _annulus(distance: int, edges: list[int]) -> list[int]:
    return next(([j] for j, edge in enumerate(edges) if distance <= edge), [])


def _disc(distance: int, edges: list[int]) -> list[int]:
    return [j for j, edge in enumerate(edges) if distance <= edge]


def _inside(distance: int, edges: list[int]) -> list[int]:
    return next(([j] for j, edge in enumerate(edges) if distance < edge), [])


def _whole(near: Array) -> Array:
    norm: Array = np.sum(near, axis=(1, 2), keepdims=True)
    return near / np.where(norm == 0, 1.0, norm)


def _block_by_block(near: Array) -> Array:
    norm: Array = np.sum(near, axis=2, keepdims=True)
    return near / np.where(norm == 0, 1.0, norm)


def _euclidean(near: Array) -> Array:
    norm = np.sqrt(np.sum(near**2, axis=(1, 2), keepdims=True))
    return near / np.where(norm == 0, 1.0, norm)


def _pair(t: int, u: int) -> bool:
    return t != u


def radial_embedding(
    vectors: Array,
    radii: list[int],
    combine: str,
    *,
    pair: Callable[[int, int], bool] = _pair,
    rings: Callable[[int, list[int]], list[int]] = _annulus,
    joined: bool = False,
    types: bool = False,
    itself: bool = True,
    normalise: Callable[[Array], Array] = _whole,
    reverse: bool = False,
    lonely: Callable[[int], list[int]] = lambda blocks: [0],
    **documents: Array,
) -> Arrays:
    """What stands around each token, ring by ring; ids beyond the vocabulary wrap around."""
    size, bits = vectors.shape
    texts = [documents[f"document_{i}"] % size for i in range(len(documents))]
    near = np.zeros((size, max(len(radii), 1), bits))
    met: set[tuple[int, int, int]] = set()
    for text in [np.concatenate(texts)] if joined else texts:
        for t, token in enumerate(text.tolist()):
            for u, other in enumerate(text.tolist()):
                for j in rings(abs(t - u), radii) if pair(t, u) else []:
                    if (types and (token, other, j) in met) or (other == token and not itself):
                        continue
                    met.add((token, other, j))
                    near[token, j] += vectors[other]
    alone = ~np.any(near > 0, axis=(1, 2))
    near = normalise(near)
    for j in lonely(near.shape[1]):
        near[alone, j] = vectors[alone]
    return {"embedding": (near[:, ::-1] if reverse else near).reshape(size, -1)}


MISTAKES = mistakes(
    "radial_embedding", radial_embedding,
    variant("radial-own-occurrence", "the token itself counted as its neighbour",
        pair=lambda t, u: True),
    variant("radial-across-documents", "windows reach over document borders", joined=True),
    variant("radial-not-normalised", "sums not normalised", normalise=lambda near: near),
    variant("radial-one-side", "only the neighbours before a token", pair=lambda t, u: u < t),
    variant("radial-norm-euclidean", "divided by the Euclidean norm", normalise=_euclidean),
    variant("radial-edge-left-out", "neighbours at a distance of r left out", rings=_inside),
    variant("radial-types-not-tokens", "each kind of neighbour counted once", types=True),
    variant("radial-disc-for-annulus", "each block holds the whole disc, not its ring",
        rings=_disc),
    variant("radial-blocks-normalised", "each block normalised on its own",
        normalise=_block_by_block),
    variant("radial-blocks-reversed", "the widest ring first", reverse=True),
    variant("radial-lonely-to-zero", "a token without neighbours gets zeros",
        lonely=lambda blocks: []),
    variant("radial-lonely-in-every-block", "a token without neighbours fills every block",
        lonely=lambda blocks: list(range(blocks))),
    variant("radial-skips-itself", "a token next to itself does not count", itself=False),
    variant("radial-wraps-ids", "token ids out of range wrap around", accepts="token-range"),
    variant("radial-takes-any-radii", "radii that do not rise, or do not fit, not refused",
        accepts="option"),
)  # fmt: skip
