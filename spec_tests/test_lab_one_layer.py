"""Layers over labelled features: counted and polished, as quickly as can be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saffu.counts import cooccurrence
from saffu.errors import LabelOutOfRange, NegativeEntry, NonFiniteEntry, SaffuError, WrongShape
from saffu.explicit.refinement import refine, refined_logits
from saffu.loss import cross_entropy, cross_entropy_gradient
from saffu.types import Array
from saffu_lab.one_layer import label_cooccurrence as counting
from saffu_lab.one_layer import whitened_lbfgs as polishing
from saffu_lab.one_layer.label_cooccurrence import count_classes
from saffu_lab.one_layer.whitened_lbfgs import polish

RANDOM = np.random.default_rng(13)
FEATURES = RANDOM.random((211, 5)) * (RANDOM.random((211, 5)) < 0.6) * [1.0, 8.0, 0.5, 2.0, 1.0]
LABELS = RANDOM.integers(0, 3, 211)


def loss_of(weights: Array, bias: Array) -> float:
    return float(cross_entropy(FEATURES @ weights + bias, np.eye(3)[LABELS]))


# --- counting ---------------------------------------------------------------------------------


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.sampled_from([1, 7, 1 << 20]))
def test_classes_are_counted_as_one_hot_targets_are(seed: int, samples: int, block: int) -> None:
    random = np.random.default_rng(seed)
    features, labels = random.integers(0, 9, (samples, 3)) / 1.0, random.integers(0, 5, samples)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counting, "BLOCK", block)
        quick = count_classes(features, labels, 5)
    plain = cooccurrence(features, np.eye(5)[labels])
    np.testing.assert_array_equal(quick.counts, plain.counts)
    assert (quick.norm, quick.samples) == (plain.norm, plain.samples)


def test_sums_of_single_precision_are_added_up_in_double(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "BLOCK", 10)
    features = np.full((5000, 1), 0.1, dtype=np.float32)
    found = count_classes(features, np.zeros(5000, dtype=np.int64), 2)
    assert found.counts.dtype == np.float64
    assert found.counts[0, 0] == pytest.approx(5000 * float(np.float32(0.1)), rel=3e-7)


@pytest.mark.parametrize(
    ("row", "value", "kind"),
    [(0, -1e-300, NegativeEntry), (4, np.nan, NonFiniteEntry), (2, np.inf, NonFiniteEntry)],
)
def test_features_that_are_none_are_refused(row: int, value: float, kind: type) -> None:
    features = np.ones((5, 2))
    features[row, 1] = value
    with pytest.raises(kind, match=rf"{row}, 1"):
        count_classes(features, np.zeros(5, dtype=np.int64), 3)


def test_infinities_of_both_signs_do_not_hide_each_other() -> None:
    features = np.array([[np.inf], [-np.inf]])
    with pytest.raises(SaffuError):
        count_classes(features, np.array([0, 0]), 2)


@pytest.mark.parametrize("bad", [-1, 3])
def test_labels_that_are_none_are_refused(bad: int) -> None:
    labels = np.array([0, bad, 2])
    with pytest.raises(LabelOutOfRange, match="1"):
        count_classes(np.ones((3, 2)), labels, 3)
    with pytest.raises(LabelOutOfRange, match="1"):
        polish(np.zeros((2, 3)), np.zeros(3), np.ones((3, 2)), labels)


def test_shapes_that_disagree_are_refused(as_users_call: None) -> None:
    ones, three = np.ones((3, 2)), np.array([0, 1, 2])
    for features, labels in ((ones, three[:2]), (ones[0], three), (ones[:0], three[:0])):
        with pytest.raises(SaffuError):
            count_classes(features, labels, 3)
    for weights, bias in ((np.zeros((3, 3)), np.zeros(3)), (np.zeros((2, 3)), np.zeros(2))):
        with pytest.raises(WrongShape):
            polish(weights, bias, ones, three)


# --- polishing --------------------------------------------------------------------------------


@pytest.mark.parametrize("measured", [3, 50, 1000])
def test_polishing_ends_where_the_gradient_is_zero(measured: int) -> None:
    found = polish(
        np.zeros((5, 3)), np.zeros(3), FEATURES, LABELS, measured=measured, tolerance=1e-15
    )
    logits = FEATURES @ found.weights + found.bias
    slope = cross_entropy_gradient(logits, np.eye(3)[LABELS])
    assert np.abs(FEATURES.T @ slope).max() < 1e-5
    assert np.abs(slope.sum(axis=0)).max() < 1e-5
    assert found.loss == pytest.approx(loss_of(found.weights, found.bias), rel=1e-12)
    assert not found.stopped


def test_iterative_scaling_ends_at_the_same_loss() -> None:
    inputs = np.hstack([FEATURES, np.ones((211, 1))])
    scaled = refine(np.zeros((6, 3)), inputs, np.eye(3)[LABELS], steps=4000)
    ours = polish(np.zeros((5, 3)), np.zeros(3), FEATURES, LABELS, tolerance=1e-15)
    logits = refined_logits(inputs, scaled)
    assert ours.loss == pytest.approx(cross_entropy(logits, np.eye(3)[LABELS]), abs=1e-4)


def test_it_goes_on_from_where_it_is() -> None:
    start = RANDOM.standard_normal((5, 3)), RANDOM.standard_normal(3)
    seen: list[tuple[Array, Array]] = []

    def watch(weights: Array, bias: Array) -> bool:
        seen.append((weights, bias))
        return len(seen) == 2

    found = polish(*start, FEATURES, LABELS, watch=watch)
    assert found.stopped
    losses = [loss_of(*start), *(loss_of(*each) for each in seen)]
    assert losses[0] > losses[1] > losses[2]
    np.testing.assert_array_equal(found.weights, seen[-1][0])


@pytest.mark.parametrize("most", [1, 4096])
def test_units_make_second_moments_the_identity(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a unit for each feature, their mean squares alone."""
    monkeypatch.setattr(polishing, "MOST_FEATURES", most)
    units = polishing.units_of(FEATURES, 1e-12)
    moments = FEATURES.T @ FEATURES / len(FEATURES)
    white = units.slope(units.slope(moments).T)
    if most == 1:
        white = np.diag(np.diag(white))
    np.testing.assert_allclose(white, np.eye(5), atol=1e-8)
    u = RANDOM.standard_normal((5, 3))
    np.testing.assert_allclose(units.weights(units.point(u)), u, rtol=1e-9, atol=1e-12)


def test_slopes_are_those_of_the_loss_in_its_units() -> None:
    """⟨dU, U(V)⟩ = ⟨dV, V⟩."""
    units = polishing.units_of(FEATURES, 0.01)
    point, d_weights = (RANDOM.standard_normal((5, 3)) for _ in range(2))
    assert np.sum(d_weights * units.weights(point)) == pytest.approx(
        np.sum(units.slope(d_weights) * point)
    )


def test_whitened_units_save_evaluations(monkeypatch: pytest.MonkeyPatch) -> None:
    mixed = FEATURES @ np.array(RANDOM.random((5, 5)) + 0.2)

    def evaluations() -> int:
        zeros = np.zeros((5, 3)), np.zeros(3)
        return polish(*zeros, mixed, LABELS, tolerance=1e-9).evaluations

    white = evaluations()
    monkeypatch.setattr(polishing, "MOST_FEATURES", 1)
    assert 1.5 * white < evaluations()


def test_a_feature_that_is_always_zero_does_no_harm() -> None:
    silent = np.hstack([FEATURES, np.zeros((211, 1))])
    found = polish(np.zeros((6, 3)), np.zeros(3), silent, LABELS, tolerance=1e-15)
    assert not found.weights[5].any()
    without = polish(np.zeros((5, 3)), np.zeros(3), FEATURES, LABELS, tolerance=1e-15)
    assert found.loss == pytest.approx(without.loss, abs=1e-9)


def test_single_precision_comes_back_as_it_went_in() -> None:
    small = FEATURES.astype(np.float32)
    found = polish(np.zeros((5, 3), np.float32), np.zeros(3, np.float32), small, LABELS)
    assert {found.weights.dtype, found.bias.dtype} == {np.dtype(np.float32)}


@pytest.mark.parametrize(
    "settings",
    [{"measured": 0}, {"ridge": 0.0}, {"most": 0}, {"tolerance": -1.0}],
    ids=str,
)
def test_settings_that_are_none_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(SaffuError):
        polish(np.zeros((5, 3)), np.zeros(3), FEATURES, LABELS, **settings)  # type: ignore[arg-type]


def test_weights_that_are_not_finite_are_refused() -> None:
    with pytest.raises(NonFiniteEntry):
        polish(np.full((5, 3), np.nan), np.zeros(3), FEATURES, LABELS)
