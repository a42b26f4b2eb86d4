"""Small models and texts to draw from: every dimension another prime.

Vocabulary 13, token codes of 5 bits, label codes of 7, contexts of 3 and 2 slots.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple
from typing import Literal, TypeAlias

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from saffu.batch import Batch, plan
from saffu.configuration import Configuration
from saffu.contexts import BlockContext, ContextModel, DocumentContext, RadialContext
from saffu.layer import LayerOptions
from saffu.parameters import LayerParameters, Parameters
from saffu.positions import make_samples
from spec_tests.conftest import shapes_unchecked
from spec_tests.support import naive_model
from spec_tests.support.naive_model import Choices, ContextWords, Numbers

VOCABULARY, BITS, LABEL_BITS = 13, 5, 7

Documents: TypeAlias = Sequence[NDArray[np.int64]]

AGGREGATIONS: tuple[Literal["sum", "cat"], ...] = ("sum", "cat")
ATTENTIONS: tuple[Literal["softmax", "surprisal", "uniform"], ...] = (
    "softmax",
    "surprisal",
    "uniform",
)
GAINS: tuple[Literal["unit", "count"], ...] = ("unit", "count")

ALL_OPTIONS = [LayerOptions(s, a, g) for s in AGGREGATIONS for a in ATTENTIONS for g in GAINS]
"""Every option of SPEC 4."""

THREE_CONTEXTS: tuple[ContextModel, ...] = (RadialContext(3), DocumentContext(), BlockContext(2))

TEXT: Documents = (
    np.array([0, 5, 9, 5, 3, 11, 4, 9, 1]),
    np.array([0, 1]),
    np.array([0, 9, 9, 2, 5, 1]),
)
"""Documents of 8, 1 and 5 targets; token 12 is never seen, and 9 repeats itself."""

option_sets = st.sampled_from(ALL_OPTIONS)

context_models: st.SearchStrategy[ContextModel] = st.one_of(
    st.builds(RadialContext, st.integers(1, 5)),
    st.builds(BlockContext, st.integers(1, 5)),
    st.builds(DocumentContext),
)


@st.composite
def texts(
    draw: st.DrawFn, *, documents: int = 3, targets: int = 7, vocabulary: int = VOCABULARY
) -> Documents:
    """A few documents of unequal length, each from <sod> on."""
    tokens = st.lists(st.integers(0, vocabulary - 1), min_size=1, max_size=targets)
    drawn = draw(st.lists(tokens, min_size=1, max_size=documents))
    return [np.array([0, *document]) for document in drawn]


@st.composite
def configurations(draw: st.DrawFn) -> Configuration:
    """Any contexts, any options, one to three layers."""
    with shapes_unchecked():  # the checks draw at random, which a strategy may not
        return small(
            draw(st.lists(context_models, min_size=1, max_size=3)),
            draw(st.integers(1, 3)),
            draw(option_sets),
        )


def small(
    contexts: Sequence[ContextModel] = THREE_CONTEXTS,
    depth: int = 1,
    options: LayerOptions = LayerOptions(),
) -> Configuration:
    return Configuration(
        vocabulary=VOCABULARY,
        contexts=tuple(contexts),
        bits=BITS,
        label_bits=LABEL_BITS,
        layer=options,
        depth=depth,
    )


def random_parameters(configuration: Configuration, seed: int = 0) -> Parameters:
    """Embeddings on the simplex, and weights large enough for every term to matter."""
    random = np.random.default_rng(seed)
    hidden = configuration.label_bits
    embedding = random.dirichlet(np.ones(configuration.width), configuration.vocabulary)

    def layer(slots: int, below: int) -> LayerParameters:
        rows = below * slots if configuration.layer.aggregation == "cat" and slots else below
        return LayerParameters(
            random.normal(size=(slots, slots)), 1.5 * random.normal(size=(rows, hidden))
        )

    towers: list[tuple[LayerParameters, ...]] = []
    for context in configuration.contexts:
        if isinstance(context, DocumentContext):
            towers.append((layer(0, configuration.width),))
        else:
            widths = [configuration.width, *[hidden] * (configuration.depth - 1)]
            towers.append(tuple(layer(context.slots, below) for below in widths))
    read = hidden * len(configuration.contexts)
    output = 3 * random.normal(size=(read, configuration.vocabulary))
    return Parameters(embedding, tuple(towers), output)


def words(context: ContextModel) -> ContextWords:
    """A context model as `naive_model` knows it."""
    return (context.kind, *astuple(context))


def naive_choices(options: LayerOptions) -> Choices:
    return (options.aggregation, options.attention, options.gain)


def naive_logits(
    parameters: Parameters, documents: Documents, configuration: Configuration
) -> Numbers:
    """The logits of all targets, one sample at a time."""
    return naive_model.logits(
        [document.tolist() for document in documents],
        parameters.embedding,
        parameters.towers,
        parameters.output,
        [words(context) for context in configuration.contexts],
        naive_choices(configuration.layer),
    )


def whole(documents: Documents, configuration: Configuration) -> Batch:
    """All targets of the documents."""
    return plan(make_samples(documents), configuration)
