"""The commands as they are typed: what is judged, what is written, and the exit status."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from saffu.conformance.__main__ import main
from saffu.conformance.contract.golden import golden_root, read_case, write_manifest
from saffu.conformance.judging.challenge import afresh, challenge
from saffu.conformance.report.lines import read
from saffu.conformance.report.smoke import smallest
from spec_tests.support.patience import PATIENCE, alive, until
from spec_tests.support.planted.cases import CASES, case, write_suite
from spec_tests.support.planted.mistakes import MISTAKES
from spec_tests.test_conformance_process import PROGRAM

REFERENCE = "saffu.conformance.reference"
Say = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_suite(tmp_path_factory.mktemp("golden"))


@pytest.fixture
def check(golden: Path, capsys: pytest.CaptureFixture[str]) -> Say:
    """Run `saffu check` on the suite by hand: exit status and all that was printed."""

    def say(*words: str) -> tuple[int, str]:
        code = main(["check", "--golden", str(golden), *words])
        out, err = capsys.readouterr()
        return code, out + err

    return say


def planted_program(way: str, *more: str) -> list[str]:
    return ["--", sys.executable, "-I", "-S", str(PROGRAM), way, *more]


def test_a_module_is_judged(check: Say) -> None:
    code, text = check(REFERENCE)
    assert (code, text.splitlines()[-1]) == (0, "PASSED: 12 of 12 cases; level full")


def test_options_may_stand_before_or_after_the_port(check: Say) -> None:
    for words in (["--only", "softmax", REFERENCE], [REFERENCE, "--only", "softmax"]):
        code, text = check(*words)
        assert (code, text.splitlines()[-1]) == (0, "PASSED: 3 of 3 cases")
    _, text = check("--only", "softmax", REFERENCE, "--only", "perplexity")
    assert "PASSED: 5 of 5 cases" in text


def test_single_cases_and_lists_can_be_asked(check: Say) -> None:
    code, text = check("--only", "softmax/even,perplexity", REFERENCE)
    assert (code, text.splitlines()[-1]) == (0, "PASSED: 3 of 3 cases")
    code, text = check("--only", "softmax/odd", REFERENCE)
    assert (code, "saffu golden list" in text) == (2, True)


def test_a_run_can_end_at_the_first_failure(check: Say) -> None:
    code, text = check("--fail-fast", "--only", "softmax,priming_number", *planted_program("nan"))
    assert (code, text.splitlines()[-1]) == (1, "FAILED: 3 of 6 cases passed, 3 did not")
    assert "--fail-fast ends the run there" in " ".join(text.split())


def test_a_program_is_judged_at_the_level_that_it_keeps(check: Say) -> None:
    code, text = check(*planted_program("right"))
    assert code == 1
    assert "skipped: the port does not list explicit_solution" in text
    code, text = check("--only", "softmax", "--only", "perplexity", *planted_program("right"))
    assert code == 0
    code, text = check("--level", "core", REFERENCE)
    assert (code, text.splitlines()[-1]) == (0, "PASSED: 8 of 8 cases; level core")


def test_the_report_says_in_which_process_a_port_ran(check: Say, tmp_path: Path) -> None:
    for words, inside in ([], False), (["--in-process"], True), (planted_program("right"), False):
        out = str(tmp_path / f"{inside}{len(words)}")
        port = words if "--" in words else [*words, REFERENCE]
        code, text = check("--report", out, "--only", "softmax", *port)
        assert (code, text.splitlines()[-1]) == (0, "PASSED: 3 of 3 cases")
        assert read(Path(out) / "results.jsonl")[0]["in_process"] is inside
        assert ("in the process of the kit" in text.splitlines()[0]) is inside


def test_wrong_ports_fail_with_a_diagnosis(
    check: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("saffu.conformance.command.check.bank", lambda: MISTAKES)
    (tmp_path / "wrong_port.py").write_text(
        "from spec_tests.support.planted.mistakes import MISTAKES, Wrong\n"
        "port = Wrong([m for m in MISTAKES if m.id == 'priming-sum'])\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    code, text = check("wrong_port:port")
    assert code == 1
    assert "all 2 match `priming-sum` (sum instead of mean): see SPEC 1" in text


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["no_such_port"], 2, "No module named 'no_such_port'"),
        ([], 2, "a module, or a program after --"),
        (["--"], 2, "a program after --"),
        (["--challenge", REFERENCE], 2, "write --challenge last"),
        ([REFERENCE, "--only", "soft_max"], 2, "--only must be one of"),
        ([REFERENCE, "--", "true"], 2, "PORT must be left out"),
        (["node", "port.mjs"], 2, "after --: saffu check -- node port.mjs"),
        (["--level", "core", "node", "port.mjs", "--flag"], 2, "check -- node port.mjs --flag"),
        (["./my-port"], 2, "after --: saffu check -- ./my-port"),
        ([__file__], 2, f"after --: saffu check -- {__file__}"),
        (["port.mjs"], 2, "or a program after --"),
        (["--", "./no-such-program"], 3, "cannot be run"),
        (planted_program("crash-at-start"), 3, "no licence found"),
        ([REFERENCE, "--only", "refine"], 1, "FAILED: no case was run"),
    ],
)
def test_what_cannot_be_judged_is_not_passed(
    check: Say, words: list[str], code: int, said: str
) -> None:
    status, text = check(*words)
    assert status == code
    assert said in " ".join(text.split())


def test_the_package_as_a_port_is_the_reference(check: Say) -> None:
    code, text = check("saffu")
    assert (code, text.splitlines()[-1]) == (0, "PASSED: 12 of 12 cases; level full")


def test_bad_options_are_usage_errors(check: Say) -> None:
    for words in (["--level", "best", "x"], ["--timeout", "0", "x"], ["--timeout", "nan", "x"],
                  ["x", "--no-such-option"], ["--precision", "float16", "x"]):  # fmt: skip
        with pytest.raises(SystemExit) as caught:
            check(*words)
        assert caught.value.code == 2


def test_damaged_golden_files_are_not_judged_by(check: Say, tmp_path: Path) -> None:
    root = write_suite(tmp_path / "suite")
    assert main(["check", "--golden", str(root), REFERENCE]) == 0
    path = root / "perplexity" / "one.json"
    path.write_text(path.read_text().replace("1.0", "2.0"))
    assert main(["check", "--golden", str(root), REFERENCE]) == 4
    path.unlink()
    assert main(["check", "--golden", str(root), REFERENCE]) == 4
    assert main(["check", "--golden", str(tmp_path / "nowhere"), REFERENCE]) == 4


def test_the_report_is_written_in_all_its_forms(check: Say, tmp_path: Path, golden: Path) -> None:
    code, _ = check("--report", str(tmp_path / "out"), *planted_program("skips"))
    assert code == 1
    header, cases, footer = read(tmp_path / "out" / "results.jsonl")
    manifest = (golden / "MANIFEST.json").read_bytes()
    assert header["suite_sha256"] == hashlib.sha256(manifest).hexdigest()
    assert header["port"]["language"] == "Python, bare"
    words = ["check", "--golden", str(golden), "--report", str(tmp_path / "out")]
    assert shlex.split(header["command"]) == ["saffu", *words, *planted_program("skips")]
    assert footer["skipped"] == 5
    assert {each["url"] for each in cases} == {None, "https://example.org/issues/7"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "results.jsonl", "junit.xml", "index.html", "badge.json",
    }  # fmt: skip
    badge = json.loads((tmp_path / "out" / "badge.json").read_text())
    assert set(badge) == {"schemaVersion", "label", "message", "color"}


def test_the_smoke_test_tells_a_broken_harness_from_a_wrong_port(check: Say) -> None:
    ops = ["--only", "softmax", "--only", "priming_number"]
    code, text = check("--smoke", *ops, *planted_program("right"))
    assert (code, text.splitlines()[-1]) == (0, "Harness: it works")
    code, text = check("--smoke", *ops, *planted_program("other-shape"))
    assert (code, text.splitlines()[-1]) == (
        1, "Harness: it works; the port is wrong in priming_number",
    )  # fmt: skip
    code, text = check("--smoke", *ops, *planted_program("noise"))
    assert code == 3
    assert "something other than messages is written to the standard output" in text
    code, text = check("--smoke", *ops, *planted_program("other-name"))
    assert code == 3
    assert "an output is missing or has another name" in text


def test_the_smoke_test_asks_the_smallest_case_of_each_operation() -> None:
    chosen = smallest(CASES)
    assert {each.op for each in chosen} == {each.op for each in CASES}
    assert "softmax/pulled" in {each.id for each in chosen}
    assert all(each.reject is None for each in chosen)


def test_the_cases_can_be_listed_without_a_port(check: Say) -> None:
    code, text = check("--list")
    assert code == 0
    assert [line.split()[0] for line in text.splitlines()].count("softmax/even") == 1
    assert len(text.splitlines()) == len(CASES)
    _, text = check("--list", "--level", "core", "--only", "softmax")
    assert len(text.splitlines()) == 3


# --- challenge --------------------------------------------------------------------------------


def test_a_challenge_can_be_repeated_by_its_nonce_and_is_new_without(
    check: Say, tmp_path: Path
) -> None:
    code, text = check(REFERENCE, "--challenge", "--report", str(tmp_path))
    assert code == 0, text
    nonce = read(tmp_path / "results.jsonl")[0]["nonce"]
    assert f"--challenge {nonce}" in text
    code, text = check(REFERENCE, f"--challenge={nonce}", "--report", str(tmp_path))
    assert (code, read(tmp_path / "results.jsonl")[0]["nonce"]) == (0, nonce)
    assert f"--challenge {nonce}" not in check(REFERENCE, "--challenge")[1]


def test_a_challenge_draws_other_numbers_of_the_same_kind() -> None:
    drawn = challenge(CASES, "a nonce")
    again = {each.id: each for each in challenge(CASES, "a nonce").cases}
    assert drawn.left_out == ()
    moved = 0
    for fresh in drawn.cases:
        before = case(fresh.id)
        for name, x in fresh.inputs.items():
            known = before.inputs[name]
            assert (x.shape, x.dtype) == (known.shape, known.dtype)
            np.testing.assert_array_equal(np.sort(x == 0, None), np.sort(known == 0, None))
            np.testing.assert_array_equal(x, again[fresh.id].inputs[name])
            moved += not np.array_equal(x, known, equal_nan=True)
        assert fresh.reject == before.reject
    assert moved >= 8


def test_a_port_that_looks_answers_up_does_not_pass_a_challenge(check: Say) -> None:
    assert check(f"{__name__}:LookUp", "--only", "perplexity")[0] == 0
    assert check(f"{__name__}:LookUp", "--only", "perplexity", "--challenge", "7")[0] == 1


class LookUp:
    @staticmethod
    def perplexity(nats: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
        return {8.0: 4.0, 1.0: 1.0}[round(float(np.exp(nats.max())), 9)]


@pytest.mark.parametrize("nonce", ["1", "2", "3", "4", "5"])
def test_an_optimum_that_has_to_be_refused_is_at_infinity_when_drawn_afresh(nonce: str) -> None:
    """One λ is best at ±∞ if every target has the largest score of its sample, or the least."""
    case = read_case(golden_root() / "fit_temper/refuse-a-faint-optimum-at-infinity.json")
    (drawn,) = challenge([case], nonce).cases
    h, y, F = (drawn.inputs[name] for name in ("features", "targets", "counts"))
    scores = (h @ np.log(F / F.sum(axis=0))) * 2.0**52
    asked = np.sum(scores * y, axis=1)
    assert np.all(y.sum(axis=1) == 1)
    largest = np.all(asked >= scores.max(axis=1) - 1e-9)
    least = np.all(asked <= scores.min(axis=1) + 1e-9)
    assert largest or least


def test_a_draw_that_would_not_be_refused_is_no_challenge() -> None:
    assert afresh(case("priming_number/negative"), "seed") is not None
    from dataclasses import replace

    mislabelled = replace(case("priming_number/negative"), reject="shape")
    assert afresh(mislabelled, "seed") is None
    assert challenge([mislabelled], "7").left_out == ("priming_number/negative",)


# --- the program itself -----------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="signals are of Unix")
def test_the_port_dies_with_the_kit(golden: Path, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    port = tmp_path / "port.sh"
    port.write_text(f"#!/bin/sh\necho $$ >> {pids}\nsleep {2 * PATIENCE:.0f}\n")
    port.chmod(0o755)
    kit = subprocess.Popen(
        [sys.executable, "-m", "saffu.conformance", "check", "--golden", golden, "--", port]
    )
    until(lambda: pids.exists() and pids.read_text().endswith("\n"))
    kit.send_signal(signal.SIGTERM)
    assert kit.wait(PATIENCE) == 128 + signal.SIGTERM
    assert not alive(int(pids.read_text()))


@pytest.mark.skipif(sys.platform == "win32", reason="memory is counted by Unix")
def test_a_flood_does_not_fill_the_memory_and_comes_to_an_end(golden: Path) -> None:
    program = (
        "import resource, sys\n"
        "from saffu.conformance.__main__ import main\n"
        "code = main(sys.argv[1:])\n"
        "most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "sys.stderr.write(f'{most // (1024 * 1024 if sys.platform == \"darwin\" else 1024)}')\n"
        "sys.exit(code)\n"
    )
    for way in ("flood", "bomb"):
        words = ["check", "--golden", str(golden), "--only", "priming_number", "--smoke"]
        done = subprocess.run(
            [sys.executable, "-c", program, *words, *planted_program(way)],
            capture_output=True, text=True, check=False, timeout=PATIENCE,
        )  # fmt: skip
        assert done.returncode == 3, done.stderr
        assert int(done.stderr) < 1024, "MiB"
        assert "FAILED: 0 of 1 cases" in done.stdout


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["check", "--help"])
    text = capsys.readouterr().out
    for word in ("PORT", "--smoke", "--challenge", "Exit status", "saffu check --level core --"):
        assert word in text


# --- golden -----------------------------------------------------------------------------------


@pytest.fixture
def look(golden: Path, capsys: pytest.CaptureFixture[str]) -> Say:
    def say(*words: str) -> tuple[int, str]:
        code = main(["golden", "--golden", str(golden), *words])
        out, err = capsys.readouterr()
        return code, out + err

    return say


def test_golden_lists_shows_and_explains(look: Say, golden: Path) -> None:
    assert len(look("list")[1].splitlines()) == len(CASES)
    assert len(look("list", "softmax")[1].splitlines()) == 3
    shown = look("show", "softmax/even")[1]
    assert shown == (golden / "softmax" / "even.json").read_text()
    code, text = look("explain", "explicit_solution/norms-of-two")
    assert code == 0
    for part in ("SPEC 1", "strength", "smoothed_counts float64[2, 3]", "priming float64[] = 2.0",
                 "U[d,i] = log F[d,i] − ((K−1)/K) · log Σ_d' F[d',i]", "1e-13"):  # fmt: skip
        assert part in text
    assert (
        "Has to be refused, with the reason 'negative'"
        in look("explain", "priming_number/negative")[1]
    )
    assert "softmax-columns" in look("explain", "softmax/even")[1]
    code, text = look("explain", "softmax/odd")
    assert (code, "softmax/odd" in text) == (2, True)


def test_golden_says_what_the_kit_would_send_and_where_a_case_lies(look: Say, golden: Path) -> None:
    code, text = look("ask", "softmax/pulled")
    message = json.loads(text)
    assert (code, message["cmd"], message["seq"], message["op"]) == (0, "run", 1, "softmax")
    assert message["inputs"]["logits"]["data"] == [0.0, 0.0]
    assert message["cotangents"]["probabilities"]["data"] == [1.0, 0.0]
    assert "expect" not in text
    _, text = look("path", "softmax")
    assert [Path(line) for line in text.splitlines()] == [
        golden / "softmax" / f"{slug}.json" for slug in ("even", "not-a-number", "pulled")
    ]


def test_golden_verify_holds_the_files_to_manifest_and_schema(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert main(["golden", "verify"]) == 0
    assert "as listed in the manifest and as the schema requires" in capsys.readouterr().out
    root = write_suite(tmp_path)
    assert main(["golden", "--golden", str(root), "verify"]) == 4, "there is no schema"
    shutil.copytree(golden_root() / "schema", root / "schema")
    path = root / "perplexity" / "one.json"
    path.write_text(path.read_text().replace('"SPEC 7"', '"chapter seven"'))
    write_manifest(root)
    capsys.readouterr()
    assert main(["golden", "--golden", str(root), "verify"]) == 4
    assert "perplexity/one.json: $.spec" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "jsonschema", None)
    assert main(["golden", "--golden", str(root), "verify"]) == 0
    assert "pip install 'saffu[conformance]'" in capsys.readouterr().out


def test_golden_export_reads_back_bit_for_bit(look: Say, tmp_path: Path) -> None:
    code, text = look("export", str(tmp_path / "out"))
    assert (code, f"{len(CASES)} files" in text) == (0, True)
    with np.load(tmp_path / "out" / "softmax.pulled.npz") as arrays:
        known = case("softmax/pulled")
        np.testing.assert_array_equal(arrays["inputs.logits"], known.inputs["logits"])
        np.testing.assert_array_equal(arrays["gradients.logits"], known.gradients["logits"].value)
        assert json.loads(str(arrays["case"]))["tolerance"] == known.tolerance
    with np.load(tmp_path / "out" / "radial_context.two-of-three.npz") as arrays:
        assert arrays["outputs.mask"].dtype == np.bool_
    with np.load(tmp_path / "out" / "priming_number.negative.npz") as arrays:
        assert json.loads(str(arrays["case"]))["reject"] == "negative"


def test_golden_export_to_safetensors(look: Say, tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    from safetensors.numpy import load_file

    code, _ = look("export", str(tmp_path), "explicit_solution", "--format", "safetensors")
    assert code == 0
    assert len(list(tmp_path.iterdir())) == 2
    back = load_file(tmp_path / "explicit_solution.norms-of-two.safetensors")
    np.testing.assert_array_equal(
        back["outputs.weights"], case("explicit_solution/norms-of-two").outputs["weights"].value
    )


def test_export_without_safetensors_says_how_to_get_it(
    look: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "safetensors", None)
    code, text = look("export", str(tmp_path), "--format", "safetensors")
    assert (code, "saffu[conformance]" in text) == (2, True)


def test_the_kit_runs_where_the_optional_packages_are_not(golden: Path) -> None:
    program = (
        "import sys\n"
        "for name in ('jsonschema', 'safetensors', 'pytest', 'torch', 'matplotlib', 'sklearn'):\n"
        "    sys.modules[name] = None\n"
        "from saffu.conformance.__main__ import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "check", "--golden", golden, REFERENCE],
        capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONWARNINGS": "error"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
