"""Direct output: tables of evidence, tempers by slot, attention on top.   (SPEC 1, 4, 5)"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from saffu.configuration import Configuration
from saffu.contexts import BlockContext, RadialContext
from saffu.direct import (
    DirectParameters,
    DirectTower,
    direct_logits,
    evidence_table,
    log_shares,
)
from saffu.engines.passes import Everything, Passes
from saffu.errors import BadOption
from saffu.explicit.smoothing import Additive, Backoff, Discount, Smoothing, smooth
from saffu.fast.comparison_cache import comparisons
from saffu.fast.plans import step_in_tokens
from saffu.fast.token_layer import attend_tokens
from saffu.layer import LayerOptions
from saffu.loss import token_nats
from saffu.models.sampling import next_logits
from saffu.numerics import log_softmax
from saffu.pairs import pair_counts
from saffu.positions import make_samples
from saffu.search.direct import (
    DirectSearch,
    choose_direct,
    count_slots,
    direct_nats,
    fit_slot_tempers,
    solve_direct_attention,
)
from spec_tests.support.texts import Chunked, random_documents

V = 13
DOCUMENTS = random_documents(8, V, (17, 5, 23, 11, 40))
TEXT = make_samples(DOCUMENTS)
UNIFORM = LayerOptions(attention="uniform")
SMOOTHINGS: list[Smoothing] = [Backoff(1.5), Discount(0.6)]


def _configuration(**changes: Any) -> Configuration:
    plain = Configuration(
        V, (RadialContext(3), BlockContext(2)), bits=5, label_bits=5, output="direct", layer=UNIFORM
    )
    return replace(plain, **changes)


@pytest.mark.parametrize("smoothing", SMOOTHINGS, ids=lambda s: type(s).__name__)
def test_logits_are_the_tempered_sum_of_log_ratios(smoothing: Smoothing) -> None:
    """Against the equation with dense conditional distributions P_k and no shortcut."""
    configuration = _configuration()
    counts, pairs = count_slots(Passes(Chunked(DOCUMENTS), chunk=20), configuration)
    q = (counts + 1) / (counts.sum() + V)
    np.testing.assert_allclose(np.exp(log_shares(counts)), q, rtol=1e-14)
    random = np.random.default_rng(1)
    towers, steps, weights = [], [], []
    expected = np.tile(np.log(q), (TEXT.targets.shape[0], 1))
    for tower, context in zip(pairs, configuration.contexts, strict=True):
        lam = random.uniform(0.1, 0.9, len(tower))
        step = step_in_tokens(TEXT, context)  # type: ignore[arg-type]
        w = np.where(step.mask, random.random(step.mask.shape), 0.0)
        tables = tuple(evidence_table(c, q, smoothing) for c in tower)
        towers.append(DirectTower(np.zeros((len(tower),) * 2), lam, tables))
        steps.append(step)
        weights.append(w)
        for k, c in enumerate(tower):
            ratio = np.log(_conditional(c.toarray(), q, smoothing)) - np.log(q)
            expected += (lam[k] * w[:, k])[:, None] * ratio[step.slots[:, k]]
    model = DirectParameters(np.eye(V), np.log(q), tuple(towers))
    np.testing.assert_allclose(
        log_softmax(direct_logits(model, steps, weights)), log_softmax(expected), rtol=1e-10
    )


def _conditional(c: Any, q: Any, smoothing: Smoothing) -> Any:
    """P(y | x) by row; q where a token was never seen."""
    p = np.tile(q, (V, 1))
    for x in range(V):
        f, n, cells = c[x], c[x].sum(), (c[x] > 0).sum()
        if n == 0:
            continue
        if isinstance(smoothing, Discount):
            d = smoothing.strength
            p[x] = (np.maximum(f - d, 0) + d * cells * q) / n
        else:
            p[x] = (f + smoothing.strength * q) / (n + smoothing.strength)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-12)
    return p


def test_tables_are_no_larger_than_the_pairs_that_occurred() -> None:
    pairs = pair_counts(TEXT.tokens, TEXT.targets, V)
    table = evidence_table(pairs, np.full(V, 1 / V), Discount(0.75))
    assert table.nnz == pairs.nnz < V * V
    assert np.array_equal(table.toarray() > 0, pairs.toarray() > 0)


@pytest.mark.parametrize("smoothing", [Additive(1.0), Backoff(0.0)])
def test_smoothing_that_leaves_no_sparse_table_is_refused(smoothing: Smoothing) -> None:
    pairs = pair_counts(TEXT.tokens, TEXT.targets, V)
    with pytest.raises(BadOption, match="Backoff or Discount of positive strength"):
        evidence_table(pairs, np.full(V, 1 / V), smoothing)


@pytest.mark.parametrize(
    "options", [UNIFORM, LayerOptions(), LayerOptions(attention="surprisal")], ids=str
)
def test_tempers_are_where_the_loss_does_not_slope(options: LayerOptions) -> None:
    configuration = _configuration(layer=options)
    model = _model(configuration)
    everywhere = np.arange(TEXT.targets.shape[0])
    fitted, loss = fit_slot_tempers(model, configuration, TEXT, everywhere)
    assert loss == pytest.approx(direct_nats(fitted, configuration, TEXT).mean(), rel=1e-5)
    for c, tower in enumerate(fitted.towers):
        for k in range(len(tower.tables)):
            for step in (-0.02, 0.02):
                moved = tower.temper + step * (np.arange(len(tower.tables)) == k)
                towers = [*fitted.towers]
                towers[c] = tower._replace(temper=moved)
                other = fitted._replace(towers=tuple(towers))
                worse = direct_nats(other, configuration, TEXT).mean()
                assert worse > direct_nats(fitted, configuration, TEXT).mean()


@pytest.mark.parametrize("kind", ["softmax", "surprisal"])
@pytest.mark.parametrize("gain", ["unit", "count"])
def test_one_step_towards_the_hidden_targets_lowers_the_loss(kind: str, gain: str) -> None:
    """W is solved from t; a small step from W = 0 along the gradient that t − a implies helps."""
    options = LayerOptions(attention=kind, gain=gain)  # type: ignore[arg-type]
    configuration = _configuration(contexts=(RadialContext(3),), layer=options)
    model = _model(configuration)
    plain = direct_nats(model, configuration, TEXT).sum()
    step = step_in_tokens(TEXT, RadialContext(3))
    gram = comparisons(model.embedding)
    seen = attend_tokens(step, gram, model.towers[0].attention, options)
    slope = np.zeros((3, 3))
    for i in range(3):
        for j in range(3):
            moved = model.towers[0].attention + 1e-6 * np.outer(
                np.arange(3) == i, np.arange(3) == j
            )
            there = direct_nats(_with(model, moved), configuration, TEXT).sum()
            slope[i, j] = (there - plain) / 1e-6
    t = _targets(model, configuration)
    np.testing.assert_allclose(-(seen.comparisons.T @ (t - seen.attention)), slope, atol=2e-3)


def _targets(model: DirectParameters, configuration: Configuration) -> Any:
    """Unclipped hidden targets of the first tower, from central differences in the attention."""
    (context,) = configuration.contexts
    step = step_in_tokens(TEXT, context)  # type: ignore[arg-type]
    options = configuration.layer
    seen = attend_tokens(step, comparisons(model.embedding), model.towers[0].attention, options)
    a, valid = seen.attention, step.mask
    count = valid.sum(axis=1, keepdims=True) if options.gain == "count" else 1.0

    def loss(attention: Any) -> Any:
        if options.attention == "surprisal":
            w = np.where(valid, -np.log(np.where(valid, attention, 1.0)), 0.0)
        else:
            w = count * attention
        return token_nats(direct_logits(model, [step], [w]), TEXT.targets.astype(np.int64))

    ascent = np.zeros_like(a)
    for k in range(a.shape[1]):
        e = 1e-6 * (np.arange(a.shape[1]) == k)
        ascent[:, k] = np.where(valid[:, k], (loss(a - e) - loss(a + e)) / 2e-6, 0.0)
    return a * (1 + ascent - (a * ascent).sum(axis=1, keepdims=True))


def test_attention_is_solved_from_the_hidden_targets() -> None:
    """The whole pass against the equations, with derivatives from differences."""
    configuration = _configuration(contexts=(RadialContext(3),), layer=LayerOptions())
    model = _model(configuration)
    search = DirectSearch(attention_smoothing=Additive(0.5))
    solved = (
        solve_direct_attention(Passes(Everything(TEXT)), model, configuration, search)
        .towers[0]
        .attention
    )
    step = step_in_tokens(TEXT, RadialContext(3))
    gram = comparisons(model.embedding)
    c = attend_tokens(step, gram, model.towers[0].attention, LayerOptions()).comparisons
    t = np.maximum(_targets(model, configuration), 0)
    t /= t.sum(axis=1, keepdims=True)
    f = smooth(c.T @ t, Additive(0.5))
    k = c.sum() / c.shape[0]
    np.testing.assert_allclose(solved, np.log(f) - (k - 1) / k * np.log(f.sum(axis=0)), rtol=1e-5)


def test_the_choice_is_the_best_tried_and_beats_the_unigram() -> None:
    configuration = _configuration()
    passes = Passes(Chunked(DOCUMENTS[:4]))
    held = make_samples(DOCUMENTS[4:])
    search = DirectSearch(smoothing=(Discount(0.3), Discount(0.75), Backoff(2.0)))
    chosen = choose_direct(passes, configuration, held, search)
    assert chosen.smoothing == min(chosen.tried, key=lambda pair: pair[1])[0]
    assert chosen.loss == min(loss for _, loss in chosen.tried)
    unigram = -chosen.parameters.prior[held.targets].mean()
    assert direct_nats(chosen.parameters, configuration, held).mean() < unigram - 0.1


def test_the_next_token_is_predicted_as_in_the_middle_of_a_text() -> None:
    configuration = _configuration(layer=LayerOptions())
    model = _model(configuration)
    document = DOCUMENTS[2]
    for n in (1, 2, 6):
        logits = next_logits(model, configuration, document[:n].astype(np.int64))
        nats = direct_nats(model, configuration, make_samples([document]))[n - 1]
        assert -log_softmax(logits)[document[n]] == pytest.approx(nats, rel=1e-10)


def _model(configuration: Configuration) -> DirectParameters:
    """Tables of the text with tempers and attention that are nothing special."""
    counts, pairs = count_slots(Passes(Everything(TEXT)), configuration)
    prior = log_shares(counts)
    random = np.random.default_rng(3)
    towers = tuple(
        DirectTower(
            random.standard_normal((len(tower),) * 2) * 0.3,
            random.uniform(0.2, 0.6, len(tower)),
            tuple(evidence_table(c, np.exp(prior), Backoff(2.0)) for c in tower),
        )
        for tower in pairs
    )
    embedding = random.random((V, 5))
    return DirectParameters(embedding / embedding.sum(axis=1, keepdims=True), prior, towers)


def _with(model: DirectParameters, attention: Any) -> DirectParameters:
    tower = model.towers[0]._replace(attention=attention)
    return model._replace(towers=(tower,))
