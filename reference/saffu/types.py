"""The symbol table: every array of the package by its role and its shape.   (SPEC 0)

One letter is one dimension everywhere: `M` samples, `D` features, `N` targets, `V` vocabulary,
`B` slots of a context, `H` hidden units, `b` bits.  `n` counts the rows that one layer works on.
A name written `Features` in a signature therefore says both what the numbers are and how they lie.
The shapes are checked while the tests run (jaxtyping), and cost nothing anywhere else.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Bool, Inexact, Int
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
"""Any array.  NumPy's by type; CuPy's and others' by behaviour (see `saffu.arrays.namespace`)."""

IntArray: TypeAlias = NDArray[np.integer[Any]]
"""Whole numbers of any width: token ids, counts, positions."""

# --- one softmax layer -----------------------------------------------------------------------
Features: TypeAlias = Inexact[Array, "M D"]
"""Non-negative inputs, one sample a row.  Their L1 norm is their sum."""
Targets: TypeAlias = Inexact[Array, "M N"]
"""Non-negative target weights, one sample a row; one-hot, or any distribution."""
Logits: TypeAlias = Inexact[Array, "M N"]
Weights: TypeAlias = Inexact[Array, "D N"]
Counts: TypeAlias = Inexact[Array, "D N"]
"""Generalised co-occurrence: how much feature d was seen with target i."""
Nats: TypeAlias = Inexact[Array, "M"]
"""Negative log-likelihood of each sample, in nats."""

Rows: TypeAlias = Inexact[Array, "*batch N"]
"""Any stack of rows, softmax running along the last axis."""
RowMask: TypeAlias = Bool[Array, "*batch N"]

# --- text ------------------------------------------------------------------------------------
Codes: TypeAlias = Int[Array, "V b"]
"""Zeros and ones, one code a row, most frequent token first."""
CodeVectors: TypeAlias = Inexact[Array, "V b"]
"""Codes over their number of ones, or any other vectors of unit norm, one per token."""
Embedding: TypeAlias = Inexact[Array, "V D"]
"""One vector a token, in the order of the token ids."""
Labels: TypeAlias = Inexact[Array, "V H"]
"""One target vector a token, in the order of the token ids."""
TokenCounts: TypeAlias = Int[Array, "V"]
TokenIds: TypeAlias = Int[Array, "M"]

# --- one SAFFU layer -------------------------------------------------------------------------
Inputs: TypeAlias = Inexact[Array, "n B D"]
"""The vectors in the slots of a context, one context a sample."""
SlotRows: TypeAlias = Inexact[Array, "n B"]
"""One number a slot: comparisons, attention logits, attention, weights."""
SlotMask: TypeAlias = Bool[Array, "n B"]
"""True where a slot holds something."""
Slots: TypeAlias = Int[Array, "n B"]
Pivot: TypeAlias = Int[Array, "n"]
"""The slot of the query, one per sample."""
AttentionWeights: TypeAlias = Inexact[Array, "B B"]
FeatureWeights: TypeAlias = Inexact[Array, "S H"]
"""`S` is `D` for aggregation `sum` and `B·D` for `cat`."""
Aggregate: TypeAlias = Inexact[Array, "n S"]
Hidden: TypeAlias = Inexact[Array, "n H"]
