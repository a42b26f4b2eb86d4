"""Pictures of expected against got: what is wrong is seen where it is, and said in words."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from saffu.conformance.contract.case import Expected
from saffu.conformance.judging.runner import Result
from saffu.conformance.judging.tolerance import compare
from saffu.conformance.judging.verdict import rule
from saffu.conformance.ports.protocol import Outputs
from saffu.conformance.report.page.divergence import Divergence, divergence, worst_first
from saffu.conformance.report.page.entries import comparison, figure
from saffu.conformance.report.page.scale import scale_of
from saffu.conformance.report.page.scatter import LEFT, MOST, SIDE, TOP, picture
from saffu.types import Array
from spec_tests.support.planted.cases import case

BOUND = 1e-6


def facing(expected: object, got: object, scale: float = 1.0) -> Divergence:
    truth, came = Expected(np.asarray(expected), scale), np.asarray(got)
    return Divergence("weights", "output", came, truth, BOUND, compare(came, truth))


def drawn(found: Divergence) -> tuple[ElementTree.Element, Array, Array]:
    """The picture, and where its dots and crosses lie: across and up, from 0 to 1."""
    svg = ElementTree.fromstring(picture(found))
    dots, crosses = (svg.find(f"path[@class='{name}']") for name in ("right", "wrong"))
    assert dots is not None
    assert crosses is not None
    return svg, points(dots), points(crosses)


def points(path: ElementTree.Element) -> Array:
    places = re.findall(r"M([-\d.]+) ([-\d.]+)", path.get("d", ""))
    return np.array([((float(x) - LEFT) / SIDE, 1 - (float(y) - TOP) / SIDE) for x, y in places])


def test_what_is_right_lies_on_the_diagonal_and_what_is_wrong_does_not() -> None:
    _, right, wrong = drawn(
        facing([[1.0, 2.0, 3.0], [5.0, 7.0, 11.0]], [[1.0, 2.0, 3.0], [5.0, 9.0, 0.0]])
    )
    assert len(right) == 4
    assert right[:, 0] == pytest.approx(right[:, 1], abs=1e-3)
    assert len(wrong) == 2
    (too_small, too_large) = sorted(wrong.tolist(), reverse=True)
    assert too_small[0] > too_small[1], "11, and 0 came: below the diagonal"
    assert too_large[0] < too_large[1], "7, and 9 came: above the diagonal"


def test_the_greatest_and_the_least_number_are_written_on_both_axes() -> None:
    svg, _, _ = drawn(facing([1.0, 2.0], [-4.0, 2.0]))
    texts = [each.text for each in svg.iter("text")]
    assert texts.count("−4") == texts.count("2") == 2
    assert "expected →" in texts
    assert "got ↑" in texts


def test_an_error_too_small_to_be_seen_is_drawn_by_itself() -> None:
    svg, right, wrong = drawn(facing([1.0, 2.0, 3.0], [1.0, 2.0 + 1e-4, 3.0 - 2e-4]))
    assert "got − expected ↑" in [each.text for each in svg.iter("text")]
    assert right[:, 1] == pytest.approx([0.5], abs=1e-3)
    heights = {round(float(x), 2): float(y) for x, y in wrong}
    up, down = heights[0.5] - 0.5, heights[max(heights)] - 0.5
    assert up > 0.1
    assert down == pytest.approx(-2 * up, abs=1e-2)
    band = svg.find("rect[@class='bounds']")
    assert band is not None
    assert float(band.get("height", "")) == pytest.approx(SIDE * 1e-6 / (1.15 * 2e-4), abs=0.06)
    assert "got minus expected" in svg.get("aria-label", "")


@given(
    arrays.arrays(np.float64, 7, elements=st.floats(width=64)),
    arrays.arrays(np.float64, 7, elements=st.floats(width=64)),
)
def test_every_entry_is_in_the_frame_whatever_came(expected: Array, got: Array) -> None:
    found = facing(expected, got)
    if not found.comparable:
        return
    _, right, wrong = drawn(found)
    every = np.array([*right.tolist(), *wrong.tolist()])
    assert np.isfinite(every).all()
    assert (every >= 0).all()
    assert (every <= 1).all()
    assert bool(len(wrong)) is bool(found.wrong.any())
    assert len(wrong) <= found.wrong.sum()


LANES = [(-np.inf, np.nan), (np.nan, np.inf), (np.inf, -np.inf), (3.0, np.nan), (-np.inf, 5.0)]


@pytest.mark.parametrize(("expected", "got"), LANES, ids=repr)
def test_what_is_not_finite_has_lanes_of_its_own_on_both_axes_alike(
    expected: float, got: float
) -> None:
    svg, right, wrong = drawn(facing([3.0, 5.0, expected], [3.0, 5.0, got]))
    _, _, mirrored = drawn(facing([3.0, 5.0, got], [3.0, 5.0, expected]))
    assert right[:, 0] == pytest.approx(right[:, 1], abs=1e-3)
    assert wrong == pytest.approx(mirrored[:, ::-1], abs=1e-3)
    (place,) = wrong.tolist()
    finite = sorted(right[:, 0])
    for at, x in zip(place, (expected, got), strict=True):
        if np.isfinite(x):
            assert np.abs(np.array(finite) - at).min() < 1e-3
        else:
            assert (at < finite[0]) if x == -np.inf else (at > finite[-1])
    texts = [each.text for each in svg.iter("text")]
    assert all(texts.count(name) == 2 for name in ("−∞", "+∞", "NaN"))


def test_infinities_that_are_expected_are_right_on_the_diagonal() -> None:
    _, right, wrong = drawn(
        facing([-np.inf, np.inf, np.nan, 1.0, 2.0], [-np.inf, np.inf, np.nan, 1.0, 3.0])
    )
    assert len(right) == 4
    assert right[:, 0] == pytest.approx(right[:, 1], abs=1e-3)
    assert len(set(right[:, 0])) == 4
    assert len(wrong) == 1


def test_numbers_far_beyond_leave_the_others_apart() -> None:
    _, right, wrong = drawn(facing([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, -1e12]))
    assert len(right) == 3
    assert np.diff(sorted(right[:, 0])).min() > 0.005
    assert wrong[0, 1] == pytest.approx(0.04, abs=1e-3)


@given(arrays.arrays(np.float64, 11, elements=st.floats(-1e300, 1e300), unique=True))
def test_a_scale_keeps_the_order(x: Array) -> None:
    places = scale_of(x[:5], x[5:]).place(np.sort(x))
    assert (np.diff(places) >= 0).all()
    assert places[0] < places[-1]


def test_truth_values_and_whole_numbers_have_pictures_too() -> None:
    _, right, wrong = drawn(facing([True, False, True], [True, True, True], 0.0))
    assert len(right) == len(wrong) == 1, "points that lie on one another are one"
    _, right, wrong = drawn(facing([0, 2, 4], [0, 2, 3], 0.0))
    assert len(right) == 2
    assert len(wrong) == 1
    _, right, wrong = drawn(facing([2**60, 4], [2**60 + 1, 4], 0.0))
    assert len(wrong) == 1


def test_the_worst_entries_are_drawn_and_no_more() -> None:
    got = np.zeros(1000)
    got[::3] = np.arange(1.0, 335.0)
    found = facing(np.zeros(1000), got)
    svg, right, wrong = drawn(found)
    assert len(right) == 0
    assert len(wrong) <= MOST
    assert wrong[:, 1].max() == pytest.approx(0.96, abs=1e-3)
    least = 0.04 + 0.92 * (335 - MOST) / 334  # of the 334 that are wrong
    assert wrong[:, 1].min() == pytest.approx(least, abs=1e-3)
    assert f"the worst {MOST} of 1000 entries" in svg.get("aria-label", "")
    assert "334 of 1000 entries out of bounds" in svg.get("aria-label", "")


@given(st.lists(st.floats(0, 1e6), min_size=1), st.integers(1, 9))
def test_the_worst_come_first(gaps: list[float], most: int) -> None:
    found = [gaps[at] for at in worst_first(np.array(gaps), most)]
    assert found == sorted(gaps, reverse=True)[:most]


def test_the_words_say_what_the_picture_shows() -> None:
    svg, _, _ = drawn(facing([[1.0, 2.0], [3.0, 4.0]], [[1.0, 2.0], [3.0, 7.5]]))
    assert svg.get("role") == "img"
    assert svg.get("aria-label") == (
        "Expected across, got up, for all 4 entries of weights. 1 of 4 entries out of bounds; "
        "the worst, entry [1, 1], is 7.5, expected 4.0."
    )
    svg, _, _ = drawn(facing(2.0, np.nan))
    assert "for the only entry of weights" in svg.get("aria-label", "")
    assert "the worst is nan, expected 2.0" in svg.get("aria-label", "")


# --- words ------------------------------------------------------------------------------------


def answered(name: str, **outputs: object) -> Result:
    asked = case(name)
    given = {name: np.asarray(x) for name, x in outputs.items()}
    return Result(asked, rule(asked, Outputs(given), "float64"), "core")


def test_the_first_array_that_diverges_is_compared_and_named_by_its_role() -> None:
    right = {
        name: each.value for name, each in case("explicit_solution/norms-of-two").in_order.items()
    }
    wrong = {**right, "priming": np.array(1.0), "weights": right["weights"] + 1}
    found = divergence(answered("explicit_solution/norms-of-two", **wrong))
    assert found is not None
    assert (found.name, found.role) == ("priming", "stage")
    pulled = {"probabilities": [[0.5, 0.5]], "gradient.logits": [[0.25, 0.25]]}
    found = divergence(answered("softmax/pulled", **pulled))
    assert found is not None
    assert (found.name, found.role) == ("gradient.logits", "gradient")
    assert found.wrong.tolist() == [False, True]


def test_another_shape_is_said_in_words_and_not_drawn() -> None:
    result = answered("softmax/even", probabilities=np.full((2, 3), 0.5))
    assert figure(result) is None
    text = comparison(result)
    assert "<dd>float64, 3 × 2</dd>" in text
    assert "<dd>float64, 2 × 3</dd>" in text


def test_a_result_that_did_not_come_is_said_to_be_missing() -> None:
    result = answered("softmax/even", other=np.zeros(3))
    assert divergence(result) is None
    text = comparison(result)
    assert "<dd>probabilities (3 × 2)</dd>" in text
    assert "expected an array probabilities, got other" in text


def test_bad_input_that_was_accepted_is_said_with_what_came() -> None:
    text = comparison(answered("softmax/not-a-number", probabilities=[[0.5, 0.5]]))
    assert "a refusal, with the reason non-finite" in text
    assert "the arrays probabilities (1 × 2)" in text


def test_an_error_is_given_in_units_of_its_bound() -> None:
    result = answered("perplexity/one", perplexity=1.5)
    assert "<dd>0.5, 5e+12 times the 1e-13 allowed</dd>" in comparison(result)
    infinite = answered("perplexity/one", perplexity=np.inf)
    assert "<dd>infinite; 1e-13 is allowed</dd>" in comparison(infinite)
    assert replace(result, seconds=1.0).ruling.error == 0.5
