"""One temper per slot: the plain fit on dense features, read by a solved layer.   (SPEC 1)"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from saffu.batch import LayerPlan, plan
from saffu.configuration import Configuration
from saffu.contexts import BlockContext, ContextModel, DocumentContext, RadialContext
from saffu.engines.passes import Everything, Passes
from saffu.errors import BadOption
from saffu.explicit.smoothing import Backoff
from saffu.explicit.temper import fit_temper, temper_curve, tempered_weights
from saffu.explicit.temper import slot_scores as plain_scores
from saffu.fast.warm import (
    Ingredients,
    Problem,
    Solved,
    ingredients,
    solve_tower,
)
from saffu.layer import LayerOptions, saffu_forward
from saffu.model import look_up
from saffu.positions import Samples, make_samples
from saffu.search.slots import fit_slots, towers_by_slot
from saffu.search.warm import Search, choose_warm_start
from saffu.types import Array
from saffu.warm.layer import WarmSettings
from saffu.warm.start import check_slots
from spec_tests.support.texts import random_documents

V = 23
TEXT = make_samples(random_documents(3, V, (5, 11, 2, 17, 7, 13, 19)))
JUDGE = make_samples(random_documents(11, V, (13, 7, 19, 3)))
SHAPE = Configuration(V, (RadialContext(3),), bits=7, label_bits=6)


def solved_layer(shape: Configuration, judge: Samples = JUDGE) -> tuple[Solved, Ingredients]:
    passes = Passes(Everything(TEXT))
    found = ingredients(passes, shape, np.float64)
    settings = WarmSettings(hidden_smoothing=Backoff(2.0), hidden_temper=None)
    (layer,) = solve_tower(Problem(passes, shape, settings, judge, found), 0)
    return layer, found


def features_of(shape: Configuration, layer: Solved, found: Ingredients) -> Array:
    """s of the judge's samples, by the plain layer."""
    (tower,) = plan(JUDGE, shape).towers
    assert isinstance(tower, tuple)
    rows = tower[0]
    assert isinstance(rows, LayerPlan)
    inputs = look_up(found.embedding, rows)
    parameters = layer.parameters
    state = saffu_forward(
        inputs, rows.mask, rows.pivot, parameters.attention, parameters.features, shape.layer
    )
    return state.features


@pytest.mark.parametrize("context", [RadialContext(3), BlockContext(5)])
@pytest.mark.parametrize("attention", ["softmax", "uniform", "surprisal"])
def test_the_tempers_are_those_of_the_plain_fit(context: ContextModel, attention: str) -> None:
    options = LayerOptions(attention=attention)  # type: ignore[arg-type]
    shape = replace(SHAPE, contexts=(context,), layer=options)
    layer, found = solved_layer(shape)
    s, y = features_of(shape, layer, found), found.labels[JUDGE.targets]
    slots = layer.parameters.attention.shape[0]
    plain = fit_temper(s, y, layer.counts, slots=slots)
    every = np.arange(JUDGE.targets.shape[0])
    lam = fit_slots(layer, JUDGE, every)
    np.testing.assert_allclose(lam, plain.temper, rtol=1e-5, atol=1e-6)
    again = layer.by_slot(lam)
    np.testing.assert_allclose(
        again.parameters.features, tempered_weights(layer.counts, plain.temper, layer.priming),
        rtol=1e-4, atol=1e-5,
    )  # fmt: skip
    prior, scores = plain_scores(s, layer.counts, slots)
    alone = temper_curve(np.full(slots, layer.temper), prior, scores, y).value
    assert plain.loss < alone - 1e-6


def test_only_the_samples_that_are_asked_for_are_read() -> None:
    layer, found = solved_layer(SHAPE)
    few = np.arange(0, JUDGE.targets.shape[0], 2)
    s, y = features_of(SHAPE, layer, found)[few], found.labels[JUDGE.targets[few]]
    plain = fit_temper(s, y, layer.counts, slots=3)
    np.testing.assert_allclose(fit_slots(layer, JUDGE, few), plain.temper, rtol=1e-5, atol=1e-6)


def test_a_slot_that_says_nothing_keeps_its_one() -> None:
    layer, _ = solved_layer(SHAPE)
    offsets = JUDGE.offsets
    first = np.flatnonzero(offsets == 0)  # <sod> is all that these targets see
    lam = fit_slots(layer, JUDGE, first)
    assert lam[1:].tolist() == [1.0, 1.0]
    assert lam[0] != 1.0


def test_a_factor_multiplies_every_slot() -> None:
    layer, _ = solved_layer(SHAPE)
    every = np.arange(JUDGE.targets.shape[0])
    ((one,),), _ = towers_by_slot(((layer,),), JUDGE, every)
    three = one.scaled(3.0)
    lam = fit_slots(layer, JUDGE, every)
    assert three.temper == 3.0
    np.testing.assert_allclose(
        three.parameters.features, tempered_weights(layer.counts, 3 * lam, layer.priming),
        rtol=1e-12,
    )  # fmt: skip


def test_a_document_keeps_its_one_temper() -> None:
    layer, _ = solved_layer(replace(SHAPE, contexts=(DocumentContext(),)))
    assert towers_by_slot(((layer,),), JUDGE, np.arange(5)) == (((layer,),), ((),))


def test_a_search_tells_the_tempers_of_all_slots() -> None:
    shape = replace(SHAPE, contexts=(RadialContext(3), DocumentContext()))
    search = Search(slot_tempers=True, scales=(2.0, 3.0), hidden=(Backoff(2.0),))
    passes = Passes(Everything(TEXT))
    chosen = choose_warm_start(passes, shape, JUDGE, search)
    (radial,) = chosen.slot_tempers  # the document has no slots
    assert len(set(radial)) == 3
    plain = choose_warm_start(passes, shape, JUDGE, replace(search, slot_tempers=False))
    assert plain.slot_tempers == ()
    ours, theirs = (start.start.parameters.towers[0][0] for start in (chosen, plain))
    np.testing.assert_array_equal(ours.attention, theirs.attention)
    lam = plain.start.hidden_tempers[0][0]
    one, by_slot = (np.diff(x.features.reshape(3, 7, 6), axis=1) for x in (theirs, ours))
    by_rows = np.array(radial)[:, None, None]  # within a slot the prior is the same in all rows
    np.testing.assert_allclose(by_slot / by_rows, one / lam, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize(
    ("shape", "what"),
    [
        (replace(SHAPE, layer=LayerOptions(aggregation="sum")), "aggregation='sum'"),
        (replace(SHAPE, depth=2), "depth > 1"),
    ],
)
def test_what_has_no_slots_side_by_side_is_refused(shape: Configuration, what: str) -> None:
    with pytest.raises(BadOption, match=what):
        check_slots(shape)
    with pytest.raises(BadOption, match="slot_tempers"):
        choose_warm_start(Passes(Everything(TEXT)), shape, JUDGE, Search(slot_tempers=True))
