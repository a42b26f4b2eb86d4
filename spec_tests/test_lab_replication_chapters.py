"""The chapters: the tiny run of each study, and the verdicts that lines deserve.   (SPEC 7)"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from saffu.positions import make_samples
from saffu_lab.records.results import Line
from saffu_lab.replication.attention import chapter as attention_chapter
from saffu_lab.replication.attention import tasks as attention
from saffu_lab.replication.chapters import Chapter, Study
from saffu_lab.replication.contexts import chapter as contexts_chapter
from saffu_lab.replication.contexts import tasks as contexts
from saffu_lab.replication.less_data import chapter as less_data_chapter
from saffu_lab.replication.less_data import tasks as less_data
from saffu_lab.replication.precision import chapter as precision_chapter
from saffu_lab.replication.precision import tasks as precision
from saffu_lab.replication.stages import chapter as stages_chapter
from saffu_lab.replication.stages import tasks as stages
from saffu_lab.study.task import Answers
from spec_tests.support.lines import a_test, a_trial
from spec_tests.support.studies import little_text, run_tiny

STUDIES: tuple[Study, ...] = (attention, contexts, precision, stages, less_data)
KINDS = {"attention": {"map"}, "contexts": {"filled"}}


@pytest.fixture(scope="module", autouse=True)
def text() -> Iterator[None]:
    with little_text():
        yield


@pytest.fixture(scope="module", params=STUDIES, ids=lambda study: study.NAME)
def run(request: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, Answers]:
    study: Study = request.param
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(less_data, "torch_there", lambda: False)  # see test_outsiders.py
        return study, run_tiny(study, tmp_path_factory.mktemp(study.NAME))


@pytest.mark.slow
def test_every_kind_of_task_is_done_once(run: tuple[Study, Answers]) -> None:
    study, answers = run
    lines = answers.results.lines
    assert {line["do"] for line in lines} == {"trial", "test"} | KINDS.get(study.NAME, set())
    assert len({line["id"] for line in lines}) == len(lines)
    assert all(np.isfinite(line["nats"]).all() for line in lines if line["do"] == "test")


@pytest.mark.slow
def test_a_chapter_is_made_of_any_part_of_the_lines(run: tuple[Study, Answers]) -> None:
    study, answers = run
    lines = answers.results.lines
    nothing, whole = study.chapter([]), study.chapter(lines)
    assert {claim.verdict for claim in nothing.claims} == {"not measured"}
    for part in ([], lines, lines[::2], lines[1::2], *([line] for line in lines)):
        chapter = study.chapter(part)
        assert "{" not in chapter.text.replace("{'", "")
        assert f"saffu replicate {study.NAME}" in chapter.text
        assert chapter.title == whole.title
        assert [claim[:2] for claim in chapter.claims] == [claim[:2] for claim in whole.claims]
        assert set(chapter.pictures) <= set(whole.pictures)
        if any(line["do"] == "test" for line in part):
            assert chapter.text != nothing.text  # each model that was tested is heard of


@pytest.mark.slow
def test_pictures_are_drawn_of_the_whole_and_named_in_the_text(run: tuple[Study, Answers]) -> None:
    study, answers = run
    chapter = study.chapter(answers.results.lines)
    assert set(re.findall(r"\(replication/(.+?)\.png\)", chapter.text)) == set(chapter.pictures)
    for draw in chapter.pictures.values():
        assert draw().axes


def verdict_of(chapter: Chapter, start: str) -> str:
    (found,) = [claim for claim in chapter.claims if claim.statement.startswith(start)]
    return found.verdict


# --- attention --------------------------------------------------------------------------------


def attention_lines(explicit: float, uniform: float) -> list[Line]:
    return [
        a_test(row, nats, seed=seed)
        for pair in attention_chapter.PAIRS.values()
        for row, nats in zip(pair, (explicit, uniform), strict=True)
        for seed in (1, 2)
    ]


@pytest.mark.parametrize(
    ("explicit", "uniform", "verdict"), [(4.0, 4.5, "holds"), (4.5, 4.0, "does not hold")]
)
def test_attention_is_better_if_its_perplexities_are(
    explicit: float, uniform: float, verdict: str
) -> None:
    chapter = attention.chapter(attention_lines(explicit, uniform))
    assert verdict_of(chapter, "Attention can be solved") == verdict


def test_attention_that_helps_only_somewhere_holds_with_conditions() -> None:
    lines = attention_lines(4.0, 4.5)
    worse = [a_test("softmax sum unit", 5.0, seed=seed) for seed in (1, 2)]
    lines = [line for line in lines if line["row"] != "softmax sum unit"] + worse
    found = verdict_of(attention.chapter(lines), "Attention can be solved")
    assert found == "holds with conditions"


@pytest.mark.parametrize(
    ("last", "verdict"), [(4.9, "undecided"), (5.1, "holds")], ids=["still improving", "ended"]
)
def test_a_random_start_that_was_still_improving_decides_nothing(last: float, verdict: str) -> None:
    history = [["cold", 0, 0.0, 6.0], ["frozen", 9, 0.1, 5.0], ["frozen", 18, 0.2, last]]
    lines = []
    for kind in ("softmax", "uniform"):
        warm, cold = f"{kind} cat: explicit, trained", f"{kind} cat: cold, trained"
        lines += [a_test(warm, 4.0), a_test(cold, 4.9), a_trial(cold, 4.9, history)]
    chapter = attention.chapter(lines)
    assert verdict_of(chapter, "Attention trained from the explicit") == verdict


def test_every_explicit_model_of_the_study_has_a_name_of_its_own() -> None:
    names = [attention.name_of(shape) for shape in attention.shapes()]
    assert len(set(names)) == len(names)
    for pair in attention_chapter.PAIRS.values():
        assert set(pair) <= set(names)


# --- stages -----------------------------------------------------------------------------------


def amounts(*nats: float) -> list[Line]:
    sizes = (1_000, 10_000, 50_000, 100_000)
    return [
        a_test("explicit, 128 bits", value, targets=size)
        for size, value in zip(sizes, nats, strict=True)
    ]


@pytest.mark.parametrize(
    ("nats", "verdict"),
    [((5.0, 4.02, 4.01, 4.0), "holds"), ((5.0, 4.2, 4.1, 4.0), "does not hold")],
    ids=["saturated", "falling"],
)
def test_saturation_is_told_from_a_tenth_of_the_text(nats: Sequence[float], verdict: str) -> None:
    assert stages_chapter.saturation_claim(amounts(*nats)).verdict == verdict


def test_a_small_warm_start_suffices_if_the_training_ends_alike() -> None:
    whole = [a_test("freeze, then thaw", 4.0)]
    alike, worse = (a_test(f"warm start of {n}", x) for n, x in (("1", 4.001), ("2", 4.2)))
    assert stages_chapter.start_claim([alike], whole).verdict == "holds"
    assert stages_chapter.start_claim([alike, worse], whole).verdict == "holds with conditions"
    assert stages_chapter.start_claim([worse], whole).verdict == "does not hold"
    assert stages_chapter.start_claim([], whole).verdict == "not measured"


# --- contexts ---------------------------------------------------------------------------------


def test_several_contexts_are_better_if_their_perplexities_are() -> None:
    pairs = (("radial:8", 4.5), ("radial:8,document", 4.0), ("block:8", 4.5))
    lines = [a_test(row, nats) for row, nats in pairs]
    assert verdict_of(contexts.chapter(lines), "Several contexts") == "holds"
    more = [*lines, a_test("block:8,document", 4.9)]
    assert verdict_of(contexts.chapter(more), "Several contexts") == "holds with conditions"


@pytest.mark.parametrize(("padded", "verdict"), [(4.2, "holds"), (3.9, "does not hold")])
def test_dynamic_contexts_are_better_if_their_nats_are_lower(padded: float, verdict: str) -> None:
    lines = [
        {"do": "filled", "row": row, "seed": seed, "targets": 9, "nats": nats,
         "early_nats": nats, "late_nats": nats, "early_share": 0.1}
        for seed in (1, 2) for row, nats in (("dynamic", 4.0), ("padded", padded))
    ]  # fmt: skip
    assert contexts_chapter.dynamic_claim(lines).verdict == verdict


def test_filling_the_slots_makes_them_all_valid() -> None:
    documents = [np.array([0, 3, 4, 1])]
    chunk, embedding = make_samples(documents), np.eye(5)
    x, mask, _ = contexts._slots(chunk, embedding, filled=True)
    assert mask.all()
    assert x[0, 1].tolist() == embedding[0].tolist()
    y, part, _ = contexts._slots(chunk, embedding, filled=False)
    assert part.sum(axis=1).tolist() == [1, 2, 3]
    assert not y[~part].any()
    assert np.array_equal(x[part], y[part])


# --- precision --------------------------------------------------------------------------------


def test_float32_is_enough_if_it_changes_next_to_nothing() -> None:
    exact = [a_test("explicit, 128 bits, float64", 4.0), a_test("cold, float64", 4.0)]
    near = [a_test("explicit, 128 bits, float32", 4.001), a_test("cold, float32", 4.001)]
    far = [near[0], a_test("cold, float32", 4.1)]
    assert precision_chapter.claim([*exact, *near]).verdict == "holds"
    assert precision_chapter.claim([*exact, *far]).verdict == "holds with conditions"
    assert precision_chapter.claim([]).verdict == "not measured"


def test_rows_that_the_precision_does_not_reach_are_no_evidence() -> None:
    direct = {"output": "direct"}
    same = [
        a_test(f"direct, {dtype}", 4.0, recipe={**direct, "dtype": dtype})
        for dtype in ("float32", "float64")
    ]
    other = [a_test(f"layers, {dtype}", 4.0) for dtype in ("float32", "float64")]
    assert precision_chapter.identical([*same, *other]) == ["direct"]
    assert precision_chapter.claim(same).verdict == "not measured"
    assert precision_chapter.claim([*same, *other]).verdict == "holds"
    assert "*direct*: both columns are one measurement" in precision.chapter(same).text


def test_prices_are_compared_with_the_tuned_cold_start() -> None:
    def run(row: str, seconds: float, **more: Any) -> Line:
        history = [["cold", 0, 0.0, 6.0], ["frozen", 9, seconds, np.log(95.0)]]
        return a_trial(row, np.log(95.0), history, fit_cpu_seconds=seconds, **more)

    own = [
        a_trial(
            "explicit, 128 bits, float32", np.log(95.0), fit_cpu_seconds=2.0, study="precision"
        ),
        run("Adam from a cold start, float32", 70.0, study="precision"),
    ]
    tuned = [
        run("cold", 5.0, study="less-data"),
        {**run("cold", 9.0, study="less-data"), "validation_nats": 6.0},  # not the best setting
        run("cold", 1.0, study="less-data", targets=7),  # another amount of text
    ]
    text = precision.chapter([*tuned, *own]).text
    assert "2.0 s against 5.0 s to reach 100" in text
    assert "Adam from a cold start, tuned" in text


def test_a_price_is_that_of_the_first_model_that_is_good_enough() -> None:
    history = [["warm", 0, 0.5, np.log(125.0)], ["frozen", 9, 2.0, np.log(95.0)]]
    run = a_trial("way, float32", np.log(95.0), history, fit_cpu_seconds=5.0)
    np.testing.assert_allclose(precision_chapter.course(run), [(3.5, 125.0), (5.0, 95.0)])
    table = precision_chapter.price_table([run])
    assert "| model" in table
    assert [cell.strip() for cell in table.splitlines()[-1].split("|")[2:6]] == (
        ["3.5" if level >= 125 else "5.0" if level >= 95 else "–" for level in (150, 120, 100, 90)]
    )


# --- less data --------------------------------------------------------------------------------


def pairs_of(one: str, other: str, gaps: Sequence[float]) -> list[Line]:
    return [
        a_test(row, 4.0 + (gap if row == one else 0.0), targets=size, seed=seed)
        for size, gap in zip((10_000, 30_000), gaps, strict=True)
        for row in (one, other)
        for seed in (1, 2, 3)
    ]


@pytest.mark.parametrize(
    ("gaps", "verdict"),
    [
        ((-0.2, -0.1), "holds"),
        ((-0.2, 0.1), "holds with conditions"),
        ((0.2, 0.1), "does not hold"),
    ],
)
@pytest.mark.parametrize(
    ("one", "other", "claim"),
    [
        ("explicit", "cold", "Explicit solutions outperform"),
        ("explicit wide", "cold wide", "The best explicit SAFFU layer of 512 bits"),
        ("warm", "cold", "Backpropagation after a warm start"),
        ("warm wide", "cold wide", "At 512 bits, too"),
        ("warm longer", "cold longer", "A warm start is still ahead"),
        ("explicit direct", "transformer", "Explicit one-hot slots are better"),
    ],
)
def test_claims_on_less_data_follow_their_gaps(
    one: str, other: str, claim: str, gaps: Sequence[float], verdict: str
) -> None:
    chapter = less_data.chapter(pairs_of(one, other, gaps))
    assert verdict_of(chapter, claim) == verdict


def test_a_rival_that_was_still_improving_in_most_seeds_decides_nothing() -> None:
    falling = [["cold", 0, 0.1, 5.0], ["frozen", 9, 0.2, 4.0]]
    ended = [*falling, ["frozen", 18, 0.3, 4.5]]
    tests = pairs_of("explicit", "cold", (-0.2, -0.1))
    places = [line for line in tests if line["row"] == "cold"]
    for histories, verdict in (
        ((falling, falling, ended), "undecided"),
        ((falling, ended, ended), "holds"),
    ):
        trials = [
            a_trial(
                "cold",
                4.0,
                histories[line["seed"] - 1],
                **{k: line[k] for k in ("seed", "targets")},
            )
            for line in places
        ]
        chapter = less_data.chapter([*trials, *tests])
        assert verdict_of(chapter, "Explicit solutions outperform") == verdict


def test_the_best_explicit_model_is_named_with_its_distance() -> None:
    lines = [
        a_test(row, float(np.log(value)), targets=100)
        for row, value in (("explicit", 80.0), ("explicit direct", 60.0), ("kneser-ney 5", 50.0))
    ]
    said = less_data_chapter.reading(lines, [100])
    assert "explicit one-hot slots (60.0), 20 % above the best model, Kneser–Ney 5" in said


def test_trainings_that_ended_at_their_limit_are_counted() -> None:
    falling = [["cold", 0, 0.1, 5.0], ["frozen", 9, 0.2, 4.0]]
    risen = [*falling, ["frozen", 18, 0.3, 4.5]]
    trials = [
        a_trial("cold", 4.0, falling, targets=100),
        a_trial("cold", 4.0, risen, targets=200),
    ]
    tests = [a_test("cold", 4.0, targets=100), a_test("cold", 4.0, targets=200)]
    said = less_data_chapter.limits(tests, trials)
    assert "Of 2 tested runs of *cold SAFFU*, 1 was still improving" in said
    assert "(at 100 targets)" in said


def test_what_was_chosen_is_starred_at_an_end_of_what_was_tried() -> None:
    trials = [
        {**a_trial("cold", 4.0, [], targets=100), "recipe": {"rate": rate, "scale": 0.3}}
        for rate in (0.01, 0.03, 0.1)
    ]
    for rate, cell in ((0.01, "0.01*"), (0.03, "0.03"), (0.1, "0.1*")):
        test = {**a_test("cold", 4.0, targets=100), "recipe": {"rate": rate, "scale": 0.3}}
        rates, scales = less_data_chapter.chosen_table([test], trials, [100]).splitlines()[2:]
        assert [one.strip() for one in rates.split("|")[1:3]] == ["cold SAFFU: learning rate", cell]
        assert [one.strip() for one in scales.split("|")[1:3]] == [
            "cold SAFFU: initial scale", "0.3",
        ]  # fmt: skip
