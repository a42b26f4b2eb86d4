"""`pytest --saffu-port`: one test a case, in a pytest of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from saffu.conformance import pytest_plugin
from spec_tests.support.planted.cases import CASES, write_suite

ROOT = Path(__file__).parent.parent

SUITE = """
from pathlib import Path
from saffu.conformance.contract import golden
golden.golden_root = lambda: Path(__file__).parent / "suite"
"""

PORT = """
import numpy as np
def softmax(logits, mask=None, cotangents=None):
    if not np.isfinite(logits).all():
        raise ValueError("not finite")
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = p / p.sum(axis=1, keepdims=True)
    answer = {"probabilities": p}
    if cotangents:
        dp = cotangents["probabilities"]
        answer["gradient.logits"] = p * (dp - (p * dp).sum(axis=1, keepdims=True))
    return answer
def perplexity(nats):
    return np.exp2(nats.mean())
def sgd_step(parameter, gradient, rate):
    raise NotImplementedError("no steps", "https://example.org/7")
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    write_suite(tmp_path / "suite")
    (tmp_path / "conftest.py").write_text(SUITE)
    (tmp_path / "my_port.py").write_text(PORT)
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers\n")
    return tmp_path


def pytest_in(project: Path, *words: str) -> tuple[int, str]:
    plugin = ("-p", "no:saffu", "-p", "saffu.conformance.pytest_plugin", "-p", "no:cacheprovider")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rA", *plugin, *words],
        cwd=project, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTEST_ADDOPTS": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_there_is_a_test_for_each_case(project: Path) -> None:
    code, text = pytest_in(project, "--saffu-port", "my_port")
    assert code == 1
    for line in (
        "PASSED softmax/even", "PASSED softmax/pulled", "PASSED softmax/not-a-number",
        "FAILED perplexity/eight-and-two", "PASSED perplexity/one",
    ):  # fmt: skip
        assert line in text.replace("saffu::", "")
    assert "no steps (https://example.org/7)" in text
    assert "see: saffu golden explain perplexity/eight-and-two" in text
    assert f"1 failed, 4 passed, {len(CASES) - 5} skipped" in text


def test_tests_are_chosen_by_name_and_level(project: Path) -> None:
    code, text = pytest_in(project, "--saffu-port", "my_port", "-k", "softmax")
    assert (code, "3 passed" in text) == (0, True)
    code, text = pytest_in(project, "--saffu-port", "my_port", "--saffu-level", "core")
    assert (code, "3 passed, 5 skipped" in text) == (0, True)


def test_cases_are_counted_as_collected(project: Path) -> None:
    _, text = pytest_in(project, "--saffu-port", "my_port", "--collect-only")
    assert f"{len(CASES)} tests collected" in text
    _, text = pytest_in(project, "--saffu-port", "my_port", "--collect-only", "-k", "softmax")
    assert f"3/{len(CASES)} tests collected ({len(CASES) - 3} deselected)" in text


def test_a_port_that_is_not_there_is_a_usage_error(project: Path) -> None:
    code, text = pytest_in(project, "--saffu-port", "no_such_port")
    assert (code, "--saffu-port: " in text) == (4, True)


def test_without_the_option_nothing_is_added(project: Path) -> None:
    (project / "test_one.py").write_text(
        "import sys\n"
        "def test_light(): assert 'saffu.conformance.judging.runner' not in sys.modules\n"
    )
    (project / "conftest.py").unlink()
    code, text = pytest_in(project)
    assert (code, "1 passed" in text) == (0, True)


def test_the_plugin_is_announced_to_pytest() -> None:
    announced = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    assert announced["pytest11"] == {"saffu": pytest_plugin.__name__}
