"""Tasks, lines, recipes, rows: what is done once is not done again.   (SPEC 7)"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from saffu.errors import BadOption, NotConverged, ProcessFailed
from saffu.parameters import Parameters, flatten
from saffu.positions import Samples
from saffu_lab.records.comparison import gap
from saffu_lab.records.evidence import (
    Answer,
    change,
    compare,
    discovery_threshold,
    estimate,
    over_all,
    over_seeds,
    spread,
    standing,
)
from saffu_lab.records.results import Line, Results
from saffu_lab.study import recipes
from saffu_lab.study import selection as studied
from saffu_lab.study.recipes import build_model, complete, configuration_of, model_path, size_of
from saffu_lab.study.running import State, open_crew, run_tasks
from saffu_lab.study.selection import Row, best_trial, by_document, predictor, row_key, row_tasks
from saffu_lab.study.sources import Sources, documents
from saffu_lab.study.task import Answers, Task, digest
from saffu_lab.study.texts import texts
from spec_tests.support.lines import a_test, a_trial
from spec_tests.support.patience import until
from spec_tests.support.studies import little_text

SHAPE: Line = {"vocabulary": 13, "contexts": "radial:3", "bits": 7, "label_bits": 5}
SEEN: list[int] = []


def count(key: Line, sources: Sources) -> Line:
    """A task that remembers that it was done."""
    SEEN.append(key["n"])
    return {"twice": 2 * key["n"]}


def diverge(key: Line, sources: Sources) -> Line:
    raise NotConverged("the loss became nan")


def refuse(key: Line, sources: Sources) -> Line:
    raise BadOption("n", key["n"], "another", "SPEC 8")


def tasks_of(*numbers: int) -> list[Task]:
    return [Task({"n": n}, count, float(n)) for n in numbers]


@pytest.fixture
def answers(tmp_path: Path) -> Answers:
    SEEN.clear()
    return Answers(Results(tmp_path / "lines.jsonl"))


@pytest.fixture(scope="module", autouse=True)
def text() -> Iterator[None]:
    with little_text():
        yield


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    return Sources(text=("prose",), cache=str(tmp_path / "models"))


def run_here(name_tasks: Any, answers: Answers, watch: Any = None) -> None:
    with open_crew("serial") as crew:
        run_tasks(name_tasks, answers, Sources(), crew, watch)


def test_what_has_a_line_is_not_done_again(answers: Answers) -> None:
    run_here(lambda _: tasks_of(2, 3), answers)
    run_here(lambda _: tasks_of(2, 3, 5), Answers(Results(answers.results.path)))
    assert SEEN == [2, 3, 5]
    lines = Results(answers.results.path).lines
    assert [(line["n"], line["twice"]) for line in lines] == [(2, 4), (3, 6), (5, 10)]
    assert all("versions" in line and line["cpu_seconds"] >= 0 for line in lines)


def test_later_tasks_may_depend_on_earlier_lines(answers: Answers) -> None:
    def plan(seen: Answers) -> list[Task]:
        first = seen.get({"n": 3})
        return tasks_of(3) + (tasks_of(first["twice"]) if first else [])

    run_here(plan, answers)
    assert SEEN == [3, 6]


def test_a_task_that_does_not_converge_leaves_a_line_that_says_so(answers: Answers) -> None:
    run_here(lambda _: [Task({"n": 1}, diverge), *tasks_of(2)], answers)
    line = answers.get({"n": 1})
    assert line is not None
    assert "nan" in line["failed"]
    assert SEEN == [2]


def test_what_a_task_refuses_is_refused_and_earlier_lines_stay(answers: Answers) -> None:
    with pytest.raises(BadOption):
        run_here(lambda _: [*tasks_of(2), Task({"n": 9}, refuse)], answers)
    assert [line["n"] for line in Results(answers.results.path).lines] == [2]


def test_the_watch_hears_of_every_line_and_of_what_is_left(answers: Answers) -> None:
    heard: list[tuple[State, Line | None]] = []
    run_here(lambda _: tasks_of(2, 3), answers, lambda s, line: heard.append((s, line)))
    assert [state.done for state, _ in heard] == [0, 1, 2]
    assert [state.seconds_left for state, _ in heard] == [5.0, 3.0, 0.0]
    assert heard[0][1] is None
    assert heard[1][1] is not None


@pytest.mark.parametrize("place", ["pool", "dask"])
@pytest.mark.slow
def test_several_processes_leave_the_same_lines(place: Any, answers: Answers) -> None:
    with open_crew(place, workers=2) as crew:
        run_tasks(lambda _: tasks_of(2, 3, 5, 7), answers, Sources(), crew)
    assert {line["n"]: line["twice"] for line in answers.results.lines} == {
        2: 4,
        3: 6,
        5: 10,
        7: 14,
    }
    assert all(line["threads"].get("OMP_NUM_THREADS") == "1" for line in answers.results.lines)


HELD_UP = """
import sys, time
from pathlib import Path
from saffu_lab.records.results import Results
from saffu_lab.study.running import open_crew, run_tasks
from saffu_lab.study.sources import Sources
from saffu_lab.study.task import Answers, Task

def nap(key, sources):
    while key["n"] == 5 and not Path(sys.argv[2]).exists():
        time.sleep(0.05)
    return {"twice": 2 * key["n"]}

answers = Answers(Results(Path(sys.argv[1])))
plan = [Task({"n": n}, nap) for n in range(11)]
with open_crew("serial") as crew:
    run_tasks(lambda _: plan, answers, Sources(), crew)
"""


@pytest.mark.slow
def test_a_killed_run_goes_on_where_it_was(tmp_path: Path) -> None:
    path, gate = tmp_path / "lines.jsonl", tmp_path / "gate"
    command = [sys.executable, "-c", HELD_UP, str(path), str(gate)]
    first = subprocess.Popen(command)
    until(lambda: path.exists() and path.read_text(encoding="utf-8").count("\n") == 5)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    before = [line["n"] for line in Results(path).lines]
    assert before == [0, 1, 2, 3, 4]
    gate.touch()
    subprocess.run(command, check=True)
    after = [line["n"] for line in Results(path).lines]
    assert after[: len(before)] == before
    assert sorted(after) == list(range(11))


@given(st.dictionaries(st.text(), st.integers() | st.lists(st.booleans()), max_size=5))
def test_a_digest_does_not_see_the_order_and_sees_everything_else(record: Line) -> None:
    turned = dict(reversed(record.items()))
    assert digest(record) == digest(turned)
    assert digest({**record, "another field": 1}) != digest(record)


# --- texts ------------------------------------------------------------------------------------


def test_parts_share_no_document_and_amounts_are_nested(sources: Sources) -> None:
    common = texts(sources, 13, 1)
    whole = len(documents(sources.text, sources.unit))
    parts = (common.train, common.validation, common.test)
    assert sum(part.documents for part in parts) == whole
    assert common.train.documents > 0.85 * whole
    small, large = common.amount(100, 1), common.amount(1000, 1)
    assert 100 <= small.targets < large.targets < common.train.targets
    texts_of = [{tuple(d.tolist()) for d in part} for part in (small, large, common.train)]
    assert texts_of[0] <= texts_of[1] <= texts_of[2]
    assert common.amount(None, 1) is common.train
    assert common.amount(10**9, 1) is common.train


def test_the_vocabulary_is_that_of_the_training_part(sources: Sources) -> None:
    common = texts(sources, 13, 1)
    counts = common.train.counts(len(common.vocabulary))
    assert counts[3:].tolist() == list(common.vocabulary.occurrences)[3:]


# --- recipes ----------------------------------------------------------------------------------


def test_a_recipe_with_an_unknown_field_is_refused() -> None:
    with pytest.raises(BadOption, match="widht"):
        complete({"widht": 3})


@pytest.mark.parametrize("wrong", ["radial", "radial:0", "block:x", "bag", "document:3", ""])
def test_contexts_that_are_none_are_refused(wrong: str) -> None:
    with pytest.raises(BadOption):
        configuration_of({"contexts": wrong})


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"output": "direct", "attention": "uniform"},
        {"slot_tempers": True},
        {"start": "cold", "scale": 0.5},
        {"rate": 0.01, "frozen": 1, "thawed": 1},
        {"rate": 0.01, "frozen": 1, "thawed": 0, "start_targets": 200},
    ],
    ids=["explicit", "direct", "by-slot", "cold", "trained", "less"],
)
def test_a_model_that_was_lost_is_made_again_to_the_last_bit(more: Line, sources: Sources) -> None:
    recipe = {**SHAPE, **more}
    first = build_model(recipe, 700, 1, sources)
    read = build_model(recipe, 700, 1, sources)
    model_path(recipe, 700, 1, sources).unlink()
    again = build_model(recipe, 700, 1, sources)
    assert read.history == first.history
    assert read.chosen == first.chosen
    sample = texts(sources, 13, 1).validation
    for other in (read, again):
        assert by_document(predictor(other.model), sample)[0].tolist() == (
            by_document(predictor(first.model), sample)[0].tolist()
        )


def test_two_threads_may_write_the_same_model(sources: Sources) -> None:
    """Workers of a cluster may be threads of one process, and their tasks may share a start."""
    made = build_model(SHAPE, 700, 1, sources)
    path = model_path(SHAPE, 700, 1, sources)
    save, others = made.model.save, iter([True])

    def save_while_another_writes(to: str | Path) -> None:
        save(to)
        if next(others, False):
            recipes._write(made, path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(made.model, "save", save_while_another_writes)
        recipes._write(made, path)
    assert build_model(SHAPE, 700, 1, sources).cpu_seconds == made.cpu_seconds
    assert sorted(p.suffix for p in path.parent.iterdir() if p.stem == path.stem) == [
        ".json", ".saffu"
    ]  # fmt: skip


def test_tempers_of_slots_are_told(sources: Sources) -> None:
    chosen = build_model({**SHAPE, "slot_tempers": True}, 700, 1, sources).chosen
    (by_slot,) = chosen["tempers"]
    assert len(by_slot) == len(set(by_slot)) > 1
    assert "tempers" not in build_model(SHAPE, 700, 1, sources).chosen


def test_a_warm_start_may_read_less_than_the_training(sources: Sources) -> None:
    plan = {"rate": 1e-12, "frozen": 1, "thawed": 0}
    few = build_model(SHAPE, 200, 1, sources).model
    trained = build_model({**SHAPE, **plan, "start_targets": 200}, 700, 1, sources)
    all_of_it = build_model({**SHAPE, **plan}, 700, 1, sources).model
    assert trained.history[0][3] == pytest.approx(
        nats_of(few, texts(sources, 13, 1).watched(1)), abs=1e-4
    )
    assert isinstance(all_of_it.parameters, Parameters)
    assert isinstance(few.parameters, Parameters)
    assert not np.allclose(all_of_it.parameters.output, few.parameters.output)


def test_nats_by_document_add_up(sources: Sources) -> None:
    few = texts(sources, 13, 1).test

    def position(chunk: Samples) -> Any:
        return chunk.offsets + 0.5

    nats, targets = by_document(position, few)
    lengths = [len(document) - 1 for document in few]
    assert targets.tolist() == lengths
    np.testing.assert_allclose(nats, [n * n / 2 for n in lengths])


def nats_of(model: Any, corpus: Any) -> float:
    nats, targets = by_document(predictor(model), corpus)
    return float(nats.sum() / targets.sum())


def test_the_size_of_a_model_is_the_number_of_its_numbers(sources: Sources) -> None:
    model = build_model(SHAPE, 700, 1, sources).model
    assert isinstance(model.parameters, Parameters)
    sizes = [13 * 7, 3 * 3, 3 * 7 * 5, 5 * 13]
    assert size_of(model) == sum(sizes) == sum(leaf.size for leaf in flatten(model.parameters))


# --- rows -------------------------------------------------------------------------------------


def test_only_the_best_trial_is_tested_and_only_when_all_are_done(
    sources: Sources, answers: Answers
) -> None:
    trials = [{**SHAPE, "bits": 7}, {**SHAPE, "bits": 11}, {**SHAPE, "bits": 13}]
    row = Row("width", trials, 700, 1)
    done: list[list[str]] = []
    for nats in (1.5, 1.25, 1.75):
        kinds = [task.key["do"] for task in row_tasks("s", [row], sources, answers)]
        done.append(kinds)
        key = row_key("s", row, sources, "trial", trials[len(done) - 1])
        answers.add(key, {"validation_nats": nats})
    assert done == [["trial"] * 3] * 3
    tasks = row_tasks("s", [row], sources, answers)
    assert [task.key["do"] for task in tasks] == ["trial"] * 3 + ["test"]
    assert tasks[-1].key["recipe"] == trials[1]


def test_a_trial_that_failed_stands_for_no_row(sources: Sources, answers: Answers) -> None:
    row = Row("rate", [{**SHAPE, "bits": 7}, {**SHAPE, "bits": 11}], 700, 1)
    lines: list[Line] = [{"failed": "nan"}, {"validation_nats": 9.0}]
    for recipe, line in zip(row.trials, lines, strict=True):
        answers.add(row_key("s", row, sources, "trial", recipe), line)
    best = best_trial("s", row, sources, answers)
    assert best is not None
    assert best["recipe"]["bits"] == 11


def test_trial_and_test_say_what_the_model_says(sources: Sources) -> None:
    row = Row("one", [SHAPE], 700, 1)
    line = studied.fit_and_judge(row_key("s", row, sources, "trial", SHAPE), sources)
    tested_line = studied.read_test(row_key("s", row, sources, "test", SHAPE), sources)
    model, common = build_model(SHAPE, 700, 1, sources).model, texts(sources, 13, 1)
    assert line["validation_nats"] == pytest.approx(
        np.log(model.perplexity(common.validation)), abs=1e-5
    )
    assert sum(tested_line["nats"]) == pytest.approx(model.nats(common.test).nats, rel=1e-4)
    assert len(tested_line["nats"]) == common.test.documents
    assert sum(tested_line["targets_tested"]) == common.test.targets


# --- evidence ---------------------------------------------------------------------------------


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=7))
def test_an_estimate_is_students_interval(values: list[float]) -> None:
    found = estimate(values)
    error = stats.sem(values)
    low, high = np.mean(values), np.mean(values)
    if error > 1e-9:  # scipy has no interval of equal values
        low, high = stats.t.interval(0.95, len(values) - 1, np.mean(values), error)
    np.testing.assert_allclose(found, (np.mean(values), low, high), atol=1e-7)


def lines_of(row: str, *nats: float) -> list[Line]:
    return [a_test(row, n, seed=seed) for seed, n in enumerate(nats, 1)]


def test_better_is_said_only_where_all_seeds_say_it() -> None:
    low, high = lines_of("a", 4.0, 4.1), lines_of("b", 4.5, 4.6)
    mixed = lines_of("c", 3.9, 4.9)
    ahead, behind = compare(low, high), compare(high, low)
    unsure = compare(mixed, lines_of("d", 4.0, 4.0))
    assert ahead is not None
    assert behind is not None
    assert unsure is not None
    assert (ahead.better, behind.better, unsure.better) == (True, False, None)
    assert ahead.chance < 0.05 < unsure.chance
    assert compare(low, []) is None
    alone = compare(low, [high[0]])
    assert alone is not None
    assert alone.seeds == 1
    assert alone.better is True


def test_the_interval_that_is_shown_decides() -> None:
    """Each seed is ahead by its own documents, but the seeds are too far apart to be sure."""
    ones, others = lines_of("a", 3.4, 3.99), lines_of("b", 4.0, 4.0)
    comparison = compare(ones, others)
    assert comparison is not None
    assert all(gap(a, b).high < 0 for a, b in zip(ones, others, strict=True))
    assert comparison.nats.low < 0 < comparison.nats.high
    assert comparison.better is None
    assert change(ones, others) == comparison.percent


def test_one_number_without_documents_decides_nothing() -> None:
    one = {"seed": 1, "nats": [10.0], "targets_tested": [5]}
    comparison = compare([one], lines_of("b", 4.0))
    assert comparison is not None
    assert comparison.better is None
    assert "no interval" in comparison.percent


@given(st.lists(st.floats(-3, 3), min_size=3, max_size=6))
def test_an_interval_excludes_zero_where_its_p_value_is_below_five_per_cent(
    values: list[float],
) -> None:
    comparison = over_seeds(values)
    if comparison.error > 1e-6 and abs(comparison.chance - 0.05) > 1e-6:
        assert (comparison.better is not None) == (comparison.chance < 0.05)
        assert comparison.chance == pytest.approx(stats.ttest_1samp(values, 0.0).pvalue)


def test_a_threshold_moves_the_interval() -> None:
    comparison = over_seeds([0.010, 0.012, 0.011])
    assert comparison.better is False
    assert comparison.less(0.05).better is True


@given(st.lists(st.floats(0, 1), max_size=30))
def test_the_line_of_discoveries_is_that_of_scipy(chances: list[float]) -> None:
    threshold = discovery_threshold(chances)
    if chances:
        adjusted = stats.false_discovery_control(chances)
        counts = [one for one, value in zip(chances, adjusted, strict=True) if value <= 0.05]
        assert threshold == pytest.approx(max(counts, default=0.0))
    assert over_all([Answer(True, one) for one in chances], threshold) in (
        "holds", "holds with conditions", "undecided", "not measured",
    )  # fmt: skip


def test_the_first_seed_chooses_and_the_others_follow() -> None:
    """A later seed that is better with another recipe does not stand with it."""
    trials = [
        {**a_trial("a", nats, seed=seed), "recipe": {"n": n}}
        for seed, n, nats in ((1, 1, 4.0), (1, 2, 3.9), (2, 1, 3.5), (2, 2, 3.6))
    ]
    tests = [{**line, "do": "test"} for line in trials]
    stand = standing(tests, trials)
    assert [(line["seed"], line["recipe"]["n"]) for line in stand] == [(1, 2), (2, 2)]


def test_a_change_is_that_of_perplexity() -> None:
    a, b = lines_of("a", 4.0, 4.0), lines_of("b", 4.0 + np.log(2), 4.0 + np.log(2))
    assert change(b, a).startswith("+100.0 %")
    assert change(a, b).startswith("-50.0 %")
    assert change(a, []) == "–"
    assert spread(lines_of("a", np.log(50.0))) == "50.0"


def test_verdicts_go_both_ways() -> None:
    assert over_all([True, True]) == "holds"
    assert over_all([True, None]) == "holds with conditions"
    assert over_all([False]) == over_all([None, False]) == "does not hold"
    assert over_all([None, None]) == "undecided"
    assert over_all([]) == "not measured"


def test_a_lost_worker_is_said_and_the_lines_are_kept(answers: Answers) -> None:
    plan = [*tasks_of(2, 3), Task({"n": 1}, die), *tasks_of(5)]
    with (
        pytest.raises(ProcessFailed, match="ended without an answer"),
        open_crew("pool", workers=1) as crew,
    ):
        run_tasks(lambda _: plan, answers, Sources(), crew)
    lines = Results(answers.results.path).lines
    assert [(line["n"], line["twice"]) for line in lines] == [(2, 4), (3, 6)]


def die(key: Line, sources: Sources) -> Line:
    os._exit(7)
