"""The demo: every way to a model gets what it is said to get, and the test text is read once."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from saffu.configuration import TINY, Configuration
from saffu.data.corpus import Corpus
from saffu.errors import BadFile, BadOption, TrainingInterrupted
from saffu.models.baselines import fit_baselines, measure
from saffu.models.training import TrainingState, start_training
from saffu.models.transformer import SaffuTransformer
from saffu.parameters import Parameters, flatten
from saffu.positions import Samples
from saffu.progress import silent
from saffu_lab.demo import contest as contest_module
from saffu_lab.demo import demo as demo_module
from saffu_lab.demo.contest import Contest, Course, still, train_for
from saffu_lab.demo.demo import TINY_SETTINGS, read_text, record, run_demo, write
from saffu_lab.demo.outcome import DemoSettings, Outcome, Point, Text
from spec_tests.support.texts import sentences

NAMES = (
    "unigram",
    "bigram, interpolated",
    "cold start: zeros",
    "explicit only: direct",
    "explicit only: SAFFU",
    "backpropagation only, same time",
    "backpropagation only, longer",
    "explicit, then backpropagation",
)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of sentences, a paragraph each."""
    path = tmp_path_factory.mktemp("texts") / "sentences.txt"
    path.write_text("\n\n".join(sentences(seed=5, count=300)), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def heard() -> list[object]:
    """What was told while the outcome came about."""
    return []


@pytest.fixture(scope="module")
def outcome(path: Path, heard: list[object]) -> Outcome:
    return run_demo(
        [path], tiny=True, seconds=2.0, seed=3, on_text=heard.append, on_row=heard.append
    )


def test_every_way_has_its_row(outcome: Outcome, heard: list[object]) -> None:
    assert tuple(row.name for row in outcome.rows) == NAMES
    assert heard == [outcome.text, *outcome.rows]


def test_the_text_is_parted_without_overlap(outcome: Outcome, path: Path) -> None:
    text = outcome.text
    parts = [text.train, text.validation, text.test]
    distinct = [len({tuple(d.tolist()) for d in part}) for part in parts]
    everything = {tuple(d.tolist()) for part in parts for d in part}
    assert sum(distinct) == len(everything)
    assert distinct[0] == pytest.approx(0.8 * len(everything), abs=1)
    assert distinct[1] == pytest.approx(0.1 * len(everything), abs=1)
    assert sum(part.documents for part in parts) == 300
    held = {tuple(d.tolist()) for d in text.validation}
    assert {tuple(d.tolist()) for d in text.watched} <= held


def test_zeros_have_the_perplexity_of_the_vocabulary(outcome: Outcome) -> None:
    row = outcome.row("cold start: zeros")
    size = len(outcome.text.vocabulary)
    assert row.test.perplexity == pytest.approx(size, rel=1e-6)
    bits = outcome.text.test.targets * math.log2(size) / outcome.text.test.bytes
    assert row.test.bits_per_byte == pytest.approx(bits, rel=1e-6)
    assert (row.seconds, row.targets, row.curve) == (0.0, 0, ())


def test_the_rows_are_what_the_library_gives(outcome: Outcome) -> None:
    text = outcome.text
    both = fit_baselines(text.train, text.validation, len(text.vocabulary))
    assert outcome.row("unigram").test == measure(both.unigram, text.test)
    assert outcome.row("bigram, interpolated").test == measure(both.bigram, text.test)
    explicit = SaffuTransformer(outcome.settings.shape, text.tokeniser, text.vocabulary)
    explicit.warm_start(text.train, text.validation, seed=3)
    row = outcome.row("explicit only: SAFFU")
    assert row.test == explicit.nats(text.test)
    assert row.curve == (Point(row.seconds, explicit.perplexity(text.watched)),)
    assert row.sample == explicit.generate("The", tokens=contest_module.TOKENS, seed=3)


def test_a_better_model_is_better_in_all_measures(outcome: Outcome) -> None:
    by_perplexity = sorted(outcome.rows, key=lambda row: row.test.perplexity)
    assert by_perplexity == sorted(outcome.rows, key=lambda row: row.test.bits_per_byte)
    assert {row.test.targets for row in outcome.rows} == {outcome.text.test.targets}


def test_the_best_start_goes_on(outcome: Outcome) -> None:
    assert [(t.scale, t.rate) for t in outcome.tried] == list(outcome.settings.starts)
    best = min(outcome.tried, key=lambda tried: tried.perplexity)
    assert best.perplexity == min(point.perplexity for point in best.curve)
    same = outcome.row("backpropagation only, same time")
    longer = outcome.row("backpropagation only, longer")
    assert same.curve[: len(best.curve)] == best.curve
    assert longer.curve[: len(same.curve)] == same.curve
    assert longer.targets > same.targets > 0


def test_curves_go_on_in_time_and_begin_where_they_should(outcome: Outcome) -> None:
    for curve in (*(row.curve for row in outcome.rows), *(t.curve for t in outcome.tried)):
        seconds = [point.seconds for point in curve]
        assert seconds == sorted(seconds)
    warm = outcome.row("explicit, then backpropagation")
    explicit = outcome.row("explicit only: SAFFU")
    assert warm.curve[0] == explicit.curve[0]
    assert warm.curve[1].perplexity == pytest.approx(explicit.curve[0].perplexity, rel=1e-5)
    assert warm.targets > explicit.targets == outcome.text.train.targets
    for row in outcome.rows:
        if row.curve:
            assert row.curve[-1].seconds <= row.seconds + 1e-9


def test_the_test_text_is_read_once_a_row_and_nowhere_else(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = read_text([path], TINY_SETTINGS, tiny=True, unit="paragraph", seed=3)
    shape = replace(TINY, vocabulary=len(text.vocabulary))
    settings = DemoSettings(shape, seconds=0.1, least=0.05, starts=((0.3, 0.03),))
    read = []
    chunks = Corpus.chunks

    def watched(self: Corpus, size: int, seed: int | None = None) -> Iterator[Samples]:
        if self is text.test:
            read.append("read")
        return chunks(self, size, seed)

    monkeypatch.setattr(Corpus, "chunks", watched)
    rows = Contest(text, settings, 3).run(time.perf_counter()).rows
    assert len(read) == len(rows) == len(NAMES)


# --- stopping and going on --------------------------------------------------------------------


def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that ticks once each time that it is looked at."""
    ticks = count()
    fake = SimpleNamespace(monotonic=lambda: next(ticks), perf_counter=time.perf_counter)
    monkeypatch.setattr(contest_module, "time", fake)


def cold(text: Text, shape: Configuration, scale: float) -> Parameters:
    model = SaffuTransformer(shape, text.tokeniser, text.vocabulary)
    model.cold_start(text.train, scale=scale, seed=5)
    assert isinstance(model.parameters, Parameters)
    return model.parameters


def test_a_training_that_is_stopped_goes_on_as_if_it_had_not_been(
    outcome: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, shape = outcome.text, outcome.settings.shape
    start = cold(text, shape, 0.3)

    def after(*ticks: float) -> TrainingState:
        clock(monkeypatch)
        state = start_training(start)
        for each in ticks:
            state = train_for(each, state, shape, text, 0.01, 7, silent)
        return state

    whole, parts = after(23.0), after(12.0, 12.0)
    assert whole.targets == parts.targets > 4 * text.train.targets
    for one, other in ((whole.parameters, parts.parameters), (whole.log.best, parts.log.best)):
        for a, b in zip(flatten(one), flatten(other), strict=True):
            np.testing.assert_array_equal(a, b)
    for a, b in zip(whole.optimiser.square, parts.optimiser.square, strict=True):
        np.testing.assert_array_equal(a, b)


def test_ctrl_c_ends_the_demo(outcome: Outcome) -> None:
    text, shape = outcome.text, outcome.settings.shape

    def press(stage: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(TrainingInterrupted):
        train_for(1000.0, start_training(cold(text, shape, 0.3)), shape, text, 0.01, 7, press)


def test_the_best_of_the_end_is_not_overlooked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped before the first check, the parameters of the last step count all the same."""
    text = read_text([], TINY_SETTINGS, tiny=True, unit="paragraph", seed=1)
    shape = replace(TINY, vocabulary=len(text.vocabulary))
    start = start_training(cold(text, shape, 0.1))
    clock(monkeypatch)
    state = train_for(3.0, start, shape, text, 0.01, 7, silent)
    assert state.batches == 2
    assert [record.targets for record in state.log.history] == [0, 2048]
    assert (
        state.log.best_nats
        == state.log.history[-1].validation_nats
        < state.log.history[0].validation_nats
    )
    model = SaffuTransformer(shape, text.tokeniser, text.vocabulary)
    model.parameters = state.log.best
    assert model.perplexity(text.watched) == pytest.approx(math.exp(state.log.best_nats), rel=1e-5)


@pytest.mark.parametrize(
    ("perplexities", "said"), [((9.0, 5.0, 3.0), "still falling"), ((9.0, 3.0, 5.0), "best after")]
)
def test_it_says_whether_more_time_would_have_helped(
    outcome: Outcome, perplexities: tuple[float, ...], said: str
) -> None:
    model = SaffuTransformer(
        outcome.settings.shape, outcome.text.tokeniser, outcome.text.vocabulary
    )
    curve = tuple(Point(2.0 * i, p) for i, p in enumerate(perplexities))
    assert still(Course(model, 4.0, 10, curve)).startswith(said)


# --- the text, and the files -------------------------------------------------------------------


def test_without_files_the_text_is_pythons_own(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, few = "A library of its own has all the words that it needs.", "Topics are fewer."
    monkeypatch.setattr(demo_module, "prose", lambda: [f"{whole} {n}" for n in range(30)])
    monkeypatch.setattr(
        demo_module, "topics", lambda: [f"{few} {whole} {'so ' * n}." for n in range(30)]
    )
    big = read_text([], DemoSettings(), tiny=False, unit="paragraph", seed=1)
    small = read_text([], TINY_SETTINGS, tiny=True, unit="paragraph", seed=1)
    assert "library" in big.vocabulary.tokens
    assert "Topics" not in big.vocabulary.tokens
    assert "Topics" in small.vocabulary.tokens
    assert (big.name, small.name) == (
        "English prose from Python's standard library",
        "topics of Python's help()",
    )


def test_the_vocabulary_has_the_size_of_the_shape() -> None:
    text = read_text([], TINY_SETTINGS, tiny=True, unit="paragraph", seed=1)
    assert len(text.vocabulary) == TINY.vocabulary
    assert text.watched.targets <= text.validation.targets


def test_what_is_written_can_be_read(outcome: Outcome, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    said = write(outcome, tmp_path, "saffu demo --corpus 'a b'")
    files = {"results.json", "index.html", "curves.png"}
    assert {path.name for path in tmp_path.iterdir()} == files
    assert {Path(line).name for line in said} == files
    read = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert (read["command"], read["seed"]) == ("saffu demo --corpus 'a b'", 3)
    assert [row["name"] for row in read["rows"]] == list(NAMES)
    for row, there in zip(outcome.rows, read["rows"], strict=True):
        assert there["perplexity"] == row.test.perplexity
        assert [Point(*point) for point in there["curve"]] == list(row.curve)
    assert read["text"]["test"]["targets"] == outcome.text.test.targets
    assert read["settings"]["configuration"] == outcome.settings.shape.to_json()
    assert {"saffu", "numpy", "scipy", "matplotlib"} <= read["versions"].keys()
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_without_matplotlib_there_is_a_page_without_plot(
    outcome: Outcome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("matplotlib", "matplotlib.figure", "matplotlib.backends.backend_agg"):
        monkeypatch.setitem(sys.modules, name, None)
    said = write(outcome, tmp_path, "saffu demo")
    assert {path.name for path in tmp_path.iterdir()} == {"results.json", "index.html"}
    assert said[-1].endswith("install it with: pip install 'saffu[plot]'")
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "<img" not in page
    assert "pip install &#x27;saffu[plot]&#x27;" in page


@pytest.mark.parametrize("problem", [RuntimeError("no font"), ImportError("no libpng"), OSError()])
def test_a_failing_plot_does_not_cost_the_results(
    outcome: Outcome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problem: Exception
) -> None:
    def fail(_: Outcome) -> bytes:
        assert (tmp_path / "results.json").exists(), "the results come first"
        raise problem

    monkeypatch.setattr(demo_module, "curves", fail)
    lines = write(outcome, tmp_path, "saffu demo")
    assert {path.name for path in tmp_path.iterdir()} == {"results.json", "index.html"}
    assert f"matplotlib failed ({type(problem).__name__}" in lines[-1]
    assert "matplotlib failed" in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_json_holds_only_numbers(outcome: Outcome) -> None:
    json.dumps(record(outcome, "saffu demo", {}), allow_nan=False)


def test_a_row_that_is_not_there_is_not_found(outcome: Outcome) -> None:
    with pytest.raises(StopIteration):
        outcome.row("trigram")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="neither a file nor a folder"):
        run_demo([tmp_path / "nowhere.txt"], tiny=True)


def test_too_few_texts_are_refused(path: Path) -> None:
    with pytest.raises(BadOption, match="every part gets one of the 1 distinct texts"):
        run_demo([path], tiny=True, unit="file")


def test_a_shorter_text_has_a_smaller_vocabulary(outcome: Outcome) -> None:
    assert outcome.settings.shape.vocabulary == len(outcome.text.vocabulary) < TINY.vocabulary
