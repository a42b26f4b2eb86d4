"""The model on one page is the package's model, to 1e-12.   (SPEC 1-7)"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from numpy.testing import assert_allclose

import saffu
from docs import one_page
from spec_tests.support.models import BITS, LABEL_BITS, TEXT, VOCABULARY, Documents, texts

PAGE = Path(one_page.__file__)
SLOTS = 3
SHAPE = saffu.Configuration(
    vocabulary=VOCABULARY,
    contexts=(saffu.RadialContext(SLOTS),),
    bits=BITS,
    label_bits=LABEL_BITS,
)


def arrays(parameters: Any) -> tuple[Any, ...]:
    """E, W, U and O of a model of the package with one layer."""
    return saffu.flatten(parameters)


def assert_same(page: Any, package: Any) -> None:
    """Equal to 1e-12 of the largest entry, or of one."""
    size = max(1.0, float(np.abs(package).max()))
    assert_allclose(page, package, rtol=0, atol=1e-12 * size)


@given(texts())
def test_weights_logits_loss_and_gradient_are_those_of_the_package(documents: Documents) -> None:
    page = one_page.warm_start(documents, VOCABULARY, SLOTS, BITS, LABEL_BITS)
    package = saffu.warm_start(documents, SHAPE).parameters
    for ours, theirs in zip(page, arrays(package), strict=True):
        assert_same(ours, theirs)

    batch = saffu.plan(saffu.make_samples(documents), SHAPE)
    tokens, exists, targets = one_page.contexts(documents, SLOTS)
    state = saffu.model_forward(package, batch, SHAPE.layer)
    logits = one_page.predict(page, tokens, exists)
    assert_same(logits, state.logits)
    assert_same(one_page.loss(logits, targets), saffu.model_loss(package, batch, SHAPE.layer))
    slopes = saffu.model_gradient(package, batch, SHAPE.layer)
    gradient = one_page.gradient(page, tokens, exists, targets)
    for ours, theirs in zip(gradient, arrays(slopes), strict=True):
        assert_same(ours, theirs)


@pytest.mark.parametrize(("size", "bits"), [(2, 2), (5, 3), (7, 3), (13, 5), (31, 5)])
def test_the_cipher_is_that_of_the_package(size: int, bits: int) -> None:
    counts = np.random.default_rng(size).integers(0, 5, size)  # with ties
    assert_same(one_page.cipher(counts, bits), saffu.cipher_embedding(counts, bits))


def test_the_comparison_sees_a_wrong_weight() -> None:
    page = one_page.warm_start(TEXT, VOCABULARY, SLOTS, BITS, LABEL_BITS)
    package = arrays(saffu.warm_start(TEXT, SHAPE).parameters)
    with pytest.raises(AssertionError):
        assert_same(page.W * (1 + 1e-11), package[1])


def test_it_is_one_page_of_numpy() -> None:
    source = PAGE.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= 150
    imported = re.findall(r"^(?:import|from) (\w+)", source, re.MULTILINE)
    assert set(imported) <= {"numpy", *sys.stdlib_module_names}


def test_run_as_a_script_it_learns_its_sentences() -> None:
    printed = subprocess.run(
        [sys.executable, str(PAGE)], capture_output=True, text=True, check=True
    ).stdout
    guessing, best, *reached = map(
        float, re.findall(r"(\d+(?:\.\d+)?)(?: by| at|$)", printed, re.M)
    )
    assert len(reached) == 3
    assert guessing > reached[0] > reached[1] > reached[2] > best
