"""The transformer as its users see it: train, judge, generate, save, load.   (SPEC 4–8)"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest

from saffu import files
from saffu.batch import plan
from saffu.configuration import TINY, Configuration
from saffu.contexts import BlockContext, DocumentContext, RadialContext
from saffu.data.corpus import Corpus
from saffu.data.vocabulary import Vocabulary
from saffu.errors import BadFile, BadOption, Interrupted, NotConverged, NotFitted, SaffuError
from saffu.explicit.smoothing import Backoff
from saffu.layer import LayerOptions
from saffu.model import model_forward
from saffu.models.modelfile import to_arrays
from saffu.models.sampling import next_logits, pick
from saffu.models.training import Rates, Schedule
from saffu.models.transformer import SCHEMA, SaffuTransformer
from saffu.numerics import softmax
from saffu.parameters import Parameters, flatten
from saffu.positions import make_samples
from saffu.search.warm import ChosenStart, Search
from saffu.warm.layer import WarmSettings
from saffu.warm.start import warm_start
from spec_tests.support.texts import WORDS, corpora

TRAIN, HELD, VOCABULARY, TOKENISER = corpora()
V = len(VOCABULARY)
SHAPE = Configuration(V, (RadialContext(3), DocumentContext()), bits=7, label_bits=6)
DIRECT = Configuration(
    V,
    (RadialContext(3),),
    bits=7,
    label_bits=6,
    output="direct",
    layer=LayerOptions(attention="uniform"),
)
SCHEDULE = Schedule(batch=64, frozen_epochs=2, thawed_epochs=1, rates=Rates.all(0.02), chunk=150)


def _model(shape: Configuration = SHAPE, **more: Any) -> SaffuTransformer:
    model = SaffuTransformer(shape, TOKENISER, VOCABULARY, **more)
    model.warm_start(TRAIN, HELD)
    return model


def _arrays(model: SaffuTransformer) -> dict[str, Any]:
    assert model.parameters is not None
    return to_arrays(model.parameters)


def _same(one: SaffuTransformer, other: SaffuTransformer) -> bool:
    a, b = _arrays(one), _arrays(other)
    return a.keys() == b.keys() and all(np.array_equal(a[k], b[k]) for k in a)


SHAPES = [
    SHAPE,
    replace(SHAPE, contexts=(BlockContext(2), RadialContext(2)), depth=2),
    replace(SHAPE, radii=(1, 2), combine="cat"),
    DIRECT,
    replace(DIRECT, layer=LayerOptions(), contexts=(BlockContext(4), RadialContext(2))),
]


@pytest.mark.parametrize("shape", SHAPES, ids=["plain", "deep", "radial", "direct", "attending"])
def test_a_warm_start_predicts_better_than_the_unigram(shape: Configuration) -> None:
    model = _model(shape)
    counts = TRAIN.counts(V) + 1.0
    targets = np.concatenate([d[1:] for d in HELD])
    unigram = float(np.exp(-np.log(counts / counts.sum())[targets].mean()))
    assert model.perplexity(HELD) < 0.8 * unigram


def test_no_knowledge_has_the_perplexity_of_the_vocabulary() -> None:
    model = SaffuTransformer(SHAPE, TOKENISER, VOCABULARY, dtype="float64")
    model.cold_start(TRAIN, scale=0.0, seed=1)
    assert model.perplexity(HELD) == pytest.approx(V, rel=1e-12)


def test_totals_add_up_over_every_target_of_the_text() -> None:
    model = _model(dtype="float64")
    total = model.nats(HELD)
    assert isinstance(model.parameters, Parameters)
    expected = 0.0
    for document in HELD:
        state = model_forward(model.parameters, plan(make_samples([document]), SHAPE), SHAPE.layer)
        p = softmax(state.logits)
        expected -= sum(np.log(p[t, token]) for t, token in enumerate(document[1:]))
    assert total.nats == pytest.approx(expected, rel=1e-9)
    assert total.targets == HELD.targets == sum(len(d) - 1 for d in HELD)
    assert total.bits_per_byte == pytest.approx(expected / np.log(2) / HELD.bytes, rel=1e-9)
    assert model.perplexity(HELD) == pytest.approx(np.exp(expected / HELD.targets), rel=1e-9)


def test_what_was_chosen_is_among_what_was_tried_and_no_worse() -> None:
    model = SaffuTransformer(SHAPE, TOKENISER, VOCABULARY)
    search = Search(hidden=(Backoff(0.3), Backoff(30.0)), scales=(1.0, 3.0))
    chosen = model.warm_start(TRAIN, HELD, search=search)
    assert isinstance(chosen, ChosenStart)
    by_what: dict[str, list[float]] = {}
    for line in chosen.tried:
        by_what.setdefault(line.what, []).append(line.loss)
    assert {w: len(v) for w, v in by_what.items()} == {
        "α of U": 2,
        "factor on λ of U": 2,
        "α of O": len(search.output),
    }
    assert chosen.loss == min(by_what["α of O"])
    losses = {line.value: line.loss for line in chosen.tried if line.what == "α of U"}
    assert chosen.settings.hidden_smoothing.strength == min(losses, key=lambda a: losses[a])
    factors = {line.value: line.loss for line in chosen.tried if line.what.startswith("factor")}
    assert chosen.settings.hidden_scale == min(factors, key=lambda s: factors[s])


SEARCHES = {
    "one layer": (SHAPE, Search()),
    "slots": (
        replace(SHAPE, contexts=(RadialContext(3), DocumentContext())),
        Search(slot_tempers=True),
    ),
    "stack": (replace(SHAPE, contexts=(BlockContext(2),), depth=2), Search(scales=(1.0, 3.0))),
    "surprisal": (replace(SHAPE, layer=LayerOptions(attention="surprisal")), Search(rounds=2)),
}


@pytest.mark.parametrize("name", list(SEARCHES))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_chosen_settings_repeat_the_search(name: str, dtype: str) -> None:
    """The search ends in the streamed warm start, which gives the same start from its settings."""
    shape, search = SEARCHES[name]
    model, again = (SaffuTransformer(shape, TOKENISER, VOCABULARY, dtype=dtype) for _ in range(2))
    chosen = model.warm_start(TRAIN, HELD, search=search, seed=3)
    assert isinstance(chosen, ChosenStart)
    start = again.warm_start(TRAIN, HELD, settings=chosen.settings, seed=3)
    assert start.hidden_tempers == chosen.start.hidden_tempers
    assert start.output_temper == chosen.start.output_temper
    assert start.parameters is again.parameters
    for a, b in zip(flatten(start.parameters), flatten(chosen.start.parameters), strict=True):
        assert a.dtype == dtype
        np.testing.assert_allclose(b, a, rtol=1e-12)
    assert bool(chosen.slot_tempers) == search.slot_tempers


@pytest.mark.parametrize("by_slot", [False, True])
def test_the_chosen_settings_repeat_the_model_in_the_plain_version(by_slot: bool) -> None:
    """What the search reports is what it built: the plain warm start gives the same numbers."""
    shape = replace(SHAPE, contexts=(RadialContext(3),), layer=LayerOptions(attention="uniform"))
    model = SaffuTransformer(shape, TOKENISER, VOCABULARY, dtype="float64")
    chosen = model.warm_start(TRAIN, HELD, search=Search(slot_tempers=by_slot))
    assert isinstance(chosen, ChosenStart)
    ((lam,),) = chosen.start.hidden_tempers
    settings = replace(chosen.settings, hidden_temper=lam / chosen.settings.hidden_scale)
    plain = warm_start(list(TRAIN), shape, settings)
    assert isinstance(model.parameters, Parameters)
    for a, b in zip(flatten(plain.parameters), flatten(model.parameters), strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-9, atol=1e-10)


def test_settings_are_for_one_way_only() -> None:
    model = SaffuTransformer(SHAPE, TOKENISER, VOCABULARY)
    with pytest.raises(BadOption, match="search must be None when settings are given"):
        model.warm_start(TRAIN, HELD, settings=WarmSettings(), search=Search())  # type: ignore[call-overload]
    direct = SaffuTransformer(DIRECT, TOKENISER, VOCABULARY)
    with pytest.raises(BadOption, match="None with output='direct'"):
        direct.warm_start(TRAIN, HELD, settings=WarmSettings())


def test_a_corpus_is_passed_on_at_most_sixty_times() -> None:
    """Calls that receive the corpus, or a record that holds it, in one search with its passes."""
    train, held, vocabulary, tokeniser = corpora()
    model = SaffuTransformer(replace(TINY, vocabulary=len(vocabulary)), tokeniser, vocabulary)
    frames: dict[FrameType, str] = {}  # a generator that goes on is no new call

    def holds(value: Any, depth: int = 3) -> bool:
        if value is train:
            return True
        inside = value if isinstance(value, tuple) else getattr(value, "__dict__", {}).values()
        return depth > 0 and any(holds(part, depth - 1) for part in inside)

    def note(frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        ours = event == "call" and "saffu" in code.co_filename
        if ours and frame not in frames and any(holds(frame.f_locals.get(n)) for n in names):
            frames[frame] = code.co_qualname

    sys.setprofile(note)
    try:
        model.warm_start(train, held)
    finally:
        sys.setprofile(None)
    assert 10 < len(frames) <= 60, sorted(frames.values())


def test_training_lowers_the_loss_and_keeps_a_history() -> None:
    model = SaffuTransformer(SHAPE, TOKENISER, VOCABULARY)
    model.cold_start(TRAIN, scale=0.1, seed=1)
    before = model.perplexity(HELD)
    history = model.train(TRAIN, HELD, SCHEDULE)
    assert model.perplexity(HELD) < 0.7 * before
    assert history is model.history
    assert np.exp(min(r.validation_nats for r in history)) == pytest.approx(
        model.perplexity(HELD), rel=1e-5
    )


def test_fit_is_the_explicit_solution_and_then_training() -> None:
    for schedule in (None, SCHEDULE):
        steps = _model()
        if schedule is not None:
            steps.train(TRAIN, HELD, schedule)
        once = SaffuTransformer(SHAPE, TOKENISER, VOCABULARY)
        assert once.fit(TRAIN, HELD, schedule) is once
        assert _same(steps, once)
        assert len(once.history) == len(steps.history)
    direct = SaffuTransformer(DIRECT, TOKENISER, VOCABULARY)
    with pytest.raises(SaffuError, match="nothing to train by gradient"):
        direct.fit(TRAIN, HELD, SCHEDULE)
    assert direct.parameters is None


def test_an_explicit_solution_outlives_a_rate_that_is_too_high() -> None:
    model, explicit = _model(), _model()
    with pytest.raises(NotConverged, match="lower the learning rate"):
        model.train(TRAIN, HELD, replace(SCHEDULE, optimiser="sgd", rates=Rates.all(1e200)))
    assert _same(model, explicit)


@pytest.mark.parametrize("name", ["embedding", "output"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_file_with_numbers_that_are_none_is_refused(
    tmp_path: Path, name: str, value: float
) -> None:
    _model().save(tmp_path / "good")
    header, arrays = files.read_file(tmp_path / "good", SCHEMA)
    arrays[name][1, 2] = value
    files.write_file(tmp_path / "bad", SCHEMA, 1, header, arrays)
    with pytest.raises(BadFile, match=rf"{name}.*{value} at \[1, 2\]"):
        SaffuTransformer.load(tmp_path / "bad")


@pytest.mark.parametrize(
    ("part", "at", "value"),
    [("indices", 3, V), ("indices", 0, -1), ("indptr", 2, 10**6), ("indptr", 0, 1)],
)
def test_a_table_that_points_elsewhere_is_refused(
    tmp_path: Path, part: str, at: int, value: int
) -> None:
    _model(DIRECT).save(tmp_path / "good")
    header, arrays = files.read_file(tmp_path / "good", SCHEMA)
    arrays[f"tower0.table0.{part}"][at] = value
    files.write_file(tmp_path / "bad", SCHEMA, 1, header, arrays)
    with pytest.raises(BadFile, match=r"tower0\.table0"):
        SaffuTransformer.load(tmp_path / "bad")


@pytest.mark.parametrize("shape", SHAPES, ids=["plain", "deep", "radial", "direct", "attending"])
def test_a_saved_model_comes_back_whole(shape: Configuration, tmp_path: Path) -> None:
    model = _model(shape)
    model.save(tmp_path / "model")
    back = SaffuTransformer.load(tmp_path / "model")
    assert _same(model, back)
    assert back.configuration == shape
    assert back.vocabulary.tokens == VOCABULARY.tokens
    assert back.dtype == model.dtype
    assert back.perplexity(HELD) == model.perplexity(HELD)
    assert back.generate("the cat", seed=4) == model.generate("the cat", seed=4)


@pytest.mark.parametrize("after", [2, 9, 15])
def test_an_interrupted_fit_resumes_from_its_file_to_the_same_model(
    after: int, tmp_path: Path
) -> None:
    start = _model()
    start.save(tmp_path / "start")
    whole = SaffuTransformer.load(tmp_path / "start")
    whole.train(TRAIN, HELD, SCHEDULE)
    calls = iter(range(10**6))

    def stop(stage: str, done: int, total: int) -> None:
        if next(calls) == after:
            raise KeyboardInterrupt

    broken = SaffuTransformer.load(tmp_path / "start")
    with pytest.raises(Interrupted, match="can be resumed"):
        broken.train(TRAIN, HELD, SCHEDULE, checkpoint=tmp_path / "kept", progress=stop)
    usable = SaffuTransformer.load(tmp_path / "kept")
    assert np.isfinite(usable.perplexity(HELD))
    usable.train(TRAIN, HELD, SCHEDULE, checkpoint=tmp_path / "kept", resume=True)
    assert _same(usable, whole)
    assert [r[:3] for r in usable.history] == [r[:3] for r in whole.history]


def test_resuming_with_other_settings_or_texts_is_refused(tmp_path: Path) -> None:
    model = _model()

    def stop(stage: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        model.train(TRAIN, HELD, SCHEDULE, checkpoint=tmp_path / "kept", progress=stop)
    again = SaffuTransformer.load(tmp_path / "kept")
    for changed in (replace(SCHEDULE, batch=32), replace(SCHEDULE, seed=5)):
        with pytest.raises(BadOption, match="as when training began"):
            again.train(TRAIN, HELD, changed, checkpoint=tmp_path / "kept", resume=True)
    with pytest.raises(BadOption, match="train must be "):
        again.train(HELD, HELD, SCHEDULE, checkpoint=tmp_path / "kept", resume=True)
    with pytest.raises(BadOption, match="checkpoint"):
        again.train(TRAIN, HELD, SCHEDULE, resume=True)
    again.save(tmp_path / "done")
    with pytest.raises(BadFile, match="no training to resume"):
        again.train(TRAIN, HELD, SCHEDULE, checkpoint=tmp_path / "done", resume=True)


def test_files_that_hold_no_model_are_refused(tmp_path: Path) -> None:
    files.write_file(tmp_path / "other", "something-else", 1, {}, {})
    with pytest.raises(BadFile):
        SaffuTransformer.load(tmp_path / "other")
    files.write_file(tmp_path / "empty", SCHEMA, 1, {}, {})
    with pytest.raises(BadFile, match="does not describe a model"):
        SaffuTransformer.load(tmp_path / "empty")
    model = _model()
    model.save(tmp_path / "good")
    header, arrays = files.read_file(tmp_path / "good", SCHEMA)
    del arrays["output"]
    files.write_file(tmp_path / "less", SCHEMA, 1, header, arrays)
    with pytest.raises(BadFile, match="output"):
        SaffuTransformer.load(tmp_path / "less")


def test_generation_is_repeatable_and_never_unknown() -> None:
    model = _model()
    texts = {model.generate("the", tokens=20, seed=s) for s in range(6)}
    assert len(texts) > 1
    assert model.generate("the", tokens=20, seed=3) == model.generate("the", tokens=20, seed=3)
    words = {w for t in texts for w in TOKENISER.tokenise(t)}
    assert words <= set(WORDS)
    cold = [model.generate("the", tokens=9, temperature=0.0, seed=s) for s in range(2)]
    assert cold[0] == cold[1] == model.generate("the", tokens=9, top_k=1, seed=7)
    assert model.generate("the cat", tokens=0) == "the cat"


def test_drawing_follows_the_probabilities() -> None:
    random = np.random.default_rng(0)
    logits = np.log(np.array([0.5, 0.2, 0.2, 0.1]))
    drawn = np.bincount([pick(logits, 1.0, None, random) for _ in range(3000)], minlength=4)
    np.testing.assert_allclose(drawn / 3000, [0.5, 0.2, 0.2, 0.1], atol=0.035)
    sharp = np.bincount([pick(logits, 0.5, None, random) for _ in range(3000)], minlength=4)
    square = np.array([0.25, 0.04, 0.04, 0.01])
    np.testing.assert_allclose(sharp / 3000, square / square.sum(), atol=0.035)
    few = {pick(logits, 5.0, 3, random) for _ in range(500)}
    assert few == {0, 1, 2}
    assert pick(np.array([1.0, -np.inf, 2.0]), 1e6, None, random) != 1


@pytest.mark.parametrize("n", [1, 2, 5])
def test_the_next_logits_are_those_of_the_model_at_that_place(n: int) -> None:
    model = _model(dtype="float64")
    assert isinstance(model.parameters, Parameters)
    document = next(iter(TRAIN)).astype(np.int64)
    state = model_forward(model.parameters, plan(make_samples([document]), SHAPE), SHAPE.layer)
    logits = next_logits(model.parameters, SHAPE, document[:n])
    np.testing.assert_allclose(logits, state.logits[n - 1], rtol=1e-12)


def test_what_cannot_be_is_refused() -> None:
    model = SaffuTransformer(SHAPE, TOKENISER, VOCABULARY)
    with pytest.raises(NotFitted, match=r"warm_start\(\) or cold_start\(\)"):
        model.perplexity(HELD)
    with pytest.raises(BadOption, match=r"configuration\.vocabulary"):
        SaffuTransformer(replace(SHAPE, vocabulary=V + 1), TOKENISER, VOCABULARY)
    with pytest.raises(BadOption, match="dtype"):
        SaffuTransformer(SHAPE, TOKENISER, VOCABULARY, dtype="float16")
    direct = _model(DIRECT)
    with pytest.raises(SaffuError, match="direct model"):
        direct.train(TRAIN, HELD, SCHEDULE)
    with pytest.raises(BadOption, match="radii"):
        SaffuTransformer(replace(SHAPE, radii=(2,)), TOKENISER, VOCABULARY).cold_start(
            TRAIN, scale=1.0, seed=0
        )
    for bad in ({"temperature": -1.0}, {"top_k": 0}, {"tokens": -1}):
        with pytest.raises(BadOption):
            _model().generate("the", **bad)


def test_a_text_of_another_vocabulary_is_refused() -> None:
    other = Vocabulary.from_counts({f"w{i}": 1 for i in range(90)}, documents=1)
    corpus = Corpus.in_memory([" ".join(f"w{i}" for i in range(90))], TOKENISER, other)
    with pytest.raises(SaffuError):
        _model().perplexity(corpus)


def test_ids_of_another_vocabulary_are_refused_though_they_are_small_enough() -> None:
    other = Vocabulary.from_counts({"the": 5, "zebra": 2}, documents=2)
    corpus = Corpus.in_memory(["the zebra", "the"], TOKENISER, other)
    same = Vocabulary(VOCABULARY.tokens, tuple(2 * n for n in VOCABULARY.occurrences))
    twice = Corpus.in_memory(["the zebra", "the"], TOKENISER, same)
    model = _model()
    assert model.perplexity(twice) > 1  # the same ids, whatever they were counted in
    parts = (corpus, *corpus.parts(2), *corpus.split((0.5, 0.5), seed=1), corpus.take(2, seed=1))
    for part in parts:
        with pytest.raises(BadOption, match="the vocabulary of the model"):
            model.perplexity(part)
    for call in (
        lambda: model.warm_start(TRAIN, corpus),
        lambda: model.cold_start(corpus, scale=0.1, seed=1),
        lambda: model.train(corpus, HELD, SCHEDULE),
        lambda: model.fit(TRAIN, corpus),
    ):
        with pytest.raises(BadOption, match="the vocabulary of the model"):
            call()
