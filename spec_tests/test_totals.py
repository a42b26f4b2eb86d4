"""The script that counts the tests has to count right, or a red run could look green."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / ".ci" / "totals.py"


def report(folder: Path, name: str, tests: int, failures: int, errors: int, skipped: int) -> None:
    (folder / f"{name}.xml").write_text(
        f'<testsuites><testsuite name="pytest" tests="{tests}" failures="{failures}" '
        f'errors="{errors}" skipped="{skipped}"/></testsuites>'
    )


def totals(folder: Path) -> tuple[int, list[str]]:
    done = subprocess.run(
        [sys.executable, SCRIPT, folder], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout.splitlines()


def test_reports_are_added_up(tmp_path: Path) -> None:
    report(tmp_path, "laws", tests=31, failures=0, errors=0, skipped=2)
    report(tmp_path, "pages", tests=7, failures=0, errors=0, skipped=0)
    status, lines = totals(tmp_path)
    assert status == 0
    assert lines[-1] == "36 passed, 0 failed, 2 skipped"
    assert [line.split() for line in lines[-3:-1]] == [
        ["laws:", "29", "passed,", "0", "failed,", "2", "skipped"],
        ["pages:", "7", "passed,", "0", "failed"],
    ]


@pytest.mark.parametrize(("failures", "errors"), [(3, 0), (0, 3), (2, 1)])
def test_failures_and_errors_fail_the_run(tmp_path: Path, failures: int, errors: int) -> None:
    report(tmp_path, "laws", tests=31, failures=failures, errors=errors, skipped=0)
    assert totals(tmp_path) == (
        1,
        ["", f"{'laws:':<16} 28 passed, 3 failed", "28 passed, 3 failed"],
    )


def test_a_run_without_tests_fails(tmp_path: Path) -> None:
    status, lines = totals(tmp_path)
    assert status == 1
    assert lines[-1] == "0 passed, 0 failed"


def test_the_counts_are_those_of_pytest(tmp_path: Path) -> None:
    (tmp_path / "test_outcomes.py").write_text(
        "import pytest\n"
        "def test_good(): pass\n"
        "def test_bad(): assert 1 == 2\n"
        "@pytest.fixture\n"
        "def broken(): raise OSError\n"
        "def test_error(broken): pass\n"
        "@pytest.mark.skip(reason='to be counted')\n"
        "def test_skipped(): pass\n"
        "@pytest.mark.xfail(strict=True)\n"
        "def test_expected(): assert 1 == 2\n"
    )
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--junitxml=outcomes.xml", "test_outcomes.py"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    status, lines = totals(tmp_path)
    assert status == 1
    assert lines[-1] == "1 passed, 2 failed, 2 skipped"
