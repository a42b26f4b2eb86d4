"""The commands as they are typed: what they print and write, and what bad input gets."""

from __future__ import annotations

import math
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from saffu.cli import known_commands, main
from saffu.commands.options import read_shape, read_tokeniser
from saffu.configuration import TINY, Configuration
from saffu.contexts import BlockContext, DocumentContext, RadialContext
from saffu.data import count_tokens, read_documents
from saffu.data.corpus import Corpus
from saffu.data.tokenisers import Bytes, Characters, HuggingFace, Words
from saffu.files import read_about, read_file, write_file
from saffu.layer import LayerOptions
from saffu.models.transformer import SCHEMA, SaffuTransformer
from spec_tests.support.patience import PATIENCE
from spec_tests.support.texts import sentences

Saffu = Callable[..., tuple[int, str, str]]

TEXT = "\n\n".join(sentences(seed=11, count=400))
OTHER = "\n\n".join(sentences(seed=12, count=37)) + "\n\nthe zebra slept on the mat ."
FIT = ("fit", "text.txt", "-o", "model", "--preset", "tiny")
LONG = (
    *("fit", "text.txt", "-o", "model", "--preset", "tiny", "--batch", "16"),
    *("--rate", "0.0007", "--epochs", "5", "--thaw-epochs", "2"),
)
"""Some seconds of training, in which every check finds something better."""


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with texts, a trained model, and the cache of encoded texts."""
    folder = tmp_path_factory.mktemp("workshop")
    (folder / "text.txt").write_text(TEXT, encoding="utf-8")
    (folder / "other.txt").write_text(OTHER, encoding="utf-8")
    finished = process(folder, *FIT, "--epochs", "2", "--thaw-epochs", "1")
    assert finished.returncode == 0, finished.stderr
    (folder / "printed").write_text(finished.stdout, encoding="utf-8")
    return folder


@pytest.fixture
def saffu(
    workshop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Saffu:
    """Run a command in the workshop: exit status, what it printed, what it said."""
    monkeypatch.chdir(workshop)
    monkeypatch.setenv("SAFFU_CACHE", str(workshop / "cache"))

    def run(*words: str) -> tuple[int, str, str]:
        try:
            code = main(words)
        except SystemExit as ended:  # argparse
            code = int(ended.code or 0)
        return code, *capsys.readouterr()

    return run


def environment(folder: Path) -> dict[str, str]:
    one = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return {**os.environ, **one, "SAFFU_CACHE": str(folder / "cache")}


def program(*words: str) -> list[str]:
    return [sys.executable, "-m", "saffu.cli", *words]


def process(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The same as a user runs it."""
    return subprocess.run(
        program(*words),
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE,
        check=False,
    )


def contents(folder: Path) -> dict[str, bytes]:
    """Every file but those of the cache."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "cache" not in path.parts
    }


# --- help -------------------------------------------------------------------------------------


def test_help_names_every_command_and_shows_examples(saffu: Saffu) -> None:
    code, out, _ = saffu("--help")
    assert code == 0
    for name, (_, about) in known_commands().items():
        assert re.search(rf"^ +{name}\s+{re.escape(about)}$", out, re.MULTILINE), name
    assert "saffu fit book.txt" in out


@pytest.mark.parametrize("command", known_commands())
def test_help_of_every_command_teaches_by_examples(saffu: Saffu, command: str) -> None:
    code, out, _ = saffu(command, "--help")
    assert code == 0
    assert f"\n  saffu {command}" in out


def test_help_and_version_load_nothing_heavy() -> None:
    """What they take is what Python takes to start: a few hundredths of a second."""
    look = (
        "import sys; from saffu.cli import main\n"
        "try: main([sys.argv[1]])\n"
        "finally: print(*{'numpy', 'scipy', 'tqdm'} & set(sys.modules), file=sys.stderr)"
    )
    for option in ("--help", "--version"):
        ended = subprocess.run(
            [sys.executable, "-c", look, option], capture_output=True, text=True, check=True
        )
        assert ended.stderr.strip() == ""
        assert "saffu" in ended.stdout


def test_the_kit_has_its_own_options_and_exit_status(saffu: Saffu) -> None:
    assert "verify" in saffu("golden", "--help")[1]
    assert "--challenge" in saffu("check", "--help")[1]
    assert saffu("golden", "--golden", "nowhere", "list")[0] == 4


# --- fit --------------------------------------------------------------------------------------


def by_hand(folder: Path, fractions: tuple[float, ...], seed: int) -> list[Corpus]:
    """The parts of the text, through the library alone."""
    documents = read_documents(folder / "text.txt")
    vocabulary = count_tokens(documents, Words()).vocabulary(256)
    return list(Corpus.in_memory(documents, Words(), vocabulary).split(fractions, seed))


def test_fit_writes_the_model_that_the_library_makes(saffu: Saffu, workshop: Path) -> None:
    code, _, err = saffu(*FIT[:3], "explicit", *FIT[4:], "--explicit-only", "--seed", "7")
    assert (code, err) == (0, "")
    written = SaffuTransformer.load(workshop / "explicit")
    train, validation, _ = by_hand(workshop, (0.9, 0.05, 0.05), seed=7)
    made = SaffuTransformer(written.configuration, Words(), written.vocabulary)
    made.warm_start(train, validation, seed=7)
    made.save(workshop / "made")
    assert (workshop / "made").read_bytes() == (workshop / "explicit").read_bytes()


def test_fit_prints_the_perplexities_that_the_model_has(workshop: Path) -> None:
    model = SaffuTransformer.load(workshop / "model")
    _, validation, test = by_hand(workshop, (0.9, 0.05, 0.05), seed=0)
    printed = (workshop / "printed").read_text(encoding="utf-8")
    total = model.nats(test)
    line = rf"the model +{total.perplexity:.2f} +{total.bits_per_byte:.3f} bits per byte"
    assert re.search(line, printed)
    best = min(math.exp(record.validation_nats) for record in model.history)
    assert model.perplexity(validation) == pytest.approx(best, rel=1e-5)
    assert {f"{best:.2f}"} <= set(re.findall(r"\d+\.\d\d", printed))
    stages = re.findall(r"(frozen|thawed), epoch", printed)
    assert (stages[0], stages[-1]) == ("frozen", "thawed")


def test_fit_reads_other_tokens_units_and_shapes(saffu: Saffu, workshop: Path) -> None:
    code, out, err = saffu(
        *("fit", "text.txt", "other.txt", "-o", "letters", "--preset", "tiny", "--unit", "line"),
        *("--tokeniser", "characters", "--contexts", "radial:5,document", "--bits", "11"),
        *("--label-bits", "13", "--radii", "2,3", "--combine", "cat", "--aggregation", "sum"),
        *("--attention", "uniform", "--gain", "unit", "--vocabulary", "17", "--explicit-only"),
    )
    assert (code, err) == (0, "")
    model = SaffuTransformer.load(workshop / "letters")
    assert model.tokeniser == Characters()
    assert model.configuration == Configuration(
        vocabulary=17,
        contexts=(RadialContext(5), DocumentContext()),
        bits=11,
        label_bits=13,
        radii=(2, 3),
        combine="cat",
        layer=LayerOptions("sum", "uniform", "unit"),
    )
    assert "text: 438 documents" in out


def test_a_direct_model_needs_no_gradient(saffu: Saffu, workshop: Path) -> None:
    code, out, err = saffu("fit", "text.txt", "-o", "direct", "--preset", "direct")
    assert (code, err) == (0, "")
    assert "epoch" not in out
    assert SaffuTransformer.load(workshop / "direct").history == []
    code, out, _ = saffu("eval", "direct", "other.txt")
    assert code == 0
    code, out, _ = saffu("info", "direct")
    assert "tower0.table7.data" in out


def until(folder: Path, stage: str, *signals: signal.Signals) -> str:
    """Train in a folder, with signals at the first line of a stage; the message at the end."""
    running = subprocess.Popen(
        program(*LONG),
        cwd=folder,
        env=environment(folder.parent),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    assert running.stdout is not None
    for line in running.stdout:
        if stage in line:
            for one in signals:
                running.send_signal(one)
                time.sleep(0.01)
            break
    _, message = running.communicate(timeout=PATIENCE)
    assert running.returncode == 130
    return message


@pytest.fixture(scope="module")
def trainings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of folders with the text: in `whole` a training that was never interrupted."""
    folder = tmp_path_factory.mktemp("trainings")
    for name in ("whole", "frozen", "thawed"):
        (folder / name).mkdir()
        (folder / name / "text.txt").write_text(TEXT, encoding="utf-8")
    finished = subprocess.run(
        program(*LONG),
        cwd=folder / "whole",
        env=environment(folder),
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    (folder / "whole" / "printed").write_text(finished.stdout, encoding="utf-8")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["frozen", "thawed"])
def test_ctrl_c_and_resume_give_the_result_of_an_uninterrupted_run(
    trainings: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    stage: str,
) -> None:
    said = until(trainings / stage, f"{stage}, epoch 1", signal.SIGINT)
    again = "saffu " + " ".join(LONG) + " --resume"
    assert said == f"saffu: stopped; what was reached is in model; go on with:\n  {again}\n"
    before = contents(trainings / stage)
    monkeypatch.chdir(trainings / stage)
    monkeypatch.setenv("SAFFU_CACHE", str(trainings / "cache"))
    for change, told in (
        ((), "it holds an interrupted training; add --resume"),
        (("--resume", "--rate", "0.02"), "rates must be "),
        (("--resume", "--bits", "64"), "bits must be 32, as before the interruption, got 64"),
        (("--resume", "--tokeniser", "characters"), "its training started with another tokeniser"),
        (("--resume", "--vocabulary", "11"), "its training started with another vocabulary"),
        (("--resume", "--seed", "1"), "seed must be "),
    ):
        assert main([*LONG, *change]) == 2
        assert told in capsys.readouterr().err
    assert main(["info", "model"]) == 0
    assert "interrupted (go on with --resume)" in capsys.readouterr().out
    assert contents(trainings / stage) == before

    resumed = subprocess.run(
        program(*LONG, "--resume"),
        cwd=trainings / stage,
        env=environment(trainings),
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    printed = (trainings / "whole" / "printed").read_text(encoding="utf-8")
    assert resumed.stdout.splitlines()[-5:] == printed.splitlines()[-5:]
    one, other = (read_file(trainings / name / "model", SCHEMA) for name in (stage, "whole"))
    assert one.arrays.keys() == other.arrays.keys()
    for name, array in one.arrays.items():
        np.testing.assert_array_equal(array, other.arrays[name])
    timeless = [
        [record[:3] + record[4:] for record in each.header["history"]] for each in (one, other)
    ]
    assert timeless[0] == timeless[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    "signals",
    [
        (signal.SIGTERM,),
        (signal.SIGINT, signal.SIGINT),
        (signal.SIGINT, signal.SIGTERM),
    ],
    ids=["SIGTERM", "SIGINT twice", "SIGINT, SIGTERM"],
)
def test_however_it_is_stopped_the_best_is_kept_and_nothing_else(
    tmp_path: Path, signals: tuple[signal.Signals, ...]
) -> None:
    folder = tmp_path / "stopped"
    folder.mkdir()
    (folder / "text.txt").write_text(TEXT, encoding="utf-8")
    message = until(folder, "frozen, epoch 1", *signals)
    assert "stopped; what was reached is in model" in message
    assert "training" in read_about(folder / "model").header
    assert sorted(path.name for path in folder.iterdir()) == ["model", "text.txt"]


STOPPED_WHILE_ENCODING = """
import os, signal, sys
import saffu.data.cache as cache
from saffu.cli import main
real = cache.encode_into
def stopped(*given, **more):
    os.kill(os.getpid(), signal.SIGTERM)
    return real(*given, **more)
cache.encode_into = stopped
sys.exit(main(["fit", "text.txt", "-o", "model", "--preset", "tiny"]))
"""


def test_a_program_that_is_told_to_end_leaves_no_half_made_cache(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, "-c", STOPPED_WHILE_ENCODING],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (130, "saffu: stopped\n")
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []
    assert list((tmp_path / "cache" / "corpora").iterdir()) == []


def test_a_rate_that_is_too_high_leaves_the_explicit_solution(saffu: Saffu, workshop: Path) -> None:
    assert saffu(*FIT[:3], "explicit", *FIT[4:], "--explicit-only")[0] == 0
    code, _, message = saffu(*FIT[:3], "diverged", *FIT[4:], "--rate", "1e30")
    assert code == 2
    assert "lower the learning rate, which is 1e+30" in message
    assert "they are in diverged" in message
    one, other = (read_file(workshop / name, SCHEMA).arrays for name in ("explicit", "diverged"))
    assert one.keys() == other.keys()
    for name, array in one.items():
        np.testing.assert_array_equal(array, other[name])
    assert saffu("eval", "diverged", "other.txt")[0] == 0


@pytest.mark.parametrize("rate", ["1", "10", "1000"])
def test_a_rate_that_spoils_the_model_ends_in_a_model_or_a_message(saffu: Saffu, rate: str) -> None:
    code, _, message = saffu(*FIT[:3], f"rate{rate}", *FIT[4:], "--rate", rate, "--epochs", "1")
    assert code == 0 or (code == 2 and "lower the learning rate" in message)
    code, printed, _ = saffu("eval", f"rate{rate}", "other.txt")
    assert code == 0
    assert not re.search("nan|inf", printed)


@pytest.mark.parametrize("place", ["/proc/model", "name" * 100])
def test_a_place_that_cannot_be_written_is_found_before_any_work(saffu: Saffu, place: str) -> None:
    code, printed, message = saffu(*FIT[:3], place, *FIT[4:])
    assert (code, printed) == (2, "")
    assert "model: it cannot be written" in message or "File name too long" in message


def test_a_model_is_trained_anew_in_its_place(saffu: Saffu, workshop: Path) -> None:
    fit = (*FIT[:3], "anew", *FIT[4:], "--explicit-only")
    assert saffu(*fit)[0] == 0
    first = (workshop / "anew").read_bytes()
    assert saffu(*fit, "--seed", "3")[0] == 0
    assert (workshop / "anew").read_bytes() != first


# --- eval, generate, info ---------------------------------------------------------------------


def test_eval_prints_what_can_be_counted_by_hand(saffu: Saffu, workshop: Path) -> None:
    code, out, err = saffu("eval", "model", "other.txt")
    assert (code, err) == (0, "")
    documents = OTHER.split("\n\n")
    words = [document.split() for document in documents]
    targets = sum(len(document) + 1 for document in words)
    known = Counter(TEXT.split()) + Counter({"<eod>": 400})
    size = len(known) + 2
    often = [known[word] + 1 for document in words for word in (*document, "<eod>")]
    nats = sum(math.log((known.total() + size) / n) for n in often)
    perplexity = math.exp(nats / targets)
    size_in_bytes = sum(len(document) for document in documents)
    bits = nats / math.log(2) / size_in_bytes
    lines = out.splitlines()
    assert lines[0] == (
        f"38 documents, {targets:,} targets, {size_in_bytes:,} bytes, "
        f"{1 / targets:.2%} of targets unknown"
    )
    assert lines[2].split() == ["unigram", f"{perplexity:.2f}", f"{bits:.3f}"]
    model = SaffuTransformer.load(workshop / "model")
    total = model.nats(Corpus.in_memory(documents, Words(), model.vocabulary))
    assert lines[3].split() == ["model", f"{total.perplexity:.2f}", f"{total.bits_per_byte:.3f}"]
    assert total.perplexity < perplexity
    assert lines[4].endswith("a lower bound")


def test_generate_prints_what_the_model_says(saffu: Saffu, workshop: Path) -> None:
    model = SaffuTransformer.load(workshop / "model")
    code, out, _ = saffu(
        *("generate", "model", "--prompt", "the cat", "--tokens", "13", "--samples", "3"),
        *("--temperature", "0.7", "--top-k", "5", "--seed", "17"),
    )
    assert code == 0
    said = [
        model.generate("the cat", tokens=13, temperature=0.7, top_k=5, seed=seed)
        for seed in (17, 18, 19)
    ]
    assert out == "\n---\n".join(said) + "\n"
    assert len(set(said)) > 1
    assert saffu("generate", "model", "--top-k", "0", "--tokens", "9")[1] == (
        model.generate(tokens=9, top_k=None) + "\n"
    )


def test_info_counts_the_numbers(saffu: Saffu, workshop: Path) -> None:
    code, out, _ = saffu("info", "model")
    assert code == 0
    model = SaffuTransformer.load(workshop / "model")
    v = len(model.vocabulary)
    numbers = v * 32 + 4 * 4 + 4 * 32 * 32 + 32 * v
    assert f"{numbers:,} in 4 arrays" in out
    assert "finished: validation perplexity" in out
    assert f"{model.history[-1].targets:,} targets seen" in out
    assert out.startswith(f"model: {(workshop / 'model').stat().st_size:,} bytes\n")


def test_digits_prints_a_row_for_each_way(saffu: Saffu) -> None:
    pytest.importorskip("sklearn")
    code, out, quiet = saffu("digits", "--tiny")
    assert (code, quiet) == (0, "")
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in out.splitlines()]
    assert lines[0] == ["digits", "images", "accuracy", "nats", "seconds"]
    for _, images, accuracy, nats, _ in lines[2:]:
        assert images in ("100", "300")
        assert 0 < float(accuracy) <= 1
        assert float(nats) > 0
    _, _, told = saffu("digits", "--tiny", "--progress")
    assert "explicit, one layer, λ fitted" in told.splitlines()


# --- refusals ---------------------------------------------------------------------------------

REFUSED: dict[str, tuple[tuple[str, ...], str]] = {
    "no command": ((), "required: COMMAND"),
    "unknown command": (("fti",), "invalid choice: 'fti'"),
    "no text": (("fit", "nowhere.txt", "-o", "x"), "nowhere.txt: it is neither a file nor"),
    "text given twice": (("fit", "text.txt", "text.txt", "-o", "x"), "it is given twice"),
    "not UTF-8": (("fit", "latin.txt", "-o", "x"), "byte 4 (0xe9) is not UTF-8"),
    "broken packing": (("fit", "broken.gz", "-o", "x"), "broken.gz: it cannot be unpacked"),
    "empty text": (
        ("fit", "empty.txt", "-o", "x"),
        "documents must hold at least one sample, got none",
    ),
    "one document": (("fit", "text.txt", "-o", "x", "--unit", "file"), "--unit must be a unit"),
    "no folder": (("fit", "text.txt", "-o", "no/x"), "there is no folder no"),
    "a stranger's place": (
        ("fit", "text.txt", "-o", "other.txt"),
        "other.txt: it exists and is no complete model",
    ),
    "a folder's place": (
        ("fit", "text.txt", "-o", "cache"),
        "cache: it cannot be written (expected a regular file",
    ),
    "nothing to resume": ((*FIT[:3], "x", "--resume"), "x: there is no such file to resume"),
    "nothing left": ((*FIT, "--resume"), "model: it holds a finished model"),
    "two wishes": ((*FIT, "--resume", "--explicit-only"), "not allowed with argument"),
    "too few bits": ((*FIT[:3], "x", "--bits", "3"), "bits must be at least"),
    "no tokeniser": ((*FIT[:3], "x", "--tokeniser", "wrods"), "--tokeniser must be words"),
    "bad tokeniser": ((*FIT[:3], "x", "--tokeniser", "text.txt"), "tokenizer.json"),
    "no such context": (
        (*FIT[:3], "x", "--contexts", "radial:3,spiral:8"),
        "contexts must be radial:SLOTS, block:SLOTS or document",
    ),
    "no size": (
        (*FIT[:3], "x", "--contexts", "block:x"),
        "contexts must be block:SLOTS, with a number of slots",
    ),
    "size zero": (
        (*FIT[:3], "x", "--contexts", "radial:0"),
        "contexts must be radial:SLOTS, with a number of slots",
    ),
    "radii that fall": ((*FIT[:3], "x", "--radii", "5,2"), "radii"),
    "radii of words": ((*FIT[:3], "x", "--radii", "2,b"), "a whole number >= 1, got 'b'"),
    "vocabulary": ((*FIT[:3], "x", "--vocabulary", "3"), "a whole number >= 4, got '3'"),
    "rate": ((*FIT[:3], "x", "--rate", "0"), "a number > 0, got '0'"),
    "no rate": ((*FIT[:3], "x", "--rate", "nan"), "a number > 0, got 'nan'"),
    "preset": ((*FIT[:3], "x", "--preset", "huge"), "invalid choice: 'huge'"),
    "document, direct": (
        (*FIT[:3], "x", "--preset", "direct", "--contexts", "document"),
        "output must be 'softmax' for depth > 1 or a DocumentContext",
    ),
    "no model": (("eval", "nowhere", "text.txt"), "nowhere: there is no such file"),
    "text for a model": (("eval", "text.txt", "text.txt"), "text.txt: it is no file of saffu"),
    "another file": (("generate", "another"), "got 'something.else'"),
    "another file's info": (("info", "another"), "expected a model, got 'something.else'"),
    "hollow file": (("info", "hollow"), "it does not describe a model"),
    "hollow model": (("generate", "hollow"), "hollow: "),
    "cold": (("generate", "model", "--temperature", "-1"), "a number >= 0, got '-1'"),
    "no tokens": (("generate", "model", "--tokens", "-5"), "a whole number >= 0, got '-5'"),
    "no MNIST": (("digits", "--mnist", "cache"), "cache"),
    "demo in a file": (
        ("demo", "--tiny", "--out", "text.txt"),
        "text.txt: expected a folder, got a file",
    ),
    "demo of nothing": (("demo", "--corpus", "nowhere", "--out", "x"), "nowhere: it is neither"),
    "demo of one text": (
        ("demo", "--corpus", "text.txt", "--unit", "file", "--out", "x"),
        "1 distinct texts",
    ),
}


@pytest.fixture
def strangers(workshop: Path) -> None:
    (workshop / "latin.txt").write_bytes("caf\N{LATIN SMALL LETTER E WITH ACUTE}".encode("latin-1"))
    (workshop / "latin.txt").write_bytes(b"a ca\xe9\n\nb")
    (workshop / "broken.gz").write_bytes(b"\x1f\x8b\x08 no gzip")
    (workshop / "empty.txt").write_text(" \n\n \n", encoding="utf-8")
    write_file(workshop / "another", "something.else", 1, {}, {"ones": np.ones(3)})
    write_file(workshop / "hollow", SCHEMA, 1, {"history": []}, {"ones": np.ones(3)})


@pytest.mark.usefixtures("strangers")
@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_says_why_and_changes_nothing(
    saffu: Saffu, workshop: Path, as_users_call: None, case: str
) -> None:
    words, told = REFUSED[case]
    before = contents(workshop)
    code, out, err = saffu(*words)
    assert code == 2
    assert told in err
    assert "Traceback" not in out + err
    assert contents(workshop) == before


@pytest.mark.parametrize("command", ["generate", "info", "eval"])
@pytest.mark.parametrize("kept", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_model_cut_short_is_refused(
    saffu: Saffu, workshop: Path, command: str, kept: float
) -> None:
    whole = (workshop / "model").read_bytes()
    (workshop / "short").write_bytes(whole[: int(len(whole) * kept)])
    code, _, err = saffu(command, "short", *(["text.txt"] if command == "eval" else []))
    assert code == 2
    assert re.match(r"saffu: short: it (was cut short|is no file of saffu)", err)


def test_a_refusal_is_one_message(workshop: Path) -> None:
    refused = process(workshop, "eval", "nowhere", "text.txt")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == "saffu: nowhere: there is no such file; check the path (SPEC 8)\n"


@pytest.mark.parametrize("where", ["before", "after"])
def test_debug_shows_where_it_happened(workshop: Path, where: str) -> None:
    words = ("generate", "nowhere")
    debug = ("--debug", *words) if where == "before" else (*words, "--debug")
    refused = process(workshop, *debug)
    assert refused.returncode == 1
    assert "Traceback" in refused.stderr
    assert "BadFile: nowhere: there is no such file" in refused.stderr


def broken(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(path: Path) -> SaffuTransformer:
        raise error

    monkeypatch.setattr(SaffuTransformer, "load", load)


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (KeyboardInterrupt(), 130, "saffu: stopped\n"),
        (PermissionError(13, "Permission denied", "m"), 2, "Permission denied: 'm'\n"),
        (MemoryError(), 2, "saffu: there is not enough memory; take less text"),
        (ZeroDivisionError("division by zero"), 1, "this is a bug of saffu"),
    ],
    ids=["ctrl-c", "system", "memory", "bug"],
)
def test_whatever_happens_is_one_message(
    saffu: Saffu, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, said: str
) -> None:
    broken(error, monkeypatch)
    got, out, err = saffu("generate", "model")
    assert (got, out) == (code, "")
    assert said in err
    with pytest.raises(type(error)):
        main(["generate", "model", "--debug"])


def test_a_reader_who_has_enough_is_no_error(workshop: Path) -> None:
    running = subprocess.Popen(
        program("generate", "model", "--samples", "2000", "--tokens", "1"),
        cwd=workshop,
        env=environment(workshop),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert running.stdout is not None
    assert running.stderr is not None
    running.stdout.readline()
    running.stdout.close()
    with running.stderr as stderr:
        said = stderr.read()
    assert (running.wait(timeout=PATIENCE), said) == (0, b"")


def test_bars_are_drawn_when_they_are_asked_for(saffu: Saffu) -> None:
    fit = (*FIT[:3], "bars", *FIT[4:], "--epochs", "1", "--thaw-epochs", "0")
    _, _, quiet = saffu(*fit)
    _, _, drawn = saffu(*fit, "--progress")
    assert quiet == ""
    assert "frozen, epoch 1" in drawn
    assert "output layer" in drawn


# --- options ----------------------------------------------------------------------------------


def test_the_tokenisers_have_names(tmp_path: Path) -> None:
    names = {"words": Words(), "characters": Characters(), "bytes": Bytes()}
    assert {name: read_tokeniser(name) for name in names} == names
    pytest.importorskip("tokenizers")
    definition = (
        '{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [], '
        '"normalizer": null, "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, '
        '"decoder": null, "model": {"type": "WordLevel", "vocab": {"a": 0, "<unk>": 1}, '
        '"unk_token": "<unk>"}}'
    )
    (tmp_path / "tokenizer.json").write_text(definition, encoding="utf-8")
    assert read_tokeniser(str(tmp_path / "tokenizer.json")) == HuggingFace(definition)


def test_a_shape_is_the_preset_but_for_what_is_given() -> None:
    from argparse import ArgumentParser

    from saffu.commands.options import add_shape

    parser = ArgumentParser()
    add_shape(parser)
    plain = parser.parse_args(["--preset", "tiny"])
    assert read_shape(plain, TINY.vocabulary) == TINY
    other = parser.parse_args(["--preset", "tiny", "--contexts", "block:7", "--depth", "2"])
    assert read_shape(other, 17) == Configuration(17, (BlockContext(7),), 32, 32, depth=2)


def test_a_model_file_says_how_it_was_made(workshop: Path) -> None:
    assert read_about(workshop / "model").header["configuration"]["bits"] == 32
