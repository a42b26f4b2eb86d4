"""The experiment on the claims: choices on validation text, one test, resumable.   (SPEC 7)"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from saffu.configuration import Configuration
from saffu.contexts import Radial
from saffu.errors import BadOption
from saffu.experiments import claims, verdicts
from saffu.experiments.claims import (
    Experiment,
    Predictor,
    Texts,
    by_document,
    main,
    measure,
    run,
    texts,
)
from saffu.experiments.results import Line, Results
from saffu.transformer import SaffuTransformer
from saffu.vocabulary import Samples
from spec_tests.support.texts import sentences

TINY = replace(
    claims.TINY,
    configuration=Configuration(13, (Radial(3),), bits=7, label_bits=5),
    wide_bits=11,
    targets=(1_500,),
)


@pytest.fixture(scope="module", autouse=True)
def other_text() -> Iterator[None]:
    """Sentences of a small grammar in place of the documentation of Python."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(claims, "prose", lambda: [" ".join(sentences(i, 5)) for i in range(299)])
        yield


@pytest.fixture(scope="module")
def common() -> Texts:
    return texts(TINY)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Results]:
    folder = tmp_path_factory.mktemp("claims")
    return folder, run(TINY, folder)


@pytest.mark.slow
def test_every_row_is_run_and_tested_once(done: tuple[Path, Results]) -> None:
    _, results = done
    tried = {row: len(results.all(kind="run", row=row)) for row in claims.ROWS}
    assert tried == dict.fromkeys(claims.ROWS, 1) | {"cold": len(TINY.cold), "warm": 1}
    assert [line["row"] for line in results.all(kind="test")] == list(claims.ROWS)
    assert len(results.all(kind="plan")) == 1


@pytest.mark.slow
def test_the_tested_setting_is_the_best_on_validation_text(done: tuple[Path, Results]) -> None:
    _, results = done
    runs = results.all(kind="run", row="cold")
    best = min(runs, key=lambda line: float(line["validation_nats"]))
    (test,) = results.all(kind="test", row="cold")
    assert test["settings"] == best["settings"]


@pytest.mark.slow
def test_the_test_is_that_of_the_kept_model(common: Texts, done: tuple[Path, Results]) -> None:
    folder, results = done
    (test,) = results.all(kind="test", row="warm")
    experiment = Experiment(TINY, common, common.train.take(1_500, TINY.seed), folder)
    model = SaffuTransformer.load(experiment.model("warm", test["settings"]))
    total = model.nats(common.test)
    assert sum(test["targets_tested"]) == total.targets
    assert sum(test["nats"]) == pytest.approx(total.nats, rel=1e-5)
    assert verdicts.perplexity(test) == pytest.approx(total.perplexity, rel=1e-5)
    assert len(test["nats"]) == common.test.documents


@pytest.mark.slow
def test_resuming_does_nothing_twice(done: tuple[Path, Results], monkeypatch: Any) -> None:
    folder, results = done

    def refuse(*_: Any) -> Line:
        raise AssertionError("this was measured already")

    monkeypatch.setattr(Experiment, "run", refuse)
    assert run(TINY, folder).lines == results.lines
    with pytest.raises(AssertionError, match="already"):  # other text: nothing of it is known
        run(replace(TINY, seed=2), folder)


@pytest.mark.slow
def test_results_are_not_added_to_unasked(done: tuple[Path, Results]) -> None:
    folder, _ = done
    with pytest.raises(BadOption, match="--resume"):
        main(["--tiny", "--out", str(folder)])


@pytest.mark.slow
def test_the_report_is_made_of_the_lines_alone(
    done: tuple[Path, Results], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, results = done
    main(["--report", "--out", str(folder)])
    printed = capsys.readouterr().out
    for row in claims.ROWS:
        (test,) = results.all(kind="test", row=row)
        assert f"{verdicts.perplexity(test):.1f}" in printed
    assert (folder / "claims.png").stat().st_size > 1000


def test_parts_share_no_text_and_the_vocabulary_is_that_of_training(common: Texts) -> None:
    origins = [set(corpus.index.origins.tolist()) for corpus in common[1:]]
    assert not origins[0] & origins[1]
    assert not origins[0] & origins[2]
    assert not origins[1] & origins[2]
    counts = common.train.counts(len(common.vocabulary))
    np.testing.assert_array_equal(counts, common.vocabulary.counts)


def test_nats_by_document_add_up(common: Texts) -> None:
    few = common.test.take(200, seed=1)

    def position(chunk: Samples) -> Any:
        return chunk.offsets + 0.5

    nats, targets = by_document(position, few)
    lengths = [len(document) - 1 for document in few]
    assert targets.tolist() == lengths
    np.testing.assert_allclose(nats, [n * n / 2 for n in lengths])


def test_the_choice_is_made_before_the_test(common: Texts, tmp_path: Path) -> None:
    """A stand-in whose validation and test disagree: the test must follow the validation."""
    looked: list[str] = []

    class StandIn(Experiment):
        def trials(self, row: str) -> Iterator[Line]:
            yield from ({"rate": rate, "letters": len(row)} for rate in (1.0, 2.0, 3.0))

        def run(self, row: str, settings: Line) -> Line:
            looked.append(f"run {row} {settings['rate']}")
            return {"validation_nats": abs(settings["rate"] - 2.0)}

        def predictor(self, row: str, settings: Line) -> Predictor:
            looked.append(f"test {row} {settings['rate']}")
            return lambda chunk: np.full(chunk.targets.shape[0], settings["rate"])

    results = Results(tmp_path / "results.jsonl")
    experiment = StandIn(TINY, common, common.train, tmp_path)
    for _ in range(2):
        measure(experiment, "cold", results, {"targets": 5})
    assert looked == ["run cold 1.0", "run cold 2.0", "run cold 3.0", "test cold 2.0"]


# --- verdicts ---------------------------------------------------------------------------------

DOCUMENTS = 61


def planted(row: str, extra: float, seed: int = 1) -> list[Line]:
    """A run and its test: `extra` nats a target above a common difficulty of each document."""
    random = np.random.default_rng(0)
    lengths = random.integers(5, 97, DOCUMENTS)
    nats = lengths * (4.0 + random.random(DOCUMENTS) + extra)
    nats += np.random.default_rng(len(row)).normal(0.0, 0.01, DOCUMENTS) * lengths
    key = {"row": row, "settings": {}, "targets": 30, "seed": seed, "setting": "x"}
    history = [["frozen", 100, 1.5, 5.0 + extra], ["frozen", 200, 3.0, 4.5 + extra]]
    ran = {"validation_nats": 4.5 + extra, "judges_nats": 4.5 + extra, "cpu_seconds": 7.0}
    return [
        {"kind": "run", **key, **ran, "history": history},
        {"kind": "test", **key, "nats": nats.tolist(), "targets_tested": lengths.tolist()},
    ]


def test_a_gap_is_the_difference_and_lies_in_its_interval() -> None:
    one, other = planted("cold", 0.3)[1], planted("warm", 0.1)[1]
    found = verdicts.gap(one, other)
    assert found.nats == pytest.approx(0.2, abs=0.01)
    assert found.low <= found.nats <= found.high
    assert found.high - found.low < 0.02
    back = verdicts.gap(other, one)
    assert back == pytest.approx((-found.nats, -found.high, -found.low))


def test_a_gap_of_few_unlike_documents_is_wide() -> None:
    one, other = planted("cold", 0.0)[1], planted("warm", 0.0)[1]
    one = {**one, "nats": [n + 40 * (-1) ** i for i, n in enumerate(one["nats"])]}
    found = verdicts.gap(one, other)
    assert found.low < 0 < found.high
    assert verdicts.verdict([found]) == "open"


@pytest.mark.parametrize(
    ("explicit", "cold", "expected"), [(0.0, 0.5, "holds"), (0.5, 0.0, "fails"), (0.0, 0.0, "open")]
)
def test_verdicts_follow_the_numbers(explicit: float, cold: float, expected: str) -> None:
    lines = planted("explicit", explicit) + planted("cold", cold)
    if expected == "open":
        lines[1]["nats"] = [n + (-1) ** i for i, n in enumerate(lines[1]["nats"])]
    said = verdicts.verdicts(lines, [30])
    assert f"**{expected}**: SAFFU, explicit only, against SAFFU, Adam from a cold start" in said


def test_seeds_that_disagree_leave_a_claim_open() -> None:
    lines = planted("explicit", 0.0) + planted("cold", 0.5)
    lines += planted("explicit", 0.5, seed=2) + planted("cold", 0.0, seed=2)
    assert "**open**" in verdicts.verdicts(lines, [30])
    assert "2 seeds" in verdicts.results_table(lines, [30])


def test_when_the_warm_run_was_as_good_is_said() -> None:
    lines = planted("explicit", 0.2) + planted("warm", -0.4) + planted("cold", 0.2)
    said = verdicts.verdicts(lines, [30])
    assert "after 200 targets and 3 CPU s; the warm run was as good after 100 targets" in said
    lines = planted("explicit", 0.2) + planted("warm", 0.4) + planted("cold", 0.2)
    assert "as good never" in verdicts.verdicts(lines, [30])
