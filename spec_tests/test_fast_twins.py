"""Every public function of `saffu.fast` has a plain twin, and a test that holds it equal to it.

A function that has none belongs elsewhere: choices on held-out text in `saffu.search`, passes over
a text in `saffu.engines`.
"""

from __future__ import annotations

import inspect
import pkgutil
from importlib import import_module
from typing import Any, NamedTuple

import pytest

import saffu.fast
from saffu.fast.plans import slices


class Twin(NamedTuple):
    """What a fast function is equal to."""

    plain: str
    """the plain function, by module and name"""
    test: str
    """module and name of the test of both"""
    through: tuple[str, ...] = ()
    """fast functions by which the test calls it, from the one in the test down to its caller"""


EQUAL = "test_fast_equal"
STREAM = "warm.stream_warm_start"
TOWER = (STREAM, "warm.solve_towers", "warm.solve_tower")
FIT = (*TOWER, "warm.solve_counting_layer")
LAYER = (*TOWER, "warm.layer_above")
STREAMED = f"{EQUAL}.test_a_streamed_warm_start_is_the_plain_one"
FITTED = f"{EQUAL}.test_tempers_fitted_on_the_same_samples_agree"
FROZEN = f"{EQUAL}.test_a_frozen_step_has_the_plain_loss_and_gradient"
THAWED = f"{EQUAL}.test_a_thawed_step_has_the_plain_loss_and_gradient"
CHUNKS = f"{EQUAL}.test_whole_chunks_are_predicted_as_single_samples_are"
LOOK_UPS = f"{EQUAL}.test_look_ups_replace_products"
STEP = ("step.step_gradient", "step.Tower")
START = "saffu.warm.start.warm_start"
FORWARD, GRADIENT = "saffu.model.model_forward", "saffu.model.model_gradient"

TWINS = {
    "adam.adam_in_blocks": Twin(
        "saffu.optim.adam_step", f"{EQUAL}.test_adam_in_blocks_is_adam_to_the_last_bit"
    ),
    "attention.attend_slots": Twin(
        "saffu.layer.saffu_forward", LOOK_UPS, ("token_layer.attend_tokens",)
    ),
    "comparison_cache.Comparisons": Twin(
        "numpy.einsum",
        f"{EQUAL}.test_comparisons_are_the_same_with_and_without_the_gram_matrix",
        ("comparison_cache.comparisons",),
    ),
    "comparison_cache.comparisons": Twin(
        "numpy.einsum", f"{EQUAL}.test_comparisons_are_the_same_with_and_without_the_gram_matrix"
    ),
    "comparison_cache.sparse_where_it_pays": Twin(
        "saffu.layer.saffu_forward", LOOK_UPS, ("token_layer.feature_table",)
    ),
    "counting_layers.TokenLayer": Twin(START, STREAMED, LAYER),
    "counting_layers.TokenScorer": Twin(START, STREAMED, (*LAYER, "counting_layers.TokenLayer")),
    "counting_layers.HigherLayer": Twin(START, STREAMED, LAYER),
    "counting_layers.BagLayer": Twin(START, STREAMED, LAYER),
    "frozen.freeze": Twin(GRADIENT, FROZEN),
    "frozen.forward_frozen": Twin(GRADIENT, FROZEN, STEP),
    "frozen.backward_frozen": Twin(GRADIENT, FROZEN, STEP),
    "label_sums.whole_codes": Twin(
        "numpy.outer", "test_fast_label_sums.test_chunks_add_up_to_outer_products"
    ),
    "label_sums.LabelSums": Twin(
        "numpy.outer", "test_fast_label_sums.test_chunks_add_up_to_outer_products"
    ),
    "label_sums.LabelTotal": Twin(
        "numpy.outer",
        "test_fast_label_sums.test_chunks_add_up_to_outer_products",
        ("label_sums.LabelSums",),
    ),
    "loss.nats_and_gradient": Twin(
        "saffu.loss.cross_entropy_gradient",
        f"{EQUAL}.test_nats_and_their_gradient_are_the_plain_ones",
    ),
    "loss.nats_of": Twin(
        "saffu.loss.token_nats", f"{EQUAL}.test_nats_and_their_gradient_are_the_plain_ones"
    ),
    "pair_sums.PairSums": Twin(
        "numpy.zeros", "test_fast_engines.test_pairs_are_counted_one_by_one"
    ),
    "plans.bag_means": Twin(FORWARD, CHUNKS, ("predict.chunk_hidden",)),
    "plans.running_means": Twin(
        "saffu.contexts.document_context", f"{EQUAL}.test_running_means_are_the_document_context"
    ),
    "plans.slices": Twin("builtins.range", "test_fast_twins.test_slices_are_the_range"),
    "plans.step_in_samples": Twin(
        FORWARD, CHUNKS, ("predict.chunk_hidden", "predict.higher_states")
    ),
    "plans.step_in_tokens": Twin(FORWARD, CHUNKS, ("predict.chunk_hidden",)),
    "predict.chunk_hidden": Twin(FORWARD, CHUNKS),
    "predict.chunk_nats": Twin("saffu.loss.token_nats", CHUNKS),
    "predict.higher_states": Twin(FORWARD, CHUNKS, ("predict.chunk_hidden",)),
    "predict.token_scores": Twin(FORWARD, CHUNKS, ("predict.chunk_hidden",)),
    "softmax.lower": Twin(
        "saffu.numerics.softmax",
        f"{EQUAL}.test_nats_hold_however_far_logits_lie_apart",
        ("softmax.softmax_over",),
    ),
    "softmax.row_sums": Twin(
        "saffu.numerics.softmax",
        f"{EQUAL}.test_nats_hold_however_far_logits_lie_apart",
        ("softmax.softmax_over",),
    ),
    "softmax.softmax_over": Twin(
        "saffu.numerics.softmax", f"{EQUAL}.test_nats_hold_however_far_logits_lie_apart"
    ),
    "step.step_gradient": Twin(GRADIENT, THAWED),
    "step.Tower": Twin(GRADIENT, THAWED, ("step.step_gradient",)),
    "tempering.curve": Twin(
        "saffu.explicit.temper.temper_curve",
        f"{EQUAL}.test_the_curve_of_one_temper_is_the_plain_one",
    ),
    "tempering.fit_one": Twin(
        "saffu.explicit.temper.fit_temper",
        f"{EQUAL}.test_one_temper_is_fitted_as_in_the_plain_version",
    ),
    "tempering.of_rows": Twin(
        "saffu.explicit.temper.fit_temper",
        f"{EQUAL}.test_one_temper_is_fitted_as_in_the_plain_version",
    ),
    "tempering.of_tokens": Twin(
        "saffu.explicit.temper.fit_temper",
        f"{EQUAL}.test_one_temper_is_fitted_as_in_the_plain_version",
    ),
    "thawed.forward_thawed": Twin(GRADIENT, THAWED, STEP),
    "thawed.backward_thawed": Twin(GRADIENT, THAWED, STEP),
    "token_layer.attend_tokens": Twin("saffu.layer.saffu_forward", LOOK_UPS),
    "token_layer.feature_table": Twin("saffu.layer.saffu_forward", LOOK_UPS),
    "token_layer.look_up_table": Twin(START, STREAMED, (*LAYER, "counting_layers.TokenLayer")),
    "token_layer.read_table": Twin("saffu.layer.saffu_forward", LOOK_UPS),
    "token_layer.weigh_tokens": Twin(
        FORWARD, CHUNKS, ("predict.chunk_hidden", "predict.token_scores")
    ),
    STREAM: Twin(START, STREAMED),
    "warm.ingredients": Twin(START, STREAMED, (STREAM,)),
    "warm.solve_towers": Twin(START, STREAMED, TOWER[:1]),
    "warm.solve_tower": Twin(START, STREAMED, TOWER[:2]),
    "warm.layer_above": Twin(START, STREAMED, TOWER),
    "warm.solve_counting_layer": Twin(START, STREAMED, TOWER),
    "warm.attention_weights": Twin(START, STREAMED, FIT),
    "warm.Solved": Twin(START, STREAMED, FIT),
    "warm.fit_layer": Twin(START, FITTED, FIT),
    "warm.fit_output": Twin(START, FITTED, (STREAM,)),
    "warm.hidden_reader": Twin(START, FITTED, (STREAM,)),
    "warm.HiddenReader": Twin(START, FITTED, (STREAM, "warm.hidden_reader")),
    "warm.tower_reader": Twin(START, FITTED, (STREAM, "warm.hidden_reader")),
    "warm.TowerReader": Twin(START, FITTED, (STREAM, "warm.hidden_reader", "warm.tower_reader")),
    "warm.output_counts": Twin(START, STREAMED, (STREAM,)),
}


def public() -> dict[str, Any]:
    """Functions, and classes with methods, of the modules of `saffu.fast`."""
    members = {}
    for found in pkgutil.iter_modules(saffu.fast.__path__):
        module = import_module(f"saffu.fast.{found.name}")
        for name, value in vars(module).items():
            own = getattr(value, "__module__", None) == module.__name__
            if own and not name.startswith("_") and (inspect.isfunction(value) or computes(value)):
                members[f"{found.name}.{name}"] = value
    return members


def computes(value: Any) -> bool:
    """Whether it is a class with methods, and no mere interface; sums of records are none."""
    if not inspect.isclass(value) or getattr(value, "_is_protocol", False):
        return False
    return any(
        inspect.isfunction(method) and (name == "__call__" or not name.startswith("_"))
        for name, method in vars(value).items()
    )


def source_of(name: str) -> str:
    """The source of a fast function."""
    module, _, member = name.partition(".")
    return inspect.getsource(getattr(import_module(f"saffu.fast.{module}"), member))


def test_every_public_function_is_registered() -> None:
    assert set(public()) == set(TWINS)


@pytest.mark.parametrize("name", list(TWINS))
def test_the_test_is_of_both(name: str) -> None:
    plain, test, through = TWINS[name]
    module, _, member = plain.rpartition(".")
    assert callable(getattr(import_module(module), member))
    where, _, function = test.partition(".")
    text = inspect.getsource(getattr(import_module(f"spec_tests.{where}"), function))
    assert member in text
    for step in (*through, name):
        called = step.partition(".")[2]
        assert f"{called}" in text, f"{called} is not called there"
        text = source_of(step)


@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_slices_are_the_range(size: int) -> None:
    pieces = [range(23)[part] for part in slices(23, size)]
    assert [i for piece in pieces for i in piece] == list(range(23))
    assert all(1 <= len(piece) <= size for piece in pieces)
