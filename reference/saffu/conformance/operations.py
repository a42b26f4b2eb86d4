"""The operations of the contract: names, shapes, attributes, equations.   (SPEC 9)

An operation takes named arrays and attributes (numbers, words, lists, records) and returns named
arrays.  The letters of a shape mean the same dimension in everything that one call takes and
returns.  `document_*` stands for document_0, document_1, …; `tower*` for the arrays of a model's
layers, named tower0.layer0.attention, tower0.layer0.features, ….  A port in Python is any object
with functions of these names, which take inputs and attributes by keyword;
`saffu.conformance.reference` is one.

A row of `OPERATIONS` is all that documents, schemas, levels and tests know of an operation:
docs/how-to/operation.md lists what is derived from it, and how to add one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from saffu.errors import BadOption
from saffu.types import Array


class Operation(NamedTuple):
    """One operation of the contract."""

    spec: str
    inputs: Mapping[str, str]
    """shape of each input by name; a name that ends in ? may be left out"""
    attributes: tuple[str, ...]
    """a name that ends in ? has a default"""
    outputs: Mapping[str, str]
    """shape of each output by name"""
    summary: str
    """one sentence for the page of the operation"""
    equation: str
    """in plain signs, as the table of docs/equations.md has it"""
    latex: str
    """the equation as it is printed"""
    stages: Mapping[str, str] = {}
    """intermediate results in the order of computation; a port may return them"""
    differentiable: tuple[str, ...] = ()
    """inputs whose gradients may be asked for"""
    rests_on: tuple[str, ...] = ()
    """operations that it is made of: where both fail, those are to be mended first"""
    on_host: tuple[str, ...] = ()
    """outputs and stages that are NumPy's or Python's, whatever library the inputs belong to"""
    level: str = ""
    """level of conformance, where it is not that of the section"""


_LAYER: Final = {
    "inputs": "n B D", "mask": "n B", "pivot": "n",
    "attention_weights": "B B", "feature_weights": "S H",
}  # fmt: skip
_OPTIONS: Final = ("aggregation", "attention", "gain", "signed?")
_CONTEXT: Final = {"slots": "m B", "mask": "m B", "pivot": "m"}
_MODEL: Final = {
    "embedding": "V D", "tower*.attention": "B B", "tower*.features": "S H",
    "output": "C·H V", "document_*": "T",
}  # fmt: skip
_PARAMETERS: Final = {name: _MODEL[name] for name in list(_MODEL)[:4]}

OPERATIONS: Final[Mapping[str, Operation]] = {
    "softmax": Operation(
        "SPEC 0", {"logits": "M N", "mask?": "M N"}, (), {"probabilities": "M N"},
        "Probabilities from logits along the last axis; a mask selects the entries that take part.",
        "`φ(z)_i = exp z_i / Σ_j exp z_j`",
        r"\varphi(z)_i = \frac{\exp z_i}{\sum_j \exp z_j}",
        differentiable=("logits",),
    ),
    "log_softmax": Operation(
        "SPEC 0", {"logits": "M N", "mask?": "M N"}, (), {"log_probabilities": "M N"},
        "Log-probabilities from logits, without taking the logarithm of a probability.",
        "`log φ(z)`",
        r"\log \varphi(z)_i = z_i - \max_j z_j - \log \sum_j \exp\bigl(z_j - \max_k z_k\bigr)",
        differentiable=("logits",),
    ),
    "cross_entropy": Operation(
        "SPEC 0", {"logits": "M N", "targets": "M N"}, (), {"loss": "", "gradient": "M N"},
        "The mean loss of a softmax layer, in nats, and its gradient in the logits.",
        "`ℓ = −(1/M) Σ_m ⟨y_m, log φ(z_m)⟩`",
        r"""\ell = -\frac{1}{M} \sum_m \langle y_m, \log \varphi(z_m) \rangle, \qquad
\frac{\partial \ell}{\partial z} = \frac{\hat y \, \Sigma y - y}{M}""",
    ),
    "cooccurrence": Operation(
        "SPEC 1",
        {"features?": "M D", "targets?": "M N", "features_*?": "M D", "targets_*?": "M N"},
        (), {"counts": "D N", "norm": "", "samples": ""},
        "Co-occurrence counts of features and targets: all that an explicit solution keeps of the "
        "data.",
        "`F = Hᵀ Y`",
        r"F = \sum_m h_m \otimes y_m = H^\top Y",
        on_host=("norm", "samples"),
    ),
    "priming_number": Operation(
        "SPEC 1", {"features": "M D"}, (), {"priming": ""},
        "The mean norm of the features.",
        "`K = Σ‖h‖ / M`",
        r"K = \frac{1}{M} \sum_m \lVert h_m \rVert_1",
        on_host=("priming",),
    ),
    "explicit_solution": Operation(
        "SPEC 1", {"features": "M D", "targets": "M N"}, ("smoothing", "priming?"),
        {"weights": "D N"},
        "The weights of a softmax layer, directly from co-occurrence counts.",
        "`U = log F − ((K−1)/K) log Σ_d F`",
        r"U_{di} = \log F_{di} - \frac{K-1}{K} \log \sum_{d^\prime} F_{d^\prime i}",
        stages={"counts": "D N", "priming": "", "smoothed_counts": "D N"},
        rests_on=("cooccurrence", "priming_number"),
        on_host=("priming",),
    ),
    "tempered_logits": Operation(
        "SPEC 1", {"features": "M D", "counts": "D N", "temper": "S"}, (), {"logits": "M N"},
        "Logits of the explicit solution with the evidence of each slot scaled by its temper λ.",
        "`z(λ) = log n + λ Σ_d h_d log(F/n)`",
        r"z_i(\lambda) = \log n_i + \lambda \sum_d h_d \log \frac{F_{di}}{n_i}, "
        r"\qquad n_i = \sum_d F_{di}",
    ),
    "fit_temper": Operation(
        "SPEC 1", {"features": "M D", "targets": "M N", "counts": "D N"}, ("slots", "start"),
        {"temper": "S", "loss": ""},
        "The tempers of least loss: one for all features, or one per slot.",
        "`argmin_λ ℓ(z(λ))`",
        r"\lambda^\ast = \operatorname*{argmin}_\lambda \; \ell\bigl(z(\lambda)\bigr)",
        rests_on=("tempered_logits",),
        on_host=("temper", "loss"),
    ),
    "choose_smoothing": Operation(
        "SPEC 1",
        {"features": "M D", "targets": "M N", "held_features?": "m D", "held_targets?": "m N"},
        ("candidates", "temper"), {"losses": "C", "choice": ""},
        "The smoothing of least loss, on held-out samples or by leaving one sample out at a time.",
        "`argmin_α` of the held-out or leave-one-out loss",
        r"\alpha^\ast = \operatorname*{argmin}_\alpha \; \ell_{\text{held out}}"
        r"\bigl(U(F, \alpha)\bigr)",
        rests_on=("explicit_solution", "cross_entropy", "fit_temper"),
        on_host=("losses", "choice"),
    ),
    "refine": Operation(
        "SPEC 1", {"weights": "D N", "features": "M D", "targets": "M N"}, ("steps",),
        {"weights": "D N", "slack": "N", "capacity": "", "losses": "steps+1"},
        "Iterative scaling from approximate weights to the optimum, without a learning rate; the "
        "loss never rises.",
        "`U ← U + (1/K) log(F / Hᵀφ(HU))`",
        r"U \leftarrow U + \frac{1}{K} \log \frac{F}{H^\top \varphi(H U)}",
        rests_on=("softmax", "cooccurrence"),
        on_host=("capacity", "losses"),
    ),
    "bit_cipher": Operation(
        "SPEC 2", {"counts": "V"}, ("bits",), {"ranks": "V", "codes": "V b", "embedding": "V b"},
        "A distinct code of b bits per token; frequent tokens have few ones.",
        "level k: `p XOR e` with k ones",
        r"\text{level } k: \quad p \oplus e_j, \quad p \in \text{level } k-1, "
        r"\quad \lVert p \oplus e_j \rVert_1 = k",
        on_host=("ranks", "codes", "embedding"),
    ),
    "cipher_decode": Operation(
        "SPEC 2", {"vectors": "M b", "codes": "V b"}, ("method",), {"ranks": "M"},
        "The token whose code is nearest to a vector.",
        "`argmax ⟨v, code⟩`",
        r"\operatorname*{argmax}_i \; \langle v, \text{code}_i \rangle",
    ),
    "radial_embedding": Operation(
        "SPEC 2", {"document_*": "T", "vectors": "V b"}, ("radii", "combine"),
        {"embedding": "V D"},
        "The normalised sum of the vectors of a token's neighbours, over all its occurrences.",
        "`Σ e` within a radius, normalised",
        r"E_v \propto \sum_{t:\, x_t = v} \; \sum_{0 < |s - t| \le r} e_{x_s}, "
        r"\qquad \lVert E_v \rVert_1 = 1",
    ),
    "radial_context": Operation(
        "SPEC 3", {"document": "T"}, ("radius",), _CONTEXT,
        "The r tokens before a target, nearest first; the pivot is the nearest.",
        "slot k holds token t−1−k",
        r"\text{slot } k \text{ holds token } t - 1 - k, \qquad p = 0",
        on_host=tuple(_CONTEXT),
    ),
    "block_context": Operation(
        "SPEC 3", {"document": "T"}, ("length",), _CONTEXT,
        "The block of fixed positions that holds the token before a target.",
        "slot s holds position s of the block",
        r"\text{slot } s \text{ holds position } s \text{ of the block}, "
        r"\qquad p = (t - 1) \bmod b",
        on_host=tuple(_CONTEXT),
    ),
    "document_context": Operation(
        "SPEC 3", {"document": "T", "vectors": "V D"}, (), {"features": "m D"},
        "The mean embedding of all earlier tokens of the document.",
        "mean embedding of all earlier tokens",
        r"\bar x_t = \frac{1}{t} \sum_{s < t} E_{x_s}",
    ),
    "compare": Operation(
        "SPEC 4", {"inputs": "n B D", "pivot": "n"}, (), {"comparisons": "n B"},
        "Inner products of each slot of a context with the pivot.",
        "`c = x_p Xᵀ`",
        r"c = x_p X^\top",
        differentiable=("inputs",),
    ),
    "saffu_forward": Operation(
        "SPEC 4", _LAYER, _OPTIONS, {"hidden": "n H"},
        "One self-attentive feed-forward unit: attention from comparisons, hidden states from the "
        "attended inputs.",
        "`z = cW, a = φ(z), w = g a, s, h = φ(sU)`",
        r"""a = \varphi(c W), \qquad w = g\, a, \qquad
s = \sum_k w_k x_k \;\text{ or }\; [w_1 x_1 \dots w_B x_B], \qquad h = \varphi(s U)""",
        stages={"comparisons": "n B", "logits": "n B", "attention": "n B", "weights": "n B",
                "features": "n S"},
        rests_on=("compare", "softmax"),
    ),
    "saffu_backward": Operation(
        "SPEC 6", {**_LAYER, "d_hidden": "n H"}, _OPTIONS,
        {"attention_weights": "B B", "feature_weights": "S H", "inputs": "n B D"},
        "The gradients of that unit in its weights and inputs.",
        "dW, dU, dX",
        r"""\mathrm{d}q = h \odot (\mathrm{d}h - \langle \mathrm{d}h, h \rangle), \qquad
\mathrm{d}U = s^\top \mathrm{d}q, \qquad
\mathrm{d}z = a \odot (\mathrm{d}a - \langle \mathrm{d}a, a \rangle), \qquad
\mathrm{d}W = c^\top \mathrm{d}z""",
        rests_on=("saffu_forward",),
    ),
    "hidden_targets": Operation(
        "SPEC 5", {"attention": "M N", "ascent": "M N"}, ("clip",), {"targets": "M N"},
        "Targets for a softmax inside a network, so that a hidden layer can be solved like an "
        "output layer.",
        "`t = a ⊙ (1 + G − ⟨a, G⟩)`",
        r"t = a \odot \bigl(1 + G - \langle a, G \rangle\bigr), "
        r"\qquad G = -\frac{\partial \ell}{\partial a}",
    ),
    "warm_start": Operation(
        "SPEC 5", {"document_*": "T"}, ("configuration", "settings"), _PARAMETERS,
        "All parameters of a model from sums over the data, bottom layer first, without a gradient "
        "step.",
        "steps 1–6",
        r"\text{counts} \to \text{cipher} \to E \to U_{\text{uniform}} \to t \to W \to U \to O",
        stages={"labels": "V H"},
        rests_on=("bit_cipher", "explicit_solution", "saffu_forward", "hidden_targets"),
        on_host=("labels",),
    ),
    "model_forward": Operation(
        "SPEC 4", _MODEL, ("configuration",), {"logits": "M V"},
        "The logits of a whole model, from the concatenated hidden states of its context models.",
        "`logits = [h¹ … h^C] O`",
        r"\text{logits} = [h^1 \dots h^C]\, O",
        stages={"hidden": "M C·H"},
        rests_on=("radial_context", "block_context", "document_context", "saffu_forward"),
    ),
    "model_loss": Operation(
        "SPEC 0", _MODEL, ("configuration",), {"loss": ""},
        "The mean loss of a whole model on a batch, in nats.",
        "`ℓ` of a model on a batch",
        r"\ell = -\frac{1}{M} \sum_m \log \varphi(\text{logits}_m)_{y_m}",
        rests_on=("model_forward", "log_softmax"),
        on_host=("loss",),
        level="layer",
    ),
    "model_gradient": Operation(
        "SPEC 6", _MODEL, ("configuration",), _PARAMETERS,
        "The gradient of that loss in every parameter, chained from the adjoints of the parts.",
        "dE, dW, dU, dO",
        r"""\mathrm{d}\,\text{logits} = \frac{\hat y - y}{M}, \qquad
\mathrm{d}O = H^\top \mathrm{d}\,\text{logits}, \qquad
\mathrm{d}h = \mathrm{d}\,\text{logits}\; O^\top, \qquad \dots""",
        rests_on=("model_forward", "cross_entropy", "saffu_backward"),
    ),
    "sgd_step": Operation(
        "SPEC 6", {"parameter": "P Q", "gradient": "P Q"}, ("rate",), {"parameter": "P Q"},
        "One step of gradient descent, as a function of parameters and gradients.",
        "`θ − η g`",
        r"\theta \leftarrow \theta - \eta\, g",
    ),
    "adam_step": Operation(
        "SPEC 6",
        {"parameter": "P Q", "gradient": "P Q", "mean": "P Q", "square": "P Q"},
        ("step", "rate", "beta1", "beta2", "epsilon"),
        {"parameter": "P Q", "mean": "P Q", "square": "P Q"},
        "One step of Adam with bias correction, as a function of parameters, gradients and state.",
        "`θ − η m̂ / (√v̂ + ε)`",
        r"""m \leftarrow \beta_1 m + (1 - \beta_1) g, \qquad
v \leftarrow \beta_2 v + (1 - \beta_2) g^2, \qquad
\theta \leftarrow \theta - \frac{\eta\, \hat m}{\sqrt{\hat v} + \varepsilon}""",
    ),
    "perplexity": Operation(
        "SPEC 7", {"nats": "M"}, (), {"perplexity": ""},
        "The exponential of the mean loss: the number of equally likely targets of that loss.",
        "`exp(mean nats)`",
        r"\exp\Bigl( \frac{1}{M} \sum_m \ell_m \Bigr)",
        on_host=("perplexity",),
    ),
}  # fmt: skip
"""Every operation that has golden cases, in the order of the specification."""


def run(
    operation: str,
    attributes: Mapping[str, Any],
    inputs: Mapping[str, Array],
    cotangents: Mapping[str, Array] | None = None,
    port: object | None = None,
) -> dict[str, Array]:
    """Call an operation of a port in Python; of the reference, if none is given.   (SPEC 9)

    Returns outputs (and stages, as it likes) by name; with `cotangents`, also `gradient.<input>`.
    Refuses: what is no operation of the contract; what the operation itself refuses.

    >>> import numpy as np
    >>> run("perplexity", {}, {"nats": np.log(np.array([8.0, 2.0]))})
    {'perplexity': array(4.)}
    """
    if operation not in OPERATIONS:
        raise BadOption("operation", operation, f"one of {', '.join(OPERATIONS)}", "SPEC 9")
    if port is None:
        from saffu.conformance import reference

        port = reference
    given: dict[str, Any] = {"cotangents": dict(cotangents)} if cotangents else {}
    answer: dict[str, Array] = getattr(port, operation)(**inputs, **attributes, **given)
    return answer
